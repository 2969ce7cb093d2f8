"""bin/manage catalog import: a real file into a real store, told row by row."""

from __future__ import annotations

from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import func, select

from app.db.engine import db
from app.db.tenancy import inside_store
from app.domain.catalog.importing.records import CatalogueImport
from app.domain.catalog.models import Product, Variant
from app.domain.stores.models import Store

FILES = Path(__file__).resolve().parents[2] / "data" / "catalogues"


def bring_in(app: Flask, *words: str) -> tuple[int, str]:
    done = app.test_cli_runner().invoke(args=["catalog", "import", *words])
    return done.exit_code, done.output


def counted(app: Flask, store: Store) -> tuple[int, int, int]:
    with app.app_context(), inside_store(store.id):
        found = [
            db.session.scalar(
                select(func.count()).select_from(model).where(model.store_id == store.id)
            )
            or 0
            for model in (Product, Variant, CatalogueImport)
        ]
        db.session.remove()
    return found[0], found[1], found[2]


@pytest.mark.row("W29")
def test_good_rows_come_in_and_bad_ones_are_named(app: Flask, store: Store) -> None:
    status, said = bring_in(app, str(FILES / "shopify_small.csv"), "--store", store.slug)

    assert status == 0, said
    assert "9 rows read, 2 refused, 1 repeated" in said
    assert "products: 4 new, 0 changed, 0 as they were" in said
    assert "row 5 (Variant Price): refused:" in said
    assert counted(app, store) == (4, 5, 1)


def test_the_same_file_again_changes_nothing(app: Flask, store: Store) -> None:
    words = (str(FILES / "shopify_small.csv"), "--store", store.slug)
    bring_in(app, *words)

    status, said = bring_in(app, *words)

    assert status == 0
    assert "products: 0 new, 0 changed, 4 as they were" in said
    assert counted(app, store)[:2] == (4, 5)


def test_a_file_that_is_no_catalogue_is_refused_whole(
    app: Flask, store: Store, tmp_path: Path
) -> None:
    file = tmp_path / "photo.csv"
    file.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(2000))

    status, said = bring_in(app, str(file), "--store", store.slug)

    assert status == 1
    assert said.startswith("Error: ")
    assert counted(app, store) == (0, 0, 0)


def test_columns_can_be_named_by_hand(app: Flask, store: Store, tmp_path: Path) -> None:
    file = tmp_path / "bei.csv"
    file.write_text("Kitu,Bei ya sasa\nKikoi cha pwani,1500\n")
    words = ("--column", "name=Kitu", "--column", "price=Bei ya sasa")

    status, said = bring_in(app, str(file), "--store", store.slug, *words)

    assert status == 0, said
    assert "products: 1 new" in said


def test_a_store_that_is_not_there_is_said(app: Flask) -> None:
    status, said = bring_in(app, str(FILES / "shopify_small.csv"), "--store", "hakuna")

    assert status == 2
    assert "there is no store hakuna" in said
