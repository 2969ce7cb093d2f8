"""Opening a shop from a phone: every step, coming back, and those who would misuse it."""

from __future__ import annotations

import contextvars
import html
import io
import re
import secrets
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from PIL import Image
from sqlalchemy import delete, func, select
from werkzeug.datastructures import FileStorage
from werkzeug.test import TestResponse, encode_multipart

from app.db.engine import db, platform_session
from app.db.tenancy import PLATFORM_STORE, inside_store
from app.domain.catalog.kinds import attributes_of
from app.domain.catalog.models import Category, Product, ProductImage
from app.domain.delivery.models import DeliveryArea
from app.domain.messaging.models import Message
from app.domain.onboarding.models import Onboarding
from app.domain.orders.models import Order
from app.domain.payments.models import PaymentSettings
from app.domain.people.models import Membership, Person, RateCounter
from app.domain.people.sessions import start_session
from app.domain.stores.actions import add_membership, add_person, create_store
from app.domain.stores.models import Store
from config import Settings
from tests.conftest import ROOT, store_client
from tests.phones import any_phone
from tests.web.backoffice.conftest import Desk, platform_client

TEST_KEYS = {
    "mpesa_test_shortcode": "174379",
    "mpesa_test_consumer_key": "key of a test",
    "mpesa_test_consumer_secret": "secret of a test",
    "mpesa_test_passkey": "passkey of a test",
}

# What tells one of a kind's goods from another, and therefore narrows its lists.
FILTERS = {
    "electronics": {"storage", "ram"},
    "fashion": {"size", "shoe_size", "colour"},
    "watches": {"movement", "strap", "water"},
    "home": {"material", "capacity", "bed_size"},
    "mixed": {"storage", "size", "movement"},
}


def new_name() -> str:
    return f"Pendo {secrets.token_hex(4)} Kitchen"


class Owner:
    """Somebody on the way to a shop, without JavaScript and without an e-mail address."""

    def __init__(self, app: Flask, phone: str | None = None) -> None:
        self.desk = Desk(platform_client(app), Store(slug="none", name=""))
        self.phone = phone or f"0{any_phone()[4:]}"

    @property
    def client(self) -> FlaskClient:
        return self.desk.client

    def read(self, path: str) -> str:
        answer = self.client.get(path)
        assert answer.status_code == 200, (path, answer.status_code, answer.headers)
        return html.unescape(answer.text)

    def send(self, page: str, action: str, **fields: object) -> TestResponse:
        path, hidden = self.desk.form(page, action)
        boundary, body = encode_multipart(hidden | fields)  # leaves no file open
        return self.client.post(
            path, data=body, content_type=f"multipart/form-data; boundary={boundary}"
        )

    def follow(self, answer: TestResponse) -> str:
        assert answer.status_code == 303, (answer.status_code, answer.text[:800])
        return self.read(answer.headers["Location"])

    def prove_phone(self) -> str:
        """Phone and code; returns the page of the step that follows."""
        page = self.send(
            self.read("/open-a-shop/"), "/code", phone=self.phone, name="Wanjiru Kamau"
        )
        assert page.status_code == 200, page.text[:500]
        answer = self.send(page.text, "/check", code=newest_code())
        return self.follow(answer)

    def open_shop(self, name: str | None = None, kind: str = "home", **fields: object) -> str:
        """Everything up to the shop's name; returns its slug."""
        page = self.prove_phone()
        page = self.follow(self.send(page, "/kind", kind=kind))
        answer = self.send(page, "/name", name=name or new_name(), slug="", hue="150", **fields)
        assert answer.status_code == 303, answer.text[:3000]
        found = re.fullmatch(r"/dash/([a-z0-9-]+)/open/goods", answer.headers["Location"])
        assert found is not None, answer.headers["Location"]
        return found[1]


def newest_code() -> str:
    with inside_store(PLATFORM_STORE):
        db.session.rollback()
        body = db.session.scalars(
            select(Message).where(Message.kind == "otp").order_by(Message.id.desc())
        ).first()
        assert body is not None
        found = re.search(r"\b[0-9]{6}\b", body.body)
        db.session.remove()
    assert found is not None
    return found[0]


def store_of(slug: str) -> Store:
    with platform_session() as session:
        store = session.scalars(select(Store).where(Store.slug == slug)).one()
        session.expunge(store)
    return store


