"""What a store has to show to search engines: addresses, and facts about its areas.

A page for an area is made only where facts exist: the store delivers there today, with
its fee, and has goods in stock. With fewer than ``ENOUGH_TO_INDEX`` products it is shown
to people and kept out of the index.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from app.db.tenancy import bound_store
from app.domain.delivery.areas import Area
from app.domain.delivery.queries import StoreArea, store_areas
from app.domain.errors import NotFound
from app.domain.seo.models import Sitemap
from app.domain.seo.sitemap import Address, sitemap_files
from app.domain.stores.models import Domain, Store

ENOUGH_TO_INDEX = 3
ENOUGH_DELIVERIES = 5
TRUTH_DAYS = 90
STALE_AFTER = timedelta(hours=1)
MOST_NEIGHBOURS = 4


@dataclass(frozen=True, kw_only=True, slots=True)
class StockedCategory:
    slug: str
    name: str
    products: int  # in stock now


@dataclass(frozen=True, kw_only=True, slots=True)
class AreaTruth:
    """What the store's own deliveries to an area say; made only from five or more."""

    deliveries: int  # in the last 90 days
    usual_minutes: int  # the middle one, from paid to delivered


_STOCKED = """
    FROM app.products p
   WHERE p.store_id = :store_id AND p.status = 'active'
     AND EXISTS (SELECT FROM app.variants v WHERE v.store_id = p.store_id AND v.product_id = p.id
                    AND v.on_hand > v.reserved)
"""


def addresses(session: Session) -> list[Address]:
    """Every page of the store that is worth finding: home, categories, products, areas.

    Drafts, archived and hidden goods are in none of them.
    """
    products = session.execute(
        text(
            "SELECT p.slug, p.updated_at, c.slug AS category"
            "  FROM app.products p"
            "  LEFT JOIN app.categories c ON c.store_id = p.store_id AND c.id = p.category_id"
            " WHERE p.store_id = :store_id AND p.status = 'active' ORDER BY p.slug"
        ),
        {"store_id": bound_store()},
    ).all()
    categories: dict[str, datetime] = {}
    for row in products:
        if row.category is not None:
            known = categories.get(row.category, row.updated_at)
            categories[row.category] = max(known, row.updated_at)
    newest = max((row.updated_at for row in products), default=None)
    return [
        Address(path="/", changed_at=newest),
        *(Address(path=f"/c/{slug}", changed_at=at) for slug, at in sorted(categories.items())),
        *(Address(path=f"/p/{row.slug}", changed_at=row.updated_at) for row in products),
        *_area_addresses(session),
    ]


def _area_addresses(session: Session) -> list[Address]:
    served = store_areas(session)
    stocked = session.execute(
        text(
            "\n".join(
                [
                    "SELECT c.slug, count(*) AS products, max(s.updated_at) AS changed_at",
                    "FROM (SELECT p.store_id, p.category_id, p.updated_at",
                    _STOCKED,
                    ") s LEFT JOIN app.categories c",
                    "ON c.store_id = s.store_id AND c.id = s.category_id",
                    "GROUP BY c.slug",
                ]
            )
        ),
        {"store_id": bound_store()},
    ).all()
    if not served or sum(row.products for row in stocked) < ENOUGH_TO_INDEX:
        return []
    newest = max(row.changed_at for row in stocked)
    pages = [Address(path="/areas", changed_at=max(newest, *(a.terms.changed_at for a in served)))]
    for area in served:
        path = f"/areas/{area.area.slug}"
        pages.append(Address(path=path, changed_at=max(newest, area.terms.changed_at)))
        pages += [
            Address(
                path=f"{path}/{row.slug}", changed_at=max(row.changed_at, area.terms.changed_at)
            )
            for row in sorted(stocked, key=lambda row: row.slug or "")
            if row.slug is not None and row.products >= ENOUGH_TO_INDEX
        ]
    return pages


