//! Assembly orders with their statuses, stickers and marks.

use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::Value;

use super::{entry_of, minor_units, moment, not_empty, or_default, words};
use crate::ids::{ChrtId, NmId, WbOfficeId, WbOrderId, WbSupplyId, WbWarehouseId};
use crate::wildberries::Readable;

/// An assembly order, one unit of goods. Without the buyer's address: nobody here needs it.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Order {
    /// Its number.
    pub id: WbOrderId,
    /// The unit's number in reports (`srid`).
    pub rid: Option<String>,
    /// The same for all orders of one basket.
    pub order_uid: Option<String>,
    /// When the buyer ordered.
    #[serde(default, deserialize_with = "moment")]
    pub created_at: Option<DateTime<Utc>>,
    /// The seller's warehouse that it is for.
    pub warehouse_id: Option<WbWarehouseId>,
    /// Wildberries' office that the warehouse belongs to.
    pub office_id: Option<WbOfficeId>,
    /// The card.
    pub nm_id: Option<NmId>,
    /// The size.
    pub chrt_id: Option<ChrtId>,
    /// The seller's article code.
    pub article: Option<String>,
    /// The size's barcodes.
    #[serde(default, deserialize_with = "or_default")]
    pub skus: Vec<String>,
    /// Minor units of `currency_code`, all discounts but the wallet's taken off.
    #[serde(default, deserialize_with = "minor_units")]
    pub price: Option<i64>,
    /// Minor units of `currency_code`; only among new orders.
    #[serde(default, deserialize_with = "minor_units")]
    pub final_price: Option<i64>,
    /// Minor units of `converted_currency_code`.
    #[serde(default, deserialize_with = "minor_units")]
    pub converted_price: Option<i64>,
    /// Minor units of `converted_currency_code`; only among new orders.
    #[serde(default, deserialize_with = "minor_units")]
    pub converted_final_price: Option<i64>,
    /// Minor units of `currency_code` with the seller's discount alone; only among new orders.
    #[serde(default, deserialize_with = "minor_units")]
    pub sale_price: Option<i64>,
    /// ISO 4217, numeric: 643 is RUB.
    pub currency_code: Option<i32>,
    /// ISO 4217, numeric, of the seller's country.
    pub converted_currency_code: Option<i32>,
    /// 1 small, 2 large, 3 oversized.
    pub cargo_type: Option<i32>,
    /// 0 inside the country, 1 across a border.
    pub cross_border_type: Option<i32>,
    /// `fbs`.
    pub delivery_type: Option<String>,
    /// Ordered at a published stock of zero: may be cancelled without a fine.
    pub is_zero_order: Option<bool>,
    /// Marks without which it is not delivered; only among new orders.
    pub required_meta: Option<Vec<String>>,
    /// Marks that it may have; only among new orders.
    pub optional_meta: Option<Vec<String>>,
    /// The buyer's wish.
    #[serde(default, deserialize_with = "not_empty")]
    pub comment: Option<String>,
    /// The supply, never among new orders.
    #[serde(default, deserialize_with = "supply")]
    pub supply_id: Option<WbSupplyId>,
    /// Whether it may be handed over at a pick-up point.
    pub is_pickup_point_shipment_allowed: Option<bool>,
    options: Option<Options>,
}

#[derive(Clone, Debug, Deserialize)]
struct Options {
    #[serde(rename = "isB2B", alias = "isB2b")]
    is_b2b: Option<bool>,
}

impl Order {
    /// What it lacks without which nobody knows what to send, from where and since when.
    pub(in crate::wildberries) fn lacks(&self) -> Option<&'static str> {
        let whole = self.nm_id.and(self.chrt_id).and(self.warehouse_id).and(self.created_at).is_some();
        (!whole).then_some("it does not say what was ordered, from which warehouse or when")
    }

    /// Reads one again that could not be read when it came.
    pub fn read(raw: &Value) -> Result<Self, String> {
        entry_of(raw, Self::lacks)
    }

    /// Whether a company bought it.
    pub fn is_b2b(&self) -> bool {
        self.options.as_ref().and_then(|options| options.is_b2b).unwrap_or(false)
    }
}

fn supply<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<WbSupplyId>, D::Error> {
    Ok(not_empty(deserializer)?.map(WbSupplyId))
}

/// A page of orders in no promised sequence.
#[derive(Clone, Debug)]
pub struct OrdersPage {
    /// The orders.
    pub orders: Readable<Order>,
    /// Where to go on; `None` at the end.
    pub next: Option<i64>,
}

