//! One example of every operation that changes something, for proofs over all of them: whoever adds an operation adds its
//! example here.

use anyhow::{Context, Result};
use api::needs::Needs;
use reqwest::Method;
use serde_json::{Value, json};
use shared::accounts::WatchTokens;
use stack::Client;
use stack::client::text;
use wildberries::{ALL_CATEGORIES, BuyerAct, TokenKind, TokenSpec};

use crate::PASSWORD;
use crate::Shop;
use crate::people::{Person, Reach, address, enterprise_of, grant};
use crate::product_acts;

/// A request that will succeed once.
#[derive(Clone, Debug)]
pub struct Act {
    /// How.
    pub method: Method,
    /// Where.
    pub path: String,
    /// With what.
    pub body: Option<Value>,
}

impl Act {
    pub(crate) fn post(path: impl Into<String>, body: impl Into<Option<Value>>) -> Self {
        Self { method: Method::POST, path: path.into(), body: body.into() }
    }

    pub(crate) fn patch(path: impl Into<String>, body: Value) -> Self {
        Self { method: Method::PATCH, path: path.into(), body: Some(body) }
    }

    pub(crate) fn delete(path: impl Into<String>) -> Self {
        Self { method: Method::DELETE, path: path.into(), body: None }
    }

    pub(crate) fn put(path: impl Into<String>, body: Value) -> Self {
        Self { method: Method::PUT, path: path.into(), body: Some(body) }
    }
}

/// Every operation of the document that changes something, by its id.
pub fn changing_operations() -> Vec<String> {
    let document: Value = serde_json::from_str(&api::openapi()).expect("the document is JSON");
    let items = document["paths"].as_object().into_iter().flatten();
    let operations = items.flat_map(|(_, item)| item.as_object().into_iter().flatten());
    operations
        .filter(|(method, _)| ["post", "put", "patch", "delete"].contains(&method.as_str()))
        .filter_map(|(_, operation)| operation["operationId"].as_str().map(str::to_owned))
        .collect()
}

/// Who asks for an operation: the shop's administrator, or somebody who runs the installation.
pub async fn asker(shop: &Shop<'_>, operation: &str) -> Result<Client> {
    if is_of_the_installation(operation) { shop.app.system_administrator().await } else { Ok(shop.client.clone()) }
}

/// Whether an operation is one of those who run the installation.
pub fn is_of_the_installation(operation: &str) -> bool {
    Needs::of(operation) == Some(Needs::System)
}

