"""Public pages kept as bytes: the same for everybody, never another shop's, never older than an edit."""

from __future__ import annotations

import gzip
import re
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import Any

import brotli
import psycopg
import pytest
import time_machine
from flask import Flask, request, request_started
from redis import Redis
from sqlalchemy import Connection, event, select, text
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from app import create_app
from app.db.engine import db, platform_session
from app.db.tenancy import current_store
from app.domain.catalog.actions import add_category
from app.domain.catalog.models import Product
from app.domain.delivery.actions import serve_area
from app.domain.pages.models import Page as OwnPage
from app.domain.platform.suspending import restore, suspend
from app.domain.stores.models import Store
from app.web import page_cache
from app.web.page_kinds import KINDS, kind_of
from app.web.page_versions import OVER, PageVersions
from config import Settings
from local import ports
from local.os_process import wait_until
from tests.builders import make_variant
from tests.conftest import Database
from tests.web.storefront.conftest import Shopper, shopper_of

CAR_NOON = datetime(2026, 3, 4, 9, 0, 20, tzinfo=UTC)  # a Wednesday, 12:00:20 in Nairobi


@pytest.fixture(autouse=True)
def early_in_a_minute() -> Iterator[None]:
    """A copy ends with its minute; these tests are about everything else."""
    with time_machine.travel(CAR_NOON - timedelta(seconds=15), tick=True):
        yield


@pytest.fixture
def cached(settings: Settings, redis: Redis) -> Iterator[Flask]:
    """A web process with a page cache that asks for the version each time."""
    redis.flushdb()
    with web_process(replace(settings, page_cache=True, page_cache_recheck=0)) as app:
        yield app


@contextmanager
def web_process(settings: Settings) -> Iterator[Flask]:
    """One more web process, as far as its caches and connections go."""
    app = create_app(replace(settings, platform_database_url=""))  # a process has one; it stays
    yield app
    for thread in threading.enumerate():
        if thread.name == "warm":
            thread.join(20)
    with app.app_context():
        db.engine.dispose()


@pytest.fixture
def shop(session: Session, store: Store) -> str:
    """A shop with a product, an area and a page of its own; the product's address."""
    return stocked(session)


def stocked(session: Session, *, price_cents: int = 1_200_00) -> str:
    make_variant(session, name="Clay pot", sku="POT", price_cents=price_cents, stock=9)
    serve_area(session, "kilimani", actor="test", fee_cents=250_00)
    words = {"title": "About us", "blocks": [{"type": "text", "text": "Since 1999."}]}
    session.add(OwnPage(slug="our-story", content={"en": words}, is_published=True))
    session.commit()
    return "/p/clay-pot"


@contextmanager
def rendered(app: Flask) -> Iterator[list[str]]:
    """The paths that reach Flask meanwhile."""
    seen: list[str] = []

    def note(sender: Flask, **more: object) -> None:
        seen.append(request.full_path)

    with request_started.connected_to(note, app):
        yield seen


def with_cookies(app: Flask, store: Store, cookies: str) -> Shopper:
    """A browser that sends exactly these cookies."""
    client = Shopper(app, app.response_class, use_cookies=False)
    client.host = f"{store.slug}.localhost"
    client.environ_base["HTTP_COOKIE"] = cookies
    return client


def how(answer: TestResponse) -> str:
    return answer.headers.get("X-Cache", "passed by")


@pytest.mark.row("N42", "T69")
@pytest.mark.parametrize("page", ["/", "/p/clay-pot", "/c/tea", "/search?q=pot", "/areas/kilimani"])
def test_a_page_is_made_once_and_then_sent_as_bytes(
    cached: Flask, session: Session, store: Store, shop: str, page: str
) -> None:
    from app.domain.catalog.actions import add_category

    make_variant(session, name="Kericho", sku="KER", category=add_category(session, "Tea"))
    session.commit()
    first = shopper_of(cached, store).get(page)
    with rendered(cached) as seen:
        second = shopper_of(cached, store).get(page)
        again = shopper_of(cached, store).get(
            page, headers={"If-None-Match": first.headers["ETag"]}
        )
        head = shopper_of(cached, store).head(page)

    assert (first.status_code, how(first)) == (200, "miss")
    assert (second.status_code, how(second)) == (200, "hit")
    assert second.data == first.data
    assert seen == []
    assert (again.status_code, again.data) == (304, b"")
    assert (head.status_code, head.data) == (200, b"")
    assert head.headers["Content-Length"] == second.headers["Content-Length"]
    policy = second.headers["Content-Security-Policy"]
    assert policy == first.headers["Content-Security-Policy"]
    assert "sha256-" in policy
    assert "Set-Cookie" not in first.headers


