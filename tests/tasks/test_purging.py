"""A CDN in front is told of edits: by the relay, through the outbox, at a real HTTP server."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import psycopg
import pytest
from flask import Flask
from redis import Redis
from sqlalchemy import text
from sqlalchemy.orm import Session

from app.domain.stores.models import Store
from config import Settings
from tasks.relay import Relay
from tasks.runner import run
from tests.builders import make_variant


@dataclass
class Cdn:
    """What a CDN's purge address was told; ``status`` is what it answers."""

    url: str = ""
    status: int = 200
    told: list[tuple[str | None, list[str]]] = field(default_factory=list)


@pytest.fixture
def cdn() -> Iterator[Cdn]:
    made = Cdn()

    class Purge(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            assert self.headers["Surrogate-Key"] == " ".join(body["surrogate_keys"])
            made.told.append((self.headers.get("Authorization"), body["surrogate_keys"]))
            self.send_response(made.status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Purge)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    made.url = f"http://127.0.0.1:{server.server_address[1]}/purge"
    yield made
    server.shutdown()
    server.server_close()


def fold(settings: Settings, *, tells_cdn: bool) -> None:
    redis = Redis.from_url(settings.redis_url)
    relay = Relay(settings.relay_database_url, redis, settings.timings, tells_cdn=tells_cdn)
    with psycopg.connect(relay.database_url, autocommit=True) as connection:
        relay.fold_changes(connection)


def purges(session: Session) -> list[Any]:
    rows = session.execute(
        text(
            "SELECT id, store_id, status, available_at FROM app.outbox"
            " WHERE store_id = app.store_id() AND topic = 'purge_pages' ORDER BY available_at"
        )
    ).all()
    session.commit()
    return list(rows)


@pytest.mark.row("N6", "N91")
def test_an_edit_purges_the_shops_pages_at_once_and_once_more(
    app: Flask, settings: Settings, session: Session, store: Store, theirs: Store, cdn: Cdn,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    fold(settings, tells_cdn=False)
    monkeypatch.setitem(
        app.config, "SETTINGS", replace(settings, cdn_purge_url=cdn.url, cdn_purge_token="t0ken")
    )
    make_variant(session, name="Clay pot", sku="POT")
    begun = session.scalar(text("SELECT clock_timestamp()"))
    session.commit()
    fold(settings, tells_cdn=True)
    asked = purges(session)
    # A rush of orders asks once more, five seconds later, and not for each of them.
    for price in (100_00, 200_00):
        session.execute(text("UPDATE app.variants SET price_cents = :price"), {"price": price})
        session.commit()
        fold(settings, tells_cdn=True)
    more = purges(session)[len(asked) :]
    for row in asked:
        run(str(row.id), row.store_id)
        run(str(row.id), row.store_id)  # a bell that rings twice

    first = asked[0].available_at
    assert abs((first - begun).total_seconds()) < 2
    waits = [(row.available_at - first).total_seconds() for row in [*asked, *more]]
    assert waits == pytest.approx([0, 2, 5, 7], abs=0.1)
    assert cdn.told == [("Bearer t0ken", [f"s{store.id}"])] * 2
    assert {row.status for row in purges(session)[: len(asked)]} == {"done"}


@pytest.mark.row("N6")
def test_a_purge_that_fails_is_tried_again_and_without_a_cdn_nobody_asks(
    app: Flask, settings: Settings, session: Session, store: Store, cdn: Cdn,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    make_variant(session, name="Clay pot", sku="POT")
    session.commit()
    fold(settings, tells_cdn=False)
    assert purges(session) == []

    monkeypatch.setitem(app.config, "SETTINGS", replace(settings, cdn_purge_url=cdn.url))
    session.execute(text("UPDATE app.variants SET price_cents = 100"))
    session.commit()
    fold(settings, tells_cdn=True)
    row = purges(session)[0]
    cdn.status = 503
    run(str(row.id), row.store_id)
    assert next(r for r in purges(session) if r.id == row.id).status == "pending"
    cdn.status = 200
    run(str(row.id), row.store_id)
    assert next(r for r in purges(session) if r.id == row.id).status == "done"
    assert cdn.told == [(None, [f"s{store.id}"])] * 2
