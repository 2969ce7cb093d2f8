"""The owner's first page: a few numbers, three cards in plain words, one chart, one thing to try.

A card is a fact, why we say so with its numbers, a link to the rows behind them and one
button. Sentences are short and use everyday words; a test holds them to that.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING
from uuid import UUID

from sqlalchemy.orm import Session

from app.domain.delivery.queries import area_name
from app.domain.insights import queries
from app.domain.insights.models import NudgeStatus
from app.domain.insights.queries import AreaCheckouts, BestSeller, DaySales, LowStock
from app.domain.insights.rules import gridlines, percent_change
from app.i18n import gettext as _
from app.i18n import ngettext
from app.money import NO_BREAK_SPACE, format_kes

if TYPE_CHECKING:
    from app.domain.insights.models import Nudge
    from app.domain.stores.models import Store

MEASURED_DAYS = 14


class CardKey(StrEnum):
    SALES = "sales"
    AREAS = "areas"
    STOCK = "stock"


class CardAction(StrEnum):
    """Where a card's button leads; the web knows the addresses."""

    ORDERS = "orders"
    PRODUCTS = "products"
    PRODUCT = "product"
    FEES = "fees"


@dataclass(frozen=True, kw_only=True, slots=True)
class Card:
    key: CardKey
    fact: str
    why: str
    rows_label: str  # the link to the rows behind it; "" where there are none
    action: CardAction
    action_label: str
    subject: str = ""  # the SKU that the button is about
    needs_you: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Bar:
    """One day of the chart beside the same weekday of the week before. Amounts in cents."""

    day: date
    label: str
    cents: int
    before_cents: int
    is_today: bool
    is_peak: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class AxisLine:
    cents: int
    label: str  # short: 60k


@dataclass(frozen=True, kw_only=True, slots=True)
class Chart:
    bars: tuple[Bar, ...]
    lines: tuple[AxisLine, ...]  # from 0 to at least the largest bar
    total_cents: int
    before_cents: int
    sentence: str
    spoken: str


@dataclass(frozen=True, kw_only=True, slots=True)
class NudgeView:
    """A nudge as it is read: an offer with its two bars, or a change that is being measured."""

    id: UUID
    area: str  # slug
    area_name: str
    is_applied: bool
    title: str
    why: str
    begun: int
    paid: int
    others_begun: int
    others_paid: int
    button: str
    day: int  # days since it was applied, at most 14
    days: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Today:
    now: datetime
    sold_cents: int
    orders: int
    to_pack: int
    oldest_to_pack_at: datetime | None
    asked_cents: int
    cards: tuple[Card, ...]
    chart: Chart
    nudges: tuple[NudgeView, ...]


def today(session: Session, store: Store, now: datetime) -> Today:
    """How the store is doing at ``now`` (UTC), in at most seven statements and one per nudge tried.

    Everything comes from the rows as they are: nothing is kept, so a changed row changes
    the sentence. Reads only the session's own store.
    """
    days = queries.sales_by_day(session, now)
    to_pack, oldest_at = queries.waiting_to_pack(session)
    low = queries.low_stock(session, now)
    cards = [
        sales_card(days, queries.find_best_seller(session, now) if days[-1].orders else None),
        areas_card(queries.area_checkouts(session, now)),
        stock_card(low, on_sale=len(low) or queries.count_products_on_sale(session)),
    ]
    nudges = [nudge_view(session, nudge, now) for nudge in queries.open_nudges(session)]
    return Today(
        now=now,
        sold_cents=days[-1].sold_cents,
        orders=days[-1].orders,
        to_pack=to_pack,
        oldest_to_pack_at=oldest_at,
        asked_cents=days[-1].asked_cents,
        # What a person must do comes first; otherwise the order stays the same every day.
        cards=tuple(sorted(cards, key=lambda card: not card.needs_you)),
        chart=week_chart(days),
        nudges=tuple(nudges),
    )


def sales_card(days: Sequence[DaySales], best: BestSeller | None) -> Card:
    """Sold today against the same weekday last week, by this time of day."""
    now, before = days[-1], days[-1 - 7]
    weekday = weekday_name(before.day)
    return Card(
        key=CardKey.SALES,
        fact=_sales_fact(now, before, weekday),
        why=_sales_why(now, before, best, weekday),
        rows_label=_("See the rows") if now.orders or before.orders_by_now else "",
        action=CardAction.ORDERS,
        action_label=(
            ngettext("Open the order", "Open the %(n)s orders", now.orders)
            if now.orders
            else _("Open the orders")
        ),
    )


