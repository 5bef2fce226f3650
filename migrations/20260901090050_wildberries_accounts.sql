-- Seller accounts at Wildberries with their sealed tokens, and what Wildberries says of its warehouses and offices.
-- The enterprise is part of every key: Postgres checks foreign keys past row security, so only a composite key keeps
-- a reference inside its enterprise. Without app.enterprise_id the policies raise an error, on purpose.

CREATE TABLE wildberries_accounts (
    enterprise_id    uuid        NOT NULL CONSTRAINT wildberries_accounts_enterprise_fkey REFERENCES enterprises,
    id               uuid        NOT NULL,
    name             text        NOT NULL CONSTRAINT wildberries_accounts_name_length CHECK (char_length(name) BETWEEN 1 AND 200),
    seller_id        uuid        NOT NULL,
    seller_name      text        NOT NULL,
    trade_mark       text,
    token_sealed     bytea       NOT NULL,
    token_key_id     text        NOT NULL,
    token_kind       text        NOT NULL CONSTRAINT wildberries_accounts_token_kind_known
                                 CHECK (token_kind IN ('base', 'test', 'personal', 'service')),
    token_categories bigint      NOT NULL,
    token_read_only  boolean     NOT NULL,
    token_expires_at timestamptz NOT NULL,
    status           text        NOT NULL DEFAULT 'active' CONSTRAINT wildberries_accounts_status_known
                                 CHECK (status IN ('active', 'blocked')),
    status_reason    text,
    created_at       timestamptz NOT NULL,
    changed_at       timestamptz NOT NULL,
    CONSTRAINT wildberries_accounts_pkey PRIMARY KEY (enterprise_id, id),
    CONSTRAINT wildberries_accounts_seller_key UNIQUE (enterprise_id, seller_id)
);

CREATE TABLE wildberries_offices (
    enterprise_id uuid   NOT NULL,
    account_id    uuid   NOT NULL,
    office_id     bigint NOT NULL,
    name          text   NOT NULL,
    city          text,
    address       text,
    CONSTRAINT wildberries_offices_pkey PRIMARY KEY (enterprise_id, account_id, office_id),
    CONSTRAINT wildberries_offices_account_fkey FOREIGN KEY (enterprise_id, account_id) REFERENCES wildberries_accounts (enterprise_id, id)
);

ALTER TABLE wildberries_accounts ENABLE ROW LEVEL SECURITY;
ALTER TABLE wildberries_accounts FORCE  ROW LEVEL SECURITY;
CREATE POLICY enterprise ON wildberries_accounts
    USING (enterprise_id = current_setting('app.enterprise_id')::uuid)
    WITH CHECK (enterprise_id = current_setting('app.enterprise_id')::uuid);
ALTER TABLE wildberries_offices ENABLE ROW LEVEL SECURITY;
ALTER TABLE wildberries_offices FORCE  ROW LEVEL SECURITY;
CREATE POLICY enterprise ON wildberries_offices
    USING (enterprise_id = current_setting('app.enterprise_id')::uuid)
    WITH CHECK (enterprise_id = current_setting('app.enterprise_id')::uuid);

GRANT SELECT, INSERT, UPDATE ON wildberries_accounts, wildberries_offices TO wb_api, wb_worker;
GRANT SELECT ON wildberries_accounts, wildberries_offices TO wb_backup;
