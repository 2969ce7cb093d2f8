"""What each public page says in its head: title, description, addresses, facts, picture.

Everything here is the same for everybody in one language, as the pages themselves are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from flask import g

from app.addresses import store_url
from app.clock import business_day, utcnow
from app.domain.catalog.listing import Listing
from app.domain.catalog.queries import HomePage, Picture, ProductPage
from app.domain.delivery.promises import minutes_words, time_words
from app.domain.delivery.queries import area_name
from app.domain.pages.blocks import Block
from app.domain.pages.ready import Words
from app.domain.seo.area_pages import AreaList, AreaPage
from app.domain.seo.languages import alternates, in_language
from app.domain.seo.share_cards import ShareCard, share_card
from app.domain.seo.snippets import description_of, title_of
from app.domain.seo.structured import (
    breadcrumb_data,
    delivery_data,
    graph,
    list_data,
    plain_text,
    price,
    product_data,
    store_data,
)
from app.domain.seo.track_record import TrackRecord
from app.i18n import current_locale, ngettext
from app.i18n import gettext as _
from app.money import format_kes

WIDEST_SHARED = 960  # of a product's photos, for search engines


@dataclass(frozen=True, kw_only=True)
class Head:
    """One page's head. ``url`` is its address in English, absolute and without a question."""

    title: str
    description: str
    url: str
    card_url: str = ""
    is_indexed: bool = True
    facts: dict[str, Any] | None = None
    price: str = ""  # of a product, in shillings as machines read it
    is_available: bool = False
    social_title: str = ""  # where it is shared: without what the picture shows anyway

    @property
    def canonical(self) -> str:
        """The address of what is shown here, in the language it is shown in."""
        return in_language(self.url, current_locale())

    @property
    def alternates(self) -> list[tuple[str, str]]:
        """The same page in each language; empty where the page is kept out of the index."""
        return alternates(self.url) if self.is_indexed else []

    @property
    def locale(self) -> str:
        """The language with its country, as Open Graph writes it."""
        return f"{current_locale()}_KE"


def home_head(page: HomePage) -> Head:
    url = store_url(page.host)
    return Head(
        title=title_of(
            g.store.name,
            ", ".join(shelf.name for shelf in page.shelves[:2]),
            _("delivered in Nairobi"),
        ),
        description=description_of(
            ngettext(
                "%(n)s product at %(store)s.",
                "%(n)s products at %(store)s.",
                page.product_count,
                store=g.store.name,
            ),
            _sentence(_delivery_from(page.areas[0].fee_cents if page.areas else None)),
            _("Pay with M-Pesa."),
            _("Visit us at %(place)s.", place=g.store.place) if g.store.place else "",
        ),
        url=url,
        card_url=card_url(page.host, "home", home_card(page)),
        facts=graph(
            store_data(
                g.store,
                url=url,
                areas=[area_name(area.area) for area in page.areas],
                image=_logo(page.host),
                today=business_day(utcnow()),
            )
        ),
    )


def home_card(page: HomePage) -> ShareCard:
    return share_card(
        g.store,
        title=g.store.place or _("Order on the web, pay with M-Pesa"),
        figure=ngettext("%(n)s product", "%(n)s products", page.product_count),
        line=_delivery_from(page.areas[0].fee_cents if page.areas else None),
        pictures=[card.picture for card in page.selling if card.picture][:4],
    )


def product_head(page: ProductPage) -> Head:
    """A product's page, whichever of its variants is chosen."""
    base = store_url(page.host, "")
    url = f"{base}/p/{page.slug}"
    prices = [variant.price_cents for variant in page.variants]
    is_available = any(variant.stock > 0 for variant in page.variants)
    steps = [(g.store.name, f"{base}/")]
    if page.category_slug and page.category_name:
        steps.append((page.category_name, f"{base}/c/{page.category_slug}"))
    return Head(
        title=title_of(page.seo_title or page.name, format_kes(min(prices)), g.store.name),
        description=page.seo_description
        or description_of(
            f"{page.name}: {_price(page)}.",
            _("In stock at %(store)s.", store=g.store.name)
            if is_available
            else _("Sold out at %(store)s for now.", store=g.store.name),
            _sentence(_delivery_from(page.cheapest_fee_cents)),
            _("Pay with M-Pesa."),
            ngettext("%(n)s-month warranty.", "%(n)s-month warranty.", page.warranty_months)
            if page.warranty_months
            else "",
        ),
        url=url,
        card_url=card_url(page.host, f"p/{page.slug}", product_card(page)),
        facts=graph(
            product_data(
                g.store,
                page,
                url=url,
                image_urls=[_photo_url(base, picture) for picture in page.pictures],
            ),
            breadcrumb_data([*steps, (page.name, url)]),
        ),
        price=price(min(prices)),
        is_available=is_available,
        social_title=page.name,
    )


