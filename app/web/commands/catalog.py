"""``bin/manage catalog import FILE --store S``: the upload page's work, from a terminal."""

from __future__ import annotations

from pathlib import Path

import click
from flask.cli import with_appcontext

from app.web.commands.stores import store_id_of

AT_ONCE = 400
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
    from app.domain.catalog.importing import ImportFileRefused, read_catalogue
    from app.domain.catalog.importing.applying import AppliedReport, apply_catalogue
    from app.domain.catalog.importing.records import keep_report

    store_id = store_id_of(slug)
    try:
        read = read_catalogue(file.read_bytes(), file.name, _mapping(columns))
    except ImportFileRefused as no:
        raise click.ClickException(str(no)) from no
    done = AppliedReport()
    start: int | None = 0
    with inside_store(store_id):
        while start is not None:
            session = db.session()
            done.add(apply_catalogue(session, read, actor=ACTOR, start=start, limit=AT_ONCE))
            start = done.next_start
            if start is None:
                keep_report(
                    session,
                    read,
                    filename=file.name,
                    actor=ACTOR,
                    counts=_counts(done),
                    refused=done.refused,
                )
            session.commit()
    for note in read.report.notes:
        click.echo(f"{f'row {note.row}' if note.row else 'file'}: {note.sentence}")
    refused = [*read.report.refused, *done.refused]
    for row in refused:
        where = f" ({row.column})" if row.column else ""
        click.echo(f"row {row.row}{where}: refused: {row.sentence}")
    _summary(read.report.rows_read, len(refused), len(read.report.repeated), done)


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


def _counts(done: object) -> dict[str, int]:
    return {
        name: getattr(done, name)
        for name in (
            *("products_created", "products_updated", "products_unchanged", "categories_created"),
            *("variants_created", "variants_updated", "variants_unchanged"),
            *("variants_without_stock", "images_not_fetched"),
        )
    }


def _summary(rows: int, refused: int, repeated: int, done: object) -> None:
    n = _counts(done)
    click.echo(f"{rows} rows read, {refused} refused, {repeated} repeated")
    for what in ("products", "variants"):
        made, changed, same = (n[f"{what}_{how}"] for how in ("created", "updated", "unchanged"))
        click.echo(f"{what}: {made} new, {changed} changed, {same} as they were")
    if empty := n["variants_without_stock"]:
        click.echo(f"{empty} variants have no stock yet: the file does not say")
    if left := n["images_not_fetched"]:
        click.echo(f"{left} picture addresses were not fetched: upload the pictures")
