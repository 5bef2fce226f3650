//! Three enterprises that have one of everything; the third one is suspended.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result, ensure};
use serde_json::json;
use shared::access::{Finest, Role};
use shared::accounts::WatchTokens;
use stack::client::text;
use wildberries::TokenSpec;

use super::callers::{Caller, KEY, Rights, Standing, of_home, unknown};
use super::catalogue::{Catalogue, Kind};
use super::document::{Operation, Position, SAMPLE};
use crate::acts::{publication, transfer};
use crate::people::enterprise_of;
use crate::{Person, Reach, Shop, TestApp, count_acts, drift_acts};

/// What lies in a warehouse, and so is out of reach for whoever reaches another one only.
const IN_A_WAREHOUSE: [&str; 13] = [
    "cells",
    "count_lines",
    "counts",
    "orders",
    "print_items",
    "print_jobs",
    "receipt_sheet_lines",
    "receipt_sheets",
    "requests",
    "supplies",
    "transfers",
    "warehouses",
    "zones",
];

/// Everything that is asked for, and everybody who asks.
pub struct World<'a> {
    /// Where everything happens.
    pub app: &'a TestApp,
    /// The enterprise that is worked in.
    pub home: Shop<'a>,
    /// Its id.
    pub home_id: String,
    /// Who runs the second enterprise.
    pub stranger: String,
    /// The ids of the two that must not be touched nor seen.
    pub others: [String; 2],
    /// Everybody.
    pub callers: Vec<Caller>,
    /// Who has requests of their own.
    pub picker: String,
    /// Who stands in for a caller where it may cost them their session.
    doubles: BTreeMap<usize, String>,
    /// What the database knows.
    pub catalogue: Catalogue,
    /// Ids of the first enterprise that are in its second warehouse.
    beyond: BTreeMap<Kind, String>,
    /// The oldest of each kind that the first enterprise and the others have.
    ids: BTreeMap<Kind, [String; 3]>,
    /// Every UUID of the first enterprise as it was found.
    pub home_uuids: BTreeSet<String>,
    /// Every UUID of the others.
    pub other_uuids: BTreeSet<String>,
}

/// One of everything: what is asked for by id must be there to be found.
async fn furnish(shop: &Shop<'_>) -> Result<()> {
    let zone = json!({ "name": "Хранение", "purpose": "storage" });
    shop.client.post(&format!("/warehouses/{}/zones", shop.warehouse), zone).await?;
    let name = format!("{}", shared::ids::JobId::new());
    let line = json!({ "barcode": shop.products[9]["barcodes"][0], "quantity": 1 });
    let sheet = json!({ "warehouseId": shop.warehouse, "number": name, "lines": [line] });
    shop.client.post("/inventory/receipt-sheets", sheet).await?;
    transfer(shop, &name).await?;
    let (request, _) = shop.picked(1).await?;
    shop.supply(&request).await?;
    shop.print(&request).await?;
    let found = json!({ "barcode": shop.products[9]["barcodes"][0], "cell": "A-01", "change": 2, "reason": "found" });
    let lines = json!({ "warehouseId": shop.warehouse, "lines": [found] });
    shop.client.post("/inventory/adjustments", lines).await?;
    publication(shop).await?;
    count_acts::furnish(shop).await?;
    drift_acts::drift(shop).await?;
    // Whoever reads the feed of changes gives numbers to what has none yet; then nothing is left to be numbered.
    shop.client.get("/inventory/changes?limit=1000").await.map(|_| ())
}

/// What people made of the catalogue; one of its barcodes is what any text in a query is.
async fn own_products(shop: &Shop<'_>) -> Result<()> {
    shop.client.post("/categories", json!({ "name": "Посуда" })).await?;
    let own = json!({ "sku": "СВОЙ", "name": "Свой товар", "barcodes": [SAMPLE] });
    shop.client.post("/products", own).await?;
    shop.client.post("/product-imports", json!("sku;name\nИЗ-ФАЙЛА;Из файла\n")).await.map(|_| ())
}

