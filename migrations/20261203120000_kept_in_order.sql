-- What is kept now is listed oldest first: among all that has ended, which grows with every order, it is found by itself.
CREATE INDEX reservations_active_idx ON reservations (enterprise_id, id) WHERE status = 'active';
CREATE INDEX holds_active_idx ON holds (enterprise_id, id) WHERE status = 'active';
