-- Warehouses at Wildberries that one own warehouse feeds share its stock: no unit is stated twice.

-- Whoever comes first has its units first, up to its quota; what is left goes to the next. Of two at one place the one with
-- the smaller number at Wildberries comes first. A warehouse takes part from its first statement on.
ALTER TABLE publishing
    ADD COLUMN priority   integer NOT NULL DEFAULT 0
        CONSTRAINT publishing_priority_range CHECK (priority BETWEEN 0 AND 1000000),
    ADD COLUMN takes_part boolean NOT NULL DEFAULT false;
ALTER TABLE publishing        NO FORCE ROW LEVEL SECURITY;
ALTER TABLE stated_quantities NO FORCE ROW LEVEL SECURITY;
UPDATE publishing AS p SET takes_part = true
WHERE EXISTS (SELECT FROM stated_quantities AS s
              WHERE (s.enterprise_id, s.account_id, s.wb_warehouse_id) = (p.enterprise_id, p.account_id, p.wb_warehouse_id));
ALTER TABLE publishing        FORCE ROW LEVEL SECURITY;
ALTER TABLE stated_quantities FORCE ROW LEVEL SECURITY;

-- What was stated is read in the order in which it was stated.
CREATE INDEX stated_quantities_number_idx ON stated_quantities (enterprise_id, account_id, wb_warehouse_id, number, product_id);

-- How much of a stock is given away to those who come one after the other: each takes up to its quota of what its room
-- leaves to it behind what is taken.
CREATE FUNCTION take_share(taken bigint, quota bigint, room bigint) RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT greatest(taken, least(taken + quota, room))
$$;
CREATE AGGREGATE taken_shares (quota bigint, room bigint) (SFUNC = take_share, STYPE = bigint, INITCOND = '0');

-- What may be published in a warehouse at Wildberries, of the products of its account behind one of them, at most so many;
-- NULL: of all of them.
--
-- available: what orders may have in the own warehouse. safety: what is kept back of it, the warehouse's or the product's
-- own, whichever is greater. before: what those have that come first. No quota means as many as a quota can be.
CREATE FUNCTION publishing_goals(account uuid, theirs bigint, own uuid, day date, behind uuid, most bigint)
    RETURNS TABLE (product_id uuid, available bigint, safety integer, quota integer, before bigint, quantity integer)
    LANGUAGE sql STABLE AS $$
    WITH asked AS (
        SELECT p.id, p.safety_stock FROM products AS p
        WHERE p.account_id = account AND p.archived_at IS NULL AND p.id > behind
        ORDER BY p.id LIMIT most
    ), free AS (
        SELECT b.product_id, sum(units_for_orders(b, c, l, day))::bigint AS units
        FROM asked AS a
        JOIN balances AS b ON b.product_id = a.id
        JOIN cells AS c ON c.enterprise_id = b.enterprise_id AND c.id = b.cell_id
        JOIN lots AS l ON l.enterprise_id = b.enterprise_id AND l.id = b.lot_id
        WHERE b.on_hand > 0 AND c.warehouse_id = own
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
        SELECT a.id, taken_shares(coalesce(q.quota, o.quota, 1000000)::bigint, f.units - greatest(o.safety, a.safety_stock)
                                  ORDER BY o.priority, o.wb_warehouse_id) AS units
        FROM first AS o
        CROSS JOIN asked AS a
        JOIN free AS f ON f.product_id = a.id
        LEFT JOIN publishing_quotas AS q ON q.account_id = account AND q.wb_warehouse_id = o.wb_warehouse_id AND q.product_id = a.id
        GROUP BY 1
    ), known AS (
        SELECT a.id, coalesce(f.units, 0) AS available, greatest(rule.safety, a.safety_stock, 0) AS safety,
               coalesce(q.quota, rule.quota) AS quota, coalesce(t.units, 0) AS before
        FROM asked AS a
        CROSS JOIN rule
        LEFT JOIN free AS f ON f.product_id = a.id
        LEFT JOIN taken AS t ON t.id = a.id
        LEFT JOIN publishing_quotas AS q ON q.account_id = account AND q.wb_warehouse_id = theirs AND q.product_id = a.id
    )
    SELECT k.id, k.available, k.safety, k.quota, k.before,
           (taken_after.units - k.before)::integer
    FROM known AS k
    CROSS JOIN LATERAL (SELECT take_share(k.before, coalesce(k.quota, 1000000)::bigint, k.available - k.safety) AS units) AS taken_after
$$;
