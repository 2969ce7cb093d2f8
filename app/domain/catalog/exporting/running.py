"""Everything a store owns in one ZIP: goods, stock, orders, customers, ledger, pictures.

It opens in any spreadsheet, and another store takes its goods back in as they were. Phone numbers
are masked unless somebody who may see them asked for them, which is on the audit trail.
"""

from __future__ import annotations

import csv
import io
import json
import tempfile
import zipfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from typing import IO, Any, Final
from uuid import UUID

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from app.clock import NAIROBI, utcnow
from app.db.tenancy import bound_store
from app.domain.audit.actions import record
from app.domain.catalog.exporting.records import PART_BYTES, Export, ExportPart, get_export
from app.domain.catalog.exporting.sheet import MARK, csv_parts
from app.domain.catalog.importing.cells import safe_cell, safe_phone
from app.domain.catalog.importing.manifest import NAME as MANIFEST
from app.domain.catalog.importing.own_columns import amount
from app.domain.catalog.models import Category, Product, ProductImage, StockMovement, Variant
from app.domain.customers.consent import AGREED
from app.domain.customers.models import Consent, Customer
from app.domain.ledger.models import LedgerEntry, LedgerTx
from app.domain.loyalty.models import PointMove
from app.domain.media.making import WIDTHS
from app.domain.media.pictures import file_name
from app.domain.media.storage import fetch, open_bucket, place_for
from app.domain.orders.models import Order, OrderLine
from app.domain.stores.models import Store
from app.ids import new_id
from app.jobs import Topic, ask_for
from app.phones import masked

VERSION: Final = 1
_ROWS_AT_A_TIME: Final = 500

Rows = Iterator[Sequence[object]]

_README: Final = """Everything of {store}, written {when}.

products.csv     goods, one row per variant; bring it in again under Products, Import
stock.csv        every movement of stock, with its reason
orders.csv       orders;  order_lines.csv  what was bought, at the price agreed
points.csv       points of customers, as they came and went: the sum is what each has
customers.csv    who bought{phones}; send offers only to who agreed
consents.csv     what they said about offers, and by which words
ledger.csv       the money: entries of a transaction sum to zero
pictures.csv     every picture, and its file below pictures/
dukani.json      what another Dukani store needs to take the goods in as they were

Amounts are Kenyan shillings, times are Nairobi's. A cell that a spreadsheet might
run as a formula has an apostrophe in front.
"""


def begin_export(session: Session, *, with_phones: bool, with_pictures: bool, actor: str) -> Export:
    """Ask a worker for a full export, with or without whole phone numbers. Does not commit."""
    export = Export(id=new_id(), with_phones=with_phones, with_pictures=with_pictures, actor=actor)
    session.add(export)
    session.flush()
    ask_for(session, Topic.MAKE_EXPORT, key=str(export.id), export_id=str(export.id))
    record(
        session,
        "store.exported",
        actor=actor,
        subject=f"export:{export.id}",
        with_phones=with_phones,
    )
    return export


def make_export(session: Session, export_id: UUID) -> None:
    """Write the ZIP of an export that was asked for. Commits; a second call changes nothing."""
    export = get_export(session, export_id, lock=True)
    if export.status != "waiting":
        session.commit()
        return
    session.execute(
        delete(ExportPart).where(
            ExportPart.store_id == bound_store(), ExportPart.export_id == export_id
        )
    )
    with tempfile.TemporaryFile() as file:
        counts = _write(session, export, file)
        export.bytes = file.tell()
        file.seek(0)
        n = 0
        while body := file.read(PART_BYTES):
            session.add(ExportPart(export_id=export_id, n=n, body=body))
            session.flush()
            n += 1
    export.counts = counts
    export.status = "done"
    export.finished_at = func.clock_timestamp()
    session.commit()