/// Arranges what the operation needs, and asks for it; absent when nobody wrote an example.
#[expect(clippy::too_many_lines, reason = "a table: one arm per operation")]
pub async fn example(shop: &Shop<'_>, operation: &str) -> Result<Option<Act>> {
    let name = format!("Пример {}", shared::ids::JobId::new());
    Ok(Some(match operation {
        "acknowledge_alarm" => Act::post(format!("/alarms/{}/acknowledge", alarm(shop).await?), None),
        "activate_enterprise" => Act::post(format!("/enterprises/{}/activate", enterprise(shop, &name).await?), None),
        "activate_user" => {
            let id = somebody(shop).await?.id;
            shop.client.post(&format!("/users/{id}/deactivate"), json!({})).await?;
            Act::post(format!("/users/{id}/activate"), None)
        }
        "archive_cells" => Act::post(cells_path(shop, "archive"), json!({ "cellIds": [cell(shop).await?] })),
        "archive_warehouse" => Act::post(format!("/warehouses/{}/archive", warehouse(shop).await?), None),
        "block_cells" => {
            Act::post(cells_path(shop, "block"), json!({ "cellIds": [cell(shop).await?], "reason": "полка сломана" }))
        }
        "change_cell" => Act::patch(format!("/cells/{}", cell(shop).await?), json!({ "pickSequence": 7 })),
        "change_cells" => {
            Act::post(cells_path(shop, "change"), json!({ "cellIds": [cell(shop).await?], "capacityUnits": 7 }))
        }
        "change_warehouse" => Act::patch(format!("/warehouses/{}", warehouse(shop).await?), json!({ "name": name })),
        "change_zone" => Act::patch(format!("/zones/{}", zone(shop).await?), json!({ "name": name })),
        "create_zone" => {
            let body = json!({ "name": name, "purpose": "storage" });
            Act::post(format!("/warehouses/{}/zones", shop.warehouse), body)
        }
        "delete_zone" => Act::delete(format!("/zones/{}", zone(shop).await?)),
        "generate_cells" => {
            let rows = json!({ "pattern": format!("{name} 1…{name} 3"), "dryRun": false });
            Act::post(cells_path(shop, "generate"), rows)
        }
        "print_cell_labels" => {
            let body = json!({ "printerId": shop.printer, "cellIds": [cell(shop).await?] });
            Act::post(cells_path(shop, "labels"), body)
        }
        "restore_cells" => {
            let cells = json!({ "cellIds": [cell(shop).await?] });
            shop.client.post(&cells_path(shop, "archive"), cells.clone()).await?;
            Act::post(cells_path(shop, "restore"), cells)
        }
        "restore_warehouse" => {
            let path = format!("/warehouses/{}", warehouse(shop).await?);
            shop.client.post(&format!("{path}/archive"), json!({})).await?;
            Act::post(format!("{path}/restore"), None)
        }
        "unblock_cells" => {
            let cell = cell(shop).await?;
            shop.client.post(&cells_path(shop, "block"), json!({ "cellIds": [cell], "reason": "мокро" })).await?;
            Act::post(cells_path(shop, "unblock"), json!({ "cellIds": [cell] }))
        }
        "unlink_warehouse" => {
            let one = wildberries::Shop { cards: 1, warehouses: 1, marked: 0, ..wildberries::Shop::default() };
            let token = shop.app.simulator.shop(one).token(TokenKind::Personal, ALL_CATEGORIES);
            let account = json!({ "name": "Третий", "token": token });
            let account = text(&shop.client.post("/wildberries/accounts", account).await?, "id")?;
            shop.client.post("/sync-runs", json!({ "accountId": account, "kind": "warehouses" })).await?;
            shop.app.run_jobs().await?;
            let theirs =
                shop.client.get("/wildberries/warehouses").await?["items"].as_array().context("a list")?.clone();
            let theirs = theirs.iter().find(|one| one["accountId"] == account.as_str()).context("a warehouse")?;
            let path = format!("/wildberries/accounts/{account}/warehouses/{}", theirs["wbWarehouseId"]);
            shop.client.put(&path, json!({ "warehouseId": shop.warehouse })).await?;
            Act::delete(path)
        }
        "add_cells" => {
            let cells = json!({ "cells": [{ "code": name, "pickSequence": 100 }] });
            Act::post(format!("/warehouses/{}/cells", shop.warehouse), cells)
        }
        "approve_publication" => Act::post(format!("/publications/{}/approve", publication(shop).await?), None),
        "adjust_stock" => {
            let line = json!({ "barcode": barcode(shop), "cell": "A-01", "change": 2, "reason": "found" });
            Act::post("/inventory/adjustments", json!({ "warehouseId": shop.warehouse, "lines": [line] }))
        }
        "assign_request" => {
            let me = text(&shop.client.get("/users/me").await?["user"], "id")?;
            Act::post(format!("/requests/{}/assign", request(shop).await?), json!({ "assigneeId": me }))
        }
        "cancel_job" => {
            let run = shop.client.post("/sync-runs", json!({ "accountId": shop.account, "kind": "catalogue" })).await?;
            Act::post(format!("/jobs/{}/cancel", text(&run, "jobId")?), None)
        }
        "cancel_print_job" => Act::post(format!("/print-jobs/{}/cancel", print_job(shop).await?), None),
        "cancel_receipt_sheet" => Act::post(format!("{SHEETS}/{}/cancel", sheet(shop, &name).await?), None),
        "cancel_transfer" => Act::post(format!("{TRANSFERS}/{}/cancel", transfer(shop, &name).await?), None),
        "change_enterprise" => {
            let enterprise = text(&shop.client.get("/users/me").await?, "enterpriseId")?;
            Act::patch(format!("/enterprises/{enterprise}"), json!({ "name": name }))
        }
        "change_me" => Act::patch("/users/me", json!({ "name": name })),
        "change_role" => Act::put(format!("/roles/{}", role(shop).await?), role_of(&name)),
        "change_user" => Act::patch(format!("/users/{}", somebody(shop).await?.id), json!({ "name": name })),
        "close_transfer" => {
            let missing = json!({ "barcode": barcode(shop), "quantity": 1, "reason": "lost" });
            Act::post(format!("{TRANSFERS}/{}/close", sent(shop, &name).await?), json!({ "missing": [missing] }))
        }
        "connect_account" => {
            let one = wildberries::Shop { cards: 1, warehouses: 1, marked: 0, ..wildberries::Shop::default() };
            let token = shop.app.simulator.shop(one).token(TokenKind::Personal, ALL_CATEGORIES);
            Act::post("/wildberries/accounts", json!({ "name": "Второй", "token": token }))
        }
        "create_enterprise" => {
            let administrator = json!({ "email": address(), "name": name, "password": PASSWORD });
            Act::post("/enterprises", json!({ "name": name, "administrator": administrator }))
        }
        "count_receipt" => Act::post(format!("{SHEETS}/{}/counts", sheet(shop, &name).await?), counts(shop)),
        "create_print_job" => {
            let (request, _) = shop.picked(1).await?;
            shop.supply(&request).await?;
            Act::post("/print-jobs", json!({ "printerId": shop.printer, "requestId": request }))
        }
        "create_printer" => {
            let printer = json!({ "name": name, "host": "10.1.2.3", "port": 9100, "dpi": 203, "labelWidthMm": 58, "labelHeightMm": 40 });
            Act::post("/printers", printer)
        }
        "create_request" => {
            let number = shop.reserved(1).await?[0];
            let order = shop.our(number).await?["id"].clone();
            Act::post(
                "/requests",
                json!({ "type": "order_picking", "warehouseId": shop.warehouse, "orderIds": [order] }),
            )
        }
        "create_role" => Act::post("/roles", role_of(&name)),
        "create_supply" => Act::post("/supplies", json!({ "requestId": shop.picked(1).await?.0 })),
        "create_user" => {
            let email = format!("{}@example.org", shared::ids::JobId::new());
            Act::post(
                "/users",
                json!({ "email": email, "name": name, "password": "a password of somebody", "grants": [grant("picker", Reach::Enterprise)] }),
            )
        }
        "create_warehouse" => Act::post("/warehouses", json!({ "name": name })),
        "deactivate_user" => Act::post(format!("/users/{}/deactivate", somebody(shop).await?.id), None),
        "delete_role" => Act::delete(format!("/roles/{}", role(shop).await?)),
        "deliver_supply" => {
            let supply = supply(shop).await?;
            shop.client.put(&format!("/supplies/{supply}/shipping"), shipping(shop, &supply).await?).await?;
            shop.app.run_jobs().await?;
            Act::post(format!("/supplies/{supply}/deliver"), None)
        }
        "end_other_sessions" => {
            let me = text(&shop.client.get("/users/me").await?["user"], "email")?;
            shop.app.sign_in(&me).await?;
            Act::post("/auth/sessions/end-others", None)
        }
        "end_session" => {
            let me = text(&shop.client.get("/users/me").await?["user"], "email")?;
            let other = shop.app.sign_in(&me).await?;
            Act::delete(format!("/auth/sessions/{}", session(&other, "/auth/sessions").await?))
        }
        "end_user_session" => {
            let id = somebody(shop).await?.id;
            let path = format!("/users/{id}/sessions");
            Act::delete(format!("{path}/{}", session(&shop.client, &path).await?))
        }
        "end_user_sessions" => Act::delete(format!("/users/{}/sessions", somebody(shop).await?.id)),
        "freeze_publishing" => Act::post("/wildberries/freeze", json!({ "reason": "Проверяем остатки" })),
        "hold_stock" => {
            shop.receive(9, 1, 1).await?;
            Act::post("/inventory/holds", json!({ "warehouseId": shop.warehouse, "lines": [held_line(shop)] }))
        }
        "invite_administrator" => {
            let system = shop.app.system_administrator().await?;
            let empty = text(&system.post("/enterprises", json!({ "name": name })).await?, "id")?;
            let body = json!({ "email": address(), "name": name });
            Act::post(format!("/enterprises/{empty}/administrator-invitations"), body)
        }
        "link_warehouse" => {
            let own = text(&shop.client.post("/warehouses", json!({ "name": name })).await?, "id")?;
            let theirs = shop.client.get("/wildberries/warehouses").await?["items"][0]["wbWarehouseId"].clone();
            Act::put(
                format!("/wildberries/accounts/{}/warehouses/{theirs}", shop.account),
                json!({ "warehouseId": own }),
            )
        }
        "move_stock" => {
            shop.receive(9, 1, 1).await?;
            let line = json!({ "barcode": barcode(shop), "from": "A-01", "to": "A-02", "quantity": 1 });
            Act::post("/inventory/moves", json!({ "warehouseId": shop.warehouse, "lines": [line] }))
        }
        "move_request" => {
            Act::post(format!("/requests/{}/status", request(shop).await?), json!({ "status": "in_progress" }))
        }
        "open_receipt_sheet" => {
            Act::post(SHEETS, json!({ "warehouseId": shop.warehouse, "number": name, "lines": [] }))
        }
        "pack_order" => {
            let (request, lines) = shop.picked(1).await?;
            shop.supply(&request).await?;
            shop.print(&request).await?;
            let number = lines[0]["wbOrderId"].as_i64().context("a number")?;
            let sticker = shop.seller.sticker(number).context("a sticker")?.barcode;
            Act::post("/orders/pack", json!({ "sticker": sticker }))
        }
        "post_goods_receipt" => {
            let line = json!({ "barcode": shop.products[9]["barcodes"][0], "cell": "A-01", "quantity": 2 });
            Act::post("/inventory/receipts", json!({ "warehouseId": shop.warehouse, "number": name, "lines": [line] }))
        }
        "plan_transfer" => {
            let line = json!({ "barcode": barcode(shop), "quantity": 1 });
            let to = transfer_target(shop, &name).await?;
            let body =
                json!({ "fromWarehouseId": shop.warehouse, "toWarehouseId": to, "number": name, "lines": [line] });
            Act::post(TRANSFERS, body)
        }
        "post_receipt_sheet" => {
            let sheet = sheet(shop, &name).await?;
            let counted = shop.client.post(&format!("{SHEETS}/{sheet}/counts"), counts(shop)).await?;
            let told = json!({ "lineId": counted["lines"][0]["id"], "reason": "surplus" });
            Act::post(format!("{SHEETS}/{sheet}/post"), json!({ "discrepancies": [told] }))
        }
        "publish_supply" => Act::post(format!("/supplies/{}/publish", supply(shop).await?), None),
        "receive_returns" => {
            let (request, lines) = shop.picked(1).await?;
            let supply = shop.supply(&request).await?;
            shop.deliver(&supply).await?;
            shop.seller.buyer(lines[0]["wbOrderId"].as_i64().context("a number")?, BuyerAct::Cancel)?;
            shop.sync("order_statuses").await?;
            let line = json!({ "orderId": lines[0]["orderId"], "cell": "A-01" });
            Act::post("/inventory/returns", json!({ "warehouseId": shop.warehouse, "lines": [line] }))
        }
        "receive_transfer" => {
            let line = json!({ "barcode": barcode(shop), "cell": "A-01", "quantity": 1 });
            Act::post(format!("{TRANSFERS}/{}/receive", sent(shop, &name).await?), json!({ "lines": [line] }))
        }
        "reject_publication" => Act::post(format!("/publications/{}/reject", publication(shop).await?), None),
        "release_holds" => {
            shop.receive(9, 1, 1).await?;
            release(shop, "/inventory/holds", held_line(shop)).await?
        }
        "release_reservations" => {
            shop.receive(9, 1, 1).await?;
            release(shop, "/inventory/reservations", json!({ "barcode": barcode(shop), "quantity": 1 })).await?
        }
        "remove_user" => Act::delete(format!("/users/{}", somebody(shop).await?.id)),
        "replace_token" => {
            let token = shop.seller.token(TokenKind::Personal, ALL_CATEGORIES);
            Act::put(format!("/wildberries/accounts/{}/token", shop.account), json!({ "token": token }))
        }
        "reserve_stock" => {
            shop.receive(9, 1, 1).await?;
            let line = json!({ "barcode": barcode(shop), "quantity": 1 });
            Act::post("/inventory/reservations", json!({ "warehouseId": shop.warehouse, "lines": [line] }))
        }
        "resolve_print_item" => {
            let job = print_job(shop).await?;
            sqlx::query("UPDATE print_items SET status = 'uncertain' WHERE print_job_id = $1::uuid")
                .bind(&job)
                .execute(&mut shop.app.admin().await?)
                .await?;
            let item = text(&shop.client.get(&format!("/print-jobs/{job}/items")).await?["items"][0], "id")?;
            Act::post(format!("/print-jobs/{job}/items/{item}/resolve"), json!({ "verdict": "printed" }))
        }
        "revoke_api_key" => {
            let enterprise = text(&shop.client.get("/users/me").await?, "enterpriseId")?;
            let path = format!("/enterprises/{enterprise}/api-keys");
            let key = shop.client.post(&path, json!({ "name": name, "permissions": ["stock:read"] })).await?;
            Act::delete(format!("{path}/{}", text(&key["key"], "id")?))
        }
        "scan" => {
            let numbers = shop.reserved(1).await?;
            let (request, lines) = shop.picking(&numbers).await?;
            shop.scan(&request, "cell", &text(&lines[0], "cell")?).await?;
            Act::post(format!("/requests/{request}/scans"), json!({ "kind": "item", "code": lines[0]["barcodes"][0] }))
        }
        "send_transfer" => Act::post(format!("{TRANSFERS}/{}/send", transfer(shop, &name).await?), None),
        "set_publishing_quotas" => {
            let quotas = json!({ "items": [{ "productId": shop.products[0]["id"], "quota": 5 }] });
            Act::put(format!("{}/quotas", at_wildberries(shop).await?), quotas)
        }
        "set_publishing_rule" => {
            Act::put(format!("{}/rule", at_wildberries(shop).await?), json!({ "safety": 2, "quota": 50 }))
        }
        "set_shipping" => {
            let supply = supply(shop).await?;
            Act::put(format!("/supplies/{supply}/shipping"), shipping(shop, &supply).await?)
        }
        "set_user_grants" => {
            let grants = json!({ "grants": [grant("viewer", Reach::Enterprise)] });
            Act::put(format!("/users/{}/grants", somebody(shop).await?.id), grants)
        }
        "state_publishable" => {
            shop.client.post("/wildberries/thaw", json!({})).await?;
            shop.receive(3, 1, 40).await?;
            Act::post(format!("{}/statements", at_wildberries(shop).await?), None)
        }
        "start_sync" => Act::post("/sync-runs", json!({ "accountId": shop.account, "kind": "warehouses" })),
        "thaw_publishing" => {
            shop.client.post("/wildberries/freeze", json!({ "reason": "Проверяем остатки" })).await?;
            Act::post("/wildberries/thaw", json!({}))
        }
        "write_off_stock" => {
            shop.receive(9, 1, 1).await?;
            let line = json!({ "barcode": barcode(shop), "cell": "A-01", "quantity": 1, "reason": "damaged" });
            Act::post("/inventory/write-offs", json!({ "warehouseId": shop.warehouse, "lines": [line] }))
        }
        "suspend_enterprise" => Act::post(format!("/enterprises/{}/suspend", enterprise(shop, &name).await?), None),
        _ => return product_acts::example(shop, operation, name).await,
    }))
}

