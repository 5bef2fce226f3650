//! Reading transfers, and what is on its way to a warehouse.

use chrono::NaiveDate;

use super::{Transfer, TransferGoods, TransferLine, TransferStatus};
use crate::access::Permission;
use crate::db::EnterpriseTx;
use crate::ids::{LotId, ProductId, TransferId, WarehouseId};
use crate::inventory::batch::{Heading, Mode};
use crate::page::{Page, PageQuery};
use crate::{Error, Refusal, Result, warehouses};

/// Which transfers to list.
#[derive(Clone, Debug, Default)]
pub struct TransferFilter {
    /// Out of this warehouse or into it.
    pub warehouse_id: Option<WarehouseId>,
    /// In this status.
    pub status: Option<TransferStatus>,
}

/// What is on its way to a warehouse.
#[derive(Clone, Debug)]
pub struct InTransit {
    /// To which.
    pub warehouse_id: WarehouseId,
    /// Of what.
    pub product_id: ProductId,
    /// Of which lot.
    pub lot_id: LotId,
    /// The lot's code.
    pub lot: Option<String>,
    /// The last day on which the lot may be sold.
    pub expires_on: Option<NaiveDate>,
    /// Units.
    pub quantity: i64,
}

/// Which goods in transit to list.
#[derive(Clone, Debug, Default)]
pub struct InTransitFilter {
    /// On their way to this warehouse.
    pub warehouse_id: Option<WarehouseId>,
    /// Of this product.
    pub product_id: Option<ProductId>,
}

/// One transfer with its lines. Whoever reaches one of its warehouses sees it.
pub async fn transfer(tx: &mut EnterpriseTx, id: TransferId) -> Result<Transfer> {
    tx.require(Permission::ReadStock)?;
    let transfer = show(tx, id).await?;
    for end in [transfer.from_warehouse_id, transfer.to_warehouse_id] {
        match warehouses::enter(tx, end, Permission::ReadStock).await {
            Ok(_) => return Ok(transfer),
            Err(Error::NotFound(_)) => {}
            Err(other) => return Err(other),
        }
    }
    Err(Error::NotFound("transfer"))
}

/// Transfers in reach, newest first, without their lines.
pub async fn transfers(tx: &mut EnterpriseTx, filter: &TransferFilter, query: &PageQuery) -> Result<Page<Transfer>> {
    let bounds = tx.bounds(Permission::ReadStock)?;
    let after: Option<TransferId> = query.key()?;
    let rows = sqlx::query!(
        "SELECT id, from_warehouse_id, to_warehouse_id, number, comment, status, actor, created_at, sent_at, closed_at FROM transfers
         WHERE ($1::uuid IS NULL OR $1 IN (from_warehouse_id, to_warehouse_id)) AND ($2::text IS NULL OR status = $2)
           AND ($3::uuid IS NULL OR id < $3)
           AND ($5::uuid[] IS NULL OR from_warehouse_id = ANY($5) OR to_warehouse_id = ANY($5))
         ORDER BY id DESC LIMIT $4",
        filter.warehouse_id as _,
        filter.status as Option<TransferStatus>,
        after as _,
        query.limit + 1,
        bounds.warehouses.as_deref(),
    )
    .fetch_all(tx.conn())
    .await?;
    let rows = rows
        .into_iter()
        .map(|row| Transfer {
            id: row.id,
            from_warehouse_id: row.from_warehouse_id,
            to_warehouse_id: row.to_warehouse_id,
            number: row.number,
            comment: row.comment,
            status: row.status,
            actor: row.actor,
            created_at: row.created_at,
            sent_at: row.sent_at,
            closed_at: row.closed_at,
            lines: Vec::new(),
            goods: Vec::new(),
        })
        .collect();
    Ok(query.page(rows, |transfer| transfer.id))
}

