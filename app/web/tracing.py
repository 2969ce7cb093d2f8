"""One request id through log lines, jobs and provider calls."""

from __future__ import annotations

import re
from time import perf_counter

import structlog
from flask import Flask, Response, g, request

from app.ids import new_id
from app.jobs import request_id
from app.logging import get_logger

_USABLE = re.compile(r"^[A-Za-z0-9-]{8,64}$")


def add_tracing(app: Flask) -> None:
    """Give every request an id, log it once at its end, and count it."""
    from app.web.metrics import REQUESTS, SECONDS

    say = get_logger("web").bind()  # made once, not for each line

    @app.before_request
    def begin() -> None:
        given = request.headers.get("X-Request-ID", "")
        g.request_id = given if _USABLE.match(given) else new_id().hex
        g.started = perf_counter()
        g.request_id_token = request_id.set(g.request_id)
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=g.request_id)

    @app.after_request
    def end(response: Response) -> Response:
        response.headers["X-Request-ID"] = g.get("request_id", "")
        seconds = perf_counter() - g.get("started", perf_counter())
        rule = request.url_rule.rule if request.url_rule else "unmatched"
        REQUESTS.labels(request.method, rule, response.status_code).inc()
        SECONDS.labels(rule).observe(seconds)
        say.info(
            "request",
            method=request.method,
            rule=rule,
            status=response.status_code,
            ms=round(seconds * 1000, 1),
            store_id=g.get("store_id"),
        )
        return response

    @app.teardown_request
    def forget(error: BaseException | None) -> None:
        token = g.pop("request_id_token", None)
        if token is not None:
            request_id.reset(token)
        structlog.contextvars.clear_contextvars()
