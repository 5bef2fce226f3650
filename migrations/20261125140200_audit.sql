-- The audit log: who did what, from where, with before and after; written in the transaction of the act, never changed.
--
-- Entries lie in partitions by month, so that a year later a month can be exported and dropped by its owner, wb_migrate.
-- Each partition is guarded by itself, because a statement that names it passes by the guards of its parent.
-- An entry refers to nothing: it outlives what it tells of. Acts of the installation itself carry the nil enterprise.

CREATE TABLE audit_entries (
    enterprise_id uuid        NOT NULL,
    id            uuid        NOT NULL,
    occurred_at   timestamptz NOT NULL,
    actor         text        NOT NULL CONSTRAINT audit_entries_actor_length CHECK (char_length(actor) BETWEEN 1 AND 200),
    session_id    uuid,
    address       text        CONSTRAINT audit_entries_address_length CHECK (char_length(address) <= 64),
    request_id    text        CONSTRAINT audit_entries_request_id_length CHECK (char_length(request_id) <= 64),
    operation     text        CONSTRAINT audit_entries_operation_length CHECK (char_length(operation) <= 100),
    action        text        NOT NULL CONSTRAINT audit_entries_action_shape CHECK (action ~ '^[a-z_]+\.[a-z_]+$'),
    object_kind   text        NOT NULL CONSTRAINT audit_entries_object_kind_shape CHECK (object_kind ~ '^[a-z_]+$'),
    object_id     text        CONSTRAINT audit_entries_object_id_length CHECK (char_length(object_id) <= 200),
    before        jsonb,
    after         jsonb,
    CONSTRAINT audit_entries_pkey PRIMARY KEY (enterprise_id, occurred_at, id)
) PARTITION BY RANGE (occurred_at);
CREATE INDEX audit_entries_id_idx ON audit_entries (enterprise_id, id);
CREATE INDEX audit_entries_object_idx ON audit_entries (enterprise_id, object_id, occurred_at);

-- Seals: ranges of entries that a job chains by SHA-256 soon after they were committed. The digest of every entry is kept,
-- so that the chain can be followed past months that were exported and dropped, and a changed entry can be named.
CREATE TABLE audit_seals (
    enterprise_id uuid        NOT NULL,
    number        bigint      NOT NULL CONSTRAINT audit_seals_number_positive CHECK (number > 0),
    month         date        NOT NULL CONSTRAINT audit_seals_month_first CHECK (extract(day FROM month) = 1),
    occurred_from timestamptz NOT NULL,
    occurred_to   timestamptz NOT NULL,
    entries       uuid[]      NOT NULL CONSTRAINT audit_seals_entries_some CHECK (cardinality(entries) > 0),
    digests       bytea       NOT NULL,
    previous_hash bytea       NOT NULL CONSTRAINT audit_seals_previous_hash_length CHECK (octet_length(previous_hash) = 32),
    hash          bytea       NOT NULL CONSTRAINT audit_seals_hash_length CHECK (octet_length(hash) = 32),
    sealed_at     timestamptz NOT NULL,
    CONSTRAINT audit_seals_pkey PRIMARY KEY (enterprise_id, number),
    CONSTRAINT audit_seals_digest_each CHECK (octet_length(digests) = 32 * cardinality(entries)),
    CONSTRAINT audit_seals_in_order CHECK (occurred_from <= occurred_to)
);
CREATE INDEX audit_seals_occurred_idx ON audit_seals (enterprise_id, occurred_to);

-- Months that were exported and dropped: their entries may be missing, their seals may not. Of all enterprises at once,
-- and so a platform table; it is written by wb_migrate alone.
CREATE TABLE audit_prunings (
    month     date        CONSTRAINT audit_prunings_pkey PRIMARY KEY CONSTRAINT audit_prunings_month_first CHECK (extract(day FROM month) = 1),
    entries   bigint      NOT NULL,
    sha256    bytea       NOT NULL CONSTRAINT audit_prunings_sha256_length CHECK (octet_length(sha256) = 32),
    pruned_at timestamptz NOT NULL
);

