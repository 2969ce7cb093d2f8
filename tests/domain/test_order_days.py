"""What is added up of days that are over is never anything but what their orders say at this moment."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from statistics import median

import psycopg
import pytest
from flask import Flask
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError
from sqlalchemy.orm import Session

from app.clock import business_day, day_bounds, utcnow
from app.db.engine import db
from app.db.tenancy import inside_store
from app.domain.insights.queries import low_stock, sales_by_day
from app.domain.orders.days import sum_order_days
from app.domain.orders.events import note
from app.domain.orders.models import Order
from app.domain.orders.states import SOLD, OrderStatus
from app.domain.seo.track_record import find_track_record
from app.domain.stores.models import Store
from tasks.bulk import look_for_nudges
from tests.conftest import Database
from tests.insight_rows import add_customer, add_order, add_product

MINUTE = timedelta(minutes=1)
S = OrderStatus

# The questions as they were asked before anything was added up: of the orders alone.
_RECORD = text("""
SELECT count(*), count(*) FILTER (WHERE dispatched_at IS NOT NULL OR delivered_at IS NOT NULL),
       count(*) FILTER (WHERE status = 'returned' OR (status = 'closed' AND EXISTS (
         SELECT FROM app.order_events e WHERE e.order_id = o.id AND e.kind = 'returned'))),
       count(dispatched_at),
       percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM dispatched_at - CASE payment_method
         WHEN 'on_delivery' THEN placed_at ELSE coalesce(paid_at, placed_at) END))
         FILTER (WHERE dispatched_at IS NOT NULL) / 60
  FROM app.orders o
 WHERE placed_at >= :since AND placed_at < :now AND status NOT IN ('pending_payment', 'cancelled')
""")
_DAYS = text("""
SELECT (placed_at AT TIME ZONE 'Africa/Nairobi')::date, sum(total_cents)::bigint, count(*)
  FROM app.orders WHERE status = ANY(:sold) GROUP BY 1
""")
_BY_NOW = text("""
SELECT coalesce(sum(total_cents), 0)::bigint, count(*) FROM app.orders
 WHERE status = ANY(:sold) AND placed_at >= :since AND placed_at <= :until
""")
_VARIANTS = text("""
SELECT l.variant_id, sum(l.quantity) FROM app.orders o JOIN app.order_lines l ON l.order_id = o.id
 WHERE o.status = ANY(:sold) AND o.placed_at >= :since AND o.placed_at < :now AND l.variant_id IS NOT NULL
 GROUP BY 1
