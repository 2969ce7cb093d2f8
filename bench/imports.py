"""Goods by the file: how fast they come in, what the worker needs, and whether shoppers notice.

    python -m bench.imports [--file ../shared/data/catalogues/flipkart_20000.csv] [--products 500]

Two files go the way a merchant's do, by upload to the running product: 500 products with a picture
each, fetched from a server on this machine, and 20,000 rows. Meanwhile shoppers open pages at a
steady pace, from two web processes behind the nginx that we ship; their p95 is compared with the
same pace before and after, in the same run. Needed:
500 in under 60 s, 20,000 rows in under 5 minutes, a worker below 300 MB, p95 at most 1.25 times
idle. Ends non-zero when one is missed.
"""

from __future__ import annotations

import argparse
import html
import http.server
import io
import os
import re
import statistics
import sys
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
from PIL import Image, ImageDraw

from bench._stack import (
    cookie_of,
    machine,
    one_more_web,
    running,
    table,
    wait_until_quiet,
)
from local import os_process
from tests.deploy.test_nginx import nginx_before
from tests.world import Shop, World

PRODUCTS_SECONDS, ROWS_SECONDS, WORKER_MB, SLOWER = 60.0, 300.0, 300.0, 1.25
PACE_SECONDS = 0.25
LONGEST_SECONDS = 3 * ROWS_SECONDS  # an import that takes longer is not measured any more
SHOPPERS = 3
ROOT = Path(__file__).parents[1]
SHARED = Path(os.environ.get("SHARED_DIR") or ROOT.parent / "shared")


def main() -> int:
    asked = _asked()
    print(machine(), flush=True)
    with ExitStack() as open_now:
        port = open_now.enter_context(_pictures())
        env = {"PICTURE_TEST_HOSTS": f"127.0.0.1:{port}", "PROXY_HOPS": "1"}
        world = open_now.enter_context(running(("sandbox", "web", "bulk", "relay"), env=env))
        other, _pid = open_now.enter_context(one_more_web(world))
        proxy = open_now.enter_context(nginx_before(world.stack.port, other))
        shop = world.open_shop()
        merchant = Merchant(world, shop)
        shoppers = Shoppers(world, shop, proxy.port)
        wait_until_quiet(seconds=asked.patience)
        idle = shoppers.browse(until=_after(asked.idle))
        big_id = merchant.bring(asked.file.read_bytes(), asked.file.name)
        watched = Watch(world)
        pages = shoppers.browse(until=lambda: watched.is_done(big_id))
        after = shoppers.browse(until=_after(asked.idle))
        big = _import(world, big_id)
        print(f"{big['filename']}: {_took(big):.1f} s, {watched.peak_mb:.0f} MB", flush=True)
        with_pictures = merchant.bring(_catalogue(asked.products, port), "pictures.csv")
        small = follow(world, shop, with_pictures, asked.pictures)
    return report(asked, idle, small, watched, pages, after, big)


def report(
    asked: argparse.Namespace,
    idle: Seen,
    small: dict[str, Any],
    watched: Watch,
    pages: Seen,
    after: Seen,
    big: dict[str, Any],
) -> int:
    """Print every figure beside what was needed; 1 when one is missed."""
    took = _took(big)
    # Against the idle shop as it was. The one after holds 20,000 products more, so its pages may
    # be slower for that alone: printed beside, never chosen because it flatters.
    ratio, ratio_after = _p95(pages) / _p95(idle), _p95(pages) / _p95(after)
    rows = [
        [f"{asked.products} products in", f"{small['goods']:.1f} s", f"{PRODUCTS_SECONDS:.0f} s"],
        ["their pictures fetched and hung", f"{small['hung']:.1f} s", f"{PRODUCTS_SECONDS:.0f} s"],
        [
            "their pictures shown to shoppers",
            f"{small['ready']:.0f} after {small['made']:.1f} s",
            f"all after {PRODUCTS_SECONDS:.0f} s",
        ],
        [f"{big['rows']:,} rows of {big['filename']} in", f"{took:.1f} s", f"{ROWS_SECONDS:.0f} s"],
        ["of them products, refused rows", f"{big['products']:,}, {big['refused']:,}", "printed"],
        ["worker's peak memory", f"{watched.peak_mb:.0f} MB", f"{WORKER_MB:.0f} MB"],
        ["in the first and the last third", watched.thirds, "flat"],
        [
            f"pages p95 idle ({_count_of(idle)} before, {_count_of(after)} after)",
            _two(idle, after),
            "",
        ],
        [f"pages p95 during ({_count_of(pages)} pages)", f"{_p95(pages):.1f} ms", ""],
        *(
            [f"of them {kind}: idle before, during", _two({kind: idle[kind]}, {kind: seen}), ""]
            for kind, seen in pages.items()
        ),
        ["that many times idle before", f"{ratio:.2f}", f"{SLOWER}"],
        ["that many times idle after, with the goods in", f"{ratio_after:.2f}", "printed"],
    ]
    print(table(["what", "found", "needed at most"], rows))
    missed = [
        name
        for name, is_missed in {
            # Stopping to wait is no success: every picture must be there.
            "500 products with pictures": small["made"] > PRODUCTS_SECONDS
            or small["ready"] < asked.products,
            "20,000 rows": took > ROWS_SECONDS,
            "memory": watched.peak_mb > WORKER_MB,
            "pages": ratio > SLOWER,
        }.items()
        if is_missed
    ]
    print("\nmet" if not missed else f"\nMISSED: {', '.join(missed)}")
    return 1 if missed else 0


