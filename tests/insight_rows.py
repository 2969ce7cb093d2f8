"""Rows for the tests of insights and of pages for search engines: goods, checkouts, orders."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime, timedelta
from uuid import UUID

from sqlalchemy import update
from sqlalchemy.orm import Session

from app.db.tenancy import bound_store
from app.domain.catalog.models import Category, Product, Variant
from app.domain.customers.models import Customer
from app.domain.delivery.models import DeliveryArea, DeliveryQuote
from app.domain.orders.models import Order, OrderLine
from app.domain.orders.states import OrderStatus
from app.ids import new_id

# A Friday, 18:42 in Nairobi.
NOW = datetime(2026, 11, 20, 15, 42, tzinfo=UTC)
WEEK = timedelta(days=7)

_WAY = {
    OrderStatus.PAID: [OrderStatus.PAID],
    OrderStatus.CANCELLED: [OrderStatus.CANCELLED],
    OrderStatus.DELIVERED: [OrderStatus.PAID, OrderStatus.PACKED, OrderStatus.DELIVERED],
    OrderStatus.PENDING_PAYMENT: [],
}


def add_area(session: Session, area: str, fee_cents: int = 250_00, **terms: object) -> DeliveryArea:
    row = DeliveryArea(area=area, fee_cents=fee_cents, **terms)
    session.add(row)
    session.flush()
    return row


def add_category(session: Session, slug: str) -> Category:
    row = Category(slug=slug, name=slug.replace("-", " ").title())
    session.add(row)
    session.flush()
    return row


def add_product(
    session: Session,
    name: str,
    *,
    stock: int = 50,
    price_cents: int = 1_400_00,
    category: Category | None = None,
    status: str = "active",
) -> Variant:
    slug = "-".join(name.lower().split())
    product = Product(
        slug=slug, name=name, status=status, category_id=category.id if category else None
    )
    session.add(product)
    session.flush()
    variant = Variant(
        product_id=product.id, sku=slug.upper()[:80], price_cents=price_cents, on_hand=stock
    )
    session.add(variant)
    session.flush()
    return variant


def add_customer(session: Session) -> Customer:
    row = Customer(phone_sealed=b"sealed", phone_lookup=secrets.token_bytes(16))
    session.add(row)
    session.flush()
    return row


def add_quote(
    session: Session,
    area: str,
    at: datetime,
    *,
    cart_id: UUID | None = None,
    fee_cents: int = 250_00,
) -> UUID:
    """One checkout begun. Returns its cart."""
    cart_id = cart_id or new_id()
    session.add(
        DeliveryQuote(
            cart_id=cart_id,
            area=area,
            subtotal_cents=1_400_00,
            fee_cents=fee_cents,
            created_at=at,
            expires_at=at + timedelta(minutes=15),
        )
    )
    session.flush()
    return cart_id


def add_order(
    session: Session,
    at: datetime,
    *,
    status: OrderStatus = OrderStatus.PAID,
    area: str = "westlands",
    cart_id: UUID | None = None,
    variant: Variant | None = None,
    quantity: int = 1,
    price_cents: int = 1_400_00,
    fee_cents: int = 0,
    delivered_after: timedelta = timedelta(hours=2),
    customer: Customer | None = None,
) -> Order:
    goods_cents = price_cents * quantity
    order = Order(
        code=f"DK-{secrets.token_hex(4)}",
        token_hash=secrets.token_bytes(32),
        token_sealed=b"sealed",
        customer_id=(customer or add_customer(session)).id,
        cart_id=cart_id,
        status=OrderStatus.PENDING_PAYMENT,
        area=area,
        subtotal_cents=goods_cents,
        delivery_fee_cents=fee_cents,
        total_cents=goods_cents + fee_cents,
        placed_at=at,
    )
    session.add(order)
    session.flush()
    session.add(
        OrderLine(
            order_id=order.id,
            n=1,
            variant_id=variant.id if variant else None,
            sku=variant.sku if variant else "SKU",
            name=variant.product.name if variant else "Steel flask",
            quantity=quantity,
            price_cents=price_cents,
            total_cents=goods_cents,
        )
    )
    for step in _WAY[status]:
        order.move_to(step)
        if step == OrderStatus.PAID:
            order.paid_at = at + timedelta(seconds=20)
        if step == OrderStatus.DELIVERED:
            order.delivered_at = at + delivered_after
        session.flush()
    return order


def add_checkouts(
    session: Session, area: str, *, begun: int, paid: int, at: datetime, price_cents: int = 1_400_00
) -> None:
    """``begun`` checkouts of one area, a minute apart, of which the first ``paid`` were paid."""
    customer = add_customer(session)
    for n in range(begun):
        moment = at + timedelta(minutes=n)
        cart_id = add_quote(session, area, moment)
        if n < paid:
            add_order(
                session,
                moment + timedelta(seconds=30),
                area=area,
                cart_id=cart_id,
                price_cents=price_cents,
                customer=customer,
            )


def set_stock(session: Session, variant: Variant, stock: int) -> None:
    session.execute(update(Variant).where(Variant.id == variant.id).values(on_hand=stock))


def content_version(session: Session) -> int:
    from app.domain.stores.models import Store

    store = session.get(Store, bound_store())
    session.refresh(store)
    return store.content_version
