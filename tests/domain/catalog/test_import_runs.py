"""An import as work: chunk by chunk, resumed where it was, taken back, its rows sent again."""

from __future__ import annotations

import csv
import io
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from uuid import UUID

import psycopg
import pytest
from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from app.domain.catalog.importing import applying, running
from app.domain.catalog.importing.records import (
    CatalogueImport,
    ImportChange,
    ImportStatus,
    get_import,
    keep_upload,
)
from app.domain.catalog.importing.refused import refused_sheet
from app.domain.catalog.importing.running import AlreadyBegun, begin_import, go_on
from app.domain.catalog.importing.undoing import (
    CannotTakeBack,
    begin_to_take_back,
    go_on_taking_back,
    outcomes,
)
from app.domain.catalog.models import Product, StockMovement, Variant
from app.domain.stores.models import Store
from config import Settings
from tests.conftest import Database
from tests.world import wait_for

ROOT = Path(__file__).parents[3]
HEADER = "Name,Size,Price,Qty,SKU\n"


def sheet(count: int, *, price: int = 100) -> str:
    return HEADER + "".join(f"Thing {n},,{price + n},3,SKU-{n}\n" for n in range(count))


def bring(session: Session, body: str | bytes, name: str = "goods.csv") -> CatalogueImport:
    """Import a file to its end, as the worker would."""
    data = body.encode() if isinstance(body, str) else body
    kept = keep_upload(session, name, data, actor="Wanjiru")
    import_id = kept.id
    begin_import(session, import_id, mapping=None, actor="Wanjiru")
    session.commit()
    while go_on(session, import_id):
        pass
    return get_import(session, import_id)


def take_back(session: Session, import_id: UUID) -> dict[str, int]:
    begin_to_take_back(session, import_id, actor="Kamau")
    session.commit()
    while go_on_taking_back(session, import_id):
        pass
    session.expire_all()
    return outcomes(session, import_id)


def picture_of(session: Session) -> list[tuple[object, ...]]:
    """All a shopper could see, and the stock."""
    session.expire_all()
    rows = session.execute(
        text(
            "SELECT p.slug, p.name, p.status, p.source_key, p.description_html, p.brand, p.options::text, v.sku,"
            " v.price_cents, v.compare_at_cents, v.on_hand, v.option_values::text, v.is_active"
            " FROM app.products p JOIN app.variants v ON v.store_id = p.store_id AND v.product_id = p.id"
            " ORDER BY p.slug, v.sku"
        )
    ).all()
    return [tuple(row) for row in rows]


def stock_agrees(session: Session) -> bool:
    wrong = session.execute(
        text(
            "SELECT count(*) FROM app.variants v WHERE v.on_hand <> (SELECT coalesce(sum(m.quantity), 0)"
            " FROM app.stock_movements m WHERE m.store_id = v.store_id AND m.variant_id = v.id)"
        )
    ).scalar_one()
    return int(wrong) == 0


def test_a_large_file_is_a_chain_of_links_each_with_its_place(session: Session) -> None:
    kept = keep_upload(session, "goods.csv", sheet(running.CHUNK * 3).encode(), actor="Wanjiru")
    import_id = kept.id
    begin_import(session, import_id, mapping=None, actor="Wanjiru")
    session.commit()
    seen = []
    while go_on(session, import_id, seconds=0):
        seen.append(get_import(session, import_id).position)

    assert seen == [running.CHUNK, running.CHUNK * 2]
    asked = session.execute(
        text("SELECT count(*) FROM app.outbox WHERE topic = 'go_on_with_import'")
    ).scalar_one()
    assert asked == 3
    done = get_import(session, import_id)
    assert (done.status, done.counts["products_created"]) == ("done", running.CHUNK * 3)


def test_a_chunk_is_as_large_as_comes_in_within_a_second() -> None:
    assert running._next_size(100, 0.25) == 400
    assert running._next_size(400, 0.1) == running.MOST_OF_A_CHUNK
    assert running._next_size(400, 1.6) == 250
    assert running._next_size(400, 60) == 200  # once slow is not always slow
    assert running._next_size(10, 60) == 10


def test_after_each_chunk_the_import_may_rest_for_what_it_took(session: Session) -> None:
    kept = keep_upload(session, "goods.csv", sheet(running.CHUNK * 2).encode(), actor="Wanjiru")
    import_id = kept.id
    begin_import(session, import_id, mapping=None, actor="Wanjiru")
    session.commit()
    rests: list[tuple[float, int]] = []

    go_on(
        session,
        import_id,
        seconds=60,
        rest=lambda took: rests.append((took, get_import(session, import_id).position)),
    )

    [(took, position)] = rests
    assert took > 0
    assert position == running.CHUNK  # what is in is committed, and nothing is held meanwhile


