"""``bin/manage store …``: open a store, or a Python prompt inside one."""

from __future__ import annotations

import secrets
from typing import Any

import click
from flask import current_app
from flask.cli import with_appcontext
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.domain.errors import DomainError


@click.group("store")
def store() -> None:
    """Open a store; look inside one."""


def store_id_of(slug: str) -> int:
    """The id of the store with this short name. Raises BadParameter, which ends the command."""
    from app.db.engine import platform_session
    from app.domain.stores.models import Store

    with platform_session() as session:
        found = session.scalar(select(Store.id).where(Store.slug == slug, Store.id != 0))
    if found is None:
        raise click.BadParameter(f"there is no store {slug}", param_hint="--store")
    return found


@store.command("create")
@click.option("--slug", required=True, help="Short name, as in mama-njeri.localhost.")
@click.option("--name", required=True, help="Name as shoppers see it.")
@click.option("--place", default="", help="Where the shop is, in words.")
@click.option("--whatsapp", default="", help="The shop's WhatsApp number.")
@click.option("--code-prefix", default="DK", show_default=True, help="Starts every order code.")
@click.option("--hue", default=262, show_default=True, type=click.IntRange(0, 360))
@click.option("--pay-on-delivery/--no-pay-on-delivery", default=False)
@click.option("--owner-name", default="", help="Who runs it.")
@click.option("--owner-phone", default="", help="Signs in with a code sent to this number.")
@click.option("--owner-email", default="", help="Signs in with a password, printed once.")
@with_appcontext
def create(slug: str, name: str, **wishes: Any) -> None:
    """Open an ordinary store and, if given a way to reach them, its owner."""
    from app.db.engine import db, platform_session
    from app.db.tenancy import inside_store
    from app.domain.audit.actions import record
    from app.domain.stores.actions import create_store, schedule_upkeep

    settings = current_app.config["SETTINGS"]
    details = {
        "place": wishes["place"],
        "whatsapp": _phone(wishes["whatsapp"], "--whatsapp"),
        "code_prefix": wishes["code_prefix"],
        "colour_hue": wishes["hue"],
        "accepts_pay_on_delivery": wishes["pay_on_delivery"],
        "prompt_name": name.upper()[:30],
    }
    try:
        with platform_session() as session:
            suffix = settings.store_host_suffix
            store_id = create_store(session, slug=slug, name=name, host_suffix=suffix, **details)
            password = _add_owner(session, store_id, wishes)
    except DomainError as no:
        raise click.ClickException(str(no)) from no
    with inside_store(store_id):
        schedule_upkeep(db.session())
        record(db.session(), "store.created", actor="bin/manage", subject=f"store:{store_id}")
        db.session.commit()
    click.echo(f"{name} is open at {settings.public_scheme}://{slug}{settings.store_host_suffix}/")
    if password:
        click.echo(f"Owner: {wishes['owner_email']}  password {password} (shown once)")


def _add_owner(session: Session, store_id: int, wishes: dict[str, Any]) -> str:
    """Add the owner when there is one to add; returns a new password, or nothing."""
    from app.domain.stores.actions import add_membership, add_person

    phone = _phone(wishes["owner_phone"], "--owner-phone")
    email = wishes["owner_email"]
    if not phone and not email:
        return ""
    password = secrets.token_urlsafe(12) if email else ""
    person_id = add_person(
        session,
        name=wishes["owner_name"] or wishes["owner_email"] or "Owner",
        phone=phone or None,
        email=email or None,
        password=password or None,
    )
    add_membership(session, store_id=store_id, person_id=person_id, role="owner")
    return password


def _phone(typed: str, option: str) -> str:
    from app.phones import InvalidPhone, parse_msisdn

    if not typed:
        return ""
    try:
        return parse_msisdn(typed)
    except InvalidPhone as no:
        raise click.BadParameter(str(no), param_hint=option) from no


@store.command("shell")
@click.option("--store", "slug", required=True, help="The store's short name.")
@with_appcontext
def shell(slug: str) -> None:
    """A Python prompt inside one store; nothing is kept without session.commit()."""
    import code

    from app.db.base import Base
    from app.db.engine import db
    from app.db.tenancy import inside_store
    from app.domain.stores.models import Store

    store_id = store_id_of(slug)
    with inside_store(store_id):
        session = db.session()
        models = [mapper.class_ for mapper in Base.registry.mappers]
        names: dict[str, Any] = {model.__name__: model for model in models}
        names |= {"session": session, "store": session.get_one(Store, store_id), "select": select}
        banner = f"Inside {slug} (store {store_id}): session, store, select and every model."
        code.interact(banner=banner, local=names, exitmsg="")
        session.rollback()
