-- Printers, print jobs and their items. An item is committed as sending before its first byte leaves, and nothing
-- automatic sends it again after that: a second sticker for the same parcel is a real harm.

CREATE TABLE printers (
    enterprise_id uuid        NOT NULL CONSTRAINT printers_enterprise_fkey REFERENCES enterprises,
    id            uuid        NOT NULL,
    name          text        NOT NULL CONSTRAINT printers_name_length CHECK (char_length(name) BETWEEN 1 AND 200),
    host          text        NOT NULL CONSTRAINT printers_host_length CHECK (char_length(host) BETWEEN 1 AND 253),
    port          integer     NOT NULL CONSTRAINT printers_port_range CHECK (port BETWEEN 1 AND 65535),
    dpi           integer     NOT NULL CONSTRAINT printers_dpi_range CHECK (dpi BETWEEN 100 AND 600),
    label_width_mm  integer   NOT NULL CONSTRAINT printers_label_width_range CHECK (label_width_mm BETWEEN 20 AND 120),
    label_height_mm integer   NOT NULL CONSTRAINT printers_label_height_range CHECK (label_height_mm BETWEEN 20 AND 200),
    fault_code    text,
    fault_detail  text,
    created_at    timestamptz NOT NULL,
    CONSTRAINT printers_pkey PRIMARY KEY (enterprise_id, id),
    CONSTRAINT printers_name_key UNIQUE (enterprise_id, name)
);

-- Wildberries' sticker of an order, as it answered: bound by order id, never by position in the answer.
CREATE TABLE stickers (
    enterprise_id uuid        NOT NULL,
    order_id      uuid        NOT NULL,
    part_a        text        NOT NULL,
    part_b        text        NOT NULL,
    barcode       text        NOT NULL,
    svg           bytea       NOT NULL,
    fetched_at    timestamptz NOT NULL,
    CONSTRAINT stickers_pkey PRIMARY KEY (enterprise_id, order_id),
    CONSTRAINT stickers_barcode_key UNIQUE (enterprise_id, barcode),
    CONSTRAINT stickers_order_fkey FOREIGN KEY (enterprise_id, order_id) REFERENCES orders (enterprise_id, id)
);

CREATE TABLE print_jobs (
    enterprise_id uuid        NOT NULL,
    id            uuid        NOT NULL,
    printer_id    uuid        NOT NULL,
    kind          text        NOT NULL CONSTRAINT print_jobs_kind_known CHECK (kind IN ('order_stickers', 'supply_qr')),
    request_id    uuid,
    supply_id     uuid,
    status        text        NOT NULL CONSTRAINT print_jobs_status_known
                              CHECK (status IN ('queued', 'rendering', 'sending', 'done', 'failed', 'cancelled', 'uncertain')),
    fault_code    text,
    fault_detail  text,
    actor         text        NOT NULL,
    created_at    timestamptz NOT NULL,
    changed_at    timestamptz NOT NULL,
    CONSTRAINT print_jobs_pkey PRIMARY KEY (enterprise_id, id),
    CONSTRAINT print_jobs_subject CHECK ((kind = 'order_stickers' AND request_id IS NOT NULL AND supply_id IS NULL)
                                      OR (kind = 'supply_qr' AND supply_id IS NOT NULL AND request_id IS NULL)),
    CONSTRAINT print_jobs_printer_fkey FOREIGN KEY (enterprise_id, printer_id) REFERENCES printers (enterprise_id, id),
    CONSTRAINT print_jobs_request_fkey FOREIGN KEY (enterprise_id, request_id) REFERENCES requests (enterprise_id, id),
    CONSTRAINT print_jobs_supply_fkey FOREIGN KEY (enterprise_id, supply_id) REFERENCES supplies (enterprise_id, id)
);
CREATE INDEX print_jobs_lane_idx ON print_jobs (enterprise_id, printer_id, id) WHERE status IN ('queued', 'rendering', 'sending', 'uncertain');
CREATE UNIQUE INDEX print_jobs_live_request_key ON print_jobs (enterprise_id, request_id) WHERE status NOT IN ('failed', 'cancelled');
CREATE UNIQUE INDEX print_jobs_live_supply_key ON print_jobs (enterprise_id, supply_id) WHERE status NOT IN ('failed', 'cancelled');

CREATE TABLE print_items (
    enterprise_id  uuid        NOT NULL,
    id             uuid        NOT NULL,
    print_job_id   uuid        NOT NULL,
    position       integer     NOT NULL CONSTRAINT print_items_position_positive CHECK (position > 0),
    order_id       uuid,
    supply_id      uuid,
    status         text        NOT NULL DEFAULT 'queued' CONSTRAINT print_items_status_known
                               CHECK (status IN ('queued', 'sending', 'done', 'failed', 'cancelled', 'uncertain')),
    attempts       integer     NOT NULL DEFAULT 0,
    payload_sha256 bytea,
    counter_before bigint,
    counter_after  bigint,
    proof          text        CONSTRAINT print_items_proof_known CHECK (proof IN ('none', 'counter', 'ipp', 'agent', 'scan', 'person')),
    reason         text,
    sent_at        timestamptz,
    done_at        timestamptz,
    CONSTRAINT print_items_pkey PRIMARY KEY (enterprise_id, id),
    CONSTRAINT print_items_position_key UNIQUE (enterprise_id, print_job_id, position),
    CONSTRAINT print_items_one_subject CHECK (num_nonnulls(order_id, supply_id) = 1),
    CONSTRAINT print_items_proven CHECK ((status = 'done') = (proof IS NOT NULL)),
    CONSTRAINT print_items_job_fkey FOREIGN KEY (enterprise_id, print_job_id) REFERENCES print_jobs (enterprise_id, id),
    CONSTRAINT print_items_order_fkey FOREIGN KEY (enterprise_id, order_id) REFERENCES orders (enterprise_id, id),
    CONSTRAINT print_items_supply_fkey FOREIGN KEY (enterprise_id, supply_id) REFERENCES supplies (enterprise_id, id)
);
-- One live original per subject: a repeated request finds it instead of printing again.
CREATE UNIQUE INDEX print_items_live_order_key ON print_items (enterprise_id, order_id) WHERE status NOT IN ('failed', 'cancelled');
CREATE UNIQUE INDEX print_items_live_supply_key ON print_items (enterprise_id, supply_id) WHERE status NOT IN ('failed', 'cancelled');

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['printers', 'stickers', 'print_jobs', 'print_items'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
        EXECUTE format('CREATE POLICY enterprise ON %I USING (enterprise_id = current_setting(''app.enterprise_id'')::uuid) '
                       'WITH CHECK (enterprise_id = current_setting(''app.enterprise_id'')::uuid)', name);
        EXECUTE format('GRANT SELECT, INSERT, UPDATE ON %I TO wb_api, wb_worker', name);
        EXECUTE format('GRANT SELECT ON %I TO wb_backup', name);
    END LOOP;
END $$;
