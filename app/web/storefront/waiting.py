"""Back in stock: a phone number left for what is sold out, and the link that keeps one when it is back."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import Blueprint, current_app, make_response, redirect, render_template
from flask.typing import ResponseReturnValue
from itsdangerous import BadSignature, URLSafeTimedSerializer

from app.clock import utcnow
from app.db.engine import db
from app.db.tenancy import bound_store
from app.domain.cart.actions import open_cart
from app.domain.catalog.models import StockOffer, StockWait
from app.domain.catalog.queries import ProductPage, get_variant, product_page
from app.domain.catalog.waiting import ask_to_be_told, find_wait
from app.domain.errors import DomainError, NotFound
from app.domain.messaging.push import follow
from app.domain.restock.actions import OfferGone, find_offer, take_offer
from app.i18n import current_locale
from app.phones import InvalidPhone
from app.web.forms import field
from app.web.htmx import fragment, wants_fragment
from app.web.limits import SEARCHES, client_address, limiter
from app.web.notifying import browser_address
from app.web.security import origin_checked
from app.web.shopper import cart_id, remember_cart
from app.web.storefront.browse import sold_out_of
from app.web.tenancy import open_store

bp = Blueprint("waiting", __name__)
bp.before_request(open_store)

WAIT_SECONDS = 3_600  # between leaving a number and asking for a notification


@bp.post("/p/<slug:slug>/tell-me")
@origin_checked
def ask(slug: str) -> ResponseReturnValue:
    """Keep the phone and the variant. The page it comes from is cached, so there is no token."""
    session = db.session()
    page = product_page(session, slug)
    variant = get_variant(session, field("sku", most=80))
    typed = field("phone", most=40)
    error, wait = None, None
    try:
        is_new = ask_to_be_told(
            session, variant, typed, language=current_locale(), address=client_address()
        )
        # Who only types somebody's number gets no hand on the turn that this somebody has already.
        wait = find_wait(session, variant, typed) if is_new else None
        session.commit()
    except InvalidPhone as problem:
        session.rollback()
        error = str(problem)
    if wants_fragment():
        return fragment(
            "storefront/_tell_me.html",
            status=422 if error else 200,
            **_words(page, typed, error),
            form="tell",
            wait=_signer().dumps(wait.id.hex) if wait else "",
        )
    if error:
        return render_template("storefront/tell_me.html", **_words(page, typed, error)), 422
    return redirect(f"/p/{slug}/told", code=303)


@bp.get("/p/<slug:slug>/told")
def told(slug: str) -> ResponseReturnValue:
    """What a browser without a script sees once its number is kept."""
    page = product_page(db.session(), slug)
    return render_template("storefront/tell_me.html", **_words(page, "", None))


@bp.post("/p/<slug:slug>/tell-me/notify")
@origin_checked
def notify(slug: str) -> ResponseReturnValue:
    """This browser is told instead of the phone that was left here within the hour."""
    session = db.session()
    page = product_page(session, slug)
    wait = session.get(StockWait, (bound_store(), _waiting()))
    if wait is None:
        raise NotFound
    follow(session, browser_address(), language=current_locale(), wait_id=wait.id)
    session.commit()
    return fragment(
        "storefront/_tell_me.html", **_words(page, "", None), form="tell", is_followed=True
    )


@bp.get("/back/<regex32:token>")
@limiter.limit(SEARCHES)
def offer(token: str) -> ResponseReturnValue:
    """What the link of the waiting line keeps, and until when. Opening it takes nothing."""
    found = find_offer(db.session(), token)
    if found is None:
        raise NotFound
    if found.status == "taken" and found.cart_id == cart_id():
        return redirect("/cart", code=303)
    if found.status != "live" or found.expires_at <= utcnow():
        return _gone(found, OfferGone(was_used=found.status in ("taken", "used")))
    return render_template(
        "storefront/back.html",
        offer=found,
        token=token,
        gone="",
        price_cents=found.variant.price_at(utcnow()),
    )


@bp.post("/back/<regex32:token>")
@limiter.limit(SEARCHES)
def take(token: str) -> ResponseReturnValue:
    """Put what is kept into this browser's cart. The link then works for nobody else."""
    session = db.session()
    cart = open_cart(session, cart_id())
    try:
        take_offer(session, token, cart)
        session.commit()
    except OfferGone as error:
        session.rollback()
        found = find_offer(session, token)
        if found is None:
            raise NotFound from error
        return _gone(found, error)
    return remember_cart(make_response(redirect("/cart", code=303)), cart)


def _gone(found: StockOffer, error: DomainError) -> ResponseReturnValue:
    page = render_template("storefront/back.html", offer=found, token="", gone=str(error))
    return page, 410


def _waiting() -> UUID:
    """The wait that the form names by our signature. Raises NotFound."""
    try:
        return UUID(hex=str(_signer().loads(field("wait", most=300), max_age=WAIT_SECONDS)))
    except (BadSignature, ValueError):
        raise NotFound from None


def _signer() -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(str(current_app.secret_key), salt="stock-wait")


def _words(page: ProductPage, typed: str, error: str | None) -> dict[str, Any]:
    chosen = page.choose({})
    return {
        "page": page,
        "sold_out": sold_out_of(page, chosen),
        "wanted": field("sku", most=80),
        "typed": typed,
        "error": error,
        "is_told": error is None,
    }
