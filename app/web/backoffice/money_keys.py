"""Where the shop's money comes in and goes out: M-Pesa keys and payout numbers.

The owner alone, and only with a fresh second factor. A secret that was saved is never shown.
"""

from __future__ import annotations

from uuid import UUID

from flask import Response, current_app, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from app.db.engine import db
from app.domain.errors import FieldProblem
from app.domain.payments import keys
from app.domain.payments.keys import TypedKeys, current_keys, payout_numbers
from app.i18n import gettext as _
from app.web.auth import require_staff
from app.web.backoffice.shell import actor, desk, toast
from app.web.forms import field
from app.web.second_factor import needs_second_factor

bp = desk("office_money_keys", __name__, "/dash/<store>/money/keys")


@bp.get("/")
@require_staff("payouts.change")
def show() -> ResponseReturnValue:
    """What is set up, masked."""
    return _page()


@bp.get("/change")
@require_staff("payouts.change")
@needs_second_factor("money")
def form() -> ResponseReturnValue:
    """The form for new keys; secrets start empty."""
    return _form()


@bp.post("/change")
@require_staff("payouts.change")
@needs_second_factor("money", back="office_money_keys.form")
def change() -> ResponseReturnValue:
    """Save the keys, and tell every owner."""
    typed = TypedKeys(
        kind=field("kind", most=10),
        shortcode=field("shortcode", most=12).replace(" ", ""),
        till=field("till", most=12).replace(" ", ""),
        consumer_key=field("consumer_key"),
        consumer_secret=field("consumer_secret"),
        passkey=field("passkey"),
    )
    try:
        keys.change_keys(db.session(), typed, actor=actor())
    except FieldProblem as problem:
        db.session.rollback()
        return _form(typed, problem)
    db.session.commit()
    toast(_("Keys saved. Every owner was told."))
    return redirect(url_for(".show"), code=303)


@bp.post("/payouts")
@require_staff("payouts.change")
@needs_second_factor("money")
def add_payout() -> ResponseReturnValue:
    """Add a phone or till that the platform pays out to, and tell every owner."""
    try:
        keys.add_payout_number(
            db.session(),
            kind=field("kind", most=10),
            number=field("number", most=40),
            label=field("label", most=60),
            actor=actor(),
        )
    except FieldProblem as problem:
        db.session.rollback()
        return _page(problem, status=422)
    db.session.commit()
    toast(_("Payout number added. Every owner was told."))
    return redirect(url_for(".show"), code=303)


@bp.post("/payouts/<uuid:payout_id>/remove")
@require_staff("payouts.change")
@needs_second_factor("money")
def remove_payout(payout_id: UUID) -> ResponseReturnValue:
    """Pay out there no more."""
    keys.remove_payout_number(db.session(), payout_id, actor=actor())
    db.session.commit()
    toast(_("Payout number removed. Every owner was told."))
    return redirect(url_for(".show"), code=303)


def _page(problem: FieldProblem | None = None, *, status: int = 200) -> Response:
    settings = current_keys(db.session())
    shared_code = current_app.config["SETTINGS"].mpesa_test_shortcode
    page = render_template(
        "backoffice/money_keys.html",
        settings=settings,
        is_shared=settings is not None and settings.shortcode == shared_code,
        payouts=[(payout, keys.mask_payout(payout)) for payout in payout_numbers(db.session())],
        most_payouts=keys.MAX_PAYOUT_NUMBERS,
        problem=problem,
        typed=request.form,
    )
    return make_response(page, status)


def _form(typed: TypedKeys | None = None, problem: FieldProblem | None = None) -> Response:
    settings = current_keys(db.session())
    shared_code = current_app.config["SETTINGS"].mpesa_test_shortcode
    if settings is not None and settings.shortcode == shared_code:
        settings = None  # the platform's own test account is nothing to edit
    page = render_template(
        "backoffice/money_keys_form.html", settings=settings, typed=typed, problem=problem
    )
    return make_response(page, 422 if problem else 200)