@pytest.mark.row("N42")
def test_a_page_comes_in_the_encoding_that_was_asked_for(
    cached: Flask, store: Store, shop: str
) -> None:
    def ask(accepted: str) -> TestResponse:
        return shopper_of(cached, store).get(shop, headers={"Accept-Encoding": accepted})

    plain = ask("").data
    assert b"Clay pot" in plain
    with rendered(cached) as seen:
        for accepted, encoding in {
            "gzip, deflate, br, zstd": "br",
            "gzip;q=1.0, br;q=0": "gzip",
            "BR": "br",
            "x" * 3000: None,
            "br;q=nonsense, *": None,
            "identity": None,
        }.items():
            answer = ask(accepted)
            assert answer.headers.get("Content-Encoding") == encoding, accepted
            unpack: Callable[[bytes], bytes] = {
                "br": brotli.decompress,
                "gzip": gzip.decompress,
            }.get(encoding or "", bytes)
            assert unpack(answer.data) == plain
            assert "Accept-Encoding" in answer.headers["Vary"]
    assert seen == []


# -- nobody's page becomes somebody else's ---------------------------------------------


@pytest.mark.row("N42", "N6")
def test_two_stores_never_mix_and_the_signed_in_leave_no_trace(
    cached: Flask, session: Session, store: Store, theirs: Store, shop: str
) -> None:
    token = current_store.set(theirs.id)
    session.rollback()
    make_variant(session, name="Clay pot", sku="POT", price_cents=7_777_00)
    session.commit()
    current_store.reset(token)
    ours, neighbour = shopper_of(cached, store), shopper_of(cached, theirs)
    known = shopper_of(cached, store)
    known.post("/cart/lines", data={"sku": "POT"})
    known.post("/deliver-to", data={"area": "kilimani"})
    for name in ("shopper", "session", "area", "browser"):
        known.set_cookie(f"__Host-{name}", "a" * 32, domain=known.host, secure=True)

    first = known.get(shop)
    for _ in range(2):
        assert ours.get(shop).data == first.data
        assert known.get(shop).data == first.data
        assert "7,777" in neighbour.get(shop).text
        assert "7,777" not in ours.get(shop).text
    assert "Set-Cookie" not in first.headers
    assert store.name in first.text
    assert theirs.name not in first.text


@pytest.mark.row("N6")
@pytest.mark.parametrize("is_first", [True, False], ids=["before", "after"])
def test_poisoned_headers_neither_poison_nor_split_a_page(
    cached: Flask, store: Store, shop: str, is_first: bool
) -> None:
    poison = {
        "X-Forwarded-Host": "evil.example",
        "X-Forwarded-Proto": "javascript",
        "X-Forwarded-Prefix": "/evil",
        "X-Original-URL": "/evil",
        "X-Host": "evil.example",
        "Forwarded": "host=evil.example",
        "HX-Request": "true",
        "HX-Target": "evil",
        "HX-Current-URL": "https://evil.example",
        "Range": "bytes=0-10",
        "If-Range": '"evil"',
        "If-Modified-Since": "Wed, 04 Mar 2099 00:00:00 GMT",
        "Authorization": "Bearer evil",
        "X-HTTP-Method-Override": "DELETE",
        "Save-Data": "evil",
        "Cache-Control": "no-cache, evil",
        "User-Agent": "evil",
        "Referer": "https://evil.example",
    }
    clean = None if is_first else shopper_of(cached, store).get(shop)
    bad = with_cookies(cached, store, "__Host-lang=evil; evil=1").get(shop, headers=poison)
    clean = clean or shopper_of(cached, store).get(shop)

    assert bad.status_code == 200
    assert bad.data == clean.data
    assert "evil" not in clean.text
    assert "evil" not in str(clean.headers)
    assert {how(bad), how(clean)} == {"miss", "hit"}


