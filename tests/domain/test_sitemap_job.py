"""The sitemap is written by a job: by the clock, after edits, once however many there are."""

from __future__ import annotations

from datetime import timedelta

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from app.clock import utcnow
from app.domain.catalog.actions import touch_content
from app.domain.catalog.editing import change_price
from app.domain.catalog.models import Variant
from app.domain.seo.models import Sitemap
from app.domain.seo.queries import addresses, get_sitemap
from app.domain.stores.actions import UPKEEP, schedule_upkeep
from app.domain.stores.models import Store
from app.jobs import Topic
from tasks.runner import handlers
from tests.conftest import Database
from tests.insight_rows import add_product
from tests.seo_rules import check_sitemap


def asked(session: Session, key: str) -> list[tuple[str, float]]:
    """Sitemap jobs whose key begins like this: status, and seconds until they may run."""
    rows = session.execute(
        text(
            "SELECT status, extract(epoch FROM available_at - clock_timestamp())::float8 FROM app.outbox"
            " WHERE store_id = app.store_id() AND topic = 'write_sitemap'"
            " AND starts_with(dedupe_key, :key) ORDER BY created_at"
        ),
        {"key": key},
    )
    return [(row[0], row[1]) for row in rows]


@pytest.mark.row("N12", "N75")
def test_many_edits_ask_for_one_sitemap_after_the_last_of_them(
    session: Session, store: Store
) -> None:
    for _ in range(5):
        touch_content(session)
        session.commit()

    jobs = asked(session, "edited")

    assert 1 <= len(jobs) <= 2  # two where a quarter of an hour ended between them
    assert all(status == "pending" for status, _ in jobs)
    assert 0 < jobs[-1][1] <= 15 * 60 + 11


@pytest.mark.row("N12")
def test_an_edit_that_is_rolled_back_asks_for_nothing(session: Session, store: Store) -> None:
    touch_content(session)
    session.rollback()

    assert asked(session, "edited") == []


@pytest.mark.row("N12", "N75")
def test_the_clock_asks_every_hour_and_the_job_writes_what_is_on_sale(
    session: Session, store: Store, database: Database
) -> None:
    assert UPKEEP[Topic.WRITE_SITEMAP] <= 3600
    add_product(session, "Steel watch")
    gone = add_product(session, "Wall clock")
    schedule_upkeep(session)
    session.execute(
        text(
            "UPDATE app.schedules SET next_run_at = now() - interval '1 minute'"
            " WHERE store_id = app.store_id() AND topic = 'write_sitemap'"
        )
    )
    session.commit()
    with psycopg.connect(database.urls["dukani_relay"], autocommit=True) as relay:
        while relay.execute("SELECT app.run_due_schedules()").fetchone() != (0,):
            pass
    assert len(asked(session, "write_sitemap")) == 1

    write = handlers()[Topic.WRITE_SITEMAP]
    write.run(session)
    session.commit()
    first = session.query(Sitemap).one()
    base = f"http://{store.slug}.localhost:8000"
    assert {"/p/steel-watch", "/p/wall-clock"} <= set(check_sitemap(first.body, base))

    gone.product.status = "draft"
    session.flush()
    touch_content(session)
    session.commit()
    write.run(session)
    session.commit()
    session.expire_all()
    kept = session.query(Sitemap).one()
    assert "/p/wall-clock" not in check_sitemap(kept.body, base)
    ours = session.get_one(Store, store.id)
    assert get_sitemap(session, ours, "sitemap.xml", base, utcnow()) == kept.body


@pytest.mark.row("N75")
def test_the_date_of_a_page_is_when_shoppers_saw_something_else(
    session: Session, store: Store
) -> None:
    variant = add_product(session, "Steel watch", stock=2)
    long_ago = utcnow() - timedelta(days=40)
    variant.product.updated_at = long_ago
    session.commit()

    def changed_at() -> object:
        session.expire_all()
        found = {page.path: page.changed_at for page in addresses(session, utcnow())}
        return found["/p/steel-watch"]

    def change(**values: object) -> None:
        for name, value in values.items():
            setattr(session.get_one(Variant, (store.id, variant.id)), name, value)
        session.commit()

    assert changed_at() == long_ago
    change(reserved=1, low_mark=9, weight_grams=300)  # nothing a shopper reads there
    assert changed_at() == long_ago
    change(reserved=2)  # sold out
    sold_out_at = changed_at()
    assert sold_out_at > long_ago  # type: ignore[operator]
    change(on_hand=5)  # back
    assert changed_at() > sold_out_at  # type: ignore[operator]
    before = changed_at()
    change_price(session, session.get_one(Variant, (store.id, variant.id)), 2_000_00, actor="test")
    session.commit()
    assert changed_at() > before  # type: ignore[operator]
