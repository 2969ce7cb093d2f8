"""What shoppers do with a cart, from the web, a chat or the counter: one service for all.

A cart promises nothing and reserves nothing. Asking for more than there is gives what there
is, with a sentence saying so; the check that counts is made when the order is placed.
"""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import delete, func, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.clock import utcnow
from app.db.tenancy import bound_store
from app.domain.cart.models import Cart, CartLine
from app.domain.cart.queries import find_cart
from app.domain.catalog.models import StockOffer, Variant
from app.domain.errors import DomainError, NotFound, OutOfStock
from app.i18n import gettext as _
from app.ids import new_id, new_reference
from app.money import format_kes

MOST_OF_ONE = 999
CODE_LENGTH = 5

# One statement however many lines: it runs while a payment's rows are locked.
_TAKE_OUT = text(
    "WITH bought AS MATERIALIZED (SELECT variant_id, sum(quantity)::integer AS quantity"
    " FROM app.order_lines WHERE store_id = app.store_id() AND order_id = :order_id"
    " GROUP BY variant_id),"
    " gone AS (DELETE FROM app.cart_lines c USING bought b WHERE c.store_id = app.store_id()"
    " AND c.cart_id = :cart_id AND c.variant_id = b.variant_id AND c.quantity <= b.quantity)"
    " UPDATE app.cart_lines c SET quantity = c.quantity - b.quantity FROM bought b"
    " WHERE c.store_id = app.store_id() AND c.cart_id = :cart_id AND c.variant_id = b.variant_id"
    " AND c.quantity > b.quantity"
)


_USE_CODE = text(
    "UPDATE app.carts SET coupon_code = :code, updated_at = now()"
    " WHERE store_id = app.store_id() AND id = :cart_id"
)
_CHOOSE_AREA = text(
    "UPDATE app.carts SET area = :area, updated_at = now()"
    " WHERE store_id = app.store_id() AND id = :cart_id AND area IS DISTINCT FROM :area"
)


