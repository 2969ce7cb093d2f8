"""Where the shopper wants things brought: chosen once, remembered by the browser."""

from __future__ import annotations

import re

from flask import Blueprint, g, make_response, redirect, render_template, request
from flask.typing import ResponseReturnValue

from app.clock import utcnow
from app.db.engine import db
from app.domain.cart.actions import choose_area
from app.domain.delivery.areas import Area, UnknownArea, get_area, suggest_areas
from app.domain.delivery.fees import Basket, FeeRule
from app.domain.delivery.promises import promise_for, promise_words
from app.domain.delivery.queries import (
    FeePreview,
    StoreArea,
    fee_rules,
    find_store_area,
    own_name,
    price_delivery,
    promise_terms,
    store_areas,
)
from app.domain.errors import AreaNotServed
from app.i18n import gettext as _
from app.web.security import origin_checked
from app.web.shopper import cart_id, chosen_area, remember_area
from app.web.tenancy import open_store

bp = Blueprint("deliver", __name__)
bp.before_request(open_store)

_LOCAL_PATH = re.compile(r"/(?![/\\])[^\x00-\x20\\]*")
_PRODUCT = re.compile(r"/p/[a-z0-9-]+")


@bp.get("/deliver-to")
def choose() -> ResponseReturnValue:
    """Every area with its fee and time; or those the typed words mean."""
    words = " ".join(request.args.get("q", "").split())[:60]
    areas, sentence = _areas_for(words)
    chosen = chosen_area()
    return render_template(
        "storefront/deliver_to.html",
        areas=areas,
        sentence=sentence,
        query=words,
        here=chosen.slug if chosen else None,
        next_path=local_path(request.args.get("next", "/")),
    )


@bp.post("/deliver-to")
@origin_checked
def save() -> ResponseReturnValue:
    found = find_store_area(db.session(), request.form.get("area", "")[:60])
    if found is None:
        raise AreaNotServed(None)
    cart = cart_id()
    if cart is not None:
        choose_area(db.session(), cart, found.area.slug)
        db.session.commit()
    return remember_area(
        make_response(redirect(local_path(request.form.get("next", "/")), code=303)), found.area
    )


@bp.get("/deliver-to/strip")
def strip() -> ResponseReturnValue:
    """The one-line strip for this shopper. Its own address, so that pages stay the same for all."""
    area = chosen_area()
    preview = unserved = None
    if area is not None:
        try:
            preview = _preview(area)
        except AreaNotServed:
            unserved = area.name
    return render_template(
        "storefront/_strip_alone.html",
        line=True,
        preview=preview,
        unserved=unserved,
        cheapest_fee_cents=None,
        is_answer=True,
        next_path=local_path(request.args.get("next", "/")),
    )


def _preview(area: Area) -> FeePreview:
    """Before there is a basket, the smallest order is no reason to say no."""
    found = find_store_area(db.session(), area.slug)
    if found is None:
        raise AreaNotServed(area.name)
    return _fee_of(found, fee_rules(db.session()))


def _fee_of(found: StoreArea, rules: list[FeeRule]) -> FeePreview:
    now = utcnow()
    basket = Basket(subtotal_cents=max(found.terms.minimum_order_cents, 1))
    quote = price_delivery(found, basket, rules, now)
    promise = promise_for(promise_terms(g.store, found), now)
    return FeePreview(
        area=found.area,
        fee_cents=quote.fee_cents,
        reason=quote.reason,
        promise=promise,
        promise_text=promise_words(promise, now),
        minimum_cents=found.terms.minimum_order_cents,
    )


def _areas_for(words: str) -> tuple[list[FeePreview], str]:
    """The areas to offer, and a sentence when the words did not lead straight to one."""
    served = store_areas(db.session())
    rules = fee_rules(db.session())
    if not words:
        return [_fee_of(area, rules) for area in served], ""
    meant = {area.slug for area in suggest_areas(words)}
    wanted = own_name(words)
    hits = [
        a
        for a in served
        if a.area.slug in meant
        or words.lower() in a.area.name.lower()
        or any(wanted and wanted in own_name(alias) for alias in a.terms.aliases)
    ]
    if hits:
        return [_fee_of(area, rules) for area in hits], ""
    try:
        known = next(iter(get_area(slug).name for slug in meant), words)
    except UnknownArea:
        known = words
    sentence = _("We do not reach %(area)s yet. These are the areas we deliver to.", area=known)
    return [_fee_of(area, rules) for area in served], sentence


def local_path(path: str) -> str:
    """Where to go after choosing: a path of this shop, or its start."""
    return path if len(path) < 300 and _LOCAL_PATH.fullmatch(path) else "/"
