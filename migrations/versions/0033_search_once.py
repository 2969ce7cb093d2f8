"""A search reads its goods once, and what a mistyped word sounds like is worked out once.

Before, the goods of a word that hundreds have were brought from the index twice, first to count them
and then to order them; and the sound of a mistyped word was worked out again for every word of the
shop that it was compared with.

Additive: two functions are written anew. They find what they found before, and with a slip of two letters
in each other's place, as near as before but not among the 24 most alike, the word that was meant.
"""

import re
from importlib import import_module

from alembic import op

revision = "0033_search_once"
down_revision = "0032_points"

NEAR = r"""
-- The words of this shop nearest to one that it does not have, the nearest first. The same letters
-- in another order (skuari, sukari) are nearer than their trigrams say.
--
-- First only words that are alike by 0.35 are compared, about half as many as by 0.25. What is less alike
-- adds at most 0.11 for its ends, so it does not count beside one that is 0.21 nearer; or where there
-- are as many as are looked at anyway.
CREATE OR REPLACE FUNCTION app.near_words(typed text) RETURNS SETOF text LANGUAGE plpgsql STABLE SECURITY DEFINER
  SET search_path = app, pg_temp SET pg_trgm.similarity_threshold = 0.25 AS $$
DECLARE
  looked_at CONSTANT integer := 24;
  heard CONSTANT text := app.sound(typed);     -- not worked out for each word again
  letters CONSTANT integer := least(length(typed), 16);
  -- Two letters in each other's place share few trigrams with the word: each such slip put right.
  swaps CONSTANT text[] := ARRAY(
    SELECT overlay(overlay(typed PLACING substr(typed, j, 1) FROM i) PLACING substr(typed, i, 1) FROM j)
      FROM generate_series(1, letters - 1) AS i, generate_series(i + 1, letters) AS j);
  beside CONSTANT text[] := ARRAY(
    SELECT overlay(typed PLACING substr(typed, i + 1, 1) || substr(typed, i, 1) FROM i)
      FROM generate_series(1, letters - 1) AS i);
  least_alike real;
  nearest text[];
  nearness double precision;
  compared integer;
BEGIN
  FOREACH least_alike IN ARRAY ARRAY[0.35, 0.25] LOOP
    PERFORM set_config('pg_trgm.similarity_threshold', least_alike::text, true);
    WITH alike AS MATERIALIZED (
      SELECT w.word, public.similarity(w.sound, heard) AS alike FROM app.shop_words w
       WHERE w.store_id = app.store_id() AND w.sound OPERATOR(public.%) heard AND w.word <> typed
       ORDER BY 2 DESC, 1 LIMIT looked_at),
    swapped AS MATERIALIZED (
      SELECT w.word, w.word = ANY (beside) AS is_beside, public.similarity(w.sound, heard) AS alike
        FROM app.shop_words w
       WHERE w.store_id = app.store_id() AND w.word = ANY (swaps) AND w.word <> typed),
    told AS (
      SELECT n.word, max(n.alike) - 0.04 * abs(length(n.word) - length(typed))
               + CASE WHEN left(n.word, 1) = left(typed, 1) THEN 0.08 ELSE 0 END
               + CASE WHEN right(n.word, 1) = right(typed, 1) THEN 0.03 ELSE 0 END
               + CASE WHEN length(n.word) <> length(typed) THEN 0
                      WHEN (SELECT string_agg(c, '' ORDER BY c) FROM regexp_split_to_table(n.word, '') c)
                         = (SELECT string_agg(c, '' ORDER BY c) FROM regexp_split_to_table(typed, '') c)
                      THEN 0.5 ELSE 0 END AS nearness
        FROM (SELECT a.word, a.alike FROM alike a UNION ALL
              SELECT b.word, CASE WHEN b.is_beside THEN 0.6 ELSE b.alike END FROM swapped b
               WHERE b.is_beside OR b.alike >= 0.25) n
       GROUP BY n.word),
    top AS (SELECT max(t.nearness) AS nearness FROM told t)
    SELECT ARRAY(SELECT t.word FROM told t, top
                  WHERE t.nearness > 0.25 AND t.nearness >= top.nearness - 0.1
                  ORDER BY t.nearness DESC, t.word LIMIT 5),
           top.nearness, (SELECT count(*) FROM alike)
      INTO nearest, nearness, compared FROM top;
    EXIT WHEN nearness >= least_alike + 0.21 OR compared = looked_at;
  END LOOP;
  RETURN QUERY SELECT unnest(nearest);
END $$;
"""

_SEARCH: str = import_module("migrations.versions.0028_search_frequent")._as_it_is_now()

