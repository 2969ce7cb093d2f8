"""Small files of our own through every reader: what comes in, what is refused, and why."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
import xlsxwriter

from app.domain.catalog.importing import (
    CatalogueFile,
    DraftStatus,
    FileFormat,
    ImportFileRefused,
    preview_catalogue,
    read_catalogue,
)

FILES = Path(__file__).parents[2] / "data" / "catalogues"


def read(name: str, mapping: dict[str, str] | None = None) -> CatalogueFile:
    return read_catalogue((FILES / name).read_bytes(), name, mapping)


def read_text(text: str, mapping: dict[str, str] | None = None) -> CatalogueFile:
    return read_catalogue(text.encode(), "sheet.csv", mapping)


def reasons(file: CatalogueFile) -> dict[int, str]:
    return {refused.row: refused.reason_code for refused in file.report.refused}


def every_row_is_accounted_for(file: CatalogueFile) -> bool:
    """Each row read is in a product, refused with a sentence, or a repeat; and in one only."""
    rows = [row for draft in file.drafts for row in draft.rows]
    rows += [refused.row for refused in file.report.refused] + file.report.repeated
    said = all(refused.sentence.strip() for refused in file.report.refused)
    return said and len(rows) == len(set(rows)) == file.report.rows_read


# Shopify


@pytest.mark.row("I21")
def test_shopify_rows_of_one_handle_are_one_product() -> None:
    file = read("shopify_small.csv")

    assert file.report.format is FileFormat.SHOPIFY
    kanga = file.drafts[0]
    assert (kanga.source_key, kanga.name, kanga.options) == (
        "shopify:kanga-wrap",
        "Kanga & wrap",
        ("Colour", "Size"),
    )
    assert [(v.sku, v.options, v.price_cents, v.stock) for v in kanga.variants] == [
        ("KW-RS", {"Colour": "Red", "Size": "Small"}, 1_200_00, 4),
        ("KW-RL", {"Colour": "Red", "Size": "Large"}, 1_350_00, 0),
    ]
    first = kanga.variants[0]
    assert (first.compare_at_cents, first.cost_cents, first.weight_grams, first.barcode) == (
        1_500_00,
        700_00,
        250,
        "6161101",
    )
    assert [url.rsplit("/", 1)[1] for url in kanga.images] == [
        "kanga-1.jpg",
        "kanga-red.jpg",
        "kanga-2.jpg",
    ]
    assert (kanga.seo.title, kanga.tags) == ("Kanga", ("cotton", "coast"))
    assert every_row_is_accounted_for(file)


def test_a_row_number_is_the_spreadsheets_also_below_a_cell_of_two_lines() -> None:
    # The description of row 2 has a line break, so a text editor calls this row line 6.
    file = read("shopify_small.csv")
    assert reasons(file) == {5: "price_range", 9: "title_missing"}
    assert file.report.repeated == [10]


def test_shopify_status_and_published_decide_what_shoppers_see() -> None:
    status = {draft.name: draft.status for draft in read("shopify_small.csv").drafts}
    assert status["Desk lamp"] is DraftStatus.DRAFT
    assert status["Old mug"] is DraftStatus.ARCHIVED
    assert status["No handle"] is DraftStatus.ACTIVE
    unpublished = "Handle,Title,Published,Variant Price\nmug,Mug,false,300\n"
    assert read_text(unpublished).drafts[0].status is DraftStatus.DRAFT


def test_a_description_keeps_its_words_and_nothing_that_runs() -> None:
    kanga = read("shopify_small.csv").drafts[0]
    assert kanga.description_html == "<p>Soft <b>cotton</b>.</p>\n<p>Two lines.</p>"
    nasty = (
        '<a href="javascript:x()">Buy</a><img src=x onerror=x()><p style="a">Ok</p>'
        "<iframe>gone</iframe><svg><script>gone</script></svg>"
    )
    quoted = nasty.replace('"', '""')
    draft = read_text(f'Name,Price,Description\nMug,300,"{quoted}"\n').drafts[0]
    assert draft.description_html.replace("\n", "") == "Buy<p>Ok</p>"


def test_the_other_spelling_of_shopifys_columns_is_read_too() -> None:
    file = read("shopify_other_spelling.csv")

    cup = file.drafts[0]
    assert cup.description_html == "<p>Enamel</p>"
    assert [(v.sku, v.stock, v.compare_at_cents) for v in cup.variants] == [
        ("TIN-CUP-BLUE", 24, None),
        ("tin-cup-white", 12, 300_00),
    ]
    assert reasons(file) == {4: "handle_repeats"}


def test_prices_with_cents_become_whole_shillings_and_it_is_said() -> None:
    file = read("shopify_small.csv")
    lamp = next(draft for draft in file.drafts if draft.name == "Desk lamp")
    assert lamp.variants[0].price_cents == 2_500_00
    assert any("2,499.50" in note.sentence for note in file.report.notes)


def test_one_bad_first_row_does_not_take_the_other_variants_with_it() -> None:
    file = read_text(
        "Handle,Title,Option1 Name,Option1 Value,Variant Price\ntee,Tee,Size,S,free\ntee,,,M,500\n"
    )
    assert reasons(file) == {2: "price_unreadable"}
    assert [v.options for v in file.drafts[0].variants] == [{"Size": "M"}]


# WooCommerce


@pytest.mark.row("I21")
def test_woocommerce_variations_find_their_parent_by_sku_and_by_id() -> None:
    file = read("woocommerce_small.csv")

    assert file.report.format is FileFormat.WOOCOMMERCE
    kiondo = file.drafts[0]
    assert (kiondo.source_key, kiondo.category) == ("woo:koi", "Bags > Baskets")
    assert kiondo.description_html == "<p>Woven sisal.</p><p>By hand.</p>"
    assert [
        (v.sku, v.options, v.price_cents, v.compare_at_cents, v.weight_grams)
        for v in kiondo.variants
    ] == [
        ("KOI-BIG", {"Size": "Big"}, 2_800_00, None, 800),
        ("KOI-SMALL", {"Size": "Small"}, 1_500_00, 1_800_00, 400),
    ]
    assert kiondo.rows == [2, 3, 4]
    assert every_row_is_accounted_for(file)


def test_what_woocommerce_sells_elsewhere_or_together_is_refused_with_a_sentence() -> None:
    file = read("woocommerce_small.csv")
    assert reasons(file) == {
        7: "type_refused",
        8: "type_refused",
        9: "parent_missing",
        10: "parent_missing",
        11: "variations_missing",
        12: "sku_repeats",
        13: "type_refused",
        15: "parent_missing",
    }
    assert file.report.repeated == [14]


def test_a_download_comes_in_as_a_draft_and_out_of_stock_is_zero() -> None:
    drafts = {draft.name: draft for draft in read("woocommerce_small.csv").drafts}
    assert drafts["Knitting guide"].status is DraftStatus.DRAFT
    assert drafts["Soap bar"].variants[0].stock == 0


def test_pounds_and_ounces_become_grams() -> None:
    head = "Type,SKU,Name,Regular price,Weight ({})\nsimple,A,Mug,300,{}\n"
    grams = [
        read_text(head.format(unit, number)).drafts[0].variants[0].weight_grams
        for unit, number in [("lbs", ".5"), ("oz", "4"), ("kg", "1.2"), ("g", "90"), ("g", "x")]
    ]
    assert grams == [227, 113, 1200, 90, None]


# Sheets


@pytest.mark.row("I21", "W29")
def test_a_hand_made_price_list_comes_in_row_by_row() -> None:
    file = read("duka_price_list.csv")

    assert file.report.format is FileFormat.SHEET
    assert file.report.mapping == {
        "name": "Product name",
        "price": "Price (KES)",
        "compare_at": "Old price",
        "stock": "Stock",
        "category": "Category",
        "image": "Photo",
        "option1": "Size",
    }
    milk, flour, tea = file.drafts
    assert [(v.options["Size"], v.price_cents, v.stock) for v in milk.variants] == [
        ("500ML", 120_00, 24),
        ("1L", 200_00, 10),
    ]
    assert (flour.name, flour.variants[0].price_cents, flour.variants[0].stock) == (
        'Ugali flour "Jogoo"',
        185_00,
        1_200,
    )
    assert (tea.variants[0].stock, tea.variants[0].compare_at_cents) == (0, None)
    assert reasons(file) == {
        8: "price_range",
        9: "name_missing",
        10: "price_missing",
        11: "stock_unreadable",
        14: "variant_repeats",
        15: "option_missing",
        16: "too_many_cells",
    }
    assert file.report.repeated == [13]
    assert every_row_is_accounted_for(file)


def test_a_price_range_names_both_prices() -> None:
    file = read_text("Name,Price\nSocks,KSh 350 - KSh 380\nHat,100 to 200\n")
    first, second = file.report.refused
    assert "KES\u00a0350" in first.sentence
    assert "KES\u00a0380" in first.sentence
    assert "KES\u00a0200" in second.sentence


@pytest.mark.row("I21")
def test_the_person_may_say_which_column_is_what() -> None:
    text = "Code,What,Was,Now\nT-1,Kericho tea,500,450\n"
    guess = preview_catalogue(text.encode(), "sheet.csv")
    assert guess.mapping == {"sku": "Code", "compare_at": "Was"}
    assert guess.sample == [{"Code": "T-1", "What": "Kericho tea", "Was": "500", "Now": "450"}]
    assert reasons(read_text(text)) == {2: "no_name_column"}

    file = read_text(text, {"name": "what", "price": "Now"})

    tea = file.drafts[0]
    assert (tea.name, tea.variants[0].price_cents, tea.variants[0].compare_at_cents) == (
        "Kericho tea",
        450_00,
        500_00,
    )
    without = read_text(text, {"name": "What", "price": "Now", "compare_at": ""})
    assert without.drafts[0].variants[0].compare_at_cents is None


def test_a_column_that_is_not_there_is_said_and_a_wrong_field_is_our_mistake() -> None:
    with pytest.raises(ImportFileRefused, match="Shelf"):
        read_text("Name,Price\nTea,1\n", {"name": "Shelf"})
    with pytest.raises(ValueError, match="nonsense"):
        read_text("Name,Price\nTea,1\n", {"nonsense": "Name"})


def test_prices_in_another_currency_do_not_become_shillings() -> None:
    file = read_text("Name,Price USD,Price EUR\nTea,4,3\n")
    assert reasons(file) == {2: "no_price_column"}


@pytest.mark.parametrize(
    ("typed", "cents"),
    [
        ("1,250", 1_250_00),
        ("KSh 1,250/-", 1_250_00),
        ("Kshs. 1250", 1_250_00),
        ("1 250", 1_250_00),
        ("99.50", 100_00),
        ("99.49", 99_00),
    ],
)
def test_a_price_is_read_as_people_write_it(typed: str, cents: int) -> None:
    file = read_text(f'Name,Price\nTea,"{typed}"\n')
    assert file.drafts[0].variants[0].price_cents == cents


@pytest.mark.parametrize(
    ("typed", "code"),
    [
        ("", "price_missing"),
        ("ask", "price_unreadable"),
        ("0", "price_zero"),
        ("0.40", "price_zero"),
        ("-50", "price_unreadable"),
        ("1,20", "price_unreadable"),
        ("200000000", "price_too_large"),
        ("1e3", "price_unreadable"),
        ("NaN", "price_unreadable"),
        ("٣٠٠", "price_unreadable"),
        ("=100", "price_unreadable"),
    ],
)
def test_a_price_that_could_be_wrong_is_refused(typed: str, code: str) -> None:
    file = read_text(f'Name,Price,Stock\nTea,"{typed}",1\nMug,300,1\n')
    assert reasons(file) == {2: code}
    assert [draft.name for draft in file.drafts] == ["Mug"]


def test_formula_cells_stay_text() -> None:
    file = read("formula_cells.csv")
    assert [(draft.name, draft.variants[0].sku) for draft in file.drafts] == [
        ('=HYPERLINK("https://evil.example","Tea")', "=1+1"),
        ("+254 club shirt", "@handle"),
    ]
    assert reasons(file) == {4: "price_unreadable"}


def test_skus_are_made_from_the_words_and_do_not_depend_on_the_order() -> None:
    rows = ["Café  chair,100", "Cafe chair!,120", "小茶壶,90", "T,1"]
    forward = read_text("\n".join(["Name,Price", *rows]))
    backward = read_text("\n".join(["Name,Price", *rows[::-1]]))

    def skus(file: CatalogueFile) -> dict[str, str]:
        return {draft.name: draft.variants[0].sku for draft in file.drafts}

    assert skus(forward) == skus(read_text("\n".join(["Name,Price", *rows])))
    assert len(set(skus(forward).values())) == 4
    assert skus(forward)["小茶壶"] == skus(backward)["小茶壶"]
    assert all(sku.isascii() for sku in skus(forward).values())


def test_two_products_may_share_a_name_when_their_skus_differ() -> None:
    file = read_text("Name,Price,SKU\nMug,300,A\nMug,450,B\nMug,300,a\n")
    assert [draft.source_key for draft in file.drafts] == ["sku:a", "sku:b"]
    assert reasons(file) == {4: "sku_repeats"}


def test_a_long_name_is_cut_between_words_and_it_is_said() -> None:
    long = "Sneaker " * 30
    file = read_text(f"Name,Price\n{long},900\n{'x' * 1001},5\n")
    assert file.drafts[0].name == ("Sneaker " * 25).strip()
    assert any(note.row == 2 and "cut" in note.sentence for note in file.report.notes)
    assert reasons(file) == {3: "name_too_long"}


def test_picture_addresses_are_kept_as_text_when_they_are_addresses() -> None:
    cell = '["http://a.example/1,2.jpg", "https://a.example/3.jpg"] javascript:x() pic.jpg'
    quoted = cell.replace('"', '""')
    file = read_text(f'Name,Price,Image\nTea,1,"{quoted}"\n')
    assert file.drafts[0].images == ["http://a.example/1,2.jpg", "https://a.example/3.jpg"]


# XLSX


def workbook(rows: list[list[object]], *, first: list[list[object]] | None = None) -> bytes:
    """An XLSX with these rows; ``first`` puts a sheet before them."""
    buffer = io.BytesIO()
    book = xlsxwriter.Workbook(buffer, {"in_memory": True, "strings_to_formulas": False})
    for content in ([first] if first is not None else []) + [rows]:
        sheet = book.add_worksheet()
        for row, cells in enumerate(content):
            for column, value in enumerate(cells):
                if value is not None:
                    sheet.write(row, column, value)
    book.close()
    return buffer.getvalue()


@pytest.mark.row("I21", "W29")
def test_a_plain_excel_file_is_read_with_exact_numbers() -> None:
    data = workbook(
        [
            ["Price list"],
            [],
            ["Name", "Price", "SKU", "Stock"],
            ["Tea", 449.99999999999994, 712345678901, 4.0],
            ["Mug", 1250, "00123", 1200],
            ["Cup", 0.1 + 0.2, True, 3],
            ["Pan", "KSh 1,999", None, 2.5],
        ]
    )
    file = read_catalogue(data, "goods.xlsx")
    tea, mug = file.drafts
    assert (tea.variants[0].price_cents, tea.variants[0].sku) == (450_00, "712345678901")
    assert (mug.variants[0].price_cents, mug.variants[0].sku) == (1_250_00, "00123")
    assert mug.rows == [5]
    assert reasons(file) == {6: "price_zero", 7: "stock_unreadable"}


def test_the_first_sheet_with_anything_in_it_is_read_and_the_others_are_named() -> None:
    data = workbook([["Name", "Price"], ["Tea", 100]], first=[])
    file = read_catalogue(data, "goods.xlsx")
    assert [draft.name for draft in file.drafts] == ["Tea"]
    assert any("Sheet1" in note.sentence for note in file.report.notes)
