"""The platform itself: limits and who is at them, programs and their database roles, its audit trail."""

from __future__ import annotations

from flask import current_app, render_template, request
from flask.typing import ResponseReturnValue
from sqlalchemy import select

from app.db.engine import platform_session
from app.db.tenancy import PLATFORM_STORE
from app.domain.audit.models import AuditEntry
from app.domain.platform import programs
from app.domain.platform.limits import counted_limits
from app.web.limits import classes_in_redis
from app.web.platform.ops_shell import for_platform_people, ops_desk, working_in

bp = ops_desk("ops_system", __name__, "/ops/system")

PER_PAGE = 100


@bp.get("/limits")
@for_platform_people
def limits() -> ResponseReturnValue:
    """Every limit, how much of it is used, and how many are at it. Nobody is named."""
    with platform_session() as session:
        counted = counted_limits(session)
    routes = classes_in_redis(current_app.extensions["cache_redis"])
    return render_template(
        "platform/ops_limits.html",
        counted=counted,
        routes=routes,
        is_on=current_app.config["SETTINGS"].rate_limits_enabled,
    )


@bp.get("/roles")
@for_platform_people
def roles() -> ResponseReturnValue:
    """Which database role each program has: ``SELECT current_user`` on its own connection."""
    with working_in(PLATFORM_STORE) as session:
        programs.say_running(session, "web")
        session.commit()
        mine = programs.current_role(session)
    with platform_session() as session:
        platforms = programs.current_role(session)
        seen = programs.programs(session)
        connected = programs.connections(session)
    return render_template(
        "platform/ops_roles.html",
        mine=mine,
        platforms=platforms,
        seen=seen,
        connected=connected,
        is_right=programs.is_right,
        expected=programs.EXPECTED,
    )


@bp.get("/trail")
@for_platform_people
def trail() -> ResponseReturnValue:
    """The platform's own audit trail, the newest first."""
    before = request.args.get("before", "")
    query = select(AuditEntry).where(AuditEntry.store_id == PLATFORM_STORE)
    if before.isascii() and before.isdecimal() and len(before) < 16:
        query = query.where(AuditEntry.seq < int(before))
    with working_in(PLATFORM_STORE) as session:
        entries = session.scalars(query.order_by(AuditEntry.seq.desc()).limit(PER_PAGE)).all()
        session.expunge_all()
    return render_template("platform/ops_trail.html", entries=entries, per_page=PER_PAGE)
