"""``bin/manage catalog``: the upload page's work from a terminal, and lists worked out anew."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
from flask.cli import with_appcontext

from app.web.commands.stores import store_id_of

ACTOR = "bin/manage"


@click.group("catalog")
def catalog_group() -> None:
    """A store's goods."""


@catalog_group.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--store", "slug", required=True, help="The store's short name.")
@click.option(
    "--column",
    "columns",
    multiple=True,
    metavar="FIELD=COLUMN",
    help="Says which column is what, where it is not plain: --column price='Bei ya sasa'.",
)
@with_appcontext
def import_file(file: Path, slug: str, columns: tuple[str, ...]) -> None:
    """Bring the products of FILE into a store, and say what became of every row.

    Ends with 1 when the file cannot be read as a catalogue; refused rows alone are no failure.
    Running it again changes nothing.
    """
    from app.db.engine import db
    from app.db.tenancy import inside_store
    from app.domain.catalog.importing import ImportFileRefused
    from app.domain.catalog.importing.records import get_import, keep_upload
    from app.domain.catalog.importing.running import begin_import, go_on

    store_id = store_id_of(slug)
    mapping = _mapping(columns)
    with inside_store(store_id):
        session = db.session()
        try:
            kept = keep_upload(session, file.name, file.read_bytes(), actor=ACTOR)
            import_id = kept.id
            begin_import(session, import_id, mapping=mapping, actor=ACTOR)
        except ImportFileRefused as no:
            session.rollback()
            raise click.ClickException(str(no)) from no
        session.commit()
        while go_on(session, import_id):
            pass
        done = get_import(session, import_id)
        report, counts = done.report, done.counts
    for note in report["notes"]:
        click.echo(f"{_place(note)}: {note['sentence']}")
    for row in report["refused"]:
        where = f" ({row['column']})" if row["column"] else ""
        click.echo(f"row {row['row']}{where}: refused: {row['sentence']}")
    _summary(report, counts)


def _mapping(columns: tuple[str, ...]) -> dict[str, str] | None:
    from app.domain.catalog.importing.sheet import FIELDS

    mapping: dict[str, str] = {}
    for pair in columns:
        field, equals, column = pair.partition("=")
        if not equals or field not in FIELDS:
            fields = ", ".join(FIELDS)
            raise click.BadParameter(f"{pair}: write FIELD=COLUMN; the fields are {fields}")
        mapping[field] = column
    return mapping or None


def _place(note: dict[str, Any]) -> str:
    return f"row {note['row']}" if note["row"] else "file"


def _summary(report: dict[str, Any], n: dict[str, int]) -> None:
    refused = len(report["refused"])
    click.echo(f"{report['rows_read']} rows read, {refused} refused, {report['repeated']} repeated")
    for what in ("products", "variants"):
        made, changed, same = (n[f"{what}_{how}"] for how in ("created", "updated", "unchanged"))
        click.echo(f"{what}: {made} new, {changed} changed, {same} as they were")
    if empty := n["variants_without_stock"]:
        click.echo(f"{empty} variants have no stock yet: the file does not say")
    if pictures := n["images_not_fetched"]:
        click.echo(f"{pictures} pictures are named by the file; the bulk worker brings them")


@catalog_group.command("rebuild")
@click.option("--store", "slug", required=True, help="The store's short name.")
@with_appcontext
def rebuild(slug: str) -> None:
    """Work out anew what a store's lists and searches read. The database keeps it true by itself.

    For after rows were put in with triggers switched off, as some restores do.
    """
    from sqlalchemy import text

    from app.db.engine import db
    from app.db.tenancy import inside_store
    from app.domain.catalog.actions import touch_content

    with inside_store(store_id_of(slug)):
        session = db.session()
        count = session.scalar(text("SELECT app.rebuild_cards(app.store_id())"))
        touch_content(session)
        session.commit()
    click.echo(f"{count} products are in the lists")


@catalog_group.command("reports")
@click.argument("files", nargs=-1, type=click.Path(exists=True, dir_okay=False, path_type=Path))
def import_reports(files: tuple[Path, ...]) -> None:
    """What importing FILES would say, as the page docs/imports.md has it. Changes nothing."""
    from app.domain.catalog.importing.summary import reports_page

    click.echo(reports_page(files), nl=False)
