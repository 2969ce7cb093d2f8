"""The shopper's cart: show it, add to it, change it; and the small pieces that mirror it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from flask import Blueprint, Response, g, make_response, redirect, render_template, request
from flask.typing import ResponseReturnValue

from app.addresses import store_url
from app.db.engine import db
from app.domain.cart.actions import add_to_cart, copy_cart, open_cart, set_quantity
from app.domain.cart.models import Cart
from app.domain.cart.queries import find_cart, find_cart_by_code, summarise_cart
from app.domain.catalog.models import Variant
from app.domain.catalog.queries import get_chosen_variant, get_variant
from app.domain.errors import NotFound
from app.domain.seo.queries import canonical_host
from app.web.forms import field, positive_int, whole_number
from app.web.htmx import fragment, wants_fragment
from app.web.limits import SEARCHES, limiter
from app.web.security import origin_checked
from app.web.shopper import cart_id, remember_cart
from app.web.storefront.browse import MAX_OPTIONS
from app.web.storefront.deliver import preview_for_cart
from app.web.storefront.words import said_before
from app.web.tenancy import open_store

bp = Blueprint("cart", __name__)
bp.before_request(open_store)


@dataclass(frozen=True)
class Removed:
    """What was just taken out, so that one tap can put it back."""

    sku: str
    name: str
    quantity: int


@bp.app_template_global("cart_link")
def cart_link(code: str) -> str:
    """The address under which another phone can take this cart over."""
    return store_url(canonical_host(db.session()), f"/cart/with/{code}")


@bp.get("/cart")
def show() -> ResponseReturnValue:
    cart = find_cart(db.session(), cart_id())
    note = " ".join(said_before()) or None
    return render_template("storefront/cart.html", **_panel(cart, note=note))


@bp.post("/cart/lines")
@origin_checked
def add_line() -> ResponseReturnValue:
    variant = _asked_variant()
    quantity = request.form.get("quantity", 1, type=positive_int)
    cart = open_cart(db.session(), cart_id())
    change = add_to_cart(db.session(), cart, variant, quantity=quantity)
    db.session.commit()
    if not wants_fragment():
        return remember_cart(make_response(redirect("/cart", code=303)), cart)
    if request.form.get("panel"):
        return remember_cart(_panel_answer(cart, note=change.note), cart)
    summary = summarise_cart(db.session(), cart.id)
    answer = fragment(
        "storefront/_added.html", summary=summary, note=change.note, events=("cart:changed",)
    )
    return remember_cart(answer, cart)


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
    return remember_cart(_panel_answer(cart, note=change.note, undo=removed), cart)


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


def _asked_variant() -> Variant:
    """What to add: by SKU, or by product and the value of each of its options. Raises NotFound."""
    sku = field("sku", most=80)
    if sku:
        return get_variant(db.session(), sku)
    values = [
        request.form[f"option-{at}"] for at in range(MAX_OPTIONS) if f"option-{at}" in request.form
    ]
    return get_chosen_variant(db.session(), field("product", most=100), values)


def _panel_answer(cart: Cart, *, note: str | None = None, undo: Removed | None = None) -> Response:
    fresh = find_cart(db.session(), cart.id)
    return fragment("storefront/_cart_panel.html", **_panel(fresh, note=note, undo=undo))


def _panel(
    cart: Cart | None, *, note: str | None = None, undo: Removed | None = None
) -> dict[str, Any]:
    """What the panel needs: the cart, and what delivery of it would cost."""
    preview, problem = None, None
    if cart is not None and cart.lines:
        preview, problem = preview_for_cart(
            cart.subtotal_cents,
            sum(line.quantity * line.variant.weight_grams for line in cart.lines),
            any(line.variant.is_bulky for line in cart.lines),
        )
    return {
        "cart": cart,
        "preview": preview,
        "unserved": None,
        "cheapest_fee_cents": None,
        "note": note or problem,
        "undo": undo,
        "store": g.store,
    }
