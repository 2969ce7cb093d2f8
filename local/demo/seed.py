"""Makes the demo stores: ordinary stores, written through the same functions a shop owner's are.

Past orders are loaded as rows, each through its legal statuses, with ledger and stock to
match. Passwords are random and end up in ``demo.json`` (0600) and on the terminal.
"""

from __future__ import annotations

import json
import os
import secrets
import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
from sqlalchemy import insert, text, update
from sqlalchemy.orm import Session

from app import create_app
from app.clock import utcnow
from app.db.engine import db, platform_session
from app.db.tenancy import PLATFORM_STORE, bound_store, inside_store
from app.domain.audit.actions import record
from app.domain.cart.models import Cart
from app.domain.catalog.actions import (
    NewPicture,
    NewProduct,
    NewVariant,
    add_category,
    add_product,
)
from app.domain.catalog.models import Product, StockMovement, Variant
from app.domain.customers.models import Customer
from app.domain.delivery.actions import serve_area
from app.domain.delivery.areas import get_area
from app.domain.delivery.fees import DEFAULT_FEE_CENTS
from app.domain.delivery.models import DeliveryQuote, FeeRuleRow, Rider
from app.domain.ledger.models import LedgerEntry, LedgerTx
from app.domain.media.actions import StoredPicture, store_picture
from app.domain.media.making import JPEG, WEBP
from app.domain.messaging.models import ChannelSettings
from app.domain.orders.models import Order, OrderEvent, OrderLine
from app.domain.payments.models import PaymentAttempt, PaymentIntent
from app.domain.payments.registering import save_payment_settings
from app.domain.stores.actions import add_membership, add_person, create_store
from app.domain.stores.models import Counter as StoreCounter
from app.ids import new_id, new_reference, new_token, token_hash
from app.jobs import QUEUE_OF, Topic, ask_for
from app.money import vat_included_cents
from app.vault import vault
from config import Settings
from local.demo.catalogue import STORES
from local.demo.goods import DemoProduct, DemoStore, PictureSpec
from local.demo.history import PastAttempt, PastOrder, past_trade
from local.demo.people import People, people_of
from local.demo.pictures import draw

HOME = Path(os.environ.get("DUKANI_HOME", "var"))
PICTURE_SIZE = 960  # 0.1 s each; the whole seed must stay within two minutes
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
KINDS = {"Electronics and watches": "electronics", "Fashion and home": "fashion"}
# Which moment each status is remembered by.
MOMENTS = {
    "paid": "paid_at",
    "packed": "packed_at",
    "dispatched": "dispatched_at",
    "delivered": "delivered_at",
    "cancelled": "cancelled_at",
}

PAY_INTENT = text(
    "UPDATE app.payment_intents SET status = 'succeeded', succeeded_at = :at"
    " WHERE store_id = app.store_id() AND id = :id"
)
MOVE_ATTEMPT = text(
    "UPDATE app.payment_attempts SET status = :status WHERE store_id = app.store_id() AND id = :id"
)
END_ATTEMPT = text(
    "UPDATE app.payment_attempts SET status = :status, result_code = :code, callback_result_code = :code,"
    " receipt = :receipt, confirmed_by = :by, ended_at = :at WHERE store_id = app.store_id() AND id = :id"
)


class CannotSeed(SystemExit):
    """Said in a sentence, and nothing was made."""


def main() -> int:
    settings = Settings.from_environ()
    if settings.environment == "production":
        raise CannotSeed(
            "Demo stores are not made in production. Use bin/manage platform-admin create."
        )
    app = create_app(settings, role="manage")
    with app.app_context():
        stores = [seed_store(store, settings) for store in STORES]
        _schedule_platform()
    write_sign_ins(stores)
    return 0


