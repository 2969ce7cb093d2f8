"""A shopper's other M-Pesa numbers: added with a code, named, put first, removed for good."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any
from uuid import UUID

from flask import Blueprint, Response, current_app, g, make_response, redirect, render_template
from flask.typing import ResponseReturnValue
from itsdangerous import BadSignature, URLSafeTimedSerializer

from app.db.engine import db
from app.domain.customers import numbers
from app.domain.customers.actions import note_proven, renew_shopper_session
from app.domain.customers.queries import find_browser
from app.domain.errors import FieldProblem, NotFound
from app.domain.people.otp import check_code, request_code, tries_left
from app.i18n import current_locale
from app.i18n import gettext as _
from app.phones import InvalidPhone, masked, parse_msisdn
from app.web.forms import field
from app.web.limits import CODES, SIGN_INS, client_address, limiter
from app.web.shopper import (
    browser_secret,
    known_shopper,
    remember_browser,
    remember_shopper,
    shopper_token,
)
from app.web.storefront.me import PENDING_SECONDS, me_page
from app.web.tenancy import open_store

bp = Blueprint("numbers", __name__, url_prefix="/me/numbers")
bp.before_request(open_store)

View = Callable[..., ResponseReturnValue]


def for_known_shoppers(view: View) -> View:
    """Open a view to a browser whose shopper is known; anybody else proves a phone first."""

    @wraps(view)
    def guarded(*args: Any, **kwargs: Any) -> ResponseReturnValue:
        g.shopper = known_shopper()
        if g.shopper is None:
            return redirect("/me", code=303)
        return view(*args, **kwargs)

    return guarded


@bp.post("")
@limiter.limit(CODES)
@for_known_shoppers
def add() -> ResponseReturnValue:
    """Send a code to the number: only who holds that phone may pay with it here."""
    typed, label = field("phone", most=40), field("label", most=numbers.LABEL_LENGTH)
    try:
        phone = parse_msisdn(typed)
        numbers.check_room(db.session(), g.shopper, phone)
    except (InvalidPhone, FieldProblem) as problem:
        return make_response(me_page(wrong={"number": str(problem)}, typed=typed), 422)
    browser = browser_secret()
    request_code(
        db.session(),
        phone=phone,
        purpose=numbers.PURPOSE,
        browser=browser,
        language=current_locale(),
        address=client_address().partition("/")[0],
    )
    db.session.commit()
    return remember_browser(_code_page(phone, label), browser)


@bp.post("/verify")
@limiter.limit(SIGN_INS)
@for_known_shoppers
def verify() -> ResponseReturnValue:
    """The right code keeps the number, and lets this browser have it prompted."""
    pending = _pending()
    session = db.session()
    signed_in = find_browser(session, shopper_token())
    if pending is None or signed_in is None:
        return redirect("/me", code=303)
    phone, label = pending
    browser = browser_secret()
    code = "".join(field("code", most=20).split())
    if not check_code(session, phone=phone, purpose=numbers.PURPOSE, browser=browser, code=code):
        left = tries_left(session, phone=phone, purpose=numbers.PURPOSE, browser=browser)
        db.session.commit()
        wrong = (
            _("That is not the code. Look at the newest SMS and try again.")
            if left
            else _("That code no longer works. Ask for a new one.")
        )
        answer = _code_page(phone, label, wrong=wrong)
        answer.status_code = 422
        return answer
    try:
        numbers.save_number(session, g.shopper, phone=phone, label=label)
    except FieldProblem as problem:
        db.session.rollback()
        return make_response(me_page(wrong={"number": str(problem)}), 422)
    note_proven(session, signed_in, phone)
    token = renew_shopper_session(session, signed_in)
    db.session.commit()
    return remember_shopper(make_response(redirect("/me", code=303)), token)


@bp.post("/<uuid:number_id>/name")
@for_known_shoppers
def name(number_id: UUID) -> ResponseReturnValue:
    numbers.name_number(
        db.session(), g.shopper, number_id, field("label", most=numbers.LABEL_LENGTH)
    )
    db.session.commit()
    return redirect("/me", code=303)


@bp.post("/<uuid:number_id>/first")
@for_known_shoppers
def first(number_id: UUID) -> ResponseReturnValue:
    """Offer this number first at checkout."""
    numbers.make_default(db.session(), g.shopper, number_id)
    db.session.commit()
    return redirect("/me", code=303)


@bp.post("/<uuid:number_id>/remove")
@for_known_shoppers
def remove(number_id: UUID) -> ResponseReturnValue:
    """Erase the number. A second tap finds it gone, which is what was wanted."""
    try:
        numbers.remove_number(db.session(), g.shopper, number_id)
    except NotFound:
        db.session.rollback()
        return redirect("/me", code=303)
    db.session.commit()
    return redirect("/me", code=303)


def _code_page(phone: str, label: str, *, wrong: str | None = None) -> Response:
    return make_response(
        render_template(
            "storefront/me_code.html",
            masked_phone=masked(phone),
            pending=_signer().dumps([phone, label]),
            next_path="",
            wrong=wrong,
            action="/me/numbers/verify",
        )
    )


def _pending() -> tuple[str, str] | None:
    """The number and its name that the code was sent for, as this shopper's own page carried them."""
    try:
        phone, label = _signer().loads(field("pending", most=500), max_age=PENDING_SECONDS)
    except (BadSignature, ValueError):
        return None
    return str(phone), str(label)


def _signer() -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(str(current_app.secret_key), salt="pending-number")
