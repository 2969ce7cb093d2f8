"""Turning a cart into an order: the whole story is here, for web, chat and API alike.

One transaction: re-price, hold the stock, write order, intent and attempt, and ask for
the prompt. Whatever says no on the way leaves nothing behind.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field, replace
from datetime import datetime
from uuid import UUID

from sqlalchemy import bindparam, select, text
from sqlalchemy.orm import Session

from app.clock import nairobi, utcnow
from app.db.tenancy import bound_store
from app.domain.audit.actions import record
from app.domain.cart.actions import take_out_ordered
from app.domain.checkout.basket import Basket, BasketLine, Quoted, area_slug, order_basket
from app.domain.checkout.keys import claim_key, finish_key
from app.domain.customers.actions import find_or_add_customer, remember_customer
from app.domain.customers.consent import agree_with_order, words_in
from app.domain.customers.models import Customer
from app.domain.customers.queries import placed_as
from app.domain.delivery.actions import keep_quote
from app.domain.delivery.promises import Promise, promise_words
from app.domain.delivery.queries import FeePreview, area_name, preview_of
from app.domain.errors import (
    AmountNotPayable,
    AreaNotServed,
    DomainError,
    EmptyCart,
    FieldProblem,
    NotPayable,
    PriceChanged,
    PromptStillAlive,
    StorePaused,
    WayNotOffered,
)
from app.domain.loyalty.actions import PointsGone, spend
from app.domain.loyalty.settings import rules_of
from app.domain.messaging.actions import tell_customer
from app.domain.orders import stock
from app.domain.orders.events import note
from app.domain.orders.models import Order
from app.domain.orders.placing import NewLine, NewOrder, write_order
from app.domain.orders.states import OrderStatus
from app.domain.payments.beginning import (
    begin_attempt,
    latest_attempt,
    open_intent,
    seconds_until_retry,
)
from app.domain.payments.models import PaymentAttempt
from app.domain.payments.states import OPEN
from app.domain.promotions.coupons import (
    CodeRefused,
    Coupon,
    unknown_code,
    used_up,
    why_not,
)
from app.domain.promotions.pricing import (
    Points,
    PricedBasket,
    PricedLine,
    price_basket,
    spend_points,
    usable_points,
)
from app.domain.promotions.using import count_uses, give_back, take_again
from app.domain.restock.actions import use_what_was_kept
from app.domain.stores.models import Store
from app.i18n import current_locale
from app.i18n import gettext as _
from app.ids import new_id, new_token, token_hash
from app.money import (
    CENTS_PER_SHILLING,
    Rounded,
    format_kes,
    round_to_shilling,
    vat_included_cents,
)
from app.phones import InvalidPhone, parse_msisdn
from app.timings import timings
from app.vault import vault

# Built once: a checkout runs each of them, and building a statement takes as long as many take to run.
_LOCK_CART = text(
    "SELECT id FROM app.carts WHERE store_id = app.store_id() AND id = :cart_id FOR UPDATE"
)
_STANDING = (
    select(Order)
    .where(
        Order.store_id == bindparam("store_id"),
        Order.cart_id == bindparam("cart_id"),
        Order.status == OrderStatus.PENDING_PAYMENT,
    )
    .order_by(Order.placed_at.desc())
    .limit(1)
    .with_for_update()
)

VAT_PERCENT = 16  # standard rate, Kenya; prices include it
LANDMARK_LENGTH = 200
NAME_LENGTH = 80


@dataclass(frozen=True, kw_only=True)
class CheckoutForm:
    """What the shopper typed and what the page showed. Nothing priced in it is believed.

    ``customer_id`` is who pays with one of their own numbers, proved in this browser.
    """

    phone: str
    customer_id: UUID | None = None
    area: str = ""
    landmark: str = ""
    name: str = ""
    is_pickup: bool = False
    pay_on_delivery: bool = False
    use_points: bool = False  # of ``customer_id``, as many as the goods can take
    shown_total_cents: int | None = None
    shopper_token: str | None = None  # of a browser in which the phone was proved
    channel: str = "web"
    offers_read_in: str = ""  # the language of the box about offers that was ticked, if it was

    def fingerprint(self, cart_id: UUID) -> bytes:
        """What makes this form this form: the same key with another fingerprint is refused.

        A tick about offers makes no other order.
        """
        facts = [
            str(cart_id),
            self.phone.strip(),
            self.area,
            self.landmark.strip(),
            self.name.strip(),
            self.is_pickup,
            self.pay_on_delivery,
            *(["points"] if self.use_points else ()),
        ]
        return hashlib.sha256(json.dumps(facts).encode()).digest()


@dataclass(frozen=True, kw_only=True)
class Offer:
    """A basket priced now: with its code where that counts, else with the reason why not."""

    priced: PricedBasket
    coupon: Coupon | None
    code_problem: str
    usable_points: int = 0
    used_points: int = 0


@dataclass(frozen=True, kw_only=True)
class ReviewedLine:
    """A line of the cart and what it costs."""

    line: BasketLine
    priced: PricedLine

    @property
    def total_cents(self) -> int:
        return self.priced.total_cents

    @property
    def why(self) -> list[tuple[str, int]]:
        """Why a unit costs less than its list price: the name of the reason, and cents."""
        shelf = ("sale", "tier", "group")
        return [(step.name, step.cents) for step in self.priced.steps if step.kind in shelf]


@dataclass(frozen=True, kw_only=True)
class Review:
    """A cart priced now, from the database alone. Amounts in cents."""

    lines: list[ReviewedLine]
    subtotal_cents: int
    discounts: list[tuple[str, int]]  # deals, bundles, the code and points, by name
    discount_cents: int
    fee_cents: int | None
    fee_reason: str
    promise_text: str
    total_cents: int | None
    code: str = ""
    code_problem: str = ""
    has_codes: bool = False
    preview: FeePreview | None = None
    changes: list[str] = field(default_factory=list)
    problem: str = ""
    usable_points: int = 0
    points_worth_cents: int = 0  # of all that are usable

    @property
    def net_cents(self) -> int:
        """The goods after discounts, before delivery."""
        return self.subtotal_cents - self.discount_cents

    @property
    def can_be_placed(self) -> bool:
        return bool(self.lines) and self.total_cents is not None and not self.problem


@dataclass(frozen=True, kw_only=True)
class Placed:
    """An order that stands. ``token`` opens its page; ``is_replay`` when it stood before this call."""

    order_id: UUID
    token: str
    is_replay: bool = False


def make_offer(basket: Basket, *, area: str | None, is_pickup: bool = False) -> Offer:
    """Price a basket, and its code if it has one that counts here and now. Writes nothing."""
    goods = [line.goods for line in basket.sellable]
    plain = price_basket(goods, basket.rules)
    coupon = basket.coupon
    if not basket.typed_code:
        return Offer(priced=plain, coupon=None, code_problem="")
    if coupon is None:
        return Offer(priced=plain, coupon=None, code_problem=unknown_code())
    problem = why_not(coupon, plain, now=utcnow(), area=area, is_pickup=is_pickup)
    if problem:
        return Offer(priced=plain, coupon=None, code_problem=problem)
    priced = price_basket(goods, basket.rules, coupon.rule)
    given = priced.discount_cents - plain.discount_cents
    if coupon.budget_cents is not None and coupon.given_cents + given > coupon.budget_cents:
        return Offer(priced=plain, coupon=None, code_problem=used_up())
    return Offer(priced=priced, coupon=coupon, code_problem="")


def offer_points(store: Store, basket: Basket, offer: Offer, *, are_used: bool) -> Offer:
    """The same offer with the shopper's points: how many it can take, and taken off if they wish."""
    rules = rules_of(store)
    if rules is None or basket.shopper is None or basket.shopper.points <= 0:
        return offer
    points = Points(basket.shopper.points, rules.point_worth_cents, _("Points"))
    usable = usable_points(offer.priced, points)
    if not (usable and are_used):
        return replace(offer, usable_points=usable)
    priced = spend_points(offer.priced, points)
    return replace(offer, priced=priced, usable_points=usable, used_points=usable)


