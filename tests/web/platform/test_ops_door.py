"""The platform's desk exists for the people who run it, and for nobody else."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from flask import Flask

from app.domain.people.permissions import ROLES
from app.domain.stores.models import Store
from tests.conftest import store_client
from tests.web.backoffice.conftest import Desk
from tests.web.platform.conftest import OpsDesk

PAGES = (
    "/ops",
    "/ops/",
    "/ops/jobs",
    "/ops/events",
    "/ops/events/calls",
    "/ops/system/limits",
    "/ops/system/roles",
    "/ops/system/trail",
)


@pytest.mark.row("W2", "T3")
def test_every_page_opens_for_who_runs_dukani(ops: OpsDesk, store: Store) -> None:
    for path in (*PAGES, f"/ops/stores/{store.id}"):
        answer = ops.get(path)
        assert answer.status_code == 200, (path, answer.text[:500])
        assert answer.headers["Cache-Control"] == "private, no-store"


@pytest.mark.row("W2")
def test_ops_is_not_there_for_the_people_of_stores(
    sign_in: Callable[..., Desk], visitor: Desk, store: Store
) -> None:
    for desk in (*(sign_in(role) for role in ROLES), visitor):
        for path in (*PAGES, f"/ops/stores/{store.id}"):
            assert desk.get(path).status_code == 404, path
        told = desk.post(f"/ops/stores/{store.id}/suspend", {"reason": "I want to"})
        assert told.status_code == 404


def test_ops_is_not_there_on_a_shops_host(app: Flask, store: Store) -> None:
    for path in PAGES:
        assert store_client(app, store).get(path).status_code == 404


def test_the_platform_itself_is_no_store(ops: OpsDesk) -> None:
    assert ops.get("/ops/stores/0").status_code == 404
    assert ops.get("/ops/stores/99999999").status_code == 404
    assert ops.post("/ops/stores/0/suspend", {"reason": "Nonsense"}).status_code == 404


@pytest.mark.row("W2")
def test_whoever_runs_dukani_lands_at_their_desk(ops: OpsDesk) -> None:
    assert ops.get("/stores").headers["Location"] == "/ops/"
