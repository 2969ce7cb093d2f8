"""Makes ordinary stores in a running product's database, one for each line of JSON it reads."""

from __future__ import annotations

import json
import secrets
import sys
from typing import Any

from app import create_app
from app.db.engine import db, platform_session
from app.db.tenancy import bound_store, inside_store
from app.domain.catalog.actions import NewProduct, NewVariant, add_category, add_product
from app.domain.delivery.actions import serve_area
from app.domain.delivery.models import Rider
from app.domain.messaging.models import ChannelSettings
from app.domain.payments.registering import save_payment_settings
from app.domain.stores.actions import add_membership, add_person, create_store
from app.vault import vault
from config import Settings

ROLES = ("owner", "packer", "dispatcher")


def main() -> None:
    """Make the store of each line, and answer with what it has."""
    settings = Settings.from_environ()
    app = create_app(settings, role="manage")
    for line in sys.stdin:
        with app.app_context():
            print(json.dumps(_open(settings, json.loads(line))), flush=True)
            db.session.remove()


def _open(settings: Settings, order: dict[str, Any]) -> dict[str, Any]:
    with platform_session() as session:
        store_id = create_store(
            session,
            slug=order["slug"],
            name=order.get("name", "Duka la Majaribio"),
            code_prefix="KT",
            host_suffix=settings.store_host_suffix,
            prompt_name=order["slug"].upper(),
            whatsapp="+254700000001",
            accepts_pay_on_delivery=order.get("pay_on_delivery", True),
            callback_trust_limit_cents=order.get("trust_limit_cents", 0),
        )
        people = {role: _hire(session, store_id, role) for role in ROLES}
    with inside_store(store_id):
        variants = _fill(order)
    return {"store_id": store_id, "variants": variants, "people": people}


def _hire(session: Any, store_id: int, role: str) -> dict[str, str]:
    email, password = f"{role}-{secrets.token_hex(4)}@duka.example", secrets.token_urlsafe(12)
    person_id = add_person(session, name=f"{role.title()} wa Duka", email=email, password=password)
    add_membership(session, store_id=store_id, person_id=person_id, role=role)
    return {"email": email, "password": password}


def _fill(order: dict[str, Any]) -> list[dict[str, Any]]:
    session = db.session()
    keys = order["keys"]
    save_payment_settings(
        session,
        kind=keys["type"],
        shortcode=keys["shortcode"],
        till=keys["till_number"],
        consumer_key=keys["consumer_key"],
        consumer_secret=keys["consumer_secret"],
        passkey=keys["passkey"],
        actor="test",
    )
    if order.get("whatsapp", False):
        token = vault().seal(
            keys["whatsapp_token"], store_id=bound_store(), column="channel_settings.token"
        )
        session.add(
            ChannelSettings(
                channel="whatsapp",
                phone_number_id=keys["whatsapp_phone_number_id"],
                token_sealed=token,
            )
        )
    for area, fee in (order.get("areas") or {"kilimani": 250_00, "westlands": 300_00}).items():
        serve_area(session, area, actor="test", fee_cents=fee)
    session.add(Rider(name="Otieno"))
    category = add_category(session, "Tea")
    variants = []
    for n, stock in enumerate(order.get("stock", [1000, 1000, 1])):
        product = add_product(
            session,
            NewProduct(
                name=f"Kericho tea no. {n + 1}",
                category=category,
                variants=[
                    NewVariant(sku=f"TEA-{n + 1}", price_cents=(450 + 100 * n) * 100, stock=stock)
                ],
            ),
        )
        session.refresh(product)
        variants.append(
            {
                "id": str(product.variants[0].id),
                "sku": f"TEA-{n + 1}",
                "slug": product.slug,
                "price_cents": product.variants[0].price_cents,
            }
        )
    session.commit()
    return variants


if __name__ == "__main__":
    main()
