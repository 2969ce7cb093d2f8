"""Imports point down, and a step up is noticed."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.contracts.source import ROOT

LINT = Path(sys.executable).with_name("lint-imports")


def lint(checkout: Path) -> subprocess.CompletedProcess[str]:
    command = [str(LINT), "--no-logo", "--no-cache"]
    return subprocess.run(command, cwd=checkout, capture_output=True, text=True, check=False)


@pytest.mark.row("T5")
@pytest.mark.parametrize(
    ("file", "line"),
    [
        pytest.param("app/money.py", "from app.db.engine import db", id="money knows no database"),
        pytest.param(
            "app/domain/cart/queries.py",
            "from app.web import security",
            id="the domain knows no page",
        ),
        pytest.param(
            "app/domain/cart/queries.py", "import httpx", id="the domain calls nobody outside"
        ),
        pytest.param("tasks/bulk.py", "from app.web import limits", id="a job is no page"),
    ],
)
def test_a_module_that_reaches_up_is_refused(tmp_path: Path, file: str, line: str) -> None:
    for name in ("app", "tasks"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "config.py"):
        shutil.copy(ROOT / name, tmp_path)
    changed = tmp_path / file
    changed.write_text(
        changed.read_text().replace(
            "from __future__ import annotations\n",
            f"from __future__ import annotations\n\n{line}\n",
            1,
        )
    )

    assert lint(tmp_path).returncode != 0


@pytest.mark.row("T5")
def test_no_module_reaches_up() -> None:
    done = lint(ROOT)

    assert done.returncode == 0, done.stdout
    assert "0 broken" in done.stdout
