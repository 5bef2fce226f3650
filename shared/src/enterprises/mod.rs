//! Enterprises: the tenants of the installation. Nothing is shared between them.
//!
//! Its people see and change their own; who runs the installation founds, suspends and activates them, and sees what an
//! enterprise is called and whether it works, nothing of what it does.

mod facts;

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use serde_json::json;
use sqlx::PgConnection;

use crate::access::Permission;
use crate::audit::{self, Action, Object};
use crate::db::{EnterpriseTx, PlatformTx};
use crate::ids::EnterpriseId;
use crate::page::{Page, PageQuery};
use crate::versions::Version;
use crate::{Error, Result, users};

pub use facts::{Language, ReservationStrategy, SecondFactorDuty, Settings, TaxNumber, TimeZone};

/// Whether its people may work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, sqlx::Type)]
#[cfg_attr(feature = "openapi", derive(poem_openapi::Enum))]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", oai(rename_all = "snake_case"))]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum EnterpriseStatus {
    /// They may.
    Active,
    /// Nobody signs in, keys are not accepted, timers stand still.
    Suspended,
}

/// A tenant.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Enterprise {
    /// Which one.
    pub id: EnterpriseId,
    /// As people call it.
    pub name: String,
    /// ИНН, if it was told.
    pub tax_number: Option<String>,
    /// IANA name of the zone in which its days begin.
    pub time_zone: String,
    /// Whether its people may work.
    pub status: EnterpriseStatus,
    /// What it decides for itself.
    pub settings: Settings,
    /// Since when.
    pub created_at: DateTime<Utc>,
    /// How often it was changed.
    pub version: Version,
}

/// An enterprise to found.
#[derive(Clone, Debug)]
pub struct NewEnterprise {
    /// As people will call it, 1 to 200 characters.
    pub name: String,
    /// ИНН.
    pub tax_number: Option<TaxNumber>,
    /// Where its days begin.
    pub time_zone: TimeZone,
}

/// What of an enterprise should become what.
#[derive(Clone, Debug, Default)]
pub struct Change {
    /// As people call it.
    pub name: Option<String>,
    /// ИНН.
    pub tax_number: Option<TaxNumber>,
    /// Where its days begin.
    pub time_zone: Option<TimeZone>,
    /// All settings at once.
    pub settings: Option<Settings>,
}

/// Which enterprises to list.
#[derive(Clone, Debug, Default)]
pub struct EnterpriseFilter {
    /// With this text in name or tax number, whatever the case.
    pub search: Option<String>,
    /// In this state.
    pub status: Option<EnterpriseStatus>,
}

impl EnterpriseFilter {
    fn pattern(&self) -> Option<String> {
        let escaped = |text: &str| text.trim().replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_");
        self.search.as_deref().map(|text| format!("%{}%", escaped(text)))
    }
}

/// One of the enterprises to which the acting person belongs, or a key's own. What belongs to others is not found.
pub async fn get(tx: &mut EnterpriseTx, id: EnterpriseId) -> Result<Enterprise> {
    of_actor(tx, Some(id), &EnterpriseFilter::default(), None, 1).await?.pop().ok_or(Error::NotFound("enterprise"))
}

/// The enterprises to which the acting person belongs, oldest first; a key belongs to one.
pub async fn list(tx: &mut EnterpriseTx, filter: &EnterpriseFilter, query: &PageQuery) -> Result<Page<Enterprise>> {
    let after: Option<EnterpriseId> = query.key()?;
    let rows = of_actor(tx, None, filter, after, query.limit + 1).await?;
    Ok(query.page(rows, |row| row.id))
}

/// What the enterprise in which the transaction acts decides for itself.
pub async fn settings(tx: &mut EnterpriseTx) -> Result<Settings> {
    let enterprise_id = tx.enterprise_id();
    Ok(get(tx, enterprise_id).await?.settings)
}

/// Which day it is where the enterprise is, at the moment of the transaction.
pub async fn today(tx: &mut EnterpriseTx) -> Result<NaiveDate> {
    let (enterprise_id, now) = (tx.enterprise_id(), tx.now().await?);
    Ok(sqlx::query_scalar!(
        r#"SELECT ($2::timestamptz AT TIME ZONE time_zone)::date AS "today!" FROM enterprises WHERE id = $1"#,
        enterprise_id as _,
        now,
    )
    .fetch_one(tx.conn())
    .await?)
}

