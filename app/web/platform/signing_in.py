"""Signing in and out, and choosing the store to work in.

Tries are counted in Postgres by the domain, per phone, account and address, so these pages
need no other limit and tell the truth about when to try again.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import ip_address

from flask import (
    Blueprint,
    Response,
    current_app,
    make_response,
    redirect,
    render_template,
    request,
    url_for,
)
from flask.typing import ResponseReturnValue

from app.db.engine import db
from app.db.tenancy import PLATFORM_STORE, inside_store
from app.domain.audit.actions import record
from app.domain.errors import TooManyTries
from app.domain.people.limits import address_group, neighbourhood, take_turn
from app.domain.people.models import Person
from app.domain.people.otp import tries_left
from app.domain.people.passkeys import (
    PasskeyRefused,
    Purpose,
    assertion_options,
    person_with_passkey,
)
from app.domain.people.roles import ROLE_WORDS
from app.domain.people.second_factor import Way, note_proof
from app.domain.people.sessions import StoreChoice, end_session, start_session, stores_of
from app.domain.people.signing_in import (
    PURPOSE,
    ask_for_code,
    person_with_code,
    person_with_password,
)
from app.i18n import current_locale
from app.i18n import gettext as _
from app.ids import new_token
from app.phones import InvalidPhone, masked, national, parse_msisdn
from app.web.auth import forget_staff, load_person, remember_staff, staff_token
from app.web.backoffice.home import home_of
from app.web.limits import client_address
from app.web.tenancy import platform_only

bp = Blueprint("signing_in", __name__)
bp.before_request(platform_only)

BROWSER_COOKIE = "__Host-sign-in"
BROWSER_SECONDS = 1800
PASSKEYS_PER_ADDRESS = (120, 3600)  # challenges; an office behind one address signs in each morning
# What a browser says of itself, the narrower name first: Edge and Opera also say Chrome.
_BROWSERS = (
    ("Edg", "Edge"),
    ("OPR", "Opera"),
    ("SamsungBrowser", "Samsung Internet"),
    ("Firefox", "Firefox"),
    ("Chrome", "Chrome"),
    ("Safari", "Safari"),
)
_SYSTEMS = (
    ("Android", "Android"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Windows", "Windows"),
    ("Macintosh", "Mac"),
    ("Linux", "Linux"),
)
_TOKEN = re.compile(r"[0-9a-f]{32}")
_CODE = re.compile(r"[0-9]{6}")
# Only these addresses may be returned to: a link to /sign-in must not lead elsewhere.
_OURS = re.compile(r"/(?:dash|staff)/[a-z0-9-]{2,40}/[A-Za-z0-9/_.?=&%-]*|/me/[a-z/-]+")


@bp.get("/sign-in")
def show() -> ResponseReturnValue:
    """Phone first; e-mail and password behind a link."""
    if load_person() is not None:
        return redirect(url_for(".stores", next=safe_next()), code=303)
    way = "password" if request.args.get("way") == "password" else "phone"
    return _page("platform/sign_in.html", way=way)


@bp.post("/sign-in/code")
def send_code() -> ResponseReturnValue:
    """Send a code, if the number is somebody's. The answer is the same if it is not."""
    typed = request.form.get("phone", "")
    try:
        phone = parse_msisdn(typed)
    except InvalidPhone as problem:
        return _page("platform/sign_in.html", 422, way="phone", typed=typed, problem=str(problem))
    browser = browser_secret()
    try:
        with platform_store():
            ask_for_code(
                db.session(),
                phone=phone,
                browser=browser,
                language=current_locale(),
                address=counted_address(),
            )
            db.session.commit()
    except TooManyTries as limit:
        return _wait(limit, "platform/sign_in.html", way="phone", typed=typed)
    return remember_browser(_code_page(phone), browser)


@bp.post("/sign-in/check")
def check() -> ResponseReturnValue:
    """Sign in with the code."""
    try:
        phone = parse_msisdn(request.form.get("phone", ""))
    except InvalidPhone:
        return redirect(url_for(".show", next=safe_next()), code=303)
    code = "".join(request.form.get("code", "").split())
    browser = browser_secret()
    person, left = None, 0
    try:
        with platform_store():
            if _CODE.fullmatch(code):
                person = person_with_code(
                    db.session(), phone=phone, browser=browser, code=code, address=_address()
                )
                # A wrong try is counted even though nobody signs in.
                db.session.commit()
            left = tries_left(db.session(), phone=phone, purpose=PURPOSE, browser=browser)
    except TooManyTries as limit:
        return _wait(limit, "platform/sign_in_code.html", phone=phone, masked_phone=masked(phone))
    if person is None:
        return _code_page(phone, 422, problem=wrong_code(code, left))
    return signed_in(person, "code")


@bp.post("/sign-in/password")
def with_password() -> ResponseReturnValue:
    """Sign in with e-mail and password."""
    email = request.form.get("email", "").strip()[:200]
    try:
        with platform_store():
            person = person_with_password(
                db.session(),
                email=email,
                password=request.form.get("password", ""),
                address=counted_address(),
            )
            db.session.commit()
    except TooManyTries as limit:
        return _wait(limit, "platform/sign_in.html", way="password", typed=email)
    if person is None:
        problem = _("That e-mail and password do not belong together. Try again, or use the phone.")
        return _page("platform/sign_in.html", 422, way="password", typed=email, problem=problem)
    return signed_in(person, "password")


@bp.post("/sign-in/passkey/options")
def passkey_options() -> ResponseReturnValue:
    """A challenge for this browser, naming nobody, as JSON."""
    browser = browser_secret()
    with platform_store():
        if counted_address():
            place = address_group(counted_address())
            take_turn(db.session(), "passkey:address", place, PASSKEYS_PER_ADDRESS)
            db.session.commit()
    answer = make_response(assertion_options(Purpose.SIGN_IN, browser=browser))
    answer.mimetype = "application/json"
    return remember_browser(answer, browser)


