-- Own products beside those of Wildberries' cards, with what people say of either; categories, bundles, barcodes that
-- are free again once their product is archived.
--
-- Who owns what. Of a card's product the sync owns sku, name, size, vendor_code, brand, nm_id and chrt_id, and the barcodes
-- whose source is 'wildberries'; nobody else writes them. Everything else is people's, and the sync does not touch it. Of an
-- own item everything is people's.

CREATE TABLE categories (
    enterprise_id uuid        NOT NULL CONSTRAINT categories_enterprise_fkey REFERENCES enterprises,
    id            uuid        NOT NULL,
    parent_id     uuid,
    name          text        NOT NULL CONSTRAINT categories_name_length CHECK (char_length(name) BETWEEN 1 AND 100 AND name !~ '/'),
    created_at    timestamptz NOT NULL,
    version       integer     NOT NULL DEFAULT 1,
    CONSTRAINT categories_pkey PRIMARY KEY (enterprise_id, id),
    CONSTRAINT categories_parent_fkey FOREIGN KEY (enterprise_id, parent_id) REFERENCES categories (enterprise_id, id),
    CONSTRAINT categories_not_in_itself CHECK (parent_id <> id)
);
CREATE UNIQUE INDEX categories_name_key ON categories
    (enterprise_id, coalesce(parent_id, '00000000-0000-0000-0000-000000000000'::uuid), lower(name));
CREATE INDEX categories_parent_idx ON categories (enterprise_id, parent_id);
CREATE TRIGGER categories_count_version BEFORE UPDATE ON categories FOR EACH ROW WHEN (OLD.* IS DISTINCT FROM NEW.*)
    EXECUTE FUNCTION count_version();

-- For the length of this transaction, which locks them anyway, the owner sees all rows: to fill and to check them.
ALTER TABLE products NO FORCE ROW LEVEL SECURITY;
ALTER TABLE cards    NO FORCE ROW LEVEL SECURITY;
ALTER TABLE barcodes NO FORCE ROW LEVEL SECURITY;

ALTER TABLE products
    ADD COLUMN vendor_code      text    CONSTRAINT products_vendor_code_length CHECK (char_length(vendor_code) BETWEEN 1 AND 200),
    ADD COLUMN brand            text    CONSTRAINT products_brand_length CHECK (char_length(brand) BETWEEN 1 AND 200),
    ADD COLUMN category_id      uuid,
    ADD COLUMN photos           text[]  NOT NULL DEFAULT '{}' CONSTRAINT products_photos_count CHECK (cardinality(photos) <= 30),
    ADD COLUMN min_stock        integer CONSTRAINT products_min_stock_range CHECK (min_stock BETWEEN 0 AND 1000000),
    ADD COLUMN safety_stock     integer CONSTRAINT products_safety_stock_range CHECK (safety_stock BETWEEN 0 AND 1000000),
    ADD COLUMN expiry_control   boolean NOT NULL DEFAULT false,
    ADD COLUMN marking_required boolean NOT NULL DEFAULT false,
    ADD COLUMN is_bundle        boolean NOT NULL DEFAULT false,
    -- How often people wrote it: each of their edits is a new version, also where only barcodes or components changed.
    ADD COLUMN edits            integer NOT NULL DEFAULT 0,
    ADD CONSTRAINT products_kind_key UNIQUE (enterprise_id, id, is_bundle);

UPDATE products AS p
SET vendor_code = nullif(left(c.vendor_code, 200), ''), brand = nullif(left(c.brand, 200), '')
FROM cards AS c WHERE (c.enterprise_id, c.account_id, c.nm_id) = (p.enterprise_id, p.account_id, p.nm_id);

