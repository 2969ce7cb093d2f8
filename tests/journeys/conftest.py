"""After every journey one self-check must hold."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from bench.selfcheck import Report, selfcheck
from tests.world import World


@pytest.fixture
def everything_agrees(world: World) -> Callable[[], Report]:
    """Ask the self-check; a broken rule fails the test with its words."""

    def check() -> Report:
        report = selfcheck(world.superuser_url, str(world.sandbox.base_url))
        assert report.broken == []
        return report

    return check
