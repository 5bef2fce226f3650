//! Planning a count, and changing the plan until it starts.

use uuid::Uuid;

use super::store::{self, Held};
use super::{Count, CountChange, CountScope, CountStatus, NewCount, Targets, checked_comment, look};
use crate::access::Permission;
use crate::audit::{self, Action, Object};
use crate::db::EnterpriseTx;
use crate::ids::{CountId, WarehouseId};
use crate::{Error, Refusal, Result, requests, warehouses};

/// The most zones, cells or products that a plan names.
pub const MAX_TARGETS: usize = 1000;

impl Targets {
    fn scope(&self) -> CountScope {
        match self {
            Self::Warehouse => CountScope::Warehouse,
            Self::Zones(_) => CountScope::Zones,
            Self::Cells(_) => CountScope::Cells,
            Self::Products(_) => CountScope::Products,
        }
    }

    /// The ids, each once, in columns: zones, cells, products.
    fn columns(&self) -> [Vec<Uuid>; 3] {
        let mut columns = match self {
            Self::Warehouse => [Vec::new(), Vec::new(), Vec::new()],
            Self::Zones(ids) => [ids.iter().map(|id| id.0).collect(), Vec::new(), Vec::new()],
            Self::Cells(ids) => [Vec::new(), ids.iter().map(|id| id.0).collect(), Vec::new()],
            Self::Products(ids) => [Vec::new(), Vec::new(), ids.iter().map(|id| id.0).collect()],
        };
        for ids in &mut columns {
            ids.sort_unstable();
            ids.dedup();
        }
        columns
    }

    fn field(&self) -> &'static str {
        match self {
            Self::Warehouse => "warehouseId",
            Self::Zones(_) => "zoneIds",
            Self::Cells(_) => "cellIds",
            Self::Products(_) => "productIds",
        }
    }
}

/// Plans a count, and asks somebody to count.
pub async fn plan(tx: &mut EnterpriseTx, new: &NewCount) -> Result<Count> {
    warehouses::enter_open(tx, new.warehouse_id, Permission::ManageCounts).await?;
    let name = checked_name(&new.name)?;
    let comment = checked_comment(new.comment.as_deref())?;
    check_targets(tx, new.warehouse_id, &new.targets).await?;
    let request_id = requests::open_count(tx, new.warehouse_id, new.assignee_id, new.due_at, name).await?;
    let (id, enterprise_id, now, actor) = (CountId::new(), tx.enterprise_id(), tx.now().await?, tx.actor().to_string());
    sqlx::query!(
        "INSERT INTO counts (enterprise_id, id, warehouse_id, name, comment, scope, blind, freezes, request_id, actor, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
        enterprise_id as _,
        id as _,
        new.warehouse_id as _,
        name,
        comment,
        new.targets.scope() as CountScope,
        new.blind,
        new.freeze,
        request_id as _,
        actor,
        now,
    )
    .execute(tx.conn())
    .await?;
    write_targets(tx, id, &new.targets).await?;
    store::write_history(tx, id, None, CountStatus::Planned, comment).await?;
    let count = look::show(tx, id).await?;
    audit::created(tx, Action::CountPlanned, Object::of("count", id), &count).await?;
    Ok(count)
}

/// Changes the plan.
pub async fn change(tx: &mut EnterpriseTx, id: CountId, change: CountChange) -> Result<Count> {
    let held = store::hold(tx, id, Permission::ManageCounts).await?;
    held.status.require(CountStatus::Planned)?;
    let before = look::show(tx, id).await?;
    let Held { warehouse_id, name, comment, scope, blind, freeze, .. } = held;
    let name = change.name.unwrap_or(name);
    let name = checked_name(&name)?;
    let comment = change.comment.over(comment);
    let comment = checked_comment(comment.as_deref())?;
    if let Some(targets) = &change.targets {
        check_targets(tx, warehouse_id, targets).await?;
        sqlx::query!("DELETE FROM count_targets WHERE count_id = $1", id as _).execute(tx.conn()).await?;
        write_targets(tx, id, targets).await?;
    }
    sqlx::query!(
        "UPDATE counts SET name = $2, comment = $3, scope = $4, blind = $5, freezes = $6 WHERE id = $1",
        id as _,
        name,
        comment,
        change.targets.as_ref().map_or(scope, Targets::scope) as CountScope,
        change.blind.unwrap_or(blind),
        change.freeze.unwrap_or(freeze),
    )
    .execute(tx.conn())
    .await?;
    let after = look::show(tx, id).await?;
    audit::changed(tx, Action::CountChanged, Object::of("count", id), &before, &after).await?;
    Ok(after)
}

fn checked_name(name: &str) -> Result<&str> {
    let name = name.trim();
    if !(1..=100).contains(&name.chars().count()) {
        return Err(Error::invalid("name", "must have 1 to 100 characters"));
    }
    Ok(name)
}

/// Zones and cells are of this warehouse and hold what is counted; products are known.
async fn check_targets(tx: &mut EnterpriseTx, warehouse_id: WarehouseId, targets: &Targets) -> Result<()> {
    let [zones, cells, products] = targets.columns();
    let named = zones.len() + cells.len() + products.len();
    if *targets != Targets::Warehouse && !(1..=MAX_TARGETS).contains(&named) {
        return Err(Error::invalid(targets.field(), format!("must name 1 to {MAX_TARGETS}")));
    }
    let found = sqlx::query!(
        r#"SELECT (SELECT count(*) FROM zones WHERE warehouse_id = $1 AND id = ANY($2))
                + (SELECT count(*) FROM cells WHERE warehouse_id = $1 AND id = ANY($3) AND archived_at IS NULL)
                + (SELECT count(*) FROM products WHERE id = ANY($4)) AS "there!",
                  EXISTS (SELECT FROM zones WHERE id = ANY($2) AND purpose IN ('packing', 'shipping'))
               OR EXISTS (SELECT FROM cells WHERE id = ANY($3) AND purpose IN ('packing', 'shipping')) AS "picked!""#,
        warehouse_id as _,
        &zones,
        &cells,
        &products,
    )
    .fetch_one(tx.conn())
    .await?;
    if usize::try_from(found.there) != Ok(named) {
        return Err(Error::invalid(targets.field(), "must name what is there in the warehouse, in use"));
    }
    if found.picked {
        return Err(Error::refused(
            Refusal::CellOfPacking,
            "what is picked and on its way out is not counted: each of it is an order's",
        ));
    }
    Ok(())
}

async fn write_targets(tx: &mut EnterpriseTx, id: CountId, targets: &Targets) -> Result<()> {
    let enterprise_id = tx.enterprise_id();
    let [zones, cells, products] = targets.columns();
    sqlx::query!(
        "INSERT INTO count_targets (enterprise_id, count_id, position, zone_id, cell_id, product_id)
         SELECT $1, $2, row_number() OVER (), t.zone_id, t.cell_id, t.product_id
         FROM (SELECT zone_id, NULL::uuid AS cell_id, NULL::uuid AS product_id FROM unnest($3::uuid[]) AS z (zone_id)
               UNION ALL SELECT NULL, cell_id, NULL FROM unnest($4::uuid[]) AS c (cell_id)
               UNION ALL SELECT NULL, NULL, product_id FROM unnest($5::uuid[]) AS p (product_id)) AS t",
        enterprise_id as _,
        id as _,
        &zones,
        &cells,
        &products,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}
