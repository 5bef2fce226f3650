-- What Wildberries is to be told of the stock, per warehouse of theirs: the rule, what was stated last, changes that wait
-- for a second person, and the brake that can stop everything at once.

-- A rise by more than this share of what was stated, and by more units than that, waits for a second person; 0: none waits.
ALTER TABLE enterprises
    ADD COLUMN publishing_brake_percent integer NOT NULL DEFAULT 50
        CONSTRAINT enterprises_publishing_brake_percent_range CHECK (publishing_brake_percent BETWEEN 0 AND 1000),
    ADD COLUMN publishing_brake_units integer NOT NULL DEFAULT 100
        CONSTRAINT enterprises_publishing_brake_units_range CHECK (publishing_brake_units BETWEEN 0 AND 1000000);

CREATE TABLE publishing (
    enterprise_id   uuid        NOT NULL,
    account_id      uuid        NOT NULL,
    wb_warehouse_id bigint      NOT NULL,
    -- Units of each product that are kept back.
    safety          integer     NOT NULL DEFAULT 0 CONSTRAINT publishing_safety_range CHECK (safety BETWEEN 0 AND 1000000),
    -- Units of each product that are published at most; NULL: as many as there are.
    quota           integer     CONSTRAINT publishing_quota_range CHECK (quota BETWEEN 0 AND 1000000),
    -- Of the last statement. A frozen warehouse states zero for everything, since the number at which it was frozen.
    number          bigint      NOT NULL DEFAULT 0,
    turned_number   bigint      NOT NULL DEFAULT 0,
    frozen_at       timestamptz,
    frozen_by       text,
    frozen_reason   text        CONSTRAINT publishing_frozen_reason_length CHECK (char_length(frozen_reason) BETWEEN 1 AND 500),
    CONSTRAINT publishing_pkey PRIMARY KEY (enterprise_id, account_id, wb_warehouse_id),
    CONSTRAINT publishing_frozen_whole CHECK (num_nulls(frozen_at, frozen_by, frozen_reason) IN (0, 3)),
    CONSTRAINT publishing_turned_before CHECK (turned_number BETWEEN 0 AND number),
    CONSTRAINT publishing_warehouse_fkey FOREIGN KEY (enterprise_id, account_id, wb_warehouse_id)
        REFERENCES wildberries_warehouses (enterprise_id, account_id, wb_warehouse_id)
);

-- Instead of the warehouse's quota, for one product.
CREATE TABLE publishing_quotas (
    enterprise_id   uuid    NOT NULL,
    account_id      uuid    NOT NULL,
    wb_warehouse_id bigint  NOT NULL,
    product_id      uuid    NOT NULL,
    quota           integer NOT NULL CONSTRAINT publishing_quotas_quota_range CHECK (quota BETWEEN 0 AND 1000000),
    CONSTRAINT publishing_quotas_pkey PRIMARY KEY (enterprise_id, account_id, wb_warehouse_id, product_id),
    CONSTRAINT publishing_quotas_publishing_fkey FOREIGN KEY (enterprise_id, account_id, wb_warehouse_id)
        REFERENCES publishing (enterprise_id, account_id, wb_warehouse_id),
    CONSTRAINT publishing_quotas_product_fkey FOREIGN KEY (enterprise_id, product_id) REFERENCES products (enterprise_id, id)
);

-- What was stated last of each product, and by which statement. Numbers only rise, so an older state is known as one.
CREATE TABLE stated_quantities (
    enterprise_id   uuid        NOT NULL,
    account_id      uuid        NOT NULL,
    wb_warehouse_id bigint      NOT NULL,
    product_id      uuid        NOT NULL,
    quantity        integer     NOT NULL CONSTRAINT stated_quantities_quantity_not_negative CHECK (quantity >= 0),
    number          bigint      NOT NULL,
    stated_at       timestamptz NOT NULL,
    CONSTRAINT stated_quantities_pkey PRIMARY KEY (enterprise_id, account_id, wb_warehouse_id, product_id),
    CONSTRAINT stated_quantities_publishing_fkey FOREIGN KEY (enterprise_id, account_id, wb_warehouse_id)
        REFERENCES publishing (enterprise_id, account_id, wb_warehouse_id),
    CONSTRAINT stated_quantities_product_fkey FOREIGN KEY (enterprise_id, product_id) REFERENCES products (enterprise_id, id)
);

-- Rises that were too large to be stated by whoever asked for them.
CREATE TABLE publications (
    enterprise_id   uuid        NOT NULL,
    id              uuid        NOT NULL,
    account_id      uuid        NOT NULL,
    wb_warehouse_id bigint      NOT NULL,
    status          text        NOT NULL DEFAULT 'waiting' CONSTRAINT publications_status_known
                                CHECK (status IN ('waiting', 'approved', 'rejected', 'superseded')),
    products        bigint      NOT NULL,
    units_before    bigint      NOT NULL,
    units_raised    bigint      NOT NULL CONSTRAINT publications_units_raised_positive CHECK (units_raised > 0),
    asked_by        text        NOT NULL,
    asked_at        timestamptz NOT NULL,
    decided_by      text,
    decided_at      timestamptz,
    CONSTRAINT publications_pkey PRIMARY KEY (enterprise_id, id),
    CONSTRAINT publications_decided CHECK ((status = 'waiting') = (decided_at IS NULL) AND num_nulls(decided_by, decided_at) IN (0, 2)),
    CONSTRAINT publications_four_eyes CHECK (status <> 'approved' OR decided_by <> asked_by),
    CONSTRAINT publications_publishing_fkey FOREIGN KEY (enterprise_id, account_id, wb_warehouse_id)
        REFERENCES publishing (enterprise_id, account_id, wb_warehouse_id)
);
CREATE UNIQUE INDEX publications_waiting_key ON publications (enterprise_id, account_id, wb_warehouse_id) WHERE status = 'waiting';

CREATE TABLE publication_lines (
    enterprise_id  uuid    NOT NULL,
    publication_id uuid    NOT NULL,
    product_id     uuid    NOT NULL,
    was            integer NOT NULL,
    quantity       integer NOT NULL,
    CONSTRAINT publication_lines_pkey PRIMARY KEY (enterprise_id, publication_id, product_id),
    CONSTRAINT publication_lines_rise CHECK (was >= 0 AND quantity > was),
    CONSTRAINT publication_lines_publication_fkey FOREIGN KEY (enterprise_id, publication_id) REFERENCES publications (enterprise_id, id),
    CONSTRAINT publication_lines_product_fkey FOREIGN KEY (enterprise_id, product_id) REFERENCES products (enterprise_id, id)
);

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['publishing', 'publishing_quotas', 'stated_quantities', 'publications', 'publication_lines'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
        EXECUTE format('CREATE POLICY enterprise ON %I USING (enterprise_id = current_setting(''app.enterprise_id'')::uuid) '
                       'WITH CHECK (enterprise_id = current_setting(''app.enterprise_id'')::uuid)', name);
        EXECUTE format('GRANT SELECT ON %I TO wb_backup', name);
        EXECUTE format('GRANT SELECT, INSERT ON %I TO wb_api, wb_worker', name);
    END LOOP;
END $$;
GRANT UPDATE ON publishing, publishing_quotas, stated_quantities TO wb_api, wb_worker;
GRANT UPDATE (status, decided_by, decided_at) ON publications TO wb_api, wb_worker;
GRANT DELETE ON publishing_quotas TO wb_api, wb_worker;
