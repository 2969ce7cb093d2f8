"""Phones of people who do what a test says and nothing else."""

from __future__ import annotations

import secrets


def any_phone(network: str = "70") -> str:
    """A number in E.164 that is nobody's.

    The sandbox's phones that misbehave by themselves are told by a 9 before the last two digits.
    """
    return f"+254{network}{secrets.randbelow(10**4):04d}{secrets.randbelow(9)}{secrets.randbelow(100):02d}"