/// Changes what is named of the enterprise in which the actor acts. Others are not found.
pub async fn change(tx: &mut EnterpriseTx, id: EnterpriseId, change: &Change) -> Result<Enterprise> {
    tx.require_everywhere(Permission::ManageEnterprise)?;
    if id != tx.enterprise_id() {
        return Err(Error::NotFound("enterprise"));
    }
    let name = change.name.as_deref().map(checked_name).transpose()?;
    users::hold(tx.conn(), id).await?;
    let before = get(tx, id).await?;
    tx.expect(before.version)?;
    if let Some(settings) = &change.settings {
        settings.check()?;
    }
    let settings = change.settings.as_ref();
    sqlx::query!(
        "UPDATE enterprises
         SET name = coalesce($2, name), tax_number = coalesce($3, tax_number), time_zone = coalesce($4, time_zone),
             language = coalesce($5, language), label_width_mm = coalesce($6, label_width_mm),
             label_height_mm = coalesce($7, label_height_mm),
             require_second_factor = CASE WHEN $8 THEN $9 ELSE require_second_factor END,
             reservation_strategy = coalesce($10, reservation_strategy),
             publishing_brake_percent = coalesce($11, publishing_brake_percent),
             publishing_brake_units = coalesce($12, publishing_brake_units)
         WHERE id = $1",
        id as _,
        name,
        change.tax_number.as_ref().map(TaxNumber::as_str),
        change.time_zone.map(TimeZone::name),
        settings.map(|settings| settings.language) as Option<Language>,
        settings.map(|settings| settings.label_width_mm),
        settings.map(|settings| settings.label_height_mm),
        settings.is_some(),
        settings.and_then(|settings| settings.require_second_factor) as Option<SecondFactorDuty>,
        settings.map(|settings| settings.reservation_strategy) as Option<ReservationStrategy>,
        settings.map(|settings| settings.publishing_brake_percent),
        settings.map(|settings| settings.publishing_brake_units),
    )
    .execute(tx.conn())
    .await?;
    let after = get(tx, id).await?;
    audit::changed(tx, Action::EnterpriseChanged, Object::of("enterprise", id), &before, &after).await?;
    Ok(after)
}

/// Every enterprise of the installation, for what is done for each of them.
pub async fn all(tx: &mut PlatformTx) -> Result<Vec<EnterpriseId>> {
    Ok(sqlx::query_scalar!("SELECT id FROM enterprises ORDER BY id").fetch_all(tx.conn()).await?)
}

/// When the oldest enterprise whose people may work was founded; absent where there is none.
pub async fn oldest_founded_at(tx: &mut PlatformTx) -> Result<Option<DateTime<Utc>>> {
    Ok(sqlx::query_scalar!("SELECT min(created_at) FROM enterprises WHERE status = 'active'")
        .fetch_one(tx.conn())
        .await?)
}

/// Every enterprise whose people may work, oldest first: for jobs of the installation itself.
pub async fn active(tx: &mut PlatformTx) -> Result<Vec<EnterpriseId>> {
    Ok(sqlx::query_scalar!("SELECT id FROM enterprises WHERE status = 'active' ORDER BY id")
        .fetch_all(tx.conn())
        .await?)
}

/// Every enterprise of the installation, oldest first.
pub async fn list_all(tx: &mut EnterpriseTx, filter: &EnterpriseFilter, query: &PageQuery) -> Result<Page<Enterprise>> {
    tx.actor().require_operator()?;
    let after: Option<EnterpriseId> = query.key()?;
    let rows = of_installation(tx.conn(), None, filter, after, query.limit + 1).await?;
    Ok(query.page(rows, |row| row.id))
}

/// Any enterprise of the installation.
pub async fn get_any(tx: &mut EnterpriseTx, id: EnterpriseId) -> Result<Enterprise> {
    tx.actor().require_operator()?;
    any(tx, id).await
}

/// Founds an enterprise; its first administrator is made by `users`.
pub async fn found(tx: &mut EnterpriseTx, new: &NewEnterprise) -> Result<Enterprise> {
    tx.actor().require_operator()?;
    let (id, name, now) = (EnterpriseId::new(), checked_name(&new.name)?, tx.now().await?);
    sqlx::query!(
        "INSERT INTO enterprises (id, name, tax_number, time_zone, created_at) VALUES ($1, $2, $3, $4, $5)",
        id as _,
        name,
        new.tax_number.as_ref().map(TaxNumber::as_str),
        new.time_zone.name(),
        now,
    )
    .execute(tx.conn())
    .await?;
    audit::noted(tx, Action::EnterpriseCreated, Object::of("enterprise", id), &json!({ "name": name })).await?;
    any(tx, id).await
}

/// Shuts its people and keys out from their next request on; its timers stand still. Its data stays as it is.
pub async fn suspend(tx: &mut EnterpriseTx, id: EnterpriseId) -> Result<Enterprise> {
    set_status(tx, id, EnterpriseStatus::Suspended).await
}

/// Lets its people work again.
pub async fn activate(tx: &mut EnterpriseTx, id: EnterpriseId) -> Result<Enterprise> {
    set_status(tx, id, EnterpriseStatus::Active).await
}