def _write(session: Session, export: Export, file: IO[bytes]) -> dict[str, int]:
    store = session.get_one(Store, bound_store())
    counts: dict[str, int] = {}
    sheets: dict[str, Callable[[], tuple[Sequence[str], Rows]]] = {
        "stock": lambda: _stock(session),
        "orders": lambda: _orders(session, export),
        "order_lines": lambda: _order_lines(session),
        "points": lambda: _points(session, export),
        "customers": lambda: _customers(session, export),
        "consents": lambda: _consents(session, export),
        "ledger": lambda: _ledger(session),
        "pictures": lambda: _picture_list(session),
    }
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("README.txt", _readme(store, export))
        for n, part in enumerate(csv_parts(session), start=1):
            archive.writestr("products.csv" if n == 1 else f"products-{n}.csv", part)
        counts["products"] = _count(session, Product)
        for name, sheet in sheets.items():
            headers, rows = sheet()
            counts[name] = _write_sheet(archive, f"{name}.csv", headers, rows)
        archive.writestr(MANIFEST, json.dumps(_manifest(session, store), ensure_ascii=False))
        if export.with_pictures:
            counts["picture_files"] = _write_pictures(session, archive)
    return counts


def _readme(store: Store, export: Export) -> str:
    phones = "" if export.with_phones else ", with masked phone numbers"
    return _README.format(store=store.name, when=_when(utcnow()), phones=phones)


def _write_sheet(archive: zipfile.ZipFile, name: str, headers: Sequence[str], rows: Rows) -> int:
    count = 0
    with archive.open(name, "w", force_zip64=True) as out:
        text = io.TextIOWrapper(out, encoding="utf-8", newline="", write_through=True)
        text.write(MARK.decode())
        writer = csv.writer(text, quoting=csv.QUOTE_ALL)
        writer.writerow(headers)
        for row in rows:
            writer.writerow(["" if cell is None else _safe(cell) for cell in row])
            count += 1
        text.detach()
    return count


class _Phone(str):
    """A phone number in a cell: ``+254…`` is no sum."""

    __slots__ = ()


class _Amount(str):
    """A number we wrote, perhaps below zero: no cell of text that a spreadsheet might run."""

    __slots__ = ()


def _safe(cell: object) -> object:
    if isinstance(cell, _Phone):
        return safe_phone(cell)
    return cell if isinstance(cell, (int, _Amount)) else safe_cell(str(cell))


def _when(at: datetime | None) -> str:
    return at.astimezone(NAIROBI).strftime("%Y-%m-%d %H:%M:%S") if at else ""


def _count(session: Session, model: type[Product]) -> int:
    return session.scalar(select(func.count()).where(model.store_id == bound_store())) or 0


def _stream(session: Session, query: Any) -> Iterable[Any]:
    return session.execute(query.execution_options(yield_per=_ROWS_AT_A_TIME))


# -- the sheets -----------------------------------------------------------------------------


def _stock(session: Session) -> tuple[Sequence[str], Rows]:
    query = (
        select(
            StockMovement.at,
            Variant.sku,
            StockMovement.quantity,
            StockMovement.reason,
            StockMovement.note,
            StockMovement.actor,
            Order.code,
        )
        .join(
            Variant,
            (Variant.store_id == StockMovement.store_id) & (Variant.id == StockMovement.variant_id),
        )
        .outerjoin(
            Order, (Order.store_id == StockMovement.store_id) & (Order.id == StockMovement.order_id)
        )
        .where(StockMovement.store_id == bound_store())
        .order_by(StockMovement.at, StockMovement.id)
    )
    headers = ("When", "SKU", "Units", "Reason", "Note", "By", "Order")
    return headers, ((_when(at), *rest) for at, *rest in _stream(session, query))


