//! Examples of what people do to the catalogue.

use anyhow::Result;
use serde_json::{Value, json};
use stack::client::text;

use crate::{Act, Shop, count_acts};

/// Arranges what the operation needs, and asks for it.
pub(crate) async fn example(shop: &Shop<'_>, operation: &str, name: String) -> Result<Option<Act>> {
    Ok(Some(match operation {
        "archive_product" => Act::post(format!("/products/{}/archive", product(shop).await?), None),
        "change_category" => Act::put(format!("/categories/{}", category(shop).await?), json!({ "name": name })),
        "change_product" => Act::patch(format!("/products/{}", product(shop).await?), json!({ "name": name })),
        "check_product_import" => Act::post(format!("/product-imports/{}/check", import(shop).await?), None),
        "commit_product_import" => {
            let id = import(shop).await?;
            shop.client.post(&format!("/product-imports/{id}/check"), json!({})).await?;
            shop.app.run_jobs().await?;
            Act::post(format!("/product-imports/{id}/commit"), json!({ "withoutWrong": true }))
        }
        "create_category" => Act::post("/categories", json!({ "name": name })),
        "create_product" => {
            Act::post("/products", json!({ "sku": name, "name": name, "barcodes": [name.replace(' ', "-")] }))
        }
        "create_product_import" => Act::post("/product-imports?fileName=price.csv", json!(file_of(&name))),
        "delete_category" => Act::delete(format!("/categories/{}", category(shop).await?)),
        "restore_product" => {
            let id = product(shop).await?;
            shop.client.post(&format!("/products/{id}/archive"), json!({})).await?;
            Act::post(format!("/products/{id}/restore"), None)
        }
        "set_product_import_columns" => {
            let columns = json!({ "columns": ["sku", "name"] });
            Act::put(format!("/product-imports/{}/columns", import(shop).await?), columns)
        }
        "undo_product_import" => {
            let id = import(shop).await?;
            for step in ["check", "commit"] {
                shop.client.post(&format!("/product-imports/{id}/{step}"), json!({})).await?;
                shop.app.run_jobs().await?;
            }
            Act::post(format!("/product-imports/{id}/undo"), None)
        }
        _ => return count_acts::example(shop, operation, name).await,
    }))
}

/// Those that name the ids which the one example leaves out.
pub(crate) async fn further(shop: &Shop<'_>, operation: &str, name: String) -> Result<Vec<Act>> {
    Ok(match operation {
        "change_category" => {
            let body = json!({ "name": name, "parentId": category(shop).await? });
            vec![Act::put(format!("/categories/{}", category(shop).await?), body)]
        }
        "change_product" => {
            let body = json!({ "categoryId": category(shop).await?, "components": parts(shop).await? });
            vec![Act::patch(format!("/products/{}", product(shop).await?), body)]
        }
        "create_category" => {
            vec![Act::post("/categories", json!({ "name": name, "parentId": category(shop).await? }))]
        }
        "create_product" => {
            let body = json!({ "sku": name, "name": name, "categoryId": category(shop).await?, "components": parts(shop).await? });
            vec![Act::post("/products", body)]
        }
        _ => count_acts::further(shop, operation, name).await?,
    })
}

/// An own item that nothing uses.
async fn product(shop: &Shop<'_>) -> Result<String> {
    let sku = format!("Свой {}", shared::ids::JobId::new());
    text(&shop.client.post("/products", json!({ "sku": sku, "name": "Свой товар" })).await?, "id")
}

/// A table of one product.
fn file_of(sku: &str) -> String {
    format!("sku;name\n{sku};Из файла\n")
}

/// An import that was read.
async fn import(shop: &Shop<'_>) -> Result<String> {
    let file = file_of(&format!("ИЗ-ФАЙЛА-{}", shared::ids::JobId::new()));
    text(&shop.client.post("/product-imports?fileName=price.csv", json!(file)).await?, "id")
}

/// A category in which nothing lies.
async fn category(shop: &Shop<'_>) -> Result<String> {
    let name = format!("Категория {}", shared::ids::JobId::new());
    text(&shop.client.post("/categories", json!({ "name": name })).await?, "id")
}

/// Of what a bundle can be made.
async fn parts(shop: &Shop<'_>) -> Result<Value> {
    Ok(json!([{ "productId": product(shop).await?, "quantity": 2 }]))
}
