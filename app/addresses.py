"""Absolute addresses, built from stored hosts and settings and never from a request."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Addresses:
    """Where this installation is reached: ``scheme`` and the platform's ``host[:port]``."""

    scheme: str
    platform_host: str

    @property
    def port(self) -> str:
        _, colon, port = self.platform_host.partition(":")
        return colon + port


_addresses = Addresses(scheme="https", platform_host="localhost")


def configure_addresses(addresses: Addresses) -> None:
    """Give this process its addresses, once, at start."""
    global _addresses
    _addresses = addresses


def store_url(host: str, path: str = "/") -> str:
    """The public address of a path on a store's host."""
    return f"{_addresses.scheme}://{host}{_addresses.port}{path}"


def order_link(host: str, token: str) -> str:
    """The order page, as it is sent to the customer."""
    return store_url(host, f"/o/{token}")


def platform_url(path: str = "/") -> str:
    """The public address of a path on the platform's host."""
    return f"{_addresses.scheme}://{_addresses.platform_host}{path}"
