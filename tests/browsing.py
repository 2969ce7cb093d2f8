"""A real Chromium in front of the running product, and the truth from SQL beside it."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from typing import Any

import psycopg
from playwright.sync_api import BrowserContext, Page, expect
from psycopg.rows import dict_row

from tests.world import Purchase, Shop, Shopper, World, wait_for

NO_BREAK = "\N{NO-BREAK SPACE}"
PHONE_SCREEN = {"width": 360, "height": 740}
expect.set_options(timeout=15_000)  # a busy machine is no broken page

# Remembers each answer that the page has finished showing: when it was asked for and when it came.
# An answer that came but is not shown yet says nothing about the words a person sees.
HEAR_POLLS = """(() => {
  window.heard = [];
  const begun = new Map();
  const of = (event) => event.detail.ctx;
  document.addEventListener("htmx:before:request", (event) =>
    begun.set(of(event), { asked: performance.now() }));
  document.addEventListener("htmx:after:request", (event) => {
    const poll = begun.get(of(event));
    if (poll) poll.answered = performance.now();
  });
  document.addEventListener("htmx:finally:request", (event) => {
    const poll = begun.get(of(event));
    begun.delete(of(event));
    const isOfThisOrder = /\\/o\\/[0-9a-f]+\\/pay/.test(of(event).request.action);
    if (poll && poll.answered && isOfThisOrder) window.heard.push(poll);
  });
})()"""

# What a person sees, and when the page last heard from the server (seconds of the wall clock).
READ_PANEL = """() => {
  const panel = document.getElementById("payment");
  // Not timeOrigin: the machine's clock may have been put right since this browser began.
  const origin = Date.now() - performance.now();
  const polls = performance.getEntriesByType("resource")
    .filter((entry) => /\\/o\\/[0-9a-f]+\\/(payment|pay)/.test(entry.name));
  if (polls.length && !window.heard) throw new Error("this browser does not hear_polls");
  const visit = performance.getEntriesByType("navigation")[0];
  const last = (window.heard || []).at(-1)
    || { asked: visit.startTime, answered: visit.responseEnd || visit.startTime };
  const open = (element) => element.getAttribute("aria-disabled") !== "true" && !element.disabled;
  const words = (element) => element.innerText.trim();
  const seconds = document.getElementById("seconds");
  return {
    kind: panel.dataset.kind,
    words: panel.innerText,
    title: panel.querySelector("h1").innerText,
    stages: [...panel.querySelectorAll(".stages li")].map(words),
    taps: [...panel.querySelectorAll(".bar a, .bar button")].filter(open).map(words),
    other: [...panel.querySelectorAll(".other b")].map(words),
    seconds: seconds ? Number(seconds.innerText) : null,
    again: panel.querySelector("#again") ? panel.querySelector("#again").innerText : null,
    polling: Number((panel.getAttribute("hx-trigger") || "").replace(/\\D/g, "")),
    polls: polls.length,
    now: Date.now() / 1000,
    asked: (origin + last.asked) / 1000,
    answered: (origin + last.answered) / 1000,
  };
}"""


def address(world: World, shop: Shop, path: str = "/") -> str:
    """Where a browser finds this path of the shop."""
    return f"http://{shop.host}:{world.stack.port}{path}"


def plain(text: str) -> str:
    """Words on one line, with ordinary spaces."""
    return " ".join(text.replace(NO_BREAK, " ").split())


@dataclass(frozen=True)
class Seen:
    """The payment panel as a browser shows it at one moment."""

    kind: str
    words: str
    title: str
    stages: list[str]
    taps: list[str]
    other: list[str]
    seconds: int | None
    again: str | None
    polling: int
    polls: int
    now: float
    asked: float
    answered: float


def hear_polls(context: BrowserContext) -> BrowserContext:
    """Have every page of this browser remember which answers it has shown, for read_panel."""
    context.add_init_script(HEAR_POLLS)
    return context


def read_panel(page: Page) -> Seen:
    """Read the panel, its words on one line. A browser with scripts must hear_polls."""
    found = page.evaluate(READ_PANEL)
    for name in ("words", "title"):
        found[name] = plain(found[name])
    for name in ("stages", "taps", "other"):
        found[name] = [plain(each) for each in found[name]]
    return Seen(**found)


@dataclass(frozen=True)
class Truth:
    """An order and its newest attempt as the database had them, at a moment between two."""

    asked: float
    told: float
    order: dict[str, Any]
    attempt: dict[str, Any]
    open_attempts: int


class Historian:
    """Reads the watched orders from SQL ten times a second and remembers every answer."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.orders: list[Any] = []
        self.history: dict[Any, list[Truth]] = {}
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._write, daemon=True)

    def __enter__(self) -> Historian:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join(timeout=5)

    def watch(self, order_id: Any) -> None:
        """Begin with one more order; returns when it was read once."""
        self.history[order_id] = []
        self.orders.append(order_id)
        wait_for("the first reading", lambda: bool(self.history[order_id]))

    def _write(self) -> None:
        with psycopg.connect(self.url, autocommit=True, row_factory=dict_row) as connection:
            while not self._end.wait(0.1):
                before = time.time()
                rows = connection.execute(_TRUTH, [list(self.orders)]).fetchall()
                after = time.time()
                for row in rows:
                    order = row["order_row"]
                    found = Truth(before, after, order, row["attempt_row"], row["n_open"])
                    self.history[row["id"]].append(found)

    def has_seen(self, order_id: Any, moment: float) -> bool:
        """Whether the order was read after this moment, all of it."""
        return any(truth.asked > moment for truth in self.history[order_id][-1:])

    def during(self, order_id: Any, begin: float, end: float) -> list[Truth]:
        """Everything that may have been true between two moments, and what was just before the first.

        On a busy machine a reading takes a while; what it found was true at some moment of it.
        """
        seen = self.history[order_id][:]
        earlier = [truth for truth in seen if truth.told < begin][-1:]
        return earlier + [truth for truth in seen if truth.told >= begin and truth.asked <= end]


