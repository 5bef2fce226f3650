-- What uses a product is found by the product, however long the history of an enterprise is.

CREATE INDEX pick_lines_product_idx ON pick_lines (enterprise_id, product_id, request_id);
CREATE INDEX move_lines_product_idx ON move_lines (enterprise_id, product_id, request_id);
CREATE INDEX orders_open_product_idx ON orders (enterprise_id, product_id)
    WHERE status IN ('new', 'out_of_stock', 'reserved', 'picking', 'picked', 'packed');
CREATE INDEX reservations_active_product_idx ON reservations (enterprise_id, product_id) WHERE status = 'active';
