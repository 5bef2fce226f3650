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
use shared::users::{self, Email, Grant, NewUser};

use crate::Tag;
use crate::answers::{Created, Ending, Page};
use crate::auth::{Anybody, Caller, SystemAdministrator};
use crate::passwords::Passwords;
use crate::problem::ApiError;

/// What an enterprise decides for itself.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase", deny_unknown_fields, skip_serializing_if_is_none)]
pub struct EnterpriseSettings {
    /// In which language letters and documents are written.
    pub language: Language,
    /// How wide the labels of a new printer are if nobody says, in millimetres from 20 to 120.
    pub label_width_mm: i32,
    /// How high they are, in millimetres from 20 to 200.
    pub label_height_mm: i32,
    /// Who must use a second factor to sign in; absent: as the installation is configured.
    pub require_second_factor: Option<SecondFactorDuty>,
    /// Out of which cells and lots orders are served, where there is a choice; `first_expired` if absent.
    pub reservation_strategy: Option<ReservationStrategy>,
}

impl From<enterprises::Settings> for EnterpriseSettings {
    fn from(settings: enterprises::Settings) -> Self {
        let enterprises::Settings {
            language,
            label_width_mm,
            label_height_mm,
            require_second_factor,
            reservation_strategy,
        } = settings;
        let reservation_strategy = Some(reservation_strategy);
        Self { language, label_width_mm, label_height_mm, require_second_factor, reservation_strategy }
    }
}

impl From<EnterpriseSettings> for enterprises::Settings {
    fn from(settings: EnterpriseSettings) -> Self {
        let EnterpriseSettings {
            language,
            label_width_mm,
            label_height_mm,
            require_second_factor,
            reservation_strategy,
        } = settings;
        let reservation_strategy = reservation_strategy.unwrap_or(ReservationStrategy::FirstExpired);
        Self { language, label_width_mm, label_height_mm, require_second_factor, reservation_strategy }
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
}

impl From<enterprises::Enterprise> for Enterprise {
    fn from(enterprise: enterprises::Enterprise) -> Self {
        let enterprises::Enterprise { id, name, tax_number, time_zone, status, settings, created_at } = enterprise;
        Self { id, name, tax_number, time_zone, status, settings: Some(settings.into()), created_at }
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
    pub email: String,
    /// As colleagues call them, 1 to 200 characters; needed by who is new to the installation.
    pub name: Option<String>,
    /// Their first password, 12 to 128 characters; needed by who is new to the installation.
    pub password: Option<String>,
}

/// An enterprise to found, with its first administrator.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase", deny_unknown_fields)]
pub struct CreateEnterprise {
    /// As people will call it, 1 to 200 characters.
    pub name: String,
    /// ИНН, 10 or 12 digits.
    pub tax_number: Option<String>,
    /// IANA name; `Europe/Moscow` if absent.
    pub time_zone: Option<String>,
    /// Who will take in the others.
    pub administrator: FirstAdministrator,
}

/// What of the enterprise should change.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase", deny_unknown_fields)]
pub struct ChangeEnterprise {
    /// As people call it, 1 to 200 characters.
    pub name: Option<String>,
    /// ИНН, 10 or 12 digits.
    pub tax_number: Option<String>,
    /// IANA name of the zone in which its days begin.
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
                let mut tx = db.platform().await?;
                let page = enterprises::list_all(&mut tx, operator, &filter, &query).await?;
                tx.commit().await?;
                Ok(Json(Page::of(page.map(Enterprise::from_outside))))
            }
        }
    }

    /// Found an enterprise with its first administrator
    #[oai(path = "/enterprises", method = "post", operation_id = "create_enterprise")]
    async fn create(
        &self,
        SystemAdministrator(_operator): SystemAdministrator,
        db: Data<&Db>,
        passwords: Data<&Passwords>,
        body: Json<CreateEnterprise>,
    ) -> Result<Created<Enterprise>, ApiError> {
        let CreateEnterprise { name, tax_number, time_zone, administrator } = body.0;
        let new = NewEnterprise {
            name,
            tax_number: tax_number.as_deref().map(TaxNumber::parse).transpose()?,
            time_zone: time_zone.as_deref().map_or(Ok(TimeZone::default()), TimeZone::parse)?,
        };
        let first = NewUser {
            email: Email::parse(&administrator.email)?,
            name: administrator.name,
            password_hash: crate::users::hashed(&passwords, administrator.password).await?,
            grants: vec![Grant::everywhere(Role::Administrator)],
        };
        let mut tx = db.platform().await?;
        let enterprise = enterprises::found(&mut tx, &new).await?;
        users::create_first(&mut tx, enterprise.id, &first).await?;
        tx.commit().await?;
        Ok(Created::New(Json(Enterprise::from_outside(enterprise))))
    }

    /// Get one of the enterprises to which you belong; for a system administrator, any of the installation
    #[oai(path = "/enterprises/:id", method = "get", operation_id = "get_enterprise")]
    async fn get(
        &self,
        Anybody(caller): Anybody,
        db: Data<&Db>,
        id: Path<EnterpriseId>,
    ) -> Result<Json<Enterprise>, ApiError> {
        match caller {
            Recognised::Actor(actor) => {
                let mut tx = db.begin(&actor).await?;
                let enterprise = enterprises::get(&mut tx, id.0).await?;
                tx.commit().await?;
                Ok(Json(enterprise.into()))
            }
            Recognised::Operator(operator) => {
                let mut tx = db.platform().await?;
                let enterprise = enterprises::get_any(&mut tx, operator, id.0).await?;
                tx.commit().await?;
                Ok(Json(Enterprise::from_outside(enterprise)))
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
    ) -> Result<Json<Enterprise>, ApiError> {
        let change = body.0.try_into()?;
        let mut tx = db.begin(&actor).await?;
        let enterprise = enterprises::change(&mut tx, id.0, &change).await?;
        tx.answer(Json(enterprise.into())).await
    }

    /// Shut an enterprise's people and keys out, from their next request on; its timers stand still
    #[oai(path = "/enterprises/:id/suspend", method = "post", operation_id = "suspend_enterprise")]
    async fn suspend(
        &self,
        SystemAdministrator(operator): SystemAdministrator,
        db: Data<&Db>,
        id: Path<EnterpriseId>,
    ) -> Result<Json<Enterprise>, ApiError> {
        let mut tx = db.platform().await?;
        let enterprise = enterprises::suspend(&mut tx, operator, id.0).await?;
        tx.commit().await?;
        Ok(Json(Enterprise::from_outside(enterprise)))
    }

    /// Let an enterprise's people work again
    #[oai(path = "/enterprises/:id/activate", method = "post", operation_id = "activate_enterprise")]
    async fn activate(
        &self,
        SystemAdministrator(operator): SystemAdministrator,
        db: Data<&Db>,
        id: Path<EnterpriseId>,
    ) -> Result<Json<Enterprise>, ApiError> {
        let mut tx = db.platform().await?;
        let enterprise = enterprises::activate(&mut tx, operator, id.0).await?;
        tx.commit().await?;
        Ok(Json(Enterprise::from_outside(enterprise)))
    }
}
