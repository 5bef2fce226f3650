//! What is asked of each operation that changes something: the one example that everybody keeps, and those further ones
//! that name the ids which it leaves out.

use anyhow::{Context, Result};
use reqwest::Method;
use serde_json::{Value, json};
use stack::client::text;
use totp_rs::{Algorithm, Secret, TOTP};

use crate::acts::{cell, zone};
use crate::people::{address, enterprise_of};
use crate::{Act, PASSWORD, Person, Reach, Shop, example, grant, product_acts, token_of};

/// Arranges what the operation needs; each answer will succeed once.
pub async fn of(shop: &Shop<'_>, operation: &str) -> Result<Vec<Act>> {
    let mut acts: Vec<_> = example(shop, operation).await?.into_iter().collect();
    acts.extend(further(shop, operation).await?);
    Ok(acts)
}

fn act(method: Method, path: impl Into<String>, body: impl Into<Option<Value>>) -> Act {
    Act { method, path: path.into(), body: body.into() }
}

fn post(path: impl Into<String>, body: impl Into<Option<Value>>) -> Act {
    act(Method::POST, path, body)
}

#[expect(clippy::too_many_lines, reason = "a table: one arm per operation")]
async fn further(shop: &Shop<'_>, operation: &str) -> Result<Vec<Act>> {
    let name = format!("Ещё {}", shared::ids::JobId::new());
    let app = shop.app;
    Ok(match operation {
        "accept_invitation" => {
            let invited = json!({ "email": address(), "name": name, "grants": [grant("viewer", Reach::Enterprise)] });
            let letter = shop.client.post("/users/invitations", invited).await?;
            let token = token_of(letter["link"].as_str().context("a link")?)?;
            vec![post("/auth/invitations/accept", json!({ "token": token, "name": name, "password": PASSWORD }))]
        }
        "activate_enterprise" | "suspend_enterprise" => {
            let spare = enterprise_of(&app.enterprise("Запасная").await?).await?;
            vec![post(format!("/enterprises/{spare}/{}", operation.trim_end_matches("_enterprise")), None)]
        }
        "add_cells" => {
            let cell = json!({ "code": name, "pickSequence": 100, "zoneId": zone(shop).await? });
            vec![post(format!("/warehouses/{}/cells", shop.warehouse), json!({ "cells": [cell] }))]
        }
        "adjust_stock" | "close_transfer" | "count_receipt" | "hold_stock" | "move_stock" | "plan_transfer"
        | "receive_transfer" | "reserve_stock" | "write_off_stock" => {
            vec![by_product(shop, operation).await?]
        }
        "open_receipt_sheet" => {
            let line = json!({ "productId": shop.products[9]["id"], "quantity": 1 });
            let body = json!({ "warehouseId": shop.warehouse, "number": name, "lines": [line] });
            vec![post("/inventory/receipt-sheets", body)]
        }
        "begin_second_factor" => vec![post("/auth/second-factor", None)],
        "change_cell" => {
            let cell = json!({ "code": name, "pickSequence": 100 });
            let path = format!("/warehouses/{}/cells", shop.warehouse);
            let added = shop.client.post(&path, json!({ "cells": [cell] })).await?;
            let path = format!("/cells/{}", text(&added["items"][0], "id")?);
            vec![act(Method::PATCH, path, json!({ "zoneId": zone(shop).await? }))]
        }
        "change_cells" => {
            let body = json!({ "cellIds": [cell(shop).await?], "zoneId": zone(shop).await? });
            vec![post(format!("/warehouses/{}/cells/change", shop.warehouse), body)]
        }
        "change_warehouse" => {
            let path = format!("/warehouses/{}", shop.warehouse);
            vec![act(Method::PATCH, path, json!({ "address": format!("ул. {name}") }))]
        }
        "change_email" => {
            let theirs = somebody(shop).await?.client;
            let letter = theirs.post("/auth/email/change-requests", json!({ "email": address() })).await?;
            vec![post("/auth/email/change", json!({ "token": token_of(letter["link"].as_str().context("a link")?)? }))]
        }
        "change_password" => {
            let body = json!({ "currentPassword": PASSWORD, "password": "quite another password of nobody" });
            vec![act(Method::PUT, "/auth/password", body)]
        }
        "confirm_identity" => vec![post("/auth/confirm", json!({ "password": PASSWORD }))],
        "create_api_key" => {
            let body = json!({ "name": name, "permissions": ["orders:read"], "warehouseIds": [shop.warehouse] });
            vec![post(format!("/enterprises/{}/api-keys", enterprise_of(&shop.client).await?), body)]
        }
        "create_enterprise" => {
            let administrator = json!({ "email": address(), "name": "Борис", "password": PASSWORD });
            vec![post("/enterprises", json!({ "name": name, "administrator": administrator }))]
        }
        "create_print_job" => {
            let (request, _) = shop.picked(1).await?;
            let supply = shop.supply(&request).await?;
            shop.deliver(&supply).await?;
            vec![post("/print-jobs", json!({ "printerId": shop.printer, "supplyId": supply }))]
        }
        "create_request" => {
            let somebody = somebody(shop).await?;
            let body = json!({ "type": "order_picking", "warehouseId": shop.warehouse, "orderIds": [waiting(shop).await?],
                               "assigneeId": somebody.id });
            vec![post("/requests", body)]
        }
        "create_supply" => {
            let (_, lines) = shop.picked(2).await?;
            let orders: Vec<_> = lines.iter().map(|line| line["orderId"].clone()).collect();
            vec![post("/supplies", json!({ "orderIds": orders }))]
        }
        "create_user" => {
            let body =
                json!({ "email": address(), "name": name, "password": PASSWORD, "grants": [narrow(shop).await?] });
            vec![post("/users", body)]
        }
        "disable_second_factor" => {
            enrolled(shop).await?;
            vec![act(Method::DELETE, "/auth/second-factor", None)]
        }
        "finish_second_factor" => {
            let begun = shop.client.post("/auth/second-factor", json!({})).await?;
            let code = code(shop, &text(&begun, "secret")?, 0)?;
            vec![post("/auth/second-factor/finish", json!({ "code": code }))]
        }
        "freeze_publishing" | "thaw_publishing" => {
            let theirs = shop.client.get("/wildberries/warehouses").await?["items"][0]["wbWarehouseId"].clone();
            let mut body = json!({ "wbWarehouseId": theirs });
            if operation == "freeze_publishing" {
                body["reason"] = json!("Проверяем остатки");
            }
            vec![post(format!("/wildberries/{}", operation.trim_end_matches("_publishing")), body)]
        }
        "generate_cells" => {
            let rows = json!({ "pattern": format!("{name} 1…{name} 3"), "dryRun": true, "zoneId": zone(shop).await? });
            vec![post(format!("/warehouses/{}/cells/generate", shop.warehouse), rows)]
        }
        "invite_user" => {
            let body = json!({ "email": address(), "name": name, "grants": [narrow(shop).await?] });
            vec![post("/users/invitations", body)]
        }
        "link_warehouse" => {
            let theirs = shop.client.get("/wildberries/warehouses").await?["items"][0]["wbWarehouseId"].clone();
            let path = format!("/wildberries/accounts/{}/warehouses/{theirs}", shop.account);
            vec![act(Method::PUT, path, json!({ "warehouseId": shop.warehouse }))]
        }
        "login" => {
            let (email, enterprise) = (somebody(shop).await?.email, enterprise_of(&shop.client).await?);
            vec![post("/auth/login", json!({ "email": email, "password": PASSWORD, "enterpriseId": enterprise }))]
        }
        "login_second_factor" => {
            let enterprise = enterprise_of(&shop.client).await?;
            let somebody = somebody(shop).await?;
            let theirs = Shop { client: somebody.client, email: somebody.email, ..shop.clone() };
            let secret = enrolled(&theirs).await?;
            let login = json!({ "email": theirs.email, "password": PASSWORD });
            let pending = shop.client.with_token(None).post("/auth/login", login).await?;
            let body = json!({ "pendingToken": pending["pendingToken"], "code": code(shop, &secret, 1)?,
                               "enterpriseId": enterprise });
            vec![post("/auth/login/second-factor", body)]
        }
        "logout" => vec![post("/auth/logout", None)],
        "logout_everywhere" => vec![post("/auth/logout-everywhere", None)],
        "print_cell_labels" => {
            let zone = zone(shop).await?;
            let cell = json!({ "code": name, "pickSequence": 100, "zoneId": zone });
            let path = format!("/warehouses/{}/cells", shop.warehouse);
            shop.client.post(&path, json!({ "cells": [cell] })).await?;
            vec![post(format!("{path}/labels"), json!({ "printerId": shop.printer, "zoneId": zone }))]
        }
        "refresh" => {
            let login = json!({ "email": somebody(shop).await?.email, "password": PASSWORD });
            let opened = shop.client.with_token(None).post("/auth/login", login).await?;
            vec![post("/auth/refresh", json!({ "refreshToken": opened["refreshToken"] }))]
        }
        "renew_recovery_codes" => {
            enrolled(shop).await?;
            vec![post("/auth/second-factor/recovery-codes", None)]
        }
        "request_email_change" => vec![post("/auth/email/change-requests", json!({ "email": address() }))],
        "request_password_reset" => {
            vec![post("/auth/password/reset-requests", json!({ "email": somebody(shop).await?.email }))]
        }
        "reset_password" => {
            let somebody = somebody(shop).await?;
            let letter = shop.client.post(&format!("/users/{}/password-reset", somebody.id), json!({})).await?;
            let token = token_of(letter["link"].as_str().context("a link")?)?;
            let body = json!({ "token": token, "password": "quite another password of nobody" });
            vec![post("/auth/password/reset", body)]
        }
        "reset_user_password" => vec![post(format!("/users/{}/password-reset", somebody(shop).await?.id), None)],
        "set_user_grants" => {
            let body = json!({ "grants": [narrow(shop).await?] });
            vec![act(Method::PUT, format!("/users/{}/grants", somebody(shop).await?.id), body)]
        }
        _ => product_acts::further(shop, operation, name).await?,
    })
}

