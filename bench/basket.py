"""What buying costs: add to cart, the cart, the checkout page and its POST, whatever is in the cart.

    python -m bench.basket [--seconds 4] [--connections 4] [--lines 20]

Each figure stands beside the bare program's in the same run. Needed: at most 7 SQL statements to
add, 6 for the checkout page, 25 for the POST, the same with one line and with many; and, of all
server processes, 2.8, 3.2 and 8 ms of processor. Ends non-zero when missed.
"""

from __future__ import annotations

import argparse
import sys
from itertools import repeat

from bench._stack import (
    Load,
    analyze,
    bare,
    cookie_of,
    count_statements,
    form_of,
    load,
    machine,
    postgres_of,
    processor_seconds,
    request_of,
    running,
    table,
    valkey_of,
    wait_until_quiet,
    with_children,
)
from tests.world import Shop, Shopper, World

MOST = {"add to cart": 7, "checkout page": 6, "checkout POST": 25}
MOST_MS = {"add to cart": 2.8, "checkout page": 3.2, "checkout POST": 8.0}
ASKED = 10


def main() -> int:
    asked = _asked()
    print(machine(), flush=True)
    rows: list[list[object]] = []
    used: dict[str, float] = {}
    spent_ms: dict[str, float] = {}
    with running(("sandbox", "web"), web_workers=1) as world:
        calls = count_statements(world, ["web"])
        shop = world.open_shop(stock=[1_000_000] * asked.lines)
        analyze(world)
        wait_until_quiet()
        with bare(world) as port:
            least = load(
                port,
                [repeat(request_of("GET", "/", "localhost"))] * asked.connections,
                seconds=asked.seconds,
            )
        for lines in (1, asked.lines):
            shopper = filled(world, shop, lines)
            analyze(world)
            add = form_of(shopper, "/cart/lines", {"sku": shop.variants[0]["sku"]})
            looks = {
                "add to cart": add.replace(b"\r\n\r\n", b"\r\nHX-Request: true\r\n\r\n", 1),
                "cart": request_of(
                    "GET", "/cart", _host(world, shop), cookie=cookie_of(shopper.cookies)
                ),
                "checkout page": request_of(
                    "GET", "/checkout", _host(world, shop), cookie=cookie_of(shopper.cookies)
                ),
            }
            shopper.get("/checkout?area=kilimani")
            shopper.post("/deliver-to", {"area": "kilimani", "next": "/checkout"})
            shopper.get("/checkout")
            for name, request in looks.items():
                title = f"{name}, {lines} in the cart"
                before = calls()
                load(world.stack.port, [[request] * ASKED])
                used[title] = (calls() - before) / ASKED
                found, cpu = measured(world, request, asked)
                spent_ms[title] = round(sum(cpu.values()), 2)
                rows.append(_row(title, found, least, cpu, used[title]))
            title = f"checkout POST, {lines} in the cart"
            forms = [posting(world, shop, lines) for _ in range(asked.posts)]
            analyze(world)
            before = calls()
            spent = used_by(world)
            found = load(world.stack.port, [forms], first=lines * asked.connections)
            cpu = {
                part: 1000 * (now - spent[part]) / len(forms)
                for part, now in used_by(world).items()
            }
            used[title] = (calls() - before) / len(forms)
            spent_ms[title] = round(sum(cpu.values()), 2)
            rows.append(_row(title, found, least, cpu, used[title]))
    print()
    titles = ["what", "per second", "of the bare", "p50 ms", "p95 ms", "processor ms"]
    print(table([*titles, "web", "Postgres", "Valkey", "statements", "answers"], rows))
    missed = [
        f"{title}: {found:g} {unit} (needed {most:g})"
        for seen, limits, unit in ((used, MOST, "statements"), (spent_ms, MOST_MS, "ms"))
        for title, found in seen.items()
        for name, most in limits.items()
        if title.startswith(name) and found > most
    ]
    print("met" if not missed else "MISSED\n" + "\n".join(missed))
    return 1 if missed else 0


def filled(world: World, shop: Shop, lines: int) -> Shopper:
    """A phone with so many different things in its cart."""
    shopper = world.shopper(shop)
    for variant in shop.variants[:lines]:
        shopper.add(variant)
    return shopper


def posting(world: World, shop: Shop, lines: int) -> bytes:
    """One filled checkout form of a phone of its own, its area chosen before."""
    shopper = filled(world, shop, lines)
    form = shopper.checkout_form()
    shopper.post("/checkout/summary", form)
    sent = form_of(shopper, "/checkout", form)
    shopper.http.close()
    return sent


def measured(
    world: World, request: bytes, asked: argparse.Namespace
) -> tuple[Load, dict[str, float]]:
    """The same request again and again, and what each took of the processors, in milliseconds."""
    before = used_by(world)
    found = load(world.stack.port, [repeat(request)] * asked.connections, seconds=asked.seconds)
    count = len(found.milliseconds)
    return found, {
        part: 1000 * (now - before[part]) / count for part, now in used_by(world).items()
    }


def used_by(world: World) -> dict[str, float]:
    """Processor seconds of each kind of server so far."""
    parts = {
        "web": world.stack.pids("web"),
        "Postgres": postgres_of(world),
        "Valkey": valkey_of(world),
    }
    return {part: processor_seconds(with_children(pids)) for part, pids in parts.items()}


def _host(world: World, shop: Shop) -> str:
    return f"{shop.host}:{world.stack.port}"


def _row(
    title: str, found: Load, least: Load, cpu: dict[str, float], statements: float
) -> list[object]:
    return [
        title,
        f"{found.per_second:.0f}",
        f"{found.per_second / least.per_second:.3f}",
        f"{found.at(50):.1f}",
        f"{found.at(95):.1f}",
        f"{sum(cpu.values()):.2f}",
        *(f"{ms:.2f}" for ms in cpu.values()),
        f"{statements:g}",
        found.said,
    ]


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("--seconds", type=float, default=4)
    parser.add_argument("--connections", type=int, default=4)
    parser.add_argument("--lines", type=int, default=20)
    parser.add_argument("--posts", type=int, default=50)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
