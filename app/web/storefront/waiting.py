"""Tell me when it is back: a phone number left for one thing that is sold out."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, redirect, render_template
from flask.typing import ResponseReturnValue

from app.db.engine import db
from app.domain.catalog.queries import ProductPage, get_variant, product_page
from app.domain.catalog.waiting import ask_to_be_told
from app.i18n import current_locale
from app.phones import InvalidPhone
from app.web.forms import field
from app.web.htmx import fragment, wants_fragment
from app.web.limits import client_address
from app.web.security import origin_checked
from app.web.storefront.browse import sold_out_of
from app.web.tenancy import open_store

bp = Blueprint("waiting", __name__)
bp.before_request(open_store)


@bp.post("/p/<slug:slug>/tell-me")
@origin_checked
def ask(slug: str) -> ResponseReturnValue:
    """Keep the phone and the variant. The page it comes from is cached, so there is no token."""
    session = db.session()
    page = product_page(session, slug)
    variant = get_variant(session, field("sku", most=80))
    typed = field("phone", most=40)
    error = None
    try:
        ask_to_be_told(session, variant, typed, language=current_locale(), address=client_address())
        session.commit()
    except InvalidPhone as problem:
        session.rollback()
        error = str(problem)
    if wants_fragment():
        return fragment(
            "storefront/_tell_me.html",
            status=422 if error else 200,
            **_words(page, typed, error),
            form="tell",
        )
    if error:
        return render_template("storefront/tell_me.html", **_words(page, typed, error)), 422
    return redirect(f"/p/{slug}/told", code=303)


@bp.get("/p/<slug:slug>/told")
def told(slug: str) -> ResponseReturnValue:
    """What a browser without a script sees once its number is kept."""
    page = product_page(db.session(), slug)
    return render_template("storefront/tell_me.html", **_words(page, "", None))


def _words(page: ProductPage, typed: str, error: str | None) -> dict[str, Any]:
    chosen = page.choose({})
    return {
        "page": page,
        "sold_out": sold_out_of(page, chosen),
        "wanted": field("sku", most=80),
        "typed": typed,
        "error": error,
        "is_told": error is None,
    }
