"""Sealing what must not be read from a stolen database: phone numbers and shop keys.

AES-256-GCM with the store and the column as associated data, so that a value moved to
another store's row, or another column, does not open. The key's id travels with the
value, so that keys can be rotated. Lookups go through a keyed hash, never a ciphertext.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

KEY_ID = b"\x01"
_NONCE_BYTES = 12


class CannotOpen(Exception):
    """The value was sealed for another store, column or key, or was altered."""


@dataclass(frozen=True)
class Vault:
    """The two keys of one environment: ``seal_key`` (32 bytes, AES) and ``lookup_key`` (HMAC)."""

    seal_key: bytes
    lookup_key: bytes

    def seal(self, plain: str, *, store_id: int, column: str) -> bytes:
        """Encrypt text for one store and column."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        return (
            KEY_ID
            + nonce
            + AESGCM(self.seal_key).encrypt(nonce, plain.encode(), _bound_to(store_id, column))
        )

    def open(self, sealed: bytes, *, store_id: int, column: str) -> str:
        """Decrypt what ``seal`` made. Raises CannotOpen."""
        if sealed[:1] != KEY_ID:
            raise CannotOpen(column)
        nonce, body = sealed[1 : 1 + _NONCE_BYTES], sealed[1 + _NONCE_BYTES :]
        try:
            return AESGCM(self.seal_key).decrypt(nonce, body, _bound_to(store_id, column)).decode()
        except InvalidTag as error:
            raise CannotOpen(column) from error

    def lookup(self, text: str, *, store_id: int) -> bytes:
        """A keyed hash to find a phone number by, different in every store."""
        return hmac.new(self.lookup_key, f"{store_id}:{text}".encode(), hashlib.sha256).digest()


def _bound_to(store_id: int, column: str) -> bytes:
    return f"{store_id}:{column}".encode()


_vault: Vault | None = None


def configure_vault(vault: Vault) -> None:
    """Give this process its keys, once, at start."""
    global _vault
    _vault = vault


def vault() -> Vault:
    """The keys of this process. Raises RuntimeError before ``configure_vault``."""
    if _vault is None:
        raise RuntimeError("the vault has no keys yet: create_app() configures it")
    return _vault
