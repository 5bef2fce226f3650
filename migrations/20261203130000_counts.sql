-- Stock counts: what is to be counted and what the ledger says of it, who counted what and when, why the two differ, and
-- which entry corrected it. A line keeps the difference as it was at the moment of counting, so what moves before and after
-- does not disturb it.

ALTER TABLE cells         NO FORCE ROW LEVEL SECURITY;
ALTER TABLE stock_entries NO FORCE ROW LEVEL SECURITY;

CREATE TABLE counts (
    enterprise_id uuid        NOT NULL CONSTRAINT counts_enterprise_fkey REFERENCES enterprises,
    id            uuid        NOT NULL,
    warehouse_id  uuid        NOT NULL,
    name          text        NOT NULL CONSTRAINT counts_name_length CHECK (char_length(name) BETWEEN 1 AND 100),
    comment       text        CONSTRAINT counts_comment_length CHECK (char_length(comment) BETWEEN 1 AND 1000),
    scope         text        NOT NULL CONSTRAINT counts_scope_known CHECK (scope IN ('warehouse', 'zones', 'cells', 'products')),
    blind         boolean     NOT NULL,
    freezes       boolean     NOT NULL,
    status        text        NOT NULL DEFAULT 'planned' CONSTRAINT counts_status_known
                              CHECK (status IN ('planned', 'counting', 'review', 'posting', 'posted', 'cancelled')),
    -- 0 before it starts; every recount is a round of its own.
    round         integer     NOT NULL DEFAULT 0 CONSTRAINT counts_round_not_negative CHECK (round >= 0),
    request_id    uuid        NOT NULL,
    document_id   uuid,
    actor         text        NOT NULL,
    created_at    timestamptz NOT NULL,
    started_at    timestamptz,
    posted_at     timestamptz,
    version       integer     NOT NULL DEFAULT 1,
    CONSTRAINT counts_pkey PRIMARY KEY (enterprise_id, id),
    CONSTRAINT counts_request_key UNIQUE (enterprise_id, request_id),
    CONSTRAINT counts_document_key UNIQUE (enterprise_id, document_id),
    CONSTRAINT counts_started CHECK ((round = 0) = (started_at IS NULL)),
    CONSTRAINT counts_posted CHECK ((status = 'posted') = (posted_at IS NOT NULL)),
    CONSTRAINT counts_warehouse_fkey FOREIGN KEY (enterprise_id, warehouse_id) REFERENCES warehouses (enterprise_id, id),
    CONSTRAINT counts_request_fkey FOREIGN KEY (enterprise_id, request_id) REFERENCES requests (enterprise_id, id),
    CONSTRAINT counts_document_fkey FOREIGN KEY (enterprise_id, document_id) REFERENCES stock_documents (enterprise_id, id)
);
CREATE INDEX counts_status_idx ON counts (enterprise_id, status, id);
CREATE TRIGGER counts_count_version BEFORE UPDATE ON counts FOR EACH ROW WHEN (OLD.* IS DISTINCT FROM NEW.*) EXECUTE FUNCTION count_version();

-- What a plan names: zones, cells or products. A zone that is removed before the start is not counted.
CREATE TABLE count_targets (
    enterprise_id uuid    NOT NULL,
    count_id      uuid    NOT NULL,
    position      integer NOT NULL CONSTRAINT count_targets_position_positive CHECK (position > 0),
    zone_id       uuid,
    cell_id       uuid,
    product_id    uuid,
    CONSTRAINT count_targets_pkey PRIMARY KEY (enterprise_id, count_id, position),
    CONSTRAINT count_targets_one CHECK (num_nonnulls(zone_id, cell_id, product_id) = 1),
    CONSTRAINT count_targets_count_fkey FOREIGN KEY (enterprise_id, count_id) REFERENCES counts (enterprise_id, id),
    CONSTRAINT count_targets_zone_fkey FOREIGN KEY (enterprise_id, zone_id) REFERENCES zones (enterprise_id, id) ON DELETE CASCADE,
    CONSTRAINT count_targets_cell_fkey FOREIGN KEY (enterprise_id, cell_id) REFERENCES cells (enterprise_id, id),
    CONSTRAINT count_targets_product_fkey FOREIGN KEY (enterprise_id, product_id) REFERENCES products (enterprise_id, id)
);
CREATE INDEX count_targets_zone_idx ON count_targets (enterprise_id, zone_id) WHERE zone_id IS NOT NULL;