def review(
    session: Session,
    store: Store,
    basket: Basket,
    *,
    area: str | None,
    is_pickup: bool = False,
    is_binding: bool = True,
    use_points: bool | None = None,
) -> Review:
    """Price a cart for showing, and say what stands in the way.

    ``area`` is the slug that was chosen; the basket was read for it. A binding review writes the
    delivery quote that it shows; else there is the ``preview`` of delivery, and nothing written.
    ``use_points`` is whether the shopper's points are spent, None where they cannot be.
    """
    lines = basket.sellable
    changes = [
        _("%(name)s: only %(n)s left.", name=line.name, n=max(0, line.stock))
        for line in lines
        if line.quantity > line.stock
    ]
    offer = make_offer(basket, area=area, is_pickup=is_pickup)
    if use_points is not None:
        offer = offer_points(store, basket, offer, are_used=use_points)
    fee: int | None = None
    preview: FeePreview | None = None
    reason = promise = problem = ""
    if is_pickup and store.accepts_pickup:
        fee, reason = 0, _("Pick up at the shop")
    elif area and lines:
        try:
            if is_binding:
                quoted = _quote(session, store, basket, offer.priced.net_cents)
            else:
                preview = _preview(session, store, basket, offer.priced.net_cents)
                quoted = _as_told(preview, offer.priced.net_cents)
            fee, reason = _fee_with_code(quoted, offer.coupon)
            promise = _promise_words(quoted.promised_at)
        except DomainError as error:
            problem = str(error)
    net = offer.priced.net_cents
    total = None if fee is None else round_to_shilling(net + fee).payable_cents
    return Review(
        lines=[
            ReviewedLine(line=line, priced=priced)
            for line, priced in zip(lines, offer.priced.lines, strict=True)
        ],
        subtotal_cents=offer.priced.subtotal_cents,
        discounts=offer.priced.reasons(),
        discount_cents=offer.priced.discount_cents,
        fee_cents=fee,
        fee_reason=reason,
        promise_text=promise,
        total_cents=total,
        code=offer.coupon.code if offer.coupon else basket.typed_code,
        code_problem=offer.code_problem,
        has_codes=basket.has_codes,
        preview=preview,
        changes=changes,
        problem=problem,
        usable_points=offer.usable_points,
        points_worth_cents=offer.usable_points * store.point_worth_cents,
    )


