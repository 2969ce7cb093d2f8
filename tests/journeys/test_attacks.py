"""One store attacks another, by every way in: ids, hosts, cookies, caches, jobs, SQL, files, forms.

Two stores of the same make stand side by side. ``theirs`` tries; what ``ours`` has, and every
row of it, must be the same afterwards.
"""

from __future__ import annotations

import contextvars
import html
import random
import re
import secrets
from collections.abc import Callable, Iterator
from dataclasses import replace
from uuid import UUID

import psycopg
import pytest
from flask import Flask
from playwright.sync_api import Page, expect
from psycopg import errors, sql
from sqlalchemy import delete, text, update
from werkzeug.routing import Rule
from werkzeug.test import TestResponse

from app.db.engine import db, platform_session
from app.db.tenancy import NoStoreBound, inside_store
from app.domain.people.models import Membership
from app.domain.people.sessions import end_all_sessions
from app.ids import new_id
from app.jobs import Topic, ask_for
from app.web.tenancy import UNKNOWN_HOST
from bench.fuzz import PLATFORM, Maker
from bench.fuzz_shop import Aim, at, open_aim, refill
from tasks.runner import run
from tests.conftest import Database
from tests.world import World

Snapshot = Callable[[Aim], dict[str, object]]

HTMX = {"HX-Request": "true"}
SAME = {"Sec-Fetch-Site": "same-origin"}
# Forms guarded by where they come from alone: they stand on pages that caches keep, and all
# they change is this browser's own cart, area or looks, or who is told when goods are back.
TOKENLESS = {
    *("/cart/lines", "/cart/lines/<uuid:line_id>", "/cart/with/<code>", "/cart/code"),
    *("/language", "/photos"),
    # The last asks for words that we signed, which nobody else's page has.
    *("/deliver-to", "/p/<slug:slug>/tell-me", "/p/<slug:slug>/tell-me/notify"),
}
READABLE = "() => [{...localStorage}, sessionStorage.length, document.cookie]"
ELSEWHERE = (
    *("https://evil.example/", "//evil.example", "///evil.example", "/\\evil.example", "\\\\evil.example"),
    *("https:evil.example", "javascript:alert(1)", "/\t/evil.example", "/\x0b/evil.example", " //evil.example"),
    *("data:text/html,x", "%2f%2fevil.example", "/\r\nLocation: //evil.example"),
)  # fmt: skip


@pytest.fixture(scope="module")
def pair(app: Flask) -> tuple[Aim, Aim]:
    """Our store and theirs: the same kinds of rows in both."""
    ours, theirs = open_aim(app, "Duka Letu"), open_aim(app, "Duka Jirani")
    refill(app, ours)
    refill(app, theirs)
    return ours, theirs


@pytest.fixture
def ours(pair: tuple[Aim, Aim]) -> Aim:
    return pair[0]


@pytest.fixture
def theirs(pair: tuple[Aim, Aim]) -> Aim:
    return pair[1]


@pytest.fixture
def maker(app: Flask, ours: Aim, theirs: Aim) -> Maker:
    """Knows every address and what belongs in it."""
    return Maker(app, random.Random(1), ours, theirs)


@pytest.fixture(scope="module")
def superuser(database: Database) -> Iterator[psycopg.Connection]:
    with psycopg.connect(database.superuser, autocommit=True) as connection:
        yield connection


@pytest.fixture
def snapshot(superuser: psycopg.Connection) -> Snapshot:
    """Every row of a store, table by table, as one hash each.

    Counters of tries may move, and the minute in which somebody of the staff was last there.
    """
    tables = [
        row[0]
        for row in superuser.execute(
            "SELECT c.relname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'store_id'"
            " AND NOT a.attisdropped WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition"
            " AND c.relnamespace = 'app'::regnamespace AND c.relname <> 'rate_counters' ORDER BY 1"
        ).fetchall()
    ]

    def take(aim: Aim) -> dict[str, object]:
        question = sql.SQL(
            "SELECT count(*), md5(string_agg(md5(r), '' ORDER BY md5(r))) FROM (SELECT"
            " CASE WHEN {} = 'memberships' THEN (to_jsonb(t) - 'seen_at')::text ELSE t::text END AS r"
            " FROM app.{} t WHERE store_id = %s) rows"
        )
        return {
            name: superuser.execute(
                question.format(sql.Literal(name), sql.Identifier(name)), (aim.store_id,)
            ).fetchone()
            for name in tables
        }

    return take


def ask(
    app: Flask,
    method: str,
    host: str,
    path: str,
    *,
    cookies: dict[str, str] | None = None,
    data: dict[str, str] | None = None,
    headers: dict[str, str] | None = None,
    server: dict[str, str] | None = None,
) -> TestResponse:
    """One request, as exactly this and nothing more, in a context of its own."""
    sent = SAME | (headers or {})
    if cookies:
        sent["Cookie"] = "; ".join(f"{name}={value}" for name, value in cookies.items())
    address = ".".join(["127", *(str(secrets.randbelow(250) + 1) for _ in range(3))])

    def send() -> TestResponse:
        return app.test_client(use_cookies=False).open(
            path,
            method=method,
            base_url=f"https://{host}:8000",
            data=data,
            headers={name: value for name, value in sent.items() if value},
            environ_overrides={"REMOTE_ADDR": address} | (server or {}),
        )

    return contextvars.Context().run(send)


