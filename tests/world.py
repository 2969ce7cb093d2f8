"""The running product from outside: HTTP to shops, the sandbox's phones, and SQL to compare with.

Tests of the money path speak through this. Nothing here imports product code that the
running processes use, except to create stores with the platform's own functions.
"""

from __future__ import annotations

import json
import re
import secrets
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import httpx
import psycopg
from psycopg.rows import dict_row

from local.stack import Stack
from tests.phones import any_phone

ROOT = Path(__file__).resolve().parent.parent
PATIENCE = 20.0
T = TypeVar("T")


class TookTooLong(AssertionError):
    """Something that had to happen did not."""


def wait_for(what: str, ask: Callable[[], T], *, seconds: float = PATIENCE) -> T:
    """Ask again and again until the answer is true; returns it."""
    end = time.monotonic() + seconds
    while True:
        answer = ask()
        if answer:
            return answer
        if time.monotonic() > end:
            raise TookTooLong(what)
        _pause(0.05)


def _pause(seconds: float) -> None:
    import threading

    threading.Event().wait(seconds)


@dataclass
class Shop:
    """One store of the running product, with a product to buy."""

    slug: str
    store_id: int
    keys: dict[str, Any]
    variants: list[dict[str, Any]]
    people: dict[str, dict[str, str]] = field(default_factory=dict)

    @property
    def host(self) -> str:
        return f"{self.slug}.localhost"


