//! Products over HTTP.

mod categories;
mod imports;

use chrono::{DateTime, Utc};
use poem::web::Data;
use poem_openapi::param::{Path, Query};
use poem_openapi::payload::Json;
use poem_openapi::{Object, OpenApi};
use shared::db::Db;
use shared::ids::{AccountId, CategoryId, ChrtId, NmId, ProductId};
use shared::orders;
use shared::page::PageQuery;
use shared::products::{self, Change, Component, NewProduct, Part, ProductFilter, UseKind};
use shared::versions::Version;
use shared::warehouses::Edit;

use crate::Tag;
use crate::answers::{Current, Ending, Fresh, List, Page, shown};
use crate::auth::Caller;
use crate::clearable::Clearable;
use crate::problem::ApiError;
use crate::versions::versioned;

pub use categories::Category;
pub use imports::{ProductImport, ProductImportRow};

/// Everything about products.
pub type Apis = (Api, categories::Api, imports::Api);

/// Everything about products.
pub const APIS: Apis = (Api, categories::Api, imports::Api);

shown! {
    /// The smallest stocked unit: one size of a card, or an own item. `sku`, `name`, `size`, `vendorCode` and `brand` of what
    /// belongs to a card come from Wildberries and are changed there; everything else is people's.
    Product from products::Product {
        /// Which one.
        id: ProductId,
        /// The seller's article code with the size.
        sku: String,
        /// What it is.
        name: String,
        /// The size, where the card has several.
        size: Option<String>,
        /// The seller's article code.
        vendor_code: Option<String>,
        /// Its brand.
        brand: Option<String>,
        /// Where people sorted it.
        category_id: Option<CategoryId>,
        /// The category with the names above it, divided by ` / `: by it files name it.
        category: Option<String>,
        /// What Wildberries calls its kind of goods.
        subject: Option<String>,
        /// The seller account of its card.
        account_id: Option<AccountId>,
        /// Its card at Wildberries (`nmID`).
        nm_id: Option<NmId>,
        /// Its size at Wildberries (`chrtID`).
        chrt_id: Option<ChrtId>,
        /// Text: leading zeros matter.
        barcodes: Vec<String>,
        /// The first picture of its card.
        card_photo_url: Option<String>,
        /// Pictures that people added.
        photos: Vec<String>,
        /// Millimetres.
        length_mm: Option<i32>,
        /// Millimetres.
        width_mm: Option<i32>,
        /// Millimetres.
        height_mm: Option<i32>,
        /// Grams.
        weight_g: Option<i32>,
        /// Fewer available units than this are too few.
        min_stock: Option<i32>,
        /// So many units are kept back from sale.
        safety_stock: Option<i32>,
        /// Whether its units go by their expiry dates.
        expiry_control: bool,
        /// Whether its units carry marking codes, by people or by Wildberries.
        marking_required: bool,
        /// Of what a bundle is made; empty where it is stored itself.
        components: Vec<Component>,
        /// Since when it is here.
        created_at: DateTime<Utc>,
        /// When it was last changed.
        changed_at: DateTime<Utc>,
        /// Since when it is not sold any more.
        archived_at: Option<DateTime<Utc>>,
        /// How often it was changed: `If-Match` compares it.
        version: Version,
    }
}

versioned!(Product);

shown! {
    /// Everything of one kind that still uses a product.
    ProductUse from products::ProductUse {
        /// Of this kind.
        kind: UseKind,
        /// How many: units of stock, or reservations, orders, requests, bundles.
        count: i64,
        /// Up to five of them, in words.
        examples: Vec<String>,
        /// How many there are beside the examples.
        more: i64,
    }
}

/// So many of a stored product in a bundle.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase", deny_unknown_fields)]
pub struct PartOfBundle {
    /// Which one: no bundle itself.
    pub product_id: ProductId,
    /// 1 to 1000.
    #[oai(validator(minimum(value = "1"), maximum(value = "1000")))]
    pub quantity: i32,
}

