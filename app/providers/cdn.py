"""The cache of a CDN in front of us: told which shop's pages are not true any more.

Speaks the shape that CDNs and Varnish recipes understand: one POST with
the surrogate keys in a header and, for those that read JSON, in the body.
"""

from __future__ import annotations

from app.providers.errors import Refused, Unavailable
from app.providers.http import http_client, translating_errors

TOO_MANY = 429


def purge(url: str, token: str, keys: list[str]) -> None:
    """Drop every copy that carries one of these surrogate keys.

    Raises Unavailable (ask again), Refused (the address or the token is wrong), OutcomeUnknown.
    Purging twice is harmless.
    """
    with translating_errors("cdn"):
        answer = http_client().post(
            url,
            headers={
                **({"Authorization": f"Bearer {token}"} if token else {}),
                "Surrogate-Key": " ".join(keys),
            },
            json={"surrogate_keys": keys},
        )
    if answer.status_code >= 500 or answer.status_code == TOO_MANY:
        raise Unavailable("cdn", f"answered {answer.status_code}")
    if not answer.is_success:
        raise Refused("cdn", f"answered {answer.status_code}")
