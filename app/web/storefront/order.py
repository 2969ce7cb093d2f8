"""The order's own page: what is true about its payment now, where it is, what is in it."""

from __future__ import annotations

import hashlib
from typing import Any

from flask import Blueprint, Response, flash, g, make_response, redirect, render_template, request
from flask.typing import ResponseReturnValue

from app.clock import business_day, nairobi, utcnow
from app.db.engine import db
from app.domain.cart.actions import open_cart
from app.domain.checkout.actions import switch_to_pay_on_delivery
from app.domain.checkout.again import buy_again
from app.domain.delivery.queries import area_name
from app.domain.errors import DomainError, PromptStillAlive, TooManyTries
from app.domain.onboarding.queries import takes_real_money
from app.domain.orders.events import words
from app.domain.orders.models import Order
from app.domain.orders.queries import get_order_by_token, timeline
from app.domain.orders.states import OrderStatus
from app.domain.payments.actions import retry_payment
from app.domain.payments.queries import PaymentView, payment_view
from app.i18n import gettext as _
from app.i18n import ngettext
from app.ids import new_token
from app.phones import InvalidPhone
from app.web.errors import status_of
from app.web.forms import field
from app.web.htmx import fragment, wants_fragment
from app.web.shopper import cart_id, remember_cart
from app.web.storefront.words import SAID, clock_words, day_words
from app.web.tenancy import open_store

bp = Blueprint("order", __name__)
bp.before_request(open_store)

S = OrderStatus
MOST_SAID = 5  # changes said one by one: they travel in a cookie


@bp.get("/o/<regex32:token>")
def show(token: str) -> ResponseReturnValue:
    return _page(get_order_by_token(db.session(), token), token)


@bp.get("/o/<regex32:token>/payment")
def payment(token: str) -> ResponseReturnValue:
    """The payment's panel. 304 when it still says what the browser shows (``?seen=`` or ETag)."""
    order = get_order_by_token(db.session(), token)
    view = payment_view(db.session(), order, utcnow())
    version = _version(view, order)
    if version in (request.args.get("seen"), request.headers.get("If-None-Match", "").strip('"')):
        response = make_response("", 304)
    else:
        response = fragment("storefront/_payment.html", **_payment_facts(order, token, view))
    response.headers["ETag"] = f'"{version}"'
    response.headers["Cache-Control"] = "private, no-store"
    return response


@bp.post("/o/<regex32:token>/pay")
def pay(token: str) -> ResponseReturnValue:
    """Ask again, on the same phone or on another one that is typed here."""
    order = get_order_by_token(db.session(), token)
    phone = field("phone", most=40) or None
    try:
        retry_payment(db.session(), order, phone=phone, key=field("key", most=80) or new_token())
        db.session.commit()
    except PromptStillAlive:
        db.session.rollback()  # the page says what to wait for, which is more than the error knows
    except (DomainError, InvalidPhone) as error:
        db.session.rollback()
        return _refused(token, error)
    return _payment_answer(token)


@bp.post("/o/<regex32:token>/pay-on-delivery")
def pay_on_delivery(token: str) -> ResponseReturnValue:
    order = get_order_by_token(db.session(), token)
    try:
        switch_to_pay_on_delivery(db.session(), g.store, order)
        db.session.commit()
    except DomainError as error:
        db.session.rollback()
        return _refused(token, error)
    return _payment_answer(token)


@bp.post("/o/<regex32:token>/again")
def again(token: str) -> ResponseReturnValue:
    """Put what is still sold into the cart and go on to paying; say what has changed since."""
    order = get_order_by_token(db.session(), token)
    session = db.session()
    cart = open_cart(session, cart_id())
    done = buy_again(session, cart, order)
    session.commit()
    for change in done.changes[:MOST_SAID]:
        flash(change, SAID)
    more = len(done.changes) - MOST_SAID
    if more > 0:
        flash(ngettext("And %(n)s more changed.", "And %(n)s more changed.", more), SAID)
    return remember_cart(
        make_response(redirect("/checkout" if done.in_cart else "/cart", code=303)), cart
    )


def _refused(token: str, error: Exception) -> Response:
    """What is true, with the rule that said no; a limit also says when to try again."""
    answer = make_response(_payment_answer(token, problem=str(error), status=status_of(error)))
    if isinstance(error, TooManyTries):
        answer.headers["Retry-After"] = str(error.retry_after_seconds)
    return answer