def test_pressing_the_button_twice_begins_once(session: Session) -> None:
    kept = keep_upload(session, "goods.csv", sheet(2).encode(), actor="Wanjiru")
    begin_import(session, kept.id, mapping=None, actor="Wanjiru")

    with pytest.raises(AlreadyBegun):
        begin_import(session, kept.id, mapping=None, actor="Wanjiru")


@pytest.mark.row("W29", "N57")
def test_a_second_time_changes_nothing(session: Session) -> None:
    bring(session, sheet(30))
    before = picture_of(session)
    again = bring(session, sheet(30))

    assert again.counts["products_unchanged"] == 30
    assert picture_of(session) == before
    assert session.scalar(select(func.count()).where(ImportChange.import_id == again.id)) == 0


CHILD = """
import sys
from uuid import UUID
from app import create_app
from app.db.engine import db
from app.db.tenancy import inside_store
from app.domain.catalog.importing.running import go_on
from config import Settings
app = create_app(Settings.from_environ(), role="worker")
with app.app_context(), inside_store(int(sys.argv[1])):
    go_on(db.session(), UUID(sys.argv[2]), seconds=60, rest=lambda took: print("chunk", flush=True))
"""


@pytest.mark.row("W29")
def test_a_worker_killed_in_the_middle_is_followed_by_one_that_goes_on(
    session: Session, store: Store, settings: Settings, database: Database
) -> None:
    count = running.CHUNK * 20
    kept = keep_upload(session, "goods.csv", sheet(count).encode(), actor="Wanjiru")
    import_id = kept.id
    begin_import(session, import_id, mapping=None, actor="Wanjiru")
    session.commit()
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD, str(store.id), str(import_id)],
        cwd=ROOT,
        env=_environment(settings),
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert child.stdout is not None
        # Killed where it is, which is anywhere in the third chunk.
        assert [child.stdout.readline().strip() for _ in range(2)] == ["chunk", "chunk"]
        child.send_signal(signal.SIGKILL)
    finally:
        child.kill()
        child.wait(timeout=20)
        child.stdout.close()  # type: ignore[union-attr]
    stopped = wait_for("the dead worker's locks are gone", lambda: _position(database, import_id))
    assert running.CHUNK * 2 <= stopped < count
    made = session.scalar(select(func.count()).where(Product.store_id == store.id))
    assert made == stopped  # a chunk is in with its place, or not at all
    session.commit()

    while go_on(session, import_id):
        pass

    done = get_import(session, import_id)
    assert (done.status, done.position) == (ImportStatus.DONE, count)
    assert done.counts["products_created"] == count
    assert session.scalar(select(func.count()).where(Product.store_id == store.id)) == count
    assert session.scalar(select(func.count()).where(StockMovement.store_id == store.id)) == count
    assert stock_agrees(session)


def _environment(settings: Settings) -> dict[str, str]:
    import base64

    return {
        "PATH": os.environ["PATH"],
        "APP_ENV": "test",
        "DATABASE_URL": settings.database_url,
        "REDIS_URL": settings.redis_url,
        "SECRET_KEY": settings.secret_key,
        "PHONE_KEY": base64.b64encode(settings.phone_key).decode(),
        "LOOKUP_KEY": base64.b64encode(settings.lookup_key).decode(),
    }


def _position(database: Database, import_id: UUID) -> int:
    """How far it is, once nobody holds the row."""
    with psycopg.connect(database.superuser) as connection:
        row = connection.execute(
            "SELECT position FROM app.catalogue_imports WHERE id = %s FOR UPDATE SKIP LOCKED",
            (import_id,),
        ).fetchone()
    return int(row[0]) if row else 0


# Taking it back


@pytest.mark.row("W29")
def test_taking_an_import_back_restores_what_it_changed_and_removes_what_it_made(
    session: Session,
) -> None:
    bring(session, HEADER + "Kettle,,2500,4,KT-1\nMug,,300,9,MUG-1\n")
    before = picture_of(session)
    second = bring(session, HEADER + "Kettle,,1900,4,KT-1\nMug,,300,9,MUG-1\nLamp,,800,2,LAMP\n")
    assert picture_of(session) != before

    assert take_back(session, second.id) == {"restored": 1, "archived": 1}
    after = picture_of(session)

    assert [row for row in after if row[0] != "lamp"] == before
    lamp = next(row for row in after if row[0] == "lamp")
    assert (lamp[2], lamp[10]) == ("archived", 0)
    assert stock_agrees(session)
    moved = session.scalars(
        select(StockMovement.quantity)
        .join(Variant, Variant.id == StockMovement.variant_id)
        .where(Variant.sku == "LAMP")
        .order_by(StockMovement.id)
    ).all()
    assert list(moved) == [2, -2]
    assert get_import(session, second.id).status is ImportStatus.UNDONE
    # A second time changes nothing.
    begin_to_take_back(session, second.id, actor="Kamau")
    assert go_on_taking_back(session, second.id) is False