/// What is on its way to warehouses in reach. Nothing is one's own here. Read transfer by transfer, never the whole ledger.
pub async fn in_transit(tx: &mut EnterpriseTx, filter: &InTransitFilter, query: &PageQuery) -> Result<Page<InTransit>> {
    let bounds = tx.bounds(Permission::ReadStock)?;
    let after: Option<(WarehouseId, ProductId, LotId)> = query.key()?;
    let (warehouse, product, lot) =
        after.map_or((None, None, None), |(warehouse, product, lot)| (Some(warehouse), Some(product), Some(lot)));
    let rows = sqlx::query_as!(
        InTransit,
        r#"SELECT t.to_warehouse_id AS warehouse_id, e.product_id, e.lot_id, l.code AS lot, l.expires_on,
                  sum(CASE WHEN e.to_outside = 'in_transit' THEN e.quantity ELSE -e.quantity END)::bigint AS "quantity!"
           FROM transfers AS t
           CROSS JOIN LATERAL (SELECT * FROM stock_entries AS s WHERE s.transfer_id = t.id OFFSET 0) AS e
           JOIN lots AS l ON l.id = e.lot_id
           WHERE t.status IN ('in_transit', 'receiving')
             AND ($1::uuid IS NULL OR t.to_warehouse_id = $1) AND ($2::uuid IS NULL OR e.product_id = $2)
             AND ($3::uuid IS NULL OR (t.to_warehouse_id, e.product_id, e.lot_id) > ($3, $4::uuid, $5::uuid))
             AND ($7::uuid[] IS NULL OR t.to_warehouse_id = ANY($7))
           GROUP BY t.to_warehouse_id, e.product_id, e.lot_id, l.code, l.expires_on
           HAVING sum(CASE WHEN e.to_outside = 'in_transit' THEN e.quantity ELSE -e.quantity END) > 0
           ORDER BY t.to_warehouse_id, e.product_id, e.lot_id LIMIT $6"#,
        filter.warehouse_id as _,
        filter.product_id as _,
        warehouse as _,
        product as _,
        lot as _,
        query.limit + 1,
        bounds.warehouses.as_deref(),
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(query.page(rows, |goods| (goods.warehouse_id, goods.product_id, goods.lot_id)))
}

pub(super) async fn show(tx: &mut EnterpriseTx, id: TransferId) -> Result<Transfer> {
    let row = sqlx::query!(
        "SELECT id, from_warehouse_id, to_warehouse_id, number, comment, status, actor, created_at, sent_at, closed_at
         FROM transfers WHERE id = $1",
        id as _
    )
    .fetch_optional(tx.conn())
    .await?
    .ok_or(Error::NotFound("transfer"))?;
    Ok(Transfer {
        id: row.id,
        from_warehouse_id: row.from_warehouse_id,
        to_warehouse_id: row.to_warehouse_id,
        number: row.number,
        comment: row.comment,
        status: row.status,
        actor: row.actor,
        created_at: row.created_at,
        sent_at: row.sent_at,
        closed_at: row.closed_at,
        lines: lines(tx, id).await?,
        goods: goods(tx, id).await?,
    })
}

pub(super) async fn lines(tx: &mut EnterpriseTx, id: TransferId) -> Result<Vec<TransferLine>> {
    Ok(sqlx::query_as!(
        TransferLine,
        "SELECT id, product_id, lot_id, cell_id, quantity FROM transfer_lines WHERE transfer_id = $1 ORDER BY id",
        id as _
    )
    .fetch_all(tx.conn())
    .await?)
}

/// What became of what left: summed from the entries, what expires first comes first.
pub(super) async fn goods(tx: &mut EnterpriseTx, id: TransferId) -> Result<Vec<TransferGoods>> {
    Ok(sqlx::query_as!(
        TransferGoods,
        r#"SELECT e.product_id, e.lot_id, l.code AS lot,
                  coalesce(sum(e.quantity) FILTER (WHERE e.kind = 'transfer_out'), 0)::bigint AS "sent!",
                  coalesce(sum(e.quantity) FILTER (WHERE e.kind = 'transfer_in'), 0)::bigint AS "received!",
                  coalesce(sum(e.quantity) FILTER (WHERE e.kind = 'transfer_back'), 0)::bigint AS "returned!",
                  coalesce(sum(e.quantity) FILTER (WHERE e.kind = 'transfer_loss'), 0)::bigint AS "lost!",
                  sum(CASE WHEN e.to_outside = 'in_transit' THEN e.quantity ELSE -e.quantity END)::bigint AS "in_transit!"
           FROM stock_entries AS e JOIN lots AS l ON l.id = e.lot_id
           WHERE e.transfer_id = $1
           GROUP BY e.product_id, e.lot_id, l.code, l.expires_on, l.created_at
           ORDER BY l.expires_on, l.created_at, e.lot_id"#,
        id as _
    )
    .fetch_all(tx.conn())
    .await?)
}

/// What a verb needs to know of the transfer that it holds.
pub(super) struct Locked {
    pub from_warehouse_id: WarehouseId,
    pub to_warehouse_id: WarehouseId,
    pub number: String,
    pub status: TransferStatus,
}

impl Locked {
    /// What is done where the transfer comes.
    pub fn heading(&self) -> Heading {
        let (warehouse_id, number) = (self.to_warehouse_id, Some(self.number.clone()));
        Heading { warehouse_id, number, comment: None, mode: Mode::AllOrNothing }
    }
}

/// Where somebody has to be to do something.
#[derive(Clone, Copy)]
pub(super) enum End {
    From,
    To,
}

pub(super) async fn lock(tx: &mut EnterpriseTx, id: TransferId, permission: Permission, end: End) -> Result<Locked> {
    tx.require(permission)?;
    let held = sqlx::query_as!(
        Locked,
        "SELECT from_warehouse_id, to_warehouse_id, number, status FROM transfers WHERE id = $1 FOR NO KEY UPDATE",
        id as _
    )
    .fetch_optional(tx.conn())
    .await?
    .ok_or(Error::NotFound("transfer"))?;
    let here = match end {
        End::From => held.from_warehouse_id,
        End::To => held.to_warehouse_id,
    };
    // What is out of reach is not there.
    warehouses::enter(tx, here, permission).await.map_err(|error| match error {
        Error::NotFound(_) => Error::NotFound("transfer"),
        other => other,
    })?;
    Ok(held)
}

/// Refuses to send anything into a warehouse that is closed by now.
pub(super) async fn check_target(tx: &mut EnterpriseTx, id: WarehouseId) -> Result<()> {
    let archived =
        sqlx::query_scalar!(r#"SELECT name FROM warehouses WHERE id = $1 AND archived_at IS NOT NULL"#, id as _)
            .fetch_optional(tx.conn())
            .await?;
    match archived {
        None => Ok(()),
        Some(name) => {
            Err(Error::refused(Refusal::WarehouseArchived, format!("«{name}» is archived: restore it first")))
        }
    }
}

pub(super) async fn sku(tx: &mut EnterpriseTx, id: ProductId) -> Result<String> {
    Ok(sqlx::query_scalar!("SELECT sku FROM products WHERE id = $1", id as _).fetch_one(tx.conn()).await?)
}
