-- Cells under count: a frozen one gives and takes nothing, as a blocked one; what is being counted is not corrected by hand;
-- and what a count corrects lies there already, whatever the cell takes. What Wildberries already has is told of a frozen cell, too:
-- it left before.

CREATE OR REPLACE FUNCTION serves_orders(place cells) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT place.purpose IN ('storage', 'picking') AND place.blocked_at IS NULL AND place.archived_at IS NULL AND place.frozen_count_id IS NULL
$$;

CREATE OR REPLACE FUNCTION cells_admit_entries() RETURNS trigger
    LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
DECLARE
    refused  record;
    counting uuid;
BEGIN
    SELECT k.id INTO counting
    FROM (SELECT DISTINCT enterprise_id, document_id FROM written WHERE document_id IS NOT NULL) AS w
    JOIN counts AS k ON k.enterprise_id = w.enterprise_id AND k.document_id = w.document_id
    LIMIT 1;

    SELECT c.code, c.blocked_at, c.blocked_reason, c.archived, c.counted_by INTO refused
    FROM (SELECT enterprise_id, from_cell_id AS id, kind = 'ship' AS left_before FROM written WHERE from_cell_id IS NOT NULL
          UNION SELECT enterprise_id, to_cell_id, false FROM written WHERE to_cell_id IS NOT NULL) AS touched
    CROSS JOIN LATERAL (SELECT c.code, c.blocked_at, c.blocked_reason, num_nonnulls(c.archived_at, w.archived_at) > 0 AS archived,
                               (SELECT k.name FROM counts AS k WHERE k.enterprise_id = c.enterprise_id AND k.id = c.frozen_count_id) AS counted_by
                        FROM cells AS c JOIN warehouses AS w ON w.enterprise_id = c.enterprise_id AND w.id = c.warehouse_id
                        WHERE c.enterprise_id = touched.enterprise_id AND c.id = touched.id
                          AND (num_nonnulls(c.blocked_at, c.archived_at, w.archived_at) > 0
                               OR (c.frozen_count_id IS DISTINCT FROM counting AND c.frozen_count_id IS NOT NULL AND NOT touched.left_before))
                        LIMIT 1) AS c
    ORDER BY c.code LIMIT 1;
    IF FOUND AND refused.blocked_at IS NOT NULL THEN
        RAISE check_violation USING CONSTRAINT = 'cells_blocked', TABLE = 'cells',
            MESSAGE = format('cell %s is blocked: %s', refused.code, refused.blocked_reason);
    ELSIF FOUND AND refused.archived THEN
        RAISE check_violation USING CONSTRAINT = 'cells_archived', TABLE = 'cells',
            MESSAGE = format('cell %s or its warehouse is archived', refused.code);
    ELSIF FOUND THEN
        RAISE check_violation USING CONSTRAINT = 'cells_frozen', TABLE = 'cells',
            MESSAGE = format('cell %s is frozen while «%s» counts it', refused.code, refused.counted_by);
    END IF;

    IF counting IS NOT NULL THEN
        RETURN NULL;
    END IF;

    IF EXISTS (SELECT FROM written WHERE kind = 'adjust') THEN
        SELECT c.code, k.name INTO refused
        FROM written AS w
        JOIN count_cells AS o ON o.enterprise_id = w.enterprise_id AND o.cell_id = coalesce(w.from_cell_id, w.to_cell_id) AND o.ended_at IS NULL
        JOIN cells AS c ON c.enterprise_id = o.enterprise_id AND c.id = o.cell_id
        JOIN counts AS k ON k.enterprise_id = o.enterprise_id AND k.id = o.count_id
        WHERE w.kind = 'adjust'
          AND (k.scope <> 'products' OR EXISTS (SELECT FROM count_targets AS t WHERE t.enterprise_id = k.enterprise_id AND t.count_id = k.id
                                                                                AND t.product_id = w.product_id))
        LIMIT 1;
        IF FOUND THEN
            RAISE check_violation USING CONSTRAINT = 'cells_counted', TABLE = 'cells',
                MESSAGE = format('cell %s is being counted by «%s», which corrects it', refused.code, refused.name);
        END IF;
    END IF;

    -- Cells with a limit are held against everybody who puts something into them, in the order of their ids.
    PERFORM FROM cells AS c
    WHERE (c.enterprise_id, c.id) IN (SELECT w.enterprise_id, w.to_cell_id FROM written AS w WHERE w.to_cell_id IS NOT NULL AND w.kind <> 'pick')
      AND (c.mixing <> 'anything' OR num_nonnulls(c.capacity_units, c.capacity_volume_ml, c.capacity_weight_g) > 0)
    ORDER BY c.id
    FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;

    WITH limited AS (
        SELECT c.enterprise_id, c.id, c.code, c.mixing, c.capacity_units, c.capacity_volume_ml, c.capacity_weight_g
        FROM cells AS c
        WHERE (c.enterprise_id, c.id) IN (SELECT w.enterprise_id, w.to_cell_id FROM written AS w WHERE w.to_cell_id IS NOT NULL AND w.kind <> 'pick')
    ), sides AS (
        SELECT b.enterprise_id, b.cell_id, b.product_id, b.on_hand AS quantity, 0 AS coming
        FROM limited AS l JOIN balances AS b ON b.enterprise_id = l.enterprise_id AND b.cell_id = l.id AND b.on_hand > 0
        UNION ALL
        SELECT w.enterprise_id, w.to_cell_id, w.product_id, w.quantity, w.quantity FROM written AS w WHERE w.to_cell_id IS NOT NULL
        UNION ALL
        SELECT w.enterprise_id, w.from_cell_id, w.product_id, -w.quantity, 0 FROM written AS w WHERE w.from_cell_id IS NOT NULL
    ), content AS (
        SELECT enterprise_id, cell_id, product_id, sum(quantity) AS quantity, sum(coming) AS coming FROM sides GROUP BY 1, 2, 3
    ), after AS (
        SELECT l.code, l.mixing, l.capacity_units, l.capacity_volume_ml, l.capacity_weight_g,
               sum(c.quantity) AS units, sum(c.coming) AS coming,
               sum(c.quantity * unit_volume_ml(p.length_mm, p.width_mm, p.height_mm)) AS volume_ml, sum(c.quantity * p.weight_g::bigint) AS weight_g,
               count(*) AS products, count(DISTINCT coalesce(p.account_id::text || '/' || p.nm_id, p.id::text)) AS cards
        FROM limited AS l
        JOIN content AS c ON c.enterprise_id = l.enterprise_id AND c.cell_id = l.id AND c.quantity > 0
        JOIN products AS p ON p.enterprise_id = c.enterprise_id AND p.id = c.product_id
        GROUP BY 1, 2, 3, 4, 5
    )
    SELECT a.*,
           CASE WHEN a.units > a.capacity_units THEN format('takes %s units', a.capacity_units)
                WHEN a.volume_ml > a.capacity_volume_ml THEN format('takes %s ml', a.capacity_volume_ml)
                WHEN a.weight_g > a.capacity_weight_g THEN format('takes %s g', a.capacity_weight_g) END AS over
    INTO refused
    FROM after AS a
    WHERE a.units > a.capacity_units OR a.volume_ml > a.capacity_volume_ml OR a.weight_g > a.capacity_weight_g
       OR (a.mixing = 'one_product' AND a.products > 1) OR (a.mixing = 'one_card' AND a.cards > 1)
    ORDER BY a.code LIMIT 1;
    IF FOUND AND refused.over IS NOT NULL THEN
        RAISE check_violation USING CONSTRAINT = 'cells_capacity', TABLE = 'cells',
            MESSAGE = format('cell %s %s: with the %s that come it would hold %s units, %s ml, %s g', refused.code, refused.over,
                             refused.coming, refused.units, coalesce(refused.volume_ml, 0), coalesce(refused.weight_g, 0));
    ELSIF FOUND THEN
        RAISE check_violation USING CONSTRAINT = 'cells_mixing', TABLE = 'cells',
            MESSAGE = format('cell %s takes one %s at a time and something else lies there', refused.code,
                             CASE refused.mixing WHEN 'one_product' THEN 'product' ELSE 'card' END);
    END IF;
    RETURN NULL;
END $$;
