"""Customers: who they are by name and masked number, and two profiles that are one person."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from app.db.engine import db
from app.domain.audit.actions import record
from app.domain.changes.actions import latest_change
from app.domain.customers.consent import stop_for
from app.domain.customers.finding import (
    PAGE,
    find_by_words,
    likely_pairs,
    list_customers,
    merged_profiles,
    saved_of,
    waits_of_customer,
)
from app.domain.customers.merging import (
    KIND,
    NotTwoProfiles,
    keep_apart,
    merge_customers,
    stakes_of,
)
from app.domain.customers.models import Customer
from app.domain.customers.queries import get_customer
from app.domain.orders.queries import latest_orders_of
from app.i18n import gettext as _
from app.phones import national
from app.web.auth import require_staff
from app.web.backoffice.shell import actor, desk, may, toast, trouble

bp = desk("office_customers", __name__, "/dash/<store>/customers")

MOST_PAGES = 200
MOST_WORDS = 80


@bp.get("/")
@require_staff("customers.see")
def show() -> ResponseReturnValue:
    """Everybody who bought here, the newest first; ``offers=yes``: who agreed to offers."""
    typed = request.args.get("page", "")
    page = int(typed) if typed.isascii() and typed.isdigit() and len(typed) < 4 else 1
    agreed = request.args.get("offers") == "yes"
    return _list_page(page=max(1, min(page, MOST_PAGES)), agreed=agreed)


@bp.post("/find")
@require_staff("customers.see")
def find() -> ResponseReturnValue:
    """By number or name. A POST, because an address is no place for a phone number."""
    typed = " ".join(request.form.get("q", "").replace("\x00", "").split())[:MOST_WORDS]
    found = find_by_words(db.session(), typed)
    if found is not None:
        return redirect(url_for(".customer", customer_id=found.id), code=303)
    is_number = sum(c.isdigit() for c in typed) >= 6
    answer = make_response(_list_page(words=typed, is_number=is_number))
    answer.headers["Cache-Control"] = "private, no-store"
    return answer


@bp.get("/alike")
@require_staff("customers.merge")
def alike() -> ResponseReturnValue:
    """Profiles that may be one person, the surest first."""
    return render_template("backoffice/customers_alike.html", pairs=likely_pairs(db.session()))


@bp.get("/<uuid:customer_id>")
@require_staff("customers.see")
def customer(customer_id: UUID) -> ResponseReturnValue:
    """One customer: numbers, orders, what was merged. A merged one leads to the one that counts."""
    found = get_customer(db.session(), customer_id)
    if found.merged_into is not None:
        return redirect(url_for(".customer", customer_id=found.merged_into), code=303)
    return _customer_page(found)


@bp.post("/<uuid:customer_id>/phone")
@require_staff("phones.reveal")
def reveal(customer_id: UUID) -> ResponseReturnValue:
    """Show the whole number once, on the answer to this POST, and write down who looked."""
    session = db.session()
    found = get_customer(session, customer_id)
    record(
        session,
        "phone.revealed",
        actor=actor(),
        subject=f"customer:{found.id}",
        code=found.name or _("A customer"),
        customer=found.id,
        why="call the customer",
    )
    session.commit()
    answer = make_response(_customer_page(found, phone=found.phone))
    answer.headers["Cache-Control"] = "no-store"
    return answer


@bp.get("/<uuid:customer_id>/merge/<uuid:other_id>")
@require_staff("customers.merge")
def merge_form(customer_id: UUID, other_id: UUID) -> ResponseReturnValue:
    """Both profiles side by side, and what would move."""
    session = db.session()
    keep, other = get_customer(session, customer_id), get_customer(session, other_id)
    if keep.id == other.id or keep.merged_into or other.merged_into:
        trouble(str(NotTwoProfiles()))
        return redirect(url_for(".customer", customer_id=keep.id), code=303)
    return render_template(
        "backoffice/customers_merge.html",
        keep=stakes_of(session, keep),
        other=stakes_of(session, other),
    )


@bp.post("/<uuid:customer_id>/merge/<uuid:other_id>")
@require_staff("customers.merge")
def merge(customer_id: UUID, other_id: UUID) -> ResponseReturnValue:
    session = db.session()
    try:
        change = merge_customers(session, customer_id, other_id, actor=actor())
    except NotTwoProfiles as known:
        session.rollback()
        trouble(str(known))
        return redirect(url_for(".customer", customer_id=customer_id), code=303)
    session.commit()
    toast(
        _("They are one customer now."),
        undo=url_for("office_changes.undo", change_id=change.id),
        fields={"back": url_for(".customer", customer_id=customer_id)},
    )
    return redirect(url_for(".customer", customer_id=customer_id), code=303)


@bp.post("/<uuid:customer_id>/apart/<uuid:other_id>")
@require_staff("customers.merge")
def apart(customer_id: UUID, other_id: UUID) -> ResponseReturnValue:
    """Two people after all: not suggested again."""
    keep_apart(db.session(), customer_id, other_id, actor=actor())
    db.session.commit()
    toast(_("Kept as two customers. We do not ask again."))
    return redirect(url_for(".alike"), code=303)


@bp.post("/<uuid:customer_id>/offers/stop")
@require_staff("customers.see")
def stop_offers(customer_id: UUID) -> ResponseReturnValue:
    """The customer told somebody here to stop. A yes is theirs alone to give."""
    is_news = stop_for(db.session(), customer_id, actor=actor())
    db.session.commit()
    toast(_("Noted: no offers for this customer.") if is_news else _("They had stopped already."))
    return redirect(url_for(".customer", customer_id=customer_id), code=303)


def _list_page(
    *, page: int = 1, words: str = "", is_number: bool = False, agreed: bool = False
) -> str:
    session = db.session()
    lines = [] if is_number else list_customers(session, words=words, page=page, agreed=agreed)
    return render_template(
        "backoffice/customers.html",
        lines=lines[:PAGE],
        has_more=len(lines) > PAGE and not words,
        page=page,
        words=words,
        is_number=is_number,
        agreed=agreed,
    )


def _customer_page(found: Customer, *, phone: str | None = None) -> str:
    session = db.session()
    context: dict[str, Any] = {
        "customer": found,
        "stakes": stakes_of(session, found),
        "saved": saved_of(session, found),
        "orders": latest_orders_of(session, found.id, limit=30),
        "waits": waits_of_customer(session, found),
        "merged": merged_profiles(session, found),
        "last_merge": latest_change(session, KIND, subject=f"customer:{found.id}"),
        "pairs": likely_pairs(session, of=found.id) if may("customers.merge") else [],
        "phone": national(phone) if phone else None,
        "phone_e164": phone,
    }
    return render_template("backoffice/customer.html", **context)