class PriceMoved(DomainError):
    """What was tapped while the phone had no network costs something else now. Nothing was added."""

    def __init__(self, variant: Variant, *, shown: str) -> None:
        self.sku = variant.sku
        super().__init__(
            _(
                "%(name)s is %(now)s now. You saw %(shown)s when you had no network.",
                name=variant.product.name,
                now=format_kes(variant.price_at(utcnow())),
                shown=shown,
            )
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class LineChange:
    """What a line holds now. ``note`` is for the shopper when it is less than they asked for."""

    variant_id: UUID
    quantity: int
    note: str | None = None


def open_cart(session: Session, cart_id: UUID | None, *, channel: str = "web") -> Cart:
    """The shopper's cart, or a new empty one when there is none of that id."""
    cart = find_cart(session, cart_id)
    if cart is not None:
        return cart
    for _try in range(5):
        cart = Cart(code=new_reference(CODE_LENGTH), channel=channel)
        try:
            with session.begin_nested():
                session.add(cart)
        except IntegrityError:
            continue  # the code is taken: one in millions, so simply draw another
        return cart
    raise RuntimeError("no free cart code in five tries")


def stock_for(cart: Cart, variant: Variant) -> int:
    """Units of a variant that this cart may hold: what is free, and what is kept for it."""
    line = cart.line_for(variant.id)
    return line.stock if line else variant.stock


def add_to_cart(session: Session, cart: Cart, variant: Variant, *, quantity: int = 1) -> LineChange:
    """Put ``quantity`` more of a variant in the cart, up to what is in stock.

    Two taps at once both count: the line is raised in one statement. Raises OutOfStock,
    leaving the cart as it was, when there is none to sell.
    """
    if quantity < 1:
        raise ValueError("quantity must be at least 1")
    before = cart.line_for(variant.id)
    most = min(stock_for(cart, variant), MOST_OF_ONE)
    if most < 1:
        raise OutOfStock(variant.sku, available=0)
    wanted = quantity + (before.quantity if before else 0)
    line = insert(CartLine).values(
        id=new_id(),
        store_id=bound_store(),
        cart_id=cart.id,
        variant_id=variant.id,
        quantity=min(quantity, most),
    )
    held = session.execute(
        line.on_conflict_do_update(
            index_elements=["store_id", "cart_id", "variant_id"],
            set_={"quantity": func.least(CartLine.quantity + quantity, most)},
        ).returning(CartLine.quantity)
    ).scalar_one()
    _touch(session, cart)
    return LineChange(
        variant_id=variant.id, quantity=held, note=only_so_many(held) if wanted > held else None
    )


def add_late(
    session: Session, cart: Cart, variant: Variant, *, quantity: int, shown: str
) -> LineChange:
    """Add what was tapped a while ago, when the phone had no network, if it is still what was seen.

    ``shown`` is the price in the words of the page; empty when the page said none. Raises PriceMoved
    and OutOfStock, leaving the cart as it was: whoever tapped chooses again.
    """
    if shown and _squeezed(shown) != _squeezed(format_kes(variant.price_at(utcnow()))):
        raise PriceMoved(variant, shown=shown)
    before = cart.line_for(variant.id)
    available = stock_for(cart, variant) - (before.quantity if before else 0)
    if quantity > available:
        raise OutOfStock(variant.sku, available=max(0, available))
    return add_to_cart(session, cart, variant, quantity=quantity)


def _squeezed(words: str) -> str:
    return "".join(words.split())


def set_quantity(session: Session, cart: Cart, line_id: UUID, quantity: int) -> LineChange:
    """Make a line hold exactly ``quantity``, cut to stock; zero takes it out.

    Raises NotFound for a line that is not in this cart.
    """
    line = next((line for line in cart.lines if line.id == line_id), None)
    if line is None:
        raise NotFound
    most = max(0, min(line.stock, MOST_OF_ONE))
    held = max(0, min(quantity, most))
    # Nothing left to sell is said at checkout; taking the line away here would surprise.
    if quantity > 0 and held == 0:
        raise OutOfStock(line.variant.sku, available=0)
    variant_id = line.variant_id
    if held == 0:
        remove_line(session, cart, line_id)
    else:
        line.quantity = held
        _touch(session, cart)
    return LineChange(
        variant_id=variant_id, quantity=held, note=only_so_many(held) if quantity > held else None
    )


def remove_line(session: Session, cart: Cart, line_id: UUID) -> None:
    """Take a line out. Taking out what is gone already is no mistake."""
    session.execute(
        delete(CartLine).where(
            CartLine.store_id == bound_store(), CartLine.cart_id == cart.id, CartLine.id == line_id
        )
    )
    _touch(session, cart)


def use_code(session: Session, cart_id: UUID, code: str | None) -> None:
    """Keep the promotion code on the cart, or take it off. Whether it counts is asked each time."""
    session.execute(_USE_CODE, {"cart_id": cart_id, "code": code})


def choose_area(session: Session, cart_id: UUID, area: str) -> None:
    """Remember on the cart where it would go, so that a chat knows as well."""
    session.execute(_CHOOSE_AREA, {"cart_id": cart_id, "area": area})


def merge_carts(session: Session, into: Cart, other: Cart) -> Cart:
    """Move everything of ``other`` into ``into``, cut to stock, and delete ``other``.

    Happens at sign-in, when a phone's cart meets the customer's own.
    """
    if into.id == other.id:
        return into
    for line in list(other.lines):
        mine = into.line_for(line.variant_id)
        wanted = max(line.quantity, mine.quantity if mine else 0)
        if line.held:
            _move_held(session, into, other, line)
        elif mine is not None:
            mine.quantity = max(1, min(wanted, line.variant.stock or wanted))
        elif line.variant.stock > 0:
            add_to_cart(session, into, line.variant, quantity=wanted)
    session.flush()
    into.area = into.area or other.area
    session.execute(delete(Cart).where(Cart.store_id == bound_store(), Cart.id == other.id))
    session.expunge(other)
    _touch(session, into)
    return into


def _move_held(session: Session, into: Cart, other: Cart, line: CartLine) -> None:
    """What the waiting line keeps for a cart is kept for the one it is joined with."""
    mine = into.line_for(line.variant_id)
    if mine is None:
        line.cart_id = into.id
    else:
        mine.quantity = max(line.quantity, mine.quantity)
        mine.held, mine.held_until = mine.held + line.held, line.held_until
    session.execute(
        update(StockOffer)
        .where(
            StockOffer.store_id == bound_store(),
            StockOffer.cart_id == other.id,
            StockOffer.status == "taken",
        )
        .values(cart_id=into.id)
    )
    session.flush()


def copy_cart(session: Session, into: Cart, other: Cart) -> None:
    """Take over what another phone has in its cart, cut to stock. The other cart stays as it is."""
    for line in other.lines:
        mine = into.line_for(line.variant_id)
        missing = line.quantity - (mine.quantity if mine else 0)
        if missing > 0 and stock_for(into, line.variant) > 0:
            add_to_cart(session, into, line.variant, quantity=missing)
    into.area = into.area or other.area
    _touch(session, into)


def claim_cart(session: Session, cart: Cart, customer_id: UUID) -> Cart:
    """Make the cart the customer's own, joined with the one they left on another phone."""
    theirs_id = session.scalar(
        select(Cart.id).where(Cart.store_id == bound_store(), Cart.customer_id == customer_id)
    )
    if theirs_id == cart.id:
        return cart
    if theirs_id is None:
        cart.customer_id = customer_id
        session.flush()
        return cart
    theirs = find_cart(session, theirs_id)
    if theirs is None:
        raise NotFound
    return merge_carts(session, theirs, cart)


def _touch(session: Session, cart: Cart) -> None:
    session.flush()
    session.execute(
        update(Cart)
        .where(Cart.store_id == cart.store_id, Cart.id == cart.id)
        .values(updated_at=func.now())
        .execution_options(synchronize_session=False)
    )
    session.expire(cart, ["lines", "updated_at"])


def only_so_many(available: int) -> str:
    """That there is less of it than was asked for."""
    return _("We have only %(n)s of it, so your cart holds %(n)s.", n=available)


def take_out_ordered(session: Session, cart_id: UUID | None, order_id: UUID) -> None:
    """Take what was ordered out of its cart, which was kept until now. What was added since stays."""
    if cart_id is not None:
        session.execute(_TAKE_OUT, {"cart_id": cart_id, "order_id": order_id})
