"""Files of the open internet, fetched for a shop: with care, because a stranger chose the address.

Only from hosts that whoever runs the platform has named (none by default: a server does not go
wherever a stranger's file sends it). Only http and https, only hosts all of whose addresses are
public, at the very address that was looked at (a name that changes its mind in between gains
nothing), a few redirects each looked at anew, and no more bytes or seconds than a picture needs.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Collection
from time import monotonic
from typing import Final
from urllib.parse import urljoin, urlsplit

import httpx

from app.i18n import gettext_noop
from app.providers.http import tls_context

REDIRECTS: Final = 3
CONNECT_SECONDS: Final = 4.0
WHOLE_SECONDS: Final = 15.0
_PORTS: Final = {"http": 80, "https": 443}


class NotAllowed(Exception):
    """This address is not one we ask."""


class NotGiven(Exception):
    """The address was asked and gave no file."""


class WebFiles:
    """Fetches files from ``hosts`` (names; their subdomains too).

    ``allowed`` names hosts (``host:port``) that may also be private: for tests.
    """

    def __init__(
        self, *, most_bytes: int, hosts: Collection[str], allowed: Collection[str] = ()
    ) -> None:
        self.most_bytes = most_bytes
        self.hosts = tuple(host.lower() for host in hosts)
        self.allowed = frozenset(allowed)
        timeout = httpx.Timeout(CONNECT_SECONDS, read=8.0)
        self.http = httpx.Client(
            timeout=timeout, trust_env=False, follow_redirects=False, verify=tls_context()
        )

    def close(self) -> None:
        """Let go of the connections."""
        self.http.close()

    def fetch(self, url: str) -> bytes:
        """The bytes at an address. Raises NotAllowed and NotGiven."""
        end = monotonic() + WHOLE_SECONDS
        for _hop in range(REDIRECTS + 1):
            request = self._request(url)
            try:
                response = self.http.send(request, stream=True)
            except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
                raise NotGiven(type(error).__name__) from error
            try:
                if response.is_redirect:
                    url = urljoin(url, response.headers.get("location", ""))
                    continue
                if response.status_code != 200:
                    raise NotGiven(f"HTTP {response.status_code}")
                return self._body(response, end)
            finally:
                response.close()
        raise NotGiven(gettext_noop("too many redirects"))

    def _body(self, response: httpx.Response, end: float) -> bytes:
        body = bytearray()
        try:
            for chunk in response.iter_bytes(64 * 1024):
                body += chunk
                if len(body) > self.most_bytes:
                    raise NotGiven(gettext_noop("too large"))
                if monotonic() > end:
                    raise NotGiven(gettext_noop("too slow"))
        except httpx.HTTPError as error:
            raise NotGiven(type(error).__name__) from error
        return bytes(body)

    def _request(self, url: str) -> httpx.Request:
        """A request to the address that was looked at, under the host's own name."""
        try:
            parts = urlsplit(url)
            port = parts.port or _PORTS.get(parts.scheme, 0)
        except ValueError as error:
            raise NotAllowed("unreadable") from error
        host = parts.hostname or ""
        if parts.scheme not in _PORTS or not host or parts.username or parts.password:
            raise NotAllowed("only plain http and https addresses")
        if not self._is_named(host) and f"{host}:{port}" not in self.allowed:
            raise NotAllowed("not a host that pictures are fetched from")
        address = self._public_address(host, port)
        shown = f"[{address}]" if ":" in address else address
        pinned = parts._replace(netloc=f"{shown}:{port}", fragment="").geturl()
        name = host if port == _PORTS[parts.scheme] else f"{host}:{port}"
        try:
            return self.http.build_request(
                "GET",
                pinned,
                headers={"Host": name, "Accept": "image/*", "User-Agent": "Dukani"},
                extensions={"sni_hostname": host},
            )
        except (httpx.InvalidURL, ValueError, UnicodeError) as error:
            raise NotAllowed("unreadable") from error

    def _is_named(self, host: str) -> bool:
        return any(host == named or host.endswith(f".{named}") for named in self.hosts)

    def _public_address(self, host: str, port: int) -> str:
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            raise NotGiven(gettext_noop("no such host")) from error
        addresses = [str(entry[4][0]) for entry in found]
        if f"{host}:{port}" in self.allowed:
            return addresses[0]
        for address in addresses:
            if not _is_public(address):
                raise NotAllowed("not an address of the open internet")
        return addresses[0]


def _is_public(address: str) -> bool:
    try:
        ip: ipaddress.IPv4Address | ipaddress.IPv6Address = ipaddress.ip_address(
            address.partition("%")[0]
        )
    except ValueError:
        return False
    if isinstance(ip, ipaddress.IPv6Address):
        # An IPv4 address in the clothes of an IPv6 one is looked at for what it is.
        inner = ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None)
        if inner is not None:
            ip = inner
        elif ip in ipaddress.ip_network("64:ff9b::/96"):
            ip = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
    return ip.is_global and not ip.is_multicast and not ip.is_reserved
