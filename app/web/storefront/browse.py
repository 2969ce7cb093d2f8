"""Looking around: the shop window and one product. Lists are in ``listing``.

These pages are the same for everybody, so that they can be cached: nothing in them knows the
cart, the area or the person. What does comes from small addresses of its own.
"""

from __future__ import annotations

from dataclasses import dataclass

from flask import Blueprint, Response, g, redirect, render_template, request
from flask.typing import ResponseReturnValue

from app.db.engine import db
from app.domain.cart.queries import summarise_cart
from app.domain.catalog import queries
from app.domain.catalog.queries import OptionValue, Picture, ProductPage, VariantView
from app.domain.delivery.queries import area_name, fee_preview
from app.domain.errors import AreaNotServed, BelowMinimumOrder, NotFound
from app.money import format_kes
from app.web.public import FOR_CACHES, public
from app.web.shopper import cart_id, chosen_area
from app.web.storefront.words import stock_class, stock_words, storefront_words
from app.web.tenancy import open_store

bp = Blueprint("browse", __name__)
bp.before_request(open_store)
bp.app_context_processor(storefront_words)

MAX_OPTIONS = 5


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
