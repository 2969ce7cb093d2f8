"""Behind a proxy that speaks https: plain http is led there, and what a browser keeps stays safe."""

from __future__ import annotations

import base64
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from http.cookies import SimpleCookie

import httpx
import pytest

from app.db.engine import platform_session
from app.domain.stores.actions import add_membership, add_person
from app.domain.stores.models import Store
from config import Settings
from local import os_process, ports
from tests.conftest import ROOT
from tests.world import hidden_fields, wait_for

PASSWORD = "Kahawa chungu 2026"


@dataclass
class Web:
    """A real web process as production runs it, seen from where its proxy stands."""

    port: int

    def ask(
        self,
        method: str,
        host: str,
        path: str,
        *,
        scheme: str,
        headers: dict[str, str] | None = None,
        data: dict[str, str] | None = None,
    ) -> httpx.Response:
        """One request with the headers that deploy/nginx/proxy.conf sets."""
        told = {
            "Host": host,
            "X-Forwarded-Proto": scheme,
            "X-Forwarded-For": "197.232.1.2",
            "X-Forwarded-Host": host,
            "Sec-Fetch-Site": "same-origin",
        }
        return httpx.request(
            method,
            f"http://127.0.0.1:{self.port}{path}",
            headers=told | (headers or {}),
            data=data,
            trust_env=False,
            timeout=20,
        )


@pytest.fixture(scope="module")
def web(settings: Settings) -> Iterator[Web]:
    port = ports.free_port()
    environment = {
        "PATH": os.environ["PATH"],
        "APP_ENV": "production",
        "DATABASE_URL": settings.database_url,
        "DATABASE_PLATFORM_URL": settings.platform_database_url,
        "REDIS_URL": settings.redis_url,
        "CACHE_REDIS_URL": settings.cache_redis_url,
        "SECRET_KEY": settings.secret_key,
        "PHONE_KEY": base64.b64encode(settings.phone_key).decode(),
        "LOOKUP_KEY": base64.b64encode(settings.lookup_key).decode(),
        "PUBLIC_SCHEME": "https",
        "PROXY_HOPS": "1",
        "PLATFORM_HOST": "dukani.example",
        "STORE_HOST_SUFFIX": ".dukani.example",
        "MEDIA_DIR": settings.media_dir,
    }
    command = [sys.executable, "-m", "granian", "--interface", "wsgi", "--host", "127.0.0.1"]
    process = subprocess.Popen(
        [*command, "--port", str(port), "--no-access-log", "wsgi:app"],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    made = Web(port)

    def is_up() -> bool:
        try:
            return httpx.get(f"http://127.0.0.1:{port}/healthz", trust_env=False).status_code == 200
        except httpx.HTTPError:
            return False

    wait_for("the web process answers", is_up, seconds=40)
    yield made
    os_process.end(
        [process.pid, *os_process.children_of([process.pid])], first=signal.SIGTERM, patience=5
    )
    process.wait()


def cookies_of(answer: httpx.Response) -> dict[str, dict[str, str]]:
    """Each cookie that an answer sets, with its attributes in small letters."""
    found: dict[str, dict[str, str]] = {}
    for line in answer.headers.get_list("set-cookie"):
        for name, morsel in SimpleCookie(line).items():
            found[name] = {key.lower(): str(value) for key, value in morsel.items() if value}
    return found


def assert_safe(answer: httpx.Response, *names: str) -> None:
    found = cookies_of(answer)
    for name in names:
        kept = found[name]
        assert name.startswith("__Host-")
        assert kept["secure"] == "True", name
        assert kept["httponly"] == "True", name
        assert kept["samesite"] == "Lax", name
        assert kept["path"] == "/", name
        assert "domain" not in kept, name


@pytest.mark.row("W4")
def test_plain_http_is_led_to_https(web: Web, store: Store) -> None:
    shop = f"{store.slug}.localhost"
    for host, path in (
        ("dukani.example", "/sign-in?next=%2Fstores"),
        (shop, "/"),
        (shop, "/search?q=caf%C3%A9+au+lait"),
    ):
        answer = web.ask("GET", host, path, scheme="http")
        assert answer.status_code == 308, (host, path)
        assert answer.headers["Location"] == f"https://{host}{path}"
        assert "max-age=31536000" in answer.headers["Strict-Transport-Security"]
    odd = web.ask("GET", shop, "//evil.example/x", scheme="http")
    assert odd.headers["Location"].startswith(f"https://{shop}/")


@pytest.mark.row("W4")
def test_what_was_sent_in_the_clear_is_not_taken(web: Web, store: Store) -> None:
    answer = web.ask(
        "POST", f"{store.slug}.localhost", "/cart/lines", scheme="http", data={"sku": "A"}
    )

    assert answer.status_code == 403
    assert cookies_of(answer) == {}


def test_a_stranger_is_led_nowhere(web: Web) -> None:
    answer = web.ask("GET", "evil.example", "/", scheme="http")

    assert answer.status_code == 421
    assert "Location" not in answer.headers


def test_health_answers_inside_the_network(web: Web) -> None:
    for path in ("/healthz", "/readyz"):
        answer = web.ask("GET", "10.0.0.5:8000", path, scheme="http")
        assert answer.status_code in (200, 503)
        assert "Location" not in answer.headers


@pytest.mark.row("W4")
def test_over_https_a_page_opens_and_tells_the_browser_to_stay(web: Web, store: Store) -> None:
    answer = web.ask("GET", f"{store.slug}.localhost", "/", scheme="https")

    assert answer.status_code == 200
    assert "max-age=31536000" in answer.headers["Strict-Transport-Security"]
    assert "upgrade-insecure-requests" in answer.headers["Content-Security-Policy"]


@pytest.mark.row("W4")
def test_cookies_are_secure_http_only_and_lax(web: Web, store: Store) -> None:
    email = f"{store.slug}@duka.example"
    with platform_session() as session:
        person_id = add_person(session, name="Njeri", email=email, password=PASSWORD)
        add_membership(session, store_id=store.id, person_id=person_id, role="owner")
    opened = web.ask("GET", "dukani.example", "/sign-in?way=password", scheme="https")
    assert_safe(opened, "__Host-csrf")
    token = cookies_value(opened, "__Host-csrf")
    form = hidden_fields(opened.text, "/sign-in/password")

    signed_in = web.ask(
        "POST",
        "dukani.example",
        "/sign-in/password",
        scheme="https",
        headers={"Cookie": f"__Host-csrf={token}"},
        data=form | {"email": email, "password": PASSWORD},
    )

    assert signed_in.status_code == 303, signed_in.text[:300]
    assert_safe(signed_in, "__Host-staff")
    cart = web.ask(
        "POST",
        f"{store.slug}.localhost",
        "/deliver-to",
        scheme="https",
        data={"area": "kilimani", "next": "/"},
    )
    for name in cookies_of(cart):
        assert_safe(cart, name)


def cookies_value(answer: httpx.Response, name: str) -> str:
    for line in answer.headers.get_list("set-cookie"):
        found = SimpleCookie(line)
        if name in found:
            return found[name].value
    raise AssertionError(f"no cookie {name}")
