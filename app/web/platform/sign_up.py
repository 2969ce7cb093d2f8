"""Opening a shop: from a phone number to a store with a name. After that: sign_up_steps.py.

What a person says here is kept as soon as it is said: whoever comes back by signing in goes on
at the step that is open. Nothing needs an e-mail address.
"""

from __future__ import annotations

import re
from typing import Any
from uuid import UUID

from flask import (
    Blueprint,
    Response,
    abort,
    current_app,
    make_response,
    redirect,
    render_template,
    request,
    url_for,
)
from flask.typing import ResponseReturnValue

from app.db.engine import db, platform_session
from app.db.tenancy import inside_store
from app.domain.errors import DomainError, FieldProblem, NotFound, TooManyTries
from app.domain.onboarding.actions import (
    KINDS,
    PURPOSE,
    NewShop,
    TestAccount,
    begin,
    choose_kind,
    is_proven,
    open_shop,
    send_sign_up_code,
    set_up,
    show_logo,
)
from app.domain.onboarding.names import free_names, is_free, web_name_of
from app.domain.onboarding.queries import open_sign_up, phone_of, way_on
from app.domain.onboarding.steps import progress_of
from app.domain.people.otp import tries_left
from app.domain.stores.models import Store
from app.domain.stores.settings_logo import MAX_BYTES, keep_logo
from app.i18n import current_locale, gettext_lazy
from app.i18n import gettext as _
from app.phones import InvalidPhone, masked, parse_msisdn
from app.web.auth import load_person, open_to
from app.web.backoffice.shell import trouble
from app.web.forms import field
from app.web.limits import client_address, limiter
from app.web.platform.signing_in import (
    browser_secret,
    counted_address,
    platform_store,
    remember_browser,
    signed_in,
    wrong_code,
)
from app.web.tenancy import platform_only

bp = Blueprint("sign_up", __name__, url_prefix="/open-a-shop")
bp.before_request(platform_only)

VISITORS = "anybody with a phone"
SIGNED_IN = "the person signed in; others go to the phone step"
LOOKUPS = "120 per minute"  # somebody typing a name, letter by letter
PHOTO_BYTES = 24 * 2**20  # room for what a phone's camera makes; too large is said, not blocked
HUE_CHOICES = (262, 200, 150, 120, 75, 30, 0, 320)
_CODE = re.compile(r"[0-9]{6}")

KIND_WORDS = {
    "electronics": (
        gettext_lazy("Phones and electronics"),
        gettext_lazy("Storage, memory, screen, warranty"),
    ),
    "fashion": (gettext_lazy("Clothes and shoes"), gettext_lazy("Sizes with charts, colours")),
    "watches": (
        gettext_lazy("Watches and jewellery"),
        gettext_lazy("Movement, strap, water resistance"),
    ),
    "home": (gettext_lazy("Home and kitchen"), gettext_lazy("Measures, material, care")),
    "mixed": (gettext_lazy("A bit of everything"), gettext_lazy("Simple groups you can rename")),
}


@bp.url_value_preprocessor
def _allow_a_logo(endpoint: str | None, values: dict[str, Any] | None) -> None:
    if endpoint == f"{bp.name}.save_name":
        request.max_content_length = PHOTO_BYTES


@bp.get("/")
@open_to(VISITORS)
def show() -> ResponseReturnValue:
    """The phone for a visitor; for somebody signed in, the step that is open."""
    person = load_person()
    if person is None:
        return _page("phone")
    return redirect(unfinished_opening(person.id) or url_for(".kind"), code=303)


@bp.post("/code")
@open_to(VISITORS)
def send_code() -> ResponseReturnValue:
    """Send a code to the number, whoever's it is."""
    typed = {"phone": field("phone", most=40), "name": field("name", most=80)}
    try:
        phone = parse_msisdn(typed["phone"])
    except InvalidPhone as problem:
        return _page("phone", 422, typed=typed, wrong={"phone": str(problem)})
    browser = browser_secret()
    try:
        with platform_store():
            send_sign_up_code(
                db.session(),
                phone=phone,
                browser=browser,
                language=current_locale(),
                address=counted_address(),
            )
            db.session.commit()
    except TooManyTries as limit:
        return _wait(limit, "phone", typed=typed, wrong={"phone": str(limit)})
    answer = _page("phone", template="sign_up_code", phone=phone, name=typed["name"])
    return remember_browser(answer, browser)