/// What an enterprise has beside its goods.
async fn people(app: &TestApp, shop: &Shop<'_>) -> Result<()> {
    app.person(&shop.client, "manager", Reach::Enterprise).await?;
    let role = app.own_role(&shop.client, "Своя", &["orders:read"]).await?;
    app.person(&shop.client, &role, Reach::Warehouses(&[&shop.warehouse])).await?;
    app.key(&shop.client, json!({ "name": "Ключ", "permissions": [KEY] })).await?;
    Ok(())
}

impl<'a> World<'a> {
    /// Arranges it, and looks that nothing is missing which an operation asks for.
    pub async fn arrange(app: &'a TestApp, operations: &[Operation]) -> Result<Self> {
        let soon = TokenSpec { expires_at: Some(app.clock.now() + chrono::Duration::days(5)), ..TokenSpec::default() };
        let (home, other, closed) =
            (app.shop_with(&soon).await?, app.shop_with(&soon).await?, app.shop_with(&soon).await?);
        for shop in [&home, &other, &closed] {
            furnish(shop).await?;
            own_products(shop).await?;
            people(app, shop).await?;
        }
        app.promise(&WatchTokens {}).await?;
        app.run_jobs().await?;
        let mut admin = app.admin().await?;
        let catalogue = Catalogue::read(&mut admin).await?;
        let home_id = enterprise_of(&home.client).await?;
        let others = [enterprise_of(&other.client).await?, enterprise_of(&closed.client).await?];
        let beyond = beyond(&catalogue, app, &home, &home_id).await?;

        let picker = app.person(&home.client, "picker", Reach::Own).await?;
        let mut world = Self {
            callers: of_home(app, &home, &picker).await?,
            picker: picker.id.clone(),
            stranger: text(&other.client.get("/users/me").await?["user"], "id")?,
            home_uuids: BTreeSet::new(),
            other_uuids: BTreeSet::new(),
            app,
            home,
            home_id,
            others,
            catalogue,
            beyond,
            ids: BTreeMap::new(),
            doubles: BTreeMap::new(),
        };
        world.callers.push(Caller {
            name: "an administrator of another enterprise".to_owned(),
            client: other.client.clone(),
            standing: Standing::Stranger,
        });
        let system = app.system_administrator().await?;
        system.post(&format!("/enterprises/{}/suspend", world.others[1]), json!({})).await?;
        world.callers.push(unknown("an administrator of a suspended enterprise", closed.client.clone()));
        world.callers.push(Caller {
            name: "a system administrator".to_owned(),
            client: system,
            standing: Standing::Operator,
        });
        world.hand_over().await?;
        world.home_uuids = world.catalogue.uuids(&mut admin, &world.home_id).await?;
        for id in &world.others {
            world.other_uuids.extend(world.catalogue.uuids(&mut admin, id).await?);
        }
        ensure!(world.home_uuids.is_disjoint(&world.other_uuids), "something belongs to two enterprises");
        for (operation, position) in operations
            .iter()
            .flat_map(|operation| operation.positions.iter().map(move |position| (operation, position)))
        {
            let Some(kind) = world.catalogue.kind(operation, position) else { continue };
            if world.ids.contains_key(&kind) {
                continue;
            }
            let mut first = Vec::new();
            for enterprise in [&world.home_id, &world.others[0], &world.others[1]] {
                let ids = world.catalogue.ids(&mut admin, &kind, enterprise).await?;
                let nothing =
                    || format!("{} asks for {position}, and an enterprise has no row in {}", operation.id, kind.table);
                first.push(ids.into_iter().next().with_context(nothing)?);
            }
            let first = <[String; 3]>::try_from(first).ok().context("three enterprises")?;
            ensure!(first[0] != first[1] && first[0] != first[2], "{} names nobody's", kind.table);
            world.ids.insert(kind, first);
        }
        Ok(world)
    }

