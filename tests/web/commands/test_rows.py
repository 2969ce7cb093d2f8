"""bin/manage rows: capabilities from the marks of the tests, never from anybody's word."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from flask import Flask

from app.web.commands import rows as commands

ROOT = Path(__file__).resolve().parents[3]

TESTS = """
import pytest

@pytest.mark.row("W6", "N15")
def test_walls(): pass

@pytest.mark.parametrize("n", [1, 2])
@pytest.mark.row("N15")
def test_many(n): assert n != 2

class TestNothing:
    def test_unmarked(self): pass
"""


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout with three tests of its own, one of which fails in one case."""
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_it.py").write_text(TESTS)
    (tmp_path / "tests" / "rows.csv").write_text(
        "row,capability,cut,stand_in\nW6,Walls,,our own\nN15,Many,first,\nW9,Nothing yet,,\n"
    )
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers = row\ntestpaths = tests\n")
    (tmp_path / "docs").mkdir()
    for name, path in {
        "ROOT": tmp_path,
        "ROWS_FILE": tmp_path / "tests" / "rows.csv",
        "LAST_RUN": tmp_path / "var" / "rows.json",
        "CAPABILITIES": tmp_path / "docs" / "capabilities.md",
    }.items():
        monkeypatch.setattr(commands, name, path)
    return tmp_path


def run_tests(checkout: Path, *words: str) -> None:
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "tests.rows_plugin",
        "-p",
        "no:cacheprovider",
        *words,
    ]
    done = subprocess.run(
        command,
        cwd=checkout,
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "1 failed" in done.stdout, done.stdout + done.stderr


@pytest.mark.parametrize(
    "processes", [pytest.param((), id="one"), pytest.param(("-n", "1"), id="several")]
)
def test_outcomes_of_a_whole_run_decide_what_is_done(
    app: Flask, checkout: Path, processes: tuple[str, ...]
) -> None:
    run_tests(checkout, *processes)

    done = app.test_cli_runner().invoke(args=["rows", "--shared", str(checkout)])

    assert done.exit_code == 0, done.output
    assert "W6   done      Walls" in done.output
    assert "N15  not yet   Many" in done.output
    assert "FAILED   tests/test_it.py::test_many" in done.output
    assert "W9   not yet   Nothing yet" in done.output
    assert "3 rows: 1 done, 2 not yet" in done.output


def test_part_of_the_tests_says_nothing_about_the_whole(app: Flask, checkout: Path) -> None:
    run_tests(checkout, "tests/test_it.py")
    assert not (checkout / "var" / "rows.json").exists()

    done = app.test_cli_runner().invoke(args=["rows", "--shared", str(checkout)])

    assert "W6   not run" in done.output


def test_the_page_names_tests_and_stand_ins(app: Flask, checkout: Path) -> None:
    (checkout / "var").mkdir()
    tests = {
        "tests/test_it.py::test_walls": "passed",
        "tests/test_it.py::test_many[1]": "passed",
        "tests/test_it.py::test_many[2]": "passed",
    }
    outcomes = {test: {"rows": [], "outcome": outcome} for test, outcome in tests.items()}
    (checkout / "var" / "rows.json").write_text(json.dumps({"tests": outcomes}))

    done = app.test_cli_runner().invoke(args=["rows", "--write", "--shared", str(checkout)])

    assert done.exit_code == 0, done.output
    page = (checkout / "docs" / "capabilities.md").read_text()
    assert "| W6 | Walls | done | `test it walls` | our own |" in page
    assert "| N15 | Many | first cut | `test it many`<br>`test it walls` |  |" in page


def test_a_row_that_the_feature_list_does_not_have_is_refused(app: Flask, checkout: Path) -> None:
    (checkout / "spec").mkdir()
    (checkout / "spec" / "features.md").write_text("| W6 | a | b | c |\n| W9 | a | b | c |\n")

    done = app.test_cli_runner().invoke(args=["rows", "--shared", str(checkout)])

    assert done.exit_code == 1
    assert "N15" in done.output
