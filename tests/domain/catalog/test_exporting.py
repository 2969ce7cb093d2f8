"""The catalogue as a sheet that comes back with no change, and a whole shop that moves house."""

from __future__ import annotations

import csv
import io
import json
import os
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from python_calamine import CalamineWorkbook
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from app.db.engine import db
from app.db.tenancy import inside_store
from app.domain.audit.models import AuditEntry
from app.domain.catalog.actions import (
    NewPicture,
    NewProduct,
    NewVariant,
    add_category,
    add_product,
)
from app.domain.catalog.exporting.records import get_export, pieces_of
from app.domain.catalog.exporting.running import begin_export, make_export
from app.domain.catalog.exporting.sheet import as_csv, as_xlsx
from app.domain.catalog.importing.cells import meant_cell, safe_cell, safe_phone
from app.domain.catalog.importing.pictures import bring_pictures, picture_counts
from app.domain.catalog.importing.records import CatalogueImport, ImportChange
from app.domain.catalog.models import Category, Product, ProductImage, Serial, Variant
from app.domain.customers.consent import agree_with_order
from app.domain.ledger.actions import post
from app.domain.loyalty.models import PointMove
from app.domain.media.pictures import open_picture, store_picture
from app.domain.stores.models import Store
from tests.builders import make_order, make_payment_settings
from tests.domain.catalog.test_import_runs import bring, picture_of

SHARED_DIR = Path(os.environ.get("SHARED_DIR") or Path(__file__).parents[4] / "shared")
REAL = (
    *("shopify_apparel.csv", "shopify_jewelery.csv", "woocommerce_sample_400.csv"),
    *("jumia_ke_2024_1722.csv", "shop_handmade_softdrinks_kes.csv", "shop_home_goods_kes.csv"),
)


@contextmanager
def of(store: Store) -> Iterator[Session]:
    """A session of its own inside a store."""
    db.session.remove()
    with inside_store(store.id):
        yield db.session()
        db.session.remove()


def a_shop(session: Session) -> None:
    """Goods with everything that goods can have."""
    home = add_category(session, "Home & garden")
    child = Category(
        slug="home-kettles",
        name="Kettles",
        position=7,
        parent_id=home.id,
        attributes=[{"key": "power", "name": "Power"}],
        size_chart=[["Size", "cm"], ["S", "10"]],
        return_days=14,
        return_note="Unused",
        photo_guide=["From the side"],
    )
    session.add(child)
    session.flush()
    pictures = [
        NewPicture(stored=store_picture(Image.new("RGB", (400, 300), colour)), alt=f"In {colour}")
        for colour in ("red", "blue")
    ]
    kettle = add_product(
        session,
        NewProduct(
            name='=SUM(1) "Kettle", 1.7 L',
            slug="the-kettle",
            category=child,
            description_html="<p>Boils &amp; whistles<br>every time.</p><ul><li>Steel</li></ul>",
            brand="+Ramtons",
            options=("Colour", "Plug"),
            facts=(("Battery", "none"), ("Power", "2,200 W")),
            warranty_months=24,
            vat_class="zero",
            is_featured=True,
            source_key="shopify:kettle",
            pictures=pictures,
            variants=[
                NewVariant(
                    sku="-KET-R",
                    price_cents=2_450_00,
                    compare_at_cents=3_000_00,
                    cost_cents=1_999_50,
                    options=("Red", "UK"),
                    stock=4,
                    weight_grams=1_250,
                    is_bulky=True,
                    barcode="0012345678905",
                ),
                NewVariant(sku="KET-B", price_cents=2_450_00, options=("Blue", "UK"), stock=0),
            ],
        ),
    )
    kettle.seo_title, kettle.seo_description = "Steel kettle", "A kettle in Nairobi"
    kettle.attributes = {"power": "2200"}
    kettle.images[0].option_value = "Red"
    kettle.variants[1].is_active = False
    kettle.variants[0].low_mark = 9
    phone = add_product(
        session,
        NewProduct(
            name="Simu ya mkononi – 5G",
            variants=[NewVariant(sku="'=PHONE", price_cents=15_000_00, stock=2)],
            status="draft",
        ),
    )
    phone.tracks_serials = True
    for serial in ("356938035643809", "356938035643817"):
        session.add(Serial(variant_id=phone.variants[0].id, serial=serial))
    # Longer than a cell of Excel holds.
    add_product(
        session,
        NewProduct(
            name="Atlas",
            description_html="<p>" + "Nairobi na viunga vyake. " * 2_500 + "</p>",
            variants=[NewVariant(sku="ATLAS", price_cents=900_00)],
        ),
    )
    old = add_product(
        session, NewProduct(name="Redio", variants=[NewVariant(sku="RADIO", price_cents=700_00)])
    )
    old.status = "archived"
    session.commit()


