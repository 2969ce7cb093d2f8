"""Identifiers and secrets: made here, so that no database sequence shows what a store sells."""

from __future__ import annotations

import hashlib
import secrets
from uuid import UUID

from uuid_utils.compat import uuid7

# No 0/O, 1/I/L: people read these aloud and type them at a paybill.
_REFERENCE_ALPHABET = "ABCDEFGHJKMNPQRSTUVWXYZ23456789"


def new_id() -> UUID:
    """A UUIDv7: unique, and sorted by the moment it was made."""
    return uuid7()


def new_token() -> str:
    """128 random bits as lower-case hex: no banned word can appear in a URL by chance."""
    return secrets.token_hex(16)


def new_reference(length: int = 8) -> str:
    """A code a person can type: capital letters and digits without look-alikes."""
    return "".join(secrets.choice(_REFERENCE_ALPHABET) for _ in range(length))


def token_hash(token: str) -> bytes:
    """What is stored in place of a token: its SHA-256."""
    return hashlib.sha256(token.encode()).digest()
