"""Crash points of the purchase path, derived from what the programs do and not chosen by us.

Every commit of a store's session and both sides of every call to the outside (HTTP to a
provider, Redis by the relay) is a point, named after the program, the work it was doing
and its number in that work. A folder tells the programs what to do:

    $CRASH_DIR/seen      every point passed, one per line
    $CRASH_DIR/at        the one point to die at; taken away by whoever dies, so it happens once

Dying is SIGKILL to the whole process group: an RQ worker goes together with its child.
"""

from __future__ import annotations

import os
import signal
from collections import Counter
from pathlib import Path
from typing import Any

import httpx
import structlog
from sqlalchemy import event

from app.db.tenancy import StoreSession

_passed: Counter[str] = Counter()
_work = ""


def arm(program: str) -> None:
    """Watch this process for points. Call it before the program starts."""
    folder = Path(os.environ["CRASH_DIR"])

    def reach(what: str) -> None:
        global _work
        work = _current_work()
        if work is None:
            return
        if work[1] != _work:  # another job or request: its numbers begin again
            _work = work[1]
            _passed.clear()
        _passed[what] += 1
        _pass(folder, f"{program} {work[0]}: {what} {_passed[what]}")

    event.listen(StoreSession, "after_commit", lambda session: reach("after commit"))
    _around(httpx.Client, "send", lambda self, request: request.url.path.rsplit("/", 1)[-1], reach)


def arm_relay() -> None:
    """Watch the relay: both sides of ringing Redis, and after the commit that follows."""
    from tasks import relay

    folder = Path(os.environ["CRASH_DIR"])

    def reach(what: str) -> None:
        _pass(folder, f"relay: {what}")

    from redis.client import Pipeline

    ring, send = relay.Relay.ring, Pipeline.execute

    def watched_send(self: Any, *args: Any, **kwargs: Any) -> Any:
        reach("before redis")
        answer = send(self, *args, **kwargs)
        reach("after redis")
        return answer

    def watched_ring(self: Any, connection: Any) -> int:
        count = ring(self, connection)
        if count:
            reach("after commit")
        return count

    Pipeline.execute = watched_send  # type: ignore[method-assign]
    relay.Relay.ring = watched_ring  # type: ignore[method-assign]


def _pass(folder: Path, name: str) -> None:
    """Write a point down, and die here if it is the one asked for."""
    with (folder / "seen").open("a") as seen:
        seen.write(name + "\n")
    try:
        if (folder / "at").read_text() != name:
            return
        (folder / "at").rename(folder / "done")
    except FileNotFoundError:
        return
    os.killpg(os.getpgid(0), signal.SIGKILL)


def _current_work() -> tuple[str, str] | None:
    """(what is being done, its id): a job by its topic, or a request by its rule."""
    bound = structlog.contextvars.get_contextvars()
    if bound.get("topic"):
        return str(bound["topic"]), str(bound["job_id"])
    from flask import has_request_context, request

    if has_request_context() and request.method == "POST" and request.url_rule is not None:
        return f"{request.method} {request.url_rule.rule}", str(bound.get("request_id"))
    return None


def _around(owner: Any, method: str, name_of: Any, reach: Any) -> None:
    original = getattr(owner, method)

    def watched(self: Any, *args: Any, **kwargs: Any) -> Any:
        name = name_of(self, *args[:1])
        reach(f"before {name}")
        try:
            return original(self, *args, **kwargs)
        finally:
            reach(f"after {name}")

    setattr(owner, method, watched)
