"""Documents that are written from the product are compared with it, so that they cannot grow old."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import psycopg
import pytest
from flask import Flask

from app.db.engine import db
from app.domain.payments.queries import ADVICE
from app.web.commands import rows, schema_page, urls
from app.web.commands.database import SCHEMA_PAGE
from tests.conftest import Database
from tests.contracts.source import ROOT

DOCS = ROOT / "docs"
LINK = re.compile(r"!?\[[^\]]*\]\(([^)#\s]+)")


def written_schema(app: Flask) -> str:
    with app.app_context(), db.engine.connect() as connection:
        return schema_page.schema_page(connection)


@pytest.mark.row("W44")
def test_the_schema_page_is_the_migrated_database(app: Flask, database: Database) -> None:
    assert SCHEMA_PAGE.read_text() == written_schema(app), "run bin/manage schema --write"

    with psycopg.connect(database.superuser, autocommit=True) as connection:
        connection.execute("ALTER TABLE app.riders ADD COLUMN helmet text")
        try:
            differs = SCHEMA_PAGE.read_text() != written_schema(app)
        finally:
            connection.execute("ALTER TABLE app.riders DROP COLUMN helmet")
    assert differs


@pytest.mark.row("W26", "W44")
def test_the_schema_page_names_people_orders_and_payments() -> None:
    page = SCHEMA_PAGE.read_text()

    for table in (
        "customers",
        "people",
        "orders",
        "order_lines",
        "payment_intents",
        "payment_attempts",
        "ledger_entries",
    ):
        assert f"\n## {table}\n" in page
        if table != "people":
            assert (
                "Row-level security: forced." in page.split(f"\n## {table}\n")[1].split("\n## ")[0]
            )


@pytest.mark.row("N7")
def test_the_page_of_addresses_is_the_application(app: Flask) -> None:
    page = urls.ROUTES_PAGE.read_text()

    assert page == urls.routes_page(app), "run bin/manage urls --write"
    for address in (
        "/p/<slug:slug>",
        "/areas/<slug:area>",
        "/dash/<store>/today",
        "/hooks/pay/<regex32:token>",
    ):
        assert f"| `{address}` |" in page


def test_every_row_of_this_release_is_in_the_capabilities(shared_dir: Path) -> None:
    with rows.ROWS_FILE.open(newline="") as file:
        ids = [line["row"] for line in csv.DictReader(file)]
    page = rows.CAPABILITIES.read_text()

    assert len(ids) == len(set(ids))
    assert [row for row in ids if f"\n| {row} | " not in page] == []


def test_what_the_capabilities_call_done_has_a_test() -> None:
    for line in rows.CAPABILITIES.read_text().splitlines():
        cells = [cell.strip() for cell in line.split("|")]
        if len(cells) == 7 and cells[3] in ("done", "first cut"):
            assert cells[4], line


@pytest.mark.row("M34")
def test_the_page_on_mpesa_tells_what_shoppers_see() -> None:
    page = (DOCS / "providers" / "mpesa.md").read_text()
    lines = [line for line in page.splitlines() if line.startswith("|")]
    told = {
        code: line
        for line in lines
        for code in re.split(r",\s*", line.split("|")[1].strip())
        if code in ADVICE
    }

    assert set(told) | {"unreached", "500.001.1001"} == set(ADVICE)
    assert [code for code, line in told.items() if str(ADVICE[code][1]) not in line] == []


@pytest.mark.shared
def test_every_mark_and_row_is_one_of_the_feature_list(shared_dir: Path) -> None:
    known = rows.ids_in(shared_dir / "spec" / "features.md")
    used = set(rows.marked_tests(ROOT / "tests")) | {row.id for row in rows.release_rows()}

    assert len(known) > 300
    assert used - known == set()


@pytest.mark.parametrize(
    "page",
    sorted(p.relative_to(ROOT).as_posix() for p in [*ROOT.glob("*.md"), *DOCS.rglob("*.md")]),
)
def test_links_between_documents_lead_somewhere(page: str) -> None:
    file = ROOT / page
    broken = [
        target
        for target in LINK.findall(re.sub(r"`[^`]*`", "", file.read_text()))
        if "://" not in target
        and not target.startswith("mailto:")
        and not (file.parent / target).exists()
    ]

    assert broken == []
