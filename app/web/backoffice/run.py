"""What a rider carries: each stop with its landmark, what to ask for, and one button."""

from __future__ import annotations

from uuid import UUID

from flask import g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from app.db.engine import db
from app.db.tenancy import PLATFORM_STORE, bound_store
from app.domain.delivery.models import Rider
from app.domain.errors import NotFound
from app.domain.orders import actions
from app.domain.orders.models import Order
from app.domain.orders.queries import (
    carried_by,
    find_rider_by_phone,
    get_order,
    get_rider,
    rider_loads,
)
from app.i18n import gettext as _
from app.phones import national
from app.vault import vault
from app.web.auth import require_staff
from app.web.backoffice.shell import actor, desk, may, toast, trouble
from app.web.late import is_late, late_answer

bp = desk("office_run", __name__, "/staff/<store>/run")


@bp.get("/")
@require_staff("run.see")
def show() -> ResponseReturnValue:
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
    )


@bp.post("/<uuid:order_id>/delivered")
@require_staff("orders.deliver")
def delivered(order_id: UUID) -> ResponseReturnValue:
    order = _stop(order_id)
    try:
        actions.mark_delivered(db.session(), order, actor=actor())
        db.session.commit()
        said = _("%(code)s is delivered.", code=order.code)
        if is_late():
            return late_answer(said)
        toast(said)
    except actions.OrderChanged as changed:
        db.session.rollback()
        if is_late():
            return late_answer(str(changed), status=409)
        trouble(str(changed))
    return redirect(url_for(".show"), code=303)


@bp.post("/<uuid:order_id>/call")
@require_staff("run.see")
def call(order_id: UUID) -> ResponseReturnValue:
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


def _uuid(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise NotFound from None
