-- Transfers between own warehouses. Goods on their way lie in the place `in_transit` outside the cells; what left, what has
-- come and what is still awaited is summed from the entries of the transfer, and stands nowhere else.

CREATE TABLE transfers (
    enterprise_id     uuid        NOT NULL,
    id                uuid        NOT NULL,
    from_warehouse_id uuid        NOT NULL,
    to_warehouse_id   uuid        NOT NULL,
    number            text        NOT NULL CONSTRAINT transfers_number_length CHECK (char_length(number) BETWEEN 1 AND 100),
    comment           text        CONSTRAINT transfers_comment_length CHECK (char_length(comment) BETWEEN 1 AND 1000),
    status            text        NOT NULL DEFAULT 'draft' CONSTRAINT transfers_status_known
                                  CHECK (status IN ('draft', 'in_transit', 'receiving', 'received', 'cancelled')),
    actor             text        NOT NULL,
    created_at        timestamptz NOT NULL,
    sent_at           timestamptz,
    closed_at         timestamptz,
    CONSTRAINT transfers_pkey PRIMARY KEY (enterprise_id, id),
    CONSTRAINT transfers_number_key UNIQUE (enterprise_id, number),
    CONSTRAINT transfers_two_warehouses CHECK (from_warehouse_id <> to_warehouse_id),
    CONSTRAINT transfers_sent CHECK (CASE status WHEN 'draft' THEN sent_at IS NULL WHEN 'cancelled' THEN true ELSE sent_at IS NOT NULL END),
    CONSTRAINT transfers_closed CHECK ((status IN ('received', 'cancelled')) = (closed_at IS NOT NULL)),
    CONSTRAINT transfers_from_warehouse_fkey FOREIGN KEY (enterprise_id, from_warehouse_id) REFERENCES warehouses (enterprise_id, id),
    CONSTRAINT transfers_to_warehouse_fkey FOREIGN KEY (enterprise_id, to_warehouse_id) REFERENCES warehouses (enterprise_id, id)
);

-- What is to go.
CREATE TABLE transfer_lines (
    enterprise_id uuid    NOT NULL,
    id            uuid    NOT NULL,
    transfer_id   uuid    NOT NULL,
    product_id    uuid    NOT NULL,
    lot_id        uuid,
    cell_id       uuid,
    quantity      integer NOT NULL CONSTRAINT transfer_lines_quantity_positive CHECK (quantity > 0),
    CONSTRAINT transfer_lines_pkey PRIMARY KEY (enterprise_id, id),
    CONSTRAINT transfer_lines_transfer_fkey FOREIGN KEY (enterprise_id, transfer_id) REFERENCES transfers (enterprise_id, id),
    CONSTRAINT transfer_lines_product_fkey FOREIGN KEY (enterprise_id, product_id) REFERENCES products (enterprise_id, id),
    CONSTRAINT transfer_lines_lot_fkey FOREIGN KEY (enterprise_id, product_id, lot_id) REFERENCES lots (enterprise_id, product_id, id),
    CONSTRAINT transfer_lines_cell_fkey FOREIGN KEY (enterprise_id, cell_id) REFERENCES cells (enterprise_id, id)
);
CREATE INDEX transfer_lines_transfer_idx ON transfer_lines (enterprise_id, transfer_id);
CREATE INDEX transfers_open_idx ON transfers (enterprise_id, to_warehouse_id) WHERE status IN ('in_transit', 'receiving');

-- The owner is let past the policies while the new reference is checked.
ALTER TABLE stock_entries NO FORCE ROW LEVEL SECURITY;
ALTER TABLE stock_entries
    ADD COLUMN transfer_id uuid,
    ADD CONSTRAINT stock_entries_transfer_fkey FOREIGN KEY (enterprise_id, transfer_id) REFERENCES transfers (enterprise_id, id),
    DROP CONSTRAINT stock_entries_from_outside_known,
    ADD CONSTRAINT stock_entries_from_outside_known
        CHECK (from_outside IN ('supplier', 'in_delivery', 'customer', 'returning', 'adjustment', 'loss', 'in_transit')),
    DROP CONSTRAINT stock_entries_to_outside_known,
    ADD CONSTRAINT stock_entries_to_outside_known
        CHECK (to_outside IN ('supplier', 'in_delivery', 'customer', 'returning', 'adjustment', 'loss', 'in_transit')),
    DROP CONSTRAINT stock_entries_kind_known,
    ADD CONSTRAINT stock_entries_kind_known
        CHECK (kind IN ('receipt', 'pick', 'put_back', 'ship', 'deliver', 'return_expected', 'return_received', 'move', 'write_off', 'adjust',
                        'transfer_out', 'transfer_in', 'transfer_back', 'transfer_loss')),
    DROP CONSTRAINT stock_entries_reason_known,
    ADD CONSTRAINT stock_entries_reason_known
        CHECK (reason IN ('found', 'missing', 'miscounted', 'opening', 'damaged', 'defective', 'expired', 'lost', 'used', 'other', 'not_loaded')),
    ADD CONSTRAINT stock_entries_in_transit_of_a_transfer
        CHECK ((from_outside IS DISTINCT FROM 'in_transit' AND to_outside IS DISTINCT FROM 'in_transit') OR transfer_id IS NOT NULL);
ALTER TABLE stock_entries FORCE ROW LEVEL SECURITY;
CREATE INDEX stock_entries_transfer_idx ON stock_entries (enterprise_id, transfer_id) WHERE transfer_id IS NOT NULL;

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['transfers', 'transfer_lines'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
        EXECUTE format('CREATE POLICY enterprise ON %I USING (enterprise_id = current_setting(''app.enterprise_id'')::uuid) '
                       'WITH CHECK (enterprise_id = current_setting(''app.enterprise_id'')::uuid)', name);
        EXECUTE format('GRANT SELECT, INSERT ON %I TO wb_api, wb_worker', name);
        EXECUTE format('GRANT SELECT ON %I TO wb_backup', name);
    END LOOP;
END $$;
GRANT UPDATE (status, sent_at, closed_at) ON transfers TO wb_api, wb_worker;
