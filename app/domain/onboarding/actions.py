"""From a proven phone to an open shop, one step at a time; every step may be repeated.

Before the name there is no store: what is known belongs to the person (``sign_ups``, platform
role). From the name on it belongs to the store (``onboarding``). A store is open from its first
minute, on the platform's test account: nobody's money moves until its own till is checked.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import func, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app.clock import utcnow
from app.db.tenancy import bound_store
from app.domain.audit.actions import record
from app.domain.cart.actions import add_to_cart, open_cart
from app.domain.catalog.actions import (
    NewProduct,
    NewVariant,
    add_product,
    touch_content,
)
from app.domain.catalog.models import Category, Product, Variant
from app.domain.checkout.actions import CheckoutForm, place_order
from app.domain.delivery.areas import all_areas
from app.domain.delivery.models import DeliveryArea
from app.domain.delivery.promises import DEFAULT_PROMISE_TERMS
from app.domain.errors import DomainError, FieldProblem, NotFound, TooManyTries
from app.domain.onboarding.models import Onboarding, SignUp
from app.domain.onboarding.queries import first_buyable, open_sign_up, test_order
from app.domain.orders.states import OrderStatus
from app.domain.payments.actions import retry_payment
from app.domain.payments.beginning import latest_attempt
from app.domain.payments.models import PaymentSettings
from app.domain.payments.registering import save_payment_settings
from app.domain.payments.states import OPEN
from app.domain.people import limits
from app.domain.people.models import Person
from app.domain.people.otp import check_code, request_code
from app.domain.stores.actions import add_membership, add_person, create_store, schedule_upkeep
from app.domain.stores.models import Store
from app.i18n import gettext as _
from app.ids import new_id, new_reference

PURPOSE = "sign-up"
KINDS = ("electronics", "fashion", "watches", "home", "mixed")
FAILED_CODES_PER_ADDRESS = (50, 3600)
# One person opens this many shops; more are a matter for a talk.
STORES_A_DAY = 3
STORES_IN_ALL = 10
LONGEST_NAME = 60
TEST_ITEM_CENTS = 10_00
MOST_TESTS = 20
_TEST_ITEM = "sign-up:test-item"
MOST_STOCK = 100_000
MOST_PRICE_CENTS = 10_000_000_00
_OTHER_LETTERS = re.compile(r"[^A-Z]")
_NUMBER = re.compile(r"[0-9]{5,7}")
_ONE_AT_A_TIME = text("SELECT pg_advisory_xact_lock(71004, hashtext(:who))")


class TooManyStores(DomainError):
    """This person has opened as many shops as one person may for now."""

    def __init__(self) -> None:
        super().__init__(
            _(
                "You have opened %(n)s shops already. Open the next one tomorrow, or write to us.",
                n=STORES_A_DAY,
            )
        )


@dataclass(frozen=True, kw_only=True)
class TestAccount:
    """The platform's own account at the provider's test system."""

    shortcode: str
    consumer_key: str
    consumer_secret: str
    passkey: str


@dataclass(frozen=True, kw_only=True)
class NewShop:
    """What the name step asks for. ``whatsapp`` is E.164 or empty."""

    name: str
    slug: str
    colour_hue: int
    whatsapp: str = ""


# -- the phone --------------------------------------------------------------------------


def send_sign_up_code(
    session: Session, *, phone: str, browser: str, language: str, address: str = ""
) -> None:
    """Send a code to any Kenyan number, known or not. Inside store 0; the caller commits.

    Raises TooManyTries.
    """
    request_code(
        session,
        phone=phone,
        purpose=PURPOSE,
        browser=browser,
        language=language,
        address=address,
    )


def is_proven(session: Session, *, phone: str, browser: str, code: str, address: str = "") -> bool:
    """Whether this code proves the number. Inside store 0; the caller commits either answer.

    Raises TooManyTries after many wrong codes from one address.
    """
    place = limits.address_group(address)
    if address and (
        wait := limits.too_many(session, "sign-in-code:address", place, *FAILED_CODES_PER_ADDRESS)
    ):
        raise TooManyTries(wait)
    if check_code(session, phone=phone, purpose=PURPOSE, browser=browser, code=code):
        return True
    limits.note_try(session, "sign-in-code:address", place)
    return False


def begin(session: Session, *, phone: str, name: str) -> Person:
    """Let somebody with a proven number sign up. Returns the person. Platform's session.

    A person we know stays who they are; a sign-up or a shop that waits goes on where it was.
    """
    person_id = add_person(session, name=_person_name(name), phone=phone)
    waits = select(SignUp.id).where(SignUp.person_id == person_id, SignUp.left_at.is_(None))
    if session.scalar(waits.limit(1)) is None:
        begin_again(session, person_id)
    person = session.get_one(Person, person_id)
    session.expunge(person)
    return person


def begin_again(session: Session, person_id: UUID) -> SignUp:
    """The person's open sign-up, made when there is none. Platform's session."""
    session.execute(
        insert(SignUp)
        .values(id=new_id(), person_id=person_id)
        .on_conflict_do_nothing(
            index_elements=[SignUp.person_id], index_where=SignUp.opened_at.is_(None)
        )
    )
    found = open_sign_up(session, person_id)
    if found is None:
        raise NotFound
    return found


# -- kind and name ----------------------------------------------------------------------


def choose_kind(session: Session, person_id: UUID, kind: str) -> None:
    """Remember what the shop will sell. Platform's session. Raises FieldProblem."""
    if kind not in KINDS:
        raise FieldProblem("kind", _("Choose what you sell."))
    begin_again(session, person_id).kind = kind


