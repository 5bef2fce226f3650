//! Writing the ledger: entries, many in one statement.

use uuid::Uuid;

use super::batch::Part;
use super::{EntryKind, Outside};
use crate::db::EnterpriseTx;
use crate::error::RefusedOn;
use crate::ids::{CellId, GoodsReceiptId, LotId, OrderId, ProductId, StockDocumentId, StockEntryId, TransferId};
use crate::warehouses::AdmittedByCells;
use crate::{Refusal, Result};

/// A cell or a place outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Cell(CellId),
    Outside(Outside),
}

impl From<CellId> for Place {
    fn from(cell: CellId) -> Self {
        Self::Cell(cell)
    }
}

impl From<Outside> for Place {
    fn from(outside: Outside) -> Self {
        Self::Outside(outside)
    }
}

impl Place {
    /// The cell, if it is one.
    pub fn cell_id(self) -> Option<CellId> {
        match self {
            Self::Cell(cell) => Some(cell),
            Self::Outside(_) => None,
        }
    }

    fn outside(self) -> Option<String> {
        match self {
            Self::Cell(_) => None,
            Self::Outside(outside) => Some(outside.name().to_owned()),
        }
    }
}

/// One of the units that an order is made of.
#[derive(Clone, Copy, Debug)]
pub(super) struct UnitOfOrder {
    pub order_id: OrderId,
    /// From 0.
    pub part: i32,
}

/// So many units of a lot from one place to another.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moved {
    pub id: StockEntryId,
    pub product_id: ProductId,
    pub lot_id: LotId,
    pub from: Place,
    pub to: Place,
    pub quantity: i32,
    pub order: Option<UnitOfOrder>,
    pub reason: Option<&'static str>,
}

impl Moved {
    /// As a line of a document tells it: where the goods lay, or where they lie now if they came from outside.
    pub fn part(&self) -> Option<Part> {
        let &Self { id, product_id, lot_id, from, to, quantity, .. } = self;
        let cell_id = from.cell_id().or(to.cell_id())?;
        Some(Part { id: id.0, product_id, lot_id, cell_id, quantity })
    }
}

/// By what document.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct By {
    pub receipt: Option<GoodsReceiptId>,
    pub document: Option<StockDocumentId>,
    pub transfer: Option<TransferId>,
}

/// Writes entries of one kind, all in one statement. The cells on both sides are held first, in the order of their ids: the
/// references would hold them line by line, in an order that whoever blocks or archives cells does not keep.
pub(super) async fn write(tx: &mut EnterpriseTx, kind: EntryKind, by: By, moved: &[Moved]) -> Result<()> {
    if moved.is_empty() {
        return Ok(());
    }
    let (enterprise_id, actor, now) = (tx.enterprise_id(), tx.actor().to_string(), tx.now().await?);
    sqlx::query!(
        "WITH touched AS MATERIALIZED (
             SELECT id FROM cells WHERE id = ANY($10::uuid[] || $12::uuid[]) ORDER BY id FOR KEY SHARE
         )
         INSERT INTO stock_entries (enterprise_id, id, product_id, lot_id, from_cell_id, from_outside, to_cell_id, to_outside,
                                    quantity, kind, order_id, part, reason, receipt_id, document_id, actor, occurred_at, transfer_id)
         SELECT $1, e.id, e.product_id, e.lot_id, e.from_cell_id, e.from_outside, e.to_cell_id, e.to_outside,
                e.quantity, $2, e.order_id, e.part, e.reason, $3, $4, $5, $6, $17
         FROM unnest($7::uuid[], $8::uuid[], $9::uuid[], $10::uuid[], $11::text[], $12::uuid[], $13::text[], $14::int[], $15::uuid[], $16::text[],
                     $18::int[])
              AS e (id, product_id, lot_id, from_cell_id, from_outside, to_cell_id, to_outside, quantity, order_id, reason, part)
         CROSS JOIN (SELECT count(*) FROM touched) AS held",
        enterprise_id as _,
        kind as EntryKind,
        by.receipt as _,
        by.document as _,
        actor,
        now,
        &moved.iter().map(|entry| entry.id.0).collect::<Vec<_>>(),
        &moved.iter().map(|entry| entry.product_id.0).collect::<Vec<_>>(),
        &moved.iter().map(|entry| entry.lot_id.0).collect::<Vec<_>>(),
        &moved.iter().map(|entry| entry.from.cell_id().map(|cell| cell.0)).collect::<Vec<_>>() as &[Option<Uuid>],
        &moved.iter().map(|entry| entry.from.outside()).collect::<Vec<_>>() as &[Option<String>],
        &moved.iter().map(|entry| entry.to.cell_id().map(|cell| cell.0)).collect::<Vec<_>>() as &[Option<Uuid>],
        &moved.iter().map(|entry| entry.to.outside()).collect::<Vec<_>>() as &[Option<String>],
        &moved.iter().map(|entry| entry.quantity).collect::<Vec<_>>(),
        &moved.iter().map(|entry| entry.order.map(|unit| unit.order_id.0)).collect::<Vec<_>>() as &[Option<Uuid>],
        &moved.iter().map(|entry| entry.reason.map(str::to_owned)).collect::<Vec<_>>() as &[Option<String>],
        by.transfer as _,
        &moved.iter().map(|entry| entry.order.map_or(0, |unit| unit.part)).collect::<Vec<_>>(),
    )
    .execute(tx.conn())
    .await
    .admitted_by_cells()
    .refused_on("balances_on_hand_not_negative", Refusal::NotEnoughStock, || "there are fewer than that".to_owned())
    .refused_on("balances_reserved_within_on_hand", Refusal::NotEnoughStock, || "some of them are held".to_owned())
    .refused_on("balances_held_within_on_hand", Refusal::NotEnoughStock, || "some of them are held".to_owned())?;
    Ok(())
}
