"""Stock: what runs low, one thing's movements and numbered units, and counting a shelf."""

from __future__ import annotations

from uuid import UUID

from flask import abort, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from app.db.engine import db
from app.domain.catalog.grid import shelves
from app.domain.catalog.models import Variant
from app.domain.catalog.saving import FieldProblems
from app.domain.catalog.shelf import (
    COUNTED_AT_ONCE,
    breaks_last_night,
    get_variant_on_shelf,
    low_stock,
    movements_of,
    serials_of,
    to_count,
)
from app.domain.catalog.stocktaking import Counted, adjust_stock, count_stock
from app.domain.catalog.waiting import waiting_for, waits_of
from app.domain.changes.actions import latest_change
from app.domain.errors import FieldProblem
from app.i18n import gettext as _
from app.i18n import gettext_lazy, ngettext
from app.web.auth import require_staff
from app.web.backoffice.shell import actor, desk, toast
from app.web.forms import field

bp = desk("office_stock", __name__, "/dash/<store>/stock")

NO_SHELF = "-"
REASON_WORDS = {
    "received": gettext_lazy("Received"),
    "sale": gettext_lazy("Sold"),
    "return": gettext_lazy("Came back"),
    "count": gettext_lazy("Counted"),
    "damage": gettext_lazy("Damaged or lost"),
    "transfer": gettext_lazy("Moved elsewhere"),
    "import": gettext_lazy("From a file"),
}
# What a person may choose, and which way the number then goes.
CHOICES = (
    ("received", gettext_lazy("Received from a supplier"), 1),
    ("return", gettext_lazy("Came back from a customer"), 1),
    ("damage", gettext_lazy("Damaged or lost"), -1),
    ("transfer", gettext_lazy("Moved out, to another place"), -1),
    ("transfer-in", gettext_lazy("Moved in, from another place"), 1),
)


@bp.get("/")
@require_staff("products.see")
def show() -> ResponseReturnValue:
    """What is at or below its low mark, and where to count."""
    session: Session = db.session()
    low = low_stock(session)
    return render_template(
        "backoffice/stock.html",
        low=low,
        waiting=waiting_for(session, [variant.id for variant in low]),
        shelves=shelves(session),
        breaks=breaks_last_night(session),
        no_shelf=NO_SHELF,
    )


@bp.get("/variants/<uuid:variant_id>")
@require_staff("products.see")
def variant(variant_id: UUID) -> ResponseReturnValue:
    """One way to buy one product: its movements, its numbered units, who waits for it."""
    return _page(_variant(variant_id))


@bp.post("/variants/<uuid:variant_id>")
@require_staff("products.change")
def adjust(variant_id: UUID) -> ResponseReturnValue:
    """Add to the shelf or take from it, with the reason."""
    session: Session = db.session()
    try:
        chosen = next((c for c in CHOICES if c[0] == request.form.get("reason")), None)
        if chosen is None:
            raise FieldProblem("reason", _("Choose why the stock changes."))
        changed = adjust_stock(
            session,
            variant_id,
            chosen[2] * _quantity(),
            chosen[0].removesuffix("-in"),
            actor=actor(),
            note=field("note", most=201),
            serials=field("serials", most=20_000).splitlines(),
        )
    except FieldProblem as problem:
        session.rollback()
        return _page(_variant(variant_id), wrong={problem.field: str(problem)}), 422
    session.commit()
    toast(_("%(n)s on the shelf now.", n=changed.on_hand))
    return redirect(url_for(".variant", variant_id=variant_id), code=303)


@bp.get("/count/<shelf>")
@require_staff("products.change")
def count(shelf: str) -> ResponseReturnValue:
    """A shelf to count: what is on it, with a field for what is really there."""
    return _count_page(shelf)


@bp.post("/count/<shelf>")
@require_staff("products.change")
def save_count(shelf: str) -> ResponseReturnValue:
    """First the differences; with these agreed, the movements that put them right."""
    typed = {name[2:]: request.form[name].strip() for name in request.form if name[:2] == "c-"}
    counts, wrong = _counts(typed)
    if wrong:
        return _count_page(shelf, typed=typed, wrong=wrong), 422
    if request.form.get("do") != "apply":
        return _count_page(shelf, typed=typed, counts=counts)
    session: Session = db.session()
    try:
        change = count_stock(session, counts, actor=actor())
    except FieldProblems as problems:
        session.rollback()
        return _count_page(shelf, typed=typed, counts=counts, wrong=problems.problems), 422
    session.commit()
    if change is None:
        toast(_("Everything agrees. Nothing was changed."))
    else:
        n = len(change.after)
        toast(
            ngettext("%(n)s difference put right.", "%(n)s differences put right.", n),
            undo=url_for("office_changes.undo", change_id=change.id),
        )
    return redirect(url_for(".show"), code=303)


def _page(shown: Variant, *, wrong: dict[str, str] | None = None) -> str:
    session: Session = db.session()
    return render_template(
        "backoffice/stock_variant.html",
        variant=shown,
        product=shown.product,
        movements=movements_of(session, shown.id),
        serials=serials_of(session, shown.id),
        waits=waits_of(session, [shown.id]),
        reasons=REASON_WORDS,
        choices=CHOICES,
        wrong=wrong or {},
        typed=request.form,
    )


def _count_page(
    shelf: str,
    *,
    typed: dict[str, str] | None = None,
    counts: dict[UUID, Counted] | None = None,
    wrong: dict[str, str] | None = None,
) -> str:
    session: Session = db.session()
    slug = "" if shelf == NO_SHELF else shelf
    known = next((each for each in shelves(session) if each.slug == slug), None)
    if slug and known is None:
        abort(404)
    differences = {key: c for key, c in (counts or {}).items() if c.counted != c.seen}
    return render_template(
        "backoffice/stock_count.html",
        shelf=shelf,
        title=known.name if known else _("Without a category"),
        variants=to_count(session, slug),
        typed=typed or {},
        seen={name[2:]: text for name, text in request.form.items() if name[:2] == "s-"},
        is_counted=counts is not None,
        differences=differences,
        wrong=wrong or {},
        most=COUNTED_AT_ONCE,
        last_change=latest_change(session, "stock", subject="count"),
    )


def _counts(typed: dict[str, str]) -> tuple[dict[UUID, Counted], dict[str, str]]:
    """What was counted, by variant, leaving out what was left empty; and what cannot be read."""
    counts: dict[UUID, Counted] = {}
    wrong: dict[str, str] = {}
    for key, text in typed.items():
        seen = request.form.get(f"s-{key}", "")
        if not text:
            continue
        if not (_is_number(text) and _is_number(seen)):
            wrong[key] = _("A number from 0 to 1,000,000.")
            continue
        try:
            counts[UUID(key)] = Counted(seen=int(seen), counted=int(text))
        except ValueError:
            abort(404)
    return counts, wrong


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 7


def _quantity() -> int:
    typed = request.form.get("quantity", "").strip()
    if not _is_number(typed):
        raise FieldProblem("quantity", _("Write how many, like 5."))
    return int(typed)


def _variant(variant_id: UUID) -> Variant:
    found = get_variant_on_shelf(db.session(), variant_id)
    if found is None:
        abort(404)
    return found
