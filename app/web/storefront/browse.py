"""Looking around: the shop window, categories, search, one product.

These pages are the same for everybody, so that they can be cached: nothing in them knows the
cart, the area or the person. What does comes from small addresses of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlencode

from flask import Blueprint, Response, g, redirect, render_template, request
from flask.typing import ResponseReturnValue

from app.db.engine import db
from app.domain.cart.queries import summarise_cart
from app.domain.catalog import queries
from app.domain.catalog.queries import PAGE_SIZE, OptionValue, Picture, ProductPage, VariantView
from app.domain.delivery.queries import area_name, fee_preview
from app.domain.errors import AreaNotServed, BelowMinimumOrder, NotFound
from app.i18n import gettext as _
from app.money import format_kes
from app.web.limits import SEARCHES, limiter
from app.web.public import FOR_CACHES, public
from app.web.shopper import cart_id, chosen_area
from app.web.storefront.words import stock_class, stock_words, storefront_words
from app.web.tenancy import open_store

bp = Blueprint("browse", __name__)
bp.before_request(open_store)
bp.app_context_processor(storefront_words)

MAX_PRICE_KES = 100_000_000
MAX_OPTIONS = 5
MAX_TRAITS = 12


@dataclass(frozen=True, kw_only=True)
class Asked:
    """How the shopper wants a list: read from the address, and written back into links."""

    path: str
    query: str | None
    sort: str
    up_to_cents: int | None
    in_stock: bool
    shown: int
    traits: dict[str, list[str]]  # values of the category's attributes, by their key

    @classmethod
    def from_request(cls, *, query: str | None) -> Asked:
        """Anything odd in the address is as if it were not there."""
        price = _digits(request.args.get("max", ""), most=MAX_PRICE_KES)
        sort = request.args.get("sort", "")
        return cls(
            path=request.path,
            query=query,
            sort=sort if sort in queries.SORTS else queries.SORTS[0],
            up_to_cents=price * 100 if price else None,
            in_stock=request.args.get("stock") == "1",
            shown=_digits(request.args.get("show", ""), most=queries.MAX_SHOWN) or PAGE_SIZE,
            traits=_traits() if query is None else {},
        )

    @property
    def filter_count(self) -> int:
        return (self.up_to_cents is not None) + self.in_stock + sum(map(len, self.traits.values()))

    @property
    def is_filtered(self) -> bool:
        return self.filter_count > 0

    @property
    def chosen(self) -> list[tuple[str, str]]:
        """Each filter in words, and the address without it."""
        filters = []
        if self.up_to_cents is not None:
            words = _("Up to %(price)s", price=format_kes(self.up_to_cents))
            filters.append((words, self._address(max=None, show=None)))
        if self.in_stock:
            filters.append((_("In stock"), self._address(stock=None, show=None)))
        for key, values in self.traits.items():
            for value in values:
                filters.append((value, self._address(show=None, without=(key, value))))
        return filters

    @property
    def cleared(self) -> str:
        return self._address(max=None, stock=None, show=None, without=("", ""))

    @property
    def more(self) -> str:
        return self._address(show=str(self.shown + PAGE_SIZE))

    def _address(self, *, without: tuple[str, str] | None = None, **changes: str | None) -> str:
        """This list with some of it changed; ``without`` one trait, or any for an empty key."""
        values: dict[str, str | None] = {
            "q": self.query or None,
            "sort": self.sort if self.sort != queries.SORTS[0] else None,
            "max": str(self.up_to_cents // 100) if self.up_to_cents else None,
            "stock": "1" if self.in_stock else None,
            "show": str(self.shown) if self.shown != PAGE_SIZE else None,
        }
        kept = [(name, value) for name, value in (values | changes).items() if value]
        kept += [
            (f"a-{key}", value)
            for key, chosen in self.traits.items()
            for value in chosen
            if without is None or (without[0] and without != (key, value))
        ]
        return self.path + (f"?{urlencode(kept)}" if kept else "")


@dataclass(frozen=True)
class Pick:
    """One thing to choose on a product's page: its name and the values it can have."""

    name: str
    choices: list[OptionValue]

    @property
    def has_pictures(self) -> bool:
        """Tiles help when the values look different; one photo for all of them does not."""
        return sum(value.picture is not None for value in self.choices) > 1


def home_page() -> ResponseReturnValue:
    """The shop window. ``/`` belongs to the front door, which knows a store's host from ours."""
    page = queries.home_page(db.session())
    fees = [(area_name(area.area), area.fee_cents) for area in page.areas]
    return _public("storefront/home.html", page=page, fees=fees)


@bp.get("/c/<slug:slug>")
def category(slug: str) -> ResponseReturnValue:
    """One category. An address it had before leads to the one it has now."""
    asked = Asked.from_request(query=None)
    try:
        page = queries.category_page(
            db.session(),
            slug,
            sort=asked.sort,
            up_to_cents=asked.up_to_cents,
            in_stock=asked.in_stock,
            shown=asked.shown,
            traits=asked.traits,
        )
    except NotFound:
        moved = queries.find_moved_category(db.session(), slug)
        if moved is None:
            raise
        return moved_to(f"/c/{moved}")
    return _public(
        "storefront/category.html",
        page=page,
        asked=asked,
        query=None,
    )