def shop_of(session: Session) -> dict[str, Any]:
    """Everything about the goods but the ids, the pictures by what is seen on them."""
    session.expire_all()
    names = {c.id: c.slug for c in session.scalars(select(Category))}

    def row(thing: object, *left_out: str) -> dict[str, Any]:
        skip = {"store_id", "id", "created_at", "updated_at", "changed_at", "reserved", *left_out}
        columns = thing.__table__.columns  # type: ignore[attr-defined]
        return {c.key: getattr(thing, c.key) for c in columns if c.key not in skip}

    return {
        "categories": {
            c.slug: row(c, "parent_id") | {"parent": names.get(c.parent_id)}  # type: ignore[arg-type]
            for c in session.scalars(select(Category))
        },
        "products": {
            p.slug: row(p, "category_id")
            | {
                "category": names.get(p.category_id),  # type: ignore[arg-type]
                "variants": [row(v, "product_id") for v in p.variants],
                "serials": sorted(
                    session.scalars(
                        select(Serial.serial).where(
                            Serial.variant_id.in_([v.id for v in p.variants])
                        )
                    )
                ),
                "pictures": [
                    row(i, "product_id", "media_key", "added_at", "filename", "position")
                    | {"bytes": open_picture(i.media_key, 320)}
                    for i in sorted(p.images, key=lambda image: image.position)
                ],
            }
            for p in session.scalars(select(Product))
        },
    }


def changed(done: CatalogueImport) -> dict[str, Any]:
    """What an import did, and the rows it refused: empty when it did nothing."""
    counts = {
        name: count for name, count in done.counts.items() if count and "unchanged" not in name
    }
    refused = [row["sentence"] for row in done.report["refused"]]
    return counts | ({"refused": refused} if refused else {})


def csv_of(session: Session) -> bytes:
    return b"".join(as_csv(session))


def rows_in(body: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(body.decode("utf-8-sig"), newline="")))


@pytest.mark.row("N57")
@pytest.mark.parametrize("ending", ["csv", "xlsx"])
def test_an_export_that_comes_back_changes_nothing(session: Session, ending: str) -> None:
    a_shop(session)
    before, versions = shop_of(session), _version(session)
    body = csv_of(session) if ending == "csv" else as_xlsx(session)
    done = bring(session, body, f"products.{ending}")

    assert changed(done) == {}
    assert done.counts["products_unchanged"] == 4
    assert shop_of(session) == before
    assert _version(session) == versions  # no shopper's page is made anew
    assert (
        session.scalars(select(ImportChange).where(ImportChange.import_id == done.id)).all() == []
    )


def _version(session: Session) -> int:
    return int(
        session.execute(
            text("SELECT content_version FROM app.stores WHERE id = app.store_id()")
        ).scalar_one()
    )


@pytest.mark.shared
@pytest.mark.row("N57", "I21")
@pytest.mark.parametrize("name", REAL)
def test_a_real_catalogue_goes_out_and_comes_back_with_no_change(
    session: Session, name: str
) -> None:
    bring(session, (SHARED_DIR / "data" / "catalogues" / name).read_bytes(), name)
    before = picture_of(session)
    done = bring(session, csv_of(session), "products.csv")
    assert changed(done) == {}
    from_excel = bring(session, as_xlsx(session), "products.xlsx")

    assert changed(from_excel) == {}
    assert picture_of(session) == before
    assert len(before) > 20


