"""Somebody who runs Dukani at the platform's desk, beside the people of a store."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable

import pytest
from flask import Flask

from app.db.engine import platform_session
from app.domain.people.sessions import start_session
from app.domain.stores.actions import add_person
from app.domain.stores.models import Store
from tests.web.backoffice.conftest import (  # noqa: F401 - fixtures
    Desk,
    owner,
    platform_client,
    sign_in,
    visitor,
)


class OpsDesk(Desk):
    """A browser of somebody who runs Dukani: its forms are on /ops."""

    def token(self) -> str:
        found = re.search(r'name="csrf_token" value="([^"]+)"', self.client.get("/ops/").text)
        assert found is not None
        return found[1]


@pytest.fixture
def run_dukani(app: Flask, store: Store) -> Callable[..., OpsDesk]:
    """Sign in somebody who runs the platform and works in no store."""

    def signed_in(name: str = "Atieno Ouma") -> OpsDesk:
        with platform_session() as session:
            person_id = add_person(
                session,
                name=name,
                email=f"{secrets.token_hex(6)}@dukani.example",
                is_platform_admin=True,
            )
        client = platform_client(app)
        client.set_cookie(
            "__Host-staff", start_session(person_id, "test"), domain="localhost", secure=True
        )
        return OpsDesk(client, store, name)

    return signed_in


@pytest.fixture
def ops(run_dukani: Callable[..., OpsDesk]) -> OpsDesk:
    return run_dukani()
