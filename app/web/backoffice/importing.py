"""Bringing products in from a file: choose it, match its columns, check, bring in."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from typing import Any
from uuid import UUID

from flask import Response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy import select

from app.db.engine import db
from app.db.tenancy import bound_store
from app.domain.catalog.importing import (
    FileFormat,
    ImportFileRefused,
    preview_catalogue,
    read_catalogue,
)
from app.domain.catalog.importing.applying import apply_catalogue
from app.domain.catalog.importing.limits import FILE_BYTES
from app.domain.catalog.importing.records import CatalogueImport, keep_report, refused_facts
from app.domain.catalog.importing.sheet import FIELDS
from app.domain.errors import NotFound
from app.i18n import gettext as _
from app.i18n import gettext_lazy
from app.web.auth import require_staff
from app.web.backoffice.parking import forget, park, parked
from app.web.backoffice.shell import actor, desk, trouble

bp = desk("office_import", __name__, "/dash/<store>/import")

AT_ONCE = 400
SHOWN = 100
FIELD_WORDS = {
    "name": gettext_lazy("Name"),
    "price": gettext_lazy("Price, KES"),
    "compare_at": gettext_lazy("Old price, KES"),
    "cost": gettext_lazy("What you paid, KES"),
    "sku": gettext_lazy("Code (SKU)"),
    "stock": gettext_lazy("Stock"),
    "category": gettext_lazy("Category"),
    "description": gettext_lazy("Description"),
    "brand": gettext_lazy("Brand"),
    "barcode": gettext_lazy("Barcode"),
    "image": gettext_lazy("Photo"),
    "tags": gettext_lazy("Tags"),
    "weight": gettext_lazy("Weight"),
    "status": gettext_lazy("On sale or not"),
    "option1": gettext_lazy("Choice 1 (size, colour)"),
    "option2": gettext_lazy("Choice 2"),
    "option3": gettext_lazy("Choice 3"),
}
# A spreadsheet runs a cell that starts with one of these.
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "|", "%")


@bp.url_value_preprocessor
def _allow_larger_files(endpoint: str | None, values: dict[str, Any] | None) -> None:
    # Before anything reads the form; every other page keeps the small limit.
    if endpoint == f"{bp.name}.upload":
        request.max_content_length = FILE_BYTES + 64 * 1024


@bp.get("/")
@require_staff("products.change")
def show() -> ResponseReturnValue:
    """Choose a file; the last ones that were brought in."""
    past = db.session.scalars(
        select(CatalogueImport)
        .where(CatalogueImport.store_id == bound_store())
        .order_by(CatalogueImport.at.desc())
        .limit(10)
    ).all()
    return render_template("backoffice/import.html", past=past, megabytes=FILE_BYTES // 2**20)


@bp.post("/")
@require_staff("products.change")
def upload() -> ResponseReturnValue:
    """Take the file and keep it for an hour. Nothing in the store changes."""
    sent = request.files.get("file")
    if sent is None or not sent.filename:
        trouble(_("Choose a file first."))
        return redirect(url_for(".show"), code=303)
    data = sent.stream.read(FILE_BYTES + 1)
    name = sent.filename.replace("\\", "/").rpartition("/")[2][:120]
    try:
        preview_catalogue(data, name)
    except ImportFileRefused as refused:
        trouble(str(refused))
        return redirect(url_for(".show"), code=303)
    return redirect(url_for(".check", token=park(name, data)), code=303)


@bp.get("/file/<regex32:token>")
@require_staff("products.change")
def check(token: str) -> ResponseReturnValue:
    """Which column is which, and what every row would become. Changes nothing."""
    name, data = parked(token)
    mapping = _chosen_mapping()
    preview = preview_catalogue(data, name)
    file = read_catalogue(data, name, mapping)
    return render_template(
        "backoffice/import_check.html",
        token=token,
        filename=name,
        preview=preview,
        is_sheet=preview.format is FileFormat.SHEET or bool(mapping),
        mapping=mapping or preview.mapping,
        chosen_query={f"col:{column}": field for field, column in (mapping or {}).items()},
        fields=FIELD_WORDS,
        file=file,
        first=file.drafts[0] if file.drafts else None,
        shown=SHOWN,
    )


@bp.post("/file/<regex32:token>")
@require_staff("products.change")
def bring_in(token: str) -> ResponseReturnValue:
    """Put the products in the store, a few hundred per request so that none takes long."""
    name, data = parked(token)
    file = read_catalogue(data, name, _chosen_mapping())
    start = _start(len(file.drafts))
    done = apply_catalogue(db.session(), file, actor=actor(), start=start, limit=AT_ONCE)
    so_far = _so_far(done)
    if done.next_start is not None:
        db.session.commit()
        return render_template(
            "backoffice/import_progress.html",
            token=token,
            filename=name,
            so_far=so_far,
            next_start=done.next_start,
            total=len(file.drafts),
            mapping=_chosen_mapping() or {},
        )
    kept = keep_report(
        db.session(), file, filename=name, actor=actor(), counts=so_far, refused=done.refused
    )
    db.session.commit()
    forget(token)
    return redirect(url_for(".result", import_id=kept.id), code=303)


@bp.get("/<uuid:import_id>")
@require_staff("products.change")
def result(import_id: UUID) -> ResponseReturnValue:
    """What came in, what did not, and why."""
    return render_template(
        "backoffice/import_result.html", done=_get(import_id), fields=FIELD_WORDS, shown=SHOWN
    )


@bp.get("/<uuid:import_id>/refused.csv")
@require_staff("products.change")
def refused_rows(import_id: UUID) -> ResponseReturnValue:
    """The rows that stayed out, to correct and send again."""
    done = _get(import_id)
    return _csv_answer(f"not-brought-in-{done.at:%Y-%m-%d}.csv", done.report.get("refused", []))


@bp.get("/file/<regex32:token>/refused.csv")
@require_staff("products.change")
def refused_in_check(token: str) -> ResponseReturnValue:
    """The rows that would stay out, before anything is brought in."""
    name, data = parked(token)
    file = read_catalogue(data, name, _chosen_mapping())
    return _csv_answer("not-brought-in.csv", [refused_facts(row) for row in file.report.refused])


def safe_cell(text: str) -> str:
    """A cell that no spreadsheet runs as a formula."""
    return f"'{text}" if text.startswith(_FORMULA_STARTS) else text


def _csv_answer(filename: str, rows: Iterable[dict[str, Any]]) -> Response:
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow([_("Row"), _("Column"), _("Value"), _("Why it stayed out")])
    for row in rows:
        cells = (row["row"], row["column"], row["value"], row["sentence"])
        writer.writerow([safe_cell(str(cell)) for cell in cells])
    # Excel reads UTF-8 only behind this mark.
    body = "\N{ZERO WIDTH NO-BREAK SPACE}" + out.getvalue()
    headers = {"Content-Disposition": f'attachment; filename="{filename}"'}
    return Response(body, mimetype="text/csv", headers=headers)


_COUNTED = (
    *("products_created", "products_updated", "products_unchanged", "categories_created"),
    *("variants_created", "variants_updated", "variants_unchanged"),
    *("variants_without_stock", "images_not_fetched"),
)


def _so_far(done: Any) -> dict[str, int]:
    """This part's counts added to those the form carries from the parts before."""
    return {name: getattr(done, name) + _count(name) for name in _COUNTED}


def _count(name: str) -> int:
    typed = request.form.get(name, "")
    return int(typed) if typed.isascii() and typed.isdigit() and len(typed) <= 6 else 0


def _start(most: int) -> int:
    return min(_count("start"), most)


def _chosen_mapping() -> dict[str, str] | None:
    """Field → column, from selects named after the file's columns; None when none is given.

    Each select says what one column is, so a field chosen for two columns is refused.
    """
    chosen: dict[str, str] = {}
    for name, field in (*request.args.items(multi=True), *request.form.items(multi=True)):
        if not name.startswith("col:") or not field:
            continue
        if field not in FIELDS:
            raise NotFound
        if field in chosen:
            raise ImportFileRefused(
                "two_columns",
                _("Two columns are both “%(field)s”. Choose one.", field=FIELD_WORDS[field]),
            )
        chosen[field] = name.removeprefix("col:")
    return chosen or None


def _get(import_id: UUID) -> CatalogueImport:
    found = db.session.get(CatalogueImport, (bound_store(), import_id))
    if found is None:
        raise NotFound
    return found
