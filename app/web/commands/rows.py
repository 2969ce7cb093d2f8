"""``bin/manage rows``: what the product can do, the tests that show it, and whether they passed."""

from __future__ import annotations

import ast
import csv
import json
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import click

ROOT = Path(__file__).resolve().parents[3]
CAPABILITIES = ROOT / "docs" / "capabilities.md"
ROWS_FILE = ROOT / "tests" / "rows.csv"
LAST_RUN = ROOT / "var" / "rows.json"

HEAD = """# What Dukani can do

Written by `bin/manage rows --write`: rows of the feature list, the tests marked with them, and
what stands in where a check needs something that a test machine does not have. A row is *done*
when every test of it passed in the last full `bin/test`; a *first cut* works and is tested, and
a later release finishes it; *not yet* has no test, or one that fails; *not run* has tests that the
last full run did not know.
"""


@dataclass
class Row:
    """One capability. ``passed`` is None when its tests have not run."""

    id: str
    words: str
    is_first_cut: bool
    stand_in: str
    tests: list[str] = field(default_factory=list)
    passed: bool | None = None
    outcomes: dict[str, bool | None] = field(default_factory=dict)

    @property
    def status(self) -> str:
        if not self.tests or self.passed is False:
            return "not yet"
        if self.passed is None:
            return "not run"
        return "first cut" if self.is_first_cut else "done"


@click.command("rows")
@click.option("--write", is_flag=True, help="Write docs/capabilities.md.")
@click.option(
    "--shared",
    envvar="SHARED_DIR",
    default="../shared",
    type=click.Path(path_type=Path),
    help="Where the feature list is.",
)
def rows_command(write: bool, shared: Path) -> None:
    """List this release's rows, their tests and whether these passed in the last full run."""
    if not ROWS_FILE.exists():
        raise click.ClickException("The tests are not part of this installation.")
    found = release_rows()
    listed = ids_in(ROOT / shared / "spec" / "features.md")
    for row in found:
        if listed and row.id not in listed:
            raise click.ClickException(f"{row.id} of tests/rows.csv is not in the feature list")
    if write:
        CAPABILITIES.write_text(capabilities_page(found))
        click.echo("Wrote docs/capabilities.md.")
        return
    words = {True: "passed", False: "FAILED", None: "not run"}
    for row in found:
        click.echo(f"{row.id:<4} {row.status:<9} {row.words}")
        for test in row.tests:
            click.echo(f"       {words[row.outcomes[test]]:<8} {test}")
    counts = ", ".join(f"{n} {status}" for status, n in _counts(found).items())
    click.echo(f"{len(found)} rows: {counts}")
    if listed:
        click.echo(f"{len(listed) - len(found)} rows of the feature list belong to later releases")


def release_rows() -> list[Row]:
    """The rows of tests/rows.csv with the tests marked for them in this checkout."""
    marked = marked_tests(ROOT / "tests")
    with ROWS_FILE.open(newline="", encoding="utf-8") as file:
        found = [
            Row(
                id=line["row"],
                words=line["capability"],
                is_first_cut=line["cut"] == "first",
                stand_in=line["stand_in"],
                tests=sorted(marked.get(line["row"], [])),
            )
            for line in csv.DictReader(file)
        ]
    last_run = _last_run()
    for row in found:
        row.outcomes = {test: last_run.get(test) for test in row.tests}
        outcomes = set(row.outcomes.values())
        row.passed = False if False in outcomes else None if None in outcomes else bool(outcomes)
    return found


def marked_tests(folder: Path) -> dict[str, list[str]]:
    """Row id → tests (``path::name``) that carry its mark, read without running anything."""
    found: dict[str, list[str]] = defaultdict(list)
    for path in sorted(folder.rglob("test_*.py")):
        name = path.relative_to(folder.parent).as_posix()
        tree = ast.parse(path.read_text(encoding="utf-8"))
        everywhere = [
            row
            for node in tree.body
            if isinstance(node, ast.Assign) and _is_named(node, "pytestmark")
            for row in _marks(node.value)
        ]
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                ids = {*everywhere, *(row for d in node.decorator_list for row in _marks(d))}
                for row in ids:
                    found[row].append(f"{name}::{node.name}")
    return found


def _is_named(node: ast.Assign, name: str) -> bool:
    return any(isinstance(target, ast.Name) and target.id == name for target in node.targets)


def _marks(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "pytest.mark.row":
            yield from (str(a.value) for a in node.args if isinstance(a, ast.Constant))


def ids_in(feature_list: Path) -> set[str]:
    """Every row id of the feature list; nothing where that file is not at hand."""
    if not feature_list.exists():
        return set()
    text = feature_list.read_text(encoding="utf-8")
    return set(re.findall(r"(?m)^\| \**([A-Z]\d+)\** \|", text))


def _last_run() -> dict[str, bool]:
    """Test (without its parameters) → whether all of its cases passed in the last full run."""
    if not LAST_RUN.exists():
        return {}
    passed: dict[str, bool] = {}
    for nodeid, about in json.loads(LAST_RUN.read_text())["tests"].items():
        test = re.sub(r"::\w+(?=::)", "", nodeid.partition("[")[0])
        passed[test] = passed.get(test, True) and about["outcome"] == "passed"
    return passed


def _counts(found: list[Row]) -> dict[str, int]:
    counts: dict[str, int] = defaultdict(int)
    for row in found:
        counts[row.status] += 1
    return dict(counts)


def capabilities_page(found: list[Row]) -> str:
    """docs/capabilities.md."""
    counts = ", ".join(f"{n} {status}" for status, n in _counts(found).items())
    lines = [HEAD, f"{len(found)} rows: {counts}.", ""]
    lines += ["| row | what | status | tests | stand-in |", "|---|---|---|---|---|"]
    for row in found:
        tests = "<br>".join(f"`{_short(test)}`" for test in row.tests)
        lines.append(f"| {row.id} | {row.words} | {row.status} | {tests} | {row.stand_in} |")
    return "\n".join(lines) + "\n"


def _short(test: str) -> str:
    return test.removeprefix("tests/").replace("::test_", " ").replace("_", " ").replace(".py", "")