async fn set_status(tx: &mut EnterpriseTx, id: EnterpriseId, status: EnterpriseStatus) -> Result<Enterprise> {
    tx.actor().require_operator()?;
    sqlx::query!("UPDATE enterprises SET status = $2 WHERE id = $1", id as _, status as EnterpriseStatus)
        .execute(tx.conn())
        .await?;
    users::rights_changed_in(tx, id).await?;
    let enterprise = any(tx, id).await?;
    let (object, facts) = (|| Object::of("enterprise", id), json!({ "status": status }));
    audit::noted(tx, Action::EnterpriseStatusSet, object(), &facts).await?;
    audit::noted_in(tx, id, (Action::EnterpriseStatusSet, object()), &facts).await?;
    Ok(enterprise)
}

fn checked_name(name: &str) -> Result<&str> {
    let name = name.trim();
    if (1..=200).contains(&name.chars().count()) {
        Ok(name)
    } else {
        Err(Error::invalid("name", "must have between 1 and 200 characters"))
    }
}

struct Row {
    id: EnterpriseId,
    name: String,
    tax_number: Option<String>,
    time_zone: String,
    status: EnterpriseStatus,
    language: Language,
    label_width_mm: i32,
    label_height_mm: i32,
    require_second_factor: Option<SecondFactorDuty>,
    reservation_strategy: ReservationStrategy,
    publishing_brake_percent: i32,
    publishing_brake_units: i32,
    created_at: DateTime<Utc>,
    version: Version,
}

impl From<Row> for Enterprise {
    fn from(row: Row) -> Self {
        Self {
            id: row.id,
            name: row.name,
            tax_number: row.tax_number,
            time_zone: row.time_zone,
            status: row.status,
            settings: Settings {
                language: row.language,
                label_width_mm: row.label_width_mm,
                label_height_mm: row.label_height_mm,
                require_second_factor: row.require_second_factor,
                reservation_strategy: row.reservation_strategy,
                publishing_brake_percent: row.publishing_brake_percent,
                publishing_brake_units: row.publishing_brake_units,
            },
            created_at: row.created_at,
            version: row.version,
        }
    }
}

async fn any(tx: &mut EnterpriseTx, id: EnterpriseId) -> Result<Enterprise> {
    of_installation(tx.conn(), Some(id), &EnterpriseFilter::default(), None, 1)
        .await?
        .pop()
        .ok_or(Error::NotFound("enterprise"))
}

async fn of_installation(
    conn: &mut PgConnection,
    id: Option<EnterpriseId>,
    filter: &EnterpriseFilter,
    after: Option<EnterpriseId>,
    limit: i64,
) -> Result<Vec<Enterprise>> {
    let rows = sqlx::query_as!(
        Row,
        "SELECT id, name, tax_number, time_zone, status, language, label_width_mm, label_height_mm, require_second_factor,
                reservation_strategy, publishing_brake_percent, publishing_brake_units, created_at, version
         FROM enterprises
         WHERE ($1::uuid IS NULL OR id = $1) AND ($2::uuid IS NULL OR id > $2)
           AND ($3::text IS NULL OR name ILIKE $3 OR tax_number ILIKE $3) AND ($4::text IS NULL OR status = $4)
         ORDER BY id
         LIMIT $5",
        id as _,
        after as _,
        filter.pattern(),
        filter.status as Option<EnterpriseStatus>,
        limit,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(Into::into).collect())
}

async fn of_actor(
    tx: &mut EnterpriseTx,
    id: Option<EnterpriseId>,
    filter: &EnterpriseFilter,
    after: Option<EnterpriseId>,
    limit: i64,
) -> Result<Vec<Enterprise>> {
    let (own, user_id) = (tx.enterprise_id(), tx.actor().user_id());
    let rows = sqlx::query_as!(
        Row,
        "SELECT e.id, e.name, e.tax_number, e.time_zone, e.status, e.language, e.label_width_mm, e.label_height_mm,
                e.require_second_factor, e.reservation_strategy, e.publishing_brake_percent, e.publishing_brake_units, e.created_at, e.version
         FROM enterprises AS e
         WHERE (e.id = $1 OR EXISTS (SELECT FROM memberships AS m
                                     WHERE m.enterprise_id = e.id AND m.user_id = $2 AND m.status = 'active'))
           AND ($3::uuid IS NULL OR e.id = $3) AND ($4::uuid IS NULL OR e.id > $4)
           AND ($5::text IS NULL OR e.name ILIKE $5 OR e.tax_number ILIKE $5) AND ($6::text IS NULL OR e.status = $6)
         ORDER BY e.id
         LIMIT $7",
        own as _,
        user_id as _,
        id as _,
        after as _,
        filter.pattern(),
        filter.status as Option<EnterpriseStatus>,
        limit,
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(rows.into_iter().map(Into::into).collect())
}