def _payment_answer(token: str, *, problem: str = "", status: int = 200) -> ResponseReturnValue:
    """What is true after a tap: the panel for htmx, the page (or a way back to it) without."""
    if not wants_fragment() and not problem:
        return redirect(f"/o/{token}", code=303)
    order = get_order_by_token(db.session(), token)
    if not wants_fragment():
        answer = _page(order, token, problem=problem)
        answer.status_code = status
        return answer
    view = payment_view(db.session(), order, utcnow())
    return fragment(
        "storefront/_payment.html",
        status=status,
        **_payment_facts(order, token, view, problem=problem),
    )


def _page(order: Order, token: str, *, problem: str = "") -> Response:
    view = payment_view(db.session(), order, utcnow())
    events = timeline(db.session(), order, public_only=True)
    page = render_template(
        "storefront/order.html",
        is_test_shop=not takes_real_money(db.session()),
        events=[(event, words(event)) for event in reversed(events)],
        next_step=_next_step(order),
        headline=_headline(order),
        rider_phone=order.rider.phone if order.rider and order.status == S.DISPATCHED else None,
        **_payment_facts(order, token, view, problem=problem),
    )
    response = make_response(page)
    response.headers["Cache-Control"] = "private, no-store"
    response.headers["X-Robots-Tag"] = "noindex"
    return response


def _payment_facts(
    order: Order, token: str, view: PaymentView, *, problem: str = ""
) -> dict[str, Any]:
    return {
        "order": order,
        "token": token,
        "pay": view,
        "version": _version(view, order),
        "problem": problem,
        "store": g.store,
        "area_name": area_name(order.area),
        "promise": _promise(order),
        "is_early": order.status in (S.PENDING_PAYMENT, S.PAID, S.ACCEPTED, S.CANCELLED),
    }


def _version(view: PaymentView, order: Order) -> str:
    """Changes when the panel reads differently. Passing seconds are counted in the browser."""
    seen = (view.kind, view.title, view.sentence, view.can_retry, view.receipt, view.masked_phone,
            view.poll_seconds, view.attempt_status, order.version)  # fmt: skip
    return hashlib.sha256(repr(seen).encode()).hexdigest()[:20]


def _promise(order: Order) -> str:
    """``today by 6 pm``; empty for a pick-up or an order without a promise."""
    if order.promised_at is None:
        return ""
    local = nairobi(order.promised_at)
    return _(
        "%(day)s by %(time)s",
        day=day_words(local.date(), business_day(utcnow())),
        time=clock_words(local.time()),
    )


def _headline(order: Order) -> tuple[str, str]:
    """A small line and the answer to "where is it?", true for the order's status."""
    area, promise = area_name(order.area), _promise(order)
    answer = promise[:1].upper() + promise[1:] if promise else order.code
    match OrderStatus(order.status):
        case S.DISPATCHED:
            return _("On the way to %(area)s", area=area), answer
        case S.DELIVERED | S.CLOSED:
            return _("Delivered"), _("It is with you")
        case S.RETURNED:
            return _("Returned"), _("It is back at the shop")
        case S.CANCELLED:
            return _("Order %(code)s", code=order.code), _("Cancelled")
        case S.PACKED if order.is_pickup:
            return _("Ready at %(place)s", place=g.store.place or g.store.name), _(
                "Come and collect it"
            )
        case S.PENDING_PAYMENT:
            return _("Order %(code)s", code=order.code), _("Not paid yet")
        case _ if order.is_pickup:
            return _("The shop is packing"), _("We tell you when it is ready")
        case S.PACKED:
            return _("Packed for %(area)s", area=area), answer
        case _:
            return _("The shop is packing for %(area)s", area=area), answer


def _next_step(order: Order) -> tuple[str, str] | None:
    """What comes next on the timeline, and by when."""
    match OrderStatus(order.status):
        case S.PENDING_PAYMENT:
            return _("Paid"), ""
        case S.PAID | S.ACCEPTED:
            return _("Packed"), ""
        case S.PACKED if order.is_pickup:
            return _("Collected"), ""
        case S.PACKED | S.DISPATCHED:
            return _("Delivered"), _promise(order)
        case _:
            return None
