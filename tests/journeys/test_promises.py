"""Promises about every answer of the running product: headers, cookies, logs, health."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.world import Purchase, Shop, World, hidden_fields, wait_for

HEADERS = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "x-frame-options": "DENY",
}
POLICY = {
    "default-src": "'none'",
    "script-src": "'self'",
    "img-src": "'self' data:",
    "connect-src": "'self'",
    "form-action": "'self'",
    "base-uri": "'none'",
    "frame-ancestors": "'none'",
    "object-src": "'none'",
}
TRACE = "promises0001journey"


@pytest.fixture(scope="module")
def shop(world: World) -> Shop:
    return world.open_shop()


@pytest.fixture(scope="module")
def office(world: World, shop: Shop) -> Iterator[httpx.Client]:
    """The owner's browser, signed in by e-mail and password."""
    with httpx.Client(
        base_url=f"http://127.0.0.1:{world.stack.port}", timeout=30, trust_env=False
    ) as client:
        client.headers.update(
            {"Host": f"localhost:{world.stack.port}", "Sec-Fetch-Site": "same-origin"}
        )
        cookies: dict[str, str] = {}

        def keep(response: httpx.Response) -> None:
            for line in response.headers.get_list("set-cookie"):
                name, _, value = line.partition(";")[0].partition("=")
                cookies[name] = value
            client.headers["Cookie"] = "; ".join(f"{k}={v}" for k, v in cookies.items())

        page = client.get("/sign-in?way=password")
        keep(page)
        owner = shop.people["owner"]
        form = hidden_fields(page.text, "/sign-in/password") | owner
        answer = client.post("/sign-in/password", data=form)
        keep(answer)
        assert answer.status_code == 303, answer.text[:500]
        yield client


@pytest.fixture(scope="module")
def purchase(world: World, shop: Shop) -> Purchase:
    """Something bought and paid, each request of it under one id."""
    shopper = world.shopper(shop)
    shopper.http.headers["X-Request-ID"] = TRACE
    bought = shopper.buy()
    world.answer(shopper.phone)
    bought.wait("paid")
    wait_for("a receipt", lambda: world.outbox(shopper.phone))
    return bought


def written_logs(world: World) -> dict[str, str]:
    """What every program of the stack has written, by name. The sandbox is not the product."""
    return {
        path.stem: path.read_text(errors="replace")
        for path in sorted(Path(world.stack.log_folder).glob("*.log"))
        if path.stem != "sandbox"
    }


@pytest.mark.row("T75", "M15", "T60")
def test_every_kind_of_answer_carries_the_headers(
    world: World, shop: Shop, office: httpx.Client, purchase: Purchase
) -> None:
    shopper = world.shopper(shop)
    shopper.add()
    product = f"/p/{shop.variants[0]['slug']}"
    public = ["/", product, "/areas", "/search?q=tea"]
    pages = [
        *public,
        "/cart",
        "/checkout",
        purchase.path,
        f"{purchase.path}/payment",
    ]
    answers = {
        path: shopper.get(path) for path in [*pages, "/robots.txt", "/sitemap.xml", "/nothing-here"]
    }
    answers["post"] = shopper.post("/cart/lines", {"sku": "no-such", "quantity": "1"})
    desk = [f"/dash/{shop.slug}/today", f"/staff/{shop.slug}/orders/", "/healthz", "/readyz"]
    answers |= {path: office.get(path) for path in desk}
    answers["signed out"] = office.get("/sign-in", headers={"Cookie": ""})
    answers["callback"] = office.post("/hooks/pay/" + "0" * 32, json={})
    answers["foreign form"] = shopper.http.post(
        "/cart/lines", headers={"Sec-Fetch-Site": "cross-site"}
    )

    for path, answer in answers.items():
        assert answer.status_code < 500, path
        assert {name: answer.headers.get(name) for name in HEADERS} == HEADERS, path
        told = dict(
            part.strip().partition(" ")[::2]
            for part in answer.headers["content-security-policy"].split(";")
        )
        assert {name: told.get(name) for name in POLICY} == POLICY, path
        assert "unsafe" not in answer.headers["content-security-policy"], path
        # A page that is everybody's is sent again as it was made: the id of one visitor's request
        # would be told to the next. Every other answer has its own.
        is_everybodys = "x-cache" in answer.headers
        assert bool(answer.headers.get("x-request-id")) is not is_everybodys, path
        assert not is_everybodys or path in public, path
    assert {path: answers[path].status_code for path in [*pages, *desk]} == dict.fromkeys(
        [*pages, *desk], 200
    )


