"""Pages of one person, a cart or an order, are compressed as they leave.

Public pages are left alone: the page cache in front compresses each of them once. Small answers
are left alone too; they fit into one packet as they are.
"""

from __future__ import annotations

import brotli
from flask import Flask, Response, request

QUALITY = 5  # as the page cache does: half a millisecond for a third of the bytes
LEAST = 1_400  # bytes; what fits one packet gains nothing


def add_pressing(app: Flask) -> None:
    """Compress what is worth it. Registered before whatever still changes a page."""

    @app.after_request
    def press(response: Response) -> Response:
        if (
            response.mimetype != "text/html"
            or response.cache_control.public
            or response.is_streamed
            or "Content-Encoding" in response.headers
        ):
            return response
        response.vary.add("Accept-Encoding")
        text = response.get_data()
        if not request.accept_encodings.quality("br") or len(text) < LEAST:
            return response
        response.set_data(brotli.compress(text, quality=QUALITY))
        response.headers["Content-Encoding"] = "br"
        return response