def product_card(page: ProductPage) -> ShareCard:
    return share_card(
        g.store,
        title=page.name,
        figure=_price(page),
        line=_delivery_from(page.cheapest_fee_cents),
        pictures=page.pictures[:1],
    )


def listing_head(page: Listing, *, is_filtered: bool, heading: str) -> Head:
    """A category; or a search, which is kept out of the index as every filtered list is."""
    base = store_url(page.host, "")
    if page.slug is None:
        return Head(
            title=title_of(heading, g.store.name),
            description=_("What %(store)s sells.", store=g.store.name),
            url=f"{base}/search",
            is_indexed=False,
        )
    url = f"{base}/c/{page.slug}"
    lowest = "" if page.lowest_cents is None else format_kes(page.lowest_cents)
    return Head(
        title=title_of(
            page.title, _("from %(price)s", price=lowest) if lowest else "", g.store.name
        ),
        description=description_of(
            f"{page.title}: {_in_stock(page.in_stock_count, page.lowest_cents)}"
            if page.lowest_cents is not None
            else _("%(goods)s at %(store)s.", goods=page.title, store=g.store.name),
            _("Delivered in Nairobi by %(store)s, pay with M-Pesa.", store=g.store.name),
        ),
        url=url,
        card_url=card_url(page.host, f"c/{page.slug}", listing_card(page)),
        is_indexed=not is_filtered,
        facts=graph(
            list_data(page.cards, base_url=base, count=page.count),
            breadcrumb_data([(g.store.name, f"{base}/"), (page.title, url)]),
        )
        if page.cards and not is_filtered
        else None,
    )


def listing_card(page: Listing) -> ShareCard:
    return share_card(
        g.store,
        title=page.title,
        figure=_("From %(price)s", price=format_kes(page.lowest_cents))
        if page.lowest_cents is not None
        else "",
        line=ngettext("%(n)s product", "%(n)s products", page.total),
        pictures=[card.picture for card in page.cards if card.picture][:4],
    )


def areas_head(page: AreaList) -> Head:
    url = store_url(page.host, "/areas")
    fees = [line.fee_cents for line in page.lines]
    n = len(fees)
    span = format_kes(min(fees)) if min(fees) else _("Free")
    if max(fees) > min(fees):
        span = f"{span} – {format_kes(max(fees))}"
    return Head(
        title=title_of(_("Delivery areas and fees, %(span)s", span=span), g.store.name),
        description=description_of(
            ngettext(
                "%(store)s delivers to %(n)s area of Nairobi.",
                "%(store)s delivers to %(n)s areas of Nairobi.",
                n,
                store=g.store.name,
            ),
            _("See the fee for yours: %(span)s.", span=span),
        ),
        url=url,
        facts=graph(
            store_data(
                g.store,
                url=store_url(page.host),
                areas=[line.area.name for line in page.lines],
                image=_logo(page.host),
            ),
            breadcrumb_data([(g.store.name, store_url(page.host)), (_("Delivery areas"), url)]),
        ),
    )


def area_head(page: AreaPage) -> Head:
    base = store_url(page.host, "")
    area_url = f"{base}/areas/{page.area.slug}"
    steps = [(g.store.name, f"{base}/"), (page.area.name, area_url)]
    url = area_url
    if page.category_name:
        url = f"{area_url}/{page.category_slug}"
        steps.append((page.category_name, url))
    fee = format_kes(page.fee_cents) if page.fee_cents else _("free")
    return Head(
        title=title_of(
            _("%(goods)s in %(area)s", goods=page.category_name, area=page.area.name)
            if page.category_name
            else _("Delivery to %(area)s", area=page.area.name),
            _("delivery %(fee)s", fee=fee) if page.category_name else fee,
            g.store.name,
        ),
        description=description_of(
            (f"{page.category_name}: " if page.category_name else "")
            + _in_stock(page.in_stock, page.lowest_cents),
            _(
                "To %(area)s for %(fee)s, the same day if you order by %(time)s.",
                area=page.area.name,
                fee=fee,
                time=time_words(page.order_by),
            ),
            truth_words(page),
        ),
        url=url,
        card_url=card_url(page.host, url.removeprefix(f"{base}/"), area_card(page)),
        is_indexed=page.is_indexed,
        facts=graph(
            breadcrumb_data(steps),
            list_data(page.picks, base_url=base, count=page.in_stock),
            delivery_data(page.area.name, page.fee_cents, url=url, store_url=f"{base}/"),
        ),
    )


