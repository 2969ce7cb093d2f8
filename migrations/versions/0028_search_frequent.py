"""A search for a frequent word costs a big shop less: up to 3,000 goods come from the index of words.

Before, more than 500 that fit were found by walking the list in its order until there were enough: in
a shop of 50,000 with 600 that fit, 10,000 cards were read for a page of 24.

Additive: one function is written anew. What it was stays as migration 0023 has it, and this names the
passages that change.
"""

import re
from importlib import import_module

from alembic import op

revision = "0028_search_frequent"
down_revision = "0027_people_with"

_SEARCHING: str = import_module("migrations.versions.0023_search").SEARCHING

_FOUND = "c.words @@ q LIMIT most + 1),"
_FOUND_NOW = "c.words @@ q LIMIT walked + 1),"

_MANY = """
  IF (found->>'is_cut')::boolean THEN
    PERFORM set_config('enable_bitmapscan', 'off', true);
"""
# The newest of them are scored, as in the walk; the other orders need no score.
_MANY_NOW = """
  IF (found->>'is_cut')::boolean AND (found->>'total')::integer <= walked THEN
    PERFORM set_config('enable_indexscan', 'off', true), set_config('enable_seqscan', 'off', true);
    ids := (SELECT jsonb_agg(z.product_id) FROM (
      SELECT x.product_id FROM (
        SELECT c.product_id, c.slug, c.price_cents, c.is_out, c.created_at, c.words
          FROM app.product_cards c
         WHERE c.store_id = s AND c.is_shown AND c.words @@ q
           AND (least_cents IS NULL OR c.price_cents >= least_cents)
           AND (most_cents IS NULL OR c.price_cents <= most_cents)
           AND NOT (only_in_stock AND c.is_out)
         ORDER BY c.is_out,
                  CASE sort WHEN 'price' THEN c.price_cents WHEN '-price' THEN -c.price_cents END,
                  c.created_at DESC, c.slug
         LIMIT CASE WHEN sort = 'best' AND skip < best_of THEN best_of ELSE page_size + skip END) x
       ORDER BY CASE WHEN sort = 'best' AND skip < best_of THEN
                  3 * (x.words @@ strong)::int + 2 * (x.words @@ named)::int + 2 * (x.words @@ own)::int
                  + (x.words @@ some_head)::int + 3 * coalesce(x.words @@ shelf, false)::int
                  + 2 * coalesce(x.words @@ pair, false)::int END DESC,
                x.is_out,
                CASE sort WHEN 'price' THEN x.price_cents WHEN '-price' THEN -x.price_cents END,
                x.created_at DESC, x.slug
       LIMIT page_size OFFSET skip) z);
    PERFORM set_config('enable_indexscan', 'on', true), set_config('enable_seqscan', 'on', true);
    found := found || jsonb_build_object('ids', ids);
  ELSIF (found->>'is_cut')::boolean THEN
    PERFORM set_config('enable_bitmapscan', 'off', true), set_config('enable_sort', 'off', true),
            set_config('enable_incremental_sort', 'off', true);
"""
# Where it is still walked, the index must be that of the order: one of another order is read to its end.
_WALKED = "    PERFORM set_config('enable_bitmapscan', 'on', true);\n"
_WALKED_NOW = """
    PERFORM set_config('enable_bitmapscan', 'on', true), set_config('enable_sort', 'on', true),
            set_config('enable_incremental_sort', 'on', true);
"""
_LIMITS = "  best_of CONSTANT integer := 120;\n"
_LIMITS_NOW = (
    _LIMITS
    + "  walked CONSTANT integer := 3000;  -- beyond, the list in its order is read less far\n"
)


def _as_it_was() -> str:
    begin = _SEARCHING.index("CREATE FUNCTION app.search_products(")
    end = _SEARCHING.index("END $$;", begin) + len("END $$;")
    return _SEARCHING[begin:end].replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION", 1)


def _as_it_is_now() -> str:
    text = _as_it_was()
    changes = (
        (_LIMITS, _LIMITS_NOW), (_FOUND, _FOUND_NOW), (_MANY, _MANY_NOW), (_WALKED, _WALKED_NOW),
    )  # fmt: skip
    for before, now in changes:
        if text.count(before) != 1:
            raise RuntimeError("migration 0023 is not what this one was written for")
        text = text.replace(before, now)
    return text


def upgrade() -> None:
    _write(_as_it_is_now())


def downgrade() -> None:
    _write(_as_it_was())


def _write(function: str) -> None:
    op.execute("SET LOCAL lock_timeout = '3s'")
    op.execute(re.sub(r"(?<!:):(?=\w)", r"\\:", function))
