"""A run that proves less than it seems to does not pass."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from local.home import CHECKOUT


def run(folder: Path, body: str, *options: str) -> subprocess.CompletedProcess[str]:
    (folder / "test_it.py").write_text(f"import pytest\n\n{body}\n")
    (folder / "pytest.ini").write_text("[pytest]\nxfail_strict = false\n")
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "local.strict_summary", *options],
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(CHECKOUT)},
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("@pytest.mark.skip\ndef test_a(): pass", "1 skipped"),
        ("@pytest.mark.xfail\ndef test_a(): assert False", "1 xfailed"),
        ("@pytest.mark.xfail\ndef test_a(): pass", "1 xpassed"),
    ],
)
@pytest.mark.parametrize("options", [(), ("-n", "2")], ids=["alone", "in parallel"])
def test_a_skipped_or_expected_failure_fails_the_run(
    tmp_path: Path, body: str, said: str, options: tuple[str, ...]
) -> None:
    done = run(tmp_path, f"def test_ok(): pass\n\n{body}", *options)
    assert done.returncode == 1
    last = done.stdout.strip().splitlines()[-1]
    assert "1 passed" in last
    assert said in last
    assert "not proved" in done.stdout


def test_a_clean_run_passes_and_is_remembered(tmp_path: Path) -> None:
    done = run(tmp_path, "def test_ok(): pass")
    assert done.returncode == 0
    assert "not proved" not in done.stdout
    kept = json.loads((tmp_path / "var" / "last-test-run.json").read_text())
    assert kept["tests"] == {"test_it.py::test_ok": "passed"}
