-- A bundle is published up to a quota of its own, and what it is made of keeps so much back: no unit is stated twice, once in
-- a bundle and once by itself.

-- What may be published in a warehouse at Wildberries, of the products of its account behind one of them, at most so many;
-- NULL: of all of them.
--
-- available: what orders may have in the own warehouse; of a bundle, how many of it that makes. safety: what is kept back of
-- it, the warehouse's or the product's own, whichever is greater. before: what bundles have of it, and the warehouses that
-- come first. No quota means as many as a quota can be, and for a bundle none.
--
-- Where there is less of a part than quotas of bundles ask for, each has its share of it: the shares together are never more
-- than there is. A part that is sold in another account, or in bundles of another one, gives none to a bundle of this one:
-- what is stated there is not lowered by a statement here.
CREATE OR REPLACE FUNCTION publishing_goals(account uuid, theirs bigint, own uuid, day date, behind uuid, most bigint)
    RETURNS TABLE (product_id uuid, available bigint, safety integer, quota integer, before bigint, quantity integer)
    LANGUAGE sql STABLE AS $$
    WITH asked AS (
        SELECT p.id, p.safety_stock, p.is_bundle FROM products AS p
        WHERE p.account_id = account AND p.archived_at IS NULL AND p.id > behind
        ORDER BY p.id LIMIT most
    ), made AS (
        SELECT k.bundle_id, k.component_id, k.quantity, p.safety_stock, coalesce(p.account_id = account, true) AS is_ours
        FROM asked AS a
        JOIN bundle_components AS k ON k.bundle_id = a.id
        JOIN products AS p ON p.enterprise_id = k.enterprise_id AND p.id = k.component_id
        WHERE a.is_bundle
    ), stored AS (
        SELECT a.id FROM asked AS a WHERE NOT a.is_bundle UNION SELECT m.component_id FROM made AS m
    ), free AS (
        SELECT b.product_id, sum(units_for_orders(b, c, l, day))::bigint AS units
        FROM stored AS s
        JOIN balances AS b ON b.product_id = s.id
        JOIN cells AS c ON c.enterprise_id = b.enterprise_id AND c.id = b.cell_id
        JOIN lots AS l ON l.enterprise_id = b.enterprise_id AND l.id = b.lot_id
        WHERE b.on_hand > 0 AND c.warehouse_id = own
        GROUP BY 1
    ), kept AS (
        SELECT k.component_id AS id, sum(q.quota::bigint * k.quantity)::bigint AS units,
               bool_or(q.account_id <> account AND q.quota > 0) AS is_elsewhere
        FROM wildberries_warehouses AS w
        JOIN publishing_quotas AS q ON q.account_id = w.account_id AND q.wb_warehouse_id = w.wb_warehouse_id
        JOIN bundle_components AS k ON k.bundle_id = q.product_id
        JOIN products AS p ON p.enterprise_id = k.enterprise_id AND p.id = k.bundle_id
        WHERE w.warehouse_id = own AND w.gone_at IS NULL AND p.archived_at IS NULL AND k.component_id IN (SELECT s.id FROM stored AS s)
        GROUP BY 1
    ), rule AS (
        SELECT coalesce(max(r.safety), 0) AS safety, max(r.quota) AS quota, coalesce(max(r.priority), 0) AS priority
        FROM publishing AS r WHERE r.account_id = account AND r.wb_warehouse_id = theirs
    ), first AS (
        SELECT r.wb_warehouse_id, r.safety, r.quota, r.priority
        FROM wildberries_warehouses AS w
        JOIN publishing AS r ON r.account_id = w.account_id AND r.wb_warehouse_id = w.wb_warehouse_id
        CROSS JOIN rule
        WHERE w.account_id = account AND w.warehouse_id = own AND w.gone_at IS NULL AND r.takes_part
          AND (r.priority, r.wb_warehouse_id) < (rule.priority, theirs)
    ), taken AS (
        SELECT a.id, taken_shares(coalesce(q.quota, o.quota, 1000000)::bigint,
                                  f.units - greatest(o.safety, a.safety_stock) - coalesce(k.units, 0)
                                  ORDER BY o.priority, o.wb_warehouse_id) AS units
        FROM first AS o
        CROSS JOIN asked AS a
        JOIN free AS f ON f.product_id = a.id
        LEFT JOIN kept AS k ON k.id = a.id
        LEFT JOIN publishing_quotas AS q ON q.account_id = account AND q.wb_warehouse_id = o.wb_warehouse_id AND q.product_id = a.id
        GROUP BY 1
    ), by_itself AS (
        SELECT a.id, coalesce(f.units, 0) AS available, greatest(rule.safety, a.safety_stock, 0) AS safety,
               coalesce(q.quota, rule.quota) AS quota, coalesce(k.units, 0) AS bundled, coalesce(t.units, 0) AS taken
        FROM asked AS a
        CROSS JOIN rule
        LEFT JOIN free AS f ON f.product_id = a.id
        LEFT JOIN kept AS k ON k.id = a.id
        LEFT JOIN taken AS t ON t.id = a.id
        LEFT JOIN publishing_quotas AS q ON q.account_id = account AND q.wb_warehouse_id = theirs AND q.product_id = a.id
        WHERE NOT a.is_bundle
    ), bundles AS (
        SELECT a.id, a.safety_stock, coalesce(max(q.quota), 0) AS quota, min(coalesce(f.units, 0) / m.quantity) AS available,
               min(CASE WHEN NOT m.is_ours OR k.is_elsewhere THEN 0
                        WHEN room.units >= k.units THEN q.quota
                        ELSE q.quota * room.units / k.units END) AS share
        FROM asked AS a
        CROSS JOIN rule
        JOIN made AS m ON m.bundle_id = a.id
        LEFT JOIN free AS f ON f.product_id = m.component_id
        LEFT JOIN kept AS k ON k.id = m.component_id
        LEFT JOIN publishing_quotas AS q ON q.account_id = account AND q.wb_warehouse_id = theirs AND q.product_id = a.id
        CROSS JOIN LATERAL (
            SELECT greatest(coalesce(f.units, 0) - greatest(rule.safety, m.safety_stock, 0), 0) AS units
        ) AS room
        GROUP BY a.id, a.safety_stock
    )
    SELECT s.id, s.available, s.safety, s.quota, s.bundled + s.taken, (after.units - s.taken)::integer
    FROM by_itself AS s
    CROSS JOIN LATERAL (
        SELECT take_share(s.taken, coalesce(s.quota, 1000000)::bigint, s.available - s.safety - s.bundled) AS units
    ) AS after
    UNION ALL
    SELECT b.id, b.available, coalesce(b.safety_stock, 0), b.quota, 0,
           greatest(least(coalesce(b.share, 0), b.available - coalesce(b.safety_stock, 0)), 0)::integer
    FROM bundles AS b
$$;
