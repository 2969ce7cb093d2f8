"""What search engines and messengers demand of a page, written as checks that fail by name.

Sitemaps: the schema of sitemaps.org 0.9 and Google's rules for languages in it. Structured data:
the properties schema.org defines for the types we use, and what Google's rich results require of
them. Shared links: Open Graph, with WhatsApp's limits.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable
from datetime import date, datetime, time
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urlsplit
from xml.etree import ElementTree

SPACE = "{http://www.sitemaps.org/schemas/sitemap/0.9}"
LINK = "{http://www.w3.org/1999/xhtml}link"
_DATE_TIME = re.compile(r"\d{4}-\d\d-\d\d(T\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d))?")


def check_sitemap(body: str, base: str) -> dict[str, str | None]:
    """Path with its question → lastmod of a valid sitemap file; fails on any other."""
    assert len(body.encode()) <= 50 * 1024 * 1024
    assert body.startswith('<?xml version="1.0" encoding="UTF-8"?>')
    root = ElementTree.fromstring(body.encode())
    assert root.tag in (f"{SPACE}urlset", f"{SPACE}sitemapindex")
    assert 1 <= len(root) <= 50_000
    found: dict[str, str | None] = {}
    links: dict[str, dict[str, str]] = {}
    for entry in root:
        assert entry.tag == (f"{SPACE}url" if root.tag.endswith("urlset") else f"{SPACE}sitemap")
        loc = _check_entry(entry)
        assert loc.startswith(f"{base}/"), loc
        path = loc.removeprefix(base)
        assert path not in found, path
        found[path] = entry.findtext(f"{SPACE}lastmod")
        links[loc] = {one.attrib["hreflang"]: one.attrib["href"] for one in entry.iter(LINK)}
    if root.tag.endswith("urlset"):
        _check_languages(links)
    return found


def _check_entry(entry: ElementTree.Element) -> str:
    order = [f"{SPACE}{name}" for name in ("loc", "lastmod", "changefreq", "priority")]
    own = [child.tag for child in entry if child.tag.startswith(SPACE)]
    assert own == [tag for tag in order if tag in own], own  # a sequence, each at most once
    assert [child.tag for child in entry][: len(own)] == own  # other namespaces come last
    loc = entry.findtext(f"{SPACE}loc") or ""
    assert 12 <= len(loc) <= 2048
    assert re.fullmatch(r"https?://[!-~]+", loc), loc
    lastmod = entry.findtext(f"{SPACE}lastmod")
    if lastmod is not None:
        assert _DATE_TIME.fullmatch(lastmod), lastmod
        datetime.fromisoformat(lastmod)
    for other in entry:
        if other.tag.startswith(SPACE):
            continue
        assert other.tag == LINK
        assert set(other.attrib) == {"rel", "hreflang", "href"}
        assert other.attrib["rel"] == "alternate"
    return loc


def _check_languages(links: dict[str, dict[str, str]]) -> None:
    """Each address names itself among its languages, and each of those names it back."""
    for loc, named in links.items():
        assert set(named) == {"en", "sw", "x-default"}, loc
        assert loc in named.values(), loc
        for other in named.values():
            assert links[other] == named, (loc, other)


# -- structured data --------------------------------------------------------------------------

_TEXT, _URL, _PRICE, _COUNT, _CURRENCY = "text", "url", "price", "count", "currency"
_ENUM = {
    "availability": {"InStock", "OutOfStock"},
    "returnPolicyCategory": {"MerchantReturnFiniteReturnWindow", "MerchantReturnNotPermitted"},
    "dayOfWeek": {
        *("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"),
    },
}
# Type → (required, allowed beside them): property → what it holds; a list of types means nodes.
TYPES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "Product": (
        {"name": _TEXT, "offers": ["Offer", "AggregateOffer"]},
        {
            "@id": _URL,
            "url": _URL,
            "image": _URL,
            "description": _TEXT,
            "sku": _TEXT,
            "gtin": "gtin",
            "category": _TEXT,
            "brand": ["Brand"],
        },
    ),
    "Brand": ({"name": _TEXT}, {}),
    "Organization": ({"name": _TEXT}, {}),
    "Offer": (
        {"price": _PRICE, "priceCurrency": _CURRENCY},
        {
            "availability": "enum",
            "url": _URL,
            "sku": _TEXT,
            "name": _TEXT,
            "gtin": "gtin",
            "seller": ["Organization"],
            "shippingDetails": ["OfferShippingDetails"],
            "hasMerchantReturnPolicy": ["MerchantReturnPolicy"],
        },
    ),
    "AggregateOffer": (
        {"lowPrice": _PRICE, "highPrice": _PRICE, "priceCurrency": _CURRENCY, "offerCount": _COUNT},
        {
            "availability": "enum",
            "offers": ["Offer"],
            "seller": ["Organization"],
            "shippingDetails": ["OfferShippingDetails"],
            "hasMerchantReturnPolicy": ["MerchantReturnPolicy"],
        },
    ),
    "OfferShippingDetails": (
        {"shippingRate": ["MonetaryAmount"], "shippingDestination": ["DefinedRegion"]},
        {},
    ),
    "MonetaryAmount": ({"maxValue": _PRICE, "currency": _CURRENCY}, {}),
    "DefinedRegion": ({"addressCountry": "country"}, {"addressRegion": _TEXT}),
    "MerchantReturnPolicy": (
        {"applicableCountry": "country", "returnPolicyCategory": "enum"},
        {"merchantReturnDays": _COUNT},
    ),
    "BreadcrumbList": ({"itemListElement": ["ListItem"]}, {}),
    "ItemList": ({"itemListElement": ["ListItem"]}, {"numberOfItems": _COUNT}),
    "ListItem": ({"position": _COUNT}, {"name": _TEXT, "item": _URL, "url": _URL}),
    "Store": (
        {"name": _TEXT},
        {
            "@id": _URL,
            "url": _URL,
            "image": _URL,
            "telephone": "phone",
            "currenciesAccepted": _CURRENCY,
            "address": ["PostalAddress"],
            "areaServed": ["Place"],
            "openingHoursSpecification": ["OpeningHoursSpecification"],
        },
    ),
    "PostalAddress": (
        {"streetAddress": _TEXT, "addressLocality": _TEXT, "addressCountry": "country"},
        {},
    ),
    "Place": ({"name": _TEXT}, {}),
    "OpeningHoursSpecification": (
        {"opens": "clock", "closes": "clock"},
        {"dayOfWeek": "enum", "validFrom": "day", "validThrough": "day"},
    ),
    "Service": (
        {"serviceType": _TEXT, "areaServed": ["Place"], "offers": ["Offer"]},
        {"url": _URL, "provider": "reference"},
    ),
}
# What Google recommends beside; a page lacks it only where the shop never said it.
RECOMMENDED = {
    "Product": {"image", "description", "brand"},
    "Offer": {"availability", "url", "shippingDetails", "hasMerchantReturnPolicy"},
    "Store": {"address", "telephone", "openingHoursSpecification", "url"},
}


def check_structured(data: Any) -> list[str]:
    """Every node of a page's block, by type; fails on the first thing a validator would refuse."""
    assert set(data) == {"@context", "@graph"}
    assert data["@context"] == "https://schema.org"
    seen: list[str] = []
    for node in data["@graph"]:
        _check_node(node, seen)
    return seen


