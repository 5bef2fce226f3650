-- Requests: units of human work. A picking request carries its lines in walking order.

CREATE TABLE requests (
    enterprise_id   uuid        NOT NULL CONSTRAINT requests_enterprise_fkey REFERENCES enterprises,
    id              uuid        NOT NULL,
    type            text        NOT NULL CONSTRAINT requests_type_known
                                CHECK (type IN ('goods_receipt', 'stock_move', 'stock_count', 'write_off', 'order_picking', 'supply')),
    status          text        NOT NULL CONSTRAINT requests_status_known
                                CHECK (status IN ('created', 'assigned', 'in_progress', 'in_review', 'rejected', 'completed', 'cancelled')),
    priority        text        NOT NULL CONSTRAINT requests_priority_known CHECK (priority IN ('critical', 'high', 'medium', 'low')),
    warehouse_id    uuid        NOT NULL,
    assignee_id     uuid,
    due_at          timestamptz,
    comment         text,
    -- The cell the picker scanned last: the next item scan is read as taken from there.
    at_cell_id      uuid,
    created_at      timestamptz NOT NULL,
    changed_at      timestamptz NOT NULL,
    CONSTRAINT requests_pkey PRIMARY KEY (enterprise_id, id),
    CONSTRAINT requests_warehouse_fkey FOREIGN KEY (enterprise_id, warehouse_id) REFERENCES warehouses (enterprise_id, id),
    CONSTRAINT requests_assignee_fkey FOREIGN KEY (enterprise_id, assignee_id) REFERENCES memberships (enterprise_id, user_id),
    CONSTRAINT requests_at_cell_fkey FOREIGN KEY (enterprise_id, at_cell_id) REFERENCES cells (enterprise_id, id)
);
CREATE INDEX requests_status_idx ON requests (enterprise_id, status, id);

-- position is the pick step: stickers leave the printer in this order.
CREATE TABLE pick_lines (
    enterprise_id uuid        NOT NULL,
    id            uuid        NOT NULL,
    request_id    uuid        NOT NULL,
    position      integer     NOT NULL CONSTRAINT pick_lines_position_positive CHECK (position > 0),
    order_id      uuid        NOT NULL,
    product_id    uuid        NOT NULL,
    cell_id       uuid        NOT NULL,
    status        text        NOT NULL DEFAULT 'pending' CONSTRAINT pick_lines_status_known
                              CHECK (status IN ('pending', 'picked', 'missing', 'cancelled')),
    picked_at     timestamptz,
    picked_by     text,
    CONSTRAINT pick_lines_pkey PRIMARY KEY (enterprise_id, id),
    CONSTRAINT pick_lines_position_key UNIQUE (enterprise_id, request_id, position),
    CONSTRAINT pick_lines_picked_at_set CHECK ((status = 'picked') = (picked_at IS NOT NULL)),
    CONSTRAINT pick_lines_request_fkey FOREIGN KEY (enterprise_id, request_id) REFERENCES requests (enterprise_id, id),
    CONSTRAINT pick_lines_order_fkey FOREIGN KEY (enterprise_id, order_id) REFERENCES orders (enterprise_id, id),
    CONSTRAINT pick_lines_product_fkey FOREIGN KEY (enterprise_id, product_id) REFERENCES products (enterprise_id, id),
    CONSTRAINT pick_lines_cell_fkey FOREIGN KEY (enterprise_id, cell_id) REFERENCES cells (enterprise_id, id)
);
CREATE UNIQUE INDEX pick_lines_live_order_key ON pick_lines (enterprise_id, order_id) WHERE status IN ('pending', 'picked');

-- What a put-back request asks for: picked goods of a cancelled order that must return to their cell.
CREATE TABLE move_lines (
    enterprise_id uuid        NOT NULL,
    id            uuid        NOT NULL,
    request_id    uuid        NOT NULL,
    order_id      uuid,
    product_id    uuid        NOT NULL,
    from_cell_id  uuid        NOT NULL,
    to_cell_id    uuid        NOT NULL,
    quantity      integer     NOT NULL CONSTRAINT move_lines_quantity_positive CHECK (quantity > 0),
    moved_at      timestamptz,
    CONSTRAINT move_lines_pkey PRIMARY KEY (enterprise_id, id),
    CONSTRAINT move_lines_order_key UNIQUE (enterprise_id, order_id),
    CONSTRAINT move_lines_request_fkey FOREIGN KEY (enterprise_id, request_id) REFERENCES requests (enterprise_id, id),
    CONSTRAINT move_lines_order_fkey FOREIGN KEY (enterprise_id, order_id) REFERENCES orders (enterprise_id, id),
    CONSTRAINT move_lines_product_fkey FOREIGN KEY (enterprise_id, product_id) REFERENCES products (enterprise_id, id),
    CONSTRAINT move_lines_from_cell_fkey FOREIGN KEY (enterprise_id, from_cell_id) REFERENCES cells (enterprise_id, id),
    CONSTRAINT move_lines_to_cell_fkey FOREIGN KEY (enterprise_id, to_cell_id) REFERENCES cells (enterprise_id, id)
);

CREATE TABLE request_history (
    enterprise_id uuid        NOT NULL,
    id            uuid        NOT NULL,
    request_id    uuid        NOT NULL,
    from_status   text,
    to_status     text        NOT NULL,
    actor         text        NOT NULL,
    comment       text,
    occurred_at   timestamptz NOT NULL,
    CONSTRAINT request_history_pkey PRIMARY KEY (enterprise_id, request_id, id),
    CONSTRAINT request_history_request_fkey FOREIGN KEY (enterprise_id, request_id) REFERENCES requests (enterprise_id, id)
);
CREATE TRIGGER request_history_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON request_history
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_rewriting();

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['requests', 'pick_lines', 'move_lines', 'request_history'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
        EXECUTE format('CREATE POLICY enterprise ON %I USING (enterprise_id = current_setting(''app.enterprise_id'')::uuid) '
                       'WITH CHECK (enterprise_id = current_setting(''app.enterprise_id'')::uuid)', name);
        EXECUTE format('GRANT SELECT, INSERT ON %I TO wb_api, wb_worker', name);
        EXECUTE format('GRANT SELECT ON %I TO wb_backup', name);
    END LOOP;
END $$;
GRANT UPDATE ON requests, pick_lines, move_lines TO wb_api, wb_worker;
