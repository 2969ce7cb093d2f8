"""Remembers, after a run of every test, which rows each test proves and how it ended.

``bin/manage rows`` reads ``var/rows.json``. A run of a part of the tests writes nothing, so that
the file always speaks of one whole run.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

KEPT_IN = Path("var") / "rows.json"
MOST_ROWS = 3


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--rows-file", help="write rows and outcomes here, whatever was run")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Every test's report carries its rows, also from another process."""
    for item in items:
        rows = sorted({str(row) for mark in item.iter_markers("row") for row in mark.args})
        if len(rows) > MOST_ROWS:
            raise pytest.UsageError(
                f"{item.nodeid} proves {len(rows)} rows; the most is {MOST_ROWS}"
            )
        item.user_properties.append(("rows", rows))


class Keeper:
    """Collects reports in the process that has them all."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self.tests: dict[str, dict[str, Any]] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        rows = dict(report.user_properties).get("rows", [])
        known = self.tests.setdefault(report.nodeid, {"rows": rows, "outcome": "passed"})
        if report.when == "call":
            known["outcome"] = report.outcome
        elif report.outcome != "passed":
            known["outcome"] = "error" if report.failed else report.outcome

    def pytest_sessionfinish(self) -> None:
        chosen = self.config.getoption("--rows-file")
        if not chosen and not self._was_whole():
            return
        file = Path(chosen) if chosen else self.config.rootpath / KEPT_IN
        file.parent.mkdir(exist_ok=True)
        file.write_text(json.dumps({"tests": self.tests}, indent=1, sort_keys=True))

    def _was_whole(self) -> bool:
        options = self.config.option
        is_narrowed = options.keyword or options.markexpr or options.collectonly
        return self.config.args_source != pytest.Config.ArgsSource.ARGS and not is_narrowed


def pytest_configure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(Keeper(config), "rows-keeper")
