"""A storm of checkouts while callbacks vanish, double and cross, answers get lost and workers die.

    python -m bench.storm                      2,000 checkouts over 20 stores, 50 kills
    python -m bench.storm --checkouts 200 --stores 4 --kills 6

Real forms over HTTP, each buyer from a loopback address of its own with every limit on;
the sandbox pays by itself. Afterwards one self-check compares everything with the
provider. Prints the figures and ends non-zero when any rule is broken.
"""

from __future__ import annotations

import argparse
import random
import shutil
import sys
import tempfile
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from bench.selfcheck import Report, selfcheck
from local.stack import Stack
from tests.world import Shop, World

WAITS = {
    "CONFIRM_DELAYS": "0,0.5,1,2,4",
    "CONFIRM_EVERY_SECONDS": "5",
    "CONFIRM_FOR_SECONDS": "60",
    "FIRST_CHECK_SECONDS": "4",
    "CHECK_EVERY_SECONDS": "4",
    "CHECK_UNTIL_SECONDS": "40",
    "LATE_CHECK_DELAYS": "10,20",
    "GIVE_UP_SECONDS": "75",
    "SENDING_LOST_SECONDS": "8",
    "RESEND_AFTER_UNKNOWN_SECONDS": "60",
    "PROMPT_SECONDS": "30",
    "LEASE_SECONDS": "10",
    "VISIBILITY_SECONDS": "10",
    "RETRY_SECONDS": "1",
    "PROBE_SECONDS": "1",
}
FAULTS = {
    "auto": "pay",
    "after_s": 0.5,
    "drop_rate": 0.20,
    "duplicate_rate": 0.20,
    "reorder_rate": 0.10,
    "push_answer_lost_rate": 0.05,
    "c2b_drop_rate": 0.20,
    "token_reissue": "same",
}
VICTIMS = ("money", "messages", "relay")


@dataclass
class Weather:
    """What the storm did and how the shop answered."""

    answers: Counter[int] = field(default_factory=Counter)
    lost_connections: int = 0
    kills: int = 0
    seconds: float = 0.0
    settled_after: float = 0.0
    report: Report = field(default_factory=Report)


def storm(
    stack: Stack, *, checkouts: int, stores: int, kills: int, buyers: int = 12, seed: int = 1
) -> Weather:
    """Run the storm on a started stack. ``kills`` are spread over the whole of it."""
    world, weather = World(stack), Weather()
    shops = [world.open_shop(stock=[10**6], whatsapp=n % 2 == 0) for n in range(stores)]
    since = world.sql("SELECT now() AS now")[0]["now"].isoformat()
    world.faults(**FAULTS, seed=seed)
    began, done = time.monotonic(), Counter[str]()
    over = threading.Event()
    killer = threading.Thread(
        target=_kill_now_and_then, args=(stack, kills, checkouts, done, over, weather, seed)
    )
    killer.start()
    try:
        with ThreadPoolExecutor(buyers) as pool:
            for n in range(checkouts):
                pool.submit(_buy, world, shops[n % stores], weather, done)
    finally:
        over.set()
        killer.join()
    weather.seconds = time.monotonic() - began
    for name in VICTIMS:
        if not stack.pids(name):
            stack.restart(name)
    _wait_until_calm(world, limit=max(420, checkouts))
    weather.settled_after = time.monotonic() - began - weather.seconds
    weather.report = selfcheck(
        world.superuser_url, str(world.sandbox.base_url).rstrip("/"), since=since
    )
    world.straighten()
    world.close()
    return weather


def _buy(world: World, shop: Shop, weather: Weather, done: Counter[str]) -> None:
    """One buyer: cart, checkout page, order. A form without an answer is sent once more, same key."""
    shopper = world.shopper(shop)
    try:
        shopper.add()
        form = shopper.checkout_form()
        for _ in range(2):
            try:
                status = shopper.post("/checkout", form).status_code
                break
            except httpx.TransportError:
                weather.lost_connections += 1
                status = 0
        weather.answers[status] += 1
    except httpx.TransportError:
        weather.lost_connections += 1
    except AssertionError:
        weather.answers[-1] += 1
    finally:
        done["buyers"] += 1
        shopper.http.close()


def _kill_now_and_then(
    stack: Stack,
    kills: int,
    checkouts: int,
    done: Counter[str],
    over: threading.Event,
    weather: Weather,
    seed: int,
) -> None:
    """SIGKILL a worker with its child, or the relay, at even steps of the storm, and start it again."""
    luck = random.Random(seed)
    for n in range(1, kills + 1):
        while done["buyers"] < n * checkouts // (kills + 1) and not over.wait(0.05):
            pass
        victim = luck.choice(VICTIMS)
        if stack.kill(victim):
            weather.kills += 1
        stack.restart(victim)


def _wait_until_calm(world: World, *, limit: float) -> None:
    """Until the provider has nothing left to say and no attempt is open, or the time is up."""
    end = time.monotonic() + limit
    while time.monotonic() < end:
        left = world.sandbox.get("/_sim/transactions", params={"summary": "1"}).json()
        waiting = world.sql(
            "SELECT (SELECT count(*) FROM app.payment_attempts WHERE status IN ('created','sending','awaiting_customer','unknown')"
            " OR (callback_result_code = '0' AND status <> 'succeeded')) + (SELECT count(*) FROM app.messages"
            " WHERE status IN ('queued','sending')) + (SELECT count(*) FROM app.callback_inbox WHERE handled_at IS NULL"
            " AND kind <> 'c2b_validation') AS n"
        )[0]["n"]
        if not left["posts_waiting"] and not waiting:
            return
        threading.Event().wait(0.5)


def lines(weather: Weather, checkouts: int) -> list[str]:
    """The figures as they are printed."""
    rate = checkouts / max(weather.seconds, 1)
    answers = dict(sorted(weather.answers.items()))
    went = (
        f"{checkouts} checkouts in {weather.seconds:.0f} s ({rate:.1f} a second), answers {answers}"
    )
    calm = f"calm {weather.settled_after:.0f} s after the last order"
    return [
        f"{went}, connections lost {weather.lost_connections}",
        f"workers and relay killed {weather.kills} times; {calm}",
        *weather.report.lines(),
    ]


def main() -> int:
    ask = argparse.ArgumentParser(description=__doc__)
    ask.add_argument("--checkouts", type=int, default=2000)
    ask.add_argument("--stores", type=int, default=20)
    ask.add_argument("--kills", type=int, default=50)
    ask.add_argument("--workers", type=int, default=1)
    ask.add_argument("--seed", type=int, default=1)
    wish = ask.parse_args()
    home = Path(tempfile.mkdtemp(prefix="storm-"))
    home.chmod(0o755)
    try:
        env = WAITS | {"GIVE_UP_SECONDS": str(max(75, wish.checkouts // 4))}
        with Stack(home, fast=True, env=env, workers=wish.workers) as stack:
            weather = storm(
                stack,
                checkouts=wish.checkouts,
                stores=wish.stores,
                kills=wish.kills,
                seed=wish.seed,
            )
            stack.remove()
    finally:
        shutil.rmtree(home, ignore_errors=True)
    print("\n".join(lines(weather, wish.checkouts)))
    all_answered = weather.answers[303] == wish.checkouts
    return 0 if not weather.report.broken and all_answered else 1


if __name__ == "__main__":
    sys.exit(main())
