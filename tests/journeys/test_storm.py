"""Two hundred checkouts in a storm; the large one is ``python -m bench.storm``."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.storm import WAITS, lines, storm
from local.stack import Stack

CHECKOUTS = 200


@pytest.mark.slow
@pytest.mark.row("M43", "W23", "N85")
def test_a_storm_of_checkouts_loses_and_doubles_nothing(home: Path) -> None:
    folder = home / "storm"
    folder.mkdir()
    with Stack(folder, fast=True, seed=False, env=WAITS) as running:
        weather = storm(running, checkouts=CHECKOUTS, stores=4, kills=6)
        running.remove()

    print("", *lines(weather, CHECKOUTS), sep="\n")
    assert weather.report.broken == []
    assert weather.answers == {303: CHECKOUTS}
    assert weather.kills == 6
    # A worker that dies before its request leaves takes one prompt with it: that shopper's phone
    # never rang, nothing was paid, and the order page offers another try.
    assert CHECKOUTS - weather.kills <= weather.report.paid_at_provider <= CHECKOUTS
