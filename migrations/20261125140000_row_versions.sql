-- What two people may edit counts its changes: If-Match compares the count. A trigger counts, so that no verb can forget to.

CREATE FUNCTION count_version() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.version := OLD.version + 1;
    RETURN NEW;
END $$;

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['warehouses', 'cells', 'products', 'requests', 'supplies', 'printers'] LOOP
        EXECUTE format('ALTER TABLE %I ADD COLUMN version integer NOT NULL DEFAULT 1', name);
        EXECUTE format('CREATE TRIGGER %I BEFORE UPDATE ON %I FOR EACH ROW WHEN (OLD.* IS DISTINCT FROM NEW.*) '
                       'EXECUTE FUNCTION count_version()', name || '_count_version', name);
    END LOOP;
END $$;

-- How the calls of an account went is no change that anybody edits.
ALTER TABLE wildberries_accounts ADD COLUMN version integer NOT NULL DEFAULT 1;
CREATE TRIGGER wildberries_accounts_count_version BEFORE UPDATE ON wildberries_accounts FOR EACH ROW
    WHEN ((OLD.name, OLD.seller_name, OLD.trade_mark, OLD.token_fingerprint, OLD.status, OLD.status_reason)
          IS DISTINCT FROM (NEW.name, NEW.seller_name, NEW.trade_mark, NEW.token_fingerprint, NEW.status, NEW.status_reason))
    EXECUTE FUNCTION count_version();
