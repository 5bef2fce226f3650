-- The ledger proves itself: balances are recomputed from their entries and reservations, those that changed first, all of
-- them in turn by day, and whole at night. What differs is kept until it agrees again.

-- Sums of one place, and their history, without reading the entries themselves.
CREATE INDEX stock_entries_in_idx ON stock_entries (enterprise_id, to_cell_id, product_id, occurred_at, id) INCLUDE (quantity)
    WHERE to_cell_id IS NOT NULL;
CREATE INDEX stock_entries_out_idx ON stock_entries (enterprise_id, from_cell_id, product_id, occurred_at, id) INCLUDE (quantity)
    WHERE from_cell_id IS NOT NULL;

-- checked_at: when it was last recomputed and not changed since. Whoever changes a balance, by whatever road, puts it in
-- front of those that wait for the next check; the marks themselves are no change.
CREATE INDEX balances_unchecked_idx ON balances (enterprise_id, cell_id, product_id) WHERE checked_at IS NULL;

CREATE FUNCTION balances_unmark() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.checked_at := NULL;
    RETURN NEW;
END $$;
CREATE TRIGGER balances_unmark BEFORE UPDATE ON balances FOR EACH ROW
    WHEN (OLD.checked_at IS NOT NULL AND OLD.checked_at = NEW.checked_at AND OLD.* IS DISTINCT FROM NEW.*)
    EXECUTE FUNCTION balances_unmark();

-- How far each walk over the balances has come, and what the last one found. A walk by parts always goes on; one over the
-- whole begins at night and ends.
CREATE TABLE stock_proofs (
    enterprise_id     uuid        NOT NULL CONSTRAINT stock_proofs_enterprise_fkey REFERENCES enterprises,
    scope             text        NOT NULL CONSTRAINT stock_proofs_scope_known CHECK (scope IN ('part', 'whole')),
    -- The last place that was looked at; NULL where the next walk begins.
    cell_id           uuid,
    product_id        uuid,
    -- Of the walk under way, if one is.
    began_at          timestamptz,
    balances          bigint      NOT NULL DEFAULT 0,
    entries           bigint      NOT NULL DEFAULT 0,
    reservations      bigint      NOT NULL DEFAULT 0,
    differences       bigint      NOT NULL DEFAULT 0,
    -- Of the last one that ended; for parts: of the last part.
    last_began_at     timestamptz,
    last_ended_at     timestamptz,
    last_balances     bigint      NOT NULL DEFAULT 0,
    last_entries      bigint      NOT NULL DEFAULT 0,
    last_reservations bigint      NOT NULL DEFAULT 0,
    last_differences  bigint      NOT NULL DEFAULT 0,
    CONSTRAINT stock_proofs_pkey PRIMARY KEY (enterprise_id, scope),
    CONSTRAINT stock_proofs_place_whole CHECK (num_nulls(cell_id, product_id) IN (0, 2)),
    CONSTRAINT stock_proofs_last_whole CHECK (num_nulls(last_began_at, last_ended_at) IN (0, 2))
);

-- A balance that was not what its rows say, from when it was found to when it agreed again.
CREATE TABLE stock_differences (
    enterprise_id uuid        NOT NULL,
    id            uuid        NOT NULL,
    cell_id       uuid        NOT NULL,
    product_id    uuid        NOT NULL,
    on_hand       bigint      NOT NULL,
    entries       bigint      NOT NULL,
    reserved      bigint      NOT NULL,
    reservations  bigint      NOT NULL,
    found_at      timestamptz NOT NULL,
    seen_at       timestamptz NOT NULL,
    ended_at      timestamptz,
    CONSTRAINT stock_differences_pkey PRIMARY KEY (enterprise_id, id),
    CONSTRAINT stock_differences_differ CHECK (on_hand <> entries OR reserved <> reservations),
    CONSTRAINT stock_differences_cell_fkey FOREIGN KEY (enterprise_id, cell_id) REFERENCES cells (enterprise_id, id),
    CONSTRAINT stock_differences_product_fkey FOREIGN KEY (enterprise_id, product_id) REFERENCES products (enterprise_id, id)
);
CREATE UNIQUE INDEX stock_differences_open_key ON stock_differences (enterprise_id, cell_id, product_id) WHERE ended_at IS NULL;

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['stock_proofs', 'stock_differences'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
        EXECUTE format('CREATE POLICY enterprise ON %I USING (enterprise_id = current_setting(''app.enterprise_id'')::uuid) '
                       'WITH CHECK (enterprise_id = current_setting(''app.enterprise_id'')::uuid)', name);
        EXECUTE format('GRANT SELECT ON %I TO wb_api, wb_backup', name);
        EXECUTE format('GRANT SELECT, INSERT, UPDATE ON %I TO wb_worker', name);
    END LOOP;
END $$;

-- Alarms of the ledger are about no seller account.
ALTER TABLE alarms
    ALTER COLUMN account_id DROP NOT NULL,
    DROP CONSTRAINT alarms_kind_known,
    ADD CONSTRAINT alarms_kind_known
        CHECK (kind IN ('seller_shared', 'stock_difference', 'token_expired', 'token_expiring', 'token_refused')),
    ADD CONSTRAINT alarms_account_where_it_is_about_one CHECK ((account_id IS NULL) = (kind = 'stock_difference'));
CREATE UNIQUE INDEX alarms_occasion_without_account_key ON alarms (enterprise_id, kind, occasion) WHERE account_id IS NULL;
