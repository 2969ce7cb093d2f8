"""Where the processor goes while a page is made: shares by layer, the ten heaviest, and the floor.

    python -m bench.flame [--page product] [--seconds 10] [--products 5000] [--days 60] [--stacks file]

The shop of ``bench.speed``, no page cache, and the program asked in this very process: for a page
of goods, or for what a phone with one thing in its cart asks on its way to an order. A timer of
processor time looks at the stack a thousand times a second; ``--stacks`` writes what it saw as lines
that any flame graph program reads. The floor is what the same program takes for less: the page's
rows alone, and an answer without shop, rows and words.
"""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from io import BytesIO
from itertools import islice, pairwise, repeat
from pathlib import Path
from types import FrameType
from typing import Any
from urllib.parse import urlencode

from flask import Flask
from sqlalchemy.orm import Session
from werkzeug.test import create_environ, run_wsgi_app

from app.db.engine import db
from app.db.tenancy import inside_store, plan_once
from app.domain.catalog.listing import category_page
from app.domain.catalog.queries import product_page
from app.domain.catalog.searching import search
from bench._stack import cookie_of, machine, running, table
from bench.basket import filled
from bench.speed import PAGES, stock
from tests.world import Shop, World

EVERY_SECONDS = 0.001
VIEW = 0.5  # what takes more than this share holds the rest, and says nothing by itself
ROOT = Path(__file__).parents[1]
# The first that fits, from the innermost frame outwards, is whose work it is.
LAYERS = {
    "templates (Jinja, our tags)": ("/templates/", "/jinja2/", "/markupsafe/", "_tags.py", "/web/icons.py"),
    "words and translations": ("/app/i18n.py", "/web/words.py", "/babel/", "gettext.py"),
    "database (SQLAlchemy, psycopg, waiting)": ("/sqlalchemy/", "/psycopg/", "/app/db/"),
    "rows into objects": ("/json/", "/app/domain/"),
    "log line": ("/structlog/", "/logging/", "/app/logging.py", "/web/tracing.py"),
    "what ends a page (weight, tints, headers)": ("/brotli", "/web/weight.py", "/web/tints.py", "/web/security.py"),
    "limits": ("/flask_limiter/", "/limits/"),
    "Flask and Werkzeug": ("/flask/", "/werkzeug/", "/whitenoise/"),
}  # fmt: skip
POSTS = 400  # an order is placed once: so many carts are filled for its profile
BUYING = ("add to cart", "cart", "checkout page", "checkout POST")
Read = Callable[[Session], object]
# What the view of each page asks of the domain.
READS: dict[str, Read] = {
    "product": lambda session: product_page(session, PAGES["product"].rpartition("/")[2]),
    "category": lambda session: category_page(session, PAGES["category"].rpartition("/")[2]),
    "search": lambda session: search(session, PAGES["search"].rpartition("=")[2]),
}


@dataclass(frozen=True)
class Wanted:
    """One request: its path with the query, its cookies, and the form it posts, if it does."""

    path: str
    cookie: str = ""
    form: bytes = b""
    is_from_htmx: bool = False


Ask = Callable[[Wanted], None]


def main() -> int:
    asked = _asked()
    print(machine(), flush=True)
    with running(("sandbox", "web"), env={"PAGE_CACHE": "off"}) as world:
        shop = stock(world, asked)
        os.environ.update(world.stack.env)
        ask = _program(shop.host)
        stacks, ms = _sampled(ask, _wanted(world, shop, asked.page), asked.seconds)
        rows = [[f"{asked.page}, with the timer", f"{ms:.2f}"], *_floors(ask, asked.page, shop)]
    if asked.stacks:
        asked.stacks.write_text("".join(f"{';'.join(s)} {n}\n" for s, n in stacks.items()))
    print(f"\n{asked.page}, {sum(stacks.values())} looks at the stack\n")
    print(table(["layer", "share"], _by_layer(stacks)))
    print()
    print(table(["the ten heaviest, with what they call", "share"], _heaviest(stacks)))
    print()
    print(table(["what is asked", "ms of this process"], rows))
    return 0


def _wanted(world: World, shop: Shop, page: str) -> Iterator[Wanted]:
    """The requests of a page, without end but for orders: each of those has a cart of its own."""
    if page in PAGES:
        return repeat(Wanted(PAGES[page]))
    if page == "checkout POST":
        return iter([_order(world, shop) for _ in range(POSTS)])
    shopper = filled(world, shop, 1)
    shopper.get("/checkout?area=kilimani")
    cookie = cookie_of(shopper.cookies)
    return repeat(
        {
            "cart": Wanted("/cart", cookie),
            "checkout page": Wanted("/checkout", cookie),
            "add to cart": Wanted(
                "/cart/lines", cookie, _posted({"sku": shop.variants[0]["sku"]}), is_from_htmx=True
            ),
        }[page]
    )


def _order(world: World, shop: Shop) -> Wanted:
    """One filled checkout form of a phone of its own."""
    shopper = filled(world, shop, 1)
    form = shopper.checkout_form()
    shopper.http.close()
    return Wanted("/checkout", cookie_of(shopper.cookies), _posted(form))


def _posted(form: dict[str, str]) -> bytes:
    return urlencode(form).encode()


