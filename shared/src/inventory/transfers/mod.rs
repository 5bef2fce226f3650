//! Transfers between own warehouses. Goods that have left and have not come lie in transit, outside the cells: they are
//! counted for the warehouse that awaits them. How many they are is summed from the transfer's entries.
//!
//! ```text
//!  draft ─▶ in_transit ─▶ receiving ─▶ received          draft · in_transit ─▶ cancelled
//! ```

mod arrive;
mod look;
mod send;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::batch::{Batch, Heading, Item, Mode, Verdict, check_quantity, settle};
use crate::access::Permission;
use crate::audit::{self, Action, Object};
use crate::db::EnterpriseTx;
use crate::error::RefusedOn;
use crate::ids::{CellId, LotId, ProductId, TransferId, TransferLineId, WarehouseId};
use crate::{Error, Refusal, Result, warehouses};

pub use arrive::{ArrivedLine, MissingLine, MissingReason, close_transfer, receive_transfer};
pub use look::{InTransit, InTransitFilter, TransferFilter, in_transit, transfer, transfers};
pub use send::{cancel_transfer, send_transfer};

/// Where a transfer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, sqlx::Type)]
#[cfg_attr(feature = "openapi", derive(poem_openapi::Enum))]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", oai(rename_all = "snake_case"))]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum TransferStatus {
    /// Planned; everything lies where it was.
    Draft,
    /// It has left.
    InTransit,
    /// Some of it has come.
    Receiving,
    /// All of it has come, or it is said why not.
    Received,
    /// It did not leave, or it came back.
    Cancelled,
}

impl TransferStatus {
    fn name(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::InTransit => "in_transit",
            Self::Receiving => "receiving",
            Self::Received => "received",
            Self::Cancelled => "cancelled",
        }
    }

    fn next(self) -> &'static [Self] {
        match self {
            Self::Draft => &[Self::InTransit, Self::Cancelled],
            Self::InTransit => &[Self::Receiving, Self::Received, Self::Cancelled],
            Self::Receiving => &[Self::Receiving, Self::Received],
            Self::Received | Self::Cancelled => &[],
        }
    }

    /// Refuses to go where there is no way.
    fn check(self, to: Self) -> Result<()> {
        if self.next().contains(&to) {
            return Ok(());
        }
        Err(Error::Refused {
            refusal: Refusal::TransferTransition,
            detail: format!("the transfer is {}", self.name()),
            allowed: self.next().iter().map(|status| status.name().to_owned()).collect(),
        })
    }
}

/// A transfer with its lines.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Transfer {
    /// Ours.
    pub id: TransferId,
    /// Out of this warehouse.
    pub from_warehouse_id: WarehouseId,
    /// Into this one.
    pub to_warehouse_id: WarehouseId,
    /// Unique in the enterprise.
    pub number: String,
    /// In words.
    pub comment: Option<String>,
    /// Where it is.
    pub status: TransferStatus,
    /// Who planned it.
    pub actor: String,
    /// When.
    pub created_at: DateTime<Utc>,
    /// When it left.
    pub sent_at: Option<DateTime<Utc>>,
    /// When nothing was awaited any more.
    pub closed_at: Option<DateTime<Utc>>,
    /// What is to go; absent in lists.
    #[serde(skip)]
    pub lines: Vec<TransferLine>,
    /// What has left, lot by lot; absent in lists.
    #[serde(skip)]
    pub goods: Vec<TransferGoods>,
}

/// So many units are to go.
#[derive(Clone, Debug)]
pub struct TransferLine {
    /// Ours.
    pub id: TransferLineId,
    /// Of what.
    pub product_id: ProductId,
    /// Of which lot; absent: of any.
    pub lot_id: Option<LotId>,
    /// Out of which cell; absent: the enterprise's strategy chooses.
    pub cell_id: Option<CellId>,
    /// Units.
    pub quantity: i32,
}

/// What became of a lot.
#[derive(Clone, Debug)]
pub struct TransferGoods {
    /// Of what.
    pub product_id: ProductId,
    /// Of which lot.
    pub lot_id: LotId,
    /// The lot's code.
    pub lot: Option<String>,
    /// Units that left.
    pub sent: i64,
    /// Of these, have come.
    pub received: i64,
    /// Of these, came back or never left.
    pub returned: i64,
    /// Of these, will never come.
    pub lost: i64,
    /// Of these, are still awaited.
    pub in_transit: i64,
}

/// A transfer to be planned.
#[derive(Clone, Debug)]
pub struct NewTransfer {
    /// Out of this warehouse.
    pub from_warehouse_id: WarehouseId,
    /// Into this one.
    pub to_warehouse_id: WarehouseId,
    /// Unique in the enterprise.
    pub number: String,
    /// In words.
    pub comment: Option<String>,
    /// What is to go.
    pub lines: Vec<NewTransferLine>,
}

/// So many units are to go.
#[derive(Clone, Debug)]
pub struct NewTransferLine {
    /// What.
    pub item: Item,
    /// The code of the cell where it lies; if absent, the enterprise's strategy chooses when it leaves.
    pub cell: Option<String>,
    /// Units.
    pub quantity: i32,
}

