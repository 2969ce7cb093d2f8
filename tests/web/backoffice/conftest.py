"""Somebody at a desk: signed in with a role, pressing the buttons a page shows."""

from __future__ import annotations

import contextvars
import html
import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app.db.engine import platform_session
from app.domain.people.sessions import start_session
from app.domain.stores.actions import add_membership, add_person
from app.domain.stores.models import Store

HTMX = {"HX-Request": "true"}


class AtPlatform(FlaskClient):
    """A client whose every path is on the platform's host.

    Each request has a context of its own, as in a server: not the test's session or store.
    """

    def open(self, *args: Any, **kwargs: Any) -> TestResponse:
        kwargs.setdefault("base_url", "https://localhost:8000")
        return contextvars.Context().run(super().open, *args, **kwargs)


@dataclass
class Desk:
    """A browser without JavaScript on the platform's host, signed in or not."""

    client: FlaskClient
    store: Store
    name: str = ""

    def get(self, path: str, **kwargs: Any) -> TestResponse:
        return self.client.get(self.full(path), **kwargs)

    def read(self, path: str, **kwargs: Any) -> str:
        answer = self.get(path, **kwargs)
        assert answer.status_code == 200, (path, answer.status_code, answer.text[:600])
        return html.unescape(answer.text)

    def post(self, path: str, data: dict[str, Any] | None = None, **kwargs: Any) -> TestResponse:
        """Post as the form of a page would: with the token that the page carried."""
        return self.client.post(
            self.full(path), data={"csrf_token": self.token(), **(data or {})}, **kwargs
        )

    def press(
        self, page: str, action: str, data: dict[str, Any] | None = None, **kwargs: Any
    ) -> TestResponse:
        """Press the button of the form on ``page`` whose address ends with ``action``."""
        return self.client.post(
            *(self.form(page, action)[0],),
            data=self.form(page, action)[1] | (data or {}),
            **kwargs,
        )

    def undo(self, page: str) -> TestResponse:
        """Press Undo in the toast that the page shows."""
        path, fields = self.form(page[page.index('id="toasts"') :], "")
        return self.client.post(path, data=fields)

    def form(self, page: str, action: str) -> tuple[str, dict[str, str]]:
        """The form's address and what its hidden fields say."""
        for found in re.finditer(r"<form([^>]*)>(.*?)</form>", page, re.S):
            where = re.search(r'action="([^"]*)"', found[1])
            if 'method="post"' not in found[1] or where is None:
                continue
            if where[1].split("?")[0].endswith(action):
                inputs = re.findall(r"<input[^>]*type=\"hidden\"[^>]*>", found[2])
                fields = {
                    re.search(r'name="([^"]*)"', tag)[1]: re.search(r'value="([^"]*)"', tag)[1]  # type: ignore[index]
                    for tag in inputs
                }
                return where[1], fields
        raise AssertionError(f"no form for {action}")

    def token(self) -> str:
        page = self.client.get("/sign-in?way=password").text
        if "csrf_token" not in page:
            page = self.client.get(f"/staff/{self.store.slug}/more").text
        found = re.search(r'name="csrf_token" value="([^"]+)"', page)
        assert found is not None
        return found[1]

    def full(self, path: str) -> str:
        return path.replace("<store>", self.store.slug)


def platform_client(app: Flask) -> FlaskClient:
    """A client on the platform's host, on an address of its own."""
    client = AtPlatform(app, app.response_class)
    parts = (secrets.randbelow(250) + 1 for _ in range(3))
    client.environ_base |= {
        "HTTP_SEC_FETCH_SITE": "same-origin",
        "REMOTE_ADDR": "127." + ".".join(map(str, parts)),
    }
    return client


@pytest.fixture
def visitor(app: Flask, store: Store) -> Desk:
    """Nobody in particular, on the platform's host."""
    return Desk(platform_client(app), store)


@pytest.fixture
def sign_in(app: Flask, store: Store) -> Callable[..., Desk]:
    """Sign in somebody with a role in our store, or in another one."""

    def signed_in(
        role: str = "owner", *, where: Store = store, name: str = "", **facts: Any
    ) -> Desk:
        name = name or f"{role.capitalize()} Wanjiru"
        with platform_session() as session:
            email = f"{secrets.token_hex(6)}@duka.example"
            person_id = add_person(session, name=name, email=email, **facts)
            add_membership(session, store_id=where.id, person_id=person_id, role=role)
        client = platform_client(app)
        client.set_cookie(
            "__Host-staff", start_session(person_id, "test"), domain="localhost", secure=True
        )
        return Desk(client, where, name)

    return signed_in


@pytest.fixture
def owner(sign_in: Callable[..., Desk]) -> Desk:
    return sign_in("owner")