@pytest.mark.row("T60", "M15")
def test_no_page_has_a_script_or_style_of_its_own(
    world: World, shop: Shop, office: httpx.Client, purchase: Purchase
) -> None:
    shopper = world.shopper(shop)
    shopper.add()
    texts = [shopper.get(path).text for path in ("/", "/cart", "/checkout", purchase.path)]
    texts += [
        office.get(path).text
        for path in (f"/dash/{shop.slug}/today", f"/staff/{shop.slug}/orders/")
    ]

    for text in texts:
        scripts = re.findall(r"<script\b([^>]*)>", text)
        assert all(
            "src=" in script or "application/ld+json" in script or "application/json" in script
            for script in scripts
        )
        assert not re.search(r"<[a-z][^>]*\s(?:style|on[a-z]+)=", text)
        assert len(re.findall(r"<style\b", text)) <= 1


@pytest.mark.row("T75", "M10")
def test_every_cookie_is_locked_to_its_host(world: World, shop: Shop) -> None:
    shopper = world.shopper(shop)
    lines = [
        line
        for answer in (shopper.add(), shopper.get("/checkout"))
        for line in answer.headers.get_list("set-cookie")
    ]
    with httpx.Client(base_url=f"http://127.0.0.1:{world.stack.port}", trust_env=False) as desk:
        desk.headers.update(
            {"Host": f"localhost:{world.stack.port}", "Sec-Fetch-Site": "same-origin"}
        )
        page = desk.get("/sign-in?way=password")
        lines += page.headers.get_list("set-cookie")
        form = hidden_fields(page.text, "/sign-in/password") | shop.people["owner"]
        cookie = page.headers["set-cookie"].partition(";")[0]
        lines += desk.post(
            "/sign-in/password", data=form, headers={"Cookie": cookie}
        ).headers.get_list("set-cookie")

    assert {line.partition("=")[0] for line in lines} >= {
        "__Host-cart",
        "__Host-csrf",
        "__Host-staff",
    }
    for line in lines:
        flags = {part.strip().lower() for part in line.split(";")[1:]}
        assert line.startswith("__Host-"), line
        assert {"secure", "httponly", "path=/", "samesite=lax"} <= flags, line
        assert not any(flag.startswith("domain") for flag in flags), line


@pytest.mark.row("W10", "W22")
def test_a_page_knows_no_provider_and_decides_nothing(world: World, shop: Shop) -> None:
    shopper = world.shopper(shop)
    bought = shopper.buy()
    for path in (bought.path, "/checkout", f"{bought.path}/payment"):
        text = shopper.get(path).text.lower()
        assert "safaricom" not in text.replace("safaricom.co.ke", "")
        assert "/daraja" not in text
        assert "consumer" not in text
    for path in (
        f"{bought.path}/pay",
        f"{bought.path}/pay-on-delivery",
        "/cart/lines",
        "/checkout",
        f"{bought.path}/payment",
    ):
        shopper.post(
            path, {"status": "paid", "result": "0", "ResultCode": "0", "receipt": "SGR7XK21QP"}
        )

    assert bought.order()["status"] == "pending_payment"
    assert {attempt["status"] for attempt in bought.attempts()} <= {
        "created",
        "sending",
        "awaiting_customer",
    }


@pytest.mark.row("N80", "N47")
def test_one_id_leads_from_the_button_to_the_phone(world: World, purchase: Purchase) -> None:
    """The id of the request that ordered is on the job, on the provider's call, and in all their logs."""
    attempt = purchase.attempts()[0]
    jobs = world.sql(
        "SELECT topic FROM app.outbox WHERE store_id = %s AND request_id = %s",
        purchase.row["store_id"],
        TRACE,
    )
    calls = world.sql(
        "SELECT endpoint, phase FROM app.provider_calls WHERE attempt_id = %s AND request_id = %s ORDER BY at",
        attempt["id"],
        TRACE,
    )

    assert {job["topic"] for job in jobs} >= {"send_attempt", "check_attempt"}
    assert {call["phase"] for call in calls} == {"started", "ended"}
    logs = written_logs(world)
    assert '"event": "request"' in lines_with(logs["web"], TRACE)
    money = "".join(text for name, text in logs.items() if name.startswith("money"))
    assert '"event": "provider_call"' in lines_with(money, TRACE)
    assert '"logger": "mpesa"' in lines_with(money, TRACE)