def doors(app: Flask, maker: Maker, *, staff: bool) -> list[tuple[Rule, str]]:
    """Every address of the back office, or of the shops, with its methods."""
    found = [
        (rule, method)
        for rule in maker.rules
        for method in sorted((rule.methods or set()) & {"GET", "POST"})
        if app.view_functions[rule.endpoint].__module__.startswith(
            "app.web.backoffice" if staff else "app.web.storefront"
        )
    ]
    assert len(found) > 15
    return found


def filled(maker: Maker, rule: Rule, csrf: str = "") -> dict[str, str]:
    """The form of an address, filled in with our own rows."""
    fields = {name: maker.good(name) for name in maker.fields[rule.endpoint] if name != "file"}
    return fields | {"csrf_token": csrf}


# -- by id and by address ---------------------------------------------------------------


@pytest.mark.row("N5")
def test_another_stores_rows_are_not_there_for_an_owner(
    app: Flask, maker: Maker, ours: Aim, theirs: Aim, snapshot: Snapshot
) -> None:
    """Their owner asks for every row of ours, at our address and at their own."""
    before = snapshot(ours)
    csrf, cookie = maker.tokens["owner"]
    cookies = {"__Host-staff": theirs.owner, "__Host-csrf": cookie}
    opened, tried = [], 0
    for rule, method in doors(app, maker, staff=True):
        path = maker.address(rule, ours)
        has_ids = rule.arguments - {"store", "kind"}  # the kinds are the same in every shop
        at_theirs = path.replace(f"/{ours.slug}/", f"/{theirs.slug}/")
        for where in [path, at_theirs] if has_ids else [path]:
            data = filled(maker, rule, csrf) if method == "POST" else None
            answer = ask(app, method, PLATFORM, where, cookies=cookies, data=data)
            tried += 1
            # Who must prove themselves first is asked before anything is looked for.
            guarded = hasattr(app.view_functions[rule.endpoint], "_second_factor")
            expected = (404, 403) if guarded else (404,)
            if answer.status_code not in expected or tells(answer, ours):
                opened.append((method, where, answer.status_code))

    assert opened == []
    assert tried > 60
    assert snapshot(ours) == before


@pytest.mark.row("N5")
def test_ids_of_ours_in_their_forms_do_nothing(
    app: Flask, maker: Maker, ours: Aim, theirs: Aim, snapshot: Snapshot
) -> None:
    """Their own address and their own order, but our rider, our order or our product in the form."""
    before = snapshot(ours), snapshot(theirs)["orders"]
    csrf, cookie = maker.tokens["owner"]
    cookies = {"__Host-staff": theirs.owner, "__Host-csrf": cookie}
    order = theirs.values["order_id"][4]  # packed, and not yet given to anybody
    desk = f"/staff/{theirs.slug}"
    rider = ours.values["rider_id"][0]
    mixed = [
        (f"{desk}/dispatch/give", {"rider": rider, "order": order}),
        (f"{desk}/dispatch/give", {"rider": "none", "orders": ours.values["order_id"][4]}),
        (f"{desk}/orders/{order}/assign", {"rider": rider}),
        (f"{desk}/orders/{order}/give", {"rider": rider}),
        (f"{desk}/dispatch/leave/{rider}", {}),
    ]

    for path, fields in mixed:
        answer = ask(
            app, "POST", PLATFORM, path, cookies=cookies, data=fields | {"csrf_token": csrf}
        )
        assert answer.status_code == 404, path

    assert (snapshot(ours), snapshot(theirs)["orders"]) == before


def test_our_own_owner_reaches_all_of_it(app: Flask, maker: Maker, ours: Aim) -> None:
    """The addresses of the tests above exist: with the right cookie each page opens."""
    cookies = {"__Host-staff": ours.owner}
    closed = []
    for rule, method in doors(app, maker, staff=True):
        if method == "GET":
            answer = ask(app, method, PLATFORM, maker.address(rule, ours), cookies=cookies)
            if answer.status_code not in (200, 303):
                closed.append((rule.rule, answer.status_code))

    assert closed == []


@pytest.mark.row("N5")
def test_an_orders_secret_opens_nothing_on_another_host(
    app: Flask, maker: Maker, ours: Aim, theirs: Aim, snapshot: Snapshot
) -> None:
    before = snapshot(ours)
    csrf, cookie = maker.tokens["visitor"]
    token = ours.values["token"][0]
    paths = [("GET", ""), ("GET", "/payment"), ("POST", "/pay"), ("POST", "/pay-on-delivery")]
    for method, end in paths:
        answers = [
            ask(
                app,
                method,
                host,
                f"/o/{known}{end}",
                cookies={"__Host-csrf": cookie},
                data={"csrf_token": csrf} if method == "POST" else None,
            )
            for host in (theirs.host, PLATFORM)
            for known in (token, "0" * 32)
        ]
        assert {answer.status_code for answer in answers} == {404}
        # A real secret on the wrong host reads like one that never was.
        assert same_words(answers[0], token) == same_words(answers[1], "0" * 32)
    hook = ours.values["hook"][-1]
    assert ask(app, "POST", ours.host, f"/hooks/pay/{hook}").status_code == 404

    assert snapshot(ours) == before
    assert ask(app, "GET", ours.host, f"/o/{token}").status_code == 200