@bp.post("/check")
@open_to(VISITORS)
def check() -> ResponseReturnValue:
    """Prove the number with the code, and begin: signed in, and on to what the shop sells."""
    try:
        phone = parse_msisdn(field("phone", most=40))
    except InvalidPhone:
        return redirect(url_for(".show"), code=303)
    name = field("name", most=80)
    code = "".join(request.form.get("code", "").split())
    browser = browser_secret()
    proven, left = False, 0
    try:
        with platform_store():
            if _CODE.fullmatch(code):
                proven = is_proven(
                    db.session(), phone=phone, browser=browser, code=code, address=client_address()
                )
                db.session.commit()  # a wrong try is counted as well
            left = tries_left(db.session(), phone=phone, purpose=PURPOSE, browser=browser)
    except TooManyTries as limit:
        return _wait(
            limit, "phone", template="sign_up_code", phone=phone, name=name, problem=str(limit)
        )
    if not proven:
        problem = wrong_code(code, left)
        return _page("phone", 422, template="sign_up_code", phone=phone, name=name, problem=problem)
    with platform_session() as session:
        person = begin(session, phone=phone, name=name)
    return signed_in(person, "code", to=unfinished_opening(person.id) or url_for(".kind"))


@bp.get("/kind")
@open_to(SIGNED_IN)
def kind() -> ResponseReturnValue:
    """What the shop sells: it brings groups, filters, sizes and return rules."""
    person = load_person()
    if person is None:
        return redirect(url_for(".show"), code=303)
    with platform_session() as session:
        sign_up = open_sign_up(session, person.id)
        chosen = sign_up.kind if sign_up is not None else None
    return _page("kind", chosen=chosen, kinds=kinds_in_words())


@bp.post("/kind")
@open_to(SIGNED_IN)
def save_kind() -> ResponseReturnValue:
    person = load_person()
    if person is None:
        return redirect(url_for(".show"), code=303)
    try:
        with platform_session() as session:
            choose_kind(session, person.id, field("kind", most=20))
    except FieldProblem as problem:
        return _page("kind", 422, chosen=None, kinds=kinds_in_words(), problem=str(problem))
    return redirect(url_for(".name"), code=303)


@bp.get("/name")
@open_to(SIGNED_IN)
def name() -> ResponseReturnValue:
    """Name, web name, colour, logo: the step at whose end the shop is open."""
    person = load_person()
    if person is None:
        return redirect(url_for(".show"), code=303)
    with platform_session() as session:
        sign_up = open_sign_up(session, person.id)
        is_known = sign_up is not None and sign_up.kind is not None
    if not is_known:
        return redirect(url_for(".show"), code=303)
    return _name_page(person.id)


@bp.get("/name/check")
@open_to(SIGNED_IN)
@limiter.limit(LOOKUPS)
def check_name() -> ResponseReturnValue:
    """Whether a web name can be had: a piece for the page, while somebody types."""
    if load_person() is None:
        abort(404)
    shop_name = request.args.get("name", "")[:80]
    typed = request.args.get("slug", "").strip().lower()[:60]
    # Until somebody writes a web name of their own, it follows the shop's name.
    is_own = request.args.get("followed", "") != typed and bool(typed)
    slug = typed if is_own else web_name_of(shop_name)
    return render_template("platform/_sign_up_name.html", **_availability(slug, is_own))


@bp.post("/name")
@open_to(SIGNED_IN)
def save_name() -> ResponseReturnValue:
    """Open the shop. The same form twice opens one."""
    person = load_person()
    if person is None:
        return redirect(url_for(".show"), code=303)
    typed = {
        "name": field("name", most=80),
        "slug": field("slug", most=60).lower() or web_name_of(field("name", most=80)),
        "hue": field("hue", most=3),
        "chat": field("chat", most=3),
    }
    if request.form.get("offered"):  # one of the free names was tapped: look at it first
        return _name_page(person.id, typed=typed | {"slug": field("offered", most=60)})
    settings = current_app.config["SETTINGS"]
    try:
        with platform_session() as session:
            store_id = open_shop(
                session,
                person.id,
                NewShop(
                    name=typed["name"],
                    slug=typed["slug"],
                    colour_hue=read_hue(typed["hue"]),
                    whatsapp=(phone_of(person.id) or "") if typed["chat"] else "",
                ),
                host_suffix=settings.store_host_suffix,
            )
    except NotFound:
        return redirect(url_for(".show"), code=303)
    except DomainError as problem:
        wrong = {getattr(problem, "field", "name"): str(problem)}
        return _name_page(person.id, 422, typed=typed, wrong=wrong)
    with inside_store(store_id):
        try:
            session = db.session()
            store = session.get_one(Store, store_id)
            set_up(session, store, actor=person.name, account=test_account())
            session.commit()
            keep_sent_logo(store, person.name)
            slug = store.slug
        finally:
            db.session.remove()
    return redirect(url_for("opening.goods", store=slug), code=303)


