"""One page from cart to order: phone, area, landmark, perhaps a name; then the exact total."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from flask import Blueprint, Response, g, make_response, redirect, render_template, request
from flask.typing import ResponseReturnValue

from app.db.engine import db
from app.domain.cart.actions import choose_area, use_code
from app.domain.checkout.actions import CheckoutForm, Review, make_offer, place_order, review
from app.domain.checkout.basket import Basket, area_slug, checkout_basket
from app.domain.customers.consent import words_in
from app.domain.delivery.areas import UnknownArea, get_area
from app.domain.delivery.queries import area_name
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
from app.domain.loyalty.actions import PointsGone
from app.domain.promotions.coupons import CodeRefused
from app.i18n import current_locale
from app.i18n import gettext as _
from app.ids import new_id, new_token
from app.phones import InvalidPhone
from app.web.forms import cents_field
from app.web.forms import field as text_field
from app.web.htmx import fragment, wants_fragment
from app.web.limits import CHECKOUTS, PROMOTION_CODES, limiter
from app.web.shopper import cart_id, chosen_area, known_shopper, remember_area, shopper_token
from app.web.storefront.paying_with import numbers_here, payer_of, who_can_pay
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
    PointsGone,
)


@dataclass
class Typed:
    """What the shopper has typed so far, and what is wrong with it, by field."""

    phone: str = ""
    area: str = ""
    landmark: str = ""
    name: str = ""
    code: str = ""  # of a promotion, typed and not used yet
    offers: str = ""  # the language of the box about offers, when it was ticked
    use_points: bool = False
    wrong: dict[str, str] = field(default_factory=dict)

    @property
    def is_pickup(self) -> bool:
        return self.area == PICKUP


@bp.get("/checkout")
def show() -> ResponseReturnValue:
    basket = _basket(is_change=bool(request.args.get("change")))
    if basket is None or not basket.sellable:
        return redirect("/cart", code=303)
    answer = _page(basket, _remembered(basket))
    db.session.commit()  # the quote that the shown fee is
    return answer


@bp.post("/checkout/summary")
def summary() -> ResponseReturnValue:
    """The fee, the time and the total for an area: a piece for htmx, the whole page without."""
    typed = _typed()
    basket = _basket(typed, is_change=bool(request.form.get("change")))
    if basket is None or not basket.sellable:
        return redirect("/cart", code=303)
    answer = _summary(basket, typed) if wants_fragment() else _page(basket, typed)
    if typed.area and not typed.is_pickup:
        choose_area(db.session(), basket.id, typed.area)
    db.session.commit()
    return _with_area(answer, typed)


@bp.post("/checkout/code")
@limiter.limit(PROMOTION_CODES)
def use_promotion_code() -> ResponseReturnValue:
    """Try the code that was typed and keep it where it counts; an empty one takes the last off."""
    typed = _typed()
    return _try_code(typed, _basket(typed, code=typed.code or None))


@bp.post("/checkout")
@limiter.limit(CHECKOUTS)
def place() -> ResponseReturnValue:
    cart = cart_id()
    if cart is None:
        return redirect("/cart", code=303)
    typed = _typed()
    if typed.code:  # typed and not used yet: the total on the page was without it
        return _try_code(typed, _basket(typed, code=typed.code))
    shopper = None if typed.phone else known_shopper()
    payer = payer_of(shopper)
    form = CheckoutForm(
        phone=typed.phone or (payer.phone if payer else ""),
        customer_id=shopper.id if shopper and payer else None,
        area="" if typed.is_pickup else typed.area,
        landmark=typed.landmark,
        name=typed.name,
        is_pickup=typed.is_pickup,
        pay_on_delivery=request.form.get("pay") == "on_delivery",
        use_points=typed.use_points,
        shown_total_cents=cents_field("shown_total_cents"),
        shopper_token=shopper_token() if payer and not typed.phone else None,
        offers_read_in=typed.offers,
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


def _try_code(typed: Typed, basket: Basket | None) -> Response:
    """The page with the code's effect on the total, or with the words why it has none."""
    if basket is None or not basket.sellable:
        return make_response(redirect("/cart", code=303))
    area = None if typed.is_pickup else typed.area
    if typed.code:
        offer = make_offer(basket, area=area, is_pickup=typed.is_pickup)
        if offer.code_problem:
            typed.wrong["code"] = offer.code_problem
            basket = _basket(typed) or basket  # priced with what stood before
        else:
            use_code(db.session(), basket.id, basket.typed_code)
            typed.code = ""
    else:
        use_code(db.session(), basket.id, None)
        basket = _basket(typed) or basket
    answer = _summary(basket, typed) if wants_fragment() else _page(basket, typed)
    answer.status_code = 422 if typed.wrong else 200
    db.session.commit()
    return _with_area(answer, typed)


