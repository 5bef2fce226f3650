-- Lots: goods of one product that came together, told apart by a code and a last day of sale. Every product has one lot
-- without a code, under the product's own id, for what nobody tells apart; so places are never without a lot.

-- The owner fills new columns of what is there, and Postgres checks the new references, past the policies: until the end
-- of this transaction, in which nobody else sees these tables.
ALTER TABLE products      NO FORCE ROW LEVEL SECURITY;
ALTER TABLE stock_entries NO FORCE ROW LEVEL SECURITY;
ALTER TABLE balances      NO FORCE ROW LEVEL SECURITY;
ALTER TABLE reservations  NO FORCE ROW LEVEL SECURITY;
ALTER TABLE stock_proofs      NO FORCE ROW LEVEL SECURITY;
ALTER TABLE stock_differences NO FORCE ROW LEVEL SECURITY;

CREATE TABLE lots (
    enterprise_id uuid        NOT NULL,
    product_id    uuid        NOT NULL,
    id            uuid        NOT NULL,
    code          text        CONSTRAINT lots_code_length CHECK (char_length(code) BETWEEN 1 AND 60),
    expires_on    date,
    created_at    timestamptz NOT NULL,
    CONSTRAINT lots_pkey PRIMARY KEY (enterprise_id, id),
    -- For the ledger: a lot in it is one of its product.
    CONSTRAINT lots_product_key UNIQUE (enterprise_id, product_id, id),
    CONSTRAINT lots_code_key UNIQUE (enterprise_id, product_id, code),
    CONSTRAINT lots_one_without_code CHECK ((code IS NULL) = (id = product_id)),
    CONSTRAINT lots_without_code_never_expires CHECK (code IS NOT NULL OR expires_on IS NULL),
    CONSTRAINT lots_product_fkey FOREIGN KEY (enterprise_id, product_id) REFERENCES products (enterprise_id, id)
);
INSERT INTO lots (enterprise_id, product_id, id, created_at) SELECT enterprise_id, id, id, created_at FROM products;

-- A product is never without its lot, whoever makes it.
CREATE FUNCTION products_have_a_lot() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    INSERT INTO lots (enterprise_id, product_id, id, created_at) SELECT enterprise_id, id, id, created_at FROM written;
    RETURN NULL;
END $$;
CREATE TRIGGER products_have_a_lot AFTER INSERT ON products
    REFERENCING NEW TABLE AS written FOR EACH STATEMENT EXECUTE FUNCTION products_have_a_lot();

-- What names no lot means the one without a code.
CREATE FUNCTION default_lot() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.lot_id := NEW.product_id;
    RETURN NEW;
END $$;

-- A column that takes its values from another one is filled while the table is copied: every row is written once and
-- leaves nothing behind, where an UPDATE would write each a second time, into every index, past the triggers. Indexes that
-- are to have the lot, too, are built once, behind it.
DROP INDEX stock_entries_in_idx;
DROP INDEX stock_entries_out_idx;
DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['stock_entries', 'balances', 'reservations'] LOOP
        EXECUTE format('ALTER TABLE %I ADD COLUMN lot_id uuid', name);
        EXECUTE format('ALTER TABLE %I ALTER COLUMN lot_id TYPE uuid USING product_id, ALTER COLUMN lot_id SET NOT NULL, '
                       'ADD CONSTRAINT %I FOREIGN KEY (enterprise_id, product_id, lot_id) REFERENCES lots (enterprise_id, product_id, id)',
                       name, name || '_lot_fkey');
    END LOOP;
END $$;
-- Sums and history of one place read the index alone, lot by lot.
CREATE INDEX stock_entries_in_idx ON stock_entries (enterprise_id, to_cell_id, product_id, lot_id, occurred_at, id) INCLUDE (quantity)
    WHERE to_cell_id IS NOT NULL;
CREATE INDEX stock_entries_out_idx ON stock_entries (enterprise_id, from_cell_id, product_id, lot_id, occurred_at, id) INCLUDE (quantity)
    WHERE from_cell_id IS NOT NULL;
CREATE TRIGGER stock_entries_default_lot BEFORE INSERT ON stock_entries FOR EACH ROW WHEN (NEW.lot_id IS NULL) EXECUTE FUNCTION default_lot();
CREATE TRIGGER reservations_default_lot BEFORE INSERT ON reservations FOR EACH ROW WHEN (NEW.lot_id IS NULL) EXECUTE FUNCTION default_lot();

-- since: when the place last was empty before; what lies longest can go first.
ALTER TABLE balances
    DROP CONSTRAINT balances_pkey,
    ADD CONSTRAINT balances_pkey PRIMARY KEY (enterprise_id, cell_id, product_id, lot_id),
    ADD COLUMN since timestamptz;
