"""One's own locks: passkeys and the action PIN; and the page that asks for them."""

from __future__ import annotations

from uuid import UUID

from flask import (
    Blueprint,
    Response,
    flash,
    g,
    make_response,
    redirect,
    render_template,
    request,
    url_for,
)
from flask.typing import ResponseReturnValue
from sqlalchemy import select

from app.db.engine import db
from app.db.tenancy import bound_store, inside_store
from app.domain.errors import DomainError, TooManyTries
from app.domain.payments.models import PaymentSettings
from app.domain.people import passkeys, pins, telling
from app.domain.people.passkeys import PasskeyRefused, Purpose, passkeys_of
from app.domain.people.second_factor import (
    Level,
    Way,
    ask_for_code,
    is_proven,
    is_right_code,
    is_right_password,
    note_proof,
)
from app.domain.people.sessions import stores_of
from app.i18n import current_locale
from app.i18n import gettext as _
from app.web.auth import require_person, staff_token
from app.web.forms import field
from app.web.platform.signing_in import platform_store
from app.web.second_factor import (
    asking_page,
    kept_fields,
    needs_second_factor,
    way_on,
)
from app.web.tenancy import platform_only

bp = Blueprint("account_security", __name__)
bp.before_request(platform_only)


@bp.get("/me/security")
@require_person
def show() -> ResponseReturnValue:
    """What keeps this person's account safe, and what is still missing."""
    return render_template(
        "platform/security.html",
        person=g.person,
        passkeys=passkeys_of(g.person.id),
        pin_set_at=pins.pin_set_at(g.person.id),
        phone=telling.phone_of(g.person),
        max_passkeys=passkeys.MAX_PASSKEYS,
    )


@bp.get("/me/security/pin")
@require_person
@needs_second_factor("pin")
def pin_form() -> ResponseReturnValue:
    """Choose a PIN; whoever has one, or a phone, proved that first."""
    return _pin_page()


@bp.post("/me/security/pin")
@require_person
@needs_second_factor("pin", back="account_security.pin_form")
def set_pin() -> ResponseReturnValue:
    """Set or change one's own PIN."""
    pin = request.form.get("pin", "").strip()
    if pin != request.form.get("again", "").strip():
        return _pin_page(_("The two PINs differ. Type the same one twice."))
    numbers = _shop_numbers()
    try:
        with platform_store():
            pins.set_pin(db.session(), g.person, pin, numbers=numbers)
            _tell_myself(_("Dukani: your PIN was set. Not you? Sign out everywhere and reset it."))
            db.session.commit()
    except pins.WeakPin as weak:
        return _pin_page(str(weak))
    note_proof(staff_token(), Way.PIN)
    return _done(_("Your PIN is set. Use it for refunds and payouts."))


@bp.get("/me/security/passkeys/new")
@require_person
@needs_second_factor("locks")
def new_passkey() -> ResponseReturnValue:
    """Add this phone's fingerprint or face."""
    return render_template("platform/passkey_new.html", name=_device_name())


@bp.post("/me/security/passkeys/options")
@require_person
@needs_second_factor("locks", back="account_security.new_passkey")
def new_passkey_options() -> ResponseReturnValue:
    """The challenge for a new passkey of this person in this session, as JSON."""
    return _json(passkeys.registration_options(g.person, browser=staff_token()))


@bp.post("/me/security/passkeys")
@require_person
@needs_second_factor("locks", back="account_security.new_passkey")
def add_passkey() -> ResponseReturnValue:
    """Keep the passkey that the phone just made."""
    try:
        with platform_store():
            passkey = passkeys.register(
                db.session(),
                g.person,
                request.form.get("credential", ""),
                name=field("name", most=passkeys.MAX_NAME),
                browser=staff_token(),
            )
            _tell_myself(
                _("Dukani: a passkey was added to your account. Not you? Remove it at once.")
            )
            db.session.commit()
    except DomainError as problem:
        page = render_template(
            "platform/passkey_new.html",
            name=field("name", most=passkeys.MAX_NAME),
            problem=str(problem),
        )
        return make_response(page, 422)
    note_proof(staff_token(), Way.PASSKEY)
    return _done(_("“%(name)s” can sign you in from now on.", name=passkey.name))


@bp.post("/me/security/passkeys/<uuid:passkey_id>/name")
@require_person
def rename_passkey(passkey_id: UUID) -> ResponseReturnValue:
    """Call a passkey something else."""
    passkeys.rename_passkey(g.person, passkey_id, field("name", most=passkeys.MAX_NAME))
    return _done(_("Renamed."))


@bp.post("/me/security/passkeys/<uuid:passkey_id>/remove")
@require_person
@needs_second_factor("locks")
def remove_passkey(passkey_id: UUID) -> ResponseReturnValue:
    """Forget a passkey. The phone may keep its half; it opens nothing here any more."""
    with platform_store():
        name = passkeys.remove_passkey(db.session(), g.person, passkey_id)
        db.session.commit()
    return _done(_("“%(name)s” was removed.", name=name))


