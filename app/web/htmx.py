"""The few htmx headers we use, named once."""

from __future__ import annotations

import json
from typing import Any

from flask import Response, make_response, render_template, request


def wants_fragment() -> bool:
    """True when htmx asked for a piece of the page it already shows."""
    return request.headers.get("HX-Request") == "true" and (
        "HX-Boosted" not in request.headers and "HX-History-Restore-Request" not in request.headers
    )


def fragment(
    template: str, *, status: int = 200, events: tuple[str, ...] = (), **context: Any
) -> Response:
    """Render a partial. ``events`` fire in the browser after the swap."""
    response = make_response(render_template(template, **context), status)
    response.vary.add("HX-Request")
    if events:
        response.headers["HX-Trigger"] = json.dumps(dict.fromkeys(events, True))
    return response
