-- What people do to stock by hand is a document: who, when, under which number, with which words; its lines are entries,
-- reservations or holds. A hold keeps goods from everybody; reservations and holds together never exceed what is there.

ALTER TABLE stock_entries NO FORCE ROW LEVEL SECURITY;
ALTER TABLE reservations  NO FORCE ROW LEVEL SECURITY;

CREATE TABLE stock_documents (
    enterprise_id uuid        NOT NULL,
    id            uuid        NOT NULL,
    kind          text        NOT NULL CONSTRAINT stock_documents_kind_known
                              CHECK (kind IN ('move', 'adjust', 'write_off', 'hold', 'reserve', 'release')),
    warehouse_id  uuid        NOT NULL,
    number        text        CONSTRAINT stock_documents_number_length CHECK (char_length(number) BETWEEN 1 AND 100),
    comment       text        CONSTRAINT stock_documents_comment_length CHECK (char_length(comment) BETWEEN 1 AND 1000),
    actor         text        NOT NULL,
    posted_at     timestamptz NOT NULL,
    CONSTRAINT stock_documents_pkey PRIMARY KEY (enterprise_id, id),
    CONSTRAINT stock_documents_warehouse_fkey FOREIGN KEY (enterprise_id, warehouse_id) REFERENCES warehouses (enterprise_id, id)
);

ALTER TABLE stock_entries
    ADD COLUMN document_id uuid,
    ADD COLUMN reason      text CONSTRAINT stock_entries_reason_known
        CHECK (reason IN ('found', 'missing', 'miscounted', 'opening', 'damaged', 'defective', 'expired', 'lost', 'used', 'other')),
    ADD CONSTRAINT stock_entries_document_fkey FOREIGN KEY (enterprise_id, document_id) REFERENCES stock_documents (enterprise_id, id);
CREATE INDEX stock_entries_document_idx ON stock_entries (enterprise_id, document_id) WHERE document_id IS NOT NULL;

-- Stock is held for an order, or by hand under a document. Nothing ends twice: ended_document_id says who let go.
ALTER TABLE reservations
    ALTER COLUMN order_id DROP NOT NULL,
    ADD COLUMN document_id       uuid,
    ADD COLUMN ended_document_id uuid,
    ADD CONSTRAINT reservations_for_somebody CHECK (num_nonnulls(order_id, document_id) = 1),
    ADD CONSTRAINT reservations_document_fkey FOREIGN KEY (enterprise_id, document_id) REFERENCES stock_documents (enterprise_id, id),
    ADD CONSTRAINT reservations_ended_document_fkey FOREIGN KEY (enterprise_id, ended_document_id) REFERENCES stock_documents (enterprise_id, id);

ALTER TABLE stock_entries FORCE ROW LEVEL SECURITY;
ALTER TABLE reservations  FORCE ROW LEVEL SECURITY;

ALTER TABLE balances
    ADD COLUMN on_hold integer NOT NULL DEFAULT 0,
    ADD CONSTRAINT balances_held_within_on_hand CHECK (on_hold >= 0 AND reserved + on_hold <= on_hand);

-- What is kept from everybody is free for nobody.
CREATE OR REPLACE FUNCTION free_units(balance balances) RETURNS integer LANGUAGE sql STABLE AS $$
    SELECT balance.on_hand - balance.reserved - balance.on_hold
$$;