@pytest.mark.row("N6")
def test_junk_in_the_query_neither_splits_nor_reaches_a_page(
    cached: Flask, store: Store, shop: str
) -> None:
    client = shopper_of(cached, store)
    plain = client.get(shop)
    with rendered(cached) as seen:
        for junk in (
            "utm_source=whatsapp&fbclid=IwAR0",
            "&&&===&x",
            "option-9=evil&sort=price&q=evil",
            "%00=%ff&a-=1",
            "evil=" + "e" * 1500,
            "option-0=" + "e" * 200,
            "lang=evil",
        ):
            answer = client.get(f"{shop}?{junk}")
            assert (how(answer), answer.data) == ("hit", plain.data), junk
        assert seen == []
        for one, other in (
            ("/search?q=pot&sort=price", "/search?x=1&sort=price&q=++pot+&sort=name"),
            ("/search?q=pot&max=2000", "/search?max=2000&max=9&q=pot"),
        ):
            assert client.get(one).data == client.get(other).data
        assert [path.split("?")[1] for path in seen] == ["q=pot&sort=price", "max=2000&q=pot"]


@pytest.mark.row("N42")
def test_a_phone_number_in_the_search_is_kept_nowhere(
    cached: Flask, store: Store, shop: str, redis: Redis
) -> None:
    client = shopper_of(cached, store)
    for _ in range(2):
        assert how(client.get("/search?q=0712+345+678")) == "passed by"
    assert redis.keys("*:page:*") == []


@pytest.mark.row("N42")
def test_the_language_is_part_of_the_page(cached: Flask, store: Store, shop: str) -> None:
    def ask(path: str, accepted: str = "", cookies: str = "") -> TestResponse:
        client = with_cookies(cached, store, cookies)
        return client.get(path, headers={"Accept-Language": accepted})

    swahili = "sw-KE,sw;q=0.9,en;q=0.5"
    spoken = [
        (ask(shop), "en"),
        (ask(shop, swahili), "sw"),
        (ask(shop, cookies="__Host-lang=sw"), "sw"),
        (ask(shop, swahili, "a=1; __Host-lang=en; b=2"), "en"),
        (ask(f"{shop}?lang=sw", cookies="__Host-lang=en"), "sw"),
        (ask(f"{shop}?lang=xx", swahili), "sw"),
        (ask(shop, cookies="__Host-lang=xx"), "en"),
        (ask(shop, "fr;q=nonsense," * 50), "en"),
    ]

    assert [a.headers["Content-Language"] for a, _ in spoken] == [wanted for _, wanted in spoken]
    assert "Accept-Language" in spoken[0][0].headers["Vary"]


# -- an edit is seen at once -----------------------------------------------------------

EDITS = {
    "a product": "UPDATE app.products SET name = 'Edited'",
    "a price": "UPDATE app.variants SET price_cents = 999900",
    "a stock count": "UPDATE app.variants SET on_hand = 1",
    "a reservation": "UPDATE app.variants SET reserved = on_hand",
    "an area's fee": "UPDATE app.delivery_areas SET fee_cents = 33300",
    "the store": "UPDATE app.stores SET name = 'Edited' WHERE id = app.store_id()",
    "a page": "UPDATE app.pages SET content = jsonb_set(content, '{en,title}', '\"Edited\"')",
    "a product that goes": "DELETE FROM app.pages",
    "a category": "INSERT INTO app.categories (id, slug, name) VALUES (gen_random_uuid(), 'new', 'New')",
}


@pytest.mark.row("N79", "N91", "T69")
@pytest.mark.parametrize("edit", EDITS)
def test_every_edit_makes_what_is_kept_invalid(
    cached: Flask, session: Session, store: Store, theirs: Store, shop: str, edit: str
) -> None:
    client, neighbour = shopper_of(cached, store), shopper_of(cached, theirs)
    pages = ["/", shop, "/areas/kilimani", "/pages/our-story", "/search"]
    before = {page: client.get(page) for page in pages}
    neighbour.get("/")
    session.execute(text(EDITS[edit]))
    assert how(client.get(shop)) == "hit"  # nobody sees what is not committed
    session.commit()

    with rendered(cached) as seen:
        after = {page: client.get(page) for page in pages}

    assert {path.partition("?")[0] for path in seen} == set(pages)
    assert how(neighbour.get("/")) == "hit"
    if edit != "a category":
        assert any(after[page].data != before[page].data for page in pages), edit