@pytest.mark.row("N47")
def test_the_callbacks_id_leads_from_its_arrival_to_the_receipt(
    world: World, purchase: Purchase
) -> None:
    store_id, attempt = purchase.row["store_id"], purchase.attempts()[0]
    arrived = world.sql(
        "SELECT request_id FROM app.callback_inbox WHERE store_id = %s AND attempt_id = %s ORDER BY received_at",
        store_id,
        attempt["id"],
    )
    jobs = world.sql(
        "SELECT topic FROM app.outbox WHERE store_id = %s AND request_id = %s",
        store_id,
        arrived[0]["request_id"],
    )

    assert arrived[0]["request_id"]
    assert "handle_callback" in {job["topic"] for job in jobs}
    everything = "".join(written_logs(world).values())
    assert '"event": "callback_stored"' in lines_with(everything, arrived[0]["request_id"])


def lines_with(text: str, words: str) -> str:
    return "\n".join(line for line in text.splitlines() if words in line)


@pytest.mark.row("T63", "N80")
def test_no_log_of_the_running_product_names_a_person_or_a_secret(
    world: World, shop: Shop, office: httpx.Client, purchase: Purchase
) -> None:
    office.get(f"/staff/{shop.slug}/orders/{purchase.row['id']}")
    (told,) = world.transactions(msisdn=purchase.shopper.phone)["transactions"]
    owner, phone = shop.people["owner"], purchase.shopper.phone
    secret = {
        "phone": phone[3:],
        "spoken phone": f"0{phone[3:6]} {phone[6:9]} {phone[9:]}",
        "order token": purchase.path.rsplit("/", 1)[1],
        "callback token": told["callbacks"][0]["url"].rsplit("/", 1)[1],
        "cart cookie": purchase.shopper.cookies["__Host-cart"],
        "session": office.headers["Cookie"].split("__Host-staff=")[1].split(";")[0],
        "e-mail": owner["email"],
        "password": owner["password"],
        "consumer key": shop.keys["consumer_key"],
        "consumer secret": shop.keys["consumer_secret"],
        "passkey": shop.keys["passkey"],
        "landmark": "Blue gate opposite",
    }

    logs = written_logs(world)
    found = [
        (name, what)
        for name, text in logs.items()
        for what, value in secret.items()
        if value and value in text
    ]

    assert {"web", "relay", "postgres"} <= set(logs)
    assert '"event": "request"' in logs["web"]
    assert found == []


def test_health_answers_on_any_host_and_metrics_only_at_home(
    world: World, purchase: Purchase
) -> None:
    base = f"http://127.0.0.1:{world.stack.port}"
    for host in (
        f"localhost:{world.stack.port}",
        f"{purchase.shopper.shop.host}:{world.stack.port}",
        "10.0.0.7",
    ):
        assert httpx.get(f"{base}/healthz", headers={"Host": host}, trust_env=False).json() == {
            "status": "ok"
        }
        ready = httpx.get(f"{base}/readyz", headers={"Host": host}, trust_env=False)
        assert (ready.status_code, ready.json()["broken"]) == (200, [])

    told = httpx.get(f"{base}/metrics", trust_env=False)
    proxied = httpx.get(
        f"{base}/metrics", headers={"X-Forwarded-For": "41.90.1.1"}, trust_env=False
    )
    wrong = {"X-Forwarded-For": "41.90.1.1", "Authorization": "Bearer " + "x" * 43}

    assert told.status_code == 200
    assert re.search(
        r'dukani_requests_total\{method="POST",rule="/checkout",status="303"\} [1-9]', told.text
    )
    assert proxied.status_code == 404
    assert httpx.get(f"{base}/metrics", headers=wrong, trust_env=False).status_code == 404


@pytest.mark.row("W50", "M39")
def test_no_program_is_connected_with_a_role_that_could_look_past_a_store(
    world: World, purchase: Purchase
) -> None:
    connected = world.sql(
        "SELECT DISTINCT a.usename, r.rolsuper, r.rolbypassrls,"
        " pg_has_role(a.usename, 'dukani_owner', 'MEMBER') AS owns"
        " FROM pg_stat_activity a JOIN pg_roles r ON r.rolname = a.usename"
        " WHERE a.datname = current_database() AND a.pid <> pg_backend_pid()"
    )
    programs = {row["usename"] for row in connected if row["usename"].startswith("dukani_")}

    assert (
        {"dukani_app", "dukani_relay"}
        <= programs
        <= {"dukani_app", "dukani_relay", "dukani_platform"}
    )
    for row in connected:
        if row["usename"] in programs:
            assert not any((row["rolsuper"], row["rolbypassrls"], row["owns"])), row


