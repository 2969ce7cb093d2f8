"""What the benchmarks share: a stack of their own, simulated clients, and something to compare with.

Every figure is printed beside the same machine's figure for the least that could be done: a
bare WSGI program under the same server settings that writes one row (or reads one) per request
in the same Postgres. The ratio can be compared between machines and days; the rest cannot.

Only loopback is loaded. Each simulated client has an address of its own (127.x.y.z), so that
the limits per address stay on.
"""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx
import psycopg
from redis import Redis

from local import os_process, ports
from local.processes import DEFAULT_PLAN, Plan
from local.stack import Stack
from tests.world import Shopper, World, wait_for

BARE_TABLE = """
CREATE SCHEMA IF NOT EXISTS bench;
CREATE TABLE IF NOT EXISTS bench.rows (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  body bytea NOT NULL, at timestamptz NOT NULL DEFAULT now());
INSERT INTO bench.rows (body) SELECT '' WHERE NOT EXISTS (SELECT FROM bench.rows);
GRANT USAGE ON SCHEMA bench TO dukani_app;
GRANT SELECT, INSERT ON bench.rows TO dukani_app;
"""
# What a person counting would call a statement: not the transaction's own brackets.
COUNT_CALLS = (
    "SELECT coalesce(sum(calls), 0)::bigint AS n FROM pg_stat_statements s JOIN pg_database d ON d.oid = s.dbid"
    " AND d.datname = current_database() WHERE query !~* "
    "'pg_stat_statements|^(begin|commit|set |rollback|savepoint|release)'"
)


@contextmanager
def running(
    processes: Collection[str], *, env: Mapping[str, str] | None = None, web_workers: int = 1
) -> Iterator[World]:
    """A stack in a folder of its own, as durable as in production, without demo stores."""
    folder = Path(tempfile.mkdtemp(prefix="dkb-"))
    folder.chmod(0o755)
    stack = Stack(folder, processes=processes, env=env, web_workers=web_workers)
    try:
        with stack:
            world = World(stack)
            try:
                yield world
            finally:
                world.close()
                stack.remove()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def count_statements(world: World, programs: Sequence[str]) -> Callable[[], int]:
    """Make Postgres count statements (it must start anew for that); returns what asks it."""
    stack = world.stack
    for name in reversed(programs):
        stack.stop_program(name)
    with psycopg.connect(world.superuser_url, autocommit=True) as connection:
        connection.execute("ALTER SYSTEM SET shared_preload_libraries = 'pg_stat_statements'")
    stack.stop_postgres()
    stack.start_postgres()
    world.sql("CREATE EXTENSION IF NOT EXISTS pg_stat_statements")
    for name in programs:
        stack.restart(name)
    return lambda: int(world.sql(COUNT_CALLS)[0]["n"])


def analyze(world: World) -> None:
    """As Postgres does by itself a minute after the rows came: until then its plans are guesses."""
    with psycopg.connect(world.superuser_url, autocommit=True) as connection:
        connection.execute("VACUUM ANALYZE")


# -- the least that could be done -------------------------------------------------------


@contextmanager
def bare(world: World, *, web_workers: int = 1, page: Path | None = None) -> Iterator[int]:
    """The comparison program under the web's own server settings; yields its port.

    With ``page`` it sends this file's bytes, and no database is asked.
    """
    with psycopg.connect(world.superuser_url, autocommit=True) as connection:
        connection.execute(BARE_TABLE)
    program = "bench.bare:page" if page else "bench.bare:app"
    env = {"BARE_PAGE": str(page or "")}
    with _one_more(world, "/", program, env=env, web_workers=web_workers) as (port, _):
        yield port


@contextmanager
def one_more_web(world: World) -> Iterator[tuple[int, int]]:
    """Another web process of the product, on a port of its own: (port, process id)."""
    with _one_more(world, "/readyz") as found:
        yield found


@contextmanager
def _one_more(
    world: World,
    path: str,
    program: str = "",
    *,
    env: Mapping[str, str] | None = None,
    web_workers: int = 1,
) -> Iterator[tuple[int, int]]:
    port = ports.free_port()
    words = {
        "python": sys.executable,
        "home": "",
        "port": str(port),
        "sandbox_port": "0",
        "checkout": "",
        "workers": "1",
        "web_workers": str(web_workers),
    }
    [web] = [p for p in Plan.read(DEFAULT_PLAN, words).programs if p.name == "web"]
    command = [*web.command[:-1], program] if program else web.command
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(
            command, env={**world.stack.env, **(env or {})}, stdout=log, stderr=log
        )
        try:
            wait_for("one more program", lambda: _answers(port, path), seconds=30)
            yield port, process.pid
        finally:
            process.terminate()
            process.wait(timeout=20)