@pytest.mark.row("N5")
def test_cookies_of_ours_mean_nothing_on_their_host(
    app: Flask, maker: Maker, ours: Aim, theirs: Aim, snapshot: Snapshot
) -> None:
    before = snapshot(ours)
    csrf, session = maker.tokens["shopper"]
    stolen = {
        "__Host-cart": ours.carts[0],
        "__Host-shopper": ours.shopper,
        "__Host-csrf": session,
        "__Host-staff": ours.owner,
    }
    cart = ask(app, "GET", theirs.host, "/cart", cookies=stolen)
    assert "Your cart is empty" in cart.text
    assert ask(app, "GET", theirs.host, "/checkout", cookies=stolen).status_code == 303
    assert "tel" in ask(app, "GET", theirs.host, "/me", cookies=stolen).text  # asks for a phone
    line = f"/cart/lines/{ours.values['line_id'][-1]}"
    changed = ask(app, "POST", theirs.host, line, cookies=stolen, data={"quantity": "0"})
    assert changed.status_code == 404
    placed = ask(
        app,
        "POST",
        theirs.host,
        "/checkout",
        cookies=stolen,
        data={"csrf_token": csrf, "phone": "0712345678", "area": "kilimani"},
    )
    assert (placed.status_code, placed.headers["Location"]) == (303, "/cart")
    taken = f"/cart/with/{ours.values['cart_code'][0]}"
    assert ask(app, "GET", theirs.host, taken).status_code == 404
    assert ask(app, "POST", theirs.host, taken).status_code == 404
    assert snapshot(ours) == before

    assert ask(app, "GET", ours.host, taken).status_code == 200
    at_home = ask(app, "GET", ours.host, "/cart", cookies=stolen).text
    assert "Kericho tea" in at_home


@pytest.mark.row("N5")
def test_a_shoppers_cookie_is_nobody_on_the_platform(app: Flask, ours: Aim) -> None:
    for value in (ours.shopper, ours.carts[0]):
        cookies = {"__Host-staff": value, "__Host-shopper": ours.shopper}
        answer = ask(app, "GET", PLATFORM, f"/dash/{ours.slug}/", cookies=cookies)
        assert answer.status_code == 303
        assert answer.headers["Location"].startswith("/sign-in")
    staff = {"__Host-shopper": ours.owner, "__Host-staff": ours.owner}
    assert "Sign out" not in ask(app, "GET", ours.host, "/me", cookies=staff).text


# -- by host ----------------------------------------------------------------------------


@pytest.mark.row("N5", "W6")
def test_unknown_hosts_get_one_constant_answer(app: Flask, ours: Aim) -> None:
    unknown = (
        "evil.example",
        f"{ours.host}.evil.example",
        f"evil.{ours.host}",
        f"{ours.host}.",
        f"{ours.host}:8000.evil.example",
        f"{ours.host}@evil.example",
        f"evil.example#{ours.host}",
        f"{ours.host}%00",
        f"{ours.slug}\u2024localhost".encode().decode("latin-1"),
        "127.0.0.1:8000",
        "[::1]:8000",
        "' OR 1=1 --",
        "",
    )
    forged = {"X-Forwarded-Host": ours.host, "X-Host": ours.host, "Forwarded": f"host={ours.host}"}
    for host in unknown:
        for path in ("/", "/cart", f"/p/{ours.values['product'][0]}", "/robots.txt"):
            answer = ask(app, "GET", PLATFORM, path, headers=forged, server={"HTTP_HOST": host})
            assert answer.status_code in (400, 421), (host, answer.status_code)
            assert not tells(answer, ours)
            if answer.status_code == 421:
                assert answer.text == UNKNOWN_HOST
                assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.row("N5")
def test_only_letter_case_and_port_are_forgiven(app: Flask, ours: Aim) -> None:
    for host in (
        ours.host.upper(),
        f"{ours.host}:8000",
        f"{ours.host}:1",
        f"{ours.host.title()}:65535",
    ):
        answer = ask(app, "GET", PLATFORM, "/", server={"HTTP_HOST": host})
        assert (answer.status_code, "Duka Letu" in answer.text) == (200, True), host


@pytest.mark.row("N5")
def test_links_are_built_from_the_stores_own_host(app: Flask, maker: Maker, ours: Aim) -> None:
    """Nothing of the request's host, port or forwarding headers comes back in a page."""
    forged = {
        "X-Forwarded-Host": "evil.example",
        "X-Forwarded-Port": "6666",
        "X-Forwarded-Proto": "gopher",
        "X-Forwarded-Prefix": "/evil",
        "X-Original-URL": "/evil",
        "Forwarded": "host=evil.example",
    }
    absolute = 0
    for rule, method in doors(app, maker, staff=False):
        if method != "GET":
            continue
        path = maker.address(rule, ours)
        answer = ask(
            app,
            "GET",
            PLATFORM,
            path,
            headers=forged,
            server={"HTTP_HOST": f"{ours.host.upper()}:6666"},
        )
        page = answer.data.decode(errors="replace")  # an icon is no text
        shown = page + str(answer.headers)
        for word in ("evil", "6666", "gopher", ours.host.upper()):
            assert word not in shown, (path, word)
        for host in re.findall(r'https?://([^/"\'<\s]+)', page):
            if "localhost" in host:
                assert host.partition(":")[0] == ours.host, (path, host)
                absolute += 1
    assert absolute > 5


# -- by cache ---------------------------------------------------------------------------