const SHEETS: &str = "/inventory/receipt-sheets";

/// A receipt sheet on which nothing was counted.
async fn sheet(shop: &Shop<'_>, number: &str) -> Result<String> {
    let body = json!({ "warehouseId": shop.warehouse, "number": number, "lines": [] });
    text(&shop.client.post(SHEETS, body).await?, "id")
}

fn counts(shop: &Shop<'_>) -> Value {
    json!({ "lines": [{ "barcode": barcode(shop), "cell": "A-01", "quantity": 1 }] })
}

const TRANSFERS: &str = "/inventory/transfers";

/// Another warehouse of the enterprise, with a cell.
async fn transfer_target(shop: &Shop<'_>, name: &str) -> Result<String> {
    let to = text(&shop.client.post("/warehouses", json!({ "name": name })).await?, "id")?;
    let cells = json!({ "cells": [{ "code": "Б-01", "pickSequence": 1 }] });
    shop.client.post(&format!("/warehouses/{to}/cells"), cells).await?;
    Ok(to)
}

/// A planned transfer of one unit that is there.
pub(crate) async fn transfer(shop: &Shop<'_>, name: &str) -> Result<String> {
    let to = transfer_target(shop, name).await?;
    shop.receive(9, 1, 1).await?;
    planned(shop, (&shop.warehouse, &to), name).await
}

