-- Service keys: 256 random bits that a program sends instead of an access token. Only their SHA-256 is kept. A key names
-- its enterprise, so that it is looked for under row security like everything else.

CREATE TABLE api_keys (
    enterprise_id uuid        NOT NULL CONSTRAINT api_keys_enterprise_fkey REFERENCES enterprises,
    id            uuid        NOT NULL,
    name          text        NOT NULL CONSTRAINT api_keys_name_length CHECK (char_length(name) BETWEEN 1 AND 100),
    secret_hash   bytea       NOT NULL CONSTRAINT api_keys_secret_hash_length CHECK (octet_length(secret_hash) = 32),
    -- The last characters of the key, to tell keys apart.
    hint          text        NOT NULL CONSTRAINT api_keys_hint_length CHECK (char_length(hint) = 4),
    permissions   text[]      NOT NULL CONSTRAINT api_keys_permissions_some CHECK (cardinality(permissions) > 0),
    reach         text        NOT NULL CONSTRAINT api_keys_reach_known CHECK (reach IN ('enterprise', 'warehouses')),
    created_by    uuid        NOT NULL,
    created_at    timestamptz NOT NULL,
    expires_at    timestamptz,
    used_at       timestamptz,
    revoked_at    timestamptz,
    CONSTRAINT api_keys_pkey PRIMARY KEY (enterprise_id, id),
    CONSTRAINT api_keys_secret_hash_key UNIQUE (enterprise_id, secret_hash),
    CONSTRAINT api_keys_created_by_fkey FOREIGN KEY (enterprise_id, created_by) REFERENCES memberships (enterprise_id, user_id)
);

CREATE TABLE api_key_warehouses (
    enterprise_id uuid NOT NULL,
    key_id        uuid NOT NULL,
    warehouse_id  uuid NOT NULL,
    CONSTRAINT api_key_warehouses_pkey PRIMARY KEY (enterprise_id, key_id, warehouse_id),
    CONSTRAINT api_key_warehouses_key_fkey FOREIGN KEY (enterprise_id, key_id) REFERENCES api_keys (enterprise_id, id),
    CONSTRAINT api_key_warehouses_warehouse_fkey FOREIGN KEY (enterprise_id, warehouse_id) REFERENCES warehouses (enterprise_id, id)
);

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['api_keys', 'api_key_warehouses'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
        EXECUTE format('CREATE POLICY enterprise ON %I USING (enterprise_id = current_setting(''app.enterprise_id'')::uuid) '
                       'WITH CHECK (enterprise_id = current_setting(''app.enterprise_id'')::uuid)', name);
        EXECUTE format('GRANT SELECT, INSERT ON %I TO wb_api', name);
        EXECUTE format('GRANT SELECT ON %I TO wb_backup', name);
    END LOOP;
END $$;
-- What a key may do never changes; it is used, and it ends.
GRANT UPDATE (used_at, revoked_at) ON api_keys TO wb_api;
