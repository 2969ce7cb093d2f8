"""What a page says about itself to search engines, as schema.org describes it (JSON-LD).

Builders return plain dictionaries. Only what the store really said or recorded is in
them: no invented ratings, no condition or brand that nobody stated.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html.parser import HTMLParser
from typing import Any

from app.domain.catalog.queries import ProductPage, VariantView
from app.domain.stores.models import Store

CONTEXT = "https://schema.org"
DESCRIPTION_LENGTH = 5000

_DAYS = {
    "mon": "Monday",
    "tue": "Tuesday",
    "wed": "Wednesday",
    "thu": "Thursday",
    "fri": "Friday",
    "sat": "Saturday",
    "sun": "Sunday",
}


def product_data(
    store: Store, product: ProductPage, *, url: str, image_urls: Sequence[str] = ()
) -> dict[str, Any]:
    """A product with its offers. ``url`` and ``image_urls`` are absolute."""
    data: dict[str, Any] = {
        "@context": CONTEXT,
        "@type": "Product",
        "@id": f"{url}#product",
        "name": product.name,
        "url": url,
    }
    if description := plain_text(product.description_html)[:DESCRIPTION_LENGTH]:
        data["description"] = description
    if image_urls:
        data["image"] = list(image_urls)
    if product.brand:
        data["brand"] = {"@type": "Brand", "name": product.brand}
    if product.category_name:
        data["category"] = product.category_name
    variants = product.variants
    if len(variants) == 1:
        data["sku"] = variants[0].sku
    if variants:
        data["offers"] = _offers(store, variants, url)
    return data


def _offers(store: Store, variants: Sequence[VariantView], url: str) -> dict[str, Any]:
    offers = [_offer(store, variant, url) for variant in variants]
    if len(offers) == 1:
        return offers[0]
    prices = [variant.price_cents for variant in variants]
    return {
        "@type": "AggregateOffer",
        "priceCurrency": "KES",
        "lowPrice": _price(min(prices)),
        "highPrice": _price(max(prices)),
        "offerCount": len(offers),
        "offers": offers,
    }


def _offer(store: Store, variant: VariantView, url: str) -> dict[str, Any]:
    availability = "InStock" if variant.stock > 0 else "OutOfStock"
    offer: dict[str, Any] = {
        "@type": "Offer",
        "url": url,
        "sku": variant.sku,
        "price": _price(variant.price_cents),
        "priceCurrency": "KES",
        "availability": f"{CONTEXT}/{availability}",
        "seller": {"@type": "Organization", "name": store.name},
    }
    if variant.options:
        offer["name"] = ", ".join(variant.options)
    if store.return_days:
        offer["hasMerchantReturnPolicy"] = {
            "@type": "MerchantReturnPolicy",
            "applicableCountry": "KE",
            "returnPolicyCategory": f"{CONTEXT}/MerchantReturnFiniteReturnWindow",
            "merchantReturnDays": store.return_days,
        }
    return offer


def breadcrumb_data(steps: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """The way from home to a page: pairs of (name, absolute address), the page itself last."""
    return {
        "@context": CONTEXT,
        "@type": "BreadcrumbList",
        "itemListElement": [
            {"@type": "ListItem", "position": position, "name": name, "item": url}
            for position, (name, url) in enumerate(steps, 1)
        ],
    }


def store_data(store: Store, *, url: str) -> dict[str, Any]:
    """The shop as a place: its public phone, address and hours, each only if it is known."""
    data: dict[str, Any] = {
        "@context": CONTEXT,
        "@type": "Store",
        "@id": f"{url}#store",
        "name": store.name,
        "url": url,
        "currenciesAccepted": "KES",
    }
    if store.phone:
        data["telephone"] = store.phone
    if store.place:
        data["address"] = {
            "@type": "PostalAddress",
            "streetAddress": store.place,
            "addressCountry": "KE",
        }
    hours = [
        {
            "@type": "OpeningHoursSpecification",
            "dayOfWeek": _DAYS[day],
            "opens": span[0],
            "closes": span[1],
        }
        for day in _DAYS
        if (span := store.opening_hours.get(day)) and len(span) == 2
    ]
    if hours:
        data["openingHoursSpecification"] = hours
    return data


def plain_text(html: str) -> str:
    """The words of a description without its tags, on one line."""
    reader = _Words()
    reader.feed(html)
    reader.close()
    return " ".join("".join(reader.parts).split())


class _Words(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in ("b", "i", "em", "strong", "a", "span", "u", "small"):
            self.parts.append(" ")

    def handle_endtag(self, tag: str) -> None:
        self.handle_starttag(tag, [])

    def handle_data(self, data: str) -> None:
        self.parts.append(data)


def _price(cents: int) -> str:
    return f"{cents // 100}.{cents % 100:02d}"
