"""Phones of people who do what a test says and nothing else."""

from __future__ import annotations

import secrets

# The sandbox's phones that misbehave by themselves are told by a 9, and a PIN of a test begins with a 5:
# one with the digits of its owner's phone would be refused.
_DIGITS = "01234678"


def any_phone(network: str = "70") -> str:
    """A number in E.164 that is nobody's."""
    return f"+254{network}" + "".join(secrets.choice(_DIGITS) for _ in range(7))