@bp.get("/me/confirm")
@require_person
def confirm_page() -> ResponseReturnValue:
    """The asking page by itself, for a step that was tried from inside another page."""
    return asking_page(
        _level(request.args.get("level", "")),
        next_path=way_on(request.args.get("next", "")),
        method="get",
        fields=[],
    )


@bp.post("/me/confirm/options")
@require_person
def confirm_options() -> ResponseReturnValue:
    """The challenge for this person's own passkeys in this session, as JSON."""
    return _json(
        passkeys.assertion_options(Purpose.CONFIRM, browser=staff_token(), person=g.person)
    )


@bp.post("/me/confirm")
@require_person
def confirm() -> ResponseReturnValue:
    """Take what was proven; on to where the person was going, or ask for what is missing.

    307 has the browser send the form on to the address it was meant for.
    """
    level, next_path = _level(request.form.get("confirm_level", "")), _next_path()
    is_form = request.form.get("confirm_method") == "post"
    problem, status, has_sent, wait = "", 422, False, 0
    try:
        with platform_store():
            if "confirm_send" in request.form:
                has_sent = ask_for_code(
                    db.session(), g.person, token=staff_token(), language=current_locale()
                )
                db.session.commit()
                status = 200
            else:
                problem = _take_proofs()
    except TooManyTries as limit:
        problem, status, wait = str(limit), 429, limit.retry_after_seconds
    if not problem and not has_sent and is_proven(staff_token(), g.person, level):
        return redirect(next_path, code=307 if is_form else 303)
    page = asking_page(
        level,
        next_path=next_path,
        method="post" if is_form else "get",
        fields=kept_fields() if is_form else [],
        status=status,
        problem=problem,
        has_sent=has_sent,
    )
    if wait:
        page.headers["Retry-After"] = str(wait)
    return page


def _take_proofs() -> str:
    """Check each proof that was given and note the right ones; what is wrong, in words."""
    session, token, person = db.session(), staff_token(), g.person
    if answer := request.form.get("confirm_passkey", ""):
        try:
            passkeys.person_with_passkey(
                answer, purpose=Purpose.CONFIRM, browser=token, person=person
            )
        except PasskeyRefused as refused:
            return str(refused)
        note_proof(token, Way.PASSKEY)
    checks = (
        (Way.PIN, pins.check_pin, _("That is not your PIN.")),
        (Way.PASSWORD, is_right_password, _("That is not your password.")),
    )
    given = False
    for way, check, words in checks:
        if typed := request.form.get(f"confirm_{way.value}", "").strip():
            given = True
            is_right = check(session, person, typed)
            session.commit()
            if not is_right:
                return words
            note_proof(token, way)
    if code := "".join(request.form.get("confirm_code", "").split()):
        given = True
        is_right = is_right_code(session, person, code, token=token)
        session.commit()
        if not is_right:
            return _("That is not the code. Look at the newest message and try again.")
        note_proof(token, Way.CODE)
    return "" if given or answer else _("Type what is asked for below.")


def _shop_numbers() -> list[str]:
    """Till and paybill numbers of the person's stores: printed on the counter, so no secret."""
    numbers: list[str] = []
    for choice in stores_of(g.person.id):
        with inside_store(choice.store_id):
            found = db.session.execute(
                select(PaymentSettings.shortcode, PaymentSettings.till).where(
                    PaymentSettings.store_id == bound_store()
                )
            ).all()
            db.session.remove()
        numbers += [number for row in found for number in row if number]
    return numbers


def _tell_myself(text: str) -> None:
    own = telling.phone_of(g.person)
    if own is not None:
        telling.tell(db.session(), [telling.Phone(g.person.id, own)], text)


def _pin_page(problem: str = "") -> Response:
    page = render_template("platform/pin.html", problem=problem, has_pin=pins.has_pin(g.person.id))
    return make_response(page, 422 if problem else 200)


def _done(words: str) -> Response:
    flash(words, "done")
    return make_response(redirect(url_for("account_security.show"), code=303))


def _json(text: str) -> Response:
    return make_response(text, 200, {"Content-Type": "application/json"})


def _level(text: str) -> Level:
    return Level(text) if text in {level.value for level in Level} else Level.ACTION


def _next_path() -> str:
    return way_on(request.form.get("confirm_next", ""))


def _device_name() -> str:
    """What to call this phone or computer, as far as the browser says."""
    agent = request.user_agent.string
    known = {"Android": "Android", "iPhone": "iPhone", "iPad": "iPad", "Windows": "Windows"}
    known |= {"Macintosh": "Mac", "Linux": "Linux"}
    return next((name for word, name in known.items() if word in agent), _("This device"))
