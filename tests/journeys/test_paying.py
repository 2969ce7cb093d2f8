"""The money path over HTTP against the running product and the sandbox: every way it can end.

After each test one self-check compares ledger, stock, orders and audit with the provider.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from bench.selfcheck import Report
from tests.world import Purchase, Shop, World, wait_for

pytestmark = pytest.mark.usefixtures("everything_agrees")

Check = Callable[[], Report]


@pytest.fixture(scope="module")
def shop(world: World) -> Shop:
    return world.open_shop()


def buy(world: World, shop: Shop, **behaviour: object) -> Purchase:
    """Order one tea from a phone that behaves like this in the sandbox."""
    shopper = world.shopper(shop)
    if behaviour:
        world.faults(msisdn=shopper.phone, **behaviour)
    return shopper.buy()


def callbacks_of(world: World, purchase: Purchase) -> list[dict[str, object]]:
    return world.sql(
        "SELECT c.* FROM app.callback_inbox c JOIN app.payment_attempts a"
        " ON a.store_id = c.store_id AND a.id = c.attempt_id"
        " WHERE a.store_id = %s AND a.order_id = %s ORDER BY c.received_at",
        purchase.row["store_id"],
        purchase.row["id"],
    )


def hook_of(world: World, shop: Shop, purchase: Purchase) -> tuple[str, str]:
    """(callback path with its real secret, CheckoutRequestID): what an attacker who saw the wire knows."""
    calls = world.sandbox.get(
        "/_sim/transactions", params={"reference": purchase.attempts()[-1]["account_reference"]}
    ).json()
    transaction = calls["transactions"][0]
    return "/" + transaction["callback_url"].split("/", 3)[3], transaction["checkout_request_id"]


def success_body(checkout_request_id: str, *, amount: float, receipt: str) -> dict[str, object]:
    return {
        "Body": {
            "stkCallback": {
                "MerchantRequestID": "29115-34620561-1",
                "CheckoutRequestID": checkout_request_id,
                "ResultCode": 0,
                "ResultDesc": "The service request is processed successfully.",
                "CallbackMetadata": {
                    "Item": [
                        {"Name": "Amount", "Value": amount},
                        {"Name": "MpesaReceiptNumber", "Value": receipt},
                    ]
                },
            }
        }
    }


@pytest.mark.row("W18", "M2", "W61")
def test_a_shopper_pays_and_gets_a_receipt(
    world: World, shop: Shop, everything_agrees: Check
) -> None:
    purchase = buy(world, shop)
    world.answer(purchase.shopper.phone)

    order = purchase.wait("paid")

    attempt = purchase.attempts()[-1]
    assert (attempt["status"], attempt["confirmed_by"] in ("query", "c2b")) == ("succeeded", True)
    assert order["total_cents"] == 450_00 + 250_00
    messages = wait_for("a receipt", lambda: world.outbox(purchase.shopper.phone))
    assert len(messages) == 1
    assert attempt["receipt"] in messages[0]["text"]
    assert purchase.path in messages[0]["text"]
    everything_agrees()


def test_many_phones_at_once_each_get_their_own_ending(
    world: World, shop: Shop, everything_agrees: Check
) -> None:
    endings = {"pay": "0", "cancel": "1032", "pin_locked": "8006", "low_balance": "1"} | {
        "wrong_pin": "2001",
        "unreachable": "1037",
    }
    with ThreadPoolExecutor(12) as people:
        orders = list(people.map(lambda kind: (kind, buy(world, shop, auto=kind)), [*endings] * 3))

    for kind, purchase in orders:
        wait_for(f"an ending of {kind}", lambda p=purchase: p.attempts()[-1]["ended_at"])
        assert purchase.attempts()[-1]["result_code"] == endings[kind], kind
        assert purchase.order()["status"] == ("paid" if kind == "pay" else "pending_payment")
    everything_agrees()


@pytest.mark.row("M42", "M49", "N9")
def test_a_dropped_callback_is_settled_by_the_query(
    world: World, shop: Shop, everything_agrees: Check
) -> None:
    purchase = buy(world, shop, auto="pay", after_s=0.1, callback="never", c2b="none")

    purchase.wait("paid")

    assert purchase.attempts()[-1]["confirmed_by"] == "query"
    assert callbacks_of(world, purchase) == []
    everything_agrees()


@pytest.mark.row("M45", "N85")
@pytest.mark.parametrize("times", ["twice", "times:20"])
def test_a_repeated_callback_pays_once(
    world: World, shop: Shop, times: str, everything_agrees: Check
) -> None:
    purchase = buy(world, shop, auto="pay", after_s=0.1, callback=times)

    purchase.wait("paid")
    wait_for(
        "all callbacks handled",
        lambda: len([c for c in callbacks_of(world, purchase) if c["handled_at"]]) >= 2,
    )

    entries = world.sql(
        "SELECT count(*) n FROM app.ledger_tx WHERE store_id = %s AND source_id = %s",
        shop.store_id,
        str(purchase.attempts()[-1]["id"]),
    )
    assert entries[0]["n"] == 1
    everything_agrees()


@pytest.mark.row("M32", "M38")
def test_a_callback_before_the_push_answer_is_not_overwritten(
    world: World, shop: Shop, everything_agrees: Check
) -> None:
    purchase = buy(world, shop, auto="pay", after_s=0.1, callback="before_answer")

    purchase.wait("paid")

    assert purchase.attempts()[-1]["checkout_request_id"].startswith("ws_CO_")
    everything_agrees()


@pytest.mark.row("W46", "M45")
def test_success_after_a_failing_query_still_wins(
    world: World, shop: Shop, everything_agrees: Check
) -> None:
    purchase = buy(
        world,
        shop,
        auto="pay",
        after_s=0.1,
        callback="late",
        callback_delay_s=9,
        query="failed_until_callback",
        c2b="none",
    )

    wait_for("the query's failure", lambda: purchase.attempts()[-1]["status"] == "failed")
    purchase.wait("paid")

    assert len(purchase.attempts()) == 1
    everything_agrees()


@pytest.mark.row("M45", "W20")
def test_money_after_expiry_still_pays_the_order(
    world: World, shop: Shop, everything_agrees: Check
) -> None:
    """The push answer is lost; the buyer asks again; then the first prompt is paid after all."""
    purchase = buy(
        world, shop, auto="pay", after_s=6, cut_connection_before_answer=True, c2b="none"
    )
    wait_for("unknown", lambda: purchase.attempts()[-1]["status"] == "unknown")
    world.faults(msisdn=purchase.shopper.phone, auto="cancel", after_s=0.1)

    wait_for(
        "the page offers another prompt",
        lambda: f'action="{purchase.path}/pay"' in purchase.shopper.get(purchase.path).text,
    )
    assert purchase.retry().status_code == 303
    purchase.wait("paid")

    statuses = [a["status"] for a in purchase.attempts()]
    assert statuses[0] == "succeeded"
    everything_agrees()


@pytest.mark.row("M33")
@pytest.mark.parametrize("delta", [1, -1])
def test_another_amount_waits_for_a_person(
    world: World, shop: Shop, delta: int, everything_agrees: Check
) -> None:
    purchase = buy(world, shop, auto="pay", after_s=0.1, amount_delta=delta)

    item = wait_for(
        "a review item",
        lambda: world.sql(
            "SELECT * FROM app.review_items WHERE store_id = %s AND order_id = %s AND kind = 'amount_differs'",
            shop.store_id,
            purchase.row["id"],
        ),
    )[0]
    wait_for("a few queries that say paid", lambda: purchase.attempts()[-1]["checks"] >= 2)

    assert purchase.order()["status"] == "pending_payment"
    assert (item["owner_role"], item["next_action"]) == ("owner", "compare_with_statement")
    everything_agrees()


@pytest.mark.row("M40", "N84", "W10")
def test_forged_callbacks_release_nothing(
    world: World, shop: Shop, everything_agrees: Check
) -> None:
    """Twenty forgeries; the last has secret, ids, amount and shape right, and only the query disagrees."""
    purchase = buy(world, shop)
    wait_for("the prompt", lambda: world.prompts(purchase.shopper.phone))
    path, checkout = hook_of(world, shop, purchase)
    base = f"http://127.0.0.1:{world.stack.port}"
    host = {"Host": f"localhost:{world.stack.port}"}
    total = purchase.row["total_cents"] // 100
    right = success_body(checkout, amount=float(total), receipt="TJ3MX6CLYC")
    forgeries: list[tuple[str, object]] = [
        (f"/hooks/pay/{secrets.token_hex(16)}", right) for _ in range(8)
    ]
    forgeries += [
        (
            path,
            success_body(
                "ws_CO_000000000000000000000000", amount=float(total), receipt=f"FAKE{n:06d}"
            ),
        )
        for n in range(4)
    ]
    forgeries += [
        (path, body)
        for body in ({}, [], "paid", {"Body": None}, {"Body": {"stkCallback": {"ResultCode": "0"}}})
    ]
    forgeries += [(path, success_body(checkout, amount=float(total), receipt="X" * 40))]
    forgeries += [
        (path, {"Body": {"stkCallback": {"CheckoutRequestID": checkout, "ResultCode": True}}}),
        (path, right),
    ]
    with httpx.Client(trust_env=False) as attacker:
        answers = [
            attacker.post(base + where, json=body, headers=host).status_code
            for where, body in forgeries
        ]

    assert len(answers) == 20
    assert set(answers) == {200, 404}
    wait_for("all handled", lambda: all(c["handled_at"] for c in callbacks_of(world, purchase)))
    assert purchase.order()["status"] == "pending_payment"
    world.answer(purchase.shopper.phone, "cancel")
    wait_for("the truth", lambda: purchase.attempts()[-1]["checks"] >= 1)
    assert purchase.order()["status"] == "pending_payment"
    everything_agrees()


@pytest.mark.row("W25")
def test_anothers_receipt_does_not_stop_settlement(
    world: World, shop: Shop, everything_agrees: Check
) -> None:
    first = buy(world, shop, auto="pay", after_s=0.1)
    first.wait("paid")
    taken = wait_for("a receipt", lambda: first.attempts()[-1]["receipt"])
    second = buy(world, shop, callback="never", c2b="none")
    wait_for("the prompt", lambda: world.prompts(second.shopper.phone))
    path, checkout = hook_of(world, shop, second)
    with httpx.Client(trust_env=False) as attacker:
        attacker.post(
            f"http://127.0.0.1:{world.stack.port}{path}",
            headers={"Host": f"localhost:{world.stack.port}"},
            json=success_body(checkout, amount=second.row["total_cents"] / 100, receipt=taken),
        )
    world.answer(second.shopper.phone)

    second.wait("paid")

    assert second.attempts()[-1]["receipt"] is None
    assert world.sql(
        "SELECT 1 FROM app.review_items WHERE store_id = %s AND subject_id = %s AND kind = 'receipt_used_elsewhere'",
        shop.store_id,
        second.attempts()[-1]["id"],
    )
    everything_agrees()


@pytest.mark.row("W47", "M32")
def test_money_is_found_by_c2b_when_push_answer_and_callback_are_lost(
    world: World, shop: Shop, everything_agrees: Check
) -> None:
    purchase = buy(
        world,
        shop,
        auto="pay",
        after_s=0.5,
        cut_connection_before_answer=True,
        callback="never",
        c2b="after",
    )

    purchase.wait("paid")

    attempt = purchase.attempts()[-1]
    assert (attempt["confirmed_by"], attempt["checkout_request_id"]) == ("c2b", None)
    everything_agrees()


@pytest.mark.row("M43")
def test_what_nobody_can_know_becomes_a_review_item(
    world: World, shop: Shop, everything_agrees: Check
) -> None:
    purchase = buy(
        world,
        shop,
        auto="pay",
        after_s=0.1,
        cut_connection_before_answer=True,
        callback="never",
        c2b="none",
    )

    item = wait_for(
        "a review item",
        lambda: world.sql(
            "SELECT *, now() - opened_at AS age FROM app.review_items"
            " WHERE store_id = %s AND subject_id = %s AND kind = 'silent_attempt'",
            shop.store_id,
            purchase.attempts()[-1]["id"],
        ),
        seconds=40,
    )[0]

    assert (item["owner_role"], item["next_action"], item["status"]) == (
        "owner",
        "compare_with_statement",
        "open",
    )
    assert purchase.attempts()[-1]["status"] == "expired"
    assert everything_agrees().waiting["silent_attempt"] >= 1


@pytest.mark.row("W16", "W23", "N46")
def test_twenty_equal_posts_make_one_order_and_one_prompt(
    world: World, shop: Shop, everything_agrees: Check
) -> None:
    shopper = world.shopper(shop)
    shopper.add()
    form = shopper.checkout_form()
    headers = {
        "Host": f"{shop.host}:{world.stack.port}",
        "Sec-Fetch-Site": "same-origin",
        "Cookie": "; ".join(f"{k}={v}" for k, v in shopper.cookies.items()),
    }

    def post(_: int) -> tuple[int, str]:
        with httpx.Client(
            trust_env=False,
            timeout=30,
            transport=httpx.HTTPTransport(local_address=shopper.address),
        ) as client:
            answer = client.post(
                f"http://127.0.0.1:{world.stack.port}/checkout", data=form, headers=headers
            )
            return answer.status_code, answer.headers.get("location", "")

    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(post, range(20)))

    assert {status for status, _ in answers} == {303}
    assert len({location for _, location in answers}) == 1
    wait_for("the prompt", lambda: world.prompts(shopper.phone))
    assert len(world.transactions(msisdn=shopper.phone)["transactions"]) == 1
    world.answer(shopper.phone)
    everything_agrees()


@pytest.mark.row("W31", "W17")
def test_many_buyers_of_the_last_unit_make_one_order(
    world: World, everything_agrees: Check
) -> None:
    shop = world.open_shop(stock=[1])
    shoppers = [world.shopper(shop) for _ in range(50)]
    for shopper in shoppers:
        world.faults(msisdn=shopper.phone, auto="pay", after_s=0.1)

    def go(shopper: object) -> int:
        shopper.add()  # type: ignore[attr-defined]
        page = shopper.get("/checkout", params={"area": "kilimani"})  # type: ignore[attr-defined]
        if page.status_code != 200 or 'name="key"' not in page.text:
            return 422
        return shopper.post("/checkout", shopper.checkout_form()).status_code  # type: ignore[attr-defined,no-any-return]

    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(go, shoppers))

    assert answers.count(303) == 1
    assert set(answers) <= {303, 422}
    wait_for(
        "paid",
        lambda: world.sql(
            "SELECT 1 FROM app.orders WHERE store_id = %s AND status = 'paid'", shop.store_id
        ),
    )
    assert world.sql(
        "SELECT on_hand, reserved FROM app.variants WHERE store_id = %s", shop.store_id
    ) == [{"on_hand": 0, "reserved": 0}]
    everything_agrees()


@pytest.mark.row("M35")
def test_a_failed_try_can_be_repeated_on_another_number(
    world: World, shop: Shop, everything_agrees: Check
) -> None:
    purchase = buy(world, shop)
    world.answer(purchase.shopper.phone, "cancel")
    wait_for("failed", lambda: purchase.attempts()[-1]["status"] == "failed")
    other = world.shopper(shop).phone

    answer = purchase.retry(phone="0" + other[3:])
    assert answer.status_code == 303, answer.text[:500]
    world.answer(other)

    purchase.wait("paid")
    assert [a["status"] for a in purchase.attempts()] == ["failed", "succeeded"]
    everything_agrees()


@pytest.mark.row("M36", "W10")
def test_the_orders_token_reads_the_payment_and_changes_neither_amount_nor_status(
    world: World, shop: Shop, everything_agrees: Check
) -> None:
    purchase = buy(world, shop)
    wait_for("the prompt", lambda: world.prompts(purchase.shopper.phone))
    before = world.sql(
        "SELECT amount_cents, status, metadata FROM app.payment_intents WHERE order_id = %s",
        purchase.row["id"],
    )

    for path in ("/payment", "/pay", ""):
        purchase.shopper.post(
            purchase.path + path,
            {**_form(purchase), "amount_cents": "100", "amount": "1", "status": "paid"},
        )
    after = world.sql(
        "SELECT amount_cents, status, metadata FROM app.payment_intents WHERE order_id = %s",
        purchase.row["id"],
    )

    assert after == before
    assert purchase.order()["total_cents"] == purchase.row["total_cents"]
    assert world.prompts(purchase.shopper.phone)[0]["amount"] == purchase.row["total_cents"] // 100
    world.answer(purchase.shopper.phone)
    purchase.wait("paid")
    everything_agrees()


@pytest.mark.row("M35", "N88")
def test_no_second_prompt_while_one_is_alive(
    world: World, shop: Shop, everything_agrees: Check
) -> None:
    purchase = buy(world, shop)
    wait_for("the prompt", lambda: world.prompts(purchase.shopper.phone))

    refused = purchase.shopper.post(
        f"{purchase.path}/pay", {**_form(purchase), "phone": "0" + world.shopper(shop).phone[3:]}
    )

    assert refused.status_code in (
        303,
        422,
    )  # without script: back to the page, which says what to wait for
    assert len(purchase.attempts()) == 1
    world.answer(purchase.shopper.phone)
    purchase.wait("paid")
    everything_agrees()


def _form(purchase: Purchase) -> dict[str, str]:
    """A retry form's hidden fields, taken from a page where the form is shown."""
    page = purchase.shopper.get("/checkout", params={"area": "kilimani"}).text
    import re

    token = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', page) or re.search(
        r'value="([^"]+)"[^>]*name="csrf_token"', page
    )
    return {"csrf_token": token.group(1) if token else "", "key": secrets.token_hex(16)}