-- Row security and the refusal of every rewriting, for a table that entries lie in.
CREATE FUNCTION audit_guard(name text) RETURNS void LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
    EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
    EXECUTE format('CREATE POLICY enterprise ON %I USING (enterprise_id = current_setting(''app.enterprise_id'')::uuid) '
                   'WITH CHECK (enterprise_id = current_setting(''app.enterprise_id'')::uuid)', name);
    EXECUTE format('CREATE TRIGGER %I BEFORE UPDATE OR DELETE OR TRUNCATE ON %I '
                   'FOR EACH STATEMENT EXECUTE FUNCTION refuse_rewriting()', name || '_append_only', name);
    EXECUTE format('GRANT SELECT ON %I TO wb_backup', name);
END $$;

-- Makes the partition of a month unless it is there. The workers call it and own nothing.
CREATE FUNCTION audit_make_partition(of_day date) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp SET timezone = 'UTC' AS $$
DECLARE
    month date := date_trunc('month', of_day::timestamp)::date;
    name  text := 'audit_entries_' || to_char(month, 'YYYY_MM');
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('audit_make_partition', 0));
    IF to_regclass(name) IS NOT NULL THEN
        RETURN false;
    END IF;
    EXECUTE format('CREATE TABLE %I (LIKE audit_entries INCLUDING CONSTRAINTS)', name);
    PERFORM audit_guard(name);
    -- Attached, not created as a partition: so whoever writes entries meanwhile does not wait.
    EXECUTE format('ALTER TABLE audit_entries ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)',
                   name, month, (month + interval '1 month')::date);
    RETURN true;
END $$;
REVOKE ALL ON FUNCTION audit_guard(text), audit_make_partition(date) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION audit_make_partition(date) TO wb_worker;

-- The enterprises with entries that no seal holds yet. No transaction lives for five minutes, so nothing older than that
-- before the last seal can still arrive.
CREATE FUNCTION audit_unsealed() RETURNS SETOF uuid LANGUAGE plpgsql AS $$
DECLARE
    whose uuid;
BEGIN
    FOR whose IN SELECT e.id FROM enterprises AS e UNION ALL SELECT '00000000-0000-0000-0000-000000000000'::uuid LOOP
        PERFORM set_config('app.enterprise_id', whose::text, true);
        RETURN QUERY
            WITH since AS MATERIALIZED (
                SELECT coalesce(max(s.occurred_to) - interval '5 minutes', '-infinity') AS at FROM audit_seals AS s WHERE s.enterprise_id = whose
            ), sealed AS MATERIALIZED (
                SELECT unnest(s.entries) AS id FROM audit_seals AS s, since WHERE s.enterprise_id = whose AND s.occurred_to >= since.at
            )
            SELECT whose WHERE EXISTS (
                SELECT FROM audit_entries AS e, since
                WHERE e.enterprise_id = whose AND e.occurred_at >= since.at AND NOT EXISTS (SELECT FROM sealed WHERE sealed.id = e.id));
    END LOOP;
    PERFORM set_config('app.enterprise_id', '', true);
END $$;
REVOKE ALL ON FUNCTION audit_unsealed() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION audit_unsealed() TO wb_worker;

DO $$
BEGIN
    PERFORM audit_guard('audit_entries');
    PERFORM audit_guard('audit_seals');
    -- What no month takes is kept all the same: an act must not fail because a partition is missing.
    CREATE TABLE audit_entries_default PARTITION OF audit_entries DEFAULT;
    PERFORM audit_guard('audit_entries_default');
    FOR ahead IN -1..13 LOOP
        PERFORM audit_make_partition((now() + ahead * interval '1 month')::date);
    END LOOP;
END $$;

GRANT SELECT, INSERT ON audit_entries TO wb_api, wb_worker;
GRANT SELECT ON audit_seals TO wb_api;
GRANT SELECT, INSERT ON audit_seals TO wb_worker;
GRANT SELECT ON audit_prunings TO wb_api, wb_worker, wb_backup;