@pytest.mark.row("N79")
def test_pages_of_one_host_that_are_asked_for_at_once_all_hear_of_the_edit(
    app: Flask, session: Session, store: Store, shop: str
) -> None:
    together = threading.Barrier(4)
    with app.app_context():
        engine = db.engine.execution_options(isolation_level="AUTOCOMMIT")

    def connect() -> Connection:
        if not together.broken:
            together.wait(10)
        return engine.connect()

    versions = PageVersions(connect, recheck=0)
    with ThreadPoolExecutor(4) as pool:
        known = list(pool.map(versions.look, [f"{store.slug}.localhost"] * 4))
    together.abort()
    session.execute(text(EDITS["a price"]))
    session.commit()
    versions.keep_up(monotonic())

    assert len({id(one) for one in known}) == 1
    assert {one.version for one in known if one} == {OVER}


@pytest.mark.row("N79")
def test_what_was_rolled_back_costs_nobody_a_page(
    cached: Flask, session: Session, store: Store, shop: str
) -> None:
    client = shopper_of(cached, store)
    client.get(shop)
    session.execute(text(EDITS["a price"]))
    session.rollback()

    assert how(client.get(shop)) == "hit"


@pytest.mark.row("N79")
def test_a_change_is_seen_although_one_that_began_later_was_committed_first(
    cached: Flask, database: Database, session: Session, store: Store, shop: str
) -> None:
    """Transactions commit in another order than they began; a version that only looked at the newest
    would miss the older one. And two of them do not wait for each other."""
    make_variant(session, name="Lamp", sku="LAMP", price_cents=500_00)
    session.commit()
    client = shopper_of(cached, store)
    with writer(database, store) as early, writer(database, store) as late:
        early.execute("UPDATE app.variants SET price_cents = 111100 WHERE sku = 'POT'")
        late.execute("UPDATE app.variants SET price_cents = 222200 WHERE sku = 'LAMP'")
        late.commit()
        assert "2,222" in client.get("/p/lamp").text
        assert "1,200" in client.get(shop).text
        early.commit()
        assert "1,111" in client.get(shop).text


@contextmanager
def writer(database: Database, store: Store) -> Iterator[psycopg.Connection[Any]]:
    """A transaction of the app's role in one store; it waits for no lock."""
    url = database.url("dukani_app").replace("+psycopg", "")
    with psycopg.connect(url, options="-c lock_timeout=300ms") as connection:
        connection.execute("SELECT set_config('app.store_id', %s, false)", (str(store.id),))
        connection.commit()
        yield connection


@pytest.mark.row("N79")
def test_folding_the_changes_changes_no_version(
    cached: Flask, database: Database, session: Session, store: Store, shop: str
) -> None:
    client = shopper_of(cached, store)
    with psycopg.connect(database.superuser, autocommit=True) as owner:
        for price in ("3,300", "3,400"):
            cents = int(price.replace(",", "")) * 100
            session.execute(text("UPDATE app.variants SET price_cents = :cents"), {"cents": cents})
            session.commit()
            assert price in client.get(shop).text
            before = owner.execute("SELECT * FROM app.resolve_host(%s)", (client.host,)).fetchone()
            owner.execute("SELECT app.fold_changes(false)")
            after = owner.execute("SELECT * FROM app.resolve_host(%s)", (client.host,)).fetchone()
            assert after == before
            assert how(client.get(shop)) == "hit"
        left = owner.execute(
            "SELECT count(*) FROM app.content_changes WHERE store_id = %s", (store.id,)
        ).fetchone()
    assert left == (0,)


