"""What lists and searches read: a card for each product, counts by shelf, and the words of the shop.

Additive. Every row here can be worked out from products, variants and product_images, and is,
by triggers in the transaction that changes these, so that a list is never behind its goods.

A category of 100,000 products must cost what one of 100 costs, so nothing is counted when a page
is read. And a checkout must not wait for another one, so counts are rows that are only added:
whoever gets the lock without waiting adds them up. A card holds no stock, only whether any is
left: a sale touches it when the last one goes, and then takes its lock before it looks again.
"""

import re

from alembic import op

revision = "0023_search"
down_revision = "0022_promotions"

WORDS = r"""
CREATE TEXT SEARCH CONFIGURATION app.shop_search (COPY = pg_catalog.simple);
ALTER TEXT SEARCH CONFIGURATION app.shop_search
  ALTER MAPPING FOR asciiword, word, numword, asciihword, hword, numhword,
    hword_asciipart, hword_part, hword_numpart WITH public.unaccent, simple;

-- Small letters and digits with single spaces between: "TYB-201 (1.5L)" -> "tyb 201 1 5l".
CREATE FUNCTION app.plain_words(t text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT btrim(regexp_replace(lower(public.unaccent('public.unaccent'::regdictionary, t)),
    '[\u0001-\u002f\u003a-\u0040\u005b-\u0060\u007b-\u00bf\u2000-\u206f\u2190-\u2bff\u3000-\u303f\ufe00-\ufe0f\ufeff\uff00-\uff0f]+',
    ' ', 'g')) $$;

-- The words of a shelf's name.
CREATE FUNCTION app.shelf_words(name text) RETURNS tsvector LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT to_tsvector('app.shop_search', translate(name, '/-_.,&+''', '        ')) $$;

-- How a word sounds, roughly: microphone and mikrofone, disck and disk are the same.
CREATE FUNCTION app.sound(w text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT regexp_replace(translate(replace(replace(replace(w, 'ph', 'f'), 'ch', 'X'), 'ck', 'k'),
    'czyqX', 'ksikc'), '(.)\1+', '\1', 'g') $$;

-- The price steps of a list's filter, and the step that a price is on: 0 is below the first.
CREATE FUNCTION app.price_steps() RETURNS bigint[] LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT ARRAY[50000, 100000, 250000, 500000, 1000000, 2500000, 5000000, 10000000]::bigint[] $$;
CREATE FUNCTION app.price_step(cents bigint) RETURNS integer LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT width_bucket(cents - 1, app.price_steps()) $$;

-- A trait as ``key=value``: what a product answers to an attribute, or one of its options' values.
CREATE FUNCTION app.trait_key(name text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT btrim(left(regexp_replace(lower(name), '[^a-z0-9]+', '_', 'g'), 60), '_') $$;
CREATE FUNCTION app.trait(key text, value text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT app.trait_key(key) || '=' || left(value, 120) $$;

-- What a product can be found by. A: the last word of each part of its name, which says what it is
-- ("Electric Fridge Guard - Black" is a guard), colours and sizes apart. B: the rest of the name,
-- brand and SKUs, and two words written as one. C: what comes with it or what it is for, and its
-- choices. D: the description.
CREATE FUNCTION app.card_words(name text, brand text, skus text, said text, description text,
                               category_id uuid)
  RETURNS tsvector LANGUAGE plpgsql STABLE SET search_path = app, public, pg_temp AS $$
DECLARE
  head text := regexp_replace(name, '\s*(?:\+|//|&\s*free\M|\m(?:with|for|plus|free|compatible)\M).*$', '', 'i');
  last text := ''; rest text := ''; pairs text := '';
  part text; words text[]; n integer;
BEGIN
  IF length(btrim(head)) < 4 THEN head := name; END IF;
  FOREACH part IN ARRAY regexp_split_to_array(head, '[][,;:/|()"]+|\s[-\u2013\u2014]+\s*|[-\u2013\u2014.]+$') LOOP
    words := string_to_array(plain_words(part), ' ');
    n := coalesce(cardinality(words), 0);
    CONTINUE WHEN n = 0;
    WHILE n > 1 AND words[n] ~ '^([0-9].*|black|white|silver|gold|grey|gray|blue|red|green|brown|pink|purple|orange|yellow|beige|nyeusi|nyeupe)$' LOOP
      n := n - 1;
    END LOOP;
    last := concat_ws(' ', last, words[n]);
    rest := concat_ws(' ', rest, array_to_string(words[:n - 1] || words[n + 1:], ' '));
  END LOOP;
  words := string_to_array(plain_words(head), ' ');
  FOR i IN 1 .. least(coalesce(cardinality(words), 0) - 1, 24) LOOP
    pairs := concat_ws(' ', pairs, words[i] || words[i + 1]);
  END LOOP;
  RETURN setweight(to_tsvector('app.shop_search', last), 'A')
    || setweight(to_tsvector('app.shop_search', concat_ws(' ', rest, plain_words(brand),
         plain_words(skus), regexp_replace(lower(skus), '[^a-z0-9 ]+', '', 'g'), pairs)), 'B')
    || setweight(to_tsvector('app.shop_search', concat_ws(' ',
         plain_words(substr(name, length(head) + 1)), left(plain_words(said), 2000))), 'C')
    || setweight(to_tsvector('app.shop_search',
         left(plain_words(regexp_replace(description, '<[^>]*>', ' ', 'g')), 3000)), 'D')
    || coalesce(format('kat%s:1A', replace(category_id::text, '-', ''))::tsvector, '');
END $$;
"""

