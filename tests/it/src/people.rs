//! People, keys and roles of a test, made through the API by somebody who may.

use anyhow::{Context, Result};
use secrecy::SecretString;
use serde_json::{Value, json};
use stack::Client;
use stack::client::text;

use crate::{PASSWORD, TestApp};

/// How far something is granted.
#[derive(Clone, Copy, Debug)]
pub enum Reach<'a> {
    /// All over the enterprise.
    Enterprise,
    /// In these warehouses.
    Warehouses(&'a [&'a str]),
    /// In one's own requests.
    Own,
}

/// Somebody with their own client.
pub struct Person {
    /// Who.
    pub id: String,
    /// What they sign in with.
    pub email: String,
    /// Signed in.
    pub client: Client,
}

/// A grant as the API takes it: a built-in role by its name, an own one by its id.
pub fn grant(role: &str, reach: Reach<'_>) -> Value {
    let role = if role.len() == 36 { json!({ "roleId": role }) } else { json!({ "role": role }) };
    let reach = match reach {
        Reach::Enterprise => json!({ "reach": "enterprise" }),
        Reach::Warehouses(warehouses) => json!({ "reach": "warehouses", "warehouseIds": warehouses }),
        Reach::Own => json!({ "reach": "own" }),
    };
    let (mut grant, reach) = (role, reach);
    let fields = grant.as_object_mut().expect("a grant is an object");
    fields.extend(reach.as_object().expect("a reach is an object").clone());
    grant
}

/// An address that nobody has.
pub fn address() -> String {
    format!("{}@example.org", shared::ids::JobId::new())
}

impl TestApp {
    /// Somebody new in the enterprise of `by`, with one grant, signed in.
    pub async fn person(&self, by: &Client, role: &str, reach: Reach<'_>) -> Result<Person> {
        let email = address();
        let body = json!({ "email": email, "name": format!("Кто-то {role}"), "password": PASSWORD, "grants": [grant(role, reach)] });
        let id = text(&by.post("/users", body).await?, "id")?;
        Ok(Person { id, client: self.sign_in(&email).await?, email })
    }

    /// A client of whoever has the address and belongs to one enterprise.
    pub async fn sign_in(&self, email: &str) -> Result<Client> {
        Client::new(&self.url)?.sign_in(email, PASSWORD).await
    }

    /// A client of whoever has the address, in one of several enterprises.
    pub async fn sign_in_to(&self, email: &str, enterprise: &str) -> Result<Client> {
        let client = Client::new(&self.url)?;
        let body = json!({ "email": email, "password": PASSWORD, "enterpriseId": enterprise });
        let token = text(&client.post("/auth/login", body).await?, "accessToken")?;
        Ok(client.with_token(Some(&token)))
    }

    /// One who runs the installation, signed in.
    pub async fn system_administrator(&self) -> Result<Client> {
        Ok(self.system_administrator_with_address().await?.1)
    }

    /// The same, and what they sign in with.
    pub async fn system_administrator_with_address(&self) -> Result<(String, Client)> {
        let email = address();
        let new = ::api::admin::NewSystemAdministrator {
            email: email.clone(),
            name: "Сисадмин".to_owned(),
            password: SecretString::from(PASSWORD),
        };
        ::api::admin::create_system_administrator(&self.api, &::api::passwords::Passwords::default(), new).await?;
        let client = self.sign_in(&email).await?;
        Ok((email, client))
    }

    /// A role of the enterprise's own.
    pub async fn own_role(&self, by: &Client, name: &str, permissions: &[&str]) -> Result<String> {
        text(&by.post("/roles", json!({ "name": name, "permissions": permissions })).await?, "id")
    }

    /// A service key, as it was made, and a client that uses it.
    pub async fn key(&self, by: &Client, body: Value) -> Result<(Value, Client)> {
        let made = by.post(&format!("/enterprises/{}/api-keys", enterprise_of(by).await?), body).await?;
        let client = Client::new(&self.url)?.with_token(Some(&text(&made, "secret")?));
        Ok((made["key"].clone(), client))
    }
}

/// In which enterprise a client acts.
pub async fn enterprise_of(client: &Client) -> Result<String> {
    text(&client.get("/users/me").await?, "enterpriseId")
}

/// The ids of a list's rows.
pub async fn ids(client: &Client, path: &str) -> Result<Vec<String>> {
    let rows = client.get(path).await?["items"].as_array().context("a list")?.clone();
    rows.iter().map(|row| text(row, "id")).collect()
}
