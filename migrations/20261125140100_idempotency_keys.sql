-- Answers kept under the client's Idempotency-Key, each written in the transaction of the effect that it tells of.
-- A body may carry a password: the key is kept as its SHA-256, and the request's hash is keyed by the key itself.

CREATE TABLE idempotency_keys (
    enterprise_id uuid        NOT NULL CONSTRAINT idempotency_keys_enterprise_fkey REFERENCES enterprises,
    caller        text        NOT NULL CONSTRAINT idempotency_keys_caller_length CHECK (char_length(caller) BETWEEN 1 AND 200),
    key_hash      bytea       NOT NULL CONSTRAINT idempotency_keys_key_hash_length CHECK (octet_length(key_hash) = 32),
    request_hash  bytea       NOT NULL CONSTRAINT idempotency_keys_request_hash_length CHECK (octet_length(request_hash) = 32),
    status        integer     NOT NULL CONSTRAINT idempotency_keys_status_good CHECK (status BETWEEN 200 AND 299),
    etag          text,
    location      text,
    body          bytea       CONSTRAINT idempotency_keys_body_length CHECK (octet_length(body) <= 1048576),
    created_at    timestamptz NOT NULL,
    CONSTRAINT idempotency_keys_pkey PRIMARY KEY (enterprise_id, caller, key_hash)
);
CREATE INDEX idempotency_keys_age_idx ON idempotency_keys (enterprise_id, created_at);

ALTER TABLE idempotency_keys ENABLE ROW LEVEL SECURITY;
ALTER TABLE idempotency_keys FORCE  ROW LEVEL SECURITY;
CREATE POLICY enterprise ON idempotency_keys
    USING (enterprise_id = current_setting('app.enterprise_id')::uuid)
    WITH CHECK (enterprise_id = current_setting('app.enterprise_id')::uuid);

GRANT SELECT, INSERT ON idempotency_keys TO wb_api;
GRANT SELECT, DELETE ON idempotency_keys TO wb_worker;
GRANT SELECT ON idempotency_keys TO wb_backup;