PUBLIC = {
    *("front_door.show", "listing.category", "listing.search", "browse.product"),
    *("installed.manifest", "installed.icon", "installed.maskable_icon"),
    *("desk_installed.manifest", "desk_installed.icon", "desk_installed.maskable_icon"),
    *("listing.category_list", "listing.search_list", "listing.suggest"),
    *("areas.index", "areas.show", "areas.show_category", "seo.sitemap", "seo.sitemap_part"),
    *("seo.robots", "media.picture", "cards.card", "record.show"),
}
# A browser asks for its worker anew each time, and needs the old one to compare; nothing between
# keeps it, because it is in the visitor's language.
WORKERS = {"installed.worker", "desk_installed.worker"}


@pytest.mark.row("N5")
def test_only_pages_that_are_everybodys_may_be_kept(app: Flask, maker: Maker, ours: Aim) -> None:
    """Public pages read and set no cookie; whatever knows a person is never stored."""
    cookies = {
        "__Host-cart": ours.carts[0],
        "__Host-shopper": ours.shopper,
        "__Host-area": "kilimani",
        "__Host-staff": ours.owner,
        "__Host-csrf": maker.tokens["owner"][1],
    }
    seen = set()
    for rule in maker.rules:
        if "GET" not in (rule.methods or ()):
            continue
        host = PLATFORM if maker.is_platforms(rule) else ours.host
        path = maker.address(rule, ours)
        plain = ask(app, "GET", host, path)
        known = ask(app, "GET", host, path, cookies=cookies)
        if rule.endpoint in PUBLIC:
            if plain.status_code == 404:  # a sitemap that no job has written yet
                continue
            seen.add(rule.endpoint)
            assert "public" in plain.headers["Cache-Control"], path
            assert "Set-Cookie" not in plain.headers, path
            assert "Set-Cookie" not in known.headers, path
            assert plain.data == known.data, path
        elif rule.endpoint in WORKERS:
            seen.add(rule.endpoint)
            assert known.headers["Cache-Control"] == "private, no-cache", path
            assert "Set-Cookie" not in known.headers, path
            assert plain.data == known.data, path
            assert not any(value in known.text for value in cookies.values() if len(value) > 9)
        else:
            kept = known.headers["Cache-Control"]
            assert "no-store" in kept, (path, kept)
            assert "public" not in kept, (path, kept)

    assert {"front_door.show", "browse.product", "listing.category", "areas.show"} <= seen
    assert seen >= WORKERS | {"installed.manifest", "desk_installed.manifest", "installed.icon"}


@pytest.mark.row("N5")
def test_a_poisoned_request_leaves_nothing_for_the_next_one(
    app: Flask, ours: Aim, theirs: Aim
) -> None:
    """The same path in two stores, junk between them: each page stays its own."""
    path = "/c/tea"
    clean = {aim.slug: ask(app, "GET", aim.host, path).data for aim in (ours, theirs)}
    assert clean[ours.slug] != clean[theirs.slug]
    for aim, other in ((ours, theirs), (theirs, ours)):
        poison = {
            "X-Forwarded-Host": other.host,
            "X-Forwarded-Proto": "http",
            "X-Rewrite-URL": "/cart",
            "HX-Request": "true",
            "HX-Target": "<script>",
            "Referer": f"https://{other.host}/<script>",
            "User-Agent": "<script>alert(1)</script>",
        }
        poisoned = ask(
            app, "GET", aim.host, f"{path}?utm=<script>zq</script>&seen=1", headers=poison
        )
        assert b"<script>" not in poisoned.data
        assert ask(app, "GET", aim.host, path, headers=poison).data == clean[aim.slug]
        assert ask(app, "GET", other.host, path).data == clean[other.slug]
        assert other.slug not in poisoned.text


# -- by job -----------------------------------------------------------------------------


@pytest.mark.row("N5")
def test_a_job_rung_for_another_store_claims_nothing(
    app: Flask, ours: Aim, theirs: Aim, snapshot: Snapshot, superuser: psycopg.Connection
) -> None:
    rows = superuser.execute(
        "SELECT id::text FROM app.outbox WHERE store_id = %s AND status = 'pending'",
        (ours.store_id,),
    ).fetchall()
    before = snapshot(ours), snapshot(theirs)
    assert len(rows) >= 3
    with app.app_context():
        for (row,) in rows:
            run(row, theirs.store_id)
            run(row, 0)
        with pytest.raises(NoStoreBound):
            run(rows[0][0], None)  # type: ignore[arg-type]

    assert (snapshot(ours), snapshot(theirs)) == before


@pytest.mark.row("N5")
def test_a_job_of_theirs_that_names_our_payment_finds_none(
    app: Flask, ours: Aim, theirs: Aim, snapshot: Snapshot, superuser: psycopg.Connection
) -> None:
    """The row is theirs and whole; only the id inside it is ours."""
    attempt = superuser.execute(
        "SELECT id::text FROM app.payment_attempts WHERE store_id = %s AND status = 'created'",
        (ours.store_id,),
    ).fetchone()
    assert attempt is not None
    before = snapshot(ours)
    for topic in (Topic.SEND_ATTEMPT, Topic.CHECK_ATTEMPT):
        with app.app_context(), inside_store(theirs.store_id):
            ask_for(db.session(), topic, key=f"forged:{new_id()}", attempt_id=attempt[0])
            db.session.commit()
            row = db.session.execute(
                text(
                    "SELECT id::text FROM app.outbox WHERE payload->>'attempt_id' = :attempt"
                    " AND topic = :topic"
                ),
                {"attempt": attempt[0], "topic": str(topic)},
            ).scalar_one()
            db.session.remove()
            run(str(row), theirs.store_id)
        # It was claimed and it ran: it found nothing to do, or nothing at all.
        became = superuser.execute(
            "SELECT status, last_error FROM app.outbox WHERE id = %s", (UUID(str(row)),)
        ).fetchone()
        assert became in (("done", None), ("pending", "NoResultFound")), topic

    assert snapshot(ours) == before
    calls = superuser.execute(
        "SELECT count(*) FROM app.provider_calls WHERE attempt_id = %s", (UUID(attempt[0]),)
    ).fetchone()
    assert calls == (0,)


