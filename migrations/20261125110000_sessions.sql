-- What a person is shown of their sessions, when they last proved who they are, and the refresh tokens that were used.

ALTER TABLE sessions
    -- The password, and the second factor where there is one, were last given then. Sensitive acts need it to be recent.
    ADD COLUMN confirmed_at timestamptz,
    ADD COLUMN user_agent   text CONSTRAINT sessions_user_agent_length CHECK (char_length(user_agent) <= 200),
    -- Truncated: a /24 of IPv4, a /48 of IPv6.
    ADD COLUMN address      text CONSTRAINT sessions_address_length CHECK (char_length(address) <= 50),
    ADD COLUMN end_reason   text CONSTRAINT sessions_end_reason_known CHECK (end_reason IN
                                 ('signed_out', 'ended', 'ended_by_administrator', 'pushed_out', 'password_changed',
                                  'second_factor_changed', 'token_reused'));

-- A session is a family of refresh tokens: the current one lies in its row, those before it here. One of these that comes
-- again ends the family. The successor is sealed under a key that is made from the spent token itself, so that only who
-- presents that token again can be given the same successor, and nobody can read it here.
CREATE TABLE spent_refresh_tokens (
    hash             bytea       CONSTRAINT spent_refresh_tokens_pkey PRIMARY KEY
                                 CONSTRAINT spent_refresh_tokens_hash_length CHECK (octet_length(hash) = 32),
    session_id       uuid        NOT NULL CONSTRAINT spent_refresh_tokens_session_fkey REFERENCES sessions ON DELETE CASCADE,
    spent_at         timestamptz NOT NULL,
    successor_sealed bytea
);
CREATE INDEX spent_refresh_tokens_session_idx ON spent_refresh_tokens (session_id);
CREATE INDEX spent_refresh_tokens_sealed_idx ON spent_refresh_tokens (spent_at) WHERE successor_sealed IS NOT NULL;

GRANT SELECT, INSERT ON spent_refresh_tokens TO wb_api;
GRANT SELECT, UPDATE, DELETE ON spent_refresh_tokens TO wb_worker;
GRANT SELECT ON spent_refresh_tokens TO wb_backup;