UPDATE balances AS b SET since = coalesce(
    (SELECT min(e.occurred_at) FROM stock_entries AS e
     WHERE e.enterprise_id = b.enterprise_id AND e.product_id = b.product_id AND e.lot_id = b.lot_id AND e.to_cell_id = b.cell_id), now());
ALTER TABLE balances ALTER COLUMN since SET NOT NULL;
DROP INDEX reservations_active_place_idx;
CREATE INDEX reservations_active_place_idx ON reservations (enterprise_id, cell_id, product_id, lot_id) WHERE status = 'active';

DROP INDEX balances_unchecked_idx;
CREATE INDEX balances_unchecked_idx ON balances (enterprise_id, cell_id, product_id, lot_id) WHERE checked_at IS NULL;

-- The proof compares lot by lot, and what is on hold with it.
ALTER TABLE stock_proofs
    ADD COLUMN lot_id     uuid,
    ADD COLUMN holds      bigint NOT NULL DEFAULT 0,
    ADD COLUMN last_holds bigint NOT NULL DEFAULT 0;
UPDATE stock_proofs SET lot_id = product_id;
ALTER TABLE stock_proofs
    DROP CONSTRAINT stock_proofs_place_whole,
    ADD CONSTRAINT stock_proofs_place_whole CHECK (num_nulls(cell_id, product_id, lot_id) IN (0, 3));
ALTER TABLE stock_differences
    ADD COLUMN lot_id  uuid,
    ADD COLUMN on_hold bigint NOT NULL DEFAULT 0,
    ADD COLUMN holds   bigint NOT NULL DEFAULT 0;
UPDATE stock_differences SET lot_id = product_id;
ALTER TABLE stock_differences
    ALTER COLUMN lot_id SET NOT NULL,
    DROP CONSTRAINT stock_differences_differ,
    ADD CONSTRAINT stock_differences_differ CHECK (on_hand <> entries OR reserved <> reservations OR on_hold <> holds),
    ADD CONSTRAINT stock_differences_lot_fkey FOREIGN KEY (enterprise_id, product_id, lot_id) REFERENCES lots (enterprise_id, product_id, id);
DROP INDEX stock_differences_open_key;
CREATE UNIQUE INDEX stock_differences_open_key ON stock_differences (enterprise_id, cell_id, product_id, lot_id) WHERE ended_at IS NULL;

ALTER TABLE products      FORCE ROW LEVEL SECURITY;
ALTER TABLE stock_entries FORCE ROW LEVEL SECURITY;
ALTER TABLE balances      FORCE ROW LEVEL SECURITY;
ALTER TABLE reservations  FORCE ROW LEVEL SECURITY;
ALTER TABLE stock_proofs      FORCE ROW LEVEL SECURITY;
ALTER TABLE stock_differences FORCE ROW LEVEL SECURITY;

CREATE OR REPLACE FUNCTION balances_follow_entries() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    INSERT INTO balances (enterprise_id, cell_id, product_id, lot_id, since)
    SELECT enterprise_id, to_cell_id, product_id, lot_id, max(occurred_at) FROM written WHERE to_cell_id IS NOT NULL
    GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4
    ON CONFLICT DO NOTHING;

    WITH moved AS (
        SELECT enterprise_id, cell_id, product_id, lot_id, sum(quantity) AS change, max(occurred_at) AS at
        FROM (SELECT enterprise_id, to_cell_id AS cell_id, product_id, lot_id, quantity, occurred_at FROM written WHERE to_cell_id IS NOT NULL
              UNION ALL
              SELECT enterprise_id, from_cell_id, product_id, lot_id, -quantity, occurred_at FROM written WHERE from_cell_id IS NOT NULL) AS sides
        GROUP BY 1, 2, 3, 4
    ), locked AS MATERIALIZED (
        SELECT b.enterprise_id, b.cell_id, b.product_id, b.lot_id, moved.change, moved.at
        FROM balances AS b JOIN moved USING (enterprise_id, cell_id, product_id, lot_id)
        ORDER BY b.cell_id, b.product_id, b.lot_id
        FOR NO KEY UPDATE OF b
    )
    UPDATE balances AS b
    SET on_hand = b.on_hand + locked.change, since = CASE WHEN b.on_hand = 0 THEN locked.at ELSE b.since END
    FROM locked
    WHERE (b.enterprise_id, b.cell_id, b.product_id, b.lot_id) = (locked.enterprise_id, locked.cell_id, locked.product_id, locked.lot_id);

    -- Taking out of a place that never held the product must fail as loudly as taking too much.
    IF EXISTS (SELECT FROM written AS w WHERE w.from_cell_id IS NOT NULL AND NOT EXISTS (
        SELECT FROM balances AS b
        WHERE (b.enterprise_id, b.cell_id, b.product_id, b.lot_id) = (w.enterprise_id, w.from_cell_id, w.product_id, w.lot_id))) THEN
        RAISE check_violation USING CONSTRAINT = 'balances_on_hand_not_negative', TABLE = 'balances',
            MESSAGE = 'the place holds none of this product';
    END IF;
    RETURN NULL;
