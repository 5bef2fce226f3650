//! Everybody who might ask: of the first enterprise in every role and reach, of the others, and of none.

use std::collections::BTreeSet;

use anyhow::{Context, Result};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;
use shared::access::{Finest, Role};
use stack::Client;
use stack::client::text;

use super::document::{Needs, Operation};
use crate::{Person, Reach, Shop, TestApp};

/// What the service key may do.
pub const KEY: &str = "orders:read";

/// Somebody who asks.
pub struct Caller {
    /// In words.
    pub name: String,
    /// With their token.
    pub client: Client,
    /// What they are.
    pub standing: Standing,
}

/// What somebody is.
pub enum Standing {
    /// Not recognised.
    Unknown,
    /// Runs the installation.
    Operator,
    /// Belongs to the first enterprise.
    Member(Rights),
    /// Belongs to the second one, and may do everything there.
    Stranger,
}

/// What somebody may do, and how far.
pub struct Rights {
    /// In which role; absent for a service key.
    pub role: Option<Role>,
    /// What.
    permissions: BTreeSet<String>,
    /// How far.
    pub finest: Finest,
}

impl Caller {
    /// Whether the document lets them in.
    pub fn is_admitted(&self, operation: &Operation) -> bool {
        match (&operation.needs, &self.standing) {
            (needs, Standing::Unknown) => *needs == Needs::Public,
            (Needs::Public | Needs::SignedIn, _)
            | (Needs::System | Needs::Person, Standing::Operator)
            | (Needs::Person | Needs::Member | Needs::OneOf(_), Standing::Stranger) => true,
            (_, Standing::Operator) | (Needs::System, _) => false,
            (Needs::Person | Needs::Member, Standing::Member(rights)) => rights.role.is_some(),
            (Needs::OneOf(permissions), Standing::Member(rights)) => {
                operation.finest >= rights.finest
                    && permissions.iter().any(|permission| rights.permissions.contains(permission))
            }
        }
    }

    /// Whether parts of their own enterprise are out of their reach.
    pub fn is_narrow(&self) -> bool {
        matches!(&self.standing, Standing::Member(rights) if rights.finest > Finest::Enterprise)
    }
}

/// One who is not recognised.
pub fn unknown(name: &str, client: Client) -> Caller {
    Caller { name: name.to_owned(), client, standing: Standing::Unknown }
}

/// Everybody of the first enterprise, and everybody who is nobody there.
pub async fn of_home(app: &TestApp, home: &Shop<'_>, picker: &Person) -> Result<Vec<Caller>> {
    let boss = &home.client;
    let nobody = Client::new(&app.url)?;
    let mut callers = vec![
        unknown("nobody", nobody.clone()),
        unknown("a token that is none", nobody.with_token(Some("a.b.c"))),
        unknown("a token that another key signed", nobody.with_token(Some(&forged(app, home, false).await?))),
        unknown("a token that is over", nobody.with_token(Some(&forged(app, home, true).await?))),
        unknown(
            "a key that was never made",
            nobody.with_token(Some(&format!("wbk_{}", URL_SAFE_NO_PAD.encode([7; 48])))),
        ),
    ];
    let gone = app.person(boss, "administrator", Reach::Enterprise).await?;
    gone.client.post("/auth/logout", json!({})).await?;
    callers.push(unknown("who signed out", gone.client));
    let removed = app.person(boss, "administrator", Reach::Enterprise).await?;
    boss.delete(&format!("/users/{}", removed.id)).await?;
    callers.push(unknown("who belongs to no enterprise any more", removed.client));

    for role in Role::ALL {
        let client = app.person(boss, role.name(), Reach::Enterprise).await?.client;
        callers.push(member(&format!("{}, all over the enterprise", role.name()), client, role, Finest::Enterprise));
    }
    let warehouses = [home.warehouse.as_str()];
    for role in [Role::Manager, Role::Storekeeper] {
        let client = app.person(boss, role.name(), Reach::Warehouses(&warehouses)).await?.client;
        callers.push(member(&format!("{} of one warehouse", role.name()), client, role, Finest::Warehouses));
    }
    callers.push(member("picker of their own requests", picker.client.clone(), Role::Picker, Finest::Own));
    let (_, key) = app.key(boss, json!({ "name": "Выгрузка", "permissions": [KEY] })).await?;
    let rights = Rights { role: None, permissions: [KEY.to_owned()].into(), finest: Finest::Enterprise };
    callers.push(Caller { name: "a service key".to_owned(), client: key, standing: Standing::Member(rights) });
    Ok(callers)
}

fn member(name: &str, client: Client, role: Role, finest: Finest) -> Caller {
    let permissions = role.permissions().into_iter().map(|permission| permission.code().to_owned()).collect();
    Caller {
        name: name.to_owned(),
        client,
        standing: Standing::Member(Rights { role: Some(role), permissions, finest }),
    }
}

/// A token of the shop's administrator that is signed with another key, or with ours and over.
async fn forged(app: &TestApp, home: &Shop<'_>, over: bool) -> Result<String> {
    let me = home.client.get("/users/me").await?;
    let session = text(&home.client.get("/auth/sessions").await?["items"][0], "id")?;
    let (id, secret) = app.jwt_keys().split(',').next().and_then(|key| key.split_once(':')).context("a key")?;
    let secret = if over { secret.to_owned() } else { secret.chars().rev().collect() };
    let config = shared::config::JwtKey { id: id.to_owned(), secret: secret.into() };
    let (session, user) = (session.parse()?, text(&me["user"], "id")?.parse()?);
    let now = app.clock.now() - if over { chrono::Duration::hours(1) } else { chrono::Duration::zero() };
    let tokens = api::tokens::Tokens::new(&[config]);
    let token = tokens.sign(api::tokens::Kind::Access, shared::ids::SessionId(session), shared::ids::UserId(user), now);
    Ok(token?)
}