/// What a step of a transfer did.
#[derive(Clone, Debug)]
pub struct Transferred {
    /// As it is now.
    pub transfer: Transfer,
    /// Whose waiting orders may now be served.
    pub freed: Vec<ProductId>,
}

/// Plans a transfer. Nothing moves, and whether there is enough is asked when it leaves.
pub async fn plan_transfer(tx: &mut EnterpriseTx, new: &NewTransfer) -> Result<Transfer> {
    tx.require_everywhere(Permission::MoveStock)?;
    for warehouse in [new.from_warehouse_id, new.to_warehouse_id] {
        warehouses::enter_open(tx, warehouse, Permission::MoveStock).await?;
    }
    if new.from_warehouse_id == new.to_warehouse_id {
        return Err(Error::invalid("toWarehouseId", "must be another warehouse than fromWarehouseId"));
    }
    let number = new.number.trim();
    if number.is_empty() || number.chars().count() > 100 {
        return Err(Error::invalid("number", "must have 1 to 100 characters"));
    }
    for (row, line) in new.lines.iter().enumerate() {
        check_quantity(row, line.quantity)?;
    }
    let heading = Heading {
        warehouse_id: new.from_warehouse_id,
        number: None,
        comment: new.comment.clone(),
        mode: Mode::AllOrNothing,
    };
    let (items, cells) =
        (new.lines.iter().map(|line| &line.item), new.lines.iter().filter_map(|line| line.cell.as_ref()));
    let batch = Batch::open(tx, &heading, Permission::MoveStock, items, cells).await?;
    let judge = |(row, line): (usize, &NewTransferLine)| -> Verdict<TransferLine> {
        let cell_id = line.cell.as_ref().map(|code| batch.giving_cell(code)).transpose()?;
        let (product_id, lot_id) = (batch.product(row)?, batch.lot(row)?);
        Ok(TransferLine { id: TransferLineId::new(), product_id, lot_id, cell_id, quantity: line.quantity })
    };
    let verdicts = new.lines.iter().enumerate().map(judge).collect();
    let lines: Vec<_> = settle(heading.mode, verdicts)?.into_iter().flatten().collect();
    let id = insert(tx, new, number, &lines).await?;
    let transfer = look::show(tx, id).await?;
    audit::created(tx, Action::TransferPlanned, Object::of("transfer", id), &transfer).await?;
    Ok(transfer)
}

async fn insert(tx: &mut EnterpriseTx, new: &NewTransfer, number: &str, lines: &[TransferLine]) -> Result<TransferId> {
    let (id, enterprise_id, now, actor) =
        (TransferId::new(), tx.enterprise_id(), tx.now().await?, tx.actor().to_string());
    sqlx::query!(
        "INSERT INTO transfers (enterprise_id, id, from_warehouse_id, to_warehouse_id, number, comment, actor, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        enterprise_id as _,
        id as _,
        new.from_warehouse_id as _,
        new.to_warehouse_id as _,
        number,
        new.comment.as_deref().map(str::trim),
        actor,
        now,
    )
    .execute(tx.conn())
    .await
    .refused_on("transfers_number_key", Refusal::TransferNumberTaken, || format!("there is already a transfer {number}"))?;
    sqlx::query!(
        "INSERT INTO transfer_lines (enterprise_id, id, transfer_id, product_id, lot_id, cell_id, quantity)
         SELECT $1, l.id, $2, l.product_id, l.lot_id, l.cell_id, l.quantity
         FROM unnest($3::uuid[], $4::uuid[], $5::uuid[], $6::uuid[], $7::int[]) AS l (id, product_id, lot_id, cell_id, quantity)
         ORDER BY l.cell_id",
        enterprise_id as _,
        id as _,
        &lines.iter().map(|line| line.id.0).collect::<Vec<_>>(),
        &lines.iter().map(|line| line.product_id.0).collect::<Vec<_>>(),
        &lines.iter().map(|line| line.lot_id.map(|lot| lot.0)).collect::<Vec<_>>() as &[Option<uuid::Uuid>],
        &lines.iter().map(|line| line.cell_id.map(|cell| cell.0)).collect::<Vec<_>>() as &[Option<uuid::Uuid>],
        &lines.iter().map(|line| line.quantity).collect::<Vec<_>>(),
    )
    .execute(tx.conn())
    .await?;
    Ok(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_transfer_goes_forward_only() {
        use TransferStatus::{Cancelled, Draft, InTransit, Received, Receiving};
        let all = [Draft, InTransit, Receiving, Received, Cancelled];
        let ways: Vec<_> = all
            .iter()
            .flat_map(|from| all.iter().map(move |to| (*from, *to)))
            .filter(|(from, to)| from.check(*to).is_ok())
            .collect();
        let expected = [
            (Draft, InTransit),
            (Draft, Cancelled),
            (InTransit, Receiving),
            (InTransit, Received),
            (InTransit, Cancelled),
            (Receiving, Receiving),
            (Receiving, Received),
        ];
        assert_eq!(ways, expected);
    }
}
