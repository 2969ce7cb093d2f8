"""Signing in by a link in an e-mail: asking for it, and the page it opens."""

from __future__ import annotations

import re

from flask import Blueprint, Response, make_response, render_template, request
from flask.typing import ResponseReturnValue

from app.db.engine import db
from app.domain.errors import TooManyTries
from app.domain.people.email_links import ask_for_link, person_with_link, use_link
from app.i18n import current_locale
from app.i18n import gettext as _
from app.web.auth import open_to
from app.web.platform.signing_in import counted_address, platform_store, safe_next, signed_in
from app.web.tenancy import platform_only

bp = Blueprint("email_links", __name__, url_prefix="/sign-in/link")
bp.before_request(platform_only)

_EMAIL = re.compile(r"[^@\s]{1,64}@[^@\s]+\.[^@\s]+")


@bp.get("")
@open_to("anybody")
def show() -> ResponseReturnValue:
    """Which address to send it to."""
    return _page("platform/sign_in_link.html")


@bp.post("")
@open_to("anybody")
def send() -> ResponseReturnValue:
    """Send a link, if the address is somebody's. The answer is the same if it is not."""
    email = request.form.get("email", "").strip()[:200]
    if not _EMAIL.fullmatch(email):
        problem = _("That does not look like an e-mail address.")
        return _page("platform/sign_in_link.html", 422, typed=email, problem=problem)
    try:
        with platform_store():
            ask_for_link(
                db.session(),
                email=email,
                next_path=safe_next(),
                language=current_locale(),
                address=counted_address(),
            )
            db.session.commit()
    except TooManyTries as limit:
        response = _page("platform/sign_in_link.html", 429, typed=email, problem=str(limit))
        response.headers["Retry-After"] = str(limit.retry_after_seconds)
        return response
    return _page("platform/sign_in_link_sent.html", typed=email)


@bp.get("/<regex32:token>")
@open_to("whoever holds the link")
def arrive(token: str) -> ResponseReturnValue:
    """Who would sign in; the button does it, because mail programs open links by themselves."""
    person = person_with_link(token)
    if person is None:
        return _page("platform/sign_in_link_over.html", 410)
    return _page("platform/sign_in_link_use.html", person=person, token=token)


@bp.post("/<regex32:token>")
@open_to("whoever holds the link")
def use(token: str) -> ResponseReturnValue:
    """Sign in, once."""
    used = use_link(token)
    if used is None:
        return _page("platform/sign_in_link_over.html", 410)
    person, wanted = used
    return signed_in(person, "email_link", to=wanted)


def _page(template: str, status: int = 200, **context: object) -> Response:
    values = {"next": safe_next(), "problem": "", "typed": ""} | context
    response = make_response(render_template(template, **values), status)
    response.headers["Cache-Control"] = "private, no-store"
    return response
