"""Turning a cart into an order: the whole story is here, for web, chat and API alike.

One transaction: re-price, hold the stock, write order, intent and attempt, and ask for
the prompt. Whatever says no on the way leaves nothing behind.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from sqlalchemy import bindparam, select, text
from sqlalchemy.orm import Session, joinedload

from app.clock import nairobi, utcnow
from app.db.tenancy import bound_store
from app.domain.audit.actions import record
from app.domain.cart.actions import take_out_ordered
from app.domain.cart.models import Cart, CartLine
from app.domain.catalog.models import Variant
from app.domain.checkout.keys import claim_key, finish_key
from app.domain.customers.actions import find_or_add_customer, remember_customer
from app.domain.customers.models import Customer
from app.domain.customers.queries import placed_as
from app.domain.delivery import actions as delivery
from app.domain.delivery.models import DeliveryQuote
from app.domain.delivery.promises import Promise, promise_words
from app.domain.delivery.queries import area_name, find_store_area
from app.domain.errors import (
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
from app.domain.messaging.actions import tell_customer
from app.domain.orders import stock
from app.domain.orders.events import note
from app.domain.orders.models import Order, OrderLine
from app.domain.orders.states import OrderStatus
from app.domain.payments.beginning import (
    begin_attempt,
    latest_attempt,
    open_intent,
    seconds_until_retry,
)
from app.domain.payments.models import PaymentAttempt
from app.domain.payments.states import OPEN
from app.domain.stores.models import Store
from app.i18n import current_locale
from app.i18n import gettext as _
from app.ids import new_id, new_token, token_hash
from app.money import format_kes, round_to_shilling, vat_included_cents
from app.phones import InvalidPhone, parse_msisdn
from app.timings import timings
from app.vault import vault

# Built once: a checkout runs each of them, and building a statement takes as long as many take to run.
_LOCKED_CART = (
    select(Cart)
    .where(Cart.store_id == bindparam("store_id"), Cart.id == bindparam("cart_id"))
    .with_for_update()
    .execution_options(populate_existing=True)
)
_LINES = (
    select(CartLine)
    .where(CartLine.store_id == bindparam("store_id"), CartLine.cart_id == bindparam("cart_id"))
    .options(joinedload(CartLine.variant).joinedload(Variant.product))
    .order_by(CartLine.added_at)
    .execution_options(populate_existing=True)
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
_NEXT_NUMBER = text(
    "INSERT INTO app.counters AS c (name, value) VALUES ('orders', 1001)"
    " ON CONFLICT (store_id, name) DO UPDATE SET value = c.value + 1 RETURNING value"
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
    shown_total_cents: int | None = None
    channel: str = "web"

    def fingerprint(self, cart_id: UUID) -> bytes:
        """What makes this form this form: the same key with another fingerprint is refused."""
        facts = [
            str(cart_id),
            self.phone.strip(),
            self.area,
            self.landmark.strip(),
            self.name.strip(),
            self.is_pickup,
            self.pay_on_delivery,
        ]
        return hashlib.sha256(json.dumps(facts).encode()).digest()


@dataclass(frozen=True, kw_only=True)
class Review:
    """A cart priced now, from the database alone. Amounts in cents."""

    lines: list[CartLine]
    subtotal_cents: int
    fee_cents: int | None
    fee_reason: str
    promise_text: str
    total_cents: int | None
    changes: list[str] = field(default_factory=list)
    problem: str = ""

    @property
    def can_be_placed(self) -> bool:
        return bool(self.lines) and self.total_cents is not None and not self.problem


@dataclass(frozen=True, kw_only=True)
class Placed:
    """An order that stands. ``token`` opens its page; ``is_replay`` when it stood before this call."""

    order_id: UUID
    token: str
    is_replay: bool = False


def review(
    session: Session, store: Store, cart: Cart | None, *, area: str | None, is_pickup: bool = False
) -> Review:
    """Price a cart for showing, and say what stands in the way. Writes only a delivery quote."""
    lines = _sellable_lines(session, cart)
    changes = [
        _(
            "%(name)s: only %(n)s left.",
            name=line.variant.product.name,
            n=max(0, line.variant.stock),
        )
        for line in lines
        if line.quantity > line.variant.stock
    ]
    subtotal = sum(line.total_cents for line in lines)
    fee: int | None = None
    reason = promise = problem = ""
    if is_pickup and store.accepts_pickup:
        fee, reason = 0, _("Pick up at the shop")
    elif area and cart is not None and lines:
        try:
            quoted = _quote(session, store, cart, lines, area, subtotal)
            fee, reason = quoted.fee_cents, quoted.reason
            promise = _promise_words(quoted.promised_at)
        except DomainError as error:
            problem = str(error)
    total = None if fee is None else round_to_shilling(subtotal + fee).payable_cents
    return Review(
        lines=lines,
        subtotal_cents=subtotal,
        fee_cents=fee,
        fee_reason=reason,
        promise_text=promise,
        total_cents=total,
        changes=changes,
        problem=problem,
    )


def place_order(
    session: Session, store: Store, cart_id: UUID, form: CheckoutForm, *, key: str
) -> Placed:
    """Place an order from a cart, once per ``key``, and ask for the payment prompt. Does not commit.

    The same key again returns the same order; the same cart with the same content too, so
    that a refresh or a second tab makes no second order.

    Raises EmptyCart, FieldProblem, AreaNotServed, BelowMinimumOrder, OutOfStock,
    PriceChanged, AmountNotPayable, TooManyTries, KeyReused, StorePaused, WayNotOffered.
    The caller rolls back.
    """
    order_id = new_id()
    replay = claim_key(session, key, form.fingerprint(cart_id), leads_to=str(order_id))
    if replay is not None:
        return _replayed(session, replay)
    if not store.takes_orders(utcnow()):
        raise StorePaused(store.paused_words)
    phone = _read_phone(form.phone)
    cart = session.scalars(
        _LOCKED_CART, {"store_id": bound_store(), "cart_id": cart_id}
    ).one_or_none()
    lines = _sellable_lines(session, cart)
    if cart is None or not lines:
        raise EmptyCart
    wanted = {line.variant_id: line.quantity for line in lines}
    standing = _standing_order(session, cart, form, wanted)
    if standing is not None:
        finish_key(session, key, str(standing.order_id))
        return standing

    subtotal = sum(line.total_cents for line in lines)
    fee, reason, promised_at, quote_id, area_slug = _delivery(
        session, store, cart, lines, form, subtotal
    )
    rounded = round_to_shilling(subtotal + fee)
    total = rounded.payable_cents
    if form.shown_total_cents is not None and form.shown_total_cents != total:
        raise PriceChanged(
            shown_cents=form.shown_total_cents,
            total_cents=total,
            changes=[
                _("Goods %(amount)s", amount=format_kes(subtotal)),
                _("Delivery %(amount)s", amount=format_kes(fee)),
            ],
        )
    landmark = form.landmark.strip()[:LANDMARK_LENGTH]
    customer = _customer(session, form, phone=phone, area=area_slug, landmark=landmark)
    by_mpesa = not (form.pay_on_delivery and store.accepts_pay_on_delivery)
    if by_mpesa and not store.accepts_mpesa:
        raise WayNotOffered
    token = new_token()
    order = Order(
        id=order_id,
        code=_next_code(session, store),
        token_hash=token_hash(token),
        token_sealed=vault().seal(token, store_id=bound_store(), column="orders.token"),
        customer_id=customer.id,
        placed_as=placed_as(session, customer, phone),
        cart_id=cart.id,
        status=OrderStatus.PENDING_PAYMENT if by_mpesa else OrderStatus.ACCEPTED,
        payment_method="mpesa" if by_mpesa else "on_delivery",
        channel=form.channel,
        language=current_locale(),
        subtotal_cents=subtotal,
        discount_cents=0,
        delivery_fee_cents=fee,
        rounding_cents=rounded.rounding_cents,
        total_cents=total,
        fee_reason=reason,
        quote_id=quote_id,
        is_pickup=form.is_pickup,
        area=area_slug,
        landmark=landmark,
        customer_name=form.name.strip()[:NAME_LENGTH] or customer.name,
        promised_at=promised_at,
        placed_at=utcnow(),
    )
    order_lines = [_order_line(order, n, line, store) for n, line in enumerate(lines, start=1)]
    order.vat_cents = sum(line.vat_cents for line in order_lines)
    session.add(order)
    session.flush()
    session.add_all(order_lines)
    stock.hold(session, order.id, wanted, until=timings().reservation_end(order.placed_at))
    intent = open_intent(session, order)
    note(session, order, "placed", channel=form.channel)
    if by_mpesa:
        begin_attempt(session, order, intent, phone=phone)
    else:
        _accept(session, order)
    record(
        session,
        "order.placed",
        actor=f"shopper:{form.channel}",
        subject=f"order:{order.id}",
        total_cents=total,
    )
    return Placed(order_id=order.id, token=token)


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
    stock.hold_again(session, order, until=timings().reservation_end(utcnow()))
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
        note(session, order, "hold_released", is_public=False)
    return None


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


def _sellable_lines(session: Session, cart: Cart | None) -> list[CartLine]:
    """The cart's lines with variant and product as they are now; what is off sale is left out."""
    if cart is None:
        return []
    lines = session.scalars(_LINES, {"store_id": bound_store(), "cart_id": cart.id})
    return [
        line for line in lines if line.variant.product.status == "active" and line.variant.is_active
    ]


