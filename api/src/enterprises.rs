//! Enterprises over HTTP.

use chrono::{DateTime, Utc};
use poem::web::Data;
use poem_openapi::param::{Path, Query};
use poem_openapi::payload::Json;
use poem_openapi::{Object, OpenApi};
use shared::Error;
use shared::access::{Recognised, Role};
use shared::db::Db;
use shared::enterprises::{
    self, Change, EnterpriseFilter, EnterpriseStatus, Language, NewEnterprise, ReservationStrategy, SecondFactorDuty,
    TaxNumber, TimeZone,
};
use shared::ids::EnterpriseId;
use shared::page::PageQuery;
use shared::users::letters::{self, LetterKind};
use shared::users::{self, Email, Grant, NewUser};
use shared::versions::Version;

use crate::answers::{Accepted, Current, Ending, Fresh, Page};
use crate::auth::{Anybody, Caller, Letter, SystemAdministrator, delivery};
use crate::passwords::Passwords;
use crate::problem::ApiError;
use crate::versions::versioned;
use crate::{State, Tag};

/// What an enterprise decides for itself.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase", deny_unknown_fields, skip_serializing_if_is_none)]
pub struct EnterpriseSettings {
    /// In which language letters and documents are written.
    pub language: Language,
    /// How wide the labels of a new printer are if nobody says, in millimetres from 20 to 120.
    #[oai(validator(minimum(value = "20"), maximum(value = "120")))]
    pub label_width_mm: i32,
    /// How high they are, in millimetres from 20 to 200.
    #[oai(validator(minimum(value = "20"), maximum(value = "200")))]
    pub label_height_mm: i32,
    /// Who must use a second factor to sign in; absent: as the installation is configured.
    pub require_second_factor: Option<SecondFactorDuty>,
    /// Out of which cells and lots orders are served, where there is a choice; `first_expired` if absent.
    pub reservation_strategy: Option<ReservationStrategy>,
    /// A rise of published stock by more than this share of it waits for a second person, in percent from 0 to 1000; 0: none
    /// waits.
    #[oai(default = "brake_percent", validator(minimum(value = "0"), maximum(value = "1000")))]
    pub publishing_brake_percent: i32,
    /// A rise by no more than so many units never waits, from 0 to 1000000.
    #[oai(default = "brake_units", validator(minimum(value = "0"), maximum(value = "1000000")))]
    pub publishing_brake_units: i32,
}

const fn brake_percent() -> i32 {
    enterprises::Settings::BRAKE_PERCENT
}

const fn brake_units() -> i32 {
    enterprises::Settings::BRAKE_UNITS
}

impl From<enterprises::Settings> for EnterpriseSettings {
    fn from(settings: enterprises::Settings) -> Self {
        Self {
            language: settings.language,
            label_width_mm: settings.label_width_mm,
            label_height_mm: settings.label_height_mm,
            require_second_factor: settings.require_second_factor,
            reservation_strategy: Some(settings.reservation_strategy),
            publishing_brake_percent: settings.publishing_brake_percent,
            publishing_brake_units: settings.publishing_brake_units,
        }
    }
}

impl From<EnterpriseSettings> for enterprises::Settings {
    fn from(settings: EnterpriseSettings) -> Self {
        Self {
            language: settings.language,
            label_width_mm: settings.label_width_mm,
            label_height_mm: settings.label_height_mm,
            require_second_factor: settings.require_second_factor,
            reservation_strategy: settings.reservation_strategy.unwrap_or(ReservationStrategy::FirstExpired),
            publishing_brake_percent: settings.publishing_brake_percent,
            publishing_brake_units: settings.publishing_brake_units,
        }
    }
}

/// A tenant: nothing is shared between enterprises.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase", skip_serializing_if_is_none)]
pub struct Enterprise {
    /// Which one.
    pub id: EnterpriseId,
    /// As people call it.
    pub name: String,
    /// ИНН.
    pub tax_number: Option<String>,
    /// IANA name of the zone in which its days begin.
    pub time_zone: String,
    /// Whether its people may work.
    pub status: EnterpriseStatus,
    /// What it decides for itself; not shown to who runs the installation.
    pub settings: Option<EnterpriseSettings>,
    /// Since when.
    pub created_at: DateTime<Utc>,
    /// How often it was changed.
    pub version: Version,
}

versioned!(Enterprise);

impl From<enterprises::Enterprise> for Enterprise {
    fn from(enterprise: enterprises::Enterprise) -> Self {
        let enterprises::Enterprise { id, name, tax_number, time_zone, status, settings, created_at, version } =
            enterprise;
        Self { id, name, tax_number, time_zone, status, settings: Some(settings.into()), created_at, version }
    }
}

impl Enterprise {
    /// As who runs the installation sees it.
    fn from_outside(enterprise: enterprises::Enterprise) -> Self {
        Self { settings: None, ..enterprise.into() }
    }
}

