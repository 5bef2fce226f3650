//! What still uses a product: for who asks, and for who wants it archived or made a bundle.
//!
//! Imports are not among it: a session finds out by itself that a product of its rows is archived by now.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::look;
use crate::access::Permission;
use crate::db::EnterpriseTx;
use crate::ids::ProductId;
use crate::{Error, Refusal, Result, inventory};

/// What kind of thing uses a product.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, sqlx::Type)]
#[cfg_attr(feature = "openapi", derive(poem_openapi::Enum))]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", oai(rename = "ProductUseKind", rename_all = "snake_case"))]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum UseKind {
    /// Units of it lie in cells.
    Stock,
    /// Units of it are held for somebody.
    Reservations,
    /// Orders ask for it that are not through.
    Orders,
    /// Requests that are not ended have lines of it.
    Requests,
    /// Receipt sheets that are not posted expect it or have counted it.
    ReceiptSheets,
    /// Transfers that are not over carry it.
    Transfers,
    /// Stock counts that are not over count it.
    Counts,
    /// Bundles that are not archived are made of it.
    Bundles,
}

impl UseKind {
    fn word(self) -> &'static str {
        match self {
            Self::Stock => "stock",
            Self::Reservations => "reservations",
            Self::Orders => "orders",
            Self::Requests => "requests",
            Self::ReceiptSheets => "receipt sheets",
            Self::Transfers => "transfers",
            Self::Counts => "counts",
            Self::Bundles => "bundles",
        }
    }
}

/// All uses of one kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProductUse {
    /// Of this kind.
    pub kind: UseKind,
    /// How many: units of stock, or reservations, orders and so on.
    pub count: i64,
    /// Up to five of them, in words.
    pub examples: Vec<String>,
    /// How many there are beside the examples.
    pub more: i64,
}

impl std::fmt::Display for ProductUse {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.kind.word(), self.examples.join(", "))?;
        if self.more > 0 { write!(f, " and {} more", self.more) } else { Ok(()) }
    }
}

/// What uses a product, in the warehouses in reach.
pub async fn uses(tx: &mut EnterpriseTx, id: ProductId) -> Result<Vec<ProductUse>> {
    let bounds = tx.bounds(Permission::ReadStock)?;
    look::show(tx, id).await?;
    Ok(of(tx, &[id], bounds.warehouses).await?.remove(&id).unwrap_or_default())
}

/// Fails with the list of what uses the product, if anything does. Lines up at it first: until this transaction ends no
/// stock of it comes or goes.
pub(super) async fn refuse_used(tx: &mut EnterpriseTx, id: ProductId) -> Result<()> {
    // Behind the row and not before it: so does the sync, which writes cards and then serves the orders for them.
    inventory::line_up(tx, &[id]).await?;
    match of(tx, &[id], None).await?.get(&id) {
        None => Ok(()),
        Some(uses) => Err(Error::refused(Refusal::ProductInUse, format!("it is still used: {}", words(uses)))),
    }
}

/// The same for a product that becomes a bundle: orders that only wait for it are served with its parts then.
pub(super) async fn refuse_kept(tx: &mut EnterpriseTx, id: ProductId) -> Result<()> {
    inventory::line_up(tx, &[id]).await?;
    let waiting = sqlx::query_scalar!(
        r#"SELECT count(*) AS "count!" FROM orders WHERE product_id = $1 AND status IN ('new', 'out_of_stock')"#,
        id as _
    )
    .fetch_one(tx.conn())
    .await?;
    let mut uses = of(tx, &[id], None).await?.remove(&id).unwrap_or_default();
    uses.retain(|one| one.kind != UseKind::Orders || one.count > waiting);
    if uses.is_empty() {
        return Ok(());
    }
    Err(Error::refused(Refusal::ProductInUse, format!("it is still used: {}", words(&uses))))
}

