"""Which push services we write to. A stranger's browser names the address, so only known hosts do."""

from __future__ import annotations

from collections.abc import Collection
from urllib.parse import urlsplit


def is_push_service(url: str, *, hosts: Collection[str], allowed: Collection[str] = ()) -> bool:
    """Whether this is an address at a push service we know: https, no port, no user, a named host.

    ``hosts`` are names; their subdomains count. ``allowed`` names hosts (``host:port``) that may
    also be private and without TLS: for development and tests.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return False
    host = (parts.hostname or "").lower()
    if not host or parts.username or parts.password or not url.isascii() or not url.isprintable():
        return False
    if f"{host}:{port}" in allowed:
        return parts.scheme in ("http", "https")
    is_known = any(host == name or host.endswith(f".{name}") for name in hosts)
    return is_known and parts.scheme == "https" and port in (None, 443)
