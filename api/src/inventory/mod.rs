//! Stock over HTTP: balances, goods receipts, the ledger and its proof; acts by hand are in `acts`, what is kept in `held`.

pub mod acts;
pub mod held;
pub mod receipts;
mod rows;
pub mod transfers;

use chrono::{DateTime, NaiveDate, Utc};
use poem::web::Data;
use poem_openapi::param::Query;
use poem_openapi::payload::Json;
use poem_openapi::{Object, OpenApi};
use shared::db::Db;
use shared::ids::{
    CellId, GoodsReceiptId, LotId, OrderId, ProductId, StockDocumentId, StockEntryId, TransferId, WarehouseId,
};
use shared::inventory::{self, BalanceFilter, EntryFilter, EntryKind, Outside, ReceiptLine};
use shared::page::PageQuery;
use shared::sync;

use crate::Tag;
use crate::answers::{Created, Ending, Page, shown};
use crate::auth::Caller;
use crate::problem::ApiError;

pub use rows::LotName;

/// So much of one lot of a product in a cell.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase", skip_serializing_if_is_none)]
pub struct Balance {
    /// Where.
    pub cell_id: CellId,
    /// The cell's code.
    pub cell: String,
    /// In which warehouse.
    pub warehouse_id: WarehouseId,
    /// Of what.
    pub product_id: ProductId,
    /// Of which lot; the one without a code has the product's id.
    pub lot_id: LotId,
    /// The lot's code.
    pub lot: Option<String>,
    /// The last day on which the lot may be sold.
    pub expires_on: Option<NaiveDate>,
    /// Units there.
    pub on_hand: i32,
    /// Of these, held for orders or by hand.
    pub reserved: i32,
    /// Of these, kept from everybody.
    pub on_hold: i32,
    /// Of these, free.
    pub available: i32,
}

impl From<inventory::Balance> for Balance {
    fn from(balance: inventory::Balance) -> Self {
        let inventory::Balance {
            cell_id,
            cell,
            warehouse_id,
            product_id,
            lot_id,
            lot,
            expires_on,
            on_hand,
            reserved,
            on_hold,
        } = balance;
        let available = on_hand - reserved - on_hold;
        Self { cell_id, cell, warehouse_id, product_id, lot_id, lot, expires_on, on_hand, reserved, on_hold, available }
    }
}

shown! {
    /// One line of the ledger: it takes from one place and gives to another.
    StockEntry from inventory::Entry {
        /// Which one; later entries have greater ids.
        id: StockEntryId,
        /// Of what.
        product_id: ProductId,
        /// Of which lot.
        lot_id: LotId,
        /// Taken from this cell,
        from_cell_id: Option<CellId>,
        /// or from this place outside.
        from_outside: Option<Outside>,
        /// Given to this cell,
        to_cell_id: Option<CellId>,
        /// or to this place outside.
        to_outside: Option<Outside>,
        /// Units.
        quantity: i32,
        /// Why.
        kind: EntryKind,
        /// For this order.
        order_id: Option<OrderId>,
        /// By this goods receipt.
        receipt_id: Option<GoodsReceiptId>,
        /// By this document.
        document_id: Option<StockDocumentId>,
        /// By this transfer.
        transfer_id: Option<TransferId>,
        /// For this reason, if it was corrected or written off.
        reason: Option<String>,
        /// Who: `user:<id>`, `key:<id>` or `job:<kind>`.
        actor: String,
        /// When.
        occurred_at: DateTime<Utc>,
    }
}

shown! {
    /// A posted goods receipt.
    GoodsReceipt from inventory::GoodsReceipt {
        /// Which one.
        id: GoodsReceiptId,
        /// Where it was unloaded.
        warehouse_id: WarehouseId,
        /// The document's number.
        number: String,
        /// How many lines.
        lines: i32,
        /// How many units.
        quantity: i64,
        /// Who posted it.
        actor: String,
        /// When.
        posted_at: DateTime<Utc>,
    }
}

shown! {
    /// A balance that is not what its rows say.
    StockDifference from inventory::Difference {
        /// Where.
        cell_id: CellId,
        /// Of what.
        product_id: ProductId,
        /// Of which lot.
        lot_id: LotId,
        /// What the balance says.
        on_hand: i64,
        /// What the entries sum to.
        entries: i64,
        /// What the balance says.
        reserved: i64,
        /// What the active reservations sum to.
        reservations: i64,
        /// What the balance says.
        on_hold: i64,
        /// What the active holds sum to.
        holds: i64,
    }
}

/// The whole ledger recomputed.
#[derive(Debug, Object)]
pub struct StockConsistency {
    /// Balances compared.
    pub balances: i64,
    /// Entries summed.
    pub entries: i64,
    /// Active reservations summed.
    pub reservations: i64,
    /// Active holds summed.
    pub holds: i64,
    /// The first hundred balances that are wrong; none is the promise.
    pub differences: Vec<StockDifference>,
}

