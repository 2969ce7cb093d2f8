"""A paid order as a letter: plain and HTML words, and the same on paper (PDF).

The code of the order names the paper, and the VAT inside its prices is split by class. Numbers without
gaps, as a tax office wants them, belong to the tax desk and are not made here.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from html import escape
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session, selectinload

from app.clock import nairobi
from app.db.tenancy import bound_store
from app.domain.delivery.queries import area_name
from app.domain.media import fonts
from app.domain.messaging.models import Message
from app.domain.orders.models import Order
from app.domain.stores.models import Store
from app.i18n import gettext as _
from app.i18n import using_locale
from app.money import format_kes
from app.providers.messaging import Attachment, Letter

KIND = "invoice"
PDF = "application/pdf"
NAME_MM, ROW_MM = 130, 7
_JOINER = "\N{ZERO WIDTH JOINER}"
_UNKNOWN = "\N{REPLACEMENT CHARACTER}"


def letter_of(session: Session, message: Message) -> Letter | None:
    """The letter that an invoice's message row stands for; None for every other kind."""
    if message.kind != KIND or message.order_id is None:
        return None
    order = _order(session, message.order_id)
    store = session.get_one(Store, bound_store())
    with using_locale(message.language):
        subject = _("%(store)s: your order %(code)s", store=store.name, code=order.code)
        paper = Paper(store, order)
        return Letter(
            subject=subject,
            text=paper.as_text(),
            html=paper.as_html(),
            attachments=(
                Attachment(name=f"{order.code}.pdf", kind=PDF, data=paper.as_pdf(subject)),
            ),
        )


class Paper:
    """One order in the words of its reader, ready to be set as text, HTML or PDF."""

    def __init__(self, store: Store, order: Order) -> None:
        self.seller = [store.name, store.place, store.phone]
        if store.kra_pin:
            self.seller.append(f"KRA PIN {store.kra_pin}")
        self.title = _("Invoice for order %(code)s", code=order.code)
        if order.paid_at is None:
            self.about = [
                (_("Ordered on"), f"{nairobi(order.placed_at):%Y-%m-%d %H:%M}"),
                (_("To pay"), format_kes(order.total_cents)),
            ]
        else:
            self.about = [(_("Paid on"), f"{nairobi(order.paid_at):%Y-%m-%d %H:%M}")]
        if order.customer_name:
            self.about.append((_("For"), order.customer_name))
        place = _("You collect it") if order.is_pickup else area_name(order.area)
        if place:
            self.about.append((_("Delivered to"), place))
        self.lines = [
            (
                line.name + (f", {line.option_text}" if line.option_text else ""),
                line.quantity,
                format_kes(line.total_cents),
            )
            for line in order.lines
        ]
        self.sums = [(_("Goods"), format_kes(order.subtotal_cents))]
        if order.discount_cents:
            self.sums.append((_("Discount"), format_kes(-order.discount_cents)))
        self.sums.append((_("Delivery"), format_kes(order.delivery_fee_cents)))
        if order.rounding_cents:
            self.sums.append((_("Rounding"), format_kes(order.rounding_cents)))
        self.sums.append((_("Total"), format_kes(order.total_cents)))
        self.vat = _vat_words(order)

    def as_text(self) -> str:
        """For readers without HTML."""
        rows = [f"{name} × {quantity}: {amount}" for name, quantity, amount in self.lines]
        pairs = [f"{name}: {value}" for name, value in (*self.sums, *self.vat)]
        about = [f"{name}: {value}" for name, value in self.about]
        parts = [self.title, "\n".join(filter(None, self.seller)), *map("\n".join, (about, rows))]
        return "\n\n".join([*parts, "\n".join(pairs)]) + "\n"

    def as_html(self) -> str:
        """The same with a table. Everything in it is escaped."""
        seller = "<br>".join(escape(words) for words in self.seller if words)
        goods = [(f"{name} × {quantity}", amount) for name, quantity, amount in self.lines]
        return (
            f'<!doctype html><html><head><meta charset="utf-8"><title>{escape(self.title)}</title></head>'
            f"<body><h1>{escape(self.title)}</h1><p>{seller}</p>"
            f"{_table(self.about)}{_table(goods)}{_table([*self.sums, *self.vat])}</body></html>"
        )

    def as_pdf(self, subject: str) -> bytes:
        """One A4 page or more, with its own letters: any name that a phone can type comes through."""
        from fpdf import (
            FPDF,
        )  # brings a font library along, so only whoever sends an invoice loads it

        pdf = FPDF()
        pdf.set_title(subject)
        pdf.add_font("paper", "", fonts.REGULAR)
        pdf.add_font("paper", "B", fonts.BOLD)
        pdf.set_auto_page_break(True, margin=18)
        pdf.add_page()

        def say(words: str, size: int = 10, *, bold: bool = False) -> None:
            pdf.set_font("paper", "B" if bold else "", size)
            pdf.multi_cell(0, size * 0.6, readable(words), align="L", new_x="LMARGIN", new_y="NEXT")

        def pair(name: str, value: str, *, bold: bool = False) -> None:
            pdf.set_font("paper", "B" if bold else "", 10)
            top, page = pdf.y, pdf.page
            pdf.multi_cell(
                NAME_MM, ROW_MM, readable(name), align="L", new_x="LMARGIN", new_y="NEXT"
            )
            below = pdf.y
            if pdf.page != page:  # it went over to the next page: so does its amount
                top = pdf.t_margin
            pdf.set_xy(pdf.l_margin + NAME_MM, top)
            pdf.cell(0, ROW_MM, readable(value), align="R")
            pdf.set_xy(pdf.l_margin, below)

        say(self.seller[0], 16, bold=True)
        for words in filter(None, self.seller[1:]):
            say(words)
        pdf.ln(6)
        say(self.title, 13, bold=True)
        for name, value in self.about:
            say(f"{name}: {value}")
        pdf.ln(4)
        for name, quantity, amount in self.lines:
            pair(f"{name} × {quantity}", amount)
        pdf.ln(2)
        for name, value in self.sums:
            pair(name, value, bold=(name, value) == self.sums[-1])
        for name, value in self.vat:
            pair(name, value)
        return bytes(pdf.output())