@bp.get("/search")
@limiter.limit(SEARCHES)
def search() -> ResponseReturnValue:
    words = " ".join(request.args.get("q", "").split())[: queries.MAX_QUERY_LENGTH]
    asked = Asked.from_request(query=words)
    page = queries.search(
        db.session(),
        words,
        sort=asked.sort,
        up_to_cents=asked.up_to_cents,
        in_stock=asked.in_stock,
        shown=asked.shown,
    )
    return _public("storefront/category.html", page=page, asked=asked, query=words)


@bp.get("/p/<slug:slug>")
def product(slug: str) -> ResponseReturnValue:
    """One product. An address it had before leads to the one it has now."""
    try:
        page = queries.product_page(db.session(), slug)
    except NotFound:
        moved = queries.find_moved(db.session(), slug)
        if moved is None:
            raise
        return moved_to(f"/p/{moved}")
    return _public("storefront/product.html", **product_context(page))


def product_context(page: ProductPage) -> dict[str, object]:
    """What the product's template needs, for the choice that the address names."""
    chosen = page.choose(_wanted())
    shots = page.pictures_for(chosen)
    return {
        "page": page,
        "chosen": chosen,
        "picks": [Pick(name, page.values_of(at, chosen)) for at, name in enumerate(page.options)],
        "shots": shots,
        "rows": _rows_for_script(page, shots),
        "sold_out": sold_out_of(page, chosen),
    }


@bp.get("/p/<slug:slug>/delivery")
def product_delivery(slug: str) -> ResponseReturnValue:
    """The fee strip of a product for this shopper's area, and the bar's sum. Never cached."""
    page = queries.product_page(db.session(), slug)
    chosen = page.choose(_wanted())
    area = chosen_area()
    preview = unserved = None
    if area is not None:
        try:
            preview = fee_preview(
                db.session(),
                g.store,
                area.slug,
                basket_cents=chosen.price_cents,
                grams=chosen.weight_grams,
                is_bulky=chosen.is_bulky,
            )
        except (AreaNotServed, BelowMinimumOrder):
            unserved = area.name
    return render_template(
        "storefront/_product_delivery.html",
        preview=preview,
        unserved=unserved,
        price_cents=chosen.price_cents,
        cheapest_fee_cents=page.cheapest_fee_cents,
        next_path=f"/p/{slug}",
        source=f"/p/{slug}/delivery",
        include="#buy",
        is_answer=True,
        summary=summarise_cart(db.session(), cart_id()),
    )


def moved_to(path: str) -> ResponseReturnValue:
    """The page lives elsewhere now, for good. What was asked about it comes along."""
    query = request.query_string.decode("latin-1")
    response = redirect(path + (f"?{query}" if query else ""), code=301)
    response.headers["Cache-Control"] = FOR_CACHES
    return response


def _wanted() -> dict[int, str]:
    """Option values in the address, ``option-0=Black``, by their position."""
    return {
        at: request.args[f"option-{at}"]
        for at in range(MAX_OPTIONS)
        if f"option-{at}" in request.args
    }


def _traits() -> dict[str, list[str]]:
    """Values in the address, ``a-storage=128 GB``, by the attribute's key."""
    found: dict[str, list[str]] = {}
    for name, value in request.args.items(multi=True):
        value = value.replace("\x00", "")[:80]
        if name.startswith("a-") and value and len(name) < 60 and len(found) < MAX_TRAITS:
            values = found.setdefault(name[2:], [])
            if value not in values and len(values) < MAX_TRAITS:
                values.append(value)
    return found


def _rows_for_script(page: ProductPage, pictures: list[Picture]) -> list[list[object]]:
    """What a tap on a variant changes: options, price, words and class of stock, photo."""
    shots = [picture.option_value for picture in pictures]
    rows: list[list[object]] = []
    for variant in page.variants:
        value = variant.options[0] if variant.options else None
        shot = shots.index(value) + 1 if value in shots and value is not None else 0
        price = format_kes(variant.price_cents)[4:]
        rows.append(
            [variant.options, price, stock_words(variant.stock), stock_class(variant.stock), shot]
        )
    return rows


def sold_out_of(page: ProductPage, chosen: VariantView) -> list[VariantView]:
    """What somebody may want to hear about when it is back, the chosen one first."""
    return sorted((v for v in page.variants if v.stock < 1), key=lambda v: v is not chosen)


def _public(template: str, **context: object) -> Response:
    return public(render_template(template, **context))


def _digits(text: str, *, most: int) -> int | None:
    """A whole number above zero written in plain digits, or None."""
    if not (text.isascii() and text.isdecimal()) or len(text) > 12:
        return None
    return min(int(text), most) or None