/// The first administrator of a new enterprise. Who has the address already keeps name and password.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase", deny_unknown_fields)]
pub struct FirstAdministrator {
    /// What they sign in with; kept in lower case.
    #[oai(validator(max_length = 254))]
    pub email: String,
    /// As colleagues call them, 1 to 200 characters; needed by who is new to the installation.
    #[oai(validator(min_length = 1, max_length = 200))]
    pub name: Option<String>,
    /// Their first password, 12 to 128 characters; needed by who is new to the installation.
    #[oai(validator(min_length = 12, max_length = 128))]
    pub password: Option<String>,
}

/// An enterprise to found, with its first administrator.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase", deny_unknown_fields)]
pub struct CreateEnterprise {
    /// As people will call it, 1 to 200 characters.
    #[oai(validator(min_length = 1, max_length = 200))]
    pub name: String,
    /// ИНН, 10 or 12 digits.
    #[oai(validator(pattern = "^([0-9]{10}|[0-9]{12})$"))]
    pub tax_number: Option<String>,
    /// IANA name; `Europe/Moscow` if absent.
    #[oai(validator(max_length = 64))]
    pub time_zone: Option<String>,
    /// Who will take in the others; absent: somebody will be invited with `POST /enterprises/{id}/administrator-invitations`.
    pub administrator: Option<FirstAdministrator>,
}

/// The first administrator, to be invited.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase", deny_unknown_fields)]
pub struct InviteAdministrator {
    /// Whom; kept in lower case.
    #[oai(validator(max_length = 254))]
    pub email: String,
    /// As colleagues will call them, 1 to 200 characters.
    #[oai(validator(min_length = 1, max_length = 200))]
    pub name: String,
}

/// What of the enterprise should change.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase", deny_unknown_fields)]
pub struct ChangeEnterprise {
    /// As people call it, 1 to 200 characters.
    #[oai(validator(min_length = 1, max_length = 200))]
    pub name: Option<String>,
    /// ИНН, 10 or 12 digits.
    #[oai(validator(pattern = "^([0-9]{10}|[0-9]{12})$"))]
    pub tax_number: Option<String>,
    /// IANA name of the zone in which its days begin.
    #[oai(validator(max_length = 64))]
    pub time_zone: Option<String>,
    /// All settings at once.
    pub settings: Option<EnterpriseSettings>,
}

impl TryFrom<ChangeEnterprise> for Change {
    type Error = Error;

    fn try_from(body: ChangeEnterprise) -> Result<Self, Error> {
        let ChangeEnterprise { name, tax_number, time_zone, settings } = body;
        Ok(Self {
            name,
            tax_number: tax_number.as_deref().map(TaxNumber::parse).transpose()?,
            time_zone: time_zone.as_deref().map(TimeZone::parse).transpose()?,
            settings: settings.map(Into::into),
        })
    }
}

/// Enterprises.
pub struct Api;

#[OpenApi(tag = "Tag::Enterprises")]
impl Api {
    /// List the enterprises to which you belong; for a system administrator, all of the installation
    #[oai(path = "/enterprises", method = "get", operation_id = "list_enterprises")]
    async fn list(
        &self,
        Anybody(caller): Anybody,
        db: Data<&Db>,
        /// With this text in name or tax number, whatever the case.
        #[oai(validator(max_length = 200))]
        search: Query<Option<String>>,
        /// In this state.
        status: Query<Option<EnterpriseStatus>>,
        /// Rows per page, from 1 to 1000; 100 if absent.
        limit: Query<Option<i64>>,
        /// The `next` of the page before.
        after: Query<Option<String>>,
    ) -> Result<Json<Page<Enterprise>>, ApiError> {
        let query = PageQuery::new(limit.0, after.0)?;
        let filter = EnterpriseFilter { search: search.0, status: status.0 };
        match caller {
            Recognised::Actor(actor) => {
                let mut tx = db.begin(&actor).await?;
                let page = enterprises::list(&mut tx, &filter, &query).await?;
                tx.commit().await?;
                Ok(Json(Page::of(page)))
            }
            Recognised::Operator(operator) => {
                let mut tx = db.begin(operator.actor()).await?;
                let page = enterprises::list_all(&mut tx, &filter, &query).await?;
                tx.commit().await?;
                Ok(Json(Page::of(page.map(Enterprise::from_outside))))
            }
        }
    }

