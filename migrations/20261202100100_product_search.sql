-- Searching products: word forms by text search, typos and parts of codes by trigrams.
--
-- The table stands outside row security, because under it these operators cannot use their index. It holds nothing but
-- the words of a product, one verb reads it, by its enterprise first, and joins back to `products`, where row security is.
-- Triggers alone write it.

CREATE EXTENSION IF NOT EXISTS pg_trgm;
CREATE EXTENSION IF NOT EXISTS btree_gin;
CREATE EXTENSION IF NOT EXISTS fuzzystrmatch;

CREATE TABLE product_search (
    enterprise_id uuid     NOT NULL,
    product_id    uuid     NOT NULL,
    words         tsvector NOT NULL,
    -- What is written, in small letters and without ё, and behind it the stems: a misspelt form is like the stem.
    terms         text     NOT NULL,
    -- Article codes as they are searched for: a question that is one of them means this product.
    codes         text[]   NOT NULL,
    CONSTRAINT product_search_pkey PRIMARY KEY (enterprise_id, product_id),
    CONSTRAINT product_search_product_fkey FOREIGN KEY (enterprise_id, product_id) REFERENCES products (enterprise_id, id) ON DELETE CASCADE
);
CREATE INDEX product_search_idx ON product_search USING gin (enterprise_id, terms gin_trgm_ops);
CREATE INDEX product_search_words_idx ON product_search USING gin (enterprise_id, words, codes);

CREATE FUNCTION search_text(written text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT translate(lower(written), 'ё', 'е')
$$;

CREATE FUNCTION search_stems(written text) RETURNS text LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT array_to_string(tsvector_to_array(to_tsvector('russian', written)), ' ')
$$;

-- Whether one of the stems begins with this one, or is it with a letter too many, too few or another one; two of them from
-- seven letters on.
CREATE FUNCTION search_alike(words tsvector, stem text) RETURNS boolean LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT EXISTS (
        SELECT FROM unnest(tsvector_to_array(words)) AS word
        CROSS JOIN LATERAL (SELECT CASE WHEN char_length(stem) < 4 THEN 0 WHEN char_length(stem) < 7 THEN 1 ELSE 2 END AS most) AS allowed
        WHERE CASE WHEN starts_with(word, stem) THEN true
                   WHEN abs(char_length(word) - char_length(stem)) > most THEN false
                   ELSE levenshtein_less_equal(word, stem, most) <= most END)
$$;

CREATE FUNCTION product_search_follow() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    INSERT INTO product_search (enterprise_id, product_id, words, terms, codes)
    SELECT w.enterprise_id, w.id, to_tsvector('russian', t.written), t.written || ' ' || search_stems(t.written),
           array_remove(ARRAY[search_text(w.sku), search_text(w.vendor_code)], NULL)
    FROM written AS w
    CROSS JOIN LATERAL (SELECT search_text(concat_ws(' ', w.name, w.brand, w.sku, w.vendor_code, w.size, w.nm_id)) AS written) AS t
    ON CONFLICT (enterprise_id, product_id) DO UPDATE SET words = EXCLUDED.words, terms = EXCLUDED.terms, codes = EXCLUDED.codes
    WHERE (product_search.terms, product_search.codes) IS DISTINCT FROM (EXCLUDED.terms, EXCLUDED.codes);
    RETURN NULL;
END $$;
CREATE TRIGGER product_search_follow_new AFTER INSERT ON products
    REFERENCING NEW TABLE AS written FOR EACH STATEMENT EXECUTE FUNCTION product_search_follow();
CREATE TRIGGER product_search_follow_changed AFTER UPDATE ON products
    REFERENCING NEW TABLE AS written FOR EACH STATEMENT EXECUTE FUNCTION product_search_follow();

ALTER TABLE products NO FORCE ROW LEVEL SECURITY;
INSERT INTO product_search (enterprise_id, product_id, words, terms, codes)
SELECT p.enterprise_id, p.id, to_tsvector('russian', t.written), t.written || ' ' || search_stems(t.written),
       array_remove(ARRAY[search_text(p.sku), search_text(p.vendor_code)], NULL)
FROM products AS p
CROSS JOIN LATERAL (SELECT search_text(concat_ws(' ', p.name, p.brand, p.sku, p.vendor_code, p.size, p.nm_id)) AS written) AS t;
ALTER TABLE products FORCE ROW LEVEL SECURITY;

GRANT SELECT ON product_search TO wb_api, wb_worker, wb_backup;
