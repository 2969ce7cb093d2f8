"""Lighthouse, as a program: mobile preset, simulated slow 4G, a processor four times slower.

It comes from npm once, into a folder of its own, and speaks to Chromium by itself. Every host
but loopback resolves to nothing.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench._wire import chromium_path

VERSION = "12.8.2"
CATEGORIES = ("performance", "accessibility", "best-practices", "seo")
METRICS = {
    "FCP": "first-contentful-paint",
    "LCP": "largest-contentful-paint",
    "TBT": "total-blocking-time",
    "CLS": "cumulative-layout-shift",
    "TTI": "interactive",
}
SECONDS = 180
SLOWDOWN = 4.0  # the phone's processor beside that of a machine like QUIET
QUIET = 1_300  # Lighthouse's own index of a core that nobody else uses
_FLAGS = (
    "--headless=new --no-sandbox --disable-gpu --disable-quic --no-first-run"
    " --disable-background-networking --disable-component-update --disable-sync"
    " --disable-dev-shm-usage --host-resolver-rules='MAP * ~NOTFOUND , EXCLUDE 127.0.0.1 ,"
    " EXCLUDE localhost , EXCLUDE *.localhost'"
)


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
    entry = folder / "node_modules" / "lighthouse" / "cli" / "index.js"
    if not entry.exists():
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "package.json").write_text("{}")
        command = ["npm", "install", "--no-audit", "--no-fund", f"lighthouse@{VERSION}"]
        subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=600)
    return entry


def look_at(url: str, *, cookie: str = "", slowdown: float = SLOWDOWN) -> Report:
    """One run, on a processor so many times slower than this one. Raises NoReport."""
    browser = chromium_path() or ""
    with tempfile.TemporaryDirectory(prefix="dk-lh-") as folder:
        out = Path(folder) / "report.json"
        command = [
            "node", str(program()), url, "--quiet", "--no-enable-error-reporting", "--output=json",
            f"--output-path={out}", f"--only-categories={','.join(CATEGORIES)}",
            f"--throttling.cpuSlowdownMultiplier={slowdown:.1f}",
            f"--chrome-flags={_FLAGS} --user-data-dir={folder}/profile",
        ]  # fmt: skip
        if cookie:
            headers = Path(folder) / "headers.json"
            headers.write_text(json.dumps({"Cookie": cookie}))
            command.append(f"--extra-headers={headers}")
        ended = subprocess.run(
            command,
            env=os.environ | {"CHROME_PATH": browser},
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        if not out.exists():
            raise NoReport(ended.stderr[-600:])
        return _read(url, json.loads(out.read_text()))


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