def photo(colour: str = "#aa5533") -> io.BytesIO:
    file = io.BytesIO()
    Image.new("RGB", (640, 480), colour).save(file, "JPEG")
    file.seek(0)
    return file


@pytest.fixture
def here(app: Flask) -> Iterator[None]:
    """Look into the database between the requests."""
    with app.app_context():
        yield
        db.session.remove()


@pytest.fixture
def owner(app: Flask, here: None, with_test_keys: None) -> Owner:
    return Owner(app)


@pytest.fixture
def with_test_keys(app: Flask) -> Iterator[None]:
    """This installation has an account at the provider's test system."""
    from dataclasses import replace

    before: Settings = app.config["SETTINGS"]
    app.config["SETTINGS"] = replace(before, **TEST_KEYS)  # type: ignore[arg-type]
    yield
    app.config["SETTINGS"] = before


# -- the way through ----------------------------------------------------------------------


@pytest.mark.row("T7")
def test_a_new_owner_opens_a_live_shop_with_no_email_address(app: Flask, owner: Owner) -> None:
    slug = owner.open_shop("Pendo's Kitchen & Home " + secrets.token_hex(3), chat="yes")

    store = store_of(slug)
    assert store.kind == "home"
    assert store.colour_hue == 150
    assert store.code_prefix == "PKH"
    assert store.whatsapp == "+254" + owner.phone[1:]
    with platform_session() as session:
        person = session.scalars(select(Person).order_by(Person.id.desc()).limit(1)).one()
        assert (person.name, person.email) == ("Wanjiru Kamau", None)
    shop = store_client(app, store).get("/")
    assert shop.status_code == 200
    assert store.name in html.unescape(shop.text)
    assert owner.client.get(f"/dash/{slug}/").status_code == 200


@pytest.mark.row("N4", "W28")
@pytest.mark.parametrize("kind", ["electronics", "fashion", "watches", "home", "mixed"])
def test_a_new_shop_of_each_kind_has_its_groups_at_once(
    app: Flask, owner: Owner, kind: str
) -> None:
    slug = owner.open_shop(kind=kind)

    with inside_store(store_of(slug).id):
        groups = db.session.scalars(select(Category)).all()
        filters = {one.key for group in groups for one in attributes_of(group) if one.is_filter}
        charts = [group.size_chart for group in groups if group.size_chart]
        db.session.remove()
    assert len(groups) >= 3
    assert FILTERS[kind] <= filters
    assert charts or kind not in ("fashion", "mixed")
    assert len(re.findall("<option", owner.read(f"/dash/{slug}/open/goods"))) > 3


@pytest.mark.row("N40")
def test_no_step_asks_for_more_than_seven_things(owner: Owner) -> None:
    pages = {"phone": owner.read("/open-a-shop/")}
    pages["kind"] = owner.prove_phone()
    pages["name"] = owner.follow(owner.send(pages["kind"], "/kind", kind="home"))
    answer = owner.send(pages["name"], "/name", name=new_name(), slug="", hue="150")
    slug = answer.headers["Location"].split("/")[2]
    for step in ("goods", "areas", "till", "test"):
        pages[step] = owner.read(f"/dash/{slug}/open/{step}")

    for step, page in pages.items():
        shown = re.findall(r"<(?:input|select|textarea)\b[^>]*>", page)
        fields = {
            re.search(r'name="([^"]*)"', tag)[1]  # type: ignore[index]
            for tag in shown
            if 'type="hidden"' not in tag
        }
        assert 1 <= len(fields) <= 7, (step, fields)
        assert re.search(r"Step \d of 7", page), step
        assert "minute" in page


