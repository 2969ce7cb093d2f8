"""What search engines ask for first: the sitemap and the rules for robots."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, g, make_response
from flask.typing import ResponseReturnValue

from app.addresses import store_url
from app.clock import utcnow
from app.db.engine import db
from app.domain.seo.queries import get_sitemap
from app.domain.seo.sitemap import INDEX
from app.domain.stores.hosts import canonical_host
from app.web.storefront.heads import home_head, listing_head, product_head
from app.web.tenancy import open_store

bp = Blueprint("seo", __name__)
bp.before_request(open_store)

# Pages of one person, and pieces of pages. A search is not among them: a robot must be able to
# read that it is kept out of the index.
PRIVATE = ("/cart", "/checkout", "/o/", "/back/", "/me", "/deliver-to", "/pay/", "/p/*/delivery")
ROBOTS_SECONDS = 3_600
SITEMAP_SECONDS = 600


@bp.app_context_processor
def _words() -> dict[str, Any]:
    return {"home_head": home_head, "product_head": product_head, "listing_head": listing_head}


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


def _sitemap(name: str) -> Response:
    body = get_sitemap(db.session(), g.store, name, base_url(), utcnow())
    return _public(body, "application/xml", SITEMAP_SECONDS)


def _public(body: str, kind: str, seconds: int) -> Response:
    response = make_response(body)
    response.content_type = f"{kind}; charset=utf-8"
    response.headers["Cache-Control"] = f"public, max-age={seconds}"
    return response