@pytest.mark.row("N84")
@pytest.mark.parametrize(
    ("address", "is_listed"), [("41.90.1.2", False), ("196.201.214.200", True)]
)
def test_a_callback_releases_nothing_wherever_it_comes_from(
    app: Flask, ours: Aim, superuser: psycopg.Connection, address: str, is_listed: bool
) -> None:
    """Kept, flagged by where it came from, and only a reason to ask the provider."""
    before = app.config["SETTINGS"]
    app.config["SETTINGS"] = replace(before, provider_ips=("196.201.214.200",))
    try:
        body = {"Body": {"stkCallback": {"ResultCode": 0, "ResultDesc": "paid"}}}
        client = app.test_client(use_cookies=False)
        answer = client.post(
            f"/hooks/pay/{ours.values['hook'][-1]}",
            json=body,
            base_url=f"https://{PLATFORM}:8000",
            environ_overrides={"REMOTE_ADDR": address},
        )
    finally:
        app.config["SETTINGS"] = before
    kept = superuser.execute(
        "SELECT c.id::text, c.is_listed_ip, a.order_id FROM app.callback_inbox c JOIN app.payment_attempts a"
        " ON (a.store_id, a.id) = (c.store_id, c.attempt_id) WHERE c.store_id = %s AND c.source_ip = %s",
        (ours.store_id, address),
    ).fetchone()
    assert answer.status_code == 200
    assert kept is not None
    assert kept[1] is is_listed
    rung = superuser.execute(
        "SELECT id::text FROM app.outbox WHERE topic = 'handle_callback' AND payload->>'callback_id' = %s",
        (kept[0],),
    ).fetchone()
    assert rung is not None
    with app.app_context():
        run(rung[0], ours.store_id)
    status = superuser.execute("SELECT status, paid_at FROM app.orders WHERE id = %s", (kept[2],))
    assert status.fetchone() == ("pending_payment", None)


# -- by SQL -----------------------------------------------------------------------------


@pytest.mark.row("W50")
def test_the_web_process_asks_as_the_shops_role(app: Flask, ours: Aim) -> None:
    with at(app, ours):
        assert db.session.scalar(text("SELECT current_user")) == "dukani_app"
        assert db.session.scalar(text("SELECT session_user")) == "dukani_app"
    with platform_session() as session:
        assert session.scalar(text("SELECT current_user")) == "dukani_platform"


@pytest.mark.row("W50", "N5")
def test_the_shops_role_cannot_become_another_or_see_another_store(
    database: Database, ours: Aim, theirs: Aim
) -> None:
    """What an attacker who could run SQL as the web process's role would meet."""
    order = UUID(ours.values["order_id"][0])
    with psycopg.connect(database.urls["dukani_app"], autocommit=True) as connection:
        with connection.transaction():
            connection.execute(
                "SELECT set_config('app.store_id', %s, true)", (str(theirs.store_id),)
            )
            for table in ("orders", "payment_attempts", "customers", "products", "delivery_areas"):
                counted = sql.SQL("SELECT count(*) FROM app.{} WHERE store_id = %s").format(
                    sql.Identifier(table)
                )
                assert connection.execute(counted, (ours.store_id,)).fetchone() == (0,)
            changed = connection.execute(
                "UPDATE app.orders SET landmark = 'x' WHERE id = %s", (order,)
            )
            assert changed.rowcount == 0
        # Nothing of it outlives the transaction.
        assert connection.execute("SELECT count(*) FROM app.orders").fetchone() == (0,)
        for role in ("dukani_owner", "dukani_platform", "dukani_definer", "dukani_backup"):
            with pytest.raises(errors.InsufficientPrivilege):
                connection.execute(sql.SQL("SET ROLE {}").format(sql.Identifier(role)))
        for refused in (
            "SELECT * FROM app.people",
            "SELECT * FROM app.sessions",
            "SELECT * FROM app.memberships",
            "ALTER TABLE app.orders DISABLE ROW LEVEL SECURITY",
            "DROP POLICY tenant_isolation ON app.orders",
            "TRUNCATE app.orders",
            "CREATE TABLE app.mine (n int)",
            "COPY app.orders TO PROGRAM 'cat'",
            "SELECT pg_read_file('/etc/passwd')",
        ):
            with pytest.raises(errors.InsufficientPrivilege):
                connection.execute(refused)


