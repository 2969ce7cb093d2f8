"""A team across phones: an invitation by SMS and by WhatsApp, joining it, and a link by e-mail."""

from __future__ import annotations

import re
import secrets
from typing import Any

import pytest

from tests.world import Shop, Shopper, World, hidden_fields, wait_for


class Phone(Shopper):
    """A browser on the platform's host, with a phone number beside it."""

    def __init__(self, world: World, shop: Shop) -> None:
        super().__init__(world, shop)
        self.http.headers["Host"] = f"localhost:{world.stack.port}"
        world._shoppers.append(self)

    def send(self, page: str, action: str, data: dict[str, Any]) -> Any:
        return self.post(action, hidden_fields(page, action) | data)

    def texts(self, channel: str) -> list[str]:
        found = self.world.outbox(self.phone)
        return [message["text"] for message in found if message["channel"] == channel]


@pytest.fixture(scope="module")
def shop(world: World) -> Shop:
    return world.open_shop(whatsapp=True)


@pytest.fixture
def owner(world: World, shop: Shop) -> Phone:
    """The owner, signed in by password."""
    phone = Phone(world, shop)
    page = phone.get("/sign-in?way=password").text
    answer = phone.send(page, "/sign-in/password", shop.people["owner"])
    assert answer.status_code == 303, answer.text[:800]
    return phone


@pytest.mark.row("N55")
@pytest.mark.parametrize("channel", ["sms", "whatsapp"])
def test_a_link_on_the_new_packers_phone_works_once(
    world: World, shop: Shop, owner: Phone, channel: str
) -> None:
    packer, invite = Phone(world, shop), f"/dash/{shop.slug}/team/invite"
    form = {"phone": "0" + packer.phone[3:], "role": "packer", "how": channel, "name": "Njeri"}
    made = owner.send(owner.get(invite).text, invite, form)
    assert made.status_code == 303, made.text[:800]

    wait_for("the invitation", lambda: packer.texts(channel))
    found = re.search(r"http://localhost:\d+(/join/[0-9a-f]{32})", packer.texts(channel)[0])
    assert found is not None
    path = found[1]
    sent = packer.send(packer.get(path).text, f"{path}/code", {})
    assert sent.status_code == 200, sent.text[:800]

    def code() -> str:
        codes = [re.search(r"\b\d{6}\b", text) for text in packer.texts("sms")]
        return next((each[0] for each in reversed(codes) if each), "")

    wait_for("the code", code)
    joined = packer.send(sent.text, f"{path}/check", {"code": code(), "name": "Njeri Kamau"})

    assert joined.status_code == 303, joined.text[:800]
    assert packer.get(joined.headers["location"]).status_code == 200
    assert packer.get(f"/dash/{shop.slug}/team/").status_code == 403
    again = Phone(world, shop).get(path)
    assert again.status_code == 410
    assert "used already. It works once" in again.text
    members = world.sql(
        "SELECT role FROM app.memberships WHERE store_id = %s AND role = 'packer'", shop.store_id
    )
    assert len(members) >= 2


@pytest.mark.row("N53")
def test_a_link_in_an_e_mail_signs_in(world: World, shop: Shop) -> None:
    laptop, email = Phone(world, shop), shop.people["owner"]["email"]
    asked = laptop.send(laptop.get("/sign-in/link").text, "/sign-in/link", {"email": email})
    assert asked.status_code == 200, asked.text[:800]

    def letters() -> list[dict[str, Any]]:
        return [each for each in world.outbox(email) if each["channel"] == "email"]

    wait_for("the e-mail", letters)
    found = re.search(r"http://localhost:\d+(/sign-in/link/[0-9a-f]{32})", letters()[0]["text"])
    assert found is not None
    used = laptop.send(laptop.get(found[1]).text, found[1], {})

    assert used.status_code == 303, used.text[:800]
    assert laptop.get(f"/dash/{shop.slug}/").status_code == 200
    assert secrets.compare_digest(email, letters()[0]["to"])