/// An own item to make.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase", deny_unknown_fields)]
pub struct CreateProduct {
    /// Unique among the own items that are not archived, 1 to 200 characters.
    #[oai(validator(min_length = 1, max_length = 200))]
    pub sku: String,
    /// What it is, 1 to 500 characters.
    #[oai(validator(min_length = 1, max_length = 500))]
    pub name: String,
    /// The size.
    #[oai(validator(min_length = 1, max_length = 100))]
    pub size: Option<String>,
    /// The seller's article code.
    #[oai(validator(min_length = 1, max_length = 200))]
    pub vendor_code: Option<String>,
    /// Its brand.
    #[oai(validator(min_length = 1, max_length = 200))]
    pub brand: Option<String>,
    /// Where it is sorted.
    pub category_id: Option<CategoryId>,
    /// Text without blanks, commas and semicolons: leading zeros matter. Unique among all products that are not archived.
    #[oai(validator(max_items = 100, min_length = 1, max_length = 128, pattern = r"^[^\s,;\x00-\x1f\x7f-\x9f]+$"))]
    pub barcodes: Option<Vec<String>>,
    /// At most 30 http or https addresses of pictures.
    #[oai(validator(max_items = 30, min_length = 1, max_length = 2000))]
    pub photos: Option<Vec<String>>,
    /// Millimetres.
    #[oai(validator(minimum(value = "1"), maximum(value = "100000")))]
    pub length_mm: Option<i32>,
    /// Millimetres.
    #[oai(validator(minimum(value = "1"), maximum(value = "100000")))]
    pub width_mm: Option<i32>,
    /// Millimetres.
    #[oai(validator(minimum(value = "1"), maximum(value = "100000")))]
    pub height_mm: Option<i32>,
    /// Grams.
    #[oai(validator(minimum(value = "1"), maximum(value = "10000000")))]
    pub weight_g: Option<i32>,
    /// Fewer available units than this are too few.
    #[oai(validator(minimum(value = "0"), maximum(value = "1000000")))]
    pub min_stock: Option<i32>,
    /// So many units are kept back from sale.
    #[oai(validator(minimum(value = "0"), maximum(value = "1000000")))]
    pub safety_stock: Option<i32>,
    /// Whether its units go by their expiry dates.
    pub expiry_control: Option<bool>,
    /// Whether its units carry marking codes.
    pub marking_required: Option<bool>,
    /// Of what it is made, if it is a bundle.
    #[oai(validator(max_items = 100))]
    pub components: Option<Vec<PartOfBundle>>,
}

/// What to change of a product: what is absent stays as it is, and null takes away what can be without a value.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase", deny_unknown_fields)]
pub struct ChangeProduct {
    /// 1 to 200 characters; an own item's only.
    #[oai(validator(min_length = 1, max_length = 200))]
    pub sku: Option<String>,
    /// 1 to 500 characters; an own item's only.
    #[oai(validator(min_length = 1, max_length = 500))]
    pub name: Option<String>,
    /// An own item's only.
    #[oai(validator(min_length = 1, max_length = 100))]
    pub size: Clearable<String>,
    /// An own item's only.
    #[oai(validator(min_length = 1, max_length = 200))]
    pub vendor_code: Clearable<String>,
    /// An own item's only.
    #[oai(validator(min_length = 1, max_length = 200))]
    pub brand: Clearable<String>,
    /// Where it is sorted.
    pub category_id: Clearable<CategoryId>,
    /// All of them: what is not named is taken off, except those that came from Wildberries.
    #[oai(validator(max_items = 100, min_length = 1, max_length = 128, pattern = r"^[^\s,;\x00-\x1f\x7f-\x9f]+$"))]
    pub barcodes: Option<Vec<String>>,
    /// All of them.
    #[oai(validator(max_items = 30, min_length = 1, max_length = 2000))]
    pub photos: Option<Vec<String>>,
    /// Millimetres.
    #[oai(validator(minimum(value = "1"), maximum(value = "100000")))]
    pub length_mm: Clearable<i32>,
    /// Millimetres.
    #[oai(validator(minimum(value = "1"), maximum(value = "100000")))]
    pub width_mm: Clearable<i32>,
    /// Millimetres.
    #[oai(validator(minimum(value = "1"), maximum(value = "100000")))]
    pub height_mm: Clearable<i32>,
    /// Grams.
    #[oai(validator(minimum(value = "1"), maximum(value = "10000000")))]
    pub weight_g: Clearable<i32>,
    /// Fewer available units than this are too few.
    #[oai(validator(minimum(value = "0"), maximum(value = "1000000")))]
    pub min_stock: Clearable<i32>,
    /// So many units are kept back from sale.
    #[oai(validator(minimum(value = "0"), maximum(value = "1000000")))]
    pub safety_stock: Clearable<i32>,
    /// Whether its units go by their expiry dates.
    pub expiry_control: Option<bool>,
    /// Whether its units carry marking codes.
    pub marking_required: Option<bool>,
    /// All of them: they make it a bundle, and an empty list a stored product again.
    #[oai(validator(max_items = 100))]
    pub components: Option<Vec<PartOfBundle>>,
}