def place_order(
    session: Session, store: Store, cart_id: UUID, form: CheckoutForm, *, key: str
) -> Placed:
    """Place an order from a cart, once per ``key``, and ask for the payment prompt. Does not commit.

    The same key again returns the same order; the same cart with the same content too, so
    that a refresh or a second tab makes no second order.

    Raises EmptyCart, FieldProblem, AreaNotServed, BelowMinimumOrder, OutOfStock, CodeRefused,
    PointsGone, PriceChanged, AmountNotPayable, TooManyTries, KeyReused, StorePaused, WayNotOffered.
    The caller rolls back.
    """
    order_id = new_id()
    replay = claim_key(session, key, form.fingerprint(cart_id), leads_to=str(order_id))
    if replay is not None:
        return _replayed(session, replay)
    if not store.takes_orders(utcnow()):
        raise StorePaused(store.paused_words)
    phone = _read_phone(form.phone)
    lookup = vault().lookup(phone, store_id=bound_store())
    # The lock is a statement of its own: what is read after it is as the last checkout left it.
    session.execute(_LOCK_CART, {"cart_id": cart_id})
    area = None if form.is_pickup else area_slug(session, form.area.strip())
    basket = order_basket(
        session, cart_id, area=area, token=form.shopper_token, phone_lookup=lookup
    )
    lines = basket.sellable if basket is not None else []
    if basket is None or not lines:
        raise EmptyCart
    wanted = {line.variant_id: line.quantity for line in lines}
    standing = _standing_order(session, basket, form, wanted, area) if basket.has_standing else None
    if standing is not None:
        finish_key(session, key, str(standing.order_id))
        return standing

    agreed = _agree(session, store, basket, form, area)
    priced, quoted, total = agreed.offer.priced, agreed.quoted, agreed.rounded.payable_cents
    landmark = form.landmark.strip()[:LANDMARK_LENGTH]
    customer = _customer(session, form, phone=phone, area=quoted.area or None, landmark=landmark)
    by_mpesa = not (form.pay_on_delivery and store.accepts_pay_on_delivery)
    if by_mpesa and not store.accepts_mpesa:
        raise WayNotOffered
    token = new_token()
    order_lines = [
        _order_line(line, priced_line, store)
        for line, priced_line in zip(lines, priced.lines, strict=True)
    ]
    placed_at = utcnow()
    said_as = placed_as(session, customer, phone)
    write_order(
        session,
        NewOrder(
            id=order_id,
            code_prefix=store.code_prefix,
            token_hash=token_hash(token),
            token_sealed=vault().seal(token, store_id=bound_store(), column="orders.token"),
            customer_id=customer.id,
            placed_as=said_as,
            cart_id=cart_id,
            status=str(OrderStatus.PENDING_PAYMENT if by_mpesa else OrderStatus.ACCEPTED),
            payment_method="mpesa" if by_mpesa else "on_delivery",
            channel=form.channel,
            language=current_locale(),
            subtotal_cents=priced.subtotal_cents,
            discount_cents=priced.discount_cents,
            delivery_fee_cents=agreed.fee_cents,
            rounding_cents=agreed.rounded.rounding_cents,
            total_cents=total,
            vat_cents=sum(line.vat_cents for line in order_lines),
            fee_reason=agreed.reason,
            quote_id=quoted.id,
            is_pickup=form.is_pickup,
            area=quoted.area or None,
            landmark=landmark,
            customer_name=form.name.strip()[:NAME_LENGTH] or customer.name,
            coupon_code=agreed.coupon.code if agreed.coupon else None,
            promised_at=quoted.promised_at,
            placed_at=placed_at,
        ),
        order_lines,
    )
    if any(line.held for line in lines):
        use_what_was_kept(session, cart_id)
    stock.hold(session, order_id, wanted, until=timings().reservation_end(placed_at))
    count_uses(session, order_id, agreed.given(), phone_lookup=lookup, coupon=agreed.coupon)
    if agreed.offer.used_points:
        who = f"shopper:{form.channel}"
        spend(session, customer.id, order_id, agreed.offer.used_points, actor=who)
    intent_id = open_intent(session, order_id, total)
    if by_mpesa:
        begin_attempt(session, order_id, intent_id, amount_cents=total, phone=phone)
    else:
        _accept(session, session.get_one(Order, (bound_store(), order_id)))
    if form.offers_read_in:
        agree_with_order(
            session,
            customer.id,
            order_id,
            said_as=said_as or customer.id,
            is_proven=form.customer_id is not None,
            words=words_in(form.offers_read_in, shop=store.name),
            actor=f"shopper:{form.channel}",
        )
    record(
        session,
        "order.placed",
        actor=f"shopper:{form.channel}",
        subject=f"order:{order_id}",
        total_cents=total,
    )
    return Placed(order_id=order_id, token=token)


