"""What providers sent us and what we asked them: every event raw, and handling one again safely."""

from __future__ import annotations

from uuid import UUID

from flask import redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from app.db.engine import platform_session
from app.db.tenancy import PLATFORM_STORE
from app.domain.platform import events
from app.i18n import gettext as _
from app.web.platform.ops_shell import (
    actor,
    for_platform_people,
    ops_desk,
    store_asked_for,
    store_names,
    toast,
    until_asked_for,
    until_of,
    working_in,
    write_down,
)

bp = ops_desk("ops_events", __name__, "/ops/events")


@bp.get("/", strict_slashes=False)
@for_platform_people
def show() -> ResponseReturnValue:
    """Events of all stores, the newest first, by store, kind, verdict and time."""
    typed, store_id = store_asked_for()
    kind = request.args.get("kind", "")
    verdict = request.args.get("verdict", "")
    with platform_session() as session:
        found = events.find_events(
            session,
            store_id=store_id,
            kind=kind if kind in events.KINDS else None,
            verdict=verdict if verdict in events.VERDICTS else None,
            until=until_asked_for(),
        )
    return render_template(
        "platform/ops_events.html",
        found=found,
        stores=store_names({event.store_id for event in found}),
        kinds=events.KINDS,
        verdicts=events.VERDICTS,
        kind=kind,
        verdict=verdict,
        typed=typed,
        next_until=until_of(found[-1].received_at) if len(found) == events.MOST_SHOWN else None,
        platform_store=PLATFORM_STORE,
    )


@bp.get("/<int:store_id>/<uuid:event_id>")
@for_platform_people
def event(store_id: int, event_id: UUID) -> ResponseReturnValue:
    """One event as it came, with numbers and names masked."""
    with working_in(store_id) as session:
        found = events.open_event(session, event_id)
        body = events.masked_body(found.body)
        session.expunge(found)
    return render_template(
        "platform/ops_event.html",
        event=found,
        body=body,
        size=len(found.body),
        kinds=events.KINDS,
        verdicts=events.VERDICTS,
        store=store_names({store_id}).get(store_id),
        is_replayable=found.kind in ("stk", "c2b_confirmation"),
    )


@bp.post("/<int:store_id>/<uuid:event_id>/replay")
@for_platform_people
def replay(store_id: int, event_id: UUID) -> ResponseReturnValue:
    """Handle an event again. What was applied already is not applied twice."""
    with working_in(store_id) as session:
        came_to = events.replay(session, event_id, actor=actor())
        session.commit()
    write_down("event.replayed", subject=f"callback:{event_id}", verdict=came_to.verdict)
    words = events.VERDICTS.get(came_to.verdict, came_to.verdict)
    if came_to.has_changed:
        toast(_("Run again: %(verdict)s. Something changed; look at the order.", verdict=words))
    else:
        toast(_("Run again: %(verdict)s. Nothing changed.", verdict=words))
    return redirect(url_for(".event", store_id=store_id, event_id=event_id), code=303)


@bp.get("/calls")
@for_platform_people
def calls() -> ResponseReturnValue:
    """Our calls to providers, the newest first; ``which`` narrows them to those that failed."""
    typed, store_id = store_asked_for()
    only_failed = bool(request.args.get("which"))
    with platform_session() as session:
        found = events.find_calls(
            session, store_id=store_id, only_failed=only_failed, until=until_asked_for()
        )
    return render_template(
        "platform/ops_calls.html",
        found=found,
        stores=store_names({call.store_id for call in found}),
        only_failed=only_failed,
        typed=typed,
        next_until=until_of(found[-1].at) if len(found) == events.MOST_SHOWN else None,
    )


@bp.get("/calls/<int:store_id>/<uuid:call_id>")
@for_platform_people
def call(store_id: int, call_id: UUID) -> ResponseReturnValue:
    """One call: what we asked and what came back, masked when it was written."""
    with working_in(store_id) as session:
        found = events.open_call(session, call_id)
        session.expunge(found)
    return render_template(
        "platform/ops_call.html", call=found, store=store_names({store_id}).get(store_id)
    )