END $$;

CREATE OR REPLACE FUNCTION balances_follow_new_reservations() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    WITH changed AS (
        SELECT enterprise_id, cell_id, product_id, lot_id, sum(quantity) AS change
        FROM written WHERE status = 'active' GROUP BY 1, 2, 3, 4
    ), locked AS MATERIALIZED (
        SELECT b.enterprise_id, b.cell_id, b.product_id, b.lot_id, changed.change
        FROM balances AS b JOIN changed USING (enterprise_id, cell_id, product_id, lot_id)
        ORDER BY b.cell_id, b.product_id, b.lot_id
        FOR NO KEY UPDATE OF b
    )
    UPDATE balances AS b SET reserved = b.reserved + locked.change
    FROM locked
    WHERE (b.enterprise_id, b.cell_id, b.product_id, b.lot_id) = (locked.enterprise_id, locked.cell_id, locked.product_id, locked.lot_id);

    IF EXISTS (SELECT FROM written AS w WHERE w.status = 'active' AND NOT EXISTS (
        SELECT FROM balances AS b
        WHERE (b.enterprise_id, b.cell_id, b.product_id, b.lot_id) = (w.enterprise_id, w.cell_id, w.product_id, w.lot_id))) THEN
        RAISE check_violation USING CONSTRAINT = 'balances_reserved_within_on_hand', TABLE = 'balances',
            MESSAGE = 'the place holds none of this product';
    END IF;
    RETURN NULL;
END $$;

CREATE OR REPLACE FUNCTION balances_follow_ended_reservations() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    IF EXISTS (SELECT FROM now_rows AS n JOIN was_rows AS w USING (enterprise_id, id)
               WHERE (n.order_id, n.product_id, n.cell_id, n.lot_id, n.quantity)
                     IS DISTINCT FROM (w.order_id, w.product_id, w.cell_id, w.lot_id, w.quantity)
                  OR (w.status <> 'active' AND n.status <> w.status)) THEN
        RAISE check_violation USING CONSTRAINT = 'reservations_only_end', TABLE = 'reservations',
            MESSAGE = 'a reservation can only end';
    END IF;

    WITH changed AS (
        SELECT n.enterprise_id, n.cell_id, n.product_id, n.lot_id, sum(n.quantity) AS change
        FROM now_rows AS n JOIN was_rows AS w USING (enterprise_id, id)
        WHERE w.status = 'active' AND n.status <> 'active' GROUP BY 1, 2, 3, 4
    ), locked AS MATERIALIZED (
        SELECT b.enterprise_id, b.cell_id, b.product_id, b.lot_id, changed.change
        FROM balances AS b JOIN changed USING (enterprise_id, cell_id, product_id, lot_id)
        ORDER BY b.cell_id, b.product_id, b.lot_id
        FOR NO KEY UPDATE OF b
    )
    UPDATE balances AS b SET reserved = b.reserved - locked.change
    FROM locked
    WHERE (b.enterprise_id, b.cell_id, b.product_id, b.lot_id) = (locked.enterprise_id, locked.cell_id, locked.product_id, locked.lot_id);
    RETURN NULL;
END $$;

-- Out of which cells and lots orders are served.
ALTER TABLE enterprises ADD COLUMN reservation_strategy text NOT NULL DEFAULT 'first_expired'
    CONSTRAINT enterprises_reservation_strategy_known CHECK (reservation_strategy IN ('first_expired', 'first_in', 'pick_sequence', 'fewest_cells'));

ALTER TABLE lots ENABLE ROW LEVEL SECURITY;
ALTER TABLE lots FORCE ROW LEVEL SECURITY;
CREATE POLICY enterprise ON lots USING (enterprise_id = current_setting('app.enterprise_id')::uuid)
    WITH CHECK (enterprise_id = current_setting('app.enterprise_id')::uuid);
GRANT SELECT, INSERT ON lots TO wb_api, wb_worker;
GRANT SELECT ON lots TO wb_backup;
