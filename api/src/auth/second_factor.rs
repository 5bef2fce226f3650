//! The second factor over HTTP: set up, used up, switched off. These answer also to administrators who have to set one up
//! before anything else does.

use chrono::{DateTime, Utc};
use poem::web::Data;
use poem_openapi::payload::Json;
use poem_openapi::{Object, OpenApi};
use qrcode::QrCode;
use qrcode::render::svg;
use secrecy::{ExposeSecret, SecretString};
use shared::users::second_factor;
use shared::{Error, Result};

use super::{Enrolling, Own};
use crate::answers::{Created, Ending, NoContent, shown};
use crate::problem::ApiError;
use crate::{State, Tag};

shown! {
    /// Your second factor.
    SecondFactor from second_factor::Status {
        /// Since when it is asked for; absent while there is none.
        on_since: Option<DateTime<Utc>>,
        /// How many recovery codes are left.
        recovery_codes_left: i64,
    }
}

/// A second factor that is being set up. It is shown once.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
pub struct SecondFactorEnrolment {
    /// For who types it into the authenticator: base32.
    pub secret: String,
    /// For who opens it there: `otpauth://totp/…`.
    pub uri: String,
    /// The same as a QR code: an SVG picture.
    pub qr_svg: String,
}

/// The first code of a new second factor.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase", deny_unknown_fields)]
pub struct FinishSecondFactor {
    /// Six digits from the authenticator.
    #[oai(validator(max_length = 64))]
    pub code: String,
}

/// What helps when the telephone is gone. They are shown once.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
pub struct RecoveryCodes {
    /// Ten codes; each is good once.
    pub recovery_codes: Vec<String>,
}

impl From<Vec<SecretString>> for RecoveryCodes {
    fn from(codes: Vec<SecretString>) -> Self {
        Self { recovery_codes: codes.iter().map(|code| code.expose_secret().to_owned()).collect() }
    }
}

/// Second factors.
pub struct Api;

#[OpenApi(tag = "Tag::Auth")]
impl Api {
    /// See whether you have a second factor
    #[oai(path = "/auth/second-factor", method = "get", operation_id = "get_second_factor")]
    async fn status(&self, Enrolling(actor): Enrolling, state: Data<&State>) -> Result<Json<SecondFactor>, ApiError> {
        let mut tx = state.db.begin(&actor).await?;
        let status = second_factor::status(&mut tx).await?;
        tx.commit().await?;
        Ok(Json(status.into()))
    }

    /// Begin to set up a second factor
    ///
    /// Needs a recent sign-in or `POST /auth/confirm`. Nothing is asked for before the first code was shown to be right.
    #[oai(path = "/auth/second-factor", method = "post", operation_id = "begin_second_factor")]
    async fn begin(
        &self,
        Enrolling(actor): Enrolling,
        state: Data<&State>,
    ) -> Result<Created<SecondFactorEnrolment>, ApiError> {
        let mut tx = state.db.begin(&actor).await?;
        let begun = second_factor::begin(&mut tx, &state.config.keyring).await?;
        tx.commit().await?;
        Ok(Created::New(Json(shown_once(&begun)?)))
    }

    /// Switch the second factor on with its first code
    ///
    /// Answers with the recovery codes. Your other sessions end.
    #[oai(path = "/auth/second-factor/finish", method = "post", operation_id = "finish_second_factor")]
    async fn finish(
        &self,
        Enrolling(actor): Enrolling,
        state: Data<&State>,
        body: Json<FinishSecondFactor>,
    ) -> Result<Json<RecoveryCodes>, ApiError> {
        let mut tx = state.db.begin(&actor).await?;
        let codes = second_factor::finish(&mut tx, &state.config.keyring, &body.0.code).await?;
        tx.commit().await?;
        Ok(Json(codes.into()))
    }

    /// Get new recovery codes
    ///
    /// Needs a recent sign-in or `POST /auth/confirm`. Those of before are no good any more.
    #[oai(path = "/auth/second-factor/recovery-codes", method = "post", operation_id = "renew_recovery_codes")]
    async fn renew(&self, Own(actor): Own, state: Data<&State>) -> Result<Json<RecoveryCodes>, ApiError> {
        let mut tx = state.db.begin(&actor).await?;
        let codes = second_factor::renew_recovery_codes(&mut tx).await?;
        tx.commit().await?;
        Ok(Json(codes.into()))
    }

    /// Switch the second factor off
    ///
    /// Needs a recent sign-in or `POST /auth/confirm`. Your other sessions end.
    #[oai(path = "/auth/second-factor", method = "delete", operation_id = "disable_second_factor")]
    async fn disable(&self, Own(actor): Own, state: Data<&State>) -> Result<NoContent, ApiError> {
        let mut tx = state.db.begin(&actor).await?;
        second_factor::disable(&mut tx).await?;
        tx.answer(NoContent::Done).await
    }
}

fn shown_once(begun: &second_factor::Enrolment) -> Result<SecondFactorEnrolment> {
    let uri = begun.uri.expose_secret();
    let code =
        QrCode::new(uri).map_err(|error| Error::Inconsistent(format!("no QR code of a second factor: {error}")))?;
    Ok(SecondFactorEnrolment {
        secret: begun.secret.expose_secret().to_owned(),
        uri: uri.to_owned(),
        qr_svg: code.render::<svg::Color<'_>>().min_dimensions(240, 240).build(),
    })
}