    /// Gives every request of the first warehouse to the one who works on their own requests only.
    pub async fn hand_over(&self) -> Result<()> {
        sqlx::query("UPDATE requests SET assignee_id = $1::uuid WHERE warehouse_id = $2::uuid")
            .bind(&self.picker)
            .bind(&self.home.warehouse)
            .execute(&mut self.app.admin().await?)
            .await
            .context("handing over")?;
        Ok(())
    }

    /// What the first enterprise and the others have of what this place names; absent where it is nobody's.
    pub fn ids(&self, operation: &Operation, position: &Position) -> Option<&[String; 3]> {
        self.ids.get(&self.catalogue.kind(operation, position)?)
    }

    /// What the first enterprise has in its second warehouse of what this place names, if that lies in one.
    pub fn beyond(&self, operation: &Operation, position: &Position) -> Option<&String> {
        self.beyond.get(&self.catalogue.kind(operation, position)?)
    }

    /// The first shop in the hands of an administrator who is not among those who ask.
    pub async fn somebody(&self) -> Result<Shop<'a>> {
        let role = Role::Administrator.name();
        let Person { client, email, .. } = self.app.person(&self.home.client, role, Reach::Enterprise).await?;
        Ok(Shop { client, email, ..self.home.clone() })
    }

    /// The first shop in the hands of somebody with the same rights, to whom everything may happen; absent for a key. It is
    /// the same one as before as long as they can still sign in.
    pub async fn double(&mut self, index: usize) -> Result<Option<Shop<'a>>> {
        let standing = &self.callers[index].standing;
        if let Some(email) = self.doubles.get(&index)
            && let Ok(client) = self.app.sign_in(email).await
        {
            return Ok(Some(Shop { client, email: email.clone(), ..self.home.clone() }));
        }
        let (email, client) = match standing {
            Standing::Operator => self.app.system_administrator_with_address().await?,
            Standing::Member(Rights { role: Some(role), finest, .. }) => {
                let warehouses = [self.home.warehouse.as_str()];
                let reach = match finest {
                    Finest::Enterprise => Reach::Enterprise,
                    Finest::Warehouses => Reach::Warehouses(&warehouses),
                    Finest::Own => Reach::Own,
                };
                let person = self.app.person(&self.home.client, role.name(), reach).await?;
                (person.email, person.client)
            }
            Standing::Member(_) | Standing::Stranger | Standing::Unknown => return Ok(None),
        };
        self.doubles.insert(index, email.clone());
        Ok(Some(Shop { client, email, ..self.home.clone() }))
    }
}

/// Furnishes a second warehouse of the shop, and answers what was not there before; the shop goes on with the first one.
async fn beyond(
    catalogue: &Catalogue,
    app: &TestApp,
    home: &Shop<'_>,
    enterprise: &str,
) -> Result<BTreeMap<Kind, String>> {
    let mut admin = app.admin().await?;
    let kinds = IN_A_WAREHOUSE.map(|table| Kind { table: table.to_owned(), column: "id".to_owned() });
    let mut before = Vec::new();
    for kind in &kinds {
        before.push(catalogue.ids(&mut admin, kind, enterprise).await?);
    }
    let second = home.second_warehouse().await?;
    furnish(&second).await?;
    let mut beyond = BTreeMap::new();
    for (kind, before) in kinds.into_iter().zip(before) {
        let now = catalogue.ids(&mut admin, &kind, enterprise).await?;
        let new = now
            .into_iter()
            .find(|id| !before.contains(id))
            .with_context(|| format!("nothing new in {}", kind.table))?;
        beyond.insert(kind, new);
    }
    for theirs in home.client.get("/wildberries/warehouses").await?["items"].as_array().context("a list")? {
        let path = format!("/wildberries/accounts/{}/warehouses/{}", home.account, theirs["wbWarehouseId"]);
        home.client.put(&path, json!({ "warehouseId": home.warehouse })).await?;
    }
    Ok(beyond)
}