def _orders(session: Session, export: Export) -> tuple[Sequence[str], Rows]:
    query = (
        select(Order, Customer)
        .join(Customer, (Customer.store_id == Order.store_id) & (Customer.id == Order.customer_id))
        .where(Order.store_id == bound_store())
        .order_by(Order.placed_at, Order.id)
    )
    headers = (
        *("Order", "Status", "Placed", "Paid", "Delivered", "Cancelled", "Customer", "Phone"),
        *("Area", "Landmark", "Pick-up", "Payment", "Channel", "Goods KES", "Discount KES"),
        *("Delivery KES", "Rounding KES", "Total KES", "VAT KES"),
    )

    def rows() -> Rows:
        for order, customer in _stream(session, query):
            yield (
                *(order.code, str(order.status), _when(order.placed_at), _when(order.paid_at)),
                *(_when(order.delivered_at), _when(order.cancelled_at), order.customer_name),
                *(_phone(customer, export), order.area, order.landmark),
                *("yes" if order.is_pickup else "no", order.payment_method, order.channel),
                *map(
                    _signed,
                    (
                        *(order.subtotal_cents, order.discount_cents, order.delivery_fee_cents),
                        *(order.rounding_cents, order.total_cents, order.vat_cents),
                    ),
                ),
            )

    return headers, rows()


def _order_lines(session: Session) -> tuple[Sequence[str], Rows]:
    query = (
        select(Order.code, OrderLine)
        .join(OrderLine, (OrderLine.store_id == Order.store_id) & (OrderLine.order_id == Order.id))
        .where(Order.store_id == bound_store())
        .order_by(Order.placed_at, Order.id, OrderLine.n)
    )
    headers = (
        *("Order", "Line", "SKU", "Name", "Options", "Units", "Price KES", "Cost KES"),
        *("VAT rate", "VAT KES", "Total KES"),
    )
    return headers, (
        (
            *(code, line.n, line.sku, line.name, line.option_text, line.quantity),
            *(_signed(line.price_cents), amount(line.cost_cents), line.vat_rate),
            *(_signed(line.vat_cents), _signed(line.total_cents)),
        )
        for code, line in _stream(session, query)
    )


def _points(session: Session, export: Export) -> tuple[Sequence[str], Rows]:
    query = (
        select(PointMove, Customer, Order.code)
        .join(
            Customer,
            (Customer.store_id == PointMove.store_id) & (Customer.id == PointMove.customer_id),
        )
        .outerjoin(Order, (Order.store_id == PointMove.store_id) & (Order.id == PointMove.order_id))
        .where(PointMove.store_id == bound_store())
        .order_by(PointMove.at, PointMove.id)
    )
    headers = ("When", "Phone", "Points", "Reason", "Order", "By")
    return headers, (
        (_when(move.at), _phone(customer, export), move.points, move.reason, code, move.actor)
        for move, customer, code in _stream(session, query)
    )


def _customers(session: Session, export: Export) -> tuple[Sequence[str], Rows]:
    query = (
        select(Customer, Customer.id.in_(AGREED))
        .where(Customer.store_id == bound_store())
        .order_by(Customer.created_at, Customer.id)
    )
    headers = ("Name", "Phone", "Language", "Last area", "Last landmark", "Since", "Offers")
    return headers, (
        (
            *(customer.name, _phone(customer, export), customer.language, customer.last_area),
            *(customer.last_landmark, _when(customer.created_at)),
            "agreed" if agrees else "",
        )
        for customer, agrees in _stream(session, query)
    )


def _consents(session: Session, export: Export) -> tuple[Sequence[str], Rows]:
    query = (
        select(Consent, Customer)
        .join(Customer, (Customer.store_id == Consent.store_id) & (Customer.id == Consent.said_as))
        .where(Consent.store_id == bound_store())
        .order_by(Consent.at, Consent.id)
    )
    headers = ("When", "Phone", "Said", "Proved by a code", "Where", "Words", "Version")
    return headers, (
        (
            *(_when(said.at), _phone(customer, export), "yes" if said.is_given else "stop"),
            *("yes" if said.is_proven else "no", said.source, said.words, said.version),
        )
        for said, customer in _stream(session, query)
    )


