//! Orders as they land: each once, with stock reserved in the same transaction.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};

use super::follow::{is_cancelled, is_shipped};
use super::{OrderStatus, store};
use crate::Result;
use crate::db::EnterpriseTx;
use crate::ids::{AccountId, ChrtId, NmId, OrderId, ProductId, WarehouseId, WbOfficeId, WbOrderId, WbWarehouseId};
use crate::inventory::{self, Wanted};

/// A page from which on making plans anew costs less than old plans may.
const WORTH_PLANNING: usize = 100;

/// An order as Wildberries told it, in our words.
#[derive(Clone, Debug)]
pub struct OrderFacts {
    /// Its number.
    pub wb_order_id: WbOrderId,
    /// The seller's warehouse.
    pub wb_warehouse_id: WbWarehouseId,
    /// The office it goes to.
    pub wb_office_id: Option<WbOfficeId>,
    /// The card.
    pub nm_id: NmId,
    /// The size.
    pub chrt_id: ChrtId,
    /// The seller's article code.
    pub article: String,
    /// A barcode of the size.
    pub barcode: Option<String>,
    /// The unit's number in reports (`srid`).
    pub rid: Option<String>,
    /// The basket's number.
    pub order_uid: Option<String>,
    /// Minor units.
    pub price_minor: i64,
    /// ISO 4217.
    pub currency: String,
    /// 1 small, 2 large, 3 oversized.
    pub cargo_type: i32,
    /// 0 inside the country.
    pub cross_border_type: i32,
    /// To a company.
    pub is_b2b: bool,
    /// Ordered when the published stock was zero: may be cancelled without a fine.
    pub is_zero_order: bool,
    /// Marks that must be given.
    pub required_marks: Vec<String>,
    /// When the buyer ordered.
    pub placed_at: DateTime<Utc>,
    /// Where it is there, moved by the seller.
    pub supplier_status: String,
    /// Where it is there, moved by Wildberries and the buyer.
    pub wb_status: String,
}

/// What an import did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Imported {
    /// Orders that were not there.
    pub added: i64,
    /// Of these, with stock reserved.
    pub reserved: i64,
    /// Orders that were already there.
    pub known: i64,
}

struct Placed {
    facts: usize,
    id: OrderId,
    product_id: Option<ProductId>,
    warehouse_id: Option<WarehouseId>,
    status: OrderStatus,
}

/// Imports a page of orders: the new ones are written, reserved in the order in which buyers placed them, and have
/// their history; the known ones stay as they are. A second import of the same page at the same time changes nothing.
pub async fn import(tx: &mut EnterpriseTx, account_id: AccountId, facts: &[OrderFacts]) -> Result<Imported> {
    // A connection keeps the plans of its foreign keys. Made while a table was small they read all of it, for every row of
    // a page: no harm today, and a second a page once there are a hundred thousand orders.
    if facts.len() >= WORTH_PLANNING {
        sqlx::query("DISCARD PLANS").execute(tx.conn()).await?;
    }
    let fresh = only_unknown(tx, account_id, facts).await?;
    let mut placed = resolve(tx, account_id, facts, fresh).await?;
    placed.sort_by_key(|order| (facts[order.facts].placed_at, facts[order.facts].wb_order_id));
    let wanted: Vec<_> = placed
        .iter()
        .filter(|order| initial(&facts[order.facts]).is_none())
        .filter_map(|order| {
            Some(Wanted { order_id: order.id, product_id: order.product_id?, warehouse_id: order.warehouse_id? })
        })
        .collect();
    let mut allotted = inventory::allot(tx, &wanted).await?;
    let found: HashSet<_> = allotted.iter().map(|unit| unit.order_id).collect();
    for order in &mut placed {
        order.status = initial(&facts[order.facts]).unwrap_or(
            match (found.contains(&order.id), order.product_id.is_some() && order.warehouse_id.is_some()) {
                (true, _) => OrderStatus::Reserved,
                (false, true) => OrderStatus::OutOfStock,
                (false, false) => OrderStatus::New,
            },
        );
    }
    let written = insert(tx, account_id, facts, &placed).await?;
    placed.retain(|order| written.contains(&order.id));
    allotted.retain(|unit| written.contains(&unit.order_id));
    inventory::reserve(tx, &allotted).await?;
    write_history(tx, &placed).await?;
    let added = i64::try_from(placed.len()).expect("a page is small");
    Ok(Imported {
        added,
        reserved: i64::try_from(inventory::served(&allotted)).expect("a page is small"),
        known: i64::try_from(facts.len()).expect("a page is small") - added,
    })
}

