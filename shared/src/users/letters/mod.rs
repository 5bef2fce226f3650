//! Letters: invitations, password resets, new addresses of e-mail with a notice to the old one, and a warning when a refresh
//! token came twice.
//!
//! A letter is a row first. Where mail is set up, a job makes its token, keeps the token's hash and sends it, so that the
//! token lies nowhere but in the mail; each new attempt makes a new one, and the last counts. Where there is no mail, the
//! token is made at once for the one who may pass it on: an administrator of the only enterprise the person belongs to, or
//! the operator.

mod answer;
mod email;
mod write;

use chrono::{DateTime, Duration, Utc};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;
use url::Url;

use super::tokens::LetterToken;
use super::{Email, Grant, checked_name, people, rights, trail};
use crate::access::{Origin, Permission, Role};
use crate::audit::{self, Action, Object};
use crate::db::{EnterpriseTx, PlatformTx};
use crate::ids::{EnterpriseId, LetterId, UserId};
use crate::jobs::{Job, Queue};
use crate::{Error, Refusal, Result, enterprises};

pub use answer::{Invited, Newcomer, accept, invited, person_of_reset, reset_password};
pub(super) use email::withdraw_email_changes;
pub use email::{ask_email_change, change_email};
pub use write::{Written, note_sent, prune, write};

/// Who asked for a letter, where it was one who runs the installation.
const OPERATOR: &str = "operator";

/// What a letter is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, sqlx::Type)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum LetterKind {
    /// Somebody is to join an enterprise.
    Invitation,
    /// Somebody forgot their password.
    PasswordReset,
    /// A spent refresh token came again, and its session is over.
    TokenReused,
    /// Somebody wants to be written to here from now on.
    EmailChange,
    /// Somebody is written to elsewhere from now on.
    EmailChanged,
}

impl LetterKind {
    /// How long its token is good for.
    pub fn life(self) -> Duration {
        match self {
            Self::Invitation | Self::TokenReused | Self::EmailChanged => Duration::hours(24),
            Self::PasswordReset | Self::EmailChange => Duration::minutes(30),
        }
    }

    /// The page of a client that takes the token; none where there is nothing to answer.
    fn page(self) -> Option<&'static str> {
        match self {
            Self::Invitation => Some("invitation"),
            Self::PasswordReset | Self::TokenReused => Some("password-reset"),
            Self::EmailChange => Some("email-change"),
            Self::EmailChanged => None,
        }
    }
}

/// Where a person's client takes the token. It is behind the `#`, which no server ever sees or logs.
pub fn link(clients: Option<&Url>, kind: LetterKind, token: &LetterToken) -> SecretString {
    let base = clients.map_or_else(|| "wb-assistant:/".to_owned(), |url| url.as_str().trim_end_matches('/').to_owned());
    SecretString::from(format!("{base}/{}#token={}", kind.page().unwrap_or_default(), token.expose()))
}

/// Writes and sends a letter.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SendLetter {
    /// Which one.
    pub letter_id: LetterId,
}

impl Job for SendLetter {
    const KIND: &'static str = "users.send_letter";
    const QUEUE: Queue = Queue::Default;

    fn unique_key(&self) -> Option<String> {
        Some(self.letter_id.to_string())
    }
}

/// How a letter reaches its person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// A worker sends it.
    Mail,
    /// There is no mail: whoever asks passes it on.
    ByHand,
}

/// Somebody to be invited.
#[derive(Clone, Debug)]
pub struct NewInvitation {
    /// Whom.
    pub email: Email,
    /// As colleagues will call them.
    pub name: String,
    /// What they will be allowed.
    pub grants: Vec<Grant>,
}

/// A letter that was asked for.
#[derive(Clone, Debug)]
pub struct Asked {
    /// Which one.
    pub id: LetterId,
    /// Until when it can be answered; by mail, from when it is sent on.
    pub expires_at: DateTime<Utc>,
    /// Its token, if it is passed on by hand.
    pub token: Option<LetterToken>,
}