def switch_to_pay_on_delivery(session: Session, store: Store, order: Order) -> None:
    """The shopper pays at the door instead, where the store allows it. Does not commit.

    Raises PromptStillAlive while a prompt may still take the money.
    """
    session.refresh(order, with_for_update=True)
    if not store.accepts_pay_on_delivery or order.status != OrderStatus.PENDING_PAYMENT:
        raise NotPayable
    last = latest_attempt(session, order.id)
    wait = seconds_until_retry(last, utcnow()) if last is not None else 0
    if last is not None and (last.status in OPEN or wait != 0):
        raise PromptStillAlive(wait_seconds=wait or int(timings().check_every))
    if stock.hold_again(session, order, until=timings().reservation_end(utcnow())):
        take_again(session, order.id, is_paid=False)
    order.move_to(OrderStatus.ACCEPTED)
    order.payment_method = "on_delivery"
    _accept(session, order)
    record(session, "order.accepted", actor="shopper", subject=f"order:{order.id}")


def release_hold(session: Session, order_id: UUID) -> float | None:
    """Put an unpaid order's goods back on sale. Does not commit.

    Returns seconds to wait when a payment is still under way, else None.
    """
    order = session.scalars(
        select(Order).where(Order.store_id == bound_store(), Order.id == order_id).with_for_update()
    ).one()
    if order.status != OrderStatus.PENDING_PAYMENT:
        return None
    undecided = session.scalar(
        select(PaymentAttempt.id).where(
            PaymentAttempt.store_id == bound_store(),
            PaymentAttempt.order_id == order_id,
            PaymentAttempt.status.in_(OPEN),
        )
    )
    if undecided is not None:
        return timings().check_every
    if stock.release_hold(session, order):
        give_back(session, order.id)
        note(session, order, "hold_released", is_public=False)
    return None