@pytest.mark.row("M44", "M31")
def test_a_callback_is_kept_raw_and_an_intent_belongs_to_its_order(
    world: World, purchase: Purchase
) -> None:
    store_id, order_id = purchase.row["store_id"], purchase.row["id"]
    (told,) = world.transactions(msisdn=purchase.shopper.phone)["transactions"]
    attempt = purchase.attempts()[0]
    (kept,) = world.sql(
        "SELECT body, source_ip, kind FROM app.callback_inbox WHERE store_id = %s AND attempt_id = %s",
        store_id,
        attempt["id"],
    )
    intents = world.sql(
        "SELECT * FROM app.payment_intents WHERE store_id = %s AND order_id = %s",
        store_id,
        order_id,
    )
    nullable = world.sql(
        "SELECT is_nullable FROM information_schema.columns WHERE table_schema = 'app'"
        " AND table_name = 'payment_intents' AND column_name = 'order_id'"
    )

    assert bytes(kept["body"]).decode() == told["callbacks"][0]["body"]
    assert str(kept["source_ip"]).startswith("127.0.0.1")
    assert [intent["status"] for intent in intents] == ["succeeded"]
    assert intents[0]["amount_cents"] == purchase.row["total_cents"]
    assert [row["is_nullable"] for row in nullable] == ["NO"]


@pytest.mark.row("M1")
def test_money_goes_to_the_shops_own_number_and_there_is_no_other(
    world: World, shop: Shop, purchase: Purchase
) -> None:
    (told,) = world.transactions(msisdn=purchase.shopper.phone)["transactions"]

    assert told["shortcode"] == shop.keys["shortcode"]
    named = {
        name
        for name in world.stack.env
        if re.search("TILL|PAYBILL|SHORTCODE|PASSKEY|CONSUMER", name)
        and not name.startswith("MPESA_TEST_")  # no real money moves there
    }
    assert named == set()
    shopper = world.shopper(shop)
    shopper.add()
    assert f"Your phone will show {shop.slug.upper()}" in shopper.get("/checkout").text


@pytest.mark.row("W33")
def test_an_order_keeps_the_name_and_price_it_was_agreed_at(world: World, shop: Shop) -> None:
    shopper = world.shopper(shop)
    bought = shopper.buy(shop.variants[1])
    before = shopper.get(bought.path).text
    variant = shop.variants[1]
    for change in ("name = 'Another tea altogether'", "status = 'archived'"):
        world.sql(
            f"UPDATE app.products SET {change} WHERE store_id = %s AND slug = %s",
            shop.store_id,
            variant["slug"],
        )
    world.sql(
        "UPDATE app.variants SET price_cents = 99900 WHERE store_id = %s AND id = %s",
        shop.store_id,
        variant["id"],
    )

    after = shopper.get(bought.path).text

    assert shopper.get(f"/p/{variant['slug']}").status_code == 404
    for text in (before, after):
        assert "Kericho tea no. 2" in text
        assert f"KES\N{NO-BREAK SPACE}{variant['price_cents'] // 100:,}" in text
    assert "Another tea" not in after
    assert bought.order()["total_cents"] == variant["price_cents"] + 250_00


@pytest.mark.row("W34", "J15")
def test_a_payment_is_an_intent_an_attempt_and_a_ledger_that_sums_to_nothing(
    world: World, purchase: Purchase
) -> None:
    store_id, order = purchase.row["store_id"], purchase.order()
    (intent,) = world.sql(
        "SELECT * FROM app.payment_intents WHERE store_id = %s AND order_id = %s",
        store_id,
        order["id"],
    )
    (attempt,) = purchase.attempts()
    entries = world.sql(
        "SELECT e.account, e.amount_cents FROM app.ledger_entries e JOIN app.ledger_tx t"
        " ON t.store_id = e.store_id AND t.id = e.tx_id WHERE t.store_id = %s AND t.source_id = %s",
        store_id,
        str(attempt["id"]),
    )

    assert (intent["status"], attempt["status"], order["status"]) == (
        "succeeded",
        "succeeded",
        "paid",
    )
    assert intent["amount_cents"] == attempt["amount_cents"] == order["total_cents"]
    assert len(entries) >= 2
    assert sum(entry["amount_cents"] for entry in entries) == 0
    assert order["total_cents"] in {abs(entry["amount_cents"]) for entry in entries}