@bp.post("/sign-in/passkey")
def with_passkey() -> ResponseReturnValue:
    """Sign in with a fingerprint or face."""
    try:
        person = person_with_passkey(
            request.form.get("credential", ""), purpose=Purpose.SIGN_IN, browser=browser_secret()
        )
    except PasskeyRefused as refused:
        return _page("platform/sign_in.html", 422, way="phone", problem=str(refused))
    return signed_in(person, "passkey")


@bp.get("/stores")
def stores() -> ResponseReturnValue:
    """Straight on to the only store, or a choice of several; first to a shop half opened."""
    from app.web.platform.sign_up import unfinished_opening

    person = load_person()
    if person is None:
        return redirect(url_for(".show", next=safe_next()), code=303)
    choices = stores_of(person.id)
    wanted = safe_next()
    is_about_me = wanted.startswith("/me/")
    if wanted and (is_about_me or any(wanted.split("/")[2] == one.slug for one in choices)):
        return redirect(wanted, code=303)
    if len(choices) < 2 and (way_on := unfinished_opening(person.id)):
        return redirect(way_on, code=303)
    if person.is_platform_admin and not choices:
        return redirect(url_for("ops_home.show"), code=303)
    if len(choices) == 1:
        return redirect(_home(choices[0]), code=303)
    return _page(
        "platform/stores.html",
        person=person,
        choices=[(choice, _home(choice)) for choice in choices],
        role_words=ROLE_WORDS,
    )


@bp.post("/sign-out")
def sign_out() -> ResponseReturnValue:
    """End this browser's session, here and in the database."""
    if staff_token():
        end_session(staff_token())
    response = make_response(redirect(url_for(".show"), code=303))
    response.headers["Clear-Site-Data"] = '"storage"'  # lists and taps that this phone kept
    return forget_staff(response)


def signed_in(person: Person, way: str, *, to: str = "") -> Response:
    """A fresh session whose token the browser never held before, and on to work, or to ``to``."""
    if staff_token():
        end_session(staff_token())
    token = start_session(person.id, device_words(), place=place_words())
    if way in set(Way):
        note_proof(token, Way(way))  # good for five minutes, as any other proof
    with platform_store():
        record(
            db.session(),
            "person.signed_in",
            actor=person.name,
            subject=f"person:{person.id}",
            way=way,
        )
        db.session.commit()
    response = make_response(
        redirect(to or url_for("signing_in.stores", next=safe_next()), code=303)
    )
    response.delete_cookie(BROWSER_COOKIE, path="/", secure=True, httponly=True, samesite="Lax")
    return remember_staff(response, token)


@contextmanager
def platform_store() -> Iterator[None]:
    """Codes, counters and the audit of sign-ins belong to store 0; nothing open outlives this."""
    with inside_store(PLATFORM_STORE):
        try:
            yield
        finally:
            db.session.remove()


def _code_page(phone: str, status: int = 200, problem: str = "") -> Response:
    return _page(
        "platform/sign_in_code.html",
        status,
        phone=phone,
        national_phone=national(phone),
        masked_phone=masked(phone),
        problem=problem,
    )


def _page(template: str, status: int = 200, **context: object) -> Response:
    values = {"next": safe_next(), "problem": "", "typed": ""} | context
    return make_response(render_template(template, **values), status)


def _wait(limit: TooManyTries, template: str, **context: object) -> Response:
    response = _page(template, 429, problem=str(limit), **context)
    response.headers["Retry-After"] = str(limit.retry_after_seconds)
    return response


def wrong_code(code: str, left: int) -> str:
    if not _CODE.fullmatch(code):
        return _("A code has 6 digits. Look at the newest message.")
    if left:
        return _("That is not the code. Look at the newest message and try again.")
    return _("That code does not work any more. Ask for a new one.")


def safe_next() -> str:
    """Where the person wanted to go, if it is one of our desks; else nothing."""
    wanted = request.values.get("next", "")
    return wanted if len(wanted) < 300 and _OURS.fullmatch(wanted) and ".." not in wanted else ""


def _home(choice: StoreChoice) -> str:
    return home_of(choice.role, choice.slug)


def browser_secret() -> str:
    """The secret that a code is bound to, held by this browser alone."""
    secret = request.cookies.get(BROWSER_COOKIE, "")
    return secret if _TOKEN.fullmatch(secret) else new_token()


def remember_browser(response: Response, secret: str) -> Response:
    response.set_cookie(
        BROWSER_COOKIE,
        secret,
        max_age=BROWSER_SECONDS,
        secure=True,
        httponly=True,
        samesite="Lax",
        path="/",
    )
    return response


def _address() -> str:
    return client_address()


def counted_address() -> str:
    """The address to count tries by, or nothing where limits by address are off."""
    return _address() if current_app.config["SETTINGS"].rate_limits_enabled else ""


def device_words() -> str:
    """``Chrome on Android``, as far as the browser says."""
    agent = request.user_agent.string
    browser = next((name for mark, name in _BROWSERS if mark in agent), _("A browser"))
    system = next((name for mark, name in _SYSTEMS if mark in agent), _("a device"))
    return _("%(browser)s on %(system)s", browser=browser, system=system)


def place_words() -> str:
    """The network's part of the caller's address; nothing on a private network or our own."""
    try:
        found = ip_address(client_address().partition("/")[0])
    except ValueError:
        return ""
    return neighbourhood(str(found)) if found.is_global else ""
