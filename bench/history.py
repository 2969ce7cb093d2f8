"""What a shop's pages and orders cost when ten thousand rows of its history have become ten million.

    python -m bench.history [--few 10000] [--many 10000000] [--rounds 3] [--patience 60]

A few orders are bought, paid, packed, carried out and delivered in the running product. What they
left in every table (orders and their events, attempts, calls, callbacks, ledger, stock, messages,
jobs) is then repeated row by row, as other orders of other customers, over the last three years, until the
shop has so many rows. At both sizes, without the page cache and one request at a time: processor time
of the web process and Postgres for the pages of shoppers and of the desk, for a checkout's POST and for a
stored callback.

Needed from 10⁴ to 10⁷ rows: 1.2 times for a page, 1.3 times for what is written. Ends non-zero
when missed.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import count, repeat

import psycopg

from bench._stack import (
    Load,
    analyze,
    columns_of,
    cookie_of,
    form_of,
    load,
    machine,
    page_seconds,
    postgres_of,
    processor_seconds,
    request_of,
    running,
    table,
    wait_until_quiet,
    with_children,
)
from bench.imports import Merchant, first_slug
from tests.world import Purchase, Shop, World, hidden_fields, wait_for

READ_TIMES, WRITTEN_TIMES = 1.2, 1.3
ORDERS = 12
YEARS = 3
ASKED = 120  # requests for one figure: the clock of processor time ticks every 10 ms
POSTS = 60
SETTLES = 20
SETTLED = "order paid: money worker and Postgres"
THREADS = 3  # of one web process
PROGRAMS = ("sandbox", "web", "money", "messages", "relay")
PAYS = {"auto": "pay", "after_s": 0.1}
REPEATED = (
    "customers", "orders", "order_lines", "order_events", "payment_intents", "payment_attempts",
    "provider_calls", "callback_inbox", "incoming_payments", "ledger_tx", "ledger_entries",
    "stock_movements", "reservations", "messages", "message_attempts", "outbox", "audit_log",
)  # fmt: skip
# What all orders share stays as it is; every other id becomes that of another row.
SHARED_IDS = frozenset(
    {"variant_id", "product_id", "rider_id", "person_id", "quote_id", "offer_id"}
)
HASHES = frozenset({"token_hash", "phone_lookup", "recipient_hash"})
NAMES = frozenset(
    {"code", "dedupe_key", "source_id", "checkout_request_id", "receipt", "reported_receipt"}
)
_loads = count(1)


@dataclass(frozen=True)
class Look:
    """One thing that is asked for again and again."""

    name: str
    requests: Callable[[int], Iterable[bytes]]
    status: int = 200
    is_write: bool = False


def main() -> int:
    asked = _asked()
    print(machine(), flush=True)
    with running(PROGRAMS, env={"PAGE_CACHE": "off"}, web_workers=1) as world:
        world.faults(**PAYS)
        shop = world.open_shop(stock=[1_000_000] * 30)
        merchant = Merchant(world, shop)
        bought = [delivered(world, shop, merchant) for _ in range(ORDERS)]
        wait_for("every job done", lambda: not _waiting(world), seconds=120)
        for name in ("relay", "messages", "money"):
            world.stack.stop_program(name)
        each = sum(_rows(world, shop).values())
        looks = [*reading(world, shop, merchant, bought[-1]), *writing(world, shop)]
        figures: list[dict[str, float]] = []
        sizes: list[int] = []
        done = 1
        for wanted in (asked.few, asked.many):
            begun = time.monotonic()
            until = max(done + 1, round(wanted / each))
            repeat_history(world, shop, done, until, whole=round(asked.many / each))
            done = until
            analyze(world)
            add_up(world, shop)
            rows = _rows(world, shop)
            sizes.append(sum(rows.values()))
            print(
                f"{sizes[-1]:,} rows, of them {rows['orders']:,} orders, in {time.monotonic() - begun:.0f} s",
                flush=True,
            )
            wait_until_quiet(seconds=asked.patience)
            figures.append({look.name: cost(world, look, asked.rounds) for look in looks})
            tidy(world, shop)
            figures[-1][SETTLED] = settling(world, shop)
            tidy(world, shop)
    return report(looks, figures, sizes)


def report(looks: list[Look], figures: list[dict[str, float]], sizes: list[int]) -> int:
    """Print every figure at both sizes; 1 when one has grown too much."""
    few, many = figures
    missed, rows = [], []
    written = {look.name for look in looks if look.is_write} | {SETTLED}
    for name, ms in few.items():
        times, most = many[name] / ms, WRITTEN_TIMES if name in written else READ_TIMES
        rows.append([name, f"{ms:.2f}", f"{many[name]:.2f}", f"{times:.2f}", f"{most}"])
        if times > most:
            missed.append(f"{name} {times:.2f}")
    print()
    print(table(["what", *(f"ms of {size:,} rows" for size in sizes), "times", "needed"], rows))
    print("\nmet" if not missed else "\nMISSED: " + ", ".join(missed))
    return 1 if missed else 0


# -- what there is ----------------------------------------------------------------------


def delivered(world: World, shop: Shop, merchant: Merchant) -> Purchase:
    """One order from the button to the door, by the pages of shopper and staff."""
    purchase = world.shopper(shop).buy()
    purchase.wait("paid", seconds=60)
    where = f"/staff/{shop.slug}/orders/{purchase.row['id']}"
    for step in ("pack", "give", "deliver"):
        form = hidden_fields(merchant.get(where), f"{where}/{step}")
        merchant.send(f"{where}/{step}", form)
    return purchase


def _waiting(world: World) -> int:
    [row] = world.sql(
        "SELECT count(*) AS n FROM app.outbox WHERE status = 'pending' AND available_at < now() + interval '1 minute'"
    )
    return int(row["n"])


def _rows(world: World, shop: Shop) -> dict[str, int]:
    counts = {}
    for name in REPEATED:
        [row] = world.sql(
            f"SELECT count(*) AS n FROM app.{name} WHERE store_id = %s", shop.store_id
        )
        counts[name] = int(row["n"])
    return counts


def repeat_history(world: World, shop: Shop, done: int, until: int, *, whole: int) -> None:
    """Repeat the first rows as the copies ``done`` to ``until`` of ``whole``, the last the oldest."""
    with psycopg.connect(world.superuser_url) as connection:
        connection.execute("SET LOCAL session_replication_role = replica")
        connection.execute("SET LOCAL synchronous_commit = off")
        for name in REPEATED:
            columns = columns_of(connection, name)
            first = f"f_{name}"  # the first rows alone: copies are not copied again
            if done == 1:
                connection.execute(
                    f"CREATE TABLE bench_{first} AS SELECT * FROM app.{name} WHERE store_id = %s",
                    (shop.store_id,),
                )
            names = ", ".join(columns)
            values = ", ".join(_other(column, kind, whole) for column, kind in columns.items())
            connection.execute(
                f"INSERT INTO app.{name} ({names}) SELECT {values}"
                f" FROM bench_{first} t, generate_series({done}, {until - 1}) copy"
            )


def add_up(world: World, shop: Shop) -> None:
    """Leave the shop as the jobs do that add up its movements and the orders of its days."""
    with psycopg.connect(world.superuser_url) as connection:
        connection.execute(
            "INSERT INTO app.counters (store_id, name, value) VALUES (%s, 'stock_breaks', 0)"
            " ON CONFLICT DO NOTHING",
            (shop.store_id,),
        )
        # Its history was written behind the back of the triggers.
        connection.execute("DELETE FROM app.order_days WHERE store_id = %s", (shop.store_id,))
        connection.execute("SELECT set_config('app.store_id', %s, true)", (str(shop.store_id),))
        while connection.execute("SELECT app.sum_order_days()").fetchone() != (0,):
            pass


def _other(column: str, kind: str, whole: int) -> str:
    """The value of a column in one copy, as SQL: another row's id, name or moment."""
    if column == "account_reference":
        return f"upper(substr(md5(t.{column} || copy), 1, 12))"
    if kind == "uuid" and column not in SHARED_IDS:
        return f"md5(t.{column}::text || copy)::uuid"
    if column in HASHES:
        return f"sha256(t.{column} || convert_to(copy::text, 'UTF8'))"
    if column in NAMES:
        return f"t.{column} || '-' || copy"
    if kind == "timestamp with time zone":
        return f"t.{column} - copy * (interval '{YEARS} years' / {whole})"
    if column == "seq":
        return f"t.{column} + copy * 100000"
    return f"t.{column}"