def test_goods_without_a_history_are_deleted_whole(session: Session) -> None:
    done = bring(session, "Name,Price\nLamp,800\nChair,1200\n")

    assert take_back(session, done.id) == {"deleted": 2}
    assert picture_of(session) == []


def test_the_same_file_after_it_was_taken_back_is_as_the_first_time(session: Session) -> None:
    first = bring(session, sheet(5))
    before = picture_of(session)
    take_back(session, first.id)
    again = bring(session, sheet(5))

    assert again.counts["products_created"] == 5
    assert picture_of(session) == before
    assert stock_agrees(session)


def test_what_somebody_changed_since_is_theirs(session: Session) -> None:
    bring(session, HEADER + "Kettle,,2500,4,KT-1\n")
    second = bring(session, HEADER + "Steel kettle,,1900,4,KT-1\n")
    kettle = session.scalars(select(Variant).where(Variant.sku == "KT-1")).one()
    kettle.price_cents = 2_000_00
    session.commit()

    assert take_back(session, second.id) == {"partly": 1}
    session.expire_all()
    assert (kettle.price_cents, kettle.product.name) == (2_000_00, "Kettle")


def test_sold_units_stay_sold_and_only_the_free_ones_go(session: Session) -> None:
    done = bring(session, HEADER + "Lamp,,800,5,LAMP\n")
    lamp = session.scalars(select(Variant).where(Variant.sku == "LAMP")).one()
    session.add(StockMovement(variant_id=lamp.id, quantity=-2, reason="sale", actor="web"))
    lamp.on_hand = 3
    lamp.reserved = 1
    session.commit()

    assert take_back(session, done.id) == {"archived": 1}
    session.expire_all()
    assert (lamp.on_hand, lamp.reserved) == (1, 1)
    assert stock_agrees(session)


def test_a_running_import_cannot_be_taken_back(session: Session) -> None:
    kept = keep_upload(session, "goods.csv", sheet(2).encode(), actor="Wanjiru")
    begin_import(session, kept.id, mapping=None, actor="Wanjiru")

    with pytest.raises(CannotTakeBack):
        begin_to_take_back(session, kept.id, actor="Kamau")


# Refused rows


@pytest.mark.row("W29")
def test_refused_rows_are_downloaded_corrected_and_sent_again(session: Session) -> None:
    body = 'Item,Bei,Qty\n"Khanga, red",abc,4\nMug,300,2\n=cmd,KSh 350 - KSh 380,1\n'
    kept = keep_upload(session, "goods.csv", body.encode(), actor="Wanjiru")
    begin_import(session, kept.id, mapping=None, actor="Wanjiru")
    session.commit()
    go_on(session, kept.id)
    done = get_import(session, kept.id)
    download = refused_sheet(session, done, done.report["refused"])

    rows = list(csv.reader(io.StringIO(download.removeprefix("\ufeff"))))
    assert rows[0] == ["Item", "Bei", "Qty", "Why it stayed out", "Row in the file before"]
    assert rows[1][:3] == ["Khanga, red", "abc", "4"]
    assert rows[2][0] == "'=cmd"
    assert all(row[3].endswith(".") for row in rows[1:])
    corrected = download.replace('"abc"', '"450"').replace("KSh 350 - KSh 380", "365")
    again = bring(session, corrected, "not-brought-in.csv")

    assert again.report["refused"] == []
    assert again.counts["products_created"] == 2
    assert {row[1] for row in picture_of(session)} == {"Khanga, red", "Mug", "=cmd"}


def test_a_broken_chunk_is_put_in_one_by_one(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the database refuses is in the report; the rest of its chunk is in."""
    real: Callable[..., str] = applying._Importer._free_slug

    def too_long(self: applying._Importer, draft: object) -> str:
        return "NOT A SLUG" if getattr(draft, "name", "") == "Thing 3" else real(self, draft)

    monkeypatch.setattr(applying._Importer, "_free_slug", too_long)
    done = bring(session, sheet(6))

    assert done.counts["products_created"] == 5
    assert [row["row"] for row in done.report["refused"]] == [5]
