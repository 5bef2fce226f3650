-- The ledger of one cell, of one actor and of one kind is read in its order without reading the rest of it.
CREATE INDEX stock_entries_in_time_idx ON stock_entries (enterprise_id, to_cell_id, occurred_at, id) WHERE to_cell_id IS NOT NULL;
CREATE INDEX stock_entries_out_time_idx ON stock_entries (enterprise_id, from_cell_id, occurred_at, id) WHERE from_cell_id IS NOT NULL;
CREATE INDEX stock_entries_actor_idx ON stock_entries (enterprise_id, actor, occurred_at, id);
CREATE INDEX stock_entries_kind_idx ON stock_entries (enterprise_id, kind, occurred_at, id);
