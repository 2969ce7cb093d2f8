"""One door to repeatable chance, so that the same seed always gives the same demo."""

from __future__ import annotations

import random


def chance(*seed: object) -> random.Random:
    """A generator that depends on nothing but the given values."""
    text = "|".join(str(part) for part in seed)
    return random.Random(text)  # noqa: S311  demo data, nothing here guards anything