def seed_store(demo: DemoStore, settings: Settings) -> dict[str, Any]:
    """Make one demo store whole. Returns what a person needs to sign in."""
    people = people_of(demo.slug)
    with platform_session() as session:
        store_id = create_store(
            session,
            slug=demo.slug,
            name=demo.name,
            host_suffix=settings.store_host_suffix,
            kind=KINDS.get(demo.kind, "mixed"),
            prompt_name=demo.till_name,
            code_prefix=demo.order_prefix,
            place=demo.place,
            opening_hours={
                WEEKDAYS[o.weekday]: [f"{o.opens:%H:%M}", f"{o.closes:%H:%M}"] for o in demo.opening
            },
            phone=demo.phone,
            whatsapp=demo.whatsapp,
            colour_hue=demo.hue,
            return_days=demo.return_days,
            accepts_pay_on_delivery=demo.pay_on_delivery,
            is_vat_registered=True,
        )
        sign_ins = [_add_staff(session, store_id, member) for member in people.staff]
    with inside_store(store_id):
        session = db.session()
        _set_up_money(session, demo, settings)
        _set_up_delivery(session, demo)
        variants = _stock_up(session, demo, settings)
        riders = _hire(session, people)
        session.commit()
        _load_history(session, demo, people, variants, riders)
        for topic, every in (
            (Topic.WRITE_SITEMAP, 3600),
            (Topic.LOOK_FOR_NUDGES, 3600),
            (Topic.SWEEP_OLD_ROWS, 86_400),
        ):
            _schedule(session, topic, every)
            ask_for(session, topic, key="seed")
        record(session, "store.created", actor="demo", subject=f"store:{store_id}")
        session.commit()
        db.session.remove()
    return {
        "name": demo.name,
        "slug": demo.slug,
        "address": f"{settings.public_scheme}://{demo.slug}{settings.store_host_suffix}/",
        "staff": sign_ins,
    }


def _add_staff(session: Session, store_id: int, member: Any) -> dict[str, str]:
    password = secrets.token_urlsafe(9)
    person_id = add_person(
        session, name=member.name, phone=member.phone, email=member.email, password=password
    )
    add_membership(session, store_id=store_id, person_id=person_id, role=member.role)
    return {
        "name": member.name,
        "role": member.role,
        "phone": member.phone,
        "email": member.email,
        "password": password,
    }


# -- money, delivery, goods -------------------------------------------------------------


def _set_up_money(session: Session, demo: DemoStore, settings: Settings) -> None:
    """Ask the sandbox for the shop's keys, as an owner would ask Safaricom and Meta."""
    sandbox = os.environ.get("SANDBOX_URL", "")
    if not sandbox:
        return
    account = demo.account
    wanted: dict[str, Any] = {
        "name": demo.till_name,
        "type": account.kind,
        "shortcode": account.store_number or account.number,
    }
    if account.kind == "till":
        wanted["till_number"] = account.number
    keys = (
        httpx.post(f"{sandbox}/_sim/credentials", json=wanted, timeout=10).raise_for_status().json()
    )
    httpx.post(
        f"{sandbox}/_sim/credentials",
        json={
            "name": "Dukani SMS",
            "sms_username": settings.sms_username,
            "sms_api_key": settings.sms_api_key,
        },
        timeout=10,
    ).raise_for_status()
    save_payment_settings(
        session,
        kind=account.kind,
        shortcode=keys["shortcode"],
        till=keys["till_number"] if account.kind == "till" else None,
        consumer_key=keys["consumer_key"],
        consumer_secret=keys["consumer_secret"],
        passkey=keys["passkey"],
        actor="demo",
    )
    session.add(
        ChannelSettings(
            channel="whatsapp",
            phone_number_id=keys["whatsapp_phone_number_id"],
            token_sealed=vault().seal(
                keys["whatsapp_token"], store_id=bound_store(), column="channel_settings.token"
            ),
        )
    )


def _set_up_delivery(session: Session, demo: DemoStore) -> None:
    for terms in demo.areas:
        serve_area(session, terms.area, actor="demo", fee_cents=terms.fee_cents)
    if demo.free_over_cents:
        session.add(
            FeeRuleRow(
                position=1, kind="free_over", terms={"threshold_cents": demo.free_over_cents}
            )
        )
    session.add(
        FeeRuleRow(
            position=2,
            kind="weight_over",
            terms={"over_grams": 15_000, "fee_cents": 200_00, "is_extra": True},
        )
    )


