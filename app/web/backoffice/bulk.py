"""Changing many products at once: choose what, see before and after, apply, undo."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from flask import redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from app.db.engine import db
from app.domain.catalog.bulk import FIELDS, ROUNDINGS, BulkChange, Preview, apply_bulk, preview
from app.domain.catalog.grid import GridAsked, matching_ids, shelves
from app.domain.errors import FieldProblem
from app.i18n import gettext as _
from app.i18n import ngettext
from app.money import InvalidAmount, format_kes, parse_kes
from app.web.auth import require_staff
from app.web.backoffice.shell import actor, desk, toast, trouble

bp = desk("office_bulk", __name__, "/dash/<store>/products/bulk")

SHOWN = 200
MOST_PICKED = 500


@dataclass(frozen=True)
class Picked:
    """Which products: those ticked, or all that the list's filters match."""

    ids: list[UUID]
    asked: GridAsked
    is_all: bool

    @property
    def as_fields(self) -> list[tuple[str, str]]:
        """Hidden fields that say the same again."""
        kept = list(self.asked.as_values(page=None).items())
        if self.is_all:
            return [*kept, ("all", "yes")]
        return [*kept, *(("id", str(each)) for each in self.ids)]


@bp.post("/")
@require_staff("products.change")
def choose() -> ResponseReturnValue:
    """What shall become of the picked products."""
    picked = _picked()
    if not picked.ids:
        trouble(_("Pick at least one product first."))
        return _to_list(picked)
    return _page(picked)


@bp.post("/preview")
@require_staff("products.change")
def show() -> ResponseReturnValue:
    """Before and after, of every one; nothing is changed."""
    picked = _picked()
    try:
        change = _wanted()
        return _page(picked, change=change, shown=preview(db.session(), picked.ids, change))
    except (InvalidAmount, FieldProblem) as problem:
        return _page(picked, why=str(problem)), 422


@bp.post("/apply")
@require_staff("products.change")
def apply() -> ResponseReturnValue:
    """All of what was shown, in one transaction; or, if something moved meanwhile, a new preview."""
    session: Session = db.session()
    picked = _picked()
    try:
        change = _wanted()
    except (InvalidAmount, FieldProblem) as problem:
        return _page(picked, why=str(problem)), 422
    try:
        done = apply_bulk(
            session, picked.ids, change, actor=actor(), digest=request.form.get("digest", "")
        )
    except FieldProblem as problem:
        session.rollback()
        return _shown_anew(picked, change, str(problem)), 422
    session.commit()
    if done is None:
        toast(_("Nothing to change: they are like that already."))
    else:
        count = len(done.after["values"])
        toast(
            ngettext("%(n)s changed.", "%(n)s changed.", count, n=count),
            undo=url_for("office_changes.undo", change_id=done.id),
        )
    return _to_list(picked)


def _shown_anew(picked: Picked, change: BulkChange, why: str) -> str:
    """What would change as things stand now, with the reason why nothing was changed."""
    try:
        shown = preview(db.session(), picked.ids, change)
    except FieldProblem:
        return _page(picked, why=why)
    return _page(picked, change=change, shown=shown, why=why)


def _picked() -> Picked:
    asked = GridAsked.read(request.form)
    if request.form.get("all") == "yes":
        return Picked(matching_ids(db.session(), asked), asked, is_all=True)
    ids = [found for text in request.form.getlist("id")[:MOST_PICKED] if (found := _uuid(text))]
    return Picked(ids, asked, is_all=False)


def _wanted() -> BulkChange:
    """The change the form asks for. Raises InvalidAmount and FieldProblem."""
    wanted = request.form.get("field", "")
    found = next((each for each in FIELDS if each == wanted), None)
    if found is None:
        raise FieldProblem("field", _("Choose what to change."))
    if found != "price":
        return BulkChange(field=found, value=request.form.get(f"new_{found}", "")[:60])
    sign = -1 if request.form.get("direction") == "down" else 1
    rounding = request.form.get("rounding", "1")
    typed = request.form.get("amount", "").strip()
    step = int(rounding) if rounding in map(str, ROUNDINGS) else 0
    if request.form.get("unit") == "kes":
        return BulkChange(field="price", cents=sign * parse_kes(typed), rounding=step)
    digits = typed.rstrip("% ")
    if not (digits.isascii() and digits.isdigit() and len(digits) <= 3):
        raise FieldProblem("amount", _("Write by how much, like 10."))
    return BulkChange(field="price", percent=sign * int(digits), rounding=step)


def _page(
    picked: Picked,
    *,
    change: BulkChange | None = None,
    shown: Preview | None = None,
    why: str = "",
) -> str:
    categories = shelves(db.session())
    return render_template(
        "backoffice/bulk.html",
        picked=picked,
        change=change,
        shown=shown,
        most=SHOWN,
        why=why,
        shelves=categories,
        words=_words_for(change, {str(c.id): c.name for c in categories}),
        typed=request.form,
        roundings=ROUNDINGS,
    )


def _words_for(change: BulkChange | None, names: dict[str, str]) -> Any:
    """How a value of this change reads."""
    statuses = {"active": _("Shown"), "draft": _("Draft"), "archived": _("Archived")}
    vat = {"standard": _("16 %"), "zero": _("Zero-rated"), "exempt": _("Exempt")}

    def words(value: Any) -> str:
        match change.field if change else "":
            case "price":
                return format_kes(value[0])
            case "category":
                return names.get(value, "–")
            case "status":
                return statuses[value]
            case "vat_class":
                return vat[value]
        return str(value)

    return words


def _to_list(picked: Picked) -> ResponseReturnValue:
    values: dict[str, Any] = picked.asked.as_values()
    return redirect(url_for("office_products.show", **values), code=303)


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