class World:
    """Everything a test may do to the running product."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.sandbox = httpx.Client(
            base_url=f"http://127.0.0.1:{stack.sandbox_port}", timeout=30, trust_env=False
        )
        assert stack.superuser_url is not None
        self.superuser_url = stack.superuser_url
        self._shoppers: list[Shopper] = []
        self._maker: subprocess.Popen[str] | None = None

    def close(self) -> None:
        """Let go of every connection."""
        for shopper in self._shoppers:
            shopper.http.close()
        self._shoppers.clear()
        self.sandbox.close()
        if self._maker is not None:
            self._maker.communicate()

    # -- stores -------------------------------------------------------------------------

    def open_shop(self, **wishes: Any) -> Shop:
        """Make an ordinary store with goods, keys of the sandbox, areas and staff."""
        slug = f"w{secrets.token_hex(5)}"
        keys = self.sandbox.post(
            "/_sim/credentials", json={"name": slug.upper(), "type": wishes.pop("kind", "paybill")}
        ).json()
        self.sandbox.post(
            "/_sim/credentials",
            json={
                "name": "Dukani SMS",
                "sms_username": self.stack.env["SMS_USERNAME"],
                "sms_api_key": self.stack.env["SMS_API_KEY"],
            },
        ).raise_for_status()
        order = {"slug": slug, "keys": keys, **wishes}
        answer = self._make(order)
        return Shop(slug=slug, keys=keys, **answer)

    def _make(self, order: dict[str, Any]) -> dict[str, Any]:
        """Have the program that makes stores, started with the first, make one."""
        if self._maker is None or self._maker.poll() is not None:
            self._maker = subprocess.Popen(
                [sys.executable, "-m", "tests.make_shop"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                cwd=ROOT,
                env=self.stack.env,
            )
        assert self._maker.stdin
        assert self._maker.stdout
        print(json.dumps(order), file=self._maker.stdin, flush=True)
        for line in self._maker.stdout:
            if line.startswith('{"store_id"'):
                return dict(json.loads(line))
        raise AssertionError("no store was made; its program's words are above")

    def receive(
        self, shop: Shop, variant: dict[str, Any], quantity: int, *, reason: str = "received"
    ) -> None:
        """Put goods on the shelf, or take them off, with the movement that every change has."""
        self.sql(
            "WITH moved AS (INSERT INTO app.stock_movements (id, store_id, variant_id, quantity, reason)"
            " SELECT gen_random_uuid(), store_id, id, %s, %s FROM app.variants WHERE store_id = %s AND id = %s"
            " RETURNING store_id, variant_id, quantity)"
            " UPDATE app.variants v SET on_hand = v.on_hand + moved.quantity FROM moved"
            "  WHERE v.store_id = moved.store_id AND v.id = moved.variant_id",
            quantity,
            reason,
            shop.store_id,
            variant["id"],
        )

    def shopper(self, shop: Shop, *, address: str | None = None) -> Shopper:
        """A new phone browsing this shop."""
        made = Shopper(self, shop, address=address)
        self._shoppers.append(made)
        return made

    # -- the sandbox --------------------------------------------------------------------

    def faults(self, **order: Any) -> None:
        self.sandbox.post("/_sim/faults", json=order).raise_for_status()

    def revive(self) -> None:
        """Wait until every program of the stack runs; what died is started again."""

        def all_run() -> bool:
            self.stack.tick()
            return all(self.stack.pids(name) for name in self.stack.names())

        wait_for("every program runs", all_run, seconds=60)

    def straighten(self) -> None:
        """End every fault, put the sandbox's clock back to normal speed, close the phones."""
        for shopper in self._shoppers:
            shopper.http.close()
        self._shoppers.clear()
        self.sandbox.post("/_sim/faults", json={"clear": True})
        self.sandbox.post("/_sim/clock", json={"speed": 1})

    def prompts(self, phone: str) -> list[dict[str, Any]]:
        return self.sandbox.get(f"/_sim/prompts/{phone}").json()["prompts"]  # type: ignore[no-any-return]

    def answer(self, phone: str, action: str = "pay") -> None:
        """Wait for the prompt on this phone and answer it."""
        wait_for(f"a prompt on {phone}", lambda: self.prompts(phone))
        self.sandbox.post(f"/_sim/prompts/{phone}", json={"action": action}).raise_for_status()

    def outbox(self, phone: str) -> list[dict[str, Any]]:
        return self.sandbox.get("/_sim/outbox", params={"to": phone}).json()["messages"]  # type: ignore[no-any-return]

    def transactions(self, **filters: Any) -> dict[str, Any]:
        return self.sandbox.get("/_sim/transactions", params=filters).json()  # type: ignore[no-any-return]

    # -- SQL ----------------------------------------------------------------------------

    def sql(self, statement: str, *values: Any) -> list[dict[str, Any]]:
        """Read the truth, as superuser."""
        with psycopg.connect(
            self.superuser_url, autocommit=True, row_factory=dict_row
        ) as connection:
            cursor = connection.execute(statement, values)  # type: ignore[arg-type]
            return cursor.fetchall() if cursor.description else []

    def order(self, shop: Shop, code: str) -> dict[str, Any]:
        return self.sql(
            "SELECT * FROM app.orders WHERE store_id = %s AND code = %s", shop.store_id, code
        )[0]

    def attempts(self, order: dict[str, Any]) -> list[dict[str, Any]]:
        return self.sql(
            "SELECT * FROM app.payment_attempts WHERE store_id = %s AND order_id = %s ORDER BY created_at, id",
            order["store_id"],
            order["id"],
        )

    def wait_for_order(
        self, shop: Shop, code: str, status: str, *, seconds: float = PATIENCE
    ) -> dict[str, Any]:
        wait_for(
            f"{code} {status}", lambda: self.order(shop, code)["status"] == status, seconds=seconds
        )
        return self.order(shop, code)