def _program(host: str) -> Ask:
    """The product in this process; asking raises where the answer is neither a page nor a way on."""
    program = _wsgi_app()
    for handler in logging.getLogger().handlers:
        if isinstance(handler, logging.StreamHandler):
            handler.setStream(open(os.devnull, "w"))  # noqa: SIM115 - as long as this process
    number = 0

    def ask(wanted: Wanted) -> None:
        nonlocal number
        number += 1
        environ = _environ(wanted, host) | {
            "wsgi.input": BytesIO(wanted.form),
            # Each address comes once in a while: the limits stay on.
            "REMOTE_ADDR": f"127.9.{number // 20 % 200}.{number // 4000 % 200 + 1}",
        }
        _answer, status, _headers = run_wsgi_app(program, environ)
        if not status.startswith(("200", "303")):
            raise RuntimeError(f"{wanted.path}: {status}")

    return ask


@lru_cache(maxsize=1024)
def _environ(wanted: Wanted, host: str) -> dict[str, Any]:
    headers = {"Accept-Language": "en", "Sec-Fetch-Site": "same-origin", "Cookie": wanted.cookie}
    if wanted.is_from_htmx:
        headers["HX-Request"] = "true"
    return create_environ(
        wanted.path,
        base_url=f"http://{host}",
        method="POST" if wanted.form else "GET",
        content_type="application/x-www-form-urlencoded" if wanted.form else None,
        data=wanted.form or None,
        headers=headers,
    )


def _wsgi_app() -> Flask:
    from wsgi import app  # reads the environment, which the stack has made by now

    return app


Stack = tuple[str, ...]


def _sampled(ask: Ask, wanted: Iterator[Wanted], seconds: float) -> tuple[Counter[Stack], float]:
    """The stacks, outermost first, that a timer of processor time found, and milliseconds of each answer."""
    for request in islice(wanted, 20):
        ask(request)
    stacks: Counter[Stack] = Counter()

    def look(_number: int, frame: FrameType | None) -> None:
        names = []
        while frame is not None:
            names.append(f"{_short(frame.f_code.co_filename)}:{frame.f_code.co_name}")
            frame = frame.f_back
        stacks[tuple(reversed(names))] += 1

    before = signal.signal(signal.SIGPROF, look)
    signal.setitimer(signal.ITIMER_PROF, EVERY_SECONDS, EVERY_SECONDS)
    begun, count = time.process_time(), 0
    try:
        for request in wanted:
            ask(request)
            count += 1
            if time.process_time() > begun + seconds:
                break
    finally:
        spent = time.process_time() - begun
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)
    found = {s: n for s, n in stacks.items() if any("/flask/" in name for name in s)}
    return Counter(found), 1000 * spent / count


def _short(path: str) -> str:
    return path.replace(str(ROOT), "").rpartition("site-packages")[2]


def _by_layer(stacks: Counter[Stack]) -> list[list[object]]:
    shares: Counter[str] = Counter()
    for stack, count in stacks.items():
        shares[_layer_of(stack)] += count
    return _percent(shares, sum(stacks.values()))


def _layer_of(stack: Stack) -> str:
    for name in reversed(stack):
        for layer, marks in LAYERS.items():
            if any(mark in name for mark in marks):
                return layer
    return "the rest"


def _heaviest(stacks: Counter[Stack]) -> list[list[object]]:
    """Our own functions and templates, and what they call of others, below the view."""
    total, shares = sum(stacks.values()), Counter[str]()
    for stack, count in stacks.items():
        for name in {
            name for caller, name in pairwise(stack) if _is_ours(name) or _is_ours(caller)
        }:
            shares[name] += count
    below = Counter({name: n for name, n in shares.items() if n < VIEW * total})
    return _percent(Counter(dict(below.most_common(10))), total)


def _is_ours(name: str) -> bool:
    return name.startswith(("/app/", "/templates/"))


def _percent(shares: Counter[str], total: int) -> list[list[object]]:
    return [[name, f"{100 * n / total:.0f} %"] for name, n in shares.most_common()]


def _floors(ask: Ask, page: str, shop: Shop) -> list[list[object]]:
    """Processor milliseconds of a page of goods and of its rows alone, and of an answer with neither."""
    program = _wsgi_app()
    found = [("/healthz: no shop, no rows, no words", _cost(lambda: ask(Wanted("/healthz"))))]
    if page in READS:

        def rows() -> None:
            with program.app_context(), inside_store(shop.store_id):
                session = db.session()
                plan_once(session)
                READS[page](session)
                db.session.remove()

        found = [
            ("the page", _cost(lambda: ask(Wanted(PAGES[page])))),
            ("its rows alone: a transaction, the statement, the objects", _cost(rows)),
            *found,
        ]
    return [[what, f"{ms:.2f}"] for what, ms in found]


def _cost(ask: Callable[[], None], count: int = 200, rounds: int = 3) -> float:
    for _ in range(10):
        ask()
    best = float("inf")
    for _ in range(rounds):
        before = time.process_time()
        for _ in range(count):
            ask()
        best = min(best, (time.process_time() - before) / count)
    return best * 1000


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("--page", choices=[*PAGES, *BUYING], default="product")
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--products", type=int, default=5000)
    parser.add_argument("--days", type=int, default=60)
    parser.add_argument("--stacks", type=Path, help="write the stacks there")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