def _stock_up(session: Session, demo: DemoStore, settings: Settings) -> dict[str, Variant]:
    drawn = iter(_draw_all(session, demo, settings))
    categories = {c.slug: add_category(session, c.name, slug=c.slug) for c in demo.categories}
    variants: dict[str, Variant] = {}
    for n, goods in enumerate(demo.products):
        pictures = [
            NewPicture(stored=next(drawn), alt=spec.alt, option_value=spec.colour_name or None)
            for spec in goods.pictures
        ]
        product = _add_goods(
            session, goods, categories[goods.category], pictures, is_featured=n % 7 == 0
        )
        variants |= {v.sku: v for v in product.variants}
    return variants


def _draw_all(session: Session, demo: DemoStore, settings: Settings) -> list[StoredPicture]:
    """Every picture of the store, in order. Commits first: a slow machine draws for longer than
    Postgres lets a transaction stay idle."""
    session.commit()
    specs = [(spec, settings.media_dir) for goods in demo.products for spec in goods.pictures]
    drawn = []
    with ProcessPoolExecutor(max_workers=os.cpu_count()) as pool:
        for picture in pool.map(_draw_and_store, specs, chunksize=2):
            drawn.append(picture)
            print(f"  {demo.name}: {len(drawn)} of {len(specs)} pictures", end="\r", flush=True)
    print()
    return drawn


def _draw_and_store(work: tuple[PictureSpec, str]) -> StoredPicture:
    """Draw one picture and keep it: the slow part of the seed, done on every core."""
    spec, media_dir = work
    picture = draw(
        spec.kind,
        spec.view,
        colours=spec.colours,
        seed=spec.seed,
        details=spec.details,
        size=PICTURE_SIZE,
    )
    # A flat drawing is smaller as WebP than as AVIF, which takes twice as long to write.
    return store_picture(picture, media_dir=media_dir, cut_ground=True, formats=(WEBP, JPEG))


def _add_goods(
    session: Session,
    goods: DemoProduct,
    category: Any,
    pictures: list[NewPicture],
    *,
    is_featured: bool,
) -> Product:
    # The first option is the one that pictures follow.
    names = sorted(goods.options, key=lambda name: name != "Colour")
    product = add_product(
        session,
        NewProduct(
            name=goods.name,
            slug=goods.slug,
            category=category,
            brand=goods.brand,
            description_html="".join(
                f"<p>{part}</p>" for part in goods.description.split("\n") if part
            ),
            options=names,
            facts=list(goods.facts.items()),
            pictures=pictures,
            warranty_months=12 if "warranty" in " ".join(goods.facts).lower() else 0,
            is_featured=is_featured,
            variants=[
                NewVariant(
                    sku=v.sku,
                    price_cents=v.price_cents,
                    compare_at_cents=v.compare_at_cents,
                    cost_cents=v.cost_cents,
                    stock=v.stock,
                    weight_grams=v.weight_grams,
                    options=[v.options[name] for name in names if name in v.options],
                )
                for v in goods.variants
            ],
        ),
        actor="demo",
    )
    session.refresh(product)
    return product


def _hire(session: Session, people: People) -> dict[str, Rider]:
    riders = {}
    for demo in people.riders:
        rider = Rider(
            id=new_id(),
            name=demo.name,
            phone_sealed=vault().seal(demo.phone, store_id=bound_store(), column="riders.phone"),
            phone_lookup=vault().lookup(demo.phone, store_id=bound_store()),
        )
        session.add(rider)
        riders[demo.phone] = rider
    session.flush()
    return riders


# -- three weeks of trade ---------------------------------------------------------------


