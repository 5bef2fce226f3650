-- Zones, and what a cell is beside its code: where it lies, what it may hold, whether it is blocked. The ledger asks the
-- cells before it writes: what lies in them cannot be what they do not take, whoever writes.

-- A foreign key from a table that is there to one under row security is checked by a query of the owner; the owner is let
-- past the policies until the end of this transaction, in which nobody else sees these tables.
ALTER TABLE warehouses  NO FORCE ROW LEVEL SECURITY;
ALTER TABLE cells       NO FORCE ROW LEVEL SECURITY;
ALTER TABLE print_jobs  NO FORCE ROW LEVEL SECURITY;
ALTER TABLE print_items NO FORCE ROW LEVEL SECURITY;

ALTER TABLE warehouses ADD COLUMN archived_at timestamptz;

CREATE TABLE zones (
    enterprise_id uuid        NOT NULL,
    id            uuid        NOT NULL,
    warehouse_id  uuid        NOT NULL,
    name          text        NOT NULL CONSTRAINT zones_name_length CHECK (char_length(name) BETWEEN 1 AND 100),
    purpose       text        NOT NULL CONSTRAINT zones_purpose_known
                              CHECK (purpose IN ('receiving', 'storage', 'picking', 'packing', 'shipping', 'quarantine')),
    position      integer     NOT NULL,
    created_at    timestamptz NOT NULL,
    version       integer     NOT NULL DEFAULT 1,
    CONSTRAINT zones_pkey PRIMARY KEY (enterprise_id, id),
    CONSTRAINT zones_name_key UNIQUE (enterprise_id, warehouse_id, name),
    -- For the cells: a cell of a zone lies in its warehouse and is for what the zone is for.
    CONSTRAINT zones_cells_key UNIQUE (enterprise_id, warehouse_id, id, purpose),
    CONSTRAINT zones_warehouse_fkey FOREIGN KEY (enterprise_id, warehouse_id) REFERENCES warehouses (enterprise_id, id)
);
CREATE TRIGGER zones_count_version BEFORE UPDATE ON zones FOR EACH ROW WHEN (OLD.* IS DISTINCT FROM NEW.*) EXECUTE FUNCTION count_version();

ALTER TABLE cells
    DROP CONSTRAINT cells_purpose_known,
    ADD CONSTRAINT cells_purpose_known CHECK (purpose IN ('receiving', 'storage', 'picking', 'packing', 'shipping', 'quarantine')),
    ADD COLUMN zone_id            uuid,
    ADD COLUMN barcode            text    CONSTRAINT cells_barcode_length CHECK (char_length(barcode) BETWEEN 1 AND 128),
    ADD COLUMN mixing             text    NOT NULL DEFAULT 'anything' CONSTRAINT cells_mixing_known CHECK (mixing IN ('anything', 'one_card', 'one_product')),
    ADD COLUMN capacity_units     integer CONSTRAINT cells_capacity_units_positive CHECK (capacity_units > 0),
    ADD COLUMN capacity_volume_ml bigint  CONSTRAINT cells_capacity_volume_positive CHECK (capacity_volume_ml > 0),
    ADD COLUMN capacity_weight_g  bigint  CONSTRAINT cells_capacity_weight_positive CHECK (capacity_weight_g > 0),
    ADD COLUMN blocked_at         timestamptz,
    ADD COLUMN blocked_reason     text    CONSTRAINT cells_blocked_reason_length CHECK (char_length(blocked_reason) BETWEEN 1 AND 500),
    ADD COLUMN blocked_by         text,
    ADD COLUMN archived_at        timestamptz,
    ADD CONSTRAINT cells_blocked_whole CHECK (num_nulls(blocked_at, blocked_reason, blocked_by) IN (0, 3)),
    ADD CONSTRAINT cells_zone_fkey FOREIGN KEY (enterprise_id, warehouse_id, zone_id, purpose)
        REFERENCES zones (enterprise_id, warehouse_id, id, purpose);
-- One that is scanned is found wherever it hangs.
CREATE UNIQUE INDEX cells_barcode_key ON cells (enterprise_id, barcode) WHERE barcode IS NOT NULL;
CREATE INDEX cells_zone_idx ON cells (enterprise_id, zone_id) WHERE zone_id IS NOT NULL;
CREATE INDEX cells_code_idx ON cells (enterprise_id, code);
-- A warehouse may have many places to pack at; the one for what is picked is found by its code.
DROP INDEX cells_packing_key;
ALTER TABLE cells ADD CONSTRAINT cells_packing_stays
    CHECK (code <> 'PACKING' OR (purpose = 'packing' AND blocked_at IS NULL AND archived_at IS NULL));

-- What one unit takes up, in millimetres and grams. NULL: not known.
ALTER TABLE products
    ADD COLUMN IF NOT EXISTS length_mm integer CONSTRAINT products_length_range CHECK (length_mm BETWEEN 1 AND 100000),
    ADD COLUMN IF NOT EXISTS width_mm  integer CONSTRAINT products_width_range CHECK (width_mm BETWEEN 1 AND 100000),
    ADD COLUMN IF NOT EXISTS height_mm integer CONSTRAINT products_height_range CHECK (height_mm BETWEEN 1 AND 100000),
    ADD COLUMN IF NOT EXISTS weight_g  integer CONSTRAINT products_weight_range CHECK (weight_g BETWEEN 1 AND 10000000);

