from __future__ import annotations

import html
import re

import brotli
import pytest
from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from app.domain.customers.models import Customer
from app.domain.delivery.actions import change_fee, serve_area
from app.domain.delivery.queries import find_store_area
from app.domain.orders.models import Order
from app.domain.payments.models import PaymentAttempt
from app.domain.stores.models import Store
from tests.builders import make_variant
from tests.web.storefront.conftest import Shopper

HTMX = {"HX-Request": "true"}
TYPED = {"phone": "0712 345 678", "area": "kilimani", "landmark": "Blue gate", "name": ""}


def ready(client: Shopper, session: Session, *, stock: int = 5) -> None:
    """A cart with one lamp, and two areas to choose from."""
    serve_area(session, "kilimani", actor="test", fee_cents=250_00)
    serve_area(session, "westlands", actor="test", fee_cents=300_00)
    make_variant(session, name="Desk lamp", sku="LAMP", price_cents=2_200_00, stock=stock)
    session.commit()
    client.post("/cart/lines", data={"sku": "LAMP"})


def hidden(page: str) -> dict[str, str]:
    """The hidden fields of the checkout form, as a browser would send them."""
    return dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)">', page))


def words(page: str) -> str:
    """The text of a page, as somebody reads it."""
    return " ".join(
        html.unescape(re.sub(r"<[^>]+>", " ", page)).replace("\N{NO-BREAK SPACE}", " ").split()
    )


def order_from(client: Shopper, page: str, **changes: str) -> str:
    """Post the checkout form. Returns where it leads."""
    answer = client.post("/checkout", data=hidden(page) | TYPED | changes)
    assert answer.status_code == 303, answer.text
    return answer.headers["Location"]


@pytest.mark.row("N24", "N28")
def test_a_new_shopper_fills_in_four_fields_and_no_more(client: Shopper, session: Session) -> None:
    ready(client, session)
    page = client.get("/checkout").text
    fields = re.findall(
        r'<(?:input|select|textarea)[^>]*\bname="([^"]+)"',
        re.sub(r'<input type="hidden"[^>]*>', "", page),
    )
    # Beside them is one box, about offers, that may stay empty.
    assert fields == ["phone", "area", "landmark", "name", "offers"]
    assert "password" not in page


@pytest.mark.row("W15", "N27")
def test_the_button_carries_the_total_and_follows_the_area(
    client: Shopper, session: Session
) -> None:
    ready(client, session)
    page = client.get("/checkout").text
    asked = client.post("/checkout/summary", data=hidden(page) | {"area": "kilimani"}, headers=HTMX)
    assert "Pay KES 2,450 with M-Pesa" in words(asked.text)
    assert 'id="area-note" hx-swap-oob="true"' in asked.text
    assert "<html" not in asked.text
    other = client.post(
        "/checkout/summary", data=hidden(page) | {"area": "westlands"}, headers=HTMX
    )
    assert "Pay KES 2,500 with M-Pesa" in words(other.text)
    collected = client.post(
        "/checkout/summary", data=hidden(page) | {"area": "pickup"}, headers=HTMX
    )
    assert "Pay KES 2,200 with M-Pesa" in words(collected.text)


@pytest.mark.row("W15")
def test_without_javascript_update_gives_the_whole_page_with_what_was_typed(
    client: Shopper, session: Session
) -> None:
    ready(client, session)
    page = client.get("/checkout").text
    assert "<noscript>" in page
    answer = client.post("/checkout/summary", data=hidden(page) | TYPED | {"name": "Achieng"})
    assert "<html" in answer.text
    assert 'value="0712 345 678"' in answer.text
    assert "Achieng" in answer.text
    assert "Pay KES 2,450 with M-Pesa" in words(answer.text)


@pytest.mark.row("N26")
def test_the_fee_that_was_shown_is_the_fee_that_is_charged(
    client: Shopper, session: Session
) -> None:
    ready(client, session)
    client.post("/deliver-to", data={"area": "kilimani"})
    page = client.get("/checkout").text
    assert "KES 250" in words(page)
    # The owner raises the fee while the shopper types: the quote still holds.
    terms = find_store_area(session, "kilimani")
    assert terms is not None
    change_fee(session, terms.terms, 400_00, actor="owner")
    session.commit()
    where = order_from(client, page)
    order = session.scalars(select(Order)).one()
    assert (order.delivery_fee_cents, order.total_cents) == (250_00, 2_450_00)
    session.rollback()
    assert "KES 2,450" in words(client.get(where).text)


