"""Passwords: argon2id, and the same work whether or not the person exists."""

from __future__ import annotations

from functools import lru_cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError, VerifyMismatchError

from app.domain.errors import DomainError
from app.i18n import gettext_lazy as _

MIN_LENGTH = 10
MAX_LENGTH = 128

_hasher = PasswordHasher(memory_cost=19_456, time_cost=2, parallelism=1)


class WeakPassword(DomainError):
    """Too short to keep, or too long to be typed by a person."""

    def __init__(self) -> None:
        super().__init__(
            _("A password has %(least)s to %(most)s characters.", least=MIN_LENGTH, most=MAX_LENGTH)
        )


def is_acceptable(password: str) -> bool:
    """Whether somebody may choose this password."""
    return MIN_LENGTH <= len(password) <= MAX_LENGTH


def hash_password(password: str) -> str:
    """What is stored in place of the password. Raises WeakPassword."""
    if not is_acceptable(password):
        raise WeakPassword
    return _hasher.hash(password)


def hash_secret(secret: str) -> str:
    """What is stored in place of a PIN, with the same costs. Whether it is good is asked elsewhere."""
    return _hasher.hash(secret)


def is_right(password: str, password_hash: str | None) -> bool:
    """Whether this is the password. Takes as long for a person who has none."""
    try:
        _hasher.verify(password_hash or _nobodys_hash(), password[: MAX_LENGTH + 1])
    except (VerifyMismatchError, VerificationError, InvalidHashError):
        return False
    return password_hash is not None


def needs_rehash(password_hash: str) -> bool:
    """Whether it was made with older settings than today's."""
    return _hasher.check_needs_rehash(password_hash)


@lru_cache(maxsize=1)
def _nobodys_hash() -> str:
    return _hasher.hash("nobody has this password")
