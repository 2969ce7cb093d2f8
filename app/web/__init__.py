"""HTTP and HTML: read the request, call the domain, render. Everything a web process adds to the app."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import Flask
from werkzeug.middleware.proxy_fix import ProxyFix

if TYPE_CHECKING:
    from config import Settings


def add_web(app: Flask, settings: Settings) -> None:
    """Register words, guards, blueprints and the layers around them."""
    from app.web import (
        assets,
        errors,
        health,
        limits,
        page_cache,
        photos,
        picture_tags,
        pressing,
        security,
        shop_tags,
        tenancy,
        tints,
        tracing,
        weight,
    )
    from app.web.blueprints import add_blueprints
    from app.web.words import add_words

    add_words(app)
    tracing.add_tracing(app)
    security.add_security(app)
    tenancy.add_tenancy(app)
    pressing.add_pressing(app)
    photos.add_photos(app)
    weight.add_weight(app)
    picture_tags.add_picture_tags(app)
    shop_tags.add_shop_tags(app)
    tints.add_tints(app)
    limits.add_limits(app, settings)
    errors.add_errors(app)
    health.add_health(app)
    add_blueprints(app)
    assets.wrap(app)
    page_cache.wrap(app, settings)
    if settings.proxy_hops:
        hops = settings.proxy_hops
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=hops, x_proto=hops, x_host=0)  # type: ignore[method-assign]
