"""What goes well with what is in a cart. A product's own page brings it along (``queries``)."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import text
from sqlalchemy.orm import Session

from app.domain.catalog.cards import RELATED_JSON
from app.domain.catalog.queries import Card, cards_of

_GOES_WITH = text(
    f"""
WITH these AS MATERIALIZED (
  SELECT id, category_id FROM app.products
   WHERE store_id = app.store_id() AND slug = ANY(CAST(:slugs AS text[])))
SELECT {RELATED_JSON}
"""  # noqa: S608
)


def goes_with(session: Session, slugs: Collection[str]) -> list[Card]:
    """At most four products to add to these, what was bought with them most often first."""
    if not slugs:
        return []
    return cards_of(session.execute(_GOES_WITH, {"slugs": list(slugs)}).scalar_one())
