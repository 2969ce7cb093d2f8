"""One store from the platform's side: its channels, its people, closing it, and looking at it."""

from __future__ import annotations

from flask import g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from werkzeug.wrappers import Response

from app.db.engine import platform_session
from app.domain.errors import FieldProblem
from app.domain.people.permissions import OWNER
from app.domain.people.roles import ROLE_WORDS
from app.domain.platform import impersonating, suspending
from app.domain.platform.health import health_of, members_of
from app.i18n import gettext as _
from app.web.auth import staff_token
from app.web.backoffice.home import home_of
from app.web.forms import field
from app.web.platform.ops_shell import actor as acting_person
from app.web.platform.ops_shell import (
    find_store,
    for_platform_people,
    ops_desk,
    toast,
    working_in,
    write_down_for_store,
)

bp = ops_desk("ops_stores", __name__, "/ops/stores")


@bp.get("/<int:store_id>")
@for_platform_people
def show(store_id: int) -> ResponseReturnValue:
    """How the store's channels are, who works there, and what may be done about it."""
    return _page(store_id)


@bp.post("/<int:store_id>/suspend")
@for_platform_people
def suspend(store_id: int) -> ResponseReturnValue:
    """Close the store. Its shoppers see kind words, its staff the reason; money still arrives."""
    try:
        with platform_session() as session:
            is_new = suspending.suspend(session, store_id, reason=_typed(), actor=acting_person())
    except FieldProblem as problem:
        return _page(store_id, problem=str(problem), at="suspend"), 422
    if is_new:
        write_down_for_store(store_id, "store.suspended", reason=_reason())
        toast(_("Closed. Shoppers see it now, and staff see why."))
    else:
        toast(_("This shop is closed already."), is_trouble=True)
    return _back(store_id)


@bp.post("/<int:store_id>/restore")
@for_platform_people
def restore(store_id: int) -> ResponseReturnValue:
    """Open the store again, as it was."""
    with platform_session() as session:
        is_new = suspending.restore(session, store_id, actor=acting_person())
    if is_new:
        write_down_for_store(store_id, "store.restored")
        toast(_("Open again, as it was before."))
    else:
        toast(_("This shop is open already."), is_trouble=True)
    return _back(store_id)


@bp.post("/<int:store_id>/look")
@for_platform_people
def look(store_id: int) -> ResponseReturnValue:
    """Look at the store as its owner would, for an hour, changing nothing."""
    store = find_store(store_id)
    try:
        suspending.need_reason(_typed())
    except FieldProblem as problem:
        return _page(store_id, problem=str(problem), at="look"), 422
    # Written down first: nobody ever looks unseen.
    write_down_for_store(store_id, "impersonation.began", reason=_reason())
    with platform_session() as session:
        impersonating.begin_looking(
            session, store_id, person=g.person, token=staff_token(), reason=_typed()
        )
    return redirect(home_of(OWNER, store.slug), code=303)


@bp.post("/<int:store_id>/write")
@for_platform_people
def write(store_id: int) -> ResponseReturnValue:
    """Allow changes in the store being looked at, for fifteen minutes."""
    store = find_store(store_id)
    try:
        suspending.need_reason(_typed())
    except FieldProblem as problem:
        return _page(store_id, problem=str(problem), at="write"), 422
    acting = impersonating.acting_now(staff_token())
    if acting is None or acting.store_id != store_id:
        toast(_("Look at the shop first, then ask to change something."), is_trouble=True)
        return _back(store_id)
    write_down_for_store(store_id, "impersonation.may_write", reason=_reason())
    with platform_session() as session:
        impersonating.begin_writing(session, store_id, token=staff_token(), reason=_typed())
    return redirect(home_of(OWNER, store.slug), code=303)


@bp.post("/leave")
@for_platform_people
def leave() -> ResponseReturnValue:
    """Stop looking."""
    with platform_session() as session:
        store_id = impersonating.end_looking(session, staff_token())
    if store_id is None:
        return redirect(url_for("ops_home.show"), code=303)
    write_down_for_store(store_id, "impersonation.ended")
    toast(_("You have left the shop."))
    return _back(store_id)


def _page(store_id: int, *, problem: str = "", at: str = "") -> str:
    store = find_store(store_id)
    with working_in(store_id) as session:
        health = health_of(session, content_version=store.content_version)
    with platform_session() as session:
        members = members_of(session, store_id)
        suspension = suspending.current_suspension(session, store_id)
    acting = impersonating.acting_now(staff_token())
    return render_template(
        "platform/ops_store.html",
        store=store,
        health=health,
        members=members,
        suspension=suspension,
        acting=acting if acting and acting.store_id == store_id else None,
        role_words=ROLE_WORDS,
        problem=problem,
        at=at,
        typed=request.form.get("reason", "")[: suspending.LONGEST_REASON],
    )


def _reason() -> str:
    return suspending.need_reason(_typed())


def _typed() -> str:
    return field("reason", most=suspending.LONGEST_REASON)


def _back(store_id: int) -> Response:
    return redirect(url_for("ops_stores.show", store_id=store_id), code=303)