def unfinished_opening(person_id: UUID) -> str:
    """Where a person who left in the middle goes on; empty when nothing waits for them."""
    on = way_on(person_id)
    if on is None:
        return ""
    if on.store is not None:
        return url_for("opening.resume", store=on.store)
    return url_for(f"sign_up.{on.step}")


def test_account() -> TestAccount | None:
    """The platform's account at the provider's test system, when this installation has one."""
    settings = current_app.config["SETTINGS"]
    keys = (
        settings.mpesa_test_shortcode,
        settings.mpesa_test_consumer_key,
        settings.mpesa_test_consumer_secret,
        settings.mpesa_test_passkey,
    )
    if not all(keys):
        return None
    shortcode, consumer_key, consumer_secret, passkey = keys
    return TestAccount(
        shortcode=shortcode,
        consumer_key=consumer_key,
        consumer_secret=consumer_secret,
        passkey=passkey,
    )


def keep_sent_logo(store: Store, who: str) -> None:
    """Keep the logo that came with the form, if one did. Commits. A bad file only says so."""
    sent = request.files.get("logo")
    data = sent.stream.read(MAX_BYTES + 1) if sent is not None else b""
    if not data:
        return
    try:
        logo = keep_logo(data, media_dir=current_app.config["SETTINGS"].media_dir)
    except DomainError as refused:
        trouble(_("The logo was not kept. %(why)s", why=refused))
        return
    show_logo(db.session(), store, logo, actor=who)
    db.session.commit()


def read_hue(text: str) -> int:
    """A colour from a form, 0 to 360; the usual one when it cannot be read."""
    is_hue = text.isascii() and text.isdecimal() and int(text) <= 360
    return int(text) if is_hue else HUE_CHOICES[0]


def kinds_in_words() -> list[tuple[str, str, str]]:
    """Every kind of shop: its key, its name for people, and what it brings."""
    return [(kind, *KIND_WORDS[kind]) for kind in KINDS]


def _availability(slug: str, is_own: bool) -> dict[str, Any]:
    suffix = current_app.config["SETTINGS"].store_host_suffix
    with platform_session() as session:
        free = is_free(session, slug, host_suffix=suffix)
        offered = [] if free or not slug else free_names(session, slug, host_suffix=suffix)
    if not slug:
        said = ""
    elif free:
        said = _("%(address)s is free.", address=slug + suffix)
    elif is_own and web_name_of(slug) != slug:
        said = _("Small letters a to z, digits and single hyphens only.")
    else:
        said = _("%(address)s is taken.", address=slug + suffix)
    return {
        "slug": slug,
        "followed": "" if is_own else slug,
        "is_free": free,
        "said": said,
        "offered": offered,
        "suffix": suffix,
    }


def _name_page(
    person_id: UUID,
    status: int = 200,
    *,
    typed: dict[str, str] | None = None,
    wrong: dict[str, str] | None = None,
) -> Response:
    typed = typed or {"name": "", "slug": "", "hue": str(HUE_CHOICES[0]), "chat": "yes"}
    wrong = wrong or {}
    facts = _availability(typed["slug"], is_own=True)
    if "slug" in wrong:
        facts["said"], facts["is_free"] = wrong["slug"], False
    phone = phone_of(person_id)
    return _page(
        "name",
        status,
        typed=typed,
        wrong=wrong,
        hues=HUE_CHOICES,
        hue=read_hue(typed["hue"]),
        phone=phone,
        **facts,
    )


def _page(step: str, status: int = 200, *, template: str = "", **context: Any) -> Response:
    values = {"typed": {}, "wrong": {}, "problem": ""} | context
    page = render_template(
        f"platform/{template or 'sign_up_' + step}.html",
        progress=progress_of(step),
        masked_phone=masked(context["phone"]) if context.get("phone") else "",
        **values,
    )
    return make_response(page, status)


def _wait(limit: TooManyTries, step: str, **context: Any) -> Response:
    response = _page(step, 429, **context)
    response.headers["Retry-After"] = str(limit.retry_after_seconds)
    return response
