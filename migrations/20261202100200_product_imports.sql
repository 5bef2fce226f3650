-- Importing products as a session: the file is read into rows, its columns are given their meanings, a dry run gives each
-- row its verdict, and what was brought in can be taken back. The rows stay as they were read, so each step can be asked
-- about afterwards.

CREATE TABLE product_imports (
    enterprise_id uuid        NOT NULL CONSTRAINT product_imports_enterprise_fkey REFERENCES enterprises,
    id            uuid        NOT NULL,
    file_name     text        NOT NULL CONSTRAINT product_imports_file_name_length CHECK (char_length(file_name) BETWEEN 1 AND 200),
    format        text        NOT NULL CONSTRAINT product_imports_format_known CHECK (format IN ('csv', 'xlsx')),
    status        text        NOT NULL DEFAULT 'read' CONSTRAINT product_imports_status_known
                              CHECK (status IN ('read', 'checking', 'checked', 'committing', 'committed', 'undoing', 'undone')),
    header        text[]      NOT NULL,
    -- The meaning of each column of the header.
    columns       text[]      NOT NULL CONSTRAINT product_imports_columns_each CHECK (cardinality(columns) = cardinality(header)),
    rows          integer     NOT NULL DEFAULT 0 CONSTRAINT product_imports_rows_range CHECK (rows BETWEEN 0 AND 100000),
    -- Behind which row the running step goes on, and how many it has done.
    at_row        integer     NOT NULL DEFAULT 0,
    done          integer     NOT NULL DEFAULT 0,
    -- What its rows amount to, counted page by page.
    to_create     bigint      NOT NULL DEFAULT 0,
    to_change     bigint      NOT NULL DEFAULT 0,
    same          bigint      NOT NULL DEFAULT 0,
    wrong         bigint      NOT NULL DEFAULT 0,
    written       bigint      NOT NULL DEFAULT 0,
    skipped       bigint      NOT NULL DEFAULT 0,
    undone        bigint      NOT NULL DEFAULT 0,
    kept          bigint      NOT NULL DEFAULT 0,
    job_id        uuid,
    actor         text        NOT NULL,
    created_at    timestamptz NOT NULL,
    version       integer     NOT NULL DEFAULT 1,
    CONSTRAINT product_imports_pkey PRIMARY KEY (enterprise_id, id)
);
-- How far a step is, is no change that anybody edits.
CREATE TRIGGER product_imports_count_version BEFORE UPDATE ON product_imports FOR EACH ROW
    WHEN ((OLD.status, OLD.columns, OLD.job_id) IS DISTINCT FROM (NEW.status, NEW.columns, NEW.job_id)) EXECUTE FUNCTION count_version();

CREATE TABLE product_import_rows (
    enterprise_id  uuid    NOT NULL,
    import_id      uuid    NOT NULL,
    -- As the spreadsheet counts, from 1.
    number         integer NOT NULL,
    cells          text[]  NOT NULL,
    verdict        text    CONSTRAINT product_import_rows_verdict_known CHECK (verdict IN ('create', 'change', 'same', 'wrong')),
    outcome        text    CONSTRAINT product_import_rows_outcome_known CHECK (outcome IN ('created', 'changed', 'skipped')),
    undo           text    CONSTRAINT product_import_rows_undo_known CHECK (undo IN ('undone', 'kept')),
    -- Why it is wrong, was skipped or is kept.
    reason         text,
    product_id     uuid,
    -- The product's version that the dry run saw, and the one that the import made.
    seen_version   integer,
    made_version   integer,
    before         jsonb,
    added_barcodes text[],
    CONSTRAINT product_import_rows_pkey PRIMARY KEY (enterprise_id, import_id, number),
    CONSTRAINT product_import_rows_import_fkey FOREIGN KEY (enterprise_id, import_id) REFERENCES product_imports (enterprise_id, id) ON DELETE CASCADE
);

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['product_imports', 'product_import_rows'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
        EXECUTE format('CREATE POLICY enterprise ON %I USING (enterprise_id = current_setting(''app.enterprise_id'')::uuid) '
                       'WITH CHECK (enterprise_id = current_setting(''app.enterprise_id'')::uuid)', name);
        EXECUTE format('GRANT SELECT, INSERT, UPDATE ON %I TO wb_api, wb_worker', name);
        EXECUTE format('GRANT SELECT ON %I TO wb_backup', name);
    END LOOP;
END $$;
