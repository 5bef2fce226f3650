-- Assembly orders with their own status beside Wildberries' two, and the supplies they leave in.

CREATE TABLE supplies (
    enterprise_id     uuid        NOT NULL,
    id                uuid        NOT NULL,
    account_id        uuid        NOT NULL,
    -- Sent to Wildberries as the supply's name: creating a supply there is not idempotent, so the name finds it again.
    name              text        NOT NULL CONSTRAINT supplies_name_length CHECK (char_length(name) BETWEEN 1 AND 128),
    status            text        NOT NULL DEFAULT 'draft' CONSTRAINT supplies_status_known
                                  CHECK (status IN ('draft', 'open', 'delivering', 'accepted')),
    wb_supply_id      text,
    wb_warehouse_id   bigint      NOT NULL,
    cargo_type        integer     NOT NULL,
    cross_border_type integer     NOT NULL,
    is_b2b            boolean     NOT NULL,
    shipping_date     date,
    shipping_point_id bigint,
    shipping_type     text        CONSTRAINT supplies_shipping_type_known CHECK (shipping_type IN ('selfShipping', 'transportCompany')),
    shipping_set_at   timestamptz,
    deliver_asked_at  timestamptz,
    delivered_at      timestamptz,
    accepted_at       timestamptz,
    problem_code      text,
    problem_detail    text,
    created_at        timestamptz NOT NULL,
    CONSTRAINT supplies_pkey PRIMARY KEY (enterprise_id, id),
    CONSTRAINT supplies_name_key UNIQUE (enterprise_id, account_id, name),
    CONSTRAINT supplies_wb_supply_id_key UNIQUE (enterprise_id, account_id, wb_supply_id),
    CONSTRAINT supplies_open_is_known CHECK (status = 'draft' OR wb_supply_id IS NOT NULL),
    CONSTRAINT supplies_shipping_whole CHECK (num_nulls(shipping_date, shipping_point_id, shipping_type) IN (0, 3)),
    CONSTRAINT supplies_account_fkey FOREIGN KEY (enterprise_id, account_id) REFERENCES wildberries_accounts (enterprise_id, id)
);

CREATE TABLE orders (
    enterprise_id     uuid        NOT NULL,
    id                uuid        NOT NULL,
    account_id        uuid        NOT NULL,
    wb_order_id       bigint      NOT NULL,
    status            text        NOT NULL CONSTRAINT orders_status_known
                                  CHECK (status IN ('new', 'out_of_stock', 'reserved', 'picking', 'picked', 'packed', 'shipped',
                                                    'delivered', 'impossible', 'cancelled', 'returned')),
    supplier_status   text        NOT NULL,
    wb_status         text        NOT NULL,
    product_id        uuid,
    warehouse_id      uuid,
    wb_warehouse_id   bigint      NOT NULL,
    wb_office_id      bigint,
    nm_id             bigint      NOT NULL,
    chrt_id           bigint      NOT NULL,
    article           text        NOT NULL,
    barcode           text,
    rid               text,
    order_uid         text,
    price_minor       bigint      NOT NULL,
    currency          text        NOT NULL CONSTRAINT orders_currency_code CHECK (currency ~ '^[A-Z]{3}$'),
    cargo_type        integer     NOT NULL,
    cross_border_type integer     NOT NULL,
    is_b2b            boolean     NOT NULL,
    is_zero_order     boolean     NOT NULL,
    required_marks    text[]      NOT NULL DEFAULT '{}',
    supply_id         uuid,
    -- When Wildberries' answer to order-ids showed the order in the supply.
    in_supply_at      timestamptz,
    placed_at         timestamptz NOT NULL,
    imported_at       timestamptz NOT NULL,
    changed_at        timestamptz NOT NULL,
    CONSTRAINT orders_pkey PRIMARY KEY (enterprise_id, id),
    CONSTRAINT orders_wb_order_id_key UNIQUE (enterprise_id, account_id, wb_order_id),
    CONSTRAINT orders_account_fkey FOREIGN KEY (enterprise_id, account_id) REFERENCES wildberries_accounts (enterprise_id, id),
    CONSTRAINT orders_product_fkey FOREIGN KEY (enterprise_id, product_id) REFERENCES products (enterprise_id, id),
    CONSTRAINT orders_warehouse_fkey FOREIGN KEY (enterprise_id, warehouse_id) REFERENCES warehouses (enterprise_id, id),
    CONSTRAINT orders_supply_fkey FOREIGN KEY (enterprise_id, supply_id) REFERENCES supplies (enterprise_id, id)
);
CREATE INDEX orders_status_idx ON orders (enterprise_id, status, placed_at, id);
CREATE INDEX orders_supply_idx ON orders (enterprise_id, supply_id) WHERE supply_id IS NOT NULL;
-- Stock that arrives looks here for who is waiting for it.
CREATE INDEX orders_waiting_idx ON orders (enterprise_id, product_id) WHERE status IN ('new', 'out_of_stock');
-- Orders that Wildberries may still change.
CREATE INDEX orders_followed_idx ON orders (enterprise_id, account_id, wb_order_id)
    WHERE status NOT IN ('delivered', 'cancelled', 'returned', 'impossible');

-- Every transition writes one line.
CREATE TABLE order_history (
    enterprise_id uuid        NOT NULL,
    id            uuid        NOT NULL,
    order_id      uuid        NOT NULL,
    from_status   text,
    to_status     text        NOT NULL,
    actor         text        NOT NULL,
    comment       text,
    occurred_at   timestamptz NOT NULL,
    CONSTRAINT order_history_pkey PRIMARY KEY (enterprise_id, order_id, id),
    CONSTRAINT order_history_order_fkey FOREIGN KEY (enterprise_id, order_id) REFERENCES orders (enterprise_id, id)
);

CREATE TABLE supply_history (
    enterprise_id uuid        NOT NULL,
    id            uuid        NOT NULL,
    supply_id     uuid        NOT NULL,
    from_status   text,
    to_status     text        NOT NULL,
    actor         text        NOT NULL,
    comment       text,
    occurred_at   timestamptz NOT NULL,
    CONSTRAINT supply_history_pkey PRIMARY KEY (enterprise_id, supply_id, id),
    CONSTRAINT supply_history_supply_fkey FOREIGN KEY (enterprise_id, supply_id) REFERENCES supplies (enterprise_id, id)
);

-- Ledgers and histories take inserts only.
CREATE FUNCTION refuse_rewriting() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% takes inserts only', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER order_history_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON order_history
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_rewriting();
CREATE TRIGGER supply_history_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON supply_history
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_rewriting();

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['supplies', 'orders', 'order_history', 'supply_history'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
        EXECUTE format('CREATE POLICY enterprise ON %I USING (enterprise_id = current_setting(''app.enterprise_id'')::uuid) '
                       'WITH CHECK (enterprise_id = current_setting(''app.enterprise_id'')::uuid)', name);
        EXECUTE format('GRANT SELECT, INSERT ON %I TO wb_api, wb_worker', name);
        EXECUTE format('GRANT SELECT ON %I TO wb_backup', name);
    END LOOP;
END $$;
GRANT UPDATE ON supplies, orders TO wb_api, wb_worker;