""")


def assert_true(session: Session, now: datetime | None = None) -> None:
    """The figures of the record, of each day and of each variant are those of a direct query."""
    session.flush()
    now = now or utcnow()
    sold_statuses = sorted(SOLD)

    record = find_track_record(session, now)
    direct = session.execute(_RECORD, {"now": now, "since": now - timedelta(days=90)}).one()
    assert (record.sold, record.left, record.came_back, record.dispatched) == tuple(direct[:4])
    if record.dispatched >= 20:
        assert record.dispatch_minutes == max(1, round(direct[4]))

    days = sales_by_day(session, now)
    by_day = {row[0]: tuple(row[1:]) for row in session.execute(_DAYS, {"sold": sold_statuses})}
    assert [day.day for day in days] == [
        business_day(now) - timedelta(days=n) for n in range(13, -1, -1)
    ]
    for day in days:
        assert (day.sold_cents, day.orders) == by_day.get(day.day, (0, 0)), day.day
    week_ago = now - timedelta(days=7)
    span = {"since": day_bounds(business_day(week_ago))[0], "until": week_ago}
    by_now = session.execute(_BY_NOW, {"sold": sold_statuses, **span}).one()
    assert (days[6].sold_by_now_cents, days[6].orders_by_now) == tuple(by_now)

    span = {"since": now - timedelta(days=14), "now": now}
    variants = {
        row[0]: row[1] for row in session.execute(_VARIANTS, {"sold": sold_statuses, **span})
    }
    for row in low_stock(session, now):
        assert row.sold == variants.pop(row.variant_id, 0)
    assert variants == {}  # each has one left, so that each is named


def a_shop_of(session: Session, chance: random.Random, orders: int) -> list[Order]:
    """Orders of the last 95 days in every status, some of them about midnight."""
    variants = [add_product(session, f"Thing {n}", stock=1) for n in range(4)]
    customer = add_customer(session)
    made = []
    for _ in range(orders):
        at = utcnow() - chance.random() ** 2 * timedelta(days=95)
        if chance.random() < 0.2:
            at = day_bounds(business_day(at))[0] - chance.choice([0, 1]) * timedelta.resolution
        order = add_order(
            session,
            at,
            status=chance.choice([S.PENDING_PAYMENT, S.PAID, S.PAID, S.PAID, S.CANCELLED]),
            variant=chance.choice(variants),
            quantity=chance.randint(1, 3),
            customer=customer,
        )
        if order.status is S.PAID and chance.random() < 0.8:
            send_out(session, order, MINUTE * chance.lognormvariate(3.4, 0.8))
            if chance.random() < 0.8:
                for step in chance.choice([[S.DELIVERED], [S.DELIVERED, S.CLOSED], [S.RETURNED]]):
                    go_on(session, order, step)
        made.append(order)
    return made


def send_out(session: Session, order: Order, wait: timedelta) -> None:
    order.move_to(S.PACKED)
    session.flush()
    order.move_to(S.DISPATCHED)
    order.dispatched_at = (order.paid_at or order.placed_at) + wait
    session.flush()


def go_on(session: Session, order: Order, step: OrderStatus) -> None:
    order.move_to(step)
    if step is S.DELIVERED:
        order.delivered_at = utcnow()
    if step is S.RETURNED:
        note(session, order, "returned")
    session.flush()


def sum_all(session: Session) -> int:
    done = 0
    while n := sum_order_days(session):
        done += n
    return done


def rows(session: Session, table: str) -> int:
    return session.scalar(text(f"SELECT count(*) FROM app.{table}")) or 0


@contextmanager
def beside(app: Flask, store: Store) -> Iterator[Session]:
    """Another session of this store, as another process has it."""
    with inside_store(store.id), app.app_context():
        other = db.session()
        yield other
        other.close()
        db.session.remove()


# -- the same as the orders -------------------------------------------------------------


@pytest.mark.row("I22", "N32")
@pytest.mark.parametrize("seed", range(4))
def test_the_figures_are_those_of_the_orders_before_and_after_they_are_added_up(
    session: Session, store: Store, seed: int
) -> None:
    chance = random.Random(seed)
    a_shop_of(session, chance, 150)
    moments = [utcnow() - timedelta(hours=chance.randrange(30)) for _ in range(3)]
    midnight = day_bounds(business_day(utcnow()))[0]
    moments += [utcnow(), midnight, midnight + timedelta.resolution]

    for moment in moments:
        assert_true(session, moment)
    assert sum_all(session) == 91
    for moment in moments:
        assert_true(session, moment)


@pytest.mark.parametrize("n", [20, 21, 22, 51])
def test_the_middle_of_many_lists_is_the_middle_of_all(
    session: Session, store: Store, n: int
) -> None:
    """Also where the middle two lie far apart, are the same, or are on a half minute."""
    chance = random.Random(n)
    customer = add_customer(session)
    orders = [
        add_order(session, utcnow() - timedelta(days=2 + k % 7), customer=customer)
        for k in range(n)
    ]
    for order in orders:
        send_out(session, order, MINUTE)
    sum_all(session)
    apart = [3 * MINUTE] * (n // 2) + [400 * MINUTE] * (n - n // 2)
    lists = [
        apart,
        [-5 * MINUTE] * n,
        [k * MINUTE / 2 for k in range(n)],
        [MINUTE * (k % 2 + 1) for k in range(n)],
        *[[MINUTE * chance.lognormvariate(2, 3) for _ in range(n)] for _ in range(4)],
    ]
    for waits in lists:
        chance.shuffle(waits)
        for order, wait in zip(orders, waits, strict=True):
            order.dispatched_at = order.paid_at + wait if order.paid_at else None
        session.flush()
        assert sum_all(session) >= 1
        minutes = find_track_record(session, utcnow()).dispatch_minutes
        assert minutes == max(1, round(median(waits).total_seconds() / 60))
        assert_true(session)


def test_a_day_is_nairobis(session: Session, store: Store) -> None:
    day = business_day(utcnow()) - timedelta(days=3)
    begins, ends = day_bounds(day)
    for at, price in ((begins - timedelta.resolution, 1), (begins, 2), (ends, 4)):
        add_order(session, at, price_cents=price * 100_00)
    add_order(session, ends - timedelta.resolution, price_cents=8 * 100_00)

    sum_all(session)

    found = session.execute(
        text(
            "SELECT sold, sold_cents FROM app.order_days WHERE day BETWEEN :a AND :b ORDER BY day"
        ),
        {"a": day - timedelta(days=1), "b": day + timedelta(days=1)},
    ).all()
    assert found == [(1, 100_00), (2, 1_000_00), (1, 400_00)]
    assert_true(session)


def test_a_day_is_added_up_an_hour_after_it_is_over(session: Session, store: Store) -> None:
    sum_all(session)
    newest, oldest, today = session.execute(
        text(
            "SELECT max(day), min(day), ((now() - interval '1 hour') AT TIME ZONE 'Africa/Nairobi')::date"
            " FROM app.order_days"
        )
    ).one()
    assert newest == today - timedelta(days=1)
    assert newest - oldest == timedelta(days=90)


# -- and still the same when these change -----------------------------------------------


def deliver_late(session: Session, packed: Order, sent: Order) -> None:
    go_on(session, packed, S.DELIVERED)


def send_out_late(session: Session, packed: Order, sent: Order) -> None:
    packed.move_to(S.DISPATCHED)
    packed.dispatched_at = utcnow()


def bring_back(session: Session, packed: Order, sent: Order) -> None:
    go_on(session, sent, S.RETURNED)


def bring_back_what_was_delivered(session: Session, packed: Order, sent: Order) -> None:
    go_on(session, sent, S.DELIVERED)
    sum_all(session)
    go_on(session, sent, S.RETURNED)
    sum_all(session)
    go_on(session, sent, S.CLOSED)


def note_the_return_last(session: Session, packed: Order, sent: Order) -> None:
    go_on(session, sent, S.DELIVERED)
    go_on(session, sent, S.CLOSED)
    sum_all(session)
    note(session, sent, "returned")


def cancel(session: Session, packed: Order, sent: Order) -> None:
    packed.move_to(S.CANCELLED)


def pay_earlier(session: Session, packed: Order, sent: Order) -> None:
    sent.paid_at = sent.placed_at - timedelta(hours=9)


def pay_at_the_door(session: Session, packed: Order, sent: Order) -> None:
    sent.payment_method = "on_delivery"


def move_the_dispatch(session: Session, packed: Order, sent: Order) -> None:
    assert sent.dispatched_at is not None
    sent.dispatched_at += timedelta(hours=9)


def another_total(session: Session, packed: Order, sent: Order) -> None:
    sent.total_cents += 500_00
    sent.delivery_fee_cents += 500_00


def another_day(session: Session, packed: Order, sent: Order) -> None:
    packed.placed_at -= timedelta(days=1)


def today_instead(session: Session, packed: Order, sent: Order) -> None:
    packed.placed_at = utcnow()


CHANGES: tuple[Callable[[Session, Order, Order], None], ...] = (
    *(deliver_late, send_out_late, bring_back, bring_back_what_was_delivered),
    *(note_the_return_last, cancel, pay_earlier, pay_at_the_door, move_the_dispatch),
    *(another_total, another_day, today_instead),
)


@pytest.mark.row("I22")
@pytest.mark.parametrize("change", CHANGES)
def test_an_order_of_an_earlier_day_that_changes_changes_the_figures_at_once(
    session: Session, store: Store, change: Callable[[Session, Order, Order], None]
) -> None:
    flask = add_product(session, "Steel flask", stock=1)
    packed, *orders = [
        add_order(session, utcnow() - timedelta(days=2 + n % 5), variant=flask) for n in range(26)
    ]
    packed.move_to(S.PACKED)
    for n, order in enumerate(orders):
        send_out(session, order, (2 * n + 0.25) * MINUTE)
    sum_all(session)
    before = figures(session)

    change(session, packed, orders[12])

    assert_true(session)
    assert figures(session) != before
    sum_all(session)
    # A day that is not over keeps its word until it is.
    assert rows(session, "changed_days") == (change is today_instead)
    assert_true(session)


def figures(session: Session) -> tuple[object, ...]:
    session.flush()
    now = utcnow()
    [low] = low_stock(session, now)
    sales = [(day.sold_cents, day.orders) for day in sales_by_day(session, now)]
    return find_track_record(session, now), low.sold, sales


@pytest.mark.row("I22")
def test_a_cancellation_and_late_money_of_an_earlier_day_count_at_once(
    session: Session, store: Store
) -> None:
    at = utcnow() - timedelta(days=4)
    order, late = add_order(session, at), add_order(session, at, status=S.CANCELLED)
    sum_all(session)
    assert find_track_record(session, utcnow()).sold == 1

    order.move_to(S.CANCELLED)
    assert_true(session)
    assert find_track_record(session, utcnow()).sold == 0

    late.move_to(S.PAID)
    late.paid_at = utcnow()
    session.flush()
    assert_true(session)
    assert find_track_record(session, utcnow()).sold == 1

    new = add_order(session, at)  # brought in with an old date
    assert_true(session)
    assert find_track_record(session, utcnow()).sold == 2
    sum_all(session)
    assert_true(session)
    assert new.status is S.PAID


@pytest.mark.row("I22")
def test_every_status_counts_alike_in_words_of_the_database_and_of_the_product(
    session: Session, store: Store
) -> None:
    ways = {
        S.PENDING_PAYMENT: (),
        S.ACCEPTED: (S.ACCEPTED,),
        S.PAID: (S.PAID,),
        S.PACKED: (S.PAID, S.PACKED),
        S.DISPATCHED: (S.PAID, S.PACKED, S.DISPATCHED),
        S.DELIVERED: (S.PAID, S.PACKED, S.DELIVERED),
        S.RETURNED: (S.PAID, S.PACKED, S.DELIVERED, S.RETURNED),
        S.CLOSED: (S.PAID, S.PACKED, S.DELIVERED, S.CLOSED),
        S.CANCELLED: (S.CANCELLED,),
    }
    assert set(ways) == set(S)
    flask = add_product(session, "Steel flask", stock=1)
    for way in ways.values():
        order = add_order(
            session, utcnow() - timedelta(days=3), status=S.PENDING_PAYMENT, variant=flask
        )
        for step in way:
            go_on(session, order, step)
    assert_true(session)
    sum_all(session)
    assert_true(session)
    day = session.execute(text("SELECT bought, sold FROM app.order_days WHERE bought > 0")).one()
    assert day == (7, len(SOLD))


def test_what_is_written_of_an_order_of_today_leaves_no_word(
    session: Session, store: Store
) -> None:
    order = add_order(session, utcnow())
    send_out(session, order, MINUTE)
    go_on(session, order, S.DELIVERED)
    go_on(session, order, S.RETURNED)
    old = add_order(session, utcnow() - timedelta(days=3))
    session.commit()
    sum_all(session)
    old.landmark = "Behind the mosque"  # counts for nothing
    session.flush()

    assert rows(session, "changed_days") == 0


# -- the job: half, twice, late, at once, never -----------------------------------------


def test_the_job_may_stop_half_way_run_twice_or_not_at_all(
    app: Flask, session: Session, store: Store
) -> None:
    orders = a_shop_of(session, random.Random(7), 60)
    session.commit()
    assert_true(session)  # never

    look_for_nudges(session)
    assert rows(session, "order_days") == 31
    assert_true(session)
    session.rollback()  # killed before it was done
    assert rows(session, "order_days") == 0
    assert_true(session)

    assert [sum_order_days(session) for _ in range(4)] == [31, 31, 29, 0]
    session.commit()
    assert_true(session)

    some_days_ago = utcnow() - timedelta(days=60), utcnow() - timedelta(days=2)
    paid = next(
        o
        for o in orders
        if o.status is S.PAID and some_days_ago[0] < o.placed_at < some_days_ago[1]
    )
    paid.move_to(S.CANCELLED)
    session.commit()
    assert_true(session)  # late
    assert [sum_order_days(session) for _ in range(2)] == [1, 0]
    assert_true(session)


@pytest.mark.row("I22")
def test_a_change_that_is_committed_while_the_job_runs_is_not_lost(
    app: Flask, session: Session, store: Store
) -> None:
    order = add_order(session, utcnow() - timedelta(days=3))
    session.commit()

    order.move_to(S.CANCELLED)
    session.flush()  # and not yet committed
    with beside(app, store) as job:
        assert sum_all(job) == 91
        job.commit()
        assert find_track_record(job, utcnow()).sold == 1
    session.commit()

    assert_true(session)
    assert find_track_record(session, utcnow()).sold == 0
    assert sum_all(session) == 1
    assert_true(session)


def test_two_jobs_at_once_do_not_wait_for_each_other(
    app: Flask, session: Session, store: Store
) -> None:
    add_order(session, utcnow() - timedelta(days=3))
    session.commit()

    assert sum_order_days(session) == 31
    with beside(app, store) as other:
        assert sum_order_days(other) == 0
        assert find_track_record(other, utcnow()).sold == 1
    session.commit()

    assert_true(session)


def test_two_changes_of_one_day_do_not_wait_for_each_other(
    app: Flask, session: Session, store: Store
) -> None:
    at = utcnow() - timedelta(days=3)
    one, two = add_order(session, at), add_order(session, at)
    session.commit()
    sum_all(session)
    session.commit()

    one.move_to(S.CANCELLED)
    session.flush()
    with beside(app, store) as other:
        other.execute(text("SET LOCAL lock_timeout = '1s'"))
        other.get_one(Order, (store.id, two.id)).move_to(S.CANCELLED)
        other.commit()
    session.commit()

    assert_true(session)
    assert find_track_record(session, utcnow()).sold == 0


# -- nobody's figures but the orders', and nobody else's ---------------------------------


@pytest.mark.row("I22")
def test_what_is_added_up_is_read_and_cannot_be_written_by_hand(
    session: Session, store: Store, database: Database
) -> None:
    order = add_order(session, utcnow() - timedelta(days=3))
    sum_all(session)
    session.commit()

    for statement in (
        "UPDATE app.order_days SET sold = 99, bought = 99",
        "INSERT INTO app.order_days SELECT * FROM app.order_days",
        "DELETE FROM app.order_days",
        "DELETE FROM app.changed_days",
        "INSERT INTO app.changed_days (day) VALUES (now()::date)",
    ):
        with pytest.raises(ProgrammingError, match="permission denied"):
            session.execute(text(statement))
        session.rollback()

    # That they are read at all: what only a superuser can do shows, until the day is read anew.
    with psycopg.connect(database.superuser) as connection:
        connection.execute(
            "UPDATE app.order_days SET bought = 99 WHERE store_id = %s AND bought = 1", (store.id,)
        )
    assert find_track_record(session, utcnow()).sold == 99
    send_out(session, order, MINUTE)
    assert find_track_record(session, utcnow()).sold == 1


@pytest.mark.row("J44")
def test_another_store_has_days_of_its_own(
    app: Flask, session: Session, store: Store, theirs: Store
) -> None:
    at = utcnow() - timedelta(days=3)
    add_order(session, at, price_cents=100_00)
    session.commit()
    with beside(app, theirs) as their_session:
        for _ in range(2):
            their_order = add_order(their_session, at, price_cents=900_00).id
        sum_all(their_session)
        their_session.commit()
        assert find_track_record(their_session, utcnow()).sold == 2
        assert_true(their_session)

    assert rows(session, "order_days") == 0
    assert_true(session)
    assert sum_all(session) == 91
    session.commit()
    assert find_track_record(session, utcnow()).sold == 1

    with beside(app, theirs) as their_session:
        their_session.get_one(Order, (theirs.id, their_order)).move_to(S.CANCELLED)
        their_session.commit()
    assert rows(session, "changed_days") == 0
    assert_true(session)
    with beside(app, theirs) as their_session:
        assert find_track_record(their_session, utcnow()).sold == 1
        assert_true(their_session)