impl From<PartOfBundle> for Part {
    fn from(PartOfBundle { product_id, quantity }: PartOfBundle) -> Self {
        Self { product_id, quantity }
    }
}

fn parts(parts: Option<Vec<PartOfBundle>>) -> Option<Vec<Part>> {
    parts.map(|parts| parts.into_iter().map(Into::into).collect())
}

impl From<CreateProduct> for NewProduct {
    fn from(new: CreateProduct) -> Self {
        let rest = Change {
            sku: None,
            name: None,
            size: set(new.size),
            vendor_code: set(new.vendor_code),
            brand: set(new.brand),
            category_id: set(new.category_id),
            length_mm: set(new.length_mm),
            width_mm: set(new.width_mm),
            height_mm: set(new.height_mm),
            weight_g: set(new.weight_g),
            photos: new.photos,
            min_stock: set(new.min_stock),
            safety_stock: set(new.safety_stock),
            expiry_control: new.expiry_control,
            marking_required: new.marking_required,
            barcodes: new.barcodes,
            components: parts(new.components),
        };
        Self { sku: new.sku, name: new.name, rest }
    }
}

impl From<ChangeProduct> for Change {
    fn from(change: ChangeProduct) -> Self {
        Self {
            sku: change.sku,
            name: change.name,
            size: change.size.0,
            vendor_code: change.vendor_code.0,
            brand: change.brand.0,
            category_id: change.category_id.0,
            length_mm: change.length_mm.0,
            width_mm: change.width_mm.0,
            height_mm: change.height_mm.0,
            weight_g: change.weight_g.0,
            photos: change.photos,
            min_stock: change.min_stock.0,
            safety_stock: change.safety_stock.0,
            expiry_control: change.expiry_control,
            marking_required: change.marking_required,
            barcodes: change.barcodes,
            components: parts(change.components),
        }
    }
}

/// What a new product has of it.
fn set<T>(value: Option<T>) -> Edit<T> {
    value.map_or(Edit::Keep, Edit::Set)
}

/// Products.
pub struct Api;

#[OpenApi(tag = "Tag::Products")]
impl Api {
    /// List products by name, or the best first where words are looked for
    #[oai(path = "/products", method = "get", operation_id = "list_products")]
    #[expect(clippy::too_many_arguments, reason = "one parameter per filter")]
    async fn list(
        &self,
        Caller(actor): Caller,
        db: Data<&Db>,
        /// With exactly this barcode.
        #[oai(validator(max_length = 128))]
        barcode: Query<Option<String>>,
        /// With these words in name, brand, size or codes: other forms of them, misspelt, or parts of them. Every word must
        /// be there in some form.
        #[oai(validator(max_length = 200))]
        text: Query<Option<String>>,
        /// Of this card.
        #[oai(name = "nmId")]
        nm_id: Query<Option<NmId>>,
        /// Of this brand.
        #[oai(validator(max_length = 200))]
        brand: Query<Option<String>>,
        /// In this category or one below it.
        #[oai(name = "categoryId")]
        category_id: Query<Option<CategoryId>>,
        /// Those that are archived instead of those that are not.
        archived: Query<Option<bool>>,
        /// With fewer available units than their minimum, in the warehouses in reach.
        #[oai(name = "belowMinimum")]
        below_minimum: Query<Option<bool>>,
        /// Bundles, or what is none.
        bundle: Query<Option<bool>>,
        /// Rows per page, from 1 to 1000; 100 if absent.
        limit: Query<Option<i64>>,
        /// The `next` of the page before.
        after: Query<Option<String>>,
    ) -> Result<Json<Page<Product>>, ApiError> {
        let query = PageQuery::new(limit.0, after.0)?;
        let filter = ProductFilter {
            barcode: barcode.0,
            text: text.0,
            nm_id: nm_id.0,
            brand: brand.0,
            category_id: category_id.0,
            archived: archived.0.unwrap_or(false),
            below_minimum: below_minimum.0.unwrap_or(false),
            bundle: bundle.0,
        };
        let mut tx = db.begin(&actor).await?;
        let page = products::list(&mut tx, &filter, &query).await?;
        tx.commit().await?;
        Ok(Json(Page::of(page)))
    }

