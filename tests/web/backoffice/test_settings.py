"""What the owner says about the shop: saved in place, signed, taken back, seen at once."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from datetime import datetime, time, timedelta

import pytest
from flask import Flask
from PIL import Image
from sqlalchemy import text
from sqlalchemy.orm import Session

from app.clock import at_nairobi, business_day, nairobi, utcnow
from app.domain.checkout.actions import place_order
from app.domain.delivery.actions import serve_area
from app.domain.delivery.promises import promise_for, promise_words
from app.domain.delivery.queries import find_store_area, promise_terms
from app.domain.errors import StorePaused
from app.domain.stores.models import Store
from app.ids import new_token
from app.web.assets import colour_css
from app.web.backoffice.shell import HUES
from tests.builders import fill_form, make_cart, make_variant
from tests.web.backoffice.conftest import HTMX, Desk
from tests.web.storefront.conftest import shopper_of

SignIn = Callable[..., Desk]
SETTINGS = "/dash/<store>/settings"


def row(session: Session, store: Store) -> Store:
    session.expire_all()
    return session.get_one(Store, store.id)


SAVES = {
    "/dash/<store>/settings/shop": ({"name": "Saa na Sauti", "return_days": "14"}, "name"),
    "/dash/<store>/settings/hours": (
        {"mon-open": "yes", "mon-from": "09:00", "mon-to": "17:00"},
        "opening_hours",
    ),
    "/dash/<store>/settings/theme": ({"hue": "3", "corners": "square"}, "colour_hue"),
    "/dash/<store>/settings/pause": ({"is_paused": "yes", "words": "Tumefunga"}, "status"),
    "/dash/<store>/settings/pages/": ({"show-returns": "yes"}, "page_links"),
    "/dash/<store>/settings/pages/about/edit": (
        {"title": "Sisi", "b0-type": "text", "b0-text": "Habari", "is_published": "yes"},
        "page_links",
    ),
}


@pytest.mark.row("N99")
@pytest.mark.parametrize("path", SAVES)
def test_each_screen_saves_with_htmx_and_shows_who_changed_it_last(
    session: Session, store: Store, sign_in: SignIn, path: str
) -> None:
    typed, column = SAVES[path]
    manager = sign_in("manager", name="Achieng Otieno")
    page = manager.read(path)
    before, version = getattr(row(session, store), column), row(session, store).content_version
    assert f'hx-post="{manager.full(path)}"' in page
    assert "Changed by" not in page
    fields = {"seen": "", "back": manager.full(path), "do": "save", **typed}

    answer = manager.post(path, fields, headers=HTMX)

    assert answer.status_code == 200
    assert "<html" not in answer.text
    assert "Changed by Achieng Otieno" in answer.text
    assert 'hx-swap-oob="true"' in answer.text
    now = row(session, store)
    assert getattr(now, column) != before
    assert now.content_version > version
    assert "Changed by Achieng Otieno" in sign_in("owner").read(path)

    undone = manager.press(answer.text, "/undo")

    assert undone.headers["Location"].partition("?")[0] == manager.full(path)
    assert getattr(row(session, store), column) == before
    trail = session.scalars(
        text("SELECT action FROM app.audit_log WHERE store_id = :s"), {"s": store.id}
    ).all()
    assert any(action.endswith(".taken_back") for action in trail)


def test_every_screen_saves_without_htmx_and_says_so(
    session: Session, store: Store, owner: Desk
) -> None:
    path, fields = owner.form(owner.read(f"{SETTINGS}/shop"), "/shop")

    answer = owner.client.post(path, data=fields | {"name": "Duka Jipya", "return_days": "3"})

    assert (answer.status_code, answer.headers["Location"]) == (303, path)
    assert row(session, store).name == "Duka Jipya"
    assert "Saved. Shoppers see it now." in owner.read(f"{SETTINGS}/shop")


@pytest.mark.row("N40")
def test_first_run_shows_at_most_seven_fields_and_folds_the_rest(owner: Desk) -> None:
    page = owner.read(f"{SETTINGS}/shop")
    form = page[page.index('id="screen"') :]
    before, _summary, more = form.partition("<details")

    def fields(part: str) -> int:
        kinds = ("text", "tel", "file", "checkbox", "radio")
        return sum(part.count(f'type="{kind}"') for kind in kinds) + part.count("<textarea")

    assert 1 <= fields(before) <= 7
    assert "<summary>More</summary>" in form
    assert fields(more) >= 4
    assert "<details open" not in form


def test_what_is_wrong_is_said_beside_its_field_and_nothing_is_lost(
    session: Session, store: Store, owner: Desk
) -> None:
    typed = {"name": "", "phone": "12", "place": "Biashara Street", "return_days": "400"}

    answer = owner.post(f"{SETTINGS}/shop", typed | {"kra_pin": "P1"}, headers=HTMX)

    assert answer.status_code == 422
    for field in ("name", "phone", "return_days", "kra_pin"):
        assert f'aria-describedby="{field}-wrong"' in answer.text
    assert 'value="Biashara Street"' in answer.text
    assert 'value="400"' in answer.text
    assert "data-dirty" in answer.text
    assert '<details class="card fold" open' in answer.text
    assert row(session, store).place == ""


def test_two_people_on_one_screen_do_not_overwrite_each_other(
    session: Session, store: Store, owner: Desk, sign_in: SignIn
) -> None:
    path, fields = owner.form(owner.read(f"{SETTINGS}/shop"), "/shop")
    sign_in("manager", name="Achieng").post(
        f"{SETTINGS}/shop", {"name": "Achieng's", "return_days": "7"}
    )

    late = owner.client.post(path, data=fields | {"name": "Mine", "return_days": "7"})

    assert late.status_code == 422
    assert "Achieng saved this screen meanwhile." in late.text
    assert 'value="Mine"' in late.text
    assert row(session, store).name == "Achieng's"


def test_undo_is_refused_when_the_screen_was_changed_again(
    session: Session, store: Store, owner: Desk
) -> None:
    first = owner.post(f"{SETTINGS}/shop", {"name": "One", "return_days": "7"}, headers=HTMX)
    owner.post(f"{SETTINGS}/shop", {"name": "Two", "return_days": "7", "seen": _seen(first.text)})

    owner.press(first.text, "/undo")

    assert row(session, store).name == "Two"
    assert "This was changed again since then." in owner.read(f"{SETTINGS}/shop")


def _seen(page: str) -> str:
    return page.partition('name="seen" value="')[2].partition('"')[0]


def test_who_may_look_but_not_change_gets_a_form_without_buttons(
    session: Session, store: Store, sign_in: SignIn
) -> None:
    accountant = sign_in("accountant")

    page = accountant.read(f"{SETTINGS}/shop")

    assert "<fieldset" in page
    assert 'value="save"' not in page
    assert accountant.post(f"{SETTINGS}/shop", {"name": "Mine"}).status_code == 403
    assert sign_in("packer").get(f"{SETTINGS}/").status_code == 403


# -- opening hours --------------------------------------------------------------------------


def _promised(session: Session, store: Store, placed: datetime) -> str:
    found = find_store_area(session, "kilimani")
    assert found is not None
    return promise_words(promise_for(promise_terms(row(session, store), found), placed), placed)


def _week(**hours: tuple[str, str]) -> dict[str, str]:
    fields = {}
    for day, (opens, closes) in hours.items():
        fields |= {f"{day}-open": "yes", f"{day}-from": opens, f"{day}-to": closes}
    return fields


@pytest.mark.row("N99")
def test_a_changed_hour_changes_the_promise(session: Session, store: Store, owner: Desk) -> None:
    serve_area(session, "kilimani", actor="test")
    session.commit()
    days = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
    monday = business_day(utcnow()) + timedelta(days=7 - business_day(utcnow()).weekday())
    two_o_clock = at_nairobi(monday, time(14))
    owner.post(f"{SETTINGS}/hours", _week(**dict.fromkeys(days, ("08:00", "19:00"))))
    assert _promised(session, store, two_o_clock) == "today by 6 pm"

    page = owner.read(f"{SETTINGS}/hours")
    owner.post(
        f"{SETTINGS}/hours",
        _week(**dict.fromkeys(days, ("08:00", "13:00"))) | {"seen": _seen(page)},
    )
    assert _promised(session, store, two_o_clock) == "tomorrow by 1 pm"

    page = owner.read(f"{SETTINGS}/hours")
    tuesday = {"holiday-on-0": f"{monday + timedelta(days=1)}", "holiday-name-0": "Sikukuu"}
    late = dict.fromkeys(days, ("08:00", "13:00")) | {"wed": ("12:00", "17:00")}
    owner.post(f"{SETTINGS}/hours", _week(**late) | tuesday | {"seen": _seen(page)})
    assert _promised(session, store, two_o_clock) == "Wednesday by 2 pm"


def test_mondays_hours_are_copied_before_anything_is_saved(
    session: Session, store: Store, owner: Desk
) -> None:
    answer = owner.post(
        f"{SETTINGS}/hours", _week(mon=("07:15", "20:45")) | {"do": "copy"}, headers=HTMX
    )

    assert answer.status_code == 200
    assert answer.text.count('value="07:15"') == answer.text.count('value="20:45"') == 7
    assert "data-dirty" in answer.text
    assert row(session, store).opening_hours == {}


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ({}, "Open on one day at least."),
        (_week(mon=("19:00", "08:00")), "The shop closes after it opens."),
        (_week(mon=("8", "19:00")), "Write both times"),
        (_week(mon=("08:00", "19:00")) | {"holiday-name-0": "Sikukuu"}, "Choose the day."),
    ],
)
def test_odd_hours_are_refused_with_words(
    session: Session, store: Store, owner: Desk, typed: dict[str, str], words: str
) -> None:
    answer = owner.post(f"{SETTINGS}/hours", typed)

    assert answer.status_code == 422
    assert words in answer.text
    assert row(session, store).opening_hours == {}


# -- the look -------------------------------------------------------------------------------


def _contrast(one: str, other: str) -> float:
    def light(colour: str) -> float:
        parts = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
        red, green, blue = (
            p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts
        )
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    high, low = sorted((light(one), light(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("hue", range(0, 360, 360 // HUES))
def test_words_on_every_colour_one_can_choose_can_be_read(hue: int) -> None:
    day, _media, night = colour_css(hue).partition("@media")
    for part in (day, night):
        values = dict(
            pair.split(":") for pair in part[part.rindex(":root{") + 6 :].strip("}").split(";")
        )
        for ground in ("--store", "--store-pressed"):
            assert _contrast(values[ground], values["--on-store"]) >= 4.5, (hue, ground)


def test_the_look_is_seen_before_it_is_saved_and_then_by_shoppers(
    app: Flask, session: Session, store: Store, owner: Desk
) -> None:
    shopper = shopper_of(app, store)
    plain = shopper.get("/")
    wanted = {"hue": "2", "density": "tight", "home_layout": "list", "corners": "square"}

    preview = owner.get(f"{SETTINGS}/theme/preview", query_string=wanted)

    assert 'class="tight as-list square"' in preview.text
    assert "Nothing is saved yet." in preview.text
    assert " hx-get=" not in preview.text
    assert shopper.get("/").data == plain.data
    owner.post(f"{SETTINGS}/theme", wanted)
    page = shopper.get("/")
    assert 'class="tight as-list square"' in page.text
    assert page.headers["Content-Security-Policy"] != plain.headers["Content-Security-Policy"]
    assert "csrf_token" not in page.text
    assert row(session, store).colour_hue == 30


def test_a_logo_is_kept_small_shown_and_taken_away(
    app: Flask, session: Session, store: Store, owner: Desk
) -> None:
    out = io.BytesIO()
    Image.new("RGB", (900, 700), "#224488").save(out, "PNG")
    facts = {"name": "Duka", "return_days": "7"}

    owner.post(f"{SETTINGS}/shop", facts | {"logo": (io.BytesIO(out.getvalue()), "logo.png")})

    logo = row(session, store).logo
    assert logo is not None
    assert max(logo["width"], logo["height"]) == 320
    shopper = shopper_of(app, store)
    address = f"/media/{logo['key']}-320.webp"
    assert address in shopper.get("/").text
    assert shopper.get(address).status_code == 200
    owner.post(
        f"{SETTINGS}/shop",
        facts | {"remove_logo": "yes", "seen": _seen(owner.read(f"{SETTINGS}/shop"))},
    )
    assert row(session, store).logo is None


@pytest.mark.parametrize("data", [b"", b"GIF89a", b"<svg onload=alert(1)>", b"x" * (2 * 2**20 + 1)])
def test_a_file_that_is_no_logo_is_refused_and_nothing_is_saved(
    session: Session, store: Store, owner: Desk, data: bytes
) -> None:
    answer = owner.post(
        f"{SETTINGS}/shop",
        {"name": "Other", "return_days": "7", "logo": (io.BytesIO(data), "logo.png")},
    )

    answer.request.environ["wsgi.input"].close()  # a large body is a file to the test client
    assert answer.status_code == 422
    assert 'id="logo-wrong"' in answer.text
    assert row(session, store).name == "Duka la Majaribio"


# -- a break --------------------------------------------------------------------------------


def _buy(session: Session, store: Store) -> None:
    serve_area(session, "kilimani", actor="test")
    cart = make_cart(session, make_variant(session, sku=new_token()[:8]))
    place_order(session, row(session, store), cart.id, fill_form(), key=new_token())


def test_a_break_lets_people_look_but_not_order_and_ends_by_itself(
    app: Flask, session: Session, store: Store, owner: Desk
) -> None:
    shopper = shopper_of(app, store)
    tomorrow = nairobi(utcnow() + timedelta(days=1))
    until = f"{tomorrow:%Y-%m-%dT%H:%M}"

    owner.post(f"{SETTINGS}/pause", {"is_paused": "yes", "words": "Tuko Mombasa.", "until": until})

    page = shopper.get("/")
    assert page.status_code == 200
    assert "Tuko Mombasa. You can order again tomorrow at" in page.text
    with pytest.raises(StorePaused, match="Tuko Mombasa"):
        _buy(session, store)
    session.rollback()
    assert "The shop takes no orders now." in owner.read(f"{SETTINGS}/")

    session.execute(
        text("UPDATE app.stores SET paused_until = now() - interval '1 minute' WHERE id = :id"),
        {"id": store.id},
    )
    session.commit()
    assert "Tuko Mombasa" not in shopper.get("/").text
    _buy(session, store)


def test_checkout_says_the_break_and_shows_no_pay_button(
    app: Flask, session: Session, store: Store, owner: Desk
) -> None:
    make_variant(session, sku="TEA")
    serve_area(session, "kilimani", actor="test")
    session.commit()
    shopper = shopper_of(app, store)
    shopper.post("/cart/lines", data={"sku": "TEA"})
    form = {"phone": "0712345678", "area": "kilimani", "landmark": "Blue gate", "pay": "mpesa"}
    token = _seen_token(shopper.get("/checkout").text)
    owner.post(f"{SETTINGS}/pause", {"is_paused": "yes", "words": "Tunahesabu bidhaa."})

    answer = shopper.post("/checkout", data=form | {"csrf_token": token, "key": new_token()})

    assert answer.status_code == 422
    assert "Tunahesabu bidhaa." in answer.text
    assert 'id="pay"' not in answer.text
    assert 'value="Blue gate"' in answer.text or "Blue gate</textarea>" in answer.text


def _seen_token(page: str) -> str:
    return page.partition('name="csrf_token" value="')[2].partition('"')[0]


def test_a_break_cannot_end_in_the_past(session: Session, store: Store, owner: Desk) -> None:
    answer = owner.post(f"{SETTINGS}/pause", {"is_paused": "yes", "until": "2020-01-01T08:00"})

    assert answer.status_code == 422
    assert "That moment has passed." in answer.text
    assert row(session, store).status == "active"


def test_what_was_changed_is_in_the_audit_trail_in_words(owner: Desk) -> None:
    owner.post(f"{SETTINGS}/theme", {"hue": "5"})

    assert "The shop's look changed" in owner.read("/dash/<store>/audit/")


def test_another_store_sees_none_of_it(
    session: Session, store: Store, theirs: Store, sign_in: SignIn, owner: Desk
) -> None:
    answer = owner.post(f"{SETTINGS}/theme", {"hue": "5"}, headers=HTMX)
    path, fields = owner.form(answer.text, "/undo")
    stranger = sign_in("owner", where=theirs)

    taken = stranger.client.post(
        path.replace(store.slug, theirs.slug), data=fields | {"csrf_token": stranger.token()}
    )

    assert stranger.get(path.replace("/undo", "")).status_code == 404
    assert taken.status_code == 404
    assert row(session, store).colour_hue == 75
    assert json.loads(json.dumps(row(session, store).holidays)) == []
