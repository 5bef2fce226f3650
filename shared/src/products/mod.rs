//! Products: the smallest stocked units. A card of Wildberries groups its sizes, each of them a product with barcodes;
//! beside them stand own items, and bundles of several stored products.
//!
//! `cards` keeps what Wildberries says, `own` what people say; neither writes what the other owns. `bundles` says what is made of
//! others. `look` reads, `search` finds by words, `archive` takes out of the catalogue what nothing uses any more (`uses`),
//! `categories` is the tree that people sort them into, `imports` brings many of them out of a file.

mod archive;
mod bundles;
mod cards;
pub mod categories;
mod facts;
pub mod imports;
mod look;
mod own;
mod search;
mod store;
mod uses;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sqlx::types::Json;

use crate::ids::{AccountId, CategoryId, ChrtId, NmId, ProductId};
use crate::versions::Version;

pub use archive::{archive, restore};
pub use bundles::parts_of;
pub use cards::{CardFacts, Recorded, SizeFacts, record_cards};
pub use facts::{Change, Facts};
pub use look::{by_barcode, by_barcodes, get, list, lookup};
pub use own::{NewProduct, Part, change, create};
pub use uses::{ProductUse, UseKind, uses};

pub(crate) use look::{not_kept, show};

/// A product with its barcodes.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Product {
    /// Ours.
    pub id: ProductId,
    /// The seller's article code with the size.
    pub sku: String,
    /// What it is.
    pub name: String,
    /// The size, where the card has several.
    pub size: Option<String>,
    /// The seller's article code.
    pub vendor_code: Option<String>,
    /// Its brand.
    pub brand: Option<String>,
    /// Where people sorted it.
    pub category_id: Option<CategoryId>,
    /// The category with the names above it, divided by ` / `: by it files name it.
    pub category: Option<String>,
    /// What Wildberries calls its kind of goods.
    pub subject: Option<String>,
    /// Whose card it belongs to.
    pub account_id: Option<AccountId>,
    /// Its card.
    pub nm_id: Option<NmId>,
    /// Its size at Wildberries.
    pub chrt_id: Option<ChrtId>,
    /// Text: leading zeros matter.
    pub barcodes: Vec<String>,
    /// The first picture of its card.
    pub card_photo_url: Option<String>,
    /// Pictures that people added.
    pub photos: Vec<String>,
    /// Millimetres.
    pub length_mm: Option<i32>,
    /// Millimetres.
    pub width_mm: Option<i32>,
    /// Millimetres.
    pub height_mm: Option<i32>,
    /// Grams.
    pub weight_g: Option<i32>,
    /// Fewer available units than this are too few.
    pub min_stock: Option<i32>,
    /// So many units are kept back from sale.
    pub safety_stock: Option<i32>,
    /// Whether its units go by their expiry dates.
    pub expiry_control: bool,
    /// Whether its units carry marking codes, by people or by Wildberries.
    pub marking_required: bool,
    /// Of what a bundle is made; empty where it is stored itself.
    pub components: Components,
    /// Since when it is here.
    pub created_at: DateTime<Utc>,
    /// When it was last changed.
    pub changed_at: DateTime<Utc>,
    /// Since when it is not sold any more.
    pub archived_at: Option<DateTime<Utc>>,
    /// How often it was changed.
    pub version: Version,
}

/// So many of a stored product in one bundle.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(poem_openapi::Object))]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "openapi", oai(rename_all = "camelCase"))]
pub struct Component {
    /// Which one.
    pub product_id: ProductId,
    /// Its SKU.
    pub sku: String,
    /// How many.
    pub quantity: i32,
}

/// What a bundle is made of, as the database says it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Components(pub Vec<Component>);

impl From<Json<Vec<Component>>> for Components {
    fn from(Json(components): Json<Vec<Component>>) -> Self {
        Self(components)
    }
}

impl From<Components> for Vec<Component> {
    fn from(components: Components) -> Self {
        components.0
    }
}

/// Which products to list.
#[derive(Clone, Debug, Default)]
pub struct ProductFilter {
    /// With exactly this barcode.
    pub barcode: Option<String>,
    /// With these words in name, brand, size or codes: other forms of them, misspelt, or parts of them. The best come first.
    pub text: Option<String>,
    /// Of this card.
    pub nm_id: Option<NmId>,
    /// Of this brand.
    pub brand: Option<String>,
    /// In this category or one below it.
    pub category_id: Option<CategoryId>,
    /// Those that are archived instead of those that are not.
    pub archived: bool,
    /// With fewer available units than their minimum, in the warehouses in reach.
    pub below_minimum: bool,
    /// Bundles, or what is none.
    pub bundle: Option<bool>,
}
