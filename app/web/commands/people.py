"""``bin/manage platform-admin create``: the first person of an empty platform."""

from __future__ import annotations

import secrets

import click
from flask.cli import with_appcontext
from sqlalchemy import select, update

from app.domain.errors import DomainError


@click.group("platform-admin")
def platform_admin() -> None:
    """The people who run the platform itself."""


@platform_admin.command("create")
@click.option("--email", prompt="E-mail")
@click.option("--name", default="")
@with_appcontext
def create(email: str, name: str) -> None:
    """Let somebody run the platform; prints a new person's password, once.

    A person who has this address already keeps their password.
    """
    from app.db.engine import platform_session
    from app.domain.people.models import Person
    from app.domain.stores.actions import add_person

    address = email.strip().lower()
    password = secrets.token_urlsafe(15)
    try:
        with platform_session() as session:
            known = session.scalar(select(Person.id).where(Person.email == address))
            if known is not None:
                session.execute(
                    update(Person).where(Person.id == known).values(is_platform_admin=True)
                )
            else:
                add_person(
                    session,
                    name=name or address,
                    email=address,
                    password=password,
                    is_platform_admin=True,
                )
    except DomainError as no:
        raise click.ClickException(str(no)) from no
    if known is not None:
        click.echo(f"{address} may run the platform; the password is unchanged.")
    else:
        click.echo(f"{address} may run the platform. Password {password} (shown once)")