def missing(data: Any, kind: str) -> set[str]:
    """Which recommended properties the block's first node of this type lacks."""
    node = next(node for node in data["@graph"] if node["@type"] == kind)
    return RECOMMENDED[kind] - set(node)


def _check_node(node: dict[str, Any], seen: list[str]) -> None:
    kind = node["@type"]
    seen.append(kind)
    required, allowed = TYPES[kind]
    assert set(required) <= set(node), (kind, set(required) - set(node))
    for name, value in node.items():
        if name == "@type":
            continue
        expected = (required | allowed)[name]  # a property nobody defined is a KeyError
        values = value if isinstance(value, list) else [value]
        assert values, (kind, name)
        for one in values:
            if isinstance(expected, list):
                assert one["@type"] in expected, (kind, name, one["@type"])
                _check_node(one, seen)
            else:
                _check_value(name, expected, one)
    if kind in ("BreadcrumbList", "ItemList"):
        items = node["itemListElement"]
        assert [item["position"] for item in items] == list(range(1, len(items) + 1))
        assert all({"item", "url"} & set(item) for item in items)
    if kind == "AggregateOffer":
        assert float(node["lowPrice"]) <= float(node["highPrice"])
        assert len(node.get("offers", ())) in (0, node["offerCount"])
    if kind == "MerchantReturnPolicy" and node["returnPolicyCategory"].endswith("Window"):
        assert node["merchantReturnDays"] > 0


