"""What a page costs a phone, as Chromium itself counts the bytes it receives.

A phone's screen, an empty cache, and a front that compresses what the program behind it has
not: what nginx or a CDN do in production where no page cache is.
"""

from __future__ import annotations

import gzip
import os
import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from time import monotonic
from typing import Any

import brotli
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

# The phone of Lighthouse's mobile preset, and of app.web.weight.
PHONE: dict[str, Any] = {
    "viewport": {"width": 412, "height": 823},
    "device_scale_factor": 1.75,
    "is_mobile": True,
    "has_touch": True,
    "locale": "en-KE",
}
KINDS = {"Document": "html", "Script": "js", "Image": "photo", "Fetch": "fragment"}
QUIET_S, MOST_S = 0.7, 20


@dataclass
class Fetched:
    """One answer on the wire. ``size`` with headers, as transferred; ``body`` without."""

    url: str
    kind: str = "other"
    size: int = 0
    body: int = 0
    is_cached: bool = False
    is_done: bool = False


class Wire:
    """Everything a page fetches from now on."""

    def __init__(self, page: Page) -> None:
        self._found: dict[str, Fetched] = {}
        self._page = page
        session = page.context.new_cdp_session(page)
        session.on("Network.requestWillBeSent", self._sent)
        session.on("Network.responseReceived", self._received)
        session.on("Network.requestServedFromCache", self._from_cache)
        session.on("Network.loadingFinished", self._finished)
        session.on("Network.loadingFailed", self._failed)
        session.send("Network.enable")

    def _sent(self, event: dict[str, Any]) -> None:
        if event["request"]["url"].startswith("http"):
            self._found[event["requestId"]] = Fetched(event["request"]["url"])

    def _received(self, event: dict[str, Any]) -> None:
        if found := self._found.get(event["requestId"]):
            found.kind = KINDS.get(event["type"], "other")
            found.is_cached = bool(event["response"].get("fromDiskCache")) or found.is_cached
            length = {k.lower(): v for k, v in event["response"]["headers"].items()}
            found.body = int(length.get("content-length", 0))

    def _from_cache(self, event: dict[str, Any]) -> None:
        if found := self._found.get(event["requestId"]):
            found.is_cached = True

    def _finished(self, event: dict[str, Any]) -> None:
        if found := self._found.get(event["requestId"]):
            found.size = int(event["encodedDataLength"])
            found.is_done = True

    def _failed(self, event: dict[str, Any]) -> None:
        if found := self._found.get(event["requestId"]):
            found.is_done = True

    def view(self, url: str) -> list[Fetched]:
        """Open a page and wait until nothing more comes; what travelled for it."""
        self._found.clear()
        self._page.goto(url)
        self._page.wait_for_load_state("networkidle")
        return self.settle()

    def settle(self) -> list[Fetched]:
        """Wait until the wire is quiet: nothing on its way, and nothing new for a while."""
        end = monotonic() + MOST_S
        quiet_since, known = monotonic(), -1
        while monotonic() - quiet_since < QUIET_S:
            assert monotonic() < end, [f.url for f in self._found.values() if not f.is_done]
            self._page.wait_for_timeout(50)  # the browser's news come in meanwhile
            if len(self._found) != known or not all(f.is_done for f in self._found.values()):
                quiet_since, known = monotonic(), len(self._found)
        return self.so_far()

    def so_far(self) -> list[Fetched]:
        return [found for found in self._found.values() if not found.is_cached]


def chromium_path() -> str | None:
    """The whole Chromium of this machine: ``$CHROMIUM_PATH``, or the one on the path."""
    return os.environ.get("CHROMIUM_PATH") or shutil.which("chromium")


def phone(browser: Browser, **wishes: Any) -> BrowserContext:
    """A phone with nothing in its cache."""
    context = browser.new_context(**(PHONE | wishes))
    context.set_default_timeout(20_000)
    return context


def total(fetched: Iterable[Fetched], *kinds: str) -> int:
    """Bytes of these kinds, or of all."""
    return sum(one.size for one in fetched if not kinds or one.kind in kinds)


def cart_cookie(base: str, product: str) -> str:
    """The cookies of somebody who put this product into the cart: for a header by hand."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium_path(), args=["--no-sandbox"])
        page = phone(browser).new_page()
        page.goto(base + product)
        page.locator("#add").click()
        page.locator("#added a").wait_for()
        cookies = "; ".join(f"{one['name']}={one['value']}" for one in page.context.cookies())
        browser.close()
    return cookies


def pressed(program: Callable[..., Iterable[bytes]]) -> Callable[..., Iterable[bytes]]:
    """The program behind a front that compresses HTML which is not compressed yet."""

    def front(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        said: list[Any] = []

        def start(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
            said[:] = [status, headers]
            return lambda _data: None

        parts = program(environ, start)
        body = b"".join(parts)
        if hasattr(parts, "close"):
            parts.close()
        status, headers = said
        names = {name.lower(): value for name, value in headers}
        accepted = environ.get("HTTP_ACCEPT_ENCODING", "")
        if (
            names.get("content-type", "").startswith("text/html")
            and "content-encoding" not in names
        ):
            named = "br" if "br" in accepted else "gzip" if "gzip" in accepted else ""
            if named and body:
                squeeze = (
                    (lambda b: brotli.compress(b, quality=5)) if named == "br" else gzip.compress
                )
                body = squeeze(body)
                headers = [h for h in headers if h[0].lower() != "content-length"]
                headers += [("Content-Encoding", named), ("Content-Length", str(len(body)))]
        start_response(status, headers)
        return [body]

    return front
