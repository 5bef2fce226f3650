-- Letters to people: invitations, password resets, warnings. A platform table: who answers one is not signed in. The
-- token in a letter is made when the letter is written, and only its SHA-256 is kept.

CREATE TABLE letters (
    id            uuid        CONSTRAINT letters_pkey PRIMARY KEY,
    kind          text        NOT NULL CONSTRAINT letters_kind_known CHECK (kind IN ('invitation', 'password_reset', 'token_reused')),
    email         text        NOT NULL CONSTRAINT letters_email_lower CHECK (email = lower(email) AND char_length(email) <= 254),
    -- Of an invitation: into which enterprise, as whom, as what.
    enterprise_id uuid        CONSTRAINT letters_enterprise_fkey REFERENCES enterprises,
    name          text        CONSTRAINT letters_name_length CHECK (char_length(name) BETWEEN 1 AND 200),
    role          text,
    token_hash    bytea       CONSTRAINT letters_token_hash_length CHECK (octet_length(token_hash) = 32),
    actor         text        NOT NULL,
    created_at    timestamptz NOT NULL,
    expires_at    timestamptz NOT NULL,
    sent_at       timestamptz,
    used_at       timestamptz,
    CONSTRAINT letters_token_hash_key UNIQUE (token_hash),
    CONSTRAINT letters_invitation_whole CHECK
        (kind <> 'invitation' OR (enterprise_id IS NOT NULL AND name IS NOT NULL AND role IS NOT NULL))
);
CREATE INDEX letters_email_idx ON letters (email, kind, created_at);
CREATE INDEX letters_created_idx ON letters (created_at);

GRANT SELECT, INSERT, UPDATE ON letters TO wb_api;
GRANT SELECT, UPDATE, DELETE ON letters TO wb_worker;
GRANT SELECT ON letters TO wb_backup;
