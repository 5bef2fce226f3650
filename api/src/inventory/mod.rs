//! Stock over HTTP: balances, goods receipts, the ledger; its proof and other answers beside it, acts by hand in `acts`, what
//! is kept in `held`.

pub mod acts;
pub mod answers;
pub mod held;
pub mod proof;
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
use shared::inventory::{self, BalanceFilter, EntryFilter, EntryKind, Grouping, Outside, ReceiptLine};
use shared::page::PageQuery;
use shared::sync;

use crate::Tag;
use crate::answers::{Created, Ending, Page, shown};
use crate::auth::Caller;
use crate::problem::ApiError;

pub use rows::LotName;

shown! {
    /// So much of a product.
    Balance from inventory::Balance {
        /// Where, if it is about one cell.
        cell_id: Option<CellId>,
        /// The cell's code.
        cell: Option<String>,
        /// In which warehouse, if it is about one.
        warehouse_id: Option<WarehouseId>,
        /// Of what.
        product_id: ProductId,
        /// Of which lot, if it is about one; the one without a code has the product's id.
        lot_id: Option<LotId>,
        /// The lot's code.
        lot: Option<String>,
        /// The last day on which the lot may be sold.
        expires_on: Option<NaiveDate>,
        /// Units there.
        on_hand: i64,
        /// Of these, held for orders or by hand.
        reserved: i64,
        /// Of these, kept from everybody.
        on_hold: i64,
        /// Of these, free for orders: what lies where orders are served from and is kept for none.
        available: i64,
        /// Beside these, on their way here by transfers; only by warehouse and by product, as in a cell nothing is on its way.
        in_transit: Option<i64>,
    }
}

shown! {
    /// Units of the lot in a cell around an entry.
    StockTurn from inventory::Turn {
        /// Just before.
        before: i64,
        /// Just after.
        after: i64,
    }
}

/// One line of the ledger: it takes from one place and gives to another.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase", skip_serializing_if_is_none)]
pub struct StockEntry {
    /// Which one.
    pub id: StockEntryId,
    /// Of what.
    pub product_id: ProductId,
    /// Of which lot.
    pub lot_id: LotId,
    /// Taken from this cell,
    pub from_cell_id: Option<CellId>,
    /// or from this place outside.
    pub from_outside: Option<Outside>,
    /// What it left in the cell that it took from, where you may see that cell.
    pub from_turn: Option<StockTurn>,
    /// Given to this cell,
    pub to_cell_id: Option<CellId>,
    /// or to this place outside.
    pub to_outside: Option<Outside>,
    /// What it made in the cell that it gave to, where you may see that cell.
    pub to_turn: Option<StockTurn>,
    /// Units.
    pub quantity: i32,
    /// Why.
    pub kind: EntryKind,
    /// For this order.
    pub order_id: Option<OrderId>,
    /// By this goods receipt.
    pub receipt_id: Option<GoodsReceiptId>,
    /// By this document.
    pub document_id: Option<StockDocumentId>,
    /// By this transfer.
    pub transfer_id: Option<TransferId>,
    /// For this reason, if it was corrected or written off.
    pub reason: Option<String>,
    /// Who: `user:<id>`, `key:<id>` or `job:<kind>`.
    pub actor: String,
    /// When.
    pub occurred_at: DateTime<Utc>,
}

impl From<inventory::Entry> for StockEntry {
    fn from(entry: inventory::Entry) -> Self {
        Self {
            id: entry.id,
            product_id: entry.product_id,
            lot_id: entry.lot_id,
            from_cell_id: entry.from_cell_id,
            from_outside: entry.from_outside,
            from_turn: entry.from_turn.map(Into::into),
            to_cell_id: entry.to_cell_id,
            to_outside: entry.to_outside,
            to_turn: entry.to_turn.map(Into::into),
            quantity: entry.quantity,
            kind: entry.kind,
            order_id: entry.order_id,
            receipt_id: entry.receipt_id,
            document_id: entry.document_id,
            transfer_id: entry.transfer_id,
            reason: entry.reason,
            actor: entry.actor,
            occurred_at: entry.occurred_at,
        }
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
    /// List balances by lot, cell, warehouse or product
    #[oai(path = "/inventory", method = "get", operation_id = "list_balances")]
    async fn balances(
        &self,
        Caller(actor): Caller,
        db: Data<&Db>,
        /// What one row is about; a lot of a product in a cell if absent.
        by: Query<Option<Grouping>>,
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
        let page = inventory::balances(&mut tx, by.0.unwrap_or_default(), &filter, &query).await?;
        tx.commit().await?;
        Ok(Json(Page::of(page)))
    }

    /// List the ledger, oldest first
    #[oai(path = "/inventory/entries", method = "get", operation_id = "list_stock_entries")]
    #[expect(clippy::too_many_arguments, reason = "one parameter per filter")]
    async fn entries(
        &self,
        Caller(actor): Caller,
        db: Data<&Db>,
        /// Of this product.
        #[oai(name = "productId")]
        product_id: Query<Option<ProductId>>,
        /// Into or out of this cell.
        #[oai(name = "cellId")]
        cell_id: Query<Option<CellId>>,
        /// Into or out of cells of this warehouse.
        #[oai(name = "warehouseId")]
        warehouse_id: Query<Option<WarehouseId>>,
        /// For this order.
        #[oai(name = "orderId")]
        order_id: Query<Option<OrderId>>,
        /// By this goods receipt.
        #[oai(name = "receiptId")]
        receipt_id: Query<Option<GoodsReceiptId>>,
        /// By this document.
        #[oai(name = "documentId")]
        document_id: Query<Option<StockDocumentId>>,
        /// By this transfer.
        #[oai(name = "transferId")]
        transfer_id: Query<Option<TransferId>>,
        /// Written for this reason.
        kind: Query<Option<EntryKind>>,
        /// By this one: `user:<id>`, `key:<id>` or `job:<kind>`.
        #[oai(name = "actor", validator(max_length = 200))]
        who: Query<Option<String>>,
        /// At this moment or later.
        from: Query<Option<DateTime<Utc>>>,
        /// Before this moment.
        to: Query<Option<DateTime<Utc>>>,
        /// Rows per page, from 1 to 1000; 100 if absent.
        limit: Query<Option<i64>>,
        /// The `next` of the page before.
        after: Query<Option<String>>,
    ) -> Result<Json<Page<StockEntry>>, ApiError> {
        let query = PageQuery::new(limit.0, after.0)?;
        let filter = EntryFilter {
            product_id: product_id.0,
            cell_id: cell_id.0,
            warehouse_id: warehouse_id.0,
            order_id: order_id.0,
            receipt_id: receipt_id.0,
            document_id: document_id.0,
            transfer_id: transfer_id.0,
            kind: kind.0,
            actor: who.0,
            from: from.0,
            to: to.0,
        };
        let mut tx = db.begin(&actor).await?;
        let page = inventory::entries(&mut tx, &filter, &query).await?;
        tx.commit().await?;
        Ok(Json(Page::of(page)))
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
