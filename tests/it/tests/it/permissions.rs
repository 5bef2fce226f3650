//! The published table of what operations need is what is enforced: whoever has everything else is refused, and whoever
//! has nothing else is let in.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use it::people::enterprise_of;
use it::{Reach, TestApp};
use reqwest::Method;
use serde_json::{Value, json};
use shared::access::Permission;
use stack::client::text;

const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];
const NOBODY: &str = "01900000-0000-7000-8000-000000000000";

struct Operation {
    id: String,
    method: Method,
    path: String,
    needs: Vec<String>,
}

fn operations() -> Result<Vec<Operation>> {
    let document: Value = serde_json::from_str(&api::openapi())?;
    let mut operations = Vec::new();
    for (path, item) in document["paths"].as_object().context("paths")? {
        for method in METHODS {
            let Some(operation) = item.get(method) else { continue };
            let id = text(operation, "operationId")?;
            let needs =
                operation["x-permission"].as_array().with_context(|| format!("{id} does not say what it needs"))?;
            let needs = needs.iter().filter_map(Value::as_str).map(str::to_owned).collect();
            operations.push(Operation { id, method: method.to_uppercase().parse()?, path: path.clone(), needs });
        }
    }
    Ok(operations)
}

#[test]
fn every_operation_says_what_it_needs_and_those_that_need_nothing_need_no_token() -> Result<()> {
    let words = ["public", "signed-in", "person", "enterprise:member", "system:administer"];
    let document: Value = serde_json::from_str(&api::openapi())?;
    for operation in operations()? {
        ensure!(!operation.needs.is_empty(), "{} needs nothing", operation.id);
        for need in &operation.needs {
            ensure!(words.contains(&need.as_str()) || Permission::parse(need).is_some(), "{}: {need}", operation.id);
        }
        let shown = &document["paths"][&operation.path][operation.method.as_str().to_lowercase()];
        let open = shown["security"].as_array().is_some_and(Vec::is_empty);
        ensure!(open == (operation.needs == ["public"]), "{}: {}", operation.id, shown["security"]);
    }
    Ok(())
}

/// What acts on stock are asked with.
fn bodies_of_stock(warehouse: &str) -> BTreeMap<&'static str, Value> {
    let lines = |lines: Value| json!({ "warehouseId": warehouse, "lines": lines });
    BTreeMap::from([
        ("open_receipt_sheet", json!({ "warehouseId": warehouse, "number": "Л-1", "lines": [] })),
        ("count_receipt", json!({ "lines": [{ "barcode": "0", "cell": "A-01", "quantity": 1 }] })),
        ("post_receipt_sheet", json!({ "discrepancies": [] })),
        (
            "plan_transfer",
            json!({ "fromWarehouseId": warehouse, "toWarehouseId": warehouse, "number": "П-1",
                    "lines": [{ "barcode": "0", "quantity": 1 }] }),
        ),
        ("receive_transfer", json!({ "lines": [{ "barcode": "0", "cell": "A-01", "quantity": 1 }] })),
        ("close_transfer", json!({ "missing": [{ "barcode": "0", "quantity": 1, "reason": "lost" }] })),
        ("move_stock", lines(json!([{ "barcode": "0", "from": "A-01", "to": "A-02", "quantity": 1 }]))),
        ("adjust_stock", lines(json!([{ "barcode": "0", "cell": "A-01", "change": 1, "reason": "found" }]))),
        ("receive_returns", lines(json!([{ "orderId": NOBODY, "cell": "A-01" }]))),
        ("write_off_stock", lines(json!([{ "barcode": "0", "cell": "A-01", "quantity": 1, "reason": "lost" }]))),
        ("hold_stock", lines(json!([{ "barcode": "0", "cell": "A-01", "quantity": 1, "reason": "damage" }]))),
        ("reserve_stock", lines(json!([{ "barcode": "0", "quantity": 1 }]))),
        ("release_holds", json!({ "warehouseId": warehouse, "ids": [NOBODY] })),
        ("release_reservations", json!({ "warehouseId": warehouse, "ids": [NOBODY] })),
    ])
}

/// What counts are asked with.
fn bodies_of_counts(warehouse: &str) -> BTreeMap<&'static str, Value> {
    BTreeMap::from([
        ("plan_count", json!({ "warehouseId": warehouse, "name": "Новая" })),
        ("change_count", json!({ "name": "Другая" })),
        ("start_count", json!({})),
        ("cancel_count", json!({})),
        ("count_goods", json!({ "lines": [{ "barcode": "0", "cell": "A-04", "quantity": 1 }] })),
        ("count_empty_cell", json!({ "cell": "A-04" })),
        ("scan_count", json!({ "kind": "cell", "code": "A-04" })),
        ("review_count", json!({})),
        ("recount_lines", json!({})),
        ("explain_count", json!({ "others": { "reason": "lost" } })),
        ("approve_count", json!({})),
        ("reject_count", json!({ "comment": "нет" })),
    ])
}

