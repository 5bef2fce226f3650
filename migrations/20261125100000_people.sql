-- People get rights by grants instead of one role: a built-in or an own role of the enterprise, each with a reach.
-- A membership has a state of its own, so that one enterprise cannot shut a person out of another. Enterprises get a tax
-- number and settings. A system administrator belongs to the installation and needs no membership: such a session has
-- no enterprise.

ALTER TABLE users ADD COLUMN system_administrator boolean NOT NULL DEFAULT false;
-- Counts every change of what the person may do anywhere: what was remembered of an older version is stale.
ALTER TABLE users ADD COLUMN rights_version bigint NOT NULL DEFAULT 0;

-- Removed rows stay: requests and histories name them. They are shown nowhere.
ALTER TABLE memberships ADD COLUMN status text NOT NULL DEFAULT 'active'
    CONSTRAINT memberships_status_known CHECK (status IN ('active', 'inactive', 'removed'));
-- Replaced by grants; leaves with the next release.
ALTER TABLE memberships ALTER COLUMN role DROP NOT NULL;

ALTER TABLE sessions ALTER COLUMN enterprise_id DROP NOT NULL;

ALTER TABLE enterprises ADD COLUMN tax_number text
    CONSTRAINT enterprises_tax_number_shape CHECK (tax_number ~ '^([0-9]{10}|[0-9]{12})$');
ALTER TABLE enterprises ADD COLUMN language text NOT NULL DEFAULT 'ru'
    CONSTRAINT enterprises_language_known CHECK (language IN ('ru', 'en'));
ALTER TABLE enterprises ADD COLUMN label_width_mm integer NOT NULL DEFAULT 58
    CONSTRAINT enterprises_label_width_range CHECK (label_width_mm BETWEEN 20 AND 120);
ALTER TABLE enterprises ADD COLUMN label_height_mm integer NOT NULL DEFAULT 40
    CONSTRAINT enterprises_label_height_range CHECK (label_height_mm BETWEEN 20 AND 200);
-- NULL: as the installation is configured.
ALTER TABLE enterprises ADD COLUMN require_second_factor text
    CONSTRAINT enterprises_require_second_factor_known CHECK (require_second_factor IN ('nobody', 'administrators', 'everybody'));

-- An enterprise's own roles: sets of permissions. The codes are those of shared::access; one that is not known there any
-- more permits nothing.
CREATE TABLE roles (
    enterprise_id uuid        NOT NULL CONSTRAINT roles_enterprise_fkey REFERENCES enterprises,
    id            uuid        NOT NULL,
    name          text        NOT NULL CONSTRAINT roles_name_length CHECK (char_length(name) BETWEEN 1 AND 100),
    description   text        CONSTRAINT roles_description_length CHECK (char_length(description) <= 1000),
    permissions   text[]      NOT NULL CONSTRAINT roles_permissions_some CHECK (cardinality(permissions) > 0),
    created_at    timestamptz NOT NULL,
    changed_at    timestamptz NOT NULL,
    CONSTRAINT roles_pkey PRIMARY KEY (enterprise_id, id),
    CONSTRAINT roles_name_key UNIQUE (enterprise_id, name)
);

-- What a person may do in an enterprise: the sum of these.
CREATE TABLE grants (
    enterprise_id uuid NOT NULL,
    id            uuid NOT NULL,
    user_id       uuid NOT NULL,
    role          text CONSTRAINT grants_role_known CHECK (role IN ('administrator', 'manager', 'storekeeper', 'picker', 'viewer')),
    role_id       uuid,
    reach         text NOT NULL CONSTRAINT grants_reach_known CHECK (reach IN ('enterprise', 'warehouses', 'own')),
    CONSTRAINT grants_pkey PRIMARY KEY (enterprise_id, id),
    CONSTRAINT grants_one_role CHECK (num_nonnulls(role, role_id) = 1),
    CONSTRAINT grants_membership_fkey FOREIGN KEY (enterprise_id, user_id) REFERENCES memberships (enterprise_id, user_id),
    CONSTRAINT grants_own_role_fkey FOREIGN KEY (enterprise_id, role_id) REFERENCES roles (enterprise_id, id)
);
CREATE INDEX grants_user_idx ON grants (enterprise_id, user_id);
CREATE INDEX grants_role_idx ON grants (enterprise_id, role_id) WHERE role_id IS NOT NULL;

CREATE TABLE grant_warehouses (
    enterprise_id uuid NOT NULL,
    grant_id      uuid NOT NULL,
    warehouse_id  uuid NOT NULL,
    CONSTRAINT grant_warehouses_pkey PRIMARY KEY (enterprise_id, grant_id, warehouse_id),
    CONSTRAINT grant_warehouses_grant_fkey FOREIGN KEY (enterprise_id, grant_id) REFERENCES grants (enterprise_id, id) ON DELETE CASCADE,
    CONSTRAINT grant_warehouses_warehouse_fkey FOREIGN KEY (enterprise_id, warehouse_id) REFERENCES warehouses (enterprise_id, id)
);

-- Everybody keeps the role they had, everywhere. Before row security is on, because this is about all enterprises.
INSERT INTO grants (enterprise_id, id, user_id, role, reach)
SELECT enterprise_id, gen_random_uuid(), user_id, role, 'enterprise' FROM memberships;

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['roles', 'grants', 'grant_warehouses'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
        EXECUTE format('CREATE POLICY enterprise ON %I USING (enterprise_id = current_setting(''app.enterprise_id'')::uuid) '
                       'WITH CHECK (enterprise_id = current_setting(''app.enterprise_id'')::uuid)', name);
        EXECUTE format('GRANT SELECT, INSERT, DELETE ON %I TO wb_api', name);
        EXECUTE format('GRANT SELECT ON %I TO wb_worker, wb_backup', name);
    END LOOP;
END $$;
GRANT UPDATE ON roles TO wb_api;

-- Lists of a limited reach ask which requests are a person's own.
CREATE INDEX requests_assignee_idx ON requests (enterprise_id, assignee_id) WHERE assignee_id IS NOT NULL;
CREATE INDEX pick_lines_order_idx ON pick_lines (enterprise_id, order_id);
CREATE INDEX orders_warehouse_idx ON orders (enterprise_id, warehouse_id, placed_at, id);

-- Whether a supply lies within a limited reach: all of its orders are fulfilled from these warehouses, or lie on lines of
-- this person's requests; of a supply without orders, one of these warehouses fulfils its Wildberries warehouse now.
-- It reads under the caller's row security.
CREATE FUNCTION supply_in_reach(supply uuid, warehouses uuid[], person uuid) RETURNS boolean
    LANGUAGE sql STABLE SECURITY INVOKER AS $$
    SELECT CASE
        WHEN EXISTS (SELECT FROM orders AS o WHERE o.supply_id = supply) THEN NOT EXISTS (
            SELECT FROM orders AS o
            WHERE o.supply_id = supply AND (o.warehouse_id = ANY(warehouses)) IS NOT TRUE
              AND NOT EXISTS (SELECT FROM pick_lines AS l JOIN requests AS r ON r.id = l.request_id
                              WHERE l.order_id = o.id AND r.assignee_id = person))
        ELSE EXISTS (
            SELECT FROM supplies AS s
            JOIN wildberries_warehouses AS w ON w.account_id = s.account_id AND w.wb_warehouse_id = s.wb_warehouse_id
            WHERE s.id = supply AND w.warehouse_id = ANY(warehouses))
        END
$$;