words! {
    /// What the seller did with an order.
    SupplierStatus {
        /// Nothing yet.
        New = "new",
        /// It is in an open supply.
        Confirm = "confirm",
        /// Its supply is on its way.
        Complete = "complete",
        /// The seller cancelled it.
        Cancel = "cancel",
        /// The carrier cancelled it; across borders only.
        CancelCarrier = "cancel_carrier",
    }
}

words! {
    /// What Wildberries and the buyer did with an order. A buyer's cancellation shows here alone.
    WbStatus {
        /// Nothing yet.
        Waiting = "waiting",
        /// Accepted and sorted.
        Sorted = "sorted",
        /// At the pick-up point.
        ReadyForPickup = "ready_for_pickup",
        /// The buyer has it.
        Sold = "sold",
        /// Cancelled.
        Canceled = "canceled",
        /// The buyer did not take it.
        CanceledByClient = "canceled_by_client",
        /// The buyer cancelled within the first hour.
        DeclinedByClient = "declined_by_client",
        /// Cancelled for a defect.
        Defect = "defect",
        /// Later than promised.
        PostponedDelivery = "postponed_delivery",
        /// The carrier has it.
        AcceptedByCarrier = "accepted_by_carrier",
        /// On its way to the carrier.
        SentToCarrier = "sent_to_carrier",
        /// The carrier cancelled it.
        CanceledByCarrier = "canceled_by_carrier",
    }
}

/// Both statuses of an order; an entry without them counts as unreadable.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OrderStatuses {
    /// The order.
    pub id: WbOrderId,
    /// The seller's side.
    pub supplier_status: SupplierStatus,
    /// Wildberries' side.
    pub wb_status: WbStatus,
    /// Whether the seller may still cancel it.
    pub is_cancellable: Option<bool>,
    /// Whether it may still move to another supply after its own was delivered.
    pub is_transferable: Option<bool>,
}

/// A label for one order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sticker {
    /// The order that it belongs to.
    pub order_id: WbOrderId,
    /// The first part of the number for people.
    pub part_a: String,
    /// The second part, printed large.
    pub part_b: String,
    /// What a scanner reads.
    pub barcode: String,
    /// The picture, an SVG of 580×400.
    pub file: Vec<u8>,
}

words! {
    /// A kind of mark.
    MarkKey {
        /// A phone's number.
        Imei = "imei",
        /// A jewel's number.
        Uin = "uin",
        /// A trade item's number, in Belarus.
        Gtin = "gtin",
        /// A code of "Honest Sign".
        Sgtin = "sgtin",
        /// Best before.
        Expiration = "expiration",
        /// A customs declaration.
        CustomsDeclaration = "customsDeclaration",
    }
}

/// What Wildberries is known to say of a mark.
const DECISIONS: &[&str] = &[
    "filled",
    "optional",
    "deadlineExceeded",
    "pending",
    "required",
    "imeiMaySell",
    "imeiSoldB2B",
    "imeiInvalidFormat",
    "imeiAlreadySold",
    "uinMaySell",
    "uinBadStatus",
    "uinBadProcess",
    "uinBadStatusAndBadProcess",
    "uinInvalidFormat",
    "uinNotFound",
    "sgtinIntroduced",
    "sgtinSoldB2B",
    "sgtinInvalidFormat",
    "sgtinNoGS",
    "sgtinHasInvalidSymbols",
    "sgtinHasNonLatinSymbols",
    "sgtinInvalidPattern",
    "sgtinNotFound",
    "sgtinEmitted",
    "sgtinApplied",
    "sgtinWrittenOff",
    "sgtinWithdrawn",
    "sgtinRetired",
    "sgtinDisaggregated",
    "sgtinDisaggregation",
    "sgtinAppliedNotPaid",
];

/// Whether an order may be delivered with a mark as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It may.
    Passes,
    /// Wildberries is still checking.
    Waits,
    /// It may not.
    Blocks,
}

/// A mark that an order has or may have.
#[derive(Clone, Debug, Deserialize)]
pub struct Mark {
    /// Which kind.
    pub key: MarkKey,
    /// What was given, as it came.
    pub value: Option<Value>,
    /// What Wildberries says of it, in their word.
    #[serde(default, deserialize_with = "or_default")]
    pub decision: String,
}

