-- The job table: the row is the job, Redis is the doorbell. Platform tables, because the relay serves every enterprise;
-- the API shows an enterprise its own rows.

CREATE TABLE jobs (
    id            uuid        CONSTRAINT jobs_pkey PRIMARY KEY,
    enterprise_id uuid        CONSTRAINT jobs_enterprise_fkey REFERENCES enterprises,
    kind          text        NOT NULL,
    queue         text        NOT NULL CONSTRAINT jobs_queue_known CHECK (queue IN ('sync', 'import', 'print', 'default')),
    payload       jsonb       NOT NULL,
    unique_key    text,
    state         text        NOT NULL DEFAULT 'queued' CONSTRAINT jobs_state_known
                              CHECK (state IN ('queued', 'sent', 'running', 'done', 'dead', 'cancelled')),
    -- When it may run next; while sent or running, until when the promise holds (the lease).
    run_at        timestamptz NOT NULL,
    attempts      integer     NOT NULL DEFAULT 0,
    -- How often a worker died while running it.
    recoveries    integer     NOT NULL DEFAULT 0,
    expires_at    timestamptz NOT NULL,
    worker_id     uuid,
    progress      integer     NOT NULL DEFAULT 0 CONSTRAINT jobs_progress_percent CHECK (progress BETWEEN 0 AND 100),
    last_error    text,
    trace         text,
    actor         text        NOT NULL,
    created_at    timestamptz NOT NULL,
    started_at    timestamptz,
    finished_at   timestamptz
);
CREATE UNIQUE INDEX jobs_unfinished_key ON jobs (enterprise_id, kind, unique_key) WHERE state IN ('queued', 'sent', 'running');
CREATE UNIQUE INDEX jobs_unfinished_platform_key ON jobs (kind, unique_key) WHERE enterprise_id IS NULL AND state IN ('queued', 'sent', 'running');
CREATE INDEX jobs_due_idx ON jobs (queue, run_at) WHERE state IN ('queued', 'sent', 'running');
CREATE INDEX jobs_enterprise_idx ON jobs (enterprise_id, id);
CREATE INDEX jobs_finished_idx ON jobs (finished_at) WHERE state IN ('done', 'dead', 'cancelled');

-- Wakes the relays; it carries nothing.
CREATE FUNCTION jobs_ring() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('jobs', '');
    RETURN NULL;
END $$;
CREATE TRIGGER jobs_ring AFTER INSERT ON jobs FOR EACH STATEMENT EXECUTE FUNCTION jobs_ring();

-- Timers are rows: whoever moves next_at forward enqueues, so each fires once however many replicas run.
CREATE TABLE schedules (
    id            uuid        CONSTRAINT schedules_pkey PRIMARY KEY,
    enterprise_id uuid        CONSTRAINT schedules_enterprise_fkey REFERENCES enterprises,
    kind          text        NOT NULL,
    payload       jsonb       NOT NULL,
    every_ms      bigint      NOT NULL CONSTRAINT schedules_every_range CHECK (every_ms BETWEEN 500 AND 2592000000),
    jitter_ms     bigint      NOT NULL DEFAULT 0 CONSTRAINT schedules_jitter_range CHECK (jitter_ms BETWEEN 0 AND every_ms),
    next_at       timestamptz NOT NULL,
    last_at       timestamptz,
    paused_at     timestamptz
);
CREATE UNIQUE INDEX schedules_subject_key ON schedules (enterprise_id, kind, payload);
CREATE UNIQUE INDEX schedules_platform_key ON schedules (kind) WHERE enterprise_id IS NULL;
CREATE INDEX schedules_next_idx ON schedules (next_at) WHERE paused_at IS NULL;

-- Worker processes as they live. Each also holds a session advisory lock, so that a dead one is noticed at once.
CREATE TABLE workers (
    id         uuid        CONSTRAINT workers_pkey PRIMARY KEY,
    lock_key   bigint      NOT NULL CONSTRAINT workers_lock_key_key UNIQUE,
    host       text        NOT NULL,
    pid        integer     NOT NULL,
    queues     text[]      NOT NULL,
    started_at timestamptz NOT NULL,
    seen_at    timestamptz NOT NULL
);

-- One row that the health check writes, to notice a read-only or full database.
CREATE TABLE health_probe (
    only_row   boolean     NOT NULL DEFAULT true CONSTRAINT health_probe_pkey PRIMARY KEY CONSTRAINT health_probe_only_row CHECK (only_row),
    written_at timestamptz NOT NULL
);
INSERT INTO health_probe (written_at) VALUES (now());

GRANT SELECT, INSERT, UPDATE ON jobs, schedules TO wb_api;
GRANT SELECT, INSERT, UPDATE, DELETE ON jobs, schedules, workers TO wb_worker;
GRANT SELECT ON workers TO wb_api;
GRANT SELECT, UPDATE ON health_probe TO wb_api;
GRANT SELECT ON jobs, schedules, workers, health_probe TO wb_backup;

-- One execution of a sync, with its counters.
CREATE TABLE sync_runs (
    enterprise_id uuid        NOT NULL,
    id            uuid        NOT NULL,
    account_id    uuid        NOT NULL,
    kind          text        NOT NULL CONSTRAINT sync_runs_kind_known
                              CHECK (kind IN ('catalogue', 'warehouses', 'new_orders', 'order_history', 'order_statuses')),
    status        text        NOT NULL DEFAULT 'queued' CONSTRAINT sync_runs_status_known
                              CHECK (status IN ('queued', 'running', 'succeeded', 'partially_failed', 'failed', 'cancelled')),
    job_id        uuid        NOT NULL,
    -- Where the next page begins; a run that is taken over goes on from here.
    cursor        jsonb,
    seen          bigint      NOT NULL DEFAULT 0,
    added         bigint      NOT NULL DEFAULT 0,
    changed       bigint      NOT NULL DEFAULT 0,
    failed        bigint      NOT NULL DEFAULT 0,
    problem_code  text,
    problem_detail text,
    actor         text        NOT NULL,
    created_at    timestamptz NOT NULL,
    started_at    timestamptz,
    finished_at   timestamptz,
    CONSTRAINT sync_runs_pkey PRIMARY KEY (enterprise_id, id),
    CONSTRAINT sync_runs_account_fkey FOREIGN KEY (enterprise_id, account_id) REFERENCES wildberries_accounts (enterprise_id, id)
);
CREATE INDEX sync_runs_account_idx ON sync_runs (enterprise_id, account_id, kind, id);
CREATE UNIQUE INDEX sync_runs_unfinished_key ON sync_runs (enterprise_id, account_id, kind) WHERE status IN ('queued', 'running');
ALTER TABLE sync_runs ENABLE ROW LEVEL SECURITY;
ALTER TABLE sync_runs FORCE  ROW LEVEL SECURITY;
CREATE POLICY enterprise ON sync_runs
    USING (enterprise_id = current_setting('app.enterprise_id')::uuid)
    WITH CHECK (enterprise_id = current_setting('app.enterprise_id')::uuid);
GRANT SELECT, INSERT, UPDATE, DELETE ON sync_runs TO wb_api, wb_worker;
GRANT SELECT ON sync_runs TO wb_backup;