@pytest.mark.row("W16")
def test_the_same_form_posted_again_is_the_same_order(client: Shopper, session: Session) -> None:
    ready(client, session)
    client.post("/deliver-to", data={"area": "kilimani"})
    page = client.get("/checkout").text
    assert len({order_from(client, page) for _ in range(5)}) == 1
    assert session.scalar(select(func.count()).select_from(Order)) == 1
    assert session.scalar(select(func.count()).select_from(PaymentAttempt)) == 1
    session.rollback()


def test_a_price_that_changed_is_said_before_any_prompt(client: Shopper, session: Session) -> None:
    ready(client, session)
    client.post("/deliver-to", data={"area": "kilimani"})
    page = client.get("/checkout").text
    session.execute(text("UPDATE app.variants SET price_cents = 230000 WHERE sku = 'LAMP'"))
    session.commit()
    answer = client.post("/checkout", data=hidden(page) | TYPED)
    assert answer.status_code == 422
    assert "The total is now KES 2,550" in words(answer.text)
    assert "Pay KES 2,550 with M-Pesa" in words(answer.text)
    assert 'value="0712 345 678"' in answer.text
    assert session.scalar(select(func.count()).select_from(PaymentAttempt)) == 0
    session.rollback()
    assert order_from(client, answer.text).startswith("/o/")


@pytest.mark.parametrize(
    ("change", "field"),
    [
        pytest.param({"phone": "0712"}, "phone", id="a number too short"),
        pytest.param({"phone": ""}, "phone", id="no number"),
        pytest.param({"landmark": ""}, "landmark", id="no landmark"),
    ],
)
def test_a_mistake_is_shown_at_its_field_and_nothing_is_lost(
    client: Shopper, session: Session, change: dict[str, str], field: str
) -> None:
    ready(client, session)
    page = client.get("/checkout").text
    answer = client.post("/checkout", data=hidden(page) | TYPED | {"name": "Achieng"} | change)
    assert answer.status_code == 422
    assert f'id="{field}-wrong"' in answer.text
    assert 'value="Achieng"' in answer.text
    assert session.scalar(select(func.count()).select_from(Order)) == 0
    session.rollback()


def test_an_area_nobody_serves_is_said_at_the_area(client: Shopper, session: Session) -> None:
    ready(client, session)
    page = client.get("/checkout").text
    answer = client.post("/checkout", data=hidden(page) | TYPED | {"area": "mombasa"})
    assert answer.status_code == 422
    assert "does not deliver" in answer.text


def test_goods_that_sold_out_meanwhile_are_said(client: Shopper, session: Session) -> None:
    ready(client, session, stock=1)
    client.post("/deliver-to", data={"area": "kilimani"})
    page = client.get("/checkout").text
    session.execute(text("UPDATE app.variants SET reserved = 1 WHERE sku = 'LAMP'"))
    session.commit()
    answer = client.post("/checkout", data=hidden(page) | TYPED)
    assert answer.status_code == 422
    assert "sold out" in answer.text


def test_an_empty_cart_has_no_checkout(client: Shopper, store: Store) -> None:
    assert client.get("/checkout").headers["Location"] == "/cart"


@pytest.mark.row("N25")
def test_from_the_order_on_there_is_one_address(client: Shopper, session: Session) -> None:
    ready(client, session)
    client.post("/deliver-to", data={"area": "kilimani"})
    where = order_from(client, client.get("/checkout").text)
    page = client.get(where)
    assert page.headers["Cache-Control"] == "private, no-store"
    assert page.headers["X-Robots-Tag"] == "noindex"
    assert f'hx-get="{where}/payment?seen=' in page.text
    assert "07•• ••• 678" in page.text
    assert "0712" not in re.sub(r'placeholder="[^"]*"', "", page.text)
    seen = re.search(r'hx-get="([^"]+)"', page.text)
    assert seen is not None
    assert client.get(seen[1]).status_code == 304
    piece = client.get(f"{where}/payment")
    assert piece.status_code == 200
    assert "<html" not in piece.text
    assert (
        client.get(f"{where}/payment", headers={"If-None-Match": piece.headers["ETag"]}).status_code
        == 304
    )


