"""Taking things out: the catalogue as a sheet, and everything a shop owns in one ZIP."""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast
from uuid import UUID

from flask import Flask, Response, current_app, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from app.clock import NAIROBI, utcnow
from app.db.engine import db
from app.db.tenancy import bound_store, inside_store
from app.domain.catalog.exporting.records import get_export, part_of, past_exports
from app.domain.catalog.exporting.running import begin_export
from app.domain.catalog.exporting.sheet import as_csv, as_xlsx
from app.domain.errors import NotFound
from app.i18n import gettext as _
from app.web.auth import require_staff
from app.web.backoffice.shell import actor, desk, may, toast

bp = desk("office_export", __name__, "/dash/<store>/export")

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
POLL_SECONDS = 3


@bp.get("/")
@require_staff("products.change")
def show() -> ResponseReturnValue:
    """The sheets to download, and the exports of everything that were made."""
    past = past_exports(db.session()) if may("export.make") else []
    return render_template(
        "backoffice/export.html",
        past=past,
        is_waiting=any(export.status == "waiting" for export in past),
        poll_seconds=POLL_SECONDS,
    )


@bp.get("/list")
@require_staff("export.make")
def exports_part() -> ResponseReturnValue:
    """The list of exports alone, asked for while one is being made."""
    past = past_exports(db.session())
    return render_template(
        "backoffice/_exports.html",
        past=past,
        is_waiting=any(export.status == "waiting" for export in past),
        poll_seconds=POLL_SECONDS,
    )


@bp.get("/products.csv")
@require_staff("products.change")
def products_csv() -> ResponseReturnValue:
    """Every product as CSV. Change it in a spreadsheet and bring it in again."""
    body = b"".join(as_csv(db.session()))
    return _file(body, "csv", "text/csv; charset=utf-8")


@bp.get("/products.xlsx")
@require_staff("products.change")
def products_xlsx() -> ResponseReturnValue:
    """The same as an Excel file."""
    return _file(as_xlsx(db.session()), "xlsx", XLSX)


@bp.post("/")
@require_staff("export.make")
def begin() -> ResponseReturnValue:
    """Ask for everything in one ZIP. Whole phone numbers only for whoever may see them."""
    begin_export(
        db.session(),
        with_phones=request.form.get("phones") == "yes" and may("phones.reveal"),
        with_pictures=request.form.get("pictures") != "no",
        actor=actor(),
    )
    db.session.commit()
    toast(_("Your export is being made. It appears here when it is ready."))
    return redirect(url_for(".show"), code=303)


@bp.get("/<uuid:export_id>.zip")
@require_staff("export.make")
def download(export_id: UUID) -> ResponseReturnValue:
    """The finished ZIP, sent piece by piece."""
    export = get_export(db.session(), export_id)
    if export.status != "done":
        raise NotFound
    store_id, name = bound_store(), f"dukani-{export.at.astimezone(NAIROBI):%Y-%m-%d}.zip"
    app = cast(Flask, current_app._get_current_object())  # type: ignore[attr-defined]

    def pieces() -> Iterator[bytes]:
        # The request is over when the server asks for the second piece: each has its own context.
        n = 0
        while True:
            with app.app_context(), inside_store(store_id):
                body = part_of(db.session(), export_id, n)
            if body is None:
                return
            yield body
            n += 1

    response = Response(pieces(), mimetype="application/zip")
    response.content_length = export.bytes
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


def _file(body: bytes, ending: str, kind: str) -> Response:
    name = f"products-{utcnow().astimezone(NAIROBI):%Y-%m-%d}.{ending}"
    response = Response(body, content_type=kind)
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return response
