"""The key that notifications are signed with, and whether they can be sent at all.

Pages ask this, so nothing heavy is loaded before there is something to work out.
"""

from __future__ import annotations

import base64
from functools import lru_cache
from importlib.util import find_spec


def can_push() -> bool:
    """Whether the optional packages are installed."""
    return find_spec("pywebpush") is not None


@lru_cache(maxsize=4)
def public_key(private_key: str) -> str:
    """What a browser is given to subscribe with. Raises ValueError for what is no private key."""
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    text = private_key.strip().rstrip("=")
    number = int.from_bytes(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)), "big")
    point = ec.derive_private_key(number, ec.SECP256R1()).public_key()
    raw = point.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
