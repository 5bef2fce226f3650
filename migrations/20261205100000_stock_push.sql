-- Stock is pushed to Wildberries: what it was told of each size, and what it made of it. A row is written before the call that
-- carries it and settled by what is read back, so that whoever goes on knows what may have happened.

ALTER TABLE publishing ADD COLUMN pushes boolean NOT NULL DEFAULT false;

CREATE TABLE pushed_quantities (
    enterprise_id   uuid        NOT NULL,
    account_id      uuid        NOT NULL,
    wb_warehouse_id bigint      NOT NULL,
    product_id      uuid        NOT NULL,
    chrt_id         bigint      NOT NULL,
    quantity        integer     NOT NULL CONSTRAINT pushed_quantities_quantity_range CHECK (quantity BETWEEN 0 AND 100000),
    -- Of the statement; 0: nobody stated it, Wildberries had it.
    number          bigint      NOT NULL CONSTRAINT pushed_quantities_number_not_negative CHECK (number >= 0),
    state           text        NOT NULL CONSTRAINT pushed_quantities_state_known
                                CHECK (state IN ('sent', 'unknown', 'confirmed', 'ignored', 'refused')),
    -- Calls since Wildberries last showed what it had been told.
    attempts        integer     NOT NULL DEFAULT 0 CONSTRAINT pushed_quantities_attempts_not_negative CHECK (attempts >= 0),
    code            text        CONSTRAINT pushed_quantities_code_length CHECK (char_length(code) BETWEEN 1 AND 300),
    detail          text        CONSTRAINT pushed_quantities_detail_length CHECK (char_length(detail) <= 300),
    -- What Wildberries showed last; NULL: it has shown nothing, which is not zero.
    seen            bigint      CONSTRAINT pushed_quantities_seen_not_negative CHECK (seen >= 0),
    sent_at         timestamptz NOT NULL,
    settled_at      timestamptz,
    -- Not to be told again before.
    due_at          timestamptz,
    CONSTRAINT pushed_quantities_pkey PRIMARY KEY (enterprise_id, account_id, wb_warehouse_id, product_id),
    CONSTRAINT pushed_quantities_refused_why CHECK ((state = 'refused') = (code IS NOT NULL)),
    CONSTRAINT pushed_quantities_settled CHECK ((state IN ('sent', 'unknown')) = (settled_at IS NULL)),
    CONSTRAINT pushed_quantities_publishing_fkey FOREIGN KEY (enterprise_id, account_id, wb_warehouse_id)
        REFERENCES publishing (enterprise_id, account_id, wb_warehouse_id),
    CONSTRAINT pushed_quantities_product_fkey FOREIGN KEY (enterprise_id, product_id) REFERENCES products (enterprise_id, id)
);
CREATE INDEX pushed_quantities_open_idx ON pushed_quantities (enterprise_id, account_id, wb_warehouse_id, product_id) WHERE state <> 'confirmed';

-- Which job has the turn: two runs of one kind never overlap, whoever asked for them. A job that runs no more has none.
CREATE TABLE sync_lanes (
    enterprise_id uuid NOT NULL,
    account_id    uuid NOT NULL,
    kind          text NOT NULL,
    job_id        uuid NOT NULL,
    CONSTRAINT sync_lanes_pkey PRIMARY KEY (enterprise_id, account_id, kind),
    CONSTRAINT sync_lanes_account_fkey FOREIGN KEY (enterprise_id, account_id) REFERENCES wildberries_accounts (enterprise_id, id)
);

-- What a run could not do, item by item, and what it repaired.
CREATE TABLE sync_run_items (
    enterprise_id uuid   NOT NULL,
    run_id        uuid   NOT NULL,
    position      bigint NOT NULL CONSTRAINT sync_run_items_position_positive CHECK (position > 0),
    item          text   NOT NULL CONSTRAINT sync_run_items_item_length CHECK (char_length(item) BETWEEN 1 AND 200),
    outcome       text   NOT NULL CONSTRAINT sync_run_items_outcome_known CHECK (outcome IN ('failed', 'repaired', 'differing')),
    code          text   NOT NULL CONSTRAINT sync_run_items_code_length CHECK (char_length(code) BETWEEN 1 AND 300),
    detail        text   NOT NULL CONSTRAINT sync_run_items_detail_length CHECK (char_length(detail) <= 300),
    CONSTRAINT sync_run_items_pkey PRIMARY KEY (enterprise_id, run_id, position),
    CONSTRAINT sync_run_items_run_fkey FOREIGN KEY (enterprise_id, run_id) REFERENCES sync_runs (enterprise_id, id) ON DELETE CASCADE
);

ALTER TABLE sync_runs
    DROP CONSTRAINT sync_runs_kind_known,
    ADD CONSTRAINT sync_runs_kind_known
        CHECK (kind IN ('catalogue', 'warehouses', 'new_orders', 'order_history', 'order_statuses', 'stock_push', 'stocks'));

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['pushed_quantities', 'sync_lanes', 'sync_run_items'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
        EXECUTE format('CREATE POLICY enterprise ON %I USING (enterprise_id = current_setting(''app.enterprise_id'')::uuid) '
                       'WITH CHECK (enterprise_id = current_setting(''app.enterprise_id'')::uuid)', name);
        EXECUTE format('GRANT SELECT ON %I TO wb_backup', name);
        EXECUTE format('GRANT SELECT, INSERT ON %I TO wb_api, wb_worker', name);
    END LOOP;
END $$;
GRANT UPDATE ON pushed_quantities, sync_lanes TO wb_api, wb_worker;