@pytest.mark.row("N57")
def test_many_changes_in_a_spreadsheet_come_in_together(session: Session) -> None:
    a_shop(session)
    rows = rows_in(csv_of(session))
    at = {title: n for n, title in enumerate(rows[0])}
    for row in rows[1:]:
        if row[at["SKU"]] == "'-KET-R":
            row[at["Price KES"]], row[at["Old price KES"]] = "2300", ""
            row[at["Search title"]] = ""
        if row[at["SKU"]] == "RADIO":
            row[at["Status"]] = "active"
    out = io.StringIO()
    csv.writer(out).writerows(rows)
    done = bring(session, out.getvalue(), "products.csv")

    assert (done.counts["products_updated"], done.counts["products_unchanged"]) == (2, 2)
    kettle = session.scalars(select(Variant).where(Variant.sku == "-KET-R")).one()
    assert (kettle.price_cents, kettle.compare_at_cents) == (2_300_00, None)
    assert (kettle.product.seo_title, kettle.on_hand) == ("", 4)
    radio = session.scalars(select(Product).where(Product.slug == "redio")).one()
    assert radio.status == "active"


@pytest.mark.row("N57")
def test_no_cell_of_an_export_runs_in_a_spreadsheet(session: Session) -> None:
    a_shop(session)
    body = csv_of(session)
    assert body.startswith(b"\xef\xbb\xbf")
    cells = [cell for row in rows_in(body) for cell in row]
    book = CalamineWorkbook.from_filelike(io.BytesIO(as_xlsx(session))).get_sheet_by_index(0)
    cells += [cell for row in book.to_python() for cell in row if isinstance(cell, str)]

    assert '\'=SUM(1) "Kettle", 1.7 L' in cells
    assert [cell for cell in cells if cell.lstrip()[:1] in set("=+-@\t\r=+-@")] == []


@given(st.text(alphabet="'=+-@ \t\r\n=ab", max_size=6))
def test_a_cell_comes_back_as_it_was_meant(said: str) -> None:
    assert meant_cell(safe_cell(said)) == said
    assert not safe_cell(said).lstrip().startswith(("=", "+", "-", "@", "=", "+", "-", "@"))
    assert not safe_cell(said).startswith(("\t", "\r"))


def test_a_phone_number_is_no_sum() -> None:
    assert safe_phone("+254712345678") == "+254712345678"
    assert safe_phone("+254*2") == "'+254*2"


# Everything in one file


def zip_of(session: Session, *, phones: bool = False, pictures: bool = True) -> bytes:
    export = begin_export(session, with_phones=phones, with_pictures=pictures, actor="Wanjiru")
    session.commit()
    make_export(session, export.id)
    done = get_export(session, export.id)
    assert done.status == "done"
    body = b"".join(pieces_of(session, export.id))
    assert len(body) == done.bytes
    return body


def no_internet(url: str) -> bytes:
    raise AssertionError(f"nothing of an export is fetched: {url}")


@pytest.mark.row("I21")
def test_a_whole_shop_moves_to_a_new_store_and_is_identical(
    session: Session, store: Store, theirs: Store
) -> None:
    with of(store) as ours:
        a_shop(ours)
        before, body = shop_of(ours), zip_of(ours, pictures=False)
    with of(theirs) as new:
        done = bring(new, body, "dukani.zip")
        assert done.report["refused"] == []
        bring_pictures(new, done.id, no_internet)
        assert picture_counts(new, done.id) == {"done": 2}
        after = shop_of(new)
        again = bring(new, body, "dukani.zip")
        assert changed(again) == {}
        theirs_keys = set(new.scalars(select(ProductImage.media_key)))
    with of(store) as ours:
        ours_keys = set(ours.scalars(select(ProductImage.media_key)))

    assert after == before
    # Copies: what one shop removes stays with the other.
    assert theirs_keys.isdisjoint(ours_keys)