def open_shop(session: Session, person_id: UUID, shop: NewShop, *, host_suffix: str) -> int:
    """Open the store that was signed up for, with the person as its owner. Returns its id.

    Platform's session. The same form posted twice opens one store: the second post waits for
    the first and gets its answer. Raises FieldProblem, TooManyStores, and NotFound when the
    person is not signing up.
    """
    name = _shop_name(shop.name)
    session.execute(_ONE_AT_A_TIME, {"who": str(person_id)})
    sign_up = open_sign_up(session, person_id)
    if sign_up is None:
        return _just_opened(session, person_id, shop.slug)
    _refuse_squatters(session, person_id)
    store_id = create_store(
        session,
        slug=shop.slug,
        name=name,
        host_suffix=host_suffix,
        kind=sign_up.kind or "mixed",
        colour_hue=shop.colour_hue,
        code_prefix=code_prefix_of(name),
        prompt_name=name.upper()[:30],
        whatsapp=shop.whatsapp,
    )
    add_membership(session, store_id=store_id, person_id=person_id, role="owner")
    sign_up.opened_store, sign_up.opened_at = store_id, utcnow()
    session.flush()
    return store_id


def set_up(
    session: Session, store: Store, *, actor: str, account: TestAccount | None
) -> Onboarding:
    """Give a new store what it needs to be paid and filled: once, however often it is called.

    Inside the store; does not commit. ``account`` is None where the platform has no test account.
    """
    made = session.scalar(
        insert(Onboarding)
        .values(store_id=bound_store())
        .on_conflict_do_nothing()
        .returning(Onboarding.store_id)
    )
    onboarding = session.get_one(Onboarding, bound_store())
    if made is None:
        return onboarding
    schedule_upkeep(session)
    if account is not None and not session.scalar(select(PaymentSettings.id).limit(1)):
        save_payment_settings(
            session,
            kind="paybill",
            shortcode=account.shortcode,
            till=None,
            consumer_key=account.consumer_key,
            consumer_secret=account.consumer_secret,
            passkey=account.passkey,
            actor=actor,
            is_shared=True,
        )
    fill_with_kind(session, store.kind, actor=actor)
    record(session, "store.created", actor=actor, subject=f"store:{store.id}", kind=store.kind)
    return onboarding


def fill_with_kind(session: Session, kind: str, *, actor: str) -> None:
    """Categories, attributes, filters and return rules of this kind of shop."""
    from app.domain.catalog.kinds import apply_kind

    apply_kind(session, kind, actor=actor)


def rename(session: Session, store: Store, *, name: str, colour_hue: int, actor: str) -> None:
    """Change name and colour while setting up. Does not commit. Raises FieldProblem."""
    name = _shop_name(name)
    before = {"name": store.name, "colour_hue": store.colour_hue}
    after = {"name": name, "colour_hue": colour_hue}
    if before == after:
        return
    store.name, store.colour_hue = name, colour_hue
    session.flush()
    touch_content(session)
    record(
        session,
        "store.renamed",
        actor=actor,
        subject=f"store:{store.id}",
        before=before,
        after=after,
    )


def show_logo(session: Session, store: Store, logo: dict[str, Any], *, actor: str) -> None:
    """Show this kept picture as the shop's logo. Does not commit."""
    store.logo = logo
    session.flush()
    touch_content(session)
    record(session, "store.logo", actor=actor, subject=f"store:{store.id}")