def _took(big: dict[str, Any]) -> float:
    return float((big["finished_at"] - big["begun_at"]).total_seconds())


Seen = dict[str, list[float]]
"""Milliseconds of each look at each kind of page."""


def _p95(seen: Seen) -> float:
    return statistics.quantiles([ms for times in seen.values() for ms in times], n=20)[-1]


def _count_of(seen: Seen) -> int:
    return sum(map(len, seen.values()))


def _two(one: Seen, other: Seen) -> str:
    return f"{_p95(one):.1f} ms, {_p95(other):.1f} ms"


# -- the merchant ---------------------------------------------------------------------------


class Merchant:
    """The owner's browser: signs in and sends a file, by the forms of the pages."""

    def __init__(self, world: World, shop: Shop) -> None:
        self.shop = shop
        self.host = f"localhost:{world.stack.port}"
        self.cookies: dict[str, str] = {}
        self.http = httpx.Client(
            base_url=f"http://127.0.0.1:{world.stack.port}", timeout=120, trust_env=False
        )
        page = self.get("/sign-in?way=password")
        form = {"csrf_token": _hidden(page), **shop.people["owner"]}
        self.send("/sign-in/password", form)

    def bring(self, data: bytes, name: str) -> str:
        """Upload a file and press the button; returns the import's id."""
        where = f"/dash/{self.shop.slug}/import/"
        answer = self.send(where, {"csrf_token": _hidden(self.get(where))}, (name, data))
        check = answer.headers["location"]
        self.send(check, {"csrf_token": _hidden(self.get(check))})
        return check.split("/")[-2]

    def get(self, path: str) -> str:
        answer = self.request("GET", path)
        assert answer.status_code == 200, (path, answer.status_code)
        return html.unescape(answer.text)

    def send(
        self, path: str, form: dict[str, str], file: tuple[str, bytes] | None = None
    ) -> httpx.Response:
        files = {"file": file} if file else None
        answer = self.request("POST", path, data=form, files=files)
        assert answer.status_code == 303, (path, answer.status_code, answer.text[:300])
        return answer

    def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        # By hand: the cookies are for HTTPS alone, and this is loopback.
        headers = {
            "Host": self.host,
            "Cookie": cookie_of(self.cookies),
            "Sec-Fetch-Site": "same-origin",
        }
        answer = self.http.request(method, path, headers=headers, **options)
        for line in answer.headers.get_list("set-cookie"):
            name, _equals, value = line.partition(";")[0].partition("=")
            self.cookies[name] = value
        self.http.cookies.clear()
        return answer


def _hidden(page: str) -> str:
    found = re.search(r'name="csrf_token" value="([^"]+)"', page)
    assert found is not None
    return found[1]


# -- the goods ------------------------------------------------------------------------------


def _catalogue(count: int, port: int) -> bytes:
    """A Shopify export of so many products, a picture each."""
    lines = ["Handle,Title,Vendor,Type,Variant SKU,Variant Price,Variant Inventory Qty,Image Src"]
    lines += [
        f"thing-{n},Thing {n},Maker,Kind {n % 9},SKU-{n},{500 + n},{n % 7 + 1},"
        f"http://127.0.0.1:{port}/{n}.jpg"
        for n in range(count)
    ]
    return "\n".join(lines).encode()


class _pictures:  # noqa: N801 - used as a context manager
    """A server of pictures on a port of its own, each another one."""

    def __enter__(self) -> int:
        class Answer(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                number = int(re.sub(r"[^0-9]", "", self.path) or 0)
                body = _picture(number)
                self.send_response(200)
                self.send_header("Content-Type", "image/jpeg")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_facts: object) -> None:
                """Says nothing."""

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return int(self.server.server_address[1])

    def __exit__(self, *_facts: object) -> None:
        self.server.shutdown()
        self.server.server_close()


def _picture(number: int) -> bytes:
    """800 by 600, as a shop's own pictures are, none like another."""
    image = Image.new("RGB", (800, 600), (number * 7 % 256, number * 13 % 256, 190))
    draw = ImageDraw.Draw(image)
    for step in range(12):
        x, y = (number * 31 + step * 67) % 700, (number * 17 + step * 43) % 500
        draw.ellipse((x, y, x + 90, y + 90), fill=(step * 20, (number + step) % 256, 90))
    out = io.BytesIO()
    image.save(out, "JPEG", quality=85)
    return out.getvalue()


# -- what is watched ------------------------------------------------------------------------


def _import(world: World, import_id: str) -> dict[str, Any]:
    [row] = world.sql(
        "SELECT status, filename, begun_at, finished_at, position, total,"
        " (report->>'rows_read')::int AS rows, (report->>'products')::int AS products,"
        " jsonb_array_length(report->'refused') AS refused"
        " FROM app.catalogue_imports WHERE id = %s",
        import_id,
    )
    return row


