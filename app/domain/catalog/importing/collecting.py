"""Keeping the report while a file is read: where every row went, and which SKUs are taken."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace

from app.domain.catalog.importing.cleaning import (
    RowRefused,
    fitting_name,
    generated_sku,
    image_urls,
    read_price,
    same_options,
    shorten,
    sku_key,
)
from app.domain.catalog.importing.drafts import (
    CatalogueFile,
    FileFormat,
    Note,
    ProductDraft,
    RefusedRow,
    Report,
    VariantDraft,
)
from app.domain.catalog.importing.reading import Row, Table
from app.i18n import gettext as _
from app.i18n import ngettext
from app.money import format_kes, round_to_shilling

_NOTES_LIMIT = 500


class Collector:
    """The one place that decides what a row's fate is called.

    A bad row is refused each time it appears; a good row that appears again, word for
    word, is counted once and listed as repeated.
    """

    def __init__(self, table: Table, file_format: FileFormat) -> None:
        self.report = Report(format=file_format, headers=table.headers, notes=list(table.notes))
        self.drafts: list[ProductDraft] = []
        self._table = table
        self._first_with_sku: dict[str, int] = {}
        self._first_with_cells: dict[bytes, int] = {}
        self._repeats: dict[int, list[int]] = {}
        # Row, cents in the file, cents after rounding.
        self._rounded: list[tuple[int, int, int]] = []
        self._refused: dict[int, RefusedRow] = {}

    def rows(self) -> Iterator[Row]:
        """The rows that are whole; broken ones are refused here. Read it once."""
        for row in self._table.rows:
            self.report.rows_read += 1
            if row.is_cut:
                self.refuse(
                    row.number,
                    RowRefused(
                        "row_cut_short",
                        _("The file stops in the middle of this row; it may have been cut short."),
                    ),
                )
            elif row.extra:
                self.refuse(
                    row.number,
                    RowRefused(
                        "too_many_cells",
                        _(
                            "This row has more cells than there are columns; put text with "
                            "commas in quotation marks."
                        ),
                        value=row.extra[0],
                    ),
                )
            else:
                yield row

    def refuse(self, row: int, error: RowRefused) -> None:
        """Refuse a row, and with it the later rows that repeat it."""
        self._put_down(
            RefusedRow(
                row=row,
                reason_code=error.reason_code,
                sentence=str(error),
                column=error.column,
                value=shorten(error.value),
            )
        )

    def _put_down(self, refused: RefusedRow) -> None:
        # The facts are kept and not the exception: its traceback holds the whole reader.
        self._refused[refused.row] = refused
        self.report.refused.append(refused)
        for number in self._repeats.pop(refused.row, []):
            self.report.refused.append(replace(refused, row=number))

    def note(self, sentence: str, row: int | None = None) -> None:
        """Say something about a row that came in, or about the whole file."""
        self.report.notes.append(Note(sentence=sentence, row=row))

    def is_repeat(self, row: Row) -> bool:
        """Whether an earlier row had exactly these cells; if so it is put down as repeated."""
        digest = hashlib.blake2b("\x1f".join(row.cells.values()).encode(), digest_size=16).digest()
        first = self._first_with_cells.setdefault(digest, row.number)
        if first == row.number:
            return False
        self.repeats(first, row.number)
        return True

    def repeats(self, first: int, row: int) -> None:
        """Put ``row`` down as saying what row ``first`` said, and sharing its fate."""
        if first in self._refused:
            self._put_down(replace(self._refused[first], row=row))
            return
        self._repeats.setdefault(first, []).append(row)

    def claim_sku(self, sku: str, row: int, *, column: str) -> None:
        """Take a SKU for this row. Raises RowRefused when another row has it."""
        if not sku:
            return
        first = self._first_with_sku.setdefault(sku_key(sku), row)
        if first != row:
            raise RowRefused(
                "sku_repeats",
                _("The SKU is already used in row %(row)s.", row=first),
                column=column,
                value=sku,
            )

    def add_variant(self, product: ProductDraft, variant: VariantDraft) -> None:
        """Add a variant whose options no other has. Raises RowRefused when one does."""
        for other in product.variants:
            if same_options(variant, other):
                raise _same_choice(variant, other)
        product.variants.append(variant)

    def optional_price(self, text: str, row: int, *, column: str) -> int | None:
        """An amount in cents the product can do without: a bad one becomes a note."""
        if not text.strip():
            return None
        try:
            return read_price(text, column=column)
        except RowRefused as error:
            self.note(
                _("%(column)s was left out: %(why)s", column=column or "?", why=str(error)), row
            )
            return None

    def add_images(self, product: ProductDraft, text: str) -> None:
        """Add the picture addresses in a cell, each once."""
        known = set(product.images)
        product.images.extend(url for url in image_urls(text) if url not in known)

    def finish(self, products: list[ProductDraft]) -> CatalogueFile:
        """Give every variant a SKU, order the report, and close it."""
        self.drafts = [product for product in products if product.variants]
        taken = set(self._first_with_sku)
        for product in self.drafts:
            product.rows.sort()
            self._fit_name(product)
            for variant in product.variants:
                self._round(variant)
                if variant.compare_at_cents and variant.compare_at_cents <= variant.price_cents:
                    variant.compare_at_cents = None
                if not variant.sku:
                    variant.sku = generated_sku(
                        product.name, variant.options, product.source_key, taken
                    )
                    variant.sku_is_generated = True
        report = self.report
        report.repeated = sorted(row for rows in self._repeats.values() for row in rows)
        report.refused.sort(key=lambda refused: refused.row)
        report.products = len(self.drafts)
        report.variants = sum(len(product.variants) for product in self.drafts)
        self._note_rounding()
        self._note_repeats()
        if len(report.notes) > _NOTES_LIMIT:
            left_out = len(report.notes) - _NOTES_LIMIT
            del report.notes[_NOTES_LIMIT:]
            self.note(_("%(count)s more notes of this kind were left out.", count=left_out))
        return CatalogueFile(drafts=self.drafts, report=report)

    def _fit_name(self, product: ProductDraft) -> None:
        fitting = fitting_name(product.name)
        if fitting != product.name:
            self.note(
                _(
                    "The name has %(length)s letters and was cut to “%(name)s”.",
                    length=len(product.name),
                    name=fitting,
                ),
                product.variants[0].row,
            )
            product.name = fitting

    def _round(self, variant: VariantDraft) -> None:
        """Prices are whole shillings, as M-Pesa takes them; half a shilling goes up."""
        price_cents = round_to_shilling(variant.price_cents).payable_cents
        if price_cents != variant.price_cents:
            self._rounded.append((variant.row, variant.price_cents, price_cents))
            variant.price_cents = price_cents
        if variant.compare_at_cents:
            variant.compare_at_cents = round_to_shilling(variant.compare_at_cents).payable_cents

    def _note_rounding(self) -> None:
        if self._rounded:
            row, before, after = self._rounded[0]
            sentence = ngettext(
                "%(n)s price had cents and was rounded to whole shillings: row %(row)s, "
                "%(before)s became %(after)s.",
                "%(n)s prices had cents and were rounded to whole shillings, such as row "
                "%(row)s: %(before)s became %(after)s.",
                len(self._rounded),
                row=row,
                before=format_kes(before),
                after=format_kes(after),
            )
            self.report.notes.insert(0, Note(sentence=sentence))

    def _note_repeats(self) -> None:
        repeated = self.report.repeated
        if repeated:
            sentence = ngettext(
                "%(n)s row repeats an earlier one word for word and was counted once: row "
                "%(rows)s.",
                "%(n)s rows repeat earlier ones word for word and were counted once, from row "
                "%(rows)s on.",
                len(repeated),
                rows=repeated[0],
            )
            self.report.notes.insert(0, Note(sentence=sentence))


def _same_choice(variant: VariantDraft, other: VariantDraft) -> RowRefused:
    choice = ", ".join(f"{name} {value}" for name, value in variant.options.items())
    if not choice:
        return RowRefused(
            "variant_repeats",
            _(
                "The product is already in row %(row)s with other details. Give one of them "
                "another name, or a size or colour of its own.",
                row=other.row,
            ),
        )
    return RowRefused(
        "variant_repeats",
        _(
            "%(choice)s of this product is already in row %(row)s with other details.",
            choice=choice,
            row=other.row,
        ),
    )