TABLES = """
CREATE TABLE app.product_cards(
  store_id bigint NOT NULL DEFAULT app.store_id() REFERENCES app.stores(id), product_id uuid NOT NULL,
  is_shown boolean NOT NULL DEFAULT false,      -- on sale, with at least one way to buy it
  category_id uuid, slug text NOT NULL, name text NOT NULL,
  price_cents bigint, dearest_cents bigint,     -- the cheapest that can be had, and the dearest
  is_out boolean NOT NULL DEFAULT true, option_name text, choices integer NOT NULL DEFAULT 0,
  picture jsonb, is_featured boolean NOT NULL DEFAULT false, created_at timestamptz NOT NULL,
  traits text[] NOT NULL DEFAULT '{}', words tsvector NOT NULL DEFAULT '',
  PRIMARY KEY (store_id, product_id),
  FOREIGN KEY (store_id, product_id) REFERENCES app.products (store_id, id) ON DELETE CASCADE);
CREATE INDEX product_cards_shelf_new ON app.product_cards
  (store_id, category_id, is_out, created_at DESC, slug) WHERE is_shown;
CREATE INDEX product_cards_shelf_price ON app.product_cards
  (store_id, category_id, is_out, price_cents, slug) WHERE is_shown;
CREATE INDEX product_cards_new ON app.product_cards
  (store_id, is_out, created_at DESC, slug) WHERE is_shown;
CREATE INDEX product_cards_price ON app.product_cards
  (store_id, is_out, price_cents, slug) WHERE is_shown;
CREATE INDEX product_cards_words ON app.product_cards USING gin (store_id, words) WITH (fastupdate = off)
  WHERE is_shown;
SELECT app.protect('app.product_cards');
GRANT SELECT, INSERT, UPDATE, DELETE ON app.product_cards TO dukani_app;
SELECT app.shown_on_pages('app.product_cards');

-- How many cards of a shelf have a trait, or, under the empty key, a mark of price and stock:
-- ``3+`` is price step 3 and in stock, ``3-`` the same sold out. The number is the sum of the rows,
-- which are added and, now and then, replaced by their sum.
CREATE TABLE app.shelf_counts(
  store_id bigint NOT NULL DEFAULT app.store_id() REFERENCES app.stores(id),
  id uuid NOT NULL DEFAULT gen_random_uuid(),
  key text NOT NULL, category_id uuid, mark text NOT NULL, n bigint NOT NULL,
  is_sum boolean NOT NULL DEFAULT false,
  PRIMARY KEY (store_id, id));
CREATE INDEX shelf_counts_shelf ON app.shelf_counts (store_id, key, category_id, mark) INCLUDE (n);
CREATE INDEX shelf_counts_new ON app.shelf_counts (store_id) WHERE NOT is_sum;
SELECT app.protect('app.shelf_counts');
GRANT SELECT, INSERT, UPDATE, DELETE ON app.shelf_counts TO dukani_app;

-- The words of the shop's names, brands and SKUs: what a mistyped word may have meant. A word may
-- stand here twice and outlive its product; a search never says that it found something by one.
CREATE TABLE app.shop_words(
  store_id bigint NOT NULL DEFAULT app.store_id() REFERENCES app.stores(id),
  id uuid NOT NULL DEFAULT gen_random_uuid(), word text NOT NULL,
  sound text NOT NULL GENERATED ALWAYS AS (app.sound(word)) STORED,
  PRIMARY KEY (store_id, id));
CREATE INDEX shop_words_word ON app.shop_words (store_id, word);
CREATE INDEX shop_words_near ON app.shop_words USING gin (store_id, sound public.gin_trgm_ops)
  WITH (fastupdate = off);
SELECT app.protect('app.shop_words');
GRANT SELECT, INSERT, UPDATE, DELETE ON app.shop_words TO dukani_app;

-- In which orders a variant was, the newest first: what people bought along with it. It may be
-- there already, and stays when this goes.
"""

