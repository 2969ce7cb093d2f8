"""Bringing products in from a file: choose it, match its columns, check, bring in, take back."""

from __future__ import annotations

from contextlib import closing
from typing import Any
from uuid import UUID

from flask import Response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from app.db.engine import db
from app.domain.catalog.importing import (
    FileFormat,
    ImportFileRefused,
    preview_catalogue,
    read_catalogue,
)
from app.domain.catalog.importing.limits import BUNDLE_BYTES, FILE_BYTES
from app.domain.catalog.importing.pictures import picture_counts, refused_pictures
from app.domain.catalog.importing.records import (
    CatalogueImport,
    ImportStatus,
    get_import,
    keep_upload,
    past_imports,
    refused_facts,
    upload_of,
)
from app.domain.catalog.importing.refused import refused_sheet
from app.domain.catalog.importing.running import AT_ONCE, begin_import, go_on
from app.domain.catalog.importing.sheet import FIELDS
from app.domain.catalog.importing.undoing import begin_to_take_back, can_take_back, outcomes
from app.domain.errors import NotFound
from app.i18n import gettext as _
from app.i18n import gettext_lazy
from app.web.auth import require_staff
from app.web.backoffice.shell import actor, desk, toast, trouble

bp = desk("office_import", __name__, "/dash/<store>/import")

SHOWN = 100
POLL_SECONDS = 2
# A small file is in before the answer to the tap; a large one goes on in a worker.
AT_ONCE_SECONDS = 3.0
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
FORMAT_WORDS = {
    FileFormat.SHOPIFY: "Shopify",
    FileFormat.WOOCOMMERCE: "WooCommerce",
    FileFormat.DUKANI: "Dukani",
}


@bp.url_value_preprocessor
def _allow_larger_files(endpoint: str | None, values: dict[str, Any] | None) -> None:
    # Before anything reads the form; every other page keeps the small limit.
    if endpoint == f"{bp.name}.upload":
        request.max_content_length = BUNDLE_BYTES + 64 * 1024
        # The parser holds a chunk of the file and what is left of the one before, and counts both.
        request.max_form_memory_size = 256 * 1024


@bp.get("/")
@require_staff("products.change")
def show() -> ResponseReturnValue:
    """Choose a file; the last ones that were brought in."""
    return render_template(
        "backoffice/import.html", past=past_imports(db.session()), megabytes=FILE_BYTES // 2**20
    )


@bp.post("/")
@require_staff("products.change")
def upload() -> ResponseReturnValue:
    """Take the file and keep it for a day. Nothing in the store changes."""
    sent = request.files.get("file")
    if sent is None or not sent.filename:
        trouble(_("Choose a file first."))
        return redirect(url_for(".show"), code=303)
    with closing(sent):
        data = sent.stream.read(BUNDLE_BYTES + 1)
    name = sent.filename.replace("\\", "/").rpartition("/")[2][:120]
    try:
        preview_catalogue(data, name)
    except ImportFileRefused as refused:
        trouble(str(refused))
        return redirect(url_for(".show"), code=303)
    kept = keep_upload(db.session(), name, data, actor=actor())
    db.session.commit()
    return redirect(url_for(".check", import_id=kept.id), code=303)


@bp.get("/<uuid:import_id>/check")
@require_staff("products.change")
def check(import_id: UUID) -> ResponseReturnValue:
    """Which column is which, and what every row would become. Changes nothing."""
    kept = get_import(db.session(), import_id)
    if kept.status is not ImportStatus.UPLOADED:
        return redirect(url_for(".result", import_id=import_id), code=303)
    data = upload_of(db.session(), kept)
    mapping = _chosen_mapping()
    preview = preview_catalogue(data, kept.filename)
    file = read_catalogue(data, kept.filename, mapping)
    return render_template(
        "backoffice/import_check.html",
        kept=kept,
        preview=preview,
        is_sheet=preview.format is FileFormat.SHEET or bool(mapping),
        format_name=FORMAT_WORDS.get(preview.format, ""),
        mapping=mapping or preview.mapping,
        chosen_query={f"col:{column}": field for field, column in (mapping or {}).items()},
        fields=FIELD_WORDS,
        file=file,
        first=file.drafts[0] if file.drafts else None,
        shown=SHOWN,
    )


@bp.post("/<uuid:import_id>/check")
@require_staff("products.change")
def bring_in(import_id: UUID) -> ResponseReturnValue:
    """Begin. A small file is in at once; a large one is a worker's, and this page shows how far."""
    kept = begin_import(
        db.session(),
        import_id,
        mapping=_chosen_mapping(),
        uncounted_stock=_units("uncounted_stock"),
        actor=actor(),
    )
    is_small = kept.total <= AT_ONCE
    db.session.commit()
    where = url_for(".result", import_id=import_id)
    if is_small:
        go_on(db.session(), import_id, seconds=AT_ONCE_SECONDS)
    return redirect(where, code=303)


@bp.get("/<uuid:import_id>")
@require_staff("products.change")
def result(import_id: UUID) -> ResponseReturnValue:
    """How far it is, or what came in, what did not, and why."""
    kept = get_import(db.session(), import_id)
    if kept.status is ImportStatus.UPLOADED:
        return redirect(url_for(".check", import_id=import_id), code=303)
    template = "import_progress.html" if kept.is_busy else "import_result.html"
    return render_template(f"backoffice/{template}", **_about(kept), shown=SHOWN)


@bp.get("/<uuid:import_id>/progress")
@require_staff("products.change")
def progress(import_id: UUID) -> ResponseReturnValue:
    """The bar alone, asked for every two seconds; when it is full the page is shown anew."""
    kept = get_import(db.session(), import_id)
    response = Response(render_template("backoffice/_import_progress.html", **_about(kept)))
    if not kept.is_busy:
        response.headers["HX-Redirect"] = url_for(".result", import_id=import_id)
    return response


@bp.post("/<uuid:import_id>/undo")
@require_staff("products.change")
def undo(import_id: UUID) -> ResponseReturnValue:
    """Take the whole import back; a worker does it."""
    begin_to_take_back(db.session(), import_id, actor=actor())
    db.session.commit()
    toast(_("The import is being taken back."))
    return redirect(url_for(".result", import_id=import_id), code=303)


@bp.get("/<uuid:import_id>/refused.csv")
@require_staff("products.change")
def refused_rows(import_id: UUID) -> ResponseReturnValue:
    """The rows that stayed out, as they were sent, to correct and send again."""
    kept = get_import(db.session(), import_id)
    if kept.status is ImportStatus.UPLOADED:
        mapping = _chosen_mapping()
        file = read_catalogue(upload_of(db.session(), kept), kept.filename, mapping)
        facts = [refused_facts(row) for row in file.report.refused]
    else:
        facts = kept.report.get("refused", [])
    body = refused_sheet(db.session(), kept, facts)
    name = f"not-brought-in-{kept.at:%Y-%m-%d}.csv"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(body, mimetype="text/csv", headers=headers)


def _about(kept: CatalogueImport) -> dict[str, Any]:
    session = db.session()
    return {
        "done": kept,
        "fields": FIELD_WORDS,
        "pictures": picture_counts(session, kept.id),
        "refused_photos": refused_pictures(session, kept.id, limit=20),
        "poll_seconds": POLL_SECONDS,
        "can_take_back": can_take_back(session, kept),
        "taken_back": outcomes(session, kept.id),
    }


def _units(name: str) -> int:
    typed = request.form.get(name, "").strip()
    return int(typed) if typed.isascii() and typed.isdigit() and len(typed) <= 4 else 0


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
