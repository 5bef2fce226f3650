//! Products over HTTP.

use chrono::{DateTime, Utc};
use poem::web::Data;
use poem_openapi::OpenApi;
use poem_openapi::param::{Path, Query};
use poem_openapi::payload::Json;
use shared::db::Db;
use shared::ids::{AccountId, ChrtId, NmId, ProductId};
use shared::page::PageQuery;
use shared::products::{self, ProductFilter};
use shared::versions::Version;

use crate::Tag;
use crate::answers::{Current, Page, shown};
use crate::auth::Caller;
use crate::problem::ApiError;
use crate::versions::versioned;

shown! {
    /// The smallest stocked unit: one size of a card, or an own item.
    Product from products::Product {
        /// Which one.
        id: ProductId,
        /// The seller's article code with the size.
        sku: String,
        /// What it is.
        name: String,
        /// The size, where the card has several.
        size: Option<String>,
        /// The seller account of its card.
        account_id: Option<AccountId>,
        /// Its card at Wildberries (`nmID`).
        nm_id: Option<NmId>,
        /// Its size at Wildberries (`chrtID`).
        chrt_id: Option<ChrtId>,
        /// Text: leading zeros matter.
        barcodes: Vec<String>,
        /// When it was last changed.
        changed_at: DateTime<Utc>,
        /// Since when it is not sold any more.
        archived_at: Option<DateTime<Utc>>,
        /// How often it was changed: `If-Match` compares it.
        version: Version,
    }
}

versioned!(Product);

/// Products.
pub struct Api;

#[OpenApi(tag = "Tag::Products")]
impl Api {
    /// List products by name
    #[oai(path = "/products", method = "get", operation_id = "list_products")]
    async fn list(
        &self,
        Caller(actor): Caller,
        db: Data<&Db>,
        /// With exactly this barcode.
        #[oai(validator(max_length = 128))]
        barcode: Query<Option<String>>,
        /// With this text in name or SKU, whatever the case.
        #[oai(validator(max_length = 200))]
        text: Query<Option<String>>,
        /// Of this card.
        #[oai(name = "nmId")]
        nm_id: Query<Option<NmId>>,
        /// Rows per page, from 1 to 1000; 100 if absent.
        limit: Query<Option<i64>>,
        /// The `next` of the page before.
        after: Query<Option<String>>,
    ) -> Result<Json<Page<Product>>, ApiError> {
        let query = PageQuery::new(limit.0, after.0)?;
        let filter = ProductFilter { barcode: barcode.0, text: text.0, nm_id: nm_id.0 };
        let mut tx = db.begin(&actor).await?;
        let page = products::list(&mut tx, &filter, &query).await?;
        tx.commit().await?;
        Ok(Json(Page::of(page)))
    }

    /// Get a product
    #[oai(path = "/products/:id", method = "get", operation_id = "get_product")]
    async fn get(
        &self,
        Caller(actor): Caller,
        db: Data<&Db>,
        id: Path<ProductId>,
    ) -> Result<Current<Product>, ApiError> {
        let mut tx = db.begin(&actor).await?;
        let product = products::get(&mut tx, id.0).await?;
        tx.commit().await?;
        Ok(Current::of(product))
    }
}