def code_prefix_of(name: str) -> str:
    """What this shop's order codes begin with: ``Pendo Kitchen`` → PK, ``Zuri`` → ZUR."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().upper()
    words = [word for part in plain.split() if (word := _OTHER_LETTERS.sub("", part))]
    initials = "".join(word[0] for word in words)[:3]
    if len(initials) >= 2:
        return initials
    return words[0][:3] if words and len(words[0]) >= 2 else "DK"


# -- goods, areas, till -----------------------------------------------------------------


def add_first_product(
    session: Session,
    *,
    name: str,
    price_cents: int,
    stock: int,
    category: Category | None,
    key: str,
    actor: str,
) -> Product:
    """Put one product on the shelf. ``key`` makes a double post one product. Does not commit.

    Raises FieldProblem, naming the field.
    """
    name = " ".join(name.split())
    if not 2 <= len(name) <= 120:
        raise FieldProblem("name", _("Give it a name, like “Steel flask, 1 litre”."))
    if price_cents % 100 or not 0 < price_cents <= MOST_PRICE_CENTS:
        raise FieldProblem("price", _("A price is whole shillings, like 1,250."))
    if not 0 <= stock <= MOST_STOCK:
        raise FieldProblem("stock", _("How many do you have? 0 to 100,000."))
    source = "sign-up:" + hashlib.sha256(key.encode()).hexdigest()[:24]
    session.execute(_ONE_AT_A_TIME, {"who": f"{bound_store()}:{source}"})
    known = session.scalar(
        select(Product).where(Product.store_id == bound_store(), Product.source_key == source)
    )
    if known is not None:
        return known
    product = add_product(
        session,
        NewProduct(
            name=name,
            category=category,
            variants=[NewVariant(sku=new_reference(), price_cents=price_cents, stock=stock)],
            source_key=source,
        ),
        actor=actor,
    )
    session.flush()
    record(session, "product.added", actor=actor, subject=f"product:{product.id}", name=name)
    return product


def take_out(session: Session, product_id: UUID, *, actor: str) -> None:
    """Take a first product off the shelf again. Does not commit. Raises NotFound."""
    product = session.get(Product, (bound_store(), product_id))
    if product is None:
        raise NotFound
    product.status = "archived"
    session.flush()
    touch_content(session)
    record(
        session,
        "product.archived",
        actor=actor,
        subject=f"product:{product.id}",
        name=product.name,
    )


def set_areas(
    session: Session,
    onboarding: Onboarding,
    fees: Mapping[str, int | None],
    *,
    place: str,
    actor: str,
) -> None:
    """Deliver to whole bands at these fees in cents; None stops a band. Does not commit.

    Areas that stand at the fee already, and bands that are not mentioned, stay untouched.
    """
    store = session.get_one(Store, bound_store())
    for band, fee_cents in fees.items():
        _set_band(session, band, fee_cents, actor)
    if place != store.place:
        store.place = place
    onboarding.areas_at = onboarding.areas_at or utcnow()
    session.flush()
    touch_content(session)
    record(session, "areas.set", actor=actor, subject=f"store:{store.id}", after=dict(fees))


def wish_for_till(session: Session, onboarding: Onboarding, *, kind: str, number: str) -> None:
    """Keep the till or paybill that real money will go to once it was checked. Does not commit.

    Raises FieldProblem for a number that cannot be one.
    """
    digits = "".join(number.split()).replace("-", "")
    if kind not in ("till", "paybill"):
        raise FieldProblem("kind", _("Is it a till or a paybill?"))
    if not _NUMBER.fullmatch(digits):
        raise FieldProblem("number", _("It has 5 to 7 digits. Look at your M-Pesa sticker."))
    onboarding.wanted_kind, onboarding.wanted_number = kind, digits
    pass_step(onboarding, "till")
    session.flush()
    record(session, "till.wished", actor="owner", subject=f"store:{bound_store()}", kind=kind)


def pass_step(onboarding: Onboarding, step: str) -> None:
    """Put goods, areas or till behind the owner, filled or not."""
    column = {"goods": "goods_at", "areas": "areas_at", "till": "till_at"}[step]
    if getattr(onboarding, column) is None:
        setattr(onboarding, column, utcnow())


def leave(session: Session, person_id: UUID, store_id: int) -> None:
    """Stop leading this person to the wizard of their shop. Platform's session."""
    session.execute(
        update(SignUp)
        .where(SignUp.person_id == person_id, SignUp.opened_store == store_id)
        .values(left_at=func.coalesce(SignUp.left_at, func.now()))
    )


# -- the test order ---------------------------------------------------------------------


