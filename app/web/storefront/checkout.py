"""One page from cart to order: phone, area, landmark, perhaps a name; then the exact total."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from flask import Blueprint, Response, g, make_response, redirect, render_template, request
from flask.typing import ResponseReturnValue

from app.db.engine import db
from app.domain.cart.actions import choose_area
from app.domain.cart.models import Cart
from app.domain.cart.queries import find_cart
from app.domain.checkout.actions import CheckoutForm, Review, place_order, review
from app.domain.customers.models import Customer
from app.domain.customers.numbers import Number, numbers_of
from app.domain.delivery.areas import UnknownArea, get_area
from app.domain.delivery.queries import area_name, store_areas
from app.domain.errors import (
    AlreadyPaid,
    AmountNotPayable,
    AreaNotServed,
    BelowMinimumOrder,
    DomainError,
    EmptyCart,
    FieldProblem,
    OutOfStock,
    PriceChanged,
    StorePaused,
    WayNotOffered,
)
from app.domain.onboarding.queries import takes_real_money
from app.domain.stores.trust import trust_of
from app.ids import new_token
from app.phones import InvalidPhone
from app.web.forms import cents_field
from app.web.forms import field as text_field
from app.web.htmx import fragment, wants_fragment
from app.web.limits import CHECKOUTS, limiter
from app.web.shopper import cart_id, chosen_area, known_shopper, remember_area, shopper_token
from app.web.storefront.words import said_before
from app.web.tenancy import open_store

bp = Blueprint("checkout", __name__)
bp.before_request(open_store)

PICKUP = "pickup"

# Rules that leave the shopper on this page, with what they typed still in place.
_STAY = (
    FieldProblem,
    AreaNotServed,
    BelowMinimumOrder,
    OutOfStock,
    PriceChanged,
    AmountNotPayable,
    AlreadyPaid,
    StorePaused,
    WayNotOffered,
)


@dataclass
class Typed:
    """What the shopper has typed so far, and what is wrong with it, by field."""

    phone: str = ""
    area: str = ""
    landmark: str = ""
    name: str = ""
    wrong: dict[str, str] = field(default_factory=dict)

    @property
    def is_pickup(self) -> bool:
        return self.area == PICKUP


@bp.get("/checkout")
def show() -> ResponseReturnValue:
    cart = find_cart(db.session(), cart_id())
    if cart is None or not cart.lines:
        return redirect("/cart", code=303)
    shopper = None if request.args.get("change") else _paying_shopper()
    typed = _remembered(cart, shopper)
    answer = _page(cart, typed, shopper)
    db.session.commit()  # the quote that the shown fee is
    return answer


@bp.post("/checkout/summary")
def summary() -> ResponseReturnValue:
    """The fee, the time and the total for an area: a piece for htmx, the whole page without."""
    cart = find_cart(db.session(), cart_id())
    if cart is None or not cart.lines:
        return redirect("/cart", code=303)
    shopper = None if request.form.get("change") else _paying_shopper()
    typed = _typed()
    if wants_fragment():
        facts = _facts(cart, typed, shopper)
        answer = fragment("storefront/_checkout_summary.html", is_swap=True, **facts)
    else:
        answer = _page(cart, typed, shopper)
    if typed.area and not typed.is_pickup:
        choose_area(db.session(), cart, typed.area)
    db.session.commit()
    return _with_area(answer, typed)


@bp.post("/checkout")
@limiter.limit(CHECKOUTS)
def place() -> ResponseReturnValue:
    cart = cart_id()
    if cart is None:
        return redirect("/cart", code=303)
    typed = _typed()
    shopper = None if typed.phone else known_shopper()
    payer = _payer(shopper)
    form = CheckoutForm(
        phone=typed.phone or (payer.phone if payer else ""),
        customer_id=shopper.id if shopper and payer else None,
        area="" if typed.is_pickup else typed.area,
        landmark=typed.landmark,
        name=typed.name,
        is_pickup=typed.is_pickup,
        pay_on_delivery=request.form.get("pay") == "on_delivery",
        shown_total_cents=cents_field("shown_total_cents"),
    )
    try:
        placed = place_order(
            db.session(), g.store, cart, form, key=text_field("key", most=80) or new_token()
        )
    except EmptyCart:
        db.session.rollback()
        return redirect("/cart", code=303)
    except _STAY as error:
        return _again(typed, error)
    except InvalidPhone as error:
        return _again(typed, FieldProblem("phone", str(error)))
    db.session.commit()
    return _with_area(make_response(redirect(f"/o/{placed.token}", code=303)), typed)


def _again(typed: Typed, error: DomainError) -> Response:
    """The same page with the reason on it: nothing was ordered, nothing charged, nothing lost."""
    db.session.rollback()
    cart = find_cart(db.session(), cart_id())
    if cart is None or not cart.lines:
        return make_response(redirect("/cart", code=303))
    shopper = _paying_shopper()
    notices: list[str] = []
    if isinstance(error, FieldProblem):
        typed.wrong[error.field] = str(error)
    elif isinstance(error, AreaNotServed | BelowMinimumOrder):
        typed.wrong["area"] = str(error)
    else:
        if not isinstance(error, StorePaused):  # the page says that at its top already
            notices.append(str(error))
        if isinstance(error, PriceChanged):
            notices += error.changes
    # A known shopper whose saved details do not serve must be able to type others.
    answer = _page(cart, typed, None if typed.wrong else shopper, notices=notices)
    answer.status_code = 422
    db.session.commit()
    return answer


def _page(
    cart: Cart, typed: Typed, shopper: Customer | None, *, notices: list[str] | None = None
) -> Response:
    facts = _facts(cart, typed, shopper)
    page = render_template(
        "storefront/checkout.html",
        areas=store_areas(db.session()),
        trust=trust_of(db.session()),
        notices=[*(notices or ()), *said_before()],
        is_swap=False,
        **facts,
    )
    return make_response(page)


def _facts(cart: Cart, typed: Typed, shopper: Customer | None) -> dict[str, Any]:
    priced: Review = review(
        db.session(),
        g.store,
        cart,
        area=None if typed.is_pickup else typed.area,
        is_pickup=typed.is_pickup,
    )
    return {
        "cart": cart,
        "typed": typed,
        "review": priced,
        "area_name": "" if typed.is_pickup else _name_of(typed.area),
        "shopper": shopper,
        "numbers": _numbers(shopper),
        "chosen_number": request.form.get("number", ""),
        "pickup": PICKUP,
        "is_test_shop": not takes_real_money(db.session()),
    }


def _numbers(shopper: Customer | None) -> list[Number]:
    """The numbers that this browser may have prompted without typing one, the default first."""
    if shopper is None:
        return []
    if "numbers" not in g:  # asked for once a page
        known = numbers_of(db.session(), shopper, shopper_token())
        g.numbers = [number for number in known if number.is_proven]
    numbers: list[Number] = g.numbers
    return numbers


def _paying_shopper() -> Customer | None:
    """The known shopper, where this browser has proved a number of theirs that can be paid with."""
    shopper = known_shopper()
    return shopper if _numbers(shopper) else None


def _payer(shopper: Customer | None) -> Number | None:
    """The number that was tapped, else the first; None when this browser has proved none."""
    usable = _numbers(shopper)
    chosen = text_field("number", most=40)
    return next((number for number in usable if str(number.id) == chosen), next(iter(usable), None))


def _typed() -> Typed:
    area = text_field("area", most=60)
    return Typed(
        phone=text_field("phone", most=40),
        area=area,
        landmark=text_field("landmark", most=200),
        name=text_field("name", most=80),
    )


def _remembered(cart: Cart, shopper: Customer | None) -> Typed:
    """What can be filled in before the shopper types: their area, and what a proven phone gives."""
    known = chosen_area()
    area = known.slug if known else cart.area or ""
    if shopper is None:
        return Typed(area=area)
    return Typed(
        area=area or shopper.last_area or "",
        landmark=shopper.last_landmark,
        name=shopper.name,
    )


def _name_of(slug: str) -> str:
    return area_name(slug) if slug else ""


def _with_area(answer: Response, typed: Typed) -> Response:
    try:
        return remember_area(answer, get_area(typed.area))
    except UnknownArea:
        return answer