_TRUTH = """
SELECT o.id, to_jsonb(o) - 'token_sealed' AS order_row, to_jsonb(a) AS attempt_row,
       (SELECT count(*) FROM app.payment_attempts x WHERE x.store_id = o.store_id AND x.order_id = o.id
         AND x.status IN ('created', 'sending', 'awaiting_customer', 'unknown')) AS n_open
  FROM app.orders o
  JOIN LATERAL (SELECT status, result_code, callback_result_code, receipt, confirmed_by,
                       extract(epoch FROM prompt_ends_at)::float8 AS prompt_ends,
                       extract(epoch FROM callback_at)::float8 AS called_back
                  FROM app.payment_attempts p WHERE p.store_id = o.store_id AND p.order_id = o.id
                 ORDER BY p.created_at DESC, p.id DESC LIMIT 1) a ON true
 WHERE o.id = ANY(%s)
"""


@dataclass
class Complaints:
    """What a browser complains about while it shows our pages."""

    lines: list[str] = field(default_factory=list)

    def listen(self, context: BrowserContext) -> None:
        """Hear the console, thrown errors and every violation of the content policy."""
        context.add_init_script(
            "addEventListener('securitypolicyviolation', (event) => console.error("
            "'csp ' + event.violatedDirective + ' ' + event.blockedURI))"
        )
        context.on(
            "console",
            lambda said: (
                self.lines.append(f"{said.location.get('url')}: {said.text}")
                if said.type in ("error", "warning")
                else None
            ),
        )
        context.on("weberror", lambda thrown: self.lines.append(str(thrown.error)))


def fill_checkout(page: Page, phone: str, *, area: str = "kilimani") -> None:
    """Type what a new shopper types."""
    page.get_by_label("M-Pesa phone number").fill("0" + phone[3:])
    page.get_by_label("Delivery area").select_option(area)
    page.get_by_label("Landmark near you").fill("Blue gate opposite the school")


def purchase_on(page: Page, shopper: Shopper) -> Purchase:
    """The order whose page this browser shows."""
    token = page.url.rsplit("/o/", 1)[1].partition("?")[0].partition("#")[0]
    row = shopper.world.sql(
        "SELECT * FROM app.orders WHERE token_hash = sha256(convert_to(%s, 'UTF8'))", token
    )[0]
    return Purchase(shopper, f"/o/{token}", row["code"], row)
