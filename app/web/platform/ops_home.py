"""The platform's desk: one box that finds any store."""

from __future__ import annotations

from flask import render_template, request
from flask.typing import ResponseReturnValue

from app.db.engine import platform_session
from app.domain.platform.finding import MATCHES, MOST_TYPED, find_stores
from app.domain.platform.jobs import job_totals
from app.web.platform.ops_shell import for_platform_people, ops_desk

bp = ops_desk("ops_home", __name__, "/ops")


@bp.get("/", strict_slashes=False)
@for_platform_people
def show() -> ResponseReturnValue:
    """The search and what it found; how the queue is, in one line."""
    typed = request.args.get("q", "").strip()[:MOST_TYPED]
    with platform_session() as session:
        found = find_stores(session, typed)
        totals = job_totals(session)
    return render_template(
        "platform/ops_home.html",
        typed=typed,
        found=found,
        matches=MATCHES,
        dead=sum(one.dead for one in totals),
        tired=sum(one.tired for one in totals),
    )
