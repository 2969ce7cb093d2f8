"""The orders board, one order, and everything staff do with it."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any
from uuid import UUID

from flask import g, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from app.addresses import order_link
from app.db.engine import db
from app.domain.errors import FieldProblem, NotFound
from app.domain.messaging.invoices import Paper
from app.domain.orders import actions, story
from app.domain.orders.events import words
from app.domain.orders.models import Order
from app.domain.orders.queries import (
    areas_on_board,
    board,
    find_by_code,
    get_order,
    get_rider,
    orders_of,
    rider_loads,
    timeline,
)
from app.domain.orders.units import numbered_lines
from app.domain.payments.states import OPEN
from app.domain.stores.hosts import find_host
from app.i18n import gettext as _
from app.ids import new_id
from app.jobs import Topic, ask_for
from app.phones import masked, national
from app.web.auth import require_staff
from app.web.backoffice.shell import actor, back_or, badges, desk, may, toast, trouble
from app.web.backoffice.words import TAB_WORDS
from app.web.htmx import fragment, wants_fragment
from app.web.late import is_late, late_answer

bp = desk("office_orders", __name__, "/staff/<store>/orders")

POLL_SECONDS = 4
MAX_VERSION = 2**31 - 1
UNIT = "unit-"  # and the number of a line: the field for its units' numbers
MOST_TYPED = 60


@bp.get("/")
@require_staff("orders.see")
def show() -> ResponseReturnValue:
    """The board; with ``q`` straight to the order of that code."""
    typed = request.args.get("q", "").strip()
    if typed:
        found = find_by_code(db.session(), typed)
        if found is not None:
            return redirect(url_for(".order", order_id=found.id), code=303)
    return render_template("backoffice/orders.html", typed=typed, **_board_context())


@bp.get("/board")
@require_staff("orders.see")
def board_part() -> ResponseReturnValue:
    """The board alone, asked for every few seconds; 304 while it says what the browser shows."""
    context = _board_context()
    etag = context["seen"]
    response = make_response()
    if etag == request.args.get("seen") or etag in request.if_none_match:
        response.status_code = 304
    else:
        response = make_response(render_template("backoffice/_board.html", **context))
    response.set_etag(etag)
    response.headers["Cache-Control"] = "private, no-store"
    return response


@bp.get("/<uuid:order_id>")
@require_staff("orders.see")
def order(order_id: UUID) -> ResponseReturnValue:
    """One order: what to pack, where it goes, its money, what happened."""
    return render_template("backoffice/order.html", **_order_context(order_id))


@bp.get("/<uuid:order_id>/slip")
@require_staff("orders.see")
def slip(order_id: UUID) -> ResponseReturnValue:
    """The packing slip, for paper."""
    session = db.session()
    order = get_order(session, order_id)
    return render_template(
        "backoffice/slip.html", order=order, numbered=numbered_lines(session, order)
    )


@bp.get("/<uuid:order_id>/invoice")
@require_staff("orders.see")
def invoice(order_id: UUID) -> ResponseReturnValue:
    """The invoice, for paper: what the customer can have by e-mail once it is paid."""
    order = get_order(db.session(), order_id)
    return render_template("backoffice/invoice.html", paper=Paper(g.store, order), order=order)


@bp.post("/<uuid:order_id>/pack")
@require_staff("orders.pack")
def pack(order_id: UUID) -> ResponseReturnValue:
    """In the bag, with the number of each unit that has one."""

    def do(order: Order) -> str:
        actions.mark_packed(
            db.session(), order, actor=actor(), version=_version(), numbers=_numbers()
        )
        return _("%(code)s is packed. %(name)s is told.", code=order.code, name=_name(order))

    return _act(order_id, do)


@bp.post("/<uuid:order_id>/units")
@require_staff("orders.pack")
def units(order_id: UUID) -> ResponseReturnValue:
    """Put right which numbered units went into the bag."""

    def do(order: Order) -> str:
        actions.correct_units(db.session(), order, _numbers(), actor=actor(), version=_version())
        return _("The numbers of %(code)s are put right.", code=order.code)

    return _act(order_id, do)


@bp.post("/<uuid:order_id>/give")
@require_staff("orders.dispatch")
def give(order_id: UUID) -> ResponseReturnValue:
    """It leaves now, with the rider named in the form, the one assigned, or an outside one."""

    def do(order: Order) -> str:
        rider_id = _rider_id()
        if rider_id is not None:
            rider = get_rider(db.session(), rider_id)
            actions.give_to_rider(db.session(), order, rider, actor=actor(), version=_version())
            who = rider.name
        else:
            actions.mark_dispatched(db.session(), order, actor=actor(), version=_version())
            who = order.rider.name if order.rider else _("a rider from outside")
        return _("%(code)s left with %(rider)s.", code=order.code, rider=who)

    return _act(order_id, do)


@bp.post("/<uuid:order_id>/assign")
@require_staff("orders.dispatch")
def assign(order_id: UUID) -> ResponseReturnValue:
    """Say who will carry it; without a rider in the form, that nobody does yet."""
    order = get_order(db.session(), order_id)
    before = order.rider_id
    rider_id = _rider_id()
    rider = get_rider(db.session(), rider_id) if rider_id else None

    def do(order: Order) -> str:
        actions.assign_rider(db.session(), order, rider, actor=actor(), version=_version())
        if rider is None:
            return _("%(code)s has no rider now.", code=order.code)
        return _("%(rider)s will carry %(code)s.", rider=rider.name, code=order.code)

    return _act(
        order_id,
        do,
        undo=url_for(".assign", order_id=order_id),
        undo_fields={"rider": str(before or "")},
    )


@bp.post("/<uuid:order_id>/deliver")
@require_staff("orders.deliver")
def deliver(order_id: UUID) -> ResponseReturnValue:
    def do(order: Order) -> str:
        actions.mark_delivered(db.session(), order, actor=actor(), version=_version())
        return _("%(code)s is delivered. %(name)s is told.", code=order.code, name=_name(order))

    return _act(order_id, do)


@bp.post("/<uuid:order_id>/collect")
@require_staff("orders.pack")
def collect(order_id: UUID) -> ResponseReturnValue:
    def do(order: Order) -> str:
        actions.mark_collected(db.session(), order, actor=actor(), version=_version())
        return _("%(code)s was handed over.", code=order.code)

    return _act(order_id, do)


@bp.post("/<uuid:order_id>/cancel")
@require_staff("orders.cancel")
def cancel(order_id: UUID) -> ResponseReturnValue:
    def do(order: Order) -> str:
        reason = request.form.get("reason", "")
        actions.cancel_order(db.session(), order, reason=reason, actor=actor(), version=_version())
        return _("%(code)s is cancelled. %(name)s is told.", code=order.code, name=_name(order))

    return _act(order_id, do)


@bp.post("/<uuid:order_id>/note")
@require_staff("orders.see")
def add_note(order_id: UUID) -> ResponseReturnValue:
    def do(order: Order) -> str:
        actions.add_note(db.session(), order, text=request.form.get("text", ""), actor=actor())
        return _("Your note is on %(code)s. Only staff see it.", code=order.code)

    return _act(order_id, do)


@bp.post("/<uuid:order_id>/phone")
@require_staff("phones.reveal")
def reveal(order_id: UUID) -> ResponseReturnValue:
    """Show the whole number once, on the answer to this POST, and write down who looked."""
    order = get_order(db.session(), order_id)
    phone = actions.reveal_phone(db.session(), order, actor=actor(), why="call about the order")
    db.session.commit()
    response = make_response(
        render_template("backoffice/order.html", **_order_context(order_id, phone=phone))
    )
    response.headers["Cache-Control"] = "no-store"
    return response


@bp.post("/<uuid:order_id>/check-payment")
@require_staff("money.check")
def check_payment(order_id: UUID) -> ResponseReturnValue:
    """Ask M-Pesa again how the newest request stands; the answer comes by itself."""
    order = get_order(db.session(), order_id)
    attempts = story.money_story(db.session(), order).attempts
    if not attempts:
        trouble(_("There is no request to ask about."))
        return redirect(url_for(".order", order_id=order_id), code=303)
    attempt = attempts[-1].attempt
    ask_for(
        db.session(),
        Topic.CHECK_ATTEMPT,
        key=f"staff:{attempt.id}:{new_id()}",
        attempt_id=str(attempt.id),
    )
    actions.note_check(db.session(), order, actor=actor())
    db.session.commit()
    toast(_("We are asking M-Pesa. This page shows the answer when it comes."))
    return redirect(url_for(".order", order_id=order_id), code=303)


def _act(
    order_id: UUID,
    do: Callable[[Order], str],
    *,
    undo: str | None = None,
    undo_fields: dict[str, str] | None = None,
) -> ResponseReturnValue:
    """Do one thing to one order, say it, and show where the person was.

    Whoever comes second is told what the first did, on a page that is up to date.
    """
    order = get_order(db.session(), order_id)
    status = 200
    try:
        said = do(order)
        db.session.commit()
        if is_late():
            return late_answer(said)
        toast(said, undo=undo, fields=undo_fields)
    except actions.OrderChanged as changed:
        db.session.rollback()
        if is_late():
            return late_answer(str(changed), status=409)
        trouble(str(changed))
        status = 409
    except FieldProblem as problem:
        db.session.rollback()
        if is_late():
            return late_answer(str(problem), status=409)
        if not problem.field.startswith(UNIT):
            raise
        if request.form.get("on") != "board":
            page = _order_context(order_id, wrong={problem.field: str(problem)})
            return render_template("backoffice/order.html", **page), 422
        trouble(str(problem))
        status = 422
    if wants_fragment() and request.form.get("on") == "board":
        # The toast and the badges travel with the board, out of band.
        return fragment("backoffice/_board_answer.html", status=status, **_board_context())
    return redirect(back_or(".order", order_id=order_id), code=303)


def _board_context() -> dict[str, Any]:
    session = db.session()
    area = request.values.get("area") or None
    wanted = request.values.get("tab", "to_pack")
    tab = wanted if wanted in TAB_WORDS else "to_pack"
    shown = board(session, area)
    return {
        "board": shown,
        "seen": f"{shown.etag}-{tab}-{g.role}",
        "area": area,
        "areas": areas_on_board(session),
        "tab": tab,
        "riders": rider_loads(session) if may("orders.dispatch") else [],
        "badges": badges(session),
        "poll_seconds": POLL_SECONDS,
    }


def _order_context(
    order_id: UUID, phone: str | None = None, wrong: dict[str, str] | None = None
) -> dict[str, Any]:
    session = db.session()
    order = get_order(session, order_id)
    money = story.money_story(session, order)
    return {
        "order": order,
        "money": money,
        "messages": story.messages_of(session, order),
        "events": timeline(session, order),
        "event_words": words,
        "order_number": orders_of(session, order.customer_id),
        "masked_phone": masked(order.customer.phone),
        "phone": national(phone) if phone else None,
        "phone_e164": phone,
        "riders": rider_loads(session) if may("orders.dispatch") else [],
        "has_open_attempt": any(s.attempt.status in OPEN for s in money.attempts),
        "shopper_link": _shopper_link(order),
        "numbered": numbered_lines(session, order),
        "typed": _numbers(),
        "wrong": wrong or {},
    }


def _shopper_link(order: Order) -> str:
    """The shopper's own page of the order."""
    host = find_host(db.session())
    return order_link(host, order.token) if host else ""


def _name(order: Order) -> str:
    return order.customer_name or _("The customer")


def _version() -> int | None:
    """The version the person saw, from the form; None when it says none."""
    typed = request.form.get("version", "")
    if not (typed.isascii() and typed.isdigit() and len(typed) <= 10):
        return None
    return min(int(typed), MAX_VERSION)


def _numbers() -> dict[int, list[str]]:
    """What was scanned or typed for the units of each line, by the line's number."""
    return {
        int(name.removeprefix(UNIT)): [typed[:MOST_TYPED] for typed in typed_all]
        for name, typed_all in request.form.lists()
        if re.fullmatch(UNIT + "[0-9]{1,4}", name)
    }


def _rider_id() -> UUID | None:
    typed = request.form.get("rider", "").strip()
    if not typed:
        return None
    try:
        return UUID(typed)
    except ValueError:
        raise NotFound from None
