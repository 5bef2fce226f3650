-- The stock ledger: append-only entries with two sides, balances that are their sums, reservations as rows.
-- Balances are written by the triggers below and by nothing else; the programs may read and lock them.

CREATE TABLE goods_receipts (
    enterprise_id uuid        NOT NULL,
    id            uuid        NOT NULL,
    warehouse_id  uuid        NOT NULL,
    number        text        NOT NULL CONSTRAINT goods_receipts_number_length CHECK (char_length(number) BETWEEN 1 AND 100),
    lines         integer     NOT NULL,
    quantity      bigint      NOT NULL,
    actor         text        NOT NULL,
    posted_at     timestamptz NOT NULL,
    CONSTRAINT goods_receipts_pkey PRIMARY KEY (enterprise_id, id),
    CONSTRAINT goods_receipts_number_key UNIQUE (enterprise_id, number),
    CONSTRAINT goods_receipts_warehouse_fkey FOREIGN KEY (enterprise_id, warehouse_id) REFERENCES warehouses (enterprise_id, id)
);
-- A place is a cell or one of the outside places; every entry takes from one and gives to another.
CREATE TABLE stock_entries (
    enterprise_id uuid        NOT NULL CONSTRAINT stock_entries_enterprise_fkey REFERENCES enterprises,
    id            uuid        NOT NULL,
    product_id    uuid        NOT NULL,
    from_cell_id  uuid,
    from_outside  text        CONSTRAINT stock_entries_from_outside_known
                              CHECK (from_outside IN ('supplier', 'in_delivery', 'customer', 'returning', 'adjustment', 'loss')),
    to_cell_id    uuid,
    to_outside    text        CONSTRAINT stock_entries_to_outside_known
                              CHECK (to_outside IN ('supplier', 'in_delivery', 'customer', 'returning', 'adjustment', 'loss')),
    quantity      integer     NOT NULL CONSTRAINT stock_entries_quantity_positive CHECK (quantity > 0),
    kind          text        NOT NULL CONSTRAINT stock_entries_kind_known
                              CHECK (kind IN ('receipt', 'pick', 'put_back', 'ship', 'deliver', 'return_expected', 'return_received', 'move', 'write_off', 'adjust')),
    order_id      uuid,
    receipt_id    uuid,
    actor         text        NOT NULL,
    occurred_at   timestamptz NOT NULL,
    CONSTRAINT stock_entries_pkey PRIMARY KEY (enterprise_id, id),
    CONSTRAINT stock_entries_from_one_place CHECK (num_nonnulls(from_cell_id, from_outside) = 1),
    CONSTRAINT stock_entries_to_one_place   CHECK (num_nonnulls(to_cell_id, to_outside) = 1),
    CONSTRAINT stock_entries_places_differ  CHECK (from_cell_id IS DISTINCT FROM to_cell_id OR from_outside IS DISTINCT FROM to_outside),
    CONSTRAINT stock_entries_order_fkey     FOREIGN KEY (enterprise_id, order_id)     REFERENCES orders (enterprise_id, id),
    CONSTRAINT stock_entries_receipt_fkey   FOREIGN KEY (enterprise_id, receipt_id)   REFERENCES goods_receipts (enterprise_id, id),
    CONSTRAINT stock_entries_product_fkey   FOREIGN KEY (enterprise_id, product_id)   REFERENCES products (enterprise_id, id),
    CONSTRAINT stock_entries_from_cell_fkey FOREIGN KEY (enterprise_id, from_cell_id) REFERENCES cells (enterprise_id, id),
    CONSTRAINT stock_entries_to_cell_fkey   FOREIGN KEY (enterprise_id, to_cell_id)   REFERENCES cells (enterprise_id, id)
);
CREATE INDEX stock_entries_product_idx ON stock_entries (enterprise_id, product_id, id);
-- One order is one unit and passes each stage once: whatever runs twice, its entry is written once.
CREATE UNIQUE INDEX stock_entries_order_stage_key ON stock_entries (enterprise_id, order_id, kind)
    WHERE kind IN ('ship', 'deliver', 'return_expected', 'return_received');

