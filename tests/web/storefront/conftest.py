"""A shopper's browser for these tests: on a store's own host, over HTTPS, without JavaScript."""

from __future__ import annotations

import secrets
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app.domain.stores.models import Store


class Shopper(FlaskClient):
    """A client whose every request goes to one store's host, as a page of that store sends it."""

    host = ""

    def open(self, *args: Any, **options: Any) -> TestResponse:
        options.setdefault("base_url", f"https://{self.host}:8000")
        return super().open(*args, **options)


def shopper_of(app: Flask, store: Store) -> Shopper:
    """A new browser, at an address of its own, in front of this store."""
    client = Shopper(app, app.response_class, use_cookies=True)
    client.host = f"{store.slug}.localhost"
    client.environ_base |= {
        "HTTP_SEC_FETCH_SITE": "same-origin",
        "REMOTE_ADDR": ".".join(["127", *(str(secrets.randbelow(250) + 1) for _ in range(3))]),
    }
    return client


@pytest.fixture
def client(app: Flask, store: Store) -> Shopper:
    """A shopper in our store."""
    return shopper_of(app, store)
