//! Moving, correcting and writing off by hand, one line or a thousand.

use poem::web::Data;
use poem_openapi::payload::Json;
use poem_openapi::{Object, OpenApi};
use shared::db::Db;
use shared::ids::{OrderId, ProductId};
use shared::inventory::{self, AdjustReason, WriteOffReason};
use shared::orders;

use super::rows::{LotName, StockPosted, act, item};
use crate::Tag;
use crate::answers::Ending;
use crate::auth::Caller;
use crate::problem::ApiError;

/// So many units from one cell into another.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase", deny_unknown_fields)]
pub struct StockMoveLine {
    /// Any barcode of the product,
    #[oai(validator(min_length = 1, max_length = 128))]
    pub barcode: Option<String>,
    /// or the product.
    pub product_id: Option<ProductId>,
    /// Of this lot; if absent, of any, what expires first first.
    pub lot: Option<LotName>,
    /// The code of the cell where it lies.
    #[oai(validator(min_length = 1, max_length = 60))]
    pub from: String,
    /// The code of the cell where it shall lie.
    #[oai(validator(min_length = 1, max_length = 60))]
    pub to: String,
    /// Units, from 1.
    #[oai(validator(minimum(value = "1"), maximum(value = "1000000")))]
    pub quantity: i32,
}

act! {
    /// Goods to be moved inside a warehouse.
    MoveStock {
        /// At most 1000; a line may move on what a line before it has brought.
        lines: StockMoveLine,
    }
}

/// So many units more or less in a cell.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase", deny_unknown_fields)]
pub struct StockAdjustLine {
    /// Any barcode of the product,
    #[oai(validator(min_length = 1, max_length = 128))]
    pub barcode: Option<String>,
    /// or the product.
    pub product_id: Option<ProductId>,
    /// Of this lot. One that nobody has heard of is made where there is more; if absent, of any where there is less.
    pub lot: Option<LotName>,
    /// The code of the cell.
    #[oai(validator(min_length = 1, max_length = 60))]
    pub cell: String,
    /// Units, negative where there are fewer.
    #[oai(validator(minimum(value = "-1000000"), maximum(value = "1000000")))]
    pub change: i32,
    /// Why; `other` needs a comment.
    pub reason: AdjustReason,
}

act! {
    /// Balances to be corrected.
    AdjustStock {
        /// At most 1000.
        lines: StockAdjustLine,
    }
}

/// So many units out of a cell for good.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase", deny_unknown_fields)]
pub struct StockWriteOffLine {
    /// Any barcode of the product,
    #[oai(validator(min_length = 1, max_length = 128))]
    pub barcode: Option<String>,
    /// or the product.
    pub product_id: Option<ProductId>,
    /// Of this lot; if absent, of any, what expires first first.
    pub lot: Option<LotName>,
    /// The code of the cell.
    #[oai(validator(min_length = 1, max_length = 60))]
    pub cell: String,
    /// Units, from 1.
    #[oai(validator(minimum(value = "1"), maximum(value = "1000000")))]
    pub quantity: i32,
    /// Why; `other` needs a comment.
    pub reason: WriteOffReason,
}

act! {
    /// Goods to be written off.
    WriteOffStock {
        /// At most 1000.
        lines: StockWriteOffLine,
    }
}

/// A parcel that came back.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase", deny_unknown_fields)]
pub struct StockReturnLine {
    /// Of this order,
    pub order_id: Option<OrderId>,
    /// or of the order of this sticker, as a scanner reads it.
    #[oai(validator(min_length = 1, max_length = 200))]
    pub sticker: Option<String>,
    /// The code of the cell where its goods were put; a cell of quarantine for what cannot be sold as it is.
    #[oai(validator(min_length = 1, max_length = 60))]
    pub cell: String,
}

act! {
    /// Parcels that came back from Wildberries.
    ReceiveReturns {
        /// At most 1000, each of another order.
        lines: StockReturnLine,
    }
}

/// Acts on stock.
pub struct Api;

#[OpenApi(tag = "Tag::Inventory")]
impl Api {
    /// Move goods from cell to cell; what is reserved or on hold stays
    #[oai(path = "/inventory/moves", method = "post", operation_id = "move_stock")]
    async fn move_stock(
        &self,
        Caller(actor): Caller,
        db: Data<&Db>,
        body: Json<MoveStock>,
    ) -> Result<Json<StockPosted>, ApiError> {
        let (heading, lines) = body.0.apart();
        let line = |line: StockMoveLine| {
            let StockMoveLine { barcode, product_id, lot, from, to, quantity } = line;
            inventory::MoveLine { item: item(barcode, product_id, lot), from, to, quantity }
        };
        let lines: Vec<_> = lines.into_iter().map(line).collect();
        let mut tx = db.begin(&actor).await?;
        let posted = inventory::move_stock(&mut tx, &heading, &lines).await?;
        let posted = orders::serve(&mut tx, posted).await?;
        tx.answer(Json(posted.into())).await
    }

    /// Correct balances by what was found; what is reserved or on hold is not taken
    #[oai(path = "/inventory/adjustments", method = "post", operation_id = "adjust_stock")]
    async fn adjust(
        &self,
        Caller(actor): Caller,
        db: Data<&Db>,
        body: Json<AdjustStock>,
    ) -> Result<Json<StockPosted>, ApiError> {
        let (heading, lines) = body.0.apart();
        let line = |line: StockAdjustLine| {
            let StockAdjustLine { barcode, product_id, lot, cell, change, reason } = line;
            inventory::AdjustLine { item: item(barcode, product_id, lot), cell, change, reason }
        };
        let lines: Vec<_> = lines.into_iter().map(line).collect();
        let mut tx = db.begin(&actor).await?;
        let posted = inventory::adjust(&mut tx, &heading, &lines).await?;
        let posted = orders::serve(&mut tx, posted).await?;
        tx.answer(Json(posted.into())).await
    }

    /// Write goods off for good
    #[oai(path = "/inventory/write-offs", method = "post", operation_id = "write_off_stock")]
    async fn write_off(
        &self,
        Caller(actor): Caller,
        db: Data<&Db>,
        body: Json<WriteOffStock>,
    ) -> Result<Json<StockPosted>, ApiError> {
        let (heading, lines) = body.0.apart();
        let line = |line: StockWriteOffLine| {
            let StockWriteOffLine { barcode, product_id, lot, cell, quantity, reason } = line;
            inventory::WriteOffLine { item: item(barcode, product_id, lot), cell, quantity, reason }
        };
        let lines: Vec<_> = lines.into_iter().map(line).collect();
        let mut tx = db.begin(&actor).await?;
        let posted = inventory::write_off(&mut tx, &heading, &lines).await?;
        tx.answer(Json(posted.into())).await
    }

    /// Take back the goods of cancelled and of delivered orders; all units of an order come back together
    #[oai(path = "/inventory/returns", method = "post", operation_id = "receive_returns")]
    async fn receive_returns(
        &self,
        Caller(actor): Caller,
        db: Data<&Db>,
        body: Json<ReceiveReturns>,
    ) -> Result<Json<StockPosted>, ApiError> {
        let (heading, lines) = body.0.apart();
        let line = |line: StockReturnLine| {
            let StockReturnLine { order_id, sticker, cell } = line;
            inventory::ReturnLine { order_id, sticker, cell }
        };
        let lines: Vec<_> = lines.into_iter().map(line).collect();
        let mut tx = db.begin(&actor).await?;
        let posted = orders::receive_returns(&mut tx, &heading, &lines).await?;
        tx.answer(Json(posted.into())).await
    }
}
