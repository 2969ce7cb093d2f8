"""A shopper proves their phone once, and from then on types nothing and finds their orders here."""

from __future__ import annotations

from flask import (
    Blueprint,
    Response,
    current_app,
    g,
    make_response,
    redirect,
    render_template,
    request,
)
from flask.typing import ResponseReturnValue
from itsdangerous import BadSignature, URLSafeTimedSerializer

from app.db.engine import db
from app.domain.cart.actions import claim_cart
from app.domain.cart.queries import find_cart
from app.domain.customers.actions import (
    end_shopper_session,
    find_or_add_customer,
    start_shopper_session,
)
from app.domain.customers.consent import offers_of, words_in
from app.domain.customers.numbers import MOST, numbers_of
from app.domain.loyalty.queries import purse_of
from app.domain.loyalty.settings import rules_of
from app.domain.orders.queries import latest_orders_of
from app.domain.orders.states import OrderStatus
from app.domain.people.otp import check_code, request_code, tries_left
from app.i18n import current_locale, gettext_lazy
from app.i18n import gettext as _
from app.phones import InvalidPhone, masked, parse_msisdn
from app.web.forms import field
from app.web.limits import CODES, SIGN_INS, client_address, limiter
from app.web.shopper import (
    browser_secret,
    cart_id,
    forget_shopper,
    known_shopper,
    remember_browser,
    remember_cart,
    remember_shopper,
    shopper_token,
)
from app.web.tenancy import open_store

bp = Blueprint("me", __name__, url_prefix="/me")
bp.before_request(open_store)

PURPOSE = "shopper"
PENDING_SECONDS = 600
S = OrderStatus
STATUS_WORDS = {
    S.PENDING_PAYMENT: gettext_lazy("Not paid yet"),
    S.PAID: gettext_lazy("Being packed"),
    S.ACCEPTED: gettext_lazy("Being packed"),
    S.PACKED: gettext_lazy("Packed"),
    S.DISPATCHED: gettext_lazy("On the way"),
    S.DELIVERED: gettext_lazy("Delivered"),
    S.RETURNED: gettext_lazy("Returned"),
    S.CLOSED: gettext_lazy("Delivered"),
    S.CANCELLED: gettext_lazy("Cancelled"),
}


@bp.get("")
def show() -> ResponseReturnValue:
    return make_response(me_page(next_path=_next_path(request.args.get("next", ""))))


def me_page(*, next_path: str = "", wrong: dict[str, str] | None = None, typed: str = "") -> str:
    """The shopper's own page: their numbers and orders, or the form that proves a phone."""
    session = db.session()
    shopper = known_shopper()
    rules = rules_of(g.store)
    return render_template(
        "storefront/me.html",
        shopper=shopper,
        numbers=numbers_of(session, shopper, shopper_token()) if shopper else [],
        most=MOST,
        orders=latest_orders_of(session, shopper.id) if shopper else [],
        offers=offers_of(session, shopper.id) if shopper else None,
        offer_words=words_in(current_locale(), shop=g.store.name),
        purse=purse_of(session, shopper.id) if shopper and rules else None,
        rules=rules,
        status_words=STATUS_WORDS,
        next_path=next_path,
        wrong=wrong or {},
        typed=typed,
    )


@bp.post("/code")
@limiter.limit(CODES)
def send() -> ResponseReturnValue:
    """Send a code. The answer is the same for every number, known or not."""
    next_path = _next_path(field("next", most=100))
    typed = field("phone", most=40)
    try:
        phone = parse_msisdn(typed)
    except InvalidPhone as error:
        page = render_template(
            "storefront/me.html",
            shopper=None,
            next_path=next_path,
            wrong={"phone": str(error)},
            typed=typed,
        )
        return make_response(page, 422)
    browser = browser_secret()
    request_code(
        db.session(),
        phone=phone,
        purpose=PURPOSE,
        browser=browser,
        language=current_locale(),
        address=client_address().partition("/")[0],
    )
    db.session.commit()
    return remember_browser(_code_page(phone, next_path), browser)


@bp.post("/verify")
@limiter.limit(SIGN_INS)
def verify() -> ResponseReturnValue:
    """The right code makes a session, and the customer when there was none."""
    next_path = _next_path(field("next", most=100))
    phone = _pending_phone()
    if phone is None:
        return redirect("/me", code=303)
    browser = browser_secret()
    session = db.session()
    code = "".join(field("code", most=20).split())
    if not check_code(session, phone=phone, purpose=PURPOSE, browser=browser, code=code):
        left = tries_left(session, phone=phone, purpose=PURPOSE, browser=browser)
        db.session.commit()
        wrong = (
            _("That is not the code. Look at the newest SMS and try again.")
            if left
            else _("That code no longer works. Ask for a new one.")
        )
        answer = _code_page(phone, next_path, wrong=wrong)
        answer.status_code = 422
        return answer
    customer = find_or_add_customer(
        session, phone=phone, language=current_locale(), is_verified=True
    )
    end_shopper_session(session, shopper_token())
    token = start_shopper_session(session, customer, phone=phone)
    cart = find_cart(session, cart_id())
    answer = make_response(redirect(next_path or "/me", code=303))
    if cart is not None:
        cart = claim_cart(session, cart, customer.id)
        remember_cart(answer, cart)
    db.session.commit()
    return remember_shopper(answer, token)


@bp.post("/sign-out")
def sign_out() -> ResponseReturnValue:
    end_shopper_session(db.session(), shopper_token())
    db.session.commit()
    return forget_shopper(make_response(redirect("/", code=303)))


def _code_page(phone: str, next_path: str, *, wrong: str | None = None) -> Response:
    """The page that takes the code. The phone travels in it signed, never in an address."""
    return make_response(
        render_template(
            "storefront/me_code.html",
            masked_phone=masked(phone),
            pending=_signer().dumps(phone),
            next_path=next_path,
            wrong=wrong,
            action="/me/verify",
        )
    )


def _pending_phone() -> str | None:
    try:
        return str(_signer().loads(field("pending", most=300), max_age=PENDING_SECONDS))
    except BadSignature:
        return None


def _signer() -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(str(current_app.secret_key), salt="pending-phone")


def _next_path(path: str) -> str:
    """Only the two pages that send shoppers here are a way back."""
    return path if path in ("/checkout", "/cart") else ""
