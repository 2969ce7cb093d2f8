"""What the fuzzer aims at: a store with something behind every kind of address, and a neighbour.

Each pass adds fresh rows, because requests of the pass before cancelled, delivered and
emptied what they hit.
"""

from __future__ import annotations

import io
import random
import secrets
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from uuid import UUID

from flask import Flask
from itsdangerous import URLSafeTimedSerializer
from PIL import Image, ImageDraw
from sqlalchemy import select

from app.db.engine import db, platform_session
from app.db.tenancy import inside_store
from app.domain.cart.models import CartLine
from app.domain.catalog.actions import NewProduct, NewVariant, add_category, add_product
from app.domain.catalog.editing import get_variant_to_edit, set_stock
from app.domain.catalog.exporting.records import Export
from app.domain.catalog.exporting.running import make_export
from app.domain.catalog.models import StockOffer, Variant
from app.domain.catalog.waiting import ask_to_be_told
from app.domain.checkout.actions import place_order
from app.domain.customers.actions import find_or_add_customer, start_shopper_session
from app.domain.customers.models import SavedNumber
from app.domain.customers.numbers import save_number
from app.domain.delivery.actions import serve_area
from app.domain.delivery.areas import all_areas
from app.domain.delivery.models import DeliveryArea
from app.domain.insights.actions import LOWER_FEE
from app.domain.insights.models import Nudge
from app.domain.loyalty.models import PointMove
from app.domain.media.actions import add_photo, store_picture
from app.domain.orders import actions as orders
from app.domain.orders.models import Order
from app.domain.orders.queries import get_rider
from app.domain.pages.actions import add_page
from app.domain.payments.beginning import latest_attempt
from app.domain.payments.models import ReviewItem
from app.domain.payments.reviews import open_review
from app.domain.people.invitations import invite, link_of
from app.domain.people.sessions import devices_of, start_session
from app.domain.promotions.actions import add_group, add_member, save_promotion
from app.domain.promotions.models import GroupMember
from app.domain.restock.actions import offer_to_waiting
from app.domain.stores.actions import add_membership, add_person, create_store
from app.domain.stores.models import Store
from app.ids import new_token, token_hash
from app.vault import vault
from tests.builders import fill_form, make_cart, make_payment_settings
from tests.phones import any_phone

AREAS = ("kilimani", "westlands", "lavington")
SHEET = b"Name,Price,Stock,SKU\nMaize flour,210,5,UNGA-%d\nSugar,not a price,2,SUKARI\n"


@dataclass
class Aim:
    """One store: real values by what they are for, and the cookies of its people."""

    slug: str
    store_id: int
    owner_id: UUID
    values: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    owner: str = ""  # the cookies of the owner, of a shopper, and of some carts
    shopper: str = ""
    carts: list[str] = field(default_factory=list)

    @property
    def host(self) -> str:
        return f"{self.slug}.localhost"


def open_aim(app: Flask, name: str, keys: dict[str, str] | None = None) -> Aim:
    """Make a store with goods, areas, a rider, an owner and a shopper who proved their phone.

    ``keys`` are M-Pesa's where workers run that will use them.
    """
    slug = f"f{secrets.token_hex(5)}"
    with platform_session() as session:
        store_id = create_store(
            session,
            slug=slug,
            name=name,
            code_prefix="FZ",
            host_suffix=".localhost",
            accepts_pay_on_delivery=True,
        )
        person = add_person(session, name="Achieng wa Duka", email=f"{slug}@duka.example")
        add_membership(session, store_id=store_id, person_id=person, role="owner")
    aim = Aim(slug, store_id, person)
    with at(app, aim):
        _stock_up(app, aim, keys)
        db.session.commit()
    return aim


@contextmanager
def at(app: Flask, aim: Aim) -> Iterator[None]:
    """Inside this store, as its own role."""
    with app.app_context(), inside_store(aim.store_id):
        try:
            yield
        finally:
            db.session.remove()


