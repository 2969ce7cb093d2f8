"""Every blueprint of the four audiences. A module that has a ``bp`` is part of the app."""

from __future__ import annotations

import importlib
import pkgutil

from flask import Blueprint, Flask
from werkzeug.routing import BaseConverter, IntegerConverter

from app.web import backoffice, front_door, platform, storefront, webhooks
from app.web.page_kinds import SLUG

AUDIENCES = (storefront, backoffice, platform, webhooks)


class Hex32(BaseConverter):
    """A token of ours: 32 lower-case hex digits. Anything else is 404 before any look-up."""

    regex = "[0-9a-f]{32}"


class SlugConverter(BaseConverter):
    """A slug: lower-case letters, digits and single hyphens."""

    regex = SLUG


class PlainNumber(IntegerConverter):
    """A whole number in the digits 0 to 9, written one way only: no sign, no zeros in front."""

    regex = "0|[1-9][0-9]{0,8}"


def add_blueprints(app: Flask) -> None:
    """Register the converters, the front door and every audience's blueprints."""
    app.url_map.converters.update(regex32=Hex32, slug=SlugConverter, int=PlainNumber)
    app.register_blueprint(front_door.bp)
    for audience in AUDIENCES:
        for found in sorted(
            pkgutil.iter_modules(audience.__path__), key=lambda module: module.name
        ):
            module = importlib.import_module(f"{audience.__name__}.{found.name}")
            if isinstance(getattr(module, "bp", None), Blueprint):
                app.register_blueprint(module.bp)
