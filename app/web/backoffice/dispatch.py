"""Giving out deliveries: by area, by rider, by keyboard; and what a rider carries."""

from __future__ import annotations

from uuid import UUID

from flask import g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from app.clock import utcnow
from app.db.engine import db
from app.db.tenancy import PLATFORM_STORE, bound_store
from app.domain.delivery.models import Rider
from app.domain.errors import FieldProblem, NotFound
from app.domain.orders import actions
from app.domain.orders.models import Order
from app.domain.orders.queries import (
    carried_by,
    find_rider_by_phone,
    get_order,
    get_rider,
    out_now,
    rider_loads,
    to_give_out,
)
from app.i18n import gettext as _
from app.i18n import ngettext
from app.phones import national
from app.vault import vault
from app.web.auth import require_staff
from app.web.backoffice.shell import actor, desk, may, toast, trouble

bp = desk("office_dispatch", __name__, "/staff/<store>/dispatch")
run_bp = desk("office_run", __name__, "/staff/<store>/run")

MAX_PICKED = 200


@bp.get("/")
@require_staff("orders.dispatch")
def show(store: str) -> ResponseReturnValue:
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
        now=utcnow(),
    )


@bp.post("/give")
@require_staff("orders.dispatch")
def give(store: str) -> ResponseReturnValue:
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
def leave(store: str, rider_id: UUID) -> ResponseReturnValue:
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
def sheet(store: str) -> ResponseReturnValue:
    """The run sheet for paper: one list per rider, or of the one asked for."""
    loads = [load for load in rider_loads(db.session()) if load.assigned or load.out]
    wanted = request.args.get("rider", "")
    if wanted:
        loads = [load for load in loads if str(load.rider.id) == wanted]
    return render_template(
        "backoffice/sheet.html", loads=loads, groups=to_give_out(db.session()), now=utcnow()
    )


@bp.post("/riders")
@require_staff("orders.dispatch")
def add_rider(store: str) -> ResponseReturnValue:
    """Add a rider by name."""
    name = " ".join(request.form.get("name", "").split())
    if not 1 <= len(name) <= 60:
        raise FieldProblem("name", _("Write the rider's name, in at most 60 characters."))
    actions.add_rider(db.session(), name=name, actor=actor())
    db.session.commit()
    toast(_("%(rider)s can take orders now.", rider=name))
    return redirect(url_for(".show"), code=303)


@run_bp.get("/")
@require_staff("run.see")
def show_run(store: str) -> ResponseReturnValue:
    """What the rider who is signed in carries. Others choose whose run they look at."""
    session = db.session()
    rider = _my_rider()
    if rider is None and may("orders.dispatch") and request.args.get("rider"):
        rider = get_rider(session, _uuid(request.args["rider"]))
    return render_template(
        "backoffice/run.html",
        rider=rider,
        orders=carried_by(session, rider) if rider else [],
        riders=rider_loads(session) if may("orders.dispatch") else [],
        now=utcnow(),
    )


@run_bp.post("/<uuid:order_id>/delivered")
@require_staff("orders.deliver")
def delivered(store: str, order_id: UUID) -> ResponseReturnValue:
    order = _stop(order_id)
    try:
        actions.mark_delivered(db.session(), order, actor=actor())
        db.session.commit()
        toast(_("%(code)s is delivered.", code=order.code))
    except actions.OrderChanged as changed:
        db.session.rollback()
        trouble(str(changed))
    return redirect(url_for(".show_run"), code=303)


@run_bp.post("/<uuid:order_id>/call")
@require_staff("run.see")
def call(store: str, order_id: UUID) -> ResponseReturnValue:
    """Show the number of a customer whose order this rider carries now; written down."""
    order = _stop(order_id)
    phone = actions.reveal_phone(db.session(), order, actor=actor(), why="deliver")
    db.session.commit()
    response = render_template("backoffice/call.html", order=order, phone=phone, n=national(phone))
    return response, 200, {"Cache-Control": "no-store"}


def _stop(order_id: UUID) -> Order:
    """An order of the run: a rider sees only their own. Raises NotFound."""
    order = get_order(db.session(), order_id)
    rider = _my_rider()
    if not may("orders.dispatch") and (rider is None or order.rider_id != rider.id):
        raise NotFound
    return order


def _my_rider() -> Rider | None:
    """The rider who is the person signed in, by the phone number that both have."""
    sealed = g.person.phone_sealed
    if sealed is None:
        return None
    phone = vault().open(sealed, store_id=PLATFORM_STORE, column="people.phone")
    return find_rider_by_phone(db.session(), vault().lookup(phone, store_id=bound_store()))


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