CREATE TABLE balances (
    enterprise_id uuid    NOT NULL,
    cell_id       uuid    NOT NULL,
    product_id    uuid    NOT NULL,
    on_hand       integer NOT NULL DEFAULT 0,
    reserved      integer NOT NULL DEFAULT 0,
    checked_at    timestamptz,
    CONSTRAINT balances_pkey PRIMARY KEY (enterprise_id, cell_id, product_id),
    CONSTRAINT balances_on_hand_not_negative CHECK (on_hand >= 0),
    CONSTRAINT balances_reserved_within_on_hand CHECK (reserved BETWEEN 0 AND on_hand),
    CONSTRAINT balances_cell_fkey FOREIGN KEY (enterprise_id, cell_id) REFERENCES cells (enterprise_id, id),
    CONSTRAINT balances_product_fkey FOREIGN KEY (enterprise_id, product_id) REFERENCES products (enterprise_id, id)
);
CREATE INDEX balances_product_idx ON balances (enterprise_id, product_id);

CREATE TABLE reservations (
    enterprise_id uuid        NOT NULL,
    id            uuid        NOT NULL,
    order_id      uuid        NOT NULL,
    product_id    uuid        NOT NULL,
    cell_id       uuid        NOT NULL,
    quantity      integer     NOT NULL CONSTRAINT reservations_quantity_positive CHECK (quantity > 0),
    status        text        NOT NULL DEFAULT 'active' CONSTRAINT reservations_status_known
                              CHECK (status IN ('active', 'moved', 'consumed', 'released')),
    created_at    timestamptz NOT NULL,
    ended_at      timestamptz,
    CONSTRAINT reservations_pkey PRIMARY KEY (enterprise_id, id),
    CONSTRAINT reservations_ended CHECK ((status = 'active') = (ended_at IS NULL)),
    CONSTRAINT reservations_product_fkey FOREIGN KEY (enterprise_id, product_id) REFERENCES products (enterprise_id, id),
    CONSTRAINT reservations_order_fkey FOREIGN KEY (enterprise_id, order_id) REFERENCES orders (enterprise_id, id),
    CONSTRAINT reservations_cell_fkey FOREIGN KEY (enterprise_id, cell_id) REFERENCES cells (enterprise_id, id)
);
CREATE UNIQUE INDEX reservations_active_order_key ON reservations (enterprise_id, order_id) WHERE status = 'active';
CREATE INDEX reservations_active_place_idx ON reservations (enterprise_id, cell_id, product_id) WHERE status = 'active';

-- Adds what one statement wrote to the balances. Rows are locked in key order, so that two batches never wait for each other in a ring.
CREATE FUNCTION balances_follow_entries() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    INSERT INTO balances (enterprise_id, cell_id, product_id)
    SELECT DISTINCT enterprise_id, to_cell_id, product_id FROM written WHERE to_cell_id IS NOT NULL ORDER BY 1, 2, 3
    ON CONFLICT DO NOTHING;

    WITH moved AS (
        SELECT enterprise_id, cell_id, product_id, sum(quantity) AS change
        FROM (SELECT enterprise_id, to_cell_id AS cell_id, product_id, quantity FROM written WHERE to_cell_id IS NOT NULL
              UNION ALL
              SELECT enterprise_id, from_cell_id, product_id, -quantity FROM written WHERE from_cell_id IS NOT NULL) AS sides
        GROUP BY 1, 2, 3
    ), locked AS MATERIALIZED (
        SELECT b.enterprise_id, b.cell_id, b.product_id, moved.change
        FROM balances AS b JOIN moved USING (enterprise_id, cell_id, product_id)
        ORDER BY b.cell_id, b.product_id
        FOR UPDATE OF b
    )
    UPDATE balances AS b SET on_hand = b.on_hand + locked.change
    FROM locked WHERE (b.enterprise_id, b.cell_id, b.product_id) = (locked.enterprise_id, locked.cell_id, locked.product_id);

    -- Taking out of a place that never held the product must fail as loudly as taking too much.
    IF EXISTS (SELECT FROM written AS w WHERE w.from_cell_id IS NOT NULL AND NOT EXISTS (
        SELECT FROM balances AS b WHERE (b.enterprise_id, b.cell_id, b.product_id) = (w.enterprise_id, w.from_cell_id, w.product_id))) THEN
        RAISE check_violation USING CONSTRAINT = 'balances_on_hand_not_negative', TABLE = 'balances',
            MESSAGE = 'the place holds none of this product';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER balances_follow_entries AFTER INSERT ON stock_entries
    REFERENCING NEW TABLE AS written FOR EACH STATEMENT EXECUTE FUNCTION balances_follow_entries();