def place_test_order(
    session: Session, store: Store, onboarding: Onboarding, *, phone: str, key: str
) -> UUID:
    """Order one thing from one's own shop, collected there, by the way every order goes.

    Asked again while it is unpaid, the same order is asked to be paid again. Does not commit.
    Returns the order's id. Raises what place_order and retry_payment raise.
    """
    session.refresh(onboarding, with_for_update=True)
    order = test_order(session, onboarding)
    if order is not None and order.paid_at is not None:
        return order.id
    if order is not None and order.status == OrderStatus.PENDING_PAYMENT:
        last = latest_attempt(session, order.id)
        if last is None or last.status not in OPEN:  # else this is the same tap, twice
            retry_payment(session, order, phone=phone, key=f"{key}-again")
        return order.id
    variant = _something_to_buy(session)
    cart = open_cart(session, None)
    session.flush()
    add_to_cart(session, cart, variant)
    placed = place_order(
        session,
        store,
        cart.id,
        CheckoutForm(phone=phone, name=_("Test order"), is_pickup=True),
        key=key,
    )
    onboarding.test_order_id = placed.order_id
    if variant.product.source_key == _TEST_ITEM:
        variant.product.status = "archived"  # shoppers never see it
    session.flush()
    touch_content(session)
    return placed.order_id


def _something_to_buy(session: Session) -> Variant:
    """A first product of the shop, or an item for KES 10 that only serves for this."""
    found = first_buyable(session)
    if found is not None:
        return found
    product = session.scalar(
        select(Product).where(Product.store_id == bound_store(), Product.source_key == _TEST_ITEM)
    )
    if product is None:
        new = NewVariant(sku=new_reference(), price_cents=TEST_ITEM_CENTS, stock=MOST_TESTS)
        product = add_product(
            session, NewProduct(name=_("Test item"), variants=[new], source_key=_TEST_ITEM)
        )
        session.refresh(product)
    product.status = "active"
    session.flush()
    return product.variants[0]


# -- helpers ----------------------------------------------------------------------------


def _person_name(name: str) -> str:
    return " ".join(name.split())[:80] or _("Owner")


def _shop_name(name: str) -> str:
    clean = " ".join(name.split())
    if not 2 <= len(clean) <= LONGEST_NAME:
        raise FieldProblem("name", _("A shop's name has 2 to %(n)s letters.", n=LONGEST_NAME))
    return clean


def _just_opened(session: Session, person_id: UUID, slug: str) -> int:
    """The store that the same form opened a moment ago."""
    store_id = session.scalar(
        select(SignUp.opened_store)
        .join(Store, Store.id == SignUp.opened_store)
        .where(
            SignUp.person_id == person_id,
            Store.slug == slug,
            SignUp.opened_at > func.now() - timedelta(minutes=10),
        )
    )
    if store_id is None:
        raise NotFound
    return store_id


def _refuse_squatters(session: Session, person_id: UUID) -> None:
    opened = select(func.count()).where(
        SignUp.person_id == person_id, SignUp.opened_store.is_not(None)
    )
    today = session.scalar(opened.where(SignUp.opened_at > func.now() - timedelta(days=1))) or 0
    if today >= STORES_A_DAY or (session.scalar(opened) or 0) >= STORES_IN_ALL:
        raise TooManyStores


def _set_band(session: Session, band: str, fee_cents: int | None, actor: str) -> None:
    slugs = [area.slug for area in all_areas() if area.band == band]
    if not slugs:
        raise FieldProblem("band", _("We do not know that distance."))
    now = {"changed_by": actor, "changed_at": utcnow()}
    if fee_cents is None:
        session.execute(
            update(DeliveryArea)
            .where(
                DeliveryArea.store_id == bound_store(),
                DeliveryArea.area.in_(slugs),
                DeliveryArea.is_active,
            )
            .values(is_active=False, **now)
            .execution_options(synchronize_session=False)
        )
        return
    statement = insert(DeliveryArea).values(
        [
            {
                "id": new_id(),
                "store_id": bound_store(),
                "area": slug,
                "fee_cents": fee_cents,
                "minutes": DEFAULT_PROMISE_TERMS[band].minutes,
                **now,
            }
            for slug in slugs
        ]
    )
    session.execute(
        statement.on_conflict_do_update(
            index_elements=["store_id", "area"],
            set_={"fee_cents": fee_cents, "is_active": True, **now},
            where=(DeliveryArea.fee_cents != fee_cents) | DeliveryArea.is_active.is_(False),
        )
    )
