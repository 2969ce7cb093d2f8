"""A shopper who proved their phone says yes to offers, or stops them, on their own page."""

from __future__ import annotations

from flask import Blueprint, g, redirect
from flask.typing import ResponseReturnValue

from app.db.engine import db
from app.domain.customers.consent import agree_here, stop_here, words_in
from app.web.forms import field
from app.web.shopper import shopper_token
from app.web.storefront.numbers import for_known_shoppers
from app.web.tenancy import open_store

bp = Blueprint("offers", __name__, url_prefix="/me/offers")
bp.before_request(open_store)


@bp.post("")
@for_known_shoppers
def say() -> ResponseReturnValue:
    """A stop is a stop whatever else the form says; ``agree`` is the language that was read."""
    session, read_in = db.session(), field("agree", most=2)
    if field("stop"):
        stop_here(session, g.shopper.id, shopper_token())
    elif read_in:
        words = words_in(read_in, shop=g.store.name)
        agree_here(session, g.shopper.id, shopper_token(), words=words)
    session.commit()
    return redirect("/me#offers", code=303)
