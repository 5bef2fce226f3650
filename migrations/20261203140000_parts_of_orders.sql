-- An order of a bundle holds the units of all of its parts, so it may hold several. Each is a part of the order, counted
-- from 0; an order of one stored product has part 0 alone, as before.

ALTER TABLE reservations
    ADD COLUMN part integer NOT NULL DEFAULT 0 CONSTRAINT reservations_part_not_negative CHECK (part >= 0);
DROP INDEX reservations_active_order_key;
CREATE UNIQUE INDEX reservations_active_order_key ON reservations (enterprise_id, order_id, part) WHERE status = 'active';

ALTER TABLE pick_lines
    ADD COLUMN part integer NOT NULL DEFAULT 0 CONSTRAINT pick_lines_part_not_negative CHECK (part >= 0);
DROP INDEX pick_lines_live_order_key;
CREATE UNIQUE INDEX pick_lines_live_order_key ON pick_lines (enterprise_id, order_id, part) WHERE status IN ('pending', 'picked');

ALTER TABLE stock_entries
    ADD COLUMN part integer NOT NULL DEFAULT 0 CONSTRAINT stock_entries_part_not_negative CHECK (part >= 0);
-- Each unit of an order leaves, arrives and comes back once.
DROP INDEX stock_entries_order_stage_key;
CREATE UNIQUE INDEX stock_entries_order_stage_key ON stock_entries (enterprise_id, order_id, part, kind)
    WHERE kind IN ('ship', 'deliver', 'return_expected', 'return_received');

-- What goes back keeps its lot. A key to a table with forced row security is validated as its owner: without the force.
ALTER TABLE move_lines    NO FORCE ROW LEVEL SECURITY;
ALTER TABLE stock_entries NO FORCE ROW LEVEL SECURITY;
ALTER TABLE lots          NO FORCE ROW LEVEL SECURITY;
ALTER TABLE move_lines
    ADD COLUMN part   integer NOT NULL DEFAULT 0 CONSTRAINT move_lines_part_not_negative CHECK (part >= 0),
    ADD COLUMN lot_id uuid;
UPDATE move_lines AS m
SET lot_id = coalesce((SELECT e.lot_id FROM stock_entries AS e
                       WHERE e.enterprise_id = m.enterprise_id AND e.order_id = m.order_id AND e.kind = 'pick'
                       ORDER BY e.id DESC LIMIT 1), m.product_id);
ALTER TABLE move_lines
    ALTER COLUMN lot_id SET NOT NULL,
    DROP CONSTRAINT move_lines_order_key,
    ADD CONSTRAINT move_lines_lot_fkey FOREIGN KEY (enterprise_id, product_id, lot_id) REFERENCES lots (enterprise_id, product_id, id);
CREATE UNIQUE INDEX move_lines_order_key ON move_lines (enterprise_id, order_id, part) WHERE moved_at IS NULL;
ALTER TABLE move_lines    FORCE ROW LEVEL SECURITY;
ALTER TABLE stock_entries FORCE ROW LEVEL SECURITY;
ALTER TABLE lots          FORCE ROW LEVEL SECURITY;

-- Goods that come back from buyers are a document too.
ALTER TABLE stock_documents
    DROP CONSTRAINT stock_documents_kind_known,
    ADD CONSTRAINT stock_documents_kind_known
        CHECK (kind IN ('move', 'adjust', 'write_off', 'hold', 'reserve', 'release', 'return'));
