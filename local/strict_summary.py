"""A pytest plugin of bin/test: a run with skipped or expected-to-fail tests does not pass.

A skipped test proves nothing while it looks like one that does. The plugin also keeps what
happened to each test, for ``bin/manage rows``, and when the run itself breaks off, its last words
are why.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

NOT_PROOF = ("skipped", "xfailed", "xpassed")
COUNTED = ("passed", "failed", "error", *NOT_PROOF)
KEPT_IN = Path("var") / "last-test-run.json"
TOLD_LINES = 30
_broke_off: list[str] = []


def pytest_internalerror(excrepr: object) -> None:
    """Keep the first error of the machinery itself; what follows is only its consequence."""
    _broke_off.append(str(excrepr))


@pytest.hookimpl(trylast=True)
def pytest_unconfigure() -> None:
    """Say it again below everything that the ending processes print."""
    if _broke_off:
        lines = _broke_off[0].splitlines()[-TOLD_LINES:]
        print("This run broke off:", *lines, sep="\n", file=sys.stderr)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Turn a green run that skipped something into a red one."""
    if hasattr(session.config, "workerinput"):
        return  # one of several processes; the one that started them has the whole picture
    stats = _stats(session.config)
    if session.exitstatus == pytest.ExitCode.OK and any(stats.get(kind) for kind in NOT_PROOF):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
    _keep(session.config, stats)


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Name what was not proved, above pytest's own last line."""
    found = [report for kind in NOT_PROOF for report in _stats(config).get(kind, [])]
    if found:
        terminalreporter.section("not proved: this run does not pass", red=True)
        for report in found:
            terminalreporter.write_line(f"{report.outcome} {report.nodeid}")


def _stats(config: pytest.Config) -> dict[str, list[pytest.TestReport]]:
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    return dict(reporter.stats) if reporter else {}


def _keep(config: pytest.Config, stats: dict[str, list[pytest.TestReport]]) -> None:
    outcomes = {
        report.nodeid: kind for kind in COUNTED for report in stats.get(kind, []) if report.nodeid
    }
    file = config.rootpath / KEPT_IN
    file.parent.mkdir(exist_ok=True)
    whole = config.args_source != pytest.Config.ArgsSource.ARGS
    file.write_text(json.dumps({"whole": whole, "tests": outcomes}, indent=1, sort_keys=True))