/// The example whose first line names its product instead of a barcode.
async fn by_product(shop: &Shop<'_>, operation: &str) -> Result<Act> {
    let mut act = example(shop, operation).await?.context("an example")?;
    let body = act.body.as_mut().context("a body")?;
    let lines = if body["missing"].is_null() { "lines" } else { "missing" };
    let line = body[lines][0].as_object_mut().context("a line")?;
    line.remove("barcode");
    line.insert("productId".to_owned(), shop.products[9]["id"].clone());
    Ok(act)
}

/// A colleague who is signed in.
async fn somebody(shop: &Shop<'_>) -> Result<Person> {
    shop.app.person(&shop.client, "picker", Reach::Enterprise).await
}

/// An order that waits for a picker.
async fn waiting(shop: &Shop<'_>) -> Result<String> {
    let number = shop.reserved(1).await?[0];
    text(&shop.our(number).await?, "id")
}

/// A role of the enterprise's own, in one warehouse.
async fn narrow(shop: &Shop<'_>) -> Result<Value> {
    let name = format!("Роль {}", shared::ids::JobId::new());
    let role = shop.app.own_role(&shop.client, &name, &["orders:read"]).await?;
    Ok(grant(&role, Reach::Warehouses(&[&shop.warehouse])))
}

/// What a telephone with this secret shows, so many steps from now.
fn code(shop: &Shop<'_>, secret: &str, steps: i64) -> Result<String> {
    let secret = Secret::Encoded(secret.to_owned()).to_bytes().context("base32")?;
    let totp = TOTP::new(Algorithm::SHA1, 6, 1, 30, secret, None, "anybody".to_owned())?;
    Ok(totp.generate(u64::try_from(shop.app.clock.now().timestamp() + 30 * steps)?))
}

/// Gives the shop's person a second factor; answers with its secret, whose next code is still good.
async fn enrolled(shop: &Shop<'_>) -> Result<String> {
    let begun = shop.client.post("/auth/second-factor", json!({})).await?;
    let secret = text(&begun, "secret")?;
    shop.client.post("/auth/second-factor/finish", json!({ "code": code(shop, &secret, 0)? })).await?;
    Ok(secret)
}