@pytest.mark.alone
@pytest.mark.row("N79", "T69")
def test_another_process_has_the_page_and_hears_of_the_edit(
    settings: Settings, redis: Redis, session: Session, store: Store, shop: str
) -> None:
    redis.flushdb()
    usual = replace(settings, page_cache=True)
    with web_process(usual) as one, web_process(usual) as other:
        assert how(shopper_of(one, store).get(shop)) == "miss"
        with rendered(other) as seen:
            assert how(shopper_of(other, store).get(shop)) == "hit"
        assert seen == []
        session.execute(text("UPDATE app.variants SET price_cents = 432100"))
        session.commit()
        edited = monotonic()
        waiting = {one, other}
        while waiting and monotonic() - edited < 2:
            waiting -= {app for app in waiting if "4,321" in shopper_of(app, store).get(shop).text}
            threading.Event().wait(0.02)
        assert waiting == set()


@pytest.mark.row("N42")
def test_after_an_edit_the_pages_people_look_at_are_made_before_they_ask(
    cached: Flask, session: Session, store: Store, shop: str
) -> None:
    client = shopper_of(cached, store)
    for _ in range(2):
        client.get(shop)
        client.get("/")
    session.execute(text("UPDATE app.variants SET price_cents = 555500"))
    session.commit()
    client.get("/areas")  # any request tells the process
    wait_for_threads("warm")
    with rendered(cached) as seen:
        assert "5,555" in client.get(shop).text
        assert "5,555" in client.get("/").text
    assert seen == []


@pytest.mark.row("N42")
def test_pages_made_after_an_edit_give_way_to_whoever_is_being_answered(
    cached: Flask, session: Session, store: Store, shop: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page_cache, "MOMENT", 0.5)
    monkeypatch.setattr(page_cache, "GIVE_WAY", 10)
    waiting = cached.wsgi_app._road._change._waiters  # type: ignore[attr-defined]
    client = shopper_of(cached, store)
    for _ in range(2):
        client.get(shop)
    session.execute(text("UPDATE app.variants SET price_cents = 555500"))
    session.commit()
    begun = []

    def note(sender: Flask, **more: object) -> None:
        begun.append(request.path)
        if request.path == "/cart":
            assert wait_until(lambda: len(waiting) == 1, seconds=10)

    with request_started.connected_to(note, cached):
        assert client.get("/cart").status_code == 200
        was_alone = begun == ["/cart"]
        wait_for_threads("warm")

    assert was_alone
    assert begun == ["/cart", shop]


def wait_for_threads(name: str) -> None:
    for thread in threading.enumerate():
        if thread.name == name:
            thread.join(10)


@contextmanager
def just_edited(
    settings: Settings,
    redis: Redis,
    session: Session,
    store: Store,
    shop: str,
    *,
    asleep: float = 0,
) -> Iterator[Shopper]:
    """A shopper who comes when a process has heard of a price; it had been asleep so many seconds."""
    redis.flushdb()
    with web_process(replace(settings, page_cache=True, page_cache_recheck=1.0)) as app:
        versions: PageVersions = app.extensions["page_versions"]
        versions.on_change = lambda stores: None  # nobody looked at it lately: it is not warmed
        client = shopper_of(app, store)
        client.get(shop)
        session.execute(text("UPDATE app.variants SET price_cents = 555500"))
        session.commit()
        versions.due = 0
        versions._asked_at -= asleep
        versions.keep_up(monotonic())
        yield client


@pytest.mark.row("N42", "N79")
def test_whoever_comes_first_after_an_edit_does_not_wait_for_the_new_page(
    settings: Settings, redis: Redis, session: Session, store: Store, shop: str
) -> None:
    with just_edited(settings, redis, session, store, shop) as client:
        first = client.get(shop)
        wait_for_threads("beside")
        second = client.get(shop)

    assert how(first) == "stale"
    assert "5,555" not in first.text
    assert "s-maxage=0" in first.headers["Cache-Control"]  # caches in front keep no such copy
    assert first.headers["X-Accel-Expires"] == "0"
    assert how(second) == "hit"
    assert "5,555" in second.text


@pytest.mark.row("N42", "N79")
def test_a_copy_that_is_too_old_is_shown_to_nobody(
    settings: Settings, redis: Redis, session: Session, store: Store, shop: str
) -> None:
    with just_edited(settings, redis, session, store, shop, asleep=2.5) as client:
        first = client.get(shop)

    assert how(first) == "miss"
    assert "5,555" in first.text