/// So many units of a product into a cell.
#[derive(Debug, Object)]
#[oai(deny_unknown_fields)]
pub struct GoodsReceiptLine {
    /// Any barcode of the product.
    #[oai(validator(min_length = 1, max_length = 128))]
    pub barcode: String,
    /// The code of a storage cell.
    #[oai(validator(min_length = 1, max_length = 60))]
    pub cell: String,
    /// Units, from 1.
    #[oai(validator(minimum(value = "1"), maximum(value = "1000000")))]
    pub quantity: i32,
    /// Of this lot; one that nobody has heard of is made.
    pub lot: Option<LotName>,
}

/// A goods receipt to post, whole or not at all.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase", deny_unknown_fields)]
pub struct PostGoodsReceipt {
    /// Where it was unloaded.
    pub warehouse_id: WarehouseId,
    /// The document's number; the same number is not posted twice.
    #[oai(validator(min_length = 1, max_length = 100))]
    pub number: String,
    /// At most 1000.
    #[oai(validator(min_items = 1, max_items = 1000))]
    pub lines: Vec<GoodsReceiptLine>,
}

/// Stock.
pub struct Api;

#[OpenApi(tag = "Tag::Inventory")]
impl Api {
    /// List balances by cell, product and lot
    #[oai(path = "/inventory", method = "get", operation_id = "list_balances")]
    async fn balances(
        &self,
        Caller(actor): Caller,
        db: Data<&Db>,
        /// Of this product.
        #[oai(name = "productId")]
        product_id: Query<Option<ProductId>>,
        /// In this warehouse.
        #[oai(name = "warehouseId")]
        warehouse_id: Query<Option<WarehouseId>>,
        /// In this cell.
        #[oai(name = "cellId")]
        cell_id: Query<Option<CellId>>,
        /// Rows per page, from 1 to 1000; 100 if absent.
        limit: Query<Option<i64>>,
        /// The `next` of the page before.
        after: Query<Option<String>>,
    ) -> Result<Json<Page<Balance>>, ApiError> {
        let query = PageQuery::new(limit.0, after.0)?;
        let filter = BalanceFilter { product_id: product_id.0, warehouse_id: warehouse_id.0, cell_id: cell_id.0 };
        let mut tx = db.begin(&actor).await?;
        let page = inventory::balances(&mut tx, &filter, &query).await?;
        tx.commit().await?;
        Ok(Json(Page::of(page)))
    }

    /// List the ledger, oldest first
    #[oai(path = "/inventory/entries", method = "get", operation_id = "list_stock_entries")]
    async fn entries(
        &self,
        Caller(actor): Caller,
        db: Data<&Db>,
        /// Of this product.
        #[oai(name = "productId")]
        product_id: Query<Option<ProductId>>,
        /// For this order.
        #[oai(name = "orderId")]
        order_id: Query<Option<OrderId>>,
        /// Rows per page, from 1 to 1000; 100 if absent.
        limit: Query<Option<i64>>,
        /// The `next` of the page before.
        after: Query<Option<String>>,
    ) -> Result<Json<Page<StockEntry>>, ApiError> {
        let query = PageQuery::new(limit.0, after.0)?;
        let filter = EntryFilter { product_id: product_id.0, order_id: order_id.0 };
        let mut tx = db.begin(&actor).await?;
        let page = inventory::entries(&mut tx, &filter, &query).await?;
        tx.commit().await?;
        Ok(Json(Page::of(page)))
    }

    /// Recompute every balance from its entries and reservations
    #[oai(path = "/inventory/consistency", method = "get", operation_id = "check_consistency")]
    async fn consistency(&self, Caller(actor): Caller, db: Data<&Db>) -> Result<Json<StockConsistency>, ApiError> {
        let mut tx = db.begin(&actor).await?;
        let found = inventory::consistency(&mut tx).await?;
        tx.commit().await?;
        let inventory::Consistency { balances, entries, reservations, holds, differences } = found;
        let differences = differences.into_iter().map(Into::into).collect();
        Ok(Json(StockConsistency { balances, entries, reservations, holds, differences }))
    }

    /// Post a goods receipt into cells; orders that waited for the goods are served at once
    #[oai(path = "/inventory/receipts", method = "post", operation_id = "post_goods_receipt")]
    async fn receive(
        &self,
        Caller(actor): Caller,
        db: Data<&Db>,
        body: Json<PostGoodsReceipt>,
    ) -> Result<Created<GoodsReceipt>, ApiError> {
        let PostGoodsReceipt { warehouse_id, number, lines } = body.0;
        let line = |GoodsReceiptLine { barcode, cell, quantity, lot }| {
            let lot = lot.map(Into::into);
            ReceiptLine { barcode, cell, quantity, lot }
        };
        let lines: Vec<_> = lines.into_iter().map(line).collect();
        let mut tx = db.begin(&actor).await?;
        let receipt = sync::receive_goods(&mut tx, warehouse_id, &number, &lines).await?;
        tx.answer(Created::of(receipt)).await
    }
}
