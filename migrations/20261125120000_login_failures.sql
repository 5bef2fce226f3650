-- Guesses at secrets, counted per subject, so that the next one has to wait. The subject is a SHA-256, of an address of
-- e-mail whether or not somebody has it, so that strangers wait like everybody. A platform table: nobody is signed in yet.

CREATE TABLE login_failures (
    kind     text        NOT NULL CONSTRAINT login_failures_kind_known CHECK (kind IN ('password', 'second_factor', 'reset')),
    subject  bytea       NOT NULL CONSTRAINT login_failures_subject_length CHECK (octet_length(subject) = 32),
    failures integer     NOT NULL CONSTRAINT login_failures_some CHECK (failures > 0),
    last_at  timestamptz NOT NULL,
    -- Before this moment nothing is evaluated.
    next_at  timestamptz NOT NULL,
    CONSTRAINT login_failures_pkey PRIMARY KEY (kind, subject)
);
CREATE INDEX login_failures_last_idx ON login_failures (last_at);

GRANT SELECT, INSERT, UPDATE, DELETE ON login_failures TO wb_api;
GRANT SELECT ON login_failures TO wb_backup;
