"""Giving out deliveries: by area, by rider, by keyboard; and what a rider carries."""

from __future__ import annotations

from uuid import UUID

from flask import redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from app.db.engine import db
from app.domain.errors import FieldProblem, NotFound
from app.domain.orders import actions
from app.domain.orders.models import Order
from app.domain.orders.queries import (
    carried_by,
    get_order,
    get_rider,
    out_now,
    rider_loads,
    to_give_out,
)
from app.i18n import gettext as _
from app.i18n import ngettext
from app.web.auth import require_staff
from app.web.backoffice.shell import actor, desk, toast, trouble

bp = desk("office_dispatch", __name__, "/staff/<store>/dispatch")

MAX_PICKED = 200


@bp.get("/")
@require_staff("orders.dispatch")
def show() -> ResponseReturnValue:
    """Packed orders by area on the left, riders on the right."""
    session = db.session()
    view = "out" if request.args.get("view") == "out" else "give"
    groups = to_give_out(session)
    out = out_now(session)
    return render_template(
        "backoffice/dispatch.html",
        groups=groups,
        out=out,
        view=view,
        riders=rider_loads(session),
        count=sum(len(group.orders) for group in groups),
    )


@bp.post("/give")
@require_staff("orders.dispatch")
def give() -> ResponseReturnValue:
    """Assign every picked order to one rider, or to nobody."""
    session = db.session()
    picked = _picked()
    if not picked:
        trouble(_("Pick at least one order first."))
        return redirect(url_for(".show"), code=303)
    chosen = request.form.get("rider", "")
    if chosen == "none":
        given = _take_back(picked)
        session.commit()
        toast(
            ngettext("%(n)s order has no rider now.", "%(n)s orders have no rider now.", len(given))
        )
        return redirect(url_for(".show"), code=303)
    rider = get_rider(session, _uuid(chosen))
    given = actions.give_run_to_rider(session, picked, rider, actor=actor())
    session.commit()
    if given:
        toast(
            ngettext(
                "%(n)s order goes with %(rider)s.",
                "%(n)s orders go with %(rider)s.",
                len(given),
                rider=rider.name,
            ),
            undo=url_for(".give"),
            fields={"rider": "none", "orders": " ".join(str(order.id) for order in given)},
        )
    if len(given) < len(picked):
        trouble(_("Some of these had already left or were cancelled. The list is fresh now."))
    return redirect(url_for(".show"), code=303)


@bp.post("/leave/<uuid:rider_id>")
@require_staff("orders.dispatch")
def leave(rider_id: UUID) -> ResponseReturnValue:
    """The rider goes: everything assigned to them is on the way, and each customer is told."""
    session = db.session()
    rider = get_rider(session, rider_id)
    left = 0
    for order in sorted(carried_by(session, rider), key=lambda order: order.id):
        try:
            actions.give_to_rider(session, order, rider, actor=actor())
            left += 1
        except actions.OrderChanged:
            continue
    session.commit()
    toast(
        ngettext(
            "%(rider)s left with %(n)s order. The customer is told.",
            "%(rider)s left with %(n)s orders. The customers are told.",
            left,
            rider=rider.name,
        )
    )
    return redirect(url_for(".show"), code=303)


@bp.get("/sheet")
@require_staff("orders.dispatch")
def sheet() -> ResponseReturnValue:
    """The run sheet for paper: one list per rider, or of the one asked for."""
    loads = [load for load in rider_loads(db.session()) if load.assigned or load.out]
    wanted = request.args.get("rider", "")
    if wanted:
        loads = [load for load in loads if str(load.rider.id) == wanted]
    return render_template("backoffice/sheet.html", loads=loads, groups=to_give_out(db.session()))


@bp.post("/riders")
@require_staff("orders.dispatch")
def add_rider() -> ResponseReturnValue:
    """Add a rider by name."""
    name = " ".join(request.form.get("name", "").split())
    if not 1 <= len(name) <= 60:
        raise FieldProblem("name", _("Write the rider's name, in at most 60 characters."))
    actions.add_rider(db.session(), name=name, actor=actor())
    db.session.commit()
    toast(_("%(rider)s can take orders now.", rider=name))
    return redirect(url_for(".show"), code=303)


def _take_back(picked: list[Order]) -> list[Order]:
    given = []
    for order in sorted(picked, key=lambda order: order.id):
        try:
            actions.assign_rider(db.session(), order, None, actor=actor())
        except actions.OrderChanged:
            continue
        given.append(order)
    return given


def _picked() -> list[Order]:
    """The orders ticked in the form, or named in one field by an Undo."""
    typed = [*request.form.getlist("order"), *request.form.get("orders", "").split()]
    return [get_order(db.session(), _uuid(text)) for text in dict.fromkeys(typed[:MAX_PICKED])]


def _uuid(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise NotFound from None