-- Millilitres, rounded up; NULL where a side is not known.
CREATE FUNCTION unit_volume_ml(length_mm integer, width_mm integer, height_mm integer) RETURNS bigint
    LANGUAGE sql IMMUTABLE AS $$
    SELECT (length_mm::bigint * width_mm * height_mm + 999) / 1000
$$;

-- What lies in a cell. Units whose size or weight is not known are counted, and weigh and measure nothing.
CREATE FUNCTION cell_content(whose uuid, cell uuid)
    RETURNS TABLE (units bigint, reserved bigint, products bigint, volume_ml bigint, weight_g bigint, unmeasured bigint)
    LANGUAGE sql STABLE AS $$
    SELECT coalesce(sum(b.on_hand), 0)::bigint, coalesce(sum(b.reserved), 0)::bigint, count(DISTINCT b.product_id),
           coalesce(sum(b.on_hand * unit_volume_ml(p.length_mm, p.width_mm, p.height_mm)), 0)::bigint,
           coalesce(sum(b.on_hand * p.weight_g::bigint), 0)::bigint,
           coalesce(sum(b.on_hand) FILTER (WHERE num_nulls(p.length_mm, p.width_mm, p.height_mm, p.weight_g) > 0), 0)::bigint
    FROM balances AS b JOIN products AS p ON p.enterprise_id = b.enterprise_id AND p.id = b.product_id
    WHERE b.enterprise_id = whose AND b.cell_id = cell AND b.on_hand > 0
$$;

-- Whether the cells that one statement touches give and take what it moves. Refuses in words, under the name of a rule:
-- cells_blocked, cells_archived, cells_capacity, cells_mixing. What is picked goes to packing whatever lies there already.
CREATE FUNCTION cells_admit_entries() RETURNS trigger
    LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
DECLARE
    refused record;
BEGIN
    SELECT c.code, c.blocked_at, c.blocked_reason INTO refused
    FROM (SELECT enterprise_id, from_cell_id AS id FROM written WHERE from_cell_id IS NOT NULL
          UNION SELECT enterprise_id, to_cell_id FROM written WHERE to_cell_id IS NOT NULL) AS touched
    CROSS JOIN LATERAL (SELECT c.code, c.blocked_at, c.blocked_reason
                        FROM cells AS c JOIN warehouses AS w ON w.enterprise_id = c.enterprise_id AND w.id = c.warehouse_id
                        WHERE c.enterprise_id = touched.enterprise_id AND c.id = touched.id
                          AND num_nonnulls(c.blocked_at, c.archived_at, w.archived_at) > 0 LIMIT 1) AS c
    ORDER BY c.code LIMIT 1;
    IF FOUND AND refused.blocked_at IS NOT NULL THEN
        RAISE check_violation USING CONSTRAINT = 'cells_blocked', TABLE = 'cells',
            MESSAGE = format('cell %s is blocked: %s', refused.code, refused.blocked_reason);
    ELSIF FOUND THEN
        RAISE check_violation USING CONSTRAINT = 'cells_archived', TABLE = 'cells',
            MESSAGE = format('cell %s or its warehouse is archived', refused.code);
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
-- By its name it fires before the balances follow: whoever writes locks cells first, then balances.
CREATE TRIGGER admitted_by_cells AFTER INSERT ON stock_entries
    REFERENCING NEW TABLE AS written FOR EACH STATEMENT EXECUTE FUNCTION cells_admit_entries();

-- Labels of cells go the way of every label.
ALTER TABLE print_jobs
    ADD COLUMN warehouse_id uuid,
    DROP CONSTRAINT print_jobs_kind_known,
    ADD CONSTRAINT print_jobs_kind_known CHECK (kind IN ('order_stickers', 'supply_qr', 'cell_labels')),
    DROP CONSTRAINT print_jobs_subject,
    ADD CONSTRAINT print_jobs_subject CHECK (num_nonnulls(request_id, supply_id, warehouse_id) = 1
                                             AND (kind = 'order_stickers') = (request_id IS NOT NULL)
                                             AND (kind = 'supply_qr') = (supply_id IS NOT NULL)
                                             AND (kind = 'cell_labels') = (warehouse_id IS NOT NULL)),
    ADD CONSTRAINT print_jobs_warehouse_fkey FOREIGN KEY (enterprise_id, warehouse_id) REFERENCES warehouses (enterprise_id, id);
ALTER TABLE print_items
    ADD COLUMN cell_id uuid,
    DROP CONSTRAINT print_items_one_subject,
    ADD CONSTRAINT print_items_one_subject CHECK (num_nonnulls(order_id, supply_id, cell_id) = 1),
    ADD CONSTRAINT print_items_cell_fkey FOREIGN KEY (enterprise_id, cell_id) REFERENCES cells (enterprise_id, id);

ALTER TABLE zones ENABLE ROW LEVEL SECURITY;
ALTER TABLE zones FORCE ROW LEVEL SECURITY;
CREATE POLICY enterprise ON zones USING (enterprise_id = current_setting('app.enterprise_id')::uuid)
    WITH CHECK (enterprise_id = current_setting('app.enterprise_id')::uuid);
GRANT SELECT, INSERT, UPDATE, DELETE ON zones TO wb_api, wb_worker;
GRANT SELECT ON zones TO wb_backup;
ALTER TABLE warehouses  FORCE ROW LEVEL SECURITY;
ALTER TABLE cells       FORCE ROW LEVEL SECURITY;
ALTER TABLE print_jobs  FORCE ROW LEVEL SECURITY;
ALTER TABLE print_items FORCE ROW LEVEL SECURITY;
