"""Catalogues of real shops: how many products, variants and refused rows, counted by hand.

The numbers below were not read off our own parser: each comes from looking at the file with
another tool, said beside it. A "row" is one record; the header and empty lines are none.
"""

from __future__ import annotations

import os
import tracemalloc
from collections import Counter
from pathlib import Path

import pytest

from app.domain.catalog.importing import (
    CatalogueFile,
    DraftStatus,
    ImportFileRefused,
    read_catalogue,
)

SHARED_DIR = Path(os.environ.get("SHARED_DIR") or Path(__file__).parents[4] / "shared")
CATALOGUES = SHARED_DIR / "data" / "catalogues"

pytestmark = pytest.mark.shared


def read(name: str) -> CatalogueFile:
    return read_catalogue((CATALOGUES / name).read_bytes(), name)


def counts(file: CatalogueFile) -> tuple[int, int, int, int, int]:
    """Rows read, products, variants, rows refused, rows that repeat an earlier one."""
    report = file.report
    return (
        report.rows_read,
        report.products,
        report.variants,
        len(report.refused),
        len(report.repeated),
    )


def reasons(file: CatalogueFile) -> Counter[str]:
    return Counter(refused.reason_code for refused in file.report.refused)


@pytest.mark.row("I21", "W29")
def test_shopify_apparel() -> None:
    # `cut -d, -f1 | sort -u` on the 22 lines below the header (no cell has a line break) shows
    # 20 handles. One, classic-varsity-top, has three lines: Small, Medium, Large, 60 each. The
    # other 19 have one line and "Default Title". Every line has a price, none is refused:
    # 19 + 1 = 20 products, 19 + 3 = 22 variants.
    file = read("shopify_apparel.csv")

    assert counts(file) == (22, 20, 22, 0, 0)
    top = next(draft for draft in file.drafts if draft.source_key == "shopify:classic-varsity-top")
    assert [(v.options, v.price_cents) for v in top.variants] == [
        ({"Size": "Small"}, 60_00),
        ({"Size": "Medium"}, 60_00),
        ({"Size": "Large"}, 60_00),
    ]
    assert top.rows == [3, 4, 5]


@pytest.mark.row("I21", "W29")
def test_woocommerce_sample() -> None:
    # 400 rows: the same block of 25 rows 16 times (compared block by block with the csv module).
    # In one block, counted by eye: 2 variable, 7 variation (3 of the V-neck, 4 of the hoodie),
    # 12 simple, 2 downloadable and virtual, 1 grouped (Logo Collection), 1 external (Pennant).
    # Products: 2 + 12 + 2 = 16. Variants: 7 + 12 + 2 = 21. The grouped and the external row are
    # refused each time: 2 × 16 = 32. The other 23 rows repeat 15 times: 345.
    file = read("woocommerce_sample_400.csv")

    assert counts(file) == (400, 16, 21, 32, 345)
    assert reasons(file) == {"type_refused": 32}
    assert {refused.row for refused in file.report.refused} == {
        25 * block + row for block in range(16) for row in (24, 25)
    }
    hoodie = next(draft for draft in file.drafts if draft.source_key == "woo:woo-hoodie")
    assert hoodie.options == ("Color", "Logo")
    assert [
        (v.sku, v.options["Logo"], v.price_cents, v.compare_at_cents) for v in hoodie.variants
    ] == [
        ("woo-hoodie-red", "No", 42_00, 45_00),
        ("woo-hoodie-green", "No", 45_00, None),
        ("woo-hoodie-blue", "No", 45_00, None),
        ("woo-hoodie-blue-logo", "Yes", 45_00, None),
    ]
    # The two downloads and the one product hidden from the catalogue.
    assert sorted(d.name for d in file.drafts if d.status is DraftStatus.DRAFT) == [
        "Album",
        "Hoodie with Pocket",
        "Single",
    ]


@pytest.mark.row("I21", "W29")
def test_jumia_2024() -> None:
    # 1,722 rows; in 145 the price has "KSh" twice, which makes it a range: refused. Of the other
    # 1,577 a script of sets (names compared without case and double spaces) finds 1,258 names.
    # 307 rows say a name again with the same price and old price; 12 say a name again with
    # another price or old price and are refused: lines 323, 548, 633, 882, 1087, 1120, 1298,
    # 1310, 1496, 1653, 1664, 1666. 1,258 + 145 + 12 + 307 = 1,722. No cell has a line break,
    # so lines are rows.
    file = read("jumia_ke_2024_1722.csv")

    assert counts(file) == (1_722, 1_258, 1_258, 157, 307)
    assert reasons(file) == {"price_range": 145, "variant_repeats": 12}
    assert [r.row for r in file.report.refused if r.reason_code == "variant_repeats"] == [
        *(323, 548, 633, 882, 1087, 1120, 1298, 1310, 1496, 1653, 1664, 1666),
    ]
    first = file.drafts[0].variants[0]
    assert (first.price_cents, first.compare_at_cents, first.row) == (999_00, 1_560_00, 2)


