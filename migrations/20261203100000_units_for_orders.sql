-- Which units orders may have is said once, for every answer and for whoever reserves: what lies free where orders are
-- served from and may still be sold on that day.

-- The day is the enterprise's own.
CREATE FUNCTION units_for_orders(balance balances, place cells, lot lots, day date) RETURNS integer LANGUAGE sql STABLE AS $$
    SELECT CASE WHEN serves_orders(place) AND (lot.expires_on IS NULL OR lot.expires_on >= day) THEN free_units(balance) ELSE 0 END
$$;

-- The same of a product, in these warehouses or, where none are named, in all of them.
CREATE FUNCTION product_available(product uuid, within uuid[], day date) RETURNS bigint LANGUAGE sql STABLE AS $$
    SELECT coalesce(sum(units_for_orders(b, c, l, day)), 0)::bigint
    FROM balances AS b
    JOIN cells AS c ON c.enterprise_id = b.enterprise_id AND c.id = b.cell_id
    JOIN lots AS l ON l.enterprise_id = b.enterprise_id AND l.id = b.lot_id
    WHERE b.product_id = product AND b.on_hand > 0 AND (within IS NULL OR c.warehouse_id = ANY(within))
$$;

-- What a balance tells changes with its cell, too: what is free in it, and what the cell is called.
CREATE FUNCTION balances_follow_cells() RETURNS trigger LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    UPDATE balances SET number = NULL
    WHERE enterprise_id = NEW.enterprise_id AND cell_id = NEW.id AND on_hand > 0 AND number IS NOT NULL;
    RETURN NULL;
END $$;
CREATE TRIGGER balances_follow_cells AFTER UPDATE ON cells FOR EACH ROW
    WHEN (serves_orders(OLD) IS DISTINCT FROM serves_orders(NEW) OR OLD.code <> NEW.code)
    EXECUTE FUNCTION balances_follow_cells();

-- And with the day: the last one on which the feed saw to the lots that had expired.
ALTER TABLE stock_feeds ADD COLUMN day date;
CREATE INDEX lots_expires_on_idx ON lots (enterprise_id, expires_on) WHERE expires_on IS NOT NULL;
