"""Kept posted: notifications about an order or a thing to come back, and the invoice by e-mail."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, redirect, render_template
from flask.typing import ResponseReturnValue

from app.db.engine import db
from app.domain.errors import DomainError
from app.domain.messaging.letters import invoices_of, send_invoice, shown_address
from app.domain.messaging.push import follow
from app.domain.orders.models import Order
from app.domain.orders.queries import get_order_by_token
from app.i18n import current_locale
from app.web.errors import status_of
from app.web.forms import field
from app.web.htmx import fragment, wants_fragment
from app.web.limits import CHECKOUTS, limiter
from app.web.notifying import browser_address, push_key
from app.web.tenancy import open_store

bp = Blueprint("posted", __name__)
bp.before_request(open_store)


bp.add_app_template_global(push_key)


@bp.app_template_global("letters_about")
def letters_about(order: Order) -> list[tuple[str, str]]:
    """The addresses an invoice was sent to, and how each letter ended: sent, failed or on its way."""
    return [
        (
            shown_address(letter),
            letter.status if letter.status in ("sent", "delivered", "failed") else "queued",
        )
        for letter in invoices_of(db.session(), order)
    ]


@bp.post("/o/<regex32:token>/notify")
@limiter.limit(CHECKOUTS)
def notify(token: str) -> ResponseReturnValue:
    """This browser wants to hear about this order."""
    session = db.session()
    order = get_order_by_token(session, token)
    problem = ""
    try:
        follow(session, browser_address(), language=current_locale(), order_id=order.id)
        session.commit()
    except DomainError as error:
        session.rollback()
        problem = str(error)
    return _answer(token, is_told=not problem, problem=problem, status=422 if problem else 200)


@bp.post("/o/<regex32:token>/invoice")
@limiter.limit(CHECKOUTS)
def invoice(token: str) -> ResponseReturnValue:
    """The invoice of a paid order, to the address that is typed here."""
    session = db.session()
    order = get_order_by_token(session, token)
    typed = field("email", most=260)
    try:
        send_invoice(session, order, typed, language=current_locale())
        session.commit()
    except DomainError as error:
        session.rollback()
        return _answer(token, wrong=str(error), typed=typed, status=status_of(error))
    return _answer(token)


def _answer(token: str, *, status: int = 200, **facts: Any) -> ResponseReturnValue:
    """The part of the order page about it, for htmx; without, the page again or what was wrong."""
    order = get_order_by_token(db.session(), token)
    if wants_fragment():
        return fragment(
            "storefront/_keep_posted.html", status=status, order=order, token=token, **facts
        )
    if status == 200:
        return redirect(f"/o/{token}#posted", code=303)
    page = render_template("storefront/posted.html", order=order, token=token, **facts)
    return page, status