impl Mark {
    /// What the decision means; a word that is not known blocks.
    pub fn verdict(&self) -> Verdict {
        match self.decision.as_str() {
            "filled" | "optional" | "deadlineExceeded" | "imeiMaySell" | "imeiSoldB2B" | "uinMaySell"
            | "sgtinIntroduced" | "sgtinSoldB2B" => Verdict::Passes,
            "pending" => Verdict::Waits,
            _ => Verdict::Blocks,
        }
    }
}

/// The marks of an order: exactly those that it may have.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OrderMarks {
    /// The order.
    pub id: WbOrderId,
    /// Its marks.
    #[serde(default, deserialize_with = "or_default", rename = "metaDetails")]
    pub marks: Vec<Mark>,
}

impl OrderMarks {
    /// The gravest verdict of all marks.
    pub fn verdict(&self) -> Verdict {
        let verdicts: Vec<_> = self.marks.iter().map(Mark::verdict).collect();
        [Verdict::Blocks, Verdict::Waits]
            .into_iter()
            .find(|verdict| verdicts.contains(verdict))
            .unwrap_or(Verdict::Passes)
    }
}

/// What the answers with orders look like.
pub(in crate::wildberries) mod shapes {
    use super::{MarkKey, SupplierStatus, WbStatus};
    use crate::wildberries::shape::Kind::{
        self, Anything, Code, Flag, List, Moment, Number, Object, Text, Whole, Word,
    };
    use crate::wildberries::shape::{Field, always, sometimes};

    pub(in crate::wildberries) const NEW_ORDERS: Kind =
        Object(&[&[always("orders", List(&Object(&[ORDER, ONLY_NEW])))]]);
    pub(in crate::wildberries) const ORDERS: Kind =
        Object(&[&[sometimes("next", Whole), always("orders", List(&Object(&[ORDER, ONLY_LISTED])))]]);
    pub(in crate::wildberries) const STATUSES: Kind = Object(&[&[always("orders", List(&Object(&[STATUS])))]]);
    pub(in crate::wildberries) const MARKS: Kind = Object(&[&[always("orders", List(&Object(&[ORDER_MARKS])))]]);
    pub(in crate::wildberries) const STICKERS: Kind = Object(&[&[always("stickers", List(&Object(&[STICKER])))]]);
    const ORDER: &[Field] = &[
        always("id", Whole),
        always("rid", Text),
        always("orderUid", Text),
        always("createdAt", Moment),
        always("warehouseId", Whole),
        always("officeId", Whole),
        sometimes("offices", List(&Text)),
        always("nmId", Whole),
        always("chrtId", Whole),
        always("article", Text),
        sometimes("colorCode", Text),
        always("skus", List(&Text)),
        always("price", Number),
        always("convertedPrice", Number),
        always("currencyCode", Whole),
        always("convertedCurrencyCode", Whole),
        sometimes("scanPrice", Number),
        always("cargoType", Code(&[1, 2, 3])),
        always("crossBorderType", Code(&[0, 1])),
        always("deliveryType", Word(&["fbs"])),
        always("isZeroOrder", Flag),
        sometimes("comment", Text),
        // The buyer's: nobody here looks into it.
        sometimes("address", Anything),
        always("options", Object(&[&[always("isB2B", Flag)]])),
    ];
    const ONLY_NEW: &[Field] = &[
        always("finalPrice", Number),
        always("convertedFinalPrice", Number),
        sometimes("salePrice", Number),
        sometimes("requiredMeta", List(&Word(MarkKey::WORDS))),
        sometimes("optionalMeta", List(&Word(MarkKey::WORDS))),
        sometimes("ddate", Text),
        sometimes("sellerDate", Text),
        sometimes("isPickupPointShipmentAllowed", Flag),
    ];
    const ONLY_LISTED: &[Field] = &[sometimes("supplyId", Text), sometimes("trackNumber", Text)];
    const STATUS: &[Field] = &[
        always("id", Whole),
        always("supplierStatus", Word(SupplierStatus::WORDS)),
        always("wbStatus", Word(WbStatus::WORDS)),
        sometimes("isCancellable", Flag),
        sometimes("isTransferable", Flag),
    ];
    const ORDER_MARKS: &[Field] = &[always("id", Whole), sometimes("metaDetails", List(&Object(&[MARK])))];
    const MARK: &[Field] = &[
        always("key", Word(MarkKey::WORDS)),
        sometimes("value", Anything),
        always("decision", Word(super::DECISIONS)),
    ];
    const STICKER: &[Field] = &[
        always("orderId", Whole),
        always("partA", Text),
        always("partB", Text),
        always("barcode", Text),
        always("file", Text),
    ];
}