def _stock_up(app: Flask, aim: Aim, keys: dict[str, str] | None) -> None:
    session, values = db.session(), aim.values
    for area in AREAS:
        serve_area(session, area, actor="fuzz", fee_cents=250_00)
    category = add_category(session, "Tea")
    values["category"].append(category.slug)
    values["shelf"].append(add_category(session, f"Shelf of {aim.slug}").slug)
    values["store_id"].append(str(aim.store_id))
    values["link"].append(new_token())
    story = add_page(session, title=f"Story of {aim.slug}", slug="", locale="en", actor="fuzz")
    values["page"].append(story.slug)
    for n in range(3):
        product = add_product(
            session,
            NewProduct(
                name=f"Kericho tea no. {n}",
                category=category,
                options=("Size",),
                variants=[
                    NewVariant(
                        sku=f"FZ-{aim.slug}-{n}-{size}",
                        price_cents=450_00,
                        stock=1_000_000,
                        options=(size,),
                    )
                    for size in ("Small", "Big")
                ],
            ),
        )
        session.flush()
        session.refresh(product)
        values["product"].append(product.slug)
        if n == 0:  # one, so that a photo's address names the photo's own product
            values["product_id"].append(str(product.id))
            photo = add_photo(session, product.id, _jpeg(), filename="tea.jpg", actor="fuzz")
            values["photo_id"].append(str(photo.id))
        values["sku"] += [variant.sku for variant in product.variants]
        values["variant_id"] += [str(variant.id) for variant in product.variants]
    own = NewVariant(sku=f"OWN-{aim.slug}", price_cents=300_00, stock=5)
    values["own"].append(
        add_product(session, NewProduct(name=f"Basket of {aim.slug}", variants=[own])).slug
    )
    values["area"] += AREAS
    values["terms_id"] += [str(row.id) for row in session.scalars(select(DeliveryArea))]
    values["rider_id"] += [
        str(orders.add_rider(session, name="Otieno", actor="fuzz", phone=any_phone()).id),
        str(orders.add_rider(session, name="Kamau", actor="fuzz").id),
    ]
    settings = make_payment_settings(session, keys)
    token = new_token()
    settings.c2b_token_hash = token_hash(token)
    values["hook"].append(token)
    media = app.config["SETTINGS"].media_dir
    values["key"].append(store_picture(_drawing(), media_dir=media).media_key)


def refill(app: Flask, aim: Aim) -> None:
    """Fresh orders in every status, carts, questions about money, advice and parked files."""
    with at(app, aim):
        session, values = db.session(), aim.values
        store = session.get_one(Store, aim.store_id)
        variants = list(session.scalars(select(Variant).where(Variant.sku.in_(values["sku"]))))
        # Requests of the pass before may have emptied the shelf, raised a price, closed an area,
        # taken goods off sale.
        for terms in session.scalars(select(DeliveryArea)):
            terms.is_active, terms.fee_cents = True, 250_00
        for product in {variant.product for variant in variants}:
            if product.status == "archived":
                product.status = "draft"
                session.flush()
            product.status = "active"
        for variant in variants:
            variant.price_cents, variant.is_active = 450_00, True
            set_stock(session, get_variant_to_edit(session, variant.id), 1_000_000, actor="fuzz")
        placed = []
        for n in range(8):
            cart = make_cart(session, *variants[:2])
            form = fill_form(phone=any_phone(), pay_on_delivery=n > 2)
            placed.append(place_order(session, store, cart.id, form, key=new_token()))
        values["token"] = [order.token for order in placed]
        rows = [session.get_one(Order, (store.id, order.order_id)) for order in placed]
        for order in rows[:3]:
            attempt = latest_attempt(session, order.id)
            assert attempt is not None
            values["hook"].append(
                vault().open(
                    attempt.token_sealed, store_id=store.id, column="payment_attempts.token"
                )
            )
            open_review(
                session,
                "amount_differs",
                subject_id=attempt.id,
                next_action="compare_with_statement",
                order_id=order.id,
                amount_cents=100,
            )
        rider = get_rider(session, UUID(values["rider_id"][0]))
        for order in rows[4:]:
            orders.mark_packed(session, order, actor="fuzz")
        for order in rows[6:]:
            orders.give_to_rider(session, order, rider, actor="fuzz")
        values["order_id"] = [str(order.id) for order in rows]
        values["code"] = [order.code for order in rows]
        aim.carts = []
        for _ in range(4):
            cart = make_cart(session, *variants[:3])
            values["line_id"] += [
                str(line.id)
                for line in session.scalars(select(CartLine).where(CartLine.cart_id == cart.id))
            ]
            aim.carts.append(sign(app, "cart", [store.id, cart.id.hex]))
            values["cart_code"].append(cart.code)
        # Signing out is among the things that were tried.
        customer = find_or_add_customer(session, phone=any_phone(), language="en", is_verified=True)
        aim.shopper = start_shopper_session(session, customer)
        session.get_one(Store, aim.store_id).gives_points = True
        session.add(PointMove(customer_id=customer.id, points=500, reason="earned"))
        save_number(session, customer, phone=any_phone(), label="Work")
        others = [rows[0].customer_id, find_or_add_customer(session, phone=any_phone()).id]
        values["customer_id"], values["other_id"] = [str(customer.id)], [str(i) for i in others]
        values["number_id"] = [str(number.id) for number in session.scalars(select(SavedNumber))]
        _keep_for_waiting(aim, variants[0])
        _promote(aim, variants[0])
        _advise(aim)
        _export(aim)
        session.commit()
        values["item_id"] = [str(item.id) for item in session.scalars(select(ReviewItem))]
        _staff_up(aim)
        session.commit()
    aim.owner = start_session(aim.owner_id, "fuzz")
    _send_file(app, aim)
    aim.values = defaultdict(list, {name: found[-40:] for name, found in values.items()})