def area_card(page: AreaPage) -> ShareCard:
    fee = format_kes(page.fee_cents) if page.fee_cents else _("free")
    return share_card(
        g.store,
        title=_("%(goods)s delivered to %(area)s", goods=page.category_name, area=page.area.name)
        if page.category_name
        else _("Delivery to %(area)s", area=page.area.name),
        figure=_("From %(price)s", price=format_kes(page.lowest_cents))
        if page.category_name
        else fee,
        line=_("Delivery %(fee)s", fee=fee)
        if page.category_name
        else ngettext("%(n)s product in stock", "%(n)s products in stock", page.in_stock),
        pictures=[card.picture for card in page.picks if card.picture],
    )


def truth_words(page: AreaPage) -> str:
    """``Delivered 14 times to Kilimani in the last 30 days, usually 2 h 10 min.``; else nothing."""
    if page.truth is None:
        return ""
    if page.truth.is_many:
        return _(
            "Delivered more than 1,000 times to %(area)s in the last 30 days, usually %(time)s.",
            area=page.area.name,
            time=minutes_words(page.truth.usual_minutes),
        )
    return _(
        "Delivered %(n)s times to %(area)s in the last 30 days, usually %(time)s.",
        n=page.truth.deliveries,
        area=page.area.name,
        time=minutes_words(page.truth.usual_minutes),
    )


def own_page_head(words: Words, slug: str, host: str) -> Head:
    return Head(
        title=title_of(words.title, g.store.name),
        description=description_of(_first_words(words.blocks) or f"{words.title}, {g.store.name}."),
        url=store_url(host, f"/pages/{slug}"),
    )


def record_head(record: TrackRecord) -> Head:
    """The shop's record; kept out of the index until there is something to tell."""
    usual = (
        _("orders leave in %(time)s", time=minutes_words(record.dispatch_minutes))
        if record.dispatch_minutes is not None
        else ""
    )
    return Head(
        title=title_of(_("%(store)s in figures", store=g.store.name), usual),
        description=description_of(
            ngettext(
                "%(n)s order at %(store)s in the last 90 days.",
                "%(n)s orders at %(store)s in the last 90 days.",
                record.sold,
                store=g.store.name,
            ),
            _("%(percent)s %% came back.", percent=record.returned_percent)
            if record.returned_percent is not None
            else "",
            _("Every figure is counted from the orders themselves."),
        ),
        url=store_url(record.host, "/trust"),
        is_indexed=record.has_figures,
    )


def card_url(host: str, page: str, card: ShareCard) -> str:
    """Where the picture of a page (``home``, ``p/…``, ``areas/…``) is found in this language."""
    return store_url(host, card_path(page, card))


def card_path(page: str, card: ShareCard) -> str:
    return f"/media/cards/{card.key}/{current_locale()}/{page}.jpg"


def _price(page: ProductPage) -> str:
    prices = [variant.price_cents for variant in page.variants]
    words = format_kes(min(prices))
    return _("From %(price)s", price=words) if max(prices) > min(prices) else words


def _delivery_from(fee_cents: int | None) -> str:
    if fee_cents is None:
        return ""
    return (
        _("Delivery from %(fee)s", fee=format_kes(fee_cents))
        if fee_cents
        else _("Free delivery in some areas")
    )


def _sentence(words: str) -> str:
    return f"{words}." if words else ""


def _in_stock(count: int, lowest_cents: int) -> str:
    """``24 products in stock from KES 950.``"""
    goods = ngettext("%(n)s product", "%(n)s products", count)
    return _("%(goods)s in stock from %(price)s.", goods=goods, price=format_kes(lowest_cents))


def _photo_url(base: str, picture: Picture) -> str:
    width = max((w for w in picture.widths if w <= WIDEST_SHARED), default=320)
    return f"{base}/media/{picture.key}-{width}.webp"


def _first_words(blocks: Sequence[Block]) -> str:
    """What the page's first text says, without its tags."""
    texts = (plain_text(block.get("html", "")) for block in blocks if block["type"] == "text")
    return next(texts, "")


def _logo(host: str) -> str:
    logo = g.store.logo
    return store_url(host, f"/media/{logo['key']}-320.webp") if logo else ""
