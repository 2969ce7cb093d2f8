"""The addresses of a store that are worth finding, its sitemap, and the host it is known under."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import text
from sqlalchemy.orm import Session

from app.db.tenancy import bound_store
from app.domain.delivery.queries import store_areas
from app.domain.errors import NotFound
from app.domain.seo.area_pages import ENOUGH_TO_INDEX
from app.domain.seo.models import Sitemap
from app.domain.seo.sitemap import Address, sitemap_files
from app.domain.seo.track_record import find_track_record
from app.domain.stores.models import Store

STALE_AFTER = timedelta(hours=1)

# A page changed when its words did, a price, whether it can be bought, or a photo.
_PRODUCTS = text(
    """
SELECT p.slug, p.category_id, v.is_stocked,
       greatest(p.updated_at, v.changed_at, i.changed_at) AS changed_at
  FROM app.products p
  JOIN LATERAL (SELECT max(changed_at) AS changed_at, bool_or(on_hand > reserved) AS is_stocked
                  FROM app.variants
                 WHERE store_id = p.store_id AND product_id = p.id AND is_active
                HAVING count(*) > 0) v ON true
  LEFT JOIN LATERAL (SELECT greatest(max(added_at), max(removed_at)) AS changed_at
                       FROM app.product_images
                      WHERE store_id = p.store_id AND product_id = p.id) i ON true
 WHERE p.store_id = app.store_id() AND p.status = 'active' ORDER BY p.slug
"""
)
_CATEGORIES = text(
    "SELECT id, slug, parent_id FROM app.categories WHERE store_id = app.store_id() ORDER BY slug"
)
_PAGES = text(
    "SELECT slug, changed_at FROM app.pages"
    " WHERE store_id = app.store_id() AND is_published ORDER BY slug"
)


def addresses(session: Session, now: datetime) -> list[Address]:
    """Every page of the store that is worth finding: home, categories, products, areas, its own.

    Drafts, archived and hidden goods are in none of them.
    """
    products = session.execute(_PRODUCTS).all()
    shelves = session.execute(_CATEGORIES).all()
    parents = {shelf.id: shelf.parent_id for shelf in shelves}
    changed: dict[object, datetime] = {}
    stocked: dict[object, list[datetime]] = {}
    for product in products:
        shelf = product.category_id
        while shelf is not None:
            changed[shelf] = max(changed.get(shelf, product.changed_at), product.changed_at)
            if product.is_stocked:
                stocked.setdefault(shelf, []).append(product.changed_at)
            shelf = parents[shelf]
    newest = max((product.changed_at for product in products), default=None)
    in_stock = [product.changed_at for product in products if product.is_stocked]
    found = [
        Address(path="/", changed_at=newest),
        *(
            Address(path=f"/c/{shelf.slug}", changed_at=changed[shelf.id])
            for shelf in shelves
            if shelf.id in changed
        ),
        *(Address(path=f"/p/{p.slug}", changed_at=p.changed_at) for p in products),
        *(
            Address(path=f"/pages/{page.slug}", changed_at=page.changed_at)
            for page in session.execute(_PAGES)
        ),
    ]
    if find_track_record(session, now).has_figures:
        found.append(Address(path="/trust"))
    if len(in_stock) < ENOUGH_TO_INDEX:
        return found
    enough = {
        shelf.slug: max(stocked[shelf.id])
        for shelf in shelves
        if len(stocked.get(shelf.id, ())) >= ENOUGH_TO_INDEX
    }
    return found + _area_addresses(session, max(in_stock), enough)


def _area_addresses(
    session: Session, newest: datetime, categories: dict[str, datetime]
) -> list[Address]:
    """The list of areas, each area's page, and those of its categories with enough in stock."""
    served = store_areas(session)
    if not served:
        return []
    pages = [Address(path="/areas", changed_at=max(one.terms.changed_at for one in served))]
    for one in served:
        path, changed_at = f"/areas/{one.area.slug}", one.terms.changed_at
        pages.append(Address(path=path, changed_at=max(newest, changed_at)))
        pages += [
            Address(path=f"{path}/{slug}", changed_at=max(at, changed_at))
            for slug, at in categories.items()
        ]
    return pages


def get_sitemap(session: Session, store: Store, name: str, base_url: str, now: datetime) -> str:
    """A sitemap file as it is served. Raises NotFound for a name there is no file for.

    The file that the job wrote, while it is true: nothing changed since, or it is less
    than an hour old. Else, and before the first run, what the job would write now; so
    goods that were taken down leave it within the hour even when no job runs.
    """
    kept = session.get(Sitemap, (bound_store(), name), populate_existing=True)
    if kept is not None and (
        kept.content_version == store.content_version or now - kept.made_at < STALE_AFTER
    ):
        return kept.body
    body = sitemap_files(addresses(session, now), base_url).get(name)
    if body is None:
        raise NotFound
    return body
