"""The shop's own pages: what it says about itself, its returns, its delivery."""

from __future__ import annotations

from flask import Blueprint, g, render_template
from flask.typing import ResponseReturnValue

from app.db.engine import db
from app.domain.pages.queries import published_words
from app.i18n import current_locale
from app.web.public import public
from app.web.storefront.heads import own_page_head
from app.web.tenancy import open_store

bp = Blueprint("pages", __name__)
bp.before_request(open_store)


@bp.get("/pages/<slug:slug>")
def page(slug: str) -> ResponseReturnValue:
    """One published page in the shopper's language. Anything else is 404."""
    words, host = published_words(db.session(), g.store, slug, current_locale())
    head = own_page_head(words, slug, host)
    return public(render_template("storefront/page.html", words=words, head=head))