KEEPING = """
-- Make the cards of these products anew, by index whatever the planner knows of young tables. Their rows are locked first, in key order, and read in a
-- statement of their own: who waited for another's change then sees it.
CREATE FUNCTION app.refresh_cards(stores bigint[], products uuid[]) RETURNS void LANGUAGE plpgsql
  SET search_path = app, public, pg_temp SET enable_seqscan = off AS $$
BEGIN
  IF stores IS NULL THEN RETURN; END IF;
  PERFORM 1 FROM app.product_cards c JOIN unnest(stores, products) w(s, p)
      ON c.store_id = w.s AND c.product_id = w.p
    ORDER BY c.store_id, c.product_id FOR UPDATE OF c;
  INSERT INTO app.product_cards AS old (store_id, product_id, is_shown, category_id, slug, name,
      price_cents, dearest_cents, is_out, option_name, choices, picture, is_featured, created_at,
      traits, words)
  SELECT p.store_id, p.id, x.is_shown, p.category_id, p.slug, p.name, v.price, v.dearest,
         coalesce(v.is_out, true), p.options[1], coalesce(v.choices, 0),
         CASE WHEN x.is_shown THEN i.picture END, p.is_featured, p.created_at,
         CASE WHEN x.is_shown THEN t.traits ELSE '{}' END,
         CASE WHEN x.is_shown THEN app.card_words(p.name, p.brand, v.skus,
           concat_ws(' ', (SELECT string_agg(a.value, ' ' ORDER BY a.key) FROM jsonb_each_text(p.attributes) a),
                     v.said, p.facts::text), p.description_html, p.category_id) ELSE '' END
    FROM (SELECT DISTINCT s, p FROM unnest(stores, products) w(s, p)) w
    JOIN app.products p ON p.store_id = w.s AND p.id = w.p
    LEFT JOIN LATERAL (
      SELECT coalesce(min(app.price_now(w)) FILTER (WHERE on_hand > reserved), min(app.price_now(w))) AS price,
             max(app.price_now(w)) AS dearest, NOT bool_or(on_hand > reserved) AS is_out,
             count(DISTINCT option_values[1])::int AS choices,
             string_agg(concat_ws(' ', sku, barcode), ' ' ORDER BY position, sku) AS skus,
             string_agg(array_to_string(option_values, ' '), ' ' ORDER BY position, sku) AS said
        FROM app.variants w
       WHERE store_id = p.store_id AND product_id = p.id AND is_active) v ON true
    CROSS JOIN LATERAL (SELECT p.status = 'active' AND v.price IS NOT NULL AS is_shown) x
    LEFT JOIN LATERAL (
      SELECT jsonb_build_object('key', media_key, 'width', width, 'height', height, 'tint', tint,
                                'alt', alt, 'sizes', sizes, 'option_value', option_value,
                                'files', files, 'is_filled', is_filled,
                                'focal', jsonb_build_array(focal_x, focal_y)) AS picture
        FROM app.product_images
       WHERE store_id = p.store_id AND product_id = p.id AND status = 'ready' AND removed_at IS NULL
       ORDER BY position, id LIMIT 1) i ON true
    CROSS JOIN LATERAL (
      SELECT coalesce(array_agg(y.trait ORDER BY y.trait), '{}') AS traits FROM (
        SELECT app.trait(a.key, a.value) AS trait FROM jsonb_each_text(p.attributes) a WHERE a.value <> ''
         UNION
        SELECT app.trait(o.name, w.option_values[o.n])
          FROM unnest(p.options) WITH ORDINALITY AS o(name, n)
          JOIN app.variants w ON w.store_id = p.store_id AND w.product_id = p.id AND w.is_active
         WHERE w.option_values[o.n] <> '') y) t
   ORDER BY p.store_id, p.id
  ON CONFLICT (store_id, product_id) DO UPDATE SET
      is_shown = excluded.is_shown, category_id = excluded.category_id, slug = excluded.slug,
      name = excluded.name, price_cents = excluded.price_cents, dearest_cents = excluded.dearest_cents,
      is_out = excluded.is_out, option_name = excluded.option_name, choices = excluded.choices,
      picture = excluded.picture, is_featured = excluded.is_featured,
      created_at = excluded.created_at, traits = excluded.traits, words = excluded.words
   WHERE (old.is_shown, old.category_id, old.slug, old.name, old.price_cents, old.dearest_cents,
          old.is_out, old.option_name, old.choices, old.picture, old.is_featured, old.created_at,
          old.traits, old.words)
     IS DISTINCT FROM
         (excluded.is_shown, excluded.category_id, excluded.slug, excluded.name,
          excluded.price_cents, excluded.dearest_cents, excluded.is_out, excluded.option_name,
          excluded.choices, excluded.picture, excluded.is_featured, excluded.created_at,
          excluded.traits, excluded.words);
END $$;

-- Old and new rows are as many as a bulk change has: never each with each.
CREATE FUNCTION app.on_products() RETURNS trigger LANGUAGE plpgsql
  SET search_path = app, public, pg_temp SET enable_nestloop = off AS $$
BEGIN
  IF TG_OP = 'INSERT' THEN
    PERFORM app.refresh_cards(array_agg(store_id), array_agg(id)) FROM new_rows;
  ELSE
    PERFORM app.refresh_cards(array_agg(n.store_id), array_agg(n.id))
       FROM new_rows n JOIN old_rows o ON o.store_id = n.store_id AND o.id = n.id
      WHERE (n.slug, n.name, n.description_html, n.brand, n.category_id, n.status, n.facts,
             n.attributes, n.options, n.is_featured, n.created_at)
        IS DISTINCT FROM
            (o.slug, o.name, o.description_html, o.brand, o.category_id, o.status, o.facts,
             o.attributes, o.options, o.is_featured, o.created_at);
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER keep_cards_i AFTER INSERT ON app.products REFERENCING NEW TABLE AS new_rows
  FOR EACH STATEMENT EXECUTE FUNCTION app.on_products();
CREATE TRIGGER keep_cards_u AFTER UPDATE ON app.products REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
  FOR EACH STATEMENT EXECUTE FUNCTION app.on_products();

-- A sale of one of many changes nothing that a card says.
CREATE FUNCTION app.on_variants() RETURNS trigger LANGUAGE plpgsql
  SET search_path = app, public, pg_temp SET enable_nestloop = off AS $$
BEGIN
  IF TG_OP = 'INSERT' THEN
    PERFORM app.refresh_cards(array_agg(store_id), array_agg(product_id)) FROM new_rows;
  ELSIF TG_OP = 'DELETE' THEN
    PERFORM app.refresh_cards(array_agg(store_id), array_agg(product_id)) FROM old_rows;
  ELSE
    PERFORM app.refresh_cards(array_agg(x.store_id), array_agg(x.product_id))
       FROM (SELECT n.store_id, unnest(ARRAY[n.product_id, o.product_id]) AS product_id
               FROM new_rows n JOIN old_rows o ON o.store_id = n.store_id AND o.id = n.id
              WHERE (n.on_hand > n.reserved) <> (o.on_hand > o.reserved)
                 OR n.price_cents <> o.price_cents OR n.is_active <> o.is_active
                 OR n.sku <> o.sku OR n.option_values <> o.option_values
                 OR n.product_id <> o.product_id OR n.position <> o.position
                 OR n.barcode IS DISTINCT FROM o.barcode
                 OR (n.floor_cents, n.sale_percent, n.sale_price_cents, n.sale_starts_at, n.sale_ends_at,
                     n.sale_below_floor) IS DISTINCT FROM
                    (o.floor_cents, o.sale_percent, o.sale_price_cents, o.sale_starts_at, o.sale_ends_at,
                     o.sale_below_floor)) x;
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER keep_cards_i AFTER INSERT ON app.variants REFERENCING NEW TABLE AS new_rows
  FOR EACH STATEMENT EXECUTE FUNCTION app.on_variants();
CREATE TRIGGER keep_cards_u AFTER UPDATE ON app.variants REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
  FOR EACH STATEMENT EXECUTE FUNCTION app.on_variants();
CREATE TRIGGER keep_cards_d AFTER DELETE ON app.variants REFERENCING OLD TABLE AS old_rows
  FOR EACH STATEMENT EXECUTE FUNCTION app.on_variants();

CREATE FUNCTION app.on_product_images() RETURNS trigger LANGUAGE plpgsql SET search_path = app, public, pg_temp AS $$
BEGIN
  IF TG_OP <> 'DELETE' THEN
    PERFORM app.refresh_cards(array_agg(store_id), array_agg(product_id)) FROM new_rows;
  END IF;
  IF TG_OP <> 'INSERT' THEN
    PERFORM app.refresh_cards(array_agg(store_id), array_agg(product_id)) FROM old_rows;
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER keep_cards_i AFTER INSERT ON app.product_images REFERENCING NEW TABLE AS new_rows
  FOR EACH STATEMENT EXECUTE FUNCTION app.on_product_images();
CREATE TRIGGER keep_cards_u AFTER UPDATE ON app.product_images REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
  FOR EACH STATEMENT EXECUTE FUNCTION app.on_product_images();
CREATE TRIGGER keep_cards_d AFTER DELETE ON app.product_images REFERENCING OLD TABLE AS old_rows
  FOR EACH STATEMENT EXECUTE FUNCTION app.on_product_images();

-- What a card counts for.
CREATE FUNCTION app.marks_of(price_cents bigint, is_out boolean, traits text[])
  RETURNS TABLE (key text, mark text) LANGUAGE sql IMMUTABLE PARALLEL SAFE ROWS 4 AS $$
  SELECT '', app.price_step(price_cents) || CASE WHEN is_out THEN '-' ELSE '+' END
   UNION ALL
  SELECT split_part(t, '=', 1), substr(t, strpos(t, '=') + 1) FROM unnest(traits) t $$;

-- What somebody may mistype: a word, no number and no mark of a shelf.
CREATE FUNCTION app.is_shop_word(w text) RETURNS boolean LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT length(w) BETWEEN 3 AND 24 AND w !~ '^[0-9]|^kat[0-9a-f]{32}$' $$;

-- Replace the rows of a store by their sums, if nobody else is at it. Nobody ever waits here.
CREATE FUNCTION app.fold_counts(store bigint, waiting integer) RETURNS void LANGUAGE plpgsql
  SET search_path = app, public, pg_temp SET enable_seqscan = off AS $$
BEGIN
  IF (SELECT count(*) < waiting FROM (SELECT 1 FROM app.shelf_counts
        WHERE store_id = store AND NOT is_sum LIMIT waiting) x)
     OR NOT pg_try_advisory_xact_lock(71021, hashint8(store)) THEN
    RETURN;
  END IF;
  WITH gone AS (DELETE FROM app.shelf_counts WHERE store_id = store AND NOT is_sum
                RETURNING key, category_id, mark, n),
       touched AS (SELECT key, category_id, mark, sum(n) AS n FROM gone GROUP BY 1, 2, 3),
       sums AS (DELETE FROM app.shelf_counts c USING touched t
                 WHERE c.store_id = store AND c.is_sum AND c.key = t.key AND c.mark = t.mark
                   AND c.category_id IS NOT DISTINCT FROM t.category_id
             RETURNING c.key, c.category_id, c.mark, c.n)
  INSERT INTO app.shelf_counts (store_id, key, category_id, mark, n, is_sum)
  SELECT store, key, category_id, mark, sum(n), true
    FROM (SELECT * FROM touched UNION ALL SELECT * FROM sums) x
   GROUP BY 2, 3, 4 HAVING sum(n) <> 0;
END $$;

CREATE FUNCTION app.on_product_cards() RETURNS trigger LANGUAGE plpgsql
  SET search_path = app, public, pg_temp SET enable_seqscan = off AS $$
DECLARE stores bigint[];
BEGIN
  IF TG_OP = 'INSERT' THEN
    WITH added AS (
      INSERT INTO app.shelf_counts (store_id, key, category_id, mark, n)
      SELECT c.store_id, m.key, c.category_id, m.mark, count(*)
        FROM new_rows c, app.marks_of(c.price_cents, c.is_out, c.traits) m
       WHERE c.is_shown GROUP BY 1, 2, 3, 4 RETURNING store_id)
    SELECT array_agg(DISTINCT store_id) INTO stores FROM added;
  ELSIF TG_OP = 'DELETE' THEN
    WITH added AS (
      INSERT INTO app.shelf_counts (store_id, key, category_id, mark, n)
      SELECT c.store_id, m.key, c.category_id, m.mark, -count(*)
        FROM old_rows c, app.marks_of(c.price_cents, c.is_out, c.traits) m
       WHERE c.is_shown GROUP BY 1, 2, 3, 4 RETURNING store_id)
    SELECT array_agg(DISTINCT store_id) INTO stores FROM added;
  ELSE
    WITH added AS (
      INSERT INTO app.shelf_counts (store_id, key, category_id, mark, n)
      SELECT c.store_id, m.key, c.category_id, m.mark, sum(c.n)
        FROM (SELECT store_id, category_id, price_cents, is_out, traits, is_shown, 1 AS n FROM new_rows
               UNION ALL
              SELECT store_id, category_id, price_cents, is_out, traits, is_shown, -1 FROM old_rows) c,
             app.marks_of(c.price_cents, c.is_out, c.traits) m
       WHERE c.is_shown GROUP BY 1, 2, 3, 4 HAVING sum(c.n) <> 0 RETURNING store_id)
    SELECT array_agg(DISTINCT store_id) INTO stores FROM added;
  END IF;
  IF TG_OP = 'INSERT' THEN
    INSERT INTO app.shop_words (store_id, word)
    SELECT DISTINCT c.store_id, l.lexeme FROM new_rows c, unnest(ts_filter(c.words, '{a,b}')) l
     WHERE app.is_shop_word(l.lexeme)
       AND (SELECT 1 FROM app.shop_words w
             WHERE w.store_id = c.store_id AND w.word = l.lexeme LIMIT 1) IS NULL;
  ELSIF TG_OP = 'UPDATE' THEN
    INSERT INTO app.shop_words (store_id, word)
    SELECT DISTINCT c.store_id, l.lexeme
      FROM (SELECT store_id, words FROM new_rows EXCEPT SELECT store_id, words FROM old_rows) c,
           unnest(ts_filter(c.words, '{a,b}')) l
     WHERE app.is_shop_word(l.lexeme)
       AND (SELECT 1 FROM app.shop_words w
             WHERE w.store_id = c.store_id AND w.word = l.lexeme LIMIT 1) IS NULL;
  END IF;
  PERFORM app.fold_counts(s, 200) FROM unnest(stores) s;
  RETURN NULL;
END $$;
CREATE TRIGGER keep_counts_i AFTER INSERT ON app.product_cards REFERENCING NEW TABLE AS new_rows
  FOR EACH STATEMENT EXECUTE FUNCTION app.on_product_cards();
CREATE TRIGGER keep_counts_u AFTER UPDATE ON app.product_cards REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
  FOR EACH STATEMENT EXECUTE FUNCTION app.on_product_cards();
CREATE TRIGGER keep_counts_d AFTER DELETE ON app.product_cards REFERENCING OLD TABLE AS old_rows
  FOR EACH STATEMENT EXECUTE FUNCTION app.on_product_cards();

-- Everything of one store worked out anew, as if it had just been written. Returns how many cards.
CREATE FUNCTION app.rebuild_cards(store bigint) RETURNS bigint LANGUAGE plpgsql
  SET search_path = app, public, pg_temp SET enable_seqscan = off AS $$
BEGIN
  PERFORM pg_advisory_xact_lock(71021, hashint8(store));
  PERFORM app.refresh_cards(array_agg(p.store_id ORDER BY p.id), array_agg(p.id ORDER BY p.id))
     FROM app.products p WHERE p.store_id = store;
  DELETE FROM app.shelf_counts WHERE store_id = store;
  INSERT INTO app.shelf_counts (store_id, key, category_id, mark, n, is_sum)
  SELECT c.store_id, m.key, c.category_id, m.mark, count(*), true
    FROM app.product_cards c, app.marks_of(c.price_cents, c.is_out, c.traits) m
   WHERE c.store_id = store AND c.is_shown GROUP BY 1, 2, 3, 4;
  DELETE FROM app.shop_words WHERE store_id = store;
  INSERT INTO app.shop_words (store_id, word)
  SELECT DISTINCT c.store_id, l.lexeme FROM app.product_cards c, unnest(ts_filter(c.words, '{a,b}')) l
   WHERE c.store_id = store AND c.is_shown AND app.is_shop_word(l.lexeme);
  RETURN (SELECT count(*) FROM app.product_cards WHERE store_id = store AND is_shown);
END $$;
"""