def _delivery(
    session: Session,
    store: Store,
    cart: Cart,
    lines: list[CartLine],
    form: CheckoutForm,
    subtotal: int,
) -> tuple[int, str, datetime | None, UUID | None, str | None]:
    """(fee_cents, reason, promised_at, quote_id, area slug) for this form."""
    if form.is_pickup:
        if not store.accepts_pickup:
            raise FieldProblem("area", _("This shop has no pick-up. Choose your area."))
        return 0, _("Pick up at the shop"), None, None, None
    if not form.area.strip():
        raise FieldProblem("area", _("Choose your delivery area."))
    if not form.landmark.strip():
        raise FieldProblem(
            "landmark", _("Tell the rider a landmark, like “blue gate opposite the school”.")
        )
    quoted = _quote(session, store, cart, lines, form.area, subtotal)
    return quoted.fee_cents, quoted.reason, quoted.promised_at, quoted.id, quoted.area


def _quote(
    session: Session, store: Store, cart: Cart, lines: list[CartLine], area_text: str, subtotal: int
) -> DeliveryQuote:
    found = find_store_area(session, area_text)
    if found is None:
        raise AreaNotServed(area_name(area_text.strip()[:60].lower().replace(" ", "-")))
    return delivery.quote(
        session,
        store,
        cart.id,
        found,
        subtotal_cents=subtotal,
        grams=sum(line.quantity * line.variant.weight_grams for line in lines),
        is_bulky=any(line.variant.is_bulky for line in lines),
    )


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
    token = vault().open(order.token_sealed, store_id=bound_store(), column="orders.token")
    return Placed(order_id=order.id, token=token, is_replay=True)


