"""/readyz names what is missing, so that nobody has to guess at night."""

from __future__ import annotations

from dataclasses import replace

import pytest
from flask import Flask

from app import create_app
from app.db.engine import db
from config import Settings
from local import ports

NOBODY = "10.1.2.3"


def asked(app: Flask, path: str, **kwargs: object) -> tuple[int, dict[str, object]]:
    answer = app.test_client().get(path, environ_base={"REMOTE_ADDR": NOBODY}, **kwargs)
    return answer.status_code, answer.get_json(silent=True) or {}


@pytest.fixture
def stranded(settings: Settings) -> Flask:
    """A web process whose database and queue do not answer."""
    port = ports.free_port(run=2)
    return create_app(
        replace(
            settings,
            database_url=f"postgresql+psycopg://dukani_app@127.0.0.1:{port}/none?connect_timeout=2",
            platform_database_url="",
            cache_redis_url=f"redis://127.0.0.1:{port + 1}/0",
            rate_limits_enabled=False,
        )
    )


def test_a_process_without_its_servers_lives_and_is_not_ready(stranded: Flask) -> None:
    assert asked(stranded, "/healthz") == (200, {"status": "ok"})

    status, told = asked(stranded, "/readyz")

    assert status == 503
    assert told == {"status": "unavailable", "broken": ["database", "migrations", "queue"]}


def test_an_older_database_is_named(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.web.health.newest_migration", lambda: "9999_from_the_future")

    status, told = asked(app, "/readyz")

    assert (status, told["broken"]) == (503, ["migrations"])


def test_metrics_open_at_home_or_with_the_token_and_name_nobody(settings: Settings) -> None:
    app = create_app(replace(settings, metrics_token="m" * 43, platform_database_url=""))
    with app.app_context():
        told = app.test_client().get(
            "/metrics",
            environ_base={"REMOTE_ADDR": NOBODY},
            headers={"Authorization": "Bearer " + "m" * 43},
        )
        db.engine.dispose()

    assert asked(app, "/metrics")[0] == 404
    assert asked(app, "/metrics", headers={"Authorization": "Bearer wrong"})[0] == 404
    assert told.status_code == 200
    assert "dukani_requests" in told.text
    assert 'store_id="' not in told.text
