"""The shopper behind the cookies: a signed cart, a chosen area, perhaps a proven phone.

Four host-only cookies, each its own: ``__Host-cart`` (signed, names one cart of one store),
``__Host-area`` (a slug of the public list), ``__Host-shopper`` (a random token, kept hashed)
and ``__Host-browser`` (binds a one-time code to the browser that asked for it). A cookie that
was tampered with, is old, or belongs to another store is no cookie at all: never an error.
"""

from __future__ import annotations

import re
from uuid import UUID

from flask import Response, current_app, g, request
from itsdangerous import BadSignature, URLSafeTimedSerializer

from app.db.engine import db
from app.domain.cart.adding import Added
from app.domain.cart.models import Cart
from app.domain.checkout.basket import Basket
from app.domain.customers.models import Customer
from app.domain.customers.queries import find_shopper
from app.domain.delivery.areas import Area, UnknownArea, get_area
from app.ids import new_token

CART_COOKIE = "__Host-cart"
AREA_COOKIE = "__Host-area"
SHOPPER_COOKIE = "__Host-shopper"
BROWSER_COOKIE = "__Host-browser"

CART_SECONDS = 30 * 86_400
AREA_SECONDS = 180 * 86_400
SHOPPER_SECONDS = 90 * 86_400
BROWSER_SECONDS = 3_600

_TOKEN = re.compile(r"[0-9a-f]{32}")


def cart_id() -> UUID | None:
    """The cart this browser holds in this store, if its cookie is ours and whole."""
    try:
        found = _signer().loads(request.cookies.get(CART_COOKIE, ""), max_age=CART_SECONDS)
        if not isinstance(found, list) or len(found) != 2 or found[0] != g.store.id:
            return None
        return UUID(hex=str(found[1]))
    except (BadSignature, ValueError):
        return None


def remember_cart(response: Response, cart: Cart | Added | Basket) -> Response:
    """Give the browser its cart, for thirty more days."""
    signed = _signer().dumps([cart.store_id, cart.id.hex])
    return _set(response, CART_COOKIE, str(signed), CART_SECONDS)


def chosen_area() -> Area | None:
    """The area the shopper chose in this browser, if it is one we know."""
    try:
        return get_area(request.cookies.get(AREA_COOKIE, ""))
    except UnknownArea:
        return None


def remember_area(response: Response, area: Area) -> Response:
    """Remember where the shopper wants things brought."""
    return _set(response, AREA_COOKIE, area.slug, AREA_SECONDS)


def shopper_token() -> str | None:
    """The sign-in token of this browser, if it looks like one."""
    token = request.cookies.get(SHOPPER_COOKIE, "")
    return token if _TOKEN.fullmatch(token) else None


def known_shopper() -> Customer | None:
    """The customer who proved their phone in this browser, or None."""
    return find_shopper(db.session(), shopper_token())


def remember_shopper(response: Response, token: str) -> Response:
    """Keep the shopper signed in on this browser."""
    return _set(response, SHOPPER_COOKIE, token, SHOPPER_SECONDS)


def forget_shopper(response: Response) -> Response:
    """Sign this browser out."""
    return _set(response, SHOPPER_COOKIE, "", 0)


def browser_secret() -> str:
    """What this browser alone holds while it waits for a code; a new one when it has none."""
    secret = request.cookies.get(BROWSER_COOKIE, "")
    return secret if _TOKEN.fullmatch(secret) else new_token()


def remember_browser(response: Response, secret: str) -> Response:
    """Give the browser the secret its one-time code is bound to."""
    return _set(response, BROWSER_COOKIE, secret, BROWSER_SECONDS)


def _signer() -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(str(current_app.secret_key), salt="cart")


def _set(response: Response, name: str, value: str, seconds: int) -> Response:
    response.set_cookie(
        name, value, max_age=seconds, path="/", secure=True, httponly=True, samesite="Lax"
    )
    return response