def _sales_fact(now: DaySales, before: DaySales, weekday: str) -> str:
    sold = format_kes(now.sold_cents)
    change = percent_change(now.sold_cents, before.sold_by_now_cents)
    if not now.orders:
        return _("No sales yet today.")
    if change is None:
        return _("You sold %(sold)s so far today.", sold=sold)
    if change == 0:
        return _(
            "You sold %(sold)s so far today, as much as last %(day)s by this time.",
            sold=sold,
            day=weekday,
        )
    percent = f"{abs(change)}{NO_BREAK_SPACE}%"
    if change > 0:
        return _(
            "You sold %(sold)s so far today, %(percent)s more than last %(day)s by this time.",
            sold=sold,
            percent=percent,
            day=weekday,
        )
    return _(
        "You sold %(sold)s so far today, %(percent)s less than last %(day)s by this time.",
        sold=sold,
        percent=percent,
        day=weekday,
    )


def _sales_why(now: DaySales, before: DaySales, best: BestSeller | None, weekday: str) -> str:
    if not before.orders_by_now:
        first = _("Last %(day)s you had sold nothing by this time.", day=weekday)
    elif now.orders:
        first = ngettext(
            "%(n)s order, against %(before)s.",
            "%(n)s orders, against %(before)s.",
            now.orders,
            before=before.orders_by_now,
        )
    else:
        first = _(
            "Last %(day)s you had sold %(sold)s by this time.",
            day=weekday,
            sold=format_kes(before.sold_by_now_cents),
        )
    if best is None:
        return first
    return (
        first
        + " "
        + _("%(name)s brought %(sold)s.", name=best.name, sold=format_kes(best.sold_cents))
    )


def areas_card(areas: Sequence[AreaCheckouts]) -> Card:
    """Checkouts begun against paid, by area: the area that loses the most shoppers."""
    if not areas:
        return Card(
            key=CardKey.AREAS,
            fact=_("Nobody started to pay this week."),
            why=_("We count a shopper who picks an area and sees the fee. None did in 7 days."),
            rows_label="",
            action=CardAction.FEES,
            action_label=_("See your fees"),
        )
    worst, others = areas[0], areas[1:]
    name = area_name(worst.area)
    fee = (
        _("The fee is %(fee)s.", fee=format_kes(worst.fee_cents))
        if worst.fee_cents is not None
        else ""
    )
    if worst.begun == worst.paid:
        begun = sum(area.begun for area in areas)
        fact = ngettext(
            "The one shopper who saw a delivery fee this week paid.",
            "All %(n)s shoppers who saw a delivery fee this week paid.",
            begun,
        )
        why = ngettext("They came from %(n)s area.", "They came from %(n)s areas.", len(areas))
    else:
        fact = _(
            "%(paid)s of %(begun)s shoppers in %(area)s paid this week.",
            paid=worst.paid,
            begun=worst.begun,
            area=name,
        )
        compared = (
            _(
                "In other areas %(paid)s of %(begun)s paid.",
                paid=sum(area.paid for area in others),
                begun=sum(area.begun for area in others),
            )
            if others
            else _("No other area was picked.")
        )
        why = f"{fee} {compared}".strip()
    return Card(
        key=CardKey.AREAS,
        fact=fact,
        why=why,
        rows_label=ngettext(
            "See the checkout", "See the %(n)s checkouts", sum(area.begun for area in areas)
        ),
        action=CardAction.FEES,
        action_label=_("See your fees"),
    )


def stock_card(low: Sequence[LowStock], *, on_sale: int) -> Card:
    """What is about to sell out, the most urgent thing first."""
    if not low:
        return Card(
            key=CardKey.STOCK,
            fact=_("Nothing is about to run out.")
            if on_sale
            else _("You have nothing on sale yet."),
            why=(
                ngettext(
                    "The %(n)s thing on sale has enough left for a week.",
                    "All %(n)s things on sale have enough left for a week.",
                    on_sale,
                )
                if on_sale
                else _("Add a product and we will watch its stock.")
            ),
            rows_label="",
            action=CardAction.PRODUCTS,
            action_label=_("Open products"),
        )
    first = low[0]
    if first.stock <= 0:
        fact = _("%(name)s is finished.", name=first.full_name)
    elif first.days_left == 0:
        fact = _("%(name)s may sell out today.", name=first.full_name)
    elif first.days_left is not None:
        fact = ngettext(
            "%(name)s may sell out in %(n)s day.",
            "%(name)s may sell out in %(n)s days.",
            first.days_left,
            name=first.full_name,
        )
    else:
        fact = _("Only %(n)s left of %(name)s.", n=first.stock, name=first.full_name)
    left = (
        ngettext("%(n)s left.", "%(n)s left.", first.stock) if first.stock > 0 else _("None left.")
    )
    why = left + " " + _("You sold %(n)s in 14 days.", n=first.sold)
    if len(low) > 1:
        why += " " + ngettext(
            "%(n)s more thing is low.", "%(n)s more things are low.", len(low) - 1
        )
    return Card(
        key=CardKey.STOCK,
        fact=fact,
        why=why,
        rows_label=ngettext("See it", "See all %(n)s", len(low)),
        action=CardAction.PRODUCT,
        action_label=_("Set new stock"),
        subject=first.sku,
        needs_you=first.sold > 0,
    )