#[expect(clippy::too_many_lines, reason = "a table: one line per operation")]
#[tokio::test]
async fn each_permission_is_exactly_what_its_operations_need() -> Result<()> {
    let app = TestApp::start().await?;
    let shop = app.shop().await?;
    let boss = &shop.client;
    let (request, lines) = shop.picked(1).await?;
    let supply = shop.supply(&request).await?;
    let print_job = shop.print(&request).await?;
    let item = text(&boss.get(&format!("/print-jobs/{print_job}/items")).await?["items"][0], "id")?;
    let waiting = shop.reserved(1).await?;
    let waiting = text(&shop.our(waiting[0]).await?, "id")?;
    let run = text(&boss.get("/sync-runs").await?["items"][0], "id")?;
    let job = text(&boss.get("/jobs").await?["items"][0], "id")?;
    let enterprise = enterprise_of(boss).await?;
    let wb_warehouse = boss.get("/wildberries/warehouses").await?["items"][0]["wbWarehouseId"].clone();
    let other = app.person(boss, "viewer", Reach::Enterprise).await?;
    let spare = app.own_role(boss, "Запасная", &["orders:read"]).await?;
    let (key, _) = app.key(boss, json!({ "name": "Ключ", "permissions": ["orders:read"] })).await?;
    let key = text(&key, "id")?;

    let zone = json!({ "name": "Зона", "purpose": "storage" });
    let zone = text(&boss.post(&format!("/warehouses/{}/zones", shop.warehouse), zone).await?, "id")?;
    let cell = text(&boss.get("/cells?code=A-04").await?["items"][0], "id")?;

    let plan = json!({ "warehouseId": shop.warehouse, "name": "Пересчёт", "cellIds": [cell] });
    let count = text(&boss.post("/counts", plan).await?, "id")?;

    let place = |id: &str, path: &str| {
        let first = match path.split('/').nth(1).unwrap_or_default() {
            "warehouses" => &shop.warehouse,
            "products" => shop.products[0]["id"].as_str().unwrap_or(NOBODY),
            "orders" => lines[0]["orderId"].as_str().unwrap_or(NOBODY),
            "requests" => &request,
            "supplies" => &supply,
            "print-jobs" => &print_job,
            "printers" => &shop.printer,
            "jobs" => &job,
            "sync-runs" => &run,
            "users" => &other.id,
            "roles" => &spare,
            "enterprises" => &enterprise,
            "wildberries" => &shop.account,
            "zones" => &zone,
            "cells" => &cell,
            "counts" => &count,
            _ => NOBODY,
        };
        let query = match id {
            "get_product_by_barcode" => "?code=0046",
            "list_shipping_points" => "?date=2030-01-01&city=Москва",
            _ => "",
        };
        let path = path.replace("{id}", first).replace("{item_id}", &item).replace("{key_id}", &key);
        path.replace("{wb_warehouse_id}", &wb_warehouse.to_string()).replace("{product_id}", NOBODY) + query
    };
    let grants = json!([{ "role": "viewer", "reach": "own" }]);
    let role = json!({ "name": "Новая", "permissions": ["orders:read"] });
    let mut bodies: BTreeMap<&str, Value> = BTreeMap::from([
        ("create_user", json!({ "email": "new@example.org", "name": "Н", "password": it::PASSWORD, "grants": grants })),
        ("change_user", json!({ "name": "Другое" })),
        ("set_user_grants", json!({ "grants": grants })),
        ("create_role", role.clone()),
        ("change_role", role),
        ("create_api_key", json!({ "name": "К", "permissions": ["orders:read"] })),
        ("change_enterprise", json!({ "name": "Ромашка" })),
        ("connect_account", json!({ "name": "К", "token": "a.b.c" })),
        ("replace_token", json!({ "token": "a.b.c" })),
        ("link_warehouse", json!({ "warehouseId": shop.warehouse })),
        ("set_publishing_rule", json!({ "safety": 1 })),
        ("set_publishing_quotas", json!({ "items": [{ "productId": shop.products[0]["id"], "quota": 1 }] })),
        ("freeze_publishing", json!({ "reason": "Проверка" })),
        ("thaw_publishing", json!({})),
        ("start_sync", json!({ "accountId": shop.account, "kind": "catalogue" })),
        ("create_product", json!({ "sku": "СВОЙ-1", "name": "Свой товар" })),
        ("change_product", json!({ "minStock": 3 })),
        ("create_product_import", json!("sku;name\nA;Б\n")),
        ("set_product_import_columns", json!({ "columns": ["sku"] })),
        ("commit_product_import", json!({})),
        ("create_category", json!({ "name": "Посуда" })),
        ("change_category", json!({ "name": "Кружки" })),
        ("create_warehouse", json!({ "name": "Новый" })),
        ("change_warehouse", json!({ "name": "Склад" })),
        ("create_zone", json!({ "name": "Новая", "purpose": "storage" })),
        ("change_zone", json!({ "name": "Зона" })),
        ("generate_cells", json!({ "pattern": "Ю-1…Ю-2", "dryRun": true })),
        ("change_cell", json!({ "pickSequence": 4 })),
        ("change_cells", json!({ "cellIds": [cell], "capacityUnits": 100 })),
        ("block_cells", json!({ "cellIds": [cell], "reason": "мокро" })),
        ("unblock_cells", json!({ "cellIds": [cell] })),
        ("archive_cells", json!({ "cellIds": [cell] })),
        ("restore_cells", json!({ "cellIds": [cell] })),
        ("print_cell_labels", json!({ "printerId": shop.printer, "cellIds": [cell] })),
        ("add_cells", json!({ "cells": [{ "code": "Я-01", "pickSequence": 1 }] })),
        (
            "post_goods_receipt",
            json!({ "warehouseId": shop.warehouse, "number": "П-1",
                    "lines": [{ "barcode": shop.products[0]["barcodes"][0], "cell": "A-01", "quantity": 1 }] }),
        ),
        ("pack_order", json!({ "sticker": "нет такого" })),
        ("create_request", json!({ "type": "order_picking", "warehouseId": shop.warehouse, "orderIds": [waiting] })),
        ("assign_request", json!({ "assigneeId": other.id })),
        ("move_request", json!({ "status": "in_review" })),
        ("scan", json!({ "kind": "cell", "code": "A-01" })),
        ("create_supply", json!({ "orderIds": [waiting] })),
        ("set_shipping", json!({ "date": "2030-01-01", "pointId": 1, "type": "selfShipping" })),
        ("invite_user", json!({ "email": "anna.novaya@example.org", "name": "Анна", "grants": grants })),
        ("create_printer", json!({ "name": "Новый", "host": "127.0.0.1", "port": 9100, "dpi": 203 })),
        ("create_print_job", json!({ "printerId": shop.printer, "requestId": request })),
        ("resolve_print_item", json!({ "verdict": "printed" })),
    ]);
    bodies.extend(bodies_of_stock(&shop.warehouse));
    bodies.extend(bodies_of_counts(&shop.warehouse));

    // Two people whose roles are changed before each operation: that holds from the next request on.
    let (only, but) =
        (app.own_role(boss, "Только", &["orders:read"]).await?, app.own_role(boss, "Кроме", &["orders:read"]).await?);
    let alone = app.person(boss, &only, Reach::Enterprise).await?.client;
    let without = app.person(boss, &but, Reach::Enterprise).await?.client;
    let mut tried = 0;
    for Operation { id, method, path, needs } in operations()? {
        let needed: Vec<_> = needs.iter().filter_map(|need| Permission::parse(need)).collect();
        if needed.is_empty() {
            continue;
        }
        let all = Permission::ALL.iter().filter(|permission| !needed.contains(permission));
        let rest: Vec<_> = all.map(|permission| permission.code()).collect();
        boss.put(&format!("/roles/{but}"), json!({ "name": "Кроме", "permissions": rest })).await?;
        let (there, body) = (place(&id, &path), bodies.get(id.as_str()).cloned());
        let outcome = without.outcome(method.clone(), &there, body.clone()).await?;
        assert_eq!(outcome, (403, "forbidden".to_owned()), "{id} lets in who lacks {needs:?}");

        boss.put(&format!("/roles/{only}"), json!({ "name": "Только", "permissions": [needs[0]] })).await?;
        let answer = alone.ask(method, &there, body).await?;
        let status = answer.status.as_u16();
        assert!(
            status < 500 && ![400, 401, 403, 415].contains(&status),
            "{id} with {needs:?}: {status} {}",
            answer.body
        );
        tried += 1;
    }
    assert!(tried >= 60, "{tried} operations need a permission");
    Ok(())
}