def _keep_for_waiting(aim: Aim, variant: Variant) -> None:
    """One unit kept for somebody who waited, behind a link that we know."""
    session = db.session()
    address = f"127.9.{secrets.randbelow(250)}.{secrets.randbelow(250)}"
    ask_to_be_told(session, variant, any_phone(), language="en", address=address)
    offer_to_waiting(session, variant.id)
    newest = select(StockOffer).order_by(StockOffer.created_at.desc(), StockOffer.id.desc())
    offer = session.scalars(newest.limit(1)).one()
    token = new_token()
    offer.token_hash = token_hash(token)
    aim.values["offer"].append(token)


def _promote(aim: Aim, variant: Variant) -> None:
    """A code nobody has, and a group with one phone in it."""
    session, values = db.session(), aim.values
    percent = {"kind": "coupon", "effect": "percent", "percent": 5, "name": "A code of ours"}
    code = {"code": f"F{secrets.token_hex(4).upper()}", "variants": [variant.id]}
    saved = save_promotion(session, None, percent | code, actor="fuzz")
    values["promotion_id"].append(str(saved.promotion.id))
    group = add_group(session, f"Resellers {secrets.token_hex(4)}", actor="fuzz")
    add_member(session, group, any_phone(), actor="fuzz")
    member = select(GroupMember.id).where(GroupMember.group_id == group.id)
    values["group_id"].append(str(group.id))
    values["member_id"].append(str(session.scalars(member).one()))


def _staff_up(aim: Aim) -> None:
    """A packer with a device, and an open invitation."""
    with platform_session() as platform:
        packer = add_person(platform, name="Njeri", email=f"{secrets.token_hex(6)}@duka.example")
        add_membership(platform, store_id=aim.store_id, person_id=packer, role="packer")
    start_session(packer, "fuzz")
    aim.values["person_id"].append(str(packer))
    aim.values["device_id"] += [str(device.id) for device in devices_of(packer)]
    facts = {"role": "packer", "channel": "link", "actor": "fuzz"}
    invitation = invite(db.session(), phone=any_phone(), **facts)
    aim.values["invitation_id"].append(str(invitation.id))
    aim.values["join"].append(link_of(invitation).rpartition("/")[2])


def _advise(aim: Aim) -> None:
    session = db.session()
    busy = {nudge.area for nudge in session.scalars(select(Nudge)) if nudge.status != "undone"}
    free = [area.slug for area in all_areas() if area.slug not in busy][:2]
    for slug in free:
        nudge = Nudge(kind=LOWER_FEE, area=slug, from_fee_cents=250_00, to_fee_cents=200_00)
        session.add(nudge)
        session.flush()
        aim.values["nudge_id"].append(str(nudge.id))


def _export(aim: Aim) -> None:
    session = db.session()
    export = Export(actor="fuzz")
    session.add(export)
    session.flush()
    aim.values["export_id"].append(str(export.id))
    session.commit()
    make_export(session, export.id)


def _send_file(app: Flask, aim: Aim) -> None:
    """Upload two files as the owner; bring one of them in."""
    client = app.test_client(use_cookies=True)
    client.set_cookie("__Host-staff", aim.owner, domain="localhost", secure=True)
    where = f"/dash/{aim.slug}/import/"
    page = client.get(where, base_url="https://localhost:8000").text
    token = token_in(page)
    options = {"base_url": "https://localhost:8000", "headers": {"Sec-Fetch-Site": "same-origin"}}
    for n in range(2):
        sheet = (io.BytesIO(SHEET % secrets.randbelow(1000)), "goods.csv")
        answer = client.post(where, data={"csrf_token": token, "file": sheet}, **options)  # type: ignore[arg-type]
        check = answer.headers["Location"]
        aim.values["import_id"].append(check.split("/")[-2])
        if n:
            client.post(check, data={"csrf_token": token}, **options)  # type: ignore[arg-type]


def token_in(page: str) -> str:
    """The CSRF token of a page's form."""
    return page.split('name="csrf_token" value="', 1)[1].split('"', 1)[0]


def sign(app: Flask, salt: str, value: object) -> str:
    """A value as this application signs it."""
    return str(URLSafeTimedSerializer(str(app.secret_key), salt=salt).dumps(value))


def nobody(rng: random.Random) -> str:
    """An id that no row has."""
    return str(UUID(int=rng.getrandbits(128), version=4))


def _jpeg() -> bytes:
    file = io.BytesIO()
    _drawing().save(file, "JPEG")
    return file.getvalue()


def _drawing() -> Image.Image:
    picture = Image.new("RGB", (640, 480), "white")
    ImageDraw.Draw(picture).ellipse((120, 80, 520, 400), fill="brown")
    return picture