def _standing_order(
    session: Session, cart: Cart, form: CheckoutForm, wanted: dict[UUID, int]
) -> Placed | None:
    """The unpaid order this cart already became, if it is for the same goods and place.

    An unpaid order for other goods is cancelled once no prompt for it can be answered.
    """
    order = session.scalars(
        _STANDING, {"store_id": bound_store(), "cart_id": cart.id}
    ).one_or_none()
    if order is None:
        return None
    same_goods = {line.variant_id: line.quantity for line in order.lines} == wanted
    found = None if form.is_pickup else find_store_area(session, form.area)
    same_place = order.is_pickup == form.is_pickup and order.area == (
        found.area.slug if found else None
    )
    live = session.scalar(
        select(PaymentAttempt.id).where(
            PaymentAttempt.store_id == bound_store(),
            PaymentAttempt.order_id == order.id,
            PaymentAttempt.status.in_(OPEN),
        )
    )
    if live is not None or (same_goods and same_place and not form.pay_on_delivery):
        return _replayed(session, str(order.id))
    stock.release_hold(session, order)
    order.move_to(OrderStatus.CANCELLED)
    order.cancelled_at = utcnow()
    note(session, order, "cancelled", reason="replaced")
    session.flush()
    return None


def _next_code(session: Session, store: Store) -> str:
    """The next order code of this store, e.g. ``KT-1042``. The counter's row lock queues two orders up."""
    number = session.scalar(_NEXT_NUMBER)
    return f"{store.code_prefix}-{number}"


def _order_line(order: Order, n: int, line: CartLine, store: Store) -> OrderLine:
    variant, product = line.variant, line.variant.product
    rate = VAT_PERCENT if store.is_vat_registered and product.vat_class == "standard" else 0
    total = variant.price_cents * line.quantity
    return OrderLine(
        order_id=order.id,
        n=n,
        variant_id=variant.id,
        sku=variant.sku,
        name=product.name,
        option_text=variant.option_text,
        quantity=line.quantity,
        price_cents=variant.price_cents,
        cost_cents=variant.cost_cents,
        vat_rate=rate,
        vat_cents=vat_included_cents(total, rate),
        total_cents=total,
    )
