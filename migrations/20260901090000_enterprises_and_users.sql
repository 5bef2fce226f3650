-- Enterprises (the tenants), the people of the installation and their sessions.
-- These four are platform tables: signing in happens before an enterprise is known, so row security cannot guard them.
-- They are read and written by shared::enterprises and shared::users alone.

CREATE TABLE enterprises (
    id         uuid        CONSTRAINT enterprises_pkey PRIMARY KEY,
    name       text        NOT NULL CONSTRAINT enterprises_name_length CHECK (char_length(name) BETWEEN 1 AND 200),
    time_zone  text        NOT NULL DEFAULT 'Europe/Moscow',
    status     text        NOT NULL DEFAULT 'active' CONSTRAINT enterprises_status_known CHECK (status IN ('active', 'suspended')),
    created_at timestamptz NOT NULL
);

CREATE TABLE users (
    id            uuid        CONSTRAINT users_pkey PRIMARY KEY,
    email         text        NOT NULL CONSTRAINT users_email_lower CHECK (email = lower(email) AND char_length(email) <= 254),
    name          text        NOT NULL CONSTRAINT users_name_length CHECK (char_length(name) BETWEEN 1 AND 200),
    password_hash text        NOT NULL,
    status        text        NOT NULL DEFAULT 'active' CONSTRAINT users_status_known CHECK (status IN ('active', 'inactive')),
    created_at    timestamptz NOT NULL,
    CONSTRAINT users_email_key UNIQUE (email)
);

CREATE TABLE memberships (
    enterprise_id uuid        NOT NULL CONSTRAINT memberships_enterprise_fkey REFERENCES enterprises,
    user_id       uuid        NOT NULL CONSTRAINT memberships_user_fkey REFERENCES users,
    role          text        NOT NULL CONSTRAINT memberships_role_known
                              CHECK (role IN ('administrator', 'manager', 'storekeeper', 'picker', 'viewer')),
    created_at    timestamptz NOT NULL,
    CONSTRAINT memberships_pkey PRIMARY KEY (enterprise_id, user_id)
);
CREATE INDEX memberships_user_idx ON memberships (user_id);

-- The refresh token is 256 random bits; only its SHA-256 is kept. Each refresh replaces it.
CREATE TABLE sessions (
    id            uuid        CONSTRAINT sessions_pkey PRIMARY KEY,
    user_id       uuid        NOT NULL,
    enterprise_id uuid        NOT NULL,
    refresh_hash  bytea       NOT NULL CONSTRAINT sessions_refresh_hash_length CHECK (octet_length(refresh_hash) = 32),
    created_at    timestamptz NOT NULL,
    used_at       timestamptz NOT NULL,
    expires_at    timestamptz NOT NULL,
    revoked_at    timestamptz,
    CONSTRAINT sessions_refresh_hash_key UNIQUE (refresh_hash),
    CONSTRAINT sessions_membership_fkey FOREIGN KEY (enterprise_id, user_id) REFERENCES memberships (enterprise_id, user_id)
);
CREATE INDEX sessions_user_idx ON sessions (user_id);

GRANT SELECT, INSERT, UPDATE ON enterprises, users, memberships, sessions TO wb_api;
GRANT DELETE ON sessions TO wb_api, wb_worker;
GRANT SELECT ON enterprises, users, memberships, sessions TO wb_worker;
GRANT SELECT ON enterprises, users, memberships, sessions TO wb_backup;

-- The programs compare the migrator's own list with what they were built for.
DO $$
BEGIN
    IF to_regclass('_sqlx_migrations') IS NOT NULL THEN
        GRANT SELECT ON _sqlx_migrations TO wb_api, wb_worker, wb_backup;
    END IF;
END $$;