def _answers(port: int, path: str) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}{path}", trust_env=False).status_code == 200
    except httpx.TransportError:
        return False


# -- simulated clients ------------------------------------------------------------------


@dataclass
class Load:
    """What a load found. Milliseconds, and answers by status."""

    seconds: float = 0.0
    milliseconds: list[float] = field(default_factory=list)
    statuses: dict[int, int] = field(default_factory=dict)
    lost: int = 0  # connections that broke before their answer
    others: float = 0.0  # processor cores that programs of somebody else used meanwhile

    @property
    def per_second(self) -> float:
        return len(self.milliseconds) / self.seconds if self.seconds else 0.0

    def at(self, percent: float) -> float:
        """The latency below which so many percent of the answers came, in ms."""
        ordered = sorted(self.milliseconds)
        return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]

    @property
    def said(self) -> str:
        """The statuses in short: ``200×2000``."""
        said = [f"{status}x{count}" for status, count in sorted(self.statuses.items())]
        return " ".join([*said, f"lost x{self.lost}"] if self.lost else said)


def address_of(number: int) -> str:
    """The own address of the nth simulated client."""
    return f"127.{40 + number // 62_500}.{number // 250 % 250 + 1}.{number % 250 + 1}"


def request_of(
    method: str,
    path: str,
    host: str,
    *,
    body: bytes = b"",
    content_type: str = "application/json",
    cookie: str = "",
) -> bytes:
    """One request as it goes over the wire."""
    lines = [f"{method} {path} HTTP/1.1", f"Host: {host}", "Sec-Fetch-Site: same-origin"]
    if cookie:
        lines.append(f"Cookie: {cookie}")
    if method != "GET":
        lines += [f"Content-Type: {content_type}", f"Content-Length: {len(body)}"]
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + body


def form_of(shopper: Shopper, path: str, form: Mapping[str, str]) -> bytes:
    """A form this shopper would post."""
    return request_of(
        "POST",
        path,
        f"{shopper.shop.host}:{shopper.world.stack.port}",
        body=urlencode(form).encode(),
        content_type="application/x-www-form-urlencoded",
        cookie=cookie_of(shopper.cookies),
    )


def cookie_of(cookies: Mapping[str, str]) -> str:
    """A browser's cookies as the header that brings them."""
    return "; ".join(f"{name}={value}" for name, value in cookies.items())


def load(
    port: int | Sequence[int],
    clients: Sequence[Iterable[bytes]],
    *,
    seconds: float = 600,
    first: int = 0,
) -> Load:
    """Every client sends its requests one after the other over one connection, all at once.

    With several ports the clients share them out, as a proxy does that knows who is idle.

    It ends when the requests do, or after so many seconds: give ``itertools.cycle`` then. Their
    addresses go on from the number ``first``: those of an earlier load may be at their limits.
    """
    begun, before = time.perf_counter(), _others_seconds()
    # In a thread of its own: whoever calls may have an event loop running in this one.
    each = [port] if isinstance(port, int) else port
    with ThreadPoolExecutor(1) as thread:
        found = thread.submit(lambda: asyncio.run(_load(each, clients, seconds, first))).result()
    found.others = max(0.0, _others_seconds() - before) / (time.perf_counter() - begun)
    return found


async def _load(
    ports: Sequence[int], clients: Sequence[Iterable[bytes]], seconds: float, first: int
) -> Load:
    found = Load()
    begun = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for number, requests in enumerate(clients):
            port = ports[number % len(ports)]
            client = _client(port, address_of(first + number), requests, begun + seconds, found)
            group.create_task(client)
    found.seconds = time.perf_counter() - begun
    return found


async def _client(
    port: int, address: str, requests: Iterable[bytes], end: float, found: Load
) -> None:
    streams = None
    for request in requests:
        begun = time.perf_counter()
        if begun > end:
            break
        try:
            streams = streams or await asyncio.open_connection(
                "127.0.0.1", port, local_addr=(address, 0)
            )
            streams[1].write(request)
            status = await _answer(streams[0])
        except (OSError, asyncio.IncompleteReadError):
            found.lost += 1
            streams = None
            continue
        found.milliseconds.append((time.perf_counter() - begun) * 1000)
        found.statuses[status] = found.statuses.get(status, 0) + 1
    if streams:
        streams[1].close()


