"""Lighthouse, as a program: mobile preset, simulated slow 4G, a processor four times slower.

It comes from npm once, into a folder of its own, and speaks to Chromium by itself. Every host
but loopback resolves to nothing.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench._wire import chromium_path
from local import os_process

VERSION = "12.8.2"
CATEGORIES = ("performance", "accessibility", "best-practices", "seo")
METRICS = {
    "FCP": "first-contentful-paint",
    "LCP": "largest-contentful-paint",
    "TBT": "total-blocking-time",
    "CLS": "cumulative-layout-shift",
    "TTI": "interactive",
}
RUN = Path(__file__).with_suffix(".mjs")
SECONDS = 180
SLOWDOWN = 4.0  # the phone's processor beside that of a machine like QUIET
QUIET = 1_300  # Lighthouse's own index of a core that nobody else uses
_FLAGS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--disable-dev-shm-usage", "--disable-extensions", "--disable-default-apps", "--mute-audio",
    "--disable-backgrounding-occluded-windows", "--disable-renderer-backgrounding",
    "--disable-background-timer-throttling", "--disable-hang-monitor",
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1 , EXCLUDE localhost , EXCLUDE *.localhost",
)  # fmt: skip
START_SECONDS = 30


class NoReport(RuntimeError):
    """Lighthouse ended without a report; its last words are the message."""


@dataclass(frozen=True)
class Report:
    """One run over one page. Scores of 100; milliseconds, and shifts as they are."""

    url: str
    scores: dict[str, int]
    metrics: dict[str, float]
    failing: list[str]  # audits of the three categories that are not about speed
    machine: float  # how fast Lighthouse found this machine at that moment
    shifts: list[str] = field(default_factory=list)  # what moved, where CLS is above 0

    def misses(self, *, is_listed: bool) -> list[str]:
        """What is wrong beside the speed. A page that must not be listed may say so."""
        return [one for one in self.failing if is_listed or one != "is-crawlable"]


def program(cache: Path | None = None) -> Path:
    """Lighthouse's own entry, installed by npm when it is not there yet."""
    folder = cache or Path(
        os.environ.get("LH_CACHE") or Path(tempfile.gettempdir()) / "lighthouse-cache"
    )
    entry = folder / "node_modules" / "lighthouse" / "core" / "index.js"
    if not entry.exists():
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "package.json").write_text("{}")
        command = ["npm", "install", "--no-audit", "--no-fund", f"lighthouse@{VERSION}"]
        subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=600)
    return entry


@contextmanager
def browser() -> Iterator[int]:
    """A Chromium for several runs, and the port that Lighthouse speaks to it by.

    Lighthouse opens a page of its own in it, with nothing kept of the one before. A browser for each
    run would take longer to start and to end than Lighthouse needs for half a page.
    """
    with tempfile.TemporaryDirectory(prefix="dk-lh-", ignore_cleanup_errors=True) as folder:
        process = subprocess.Popen(
            [
                chromium_path() or "chromium",
                *_FLAGS,
                f"--user-data-dir={folder}",
                "--remote-debugging-port=0",
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            yield _port(process, Path(folder) / "DevToolsActivePort")
        finally:
            process.terminate()
            process.wait(START_SECONDS)


def _port(process: subprocess.Popen[bytes], told: Path) -> int:
    """Where Chromium listens: the first line of a file that it writes when it does."""
    os_process.wait_until(
        lambda: _first_line(told) != "" or process.poll() is not None, seconds=START_SECONDS
    )
    if not _first_line(told):
        raise NoReport("Chromium did not start")
    return int(_first_line(told))


def _first_line(file: Path) -> str:
    return file.read_text().partition("\n")[0] if file.exists() else ""


def look_at(url: str, *, port: int, cookie: str = "", slowdown: float = SLOWDOWN) -> Report:
    """One run in the browser at ``port``, on a processor so many times slower than this one.

    Raises NoReport.
    """
    wish = {
        "program": str(program()),
        "url": url,
        "port": port,
        "onlyCategories": CATEGORIES,
        "throttling": {"cpuSlowdownMultiplier": round(slowdown, 1)},
        "extraHeaders": {"Cookie": cookie} if cookie else {},
        "disableFullPageScreenshot": True,  # no audit that we ask for looks at it
    }
    ended = subprocess.run(
        ["node", str(RUN)],
        input=json.dumps(wish),
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    if not ended.stdout:
        raise NoReport(ended.stderr[-600:])
    return _read(url, json.loads(ended.stdout))


def worst(reports: Sequence[Report]) -> Report:
    """The worst of several runs, each figure by itself."""
    return Report(
        url=reports[0].url,
        scores={name: min(one.scores[name] for one in reports) for name in CATEGORIES},
        metrics={name: max(one.metrics[name] for one in reports) for name in METRICS},
        failing=sorted({audit for one in reports for audit in one.failing}),
        machine=min(one.machine for one in reports),
    )


def _read(url: str, found: dict[str, Any]) -> Report:
    if found.get("runtimeError"):
        raise NoReport(str(found["runtimeError"])[:600])
    audits, categories = found["audits"], found["categories"]
    failing = [
        ref["id"]
        for name in CATEGORIES[1:]
        for ref in categories[name]["auditRefs"]
        if ref["weight"] > 0 and audits[ref["id"]]["score"] not in (None, 1)
    ]
    return Report(
        url=url,
        scores={name: round(100 * (categories[name]["score"] or 0)) for name in CATEGORIES},
        metrics={
            name: float(audits[key].get("numericValue") or 0) for name, key in METRICS.items()
        },
        failing=failing,
        machine=float(found["environment"]["benchmarkIndex"]),
        shifts=[json.dumps(one) for one in _items(audits, "layout-shifts")],
    )


def _items(audits: dict[str, Any], name: str) -> list[Any]:
    return list((audits.get(name, {}).get("details") or {}).get("items") or [])
