"""The shopper's cart: show it, add to it, change it; and the small pieces that mirror it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from flask import Blueprint, Response, g, make_response, redirect, render_template, request
from flask.typing import ResponseReturnValue

from app.addresses import store_url
from app.db.engine import db
from app.domain.cart.actions import (
    PriceMoved,
    add_late,
    copy_cart,
    merge_carts,
    open_cart,
    set_quantity,
    use_code,
)
from app.domain.cart.adding import put_in_cart
from app.domain.cart.queries import find_cart, find_cart_by_code, summarise_cart
from app.domain.catalog.models import Variant
from app.domain.catalog.queries import get_chosen_variant, get_variant
from app.domain.catalog.together import goes_with
from app.domain.checkout.actions import make_offer, review
from app.domain.checkout.basket import Basket, cart_basket
from app.domain.checkout.keys import claim_key, finish_key
from app.domain.errors import NotFound, OutOfStock
from app.domain.stores.hosts import canonical_host
from app.i18n import gettext as _
from app.web.forms import field, positive_int, whole_number
from app.web.htmx import fragment, wants_fragment
from app.web.late import is_late, late_answer, tap_fingerprint, tap_key
from app.web.limits import PROMOTION_CODES, SEARCHES, limiter
from app.web.security import origin_checked
from app.web.shopper import cart_id, chosen_area, remember_cart, shopper_token
from app.web.storefront.browse import MAX_OPTIONS
from app.web.storefront.words import said_before
from app.web.tenancy import open_kept_store

bp = Blueprint("cart", __name__)
bp.before_request(open_kept_store)


@dataclass(frozen=True)
class Removed:
    """What was just taken out, so that one tap can put it back."""

    sku: str
    name: str
    quantity: int


@dataclass(frozen=True)
class Tried:
    """A promotion code that was just typed, and why it does not count."""

    code: str
    problem: str


@bp.app_template_global("cart_link")
def cart_link(code: str) -> str:
    """The address under which another phone can take this cart over."""
    return store_url(canonical_host(db.session()), f"/cart/with/{code}")


@bp.get("/cart")
def show() -> ResponseReturnValue:
    basket = _basket()
    note = " ".join(said_before()) or None
    along = goes_with(db.session(), {line.slug for line in basket.lines} if basket else ())
    return render_template("storefront/cart.html", **_panel(basket, note=note), along=along)


@bp.post("/cart/lines")
@origin_checked
def add_line() -> ResponseReturnValue:
    key = tap_key()
    earlier = claim_key(db.session(), key, tap_fingerprint()) if key else None
    if earlier is not None:
        return _added_before(UUID(earlier))
    quantity = request.form.get("quantity", 1, type=positive_int)
    if is_late():
        return _add_late(key, quantity)
    added = put_in_cart(db.session(), cart_id(), quantity=quantity, **_asked_variant())
    if key:
        finish_key(db.session(), key, str(added.id))
    # The answer is made before the commit: after it the store's row would be read once more.
    if not wants_fragment():
        answer = make_response(redirect("/cart", code=303))
    elif request.form.get("panel"):
        answer = _panel_answer(added.id, note=added.note)
    else:
        answer = fragment(
            "storefront/_added.html",
            summary=added.summary,
            note=added.note,
            events=("cart:changed",),
        )
    db.session.commit()
    return remember_cart(answer, added)


def _add_late(key: str, quantity: int) -> Response:
    """A tap that waited for the network: added where price and stock are still what was seen."""
    session, asked = db.session(), _asked_variant()
    variant = (
        get_variant(session, asked["sku"])
        if "sku" in asked
        else get_chosen_variant(session, asked["slug"], asked["options"])
    )
    cart = open_cart(session, cart_id())
    try:
        add_late(session, cart, variant, quantity=quantity, shown=field("shown", most=40))
    except (PriceMoved, OutOfStock) as changed:
        return _not_added(variant, quantity, changed)
    if key:
        finish_key(session, key, str(cart.id))
    answer = late_answer(_("%(name)s is in your cart.", name=variant.product.name))
    session.commit()
    return remember_cart(answer, cart)


def _added_before(earlier: UUID) -> Response:
    """The same tap once more: its first answer was lost, so perhaps the browser never got its cart."""
    session = db.session()
    cart, first = find_cart(session, cart_id()), find_cart(session, earlier)
    if first is not None:
        cart = merge_carts(session, cart, first) if cart is not None else first
    session.commit()
    if is_late():
        answer = late_answer(_("What you tapped is in your cart already."))
    elif wants_fragment():
        summary = summarise_cart(session, cart.id if cart else None)
        answer = fragment(
            "storefront/_added.html", summary=summary, note=None, events=("cart:changed",)
        )
    else:
        answer = make_response(redirect("/cart", code=303))
    return remember_cart(answer, cart) if cart is not None else answer


def _not_added(variant: Variant, quantity: int, changed: PriceMoved | OutOfStock) -> Response:
    """Price or stock moved while the tap waited: nothing is added, and the shopper chooses."""
    name, slug, sku, stock = variant.product.name, variant.product.slug, variant.sku, variant.stock
    db.session.rollback()
    if isinstance(changed, PriceMoved):
        return late_answer(str(changed), sku=sku, quantity=quantity, slug=slug, status=409)
    words = _("%(name)s was not added: %(why)s", name=name, why=str(changed))
    if stock > 0 and changed.available > 0:
        return late_answer(words, sku=sku, quantity=changed.available, slug=slug, status=409)
    return late_answer(words, slug=slug, status=409)


@bp.post("/cart/lines/<uuid:line_id>")
@origin_checked
def change_line(line_id: UUID) -> ResponseReturnValue:
    quantity = request.form.get("quantity", None, type=whole_number)
    cart = find_cart(db.session(), cart_id())
    if cart is None or quantity is None:
        raise NotFound
    line = next((line for line in cart.lines if line.id == line_id), None)
    if line is None:
        raise NotFound
    variant = line.variant
    removed = Removed(variant.sku, variant.product.name, line.quantity) if quantity == 0 else None
    change = set_quantity(db.session(), cart, line_id, quantity)
    db.session.commit()
    if not wants_fragment():
        return remember_cart(make_response(redirect("/cart", code=303)), cart)
    return remember_cart(_panel_answer(cart.id, note=change.note, undo=removed), cart)


@bp.post("/cart/code")
@origin_checked
@limiter.limit(PROMOTION_CODES)
def use_promotion_code() -> ResponseReturnValue:
    """Try a promotion code and keep it where it counts; an empty one takes the last off."""
    typed = field("code", most=40)
    basket = _basket(code=typed or None)
    if basket is None:
        return redirect("/cart", code=303)
    problem = make_offer(basket, area=basket.area).code_problem if typed else ""
    if not problem:
        use_code(db.session(), basket.id, basket.typed_code if typed else None)
        db.session.commit()
        if not wants_fragment():
            return redirect("/cart", code=303)
    facts = _panel(_basket()) | {"tried": Tried(typed, problem)}
    if wants_fragment():
        return fragment("storefront/_cart_panel.html", status=422 if problem else 200, **facts)
    return make_response(render_template("storefront/cart.html", **facts), 422)


@bp.get("/cart/with/<code>")
@limiter.limit(SEARCHES)
def offer(code: str) -> ResponseReturnValue:
    """What somebody put together on another phone, to be taken over here by a tap."""
    cart = find_cart_by_code(db.session(), code[:20])
    if cart is None or not cart.lines:
        raise NotFound
    return render_template("storefront/cart_offer.html", cart=cart, code=cart.code)


@bp.post("/cart/with/<code>")
@origin_checked
@limiter.limit(SEARCHES)
def take_over(code: str) -> ResponseReturnValue:
    other = find_cart_by_code(db.session(), code[:20])
    if other is None:
        raise NotFound
    cart = open_cart(db.session(), cart_id())
    if cart.id != other.id:
        copy_cart(db.session(), cart, other)
    db.session.commit()
    return remember_cart(make_response(redirect("/cart", code=303)), cart)


@bp.get("/cart/count")
def count() -> ResponseReturnValue:
    summary = summarise_cart(db.session(), cart_id())
    return render_template("storefront/_cart_count.html", summary=summary)


@bp.get("/cart/bar")
def bar() -> ResponseReturnValue:
    summary = summarise_cart(db.session(), cart_id())
    return render_template("storefront/_cart_bar.html", summary=summary)


def _asked_variant() -> dict[str, Any]:
    """What to add: by SKU, or by product and the value of each of its options."""
    sku = field("sku", most=80)
    if sku:
        return {"sku": sku}
    values = [
        request.form[f"option-{at}"] for at in range(MAX_OPTIONS) if f"option-{at}" in request.form
    ]
    return {"slug": field("product", most=100), "options": values}


def _basket(*, code: str | None = None) -> Basket | None:
    area = chosen_area()
    return cart_basket(
        db.session(),
        cart_id(),
        area=area.slug if area else None,
        token=shopper_token(),
        code=code,
    )


def _panel_answer(cart: UUID, *, note: str | None = None, undo: Removed | None = None) -> Response:
    area = chosen_area()
    fresh = cart_basket(db.session(), cart, area=area.slug if area else None, token=shopper_token())
    return fragment("storefront/_cart_panel.html", **_panel(fresh, note=note, undo=undo))


def _panel(
    basket: Basket | None, *, note: str | None = None, undo: Removed | None = None
) -> dict[str, Any]:
    """What the panel needs: the cart, its price and why, and what delivery of it would cost."""
    priced = None
    if basket is not None and basket.lines:
        priced = review(db.session(), g.store, basket, area=basket.area, is_binding=False)
    return {
        "cart": basket,
        "review": priced,
        "why": {line.line.id: line for line in priced.lines} if priced else {},
        "preview": priced.preview if priced else None,
        "unserved": None,
        "cheapest_fee_cents": None,
        "note": note or (priced.problem if priced else ""),
        "tried": None,
        "undo": undo,
        "store": g.store,
    }