# -- what is asked ----------------------------------------------------------------------


def reading(world: World, shop: Shop, merchant: Merchant, bought: Purchase) -> list[Look]:
    """Pages of a shopper who has bought and has something in the cart, and of the desk."""
    shopper = bought.shopper
    shopper.add(shop.variants[1])
    cookie = cookie_of(shopper.cookies)
    host = f"{shop.host}:{world.stack.port}"
    desk = cookie_of(merchant.cookies)
    dash, staff = f"/dash/{shop.slug}", f"/staff/{shop.slug}"
    shop_pages = {
        "home": "/",
        "category": "/c/tea",
        "product": f"/p/{first_slug(world, shop)}",
        "search": "/search?q=tea",
        "area": "/areas/kilimani",
        "figures": "/trust",
        "cart": "/cart",
        "checkout page": "/checkout",
        "order page": bought.path,
        "payment panel": f"{bought.path}/payment",
    }
    desk_pages = {
        "desk: today": f"{dash}/",
        "desk: orders": f"{staff}/orders/",
        "desk: delivered orders": f"{staff}/orders/?tab=done",
        "desk: an order": f"{staff}/orders/{bought.row['id']}",
        "desk: deliveries": f"{staff}/dispatch/",
        "desk: customers": f"{dash}/customers/",
        "desk: a customer": f"{dash}/customers/{bought.row['customer_id']}",
        "desk: money to settle": f"{dash}/reviews/",
        "desk: who did what": f"{dash}/audit/",
        "desk: stock": f"{dash}/stock/",
        "desk: stock of a variant": f"{dash}/stock/variants/{shop.variants[0]['id']}",
    }
    looks = [
        Look(name, _again(request_of("GET", path, host, cookie=cookie)))
        for name, path in shop_pages.items()
    ]
    looks += [
        Look(name, _again(request_of("GET", path, merchant.host, cookie=desk)))
        for name, path in desk_pages.items()
    ]
    found = request_of("GET", f"{staff}/orders/?q={bought.code}", merchant.host, cookie=desk)
    return [*looks, Look("desk: an order found", _again(found), status=303)]