/// Invites somebody into the enterprise. An earlier invitation that was not answered is no good any more. Whether the
/// address is known in another enterprise is not told. Inviting an administrator takes a recent proof of who invites.
pub async fn invite(tx: &mut EnterpriseTx, new: &NewInvitation, delivery: Delivery) -> Result<Asked> {
    let mine = rights::lock(tx, Permission::ManagePeople).await?;
    people::check_may_give(tx, &mine, &new.grants).await?;
    let name = checked_name(&new.name)?;
    let (enterprise_id, now) = (tx.enterprise_id(), tx.now().await?);
    let member = sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM memberships AS m JOIN users AS u ON u.id = m.user_id
                          WHERE m.enterprise_id = $1 AND u.email = $2 AND m.status <> 'removed') AS "member!""#,
        enterprise_id as _,
        new.email.as_str(),
    )
    .fetch_one(tx.conn())
    .await?;
    if member {
        return Err(Error::refused(Refusal::AlreadyMember, format!("{} is here already", new.email.as_str())));
    }
    let actor = tx.actor().to_string();
    let invitation = Invitation { enterprise_id, name, grants: &new.grants };
    let asked = insert_invitation(tx.conn(), now, &new.email, &actor, invitation).await?;
    let facts = serde_json::json!({ "email": new.email.as_str(), "name": name, "grants": new.grants });
    audit::noted(tx, Action::UserInvited, Object::of("letter", asked.id), &facts).await?;
    deliver(tx, asked, LetterKind::Invitation, delivery).await
}

/// Invites the first administrator into an enterprise that nobody administers: who runs the installation lets people in as
/// long as nobody else can, and not any more afterwards.
pub async fn invite_administrator(
    tx: &mut EnterpriseTx,
    enterprise_id: EnterpriseId,
    email: &Email,
    name: &str,
    delivery: Delivery,
) -> Result<Asked> {
    let enterprise = enterprises::get_any(tx, enterprise_id).await?;
    let (own, now, name) = (tx.enterprise_id(), tx.now().await?, checked_name(name)?);
    rights::hold(tx.conn(), enterprise_id).await?;
    tx.enter(enterprise_id).await?;
    let administered = rights::has_administrator(tx.conn(), enterprise_id).await?;
    tx.enter(own).await?;
    if administered {
        return Err(Error::refused(
            Refusal::EnterpriseAdministered,
            format!("{} has an administrator, who takes in the others", enterprise.name),
        ));
    }
    let grants = [Grant::everywhere(Role::Administrator)];
    let invitation = Invitation { enterprise_id, name, grants: &grants };
    let asked = insert_invitation(tx.conn(), now, email, OPERATOR, invitation).await?;
    let facts = serde_json::json!({ "email": email.as_str(), "name": name, "grants": grants });
    audit::noted(tx, Action::UserInvited, Object::of("letter", asked.id), &facts).await?;
    audit::noted_in(tx, enterprise_id, (Action::UserInvited, Object::of("letter", asked.id)), &facts).await?;
    deliver(tx, asked, LetterKind::Invitation, delivery).await
}

/// What anybody may ask for who forgot their password. It does the same whether or not there is such a person: only the
/// worker that writes the letter looks.
pub async fn ask_reset(tx: &mut PlatformTx, email: &Email) -> Result<()> {
    let now = tx.now().await?;
    let asked = insert(tx.conn(), now, LetterKind::PasswordReset, email.as_str(), "nobody", About::Nobody).await?;
    tx.enqueue(&SendLetter { letter_id: asked.id }).await.map(drop)
}

/// A reset that an administrator asks for, for a person of the enterprise. By hand only for a person who belongs to no
/// other: whoever holds the link can become that person, in every enterprise they belong to.
pub async fn reset_for(tx: &mut EnterpriseTx, user_id: UserId, delivery: Delivery) -> Result<Asked> {
    let mine = rights::lock(tx, Permission::ManagePeople).await?;
    tx.require_confirmed().await?;
    let user = people::show(tx, user_id).await?;
    rights::check_covers(&mine, &rights::granted(tx, user_id).await?)?;
    let elsewhere = sqlx::query_scalar!(
        r#"SELECT u.system_administrator OR EXISTS (
               SELECT FROM memberships AS m WHERE m.user_id = u.id AND m.enterprise_id <> $2 AND m.status <> 'removed') AS "elsewhere!"
           FROM users AS u WHERE u.id = $1"#,
        user_id as _,
        tx.enterprise_id() as _,
    )
    .fetch_one(tx.conn())
    .await?;
    if delivery == Delivery::ByHand && elsewhere {
        return Err(Error::refused(
            Refusal::PersonOfSeveralEnterprises,
            "the link would open other enterprises too: the operator can make it with `api admin reset-link`",
        ));
    }
    let (now, actor) = (tx.now().await?, tx.actor().to_string());
    let asked = insert(tx.conn(), now, LetterKind::PasswordReset, &user.email, &actor, About::Nobody).await?;
    let facts = serde_json::json!({ "byMail": delivery == Delivery::Mail });
    audit::noted(tx, Action::PasswordResetAsked, Object::of("user", user_id), &facts).await?;
    deliver(tx, asked, LetterKind::PasswordReset, delivery).await
}

