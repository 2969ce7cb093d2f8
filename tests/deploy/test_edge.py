"""The whole way to a shopper: nginx as production has it, two web processes, and edits between."""

from __future__ import annotations

import http.client
import shutil
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import brotli
import pytest

from local.stack import Stack
from tests.deploy.test_nginx import Proxy, nginx_before
from tests.world import Shop, World, wait_for

SOON = 2.0  # seconds within which an edit is seen everywhere


@dataclass
class Edge:
    """A running product with two web processes behind one port, nginx before it, and a shop."""

    world: World
    proxy: Proxy
    shop: Shop

    def ask(
        self, path: str, *, host: str = "", direct: bool = False, **headers: str
    ) -> tuple[int, dict[str, str], str]:
        """Status, headers in lower case and the unpacked body; ``direct`` goes past nginx."""
        port = self.world.stack.port if direct else self.proxy.port
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(
            "GET", path, headers={"Host": host or self.shop.host, "Accept-Encoding": "br", **given}
        )
        answer = connection.getresponse()
        body = answer.read()
        connection.close()
        known = {name.lower(): value for name, value in answer.getheaders()}
        if known.get("content-encoding") == "br":
            body = brotli.decompress(body)
        return answer.status, known, body.decode()

    @property
    def product(self) -> str:
        return f"/p/{self.shop.variants[0]['slug']}"

    def set_price(self, shillings: int) -> None:
        self.world.sql(
            "UPDATE app.variants SET price_cents = %s WHERE store_id = %s",
            shillings * 100,
            self.shop.store_id,
        )

    def shows_everywhere(self, words: str) -> bool:
        """Whether nginx and every web process show these words on the product's page.

        Which process answers is the kernel's choice: twelve askings at once reach both.
        """
        with ThreadPoolExecutor(12) as pool:
            seen = list(pool.map(lambda n: self.ask(self.product, direct=n > 0)[2], range(12)))
        return all(words in body for body in seen)


@pytest.fixture(scope="module")
def edge() -> Iterator[Edge]:
    folder = Path(tempfile.mkdtemp(prefix="dke-"))
    folder.chmod(0o755)
    stack = Stack(
        folder,
        processes=("sandbox", "web", "relay"),
        env={"PROXY_HOPS": "1"},
        web_workers=2,
        fast=True,
    )
    try:
        with stack:
            world = World(stack)
            with nginx_before(stack.port) as proxy:
                yield Edge(world, proxy, world.open_shop(stock=[50, 50]))
            world.close()
            stack.remove()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def quiet_second() -> None:
    """Begin just after a second has: a copy lasts to its end."""
    second_begins()


def second_begins() -> None:
    wait_for("a second to begin", lambda: time.time() % 1 < 0.2)


@pytest.mark.row("N42", "N6", "N94")
@pytest.mark.usefixtures("quiet_second")
@pytest.mark.parametrize("page", ["/", "/areas", "/areas/kilimani", "product"])
def test_nginx_answers_by_itself_for_the_rest_of_the_second(edge: Edge, page: str) -> None:
    path = edge.product if page == "product" else page
    edge.ask(path, direct=True)
    _, first, _ = edge.ask(path)
    status, second, body = edge.ask(path, Cookie="__Host-cart=1; __Host-shopper=2")

    assert first["x-edge-cache"] in ("MISS", "EXPIRED", "REVALIDATED")
    assert (status, second["x-edge-cache"]) == (200, "HIT")
    assert "set-cookie" not in second
    assert "x-accel-expires" not in second
    assert f"s{edge.shop.store_id}" in second["surrogate-key"].split()
    assert "sha256-" in second["content-security-policy"]
    assert second["content-length"] != str(len(body))  # compressed
    again = edge.ask(path, If_None_Match=second["etag"])
    assert (again[0], again[2]) == (304, "")