CREATE FUNCTION balances_follow_new_reservations() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    WITH changed AS (
        SELECT enterprise_id, cell_id, product_id, sum(quantity) AS change
        FROM written WHERE status = 'active' GROUP BY 1, 2, 3
    ), locked AS MATERIALIZED (
        SELECT b.enterprise_id, b.cell_id, b.product_id, changed.change
        FROM balances AS b JOIN changed USING (enterprise_id, cell_id, product_id)
        ORDER BY b.cell_id, b.product_id
        FOR UPDATE OF b
    )
    UPDATE balances AS b SET reserved = b.reserved + locked.change
    FROM locked WHERE (b.enterprise_id, b.cell_id, b.product_id) = (locked.enterprise_id, locked.cell_id, locked.product_id);

    IF EXISTS (SELECT FROM written AS w WHERE w.status = 'active' AND NOT EXISTS (
        SELECT FROM balances AS b WHERE (b.enterprise_id, b.cell_id, b.product_id) = (w.enterprise_id, w.cell_id, w.product_id))) THEN
        RAISE check_violation USING CONSTRAINT = 'balances_reserved_within_on_hand', TABLE = 'balances',
            MESSAGE = 'the place holds none of this product';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER balances_follow_new_reservations AFTER INSERT ON reservations
    REFERENCING NEW TABLE AS written FOR EACH STATEMENT EXECUTE FUNCTION balances_follow_new_reservations();

-- A reservation only ever ends; what it holds and where never changes.
CREATE FUNCTION balances_follow_ended_reservations() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    IF EXISTS (SELECT FROM now_rows AS n JOIN was_rows AS w USING (enterprise_id, id)
               WHERE (n.order_id, n.product_id, n.cell_id, n.quantity) <> (w.order_id, w.product_id, w.cell_id, w.quantity)
                  OR (w.status <> 'active' AND n.status <> w.status)) THEN
        RAISE check_violation USING CONSTRAINT = 'reservations_only_end', TABLE = 'reservations',
            MESSAGE = 'a reservation can only end';
    END IF;

    WITH changed AS (
        SELECT n.enterprise_id, n.cell_id, n.product_id, sum(n.quantity) AS change
        FROM now_rows AS n JOIN was_rows AS w USING (enterprise_id, id)
        WHERE w.status = 'active' AND n.status <> 'active' GROUP BY 1, 2, 3
    ), locked AS MATERIALIZED (
        SELECT b.enterprise_id, b.cell_id, b.product_id, changed.change
        FROM balances AS b JOIN changed USING (enterprise_id, cell_id, product_id)
        ORDER BY b.cell_id, b.product_id
        FOR UPDATE OF b
    )
    UPDATE balances AS b SET reserved = b.reserved - locked.change
    FROM locked WHERE (b.enterprise_id, b.cell_id, b.product_id) = (locked.enterprise_id, locked.cell_id, locked.product_id);
    RETURN NULL;
END $$;
CREATE TRIGGER balances_follow_ended_reservations AFTER UPDATE ON reservations
    REFERENCING OLD TABLE AS was_rows NEW TABLE AS now_rows FOR EACH STATEMENT EXECUTE FUNCTION balances_follow_ended_reservations();

CREATE TRIGGER stock_entries_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON stock_entries
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_rewriting();

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['stock_entries', 'goods_receipts', 'balances', 'reservations'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
        EXECUTE format('CREATE POLICY enterprise ON %I USING (enterprise_id = current_setting(''app.enterprise_id'')::uuid) '
                       'WITH CHECK (enterprise_id = current_setting(''app.enterprise_id'')::uuid)', name);
        EXECUTE format('GRANT SELECT ON %I TO wb_api, wb_worker, wb_backup', name);
    END LOOP;
END $$;
GRANT INSERT ON stock_entries, goods_receipts, reservations TO wb_api, wb_worker;
GRANT UPDATE (status, ended_at) ON reservations TO wb_api, wb_worker;
-- Locking a balance needs the right to update some column of it; this one records when it was last recomputed.
GRANT UPDATE (checked_at) ON balances TO wb_api, wb_worker;
