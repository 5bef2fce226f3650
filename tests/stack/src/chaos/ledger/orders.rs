//! What buyers ordered and cancelled and pickers took against what is there: every order is there once and has its unit or
//! none, every unit that was taken out of its cell or put back was acknowledged, and no entry stands for itself.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use anyhow::{Context, ensure};
use serde_json::json;
use sqlx::{PgConnection, Row};

use super::World;
use super::history::{History, Picked, PutBack};
use crate::wait;

/// Waits until every order that was placed is known, with what its buyer did, and has found its unit or has not.
pub(super) async fn settle(world: &World, history: &History) -> anyhow::Result<()> {
    let client = &world.clients[0];
    // What its buyer cancelled before anybody heard of it is among the old ones only.
    client.post("/sync-runs", json!({ "accountId": world.account, "kind": "order_history" })).await?;
    wait::until_ok("every order is known", Duration::from_mins(1), async || {
        let orders = client.all("/orders").await?;
        let waiting = orders.iter().filter(|order| order["status"] == "new").count();
        ensure!(orders.len() >= history.placed.len(), "{} of {} orders are known", orders.len(), history.placed.len());
        ensure!(waiting == 0, "{waiting} orders are new");
        let cancelled = orders.iter().filter(|order| order["status"] == "cancelled").count();
        let expected = history.cancelled.len();
        ensure!(cancelled >= expected, "{cancelled} of {expected} orders are known to be cancelled");
        Ok(())
    })
    .await
}

struct Order {
    number: i64,
    status: String,
    product: Option<String>,
}

/// A reservation of an order that has not ended.
struct Kept {
    product: String,
    cell: String,
    quantity: i64,
}

pub(super) async fn compare(admin: &mut PgConnection, world: &World, history: &History) -> anyhow::Result<()> {
    let mut orders = BTreeMap::new();
    let query = "SELECT id::text, wb_order_id, status, product_id::text FROM orders";
    for row in sqlx::query(query).fetch_all(&mut *admin).await? {
        let order = Order { number: row.get("wb_order_id"), status: row.get("status"), product: row.get("product_id") };
        orders.insert(row.get::<String, _>("id"), order);
    }
    let mut placed: BTreeMap<i64, i64> = history.placed.iter().map(|placed| (placed.number, placed.size)).collect();
    let sizes: BTreeMap<i64, &str> = world.products.iter().map(|product| (product.size, product.id.as_str())).collect();
    for order in orders.values() {
        let size = placed
            .remove(&order.number)
            .with_context(|| format!("order {} is there twice, or nobody's", order.number))?;
        let product = sizes.get(&size).copied();
        ensure!(
            order.product.as_deref() == product,
            "order {} is for {product:?}, not {:?}",
            order.number,
            order.product
        );
    }
    ensure!(placed.is_empty(), "{} orders are not there", placed.len());
    let cancelled: BTreeSet<i64> = history.cancelled.iter().copied().collect();
    for order in orders.values() {
        let known = order.status == "cancelled";
        ensure!(known == cancelled.contains(&order.number), "order {} is {}", order.number, order.status);
    }
    let returned = put_back(admin, &orders, &history.put_back).await?;
    compare_units(admin, &orders, &history.picked, &returned).await
}

/// Orders whose units were put back, as it was acknowledged.
async fn put_back(
    admin: &mut PgConnection,
    orders: &BTreeMap<String, Order>,
    acknowledged: &[PutBack],
) -> anyhow::Result<BTreeSet<String>> {
    let mut acknowledged: BTreeMap<&str, &PutBack> =
        acknowledged.iter().map(|unit| (unit.order.as_str(), unit)).collect();
    let mut returned = BTreeSet::new();
    let query = "SELECT e.order_id::text AS for_order, e.product_id::text, f.code AS \"from\", t.code AS \"to\", e.quantity::bigint
                 FROM stock_entries AS e LEFT JOIN cells AS f ON f.id = e.from_cell_id LEFT JOIN cells AS t ON t.id = e.to_cell_id
                 WHERE e.kind = 'put_back'";
    for row in sqlx::query(query).fetch_all(admin).await? {
        let order: String = row.get("for_order");
        let told = acknowledged.remove(order.as_str()).with_context(|| format!("nobody put {order} back, or twice"))?;
        let same = row.get::<String, _>("product_id") == told.product
            && row.get::<Option<String>, _>("from").as_deref() == Some("PACKING")
            && row.get::<Option<String>, _>("to").as_ref() == Some(&told.cell)
            && row.get::<i64, _>("quantity") == 1;
        ensure!(same, "{told:?} was acknowledged, there is another");
        let is_cancelled = orders.get(&order).is_some_and(|order| order.status == "cancelled");
        ensure!(is_cancelled, "{order} was put back and is not cancelled");
        returned.insert(order);
    }
    ensure!(acknowledged.is_empty(), "{} units were put back and are not there", acknowledged.len());
    Ok(returned)
}

