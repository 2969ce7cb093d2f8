"""After every journey one self-check must hold."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import pytest

from bench.selfcheck import Report, selfcheck
from tests.world import TookTooLong, World, wait_for

SWEEP_WINDOW = 20.0


@pytest.fixture
def everything_agrees(world: World) -> Callable[[], Report]:
    """Ask the self-check; a broken rule fails the test with its words."""

    def ask() -> Report:
        return selfcheck(world.superuser_url, str(world.sandbox.base_url).rstrip("/"))

    def check() -> Report:
        # What is still being settled is given the sweep's own window.
        with suppress(TookTooLong):
            wait_for("agreement", lambda: not ask().broken, seconds=SWEEP_WINDOW)
        report = ask()
        assert report.broken == []
        return report

    return check
