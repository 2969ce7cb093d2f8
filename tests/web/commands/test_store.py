"""bin/manage store … and platform-admin …: opening a store, and who may run the platform."""

from __future__ import annotations

import re
import secrets

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select, text

from app.db.engine import db, platform_session
from app.db.tenancy import inside_store
from app.domain.people.models import Membership, Person
from app.domain.people.signing_in import person_with_password
from app.domain.stores.models import Store


def run(app: Flask, *words: str, typed: str | None = None) -> tuple[int, str]:
    """One command as ``bin/manage`` would run it: its exit status and what it printed."""
    done = app.test_cli_runner().invoke(args=list(words), input=typed)
    return done.exit_code, done.output


@pytest.fixture
def slug() -> str:
    return f"cli-{secrets.token_hex(4)}"


def test_a_new_store_answers_on_its_own_host_and_is_kept_up(app: Flask, slug: str) -> None:
    status, said = run(
        app, "store", "create", "--slug", slug, "--name", "Duka Jipya", "--place", "Ngara"
    )

    assert status == 0, said
    assert f"http://{slug}.localhost:8000/" in said
    with platform_session() as session:
        store = session.scalars(select(Store).where(Store.slug == slug)).one()
        session.expunge(store)
    page = app.test_client().get("/", base_url=f"https://{slug}.localhost:8000")
    assert page.status_code == 200
    assert "Duka Jipya" in page.text
    with app.app_context(), inside_store(store.id):
        names = set(
            db.session.scalars(
                text("SELECT name FROM app.schedules WHERE store_id = app.store_id()")
            )
        )
        db.session.remove()
    assert names == {"write_sitemap", "look_for_nudges", "sweep_old_rows"}


@pytest.mark.row("N53")
def test_the_owner_it_makes_signs_in_with_the_password_it_printed(app: Flask, slug: str) -> None:
    email = f"{slug}@duka.example"

    status, said = run(
        app, "store", "create", "--slug", slug, "--name", "Duka", "--owner-email", email
    )

    assert status == 0, said
    password = re.search(r"password (\S+)", said)
    assert password
    with app.app_context(), inside_store(0):
        person = person_with_password(db.session(), email=email, password=password.group(1))
        db.session.remove()
    assert person is not None
    with platform_session() as session:
        assert (
            session.scalar(select(Membership.role).where(Membership.person_id == person.id))
            == "owner"
        )


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        pytest.param(["--slug", "www"], "small letters", id="a name that is the platform's"),
        pytest.param(["--slug", "Mama Njeri"], "small letters", id="not a host name"),
        pytest.param(["--slug", "fine", "--owner-phone", "12"], "too short", id="not a phone"),
    ],
)
def test_what_cannot_be_opened_is_said_in_a_sentence(
    app: Flask, words: list[str], sentence: str
) -> None:
    status, said = run(app, "store", "create", "--name", "Duka", *words)

    assert status != 0
    assert sentence in said
    assert "Traceback" not in said


def test_a_taken_name_opens_nothing(app: Flask, store: Store) -> None:
    status, said = run(app, "store", "create", "--slug", store.slug, "--name", "Mwizi")

    assert status == 1
    assert "taken" in said


def test_the_prompt_inside_a_store_sees_that_store_and_keeps_nothing(
    app: Flask, store: Store, theirs: Store
) -> None:
    typed = (
        "print('name', store.name)\nprint(len(session.scalars(select(Store)).all()), 'stores')\n"
    )

    status, said = run(app, "store", "shell", "--store", theirs.slug, typed=typed)

    assert status == 0, said
    assert f"name {theirs.name}" in said
    assert "1 stores" in said


def test_a_platform_admin_is_made_once_and_keeps_the_password(app: Flask, slug: str) -> None:
    email = f"Ops-{slug}@dukani.example"

    status, first = run(app, "platform-admin", "create", "--email", email)
    again, second = run(app, "platform-admin", "create", "--email", email.lower())

    assert (status, again) == (0, 0)
    assert re.search(r"Password \S{15,}", first)
    assert "unchanged" in second
    with platform_session() as session:
        people = session.scalars(select(Person).where(Person.email == email.lower())).all()
        assert [person.is_platform_admin for person in people] == [True]


def test_the_address_of_a_platform_admin_must_be_one(app: Flask) -> None:
    status, said = run(app, "platform-admin", "create", "--email", "nobody")

    assert status == 1
    assert "e-mail" in said


def test_styles_and_scripts_are_built(app: Flask, client: FlaskClient) -> None:
    status, said = run(app, "assets")

    assert status == 0
    name = re.search(r"store\.[0-9a-f]{12}\.js", said)
    assert name
    with client.get(f"/static/{name.group()}") as file:
        assert file.status_code == 200