/// As a person reads it.
pub(super) fn words(uses: &[ProductUse]) -> String {
    uses.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

/// What uses these products, by product, in these warehouses or everywhere. Those that nothing uses are left out.
pub(super) async fn of(
    tx: &mut EnterpriseTx,
    ids: &[ProductId],
    warehouses: Option<Vec<Uuid>>,
) -> Result<HashMap<ProductId, Vec<ProductUse>>> {
    let ids: Vec<_> = ids.iter().map(|id| id.0).collect();
    let rows = sqlx::query!(
        r#"SELECT product_id AS "product_id!: ProductId", kind AS "kind!: UseKind", sum(units)::bigint AS "count!",
                  (array_agg(what ORDER BY what))[1:5] AS "examples!: Vec<String>", count(*) AS "all!"
           FROM (
               SELECT b.product_id, 'stock' AS kind, sum(b.on_hand) AS units,
                      format('%s in cell %s of warehouse %s', sum(b.on_hand), c.code, w.name) AS what
               FROM balances AS b JOIN cells AS c ON c.id = b.cell_id JOIN warehouses AS w ON w.id = c.warehouse_id
               WHERE b.product_id = ANY($1) AND b.on_hand > 0 AND ($2::uuid[] IS NULL OR c.warehouse_id = ANY($2))
               GROUP BY b.product_id, c.id, c.code, w.name
               UNION ALL
               SELECT r.product_id, 'reservations', 1, format('%s in cell %s', r.quantity, c.code)
               FROM reservations AS r JOIN cells AS c ON c.id = r.cell_id
               WHERE r.product_id = ANY($1) AND r.status = 'active' AND ($2::uuid[] IS NULL OR c.warehouse_id = ANY($2))
               UNION ALL
               SELECT o.product_id, 'orders', 1, format('%s (%s)', o.wb_order_id, o.status) FROM orders AS o
               WHERE o.product_id = ANY($1) AND o.status IN ('new', 'out_of_stock', 'reserved', 'picking', 'picked', 'packed')
                 AND ($2::uuid[] IS NULL OR o.warehouse_id = ANY($2))
               UNION ALL
               SELECT DISTINCT l.product_id, 'requests', 1, format('%s (%s)', r.id, r.status) FROM requests AS r
               JOIN (SELECT request_id, product_id FROM pick_lines WHERE product_id = ANY($1)
                     UNION ALL SELECT request_id, product_id FROM move_lines WHERE product_id = ANY($1)) AS l ON l.request_id = r.id
               WHERE r.status IN ('created', 'assigned', 'in_progress', 'in_review', 'rejected')
                 AND ($2::uuid[] IS NULL OR r.warehouse_id = ANY($2))
               UNION ALL
               SELECT DISTINCT l.product_id, 'receipt_sheets', 1, format('%s (%s)', s.number, s.status)
               FROM receipt_sheet_lines AS l JOIN receipt_sheets AS s ON s.id = l.sheet_id
               WHERE l.product_id = ANY($1) AND s.status IN ('expected', 'counting')
                 AND ($2::uuid[] IS NULL OR s.warehouse_id = ANY($2))
               UNION ALL
               SELECT DISTINCT l.product_id, 'transfers', 1, format('%s (%s)', t.number, t.status)
               FROM transfer_lines AS l JOIN transfers AS t ON t.id = l.transfer_id
               WHERE l.product_id = ANY($1) AND t.status IN ('draft', 'in_transit', 'receiving')
                 AND ($2::uuid[] IS NULL OR t.from_warehouse_id = ANY($2) OR t.to_warehouse_id = ANY($2))
               UNION ALL
               SELECT l.product_id, 'counts', 1, format('%s (%s)', t.name, t.status)
               FROM (SELECT count_id, product_id FROM count_targets WHERE product_id = ANY($1)
                     UNION SELECT count_id, product_id FROM count_lines WHERE product_id = ANY($1)) AS l
               JOIN counts AS t ON t.id = l.count_id
               WHERE t.status IN ('planned', 'counting', 'review', 'posting')
                 AND ($2::uuid[] IS NULL OR t.warehouse_id = ANY($2))
               UNION ALL
               SELECT k.component_id, 'bundles', 1, p.sku
               FROM bundle_components AS k JOIN products AS p ON p.id = k.bundle_id
               WHERE k.component_id = ANY($1) AND p.archived_at IS NULL
           ) AS uses
           GROUP BY product_id, kind"#,
        &ids,
        warehouses.as_deref(),
    )
    .fetch_all(tx.conn())
    .await?;
    let mut found: HashMap<ProductId, Vec<ProductUse>> = HashMap::new();
    for row in rows {
        let more = row.all - i64::try_from(row.examples.len()).unwrap_or(i64::MAX);
        let one = ProductUse { kind: row.kind, count: row.count, examples: row.examples, more };
        found.entry(row.product_id).or_default().push(one);
    }
    for uses in found.values_mut() {
        uses.sort_unstable_by_key(|one| one.kind);
    }
    Ok(found)
}
