"""Kenyan phone numbers as people and companies write them."""

from __future__ import annotations

import hashlib
import re

# What Daraja insists on: 254, then nine digits that begin with 7 or 1. No plus, no zero.
WIRE = re.compile(r"254[17][0-9]{8}", re.ASCII)
_NATIONAL = re.compile(r"(?:\+?254|0)?([17][0-9]{8})", re.ASCII)
_SPACING = re.compile(r"[\s\-()]+")


class NotANumber(ValueError):
    """This is no Kenyan mobile number."""


def to_wire(written: str) -> str:
    """``0712 345 678``, ``+254712345678`` or ``254712345678`` as ``254712345678``.

    Raises NotANumber.
    """
    match = _NATIONAL.fullmatch(_SPACING.sub("", written))
    if match is None:
        raise NotANumber(f"{written!r} is not a Kenyan mobile number; try 0712 345 678.")
    return f"254{match[1]}"


def to_people(msisdn: str) -> str:
    """``254712345678`` as ``0712 345 678``, kept on one line."""
    national = f"0{msisdn[3:]}"
    return f"{national[:4]}\u00a0{national[4:7]}\u00a0{national[7:]}"


def masked(msisdn: str) -> str:
    """As C2B version 2 writes the payer: ``2547 ***** 126``."""
    return f"{msisdn[:4]} ***** {msisdn[-3:]}"


def hashed(msisdn: str) -> str:
    """As C2B version 1 writes the payer: SHA-256 in hex."""
    return hashlib.sha256(msisdn.encode()).hexdigest()