/// Orders from an earlier life of the account have left our warehouse without this ledger: they are kept as they are
/// there, and hold no stock.
fn initial(facts: &OrderFacts) -> Option<OrderStatus> {
    if is_cancelled(&facts.supplier_status, &facts.wb_status) {
        Some(OrderStatus::Cancelled)
    } else if facts.wb_status == "sold" {
        Some(OrderStatus::Delivered)
    } else if is_shipped(&facts.supplier_status, &facts.wb_status) {
        Some(OrderStatus::Shipped)
    } else {
        None
    }
}

/// The positions of facts that name an order not stored yet; each number once.
async fn only_unknown(tx: &mut EnterpriseTx, account_id: AccountId, facts: &[OrderFacts]) -> Result<Vec<usize>> {
    let numbers: Vec<_> = facts.iter().map(|order| order.wb_order_id.0).collect();
    let enterprise_id = tx.enterprise_id();
    // One look into the index per number: a list of numbers would read the whole table until it has statistics, which is
    // the whole first import long.
    let known = sqlx::query_scalar!(
        r#"SELECT n.wb_order_id AS "wb_order_id!: WbOrderId"
           FROM unnest($3::bigint[]) AS n (wb_order_id)
           CROSS JOIN LATERAL (SELECT FROM orders AS o
                               WHERE o.enterprise_id = $1 AND o.account_id = $2 AND o.wb_order_id = n.wb_order_id LIMIT 1) AS known"#,
        enterprise_id as _,
        account_id as _,
        &numbers
    )
    .fetch_all(tx.conn())
    .await?;
    let mut seen: HashSet<_> = known.into_iter().collect();
    Ok((0..facts.len()).filter(|index| seen.insert(facts[*index].wb_order_id)).collect())
}

async fn resolve(
    tx: &mut EnterpriseTx,
    account_id: AccountId,
    facts: &[OrderFacts],
    fresh: Vec<usize>,
) -> Result<Vec<Placed>> {
    let sizes: Vec<_> = fresh.iter().map(|index| facts[*index].chrt_id.0).collect();
    let products: HashMap<_, _> = sqlx::query!(
        r#"SELECT chrt_id AS "chrt_id!: ChrtId", id FROM products WHERE account_id = $1 AND chrt_id = ANY($2)"#,
        account_id as _,
        &sizes
    )
    .fetch_all(tx.conn())
    .await?
    .into_iter()
    .map(|row| (row.chrt_id, row.id))
    .collect();
    let warehouses: HashMap<_, _> = sqlx::query!(
        "SELECT wb_warehouse_id, warehouse_id FROM wildberries_warehouses WHERE account_id = $1",
        account_id as _
    )
    .fetch_all(tx.conn())
    .await?
    .into_iter()
    .map(|row| (row.wb_warehouse_id, row.warehouse_id))
    .collect();
    let place = |index: usize| {
        let order = &facts[index];
        Placed {
            facts: index,
            id: OrderId::new(),
            product_id: products.get(&order.chrt_id).copied(),
            warehouse_id: warehouses.get(&order.wb_warehouse_id).copied().flatten(),
            status: OrderStatus::New,
        }
    };
    Ok(fresh.into_iter().map(place).collect())
}

