"""Believable rows for tests. Pass only what the test is about."""

from __future__ import annotations

import hashlib
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from app.db.tenancy import bound_store
from app.domain.cart.actions import add_to_cart, open_cart
from app.domain.cart.models import Cart
from app.domain.catalog.actions import NewProduct, NewVariant, add_product
from app.domain.catalog.models import Product, Variant
from app.domain.checkout.actions import CheckoutForm, place_order
from app.domain.delivery.actions import serve_area
from app.domain.orders.models import Order
from app.domain.payments.models import Callback, PaymentAttempt, PaymentSettings
from app.domain.payments.registering import save_payment_settings
from app.domain.promotions.actions import save_promotion
from app.domain.promotions.models import Promotion
from app.domain.stores.models import Store
from app.ids import new_id, new_reference, new_token

PHONE = "+254712345678"


def make_variant(
    session: Session,
    *,
    name: str = "Kericho tea, 500 g",
    sku: str | None = None,
    price_cents: int = 450_00,
    stock: int = 10,
    **facts: Any,
) -> Variant:
    """A product with one variant, in stock."""
    product = make_product(
        session,
        name=name,
        variants=[NewVariant(sku=sku or new_reference(), price_cents=price_cents, stock=stock)],
        **facts,
    )
    return product.variants[0]


def make_product(session: Session, *, name: str = "Kericho tea, 500 g", **facts: Any) -> Product:
    """A product with the variants given."""
    product = add_product(session, NewProduct(name=name, **facts))
    session.flush()
    session.refresh(product)
    return product


def make_cart(session: Session, *variants: Variant, quantity: int = 1) -> Cart:
    """A cart with these variants."""
    cart = open_cart(session, None)
    for variant in variants or (make_variant(session),):
        add_to_cart(session, cart, variant, quantity=quantity)
    session.flush()
    return cart


def fill_form(**facts: Any) -> CheckoutForm:
    """What a shopper in Kilimani types."""
    return CheckoutForm(
        **{
            "phone": PHONE,
            "area": "kilimani",
            "landmark": "Blue gate opposite the school",
            "name": "",
        }
        | facts
    )


def make_order(
    session: Session, cart: Cart | None = None, *, fee_cents: int = 250_00, **facts: Any
) -> Order:
    """An order whose payment was asked for and has not been sent yet."""
    serve_area(session, "kilimani", actor="test", fee_cents=fee_cents)
    placed = place_order(
        session,
        session.get_one(Store, bound_store()),
        (cart or make_cart(session)).id,
        fill_form(**facts),
        key=new_token(),
    )
    return session.get_one(Order, (bound_store(), placed.order_id))


def attempt_of(session: Session, order: Order) -> PaymentAttempt:
    """The newest attempt of an order."""
    from app.domain.payments.beginning import latest_attempt

    attempt = latest_attempt(session, order.id)
    assert attempt is not None
    return attempt


def make_payment_settings(session: Session, keys: dict[str, str] | None = None) -> PaymentSettings:
    """M-Pesa keys of a paybill; those of a sandbox when given."""
    values = {
        "kind": "paybill",
        "shortcode": "600984",
        "till": None,
        "consumer_key": new_token(),
        "consumer_secret": new_token(),
        "passkey": new_token(),
    } | (keys or {})
    return save_payment_settings(session, actor="test", **values)  # type: ignore[arg-type]


def make_callback(
    session: Session, kind: str, body: bytes, *, attempt_id: UUID | None = None
) -> Callback:
    """Something a provider said, stored and not yet handled."""
    callback = Callback(
        id=new_id(),
        kind=kind,
        attempt_id=attempt_id,
        body=body,
        body_sha256=hashlib.sha256(body).digest(),
    )
    session.add(callback)
    session.flush()
    return callback


def make_promotion(session: Session, kind: str = "coupon", **facts: Any) -> Promotion:
    """A promotion in force; a code KARIBU that takes 10 % off, unless said otherwise."""
    wanted: dict[str, Any] = {"kind": kind, "effect": "percent", "name": "Karibu", "percent": 10}
    if kind == "coupon":
        wanted["code"] = "KARIBU"
    saved = save_promotion(session, None, wanted | facts, actor="Wanjiku")
    return saved.promotion