-- The cells of a count from its start on. A cell is counted by one count at a time: two would correct the same twice.
CREATE TABLE count_cells (
    enterprise_id uuid        NOT NULL,
    count_id      uuid        NOT NULL,
    cell_id       uuid        NOT NULL,
    ended_at      timestamptz,
    -- When it was let go, if it was frozen, and when those who waited for what lies there were served.
    thawed_at     timestamptz,
    served_at     timestamptz,
    CONSTRAINT count_cells_pkey PRIMARY KEY (enterprise_id, count_id, cell_id),
    CONSTRAINT count_cells_served_after_thaw CHECK (served_at IS NULL OR thawed_at IS NOT NULL),
    CONSTRAINT count_cells_count_fkey FOREIGN KEY (enterprise_id, count_id) REFERENCES counts (enterprise_id, id),
    CONSTRAINT count_cells_cell_fkey FOREIGN KEY (enterprise_id, cell_id) REFERENCES cells (enterprise_id, id)
);
CREATE UNIQUE INDEX count_cells_open_key ON count_cells (enterprise_id, cell_id) WHERE ended_at IS NULL;
CREATE INDEX count_cells_unserved_idx ON count_cells (enterprise_id, count_id, cell_id) WHERE thawed_at IS NOT NULL AND served_at IS NULL;

-- One lot of a product in a cell. expected: what the ledger said at the moment of counting, until then at the start.
CREATE TABLE count_lines (
    enterprise_id     uuid        NOT NULL,
    id                uuid        NOT NULL,
    count_id          uuid        NOT NULL,
    cell_id           uuid        NOT NULL,
    product_id        uuid        NOT NULL,
    lot_id            uuid        NOT NULL,
    round             integer     NOT NULL CONSTRAINT count_lines_round_positive CHECK (round > 0),
    by_another        boolean     NOT NULL DEFAULT false,
    expected_at_start integer     NOT NULL CONSTRAINT count_lines_expected_at_start_not_negative CHECK (expected_at_start >= 0),
    expected          integer     NOT NULL CONSTRAINT count_lines_expected_not_negative CHECK (expected >= 0),
    counted           integer     CONSTRAINT count_lines_counted_range CHECK (counted BETWEEN 0 AND 1000000),
    difference        integer     GENERATED ALWAYS AS (counted - expected) STORED,
    counted_at        timestamptz,
    counted_by        text,
    disputed          boolean     NOT NULL DEFAULT false,
    kept              boolean     NOT NULL DEFAULT false,
    reason            text        CONSTRAINT count_lines_reason_known
                                  CHECK (reason IN ('damaged', 'lost', 'found', 'misplaced', 'miscounted_before', 'supplier_error', 'theft', 'other')),
    comment           text        CONSTRAINT count_lines_comment_length CHECK (char_length(comment) BETWEEN 1 AND 1000),
    entry_id          uuid,
    problem           text        CONSTRAINT count_lines_problem_length CHECK (char_length(problem) BETWEEN 1 AND 1000),
    CONSTRAINT count_lines_pkey PRIMARY KEY (enterprise_id, id),
    CONSTRAINT count_lines_place_key UNIQUE (enterprise_id, count_id, cell_id, lot_id),
    CONSTRAINT count_lines_counted_whole CHECK (num_nulls(counted, counted_at, counted_by) IN (0, 3)),
    CONSTRAINT count_lines_kept_uncounted CHECK (NOT kept OR counted IS NULL),
    CONSTRAINT count_lines_other_in_words CHECK (reason IS DISTINCT FROM 'other' OR comment IS NOT NULL),
    CONSTRAINT count_lines_posted_with_reason CHECK (entry_id IS NULL OR (counted <> expected AND reason IS NOT NULL)),
    CONSTRAINT count_lines_cell_fkey FOREIGN KEY (enterprise_id, count_id, cell_id) REFERENCES count_cells (enterprise_id, count_id, cell_id),
    CONSTRAINT count_lines_lot_fkey FOREIGN KEY (enterprise_id, product_id, lot_id) REFERENCES lots (enterprise_id, product_id, id),
    CONSTRAINT count_lines_entry_fkey FOREIGN KEY (enterprise_id, entry_id) REFERENCES stock_entries (enterprise_id, id)
);
CREATE INDEX count_lines_count_idx ON count_lines (enterprise_id, count_id, id);
CREATE INDEX count_lines_open_idx ON count_lines (enterprise_id, count_id, cell_id) WHERE counted IS NULL AND NOT kept;
CREATE INDEX count_lines_different_idx ON count_lines (enterprise_id, count_id, id) WHERE difference <> 0;
CREATE UNIQUE INDEX count_lines_entry_key ON count_lines (enterprise_id, entry_id) WHERE entry_id IS NOT NULL;

