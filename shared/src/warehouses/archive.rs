//! Archiving a warehouse: only one that nothing uses any more, and what uses it is named.

use serde::{Deserialize, Serialize};

use super::{Warehouse, enter, lock, show};
use crate::access::Permission;
use crate::audit::{self, Action, Object};
use crate::db::EnterpriseTx;
use crate::ids::WarehouseId;
use crate::{Error, Refusal, Result, inventory};

/// What may still use a warehouse.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, sqlx::Type)]
#[cfg_attr(feature = "openapi", derive(poem_openapi::Enum))]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", oai(rename_all = "snake_case"))]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum UseKind {
    /// Units lie in its cells; named are the cells.
    Stock,
    /// Goods are on their way to it; named are the transfers.
    Transfers,
    /// Orders are still to be handed over from it; named are their numbers at Wildberries.
    Orders,
    /// Somebody has work there; named are the requests.
    Requests,
    /// Wildberries warehouses are fulfilled from it; named are they.
    WildberriesWarehouses,
}

impl UseKind {
    fn words(self) -> &'static str {
        match self {
            Self::Stock => "units in its cells",
            Self::Transfers => "transfers on their way to it",
            Self::Orders => "orders to hand over",
            Self::Requests => "open requests",
            Self::WildberriesWarehouses => "Wildberries warehouses that it fulfils",
        }
    }
}

/// Something that still uses a warehouse.
#[derive(Clone, Debug)]
pub struct Use {
    /// What.
    pub kind: UseKind,
    /// How much of it.
    pub count: i64,
    /// The first ten.
    pub names: Vec<String>,
}

/// What still uses the warehouse: as long as there is something, it cannot be archived.
pub async fn uses(tx: &mut EnterpriseTx, id: WarehouseId) -> Result<Vec<Use>> {
    enter(tx, id, Permission::ReadStock).await?;
    still(tx, id).await
}

async fn still(tx: &mut EnterpriseTx, id: WarehouseId) -> Result<Vec<Use>> {
    Ok(sqlx::query_as!(
        Use,
        r#"SELECT u.kind AS "kind!: UseKind", u.count AS "count!", u.names[1:10] AS "names!"
           FROM (SELECT 1 AS place, 'stock' AS kind, coalesce(sum(b.on_hand), 0)::bigint AS count, array_agg(DISTINCT c.code ORDER BY c.code) AS names
                 FROM balances AS b JOIN cells AS c ON c.id = b.cell_id WHERE c.warehouse_id = $1 AND b.on_hand > 0
                 UNION ALL
                 SELECT 1, 'transfers', count(*), array_agg(t.number ORDER BY t.number) FROM transfers AS t
                 WHERE t.to_warehouse_id = $1 AND t.status IN ('in_transit', 'receiving')
                 UNION ALL
                 SELECT 2, 'orders', count(*), array_agg(o.wb_order_id::text ORDER BY o.wb_order_id) FROM orders AS o
                 WHERE o.warehouse_id = $1 AND o.status IN ('new', 'out_of_stock', 'reserved', 'picking', 'picked', 'packed')
                 UNION ALL
                 SELECT 3, 'requests', count(*), array_agg(r.id::text ORDER BY r.id) FROM requests AS r
                 WHERE r.warehouse_id = $1 AND r.status NOT IN ('completed', 'cancelled')
                 UNION ALL
                 SELECT 4, 'wildberries_warehouses', count(*), array_agg(w.name ORDER BY w.name) FROM wildberries_warehouses AS w
                 WHERE w.warehouse_id = $1 AND w.gone_at IS NULL) AS u
           WHERE u.count > 0 ORDER BY u.place"#,
        id as _,
    )
    .fetch_all(tx.conn())
    .await?)
}

/// Closes a warehouse that nothing uses any more. Its name, cells and history stay.
pub async fn archive(tx: &mut EnterpriseTx, id: WarehouseId) -> Result<Warehouse> {
    tx.require_everywhere(Permission::ManageWarehouses)?;
    // In the order of whoever writes to the ledger: the products, the warehouse for its document, the cells. Whoever is just
    // putting something into a cell is waited for; whoever comes later finds the warehouse closed.
    let cells =
        sqlx::query_scalar!("SELECT id FROM cells WHERE warehouse_id = $1", id as _).fetch_all(tx.conn()).await?;
    let lie = inventory::products_in(tx, &cells).await?;
    inventory::line_up(tx, &lie).await?;
    let before = lock(tx, id).await?;
    sqlx::query!("SELECT id FROM cells WHERE warehouse_id = $1 ORDER BY id FOR UPDATE", id as _)
        .fetch_all(tx.conn())
        .await?;
    let uses = still(tx, id).await?;
    if !uses.is_empty() {
        let named = uses.iter().map(|one| format!("{} {} ({})", one.count, one.kind.words(), one.names.join(", ")));
        return Err(Error::refused(
            Refusal::WarehouseInUse,
            format!("«{}» still has {}", before.name, named.collect::<Vec<_>>().join("; ")),
        ));
    }
    // What Wildberries does not name any more may be named again.
    sqlx::query!(
        "UPDATE wildberries_warehouses SET warehouse_id = NULL WHERE warehouse_id = $1 AND gone_at IS NOT NULL",
        id as _
    )
    .execute(tx.conn())
    .await?;
    set(tx, &before, true).await
}

/// Opens an archived warehouse again.
pub async fn restore(tx: &mut EnterpriseTx, id: WarehouseId) -> Result<Warehouse> {
    tx.require_everywhere(Permission::ManageWarehouses)?;
    let before = lock(tx, id).await?;
    set(tx, &before, false).await
}

async fn set(tx: &mut EnterpriseTx, before: &Warehouse, archived: bool) -> Result<Warehouse> {
    if before.archived_at.is_some() == archived {
        return Ok(before.clone());
    }
    let now = tx.now().await?;
    sqlx::query!("UPDATE warehouses SET archived_at = $2 WHERE id = $1", before.id as _, archived.then_some(now))
        .execute(tx.conn())
        .await?;
    let after = show(tx, before.id).await?;
    let action = if archived { Action::WarehouseArchived } else { Action::WarehouseRestored };
    audit::changed(tx, action, Object::of("warehouse", before.id), before, &after).await?;
    Ok(after)
}
