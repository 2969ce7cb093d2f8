"""Buying the same again: what is still sold goes into the cart, and what changed is said."""

from __future__ import annotations

from dataclasses import dataclass, field

from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload

from app.clock import utcnow
from app.db.tenancy import bound_store
from app.domain.cart.actions import MOST_OF_ONE, add_to_cart, stock_for
from app.domain.cart.models import Cart
from app.domain.catalog.models import Variant
from app.domain.orders.models import Order, OrderLine
from app.i18n import gettext as _
from app.money import format_kes


@dataclass(kw_only=True)
class Again:
    """What became of an order that was asked for again."""

    in_cart: int = 0  # lines of the order that the cart holds now
    changes: list[str] = field(default_factory=list)


def buy_again(session: Session, cart: Cart, order: Order) -> Again:
    """See to it that the cart holds what the order held, as far as it is sold. Does not commit.

    A second tap adds nothing more: the cart is filled up to the order's quantities.
    """
    # Two taps at once are answered one after the other.
    session.execute(
        select(Cart.id).where(Cart.store_id == bound_store(), Cart.id == cart.id).with_for_update()
    )
    session.expire(cart, ["lines"])
    ids = [line.variant_id for line in order.lines if line.variant_id is not None]
    variants = {
        variant.id: variant
        for variant in session.scalars(
            select(Variant)
            .where(Variant.store_id == bound_store(), Variant.id.in_(ids))
            .options(joinedload(Variant.product))
        )
    }
    done = Again()
    for line in order.lines:
        variant = variants.get(line.variant_id) if line.variant_id else None
        if variant is None or not variant.is_active or variant.product.status != "active":
            done.changes.append(_("%(name)s is not sold any more.", name=_called(line)))
            continue
        _fill_up(session, cart, variant, line, done)
    return done


def _fill_up(session: Session, cart: Cart, variant: Variant, line: OrderLine, done: Again) -> None:
    held = cart.line_for(variant.id)
    stock = stock_for(cart, variant)
    if stock < 1:
        done.changes.append(_("%(name)s is sold out.", name=_called(line)))
        return
    wanted = min(line.quantity, stock, MOST_OF_ONE)
    missing = wanted - (held.quantity if held else 0)
    if missing > 0:
        add_to_cart(session, cart, variant, quantity=missing)
    done.in_cart += 1
    if wanted < line.quantity:
        done.changes.append(
            _("%(name)s: only %(n)s left, you had %(before)s.", name=_called(line), n=wanted,
              before=line.quantity)
        )  # fmt: skip
    now_cents = variant.price_at(utcnow())
    # What a tier or the customer's group made of it then is the basket's to say, which sees it all.
    is_everybodys = not {"tier", "group"} & {step["kind"] for step in line.steps}
    if is_everybodys and now_cents != line.price_cents:
        done.changes.append(
            _(
                "%(name)s costs %(now)s now, it was %(before)s.",
                name=_called(line),
                now=format_kes(now_cents),
                before=format_kes(line.price_cents),
            )
        )


def _called(line: OrderLine) -> str:
    return f"{line.name}, {line.option_text}" if line.option_text else line.name
