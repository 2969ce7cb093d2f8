"""What every row of the grid of goods has in common, worked out once for the page."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from uuid import UUID

from flask import url_for
from flask_wtf.csrf import generate_csrf
from markupsafe import Markup

from app.domain.catalog.grid import GridAsked
from app.domain.catalog.models import Category, Product
from app.i18n import gettext as _
from app.web.backoffice.shell import may

_HIDDEN = Markup('<input type="hidden" name="{}" value="{}">')
_OPTION = Markup('<option value="{}"{}>{}</option>')
_CHOSEN = Markup(" selected")
_PICTURE = Markup(
    '<svg class="icon icon--small" viewBox="0 0 24 24" aria-hidden="true">'
    '<path d="M4 5h16v14H4zM4 16l5-5 4 4 3-3 4 4"/></svg>'
)


@dataclass
class Rows:
    """The words, the hidden fields and the choices of every row."""

    can: bool
    kept: Markup
    base: str
    photos: dict[UUID, str]
    shelves: list[tuple[str, str]]
    statuses: list[tuple[str, str]]
    words: dict[str, str]
    no_picture: Markup = _PICTURE
    _made: dict[str, Markup] = field(default_factory=dict)

    def status_options(self, chosen: str) -> Markup:
        """The statuses to choose from, with one chosen."""
        return self._options(self.statuses, chosen)

    def category_options(self, chosen: UUID | None) -> Markup:
        """The categories to choose from, with one chosen, or none."""
        return self._options(self.shelves, str(chosen or ""))

    def _options(self, choices: list[tuple[str, str]], chosen: str) -> Markup:
        if chosen not in self._made:
            self._made[chosen] = Markup("").join(
                _OPTION.format(key, _CHOSEN if key == chosen else "", words)
                for key, words in choices
            )
        return self._made[chosen]


def rows_for(products: Iterable[Product], asked: GridAsked, shelves: list[Category]) -> Rows:
    """What the rows of these products share, for a list that was asked like this."""
    kept = [("csrf_token", generate_csrf()), *asked.as_values().items()]
    return Rows(
        can=may("products.change"),
        kept=Markup("").join(_HIDDEN.format(name, value) for name, value in kept),
        base=url_for("office_products.show"),
        photos={product.id: key for product in products if (key := _photo(product))},
        shelves=[("", "–"), *(shelf.as_choice for shelf in shelves)],
        statuses=[("active", _("Shown")), ("draft", _("Draft")), ("archived", _("Archived"))],
        words={
            "save": _("Save"),
            "sold_out": _("Sold out"),
            "low": _("Low"),
            "draft": _("Draft"),
            "archived": _("Archived"),
            "everything": _("Everything"),
            "stock": _("Stock"),
        },
    )


def _photo(product: Product) -> str | None:
    """The key of the first photo that can be shown."""
    shown = (i for i in product.images if i.status == "ready" and i.removed_at is None)
    return next((image.media_key for image in shown), None)