def test_a_shop_is_filled_step_by_step(owner: Owner) -> None:
    slug = owner.open_shop()
    base = f"/dash/{slug}/open"
    page = owner.read(f"{base}/goods")

    page = owner.follow(
        owner.send(
            page,
            "/goods",
            name="Steel flask, 1 litre",
            price="1,250",
            stock="4",
            photo=FileStorage(photo(), "IMG_1.jpg"),
        )
    )
    assert "Steel flask" in page
    assert "Product 2 of 5" in page
    page = owner.follow(owner.send(page, "/goods/next"))
    page = owner.follow(
        owner.send(page, "/areas", fee_A="150", fee_B="200", place="Stall B14, Tom Mboya Street")
    )
    page = owner.follow(owner.send(page, "/till", kind="till", number="522 533"))
    assert "0" + owner.phone[1:4] in page  # the number is filled in, not asked again
    assert "Place the test order" in page

    store = store_of(slug)
    assert store.place == "Stall B14, Tom Mboya Street"
    with inside_store(store.id):
        product = db.session.scalars(select(Product)).one()
        assert product.variants[0].price_cents == 1250_00
        assert product.variants[0].on_hand == 4
        assert db.session.scalars(select(ProductImage)).one().status == "waiting"
        fees = dict(
            db.session.execute(
                select(DeliveryArea.area, DeliveryArea.fee_cents).where(DeliveryArea.is_active)
            ).all()
        )
        assert fees["nairobi-cbd"] == 150_00
        assert fees["kilimani"] == 200_00
        assert "rongai" not in fees  # its band's fee was left empty
        wanted = db.session.scalars(select(Onboarding)).one()
        assert (wanted.wanted_kind, wanted.wanted_number) == ("till", "522533")
        keys = db.session.scalars(select(PaymentSettings)).one()
        assert (keys.mode, keys.shortcode) == ("test", TEST_KEYS["mpesa_test_shortcode"])
        db.session.remove()


def test_the_test_order_is_an_order_of_this_shop(owner: Owner) -> None:
    slug = owner.open_shop()
    page = owner.read(f"/dash/{slug}/open/test")

    page = owner.follow(owner.send(page, "/test", phone=owner.phone))

    assert "Order placed" in page
    with inside_store(store_of(slug).id):
        order = db.session.scalars(select(Order)).one()
        assert order.total_cents == 10_00
        assert order.customer_name == "Test order"
        db.session.remove()
    shop = store_client(owner.client.application, store_of(slug)).get("/")
    assert "Test item" not in shop.text  # shoppers never see it


def test_without_a_test_account_the_shop_opens_and_says_so(app: Flask, here: None) -> None:
    owner = Owner(app)
    slug = owner.open_shop()

    page = owner.read(f"/dash/{slug}/open/test")

    assert "Test payments are not set up here yet" in page
    assert "Place the test order" not in page


def test_everybody_sees_that_a_new_shop_takes_no_real_money(app: Flask, owner: Owner) -> None:
    slug = owner.open_shop()
    page = owner.read(f"/dash/{slug}/open/goods")
    owner.send(page, "/goods", name="Steel flask", price="500", stock="3")
    shopper = store_client(app, store_of(slug))
    with inside_store(store_of(slug).id):
        sku = db.session.scalars(select(Product)).one().variants[0].sku
        db.session.remove()

    shopper.post("/cart/lines", data={"sku": sku, "quantity": "1"})

    assert "No real money moves" in html.unescape(shopper.get("/checkout").text)


# -- sharing --------------------------------------------------------------------------------


def test_the_link_is_shared_as_words_and_as_a_picture(owner: Owner) -> None:
    slug = owner.open_shop()

    page = owner.read(f"/dash/{slug}/open/done")

    assert f"{slug}.localhost" in page
    assert "<svg" in page
    assert f"https://wa.me/254{owner.phone[1:]}?text=" in page
    poster = owner.read(f"/dash/{slug}/open/poster")
    assert "<svg" in poster
    assert "style=" not in poster + page
    file = owner.client.get(f"/dash/{slug}/open/qr.svg")
    assert file.mimetype == "image/svg+xml"
    assert file.data.startswith(b"<?xml")


# -- leaving and coming back ------------------------------------------------------------------


def sign_in_anew(app: Flask, owner: Owner) -> Owner:
    """The same person in another browser, by the ordinary sign-in."""
    with inside_store(PLATFORM_STORE):
        db.session.execute(delete(RateCounter))  # a minute later
        db.session.commit()
        db.session.remove()
    again = Owner(app, owner.phone)
    page = again.send(again.read("/sign-in"), "/sign-in/code", phone=owner.phone).text
    answer = again.send(page, "/sign-in/check", code=newest_code())
    assert answer.status_code == 303
    again.landed = again.client.get(answer.headers["Location"])  # type: ignore[attr-defined]
    return again


