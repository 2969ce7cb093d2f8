"""Where the processor goes while a page is made: shares by layer, the ten heaviest, and the floor.

    python -m bench.flame [--page product] [--seconds 10] [--products 5000] [--days 60] [--stacks file]

The shop of ``bench.speed``, no page cache, and the program asked in this very process. A timer of
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
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from types import FrameType

from flask import Flask
from sqlalchemy.orm import Session
from werkzeug.test import create_environ, run_wsgi_app

from app.db.engine import db
from app.db.tenancy import inside_store, plan_once
from app.domain.catalog.listing import category_page
from app.domain.catalog.queries import product_page
from app.domain.catalog.searching import search
from bench._stack import machine, running, table
from bench.speed import PAGES, stock

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
Ask = Callable[[str], None]
Read = Callable[[Session], object]
# What the view of each page asks of the domain.
READS: dict[str, Read] = {
    "product": lambda session: product_page(session, PAGES["product"].rpartition("/")[2]),
    "category": lambda session: category_page(session, PAGES["category"].rpartition("/")[2]),
    "search": lambda session: search(session, PAGES["search"].rpartition("=")[2]),
}


def main() -> int:
    asked = _asked()
    print(machine(), flush=True)
    with running(("sandbox", "web"), env={"PAGE_CACHE": "off"}) as world:
        shop = stock(world, asked)
        os.environ.update(world.stack.env)
        ask = _program(shop.host)
        path = PAGES[asked.page]
        stacks = _sampled(lambda: ask(path), asked.seconds)
        rows = [
            [what, f"{ms:.2f}"] for what, ms in _floors(ask, path, READS[asked.page], shop.store_id)
        ]
    if asked.stacks:
        asked.stacks.write_text("".join(f"{';'.join(s)} {n}\n" for s, n in stacks.items()))
    print(f"\n{asked.page}, {sum(stacks.values())} looks at the stack\n")
    print(table(["layer", "share"], _by_layer(stacks)))
    print()
    print(table(["the ten heaviest, with what they call", "share"], _heaviest(stacks)))
    print()
    print(table(["what is asked", "ms of this process"], rows))
    return 0


def _program(host: str) -> Ask:
    """The product in this process; asking raises where the answer is no 200."""
    program = _wsgi_app()
    for handler in logging.getLogger().handlers:
        if isinstance(handler, logging.StreamHandler):
            handler.setStream(open(os.devnull, "w"))  # noqa: SIM115 - as long as this process
    plain = create_environ(base_url=f"http://{host}", headers={"Accept-Language": "en"})
    number = 0

    def ask(path: str) -> None:
        nonlocal number
        number += 1
        name, _mark, query = path.partition("?")
        environ = plain | {
            "PATH_INFO": name,
            "QUERY_STRING": query,
            # Each address comes once in a while: the limits stay on.
            "REMOTE_ADDR": f"127.9.{number // 200 % 200}.{number % 200 + 1}",
        }
        _answer, status, _headers = run_wsgi_app(program, environ)
        if not status.startswith("200"):
            raise RuntimeError(f"{path}: {status}")

    return ask


def _wsgi_app() -> Flask:
    from wsgi import app  # reads the environment, which the stack has made by now

    return app


Stack = tuple[str, ...]


def _sampled(ask: Callable[[], None], seconds: float) -> Counter[Stack]:
    """The stacks, outermost first, that a timer of processor time found while pages were made."""
    for _ in range(20):
        ask()
    stacks: Counter[Stack] = Counter()

    def look(_number: int, frame: FrameType | None) -> None:
        names = []
        while frame is not None:
            names.append(f"{_short(frame.f_code.co_filename)}:{frame.f_code.co_name}")
            frame = frame.f_back
        stacks[tuple(reversed(names))] += 1

    before = signal.signal(signal.SIGPROF, look)
    signal.setitimer(signal.ITIMER_PROF, EVERY_SECONDS, EVERY_SECONDS)
    end = time.process_time() + seconds
    try:
        while time.process_time() < end:
            ask()
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)
    return Counter({s: n for s, n in stacks.items() if any("/flask/" in name for name in s)})


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


def _floors(ask: Ask, path: str, read: Read, store_id: int) -> list[tuple[str, float]]:
    """Processor milliseconds of the page, of its rows alone, and of an answer with neither."""
    program = _wsgi_app()

    def rows() -> None:
        with program.app_context(), inside_store(store_id):
            session = db.session()
            plan_once(session)
            read(session)
            db.session.remove()

    return [
        ("the page", _cost(lambda: ask(path))),
        ("its rows alone: a transaction, the statement, the objects", _cost(rows)),
        ("/healthz: no shop, no rows, no words", _cost(lambda: ask("/healthz"))),
    ]


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
    parser.add_argument("--page", choices=PAGES, default="product")
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--products", type=int, default=5000)
    parser.add_argument("--days", type=int, default=60)
    parser.add_argument("--stacks", type=Path, help="write the stacks there")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