async fn insert(
    tx: &mut EnterpriseTx,
    account_id: AccountId,
    facts: &[OrderFacts],
    placed: &[Placed],
) -> Result<HashSet<OrderId>> {
    let (enterprise_id, now) = (tx.enterprise_id(), tx.now().await?);
    let rows: Vec<_> = placed.iter().map(|order| (order, &facts[order.facts])).collect();
    let marks: Vec<_> = rows.iter().map(|(_, facts)| facts.required_marks.join(",")).collect();
    let written = sqlx::query_scalar!(
        "INSERT INTO orders (enterprise_id, id, account_id, wb_order_id, status, supplier_status, wb_status, product_id, warehouse_id,
                             wb_warehouse_id, wb_office_id, nm_id, chrt_id, article, barcode, rid, order_uid, price_minor, currency,
                             cargo_type, cross_border_type, is_b2b, is_zero_order, required_marks, placed_at, imported_at, changed_at)
         SELECT $1, o.id, $2, o.wb_order_id, o.status, o.supplier_status, o.wb_status, o.product_id, o.warehouse_id,
                o.wb_warehouse_id, o.wb_office_id, o.nm_id, o.chrt_id, o.article, o.barcode, o.rid, o.order_uid, o.price_minor, o.currency,
                o.cargo_type, o.cross_border_type, o.is_b2b, o.is_zero_order,
                CASE WHEN o.marks = '' THEN '{}' ELSE string_to_array(o.marks, ',') END, o.placed_at, $3, $3
         FROM unnest($4::uuid[], $5::bigint[], $6::text[], $7::text[], $8::uuid[], $9::uuid[], $10::bigint[], $11::bigint[], $12::bigint[],
                     $13::bigint[], $14::text[], $15::text[], $16::text[], $17::text[], $18::bigint[], $19::text[], $20::int[], $21::int[],
                     $22::boolean[], $23::boolean[], $24::text[], $25::timestamptz[], $26::text[])
              AS o (id, wb_order_id, status, supplier_status, product_id, warehouse_id, wb_warehouse_id, wb_office_id, nm_id,
                    chrt_id, article, barcode, rid, order_uid, price_minor, currency, cargo_type, cross_border_type,
                    is_b2b, is_zero_order, marks, placed_at, wb_status)
         ON CONFLICT (enterprise_id, account_id, wb_order_id) DO NOTHING
         RETURNING id",
        enterprise_id as _,
        account_id as _,
        now,
        &rows.iter().map(|(order, _)| order.id.0).collect::<Vec<_>>(),
        &rows.iter().map(|(_, facts)| facts.wb_order_id.0).collect::<Vec<_>>(),
        &rows.iter().map(|(order, _)| order.status.name().to_owned()).collect::<Vec<_>>(),
        &rows.iter().map(|(_, facts)| facts.supplier_status.clone()).collect::<Vec<_>>(),
        &rows.iter().map(|(order, _)| order.product_id.map(|id| id.0)).collect::<Vec<_>>() as &[Option<uuid::Uuid>],
        &rows.iter().map(|(order, _)| order.warehouse_id.map(|id| id.0)).collect::<Vec<_>>() as &[Option<uuid::Uuid>],
        &rows.iter().map(|(_, facts)| facts.wb_warehouse_id.0).collect::<Vec<_>>(),
        &rows.iter().map(|(_, facts)| facts.wb_office_id.map(|id| id.0)).collect::<Vec<_>>() as &[Option<i64>],
        &rows.iter().map(|(_, facts)| facts.nm_id.0).collect::<Vec<_>>(),
        &rows.iter().map(|(_, facts)| facts.chrt_id.0).collect::<Vec<_>>(),
        &rows.iter().map(|(_, facts)| facts.article.clone()).collect::<Vec<_>>(),
        &rows.iter().map(|(_, facts)| facts.barcode.clone()).collect::<Vec<_>>() as &[Option<String>],
        &rows.iter().map(|(_, facts)| facts.rid.clone()).collect::<Vec<_>>() as &[Option<String>],
        &rows.iter().map(|(_, facts)| facts.order_uid.clone()).collect::<Vec<_>>() as &[Option<String>],
        &rows.iter().map(|(_, facts)| facts.price_minor).collect::<Vec<_>>(),
        &rows.iter().map(|(_, facts)| facts.currency.clone()).collect::<Vec<_>>(),
        &rows.iter().map(|(_, facts)| facts.cargo_type).collect::<Vec<_>>(),
        &rows.iter().map(|(_, facts)| facts.cross_border_type).collect::<Vec<_>>(),
        &rows.iter().map(|(_, facts)| facts.is_b2b).collect::<Vec<_>>(),
        &rows.iter().map(|(_, facts)| facts.is_zero_order).collect::<Vec<_>>(),
        &marks,
        &rows.iter().map(|(_, facts)| facts.placed_at).collect::<Vec<_>>(),
        &rows.iter().map(|(_, facts)| facts.wb_status.clone()).collect::<Vec<_>>(),
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(written.into_iter().collect())
}

/// Each order arrived, and most of them were reserved at once: both steps have their line.
async fn write_history(tx: &mut EnterpriseTx, placed: &[Placed]) -> Result<()> {
    let all: Vec<_> = placed.iter().map(|order| order.id).collect();
    store::write_history(tx, &all, None, OrderStatus::New, None).await?;
    for status in [
        OrderStatus::Reserved,
        OrderStatus::OutOfStock,
        OrderStatus::Shipped,
        OrderStatus::Delivered,
        OrderStatus::Cancelled,
    ] {
        let stepped: Vec<_> = placed.iter().filter(|order| order.status == status).map(|order| order.id).collect();
        if !stepped.is_empty() {
            store::write_history(tx, &stepped, Some(OrderStatus::New), status, None).await?;
        }
    }
    Ok(())
}