@pytest.mark.row("N41")
def test_whoever_comes_back_goes_on_at_the_open_step(app: Flask, owner: Owner) -> None:
    page = owner.prove_phone()
    back = sign_in_anew(app, owner)
    assert back.landed.headers["Location"] == "/open-a-shop/kind"  # type: ignore[attr-defined]

    owner.send(page, "/kind", kind="fashion")
    back = sign_in_anew(app, owner)
    assert back.landed.headers["Location"] == "/open-a-shop/name"  # type: ignore[attr-defined]

    answer = back.send(back.read("/open-a-shop/name"), "/name", name=new_name(), slug="")
    slug = answer.headers["Location"].split("/")[2]
    owner.send(owner.read(f"/dash/{slug}/open/goods"), "/goods/next")
    back = sign_in_anew(app, owner)
    assert back.landed.headers["Location"] == f"/dash/{slug}/open/"  # type: ignore[attr-defined]
    resumed = back.client.get(f"/dash/{slug}/open/")
    assert resumed.headers["Location"] == f"/dash/{slug}/open/areas"

    back.send(back.read(f"/dash/{slug}/open/done"), "/leave")
    back = sign_in_anew(app, owner)
    assert back.landed.headers["Location"] == f"/dash/{slug}/"  # type: ignore[attr-defined]


def test_going_back_shows_what_was_said(owner: Owner) -> None:
    name = new_name()
    slug = owner.open_shop(name)
    base = f"/dash/{slug}/open"
    owner.send(owner.read(f"{base}/areas"), "/areas", fee_A="170", place="Luthuli Avenue")
    owner.send(owner.read(f"{base}/till"), "/till", kind="paybill", number="400200")

    assert f'value="{name}"' in owner.read(f"{base}/name")
    assert re.search(r'value="home"[^>]* checked', owner.read(f"{base}/kind"))
    areas = owner.read(f"{base}/areas")
    assert re.search(r'name="fee_A"[^>]* value="170"', areas)
    assert re.search(r'name="fee_B"[^>]* value=""', areas)  # left empty: not delivered
    assert 'value="Luthuli Avenue"' in areas
    assert 'value="400200"' in owner.read(f"{base}/till")

    renamed = owner.send(owner.read(f"{base}/name"), "/name", name=name + " 2", hue="30")
    assert renamed.status_code == 303
    assert store_of(slug).name == name + " 2"
    assert store_of(slug).slug == slug


def test_a_shop_whose_setting_up_was_cut_off_gets_the_rest(owner: Owner) -> None:
    slug = owner.open_shop()
    fresh = f"s{secrets.token_hex(4)}"
    with platform_session() as session:  # the first transaction of the name step, and no other
        owners = select(Membership.person_id).where(Membership.store_id == store_of(slug).id)
        person_id = session.scalars(owners).one()
        cut = create_store(session, slug=fresh, name="Cut off", host_suffix=".localhost")
        add_membership(session, store_id=cut, person_id=person_id, role="owner")

    owner.read(f"/dash/{fresh}/open/goods")

    with inside_store(cut):
        assert db.session.scalars(select(Onboarding)).one()
        assert db.session.scalars(select(PaymentSettings)).one()
        db.session.remove()


# -- misuse -------------------------------------------------------------------------------------


def test_a_form_posted_twice_opens_one_shop(app: Flask, owner: Owner) -> None:
    page = owner.follow(owner.send(owner.prove_phone(), "/kind", kind="home"))
    name = new_name()
    path, hidden = owner.desk.form(page, "/name")
    cookies = {
        cookie.key: cookie.value
        for cookie in owner.client._cookies.values()  # type: ignore[attr-defined]
    }

    def post(_: int) -> TestResponse:
        client = platform_client(app)
        for key, value in cookies.items():
            client.set_cookie(key, value, domain="localhost", secure=True)
        return contextvars.Context().run(
            client.post, path, data=hidden | {"name": name, "slug": "", "hue": "30"}
        )

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(post, range(4)))

    assert {answer.status_code for answer in answers} == {303}
    assert len({answer.headers["Location"] for answer in answers}) == 1
    with platform_session() as session:
        assert session.scalar(select(func.count()).where(Store.name == name)) == 1


def test_two_people_who_want_one_name_at_once(app: Flask, owner: Owner) -> None:
    slug = f"s{secrets.token_hex(5)}"
    owners = [owner, Owner(app)]
    pages = [one.follow(one.send(one.prove_phone(), "/kind", kind="home")) for one in owners]

    def post(n: int) -> int:
        answer = contextvars.Context().run(
            owners[n].send, pages[n], "/name", name=f"Duka {n}", slug=slug, hue="30"
        )
        return answer.status_code

    with ThreadPoolExecutor(2) as pool:
        answers = sorted(pool.map(post, range(2)))

    assert answers == [303, 422]
    with platform_session() as session:
        assert session.scalar(select(func.count()).where(Store.slug == slug)) == 1


