"""/healthz (this process), /readyz (what it depends on, by name), /metrics (loopback or token). On any host."""

from __future__ import annotations

import hmac
from pathlib import Path

from flask import Blueprint, Flask, Response, abort, current_app, jsonify, request
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    REGISTRY,
    CollectorRegistry,
    generate_latest,
    multiprocess,
)
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from app.cache import is_reachable
from app.db.engine import db

bp = Blueprint("health", __name__)

LOOPBACK = {"127.0.0.1", "::1"}


def add_health(app: Flask) -> None:
    app.register_blueprint(bp)


@bp.before_request
def _anyone() -> None:
    """These three answer on every host; /metrics guards itself."""


@bp.get("/healthz")
def healthz() -> Response:
    return jsonify(status="ok")


@bp.get("/readyz")
def readyz() -> tuple[Response, int]:
    """200 when database, migrations and queue are there, else 503 naming what is not."""
    broken = [
        name
        for name, ok in (
            ("database", _database_ok()),
            ("migrations", _migrated()),
            ("queue", _queue_ok()),
        )
        if not ok
    ]
    return jsonify(
        status="ok" if not broken else "unavailable", broken=broken
    ), 200 if not broken else 503


@bp.get("/metrics")
def metrics() -> Response:
    settings = current_app.config["SETTINGS"]
    token = request.headers.get("Authorization", "").removeprefix("Bearer ")
    has_token = bool(settings.metrics_token) and hmac.compare_digest(token, settings.metrics_token)
    if not has_token and (
        request.remote_addr not in LOOPBACK or "X-Forwarded-For" in request.headers
    ):
        abort(404)
    return Response(generate_latest(_registry()), content_type=CONTENT_TYPE_LATEST)


def _registry() -> CollectorRegistry:
    import prometheus_client.values as values

    if values.ValueClass.__name__ == "MmapedValue":
        registry = CollectorRegistry()
        multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        return registry
    return REGISTRY


def newest_migration() -> str:
    """The newest migration this code knows, by its file's name."""
    folder = Path(current_app.root_path) / "migrations" / "versions"
    return max(path.stem for path in folder.glob("[0-9]*.py"))


def _database_ok() -> bool:
    return _migration_in_database() is not None


def _migrated() -> bool:
    at = _migration_in_database()
    return at is not None and at >= newest_migration()


def _migration_in_database() -> str | None:
    try:
        with db.engine.connect() as connection:
            return str(connection.scalar(text("SELECT version_num FROM app.alembic_version")))
    except SQLAlchemyError:
        return None


def _queue_ok() -> bool:
    return is_reachable(current_app.extensions["cache_redis"])
