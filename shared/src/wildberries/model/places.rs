//! The seller, warehouses, offices and shipping points.

use serde::Deserialize;
use uuid::Uuid;

use super::{not_empty, words};
use crate::ids::{WbOfficeId, WbShippingPointId, WbWarehouseId};

/// Who the token belongs to.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SellerInfo {
    /// The seller's id, the same as in the token.
    #[serde(rename = "sid")]
    pub seller_id: Uuid,
    /// The legal name.
    pub name: Option<String>,
    /// The trade mark.
    #[serde(default, deserialize_with = "not_empty")]
    pub trade_mark: Option<String>,
    /// The tax number.
    #[serde(default, deserialize_with = "not_empty")]
    pub tin: Option<String>,
}

/// A place of Wildberries that a seller's warehouse may belong to.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Office {
    /// Its number.
    pub id: WbOfficeId,
    /// Its name.
    pub name: Option<String>,
    /// The city.
    #[serde(default, deserialize_with = "not_empty")]
    pub city: Option<String>,
    /// The address.
    #[serde(default, deserialize_with = "not_empty")]
    pub address: Option<String>,
    /// What it takes: 1 small, 3 oversized.
    pub cargo_type: Option<i32>,
    /// How it is brought: 1 FBS, 2 DBS, 3 DBW, 5 picked up by the buyer, 6 express.
    pub delivery_type: Option<i32>,
    /// Whether a warehouse of the seller belongs to it.
    pub selected: Option<bool>,
}

/// The seller's virtual warehouse at Wildberries.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Warehouse {
    /// Its number.
    pub id: WbWarehouseId,
    /// Its name.
    pub name: Option<String>,
    /// The office that it belongs to.
    pub office_id: Option<WbOfficeId>,
    /// What is in it: 1 small, 2 large, 3 oversized.
    pub cargo_type: Option<i32>,
    /// How it is brought: 1 is FBS.
    pub delivery_type: Option<i32>,
    /// Whether it is about to disappear.
    pub is_deleting: Option<bool>,
    /// Whether stocks cannot be written right now.
    pub is_processing: Option<bool>,
}

words! {
    /// What kind of point a supply may be brought to.
    OfficeType {
        /// A sorting centre.
        SortingCentre = "sc",
        /// A warehouse.
        Warehouse = "sw",
        /// A pick-up point.
        PickupPoint = "pp",
        /// A partner's fulfilment centre.
        PartnerCentre = "pfc",
        /// A point for freight.
        FreightPoint = "gpp",
    }
}

/// A point where a supply may be handed over.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ShippingPoint {
    /// Its number.
    pub id: WbShippingPointId,
    /// Its name.
    pub name: Option<String>,
    /// The address.
    pub address: Option<String>,
    /// The city.
    pub city: Option<String>,
    /// Which kind it is.
    pub office_type: Option<OfficeType>,
    /// Degrees.
    pub latitude: Option<f64>,
    /// Degrees.
    pub longitude: Option<f64>,
    /// Whether goods are stored there, too.
    pub fulfillment: Option<bool>,
    /// Whether it still takes supplies on that day.
    pub available: Option<bool>,
}

/// What the answers about sellers and places look like.
pub(in crate::wildberries) mod shapes {
    use super::OfficeType;
    use crate::wildberries::shape::Kind::{self, Code, Flag, List, Number, Object, Text, Whole, Word};
    use crate::wildberries::shape::{Field, always, sometimes};

    pub(in crate::wildberries) const SELLER: Kind = Object(&[&[
        always("sid", Text),
        always("name", Text),
        sometimes("tin", Text),
        sometimes("tradeMark", Text),
        sometimes("country", Text),
    ]]);
    pub(in crate::wildberries) const OFFICES: Kind = List(&Object(&[OFFICE]));
    pub(in crate::wildberries) const WAREHOUSES: Kind = List(&Object(&[WAREHOUSE]));
    pub(in crate::wildberries) const STOCKS: Kind =
        Object(&[&[always("stocks", List(&Object(&[&[always("chrtId", Whole), always("amount", Whole)]])))]]);
    pub(in crate::wildberries) const SHIPPING_POINTS: Kind =
        Object(&[&[always("shippingPoints", List(&Object(&[POINT])))]]);
    const DELIVERY_TYPES: &[i64] = &[1, 2, 3, 5, 6];
    const OFFICE: &[Field] = &[
        always("id", Whole),
        always("name", Text),
        always("address", Text),
        sometimes("city", Text),
        sometimes("longitude", Number),
        sometimes("latitude", Number),
        always("cargoType", Code(&[1, 3])),
        always("deliveryType", Code(DELIVERY_TYPES)),
        sometimes("federalDistrict", Text),
        sometimes("selected", Flag),
    ];
    const WAREHOUSE: &[Field] = &[
        always("id", Whole),
        always("name", Text),
        always("officeId", Whole),
        always("cargoType", Code(&[1, 2, 3])),
        always("deliveryType", Code(DELIVERY_TYPES)),
        sometimes("isDeleting", Flag),
        sometimes("isProcessing", Flag),
    ];
    const POINT: &[Field] = &[
        always("id", Whole),
        always("name", Text),
        sometimes("address", Text),
        sometimes("city", Text),
        always("officeType", Word(OfficeType::WORDS)),
        sometimes("latitude", Number),
        sometimes("longitude", Number),
        sometimes("fulfillment", Flag),
        sometimes("available", Flag),
    ];
}
