"""The goods as a list: name, price, stock, both edited in place."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy import or_, select
from sqlalchemy.orm import selectinload

from app.db.engine import db
from app.db.tenancy import bound_store
from app.domain.catalog.editing import change_price, get_variant_to_edit, set_stock
from app.domain.catalog.models import Product, Variant
from app.domain.catalog.queries import escape_like
from app.domain.errors import FieldProblem
from app.i18n import gettext as _
from app.money import InvalidAmount, format_kes, parse_kes
from app.web.auth import require_staff
from app.web.backoffice.shell import actor, desk, toast, trouble
from app.web.forms import cents_field

bp = desk("office_products", __name__, "/dash/<store>/products")

PER_PAGE = 60
MAX_PAGE = 1000


@bp.get("/")
@require_staff("products.see")
def show() -> ResponseReturnValue:
    """Products by name, a page at a time; ``q`` finds by name, brand or SKU."""
    typed = request.args.get("q", "").strip()[:80]
    page = _page(request.args.get("page", "1"))
    query = select(Product).where(Product.store_id == bound_store(), Product.status != "archived")
    if typed:
        like = f"%{escape_like(typed)}%"
        by_sku = select(Variant.product_id).where(
            Variant.store_id == bound_store(), Variant.sku.ilike(like)
        )
        query = query.where(
            or_(Product.name.ilike(like), Product.brand.ilike(like), Product.id.in_(by_sku))
        )
    found = db.session.scalars(
        query.options(selectinload(Product.variants), selectinload(Product.images))
        .order_by(Product.name, Product.id)
        .offset((page - 1) * PER_PAGE)
        .limit(PER_PAGE + 1)
    ).all()
    return render_template(
        "backoffice/products.html",
        products=found[:PER_PAGE],
        typed=typed,
        page=page,
        has_more=len(found) > PER_PAGE,
    )


@bp.post("/variants/<uuid:variant_id>/price")
@require_staff("products.change")
def price(variant_id: UUID) -> ResponseReturnValue:
    variant = get_variant_to_edit(db.session(), variant_id)
    before = variant.price_cents
    try:
        wanted = parse_kes(request.form.get("price", ""))
        is_new = change_price(
            db.session(), variant, wanted, actor=actor(), seen_cents=cents_field("seen")
        )
    except (InvalidAmount, FieldProblem) as problem:
        return _not_saved(str(problem), variant_id)
    db.session.commit()
    if is_new:
        toast(
            _("%(name)s costs %(price)s now.", name=variant.product.name, price=format_kes(wanted)),
            undo=url_for(".price", variant_id=variant_id),
            fields={"price": str(before // 100), "seen": str(wanted)},
        )
    return _back(variant_id)


@bp.post("/variants/<uuid:variant_id>/stock")
@require_staff("products.change")
def stock(variant_id: UUID) -> ResponseReturnValue:
    variant = get_variant_to_edit(db.session(), variant_id)
    typed = request.form.get("stock", "").strip()
    if not (typed.isascii() and typed.isdigit() and len(typed) <= 7):
        return _not_saved(_("Stock is a number from 0 to 1,000,000."), variant_id)
    before = variant.on_hand
    try:
        is_new = set_stock(db.session(), variant, int(typed), actor=actor())
    except FieldProblem as problem:
        return _not_saved(str(problem), variant_id)
    db.session.commit()
    if is_new:
        toast(
            _("%(name)s: %(n)s on the shelf.", name=variant.product.name, n=variant.on_hand),
            undo=url_for(".stock", variant_id=variant_id),
            fields={"stock": str(before)},
        )
    return _back(variant_id)


def _not_saved(why: str, variant_id: UUID) -> ResponseReturnValue:
    db.session.rollback()
    trouble(why)
    return _back(variant_id)


def _back(variant_id: UUID) -> ResponseReturnValue:
    """The same page of the same list, at the row that was edited."""
    kept = {"q": request.form.get("q", "")[:80], "page": request.form.get("page", "")}
    known: dict[str, Any] = {name: value for name, value in kept.items() if value}
    return redirect(url_for(".show", **known, _anchor=f"v{variant_id}"), code=303)


def _page(text: str) -> int:
    is_number = text.isascii() and text.isdigit() and len(text) <= 4
    return min(max(1, int(text)), MAX_PAGE) if is_number else 1