async fn planned(shop: &Shop<'_>, (from, to): (&str, &str), name: &str) -> Result<String> {
    let line = json!({ "barcode": barcode(shop), "quantity": 1 });
    let body = json!({ "fromWarehouseId": from, "toWarehouseId": to, "number": name, "lines": [line] });
    text(&shop.client.post(TRANSFERS, body).await?, "id")
}

/// One that is on its way to the shop's warehouse.
async fn sent(shop: &Shop<'_>, name: &str) -> Result<String> {
    let from = transfer_target(shop, name).await?;
    let line = json!({ "barcode": barcode(shop), "cell": "Б-01", "quantity": 1 });
    let came = json!({ "warehouseId": from, "number": name, "lines": [line] });
    shop.client.post("/inventory/receipts", came).await?;
    let id = planned(shop, (&from, &shop.warehouse), name).await?;
    shop.client.post(&format!("{TRANSFERS}/{id}/send"), json!({})).await?;
    Ok(id)
}

/// A barcode of the product whose stock examples change.
fn barcode(shop: &Shop<'_>) -> Value {
    shop.products[9]["barcodes"][0].clone()
}

fn held_line(shop: &Shop<'_>) -> Value {
    json!({ "barcode": barcode(shop), "cell": "A-01", "quantity": 1, "reason": "quarantine" })
}