# -- many at once, things that are away ------------------------------------------------


@pytest.mark.row("N42")
def test_a_hundred_who_ask_at_once_have_it_made_once(
    settings: Settings, redis: Redis, store: Store, shop: str
) -> None:
    redis.flushdb()
    usual = replace(settings, page_cache=True)
    with web_process(usual) as one, web_process(usual) as other:
        clients = [shopper_of(app, store) for app in (one, other) * 50]
        together = threading.Barrier(100)

        def ask(client: Shopper) -> bytes:
            together.wait(20)
            return client.get(shop).data

        with rendered(one) as here, rendered(other) as there, ThreadPoolExecutor(100) as pool:
            bodies = set(pool.map(ask, clients))

    assert len(bodies) == 1
    assert len(here) + len(there) == 1


@pytest.mark.row("N42")
def test_without_redis_pages_are_served_and_kept_by_each_process(
    settings: Settings, session: Session, store: Store, shop: str
) -> None:
    away = f"redis://127.0.0.1:{ports.free_port()}/0"
    alone = replace(settings, page_cache=True, page_cache_recheck=0, cache_redis_url=away)
    with web_process(alone) as app:
        client = shopper_of(app, store)
        assert how(client.get(shop)) == "miss"
        assert how(client.get(shop)) == "hit"
        session.execute(text("UPDATE app.variants SET price_cents = 666600"))
        session.commit()
        assert "6,666" in client.get(shop).text


@pytest.mark.row("N42")
def test_a_redis_that_forgot_everything_or_holds_nonsense_is_no_harm(
    cached: Flask, settings: Settings, redis: Redis, store: Store, shop: str
) -> None:
    client = shopper_of(cached, store)
    first = client.get(shop)
    for key in redis.keys("*:page:*"):
        assert redis.pttl(key) > 0
        redis.set(key, b"nonsense", px=60_000)
    with web_process(replace(settings, page_cache=True, page_cache_recheck=0)) as other:
        assert shopper_of(other, store).get(shop).data == first.data
    redis.flushdb()
    assert how(client.get(shop)) == "hit"


@pytest.mark.row("N42")
def test_what_is_not_there_is_not_kept_and_appears_at_once(
    cached: Flask, session: Session, store: Store, shop: str, redis: Redis
) -> None:
    client = shopper_of(cached, store)
    for _ in range(2):
        missing = client.get("/p/brass-lamp")
        assert (missing.status_code, how(missing)) == (404, "passed by")
        assert "no-store" in missing.headers["Cache-Control"]
    make_variant(session, name="Brass lamp", sku="LAMP")
    session.commit()
    assert client.get("/p/brass-lamp").status_code == 200
    hosts = shopper_of(cached, store)
    hosts.host = "nobody.localhost"
    assert hosts.get("/").status_code == 421


@pytest.mark.row("N42")
def test_a_shop_that_is_closed_is_closed_at_once(cached: Flask, store: Store, shop: str) -> None:
    client = shopper_of(cached, store)
    client.get(shop)
    with platform_session() as session:
        suspend(session, store.id, reason="Counterfeit goods", actor="test")
    assert client.get(shop).status_code == 503
    with platform_session() as session:
        restore(session, store.id, actor="test")
    assert client.get(shop).status_code == 200


@pytest.mark.row("N42", "T69")
def test_words_of_the_hour_last_as_long_as_they_are_true(
    cached: Flask, session: Session, store: Store, shop: str
) -> None:
    session.execute(
        text(
            "UPDATE app.stores SET opening_hours = CAST(:hours AS jsonb) WHERE id = app.store_id()"
        ),
        {"hours": '{"wed": ["08:00", "12:01"]}'},
    )
    session.commit()
    client = shopper_of(cached, store)
    with time_machine.travel(CAR_NOON, tick=True) as clock:
        assert "Open until" in client.get("/").text
        assert how(client.get("/")) == "hit"
        clock.shift(44)  # 12:01:04, more than the two seconds that a copy may be too old
        closed = client.get("/")
        assert how(closed) == "miss"
        assert "Closed now" in closed.text


# -- nothing that a page reads can be forgotten ----------------------------------------