def week_chart(days: Sequence[DaySales]) -> Chart:
    """The last 7 days beside the 7 before. ``days`` are 14, oldest first."""
    before, this_week = days[:7], days[7:]
    peak = max(this_week, key=lambda day: day.sold_cents)
    bars = tuple(
        Bar(
            day=day.day,
            label=weekday_short(day.day),
            cents=day.sold_cents,
            before_cents=earlier.sold_cents,
            is_today=day is days[-1],
            is_peak=day is peak and day.sold_cents > 0,
        )
        for earlier, day in zip(before, this_week, strict=True)
    )
    total, total_before = sum(bar.cents for bar in bars), sum(bar.before_cents for bar in bars)
    sentence = _(
        "%(total)s in 7 days, with today so far. The 7 days before brought %(before)s.",
        total=format_kes(total),
        before=format_kes(total_before),
    )
    spoken = " ".join(
        [
            sentence,
            *(
                _(
                    "%(day)s %(cents)s, a week before %(before)s.",
                    day=weekday_name(bar.day),
                    cents=format_kes(bar.cents),
                    before=format_kes(bar.before_cents),
                )
                for bar in bars
            ),
        ]
    )
    largest = max(max(bar.cents, bar.before_cents) for bar in bars)
    return Chart(
        bars=bars,
        lines=tuple(
            AxisLine(cents=shillings * 100, label=short_number(shillings))
            for shillings in gridlines(-(-largest // 100))
        ),
        total_cents=total,
        before_cents=total_before,
        sentence=sentence,
        spoken=spoken,
    )


def nudge_view(session: Session, nudge: Nudge, now: datetime) -> NudgeView:
    """Put a nudge into words; one that is being tried also gets its numbers since then."""
    name, evidence = area_name(nudge.area), nudge.evidence
    paid, begun = int(evidence.get("paid", 0)), int(evidence.get("begun", 0))
    is_applied = NudgeStatus(nudge.status) is NudgeStatus.APPLIED
    from_fee, to_fee = format_kes(nudge.from_fee_cents), format_kes(nudge.to_fee_cents)
    if is_applied and nudge.applied_at is not None:
        until = min(now, nudge.applied_at + timedelta(days=MEASURED_DAYS))
        paid_since, begun_since = queries.checkouts_since(
            session, nudge.area, nudge.applied_at, until
        )
        title = _(
            "%(area)s fee is %(to_fee)s now. It was %(from_fee)s.",
            area=name,
            to_fee=to_fee,
            from_fee=from_fee,
        )
        why = (
            _(
                "Since then %(paid)s of %(begun)s paid. "
                "In the week before, %(paid_before)s of %(begun_before)s.",
                paid=paid_since,
                begun=begun_since,
                paid_before=paid,
                begun_before=begun,
            )
            if begun_since
            else _("Nobody there has seen the new fee yet. Orders already placed keep the old one.")
        )
        day = (until - nudge.applied_at).days
    else:
        title = _(
            "Lower the %(area)s fee from %(from_fee)s to %(to_fee)s.",
            area=name,
            from_fee=from_fee,
            to_fee=to_fee,
        )
        why = _offer_why(nudge)
        day = 0
    return NudgeView(
        id=nudge.id,
        area=nudge.area,
        area_name=name,
        is_applied=is_applied,
        title=title,
        why=why,
        begun=begun,
        paid=paid,
        others_begun=int(evidence.get("others_begun", 0)),
        others_paid=int(evidence.get("others_paid", 0)),
        button=_("Lower to %(fee)s", fee=to_fee),
        day=day,
        days=MEASURED_DAYS,
    )


def _offer_why(nudge: Nudge) -> str:
    evidence = nudge.evidence
    why = _(
        "In the 14 days before, %(paid)s of %(begun)s paid there.",
        paid=evidence.get("paid_before", 0),
        begun=evidence.get("begun_before", 0),
    )
    if estimate := int(evidence.get("estimate_cents", 0)):
        why += " " + _(
            "If that comes back: about %(cents)s more a week.", cents=format_kes(estimate)
        )
    return why


def short_number(number: int) -> str:
    """``60k`` for 60,000 and ``2.5m`` for 2,500,000: the labels of an axis."""
    for size, letter in ((1_000_000, "m"), (1_000, "k")):
        if number >= size:
            return f"{number / size:.3g}{letter}"
    return str(number)


def weekday_name(day: date) -> str:
    """Monday, Tuesday … in the reader's language."""
    return (
        _("Monday"),
        _("Tuesday"),
        _("Wednesday"),
        _("Thursday"),
        _("Friday"),
        _("Saturday"),
        _("Sunday"),
    )[day.weekday()]


def weekday_short(day: date) -> str:
    """Mon, Tue … in the reader's language."""
    return (_("Mon"), _("Tue"), _("Wed"), _("Thu"), _("Fri"), _("Sat"), _("Sun"))[day.weekday()]
