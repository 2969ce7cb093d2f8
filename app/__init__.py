"""Dukani: what the application is made of, top to bottom."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click
from flask import Flask

from app import addresses, light  # noqa: F401 - light before app.logging
from app.addresses import Addresses
from app.logging import configure_logging
from app.timings import configure_timings
from app.vault import Vault, configure_vault

if TYPE_CHECKING:
    from config import Settings

ROOT = Path(__file__).resolve().parent.parent
MIB = 1024 * 1024


def create_app(settings: Settings, *, role: str = "web") -> Flask:
    """Build the application for one process. ``role`` is web, worker or manage."""
    configure_logging(pretty=settings.environment == "development" and role == "manage")
    configure_vault(Vault(seal_key=settings.phone_key, lookup_key=settings.lookup_key))
    configure_timings(settings.timings)
    _configure_pictures(settings)
    addresses.configure_addresses(
        Addresses(scheme=settings.public_scheme, platform_host=settings.platform_host)
    )
    app = Flask(
        "app", root_path=str(ROOT), template_folder=str(ROOT / "templates"), static_folder=None
    )
    app.config.update(
        SETTINGS=settings,
        SECRET_KEY=settings.secret_key,
        SQLALCHEMY_DATABASE_URI=settings.database_url,
        MAX_CONTENT_LENGTH=1 * MIB,
        MAX_FORM_MEMORY_SIZE=64 * 1024,
        MAX_FORM_PARTS=200,
        SESSION_COOKIE_NAME="__Host-csrf",
        SESSION_COOKIE_SECURE=True,
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        WTF_CSRF_TIME_LIMIT=None,  # phones keep a tab for days
        WTF_CSRF_SSL_STRICT=False,  # the origin check in app.web.security asks more, for every POST
    )
    _connect(app, settings, role)
    if role == "web":
        from app.web import add_web

        add_web(app, settings)
    else:
        from app.web.words import add_words

        add_words(app)
    if role != "worker":
        from app.web.commands import add_commands

        add_commands(app)
    return app


def _configure_pictures(settings: Settings) -> None:
    from app.domain.media.storage import Place, configure_media

    configure_media(
        Place(
            folder=settings.media_dir,
            bucket=settings.s3_bucket,
            endpoint=settings.s3_endpoint,
            region=settings.s3_region,
            access_key=settings.s3_access_key_id,
            secret_key=settings.s3_secret_access_key,
        )
    )


def _connect(app: Flask, settings: Settings, role: str) -> None:
    """Databases and Redis. A worker's children open a connection each; a web process pools."""
    from app.cache import connect_cache
    from app.db.engine import (
        WEB_LIMITS,
        WORKER_LIMITS,
        db,
        engine_options,
        keep_plans,
        open_platform_engine,
    )

    import_every_model()
    pooled = role == "web" and settings.pooled
    limits = WEB_LIMITS if role == "web" else WORKER_LIMITS
    app.config["SQLALCHEMY_ENGINE_OPTIONS"] = engine_options(pooled=pooled, limits=limits)
    db.init_app(app)
    with app.app_context():
        keep_plans(db.engine)
    if click.get_current_context(silent=True) is not None:  # bin/manage; a server migrates nothing
        from flask_migrate import Migrate

        Migrate(app, db, directory=str(ROOT / "migrations"))
    if settings.platform_database_url and role != "worker":
        open_platform_engine(settings.platform_database_url, pooled=pooled, limits=limits)
    app.extensions["cache_redis"] = connect_cache(settings.cache_redis_url)


def import_every_model() -> None:
    """Make every table known, so that relationships and migrations find them."""
    import importlib.util
    import pkgutil

    from app import domain

    for package in pkgutil.iter_modules(domain.__path__):
        if package.ispkg and importlib.util.find_spec(f"app.domain.{package.name}.models"):
            importlib.import_module(f"app.domain.{package.name}.models")
