"""The pictures of shared links, under /media/ as all pictures are: no cookie is read or set.

The address names the page, the language and the hash of what is on the picture. One that was
drawn already is served without looking at anything else; else the page's facts are worked out
anew, and only what they say is drawn, once, however many ask for it together.
"""

from __future__ import annotations

import time
from contextlib import suppress
from threading import BoundedSemaphore

from flask import Blueprint, current_app, g, make_response, redirect
from flask.typing import ResponseReturnValue
from redis.exceptions import RedisError

from app.cache import cache_key, give_turn_back, take_turn, wait_for_turn
from app.clock import utcnow
from app.db.engine import db
from app.domain.catalog import queries
from app.domain.catalog.listing import category_page
from app.domain.media.storage import FOR_EVER, TYPES
from app.domain.seo.area_pages import get_area_page
from app.domain.seo.share_cards import CannotDraw, ShareCard, draw_card, open_card
from app.i18n import using_locale
from app.logging import get_logger
from app.web.limits import SEARCHES, limiter
from app.web.storefront.heads import area_card, card_path, home_card, listing_card, product_card
from app.web.tenancy import open_store

bp = Blueprint("cards", __name__, url_prefix="/media/cards/<regex32:key>/<any(en, sw):language>")
bp.before_request(open_store)

PATIENCE_SECONDS = 6
TURN_SECONDS = 20  # as long as drawing may take
_pens = BoundedSemaphore(1)  # a process draws one picture at a time
log = get_logger("cards")


@bp.get("/home.jpg")
@bp.get("/p/<slug:product>.jpg")
@bp.get("/c/<slug:category>.jpg")
@bp.get("/areas/<slug:area>.jpg")
@bp.get("/areas/<slug:area>/<slug:category>.jpg")
@limiter.limit(SEARCHES)
def card(
    key: str,
    language: str,
    product: str | None = None,
    category: str | None = None,
    area: str | None = None,
) -> ResponseReturnValue:
    """The picture of this name; one that is out of date leads to today's."""
    store_id: int = g.store.id
    data = open_card(store_id, key)
    if data is None:
        with using_locale(language):
            page, wanted = _card_of(product, category, area)
            if wanted.key != key:
                response = redirect(card_path(page, wanted), code=302)
                response.headers["Cache-Control"] = "public, max-age=60"
                return response
        db.session.rollback()  # drawing takes a moment, and holds no transaction meanwhile
        data = _drawn_once(wanted)
    if data is None:
        return make_response("", 503, {"Retry-After": "5", "Cache-Control": "no-store"})
    response = make_response(data)
    response.headers["Content-Type"] = TYPES["jpg"]
    response.headers["Content-Disposition"] = "inline"
    response.headers["Cache-Control"] = FOR_EVER
    return response


def _card_of(product: str | None, category: str | None, area: str | None) -> tuple[str, ShareCard]:
    """The page's address and what its picture shows now. Raises NotFound."""
    session = db.session()
    if product is not None:
        return f"p/{product}", product_card(queries.product_page(session, product))
    if area is not None:
        page = f"areas/{area}" + (f"/{category}" if category else "")
        return page, area_card(get_area_page(session, g.store, area, category, utcnow()))
    if category is not None:
        return f"c/{category}", listing_card(category_page(session, category))
    return "home", home_card(queries.home_page(session))


def _drawn_once(wanted: ShareCard) -> bytes | None:
    """The picture, drawn by whoever asked first; None when it does not come in time."""
    redis = current_app.extensions["cache_redis"]
    environment: str = current_app.config["SETTINGS"].environment
    turn = cache_key(environment, wanted.store_id, "card", wanted.key, "-")
    until = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < until:
        try:
            is_ours = take_turn(redis, turn, seconds=TURN_SECONDS)
            if not is_ours:
                wait_for_turn(redis, turn, seconds=until - time.monotonic())
        except RedisError:
            is_ours = True  # without the cache at most every process draws it
        if is_ours:
            return _draw(wanted, turn)
        data = open_card(wanted.store_id, wanted.key)
        if data is not None:
            return data
    return None


def _draw(wanted: ShareCard, turn: str) -> bytes | None:
    try:
        if not _pens.acquire(timeout=PATIENCE_SECONDS):
            return None
        try:
            return open_card(wanted.store_id, wanted.key) or draw_card(wanted)
        finally:
            _pens.release()
    except CannotDraw as problem:
        log.warning("card_not_drawn", store_id=wanted.store_id, problem=str(problem)[:200])
        return None
    finally:
        with suppress(RedisError):  # else it ends by itself
            give_turn_back(current_app.extensions["cache_redis"], turn)