CREATE TABLE holds (
    enterprise_id     uuid        NOT NULL,
    id                uuid        NOT NULL,
    product_id        uuid        NOT NULL,
    lot_id            uuid        NOT NULL,
    cell_id           uuid        NOT NULL,
    quantity          integer     NOT NULL CONSTRAINT holds_quantity_positive CHECK (quantity > 0),
    reason            text        NOT NULL CONSTRAINT holds_reason_known CHECK (reason IN ('quarantine', 'damage', 'dispute')),
    status            text        NOT NULL DEFAULT 'active' CONSTRAINT holds_status_known CHECK (status IN ('active', 'released')),
    created_at        timestamptz NOT NULL,
    ended_at          timestamptz,
    document_id       uuid        NOT NULL,
    ended_document_id uuid,
    CONSTRAINT holds_pkey PRIMARY KEY (enterprise_id, id),
    CONSTRAINT holds_ended CHECK ((status = 'active') = (ended_at IS NULL)),
    CONSTRAINT holds_lot_fkey FOREIGN KEY (enterprise_id, product_id, lot_id) REFERENCES lots (enterprise_id, product_id, id),
    CONSTRAINT holds_cell_fkey FOREIGN KEY (enterprise_id, cell_id) REFERENCES cells (enterprise_id, id),
    CONSTRAINT holds_document_fkey FOREIGN KEY (enterprise_id, document_id) REFERENCES stock_documents (enterprise_id, id),
    CONSTRAINT holds_ended_document_fkey FOREIGN KEY (enterprise_id, ended_document_id) REFERENCES stock_documents (enterprise_id, id)
);
CREATE INDEX holds_active_place_idx ON holds (enterprise_id, cell_id, product_id, lot_id) WHERE status = 'active';

CREATE FUNCTION balances_follow_new_holds() RETURNS trigger
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
    UPDATE balances AS b SET on_hold = b.on_hold + locked.change
    FROM locked
    WHERE (b.enterprise_id, b.cell_id, b.product_id, b.lot_id) = (locked.enterprise_id, locked.cell_id, locked.product_id, locked.lot_id);

    IF EXISTS (SELECT FROM written AS w WHERE w.status = 'active' AND NOT EXISTS (
        SELECT FROM balances AS b
        WHERE (b.enterprise_id, b.cell_id, b.product_id, b.lot_id) = (w.enterprise_id, w.cell_id, w.product_id, w.lot_id))) THEN
        RAISE check_violation USING CONSTRAINT = 'balances_held_within_on_hand', TABLE = 'balances',
            MESSAGE = 'the place holds none of this product';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER balances_follow_new_holds AFTER INSERT ON holds
    REFERENCING NEW TABLE AS written FOR EACH STATEMENT EXECUTE FUNCTION balances_follow_new_holds();

-- A hold only ever ends; what it keeps and where never changes.
CREATE FUNCTION balances_follow_ended_holds() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    IF EXISTS (SELECT FROM now_rows AS n JOIN was_rows AS w USING (enterprise_id, id)
               WHERE (n.product_id, n.cell_id, n.lot_id, n.quantity) IS DISTINCT FROM (w.product_id, w.cell_id, w.lot_id, w.quantity)
                  OR (w.status <> 'active' AND n.status <> w.status)) THEN
        RAISE check_violation USING CONSTRAINT = 'holds_only_end', TABLE = 'holds', MESSAGE = 'a hold can only end';
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
    UPDATE balances AS b SET on_hold = b.on_hold - locked.change
    FROM locked
    WHERE (b.enterprise_id, b.cell_id, b.product_id, b.lot_id) = (locked.enterprise_id, locked.cell_id, locked.product_id, locked.lot_id);
    RETURN NULL;
END $$;
CREATE TRIGGER balances_follow_ended_holds AFTER UPDATE ON holds
    REFERENCING OLD TABLE AS was_rows NEW TABLE AS now_rows FOR EACH STATEMENT EXECUTE FUNCTION balances_follow_ended_holds();

CREATE TRIGGER stock_documents_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON stock_documents
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_rewriting();

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['stock_documents', 'holds'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
        EXECUTE format('CREATE POLICY enterprise ON %I USING (enterprise_id = current_setting(''app.enterprise_id'')::uuid) '
                       'WITH CHECK (enterprise_id = current_setting(''app.enterprise_id'')::uuid)', name);
        EXECUTE format('GRANT SELECT, INSERT ON %I TO wb_api, wb_worker', name);
        EXECUTE format('GRANT SELECT ON %I TO wb_backup', name);
    END LOOP;
END $$;
GRANT UPDATE (status, ended_at, ended_document_id) ON holds TO wb_api, wb_worker;
GRANT UPDATE (ended_document_id) ON reservations TO wb_api, wb_worker;