-- What was corrected stays as it was corrected.
CREATE FUNCTION count_lines_stay_posted() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE check_violation USING CONSTRAINT = 'count_lines_stay_posted', TABLE = 'count_lines', MESSAGE = 'the line is posted';
END $$;
CREATE TRIGGER count_lines_stay_posted BEFORE UPDATE ON count_lines FOR EACH ROW
    WHEN (OLD.entry_id IS NOT NULL) EXECUTE FUNCTION count_lines_stay_posted();

-- Who counted what, when. A person who counts again replaces what they said before in this round.
CREATE TABLE count_tallies (
    enterprise_id uuid        NOT NULL,
    id            uuid        NOT NULL,
    count_id      uuid        NOT NULL,
    count_line_id uuid        NOT NULL,
    -- In the order in which they were said of the line.
    number        integer     NOT NULL CONSTRAINT count_tallies_number_positive CHECK (number > 0),
    round         integer     NOT NULL,
    kind          text        NOT NULL CONSTRAINT count_tallies_kind_known CHECK (kind IN ('counted', 'scanned', 'empty', 'decided')),
    quantity      integer     NOT NULL CONSTRAINT count_tallies_quantity_range CHECK (quantity BETWEEN 0 AND 1000000),
    expected      integer     NOT NULL,
    actor         text        NOT NULL,
    person_id     uuid        CONSTRAINT count_tallies_person_fkey REFERENCES users,
    counted_at    timestamptz NOT NULL,
    recorded_at   timestamptz NOT NULL,
    CONSTRAINT count_tallies_pkey PRIMARY KEY (enterprise_id, id),
    CONSTRAINT count_tallies_number_key UNIQUE (enterprise_id, count_line_id, number),
    CONSTRAINT count_tallies_count_fkey FOREIGN KEY (enterprise_id, count_id) REFERENCES counts (enterprise_id, id),
    CONSTRAINT count_tallies_line_fkey FOREIGN KEY (enterprise_id, count_line_id) REFERENCES count_lines (enterprise_id, id)
);
CREATE INDEX count_tallies_count_idx ON count_tallies (enterprise_id, count_id, id);
CREATE INDEX count_tallies_person_idx ON count_tallies (enterprise_id, count_id, person_id);
CREATE TRIGGER count_tallies_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON count_tallies
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_rewriting();

-- The cell that each counter scanned last: the next item is read as found there.
CREATE TABLE count_stands (
    enterprise_id uuid NOT NULL,
    count_id      uuid NOT NULL,
    actor         text NOT NULL,
    cell_id       uuid NOT NULL,
    CONSTRAINT count_stands_pkey PRIMARY KEY (enterprise_id, count_id, actor),
    CONSTRAINT count_stands_count_fkey FOREIGN KEY (enterprise_id, count_id) REFERENCES counts (enterprise_id, id),
    CONSTRAINT count_stands_cell_fkey FOREIGN KEY (enterprise_id, cell_id) REFERENCES cells (enterprise_id, id)
);