-- An own item is named by its SKU; cards of several accounts may well share theirs.
CREATE UNIQUE INDEX products_own_sku_key ON products (enterprise_id, sku) WHERE account_id IS NULL AND archived_at IS NULL;
CREATE INDEX products_sku_idx ON products (enterprise_id, sku);
CREATE INDEX products_brand_idx ON products (enterprise_id, brand, name, id) WHERE brand IS NOT NULL;
CREATE INDEX products_category_idx ON products (enterprise_id, category_id) WHERE category_id IS NOT NULL;
CREATE INDEX products_min_stock_idx ON products (enterprise_id, name, id) WHERE min_stock > 0;
ALTER TABLE products ADD CONSTRAINT products_category_fkey FOREIGN KEY (enterprise_id, category_id) REFERENCES categories (enterprise_id, id);

-- A barcode names one product among those that are not archived.
ALTER TABLE barcodes
    DROP CONSTRAINT barcodes_pkey,
    ADD COLUMN active boolean NOT NULL DEFAULT true,
    ADD COLUMN source text    NOT NULL DEFAULT 'wildberries' CONSTRAINT barcodes_source_known CHECK (source IN ('wildberries', 'own')),
    ADD CONSTRAINT barcodes_pkey PRIMARY KEY (enterprise_id, product_id, barcode);
DROP INDEX barcodes_product_idx;
UPDATE barcodes AS b SET active = false FROM products AS p
WHERE (p.enterprise_id, p.id) = (b.enterprise_id, b.product_id) AND p.archived_at IS NOT NULL;
CREATE UNIQUE INDEX barcodes_active_key ON barcodes (enterprise_id, barcode) WHERE active;

ALTER TABLE products FORCE ROW LEVEL SECURITY;
ALTER TABLE cards    FORCE ROW LEVEL SECURITY;
ALTER TABLE barcodes FORCE ROW LEVEL SECURITY;

CREATE FUNCTION barcodes_follow_products() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE barcodes SET active = NEW.archived_at IS NULL WHERE (enterprise_id, product_id) = (NEW.enterprise_id, NEW.id);
    RETURN NULL;
END $$;
CREATE TRIGGER barcodes_follow_products AFTER UPDATE ON products FOR EACH ROW
    WHEN ((OLD.archived_at IS NULL) <> (NEW.archived_at IS NULL)) EXECUTE FUNCTION barcodes_follow_products();

-- What is sold together and stored apart. A bundle is of products that are none, so nothing goes in circles, and the
-- references hold that whoever changes meanwhile.
CREATE TABLE bundle_components (
    enterprise_id       uuid    NOT NULL,
    bundle_id           uuid    NOT NULL,
    component_id        uuid    NOT NULL,
    quantity            integer NOT NULL CONSTRAINT bundle_components_quantity_range CHECK (quantity BETWEEN 1 AND 1000),
    bundle_is_bundle    boolean NOT NULL DEFAULT true  CONSTRAINT bundle_components_of_a_bundle CHECK (bundle_is_bundle),
    component_is_bundle boolean NOT NULL DEFAULT false CONSTRAINT bundle_components_of_stored CHECK (NOT component_is_bundle),
    CONSTRAINT bundle_components_pkey PRIMARY KEY (enterprise_id, bundle_id, component_id),
    CONSTRAINT bundle_components_bundle_fkey FOREIGN KEY (enterprise_id, bundle_id, bundle_is_bundle)
        REFERENCES products (enterprise_id, id, is_bundle),
    CONSTRAINT bundle_components_component_fkey FOREIGN KEY (enterprise_id, component_id, component_is_bundle)
        REFERENCES products (enterprise_id, id, is_bundle)
);
CREATE INDEX bundle_components_component_idx ON bundle_components (enterprise_id, component_id);

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['categories', 'bundle_components'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
        EXECUTE format('CREATE POLICY enterprise ON %I USING (enterprise_id = current_setting(''app.enterprise_id'')::uuid) '
                       'WITH CHECK (enterprise_id = current_setting(''app.enterprise_id'')::uuid)', name);
        EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %I TO wb_api, wb_worker', name);
        EXECUTE format('GRANT SELECT ON %I TO wb_backup', name);
    END LOOP;
END $$;