def follow(world: World, shop: Shop, import_id: str, patience: float) -> dict[str, float]:
    """Seconds from the button to the goods, to the pictures on them, to all their files.

    ``ready`` counts the pictures that shoppers see by the end of ``patience`` seconds.
    """
    begun = time.perf_counter()
    asks: dict[str, Callable[[], bool]] = {
        "goods": lambda: _import(world, import_id)["status"] == "done",
        "hung": lambda: not _count(world, "import_pictures", "status = 'waiting'", shop),
        "made": lambda: not _count(world, "product_images", "status <> 'ready'", shop),
    }
    found: dict[str, float] = {}
    for name, is_there in asks.items():
        left = begun + patience - time.perf_counter()
        os_process.wait_until(is_there, seconds=left, every=0.2)
        found[name] = time.perf_counter() - begun
        print(f"{name}: {found[name]:.1f} s", flush=True)
    found["ready"] = _count(world, "product_images", "status = 'ready'", shop)
    assert _count(world, "import_pictures", "status = 'refused'", shop) == 0
    return found


def _count(world: World, name: str, where: str, shop: Shop) -> int:
    statement = f"SELECT count(*) AS n FROM app.{name} WHERE store_id = %s AND {where}"
    return int(world.sql(statement, shop.store_id)[0]["n"])


class Watch:
    """The worker's memory, with that of the children it forks for its jobs, from time to time."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.megabytes: list[float] = []
        self._next = 0.0

    def is_done(self, import_id: str) -> bool:
        if time.perf_counter() < self._next:
            return False
        self._next = time.perf_counter() + 0.3
        workers = self.world.stack.pids("bulk")
        children = os_process.children_of(workers)
        sizes = [size for pid in {*workers, *children} if (size := _resident_mb(pid))]
        if sizes:
            self.megabytes.append(max(sizes))
        return bool(_import(self.world, import_id)["status"] != "running")

    @property
    def peak_mb(self) -> float:
        return max(self.megabytes)

    @property
    def thirds(self) -> str:
        third = max(1, len(self.megabytes) // 3)
        first, last = max(self.megabytes[:third]), max(self.megabytes[-third:])
        return f"{first:.0f} MB, {last:.0f} MB"


def _resident_mb(pid: int) -> float:
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0.0
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    return int(found[1]) / 1024 if found else 0.0


def _after(seconds: float) -> Callable[[], bool]:
    end = time.perf_counter() + seconds
    return lambda: time.perf_counter() > end


class Shoppers:
    """A few who open a page every quarter of a second, one after the other."""

    def __init__(self, world: World, shop: Shop, port: int) -> None:
        self.base = f"http://127.0.0.1:{port}"
        self.headers = {"Host": f"{shop.host}:{world.stack.port}"}
        self.paths = {"home": "/", "product": f"/p/{first_slug(world, shop)}", "cart": "/cart"}

    def browse(self, *, until: Callable[[], bool]) -> Seen:
        """What each kind of page took, for as long as ``until`` says no."""
        seen: Seen = {kind: [] for kind in self.paths}
        is_over = threading.Event()
        threads = [
            threading.Thread(target=self._shopper, args=(number, seen, is_over))
            for number in range(SHOPPERS)
        ]
        for thread in threads:
            thread.start()
        is_done = os_process.wait_until(until, seconds=LONGEST_SECONDS)
        is_over.set()
        for thread in threads:
            thread.join()
        assert is_done, f"not over after {LONGEST_SECONDS:.0f} s"
        return seen

    def _shopper(self, number: int, seen: Seen, is_over: threading.Event) -> None:
        kinds = list(self.paths)
        transport = httpx.HTTPTransport(local_address=f"127.9.{number + 1}.1")
        with httpx.Client(base_url=self.base, transport=transport, timeout=60) as client:
            turn = number
            # Each at a moment of its own: people do not tap in step.
            is_over.wait(PACE_SECONDS * number / SHOPPERS)
            while not is_over.wait(PACE_SECONDS):
                kind = kinds[turn % len(kinds)]
                begun = time.perf_counter()
                answer = client.get(self.paths[kind], headers=self.headers)
                seen[kind].append((time.perf_counter() - begun) * 1000)
                assert answer.status_code == 200, (kind, answer.status_code)
                turn += 1


def first_slug(world: World, shop: Shop) -> str:
    """The address of the shop's first product."""
    rows = world.sql(
        "SELECT slug FROM app.products WHERE store_id = %s ORDER BY created_at LIMIT 1",
        shop.store_id,
    )
    return str(rows[0]["slug"])


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    default = SHARED / "data" / "catalogues" / "flipkart_20000.csv"
    parser.add_argument("--file", type=Path, default=default)
    parser.add_argument("--products", type=int, default=500)
    parser.add_argument("--idle", type=float, default=20, help="seconds of pages without an import")
    parser.add_argument("--pictures", type=float, default=600, help="seconds to wait for pictures")
    parser.add_argument("--patience", type=float, default=60, help="seconds to wait for quiet")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
