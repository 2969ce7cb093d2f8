"""How much of ``app/domain/payments`` its own tests walk through, branches counted.

    python -m bench.coverage_payments [--least PERCENT]

Runs the tests of payments that speak to the database and to M-Pesa's stand-in from this process
(those through the running product are left out: what they reach cannot be counted from here).
Prints each module with the lines and branches that were missed, and the whole. Ends non-zero
when a test fails or less than PERCENT (95) of lines and branches were walked.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SOURCE = "app/domain/payments"
TESTS = (
    "tests/domain/payments",
    "tests/domain/test_late_money.py",
    "tests/domain/test_prompt_limit.py",
    "tests/web/platform/test_ops_events.py",
    "tests/web/backoffice/test_money_keys.py",
)
LEAST = 95


def main() -> int:
    """Run, report, compare."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--least", type=float, default=LEAST)
    least = parser.parse_args().least
    with tempfile.TemporaryDirectory() as folder:
        environment = os.environ | {"COVERAGE_FILE": str(Path(folder) / "coverage")}
        coverage = [sys.executable, "-m", "coverage"]
        tests = [path for path in TESTS if (ROOT / path).exists()]
        ran = subprocess.run(
            [
                *coverage,
                "run",
                "--branch",
                f"--source={SOURCE}",
                "-m",
                "pytest",
                "-q",
                "-n0",
                "-p",
                "no:cacheprovider",
                *tests,
            ],
            cwd=ROOT,
            env=environment,
            check=False,
        )
        told = subprocess.run(
            [*coverage, "report", "--show-missing", f"--fail-under={least}"],
            cwd=ROOT,
            env=environment,
            check=False,
        )
    return ran.returncode or told.returncode


if __name__ == "__main__":
    sys.exit(main())