@pytest.mark.alone
@pytest.mark.row("N79", "N91", "N6")
@pytest.mark.parametrize(
    ("page", "edit", "words"),
    [
        ("product", "UPDATE app.variants SET price_cents = {n}00", "{n:,}"),
        ("product", "UPDATE app.variants SET on_hand = reserved", 'id="add" disabled'),
        ("product", "UPDATE app.variants SET on_hand = reserved + 3", ">Only 3 left<"),
        ("/", "UPDATE app.stores SET name = 'Shop {n}'", "Shop {n}"),
        ("/areas/kilimani", "UPDATE app.delivery_areas SET fee_cents = {n}00", "{n:,}"),
    ],
    ids=["price", "sold out", "stock", "settings", "fee"],
)
def test_an_edit_is_seen_everywhere_in_under_two_seconds(
    edge: Edge, page: str, edit: str, words: str
) -> None:
    """Through nginx and past it, from whichever process answers, with the page asked for all the time."""
    path = edge.product if page == "product" else page
    number = int(time.time()) % 5000 + 3000
    column = "id" if "app.stores" in edit else "store_id"
    for _ in range(10):
        for direct in (True, False):
            assert words.format(n=number) not in edge.ask(path, direct=direct)[2]
    edge.world.sql(edit.format(n=number) + f" WHERE {column} = %s", edge.shop.store_id)
    committed = time.monotonic()

    old_at = new_at = 0.0
    while time.monotonic() - committed < SOON + 1:
        for direct in (True, False, True):
            asked = time.monotonic() - committed
            if words.format(n=number) in edge.ask(path, direct=direct)[2]:
                new_at = new_at or asked
            else:
                old_at = asked

    assert new_at, "never seen"
    assert old_at < SOON


@pytest.mark.row("N6", "N42")
@pytest.mark.usefixtures("quiet_second")
def test_shops_languages_and_visitors_never_mix(edge: Edge) -> None:
    other = edge.world.open_shop(name="Duka Jirani")
    ours = edge.ask("/")[2]
    swahili = {"Accept_Language": "sw"}
    for _ in range(2):
        for host, name in ((edge.shop.host, None), (other.host, "Duka Jirani")):
            for headers, language in (({}, "en"), (swahili, "sw")):
                for cookie in ("", "__Host-shopper=x; __Host-cart=y"):
                    status, known, body = edge.ask("/", host=host, Cookie=cookie, **headers)
                    assert status == 200
                    assert known["content-language"] == language
                    assert ("Duka Jirani" in body) == (name is not None)
    assert "Duka Jirani" not in ours
    # The request line may name another host than the Host header does: the header is what counts.
    absolute = edge.ask(f"http://{edge.shop.host}/", host=other.host)[2]
    assert "Duka Jirani" in absolute
    assert "Duka Jirani" not in edge.ask("/")[2]


@pytest.mark.row("N6")
@pytest.mark.usefixtures("quiet_second")
def test_a_poisoned_request_leaves_nothing_behind(edge: Edge) -> None:
    path = f"{edge.product}?option-0=none"
    poisoned = edge.ask(
        path,
        X_Forwarded_Host="evil.example",
        X_Forwarded_Proto="javascript",
        HX_Request="true",
        Range="bytes=0-9",
        Referer="https://evil.example",
        Accept_Language="evil",
        X_Original_URL="/evil",
        Cookie="__Host-lang=evil",
    )
    clean = edge.ask(path)
    assert clean[0] == 200
    assert clean[2] == edge.ask(path, direct=True)[2]
    assert "evil" not in clean[2] + str(clean[1]) + poisoned[2]


@pytest.mark.row("N42")
def test_a_rush_reaches_the_application_once(edge: Edge) -> None:
    """Two hundred at once, on a page nobody has yet: both caches make them wait for one."""
    edge.set_price(4_567)
    wait_for("every layer to know the price", lambda: edge.shows_everywhere("4,567"))
    second_begins()
    path = f"{edge.product}?option-0=rush"
    together = threading.Barrier(20)

    def ask(_: int) -> list[tuple[int, dict[str, str], str]]:
        together.wait(20)
        return [edge.ask(path) for _ in range(10)]

    begun = time.time()
    with ThreadPoolExecutor(20) as pool:
        answers = [answer for answers in pool.map(ask, range(20)) for answer in answers]
    seconds = int(time.time()) - int(begun) + 1  # that the rush has a part of
    went_through = [known for _, known, _ in answers if known["x-edge-cache"] != "HIT"]
    made = [
        known
        for known in went_through
        if known["x-edge-cache"] != "REVALIDATED" and known["x-cache"] == "miss"
    ]
    assert len(made) == 1
    assert 1 <= len(went_through) <= seconds
    bodies = {body for _, _, body in answers}
    assert len(bodies) == 1
    assert "4,567" in bodies.pop()


@pytest.mark.row("N6", "T69")
def test_nothing_old_is_shown_when_the_application_is_away(edge: Edge) -> None:
    assert edge.ask("/")[0] == 200
    edge.world.stack.stop_program("web")
    try:
        wait_for("the copy to end", lambda: edge.ask("/")[0] == 502, seconds=SOON)
    finally:
        edge.world.stack.restart("web")
    assert edge.ask("/")[0] == 200
