"""The goods as a grid: found, filtered and sorted, every figure edited in place."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

from flask import redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from app.db.engine import db
from app.domain.catalog.cells import change_product_cell, change_variant_cell
from app.domain.catalog.editing import change_price, get_variant_to_edit, set_stock
from app.domain.catalog.grid import GridAsked, grid_counts, grid_page, shelves
from app.domain.catalog.models import Product, Variant
from app.domain.catalog.saving import get_product_to_edit
from app.domain.changes.models import Change
from app.domain.errors import FieldProblem
from app.i18n import gettext as _
from app.money import InvalidAmount, format_kes, parse_kes
from app.web.auth import require_staff
from app.web.backoffice.product_rows import rows_for
from app.web.backoffice.shell import actor, desk, toast, trouble
from app.web.forms import cents_field, field
from app.web.htmx import fragment, wants_fragment

bp = desk("office_products", __name__, "/dash/<store>/products")

KEPT = ("q", "category", "status", "show", "sort", "page")


@bp.get("/")
@require_staff("products.see")
def show() -> ResponseReturnValue:
    """A page of products with every way to buy them. Anything odd in the address is left out."""
    asked = GridAsked.read(request.args)
    session: Session = db.session()
    page, categories = grid_page(session, asked), shelves(session)
    return render_template(
        "backoffice/products.html",
        asked=asked,
        page=page,
        row=rows_for(page.products, asked, categories),
        counts=grid_counts(session),
        shelves=categories,
    )


@bp.post("/variants/<uuid:variant_id>/price")
@require_staff("products.change")
def price(variant_id: UUID) -> ResponseReturnValue:
    """Set one price, in whole shillings."""

    def change(session: Session) -> None:
        variant = get_variant_to_edit(session, variant_id)
        before = variant.price_cents
        wanted = parse_kes(request.form.get("price", ""))
        if change_price(session, variant, wanted, actor=actor(), seen_cents=cents_field("seen")):
            _say(
                _("%(name)s costs %(price)s now.", name=_name(variant), price=format_kes(wanted)),
                undo=url_for(".price", variant_id=variant_id),
                fields={"price": str(before // 100), "seen": str(wanted)},
            )

    return _edit("price", change, variant_id=variant_id)


@bp.post("/variants/<uuid:variant_id>/stock")
@require_staff("products.change")
def stock(variant_id: UUID) -> ResponseReturnValue:
    """Say how many were counted of one thing."""

    def change(session: Session) -> None:
        variant = get_variant_to_edit(session, variant_id)
        before = variant.on_hand
        counted = _number("stock", _("Stock is a number from 0 to 1,000,000."))
        if set_stock(session, variant, counted, actor=actor()):
            _say(
                _("%(name)s: %(n)s on the shelf.", name=_name(variant), n=variant.on_hand),
                undo=url_for(".stock", variant_id=variant_id),
                fields={"stock": str(before)},
            )

    return _edit("stock", change, variant_id=variant_id)


@bp.post("/variants/<uuid:variant_id>/compare")
@require_staff("products.change")
def compare(variant_id: UUID) -> ResponseReturnValue:
    """Set or remove one crossed-out price."""
    return _edit_variant(variant_id, "compare", "compare_at_cents", lambda: _cents("compare"))


@bp.post("/variants/<uuid:variant_id>/cost")
@require_staff("products.change")
def cost(variant_id: UUID) -> ResponseReturnValue:
    """Set or remove what one costs the shop."""
    return _edit_variant(variant_id, "cost", "cost_cents", lambda: _cents("cost"))


@bp.post("/variants/<uuid:variant_id>/low")
@require_staff("products.change")
def low(variant_id: UUID) -> ResponseReturnValue:
    """Set from how few on it is said to run low."""
    wrong = _("A number from 0 up.")
    return _edit_variant(variant_id, "low", "low_mark", lambda: _number("low", wrong))


@bp.post("/<uuid:product_id>/name")
@require_staff("products.change")
def name(product_id: UUID) -> ResponseReturnValue:
    return _edit_product(product_id, "name", "name")


@bp.post("/<uuid:product_id>/status")
@require_staff("products.change")
def status(product_id: UUID) -> ResponseReturnValue:
    return _edit_product(product_id, "status", "status")


@bp.post("/<uuid:product_id>/category")
@require_staff("products.change")
def category(product_id: UUID) -> ResponseReturnValue:
    return _edit_product(product_id, "category", "category_id")


def _edit_variant(
    variant_id: UUID, cell: str, column: str, read: Callable[[], int | None]
) -> ResponseReturnValue:
    def change(session: Session) -> None:
        variant = get_variant_to_edit(session, variant_id)
        done = change_variant_cell(
            session, variant, column, read(), actor=actor(), seen=cents_field("seen")
        )
        _say_undo(done, _name(variant))

    return _edit(cell, change, variant_id=variant_id)


def _edit_product(product_id: UUID, cell: str, column: str) -> ResponseReturnValue:
    def change(session: Session) -> None:
        product = get_product_to_edit(session, product_id)
        done = change_product_cell(
            session,
            product,
            column,
            field("name" if cell == "name" else f"new_{cell}", most=201),
            actor=actor(),
            seen=request.form.get("seen", ""),
        )
        _say_undo(done, product.name)

    return _edit(cell, change, product_id=product_id)


def _edit(
    cell: str,
    change: Callable[[Session], None],
    *,
    variant_id: UUID | None = None,
    product_id: UUID | None = None,
) -> ResponseReturnValue:
    """Change one cell and answer with its row, or with the page it came from."""
    session: Session = db.session()
    why = ""
    try:
        change(session)
        session.commit()
    except (InvalidAmount, FieldProblem) as problem:
        session.rollback()
        why = str(problem)
    if not wants_fragment():
        if why:
            trouble(why)
        return _back(variant_id or product_id)
    product, variant = _row(session, variant_id, product_id)
    return fragment(
        "backoffice/_product_row.html",
        status=422 if why else 200,
        product=product,
        variant=variant,
        is_first=variant is _offered(product)[0],
        row=rows_for([product], GridAsked.read(request.form), shelves(session)),
        wrong={"cell": cell, "why": why, "typed": request.form.get(cell, "")} if why else None,
        saved="" if why else cell,
        is_answer=True,
    )


def _row(
    session: Session, variant_id: UUID | None, product_id: UUID | None
) -> tuple[Product, Variant]:
    """The row that a change of a variant, or of a product, is seen in."""
    if variant_id is not None:
        variant = get_variant_to_edit(session, variant_id)
        return variant.product, variant
    assert product_id is not None
    product = get_product_to_edit(session, product_id)
    return product, _offered(product)[0]


def _offered(product: Product) -> list[Variant]:
    return [v for v in product.variants if v.is_active] or product.variants[:1]


def _say(words: str, *, undo: str, fields: dict[str, str]) -> None:
    toast(words, undo=undo, fields=fields)


def _say_undo(change: Change | None, what: str) -> None:
    if change is not None:
        toast(
            _("%(name)s is saved.", name=what),
            undo=url_for("office_changes.undo", change_id=change.id),
        )


def _name(variant: Variant) -> str:
    return variant.product.name


def _cents(name: str) -> int | None:
    """A typed amount in cents, None for an empty field. Raises InvalidAmount."""
    typed = request.form.get(name, "").strip()
    return parse_kes(typed) if typed else None


def _number(name: str, wrong: str) -> int:
    typed = request.form.get(name, "").strip()
    if not (typed.isascii() and typed.isdigit() and len(typed) <= 7):
        raise FieldProblem(name, wrong)
    return int(typed)


def _back(row_id: UUID | None) -> ResponseReturnValue:
    """The same page of the same list, at the row that was edited."""
    kept = {name: request.form.get(name, "")[:100] for name in KEPT}
    known: dict[str, Any] = {name: value for name, value in kept.items() if value}
    return redirect(url_for(".show", **known, _anchor=f"v{row_id}"), code=303)