# Read by public pages for numbers that say nothing an owner edits: what sold, what was delivered,
# what was disputed.
# A copy is never older than a minute.
COUNTS = {"orders", "order_lines", "order_events", "review_items", "sitemaps"}
# Worked out from product_cards by its own triggers, in the transaction that changes these.
DERIVED = {"shelf_counts", "shop_words"}


@pytest.mark.row("N91", "N79")
def test_every_table_that_a_public_page_reads_tells_of_its_changes(
    app: Flask, database: Database, session: Session, store: Store, shop: str
) -> None:
    """Asks Postgres what each statement of each page would read, so that a new table is noticed."""
    product = session.scalars(select(Product)).one()
    product.category_id = add_category(session, "Pots").id
    session.commit()
    pages = (
        "/", shop, "/c/pots", "/c/pots/list?page=1", "/search?q=pot", "/search/suggest?q=pot",
        "/areas", "/areas/kilimani", "/areas/kilimani/pots", "/pages/our-story", "/trust",
    )  # fmt: skip
    assert {kind_of(page.partition("?")[0]) for page in pages} == set(KINDS)
    asked: list[tuple[str, Any]] = []

    def note(connection, cursor, statement, parameters, context, many) -> None:  # type: ignore[no-untyped-def]
        asked.append((statement, parameters))

    with app.app_context():
        engine = db.engine
    event.listen(engine, "before_cursor_execute", note)
    client = shopper_of(app, store)
    try:
        for page in pages:
            assert client.get(page).status_code == 200, page
    finally:
        event.remove(engine, "before_cursor_execute", note)

    with writer(database, store) as connection:
        read = set()
        for statement, parameters in asked:
            if not statement.lstrip().upper().startswith(("SELECT", "WITH")):
                continue
            plan = connection.execute(f"EXPLAIN (FORMAT JSON) {statement}", parameters).fetchone()  # type: ignore[arg-type]
            read |= _tables(plan)
        telling = {
            row[0]
            for row in connection.execute(
                "SELECT c.relname FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid"
                " WHERE t.tgname = 'shown_changed'"
            )
        }
    assert {"products", "variants", "delivery_areas", "stores", "pages"} <= read
    assert read - telling - COUNTS - DERIVED == set()


def _tables(plan: Any) -> set[str]:
    if isinstance(plan, dict):
        own = {plan["Relation Name"]} if "Relation Name" in plan else set()
        return own.union(*map(_tables, plan.values()))
    if isinstance(plan, list | tuple):
        return set().union(*map(_tables, plan))
    return set()


@pytest.mark.row("N94")
def test_how_often_each_kind_of_page_was_at_hand_is_reported(
    cached: Flask, store: Store, shop: str
) -> None:
    def counted() -> dict[str, float]:
        answer = cached.test_client().get("/metrics")
        assert answer.status_code == 200
        found = re.findall(r'dukani_pages_total\{how="(\w+)",kind="area"\} ([\d.]+)', answer.text)
        return {how: float(count) for how, count in found}

    before = counted()
    client = shopper_of(cached, store)
    for _ in range(5):
        client.get("/areas/kilimani")
    client.get("/")  # the tally is handed over on the next look at the clock
    after = counted()

    grew = {how: after[how] - before.get(how, 0) for how in after}
    assert grew["miss"] == 1
    assert grew["hit"] == 4


@pytest.mark.alone
@pytest.mark.row("N42")
def test_a_cold_product_page_is_quick_and_a_warm_one_quicker(
    cached: Flask, session: Session, store: Store, shop: str
) -> None:
    """The best of five each, because the machine may be busy with something else."""
    client = shopper_of(cached, store)

    def ask(wanted: str) -> float:
        began = monotonic()
        answer = client.get(shop)
        took = monotonic() - began
        assert how(answer) == wanted
        return took

    cold, warm = [], []
    client.get(shop)
    for price in range(1, 6):
        cached.wsgi_app._shelf.pages.clear()  # type: ignore[attr-defined]
        session.execute(text("UPDATE app.variants SET price_cents = :p"), {"p": price * 100_00})
        session.commit()
        cold.append(ask("miss"))
        warm.append(ask("hit"))
    assert min(cold) < 0.150
    assert min(warm) < 0.020