SEARCHING = """
GRANT SELECT ON app.product_cards, app.shop_words TO dukani_search;
GRANT SELECT (store_id, id, parent_id, name) ON app.categories TO dukani_search;
CREATE POLICY search ON app.product_cards FOR SELECT TO dukani_search USING (true);
CREATE POLICY search ON app.shop_words FOR SELECT TO dukani_search USING (true);
CREATE POLICY search ON app.categories FOR SELECT TO dukani_search USING (true);

-- The words of this shop nearest to one that it does not have, the nearest first. The same letters
-- in another order (skuari, sukari) are nearer than their trigrams say.
CREATE FUNCTION app.near_words(typed text) RETURNS SETOF text LANGUAGE sql STABLE SECURITY DEFINER
  SET search_path = app, pg_temp SET pg_trgm.similarity_threshold = 0.25 AS $$
  WITH near AS (
    (SELECT w.word, public.similarity(w.sound, app.sound(typed)) AS alike FROM app.shop_words w
      WHERE w.store_id = app.store_id() AND w.sound OPERATOR(public.%) app.sound(typed) AND w.word <> typed
      ORDER BY 2 DESC, 1 LIMIT 24)
    UNION ALL
    -- Two letters in the wrong order share few trigrams with the word: each such slip put right.
    SELECT w.word, 0.6 FROM app.shop_words w
     WHERE w.store_id = app.store_id() AND w.word = ANY(ARRAY(
       SELECT left(typed, i - 1) || substr(typed, i + 1, 1) || substr(typed, i, 1) || substr(typed, i + 2)
         FROM generate_series(1, least(length(typed), 16) - 1) AS i)) AND w.word <> typed),
  told AS (
    SELECT word, max(alike) - 0.04 * abs(length(word) - length(typed))
             + CASE WHEN left(word, 1) = left(typed, 1) THEN 0.08 ELSE 0 END
             + CASE WHEN right(word, 1) = right(typed, 1) THEN 0.03 ELSE 0 END
             + CASE WHEN (SELECT string_agg(c, '' ORDER BY c) FROM regexp_split_to_table(word, '') c)
                       = (SELECT string_agg(c, '' ORDER BY c) FROM regexp_split_to_table(typed, '') c)
                    THEN 0.5 ELSE 0 END AS nearness
      FROM near GROUP BY word)
  SELECT word FROM told
   WHERE nearness > 0.25 AND nearness >= (SELECT max(nearness) FROM told) - 0.1
   ORDER BY nearness DESC, word LIMIT 5 $$;

-- Find the products that have every one of the words, or what comes nearest, as one JSON value.
-- For each word as typed there is a query of all its meanings: anywhere (plain), in the words that
-- say what a thing is (heads), in its whole name (names). A shelf's name counts for all on it.
-- ``typed`` is the word itself where it may be a slip, else NULL. ``said`` tells what was taken
-- for it. More than 500 are not counted: then lists are walked in the order of their index.
CREATE FUNCTION app.search_products(plain text[], heads text[], names text[], typed text[],
    together text, sort text, least_cents bigint, most_cents bigint, only_in_stock boolean,
    page_size integer, skip integer)
  RETURNS jsonb LANGUAGE plpgsql SECURITY DEFINER
  SET search_path = app, pg_temp SET plan_cache_mode = force_generic_plan AS $$
DECLARE
  most CONSTANT integer := 500;
  best_of CONSTANT integer := 120;
  s bigint := app.store_id();
  n integer := cardinality(plain);
  p tsquery[] := plain::tsquery[];
  h tsquery[] := heads::tsquery[];
  m tsquery[] := names::tsquery[];
  pair tsquery := together::tsquery;
  shelves tsquery[];
  said text[] := array_fill(NULL::text, ARRAY[n]);
  near text[];
  q tsquery; strong tsquery; named tsquery; own tsquery; some_head tsquery; shelf tsquery;
  is_close boolean := false;
  found jsonb;
  ids jsonb;
BEGIN
  WITH shelf_words AS MATERIALIZED (
    SELECT k.id, shelf_words(k.name || ' ' || coalesce(t.name, '')) AS words
      FROM app.categories k
      LEFT JOIN app.categories t ON t.store_id = k.store_id AND t.id = k.parent_id
     WHERE k.store_id = s)
  SELECT array_agg(x.q ORDER BY g.i) INTO shelves
    FROM generate_series(1, n) AS g(i)
    LEFT JOIN LATERAL (
      SELECT string_agg(format('kat%s:A', replace(k.id::text, '-', '')), '|')::tsquery AS q
        FROM shelf_words k WHERE k.words @@ p[g.i]) x ON true;

  FOR try IN 1 .. 4 LOOP
    IF try = 2 THEN                            -- words that nothing here has
      FOR i IN 1 .. n LOOP
        IF NOT EXISTS (SELECT 1 FROM app.product_cards c WHERE c.store_id = s AND c.is_shown
                          AND c.words @@ coalesce(p[i] || shelves[i], p[i])) THEN
          near := CASE WHEN typed[i] IS NOT NULL THEN ARRAY(SELECT app.near_words(typed[i])) END;
          IF cardinality(near) > 0 THEN
            said[i] := near[1];
            p[i] := (SELECT string_agg(quote_literal(w), '|') FROM unnest(near) w)::tsquery;
            h[i] := (SELECT string_agg(quote_literal(w) || ':A', '|') FROM unnest(near) w)::tsquery;
            m[i] := (SELECT string_agg(quote_literal(w) || ':AB', '|') FROM unnest(near) w)::tsquery;
          ELSE
            p[i] := NULL;
          END IF;
        END IF;
      END LOOP;
      IF NOT EXISTS (SELECT 1 FROM unnest(p) x WHERE x IS NOT NULL) THEN EXIT; END IF;
    ELSIF try = 3 THEN                         -- words that exist but were meant otherwise
      CONTINUE WHEN n < 2;
      FOR i IN 1 .. n LOOP
        CONTINUE WHEN typed[i] IS NULL OR said[i] IS NOT NULL OR p[i] IS NULL;
        near := ARRAY(SELECT app.near_words(typed[i]));
        CONTINUE WHEN coalesce(cardinality(near), 0) = 0;
        p[i] := p[i] || (SELECT string_agg(quote_literal(w), '|') FROM unnest(near) w)::tsquery;
        h[i] := h[i] || (SELECT string_agg(quote_literal(w) || ':A', '|') FROM unnest(near) w)::tsquery;
        m[i] := m[i] || (SELECT string_agg(quote_literal(w) || ':AB', '|') FROM unnest(near) w)::tsquery;
      END LOOP;
    END IF;
    is_close := try = 4 OR array_position(p, NULL) IS NOT NULL;
    q := NULL; strong := NULL; named := NULL; own := NULL; some_head := NULL; shelf := NULL;
    FOR i IN 1 .. n LOOP
      CONTINUE WHEN p[i] IS NULL;
      q := CASE WHEN try = 4 THEN coalesce(q || p[i], q, p[i]) || coalesce(shelves[i], ''::tsquery)
                ELSE coalesce(q && coalesce(p[i] || shelves[i], p[i]), coalesce(p[i] || shelves[i], p[i])) END;
      strong := coalesce(strong || coalesce(h[i] || shelves[i], h[i]), coalesce(h[i] || shelves[i], h[i]));
      named := coalesce(named && coalesce(m[i] || shelves[i], m[i]), coalesce(m[i] || shelves[i], m[i]));
      own := coalesce(own && m[i], m[i]);
      some_head := coalesce(some_head || h[i], h[i]);
      shelf := coalesce(shelf || shelves[i], shelf, shelves[i]);
    END LOOP;
    strong := strong && named;                 -- all in the name, one of them says what it is
    own := own && some_head;

    -- Only the index of words may answer this: a list in order would be read to its end.
    PERFORM set_config('enable_indexscan', 'off', true), set_config('enable_seqscan', 'off', true);
    WITH found AS MATERIALIZED (
      SELECT c.product_id, c.slug, c.price_cents, c.is_out, c.created_at, c.words
        FROM app.product_cards c
       WHERE c.store_id = s AND c.is_shown AND c.words @@ q LIMIT most + 1),
    size AS MATERIALIZED (SELECT count(*) AS n FROM found),
    fit AS MATERIALIZED (
      SELECT f.product_id, f.slug, f.price_cents, f.is_out, f.created_at,
             3 * (f.words @@ strong)::int + 2 * (f.words @@ named)::int + 2 * (f.words @@ own)::int
             + (f.words @@ some_head)::int + 3 * coalesce(f.words @@ shelf, false)::int
             + 2 * coalesce(f.words @@ pair, false)::int AS score
        FROM found f, size
       WHERE size.n <= most
         AND (least_cents IS NULL OR f.price_cents >= least_cents)
         AND (most_cents IS NULL OR f.price_cents <= most_cents)
         AND NOT (only_in_stock AND f.is_out))
    SELECT jsonb_build_object('total', size.n, 'is_cut', size.n > most,
      'count', (SELECT count(*) FROM fit),
      'in_stock', (SELECT count(*) FROM found WHERE NOT is_out),
      'lowest', (SELECT min(price_cents) FROM found WHERE NOT is_out),
      'steps', (SELECT jsonb_object_agg(x.step, x.n) FROM (
           SELECT app.price_step(price_cents) AS step, count(*) AS n FROM found GROUP BY 1) x),
      'ids', (SELECT jsonb_agg(x.product_id) FROM (
           SELECT product_id FROM fit
            ORDER BY CASE WHEN sort = 'best' THEN -score END, is_out,
                     CASE sort WHEN 'price' THEN price_cents WHEN '-price' THEN -price_cents END,
                     created_at DESC, slug
            LIMIT page_size OFFSET skip) x),
      'close', (SELECT jsonb_agg(x.product_id) FROM (
           SELECT product_id FROM found
            WHERE NOT is_out AND NOT EXISTS (SELECT 1 FROM fit) AND size.n <= most
            ORDER BY price_cents, slug LIMIT 4) x))
      INTO found FROM size;
    PERFORM set_config('enable_indexscan', 'on', true), set_config('enable_seqscan', 'on', true);
    EXIT WHEN (found->>'total')::int > 0;
  END LOOP;

  IF (found->>'is_cut')::boolean THEN
    PERFORM set_config('enable_bitmapscan', 'off', true);
    IF sort = 'price' THEN
      ids := (SELECT jsonb_agg(x.product_id) FROM (
        SELECT c.product_id FROM app.product_cards c
         WHERE c.store_id = s AND c.is_shown AND c.words @@ q
           AND c.price_cents BETWEEN coalesce(least_cents, 0) AND coalesce(most_cents, 100000000000)
           AND NOT (only_in_stock AND c.is_out)
         ORDER BY c.is_out, c.price_cents, c.slug LIMIT page_size OFFSET skip) x);
    ELSIF sort = '-price' THEN
      ids := (SELECT jsonb_agg(y.product_id) FROM (SELECT x.product_id FROM (
        (SELECT c.product_id, c.is_out, c.price_cents, c.slug FROM app.product_cards c
          WHERE c.store_id = s AND c.is_shown AND NOT c.is_out AND c.words @@ q
            AND c.price_cents BETWEEN coalesce(least_cents, 0) AND coalesce(most_cents, 100000000000)
          ORDER BY c.is_out DESC, c.price_cents DESC, c.slug DESC LIMIT page_size + skip)
        UNION ALL
        (SELECT c.product_id, c.is_out, c.price_cents, c.slug FROM app.product_cards c
          WHERE c.store_id = s AND c.is_shown AND c.is_out AND NOT only_in_stock AND c.words @@ q
            AND c.price_cents BETWEEN coalesce(least_cents, 0) AND coalesce(most_cents, 100000000000)
          ORDER BY c.is_out DESC, c.price_cents DESC, c.slug DESC LIMIT page_size + skip)) x
        ORDER BY x.is_out, x.price_cents DESC, x.slug DESC LIMIT page_size OFFSET skip) y);
    ELSIF sort = 'best' AND skip < best_of THEN
      ids := (SELECT jsonb_agg(y.product_id) FROM (
        SELECT x.product_id FROM (
          SELECT c.product_id, c.slug, c.is_out, c.created_at,
                 3 * (c.words @@ strong)::int + 2 * (c.words @@ named)::int + 2 * (c.words @@ own)::int
                 + (c.words @@ some_head)::int + 3 * coalesce(c.words @@ shelf, false)::int
                 + 2 * coalesce(c.words @@ pair, false)::int AS score
            FROM app.product_cards c
           WHERE c.store_id = s AND c.is_shown AND c.words @@ q
             AND c.price_cents BETWEEN coalesce(least_cents, 0) AND coalesce(most_cents, 100000000000)
             AND NOT (only_in_stock AND c.is_out)
           ORDER BY c.is_out, c.created_at DESC, c.slug LIMIT best_of) x
         ORDER BY x.score DESC, x.is_out, x.created_at DESC, x.slug LIMIT page_size OFFSET skip) y);
    ELSE
      ids := (SELECT jsonb_agg(x.product_id) FROM (
        SELECT c.product_id FROM app.product_cards c
         WHERE c.store_id = s AND c.is_shown AND c.words @@ q
           AND c.price_cents BETWEEN coalesce(least_cents, 0) AND coalesce(most_cents, 100000000000)
           AND NOT (only_in_stock AND c.is_out)
         ORDER BY c.is_out, c.created_at DESC, c.slug LIMIT page_size OFFSET skip) x);
    END IF;
    PERFORM set_config('enable_bitmapscan', 'on', true);
    found := found || jsonb_build_object('ids', ids);
  END IF;
  RETURN coalesce(found, '{"total": 0, "count": 0, "is_cut": false, "in_stock": 0}')
      || jsonb_build_object('said', to_jsonb(said), 'is_close', is_close);
END $$;

DO $$ DECLARE f text; BEGIN
  FOREACH f IN ARRAY ARRAY['app.near_words(text)',
      'app.search_products(text[], text[], text[], text[], text, text, bigint, bigint, boolean, integer, integer)'] LOOP
    EXECUTE format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', f);
    EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO dukani_app', f);
    EXECUTE format('ALTER FUNCTION %s OWNER TO dukani_search', f);
  END LOOP; END $$;
"""

