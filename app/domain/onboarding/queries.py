"""What a new shop still lacks, and where its owner goes on."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session, contains_eager, selectinload

from app.db.engine import platform_session
from app.db.tenancy import PLATFORM_STORE, bound_store
from app.domain.catalog.models import Category, Product, Variant
from app.domain.delivery.areas import BANDS, all_areas, get_area
from app.domain.delivery.fees import DEFAULT_FEE_CENTS
from app.domain.delivery.models import DeliveryArea
from app.domain.onboarding.models import Onboarding, SignUp
from app.domain.orders.models import Order
from app.domain.payments.models import PaymentSettings
from app.domain.people.models import Membership, Person
from app.domain.stores.models import Store
from app.vault import vault

MOST_GOODS = 5
MOST_PAID_CENTS = 250_000_00  # by M-Pesa in one payment
# Two places of each band that everybody knows.
KNOWN_PLACES = {
    "A": ("nairobi-cbd", "ngara"),
    "B": ("kilimani", "westlands"),
    "C": ("donholm", "roysambu"),
    "D": ("karen", "utawala"),
    "E": ("ongata-rongai", "ruiru"),
    "F": ("thika", "juja"),
}
FAR_BAND = "F"  # other towns: offered, but a new shop does not begin with them


@dataclass(frozen=True)
class WayOn:
    """Where a person goes on: a step before there is a store, or a store's own wizard."""

    step: str
    store: str | None = None


@dataclass(frozen=True)
class BandFee:
    """The areas of one distance band and what delivery there costs; None: not delivered."""

    band: str
    names: list[str]
    count: int
    fee_cents: int | None
    usual_cents: int


def way_on(person_id: UUID) -> WayOn | None:
    """The newest sign-up of a person that waits for them, or None when nothing does."""
    with platform_session() as session:
        sign_up = session.scalar(
            select(SignUp)
            .where(SignUp.person_id == person_id)
            .order_by(SignUp.created_at.desc())
            .limit(1)
        )
        if sign_up is None or sign_up.left_at is not None:
            return None
        if sign_up.opened_store is None:
            return WayOn("name" if sign_up.kind else "kind")
        slug = session.scalar(
            select(Store.slug)
            .join(Membership, Membership.store_id == Store.id)
            .where(Store.id == sign_up.opened_store, Membership.person_id == person_id)
        )
        return WayOn("goods", slug) if slug else None


def open_sign_up(session: Session, person_id: UUID) -> SignUp | None:
    """The person's sign-up that has no store yet. Through the platform's session."""
    return session.scalar(
        select(SignUp).where(SignUp.person_id == person_id, SignUp.opened_at.is_(None))
    )


def phone_of(person_id: UUID) -> str | None:
    """A person's own number in E.164, opened from its seal."""
    with platform_session() as session:
        sealed = session.scalar(select(Person.phone_sealed).where(Person.id == person_id))
    if sealed is None:
        return None
    return vault().open(sealed, store_id=PLATFORM_STORE, column="people.phone")


def next_step(session: Session, onboarding: Onboarding) -> str:
    """The first step of a store that is not behind it: goods, areas, till, test, or done."""
    if onboarding.goods_at is None:
        return "goods"
    if onboarding.areas_at is None:
        return "areas"
    if onboarding.till_at is None:
        return "till"
    order = test_order(session, onboarding)
    return "done" if order is not None and order.paid_at is not None else "test"


def test_order(session: Session, onboarding: Onboarding) -> Order | None:
    """The order the owner placed to see how it goes, as it is now."""
    if onboarding.test_order_id is None:
        return None
    return session.get(Order, (bound_store(), onboarding.test_order_id), populate_existing=True)


def first_goods(session: Session) -> list[Product]:
    """What is on the shelf, oldest first, with variants and pictures; at most a screenful."""
    return list(
        session.scalars(
            select(Product)
            .where(Product.store_id == bound_store(), Product.status == "active")
            .options(selectinload(Product.variants), selectinload(Product.images))
            .order_by(Product.created_at, Product.id)
            .limit(MOST_GOODS + 1)
        )
    )


def first_buyable(session: Session) -> Variant | None:
    """What the test order buys: the oldest product that can be bought now, with its product."""
    return session.scalars(
        select(Variant)
        .join(Variant.product)
        .where(
            Variant.store_id == bound_store(),
            Product.status == "active",
            Variant.on_hand > Variant.reserved,
            Variant.price_cents.between(1_00, MOST_PAID_CENTS),
        )
        .options(contains_eager(Variant.product))
        .order_by(Product.created_at, Product.id, Variant.position)
        .limit(1)
    ).one_or_none()


def categories(session: Session) -> list[Category]:
    """The store's own, in their order."""
    return list(
        session.scalars(
            select(Category)
            .where(Category.store_id == bound_store())
            .order_by(Category.position, Category.name)
        )
    )


def band_fees(session: Session, *, is_first_time: bool) -> list[BandFee]:
    """Every band with its fee as most of its areas have it. The first time: what is usual."""
    fees: dict[str, Counter[int]] = {band: Counter() for band in BANDS}
    band_of = {area.slug: area.band for area in all_areas()}
    rows = session.execute(
        select(DeliveryArea.area, DeliveryArea.fee_cents).where(
            DeliveryArea.store_id == bound_store(), DeliveryArea.is_active
        )
    )
    for area, fee_cents in rows:
        if area in band_of:
            fees[band_of[area]][fee_cents] += 1
    is_empty = is_first_time and not any(fees.values())
    found = []
    for band in BANDS:
        names = [get_area(slug).name for slug in KNOWN_PLACES[band]]
        count = sum(area.band == band for area in all_areas())
        usual = DEFAULT_FEE_CENTS[band]
        now = fees[band].most_common(1)[0][0] if fees[band] else None
        first = None if band == FAR_BAND else usual
        found.append(BandFee(band, names, count, first if is_empty else now, usual))
    return found


def takes_real_money(session: Session) -> bool:
    """Whether this store's own till or paybill was checked, so that payments are not tests."""
    live = select(PaymentSettings.id).where(
        PaymentSettings.store_id == bound_store(), PaymentSettings.mode == "live"
    )
    return session.scalar(live.limit(1)) is not None


def can_be_paid(session: Session) -> bool:
    """Whether the store has keys to ask M-Pesa with, real or for tests."""
    any_keys = select(PaymentSettings.id).where(PaymentSettings.store_id == bound_store())
    return session.scalar(any_keys.limit(1)) is not None
