//! As whom everything is asked: some of each built-in role, of those who run the installation, and of the service keys.

use std::collections::BTreeSet;
use std::fmt;
use std::path::Path;

use anyhow::Context;
use serde_json::{Value, json};

use crate::client::text;
use crate::{Client, Stack};

/// Who ask most operations. One may be demoted or removed by another.
const STEADY: usize = 4;
/// Who ask the operations that end sessions, change passwords and guess at them: a guess too many locks one out.
const PASSING: usize = 16;

/// A kind of caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Role {
    /// Reads only
    Viewer,
    /// Picks and prints
    Picker,
    /// Receives and moves goods
    Storekeeper,
    /// All but people, rights and tokens
    Manager,
    /// A program with every permission that a key can have
    ServiceKey,
    /// Everything in the enterprise
    Administrator,
    /// Runs the installation
    SystemAdministrator,
}

impl Role {
    /// Every kind; who may do more comes later.
    pub const ALL: [Self; 7] = [
        Self::Viewer,
        Self::Picker,
        Self::Storekeeper,
        Self::Manager,
        Self::ServiceKey,
        Self::Administrator,
        Self::SystemAdministrator,
    ];
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Viewer => "viewer",
            Self::Picker => "picker",
            Self::Storekeeper => "storekeeper",
            Self::Manager => "manager",
            Self::ServiceKey => "service-key",
            Self::Administrator => "administrator",
            Self::SystemAdministrator => "system-administrator",
        })
    }
}

/// Callers of one kind.
pub(super) struct Callers {
    steady: Vec<Value>,
    passing: Vec<Value>,
    permissions: Vec<String>,
    /// Operations that their permissions admit them to, as `GET /orders`.
    pub(super) admitted: BTreeSet<String>,
}

impl Callers {
    /// New ones, whom no earlier run has changed.
    pub(super) async fn make(stack: &Stack, role: Role) -> anyhow::Result<Self> {
        // Asking takes longer than a token lives, and than a proof of who somebody is stays fresh.
        let owner =
            Client::new(&stack.api_url)?.sign_in(&stack.administrator.email, &stack.administrator.password).await?;
        let mut steady = Vec::new();
        for _ in 0..STEADY + PASSING {
            steady.push(one(stack, &owner, role).await?);
        }
        let passing = steady.split_off(STEADY);
        let client = Client::new(&stack.api_url)?;
        let client = match steady[0]["key"].as_str() {
            Some(key) => client.with_token(Some(key)),
            None => client.sign_in(&text(&steady[0], "email")?, &text(&steady[0], "password")?).await?,
        };
        let me = client.get("/users/me").await?;
        let permissions: Vec<_> = permissions(&me).map(str::to_owned).collect();
        let admitted = admitted(&client.get("/openapi.json").await?, &permissions)?;
        Ok(Self { steady, passing, permissions, admitted })
    }

    /// For the hooks.
    pub(super) fn to_json(&self, url: &str) -> String {
        let Self { steady, passing, permissions, admitted: _ } = self;
        json!({ "url": url, "steady": steady, "passing": passing, "permissions": permissions }).to_string()
    }
}

async fn one(stack: &Stack, owner: &Client, role: Role) -> anyhow::Result<Value> {
    let name = hex::encode(rand::random::<[u8; 8]>());
    let (email, password) = (format!("{name}@example.org"), hex::encode(rand::random::<[u8; 12]>()));
    match role {
        Role::ServiceKey => {
            let me = owner.get("/users/me").await?;
            let permissions: Vec<_> = permissions(&me).filter(|permission| is_for_programs(permission)).collect();
            let path = format!("/enterprises/{}/api-keys", text(&me, "enterpriseId")?);
            let made = owner.post(&path, json!({ "name": name, "permissions": permissions })).await?;
            return Ok(json!({ "key": text(&made, "secret")? }));
        }
        Role::SystemAdministrator => {
            let arguments = ["admin", "create-system-administrator", "--email", &email];
            stack.administer(&arguments, &format!("{password}\n")).await?;
        }
        Role::Viewer | Role::Picker | Role::Storekeeper | Role::Manager | Role::Administrator => {
            let grant = json!({ "role": role.to_string(), "reach": "enterprise" });
            let person = json!({ "email": email, "name": name, "password": password, "grants": [grant] });
            owner.post("/users", person).await?;
        }
    }
    Ok(json!({ "email": email, "password": password }))
}

/// Rights over people, rights, keys, tokens and the enterprise itself are for people only.
fn is_for_programs(permission: &str) -> bool {
    !["people:manage", "roles:manage", "keys:manage", "enterprise:manage", "tokens:manage"].contains(&permission)
}

fn permissions(me: &Value) -> impl Iterator<Item = &str> {
    me["permissions"].as_array().into_iter().flatten().filter_map(|effective| effective["permission"].as_str())
}

/// Where the document names one of these permissions.
fn admitted(document: &Value, permissions: &[String]) -> anyhow::Result<BTreeSet<String>> {
    let mut admitted = BTreeSet::new();
    for (path, item) in document["paths"].as_object().context("the document has paths")? {
        for (method, operation) in item.as_object().into_iter().flatten() {
            let mut needs = operation["x-permission"].as_array().into_iter().flatten().filter_map(Value::as_str);
            if needs.any(|needed| permissions.iter().any(|permission| permission == needed)) {
                admitted.insert(format!("{} {path}", method.to_uppercase()));
            }
        }
    }
    Ok(admitted)
}

/// Writes what nobody else may read.
pub(super) fn write_private(path: &Path, text: &str) -> anyhow::Result<()> {
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;

    let mut options = std::fs::OpenOptions::new();
    let mut file =
        options.create(true).write(true).truncate(true).mode(0o600).open(path).context("writing the callers")?;
    file.write_all(text.as_bytes()).context("writing the callers")
}