def neighbours(area: Area, served: Sequence[StoreArea]) -> list[StoreArea]:
    """Up to four served areas that people would call near: the same ward, then as far out.

    Among equals those that follow in the alphabet come first, so that the pages of two
    areas do not all name the same four.
    """

    def nearness(one: StoreArea) -> tuple[int, bool, str]:
        other = one.area
        if other.ward == area.ward:
            rank = 0
        elif (other.county, other.band) == (area.county, area.band):
            rank = 1
        else:
            rank = 2
        return rank, other.name < area.name, other.name

    near = [one for one in served if one.area.slug != area.slug and nearness(one)[0] < 2]
    return sorted(near, key=nearness)[:MOST_NEIGHBOURS]


def stocked_categories(session: Session) -> list[StockedCategory]:
    """Categories with something in stock now, in the store's own order."""
    rows = session.execute(
        text(
            "\n".join(
                [
                    "SELECT c.slug, c.name, count(*) AS products",
                    "FROM (SELECT p.store_id, p.category_id",
                    _STOCKED,
                    ") s JOIN app.categories c ON c.store_id = s.store_id AND c.id = s.category_id",
                    "GROUP BY c.slug, c.name, c.position ORDER BY c.position, c.name",
                ]
            )
        ),
        {"store_id": bound_store()},
    ).mappings()
    return [StockedCategory(**row) for row in rows]


def favourites(session: Session, area: str) -> dict[str, int]:
    """How many of each product this area bought in the last 90 days, by the product's slug."""
    rows = session.execute(
        text(
            "SELECT p.slug, sum(l.quantity)::int AS bought FROM app.orders o"
            "  JOIN app.order_lines l ON l.store_id = o.store_id AND l.order_id = o.id"
            "  JOIN app.variants v ON v.store_id = l.store_id AND v.id = l.variant_id"
            "  JOIN app.products p ON p.store_id = v.store_id AND p.id = v.product_id"
            " WHERE o.store_id = :store_id AND o.area = :area AND o.paid_at IS NOT NULL"
            "   AND o.placed_at >= now() - make_interval(days => :days)"
            " GROUP BY p.slug"
        ),
        {"store_id": bound_store(), "area": area, "days": TRUTH_DAYS},
    )
    return {row.slug: row.bought for row in rows}


def find_area_truth(session: Session, area: str, now: datetime) -> AreaTruth | None:
    """How often and how fast this store delivered to an area in the last 90 days.

    None below five deliveries: a number made of two proves nothing and may point at a person.
    """
    row = session.execute(
        text(
            "SELECT count(*) AS deliveries, percentile_cont(0.5) WITHIN GROUP (ORDER BY"
            "       extract(epoch FROM delivered_at - coalesce(paid_at, placed_at)))"
            "       / 60 AS minutes"
            "  FROM app.orders"
            " WHERE store_id = :store_id AND area = :area AND NOT is_pickup"
            "   AND placed_at >= :since AND placed_at < :now AND delivered_at IS NOT NULL"
            "   AND status IN ('delivered', 'closed')"
        ),
        {
            "store_id": bound_store(),
            "area": area,
            "since": now - timedelta(days=TRUTH_DAYS),
            "now": now,
        },
    ).one()
    if row.deliveries < ENOUGH_DELIVERIES:
        return None
    return AreaTruth(deliveries=row.deliveries, usual_minutes=max(1, round(row.minutes)))


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
    body = sitemap_files(addresses(session), base_url).get(name)
    if body is None:
        raise NotFound
    return body


def canonical_host(session: Session) -> str:
    """The host under which search engines should know the store. Raises NotFound without one."""
    host = session.scalars(
        select(Domain.host)
        .where(Domain.store_id == bound_store(), Domain.verified_at.is_not(None))
        .order_by(Domain.is_canonical.desc(), Domain.created_at, Domain.host)
        .limit(1)
    ).one_or_none()
    if host is None:
        raise NotFound
    return host
