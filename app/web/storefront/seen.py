"""Cards of what a phone looked at lately. The phone keeps the list; nothing here remembers it."""

from __future__ import annotations

import re

from flask import Blueprint, make_response, render_template, request
from flask.typing import ResponseReturnValue

from app.db.engine import db
from app.domain.catalog.queries import find_cards
from app.web.limits import SEARCHES, limiter
from app.web.page_kinds import SLUG
from app.web.tenancy import open_store

bp = Blueprint("seen", __name__)
bp.before_request(open_store)

MOST = 8
MOST_TEXT = 1_000
_SLUG = re.compile(SLUG)


@bp.get("/seen")
@limiter.limit(SEARCHES)
def show() -> ResponseReturnValue:
    """A piece of a page: goods that are on sale, in the order asked for. Anything odd is left out."""
    asked = request.args.get("p", "")[:MOST_TEXT].split(",")
    slugs = list(dict.fromkeys(slug for slug in asked if _SLUG.fullmatch(slug)))[:MOST]
    cards = find_cards(db.session(), slugs) if slugs else []
    answer = make_response(render_template("storefront/_seen.html", cards=cards))
    answer.headers["Cache-Control"] = "private, no-store"
    answer.headers["X-Robots-Tag"] = "noindex"
    return answer
