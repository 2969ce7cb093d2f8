"""What a page says about itself to search engines, as schema.org describes it (JSON-LD).

Builders return plain dictionaries, which ``graph`` puts together into the one block of a page.
Only what the store really said or recorded is in them: no ratings or reviews, which nobody
wrote, and no condition or brand that nobody stated.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import date
from html.parser import HTMLParser
from typing import Any

from app.domain.catalog.queries import Card, ProductPage, VariantView
from app.domain.stores.models import Store

CONTEXT = "https://schema.org"
DESCRIPTION_LENGTH = 500
MOST_OFFERS = 24
"""A product with more variants names its price range and how many there are."""

Node = dict[str, Any]

_DAYS = {
    "mon": "Monday",
    "tue": "Tuesday",
    "wed": "Wednesday",
    "thu": "Thursday",
    "fri": "Friday",
    "sat": "Saturday",
    "sun": "Sunday",
}
_BARCODE = re.compile(r"[0-9]{8}|[0-9]{12,14}")


def graph(*nodes: Node) -> Node:
    """Several facts as the one block a page carries."""
    return {"@context": CONTEXT, "@graph": list(nodes)}


def product_data(
    store: Store, product: ProductPage, *, url: str, image_urls: Sequence[str] = ()
) -> Node:
    """A product with its offers. ``url`` and ``image_urls`` are absolute."""
    data: Node = {
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
        if gtin := valid_barcode(variants[0].barcode):
            data["gtin"] = gtin
    data["offers"] = _offers(store, product, url)
    return data


def _offers(store: Store, product: ProductPage, url: str) -> Node:
    variants = product.variants
    terms = _terms(store, product)
    if len(variants) == 1:
        return _offer(variants[0], url) | terms
    prices = [variant.price_cents for variant in variants]
    offers: Node = {
        "@type": "AggregateOffer",
        "priceCurrency": "KES",
        "lowPrice": price(min(prices)),
        "highPrice": price(max(prices)),
        "offerCount": len(variants),
        "availability": _availability(any(variant.stock > 0 for variant in variants)),
        **terms,
    }
    if len(variants) <= MOST_OFFERS:
        offers["offers"] = [_offer(variant, url) for variant in variants]
    return offers


def _offer(variant: VariantView, url: str) -> Node:
    offer: Node = {
        "@type": "Offer",
        "url": url,
        "sku": variant.sku,
        "price": price(variant.price_cents),
        "priceCurrency": "KES",
        "availability": _availability(variant.stock > 0),
    }
    if variant.options:
        offer["name"] = ", ".join(variant.options)
        if gtin := valid_barcode(variant.barcode):
            offer["gtin"] = gtin
    return offer


def _terms(store: Store, product: ProductPage) -> Node:
    """Who sells, what delivery costs at most, and whether it may come back."""
    terms: Node = {"seller": {"@type": "Organization", "name": store.name}}
    if product.most_fee_cents is not None:
        terms["shippingDetails"] = {
            "@type": "OfferShippingDetails",
            "shippingRate": {
                "@type": "MonetaryAmount",
                "maxValue": price(product.most_fee_cents),
                "currency": "KES",
            },
            "shippingDestination": {
                "@type": "DefinedRegion",
                "addressCountry": "KE",
                "addressRegion": "Nairobi",
            },
        }
    days = store.return_days if product.return_days is None else product.return_days
    if days:
        terms["hasMerchantReturnPolicy"] = {
            "@type": "MerchantReturnPolicy",
            "applicableCountry": "KE",
            "returnPolicyCategory": f"{CONTEXT}/MerchantReturnFiniteReturnWindow",
            "merchantReturnDays": days,
        }
    elif product.return_note:
        terms["hasMerchantReturnPolicy"] = {
            "@type": "MerchantReturnPolicy",
            "applicableCountry": "KE",
            "returnPolicyCategory": f"{CONTEXT}/MerchantReturnNotPermitted",
        }
    return terms


def _availability(is_in_stock: bool) -> str:
    return f"{CONTEXT}/{'InStock' if is_in_stock else 'OutOfStock'}"


def valid_barcode(barcode: str | None) -> str | None:
    """The barcode where it is a GTIN: 8, 12, 13 or 14 digits of which the last one checks."""
    digits = (barcode or "").strip()
    if not _BARCODE.fullmatch(digits):
        return None
    # From the right, the digits before the last weigh 3, 1, 3 …
    weighed = sum(int(digit) * (3 if at % 2 == 0 else 1) for at, digit in enumerate(digits[-2::-1]))
    return digits if (weighed + int(digits[-1])) % 10 == 0 else None


def breadcrumb_data(steps: Iterable[tuple[str, str]]) -> Node:
    """The way from home to a page: pairs of (name, absolute address), the page itself last."""
    return {
        "@type": "BreadcrumbList",
        "itemListElement": [
            {"@type": "ListItem", "position": position, "name": name, "item": url}
            for position, (name, url) in enumerate(steps, 1)
        ],
    }


def list_data(cards: Sequence[Card], *, base_url: str, count: int) -> Node:
    """The goods of a list in the order shown; ``count`` is how many there are in all."""
    return {
        "@type": "ItemList",
        "numberOfItems": count,
        "itemListElement": [
            {
                "@type": "ListItem",
                "position": position,
                "name": card.name,
                "url": f"{base_url}/p/{card.slug}",
            }
            for position, card in enumerate(cards, 1)
        ],
    }


def delivery_data(area_name: str, fee_cents: int, *, url: str, store_url: str) -> Node:
    """Delivery to one area for what it costs there. The store is the one at ``store_url``."""
    return {
        "@type": "Service",
        "serviceType": "Delivery",
        "url": url,
        "provider": {"@id": f"{store_url}#store"},
        "areaServed": {"@type": "Place", "name": area_name},
        "offers": {"@type": "Offer", "price": price(fee_cents), "priceCurrency": "KES"},
    }


def store_data(
    store: Store, *, url: str, areas: Sequence[str] = (), image: str = "", today: date | None = None
) -> Node:
    """The shop as a place: its public phone, address and hours, each only if it is known.

    ``areas`` are names of places it delivers to. With ``today`` its coming holidays are told.
    """
    data: Node = {
        "@type": "Store",
        "@id": f"{url}#store",
        "name": store.name,
        "url": url,
        "currenciesAccepted": "KES",
    }
    if image:
        data["image"] = image
    if store.phone:
        data["telephone"] = store.phone
    if store.place:
        data["address"] = {
            "@type": "PostalAddress",
            "streetAddress": store.place,
            "addressLocality": "Nairobi",
            "addressCountry": "KE",
        }
    if areas:
        data["areaServed"] = [{"@type": "Place", "name": name} for name in areas]
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
    if hours and today is not None:
        hours += [
            {
                "@type": "OpeningHoursSpecification",
                "opens": "00:00",
                "closes": "00:00",
                "validFrom": day.isoformat(),
                "validThrough": day.isoformat(),
            }
            for day in sorted(store.closed_dates)
            if day >= today
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


def price(cents: int) -> str:
    """An amount as schema.org writes it: ``1850.00``."""
    return f"{cents // 100}.{cents % 100:02d}"
