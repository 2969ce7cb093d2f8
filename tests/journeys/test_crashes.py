"""Programs killed with -9 wherever the purchase path commits or talks to the outside.

The points are derived: a first purchase is watched and lists them; then each of them is
died at once, during a purchase of its own. The purchase must end paid, once, with one
receipt row, and everything must agree.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

import httpx
import pytest

from bench.selfcheck import selfcheck
from local.stack import Stack
from tests.conftest import QUICK_ENV, ROOT
from tests.world import Purchase, Shop, World, wait_for

T = TypeVar("T")

# Short leases, so that what died is rung again within seconds.
CRASH_ENV = QUICK_ENV | {
    "LEASE_SECONDS": "2",
    "VISIBILITY_SECONDS": "2",
    "SENDING_LOST_SECONDS": "1",
    "FIRST_CHECK_SECONDS": "1",
}


@pytest.fixture(scope="module")
def crash_folder(home: Path) -> Path:
    folder = home / "crash"
    folder.mkdir()
    (folder / "seen").touch()
    return folder


@pytest.fixture(scope="module")
def crashing(home: Path, crash_folder: Path) -> Iterator[World]:
    """The whole product with watched programs."""
    folder = home / "crash-stack"
    folder.mkdir()
    env = CRASH_ENV | {"CRASH_DIR": str(crash_folder)}
    plan = ROOT / "tests" / "crash" / "processes.toml"
    with Stack(folder, fast=True, seed=False, env=env, plan=plan) as running:
        made = World(running)
        yield made
        made.close()
        running.remove()


def purchase(world: World, shop: Shop) -> Purchase:
    """Buy from a phone that pays by itself; a form that got no answer is sent again, as a person would."""
    shopper = world.shopper(shop)
    world.faults(msisdn=shopper.phone, auto="pay", after_s=0.2)
    persist(world, shopper.add)
    form = persist(world, shopper.checkout_form)
    answer = persist(world, lambda: shopper.post("/checkout", form))
    assert answer.status_code == 303, answer.text[:500]
    token = answer.headers["location"].rsplit("/o/", 1)[1]
    code = world.sql(
        "SELECT code FROM app.orders WHERE token_hash = sha256(convert_to(%s, 'UTF8'))", token
    )[0]["code"]
    return Purchase(shopper, f"/o/{token}", code, world.order(shop, code))


def persist(world: World, ask: Callable[[], T]) -> T:
    """Ask again when the shop did not answer because it was killed."""
    for _ in range(3):
        try:
            return ask()
        except httpx.TransportError:
            wait_for("the shop is back", lambda: _answers(world))
    raise AssertionError("the shop did not come back")


def ask_again_if_offered(bought: Purchase) -> None:
    """The prompt never came: the page says so and offers another one, and the shopper takes it."""
    if bought.attempts()[-1]["status"] != "unknown":
        return
    if f'action="{bought.path}/pay"' in bought.shopper.get(bought.path).text:
        bought.retry()


def _answers(world: World) -> bool:
    world.stack.tick()
    try:
        return (
            httpx.get(f"http://127.0.0.1:{world.stack.port}/readyz", trust_env=False).status_code
            == 200
        )
    except httpx.TransportError:
        return False


@pytest.mark.slow
@pytest.mark.row("W20", "W19", "M32")
def test_no_crash_loses_or_doubles_a_payment(crashing: World, crash_folder: Path) -> None:
    shop = crashing.open_shop()
    first = purchase(crashing, shop)
    first.wait("paid")
    wait_for("the receipt", lambda: crashing.outbox(first.shopper.phone))
    points = sorted(set((crash_folder / "seen").read_text().splitlines()))
    on_the_path = [p for p in points if "register" not in p and "bulk" not in p]
    print(f"\n{len(on_the_path)} crash points, derived:", *on_the_path, sep="\n  ")
    assert len(on_the_path) >= 12

    died_at = []
    for point in on_the_path:
        (crash_folder / "at").write_text(point)
        bought = purchase(crashing, shop)

        def paid(bought: Purchase = bought) -> bool:
            crashing.stack.tick()
            with suppress(httpx.TransportError, AssertionError):
                ask_again_if_offered(bought)
            return bool(bought.order()["status"] == "paid")

        wait_for(f"paid in spite of a crash at {point}", paid, seconds=40)
        if (crash_folder / "done").exists():
            (crash_folder / "done").unlink()
            died_at.append(point)
        (crash_folder / "at").unlink(missing_ok=True)

    # A point that the second purchase did not reach (a check that was not needed) killed nobody.
    assert len(died_at) >= 12, died_at
    print(f"died at {len(died_at)} of them")

    def agreed() -> bool:
        crashing.stack.tick()
        return not selfcheck(
            crashing.superuser_url, str(crashing.sandbox.base_url).rstrip("/")
        ).broken

    wait_for("everything agrees", agreed, seconds=40)
