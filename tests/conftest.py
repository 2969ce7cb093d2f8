"""What every test can ask for: a real Postgres and Valkey, two stores, an app, a browser.

The database is built by the migrations and used through the product's own roles. Each
test has stores of its own in it, so nothing needs to be cleaned up and tests may run
side by side; each worker process has its own database.
"""

from __future__ import annotations

import base64
import os
import secrets
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.config import Config
from flask import Flask
from flask.testing import FlaskClient
from playwright.sync_api import Browser, Page, Playwright, sync_playwright
from redis import Redis
from sqlalchemy.orm import Session
from sqlalchemy.pool import QueuePool
from werkzeug.test import TestResponse

from app import create_app
from app.db.engine import db, dispose_platform_engine, platform_session
from app.db.tenancy import inside_store
from app.domain.stores.models import Store
from app.ids import new_token
from app.timings import Timings
from bench._wire import chromium_path
from config import Settings, postgres_url
from local.postgres import Postgres
from local.roles import create_roles
from local.stack import Stack
from local.valkey import Valkey
from tests.browsing import hear_polls
from tests.serving import served
from tests.world import World, wait_for

pytest_plugins = ["tests.alone", "tests.rows_plugin", "tests.shop_window"]

ROOT = Path(__file__).resolve().parent.parent
SHARED = Path(os.environ.get("SHARED_DIR") or ROOT.parent / "shared")
LOGIN_ROLES = ("dukani_migrator", "dukani_app", "dukani_relay", "dukani_platform", "dukani_backup")

