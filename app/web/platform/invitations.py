"""Joining a team: the page behind an invitation's link, and the code that proves the phone."""

from __future__ import annotations

import re

from flask import Blueprint, Response, abort, make_response, render_template, request
from flask.typing import ResponseReturnValue

from app.db.engine import db
from app.domain.errors import DomainError, FieldProblem, TooManyTries
from app.domain.people import limits
from app.domain.people.invitations import (
    AlreadyMember,
    ForAnotherPhone,
    Found,
    InvitationClosed,
    belongs_to,
    find_invitation,
    join,
)
from app.domain.people.otp import check_code, request_code, tries_left
from app.domain.people.roles import ROLE_SENTENCES, ROLE_WORDS
from app.domain.people.signing_in import find_person_by_phone
from app.i18n import current_locale
from app.web.auth import load_person, open_to
from app.web.backoffice.home import home_of
from app.web.platform.signing_in import (
    browser_secret,
    counted_address,
    platform_store,
    remember_browser,
    signed_in,
    wrong_code,
)
from app.web.tenancy import platform_only

bp = Blueprint("joining", __name__, url_prefix="/join")
bp.before_request(platform_only)

PURPOSE = "staff-join"
# (how many, in how many seconds): wrong codes from one address.
FAILED_PER_ADDRESS = (50, 3600)
_CODE = re.compile(r"[0-9]{6}")


@bp.get("/<regex32:token>")
@open_to("whoever holds the link")
def show(token: str) -> ResponseReturnValue:
    """Which store, as what, invited by whom; or why the link does not work."""
    found = _found(token)
    try:
        _check(found)
    except DomainError as problem:
        return _closed(found, problem)
    return _page("platform/invite.html", token, found)


@bp.post("/<regex32:token>/code")
@open_to("whoever holds the link")
def send_code(token: str) -> ResponseReturnValue:
    """Send a code to the invited phone, whoever asks."""
    found = _found(token)
    browser = browser_secret()
    try:
        _check(found)
        with platform_store():
            request_code(
                db.session(),
                phone=found.phone,
                purpose=PURPOSE,
                browser=browser,
                language=current_locale(),
                address=counted_address(),
            )
            db.session.commit()
    except TooManyTries as limit:
        return _wait(limit, "platform/invite.html", token, found)
    except DomainError as problem:
        return _closed(found, problem)
    return remember_browser(_code_page(token, found), browser)


@bp.post("/<regex32:token>/check")
@open_to("whoever holds the link")
def check(token: str) -> ResponseReturnValue:
    """With the right code: a member, signed in, at their desk."""
    found = _found(token)
    code = "".join(request.form.get("code", "").split())
    try:
        _check(found)
        is_newcomer = find_person_by_phone(found.phone) is None
        if is_newcomer and not (request.form.get("name", "").strip() or found.name):
            # Asked before the code is used up.
            raise FieldProblem("name", "")
        left = _use_code(found, code)
        if left is not None:
            return _code_page(token, found, 422, problem=wrong_code(code, left))
        joined = join(token, name=request.form.get("name", ""))
    except TooManyTries as limit:
        return _wait(limit, "platform/invite_code.html", token, found)
    except FieldProblem:
        return _code_page(token, found, 422, name_problem=True)
    except DomainError as problem:
        return _closed(found, problem)
    return signed_in(joined.person, "code", to=home_of(joined.role, joined.store_slug))


def _found(token: str) -> Found:
    found = find_invitation(token)
    if found is None:
        abort(404)
    return found


def _check(found: Found) -> None:
    """Raises InvitationClosed, ForAnotherPhone for somebody signed in whose phone it is not,
    AlreadyMember."""
    if found.closed:
        raise InvitationClosed(found.closed, store=found.store_name)
    person = load_person()
    if person is not None and not belongs_to(person, found):
        raise ForAnotherPhone


def _use_code(found: Found, code: str) -> int | None:
    """None when the code was right and is used up now, else how many tries are left."""
    browser = browser_secret()
    with platform_store():
        session = db.session()
        place = limits.address_group(counted_address())
        wait = counted_address() and limits.too_many(
            session, "join-code:address", place, *FAILED_PER_ADDRESS
        )
        if wait:
            raise TooManyTries(int(wait))
        is_right = _CODE.fullmatch(code) is not None and check_code(
            session, phone=found.phone, purpose=PURPOSE, browser=browser, code=code
        )
        if not is_right and counted_address():
            limits.note_try(session, "join-code:address", place)
        session.commit()
        if is_right:
            return None
        return tries_left(session, phone=found.phone, purpose=PURPOSE, browser=browser)


def _closed(found: Found, problem: DomainError) -> Response:
    """Why it does not work, and where to go instead."""
    status = 403 if isinstance(problem, ForAnotherPhone) else 410
    person = load_person()
    works_here = isinstance(problem, AlreadyMember) or (
        person is not None and found.used_by == person.id
    )
    page = render_template(
        "platform/invite_closed.html",
        found=found,
        problem=str(problem),
        person=person,
        works_here=works_here,
    )
    return _private(make_response(page, status))


def _code_page(
    token: str, found: Found, status: int = 200, problem: str = "", name_problem: bool = False
) -> Response:
    is_newcomer = find_person_by_phone(found.phone) is None
    return _page(
        "platform/invite_code.html",
        token,
        found,
        status,
        problem=problem,
        name_problem=name_problem,
        is_newcomer=is_newcomer,
    )


def _page(
    template: str, token: str, found: Found, status: int = 200, **context: object
) -> Response:
    values = {"problem": "", "name_problem": False, "is_newcomer": False} | context
    page = render_template(
        template,
        token=token,
        found=found,
        role=ROLE_WORDS[found.role],
        role_sentence=ROLE_SENTENCES[found.role],
        typed_name=request.form.get("name", found.name)[:120],
        **values,
    )
    return _private(make_response(page, status))


def _wait(limit: TooManyTries, template: str, token: str, found: Found) -> Response:
    response = _page(template, token, found, 429, problem=str(limit))
    response.headers["Retry-After"] = str(limit.retry_after_seconds)
    return response


def _private(response: Response) -> Response:
    """The address is a secret: no cache keeps the page."""
    response.headers["Cache-Control"] = "private, no-store"
    return response