/// Keeps something there, and asks for it to be given back.
async fn release(shop: &Shop<'_>, path: &str, line: Value) -> Result<Act> {
    let kept = shop.client.post(path, json!({ "warehouseId": shop.warehouse, "lines": [line] })).await?;
    let id = kept["rows"][0]["parts"][0]["id"].clone();
    Ok(Act::post(format!("{path}/release"), json!({ "warehouseId": shop.warehouse, "ids": [id] })))
}

fn cells_path(shop: &Shop<'_>, what: &str) -> String {
    format!("/warehouses/{}/cells/{what}", shop.warehouse)
}

/// An empty cell of the shop's warehouse.
pub(crate) async fn cell(shop: &Shop<'_>) -> Result<String> {
    let cells = json!({ "cells": [{ "code": format!("Я {}", shared::ids::JobId::new()), "pickSequence": 900 }] });
    let added = shop.client.post(&format!("/warehouses/{}/cells", shop.warehouse), cells).await?;
    text(&added["items"][0], "id")
}

/// A warehouse that nothing uses.
async fn warehouse(shop: &Shop<'_>) -> Result<String> {
    let name = format!("Склад {}", shared::ids::JobId::new());
    text(&shop.client.post("/warehouses", json!({ "name": name })).await?, "id")
}

