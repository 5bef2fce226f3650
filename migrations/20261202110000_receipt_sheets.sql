-- Receipt sheets: what is expected, what was counted, and why the two differ, until the goods receipt is posted. A count is
-- a row that stays; a correction is another one.

CREATE TABLE receipt_sheets (
    enterprise_id uuid        NOT NULL,
    id            uuid        NOT NULL,
    warehouse_id  uuid        NOT NULL,
    number        text        NOT NULL CONSTRAINT receipt_sheets_number_length CHECK (char_length(number) BETWEEN 1 AND 100),
    comment       text        CONSTRAINT receipt_sheets_comment_length CHECK (char_length(comment) BETWEEN 1 AND 1000),
    status        text        NOT NULL DEFAULT 'expected' CONSTRAINT receipt_sheets_status_known
                              CHECK (status IN ('expected', 'counting', 'posted', 'cancelled')),
    receipt_id    uuid,
    actor         text        NOT NULL,
    created_at    timestamptz NOT NULL,
    changed_at    timestamptz NOT NULL,
    CONSTRAINT receipt_sheets_pkey PRIMARY KEY (enterprise_id, id),
    CONSTRAINT receipt_sheets_number_key UNIQUE (enterprise_id, number),
    CONSTRAINT receipt_sheets_posted CHECK ((status = 'posted') = (receipt_id IS NOT NULL)),
    CONSTRAINT receipt_sheets_warehouse_fkey FOREIGN KEY (enterprise_id, warehouse_id) REFERENCES warehouses (enterprise_id, id),
    CONSTRAINT receipt_sheets_receipt_fkey FOREIGN KEY (enterprise_id, receipt_id) REFERENCES goods_receipts (enterprise_id, id)
);

-- One line for a lot of a product; what came and was not expected gets a line, too.
CREATE TABLE receipt_sheet_lines (
    enterprise_id uuid    NOT NULL,
    id            uuid    NOT NULL,
    sheet_id      uuid    NOT NULL,
    product_id    uuid    NOT NULL,
    lot_id        uuid    NOT NULL,
    expected      integer NOT NULL CONSTRAINT receipt_sheet_lines_expected_not_negative CHECK (expected >= 0),
    reason        text    CONSTRAINT receipt_sheet_lines_reason_known CHECK (reason IN ('short', 'surplus', 'damaged', 'wrong_item', 'mislabelled', 'other')),
    CONSTRAINT receipt_sheet_lines_pkey PRIMARY KEY (enterprise_id, id),
    CONSTRAINT receipt_sheet_lines_lot_key UNIQUE (enterprise_id, sheet_id, lot_id),
    CONSTRAINT receipt_sheet_lines_sheet_fkey FOREIGN KEY (enterprise_id, sheet_id) REFERENCES receipt_sheets (enterprise_id, id),
    CONSTRAINT receipt_sheet_lines_lot_fkey FOREIGN KEY (enterprise_id, product_id, lot_id) REFERENCES lots (enterprise_id, product_id, id)
);

CREATE TABLE receipt_counts (
    enterprise_id uuid        NOT NULL,
    id            uuid        NOT NULL,
    line_id       uuid        NOT NULL,
    cell_id       uuid        NOT NULL,
    quantity      integer     NOT NULL CONSTRAINT receipt_counts_quantity_some CHECK (quantity <> 0),
    quarantine    boolean     NOT NULL,
    actor         text        NOT NULL,
    counted_at    timestamptz NOT NULL,
    CONSTRAINT receipt_counts_pkey PRIMARY KEY (enterprise_id, id),
    CONSTRAINT receipt_counts_line_fkey FOREIGN KEY (enterprise_id, line_id) REFERENCES receipt_sheet_lines (enterprise_id, id),
    CONSTRAINT receipt_counts_cell_fkey FOREIGN KEY (enterprise_id, cell_id) REFERENCES cells (enterprise_id, id)
);
CREATE INDEX receipt_counts_line_idx ON receipt_counts (enterprise_id, line_id);
CREATE TRIGGER receipt_counts_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON receipt_counts
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_rewriting();

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['receipt_sheets', 'receipt_sheet_lines', 'receipt_counts'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
        EXECUTE format('CREATE POLICY enterprise ON %I USING (enterprise_id = current_setting(''app.enterprise_id'')::uuid) '
                       'WITH CHECK (enterprise_id = current_setting(''app.enterprise_id'')::uuid)', name);
        EXECUTE format('GRANT SELECT, INSERT ON %I TO wb_api, wb_worker', name);
        EXECUTE format('GRANT SELECT ON %I TO wb_backup', name);
    END LOOP;
END $$;
GRANT UPDATE (status, receipt_id, changed_at) ON receipt_sheets TO wb_api, wb_worker;
GRANT UPDATE (reason) ON receipt_sheet_lines TO wb_api, wb_worker;
