//! Where to put what has come: beside the same product first, else into an empty cell, else beside others that it may lie
//! with, the nearer the better; never where it does not fit.

use crate::access::Permission;
use crate::db::EnterpriseTx;
use crate::ids::{CellId, ProductId, WarehouseId};
use crate::{Error, Result, products, warehouses};

/// A cell to put goods into.
#[derive(Clone, Debug)]
pub struct Suggestion {
    /// Which one.
    pub cell_id: CellId,
    /// Its code.
    pub cell: String,
    /// Units of the product that lie there; none in an empty cell.
    pub of_product: i64,
    /// How many more units fit; absent where nothing limits them.
    pub room: Option<i64>,
}

/// How many cells are suggested.
const SUGGESTIONS: i64 = 10;

/// The cells into which so many units of a product should be put, best first.
pub async fn suggest(
    tx: &mut EnterpriseTx,
    warehouse_id: WarehouseId,
    product_id: ProductId,
    quantity: i64,
) -> Result<Vec<Suggestion>> {
    warehouses::enter(tx, warehouse_id, Permission::ReadStock).await?;
    products::get(tx, product_id).await?;
    if !(1..=1_000_000).contains(&quantity) {
        return Err(Error::invalid("quantity", "must be between 1 and 1000000"));
    }
    Ok(sqlx::query_as!(
        Suggestion,
        r#"WITH wanted AS (
               SELECT p.id, coalesce(p.account_id::text || '/' || p.nm_id, p.id::text) AS card,
                      unit_volume_ml(p.length_mm, p.width_mm, p.height_mm) AS volume_ml, p.weight_g
               FROM products AS p WHERE p.id = $2
           ), here AS (
               SELECT c.id, c.code, c.pick_sequence, c.mixing, w.card,
                      least(c.capacity_units - k.units,
                            (c.capacity_volume_ml - k.volume_ml) / nullif(w.volume_ml, 0),
                            (c.capacity_weight_g - k.weight_g) / nullif(w.weight_g, 0)) AS room,
                      k.products,
                      (SELECT coalesce(sum(b.on_hand), 0) FROM balances AS b
                       WHERE b.cell_id = c.id AND b.product_id = w.id)::bigint AS of_product
               FROM cells AS c CROSS JOIN wanted AS w CROSS JOIN LATERAL cell_content(c.enterprise_id, c.id) AS k
               WHERE c.warehouse_id = $1 AND c.purpose IN ('storage', 'picking') AND c.blocked_at IS NULL AND c.archived_at IS NULL
           )
           SELECT h.id AS "cell_id!: CellId", h.code AS "cell!", h.of_product AS "of_product!", h.room
           FROM here AS h
           WHERE coalesce(h.room, 1) > 0
             AND NOT EXISTS (SELECT FROM balances AS b JOIN products AS o ON o.id = b.product_id
                             WHERE b.cell_id = h.id AND b.on_hand > 0 AND b.product_id <> $2
                               AND (h.mixing = 'one_product'
                                    OR (h.mixing = 'one_card' AND coalesce(o.account_id::text || '/' || o.nm_id, o.id::text) <> h.card)))
           ORDER BY CASE WHEN h.of_product > 0 THEN 0 WHEN h.products = 0 THEN 1 ELSE 2 END,
                    coalesce(h.room, $4) < $4, h.pick_sequence, h.code
           LIMIT $3"#,
        warehouse_id as _,
        product_id as _,
        SUGGESTIONS,
        quantity,
    )
    .fetch_all(tx.conn())
    .await?)
}