@pytest.mark.row("N5")
def test_our_slugs_codes_and_words_find_nothing_on_their_host(
    app: Flask, ours: Aim, theirs: Aim
) -> None:
    """What has a name in our shop has none in theirs: shelves, pages, orders, carts, searches."""
    mine = ours.values
    absent = [f"/c/{slug}" for slug in mine["shelf"]]
    absent += [f"/pages/{slug}" for slug in mine["page"]]
    absent += [f"/o/{token}" for token in mine["token"]]
    absent += [f"/cart/with/{code}" for code in mine["cart_code"]]
    words = (*mine["sku"], f"Shelf+of+{ours.slug}", f"Basket+of+{ours.slug}", *mine["own"])
    searches = [f"/search?q={each}" for each in words]
    silent = [f"/seen?p={','.join(mine['shelf'])}", "/sitemap.xml", "/robots.txt", "/"]

    def statuses(host: str) -> set[int]:
        return {ask(app, "GET", host, path).status_code for path in absent}

    assert statuses(ours.host) <= {200, 404}  # a page that is not published yet is 404 to all
    assert {ask(app, "GET", ours.host, path).status_code for path in absent[:1]} == {200}
    assert statuses(theirs.host) == {404}

    def goods(host: str, path: str) -> set[str]:
        """The goods that a page leads to."""
        return set(re.findall(r'href="/p/([^"?#]+)', ask(app, "GET", host, path).text))

    assert goods(ours.host, searches[0])
    assert set(mine["own"]) <= goods(ours.host, f"/search?q=Basket+of+{ours.slug}")
    # Words that nothing has lead to what is nearest among their own goods, and to nothing of ours.
    for path in searches:
        assert goods(theirs.host, path) <= {*theirs.values["product"], *theirs.values["own"]}, path
    for path in silent:
        assert not tells(ask(app, "GET", theirs.host, path), ours), path


@pytest.mark.row("T59", "N5")
def test_words_in_a_search_box_stay_words(
    app: Flask, ours: Aim, theirs: Aim, snapshot: Snapshot
) -> None:
    before = snapshot(ours), snapshot(theirs)
    typed = (
        f"'; SET LOCAL app.store_id = '{ours.store_id}'; SELECT '",
        f"%' UNION SELECT name FROM app.products WHERE store_id = {ours.store_id} --",
        f"tea') OR set_config('app.store_id','{ours.store_id}',true) IS NOT NULL --",
        "'; SET ROLE dukani_owner; DROP TABLE app.orders; --",
        "tea\\' OR 1=1 #",
    )
    staff = {"__Host-staff": theirs.owner}
    for words in typed:
        pages = [
            ask(app, "GET", theirs.host, "/search", server={"QUERY_STRING": query(q=words)}),
            ask(app, "GET", theirs.host, "/deliver-to", server={"QUERY_STRING": query(q=words)}),
            *(
                ask(
                    app,
                    "GET",
                    PLATFORM,
                    path,
                    cookies=staff,
                    server={"QUERY_STRING": query(**asked)},
                )
                for path, asked in (
                    (f"/dash/{theirs.slug}/products/", {"q": words}),
                    (f"/staff/{theirs.slug}/orders/", {"q": words, "area": words}),
                    (f"/dash/{theirs.slug}/areas/", {"q": words}),
                    (f"/dash/{theirs.slug}/audit/", {"about": words, "before": words}),
                    (f"/dash/{theirs.slug}/insights/areas", {"area": words}),
                )
            ),
        ]
        for page in pages:
            assert page.status_code == 200, (page.request.path, page.status_code)
            # What was typed may be shown back; nothing of ours may be.
            assert not tells(page, ours, besides=words), page.request.path
    assert "Kericho tea no. 1" in ask(app, "GET", theirs.host, "/search?q=kericho").text
    # A wildcard is a character: it does not mean "everything".
    for words in ("%", "_", "%%%"):
        found = ask(app, "GET", theirs.host, "/search", server={"QUERY_STRING": query(q=words)})
        assert "Kericho tea no. 1" not in found.text

    assert (snapshot(ours), snapshot(theirs)) == before


# -- by file ----------------------------------------------------------------------------


def test_a_pictures_address_leads_to_pictures_only(app: Flask, ours: Aim, theirs: Aim) -> None:
    key = ours.values["key"][0]
    assert ask(app, "GET", ours.host, f"/media/{key}-640.webp").mimetype == "image/webp"
    for path in (
        f"/media/{key}-641.webp",
        f"/media/{key.upper()}-640.webp",
        f"/media/{key}-640.webp/../../../etc/passwd",
        f"/media/..%2f..%2f{key}-640.webp",
        "/media/%2e%2e%2f%2e%2e%2fetc%2fpasswd",
        "/media/" + "." * 32 + "-640.webp",
        f"/media/{key[:2]}/{key}-640.webp",
        f"/media/{secrets.token_hex(16)}-640.webp",
        "/media/",
        "/static/../config.py",
        "/static/..%2f..%2fconfig.py",
        "/static//etc/passwd",
    ):
        answer = ask(app, "GET", ours.host, path)
        assert answer.status_code == 404, path


# -- by session -------------------------------------------------------------------------


@pytest.mark.row("W43")
def test_a_changed_role_counts_from_the_next_click(app: Flask) -> None:
    aim = open_aim(app, "Duka la Zamu")
    cookies = {"__Host-staff": sign_in(app, aim)}
    office, board = f"/dash/{aim.slug}/products/", f"/staff/{aim.slug}/orders/"
    assert ask(app, "GET", PLATFORM, f"/dash/{aim.slug}/audit/", cookies=cookies).status_code == 200

    change(aim, role="packer")
    assert ask(app, "GET", PLATFORM, f"/dash/{aim.slug}/audit/", cookies=cookies).status_code == 403
    assert ask(app, "GET", PLATFORM, board, cookies=cookies).status_code == 200
    change(aim, role="rider")
    assert ask(app, "GET", PLATFORM, board, cookies=cookies).status_code == 403
    change(aim, role=None)
    # As if the store did not exist.
    for path in (board, office, f"/staff/{aim.slug}/run/"):
        assert ask(app, "GET", PLATFORM, path, cookies=cookies).status_code == 404