def _again(request: bytes) -> Callable[[int], Iterable[bytes]]:
    return lambda times: repeat(request, times)


def writing(world: World, shop: Shop) -> list[Look]:
    """Orders of other phones, and what the provider says of one."""

    def orders(times: int) -> Iterable[bytes]:
        forms = []
        for _ in range(min(times, POSTS)):
            shopper = world.shopper(shop)
            shopper.add()
            forms.append(form_of(shopper, "/checkout", shopper.checkout_form()))
            shopper.http.close()
        return forms

    [told] = world.transactions(status="paid")["transactions"][:1]
    path = "/" + told["callback_url"].split("/", 3)[3]
    callback = request_of("POST", path, f"localhost:{world.stack.port}", body=b"{}")
    return [
        Look("checkout POST", orders, status=303, is_write=True),
        Look("callback stored", _again(callback), is_write=True),
    ]


def cost(world: World, look: Look, rounds: int) -> float:
    """Processor ms of web and Postgres for each answer; the best of some rounds."""
    port = world.stack.port
    _ask(port, look, [look.requests(15) for _ in range(THREADS)])  # every connection has its plans
    best = 1e9
    for _ in range(rounds):
        requests = list(look.requests(ASKED))
        before = page_seconds(world)
        _ask(port, look, [requests])
        best = min(best, 1000 * (page_seconds(world) - before) / len(requests))
    return best


def tidy(world: World, shop: Shop) -> None:
    """Take what the figures left off the desk, so that it is the same for the next ones."""
    earlier = "placed_at - interval '2 days'"
    moments = ", ".join(f"{name} = {earlier}" for name in ("placed_at", "paid_at", "delivered_at"))
    with psycopg.connect(world.superuser_url) as connection:
        connection.execute("SET LOCAL session_replication_role = replica")
        for name, change in (
            ("outbox", "status = 'done', done_at = now() WHERE status = 'pending'"),
            ("orders", f"status = 'delivered', {moments} WHERE status <> 'delivered'"),
            ("payment_attempts", "status = 'failed' WHERE status <> 'succeeded'"),
            ("reservations", "status = 'released' WHERE status = 'live'"),
        ):
            connection.execute(
                f"UPDATE app.{name} SET {change} AND store_id = %s", (shop.store_id,)
            )
    analyze(world)


def settling(world: World, shop: Shop) -> float:
    """Processor ms of the money worker and Postgres from an order's prompt to its being paid."""
    for name in ("money", "relay"):
        world.stack.restart(name)
    purchases = [
        world.shopper(shop).buy() for _ in range(THREADS)
    ]  # whatever waited is done with them
    for purchase in purchases:
        purchase.wait("paid", seconds=300)
    pids = [*world.stack.pids("money"), *postgres_of(world)]
    before = processor_seconds(with_children(pids))
    purchases = [world.shopper(shop).buy() for _ in range(SETTLES)]
    for purchase in purchases:
        purchase.wait("paid", seconds=300)
    used = processor_seconds(with_children(pids)) - before
    for name in ("relay", "money"):
        world.stack.stop_program(name)
    return 1000 * used / SETTLES


def _ask(port: int, look: Look, clients: list[Iterable[bytes]]) -> Load:
    found = load(port, clients, first=next(_loads) * THREADS)
    assert set(found.statuses) == {look.status}, (look.name, found.said)
    return found


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("--few", type=int, default=10_000)
    parser.add_argument("--many", type=int, default=10_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--patience", type=float, default=60)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
