-- What Wildberries' answers have that is not known, and what of them could not be read: kept until it can be.

-- One row per account, method, place and way, however often it is seen. Of the answers it holds names of fields, types of
-- values and words that look like names: no text, so nothing that could be a buyer's.
CREATE TABLE drifts (
    enterprise_id   uuid        NOT NULL,
    id              uuid        NOT NULL,
    account_id      uuid        NOT NULL,
    method          text        NOT NULL CONSTRAINT drifts_method_length CHECK (char_length(method) BETWEEN 1 AND 200),
    path            text        NOT NULL CONSTRAINT drifts_path_length CHECK (char_length(path) BETWEEN 1 AND 300),
    kind            text        NOT NULL CONSTRAINT drifts_kind_known
                                CHECK (kind IN ('changed_type', 'missing_field', 'new_field', 'unknown_word', 'unreadable')),
    -- The unknown word, or the type that came; empty where there is none.
    word            text        NOT NULL CONSTRAINT drifts_word_length CHECK (char_length(word) <= 64),
    sample          text        NOT NULL CONSTRAINT drifts_sample_length CHECK (char_length(sample) BETWEEN 1 AND 500),
    count           bigint      NOT NULL CONSTRAINT drifts_count_positive CHECK (count > 0),
    first_seen_at   timestamptz NOT NULL,
    last_seen_at    timestamptz NOT NULL,
    acknowledged_at timestamptz,
    acknowledged_by text,
    CONSTRAINT drifts_pkey PRIMARY KEY (enterprise_id, id),
    CONSTRAINT drifts_place_key UNIQUE (enterprise_id, account_id, method, path, kind, word),
    CONSTRAINT drifts_seen_in_order CHECK (first_seen_at <= last_seen_at),
    CONSTRAINT drifts_acknowledged_whole CHECK (num_nulls(acknowledged_at, acknowledged_by) IN (0, 2)),
    CONSTRAINT drifts_account_fkey FOREIGN KEY (enterprise_id, account_id) REFERENCES wildberries_accounts (enterprise_id, id)
);

-- An entry of an answer that could not be used, as it came but for the buyer's address and wish, sealed. Once it was read
-- after all, nothing of it is kept but that it was there.
CREATE TABLE quarantine (
    enterprise_id uuid        NOT NULL,
    id            uuid        NOT NULL,
    account_id    uuid        NOT NULL,
    kind          text        NOT NULL CONSTRAINT quarantine_kind_known
                              CHECK (kind IN ('card', 'office', 'order', 'status', 'warehouse')),
    method        text        NOT NULL CONSTRAINT quarantine_method_length CHECK (char_length(method) BETWEEN 1 AND 200),
    -- Its number at Wildberries, or a hash of it where it has none.
    item_key      text        NOT NULL CONSTRAINT quarantine_item_key_length CHECK (char_length(item_key) BETWEEN 1 AND 64),
    item_id       bigint,
    why           text        NOT NULL CONSTRAINT quarantine_why_length CHECK (char_length(why) BETWEEN 1 AND 500),
    -- Tells whether it came again as it was.
    digest        bytea       NOT NULL CONSTRAINT quarantine_digest_length CHECK (octet_length(digest) = 32),
    raw_sealed    bytea,
    raw_key_id    text,
    first_seen_at timestamptz NOT NULL,
    last_seen_at  timestamptz NOT NULL,
    replayed_at   timestamptz,
    CONSTRAINT quarantine_pkey PRIMARY KEY (enterprise_id, id),
    CONSTRAINT quarantine_item_key UNIQUE (enterprise_id, account_id, kind, item_key),
    CONSTRAINT quarantine_raw_whole CHECK (num_nulls(raw_sealed, raw_key_id) IN (0, 2)),
    CONSTRAINT quarantine_raw_until_replayed CHECK (replayed_at IS NULL OR raw_sealed IS NULL),
    CONSTRAINT quarantine_seen_in_order CHECK (first_seen_at <= last_seen_at),
    CONSTRAINT quarantine_account_fkey FOREIGN KEY (enterprise_id, account_id) REFERENCES wildberries_accounts (enterprise_id, id)
);
CREATE INDEX quarantine_waiting_idx ON quarantine (enterprise_id, account_id, kind, item_id) WHERE replayed_at IS NULL;

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['drifts', 'quarantine'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
        EXECUTE format('CREATE POLICY enterprise ON %I USING (enterprise_id = current_setting(''app.enterprise_id'')::uuid) '
                       'WITH CHECK (enterprise_id = current_setting(''app.enterprise_id'')::uuid)', name);
        EXECUTE format('GRANT SELECT ON %I TO wb_backup', name);
        EXECUTE format('GRANT SELECT, INSERT, UPDATE ON %I TO wb_worker', name);
    END LOOP;
END $$;
GRANT SELECT, INSERT, UPDATE ON drifts TO wb_api;
-- The API shows what waits, and seals it anew under another key.
GRANT SELECT, UPDATE (raw_sealed, raw_key_id) ON quarantine TO wb_api;

ALTER TABLE alarms
    DROP CONSTRAINT alarms_kind_known,
    ADD CONSTRAINT alarms_kind_known
        CHECK (kind IN ('method_ending', 'seller_shared', 'stock_difference', 'token_expired', 'token_expiring', 'token_refused',
                        'wildberries_drift')),
    DROP CONSTRAINT alarms_account_where_it_is_about_one,
    ADD CONSTRAINT alarms_account_where_it_is_about_one
        CHECK ((account_id IS NULL) = (kind IN ('method_ending', 'stock_difference')));
