-- People, roles and enterprises are edited by several administrators, too: their rows count their changes (If-Match).

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['roles', 'enterprises', 'memberships'] LOOP
        EXECUTE format('ALTER TABLE %I ADD COLUMN version integer NOT NULL DEFAULT 1', name);
        EXECUTE format('CREATE TRIGGER %I BEFORE UPDATE ON %I FOR EACH ROW WHEN (OLD.* IS DISTINCT FROM NEW.*) '
                       'EXECUTE FUNCTION count_version()', name || '_count_version', name);
    END LOOP;
END $$;

-- What an enterprise sees of a person is the membership with its grants, and the person's name and address. The count is the
-- membership's, so that nobody learns from it what happens in another enterprise; the person's own is for the installation.
ALTER TABLE users ADD COLUMN version integer NOT NULL DEFAULT 1;
CREATE TRIGGER users_count_version BEFORE UPDATE ON users FOR EACH ROW
    WHEN ((OLD.name, OLD.email, OLD.status) IS DISTINCT FROM (NEW.name, NEW.email, NEW.status))
    EXECUTE FUNCTION count_version();

CREATE FUNCTION count_version_of_memberships() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE memberships SET version = version + 1 WHERE user_id = NEW.id;
    RETURN NULL;
END $$;
CREATE TRIGGER users_count_version_of_memberships AFTER UPDATE ON users FOR EACH ROW
    WHEN ((OLD.name, OLD.email, OLD.status) IS DISTINCT FROM (NEW.name, NEW.email, NEW.status))
    EXECUTE FUNCTION count_version_of_memberships();
