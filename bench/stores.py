"""What one store's pages cost alone, and beside 999 others.

    python -m bench.stores [--stores 1000] [--seconds 4] [--rounds 3] [--patience 60]

A shop of 30 products is copied row by row until there are so many. Without the page cache: processor
milliseconds of the web process and Postgres for each page of the one shop while it is alone, beside
the others, and of all shops in turn; and how long one shopper waits. With the cache as it is shipped:
what a web process holds before and after every shop's pages were asked for.

Needed from 1 to 1,000 stores: processor 1.05 times, p99 1.2 times, 50 KiB more memory for each
store. Ends non-zero when missed.
"""

from __future__ import annotations

import argparse
import sys
from itertools import count, cycle

import psycopg

from bench._stack import (
    Load,
    analyze,
    columns_of,
    load,
    machine,
    page_seconds,
    pss_of,
    request_of,
    running,
    table,
    wait_until_quiet,
)
from tests.world import Shop, World

CPU_TIMES, P99_TIMES, KIB = 1.05, 1.2, 50.0
CROWD = 16
THREADS = 3  # of one web process
PAGES = {"home": "/", "category": "/c/tea", "product": "/p/kericho-tea-no-1"}
# In the order in which they refer to each other, though nothing checks it here.
COPIED = (
    "domains", "categories", "products", "variants", "product_images", "product_cards",
    "stock_movements", "delivery_areas", "riders", "payment_settings",
)  # fmt: skip
_loads = count(1)


def main() -> int:
    asked = _asked()
    print(machine(), flush=True)
    missed: list[str] = []
    with running(("sandbox", "web"), env={"PAGE_CACHE": "off"}, web_workers=1) as world:
        shop = world.open_shop(stock=[1000] * 30)
        analyze(world)
        alone = {name: cost(world, [shop.host], path, asked) for name, path in PAGES.items()}
        hosts = [shop.host, *copies(world, shop, asked.stores - 1)]
        beside = {name: cost(world, [shop.host], path, asked) for name, path in PAGES.items()}
        in_turn = {name: cost(world, hosts, path, asked) for name, path in PAGES.items()}
    rows = []
    for name in PAGES:
        (ms_alone, p99_alone, _), (ms_beside, p99_beside, said) = alone[name], beside[name]
        grown, waits = ms_beside / ms_alone, p99_beside / p99_alone
        rows.append(
            [name, f"{ms_alone:.2f}", f"{ms_beside:.2f}", f"{grown:.2f}", f"{in_turn[name][0]:.2f}",
             f"{p99_alone:.1f}", f"{p99_beside:.1f}", f"{waits:.2f}", said]
        )  # fmt: skip
        if grown > CPU_TIMES:
            missed.append(f"{name} {grown:.2f} times the processor")
        if waits > P99_TIMES:
            missed.append(f"{name} {waits:.2f} times the p99")
    titles = ["page", "ms alone", f"ms beside {asked.stores - 1}", "times", "ms of all in turn",
              "p99 alone", "p99 beside", "times", "answers"]  # fmt: skip
    print(table(titles, rows), flush=True)
    each = memory(asked)
    if each > KIB:
        missed.append(f"{each:.0f} KiB of memory for each store")
    print("met" if not missed else "MISSED: " + "; ".join(missed))
    return 1 if missed else 0


def copies(world: World, shop: Shop, how_many: int) -> list[str]:
    """So many shops like this one, row by row; returns their hosts."""
    with psycopg.connect(world.superuser_url) as connection:
        # What the triggers would make is copied too.
        connection.execute("SET LOCAL session_replication_role = replica")
        columns = _columns(connection, "stores", without=("id", "slug"))
        stores = connection.execute(
            f"INSERT INTO app.stores (slug, {columns})"
            f" SELECT slug || '-' || n, {columns} FROM app.stores, generate_series(1, %s) n"
            " WHERE id = %s RETURNING id, slug",
            (how_many, shop.store_id),
        ).fetchall()
        connection.execute("CREATE TEMP TABLE copies (id bigint, slug text) ON COMMIT DROP")
        with connection.cursor().copy("COPY copies FROM STDIN") as to:
            for row in stores:
                to.write_row(row)
        for name in COPIED:
            own = ("host",) if name == "domains" else ()
            columns = _columns(connection, name, without=("store_id", *own))
            first, of = ("host, ", "copies.slug || '.localhost', ") if own else ("", "")
            theirs = ", ".join(f"t.{column}" for column in columns.split(", "))
            connection.execute(
                f"INSERT INTO app.{name} (store_id, {first}{columns})"
                f" SELECT copies.id, {of}{theirs} FROM app.{name} t, copies WHERE t.store_id = %s",
                (shop.store_id,),
            )
    analyze(world)
    return [f"{slug}.localhost" for _id, slug in stores]


def _columns(connection: psycopg.Connection, name: str, *, without: tuple[str, ...]) -> str:
    return ", ".join(column for column in columns_of(connection, name) if column not in without)


def cost(
    world: World, hosts: list[str], path: str, asked: argparse.Namespace
) -> tuple[float, float, str]:
    """Processor ms of an answer, the p99 of one shopper in ms, and what was answered; the best of some rounds."""
    port = world.stack.port
    wait_until_quiet(seconds=asked.patience)
    load(port, [_asking(hosts, path, world, n) for n in range(THREADS)], seconds=asked.seconds)
    best: tuple[float, Load] | None = None
    waits = []
    for _ in range(asked.rounds):
        before = page_seconds(world)
        found = load(
            port,
            [_asking(hosts, path, world, n) for n in range(CROWD)],
            seconds=asked.seconds,
            first=next(_loads) * CROWD,
        )
        ms = 1000 * (page_seconds(world) - before) / len(found.milliseconds)
        best = (ms, found) if best is None or ms < best[0] else best
        one = load(port, [_asking(hosts, path, world, 0)], seconds=2, first=next(_loads) * CROWD)
        waits.append(one.at(99))
    assert best is not None
    return best[0], min(waits), best[1].said


def _asking(hosts: list[str], path: str, world: World, begin: int) -> cycle[bytes]:
    """The page of each host in turn, for ever; clients begin at different ones."""
    requests = [request_of("GET", path, f"{host}:{world.stack.port}") for host in hosts]
    at = begin * len(requests) // CROWD
    return cycle(requests[at:] + requests[:at])


def memory(asked: argparse.Namespace) -> float:
    """KiB that a web process holds for each store more, with the page cache as it is shipped."""
    with running(("sandbox", "web", "relay"), web_workers=1) as world:
        shop = world.open_shop(stock=[1000] * 30)
        hosts = [shop.host, *copies(world, shop, asked.stores - 1)]
        sizes = []
        for some in (hosts[:1], hosts):
            for path in PAGES.values():
                requests = [request_of("GET", path, f"{host}:{world.stack.port}") for host in some]
                again = requests * max(1, 3000 // len(requests))
                clients = [again[n::CROWD] for n in range(CROWD)]
                load(world.stack.port, clients, first=next(_loads) * CROWD)
            sizes.append(pss_of(world.stack.pids("web")))
    each = (sizes[1] - sizes[0]) * 1024 / max(1, asked.stores - 1)
    print(
        f"\nmemory of a web process, PSS: {sizes[0]:.1f} MiB after one store's pages, {sizes[1]:.1f} MiB"
        f" after those of {asked.stores}: {each:.1f} KiB for each store (needed {KIB:.0f})\n"
    )
    return each


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("--stores", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=4)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--patience", type=float, default=60)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
