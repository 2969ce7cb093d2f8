"""Back in stock: the waiting line, and the links that keep one unit for whoever waited longest.

The database asks for ``offer_to_waiting`` whenever units of a variant become free while somebody
waits for it (trigger ``ring_waiting``), by whatever door they came. Each in turn gets one message
with a link of their own. The link keeps one unit for half an hour and works once; what is not
taken by then goes to the next in line. None of these commits.
"""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import func, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session, joinedload

from app.addresses import store_url
from app.clock import nairobi, utcnow
from app.db.tenancy import bound_store
from app.domain.cart.models import Cart, CartLine
from app.domain.catalog.actions import touch_content
from app.domain.catalog.models import StockOffer, StockWait, Variant
from app.domain.errors import DomainError, NotFound
from app.domain.messaging.actions import host_and_channel, push_to, queue_message
from app.domain.messaging.push import Note, subscriptions_of_wait
from app.domain.orders.models import Reservation
from app.domain.stores.models import Store
from app.i18n import gettext as _
from app.i18n import gettext_lazy, using_locale
from app.ids import new_id, new_token, token_hash
from app.jobs import Topic, ask_for
from app.timings import timings

AT_ONCE = 100  # people told by one job; a longer line is told by several
KIND = "restock"

_KEEP = text(
    "UPDATE app.variants SET reserved = reserved + :units WHERE store_id = app.store_id() AND id = :id"
    " AND on_hand - reserved >= :units"
)
# The units of these offers are free again; the rows of the variants are taken in key order.
_FREE = text(
    "WITH freed AS (UPDATE app.reservations SET status = 'released' WHERE store_id = app.store_id()"
    " AND offer_id = ANY(CAST(:offers AS uuid[])) AND status = 'live' RETURNING variant_id, quantity),"
    " units AS MATERIALIZED (SELECT variant_id, sum(quantity)::integer AS units FROM freed GROUP BY 1),"
    " locked AS MATERIALIZED (SELECT v.id FROM app.variants v WHERE v.store_id = app.store_id()"
    " AND v.id IN (SELECT variant_id FROM units) ORDER BY v.id FOR UPDATE)"
    " UPDATE app.variants v SET reserved = v.reserved - u.units FROM units u JOIN locked l"
    " ON l.id = u.variant_id WHERE v.store_id = app.store_id() AND v.id = l.id"
)


class OfferGone(DomainError):
    """This link keeps nothing any more: it was used, or its time is over."""

    def __init__(self, *, was_used: bool) -> None:
        self.was_used = was_used
        super().__init__(
            gettext_lazy("This link was used already. It works once.")
            if was_used
            else gettext_lazy(
                "The time of this link is over, and the next in line was told. "
                "You can ask to be told again."
            )
        )


def offer_to_waiting(session: Session, variant_id: UUID) -> int:
    """Keep one unit for each in line, as far as the free units go, and tell them. Returns how many."""
    variant = session.scalars(
        select(Variant)
        .where(Variant.store_id == bound_store(), Variant.id == variant_id)
        .options(joinedload(Variant.product))
        .with_for_update(of=Variant)
        .execution_options(populate_existing=True)
    ).one_or_none()
    if variant is None or not variant.is_active or variant.product.status != "active":
        return 0
    waits = _next_in_line(session, variant_id, min(max(variant.stock, 0), AT_ONCE))
    if not waits:
        return 0
    session.execute(_KEEP, {"id": variant_id, "units": len(waits)})
    for wait in waits:
        _offer(session, variant, wait)
    touch_content(session)  # what is kept is not on sale: pages say how many are left
    if len(waits) == AT_ONCE:
        key = f"{variant_id}:{new_id()}"
        ask_for(session, Topic.OFFER_TO_WAITING, key=key, variant_id=str(variant_id))
    return len(waits)


def find_offer(session: Session, token: str) -> StockOffer | None:
    """What a link stands for, as it is now."""
    return session.scalars(
        select(StockOffer)
        .where(StockOffer.store_id == bound_store(), StockOffer.token_hash == token_hash(token))
        .options(joinedload(StockOffer.variant).joinedload(Variant.product))
    ).one_or_none()


def take_offer(session: Session, token: str, cart: Cart) -> StockOffer:
    """Put what the link keeps into this cart, where it stays kept until the link's time is over.

    The same cart may come again. Raises NotFound, and OfferGone for everybody else and afterwards.
    """
    offer = session.scalars(
        select(StockOffer)
        .where(StockOffer.store_id == bound_store(), StockOffer.token_hash == token_hash(token))
        .with_for_update()
        .execution_options(populate_existing=True)
    ).one_or_none()
    if offer is None:
        raise NotFound
    if offer.status == "taken" and offer.cart_id == cart.id:
        return offer
    if offer.status != "live" or offer.expires_at <= utcnow():
        raise OfferGone(was_used=offer.status in ("taken", "used"))
    offer.status, offer.cart_id = "taken", cart.id
    line = insert(CartLine).values(
        id=new_id(),
        store_id=bound_store(),
        cart_id=cart.id,
        variant_id=offer.variant_id,
        quantity=1,
        held=1,
        held_until=offer.expires_at,
    )
    session.execute(
        line.on_conflict_do_update(
            index_elements=["store_id", "cart_id", "variant_id"],
            set_={
                "quantity": func.greatest(CartLine.quantity, 1),
                "held": CartLine.held + 1,
                "held_until": offer.expires_at,
            },
        )
    )
    session.flush()
    return offer