def test_an_unknown_order_and_another_stores_look_the_same(client: Shopper, store: Store) -> None:
    answer = client.get("/o/" + "0" * 32)
    assert answer.status_code == 404
    assert client.get("/o/nonsense").status_code == 404


def test_pages_keep_nothing_but_the_names_of_goods_in_the_browsers_storage(
    client: Shopper, session: Session
) -> None:
    ready(client, session)
    page = client.get("/checkout").text
    script = re.search(r'src="(/static/store\.[^"]+)"', page)
    assert script is not None
    source = client.get(script[1])
    assert source.status_code == 200
    # What was looked at stays on the phone (store-seen.js); nothing else is ever kept there.
    kept = re.findall(r'localStorage\.\w+\("(\w+)"', source.text)
    assert len(kept) == source.text.count("localStorage")
    assert set(kept) == {"seen"}
    assert "sessionStorage" not in source.text
    assert len(brotli.compress(source.data)) < 3 * 1024
    source.close()


@pytest.mark.row("W13")
def test_a_known_shopper_types_nothing(client: Shopper, session: Session, codes: list[str]) -> None:
    ready(client, session)
    client.post("/deliver-to", data={"area": "kilimani"})
    order_from(client, client.get("/checkout").text)  # so that area and landmark are known
    sign_in(client, codes)
    client.post("/cart/lines", data={"sku": "LAMP"})
    page = client.get("/checkout").text
    assert "07•• ••• 678" in page
    assert 'name="phone"' not in page
    assert "0712" not in page
    landmark = re.search(r"<textarea[^>]*>([^<]*)</textarea>", page)
    assert landmark is not None
    assert landmark[1] == "Blue gate"
    answer = client.post(
        "/checkout", data=hidden(page) | {"area": "kilimani", "landmark": landmark[1]}
    )
    assert answer.status_code == 303
    assert session.scalar(select(func.count()).select_from(Customer)) == 1
    session.rollback()
    changed = client.get("/checkout?change=1").text
    assert 'name="phone"' in changed


@pytest.mark.row("W12")
def test_two_spellings_sign_in_to_one_profile(
    client: Shopper, session: Session, codes: list[str]
) -> None:
    sign_in(client, codes, phone="0712 345 678")
    client.post("/me/sign-out", data=hidden(client.get("/me").text))
    session.execute(text("DELETE FROM app.rate_counters"))
    session.commit()
    sign_in(client, codes, phone="+254712345678")
    assert session.scalar(select(func.count()).select_from(Customer)) == 1
    session.rollback()


@pytest.mark.row("W5")
def test_a_wrong_code_does_not_sign_in_and_a_code_works_once(
    client: Shopper, session: Session, codes: list[str]
) -> None:
    sent = client.post("/me/code", data=hidden(client.get("/me").text) | {"phone": "0712 345 678"})
    wrong = "000000" if codes[-1] != "000000" else "111111"
    for _ in range(5):
        assert (
            client.post("/me/verify", data=hidden(sent.text) | {"code": wrong}).status_code == 422
        )
    dead = client.post("/me/verify", data=hidden(sent.text) | {"code": codes[-1]})
    assert dead.status_code == 422
    assert "Ask for a new one" in dead.text


def sign_in(client: Shopper, codes: list[str], *, phone: str = "0712 345 678") -> None:
    """Prove a phone as a shopper does."""
    sent = client.post("/me/code", data=hidden(client.get("/me").text) | {"phone": phone})
    assert sent.status_code == 200, sent.text
    assert "0712" not in words(sent.text)
    answer = client.post("/me/verify", data=hidden(sent.text) | {"code": codes[-1]})
    assert answer.status_code == 303, answer.text


@pytest.fixture
def codes(session: Session, store: Store) -> list[str]:
    """The codes sent by SMS in this store, read from the outbox as the phone would get them."""
    return _Codes(session)


class _Codes(list[str]):
    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session

    def __getitem__(self, index: object) -> str:  # type: ignore[override]
        from app.domain.messaging.models import Message

        self._session.rollback()
        message = self._session.scalars(
            select(Message)
            .where(Message.kind == "otp")
            .order_by(Message.created_at.desc())
            .limit(1)
        ).one()
        code = re.search(r"\b\d{6}\b", message.body)
        assert code is not None
        self._session.rollback()
        return code[0]