    /// Make an own item
    #[oai(path = "/products", method = "post", operation_id = "create_product")]
    async fn create(
        &self,
        Caller(actor): Caller,
        db: Data<&Db>,
        body: Json<CreateProduct>,
    ) -> Result<Fresh<Product>, ApiError> {
        let mut tx = db.begin(&actor).await?;
        let product = products::create(&mut tx, &body.0.into()).await?;
        tx.answer(Fresh::of(product)).await
    }

    /// Get the product that a scanner read, by any of its barcodes
    #[oai(path = "/products/by-barcode", method = "get", operation_id = "get_product_by_barcode")]
    async fn by_barcode(
        &self,
        Caller(actor): Caller,
        db: Data<&Db>,
        /// Exactly as it was read: leading zeros matter.
        #[oai(validator(min_length = 1, max_length = 128))]
        code: Query<String>,
    ) -> Result<Current<Product>, ApiError> {
        let mut tx = db.begin(&actor).await?;
        let product = products::lookup(&mut tx, &code.0).await?;
        tx.commit().await?;
        Ok(Current::of(product))
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

    /// Get what still uses a product, in the warehouses in reach; while anything does, it is not archived
    #[oai(path = "/products/:id/uses", method = "get", operation_id = "get_product_uses")]
    async fn uses(
        &self,
        Caller(actor): Caller,
        db: Data<&Db>,
        id: Path<ProductId>,
    ) -> Result<Json<List<ProductUse>>, ApiError> {
        let mut tx = db.begin(&actor).await?;
        let uses = products::uses(&mut tx, id.0).await?;
        tx.commit().await?;
        Ok(Json(List::of(uses)))
    }

    /// Change what people own of a product
    #[oai(path = "/products/:id", method = "patch", operation_id = "change_product")]
    async fn change(
        &self,
        Caller(actor): Caller,
        db: Data<&Db>,
        id: Path<ProductId>,
        body: Json<ChangeProduct>,
    ) -> Result<Current<Product>, ApiError> {
        let mut tx = db.begin(&actor).await?;
        let product = products::change(&mut tx, id.0, &body.0.into()).await?;
        // What it is made of may be there for orders that wait.
        orders::reserve_waiting(&mut tx, &[id.0]).await?;
        tx.answer(Current::of(product)).await
    }

    /// Take a product out of the catalogue that nothing uses; 409 names what does
    #[oai(path = "/products/:id/archive", method = "post", operation_id = "archive_product")]
    async fn archive(
        &self,
        Caller(actor): Caller,
        db: Data<&Db>,
        id: Path<ProductId>,
    ) -> Result<Current<Product>, ApiError> {
        let mut tx = db.begin(&actor).await?;
        let product = products::archive(&mut tx, id.0).await?;
        tx.answer(Current::of(product)).await
    }

    /// Bring a product back with its barcodes
    #[oai(path = "/products/:id/restore", method = "post", operation_id = "restore_product")]
    async fn restore(
        &self,
        Caller(actor): Caller,
        db: Data<&Db>,
        id: Path<ProductId>,
    ) -> Result<Current<Product>, ApiError> {
        let mut tx = db.begin(&actor).await?;
        let product = products::restore(&mut tx, id.0).await?;
        tx.answer(Current::of(product)).await
    }
}