def use_what_was_kept(session: Session, cart_id: UUID) -> None:
    """An order is being made of this cart: its kept units are free for that order, in this transaction."""
    used = session.scalars(
        update(StockOffer)
        .where(
            StockOffer.store_id == bound_store(),
            StockOffer.cart_id == cart_id,
            StockOffer.status == "taken",
        )
        .values(status="used")
        .returning(StockOffer.id)
        .execution_options(synchronize_session=False)
    ).all()
    session.execute(_FREE, {"offers": list(used)})
    _keep_no_more(session, cart_id)


def lapse_offer(session: Session, offer_id: UUID) -> float | None:
    """The half hour is over: the unit goes on sale, which rings for the next in line.

    Returns the seconds to wait when it is too early, else None.
    """
    offer = session.scalars(
        select(StockOffer)
        .where(StockOffer.store_id == bound_store(), StockOffer.id == offer_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).one()
    if offer.status not in ("live", "taken"):
        return None
    left = (offer.expires_at - utcnow()).total_seconds()
    if left > 0:
        return left
    offer.status = "lapsed"
    session.flush()
    session.execute(_FREE, {"offers": [offer.id]})
    if offer.cart_id is not None:
        _keep_no_more(session, offer.cart_id, offer.variant_id)
    touch_content(session)
    return None


def _next_in_line(session: Session, variant_id: UUID, units: int) -> Sequence[StockWait]:
    """The longest waits that were not told yet, locked."""
    return session.scalars(
        select(StockWait)
        .where(
            StockWait.store_id == bound_store(),
            StockWait.variant_id == variant_id,
            StockWait.told_at.is_(None),
        )
        .order_by(StockWait.asked_at, StockWait.id)
        .limit(units)
        .with_for_update()
    ).all()


def _offer(session: Session, variant: Variant, wait: StockWait) -> None:
    now = utcnow()
    token = new_token()
    offer = StockOffer(
        id=new_id(),
        wait_id=wait.id,
        variant_id=variant.id,
        token_hash=token_hash(token),
        expires_at=timings().offer_end(now),
    )
    wait.told_at = now
    session.add(offer)
    session.flush()
    session.add(
        Reservation(
            offer_id=offer.id, variant_id=variant.id, quantity=1, expires_at=offer.expires_at
        )
    )
    session.flush()
    _tell(session, variant, wait, offer, token)
    ask_for(
        session,
        Topic.LAPSE_OFFER,
        key=str(offer.id),
        after_seconds=timings().offer,
        offer_id=str(offer.id),
    )


def _tell(
    session: Session, variant: Variant, wait: StockWait, offer: StockOffer, token: str
) -> None:
    """One message: a notification where they asked for one, else WhatsApp or SMS."""
    host, has_whatsapp = host_and_channel(session)
    store = session.get_one(Store, bound_store())
    name = f"{variant.product.name}, {variant.option_text}" if variant.option_text else ""
    facts = {
        "store": store.name,
        "name": name or variant.product.name,
        "time": f"{nairobi(offer.expires_at):%H:%M}",
        "link": store_url(host, f"/back/{token}"),
    }
    with using_locale(wait.language):
        words = _(
            "%(store)s: %(name)s is back. One is kept for you until %(time)s: %(link)s", **facts
        )
        note = Note(
            title=_("%(name)s is back", **facts),
            body=_("One is kept for you until %(time)s.", **facts),
            path=f"/back/{token}",
            tag=f"back-{variant.id}",
        )
    subscribed = subscriptions_of_wait(session, wait.id)
    key = f"{KIND}:{offer.id}"
    if subscribed:
        push_to(session, subscribed[0], KIND, note, key=key)
        return
    queue_message(
        session,
        KIND,
        phone=wait.phone,
        text=words,
        key=key,
        channel="whatsapp" if has_whatsapp else "sms",
        language=wait.language,
    )


def _keep_no_more(session: Session, cart_id: UUID, variant_id: UUID | None = None) -> None:
    lines = update(CartLine).where(
        CartLine.store_id == bound_store(), CartLine.cart_id == cart_id, CartLine.held > 0
    )
    if variant_id is not None:
        lines = lines.where(CartLine.variant_id == variant_id)
    session.execute(
        lines.values(held=0, held_until=None).execution_options(synchronize_session=False)
    )