def _ledger(session: Session) -> tuple[Sequence[str], Rows]:
    query = (
        select(LedgerTx, LedgerEntry)
        .join(
            LedgerEntry,
            (LedgerEntry.store_id == LedgerTx.store_id) & (LedgerEntry.tx_id == LedgerTx.id),
        )
        .where(LedgerTx.store_id == bound_store())
        .order_by(LedgerTx.at, LedgerTx.id, LedgerEntry.n)
    )
    headers = ("When", "Transaction", "Kind", "Caused by", "Line", "Account", "Amount KES")
    return headers, (
        (
            *(_when(tx.at), str(tx.id), tx.kind, tx.source_id, entry.n, entry.account),
            _signed(entry.amount_cents),
        )
        for tx, entry in _stream(session, query)
    )


def _picture_list(session: Session) -> tuple[Sequence[str], Rows]:
    query = (
        select(Product.slug, ProductImage)
        .join(
            ProductImage,
            (ProductImage.store_id == Product.store_id) & (ProductImage.product_id == Product.id),
        )
        .where(*_shown_pictures())
        .order_by(Product.slug, ProductImage.position, ProductImage.id)
    )
    headers = ("Product", "File", "Shows", "Words", "Width", "Height", "Sent as")
    return headers, (
        (
            *(slug, f"pictures/{picture.media_key}.webp", picture.option_value, picture.alt),
            *(picture.width, picture.height, picture.filename),
        )
        for slug, picture in _stream(session, query)
    )


def _shown_pictures() -> tuple[Any, ...]:
    return (
        ProductImage.store_id == bound_store(),
        ProductImage.status == "ready",
        ProductImage.removed_at.is_(None),
    )


def _phone(customer: Customer, export: Export) -> _Phone:
    return _Phone(customer.phone if export.with_phones else masked(customer.phone))


def _signed(cents: int) -> _Amount:
    shillings, rest = divmod(abs(cents), 100)
    sign = "-" if cents < 0 else ""
    return _Amount(f"{sign}{shillings}.{rest:02d}" if rest else f"{sign}{shillings}")


# -- for another store ----------------------------------------------------------------------


def _manifest(session: Session, store: Store) -> dict[str, Any]:
    categories = session.scalars(
        select(Category)
        .where(Category.store_id == bound_store())
        .order_by(Category.position, Category.slug)
    ).all()
    slugs = {category.id: category.slug for category in categories}
    pictures = session.scalars(select(ProductImage).where(*_shown_pictures()))
    return {
        "dukani": VERSION,
        "store": {"name": store.name, "slug": store.slug, "kind": store.kind},
        "written": _when(utcnow()),
        "categories": [
            {
                "slug": category.slug,
                "name": category.name,
                "position": category.position,
                "parent": slugs.get(category.parent_id, "") if category.parent_id else "",
                "attributes": category.attributes,
                "size_chart": category.size_chart,
                "return_days": category.return_days,
                "return_note": category.return_note,
                "photo_guide": category.photo_guide,
            }
            for category in categories
        ],
        "pictures": {
            picture.media_key: {
                "width": picture.width,
                "height": picture.height,
                "tint": picture.tint,
                "is_filled": picture.is_filled,
                "focal_x": picture.focal_x,
                "focal_y": picture.focal_y,
                "files": {kind: list(widths) for kind, widths in _files(picture).items()},
            }
            for picture in pictures
        },
    }


def _files(picture: ProductImage) -> dict[str, Any]:
    """Every file of a picture; one made before there were several kinds has WebP alone."""
    return picture.files or {"webp": picture.sizes}


def _write_pictures(session: Session, archive: zipfile.ZipFile) -> int:
    """The largest WebP file of each picture. Pictures are packed already: no second time."""
    bucket = open_bucket(place_for(None))
    count = 0
    for key in session.scalars(select(ProductImage.media_key).where(*_shown_pictures()).distinct()):
        for width in reversed(WIDTHS):
            body = fetch(bucket, file_name(key, width))
            if body is not None:
                archive.writestr(f"pictures/{key}.webp", body, zipfile.ZIP_STORED)
                count += 1
                break
    return count
