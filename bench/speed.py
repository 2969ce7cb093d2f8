"""What a public page costs the processors, kept and made, beside the least that could be done.

    python -m bench.speed [--seconds 4] [--connections 16] [--products 5000] [--days 60]

One shop of 5,000 products among 20, with 300 orders a day of history. Every figure is processor
time of all server processes (web, Postgres, Valkey, nginx) for each answer, in one run:

- a bare WSGI program that holds the page's bytes, under the same server, and our own cache;
- nginx sending the page as a file it finds compressed, and the shipped nginx with its cache;
- the page made anew each time (PAGE_CACHE=off), with its SQL statements, and how long one
  shopper and a crowd wait for it;
- memory (PSS) of a web process at its start and after all of this.

Needs what docs/performance.md says; prints what is missed and ends non-zero then.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from base64 import b64encode
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import count, repeat
from pathlib import Path

import httpx
import psycopg

from app.ids import new_id
from bench._stack import (
    Load,
    bare,
    count_statements,
    load,
    machine,
    one_more_web,
    postgres_of,
    processor_seconds,
    pss_of,
    running,
    table,
    valkey_of,
    wait_until_quiet,
    with_children,
)
from bench.grid import fill
from local import os_process, ports
from tests.deploy.test_nginx import nginx_before
from tests.world import Shop, World

ORDERS_A_DAY = 300
SHOPS = 20
HIT_MS, OF_BARE, OF_FILE = 0.47, 0.9, 1 / 3
MISS_MS = {"product": 2.1, "category": 3.7, "search": 3.9}
STATEMENTS = {"product": 4, "category": 4, "search": 4}
PSS_MIB = 110.0
CROWD = 64  # connections
ONE_MS, CROWD_MS, CROWD_TIMES = 6.0, 100.0, 2.0  # p99 of one at a time; of a crowd, and of its p50
THREADS = 3  # of one web process
_loads = count(1)
PAGES = {"product": "/p/p-1234", "category": "/c/shelf-3", "search": "/search?q=kettle"}


def main() -> int:
    asked = _asked()
    print(machine(), flush=True)
    missed: list[str] = []
    if asked.part != "made":
        with running(("sandbox", "web", "relay"), web_workers=1) as world:
            shop = stock(world, asked)
            rows, memory = kept(world, shop, asked, missed)
            titles = ["the page as bytes", "processor ms", "per processor second", "answers"]
            print(table(titles, rows))
            print(f"\nmemory of a web process, PSS: {memory}", flush=True)
    if asked.part != "kept":
        with (
            running(("sandbox", "web"), env={"PAGE_CACHE": "off"}, web_workers=1) as world,
            one_more_web(world) as (other, _),
        ):
            shop = stock(world, asked)
            rows = made(world, shop, other, asked, missed)
            titles = [
                "the page made",
                "processor ms",
                "web",
                "Postgres",
                "SQL",
                "p50 ms",
                "p50, p99 ms of 1",
                f"p50, p99 ms of {CROWD}",
                "answers",
            ]
            print()
            print(table(titles, rows))
    print()
    print("met" if not missed else "MISSED: " + "; ".join(missed))
    return 0 if not missed else 1


def stock(world: World, asked: argparse.Namespace) -> Shop:
    """The shop with its goods and its history, and the others beside it."""
    shop = world.open_shop()
    fill(world, shop, asked.products)
    history(world, shop, asked.days)
    with psycopg.connect(world.superuser_url, autocommit=True) as connection:
        for n in range(1, SHOPS):
            connection.execute(
                "WITH made AS (INSERT INTO app.stores (slug, name) VALUES (%s, 'Duka') RETURNING id)"
                " INSERT INTO app.domains (store_id, host, verified_at)"
                " SELECT id, %s, now() FROM made",
                (f"beside-{n}", f"beside-{n}.localhost"),
            )
        # Goods come one after the other; COPY has made them all in one instant.
        connection.execute(
            "UPDATE app.products SET created_at = created_at - interval '7 minutes' *"
            " substr(slug, 3)::int WHERE store_id = %s AND slug ~ '^p-[0-9]+$'",
            (shop.store_id,),
        )
        connection.execute("VACUUM ANALYZE")
    return shop


def history(world: World, shop: Shop, days: int) -> None:
    """Delivered orders of one or two lines, as many a day as a busy shop has."""
    now = datetime.now(UTC)
    variants = [
        row["id"]
        for row in world.sql(
            "SELECT id FROM app.variants WHERE store_id = %s ORDER BY sku", shop.store_id
        )
    ]
    customer = new_id()
    orders = [(new_id(), n) for n in range(days * ORDERS_A_DAY)]
    with psycopg.connect(world.superuser_url) as connection, connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO app.customers (store_id, id, phone_sealed, phone_lookup) VALUES (%s, %s, 'x', 'x')",
            (shop.store_id, customer),
        )
        cursor.execute("SET LOCAL session_replication_role = replica")
        with cursor.copy(
            "COPY app.orders (store_id, id, code, token_hash, token_sealed, customer_id, status,"
            " subtotal_cents, delivery_fee_cents, total_cents, area, placed_at, paid_at,"
            " delivered_at) FROM STDIN"
        ) as to:
            for key, n in orders:
                at = now - timedelta(days=n / ORDERS_A_DAY, minutes=30)
                to.write_row(
                    (shop.store_id, key, f"KT-{n + 10_000}", key.bytes, b"x", customer, "delivered",
                     100_000, 25_000, 125_000, "kilimani", at, at, at + timedelta(hours=2))
                )  # fmt: skip
        with cursor.copy(
            "COPY app.order_lines (store_id, id, order_id, n, variant_id, sku, name, quantity,"
            " price_cents, total_cents) FROM STDIN"
        ) as to:
            for key, n in orders:
                for line in (1, 2)[: 1 + n % 2]:
                    variant = variants[(n * 7 + line * 31) % len(variants)]
                    to.write_row(
                        (
                            shop.store_id,
                            new_id(),
                            key,
                            line,
                            variant,
                            "S",
                            "Thing",
                            1,
                            50_000,
                            50_000,
                        )
                    )


# -- kept as bytes ----------------------------------------------------------------------


def kept(
    world: World, shop: Shop, asked: argparse.Namespace, missed: list[str]
) -> tuple[list[list[object]], str]:
    """The four ways to send the product's page as bytes, and the memory this took."""
    path, port = PAGES["product"], world.stack.port
    web = world.stack.pids("web")
    pss_before = pss_of(web)
    with tempfile.TemporaryDirectory(prefix="dkp-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        file = folder / "page.html.br"
        headers, body = _raw(port, shop.host, path)
        file.write_bytes(body)
        file.chmod(0o644)
        held = folder / "page.json"
        held.write_text(json.dumps({"headers": headers, "body": b64encode(body).decode()}))
        wait_until_quiet(seconds=asked.patience)
        figures: dict[str, tuple[float, Load]] = {}
        others = _children()
        with bare(world, page=held) as bare_port:
            bare_pids = sorted(_children() - others)
            with nginx_before(port) as proxy, file_server(file) as (file_port, file_pid):
                ours = [*web, *valkey_of(world), *postgres_of(world)]
                ways: dict[str, tuple[int, Callable[[], list[int]]]] = {
                    "bare WSGI program": (bare_port, lambda: with_children(bare_pids)),
                    "our cache": (port, lambda: with_children(ours)),
                    "nginx sending a file": (file_port, lambda: with_children([file_pid])),
                    "nginx with the shipped cache": (
                        proxy.port,
                        lambda: with_children([proxy.pid, *ours]),
                    ),
                }
                for what, (at, pids) in ways.items():
                    figures[what] = min(
                        (cost(at, shop.host, path, pids, asked) for _ in range(asked.rounds)),
                        key=lambda figure: figure[0],
                    )
    pss_after = pss_of(web)
    hit, least = figures["our cache"][0], figures["bare WSGI program"][0]
    if hit > HIT_MS or least / hit < OF_BARE:
        missed.append(f"our cache {hit:.3f} ms, {least / hit:.2f} of the bare program")
    share = figures["nginx sending a file"][0] / figures["nginx with the shipped cache"][0]
    if share < OF_FILE:
        missed.append(f"nginx with cache {share:.2f} of nginx sending a file")
    if pss_after > PSS_MIB:
        missed.append(f"{pss_after:.0f} MiB a web process")
    rows: list[list[object]] = [
        [what, f"{ms:.4f}", f"{1000 / ms:.0f}", found.said] for what, (ms, found) in figures.items()
    ]
    rows.append(["our cache, of the bare program", f"{least / hit:.2f}", "", ""])
    rows.append(["nginx with cache, of nginx sending a file", f"{share:.2f}", "", ""])
    return rows, f"{pss_before:.1f} MiB at its start, {pss_after:.1f} MiB after the load"


def cost(
    port: int, host: str, path: str, pids: Callable[[], list[int]], asked: argparse.Namespace
) -> tuple[float, Load]:
    """Processor ms of these processes for each answer, under so many connections."""
    requests = [repeat(_request(host, path))] * asked.connections
    # A search is limited by address: each load comes from others.
    load(port, requests, seconds=1, first=next(_loads) * CROWD)
    before = processor_seconds(pids())
    found = load(port, requests, seconds=asked.seconds, first=next(_loads) * CROWD)
    used = processor_seconds(pids()) - before
    return 1000 * used / max(1, len(found.milliseconds)), found


def _request(host: str, path: str) -> bytes:
    return (
        f"GET {path} HTTP/1.1\r\nHost: {host}\r\nAccept-Encoding: br\r\n"
        "Accept-Language: en\r\nUser-Agent: bench\r\n\r\n"
    ).encode()


@contextmanager
def file_server(file: Path) -> Iterator[tuple[int, int]]:
    """nginx with one file that is compressed already; yields port and process id."""
    port = ports.free_port()
    folder = Path(tempfile.mkdtemp(prefix="dkf-"))
    folder.chmod(0o755)
    words = f"""
    worker_processes auto; pid {folder}/pid; error_log {folder}/error.log;
    events {{ worker_connections 1024; }}
    http {{
        access_log off; sendfile on; tcp_nopush on; keepalive_requests 1000000;
        client_body_temp_path {folder}; proxy_temp_path {folder}; fastcgi_temp_path {folder};
        uwsgi_temp_path {folder}; scgi_temp_path {folder};
        server {{
            listen 127.0.0.1:{port};
            location / {{
                root {file.parent}; rewrite ^ /{file.name} break;
                types {{ }} default_type "text/html; charset=utf-8"; add_header Content-Encoding br;
            }}
        }}
    }}
    """
    (folder / "nginx.conf").write_text(words)
    process = subprocess.Popen(
        ["nginx", "-c", str(folder / "nginx.conf"), "-g", "daemon off;"], start_new_session=True
    )
    try:
        assert os_process.wait_until(lambda: not ports.is_free(port), seconds=10)
        yield port, process.pid
    finally:
        os_process.end(
            [process.pid, *os_process.children_of([process.pid])], first=signal.SIGQUIT, patience=5
        )
        process.wait()
        shutil.rmtree(folder)


# -- made anew --------------------------------------------------------------------------


def made(
    world: World, shop: Shop, other: int, asked: argparse.Namespace, missed: list[str]
) -> list[list[object]]:
    """Each kind of page without a cache: processor time by program, and statements.

    The crowd comes to two web processes, one for each core, as production has them; ``other`` is
    the port of the second.
    """
    calls = count_statements(world, ["web"])
    wait_until_quiet(seconds=asked.patience)
    rows: list[list[object]] = []
    for name, path in PAGES.items():
        before = calls()
        for _ in range(10):
            httpx.get(
                f"http://127.0.0.1:{world.stack.port}{path}",
                headers=_headers(shop.host),
                trust_env=False,
            ).raise_for_status()
        statements = (calls() - before) / 10
        request = _request(shop.host, path)
        # Until every connection has its statements planned.
        both = (world.stack.port, other)
        load(both, [repeat(request)] * THREADS * len(both), seconds=asked.seconds)
        best: tuple[float, float, float, Load] | None = None
        for _ in range(asked.rounds):
            web, postgres = world.stack.pids("web"), postgres_of(world)
            at_first = (
                processor_seconds(with_children(web)),
                processor_seconds(with_children(postgres)),
            )
            _all, found = cost(world.stack.port, shop.host, path, list, asked)
            used = (
                processor_seconds(with_children(web)) - at_first[0],
                processor_seconds(with_children(postgres)) - at_first[1],
            )
            # The second in which it warmed up is part of both.
            answers = len(found.milliseconds) * (asked.seconds + 1) / asked.seconds
            each = [1000 * seconds / answers for seconds in used]
            figure = sum(each), each[0], each[1], found
            best = figure if best is None or figure[0] < best[0] else best
        assert best is not None
        ms, of_web, of_postgres, found = best
        if ms > MISS_MS[name]:
            missed.append(f"{name} {ms:.2f} ms")
        if statements > STATEMENTS[name]:
            missed.append(f"{name} {statements:g} statements")
        one, crowd = _wait(both[:1], request, 1), _wait(both, request, CROWD)
        if one.at(99) > ONE_MS:
            missed.append(f"{name} p99 {one.at(99):.1f} ms one at a time")
        if crowd.at(99) > CROWD_MS or crowd.at(99) > CROWD_TIMES * crowd.at(50):
            missed.append(f"{name} p99 {crowd.at(99):.0f} ms of {CROWD} at once")
        rows.append(
            [name, f"{ms:.2f}", f"{of_web:.2f}", f"{of_postgres:.2f}", f"{statements:g}",
             f"{found.at(50):.1f}", f"{one.at(50):.1f}, {one.at(99):.1f}",
             f"{crowd.at(50):.0f}, {crowd.at(99):.0f}", found.said]
        )  # fmt: skip
    return rows


def _wait(web: Sequence[int], request: bytes, clients: int) -> Load:
    """How long so many wait at once. One second, in which no address comes to its limit."""
    return load(web, [repeat(request)] * clients, seconds=1, first=next(_loads) * CROWD)


def _headers(host: str) -> dict[str, str]:
    return {"Host": host, "Accept-Encoding": "br", "Accept-Language": "en"}


def _raw(port: int, host: str, path: str) -> tuple[list[tuple[str, str]], bytes]:
    """A page as it goes over the wire: the application's own headers, and the compressed body."""
    with httpx.stream(
        "GET", f"http://127.0.0.1:{port}{path}", headers=_headers(host), trust_env=False
    ) as answer:
        body = b"".join(answer.iter_raw())
    servers = ("date", "server", "connection")
    return [(n, v) for n, v in answer.headers.items() if n not in servers], body


def _children() -> set[int]:
    return set(os_process.children_of([os.getpid()]))


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("--seconds", type=float, default=4)
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--products", type=int, default=5000)
    parser.add_argument("--days", type=int, default=60)
    parser.add_argument("--part", choices=("kept", "made", "both"), default="both")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--patience", type=float, default=60)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
