"""A draft as shoppers would see it, for whoever holds a short link from the desk."""

from __future__ import annotations

from flask import Blueprint, abort, g, make_response, render_template
from flask.typing import ResponseReturnValue

from app.db.engine import db
from app.db.tenancy import bound_store
from app.domain.catalog.models import Product
from app.domain.catalog.queries import product_page
from app.web.previews import read_preview
from app.web.storefront.browse import product_context
from app.web.tenancy import open_store

bp = Blueprint("previews", __name__)
bp.before_request(open_store)


@bp.get("/preview/<token>")
def show(token: str) -> ResponseReturnValue:
    """One product, on sale or not. Nothing keeps this page, and no search engine lists it."""
    product_id = read_preview(token, store_id=g.store.id)
    product = db.session.get(Product, (bound_store(), product_id)) if product_id else None
    if product is None:
        abort(404)
    page = product_page(db.session(), product.slug, with_drafts=True)
    answer = make_response(
        render_template(
            "storefront/product.html",
            **product_context(page),
            is_preview=True,
        )
    )
    answer.headers["Cache-Control"] = "private, no-store"
    answer.headers["X-Robots-Tag"] = "noindex, nofollow"
    return answer