@pytest.mark.row("I21", "W29")
def test_handmade_soft_drinks() -> None:
    # 560 lines: the header, 527 with text, 32 empty ones at the end (`grep -c '[^[:space:],]'`
    # gives 528; the 559 of the data notes counts the empty lines too). No cell is quoted, so
    # awk may split at commas: 106 drink names, 527 pairs of name and capacity, no pair twice.
    # Every price is three or four digits. So 106 products, 527 variants, nothing refused.
    file = read("shop_handmade_softdrinks_kes.csv")

    assert counts(file) == (527, 106, 527, 0, 0)
    cola = file.drafts[0]
    assert (cola.name, cola.category, cola.options) == (
        "Coca Cola Classic",
        "Soft Drinks",
        ("Capacity",),
    )
    assert [(v.options["Capacity"], v.price_cents) for v in cola.variants] == [
        ("500ML", 120_00),
        ("1L", 200_00),
        ("1.5L", 350_00),
        ("2L", 450_00),
    ]


def test_shopify_jewelery() -> None:
    # 41 rows by the csv module (bodies have line breaks). 20 handles, each with one title. Three
    # handles have a second variant row (chain-bracelet, leather-anchor, gemstone); the other 18
    # rows beyond the first of a handle have only a picture. 20 + 3 = 23 variants.
    file = read("shopify_jewelery.csv")

    assert counts(file) == (41, 20, 23, 0, 0)
    assert sum(len(draft.images) for draft in file.drafts) == 41


def test_shopify_columns_in_the_other_spelling() -> None:
    # 300 rows, 99 handles of three rows, but mediocre-concrete-pants has six: the generator made
    # it twice. Its second "cerise" (row 170, KES 6.04) meets the first (row 20, KES 89.74).
    file = read("shopify_gatsby_demo_300.csv")

    assert counts(file) == (300, 99, 299, 1, 0)
    assert [(r.row, r.reason_code) for r in file.report.refused] == [(170, "variant_repeats")]


def test_home_goods_with_descriptions_of_many_lines() -> None:
    # 25 rows; the name is empty in rows 9 and 25 (seen in the file), every price is a number.
    file = read("shop_home_goods_kes.csv")

    assert counts(file) == (25, 23, 23, 2, 0)
    assert {r.row: r.reason_code for r in file.report.refused} == {
        9: "name_missing",
        25: "name_missing",
    }


def test_a_windows_file_with_blank_lines_between() -> None:
    # Row numbers are what a spreadsheet shows: data on rows 3, 5, 7 … because of the blank lines.
    file = read("jumia_ke_2023_with_images.csv")

    assert file.report.rows_read == 210
    assert all(row % 2 for draft in file.drafts for row in draft.rows)
    assert any("Windows-1252" in note.sentence for note in file.report.notes)


@pytest.mark.parametrize("path", sorted(CATALOGUES.glob("*")), ids=lambda path: path.name)
def test_every_row_of_every_catalogue_is_clean_or_refused_with_a_sentence(path: Path) -> None:
    if path.suffix == ".json":
        with pytest.raises(ImportFileRefused, match="JSON"):
            read_catalogue(path.read_bytes(), path.name)
        return

    file = read_catalogue(path.read_bytes(), path.name)

    rows = [row for draft in file.drafts for row in draft.rows]
    rows += [refused.row for refused in file.report.refused] + file.report.repeated
    assert len(rows) == len(set(rows)) == file.report.rows_read > 0
    assert all(refused.sentence and refused.reason_code for refused in file.report.refused)
    skus = [variant.sku.casefold() for draft in file.drafts for variant in draft.variants]
    assert all(skus)
    assert len(skus) == len(set(skus))
    assert len({draft.source_key for draft in file.drafts}) == len(file.drafts)
    for draft in file.drafts:
        assert "<script" not in draft.description_html
        assert "&apos;" not in draft.name
        for variant in draft.variants:
            assert variant.price_cents > 0
            assert variant.price_cents % 100 == 0
            assert tuple(variant.options) == draft.options
            assert (
                variant.compare_at_cents is None or variant.compare_at_cents > variant.price_cents
            )


@pytest.mark.row("W29")
def test_twenty_thousand_rows_need_little_memory_and_leave_none_behind() -> None:
    # 20,000 rows: 78 without a price and 2 product ids that come twice (one word for word).
    data = (CATALOGUES / "flipkart_20000.csv").read_bytes()
    expected = (20_000, 19_920, 19_920, 79, 1)
    assert counts(read("flipkart_20000.csv")) == expected  # fills the caches of the libraries
    tracemalloc.start()
    try:
        assert counts(read_catalogue(data, "flipkart_20000.csv")) == expected
        left, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert peak < 80 * 1024 * 1024
    assert left < 1024 * 1024
