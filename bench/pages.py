"""What the storefront's pages cost when no cache has them: time and SQL statements.

    python -m bench.pages [--seconds 4] [--connections 16]

Needed: a product's page in at most 4 statements. Ends non-zero when missed.
"""

from __future__ import annotations

import argparse
import sys
from itertools import repeat

from bench._stack import (
    Load,
    bare,
    count_statements,
    load,
    machine,
    processor_seconds,
    request_of,
    running,
    table,
    wait_until_quiet,
)
from tests.world import Shop, Shopper, World

STATEMENTS = 4
ASKED_FOR_COUNT = 10


def main() -> int:
    asked = _asked()
    print(machine(), flush=True)
    rows: list[list[object]] = []
    with running(("sandbox", "web"), env={"PAGE_CACHE": "off"}) as world:
        calls = count_statements(world, ["web"])
        shop = world.open_shop(stock=[1000] * 30)
        shopper = world.shopper(shop)
        shopper.add()
        pages = {
            "home": "/",
            "category": "/c/tea",
            "product": f"/p/{shop.variants[0]['slug']}",
            "cart": "/cart",
            "checkout": "/checkout?area=kilimani",
            "order": shopper.place(),
        }
        shopper.add()
        wait_until_quiet()
        with bare(world) as port:
            least = load(
                port,
                [repeat(request_of("GET", "/", "localhost"))] * asked.connections,
                seconds=asked.seconds,
            )
        used: dict[str, float] = {}
        for name, path in pages.items():
            before = calls()
            for _ in range(ASKED_FOR_COUNT):
                assert shopper.get(path).status_code == 200, path
            used[name] = (calls() - before) / ASKED_FOR_COUNT
            found, cpu = page_rate(world, shop, shopper, path, asked)
            rows.append(_row(name, found, least, used[name], cpu))
    rows.append(_row("bare program, one row read", least, least, 1, None))
    print()
    titles = ["page", "per second", "of the bare", "p50 ms", "p95 ms", "processor ms", "statements"]
    print(table([*titles, "answers"], rows))
    print()
    is_met = used["product"] <= STATEMENTS and used["home"] <= STATEMENTS
    print("met" if is_met else f"MISSED: wanted at most {STATEMENTS} statements")
    return 0 if is_met else 1


def page_rate(
    world: World, shop: Shop, shopper: Shopper, path: str, asked: argparse.Namespace
) -> tuple[Load, float]:
    """The page over so many connections; and the web's processor ms for each."""
    cookie = "; ".join(f"{name}={value}" for name, value in shopper.cookies.items())
    request = request_of("GET", path, f"{shop.host}:{world.stack.port}", cookie=cookie)
    before = processor_seconds(world.stack.pids("web"))
    found = load(world.stack.port, [repeat(request)] * asked.connections, seconds=asked.seconds)
    cpu = processor_seconds(world.stack.pids("web")) - before
    return found, 1000 * cpu / len(found.milliseconds)


def _row(name: str, found: Load, least: Load, statements: float, cpu: float | None) -> list[object]:
    return [
        name,
        f"{found.per_second:.0f}",
        f"{found.per_second / least.per_second:.3f}",
        f"{found.at(50):.1f}",
        f"{found.at(95):.1f}",
        "" if cpu is None else f"{cpu:.1f}",
        f"{statements:g}",
        found.said,
    ]


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("--seconds", type=float, default=4)
    parser.add_argument("--connections", type=int, default=16)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
