-- Second factors: time-based codes (RFC 6238) and the codes for the day on which the telephone is gone. A person belongs
-- to the installation, so these are platform tables like users.

CREATE TABLE second_factors (
    -- The person's.
    id            uuid        CONSTRAINT second_factors_pkey PRIMARY KEY CONSTRAINT second_factors_user_fkey REFERENCES users,
    -- Sealed like Wildberries tokens, bound to this row.
    secret_sealed bytea       NOT NULL,
    secret_key_id text        NOT NULL,
    created_at    timestamptz NOT NULL,
    -- Until the first code was shown to be right it asks nobody for anything.
    confirmed_at  timestamptz,
    -- The step of the last code that was taken: each step is good once.
    last_step     bigint      NOT NULL DEFAULT 0,
    failures      integer     NOT NULL DEFAULT 0 CONSTRAINT second_factors_failures_positive CHECK (failures >= 0),
    closed_until  timestamptz
);

CREATE TABLE recovery_codes (
    user_id uuid        NOT NULL CONSTRAINT recovery_codes_factor_fkey REFERENCES second_factors ON DELETE CASCADE,
    hash    bytea       NOT NULL CONSTRAINT recovery_codes_hash_length CHECK (octet_length(hash) = 32),
    used_at timestamptz,
    CONSTRAINT recovery_codes_pkey PRIMARY KEY (user_id, hash)
);

GRANT SELECT, INSERT, UPDATE, DELETE ON second_factors, recovery_codes TO wb_api;
-- Which keys are in use is counted by every program.
GRANT SELECT ON second_factors TO wb_worker;
GRANT SELECT ON second_factors, recovery_codes TO wb_backup;