@dataclass(frozen=True, kw_only=True, slots=True)
class _Agreed:
    """What the order will cost. ``fee_cents`` is what is paid of the fee that was quoted."""

    offer: Offer
    quoted: Quoted
    fee_cents: int
    reason: str
    rounded: Rounded

    @property
    def coupon(self) -> Coupon | None:
        return self.offer.coupon

    def given(self) -> dict[UUID, int]:
        """Cents that each promotion gave, delivery included."""
        given = self.offer.priced.given()
        if self.coupon is not None:
            waived = self.quoted.fee_cents - self.fee_cents
            given[self.coupon.rule.id] = given.get(self.coupon.rule.id, 0) + waived
        return given


# -- steps ------------------------------------------------------------------------------


def _customer(
    session: Session, form: CheckoutForm, *, phone: str, area: str | None, landmark: str
) -> Customer:
    name = form.name.strip()[:NAME_LENGTH]
    if form.customer_id is not None:
        return remember_customer(session, form.customer_id, name=name, area=area, landmark=landmark)
    return find_or_add_customer(session, phone=phone, name=name, area=area, landmark=landmark)


def _accept(session: Session, order: Order) -> None:
    stock.consume_hold(session, order, actor="shopper")
    note(session, order, "accepted", channel=order.channel)
    take_out_ordered(session, order.cart_id, order.id)
    tell_customer(session, order, "accepted")


def _agree(
    session: Session, store: Store, basket: Basket, form: CheckoutForm, area: str | None
) -> _Agreed:
    """Work out the price and compare it with what the page showed.

    Raises CodeRefused, PointsGone, PriceChanged, AmountNotPayable and what stands in the way of
    delivery.
    """
    offer = make_offer(basket, area=area, is_pickup=form.is_pickup)
    if offer.code_problem:
        raise CodeRefused(offer.code_problem)
    if form.use_points:
        if basket.shopper is not None and basket.shopper.id == form.customer_id:
            offer = offer_points(store, basket, offer, are_used=True)
        if not offer.used_points:
            raise PointsGone
    quoted = _delivery(session, store, basket, form, area, offer)
    fee, reason = _fee_with_code(quoted, offer.coupon)
    rounded = round_to_shilling(offer.priced.net_cents + fee)
    total = rounded.payable_cents
    if form.shown_total_cents is not None and form.shown_total_cents != total:
        raise PriceChanged(
            shown_cents=form.shown_total_cents,
            total_cents=total,
            changes=[
                _("Goods %(amount)s", amount=format_kes(offer.priced.net_cents)),
                _("Delivery %(amount)s", amount=format_kes(fee)),
            ],
        )
    if total < CENTS_PER_SHILLING:
        raise AmountNotPayable(total)
    return _Agreed(offer=offer, quoted=quoted, fee_cents=fee, reason=reason, rounded=rounded)


def _delivery(
    session: Session,
    store: Store,
    basket: Basket,
    form: CheckoutForm,
    area: str | None,
    offer: Offer,
) -> Quoted:
    """The fee, the reason and the promise for this form; a pick-up has no area."""
    if form.is_pickup:
        if not store.accepts_pickup:
            raise FieldProblem("area", _("This shop has no pick-up. Choose your area."))
        return Quoted(reason=_("Pick up at the shop"))
    if not form.area.strip():
        raise FieldProblem("area", _("Choose your delivery area."))
    if not form.landmark.strip():
        raise FieldProblem(
            "landmark", _("Tell the rider a landmark, like “blue gate opposite the school”.")
        )
    if area is None:
        raise AreaNotServed(_place_name(form.area))
    return _quote(session, store, basket, offer.priced.net_cents)


def _quote(session: Session, store: Store, basket: Basket, net_cents: int) -> Quoted:
    """The fee for these goods to the basket's area: one told before that still holds, or a new one.

    Raises AreaNotServed, BelowMinimumOrder.
    """
    alive = next((quote for quote in basket.quotes if quote.subtotal_cents == net_cents), None)
    if alive is not None and basket.place is not None:
        return alive
    preview = _preview(session, store, basket, net_cents)
    quote_id = keep_quote(session, basket.id, preview, subtotal_cents=net_cents)
    return _as_told(preview, net_cents, quote_id)