# From the one reading of up to 3,000 goods: all of at most 500 are ordered by how well they fit, of
# more the newest.
FOUND = """
    WITH found AS MATERIALIZED (
      SELECT c.ctid AS at, c.product_id, c.slug, c.price_cents, c.is_out, c.created_at
        FROM app.product_cards c
       WHERE c.store_id = s AND c.is_shown AND c.words @@ q LIMIT walked + 1),
    size AS MATERIALIZED (
      SELECT count(*) AS n, count(*) FILTER (WHERE NOT is_out) AS in_stock,
             min(price_cents) FILTER (WHERE NOT is_out) AS lowest FROM found),
    fit AS MATERIALIZED (
      SELECT f.* FROM found f, size
       WHERE size.n <= walked
         AND (least_cents IS NULL OR f.price_cents >= least_cents)
         AND (most_cents IS NULL OR f.price_cents <= most_cents)
         AND NOT (only_in_stock AND f.is_out)
       ORDER BY f.is_out,
                CASE sort WHEN 'price' THEN f.price_cents WHEN '-price' THEN -f.price_cents END,
                f.created_at DESC, f.slug
       LIMIT (SELECT CASE WHEN z.n <= most THEN most WHEN is_ranked THEN best_of ELSE page_size + skip END
                FROM size z))
    SELECT jsonb_build_object('total', size.n, 'is_cut', size.n > most,
      'count', CASE WHEN size.n <= most THEN (SELECT count(*) FROM fit) END,
      'in_stock', size.in_stock, 'lowest', size.lowest,
      'steps', CASE WHEN size.n <= most THEN (SELECT jsonb_object_agg(x.step, x.n) FROM (
           SELECT app.price_step(price_cents) AS step, count(*) AS n FROM found GROUP BY 1) x) END,
      'ids', (SELECT jsonb_agg(x.product_id) FROM (
           SELECT f.product_id FROM fit f
            ORDER BY CASE WHEN sort = 'best' AND (size.n <= most OR is_ranked) THEN (
                       SELECT 3 * (c.words @@ strong)::int + 2 * (c.words @@ named)::int + 2 * (c.words @@ own)::int
                              + (c.words @@ some_head)::int + 3 * coalesce(c.words @@ shelf, false)::int
                              + 2 * coalesce(c.words @@ pair, false)::int
                         FROM app.product_cards c WHERE c.ctid = f.at) END DESC,
                     f.is_out,
                     CASE sort WHEN 'price' THEN f.price_cents WHEN '-price' THEN -f.price_cents END,
                     f.created_at DESC, f.slug
            LIMIT page_size OFFSET skip) x),
      'close', (SELECT jsonb_agg(x.product_id) FROM (
           SELECT product_id FROM found
            WHERE NOT is_out AND NOT EXISTS (SELECT 1 FROM fit) AND size.n <= most
            ORDER BY price_cents, slug LIMIT 4) x))
      INTO found FROM size;
"""


# In a shop of 100,000, the largest there is, the walk to the 120th of m goods reads 12,000,000 / m cards: as
# many as the index brings when m is 3,464.
_WALKED = "  walked CONSTANT integer := 3000;"
_WALKED_NOW = """
  is_ranked CONSTANT boolean := sort = 'best' AND skip < best_of;
  walked CONSTANT integer := 3500;"""

# Where the goods that the index brought were read again, up to where the list in its order is walked.
_AGAIN = ("  IF (found->>'is_cut')::boolean AND", "  ELSIF (found->>'is_cut')::boolean THEN")
_WALK = "  IF (found->>'total')::integer > walked THEN"


def _searching() -> str:
    text = _replaced(
        _SEARCH, "    WITH found AS", "    PERFORM set_config('enable_indexscan', 'on'", FOUND
    )
    text = _replaced(text, *_AGAIN, "")
    text = _replaced(text, _AGAIN[1], "\n", _WALK)
    return _replaced(text, _WALKED, "  --", _WALKED_NOW)


def _replaced(text: str, begin: str, end: str, now: str) -> str:
    """The text with ``now`` for what stands from ``begin`` to before the next ``end``."""
    at = text.index(begin)
    return text[:at] + now + text[text.index(end, at) :]


def upgrade() -> None:
    _write(NEAR, _searching())


def downgrade() -> None:
    before: str = import_module("migrations.versions.0023_search").SEARCHING
    begin = before.index("CREATE FUNCTION app.near_words(")
    near = before[begin : before.index("$$;", begin) + len("$$;")]
    _write(near.replace("CREATE", "CREATE OR REPLACE", 1), _SEARCH)


def _write(*functions: str) -> None:
    op.execute("SET LOCAL lock_timeout = '3s'")
    # A function may only be given a setting that this session knows: the extension's own come with its first use.
    op.execute("SELECT public.similarity('', '')")
    for function in functions:
        op.execute(re.sub(r"(?<!:):(?=\w)", r"\\:", function))