    /// Found an enterprise, with its first administrator or without anybody yet
    #[oai(path = "/enterprises", method = "post", operation_id = "create_enterprise")]
    async fn create(
        &self,
        SystemAdministrator(operator): SystemAdministrator,
        db: Data<&Db>,
        passwords: Data<&Passwords>,
        body: Json<CreateEnterprise>,
    ) -> Result<Fresh<Enterprise>, ApiError> {
        let CreateEnterprise { name, tax_number, time_zone, administrator } = body.0;
        let new = NewEnterprise {
            name,
            tax_number: tax_number.as_deref().map(TaxNumber::parse).transpose()?,
            time_zone: time_zone.as_deref().map_or(Ok(TimeZone::default()), TimeZone::parse)?,
        };
        let first = match administrator {
            Some(administrator) => Some(first(&passwords, administrator).await?),
            None => None,
        };
        let mut tx = db.begin(operator.actor()).await?;
        let enterprise = enterprises::found(&mut tx, &new).await?;
        if let Some(first) = &first {
            users::create_first(&mut tx, enterprise.id, first).await?;
        }
        tx.answer(Fresh::of(Enterprise::from_outside(enterprise))).await
    }

    /// Invite the first administrator of an enterprise that nobody administers
    ///
    /// By mail where that is set up; else the answer shows the link. It is good for a day, and a later invitation of the same
    /// person replaces it. Once the enterprise has an administrator, only its own people let others in.
    #[oai(path = "/enterprises/:id/administrator-invitations", method = "post", operation_id = "invite_administrator")]
    async fn invite_administrator(
        &self,
        SystemAdministrator(operator): SystemAdministrator,
        state: Data<&State>,
        id: Path<EnterpriseId>,
        body: Json<InviteAdministrator>,
    ) -> Result<Accepted<Letter>, ApiError> {
        let InviteAdministrator { email, name } = body.0;
        let email = Email::parse(&email)?;
        let mut tx = state.db.begin(operator.actor()).await?;
        let asked = letters::invite_administrator(&mut tx, id.0, &email, &name, delivery(&state)).await?;
        tx.commit().await?;
        Ok(Accepted::of(Letter::of(&state, LetterKind::Invitation, asked)))
    }

    /// Get one of the enterprises to which you belong; for a system administrator, any of the installation
    #[oai(path = "/enterprises/:id", method = "get", operation_id = "get_enterprise")]
    async fn get(
        &self,
        Anybody(caller): Anybody,
        db: Data<&Db>,
        id: Path<EnterpriseId>,
    ) -> Result<Current<Enterprise>, ApiError> {
        match caller {
            Recognised::Actor(actor) => {
                let mut tx = db.begin(&actor).await?;
                let enterprise = enterprises::get(&mut tx, id.0).await?;
                tx.commit().await?;
                Ok(Current::of(enterprise))
            }
            Recognised::Operator(operator) => {
                let mut tx = db.begin(operator.actor()).await?;
                let enterprise = enterprises::get_any(&mut tx, id.0).await?;
                tx.commit().await?;
                Ok(Current::of(Enterprise::from_outside(enterprise)))
            }
        }
    }

    /// Change the enterprise in which you act
    #[oai(path = "/enterprises/:id", method = "patch", operation_id = "change_enterprise")]
    async fn change(
        &self,
        Caller(actor): Caller,
        db: Data<&Db>,
        id: Path<EnterpriseId>,
        body: Json<ChangeEnterprise>,
    ) -> Result<Current<Enterprise>, ApiError> {
        let change = body.0.try_into()?;
        let mut tx = db.begin(&actor).await?;
        let enterprise = enterprises::change(&mut tx, id.0, &change).await?;
        tx.answer(Current::of(enterprise)).await
    }

    /// Shut an enterprise's people and keys out, from their next request on; its timers stand still
    #[oai(path = "/enterprises/:id/suspend", method = "post", operation_id = "suspend_enterprise")]
    async fn suspend(
        &self,
        SystemAdministrator(operator): SystemAdministrator,
        db: Data<&Db>,
        id: Path<EnterpriseId>,
    ) -> Result<Current<Enterprise>, ApiError> {
        let mut tx = db.begin(operator.actor()).await?;
        let enterprise = enterprises::suspend(&mut tx, id.0).await?;
        tx.answer(Current::of(Enterprise::from_outside(enterprise))).await
    }

    /// Let an enterprise's people work again
    #[oai(path = "/enterprises/:id/activate", method = "post", operation_id = "activate_enterprise")]
    async fn activate(
        &self,
        SystemAdministrator(operator): SystemAdministrator,
        db: Data<&Db>,
        id: Path<EnterpriseId>,
    ) -> Result<Current<Enterprise>, ApiError> {
        let mut tx = db.begin(operator.actor()).await?;
        let enterprise = enterprises::activate(&mut tx, id.0).await?;
        tx.answer(Current::of(Enterprise::from_outside(enterprise))).await
    }
}

/// No transaction is open while Argon2 runs.
async fn first(passwords: &Passwords, administrator: FirstAdministrator) -> Result<NewUser, ApiError> {
    Ok(NewUser {
        email: Email::parse(&administrator.email)?,
        name: administrator.name,
        password_hash: crate::users::hashed(passwords, administrator.password).await?,
        grants: vec![Grant::everywhere(Role::Administrator)],
    })
}