def readable(words: str) -> str:
    """The same words with a mark in place of a letter that ours cannot draw (a Chinese name).

    An emoji says nothing that paper needs, and is left out with what joins and colours it.
    """
    known = _drawn()
    said = (
        c if c == "\n" or (ord(c) in known and c != _JOINER) else "" if _is_picture(c) else _UNKNOWN
        for c in words
    )
    return "".join(said)


def _is_picture(letter: str) -> bool:
    """An emoji, a skin tone, a joiner or a variation selector."""
    return unicodedata.category(letter) in ("So", "Sk", "Cf", "Mn", "Co")


@lru_cache(maxsize=1)
def _drawn() -> frozenset[int]:
    from fontTools.ttLib import TTFont

    with TTFont(fonts.REGULAR, lazy=True) as font:
        return frozenset(font.getBestCmap())


def _order(session: Session, order_id: UUID) -> Order:
    return session.scalars(
        select(Order)
        .where(Order.store_id == bound_store(), Order.id == order_id)
        .options(selectinload(Order.lines))
    ).one()


@dataclass
class VatPart:
    """The lines of one class and rate: what was paid for them, and the VAT in that. Cents."""

    vat_class: str
    rate: int
    paid_cents: int = 0
    vat_cents: int = 0


def vat_parts(order: Order) -> list[VatPart]:
    """The goods of an order by VAT class, the highest rate first. Every line is in one part, so the
    parts sum to what the goods cost after discounts, and their VAT to the order's.
    """
    parts: dict[tuple[int, str], VatPart] = {}
    for line in order.lines:
        vat_class = "standard" if line.vat_rate else line.vat_class
        part = parts.setdefault((-line.vat_rate, vat_class), VatPart(vat_class, line.vat_rate))
        part.paid_cents += line.net_cents
        part.vat_cents += line.vat_cents
    return [parts[key] for key in sorted(parts)]


def _vat_words(order: Order) -> list[tuple[str, str]]:
    said = []
    for part in vat_parts(order):
        match part.vat_class:
            case "standard":
                before = format_kes(part.paid_cents - part.vat_cents)
                said.append((_("Before VAT of %(rate)s %%", rate=part.rate), before))
                said.append(
                    (_("VAT in it, %(rate)s %%", rate=part.rate), format_kes(part.vat_cents))
                )
            case "zero":
                said.append((_("Zero-rated for VAT"), format_kes(part.paid_cents)))
            case "exempt":
                said.append((_("Exempt from VAT"), format_kes(part.paid_cents)))
            case _:
                said.append((_("No VAT: the shop is not registered for it"), format_kes(0)))
    return said


def _table(rows: Iterable[tuple[str, str]]) -> str:
    cells = "".join(
        f'<tr><td>{escape(name)}</td><td align="right">{escape(value)}</td></tr>'
        for name, value in rows
    )
    return f"<table>{cells}</table>"
