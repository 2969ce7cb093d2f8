"""Jobs that died or keep failing, over all stores, with another go by a button."""

from __future__ import annotations

from contextlib import suppress
from uuid import UUID

from flask import redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from app.db.engine import platform_session
from app.db.tenancy import PLATFORM_STORE
from app.domain.audit.actions import record
from app.domain.errors import NotFound
from app.domain.platform.jobs import MOST_AT_ONCE, MOST_SHOWN, job_totals, run_again, stuck_jobs
from app.i18n import gettext as _
from app.i18n import ngettext
from app.jobs import Topic
from app.web.platform.ops_shell import (
    actor,
    for_platform_people,
    ops_desk,
    store_asked_for,
    store_names,
    toast,
    working_in,
    write_down,
)

bp = ops_desk("ops_jobs", __name__, "/ops/jobs")


@bp.get("/", strict_slashes=False)
@for_platform_people
def show() -> ResponseReturnValue:
    """What is stuck, dead first, by topic and by store."""
    topic = _topic(request.args.get("topic", ""))
    typed, store_id = store_asked_for()
    with platform_session() as session:
        totals = job_totals(session)
        stuck = stuck_jobs(session, topic=topic, store_id=store_id)
    return render_template(
        "platform/ops_jobs.html",
        totals=totals,
        stuck=stuck,
        stores=store_names({job.store_id for job in stuck}),
        topic=topic,
        topics=list(Topic),
        typed=typed,
        is_cut=len(stuck) == MOST_SHOWN,
        platform_store=PLATFORM_STORE,
    )


@bp.post("/<int:store_id>/<uuid:job_id>/again")
@for_platform_people
def again(store_id: int, job_id: UUID) -> ResponseReturnValue:
    """Give one job another go. Pressing twice is pressing once."""
    topic = _run_again(store_id, [job_id])
    if topic:
        write_down("job.rerun", subject=f"store:{store_id}", job_id=job_id)
        toast(_("It runs again now."))
    else:
        toast(_("Nothing to do: it waits already, runs now, or is done."), is_trouble=True)
    return redirect(url_for(".show", topic=request.form.get("topic") or None), code=303)


@bp.post("/again")
@for_platform_people
def all_again() -> ResponseReturnValue:
    """Give every dead job of one topic another go, store by store."""
    topic = _topic(request.form.get("topic", ""))
    if topic is None:
        raise NotFound
    with platform_session() as session:
        stuck = stuck_jobs(session, topic=topic, most=MOST_AT_ONCE)
    by_store: dict[int, list[UUID]] = {}
    for job in stuck:
        if job.status == "dead":
            by_store.setdefault(job.store_id, []).append(job.id)
    count = sum(_run_again(store_id, ids) for store_id, ids in by_store.items())
    if count:
        write_down("job.rerun_all", subject=f"topic:{topic.value}", count=count)
        toast(ngettext("%(n)s job runs again now.", "%(n)s jobs run again now.", count))
    else:
        toast(_("Nothing of that kind is dead."), is_trouble=True)
    return redirect(url_for(".show"), code=303)


def _run_again(store_id: int, ids: list[UUID]) -> int:
    """How many of a store's jobs got another go; written in that store's trail."""
    with working_in(store_id) as session:
        topics = [topic for topic in (run_again(session, one) for one in ids) if topic]
        if topics:
            record(
                session,
                "job.rerun",
                actor=actor(),
                subject=f"store:{store_id}",
                topic=topics[0],
                count=len(topics),
            )
        session.commit()
    return len(topics)


def _topic(name: str) -> Topic | None:
    with suppress(ValueError):
        return Topic(name)
    return None