def _preview(session: Session, store: Store, basket: Basket, net_cents: int) -> FeePreview:
    """What delivery of these goods costs now. Raises AreaNotServed, BelowMinimumOrder."""
    if basket.place is None:
        raise AreaNotServed(_place_name(basket.area or ""))
    return preview_of(
        session,
        store,
        basket.place,
        basket_cents=net_cents,
        grams=basket.grams,
        is_bulky=basket.is_bulky,
        rules=basket.fee_rules,
    )


def _place_name(typed: str) -> str:
    """A place as people write it, also where it is none of ours."""
    return area_name(typed.strip()[:60].lower().replace(" ", "-"))


def _as_told(preview: FeePreview, net_cents: int, quote_id: UUID | None = None) -> Quoted:
    return Quoted(
        id=quote_id,
        area=preview.area.slug,
        subtotal_cents=net_cents,
        fee_cents=preview.fee_cents,
        reason=preview.reason,
        promised_at=preview.promise.arrives_by,
    )


def _fee_with_code(quoted: Quoted, coupon: Coupon | None) -> tuple[int, str]:
    """What is paid for delivery, and why."""
    if coupon is not None and coupon.is_free_delivery and quoted.fee_cents:
        return 0, _("Free with %(code)s", code=coupon.code)
    return quoted.fee_cents, quoted.reason


def _promise_words(promised_at: datetime | None) -> str:
    if promised_at is None:
        return ""
    local = nairobi(promised_at)
    return promise_words(Promise(promised_at, local.date(), local.time()), utcnow())


def _read_phone(text: str) -> str:
    try:
        return parse_msisdn(text)
    except InvalidPhone as error:
        raise FieldProblem("phone", str(error)) from error


def _replayed(session: Session, order_id: str) -> Placed:
    order = session.get_one(Order, (bound_store(), UUID(order_id)))
    return Placed(order_id=order.id, token=order.token, is_replay=True)


def _standing_order(
    session: Session,
    basket: Basket,
    form: CheckoutForm,
    wanted: dict[UUID, int],
    area: str | None,
) -> Placed | None:
    """The unpaid order this cart already became, if it is for the same goods, place, code and points.

    An unpaid order for other goods is cancelled once no prompt for it can be answered.
    """
    order = session.scalars(
        _STANDING, {"store_id": bound_store(), "cart_id": basket.id}
    ).one_or_none()
    if order is None:
        return None
    is_same = (
        {line.variant_id: line.quantity for line in order.lines} == wanted
        and order.is_pickup == form.is_pickup
        and order.area == (area if basket.place is not None and not form.is_pickup else None)
        and (order.coupon_code or "") == basket.typed_code
        and order.is_paid_with_points == form.use_points
    )
    live = session.scalar(
        select(PaymentAttempt.id).where(
            PaymentAttempt.store_id == bound_store(),
            PaymentAttempt.order_id == order.id,
            PaymentAttempt.status.in_(OPEN),
        )
    )
    if live is not None or (is_same and not form.pay_on_delivery):
        return _replayed(session, str(order.id))
    stock.release_hold(session, order)
    give_back(session, order.id)
    order.move_to(OrderStatus.CANCELLED)
    order.cancelled_at = utcnow()
    note(session, order, "cancelled", reason="replaced")
    session.flush()
    return None


def _order_line(line: BasketLine, priced: PricedLine, store: Store) -> NewLine:
    rate = VAT_PERCENT if store.is_vat_registered and line.vat_class == "standard" else 0
    return NewLine(
        variant_id=line.variant_id,
        sku=line.sku,
        name=line.name,
        option_text=line.option_text,
        quantity=line.quantity,
        price_cents=priced.unit_cents,
        cost_cents=line.cost_cents,
        vat_class=line.vat_class if store.is_vat_registered else "none",
        vat_rate=rate,
        vat_cents=vat_included_cents(priced.net_cents, rate),
        total_cents=priced.total_cents,
        discount_cents=priced.discount_cents,
        trace=priced.trace(),
    )