def _load_history(
    session: Session,
    demo: DemoStore,
    people: People,
    variants: dict[str, Variant],
    riders: dict[str, Rider],
) -> None:
    fees = {a.area: DEFAULT_FEE_CENTS[get_area(a.area).band] for a in demo.areas}
    history = past_trade(demo, utcnow(), usual_fees=fees)
    customers = {c.phone: _customer_row(c) for c in people.customers}
    session.execute(insert(Customer), list(customers.values()))
    names = {v.id: v for v in variants.values()}
    loader = _Loader(session, demo, customers, variants, riders)
    for past in history.orders:
        loader.add(past)
    loader.write()
    session.add(StoreCounter(name="orders", value=max(past.number for past in history.orders)))
    carts, quotes = [], []
    for checkout in history.checkouts:
        cart_id = new_id()
        carts.append(
            {
                "id": cart_id,
                "code": new_reference(6),
                "area": checkout.area,
                "created_at": checkout.begun_at,
                "updated_at": checkout.begun_at,
                "channel": "web",
            }
        )
        quotes.append(
            {
                "id": new_id(),
                "cart_id": cart_id,
                "area": checkout.area,
                "subtotal_cents": checkout.subtotal_cents,
                "fee_cents": checkout.delivery_fee_cents,
                "reason": "",
                "created_at": checkout.begun_at,
                "expires_at": checkout.begun_at + timedelta(minutes=15),
            }
        )
        loader.link(checkout.order_number, cart_id)
    session.execute(insert(Cart), carts)
    session.execute(insert(DeliveryQuote), quotes)
    loader.write_links()
    assert names
    session.commit()


def _customer_row(demo: Any) -> dict[str, Any]:
    return {
        "id": new_id(),
        "phone_sealed": vault().seal(demo.phone, store_id=bound_store(), column="customers.phone"),
        "phone_lookup": vault().lookup(demo.phone, store_id=bound_store()),
        "name": demo.name,
        "language": "en",
        "last_area": demo.area,
        "last_landmark": demo.landmark,
    }