CREATE TABLE count_history (
    enterprise_id uuid        NOT NULL,
    id            uuid        NOT NULL,
    count_id      uuid        NOT NULL,
    from_status   text,
    to_status     text        NOT NULL,
    actor         text        NOT NULL,
    -- The person, or the one who made the key.
    person_id     uuid        CONSTRAINT count_history_person_fkey REFERENCES users,
    comment       text,
    occurred_at   timestamptz NOT NULL,
    CONSTRAINT count_history_pkey PRIMARY KEY (enterprise_id, count_id, id),
    CONSTRAINT count_history_count_fkey FOREIGN KEY (enterprise_id, count_id) REFERENCES counts (enterprise_id, id)
);
CREATE TRIGGER count_history_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON count_history
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_rewriting();

-- The count that has frozen the cell: nothing goes in or out but what this count corrects.
ALTER TABLE cells
    ADD COLUMN frozen_count_id uuid,
    ADD CONSTRAINT cells_frozen_count_fkey FOREIGN KEY (enterprise_id, frozen_count_id) REFERENCES counts (enterprise_id, id),
    ADD CONSTRAINT cells_packing_never_frozen CHECK (frozen_count_id IS NULL OR purpose IN ('receiving', 'storage', 'picking', 'quarantine'));
CREATE INDEX cells_frozen_idx ON cells (enterprise_id, frozen_count_id) WHERE frozen_count_id IS NOT NULL;

-- The ledger knows the reasons of counts beside whatever it knows by now.
DO $$
DECLARE
    known text;
BEGIN
    SELECT string_agg(DISTINCT quote_literal(word), ', ') INTO known
    FROM (SELECT m[1] AS word FROM pg_constraint, regexp_matches(pg_get_constraintdef(oid), '''([a-z_]+)''', 'g') AS m
          WHERE conrelid = 'stock_entries'::regclass AND conname = 'stock_entries_reason_known'
          UNION ALL SELECT unnest(ARRAY['misplaced', 'miscounted_before', 'supplier_error', 'theft'])) AS words;
    EXECUTE format('ALTER TABLE stock_entries DROP CONSTRAINT stock_entries_reason_known, '
                   'ADD CONSTRAINT stock_entries_reason_known CHECK (reason IN (%s))', known);
END $$;

ALTER TABLE cells         FORCE ROW LEVEL SECURITY;
ALTER TABLE stock_entries FORCE ROW LEVEL SECURITY;

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['counts', 'count_targets', 'count_cells', 'count_lines', 'count_tallies', 'count_stands', 'count_history'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
        EXECUTE format('CREATE POLICY enterprise ON %I USING (enterprise_id = current_setting(''app.enterprise_id'')::uuid) '
                       'WITH CHECK (enterprise_id = current_setting(''app.enterprise_id'')::uuid)', name);
        EXECUTE format('GRANT SELECT, INSERT ON %I TO wb_api, wb_worker', name);
        EXECUTE format('GRANT SELECT ON %I TO wb_backup', name);
    END LOOP;
END $$;
GRANT UPDATE (name, comment, scope, blind, freezes, status, round, document_id, started_at, posted_at) ON counts TO wb_api, wb_worker;
GRANT DELETE ON count_targets TO wb_api, wb_worker;
GRANT UPDATE (ended_at, thawed_at, served_at) ON count_cells TO wb_api, wb_worker;
GRANT UPDATE (round, by_another, expected, counted, counted_at, counted_by, disputed, kept, reason, comment, entry_id, problem)
    ON count_lines TO wb_api, wb_worker;
GRANT UPDATE (cell_id) ON count_stands TO wb_api, wb_worker;