async def _answer(reader: asyncio.StreamReader) -> int:
    head = await reader.readuntil(b"\r\n\r\n")
    length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
    if length is None:
        raise RuntimeError("an answer without Content-Length")
    await reader.readexactly(int(length.group(1)))
    return int(head[9:12])


# -- printing ---------------------------------------------------------------------------


def processor_seconds(pids: Iterable[int]) -> float:
    """What these processes, and the children they buried, have used so far, user and system.

    Of the living to the nanosecond, with the threads that ended; of buried children in ticks of 10 ms.
    """
    seconds, ticks = 0.0, 0
    for pid in pids:
        with suppress(OSError):
            seconds += time.clock_gettime(_clock_of(pid))
            stat = Path(f"/proc/{pid}/stat").read_text()
            ticks += sum(int(part) for part in stat[stat.rindex(")") + 2 :].split()[13:15])
    return seconds + ticks / os.sysconf("SC_CLK_TCK")


def _clock_of(pid: int) -> int:
    """The processor clock of another process, as clock_getcpuclockid(3) names it on Linux."""
    return (~pid << 3) | 2


def with_children(pids: list[int]) -> list[int]:
    """These processes and everything they started."""
    return sorted({*pids, *os_process.children_of(pids)})


def page_seconds(world: World) -> float:
    """What the web processes and Postgres have used so far, which is all that a page costs without a cache."""
    return processor_seconds(with_children([*world.stack.pids("web"), *postgres_of(world)]))


def columns_of(connection: psycopg.Connection, name: str) -> dict[str, str]:
    """The columns of a table that a copy of its rows has to fill, and their types."""
    return dict(
        connection.execute(
            "SELECT column_name, data_type FROM information_schema.columns WHERE table_schema = 'app'"
            " AND table_name = %s AND is_generated = 'NEVER' ORDER BY ordinal_position",
            (name,),
        ).fetchall()
    )


def postgres_of(world: World) -> list[int]:
    """The process that every other of this database is a child of."""
    folder = world.sql("SHOW data_directory")[0]["data_directory"]
    return [int(Path(folder, "postmaster.pid").read_text().split()[0])]


def valkey_of(world: World) -> list[int]:
    """The process of this stack's Valkey."""
    redis = Redis.from_url(world.stack.env["REDIS_URL"])
    about: Any = redis.info("server")
    redis.close()
    return [int(about["process_id"])]


def pss_of(pids: list[int]) -> float:
    """The largest of these processes and their children, in MiB."""
    sizes = []
    for pid in with_children(pids):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                sizes.append(int(line.split()[1]) / 1024)
    return max(sizes)


def _others_seconds() -> float:
    """Processor seconds of this machine so far that were not ours or our children's."""
    ticks = [int(part) for part in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
    busy = (sum(ticks) - ticks[3] - ticks[4]) / os.sysconf("SC_CLK_TCK")
    return busy - processor_seconds([os.getpid(), *os_process.children_of([os.getpid()])])


def wait_until_quiet(*, cores: float = 0.3, seconds: float = 120) -> None:
    """Wait until other programs use less than so many cores, but not for ever."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        before = _others_seconds()
        time.sleep(2)
        if (_others_seconds() - before) / 2 < cores:
            return


def row_of(what: str, found: Load) -> list[object]:
    """One line of a table of loads, under the titles of ``LOAD_TITLES``."""
    times = (f"{found.at(percent):.1f}" for percent in (50, 95, 99))
    return [what, f"{found.per_second:.0f}", *times, f"{found.others:.1f}", found.said]


LOAD_TITLES = ("what", "per second", "p50 ms", "p95 ms", "p99 ms", "others' cores", "answers")


def table(titles: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Rows as a Markdown table, as docs/performance.md holds it."""
    lines = [titles, ["---"] * len(titles), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)


def machine() -> str:
    """One line about where and when this ran."""
    busy = os.getloadavg()[0]
    return (
        f"{os.cpu_count()} cores, load of the machine before the run {busy:.1f},"
        f" Python {sys.version.split()[0]}, {time.strftime('%Y-%m-%d', time.gmtime())}"
    )
