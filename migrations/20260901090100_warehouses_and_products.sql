-- Own warehouses with their cells, Wildberries' warehouses that they feed, cards, products and barcodes.

CREATE TABLE warehouses (
    enterprise_id uuid        NOT NULL CONSTRAINT warehouses_enterprise_fkey REFERENCES enterprises,
    id            uuid        NOT NULL,
    name          text        NOT NULL CONSTRAINT warehouses_name_length CHECK (char_length(name) BETWEEN 1 AND 200),
    address       text,
    created_at    timestamptz NOT NULL,
    CONSTRAINT warehouses_pkey PRIMARY KEY (enterprise_id, id),
    CONSTRAINT warehouses_name_key UNIQUE (enterprise_id, name)
);

-- A cell's code is what the scanner reads off it. Picked goods wait in the warehouse's packing cell.
CREATE TABLE cells (
    enterprise_id uuid        NOT NULL,
    id            uuid        NOT NULL,
    warehouse_id  uuid        NOT NULL,
    code          text        NOT NULL CONSTRAINT cells_code_length CHECK (char_length(code) BETWEEN 1 AND 60),
    purpose       text        NOT NULL CONSTRAINT cells_purpose_known CHECK (purpose IN ('storage', 'packing')),
    pick_sequence integer     NOT NULL,
    created_at    timestamptz NOT NULL,
    CONSTRAINT cells_pkey PRIMARY KEY (enterprise_id, id),
    CONSTRAINT cells_code_key UNIQUE (enterprise_id, warehouse_id, code),
    CONSTRAINT cells_warehouse_fkey FOREIGN KEY (enterprise_id, warehouse_id) REFERENCES warehouses (enterprise_id, id)
);
CREATE UNIQUE INDEX cells_packing_key ON cells (enterprise_id, warehouse_id) WHERE purpose = 'packing';
CREATE INDEX cells_walk_idx ON cells (enterprise_id, warehouse_id, pick_sequence, code);

-- The seller's virtual warehouse at Wildberries. warehouse_id is the own warehouse that fulfils its orders.
CREATE TABLE wildberries_warehouses (
    enterprise_id   uuid    NOT NULL,
    account_id      uuid    NOT NULL,
    wb_warehouse_id bigint  NOT NULL,
    name            text    NOT NULL,
    office_id       bigint,
    cargo_type      integer,
    delivery_type   integer,
    warehouse_id    uuid,
    gone_at         timestamptz,
    CONSTRAINT wildberries_warehouses_pkey PRIMARY KEY (enterprise_id, account_id, wb_warehouse_id),
    CONSTRAINT wildberries_warehouses_account_fkey FOREIGN KEY (enterprise_id, account_id) REFERENCES wildberries_accounts (enterprise_id, id),
    CONSTRAINT wildberries_warehouses_warehouse_fkey FOREIGN KEY (enterprise_id, warehouse_id) REFERENCES warehouses (enterprise_id, id)
);

CREATE TABLE cards (
    enterprise_id  uuid        NOT NULL,
    account_id     uuid        NOT NULL,
    nm_id          bigint      NOT NULL,
    vendor_code    text        NOT NULL,
    title          text        NOT NULL,
    brand          text,
    subject        text,
    photo_url      text,
    needs_marking  boolean     NOT NULL,
    changed_at     timestamptz NOT NULL,
    trashed_at     timestamptz,
    CONSTRAINT cards_pkey PRIMARY KEY (enterprise_id, account_id, nm_id),
    CONSTRAINT cards_account_fkey FOREIGN KEY (enterprise_id, account_id) REFERENCES wildberries_accounts (enterprise_id, id)
);

-- The smallest stocked unit: one size (chrtID) of a card, or an own item (then account, card and size are NULL).
CREATE TABLE products (
    enterprise_id uuid        NOT NULL CONSTRAINT products_enterprise_fkey REFERENCES enterprises,
    id            uuid        NOT NULL,
    sku           text        NOT NULL CONSTRAINT products_sku_length CHECK (char_length(sku) BETWEEN 1 AND 200),
    name          text        NOT NULL CONSTRAINT products_name_length CHECK (char_length(name) BETWEEN 1 AND 500),
    size          text,
    account_id    uuid,
    nm_id         bigint,
    chrt_id       bigint,
    created_at    timestamptz NOT NULL,
    changed_at    timestamptz NOT NULL,
    archived_at   timestamptz,
    CONSTRAINT products_pkey PRIMARY KEY (enterprise_id, id),
    CONSTRAINT products_chrt_key UNIQUE (enterprise_id, account_id, chrt_id),
    CONSTRAINT products_card_whole CHECK (num_nulls(account_id, nm_id, chrt_id) IN (0, 3)),
    CONSTRAINT products_card_fkey FOREIGN KEY (enterprise_id, account_id, nm_id) REFERENCES cards (enterprise_id, account_id, nm_id)
);
CREATE INDEX products_name_idx ON products (enterprise_id, name, id);

-- Text, never a number: leading zeros matter. One barcode names one product of an enterprise.
CREATE TABLE barcodes (
    enterprise_id uuid NOT NULL,
    barcode       text NOT NULL CONSTRAINT barcodes_barcode_length CHECK (char_length(barcode) BETWEEN 1 AND 128),
    product_id    uuid NOT NULL,
    CONSTRAINT barcodes_pkey PRIMARY KEY (enterprise_id, barcode),
    CONSTRAINT barcodes_product_fkey FOREIGN KEY (enterprise_id, product_id) REFERENCES products (enterprise_id, id)
);
CREATE INDEX barcodes_product_idx ON barcodes (enterprise_id, product_id);

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['warehouses', 'cells', 'wildberries_warehouses', 'cards', 'products', 'barcodes'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
        EXECUTE format('CREATE POLICY enterprise ON %I USING (enterprise_id = current_setting(''app.enterprise_id'')::uuid) '
                       'WITH CHECK (enterprise_id = current_setting(''app.enterprise_id'')::uuid)', name);
        EXECUTE format('GRANT SELECT, INSERT, UPDATE ON %I TO wb_api, wb_worker', name);
        EXECUTE format('GRANT SELECT ON %I TO wb_backup', name);
    END LOOP;
END $$;
GRANT DELETE ON barcodes TO wb_api, wb_worker;