def _again(typed: Typed, error: DomainError) -> Response:
    """The same page with the reason on it: nothing was ordered, nothing charged, nothing lost."""
    db.session.rollback()
    notices: list[str] = []
    if isinstance(error, CodeRefused):
        notices.append(_("%(reason)s We took the code off.", reason=str(error)))
        use_code(db.session(), cart_id() or new_id(), None)
    elif isinstance(error, FieldProblem):
        typed.wrong[error.field] = str(error)
    elif isinstance(error, AreaNotServed | BelowMinimumOrder):
        typed.wrong["area"] = str(error)
    else:
        if not isinstance(error, StorePaused):  # the page says that at its top already
            notices.append(str(error))
        if isinstance(error, PriceChanged):
            notices += error.changes
    # A known shopper whose number does not serve must be able to type another.
    basket = _basket(typed, is_change=bool(typed.phone or "phone" in typed.wrong))
    if basket is None or not basket.sellable:
        return make_response(redirect("/cart", code=303))
    answer = _page(basket, typed, notices=notices)
    answer.status_code = 422
    db.session.commit()
    return answer


def _basket(
    typed: Typed | None = None, *, is_change: bool = False, code: str | None = None
) -> Basket | None:
    """The cart, read for the area that was typed or chosen. ``is_change``: for another phone."""
    if typed is not None:
        # An area that nobody knows stays itself, so that the page says it is not served.
        area = None if typed.is_pickup else area_slug(db.session(), typed.area) or typed.area
    else:
        chosen = chosen_area()
        area = chosen.slug if chosen else None
    return checkout_basket(
        db.session(),
        cart_id(),
        area=area,
        token=None if is_change else shopper_token(),
        code=code,
    )


def _page(basket: Basket, typed: Typed, *, notices: list[str] | None = None) -> Response:
    page = render_template(
        "storefront/checkout.html",
        areas=basket.areas,
        trust=basket.trust,
        notices=[*(notices or ()), *said_before()],
        is_swap=False,
        **_facts(basket, typed),
    )
    return make_response(page)


def _summary(basket: Basket, typed: Typed) -> Response:
    return fragment("storefront/_checkout_summary.html", is_swap=True, **_facts(basket, typed))


def _facts(basket: Basket, typed: Typed) -> dict[str, Any]:
    shopper = who_can_pay(basket.shopper)
    # Whoever types a number pays as a stranger, with nobody's points.
    has_points = shopper is not None and "phone" not in request.form
    priced: Review = review(
        db.session(),
        g.store,
        basket,
        area=None if typed.is_pickup or not typed.area else basket.area,
        is_pickup=typed.is_pickup,
        use_points=typed.use_points if has_points else None,
    )
    return {
        "cart": basket,
        "typed": typed,
        "review": priced,
        "area_name": "" if typed.is_pickup else _name_of(typed.area),
        "shopper": shopper,
        "numbers": numbers_here(shopper),
        "chosen_number": request.form.get("number", ""),
        "pickup": PICKUP,
        "is_test_shop": basket.is_test_shop,
        "offer_words": "" if basket.agrees_to_offers else _offer_words(),
    }


def _typed() -> Typed:
    area = text_field("area", most=60)
    return Typed(
        phone=text_field("phone", most=40),
        area=area,
        landmark=text_field("landmark", most=200),
        name=text_field("name", most=80),
        code=text_field("code", most=40),
        offers=text_field("offers", most=2),
        use_points=request.form.get("use_points") == "yes",
    )


def _offer_words() -> str:
    return words_in(current_locale(), shop=g.store.name)


def _remembered(basket: Basket) -> Typed:
    """What can be filled in before the shopper types: their area, and what a proven phone gives."""
    area, shopper = basket.area or "", who_can_pay(basket.shopper)
    if shopper is None:
        return Typed(area=area)
    return Typed(area=area, landmark=shopper.last_landmark, name=shopper.name)


def _name_of(slug: str) -> str:
    return area_name(slug) if slug else ""


def _with_area(answer: Response, typed: Typed) -> Response:
    try:
        return remember_area(answer, get_area(typed.area))
    except UnknownArea:
        return answer