def test_signing_out_everywhere_ends_every_cookie(app: Flask) -> None:
    aim = open_aim(app, "Duka la Kufunga")
    cookies = {"__Host-staff": sign_in(app, aim)}
    path = f"/dash/{aim.slug}/"
    assert ask(app, "GET", PLATFORM, path, cookies=cookies).status_code == 200
    end_all_sessions(aim.owner_id)
    answer = ask(app, "GET", PLATFORM, path, cookies=cookies)
    assert (answer.status_code, answer.headers["Location"][:8]) == (303, "/sign-in")


# -- by form ----------------------------------------------------------------------------


def every_form(app: Flask, maker: Maker) -> list[Rule]:
    """Every address that changes something for a browser: all but the providers' callbacks."""
    found = [
        rule
        for rule in maker.rules
        if "POST" in (rule.methods or ())
        and not getattr(app.view_functions[rule.endpoint], "_is_provider_callback", False)
    ]
    assert len(found) > 30
    return found


@pytest.mark.row("N5")
def test_a_form_from_elsewhere_is_refused_with_words(
    app: Flask, maker: Maker, ours: Aim, theirs: Aim, snapshot: Snapshot
) -> None:
    """Signed in, with the right token: only where the form came from is wrong, or not said."""
    before = snapshot(ours)
    csrf, session = maker.tokens["owner"]
    cookies = {
        "__Host-staff": ours.owner,
        "__Host-csrf": session,
        "__Host-cart": ours.carts[0],
        "__Host-shopper": ours.shopper,
    }
    nothing = {"Sec-Fetch-Site": ""}
    foreign: tuple[dict[str, str], ...] = (
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},  # a neighbour's shop is the same site
        nothing,
        nothing | HTMX,  # anybody can say that
        nothing | {"Origin": f"https://{theirs.host}:8000"},
        nothing | {"Origin": "null"},
        nothing | {"Origin": "http://["},
        nothing | {"Referer": f"https://evil.example/{ours.host}:8000/"},
        nothing | {"Origin": f"https://{ours.host}:8000.evil.example"},
        nothing | {"X-Forwarded-Host": "evil.example", "Origin": "https://evil.example"},
    )
    let_in = []
    for rule in every_form(app, maker):
        host = PLATFORM if maker.is_platforms(rule) else ours.host
        path, data = maker.address(rule, ours), filled(maker, rule, csrf)
        for headers in foreign:
            answer = ask(app, "POST", host, path, cookies=cookies, data=data, headers=headers)
            words = html.unescape(answer.text)
            if answer.status_code != 403 or "This form came from another place" not in words:
                let_in.append((rule.rule, headers, answer.status_code))

    assert let_in == []
    assert snapshot(ours) == before


@pytest.mark.row("N5")
def test_a_form_without_its_token_is_refused(
    app: Flask, maker: Maker, ours: Aim, snapshot: Snapshot
) -> None:
    before = snapshot(ours)
    cookies = {"__Host-staff": ours.owner, "__Host-csrf": maker.tokens["owner"][1]}
    other_session = maker._csrf("visitor")[0]
    for rule in every_form(app, maker):
        host = PLATFORM if maker.is_platforms(rule) else ours.host
        for token in ("", "x", other_session, maker.tokens["owner"][0][:-1]):
            data = filled(maker, rule, token)
            answer = ask(app, "POST", host, maker.address(rule, ours), cookies=cookies, data=data)
            if rule.rule in TOKENLESS:
                assert answer.status_code != 400, rule.rule
                break
            assert answer.status_code == 400, rule.rule
            assert "Please load it again" in answer.text

    touched = ("cart", "stock_waits")
    same = {name: rows for name, rows in snapshot(ours).items() if not name.startswith(touched)}
    assert same == {name: rows for name, rows in before.items() if not name.startswith(touched)}


@pytest.mark.row("N5")
@pytest.mark.parametrize("wanted", ELSEWHERE)
def test_the_way_back_never_leads_to_another_site(
    app: Flask, maker: Maker, ours: Aim, wanted: str
) -> None:
    csrf, session = maker.tokens["owner"]
    office = {"__Host-staff": ours.owner, "__Host-csrf": session}
    order = ours.values["order_id"][0]
    answers = [
        ask(app, "POST", ours.host, "/deliver-to", data={"area": "kilimani", "next": wanted}),
        ask(
            app,
            "GET",
            PLATFORM,
            "/sign-in",
            cookies=office,
            server={"QUERY_STRING": query(next=wanted)},
        ),
        ask(
            app,
            "GET",
            PLATFORM,
            "/stores",
            cookies=office,
            server={"QUERY_STRING": query(next=wanted)},
        ),
        *(
            ask(
                app,
                "POST",
                PLATFORM,
                f"/staff/{ours.slug}/orders/{order}/note",
                cookies=office,
                data={"csrf_token": csrf, "text": "Call first", "back": back},
            )
            for back in (
                wanted,
                f"/staff/{ours.slug}/..{wanted}",
                f"/dash/{ours.slug}/\r\nX: {wanted}",
            )
        ),
    ]
    for answer in answers:
        assert answer.status_code == 303
        assert re.match(r"/(?![/\\])[\x21-\x5b\x5d-\x7e]*\Z", answer.headers["Location"]), wanted
    shown = ask(app, "GET", ours.host, "/deliver-to", server={"QUERY_STRING": query(next=wanted)})
    assert 'name="next" value="/"' in shown.text


