-- What else uses a product is found by the product: receipt sheets, transfers and stock counts.

CREATE INDEX receipt_sheet_lines_product_idx ON receipt_sheet_lines (enterprise_id, product_id);
CREATE INDEX transfer_lines_product_idx ON transfer_lines (enterprise_id, product_id);
CREATE INDEX count_targets_product_idx ON count_targets (enterprise_id, product_id) WHERE product_id IS NOT NULL;
CREATE INDEX count_lines_product_idx ON count_lines (enterprise_id, product_id);
