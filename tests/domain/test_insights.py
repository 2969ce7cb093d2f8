"""The owner's cards say what the rows say: change the rows and the words change."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from sqlalchemy import event, text
from sqlalchemy.orm import Session

from app.db.tenancy import inside_store
from app.domain.audit.models import AuditEntry
from app.domain.delivery.models import DeliveryArea
from app.domain.errors import IllegalTransition, NotFound
from app.domain.insights.actions import (
    FeeMoved,
    apply_nudge,
    dismiss_nudge,
    look_for_nudges,
    undo_nudge,
)
from app.domain.insights.cards import Card, CardKey, Today, today
from app.domain.insights.models import NEXT, Nudge, NudgeStatus
from app.domain.insights.queries import list_checkouts, low_stock, sold_today_and_last_week
from app.domain.orders.states import OrderStatus
from app.domain.stores.models import Store
from app.ids import new_id
from tests.insight_rows import (
    NOW,
    WEEK,
    add_area,
    add_checkouts,
    add_order,
    add_product,
    add_quote,
    content_version,
    set_stock,
)


def card(page: Today, key: CardKey) -> Card:
    return next(card for card in page.cards if card.key == key)


@pytest.mark.row("N32", "N33")
def test_sales_are_compared_with_the_same_weekday_by_this_time(
    session: Session, store: Store
) -> None:
    flask = add_product(session, "Steel flask")
    for minutes in (5, 90, 600):
        add_order(session, NOW - timedelta(minutes=minutes), variant=flask, price_cents=2_800_00)
    add_order(session, NOW - WEEK - timedelta(hours=1), price_cents=7_500_00)
    add_order(session, NOW - WEEK + timedelta(hours=2), price_cents=9_900_00)  # later that evening
    add_order(session, NOW - timedelta(days=1), price_cents=5_000_00)  # another day

    page = today(session, store, NOW)

    assert (page.sold_cents, page.orders) == (8_400_00, 3)
    assert card(page, CardKey.SALES).fact == (
        "You sold KES\u00a08,400 so far today, 12\u00a0% more than last Friday by this time."
    )
    assert card(page, CardKey.SALES).why == (
        "3 orders, against 1. Steel flask brought KES\u00a08,400."
    )

    add_order(session, NOW - WEEK - timedelta(hours=2), price_cents=9_300_00)

    fact = card(today(session, store, NOW), CardKey.SALES).fact
    assert "50\u00a0% less than last Friday" in fact


def test_an_order_that_was_cancelled_or_not_paid_was_not_sold(
    session: Session, store: Store
) -> None:
    add_order(session, NOW - timedelta(hours=1), status=OrderStatus.CANCELLED)
    add_order(session, NOW - timedelta(hours=1), status=OrderStatus.PENDING_PAYMENT)

    page = today(session, store, NOW)

    assert (page.sold_cents, page.orders, page.asked_cents) == (0, 0, 1_400_00)
    assert card(page, CardKey.SALES).fact == "No sales yet today."


def test_the_day_begins_at_midnight_in_nairobi(session: Session, store: Store) -> None:
    midnight = NOW.replace(hour=21, minute=0) - timedelta(days=1)
    add_order(session, midnight - timedelta(seconds=1), price_cents=1_000_00)
    add_order(session, midnight, price_cents=300_00)

    page = today(session, store, NOW)

    assert page.sold_cents == 300_00
    assert [bar.cents for bar in page.chart.bars][-2:] == [1_000_00, 300_00]


def test_what_waits_to_be_packed_is_counted(session: Session, store: Store) -> None:
    oldest = NOW - timedelta(hours=3)
    add_order(session, NOW - timedelta(hours=1))
    add_order(session, oldest)
    add_order(session, NOW - timedelta(hours=4), status=OrderStatus.DELIVERED)

    page = today(session, store, NOW)

    assert (page.to_pack, page.oldest_to_pack_at) == (2, oldest)


@pytest.mark.row("N32")
def test_the_area_that_loses_most_shoppers_is_named(session: Session, store: Store) -> None:
    add_area(session, "kilimani", 250_00)
    add_area(session, "karen", 400_00)
    add_checkouts(session, "kilimani", begun=9, paid=7, at=NOW - timedelta(days=2))
    add_checkouts(session, "karen", begun=5, paid=1, at=NOW - timedelta(days=2))

    areas = card(today(session, store, NOW), CardKey.AREAS)

    assert areas.fact == "1 of 5 shoppers in Karen paid this week."
    assert areas.why == "The fee is KES\u00a0400. In other areas 7 of 9 paid."
    assert areas.rows_label == "See the 14 checkouts"

    add_checkouts(session, "kilimani", begun=20, paid=2, at=NOW - timedelta(days=1))

    fact = card(today(session, store, NOW), CardKey.AREAS).fact
    assert fact == "9 of 29 shoppers in Kilimani paid this week."


def test_a_cart_that_asked_twice_is_one_checkout(session: Session, store: Store) -> None:
    cart_id = add_quote(session, "karen", NOW - timedelta(hours=2))
    add_quote(session, "karen", NOW - timedelta(hours=1), cart_id=cart_id)
    add_quote(session, "kilimani", NOW - timedelta(hours=1), cart_id=cart_id)
    add_quote(session, "karen", NOW - timedelta(days=8))  # before this week

    rows = list_checkouts(session, NOW)

    assert sorted((row.area, row.is_paid) for row in rows) == [
        ("karen", False),
        ("kilimani", False),
    ]


@pytest.mark.row("N32")
def test_what_is_about_to_sell_out_comes_with_its_numbers(session: Session, store: Store) -> None:
    flask = add_product(session, "Steel flask", stock=4)
    plenty = add_product(session, "Tea towel", stock=400)
    add_order(session, NOW - timedelta(days=3), variant=flask, quantity=14)
    add_order(session, NOW - timedelta(days=3), variant=plenty, quantity=14)

    stock = card(today(session, store, NOW), CardKey.STOCK)

    assert stock.fact == "Steel flask may sell out in 4 days."
    assert stock.why == "4 left. You sold 14 in 14 days."
    assert stock.subject == flask.sku
    assert stock.needs_you

    set_stock(session, flask, 0)
    assert card(today(session, store, NOW), CardKey.STOCK).fact == "Steel flask is finished."

    set_stock(session, flask, 300)
    calm = card(today(session, store, NOW), CardKey.STOCK)
    assert calm.fact == "Nothing is about to run out."
    assert not calm.needs_you


def test_few_left_is_named_without_any_sale(session: Session, store: Store) -> None:
    add_product(session, "Wall clock", stock=3)
    add_product(session, "Old radio", stock=0)
    add_product(session, "Hidden lamp", stock=1, status="draft")

    assert [row.name for row in low_stock(session, NOW)] == ["Wall clock"]
    assert card(today(session, store, NOW), CardKey.STOCK).fact == "Only 3 left of Wall clock."


@pytest.mark.row("N32")
def test_a_card_that_needs_a_person_comes_first_and_there_are_three(
    session: Session, store: Store
) -> None:
    assert [c.key for c in today(session, store, NOW).cards] == ["sales", "areas", "stock"]

    flask = add_product(session, "Steel flask", stock=1)
    add_order(session, NOW - timedelta(days=1), variant=flask, quantity=2)

    assert [c.key for c in today(session, store, NOW).cards] == ["stock", "sales", "areas"]


def test_a_new_store_is_told_the_truth(session: Session, store: Store) -> None:
    page = today(session, store, NOW)

    assert [c.fact for c in page.cards] == [
        "No sales yet today.",
        "Nobody started to pay this week.",
        "You have nothing on sale yet.",
    ]
    assert all(c.rows_label == "" and c.action_label for c in page.cards)
    assert page.nudges == ()
    assert page.chart.total_cents == 0


@pytest.mark.row("N32")
def test_the_rows_behind_a_card_add_up_to_its_numbers(session: Session, store: Store) -> None:
    add_area(session, "karen", 400_00)
    add_checkouts(session, "karen", begun=6, paid=2, at=NOW - timedelta(hours=3))
    add_order(session, NOW - WEEK - timedelta(hours=1), area="kilimani")

    page = today(session, store, NOW)
    sold, last_week = sold_today_and_last_week(session, NOW)
    checkouts = list_checkouts(session, NOW, "karen")

    assert sum(order.total_cents for order in sold) == page.sold_cents
    assert len(last_week) == 1
    assert (len(checkouts), sum(row.is_paid for row in checkouts)) == (6, 2)
    assert card(page, CardKey.AREAS).fact.startswith("2 of 6 ")


@pytest.mark.row("N32")
def test_the_chart_holds_each_day_beside_the_week_before(session: Session, store: Store) -> None:
    for day in range(14):
        add_order(session, NOW - timedelta(days=day), price_cents=(day + 1) * 100_00)

    chart = today(session, store, NOW).chart

    assert [bar.label for bar in chart.bars] == ["Sat", "Sun", "Mon", "Tue", "Wed", "Thu", "Fri"]
    assert [bar.cents for bar in chart.bars] == [n * 100_00 for n in range(7, 0, -1)]
    assert [bar.before_cents for bar in chart.bars] == [n * 100_00 for n in range(14, 7, -1)]
    assert [bar.is_today for bar in chart.bars] == [False] * 6 + [True]
    assert chart.total_cents == 2_800_00
    assert chart.sentence == (
        "KES\u00a02,800 in 7 days, with today so far. The 7 days before brought KES\u00a07,700."
    )
    assert "Friday KES\u00a0100, a week before KES\u00a0800." in chart.spoken


def test_the_page_asks_few_questions(session: Session, store: Store) -> None:
    add_order(session, NOW)
    asked: list[str] = []
    connection = session.connection()
    event.listen(connection, "before_cursor_execute", lambda *args: asked.append(args[2]))

    today(session, store, NOW)

    assert 0 < len(asked) <= 7


def drop_in(session: Session, area: str, *, others: str = "kilimani") -> None:
    """Three weeks in which one area's shoppers stopped paying and the other's did not."""
    add_area(session, area, 250_00)
    add_area(session, others, 250_00)
    add_checkouts(session, area, begun=50, paid=30, at=NOW - timedelta(days=12))
    add_checkouts(session, area, begun=30, paid=7, at=NOW - timedelta(days=3))
    add_checkouts(session, others, begun=60, paid=35, at=NOW - timedelta(days=12))
    add_checkouts(session, others, begun=40, paid=23, at=NOW - timedelta(days=3))


@pytest.mark.row("N34")
@pytest.mark.parametrize(("area", "name"), [("westlands", "Westlands"), ("south-b", "South B")])
def test_a_drop_in_one_area_is_offered_as_a_lower_fee(
    session: Session, store: Store, area: str, name: str
) -> None:
    drop_in(session, area)

    assert look_for_nudges(session, NOW) == 1
    assert look_for_nudges(session, NOW) == 1  # again: still one row

    (nudge,) = today(session, store, NOW).nudges
    assert nudge.title == f"Lower the {name} fee from KES\u00a0250 to KES\u00a0200."
    assert (nudge.paid, nudge.begun, nudge.others_paid, nudge.others_begun) == (7, 30, 23, 40)
    assert nudge.why == (
        "In the 14 days before, 30 of 50 paid there."
        " If that comes back: about KES\u00a015,400 more a week."
    )


@pytest.mark.row("N34")
def test_a_store_without_the_drop_is_offered_nothing(session: Session, store: Store) -> None:
    for area in ("westlands", "kilimani"):
        add_area(session, area, 250_00)
        add_checkouts(session, area, begun=50, paid=29, at=NOW - timedelta(days=12))
        add_checkouts(session, area, begun=30, paid=17, at=NOW - timedelta(days=3))

    assert look_for_nudges(session, NOW) == 0
    assert today(session, store, NOW).nudges == ()


@pytest.mark.row("N34")
def test_one_tap_lowers_the_fee_and_another_puts_it_back(session: Session, store: Store) -> None:
    drop_in(session, "westlands")
    look_for_nudges(session, NOW)
    nudge_id = today(session, store, NOW).nudges[0].id
    version = content_version(session)

    apply_nudge(session, nudge_id, "person:wanjiru")
    apply_nudge(session, nudge_id, "person:wanjiru")  # a double tap

    area = fee_row(session, "westlands")
    assert (area.fee_cents, area.changed_by) == (200_00, "person:wanjiru")
    assert content_version(session) == version + 1
    (tried,) = today(session, store, NOW).nudges
    assert tried.is_applied
    assert tried.title == "Westlands fee is KES\u00a0200 now. It was KES\u00a0250."
    assert look_for_nudges(session, NOW) == 0  # one change at a time

    undo_nudge(session, nudge_id, "person:otieno")

    assert fee_row(session, "westlands").fee_cents == 250_00
    assert content_version(session) == version + 2
    entries = session.scalars(
        session.query(AuditEntry)
        .where(AuditEntry.action == "fee.changed")
        .order_by(AuditEntry.seq)
        .statement
    ).all()
    assert [(entry.actor, entry.subject) for entry in entries] == [
        ("person:wanjiru", "area:westlands"),
        ("person:otieno", "area:westlands"),
    ]
    assert entries[0].detail["before"] == 250_00
    assert entries[0].detail["after"] == 200_00
    assert look_for_nudges(session, NOW) == 0  # tried and taken back: not again so soon


def fee_row(session: Session, slug: str) -> DeliveryArea:
    area = session.query(DeliveryArea).filter_by(area=slug).one()
    session.refresh(area)
    return area


def test_the_numbers_since_the_change_are_shown(session: Session, store: Store) -> None:
    drop_in(session, "westlands")
    look_for_nudges(session, NOW)
    nudge_id = today(session, store, NOW).nudges[0].id
    apply_nudge(session, nudge_id, "person:wanjiru")
    nudge = session.get(Nudge, (store.id, nudge_id))
    assert nudge is not None
    nudge.applied_at = NOW
    session.flush()
    later = NOW + timedelta(days=3)

    assert "Nobody there has seen" in today(session, store, later).nudges[0].why

    add_checkouts(session, "westlands", begun=5, paid=4, at=NOW + timedelta(days=1))
    (tried,) = today(session, store, later).nudges
    assert tried.day == 3
    assert tried.why == "Since then 4 of 5 paid. In the week before, 7 of 30."


def test_a_fee_that_a_person_changed_is_never_overwritten(session: Session, store: Store) -> None:
    drop_in(session, "westlands")
    look_for_nudges(session, NOW)
    nudge_id = today(session, store, NOW).nudges[0].id
    fee_row(session, "westlands").fee_cents = 300_00
    session.flush()

    with pytest.raises(FeeMoved, match="KES\u00a0300"), session.begin_nested():
        apply_nudge(session, nudge_id, "person:wanjiru")

    assert fee_row(session, "westlands").fee_cents == 300_00
    look_for_nudges(session, NOW)
    fresh = today(session, store, NOW).nudges[0]
    assert fresh.id != nudge_id
    assert fresh.button == "Lower to KES\u00a0250"


def test_an_offer_goes_when_the_numbers_recover(session: Session, store: Store) -> None:
    drop_in(session, "westlands")
    look_for_nudges(session, NOW)
    nudge_id = today(session, store, NOW).nudges[0].id

    add_checkouts(session, "westlands", begun=40, paid=38, at=NOW - timedelta(days=1))
    look_for_nudges(session, NOW)

    assert today(session, store, NOW).nudges == ()
    with pytest.raises(IllegalTransition):
        apply_nudge(session, nudge_id, "person:wanjiru")


def test_not_now_leaves_the_area_alone_for_two_weeks(session: Session, store: Store) -> None:
    drop_in(session, "westlands")
    look_for_nudges(session, NOW)
    dismiss_nudge(session, today(session, store, NOW).nudges[0].id, "person:wanjiru")

    assert look_for_nudges(session, NOW) == 0
    assert fee_row(session, "westlands").fee_cents == 250_00
    assert session.query(AuditEntry).filter_by(action="nudge.dismissed").count() == 1


def test_another_stores_nudge_does_not_exist_here(
    session: Session, store: Store, theirs: Store
) -> None:
    drop_in(session, "westlands")
    look_for_nudges(session, NOW)
    nudge_id = today(session, store, NOW).nudges[0].id
    session.commit()

    with inside_store(theirs.id):
        assert look_for_nudges(session, NOW) == 0
        assert today(session, theirs, NOW).sold_cents == 0
        with pytest.raises(NotFound):
            apply_nudge(session, nudge_id, "person:other")
        session.rollback()


def test_an_unknown_nudge_is_not_found(session: Session) -> None:
    with pytest.raises(NotFound):
        undo_nudge(session, new_id(), "person:wanjiru")


def test_the_nudges_moves_are_the_databases_moves(session: Session) -> None:
    rows = session.execute(
        text("SELECT from_status, to_status FROM app.transitions WHERE entity = 'nudges'")
    )
    ours = {("", "offered")} | {(a.value, b.value) for a, nexts in NEXT.items() for b in nexts}

    assert {tuple(row) for row in rows} == ours
    assert set(NEXT) == set(NudgeStatus)


@pytest.mark.row("N33")
def test_the_words_are_plain(session: Session, store: Store) -> None:
    """Reading grade 6 or below, for a new store and for a busy one."""
    sentences = all_words(today(session, store, NOW))
    drop_in(session, "westlands")
    flask = add_product(session, "Steel flask", stock=4)
    add_order(session, NOW - timedelta(hours=1), variant=flask, quantity=14)
    add_order(session, NOW - WEEK - timedelta(hours=1))
    look_for_nudges(session, NOW)
    sentences += all_words(today(session, store, NOW))
    apply_nudge(session, today(session, store, NOW).nudges[0].id, "person:wanjiru")
    sentences += all_words(today(session, store, NOW))

    grades = {sentence: grade(sentence) for sentence in sentences if len(sentence.split()) > 3}

    assert len(grades) > 12
    assert {sentence: value for sentence, value in grades.items() if value > 6} == {}


def all_words(page: Today) -> list[str]:
    words = [page.chart.sentence]
    for one in page.cards:
        words += [one.fact, one.why]
    for nudge in page.nudges:
        words += [nudge.title, nudge.why]
    return words


def grade(paragraph: str) -> float:
    """Flesch-Kincaid grade. A number or an amount is read as one short word."""
    plain = re.sub(r"KES\u00a0[\d,]+|[\d,]+\u00a0%|\d+", "ten", paragraph)
    count = max(1, len(re.findall(r"[.:!?](?:\s|$)", plain)))
    words = re.findall(r"[A-Za-z']+", plain)
    syllables = sum(_syllables(word.lower()) for word in words)
    return 0.39 * len(words) / count + 11.8 * syllables / len(words) - 15.59


def _syllables(word: str) -> int:
    groups = len(re.findall(r"[aeiouy]+", word))
    if word.endswith("e") and not word.endswith(("le", "ee")) and groups > 1:
        groups -= 1
    return max(1, groups)