class Shopper:
    """One phone's browser without JavaScript: real forms, real cookies, an address of its own."""

    def __init__(self, world: World, shop: Shop, *, address: str | None = None) -> None:
        self.world = world
        self.shop = shop
        self.phone = any_phone()[1:]
        self.address = (
            address
            or f"127.{secrets.randbelow(200) + 20}.{secrets.randbelow(250) + 1}.{secrets.randbelow(250) + 1}"
        )
        self.http = httpx.Client(
            base_url=f"http://127.0.0.1:{world.stack.port}",
            headers={"Host": f"{shop.host}:{world.stack.port}", "Sec-Fetch-Site": "same-origin"},
            transport=httpx.HTTPTransport(local_address=self.address),
            timeout=30,
            trust_env=False,
        )
        self.cookies: dict[str, str] = {}

    def request(self, method: str, path: str, **kwargs: Any) -> httpx.Response:
        """One request with this phone's cookies (they are Secure, so the header is set by hand)."""
        headers = dict(kwargs.pop("headers", {}))
        if self.cookies:
            headers["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        response = self.http.request(method, path, headers=headers, **kwargs)
        for line in response.headers.get_list("set-cookie"):
            name, _, value = line.partition(";")[0].partition("=")
            self.cookies[name] = value
        return response

    def get(self, path: str, **kwargs: Any) -> httpx.Response:
        return self.request("GET", path, **kwargs)

    def post(self, path: str, data: dict[str, Any] | None = None, **kwargs: Any) -> httpx.Response:
        return self.request("POST", path, data=data or {}, **kwargs)

    def add(self, variant: dict[str, Any] | None = None, quantity: int = 1) -> httpx.Response:
        chosen = variant or self.shop.variants[0]
        return self.post("/cart/lines", {"sku": chosen["sku"], "quantity": str(quantity)})

    def checkout_form(self, **facts: Any) -> dict[str, str]:
        """Open the checkout page and fill its form as a person would."""
        area = facts.pop("area", "kilimani")
        page = self.get("/checkout", params={"area": area})
        assert page.status_code == 200, (page.status_code, page.text[:500])
        return (
            hidden_fields(page.text, "/checkout")
            | {
                "phone": "0" + self.phone[3:],
                "area": area,
                "landmark": "Blue gate opposite the school",
            }
            | facts
        )

    def place(self, **facts: Any) -> str:
        """Order what is in the cart; returns the path of the order page."""
        answer = self.post("/checkout", self.checkout_form(**facts))
        assert answer.status_code == 303, (answer.status_code, answer.text[:1500])
        return str(answer.headers["location"])

    def buy(
        self, variant: dict[str, Any] | None = None, quantity: int = 1, **facts: Any
    ) -> Purchase:
        """Put something in the cart and order it."""
        added = self.add(variant, quantity)
        assert added.status_code in (200, 303), added.text[:500]
        path = self.place(**facts)
        token = path.rsplit("/o/", 1)[1].split("/")[0].split("?")[0]
        row = self.world.sql(
            "SELECT * FROM app.orders WHERE token_hash = sha256(convert_to(%s, 'UTF8'))", token
        )[0]
        return Purchase(self, f"/o/{token}", row["code"], row)


@dataclass
class Purchase:
    """An order as its shopper holds it."""

    shopper: Shopper
    path: str
    code: str
    row: dict[str, Any]

    def panel(self) -> str:
        """The words of the payment panel now."""
        return self.shopper.get(f"{self.path}/payment").text

    def order(self) -> dict[str, Any]:
        return self.shopper.world.order(self.shopper.shop, self.code)

    def attempts(self) -> list[dict[str, Any]]:
        return self.shopper.world.attempts(self.row)

    def retry(self, **facts: Any) -> httpx.Response:
        page = self.shopper.get(self.path).text
        return self.shopper.post(
            f"{self.path}/pay", hidden_fields(page, f"{self.path}/pay") | facts
        )

    def wait(self, status: str, *, seconds: float = PATIENCE) -> dict[str, Any]:
        return self.shopper.world.wait_for_order(
            self.shopper.shop, self.code, status, seconds=seconds
        )


def hidden_fields(html: str, action: str) -> dict[str, str]:
    """The hidden fields of the form that posts to ``action``."""
    for form in re.findall(r"<form\b.*?</form>", html, re.S):
        opening = form[: form.index(">") + 1]
        if re.search(rf'action="{re.escape(action)}"', opening):
            fields = {}
            for tag in re.findall(r"<input\b[^>]*>", form):
                name, value = re.search(r'name="([^"]*)"', tag), re.search(r'value="([^"]*)"', tag)
                if 'type="hidden"' in tag and name:
                    fields[name.group(1)] = value.group(1) if value else ""
            return fields
    raise AssertionError(f"no form posts to {action}")