/// A reset that the operator of the installation passes on.
pub async fn reset_by_operator(tx: &mut PlatformTx, email: &Email) -> Result<LetterToken> {
    let person = super::credentials::find_person(tx, email).await?.ok_or(Error::NotFound("active user"))?;
    let act = || (Action::PasswordResetAsked, Object::of("user", person.id));
    trail::of_person(tx, person.id, "platform", &Origin::default(), act, &serde_json::json!({ "byMail": false }))
        .await?;
    let now = tx.now().await?;
    let asked = insert(tx.conn(), now, LetterKind::PasswordReset, email.as_str(), OPERATOR, About::Nobody).await?;
    issue(tx.conn(), now, asked.id, LetterKind::PasswordReset).await
}

/// Tells a person that one of their sessions was ended because its refresh token came twice.
pub(super) async fn warn_of_reuse(tx: &mut PlatformTx, user_id: UserId) -> Result<()> {
    let now = tx.now().await?;
    let email = sqlx::query_scalar!("SELECT email FROM users WHERE id = $1", user_id as _).fetch_one(tx.conn()).await?;
    let asked = insert(tx.conn(), now, LetterKind::TokenReused, &email, "platform", About::Nobody).await?;
    tx.enqueue(&SendLetter { letter_id: asked.id }).await.map(drop)
}

async fn deliver(tx: &mut EnterpriseTx, asked: Asked, kind: LetterKind, delivery: Delivery) -> Result<Asked> {
    match delivery {
        Delivery::Mail => {
            tx.enqueue(&SendLetter { letter_id: asked.id }).await?;
            Ok(asked)
        }
        Delivery::ByHand => {
            let now = tx.now().await?;
            let token = issue(tx.conn(), now, asked.id, kind).await?;
            Ok(Asked { token: Some(token), ..asked })
        }
    }
}

/// What a letter keeps beside its address.
enum About<'a> {
    /// It is for whoever has the address.
    Nobody,
    /// It is about this person, whatever their address is.
    Person(UserId),
    /// It leads into an enterprise.
    Invitation(Invitation<'a>),
}

struct Invitation<'a> {
    enterprise_id: EnterpriseId,
    name: &'a str,
    grants: &'a [Grant],
}

/// An earlier one of the same person into the same enterprise is no good any more.
async fn insert_invitation(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    email: &Email,
    actor: &str,
    invitation: Invitation<'_>,
) -> Result<Asked> {
    sqlx::query!(
        "UPDATE letters SET expires_at = $3
         WHERE kind = 'invitation' AND enterprise_id = $1 AND email = $2 AND used_at IS NULL AND expires_at > $3",
        invitation.enterprise_id as _,
        email.as_str(),
        now,
    )
    .execute(&mut *conn)
    .await?;
    insert(conn, now, LetterKind::Invitation, email.as_str(), actor, About::Invitation(invitation)).await
}

async fn insert(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    kind: LetterKind,
    email: &str,
    actor: &str,
    about: About<'_>,
) -> Result<Asked> {
    let (id, expires_at) = (LetterId::new(), now + kind.life());
    let (user_id, invitation) = match about {
        About::Nobody => (None, None),
        About::Person(user_id) => (Some(user_id), None),
        About::Invitation(invitation) => (None, Some(invitation)),
    };
    let grants = invitation.as_ref().map(|invitation| serde_json::json!(invitation.grants));
    sqlx::query!(
        "INSERT INTO letters (id, kind, email, user_id, enterprise_id, name, grants, actor, created_at, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        id as _,
        kind as LetterKind,
        email,
        user_id as _,
        invitation.as_ref().map(|invitation| invitation.enterprise_id) as _,
        invitation.as_ref().map(|invitation| invitation.name),
        grants,
        actor,
        now,
        expires_at,
    )
    .execute(conn)
    .await?;
    Ok(Asked { id, expires_at, token: None })
}

/// Makes the letter's token; one that it had before is no good any more.
async fn issue(conn: &mut PgConnection, now: DateTime<Utc>, id: LetterId, kind: LetterKind) -> Result<LetterToken> {
    let token = LetterToken::random();
    sqlx::query!(
        "UPDATE letters SET token_hash = $2, expires_at = $3 WHERE id = $1",
        id as _,
        token.hash(),
        now + kind.life(),
    )
    .execute(conn)
    .await?;
    Ok(token)
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    #[test]
    fn a_link_carries_its_token_where_no_server_sees_it() {
        let token = LetterToken::presented("t".to_owned());
        let here = |base: Option<&str>, kind| {
            link(base.map(|base| Url::parse(base).expect("an address")).as_ref(), kind, &token)
                .expose_secret()
                .to_owned()
        };
        assert_eq!(
            here(Some("https://wb.example.org/app/"), LetterKind::Invitation),
            "https://wb.example.org/app/invitation#token=t"
        );
        assert_eq!(here(None, LetterKind::PasswordReset), "wb-assistant://password-reset#token=t");
    }
}
