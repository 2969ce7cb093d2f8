"""Jobs of the bulk queue: what may wait a minute."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from flask import current_app
from sqlalchemy import text
from sqlalchemy.orm import Session

from app import addresses
from app.clock import utcnow
from app.db.tenancy import bound_store
from app.domain.catalog.exporting.records import sweep_exports
from app.domain.catalog.importing.records import sweep_uploads
from app.domain.catalog.shelf import keep_breaks
from app.domain.insights.actions import look_for_nudges as look
from app.domain.media.actions import sweep_photos
from app.domain.orders.days import sum_order_days
from app.domain.people.limits import sweep_tries
from app.domain.people.otp import sweep_codes
from app.domain.promotions.actions import reprice_cards
from app.domain.seo.actions import write_sitemap as write
from app.domain.seo.share_cards import sweep_cards
from app.domain.stores.models import Domain, Store
from app.jobs import Topic, TryLater
from app.logging import get_logger
from app.providers import cdn
from app.providers.errors import OutcomeUnknown, Unavailable
from tasks.runner import handles

log = get_logger(__name__)


@handles(Topic.WRITE_SITEMAP)
def write_sitemap(session: Session) -> None:
    """Write this store's sitemap anew."""
    host = (
        session.query(Domain.host)
        .filter_by(store_id=bound_store(), is_canonical=True)
        .limit(1)
        .scalar()
    )
    if host is not None:
        write(
            session,
            session.get_one(Store, bound_store()),
            addresses.store_url(host, ""),
        )


@handles(Topic.REPRICE_CARDS)
def reprice(session: Session, promotion: str) -> None:
    """A sale has begun or ended: lists sort its goods by today's price."""
    reprice_cards(session, UUID(promotion))


@handles(Topic.LOOK_FOR_NUDGES)
def look_for_nudges(session: Session) -> None:
    """Add up the days that are over, and look for something worth suggesting to this store's owner."""
    sum_order_days(session)
    look(session, utcnow())


@handles(Topic.SWEEP_OLD_ROWS)
def sweep_old_rows(session: Session) -> None:
    """Remove what is kept for a time only: codes a day, keys a week, carts a month, quotes two. And add up.

    Pictures of shared links go after three months; one that is still asked for is drawn again.
    Browsers stop following what ended a month ago.
    """
    sweep_codes(session)
    sweep_tries(session)
    sweep_uploads(session)
    sweep_photos(session)
    sweep_exports(session)
    sweep_cards(bound_store(), utcnow() - timedelta(days=90))
    if breaks := keep_breaks(session):
        log.error("stock_does_not_add_up", variants=breaks)
    for statement in (
        "DELETE FROM app.idempotency_keys WHERE store_id = app.store_id() AND created_at < now() - interval '7 days'",
        "DELETE FROM app.delivery_quotes WHERE store_id = app.store_id() AND created_at < now() - interval '60 days'",
        "DELETE FROM app.carts WHERE store_id = app.store_id() AND updated_at < now() - interval '30 days'",
        "DELETE FROM app.shopper_sessions WHERE store_id = app.store_id() AND expires_at < now()",
        (
            "DELETE FROM app.push_subscriptions p WHERE p.store_id = app.store_id()"
            " AND (EXISTS (SELECT 1 FROM app.orders o WHERE o.store_id = p.store_id AND o.id = p.order_id"
            " AND coalesce(o.delivered_at, o.cancelled_at) < now() - interval '30 days')"
            " OR EXISTS (SELECT 1 FROM app.stock_waits w WHERE w.store_id = p.store_id AND w.id = p.wait_id"
            " AND w.told_at < now() - interval '30 days'))"
        ),
    ):
        session.execute(text(statement))


@handles(Topic.PURGE_PAGES)
def purge_pages(session: Session) -> None:
    """Tell the CDN, where there is one, that this store's pages changed. Asked for by the relay."""
    settings = current_app.config["SETTINGS"]
    if not settings.cdn_purge_url:
        return
    try:
        cdn.purge(settings.cdn_purge_url, settings.cdn_purge_token, [f"s{bound_store()}"])
    except (Unavailable, OutcomeUnknown) as error:
        raise TryLater(str(error), after_seconds=2) from error
