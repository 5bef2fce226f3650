-- What the answers about stock stand on: the ledger by time, by product, by document; a feed of balances that changed; and
-- which cells count as stock that orders may have.

CREATE INDEX stock_entries_time_idx ON stock_entries (enterprise_id, occurred_at, id);
CREATE INDEX stock_entries_product_time_idx ON stock_entries (enterprise_id, product_id, occurred_at, id);
DROP INDEX stock_entries_product_idx;
CREATE INDEX stock_entries_order_idx ON stock_entries (enterprise_id, order_id, occurred_at, id) WHERE order_id IS NOT NULL;
CREATE INDEX stock_entries_receipt_idx ON stock_entries (enterprise_id, receipt_id, occurred_at, id) WHERE receipt_id IS NOT NULL;
CREATE INDEX stock_entries_shipped_idx ON stock_entries (enterprise_id, product_id, occurred_at) INCLUDE (quantity, from_cell_id)
    WHERE kind = 'ship';

-- number: the place of the balance in the feed of changes; NULL: changed, and not told yet. Numbers are given to what is
-- committed, by one transaction at a time, so whoever has read up to a number has missed nothing below it. An index over
-- NULLs finds what waits.
ALTER TABLE balances ADD COLUMN number bigint;
CREATE UNIQUE INDEX balances_number_key ON balances (enterprise_id, number);
GRANT UPDATE (number) ON balances TO wb_api, wb_worker;

CREATE TABLE stock_feeds (
    enterprise_id uuid   NOT NULL CONSTRAINT stock_feeds_enterprise_fkey REFERENCES enterprises,
    number        bigint NOT NULL CONSTRAINT stock_feeds_number_not_negative CHECK (number >= 0),
    CONSTRAINT stock_feeds_pkey PRIMARY KEY (enterprise_id)
);
ALTER TABLE stock_feeds ENABLE ROW LEVEL SECURITY;
ALTER TABLE stock_feeds FORCE  ROW LEVEL SECURITY;
CREATE POLICY enterprise ON stock_feeds
    USING (enterprise_id = current_setting('app.enterprise_id')::uuid)
    WITH CHECK (enterprise_id = current_setting('app.enterprise_id')::uuid);
GRANT SELECT, INSERT, UPDATE ON stock_feeds TO wb_api, wb_worker;
GRANT SELECT ON stock_feeds TO wb_backup;

-- Both marks go with any change but that of a mark.
CREATE OR REPLACE FUNCTION balances_unmark() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.checked_at := NULL;
    NEW.number := NULL;
    RETURN NEW;
END $$;
DROP TRIGGER balances_unmark ON balances;
CREATE TRIGGER balances_unmark BEFORE UPDATE ON balances FOR EACH ROW
    WHEN (num_nonnulls(OLD.checked_at, OLD.number) > 0
          AND OLD.checked_at IS NOT DISTINCT FROM NEW.checked_at AND OLD.number IS NOT DISTINCT FROM NEW.number
          AND OLD.* IS DISTINCT FROM NEW.*)
    EXECUTE FUNCTION balances_unmark();

-- Whether orders are served from the cell, and how much of a balance they may have: the one place that says so for all
-- answers, with what places and holds there are.
CREATE FUNCTION serves_orders(place cells) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT place.purpose IN ('storage', 'picking') AND place.blocked_at IS NULL AND place.archived_at IS NULL
$$;
CREATE FUNCTION free_units(balance balances) RETURNS integer LANGUAGE sql STABLE AS $$
    SELECT balance.on_hand - balance.reserved
$$;
