"""Fills one store of a running product with a row of everything, and says where its screens are.

Prints JSON: the addresses of every GET rule of the desks and the platform, and the sign-in tokens
of an owner, of one person for each other role, and of somebody who runs the platform.
"""

from __future__ import annotations

import json
import os
import random
import secrets
from hashlib import sha256

import httpx
from flask import Flask

from app import create_app
from app.db.engine import db, platform_session
from app.db.tenancy import inside_store
from app.domain.payments.models import Callback, ProviderCall
from app.domain.people.permissions import ROLES
from app.domain.people.second_factor import Way, note_proof
from app.domain.people.sessions import start_session
from app.domain.stores.actions import add_membership, add_person
from app.ids import new_id
from bench.fuzz import Maker
from bench.fuzz_shop import Aim, open_aim, refill
from config import Settings

AUDIENCES = ("app.web.backoffice", "app.web.platform")


def main() -> None:
    app = create_app(Settings.from_environ())
    aim, other = (
        open_aim(app, name, mpesa_keys(name)) for name in ("Duka la Kila Kitu", "Duka Jirani")
    )
    refill(app, aim)
    _speak_with_a_provider(app, aim)
    maker = Maker(app, random.Random(1), aim, other)
    screens = {
        rule.endpoint: {
            "path": maker.address(rule, aim),
            "permission": getattr(app.view_functions[rule.endpoint], "_permission", ""),
        }
        for rule in maker.rules
        if "GET" in (rule.methods or ())
        and app.view_functions[rule.endpoint].__module__.startswith(AUDIENCES)
    }
    with app.app_context():
        tokens = {role: _sign_in(role, aim.store_id) for role in ROLES}
        tokens["platform"] = _sign_in("platform", None)
    print(json.dumps({"slug": aim.slug, "screens": screens, "tokens": tokens}))


def mpesa_keys(name: str) -> dict[str, str]:
    """Keys that the sandbox knows: this product's workers ask it in this shop's name."""
    address = f"{os.environ['SANDBOX_URL']}/_sim/credentials"
    made = httpx.post(address, json={"name": name, "type": "paybill"}, trust_env=False)
    made.raise_for_status()
    keys: dict[str, str] = made.json()
    wanted = ("shortcode", "consumer_key", "consumer_secret", "passkey")
    return {field: keys[field] for field in wanted}


def _speak_with_a_provider(app: Flask, aim: Aim) -> None:
    """One callback that came, and one call of ours that ended."""
    with app.app_context(), inside_store(aim.store_id):
        body = b'{"Body": {"stkCallback": {"ResultCode": 0}}}'
        event = Callback(kind="stk", body=body, body_sha256=sha256(body).digest())
        call = ProviderCall(call_id=new_id(), phase="ended", provider="mpesa", endpoint="stk_push")
        db.session.add_all([event, call])
        db.session.commit()
        aim.values["event_id"], aim.values["call_id"] = [str(event.id)], [str(call.id)]


def _sign_in(role: str, store_id: int | None) -> str:
    """A token that has also proved its second factor, so that the guarded screens open."""
    with platform_session() as session:
        person = add_person(
            session,
            name=f"{role.title()} Wanjiru",
            email=f"{role}-{secrets.token_hex(4)}@duka.example",
            is_platform_admin=store_id is None,
        )
        if store_id is not None:
            add_membership(session, store_id=store_id, person_id=person, role=role)
    token = start_session(person, "test")
    for way in Way:
        note_proof(token, way)
    return token


if __name__ == "__main__":
    main()