async fn compare_units(
    admin: &mut PgConnection,
    orders: &BTreeMap<String, Order>,
    acknowledged: &[Picked],
    returned: &BTreeSet<String>,
) -> anyhow::Result<()> {
    let mut kept: BTreeMap<String, Vec<Kept>> = BTreeMap::new();
    let query = "SELECT r.order_id::text AS for_order, r.product_id::text, c.code, r.quantity::bigint
                 FROM reservations AS r JOIN cells AS c ON c.id = r.cell_id
                 WHERE r.document_id IS NULL AND r.status = 'active'";
    for row in sqlx::query(query).fetch_all(&mut *admin).await? {
        let one = Kept { product: row.get("product_id"), cell: row.get("code"), quantity: row.get("quantity") };
        kept.entry(row.get("for_order")).or_default().push(one);
    }
    let mut acknowledged: BTreeMap<&str, &Picked> =
        acknowledged.iter().map(|picked| (picked.order.as_str(), picked)).collect();
    let mut taken = BTreeSet::new();
    let query = "SELECT e.order_id::text AS for_order, e.kind, e.product_id::text, e.from_cell_id::text, t.code AS \"to\", e.quantity::bigint
                 FROM stock_entries AS e LEFT JOIN cells AS t ON t.id = e.to_cell_id
                 WHERE e.document_id IS NULL AND e.receipt_id IS NULL AND e.transfer_id IS NULL AND e.kind <> 'put_back'";
    for row in sqlx::query(query).fetch_all(admin).await? {
        let order: Option<String> = row.get("for_order");
        let order = order.context("an entry has neither a document nor an order")?;
        let picked = acknowledged
            .remove(order.as_str())
            .with_context(|| format!("nobody took {order}, or it was taken twice"))?;
        let (kind, product, quantity): (String, String, i64) =
            (row.get("kind"), row.get("product_id"), row.get("quantity"));
        let (from, to): (Option<String>, Option<String>) = (row.get("from_cell_id"), row.get("to"));
        let same = kind == "pick"
            && product == picked.product
            && from.as_deref() == Some(picked.cell.as_str())
            && to.as_deref() == Some("PACKING")
            && quantity == 1;
        ensure!(same, "{picked:?} was acknowledged, there is {kind} of {quantity} {product} from {from:?} to {to:?}");
        taken.insert(order);
    }
    ensure!(acknowledged.is_empty(), "{} picks were acknowledged and are not there", acknowledged.len());
    for (id, order) in orders {
        let kept = kept.remove(id).unwrap_or_default();
        let number = order.number;
        match (order.status.as_str(), kept.as_slice()) {
            ("cancelled", []) => {
                let is_back = returned.contains(id);
                ensure!(!is_back || taken.contains(id), "order {number} was put back and never picked");
            }
            ("out_of_stock", []) => ensure!(!taken.contains(id), "order {number} was picked and has nothing"),
            ("reserved" | "picking" | "picked", [unit]) => {
                ensure!(
                    unit.quantity == 1 && Some(&unit.product) == order.product.as_ref(),
                    "order {number} has something else"
                );
                let is_picked = order.status == "picked";
                let is_packing = unit.cell == "PACKING";
                ensure!(
                    is_picked == is_packing && is_picked == taken.contains(id),
                    "order {number} is {} and its unit in {}",
                    order.status,
                    unit.cell
                );
            }
            (status, kept) => anyhow::bail!("order {number} is {status} and has {} units", kept.len()),
        }
    }
    ensure!(kept.is_empty(), "units are held for orders that are not there");
    Ok(())
}
