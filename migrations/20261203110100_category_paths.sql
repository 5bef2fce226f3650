-- A category as people and files name it: with the names above it. By the rows that whoever asks may see.
CREATE FUNCTION category_path(leaf uuid) RETURNS text LANGUAGE sql STABLE AS $$
    WITH RECURSIVE up AS (
        SELECT c.parent_id, c.name, 1 AS level FROM categories AS c WHERE c.id = leaf
        UNION ALL
        SELECT c.parent_id, c.name, up.level + 1 FROM categories AS c JOIN up ON c.id = up.parent_id
    )
    SELECT string_agg(up.name, ' / ' ORDER BY up.level DESC) FROM up
$$;