# Cards of what is there already.
FILL = (
    "SELECT app.rebuild_cards(id) FROM app.stores WHERE id IN (SELECT store_id FROM app.products)"
)

DOWN = """
DROP FUNCTION app.search_products(text[], text[], text[], text[], text, text, bigint, bigint, boolean, integer, integer),
  app.near_words(text);
DROP POLICY search ON app.categories;
REVOKE ALL ON app.categories FROM dukani_search;
DROP TRIGGER keep_cards_i ON app.products;
DROP TRIGGER keep_cards_u ON app.products;
DROP TRIGGER keep_cards_i ON app.variants;
DROP TRIGGER keep_cards_u ON app.variants;
DROP TRIGGER keep_cards_d ON app.variants;
DROP TRIGGER keep_cards_i ON app.product_images;
DROP TRIGGER keep_cards_u ON app.product_images;
DROP TRIGGER keep_cards_d ON app.product_images;
DROP TABLE app.shop_words, app.shelf_counts, app.product_cards;
DROP FUNCTION app.on_products(), app.on_variants(), app.on_product_images(), app.on_product_cards(),
  app.rebuild_cards(bigint), app.fold_counts(bigint, integer), app.refresh_cards(bigint[], uuid[]),
  app.marks_of(bigint, boolean, text[]), app.is_shop_word(text), app.sound(text), app.shelf_words(text), app.card_words(text, text, text, text, text, uuid),
  app.trait(text, text), app.trait_key(text), app.price_step(bigint), app.price_steps(), app.plain_words(text);
DROP TEXT SEARCH CONFIGURATION app.shop_search;
"""


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '3s'")
    for part in (WORDS, TABLES, KEEPING, SEARCHING, FILL):
        op.execute(re.sub(r"(?<!:):(?=\w)", r"\\:", part))  # 'phone':A is not a parameter


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '3s'")
    op.execute(DOWN)
