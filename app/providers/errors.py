"""The three ways a provider can fail us, because the caller has three choices."""

from __future__ import annotations


class ProviderError(Exception):
    """Something went wrong at, or on the way to, a provider."""

    def __init__(self, provider: str, reason: str, *, code: str = "") -> None:
        self.provider = provider
        self.reason = reason
        self.code = code
        super().__init__(f"{provider}: {reason}")


class Refused(ProviderError):
    """They understood and said no. Asking again will not help."""


class Unavailable(ProviderError):
    """The request never reached them, or they turned it away. Safe to ask again."""


class OutcomeUnknown(ProviderError):
    """They may have acted. Never ask again blindly: look it up, or wait for the callback."""
