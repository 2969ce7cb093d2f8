"""Stepping back on the machine: shoppers' pages and payments come first."""

from __future__ import annotations

import os

POLITENESS = 10


def be_polite() -> None:
    """Let others go first for the rest of this job, whose process ends with it.

    Once is enough: of several jobs that one process runs, the last is as polite as the first.
    """
    os.nice(max(0, POLITENESS - os.nice(0)))
