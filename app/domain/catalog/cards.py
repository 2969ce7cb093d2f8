"""A product as a list shows it: pieces of SQL over the cards that the database keeps (migration 0023)."""

from __future__ import annotations

# How many are on each shelf, by price step and stock; NULL is the shelf of those on none.
PRICES = """
  prices AS MATERIALIZED (
    SELECT category_id, mark, sum(n)::int AS n FROM app.shelf_counts
     WHERE store_id = app.store_id() AND key = '' GROUP BY category_id, mark HAVING sum(n) <> 0)
"""

# A card of the read model as JSON. Stock and price are read from the variants, where they are true
# at this second: a sale begins and ends by the clock, and nobody writes a row then.
# Text and not jsonb, as every answer to a page: a tree would be built only to be written out again.
CARD_JSON = """
  (SELECT json_build_object('slug', c.slug, 'name', c.name, 'option_name', c.option_name,
             'choices', c.choices, 'picture', c.picture,
             'stock', coalesce(sum(v.on_hand - v.reserved), 0)::int,
             'price_cents', coalesce(min(app.price_now(v)) FILTER (WHERE v.on_hand > v.reserved),
                                     min(app.price_now(v)), c.price_cents),
             'compare_cents', (array_agg(app.compare_now(v)
                ORDER BY (v.on_hand > v.reserved) DESC, app.price_now(v)))[1],
             'has_range', coalesce(max(app.price_now(v))
                > coalesce(min(app.price_now(v)) FILTER (WHERE v.on_hand > v.reserved),
                           min(app.price_now(v))), false))
      FROM app.variants v
     WHERE v.store_id = app.store_id() AND v.product_id = c.product_id AND v.is_active)
"""

# What goes well with a product: what others bought along with it, then its neighbours on the shelf.
# Only the newest few orders of each variant are read, so the page of a product that sold a million
# times costs what that of a new one costs. Never what is sold out, never another store's.
# Needs a CTE ``these(id, category_id)`` of the products it is asked for.
RELATED_JSON = f"""
  (SELECT json_agg({CARD_JSON} ORDER BY c.n DESC, c.created_at DESC, c.slug) FROM (
     SELECT c.*, r.n FROM (
       SELECT x.product_id, max(x.n) AS n FROM (
         SELECT w.product_id, count(DISTINCT o.id) AS n
           FROM these
           JOIN app.variants v ON v.store_id = app.store_id() AND v.product_id = these.id
          CROSS JOIN LATERAL (
            SELECT l.order_id FROM app.order_lines l
             WHERE l.store_id = app.store_id() AND l.variant_id = v.id
             ORDER BY l.order_id DESC LIMIT 40) newest
           JOIN app.orders o ON o.store_id = app.store_id() AND o.id = newest.order_id
                            AND o.status NOT IN ('pending_payment', 'cancelled', 'returned')
           JOIN app.order_lines other ON other.store_id = app.store_id() AND other.order_id = o.id
           JOIN app.variants w ON w.store_id = app.store_id() AND w.id = other.variant_id
          GROUP BY w.product_id
         UNION ALL
         SELECT c.product_id, 0 FROM these CROSS JOIN LATERAL (
           SELECT c.product_id FROM app.product_cards c
            WHERE c.store_id = app.store_id() AND c.category_id = these.category_id
              AND c.is_shown AND NOT c.is_out
            ORDER BY c.created_at DESC, c.slug LIMIT 24) c) x
        WHERE x.product_id NOT IN (SELECT id FROM these)
        GROUP BY x.product_id) r
     JOIN app.product_cards c ON c.store_id = app.store_id() AND c.product_id = r.product_id
                             AND c.is_shown AND NOT c.is_out
    ORDER BY r.n DESC, c.created_at DESC, c.slug LIMIT 4) c)
"""  # noqa: S608 - put together from our own text