@pytest.mark.row("I21")
@pytest.mark.parametrize(
    "missing",
    [
        pytest.param(2, id="none of them is here"),
        pytest.param(1, id="the second is here, and stays the second"),
    ],
)
def test_on_another_installation_the_pictures_come_from_the_zip(
    session: Session, store: Store, theirs: Store, missing: int
) -> None:
    with of(store) as ours:
        a_shop(ours)
        body = zip_of(ours)
        keys = list(ours.scalars(select(ProductImage.media_key).order_by(ProductImage.position)))[
            :missing
        ]
    # The files of these keys are not here: what another installation would find.
    elsewhere = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(body)) as old, zipfile.ZipFile(elsewhere, "w") as new_zip:
        for name in old.namelist():
            content = old.read(name)
            if name == "dukani.json":
                told = json.loads(content)
                told["pictures"] = {
                    key: facts | ({"files": {"webp": ["1440", "7"]}} if key in keys else {})
                    for key, facts in told["pictures"].items()
                }
                content = json.dumps(told).encode()
            new_zip.writestr(name, content)
    with of(theirs) as new:
        done = bring(new, elsewhere.getvalue(), "dukani.zip")
        bring_pictures(new, done.id, no_internet)
        photos = new.scalars(select(ProductImage).order_by(ProductImage.position)).all()
        facts = [(p.status, p.alt, p.option_value) for p in photos]

    # Made anew from the file's own bytes.
    assert facts == [("ready", "In red", "Red"), ("ready", "In blue", None)]


@pytest.mark.row("I21")
def test_the_export_holds_orders_customers_stock_and_the_ledger(session: Session) -> None:
    make_payment_settings(session)
    order = make_order(session)
    order.landmark = "=cmd|' /C calc'!A0"
    points = {"customer_id": order.customer_id, "order_id": order.id}
    session.add(PointMove(points=9, reason="earned", **points))
    session.flush()
    session.add(PointMove(points=-4, reason="spent", **points))
    session.commit()
    phone = order.customer.phone
    masked, whole = zip_of(session), zip_of(session, phones=True)

    with zipfile.ZipFile(io.BytesIO(masked)) as archive:
        names = set(archive.namelist())
        sheets = {n: rows_in(archive.read(n)) for n in names if n.endswith(".csv")}
        everything = b"".join(archive.read(n) for n in names)
    assert {"products.csv", "stock.csv", "orders.csv", "order_lines.csv", "customers.csv"} <= names
    assert {"ledger.csv", "pictures.csv", "dukani.json", "README.txt"} <= names
    assert sheets["orders.csv"][1][0] == order.code
    assert "'=cmd|' /C calc'!A0" in sheets["orders.csv"][1]
    assert len(sheets["order_lines.csv"]) == 1 + len(order.lines)
    moved = sorted(row[2:5] for row in sheets["points.csv"][1:])
    assert moved == [["-4", "spent", order.code], ["9", "earned", order.code]]
    assert phone.encode() not in everything
    assert phone[4:].encode() not in everything
    with zipfile.ZipFile(io.BytesIO(whole)) as archive:
        assert phone in rows_in(archive.read("customers.csv"))[1]
    kept = session.scalars(
        select(AuditEntry.detail).where(AuditEntry.action == "store.exported")
    ).all()
    assert sorted(entry["with_phones"] for entry in kept) == [False, True]


def test_an_export_says_who_agreed_to_offers_and_by_which_words(session: Session) -> None:
    for phone, is_sure in (("+254711000001", True), ("+254722000002", False)):
        order = make_order(session, phone=phone)
        agree_with_order(
            session,
            order.customer_id,
            order.id,
            said_as=order.customer_id,
            is_proven=is_sure,
            words="Tell me about offers",
            actor="shopper:web",
        )
    session.commit()

    with zipfile.ZipFile(io.BytesIO(zip_of(session, phones=True))) as archive:
        customers = rows_in(archive.read("customers.csv"))
        said = rows_in(archive.read("consents.csv"))

    assert [(row[1][-3:], row[-1]) for row in customers[1:]] == [("001", "agreed"), ("002", "")]
    assert [row[1:6] for row in said[1:]] == [
        ["+254711000001", "yes", "yes", "checkout", "Tell me about offers"],
        ["+254722000002", "yes", "no", "checkout", "Tell me about offers"],
    ]


@pytest.mark.row("I21")
def test_the_ledger_in_the_export_sums_to_zero(session: Session) -> None:
    post(session, "settle", "x1", {"till": 1_250_00, "sales": -1_250_00})
    session.commit()
    with zipfile.ZipFile(io.BytesIO(zip_of(session))) as archive:
        rows = rows_in(archive.read("ledger.csv"))[1:]

    assert sorted(row[-1] for row in rows) == ["-1250", "1250"]
