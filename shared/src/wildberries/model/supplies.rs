//! Supplies: what is handed over to Wildberries.

use chrono::{DateTime, NaiveDate, Utc};
use serde::Deserialize;

use super::{day, moment, not_empty, or_default, words};
use crate::ids::{WbOfficeId, WbShippingPointId, WbSupplyId};
use crate::wildberries::Readable;

words! {
    /// Who brings a supply.
    ShippingType {
        /// The seller.
        SelfShipping = "selfShipping",
        /// A transport company.
        TransportCompany = "transportCompany",
    }
}

/// A supply as Wildberries sees it. Its first order fixes warehouse, cargo, border and buyer.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Supply {
    /// Its number.
    pub id: WbSupplyId,
    /// The name that it was given.
    #[serde(default, deserialize_with = "not_empty")]
    pub name: Option<String>,
    /// Whether it is closed: delivered by us, or accepted by Wildberries without that.
    #[serde(default, deserialize_with = "or_default")]
    pub done: bool,
    /// When it was made.
    #[serde(default, deserialize_with = "moment")]
    pub created_at: Option<DateTime<Utc>>,
    /// When it was closed.
    #[serde(default, deserialize_with = "moment")]
    pub closed_at: Option<DateTime<Utc>>,
    /// When it, or its first order, was scanned at Wildberries.
    #[serde(default, deserialize_with = "moment", rename = "scanDt")]
    pub scanned_at: Option<DateTime<Utc>>,
    /// 1 small, 2 large, 3 oversized; 0 or nothing while empty.
    pub cargo_type: Option<i32>,
    /// 0 inside the country, 1 across a border; nothing while empty.
    pub cross_border_type: Option<i32>,
    /// For a company; nothing while empty.
    #[serde(rename = "isB2b", alias = "isB2B")]
    pub is_b2b: Option<bool>,
    /// Whether it may be handed over at a pick-up point.
    pub is_pickup_point_shipment_allowed: Option<bool>,
    /// Where it goes.
    pub destination_office_id: Option<WbOfficeId>,
    /// The day on which it is handed over.
    #[serde(default, deserialize_with = "day", rename = "shippingDt")]
    pub shipping_date: Option<NaiveDate>,
    /// Where it is handed over.
    #[serde(default, deserialize_with = "point")]
    pub shipping_point_id: Option<WbShippingPointId>,
    /// Who brings it.
    pub shipping_type: Option<ShippingType>,
}

/// 0 is none.
fn point<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<WbShippingPointId>, D::Error> {
    Ok(Option::<WbShippingPointId>::deserialize(deserializer)?.filter(|point| point.0 != 0))
}

/// A page of supplies, as it seems the oldest first.
#[derive(Clone, Debug)]
pub struct SuppliesPage {
    /// The supplies.
    pub supplies: Readable<Supply>,
    /// Where to go on; `None` at the end.
    pub next: Option<i64>,
}

/// What a search by name brought.
#[derive(Clone, Debug)]
pub struct FoundSupply {
    /// The supply, the first of that name.
    pub supply: Option<Supply>,
    /// Where the last page began: the next search may start there.
    pub hint: i64,
}

/// The label of a closed supply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SupplyQr {
    /// What a scanner reads: the supply's number.
    pub barcode: String,
    /// The picture, an SVG of 580×400.
    pub file: Vec<u8>,
}

/// What the answers about supplies look like.
pub(in crate::wildberries) mod shapes {
    use super::ShippingType;
    use crate::wildberries::shape::Kind::{self, Anything, Code, Day, Flag, List, Moment, Object, Text, Whole, Word};
    use crate::wildberries::shape::{Field, always, sometimes};

    pub(in crate::wildberries) const SUPPLY: Kind = Object(&[FIELDS]);
    pub(in crate::wildberries) const SUPPLIES: Kind =
        Object(&[&[sometimes("next", Whole), always("supplies", List(&SUPPLY))]]);
    pub(in crate::wildberries) const CREATED_SUPPLY: Kind = Object(&[&[always("id", Text)]]);
    pub(in crate::wildberries) const ORDER_IDS: Kind = Object(&[&[sometimes("orderIds", List(&Whole))]]);
    pub(in crate::wildberries) const SUPPLY_CODE: Kind = Object(&[&[always("barcode", Text), always("file", Text)]]);
    pub(in crate::wildberries) const SHIPPING_RESULTS: Kind = Object(&[&[always("results", List(&Object(&[RESULT])))]]);
    const FIELDS: &[Field] = &[
        always("id", Text),
        always("name", Text),
        always("done", Flag),
        always("createdAt", Moment),
        sometimes("closedAt", Moment),
        sometimes("scanDt", Moment),
        sometimes("cargoType", Code(&[0, 1, 2, 3])),
        sometimes("crossBorderType", Code(&[0, 1])),
        sometimes("isB2b", Flag),
        sometimes("isPickupPointShipmentAllowed", Flag),
        sometimes("destinationOfficeId", Whole),
        sometimes("recommendedWhId", Whole),
        sometimes("shippingDt", Day),
        sometimes("shippingPointId", Whole),
        sometimes("shippingType", Word(ShippingType::WORDS)),
        sometimes("waybillUuid", Text),
        sometimes("spotAvailable", Flag),
    ];
    const RESULT: &[Field] = &[always("supplyId", Text), sometimes("success", Flag), sometimes("error", Anything)];
}