/// A zone without cells.
pub(crate) async fn zone(shop: &Shop<'_>) -> Result<String> {
    let zone = json!({ "name": format!("Зона {}", shared::ids::JobId::new()), "purpose": "storage" });
    text(&shop.client.post(&format!("/warehouses/{}/zones", shop.warehouse), zone).await?, "id")
}

/// Another enterprise than the shop's.
async fn enterprise(shop: &Shop<'_>, name: &str) -> Result<String> {
    enterprise_of(&shop.app.enterprise(name).await?).await
}

/// A colleague who is signed in.
async fn somebody(shop: &Shop<'_>) -> Result<Person> {
    shop.app.person(&shop.client, "picker", Reach::Enterprise).await
}

fn role_of(name: &str) -> Value {
    json!({ "name": name, "permissions": ["stock:read"] })
}

/// An alarm of an account whose token ends soon.
async fn alarm(shop: &Shop<'_>) -> Result<String> {
    let app = shop.app;
    let one = wildberries::Shop { cards: 1, warehouses: 1, marked: 0, ..wildberries::Shop::default() };
    let spec = TokenSpec { expires_at: Some(app.clock.now() + chrono::Duration::days(5)), ..TokenSpec::default() };
    let account = json!({ "name": "Скоро истечёт", "token": app.simulator.shop(one).token_with(&spec) });
    shop.client.post("/wildberries/accounts", account).await?;
    app.promise(&WatchTokens {}).await?;
    app.run_jobs().await?;
    text(&shop.client.get("/alarms?open=true").await?["items"][0], "id")
}

