"""Real Nairobi catalogues as one shop: what search is judged by, and what the benches are filled with."""

from __future__ import annotations

import csv
import html
import random
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import psycopg

from app.domain.catalog.actions import slug_of
from app.ids import new_id

# File, the column of the name, and the shelf that a shop would put it on.
SHEETS = (
    ("jumia_ke_2024_1722.csv", "Name", None),
    ("ke_phones_jumia.csv", "Name", "Phones"),
    ("ke_phones_kilimall.csv", "Brand", "Phones"),
    ("ke_laptops_jumia.csv", "Name", "Laptops"),
    ("ke_laptops_kilimall.csv", "Brand", "Laptops"),
    ("ke_tablets_jumia.csv", "Name", "Tablets"),
    ("ke_Sneaker_Shoes_jumia.csv", "Name", "Shoes"),
    ("ke_Sneaker_Shoes_kilimall.csv", "Brand", "Shoes"),
    ("ke_men_boots_kilimall.csv", "Brand", "Shoes"),
    ("shop_home_goods_kes.csv", "Name", "Home"),
    ("shop_handmade_softdrinks_kes.csv", "Drink Name", "Soft drinks"),
)


@dataclass(frozen=True, slots=True)
class Good:
    name: str
    price_cents: int
    shelf: str | None
    stock: int = 5


@dataclass(frozen=True, slots=True)
class Judged:
    """One query of the list, and what may stand among its first three answers."""

    query: str
    kind: str
    right: str
    wrong: str
    most_kes: int | None

    def accepts(self, name: str, price_cents: int) -> bool:
        return (
            re.search(self.right, name, re.I) is not None
            and not (self.wrong and re.search(self.wrong, name, re.I))
            and (self.most_kes is None or price_cents <= self.most_kes * 100)
        )


def judged_queries() -> list[Judged]:
    """The list, as it was written down before there was a search."""
    path = Path(__file__).parent / "data" / "judged_queries.csv"
    with path.open(encoding="utf-8") as file:
        return [
            Judged(
                row["query"],
                row["kind"],
                row["right"],
                row["wrong"],
                int(row["most_kes"]) if row["most_kes"] else None,
            )
            for row in csv.DictReader(file)
        ]


def real_goods(catalogues: Path) -> list[Good]:
    """Every distinct product of the Kenyan sheets, with its own name and price."""
    found: dict[str, Good] = {}
    for file, column, shelf in SHEETS:
        with (catalogues / file).open(encoding="utf-8-sig") as sheet:
            for row in csv.DictReader(sheet):
                name = " ".join(html.unescape(row.get(column) or "").split())[:200].strip()
                price = row.get("Price") or row.get("Price (KES)") or ""
                amount = re.search(r"[0-9][0-9,]*", price)
                if name and amount:
                    kes = int(amount.group().replace(",", ""))
                    found.setdefault(name, Good(name, kes * 100, shelf))
    return list(found.values())


def many_goods(goods: Sequence[Good], count: int, *, shelves: int = 12) -> Iterator[Good]:
    """Any number of goods with names as real ones are, on so many shelves, one in ten sold out."""
    chance = random.Random(11)
    for number in range(count):
        good = goods[number % len(goods)]
        words = good.name.split()
        if number >= len(goods):
            other = goods[chance.randrange(len(goods))].name.split()
            words = [*words[:3], *other[-3:], f"M{number}"]
        stock = 0 if chance.random() < 0.1 else chance.randrange(1, 60)
        price = max(100_00, good.price_cents + chance.randrange(-50, 50) * 100)
        yield Good(" ".join(words)[:200], price, f"Shelf {number % shelves}", stock)


def put_on_sale(
    connection: psycopg.Connection, store_id: int, goods: Iterable[Good]
) -> dict[str, str]:
    """Goods as rows, by COPY and as superuser. Returns shelf → its slug."""
    goods = list(goods)
    shelves = {name: new_id() for name in dict.fromkeys(g.shelf for g in goods) if name}
    keys = [(new_id(), new_id()) for _ in goods]
    with connection.cursor() as cursor:
        with cursor.copy(
            "COPY app.categories (store_id, id, slug, name, position) FROM STDIN"
        ) as rows:
            for at, (name, key) in enumerate(shelves.items()):
                rows.write_row((store_id, key, slug_of(name), name, at))
        with cursor.copy(
            "COPY app.products (store_id, id, slug, name, category_id, created_at) FROM STDIN"
        ) as rows:
            for at, ((key, _variant), good) in enumerate(zip(keys, goods, strict=True)):
                slug = f"{slug_of(good.name)[:50].strip('-')}-{at}"
                made = f"2026-01-{1 + at % 28:02} {at // 28 % 24:02}:{at % 60:02}:00+03"
                shelf = shelves.get(good.shelf or "")
                rows.write_row((store_id, key, slug, good.name, shelf, made))
        with cursor.copy(
            "COPY app.variants (store_id, id, product_id, sku, price_cents, on_hand) FROM STDIN"
        ) as rows:
            for at, ((key, variant), good) in enumerate(zip(keys, goods, strict=True)):
                price = good.price_cents // 100 * 100
                rows.write_row((store_id, variant, key, f"G{at:06}", price, good.stock))
        with cursor.copy(
            "COPY app.stock_movements (store_id, id, variant_id, quantity, reason) FROM STDIN"
        ) as rows:
            for (_key, variant), good in zip(keys, goods, strict=True):
                if good.stock:
                    rows.write_row((store_id, new_id(), variant, good.stock, "import"))
    return {name: slug_of(name) for name in shelves}
