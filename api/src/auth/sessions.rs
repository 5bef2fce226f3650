//! Signed-in clients over HTTP: seen and ended by their person, or by an administrator.

use chrono::{DateTime, Utc};
use poem::web::Data;
use poem_openapi::OpenApi;
use poem_openapi::param::Path;
use poem_openapi::payload::Json;
use shared::db::Db;
use shared::ids::{EnterpriseId, SessionId, UserId};
use shared::users::sessions;

use super::{Caller, Own};
use crate::Tag;
use crate::answers::{Ending, List, NoContent, shown};
use crate::problem::ApiError;

shown! {
    /// A client that is signed in.
    Session from sessions::Known {
        /// Which one.
        id: SessionId,
        /// Where.
        enterprise_id: Option<EnterpriseId>,
        /// What the client calls itself.
        user_agent: Option<String>,
        /// The network from which it last came, not the whole address.
        address: Option<String>,
        /// Since when.
        created_at: DateTime<Utc>,
        /// When its tokens were last renewed: at most ten minutes before it was last used.
        used_at: DateTime<Utc>,
        /// When it ends if it is not used.
        expires_at: DateTime<Utc>,
        /// Whether it is the one that is asking.
        current: bool,
    }
}

/// Sessions.
pub struct Api;

#[OpenApi]
impl Api {
    /// List your sessions
    #[oai(path = "/auth/sessions", method = "get", operation_id = "list_sessions", tag = "Tag::Auth")]
    async fn list(&self, Own(actor): Own, db: Data<&Db>) -> Result<Json<List<Session>>, ApiError> {
        let mut tx = db.begin(&actor).await?;
        let sessions = sessions::list_own(&mut tx).await?;
        tx.commit().await?;
        Ok(Json(List::of(sessions)))
    }

    /// End one of your sessions
    ///
    /// Needs a recent sign-in or `POST /auth/confirm`.
    #[oai(path = "/auth/sessions/:id", method = "delete", operation_id = "end_session", tag = "Tag::Auth")]
    async fn end(&self, Own(actor): Own, db: Data<&Db>, id: Path<SessionId>) -> Result<NoContent, ApiError> {
        let mut tx = db.begin(&actor).await?;
        sessions::end_own(&mut tx, id.0).await?;
        tx.answer(NoContent::Done).await
    }

    /// End all your sessions but this one
    ///
    /// Needs a recent sign-in or `POST /auth/confirm`.
    #[oai(path = "/auth/sessions/end-others", method = "post", operation_id = "end_other_sessions", tag = "Tag::Auth")]
    async fn end_others(&self, Own(actor): Own, db: Data<&Db>) -> Result<NoContent, ApiError> {
        let mut tx = db.begin(&actor).await?;
        sessions::end_own_others(&mut tx).await?;
        tx.answer(NoContent::Done).await
    }

    /// List a person's sessions in this enterprise
    #[oai(path = "/users/:id/sessions", method = "get", operation_id = "list_user_sessions", tag = "Tag::Users")]
    async fn list_of(
        &self,
        Caller(actor): Caller,
        db: Data<&Db>,
        id: Path<UserId>,
    ) -> Result<Json<List<Session>>, ApiError> {
        let mut tx = db.begin(&actor).await?;
        let sessions = sessions::list_of(&mut tx, id.0).await?;
        tx.commit().await?;
        Ok(Json(List::of(sessions)))
    }

    /// End all of a person's sessions in this enterprise
    #[oai(path = "/users/:id/sessions", method = "delete", operation_id = "end_user_sessions", tag = "Tag::Users")]
    async fn end_all_of(&self, Caller(actor): Caller, db: Data<&Db>, id: Path<UserId>) -> Result<NoContent, ApiError> {
        let mut tx = db.begin(&actor).await?;
        sessions::end_of(&mut tx, id.0, None).await?;
        tx.answer(NoContent::Done).await
    }

    /// End one of a person's sessions in this enterprise
    #[oai(
        path = "/users/:id/sessions/:session_id",
        method = "delete",
        operation_id = "end_user_session",
        tag = "Tag::Users"
    )]
    async fn end_of(
        &self,
        Caller(actor): Caller,
        db: Data<&Db>,
        id: Path<UserId>,
        session_id: Path<SessionId>,
    ) -> Result<NoContent, ApiError> {
        let mut tx = db.begin(&actor).await?;
        sessions::end_of(&mut tx, id.0, Some(session_id.0)).await?;
        tx.answer(NoContent::Done).await
    }
}