/// The path of the seller's warehouse at Wildberries, which the shop's own warehouse feeds.
async fn at_wildberries(shop: &Shop<'_>) -> Result<String> {
    let warehouses = shop.client.get("/wildberries/warehouses").await?;
    let theirs = &warehouses["items"][0];
    let path = format!("/wildberries/accounts/{}/warehouses/{}", text(theirs, "accountId")?, theirs["wbWarehouseId"]);
    shop.client.put(&path, json!({ "warehouseId": shop.warehouse })).await?;
    Ok(format!("/wildberries/warehouses/{}", theirs["wbWarehouseId"]))
}

/// A rise of published stock that a colleague asked for and that waits for somebody else.
pub(crate) async fn publication(shop: &Shop<'_>) -> Result<String> {
    let enterprise = text(&shop.client.get("/users/me").await?, "enterpriseId")?;
    let path = format!("/enterprises/{enterprise}");
    let mut settings = shop.client.get(&path).await?["settings"].clone();
    settings["publishingBrakePercent"] = json!(1);
    settings["publishingBrakeUnits"] = json!(0);
    shop.client.patch(&path, json!({ "settings": settings })).await?;
    shop.client.post("/wildberries/thaw", json!({})).await?;
    let colleague = shop.app.person(&shop.client, "manager", Reach::Enterprise).await?.client;
    let statements = format!("{}/statements", at_wildberries(shop).await?);
    shop.receive(2, 1, 1).await?;
    colleague.post(&statements, json!({})).await?;
    shop.receive(2, 1, 9).await?;
    text(&colleague.post(&statements, json!({})).await?["waiting"], "id")
}

/// A role that nobody has.
async fn role(shop: &Shop<'_>) -> Result<String> {
    let name = format!("Роль {}", shared::ids::JobId::new());
    text(&shop.client.post("/roles", role_of(&name)).await?, "id")
}

/// The newest session of a list.
async fn session(client: &Client, path: &str) -> Result<String> {
    text(&client.get(path).await?["items"][0], "id")
}

/// A picking request that nobody has begun.
async fn request(shop: &Shop<'_>) -> Result<String> {
    let number = shop.reserved(1).await?[0];
    let order = shop.our(number).await?["id"].clone();
    let body = json!({ "type": "order_picking", "warehouseId": shop.warehouse, "orderIds": [order] });
    text(&shop.client.post("/requests", body).await?, "id")
}

/// An open supply of one picked order.
async fn supply(shop: &Shop<'_>) -> Result<String> {
    let (request, _) = shop.picked(1).await?;
    shop.supply(&request).await
}

async fn shipping(shop: &Shop<'_>, supply: &str) -> Result<Value> {
    let date = (chrono::Utc::now() + chrono::Duration::days(1)).format("%Y-%m-%d").to_string();
    let points = shop.client.get(&format!("/supplies/{supply}/shipping-points?date={date}&city=Москва")).await?;
    let mut points = points["items"].as_array().into_iter().flatten();
    let point = points.find(|point| point["available"] == true).context("a point")?;
    Ok(json!({ "date": date, "pointId": point["id"], "type": "selfShipping" }))
}

/// A print job whose lane did not run yet.
async fn print_job(shop: &Shop<'_>) -> Result<String> {
    let (request, _) = shop.picked(1).await?;
    shop.supply(&request).await?;
    let job = json!({ "printerId": shop.printer, "requestId": request });
    text(&shop.client.post("/print-jobs", job).await?, "id")
}
