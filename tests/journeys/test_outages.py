"""Parts of the house failing in the middle of purchases: nothing is lost, nothing is doubled."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import httpx
import pytest
import redis

from bench.selfcheck import Report
from tests.world import Purchase, Shop, World, wait_for

Check = Callable[[], Report]


@pytest.fixture(scope="module")
def shop(world: World) -> Shop:
    return world.open_shop(whatsapp=True)


@pytest.fixture(autouse=True)
def _all_up(world: World) -> Iterator[None]:
    """Whatever a test stopped runs again afterwards."""
    yield
    wait_for(
        "everything runs again", lambda: world.stack.tick() is None and is_ready(world), seconds=40
    )


def is_ready(world: World) -> bool:
    try:
        return (
            httpx.get(f"http://127.0.0.1:{world.stack.port}/readyz", trust_env=False).status_code
            == 200
        )
    except httpx.TransportError:
        return False


def paying(world: World, shop: Shop, **behaviour: object) -> Purchase:
    shopper = world.shopper(shop)
    world.faults(msisdn=shopper.phone, **({"auto": "pay", "after_s": 0.3} | behaviour))
    return shopper.buy()


def wait_paid(world: World, purchases: list[Purchase], *, seconds: float = 40) -> None:
    def all_paid() -> bool:
        world.stack.tick()
        return all(p.order()["status"] == "paid" for p in purchases)

    wait_for("every purchase paid", all_paid, seconds=seconds)


@pytest.mark.row("N11")
def test_an_emptied_redis_loses_no_payment_and_no_message(
    world: World, shop: Shop, everything_agrees: Check
) -> None:
    purchases = [paying(world, shop) for _ in range(3)]
    redis.Redis.from_url(world.stack.env["REDIS_URL"]).flushall()
    purchases += [paying(world, shop) for _ in range(2)]
    redis.Redis.from_url(world.stack.env["REDIS_URL"]).flushall()

    wait_paid(world, purchases)

    for purchase in purchases:
        messages = wait_for("the receipt", lambda p=purchase: world.outbox(p.shopper.phone))  # type: ignore[misc]
        assert len(messages) == 1
    everything_agrees()


@pytest.mark.row("W19")
def test_a_restarted_postgres_loses_no_payment(
    world: World, shop: Shop, everything_agrees: Check
) -> None:
    purchases = [paying(world, shop) for _ in range(3)]
    world.stack.stop_postgres()
    down = httpx.get(
        f"http://127.0.0.1:{world.stack.port}/", headers={"Host": shop.host}, trust_env=False
    )
    world.stack.start_postgres()

    wait_paid(world, purchases)

    assert down.status_code == 503
    assert "Nothing was lost" in down.text
    everything_agrees()


@pytest.mark.row("W19")
def test_what_the_provider_answers_while_postgres_is_away_is_written_down_after(
    world: World, shop: Shop, everything_agrees: Check
) -> None:
    """Nobody says that answer twice, and where no callback comes nothing else finds the money."""
    purchase = paying(world, shop, on=["push"], hang_s=1, callback="never", c2b="none")
    wait_for("the call", lambda: purchase.attempts()[-1]["status"] == "sending")
    reference = purchase.attempts()[-1]["account_reference"]
    world.stack.stop_postgres()
    wait_for("the prompt", lambda: world.transactions(reference=reference)["transactions"])
    world.stack.start_postgres()

    wait_paid(world, [purchase])
    everything_agrees()


@pytest.mark.row("W19")
def test_a_callback_while_postgres_is_away_is_refused_and_asked_for_later(
    world: World, shop: Shop, everything_agrees: Check
) -> None:
    purchase = paying(world, shop, after_s=2, c2b="none")
    wait_for("the prompt", lambda: purchase.attempts()[-1]["checkout_request_id"])
    found = world.transactions(reference=purchase.attempts()[-1]["account_reference"])[
        "transactions"
    ]
    token = found[0]["callback_url"].rsplit("/", 1)[1]
    world.stack.stop_postgres()
    answer = httpx.post(
        f"http://127.0.0.1:{world.stack.port}/hooks/pay/{token}",
        content=b"{}",
        trust_env=False,
        headers={"Host": f"localhost:{world.stack.port}", "Content-Type": "application/json"},
    )
    wait_for(
        "the provider's callback went nowhere",
        lambda: world.transactions(reference="")["posts_waiting"] == 0,
    )
    world.stack.start_postgres()

    assert answer.status_code == 503
    wait_paid(world, [purchase])
    everything_agrees()


@pytest.mark.row("M43")
def test_workers_killed_again_and_again_settle_everything(
    world: World, shop: Shop, everything_agrees: Check
) -> None:
    purchases = []
    for _ in range(5):
        purchases.append(paying(world, shop))
        for name in ("money", "messages", "relay"):
            world.stack.kill(name)
        world.stack.tick()

    wait_paid(world, purchases, seconds=60)

    everything_agrees()


@pytest.mark.row("N11", "W41")
def test_messages_wait_for_a_provider_that_is_down(
    world: World, shop: Shop, everything_agrees: Check
) -> None:
    world.faults(down=True, on=["whatsapp", "sms"])
    purchase = paying(world, shop)
    wait_paid(world, [purchase])
    wait_for(
        "a try",
        lambda: world.sql(
            "SELECT 1 FROM app.message_attempts t JOIN app.messages m"
            " ON m.store_id = t.store_id AND m.id = t.message_id"
            " WHERE m.order_id = %s",
            purchase.row["id"],
        ),
    )
    assert world.outbox(purchase.shopper.phone) == []
    world.straighten()

    wait_for("the receipt", lambda: world.outbox(purchase.shopper.phone), seconds=40)

    def statuses() -> list[str]:
        rows = world.sql(
            "SELECT status FROM app.messages WHERE order_id = %s AND kind = 'receipt'",
            purchase.row["id"],
        )
        return [str(row["status"]) for row in rows]

    wait_for("its final state", lambda: statuses() == ["sent"])
    assert len(world.outbox(purchase.shopper.phone)) == 1
    everything_agrees()


@pytest.mark.row("T24", "W61")
def test_a_refused_whatsapp_falls_back_to_sms_once(
    world: World, shop: Shop, everything_agrees: Check
) -> None:
    shopper = world.shopper(shop)
    world.faults(msisdn=shopper.phone, auto="pay", after_s=0.2, whatsapp_error=131026)
    purchase = shopper.buy()
    purchase.wait("paid")

    messages = wait_for(
        "the SMS", lambda: [m for m in world.outbox(shopper.phone) if m["channel"] == "sms"]
    )

    wait_for("the SMS's own row", lambda: sms_status(world, purchase) == "sent")
    rows = world.sql(
        "SELECT channel, status, fallback_of, cost_cents FROM app.messages WHERE order_id = %s ORDER BY created_at",
        purchase.row["id"],
    )
    assert [(r["channel"], r["status"]) for r in rows] == [("whatsapp", "failed"), ("sms", "sent")]
    assert rows[1]["fallback_of"] is not None
    assert rows[1]["cost_cents"] > 0
    assert len(messages) == 1
    everything_agrees()


def sms_status(world: World, purchase: Purchase) -> str:
    rows = world.sql(
        "SELECT status FROM app.messages WHERE order_id = %s AND channel = 'sms'",
        purchase.row["id"],
    )
    return str(rows[0]["status"]) if rows else ""


def test_one_slow_store_does_not_see_anothers_phone(world: World, shop: Shop) -> None:
    other = world.open_shop()
    mine, theirs = paying(world, shop), paying(world, other)
    wait_paid(world, [mine, theirs])

    assert world.shopper(other).get(mine.path).status_code == 404
    assert world.shopper(shop).get(theirs.path).status_code == 404
