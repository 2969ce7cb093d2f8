"""The store's categories as a tree, and the ready sets that fill it."""

from __future__ import annotations

from collections import Counter
from uuid import UUID

from flask import redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.db.engine import db
from app.db.tenancy import bound_store
from app.domain.catalog.grid import shelves
from app.domain.catalog.kinds import KINDS, UnknownKind, apply_kind, attributes_of, ready_set
from app.domain.catalog.models import Product
from app.domain.catalog.renaming import rename_category
from app.domain.errors import FieldProblem
from app.i18n import gettext as _
from app.i18n import ngettext
from app.web.auth import require_staff
from app.web.backoffice.shell import actor, desk, toast, trouble

bp = desk("office_categories", __name__, "/dash/<store>/categories")


@bp.get("/")
@require_staff("products.change")
def show() -> ResponseReturnValue:
    """Every category, with what it asks of its goods and how many it has."""
    session: Session = db.session()
    found = shelves(session)
    return render_template(
        "backoffice/categories.html",
        shelves=found,
        counts=_counts(session),
        asked={shelf.id: attributes_of(shelf) for shelf in found},
        kinds=[ready_set(kind) for kind in KINDS],
    )


@bp.post("/kind")
@require_staff("products.change")
def apply() -> ResponseReturnValue:
    """Add the ready categories of a kind of shop. What is there already stays as it is."""
    session: Session = db.session()
    try:
        done = apply_kind(session, request.form.get("kind", ""), actor=actor())
    except UnknownKind:
        trouble(_("Choose a kind of shop."))
        return redirect(url_for(".show"), code=303)
    session.commit()
    n = len(done.made)
    toast(
        ngettext("%(n)s category added.", "%(n)s categories added.", n)
        if n
        else _("You have all of these already.")
    )
    return redirect(url_for(".show"), code=303)


@bp.post("/<uuid:category_id>/name")
@require_staff("products.change")
def rename(category_id: UUID) -> ResponseReturnValue:
    """Another name and address for one category; the old address leads to the new one."""
    session: Session = db.session()
    name, slug = request.form.get("name", ""), request.form.get("slug", "")
    try:
        change = rename_category(session, category_id, name=name, slug=slug, actor=actor())
    except FieldProblem as problem:
        session.rollback()
        trouble(str(problem))
        return redirect(url_for(".show"), code=303)
    session.commit()
    if change is not None:
        toast(
            _("%(name)s is saved.", name=change.after["name"]),
            undo=url_for("office_changes.undo", change_id=change.id),
        )
    return redirect(url_for(".show"), code=303)


def _counts(session: Session) -> Counter[UUID]:
    """Products per category, archived ones left out."""
    rows = session.execute(
        select(Product.category_id, func.count())
        .where(Product.store_id == bound_store(), Product.status != "archived")
        .group_by(Product.category_id)
    )
    return Counter({row[0]: row[1] for row in rows if row[0] is not None})
