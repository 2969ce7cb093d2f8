"""What search engines ask for first: the sitemap and the rules for robots."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, g, make_response
from flask.typing import ResponseReturnValue

from app.addresses import store_url
from app.clock import utcnow
from app.db.engine import db
from app.domain.catalog.queries import Picture, ProductPage
from app.domain.seo.queries import canonical_host, get_sitemap
from app.domain.seo.sitemap import INDEX
from app.domain.seo.structured import breadcrumb_data, product_data, store_data
from app.web.tenancy import open_store

bp = Blueprint("seo", __name__)
bp.before_request(open_store)


# Pages of one person, and lists that repeat what the category pages say.
PRIVATE = ("/cart", "/checkout", "/o/", "/me", "/search", "/deliver-to")
ROBOTS_SECONDS = 3_600
SITEMAP_SECONDS = 600


@bp.app_context_processor
def _words() -> dict[str, Any]:
    return {"product_facts": product_facts, "store_facts": store_facts}


@bp.get("/sitemap.xml")
def sitemap() -> ResponseReturnValue:
    return _sitemap(INDEX)


@bp.get("/sitemap-<int:part>.xml")
def sitemap_part(part: int) -> ResponseReturnValue:
    return _sitemap(f"sitemap-{part}.xml")


@bp.get("/robots.txt")
def robots() -> ResponseReturnValue:
    lines = [
        "User-agent: *",
        *(f"Disallow: {path}" for path in PRIVATE),
        f"Sitemap: {base_url()}/sitemap.xml",
        "",
    ]
    return _public("\n".join(lines), "text/plain", ROBOTS_SECONDS)


def base_url() -> str:
    """The store's own address for search engines, without a slash at the end."""
    return store_url(canonical_host(db.session()), "")


def product_facts(page: ProductPage) -> list[dict[str, Any]]:
    """What a product's page tells machines: the product with its offers, and the way to it."""
    base = store_url(page.host, "")
    url = f"{base}/p/{page.slug}"
    steps = [(g.store.name, f"{base}/")]
    if page.category_slug and page.category_name:
        steps.append((page.category_name, f"{base}/c/{page.category_slug}"))
    images = [f"{base}/media/{shot.key}-{_widest(shot)}.webp" for shot in page.pictures]
    return [
        product_data(g.store, page, url=url, image_urls=images),
        breadcrumb_data([*steps, (page.name, url)]),
    ]


def store_facts(host: str) -> list[dict[str, Any]]:
    """What the home page tells machines: the shop as a place."""
    return [store_data(g.store, url=store_url(host))]


def _widest(picture: Picture) -> str:
    return max(picture.sizes, key=int, default="640")


def _sitemap(name: str) -> Response:
    body = get_sitemap(db.session(), g.store, name, base_url(), utcnow())
    return _public(body, "application/xml", SITEMAP_SECONDS)


def _public(body: str, kind: str, seconds: int) -> Response:
    response = make_response(body)
    response.content_type = f"{kind}; charset=utf-8"
    response.headers["Cache-Control"] = f"public, max-age={seconds}"
    return response