QUICK = Timings(
    confirm_delays=(0, 0.2, 0.4, 0.8),
    confirm_every=1,
    confirm_for=6,
    first_check=0.6,
    check_every=0.5,
    check_until=6,
    late_check_delays=(1, 2),
    give_up_after=12,
    sending_is_lost_after=2,
    resend_after_unknown=2,
    prompt_lifetime=4,
    reservation=900,
    quote=900,
    receipt_patience=1,
    lease=4,
    visibility=4,
    retry_delay=0.5,
    wrong_try=0,
)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Without ../shared its tests are left out, and one line says so."""
    if SHARED.is_dir():
        return
    gone = [item for item in items if item.get_closest_marker("shared")]
    if gone:
        config.hook.pytest_deselected(items=gone)
        items[:] = [item for item in items if item not in gone]
        print(f"{len(gone)} tests need the reference data, which is not at {SHARED}: left out.")


@pytest.fixture(scope="session")
def shared_dir() -> Path:
    """The reference data beside the checkout."""
    return SHARED


@dataclass(frozen=True)
class Database:
    """One migrated database, by role."""

    superuser: str
    urls: dict[str, str]

    def url(self, role: str) -> str:
        return postgres_url(self.urls[role])


@pytest.fixture(scope="session")
def home() -> Iterator[Path]:
    """A folder for the servers of this test process. Short, because sockets have short names."""
    folder = Path(tempfile.mkdtemp(prefix="dk-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres(home: Path) -> Iterator[Postgres]:
    server = Postgres(home / "pg", fast=True)
    server.start()
    yield server
    server.remove()


@pytest.fixture(scope="session")
def database(postgres: Postgres) -> Database:
    """A database made by the migrations."""
    return make_database(postgres, "tests")


def make_database(postgres: Postgres, name: str, *, migrate: bool = True) -> Database:
    superuser = postgres.create_database(name)
    urls = create_roles(superuser, name, role_passwords())
    if migrate:
        command.upgrade(alembic_config(urls["dukani_migrator"]), "head")
    return Database(superuser, urls)


_passwords: dict[str, str] = {}


def role_passwords() -> dict[str, str]:
    """Roles belong to the server, not the database: one set of passwords per process."""
    if not _passwords:
        _passwords.update({role: secrets.token_hex(12) for role in LOGIN_ROLES})
    return _passwords


def alembic_config(url: str) -> Config:
    config = Config(str(ROOT / "migrations" / "alembic.ini"))
    config.attributes["url"] = postgres_url(url)
    return config


@pytest.fixture(scope="session")
def valkey(home: Path) -> Iterator[Valkey]:
    server = Valkey(home / "vk", fast=True)
    server.start()
    yield server
    server.remove()


@pytest.fixture(scope="session")
def settings(database: Database, valkey: Valkey, home: Path) -> Settings:
    return Settings(
        environment="test",
        database_url=database.url("dukani_app"),
        platform_database_url=database.url("dukani_platform"),
        relay_database_url=database.url("dukani_relay"),
        migrator_database_url=database.url("dukani_migrator"),
        redis_url=valkey.url(0),
        cache_redis_url=valkey.url(1),
        secret_key=secrets.token_hex(32),
        phone_key=secrets.token_bytes(32),
        lookup_key=secrets.token_bytes(32),
        platform_host="localhost:8000",
        media_dir=str(home / "media"),
        page_cache_recheck=0,
        timings=QUICK,
    )


@pytest.fixture(scope="session")
def app(settings: Settings) -> Iterator[Flask]:
    """The application of a web process, in this process."""
    application = create_app(settings)
    yield application
    with application.app_context():
        db.engine.dispose()
    dispose_platform_engine()


@pytest.fixture(scope="session")
def port(app: Flask) -> Iterator[int]:
    """Where the app answers a browser: a real socket of loopback."""
    with served(app) as number:
        yield number


@pytest.fixture(scope="session")
def redis(settings: Settings) -> Redis:
    """The cache instance."""
    return Redis.from_url(settings.cache_redis_url)


@pytest.fixture
def make_store(app: Flask) -> Callable[..., Store]:
    """Make an ordinary store with a host of its own: ``<slug>.localhost``."""
    from app.domain.stores.actions import create_store

    def make(**facts: object) -> Store:
        slug = str(facts.pop("slug", None) or f"s{new_token()[:10]}")
        values: dict[str, object] = {"name": "Duka la Majaribio", "code_prefix": "KT"} | facts
        with platform_session() as session:
            store_id = create_store(session, slug=slug, host_suffix=".localhost", **values)  # type: ignore[arg-type]
            store = session.get_one(Store, store_id)
            session.expunge(store)
        return store

    return make


@pytest.fixture
def store(make_store: Callable[..., Store]) -> Store:
    """Our store."""
    return make_store(accepts_pay_on_delivery=True)


@pytest.fixture
def theirs(make_store: Callable[..., Store]) -> Store:
    """Another store, whose rows we must never see."""
    return make_store(name="Duka Jirani", code_prefix="DJ")


@pytest.fixture
def session(app: Flask, store: Store) -> Iterator[Session]:
    """A session inside ``store``."""
    with session_inside(app, store) as session:
        yield session


@contextmanager
def session_inside(app: Flask, store: Store) -> Iterator[Session]:
    """A session inside this store, to be used around requests too."""
    with app.app_context(), inside_store(store.id):
        session = db.session()
        yield session
        # A request in this context takes it out of the registry, and the test goes on using it.
        session.close()
        db.session.remove()


@pytest.fixture(autouse=True)
def connections_are_given_back(request: pytest.FixtureRequest) -> Iterator[None]:
    """No test leaves a connection in a transaction.

    The garbage collector would roll it back in the middle of any later test, and what that
    prints, or breaks, would be that test's.
    """
    if "app" not in request.fixturenames:
        yield
        return
    app: Flask = request.getfixturevalue("app")

    def taken() -> int:
        with app.app_context():
            pool = db.engine.pool
        assert isinstance(pool, QueuePool)
        return pool.checkedout()

    before = taken()
    yield
    wait_for("every connection given back", lambda: taken() <= before, seconds=10)


@pytest.fixture
def client(app: Flask, store: Store) -> FlaskClient:
    """A browser without JavaScript on our store's host, on an address of its own."""
    return store_client(app, store)


class OnHost(FlaskClient):
    """A client whose every path is on one host, over HTTPS."""

    host = ""

    def open(self, *args: Any, **options: Any) -> TestResponse:
        options.setdefault("base_url", f"https://{self.host}:8000")
        return super().open(*args, **options)