# -- the running product ----------------------------------------------------------------


@pytest.mark.row("W50")
def test_every_process_of_the_product_has_a_role_of_its_own(world: World) -> None:
    """Seen from Postgres: nobody who serves shops is connected as an owner or a superuser."""
    shop = world.open_shop()
    assert world.shopper(shop).get("/").status_code == 200
    found = world.sql(
        "SELECT DISTINCT s.usename, r.rolsuper, r.rolbypassrls FROM pg_stat_activity s"
        " JOIN pg_roles r ON r.rolname = s.usename WHERE s.datname = current_database()"
        " AND s.backend_type = 'client backend' AND s.pid <> pg_backend_pid()"
    )

    assert {row["usename"] for row in found} <= {"dukani_app", "dukani_relay", "dukani_platform"}
    assert "dukani_app" in {row["usename"] for row in found}
    assert not any(row["rolsuper"] or row["rolbypassrls"] for row in found)


@pytest.mark.row("N5")
def test_the_real_server_knows_a_store_by_its_host_alone(world: World) -> None:
    one, other = world.open_shop(name="Duka la Kwanza"), world.open_shop(name="Duka la Pili")
    shopper = world.shopper(one)
    path = shopper.buy().path
    port = world.stack.port

    def at_host(host: str, path: str, **headers: str) -> tuple[int, str]:
        answer = shopper.get(path, headers={"Host": host, **headers})
        return answer.status_code, answer.text

    assert at_host(f"{one.host}:{port}", path)[0] == 200
    assert at_host(f"{other.host}:{port}", path)[0] == 404
    assert at_host(f"{other.host}:{port}", path, **{"X-Forwarded-Host": one.host})[0] == 404
    assert "Duka la Kwanza" in at_host(one.host.upper(), "/")[1]
    for host in (
        f"{one.host}.",
        "evil.example",
        f"{one.host}.evil.example",
        f"{one.host}@evil.example",
    ):
        status, body = at_host(host, "/", **{"X-Forwarded-Host": one.host})
        assert status in (400, 421), host
        assert "Duka" not in body
    status, body = at_host("evil.example", "/")
    assert (status, body) == (421, UNKNOWN_HOST)


@pytest.mark.row("M10")
def test_scripts_find_no_session_in_the_browser(world: World, page: Page) -> None:
    """After signing in as staff and as a buyer, nothing a script can read says who one is."""
    shop = world.open_shop()
    platform = f"http://localhost:{world.stack.port}"
    owner = shop.people["owner"]
    page.goto(f"{platform}/sign-in?way=password")
    page.locator("#email").fill(owner["email"])
    page.locator("#password").fill(owner["password"])
    page.get_by_role("button", name="Sign in").click()
    expect(page).to_have_url(f"{platform}/dash/{shop.slug}/")
    readable = page.evaluate(READABLE)
    page.goto(f"http://{shop.host}:{world.stack.port}/p/{shop.variants[0]['slug']}")
    page.get_by_role("button", name=re.compile("Add")).first.click()
    expect(page.locator("#cart-count")).to_contain_text("1")
    assert readable == [{}, 0, ""]
    # The shop's page leaves the name of what was looked at on the phone, and nothing of the session.
    assert page.evaluate(READABLE) == [{"seen": shop.variants[0]["slug"]}, 0, ""]

    cookies = {cookie["name"]: cookie for cookie in page.context.cookies()}
    assert {"__Host-staff", "__Host-cart"} <= set(cookies)
    for name, cookie in cookies.items():
        assert name.startswith("__Host-")
        assert cookie["httpOnly"]
        assert cookie["secure"]
        assert cookie["sameSite"] == "Lax"
        assert not cookie["domain"].startswith(".")


# -- helpers ----------------------------------------------------------------------------


def tells(answer: TestResponse, aim: Aim, *, besides: str = "") -> bool:
    """Whether an answer holds anything that only this store knows."""
    body = html.unescape(answer.text).replace(besides, "") if besides else answer.text
    secrets_of = (*aim.values["code"], *aim.values["sku"], *aim.values["token"], "Duka Letu")
    return any(word in body for word in secrets_of)


def same_words(answer: TestResponse, token: str) -> str:
    """A page without its request's number, the address that was asked for, and what both make it weigh."""
    text = answer.text.replace(answer.headers["X-Request-ID"], "").replace(token, "")
    return re.sub(r'(?<=<p id="weight">This page: )[0-9.]+', "", text)


def query(**values: str) -> str:
    from urllib.parse import urlencode

    return urlencode(values)


def sign_in(app: Flask, aim: Aim) -> str:
    """A session of this store's owner."""
    from app.domain.people.sessions import start_session

    return start_session(aim.owner_id, "test")


def change(aim: Aim, *, role: str | None) -> None:
    """Give the owner of a store another role, or none."""
    mine = (Membership.store_id == aim.store_id, Membership.person_id == aim.owner_id)
    with platform_session() as session:
        if role is None:
            session.execute(delete(Membership).where(*mine))
        else:
            session.execute(update(Membership).where(*mine).values(role=role))