class _Loader:
    """Collects rows of past orders and writes them by table, each order through its legal statuses."""

    def __init__(
        self,
        session: Session,
        demo: DemoStore,
        customers: dict[str, dict[str, Any]],
        variants: dict[str, Variant],
        riders: dict[str, Rider],
    ) -> None:
        self.session = session
        self.demo = demo
        self.customers = customers
        self.variants = variants
        self.riders = riders
        self.rows: dict[Any, list[dict[str, Any]]] = {
            m: []
            for m in (
                Order,
                OrderLine,
                OrderEvent,
                PaymentIntent,
                LedgerTx,
                LedgerEntry,
                StockMovement,
            )
        }
        self.moves: list[tuple[Any, dict[str, Any]]] = []
        self.sold: Counter[UUID] = Counter()
        self.by_number: dict[int, UUID] = {}
        self.links: list[dict[str, Any]] = []

    def add(self, past: PastOrder) -> None:
        order_id, token = new_id(), new_token()
        self.by_number[past.number] = order_id
        lines = list(self._lines(order_id, past))
        first = past.events[0].status
        rider = self.riders.get(past.rider_phone or "")
        promised = past.placed_at + timedelta(hours=4)
        self.rows[Order].append(
            {
                "id": order_id,
                "code": f"{self.demo.order_prefix}-{past.number}",
                "token_hash": token_hash(token),
                "token_sealed": vault().seal(token, store_id=bound_store(), column="orders.token"),
                "customer_id": self.customers[past.customer.phone]["id"],
                "status": first,
                "payment_method": past.payment,
                "channel": "web",
                "language": "en",
                "subtotal_cents": past.subtotal_cents,
                "discount_cents": 0,
                "delivery_fee_cents": past.delivery_fee_cents,
                "rounding_cents": 0,
                "total_cents": past.total_cents,
                "vat_cents": sum(line["vat_cents"] for line in lines),
                "is_pickup": past.area is None,
                "area": past.area,
                "landmark": past.landmark,
                "customer_name": past.customer.name,
                "rider_id": rider.id if rider else None,
                "promised_at": promised,
                "placed_at": past.placed_at,
            }
        )
        self.rows[OrderLine] += lines
        self._timeline(order_id, past, rider)
        self._money(order_id, past, sum(line["vat_cents"] for line in lines))
        for event in past.events[1:]:
            moment = MOMENTS.get(event.status)
            values = {"status": event.status} | ({moment: event.at} if moment else {})
            self.moves.append(
                (
                    update(Order)
                    .where(Order.store_id == bound_store(), Order.id == order_id)
                    .values(values),
                    {},
                )
            )
        if past.is_sold:
            for line in lines:
                self.sold[line["variant_id"]] += line["quantity"]
                self.rows[StockMovement].append(
                    {
                        "id": new_id(),
                        "variant_id": line["variant_id"],
                        "quantity": -line["quantity"],
                        "reason": "sale",
                        "order_id": order_id,
                        "actor": "system",
                        "at": past.placed_at,
                    }
                )

    def _lines(self, order_id: UUID, past: PastOrder) -> Iterator[dict[str, Any]]:
        for n, line in enumerate(past.lines, start=1):
            variant = self.variants[line.sku]
            total = line.unit_price_cents * line.quantity
            yield {
                "id": new_id(),
                "order_id": order_id,
                "n": n,
                "variant_id": variant.id,
                "sku": line.sku,
                "name": variant.product.name,
                "option_text": variant.option_text,
                "quantity": line.quantity,
                "price_cents": line.unit_price_cents,
                "cost_cents": variant.cost_cents,
                "vat_rate": 16,
                "vat_cents": vat_included_cents(total, 16),
                "total_cents": total,
            }

    def _timeline(self, order_id: UUID, past: PastOrder, rider: Rider | None) -> None:
        kinds = {"pending_payment": "placed"}
        for n, event in enumerate(past.events):
            kind = "placed" if n == 0 else kinds.get(event.status, event.status)
            detail = {"amount_cents": past.total_cents} if kind == "paid" else {}
            actor = (
                "system"
                if kind in ("placed", "paid", "accepted")
                else people_of(self.demo.slug).staff[-1].name
            )
            self.rows[OrderEvent].append(
                {
                    "id": new_id(),
                    "order_id": order_id,
                    "at": event.at,
                    "kind": kind,
                    "actor": actor,
                    "channel": "mpesa" if kind == "paid" else "web",
                    "is_public": True,
                    "detail": detail,
                }
            )
            if kind == "dispatched" and rider is not None:
                self.rows[OrderEvent].append(
                    {
                        "id": new_id(),
                        "order_id": order_id,
                        "at": event.at - timedelta(minutes=3),
                        "kind": "rider_assigned",
                        "actor": actor,
                        "channel": "staff",
                        "is_public": True,
                        "detail": {"rider": rider.name},
                    }
                )

    def _money(self, order_id: UUID, past: PastOrder, vat_cents: int) -> None:
        intent_id = new_id()
        self.rows[PaymentIntent].append(
            {
                "id": intent_id,
                "order_id": order_id,
                "amount_cents": past.total_cents,
                "status": "requires_payment_method",
                "created_at": past.placed_at,
                "notes": {},
            }
        )
        for attempt in past.attempts:
            attempt_id = self._attempt(order_id, intent_id, past, attempt)
            if attempt.outcome != "succeeded":
                continue
            self.moves.append(
                (
                    PAY_INTENT,
                    {"at": attempt.ended_at, "id": intent_id},
                )
            )
            tx = new_id()
            self.rows[LedgerTx].append(
                {
                    "id": tx,
                    "kind": "mpesa_payment",
                    "source_id": str(attempt_id),
                    "at": attempt.ended_at,
                }
            )
            entries = {
                "mpesa_till": past.total_cents,
                "delivery_income": -past.delivery_fee_cents,
                "vat_payable": -vat_cents,
                "sales": -(past.total_cents - past.delivery_fee_cents - vat_cents),
            }
            self.rows[LedgerEntry] += [
                {
                    "store_id": bound_store(),
                    "tx_id": tx,
                    "n": n,
                    "account": account,
                    "amount_cents": cents,
                }
                for n, (account, cents) in enumerate(
                    ((a, c) for a, c in entries.items() if c), start=1
                )
            ]

    def _attempt(
        self, order_id: UUID, intent_id: UUID, past: PastOrder, attempt: PastAttempt
    ) -> UUID:
        attempt_id, token = new_id(), new_token()
        # One open attempt per order: each is written and ended before the next one begins.
        self.moves.append(
            (
                insert(PaymentAttempt),
                {
                    "store_id": bound_store(),
                    "id": attempt_id,
                    "intent_id": intent_id,
                    "order_id": order_id,
                    "status": "created",
                    "amount_cents": past.total_cents,
                    "phone_sealed": vault().seal(
                        past.customer.phone, store_id=bound_store(), column="payment_attempts.phone"
                    ),
                    "phone_lookup": self.customers[past.customer.phone]["phone_lookup"],
                    "account_reference": new_reference(8),
                    "token_hash": token_hash(token),
                    "token_sealed": vault().seal(
                        token, store_id=bound_store(), column="payment_attempts.token"
                    ),
                    "created_at": attempt.started_at,
                    "sent_at": attempt.started_at,
                    "prompted_at": attempt.started_at,
                    "checks": 0,
                },
            )
        )
        paid = attempt.outcome == "succeeded"
        ended = {
            "status": "succeeded" if paid else "failed",
            "code": attempt.result_code,
            "receipt": attempt.receipt,
            "by": "query" if paid else None,
            "at": attempt.ended_at,
            "id": attempt_id,
        }
        for status in ("sending", "awaiting_customer"):
            self.moves.append((MOVE_ATTEMPT, {"status": status, "id": attempt_id}))
        self.moves.append((END_ATTEMPT, ended))
        return attempt_id

    def write(self) -> None:
        """Write everything. Stock is first received in full, then sold, so that movements add up."""
        if self.sold:
            movements = [
                {
                    "id": new_id(),
                    "variant_id": v,
                    "quantity": q,
                    "reason": "received",
                    "actor": "demo",
                    "at": datetime.min.replace(year=2000, tzinfo=utcnow().tzinfo),
                }
                for v, q in self.sold.items()
            ]
            self.rows[StockMovement] = movements + self.rows[StockMovement]
        for model, rows in self.rows.items():
            for row in rows:
                if model is not LedgerEntry:
                    row.setdefault("store_id", bound_store())
            if rows:
                self.session.execute(insert(model), rows)
        for statement, values in self.moves:
            self.session.execute(
                text(statement) if isinstance(statement, str) else statement, values
            )
        self.session.flush()

    def link(self, order_number: int | None, cart_id: UUID) -> None:
        if order_number is not None and order_number in self.by_number:
            self.links.append({"id": self.by_number[order_number], "cart_id": cart_id})

    def write_links(self) -> None:
        if self.links:
            self.session.execute(
                text(
                    "UPDATE app.orders SET cart_id = :cart_id WHERE store_id = app.store_id() AND id = :id"
                ),
                self.links,
            )


# -- clocks and sign-ins ----------------------------------------------------------------


def _schedule(session: Session, topic: Topic, every_seconds: int) -> None:
    session.execute(
        text(
            "INSERT INTO app.schedules (name, topic, queue, every_seconds, next_run_at)"
            " VALUES (:name, :topic, :queue, :every, now() + make_interval(secs => :every)) ON CONFLICT DO NOTHING"
        ),
        {
            "name": topic.value,
            "topic": topic.value,
            "queue": QUEUE_OF[topic].value,
            "every": every_seconds,
        },
    )


def _schedule_platform() -> None:
    with inside_store(PLATFORM_STORE):
        _schedule(db.session(), Topic.SWEEP_OLD_ROWS, 86_400)
        db.session.commit()
        db.session.remove()


def write_sign_ins(stores: list[dict[str, Any]]) -> None:
    """Write who can sign in where to ``demo.json``, readable by this user alone."""
    HOME.mkdir(parents=True, exist_ok=True)
    file = HOME / "demo.json"
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as out:
        json.dump({"stores": stores}, out, indent=1, ensure_ascii=False)


if __name__ == "__main__":
    sys.exit(main())