def store_client(app: Flask, store: Store) -> FlaskClient:
    """A client that asks as a browser on this store's page would."""
    client = OnHost(app, app.response_class, use_cookies=True)
    client.host = f"{store.slug}.localhost"
    parts = (str(secrets.randbelow(250) + 1) for _ in range(3))
    client.environ_base |= {
        "HTTP_SEC_FETCH_SITE": "same-origin",
        "REMOTE_ADDR": ".".join(["127", *parts]),
    }
    return client


def random_key() -> str:
    """32 random bytes as the environment wants them."""
    return base64.b64encode(secrets.token_bytes(32)).decode()


# -- the whole product, running ---------------------------------------------------------

QUICK_ENV = {
    "CONFIRM_DELAYS": "0,0.2,0.4,0.8",
    "CONFIRM_EVERY_SECONDS": "1",
    "CONFIRM_FOR_SECONDS": "6",
    "FIRST_CHECK_SECONDS": "1",
    "CHECK_EVERY_SECONDS": "1",
    "CHECK_UNTIL_SECONDS": "10",
    "LATE_CHECK_DELAYS": "2,4",
    "GIVE_UP_SECONDS": "15",
    "SENDING_LOST_SECONDS": "3",
    "RESEND_AFTER_UNKNOWN_SECONDS": "3",
    "PROMPT_SECONDS": "6",
    "RECEIPT_PATIENCE_SECONDS": "4",
    "LEASE_SECONDS": "4",
    "VISIBILITY_SECONDS": "4",
    "RETRY_SECONDS": "0.5",
    "WRONG_TRY_SECONDS": "0",
    "PROBE_SECONDS": "0.5",
    "PAGE_CACHE_RECHECK_SECONDS": "0",
}


@pytest.fixture(scope="session")
def stack(home: Path) -> Iterator[Stack]:
    """Web, three workers, relay and sandbox as separate processes, with short waits."""
    folder = home / "stack"
    folder.mkdir()
    with Stack(folder, fast=True, seed=False, env=QUICK_ENV, workers=1) as running:
        yield running
        if os.environ.get("KEEP_LOGS"):
            shutil.copytree(running.log_folder, os.environ["KEEP_LOGS"], dirs_exist_ok=True)
        running.remove()


@pytest.fixture(scope="session")
def world(stack: Stack) -> Iterator[World]:
    """The running product seen from outside: stores, shoppers' phones, staff, SQL."""
    made = World(stack)
    yield made
    made.close()


@pytest.fixture(autouse=True)
def _calm(request: pytest.FixtureRequest) -> Iterator[None]:
    """Each test begins with every program running, and leaves the sandbox straight."""
    if "world" in request.fixturenames:
        request.getfixturevalue("world").revive()
    yield
    if "world" in request.fixturenames:
        request.getfixturevalue("world").straighten()


@pytest.fixture(scope="session")
def playwright() -> Iterator[Playwright]:
    """What starts browsers; a process has one of it."""
    with sync_playwright() as started:
        yield started


def chromium_at(playwright: Playwright, path: str | None) -> Browser:
    words = "no-sandbox disable-gpu disable-quic no-first-run disable-background-networking"
    flags = [f"--{word}" for word in f"{words} disable-component-update disable-sync".split()]
    return playwright.chromium.launch(executable_path=path, args=flags)


@pytest.fixture(scope="session")
def chromium(playwright: Playwright) -> Iterator[Browser]:
    """One Chromium without windows for this test process, or the whole one where there is none."""
    browser = chromium_at(playwright, shutil.which("chromium-headless-shell") or chromium_path())
    yield browser
    browser.close()


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    """A shopper's phone: 360×740, a new profile."""
    yield from new_phone(chromium)


def new_phone(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 360, "height": 740}, locale="en-KE")
    context.set_default_timeout(10_000)
    yield hear_polls(context).new_page()
    context.close()


@pytest.fixture(scope="session")
def whole_chromium(playwright: Playwright) -> Iterator[Browser]:
    """A Chromium that also shows notifications and installs apps; it takes more of the processor."""
    browser = chromium_at(playwright, chromium_path())
    yield browser
    browser.close()


@pytest.fixture
def whole_page(whole_chromium: Browser) -> Iterator[Page]:
    """A shopper's phone, in a Chromium that has all of it."""
    yield from new_phone(whole_chromium)