def test_no_name_of_a_demo_store_is_in_the_product() -> None:
    """Any shop that signs up is treated as the demo stores are."""
    from local.demo.catalogue import STORES

    words = {store.slug for store in STORES} | {"local.demo"}
    for folder in ("app", "templates", "tasks"):
        for path in (ROOT / folder).rglob("*"):
            if path.suffix in (".py", ".html"):
                text = path.read_text()
                assert not [word for word in words if word in text], path


@pytest.mark.parametrize(
    "slug",
    [
        pytest.param("admin", id="the platform's"),
        pytest.param("safaricom", id="a name people trust"),
        pytest.param("dukani-support", id="pretends to be us"),
        pytest.param("xn--dukan-9va", id="punycode"),
        pytest.param("d\u0443kani-shop2", id="a Cyrillic letter"),
        pytest.param("a", id="too short"),
        pytest.param("-pendo", id="hyphen first"),
        pytest.param("pen--do", id="two hyphens"),
        pytest.param("pendo.evil", id="a dot"),
        pytest.param("pendo/../ops", id="a path"),
        pytest.param("p" * 60, id="too long"),
    ],
)
def test_a_web_name_that_could_deceive_is_refused(owner: Owner, slug: str) -> None:
    page = owner.follow(owner.send(owner.prove_phone(), "/kind", kind="home"))
    name = new_name()

    answer = owner.send(page, "/name", name=name, slug=slug, hue="30")

    assert answer.status_code == 422
    assert f'value="{name}"' in html.unescape(answer.text)  # nothing is asked twice
    with platform_session() as session:
        assert session.scalar(select(func.count()).where(Store.name == name)) == 0


def test_a_taken_name_brings_free_ones(owner: Owner, store: Store) -> None:
    page = owner.follow(owner.send(owner.prove_phone(), "/kind", kind="home"))

    live = owner.read(f"/open-a-shop/name/check?name=x&slug={store.slug}")
    answer = owner.send(page, "/name", name="Duka", slug=store.slug, hue="30")

    for text in (live, answer.text):
        assert "taken" in text
        assert f'value="{store.slug}-nairobi"' in text
    tapped = owner.send(page, "/name", name="Duka", slug="x", offered=f"{store.slug}-nairobi")
    assert f'name="slug" value="{store.slug}-nairobi"' in tapped.text
    assert "is free" in tapped.text
    assert 'value="Duka"' in tapped.text
    free = owner.read("/open-a-shop/name/check?name=Njeri%27s%20Caf%C3%A9%20zq&slug=")
    assert "njeris-cafe-zq.localhost" in free
    assert "is free" in free


def test_a_name_is_not_looked_up_for_strangers(owner: Owner) -> None:
    assert owner.client.get("/open-a-shop/name/check?slug=pendo").status_code == 404


def test_one_person_opens_three_shops_a_day(owner: Owner) -> None:
    owner.open_shop()
    for _ in range(2):
        page = owner.follow(owner.send(owner.read("/open-a-shop/kind"), "/kind", kind="home"))
        assert owner.send(page, "/name", name=new_name(), slug="").status_code == 303
    page = owner.follow(owner.send(owner.read("/open-a-shop/kind"), "/kind", kind="home"))

    fourth = owner.send(page, "/name", name=new_name(), slug="")

    assert fourth.status_code == 422
    assert "tomorrow" in fourth.text


def test_a_shop_half_opened_is_nobody_elses(app: Flask, owner: Owner) -> None:
    slug = owner.open_shop()
    with platform_session() as session:
        stranger = add_person(session, name="Otieno", email=f"{secrets.token_hex(5)}@duka.example")
    client = platform_client(app)
    client.set_cookie(
        "__Host-staff", start_session(stranger, "test"), domain="localhost", secure=True
    )

    for step in ("", "name", "goods", "areas", "till", "test", "done", "poster", "test/now"):
        assert client.get(f"/dash/{slug}/open/{step}").status_code == 404, step
    assert platform_client(app).get(f"/dash/{slug}/open/goods").status_code == 303