def _check_value(name: str, expected: str, value: Any) -> None:
    if expected == _COUNT:
        assert type(value) is int
        assert value >= 0
        return
    if expected == "reference":
        assert set(value) == {"@id"}
        _check_value("@id", _URL, value["@id"])
        return
    assert isinstance(value, str), (name, value)
    assert value == value.strip() != "", (name, value)
    if expected == "enum":
        assert value.removeprefix("https://schema.org/") in _ENUM[name], (name, value)
    assert re.fullmatch(_SHAPES.get(expected, r"(?s).+"), value), (name, value)
    if expected in _READERS:
        _READERS[expected](value)


_SHAPES = {
    _URL: r"https?://[a-z0-9.:-]+(/[!-~]*)?",
    _PRICE: r"(0|[1-9][0-9]*)\.[0-9]{2}",
    _CURRENCY: "KES",
    "country": "KE",
    "gtin": "[0-9]{8}|[0-9]{12,14}",
    "phone": r"\+[1-9][0-9]{7,14}",
}
_READERS: dict[str, Callable[[str], object]] = {
    "clock": time.fromisoformat,
    "day": date.fromisoformat,
}


# -- the head of a page ------------------------------------------------------------------------


class Head(HTMLParser):
    """What a robot or a messenger reads in a page's head."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.title = ""
        self.meta: dict[str, str] = {}
        self.links: list[dict[str, str]] = []
        self._in_title = False
        self.feed(page[: page.index("</head>")])
        blocks = re.findall(r'<script type="application/ld\+json">(.*?)</script>', page, re.DOTALL)
        self.blocks = [json.loads(block) for block in blocks]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        self._in_title = tag == "title"
        if tag == "meta" and "content" in found:
            name = found.get("name") or found.get("property") or ""
            if "media" not in found:
                assert name not in self.meta, name
            self.meta[name] = found["content"]
        if tag == "link":
            self.links.append(found)

    def handle_data(self, data: str) -> None:
        if self._in_title:
            self.title += data
            self._in_title = False

    @property
    def canonical(self) -> str | None:
        found = [link["href"] for link in self.links if link["rel"] == "canonical"]
        assert len(found) <= 1
        return found[0] if found else None

    @property
    def languages(self) -> dict[str, str]:
        return {link["hreflang"]: link["href"] for link in self.links if link["rel"] == "alternate"}

    @property
    def is_indexed(self) -> bool:
        return "noindex" not in self.meta.get("robots", "")


def check_head(page: str) -> Head:
    """The head of a public page that may be found; fails on what a person would not click."""
    head = Head(page)
    assert 10 <= len(head.title) <= 60, head.title
    assert 50 <= len(head.meta["description"]) <= 155, head.meta["description"]
    assert head.canonical is not None
    base = head.canonical.partition("?")[0]
    assert head.languages == {"en": base, "sw": f"{base}?lang=sw", "x-default": base}
    assert head.canonical in head.languages.values()
    assert head.meta["og:url"] == head.canonical
    for name in ("og:title", "og:description", "og:type", "og:site_name", "og:locale"):
        assert head.meta[name], name
    assert "<" not in html.unescape(head.title)
    if "og:image" in head.meta:
        assert urlsplit(head.meta["og:image"]).scheme in ("http", "https")
        assert (head.meta["og:image:width"], head.meta["og:image:height"]) == ("1200", "630")
    return head
