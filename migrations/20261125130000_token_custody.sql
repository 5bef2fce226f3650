-- Custody of Wildberries tokens: what may be shown of a token, how its use went, alarms for its owner, and two facts
-- about the installation as a whole that no enterprise's row security may hide from us.

-- The fingerprint is the end of a keyed hash over token and row: it tells tokens apart and says nothing about them.
-- NULL until the token is stored again: rows from before had none.
ALTER TABLE wildberries_accounts
    ADD COLUMN token_fingerprint text CONSTRAINT wildberries_accounts_token_fingerprint_form CHECK (token_fingerprint ~ '^[0-9a-f]{4}$'),
    ADD COLUMN last_ok_at        timestamptz,
    ADD COLUMN last_error_code   text CONSTRAINT wildberries_accounts_last_error_code_length CHECK (char_length(last_error_code) BETWEEN 1 AND 64),
    ADD COLUMN last_error_at     timestamptz,
    ADD CONSTRAINT wildberries_accounts_last_error_whole CHECK (num_nulls(last_error_code, last_error_at) IN (0, 2));

-- What somebody of the enterprise has to know and do something about. One row per occasion, however often it is noticed.
CREATE TABLE alarms (
    enterprise_id   uuid        NOT NULL CONSTRAINT alarms_enterprise_fkey REFERENCES enterprises,
    id              uuid        NOT NULL,
    kind            text        NOT NULL CONSTRAINT alarms_kind_known
                                CHECK (kind IN ('seller_shared', 'token_expired', 'token_expiring', 'token_refused')),
    account_id      uuid        NOT NULL,
    occasion        text        NOT NULL CONSTRAINT alarms_occasion_length CHECK (char_length(occasion) BETWEEN 1 AND 100),
    detail          text        NOT NULL CONSTRAINT alarms_detail_length CHECK (char_length(detail) BETWEEN 1 AND 1000),
    raised_at       timestamptz NOT NULL,
    -- When its cause was gone, for example because the token was replaced.
    ended_at        timestamptz,
    acknowledged_at timestamptz,
    acknowledged_by text,
    CONSTRAINT alarms_pkey PRIMARY KEY (enterprise_id, id),
    CONSTRAINT alarms_occasion_key UNIQUE (enterprise_id, kind, account_id, occasion),
    CONSTRAINT alarms_acknowledged_whole CHECK (num_nulls(acknowledged_at, acknowledged_by) IN (0, 2)),
    CONSTRAINT alarms_account_fkey FOREIGN KEY (enterprise_id, account_id) REFERENCES wildberries_accounts (enterprise_id, id)
);
ALTER TABLE alarms ENABLE ROW LEVEL SECURITY;
ALTER TABLE alarms FORCE  ROW LEVEL SECURITY;
CREATE POLICY enterprise ON alarms
    USING (enterprise_id = current_setting('app.enterprise_id')::uuid)
    WITH CHECK (enterprise_id = current_setting('app.enterprise_id')::uuid);
GRANT SELECT, INSERT, UPDATE ON alarms TO wb_api, wb_worker;
GRANT SELECT ON alarms TO wb_backup;

-- Which enterprises follow a seller. A platform table, because the one that connects a seller must find the other one
-- without seeing anything of it. Read and written by shared::accounts alone.
CREATE TABLE wildberries_sellers (
    seller_id     uuid NOT NULL,
    enterprise_id uuid NOT NULL CONSTRAINT wildberries_sellers_enterprise_fkey REFERENCES enterprises,
    CONSTRAINT wildberries_sellers_pkey PRIMARY KEY (seller_id, enterprise_id)
);
GRANT SELECT, INSERT ON wildberries_sellers TO wb_api;
GRANT SELECT ON wildberries_sellers TO wb_worker, wb_backup;

DO $$
DECLARE
    enterprise uuid;
BEGIN
    FOR enterprise IN SELECT id FROM enterprises LOOP
        PERFORM set_config('app.enterprise_id', enterprise::text, true);
        INSERT INTO wildberries_sellers (seller_id, enterprise_id)
        SELECT seller_id, enterprise_id FROM wildberries_accounts;
    END LOOP;
END $$;

-- Numbers about the whole installation that a job measures and the health check shows.
CREATE TABLE gauges (
    name        text        CONSTRAINT gauges_pkey PRIMARY KEY,
    value       bigint      NOT NULL,
    measured_at timestamptz NOT NULL
);
GRANT SELECT, INSERT, UPDATE ON gauges TO wb_worker;
GRANT SELECT ON gauges TO wb_api, wb_backup;