@pytest.mark.row("W5", "T6")
def test_a_wrong_code_five_times_locks_it_and_a_code_works_once(owner: Owner) -> None:
    page = owner.send(owner.read("/open-a-shop/"), "/code", phone=owner.phone, name="A").text
    right = newest_code()
    wrong = "000000" if right != "000000" else "111111"
    for _ in range(5):
        assert owner.send(page, "/check", code=wrong).status_code == 422

    locked = owner.send(page, "/check", code=right)

    assert locked.status_code == 422
    assert "does not work any more" in locked.text
    again = Owner(owner.client.application)
    page = again.send(again.read("/open-a-shop/"), "/code", phone=again.phone, name="A").text
    code = newest_code()
    assert again.send(page, "/check", code=code).status_code == 303
    assert again.send(page, "/check", code=code).status_code == 422


def test_codes_are_limited_for_one_phone(owner: Owner) -> None:
    page = owner.read("/open-a-shop/")
    assert owner.send(page, "/code", phone=owner.phone, name="A").status_code == 200

    second = owner.send(page, "/code", phone=owner.phone, name="A")

    assert second.status_code == 429
    assert int(second.headers["Retry-After"]) >= 1


@pytest.mark.parametrize(
    ("data", "filename"),
    [
        pytest.param(b"MZ\x90\x00 not a photo at all", "setup.jpg", id="a program"),
        pytest.param(b"\xff\xd8\xff\xe0" + b"\0" * 400, "half.jpg", id="a cut JPEG"),
        pytest.param(b"<svg xmlns='http://www.w3.org/2000/svg'/>", "x.svg", id="SVG"),
        pytest.param(b"\xff\xd8\xff" + b"j" * (9 * 2**20), "big.jpg", id="9 MB"),
    ],
)
def test_a_file_that_is_no_photo_never_holds_up_the_product(
    owner: Owner, data: bytes, filename: str
) -> None:
    slug = owner.open_shop()
    page = owner.read(f"/dash/{slug}/open/goods")

    page = owner.follow(
        owner.send(
            page,
            "/goods",
            name="Steel flask",
            price="500",
            stock="2",
            photo=FileStorage(io.BytesIO(data), filename),
        )
    )

    assert "Product 2 of 5" in page
    assert "Steel flask" in page


def test_an_iphone_photo_is_explained(owner: Owner, shared_dir: Path) -> None:
    slug = owner.open_shop()
    heic = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + b"\0" * 600

    page = owner.follow(
        owner.send(
            owner.read(f"/dash/{slug}/open/goods"),
            "/goods",
            name="Steel flask",
            price="500",
            stock="2",
            photo=FileStorage(io.BytesIO(heic), "IMG_5195.HEIC"),
        )
    )

    assert "is saved without a photo" in page
    assert "HEIC" in page


def test_a_product_posted_twice_is_one(owner: Owner) -> None:
    slug = owner.open_shop()
    page = owner.read(f"/dash/{slug}/open/goods")
    for _ in range(2):
        answer = owner.send(page, "/goods", name="Steel flask", price="500", stock="2")
        assert answer.status_code == 303

    with inside_store(store_of(slug).id):
        assert db.session.scalar(select(func.count()).select_from(Product)) == 1
        db.session.remove()


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"name": "", "price": "500"}, "Give it a name"),
        ({"name": "Flask", "price": "0"}, "whole shillings"),
        ({"name": "Flask", "price": "12.50"}, "whole shillings"),
        ({"name": "Flask", "price": "five hundred"}, ""),
        ({"name": "Flask", "price": "500", "stock": "-1"}, "How many"),
        ({"name": "Flask", "price": "500", "stock": "1e9"}, "How many"),
    ],
)
def test_a_product_that_cannot_be_sold_is_explained_beside_its_field(
    owner: Owner, fields: dict[str, str], said: str
) -> None:
    slug = owner.open_shop()

    answer = owner.send(owner.read(f"/dash/{slug}/open/goods"), "/goods", **fields)

    assert answer.status_code == 422
    assert said in answer.text
    assert 'aria-invalid="true"' in answer.text


@pytest.mark.parametrize(
    "number", ["", "12", "12345678", "12a456", "\u0661\u0662\u0663\u0664\u0665"]
)
def test_a_till_number_is_five_to_seven_digits(owner: Owner, number: str) -> None:
    slug = owner.open_shop()

    answer = owner.send(owner.read(f"/dash/{slug}/open/till"), "/till", kind="till", number=number)

    assert answer.status_code == 422
    assert "5 to 7 digits" in answer.text
