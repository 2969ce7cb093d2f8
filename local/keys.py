"""Secrets of one machine, made at the first start and kept in ``secrets.env`` (0600)."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Callable

from cryptography.hazmat.primitives.asymmetric import ec

from local.home import Home, write_private
from local.roles import LOGIN_ROLES


def _token() -> str:
    return secrets.token_urlsafe(32)


def _digits() -> str:
    return str(100_000 + secrets.randbelow(900_000))


def _key() -> str:
    return base64.b64encode(secrets.token_bytes(32)).decode()


def _hex() -> str:
    return secrets.token_hex(16)


def _vapid() -> str:
    """A P-256 private key as 32 bytes in URL-safe base64."""
    number = ec.generate_private_key(ec.SECP256R1()).private_numbers().private_value
    return base64.urlsafe_b64encode(number.to_bytes(32, "big")).rstrip(b"=").decode()


SETTINGS: dict[str, Callable[[], str]] = {
    "SECRET_KEY": _token,
    "PHONE_KEY": _key,
    "LOOKUP_KEY": _key,
    "METRICS_TOKEN": _token,
    "SMS_API_KEY": _token,
    "EMAIL_TOKEN": _token,
    "EMAIL_HOOK_KEY": _hex,
    "VAPID_PRIVATE_KEY": _vapid,
    "MPESA_TEST_SHORTCODE": _digits,
    "MPESA_TEST_CONSUMER_KEY": _token,
    "MPESA_TEST_CONSUMER_SECRET": _token,
    "MPESA_TEST_PASSKEY": _token,
}
MADE: dict[str, Callable[[], str]] = {
    **SETTINGS,
    **{f"{role.upper()}_PASSWORD": _token for role in LOGIN_ROLES},
}


def read_or_make(home: Home) -> dict[str, str]:
    """This home's secrets; those that are missing are made and kept."""
    kept = parse(home.secrets_file.read_text()) if home.secrets_file.exists() else {}
    missing = {name: make() for name, make in MADE.items() if not kept.get(name)}
    if missing:
        kept |= missing
        lines = "".join(f"{name}={value}\n" for name, value in kept.items())
        write_private(home.secrets_file, lines)
    return kept


def passwords(found: dict[str, str]) -> dict[str, str]:
    """The database roles' passwords among the secrets."""
    return {role: found[f"{role.upper()}_PASSWORD"] for role in LOGIN_ROLES}


def parse(text: str) -> dict[str, str]:
    """NAME=value lines, as in ``.env``: comments and empty values are left out, quotes removed."""
    found = {}
    for line in text.splitlines():
        name, equals, value = line.strip().removeprefix("export ").partition("=")
        if not equals or name.startswith("#"):
            continue
        value = value.strip()
        if len(value) >= 2 and value[0] == value[-1] and value[0] in "\"'":
            value = value[1:-1]
        else:
            value = value.partition(" #")[0].strip()
        if value:
            found[name.strip()] = value
    return found
