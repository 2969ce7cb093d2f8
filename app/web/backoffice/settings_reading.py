"""Reading the settings forms: what was typed, what it means, and what is wrong with it by field.

Each reader returns the values to save and the sentences to show. What was typed is never lost:
the form is shown again from ``typed``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time
from typing import Any

from app.clock import at_nairobi, nairobi
from app.domain.delivery.queries import WEEKDAYS
from app.domain.loyalty.settings import MOST_PERCENT, PointRules
from app.domain.stores.models import Store
from app.i18n import gettext as _
from app.money import CENTS_PER_SHILLING, InvalidAmount, parse_kes
from app.phones import InvalidPhone, national, parse_msisdn
from app.web.backoffice.shell import HUES

HUE_STEP = 360 // HUES
MOST_HOLIDAYS = 40
MOST_RETURN_DAYS = 90
USUAL_HOURS = ("08:00", "19:00")
DENSITIES = ("roomy", "tight")
LAYOUTS = ("grid", "list", "pictures")
CORNERS = ("round", "square")

_KRA_PIN = re.compile(r"[AP][0-9]{9}[A-Z]")
_CLOCK = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]")


@dataclass
class Read:
    """One form as it was sent: what to save, what to show again, what is wrong."""

    typed: dict[str, Any]
    wanted: dict[str, Any] = field(default_factory=dict)
    wrong: dict[str, str] = field(default_factory=dict)


def line(form: Mapping[str, str], name: str, most: int = 120) -> str:
    """One line of text, trimmed, without control characters, cut to ``most``."""
    return " ".join("".join(c for c in form.get(name, "") if c.isprintable()).split())[:most]


# -- the shop -----------------------------------------------------------------------------


def shop_of(store: Store) -> dict[str, Any]:
    """The shop's form as the store's row fills it."""
    return {
        "name": store.name,
        "place": store.place,
        "phone": national(store.phone) if store.phone else "",
        "whatsapp": national(store.whatsapp) if store.whatsapp else "",
        "prompt_name": store.prompt_name,
        "return_days": str(store.return_days),
        "kra_pin": store.kra_pin or "",
        "licence": store.licence,
        "is_vat_registered": store.is_vat_registered,
        "accepts_pickup": store.accepts_pickup,
    }


def read_shop(form: Mapping[str, str]) -> Read:
    texts = {"name": 80, "place": 120, "prompt_name": 40, "licence": 60}
    switches = ("is_vat_registered", "accepts_pickup")
    read = Read({name: line(form, name, most) for name, most in texts.items()})
    read.typed |= {name: line(form, name, 40) for name in ("phone", "whatsapp", "return_days")}
    read.typed["kra_pin"] = line(form, "kra_pin", 20)
    read.typed |= {name: form.get(name) == "yes" for name in switches}
    read.wanted = {name: read.typed[name] for name in (*texts, *switches)}
    if not read.typed["name"]:
        read.wrong["name"] = _("A shop needs a name.")
    for name in ("phone", "whatsapp"):
        try:
            read.wanted[name] = parse_msisdn(read.typed[name]) if read.typed[name] else ""
        except InvalidPhone as problem:
            read.wrong[name] = str(problem)
    days = read.typed["return_days"]
    if days.isascii() and days.isdigit() and int(days[:4]) <= MOST_RETURN_DAYS:
        read.wanted["return_days"] = int(days)
    else:
        read.wrong["return_days"] = _("A number of days from 0 to %(most)s.", most=MOST_RETURN_DAYS)
    pin = read.typed["kra_pin"].replace(" ", "").upper()
    if pin and not _KRA_PIN.fullmatch(pin):
        read.wrong["kra_pin"] = _("A KRA PIN has a letter, nine digits and a letter: A001234567B.")
    read.wanted["kra_pin"] = pin or None
    return read


# -- ways to pay --------------------------------------------------------------------------


def paying_of(store: Store) -> dict[str, Any]:
    """The form of the ways to pay as the store's row fills it."""
    return {
        "accepts_mpesa": store.accepts_mpesa,
        "accepts_pay_on_delivery": store.accepts_pay_on_delivery,
        "pay_first": store.pay_first,
    }


def read_paying(form: Mapping[str, str]) -> Read:
    """Which ways are open and which comes first; with one open, that one is the first."""
    typed: dict[str, Any] = {
        name: form.get(name) == "yes" for name in ("accepts_mpesa", "accepts_pay_on_delivery")
    }
    is_later_first = form.get("pay_first") == "on_delivery"
    typed["pay_first"] = "on_delivery" if is_later_first else "mpesa"
    read = Read(typed, dict(typed))
    if not (typed["accepts_mpesa"] or typed["accepts_pay_on_delivery"]):
        read.wrong["accepts_mpesa"] = _(
            "Leave one way to pay open. To stop all orders, take a break."
        )
    return read


# -- points ---------------------------------------------------------------------------------


def points_of(store: Store) -> dict[str, Any]:
    """The form of the points as the store's row fills it; amounts in shillings."""
    return {
        "gives_points": store.gives_points,
        "goods_per_point": str(store.goods_per_point_cents // CENTS_PER_SHILLING),
        "point_worth": str(store.point_worth_cents // CENTS_PER_SHILLING),
    }


def read_points(form: Mapping[str, str]) -> Read:
    """What earns a point and what one is worth, in whole shillings; at most half comes back."""
    read = Read({name: line(form, name, 12) for name in ("goods_per_point", "point_worth")})
    read.typed["gives_points"] = read.wanted["gives_points"] = form.get("gives_points") == "yes"
    for name, most in (("goods_per_point", 100_000), ("point_worth", 10_000)):
        try:
            cents = parse_kes(str(read.typed[name]))
        except InvalidAmount as problem:
            read.wrong[name] = str(problem)
            continue
        if cents % CENTS_PER_SHILLING or not 0 < cents <= most * CENTS_PER_SHILLING:
            read.wrong[name] = _("Whole shillings, from 1 to %(most)s.", most=f"{most:,}")
        read.wanted[f"{name}_cents"] = cents
    if not read.wrong:
        rules = PointRules(read.wanted["goods_per_point_cents"], read.wanted["point_worth_cents"])
        if rules.percent > MOST_PERCENT:
            read.wrong["point_worth"] = _(
                "That gives back %(percent)s%% of what is paid. At most %(most)s%% is possible.",
                percent=_decimal(rules.percent),
                most=MOST_PERCENT,
            )
    return read


def percent_words(store: Store) -> str:
    """What the saved points give back, like ``1.5``: percent of what is paid for goods."""
    return _decimal(PointRules(store.goods_per_point_cents, store.point_worth_cents).percent)


def _decimal(percent: float) -> str:
    return f"{percent:.2f}".rstrip("0").rstrip(".")


# -- opening hours ------------------------------------------------------------------------


def hours_of(store: Store) -> dict[str, Any]:
    """The hours' form; a shop that never said any sees the usual ones, to be saved or changed."""
    known = store.opening_hours
    days = {}
    for day in WEEKDAYS:
        span = tuple(known.get(day) or ())
        opens, closes = span if len(span) == 2 else USUAL_HOURS
        is_open = len(span) == 2 if known else day != "sun"
        days[day] = {"is_open": is_open, "from": opens, "to": closes}
    holidays = [dict(holiday) for holiday in store.holidays]
    return {"days": days, "holidays": [*holidays, *_blank_holidays(len(holidays))]}


def read_hours(form: Mapping[str, str]) -> Read:
    days = {
        day: {
            "is_open": form.get(f"{day}-open") == "yes",
            "from": line(form, f"{day}-from", 5),
            "to": line(form, f"{day}-to", 5),
        }
        for day in WEEKDAYS
    }
    if form.get("do") == "copy":
        days = {day: dict(days["mon"]) for day in WEEKDAYS}
    holidays = _typed_holidays(form)
    read = Read({"days": days, "holidays": [*holidays, *_blank_holidays(len(holidays))]})
    hours = {}
    for day, typed in days.items():
        if not typed["is_open"]:
            continue
        opens, closes = str(typed["from"]), str(typed["to"])
        if not (_CLOCK.fullmatch(opens) and _CLOCK.fullmatch(closes)):
            read.wrong[day] = _("Write both times, like 08:00 and 19:00.")
        elif opens >= closes:
            read.wrong[day] = _("The shop closes after it opens.")
        hours[day] = [opens, closes]
    if not hours:
        read.wrong["mon"] = _("Open on one day at least. To stop all orders, pause the shop.")
    kept: list[dict[str, str]] = []
    for at, holiday in enumerate(holidays):
        try:
            day_of = date.fromisoformat(holiday["on"])
        except ValueError:
            read.wrong[f"holiday-{at}"] = _("Choose the day.")
            continue
        if day_of.isoformat() in [other["on"] for other in kept]:
            read.wrong[f"holiday-{at}"] = _("That day is in the list already.")
        kept.append({"on": day_of.isoformat(), "name": holiday["name"]})
    read.wanted = {
        "opening_hours": hours,
        "holidays": sorted(kept, key=lambda holiday: holiday["on"]),
    }
    return read


def _typed_holidays(form: Mapping[str, str]) -> list[dict[str, str]]:
    rows = (
        {"on": line(form, f"holiday-on-{at}", 10), "name": line(form, f"holiday-name-{at}", 40)}
        for at in range(MOST_HOLIDAYS)
    )
    return [row for row in rows if row["on"] or row["name"]]


def _blank_holidays(taken: int) -> list[dict[str, str]]:
    return [{"on": "", "name": ""} for _ in range(min(2, MOST_HOLIDAYS - taken))]


# -- the look -----------------------------------------------------------------------------


def theme_of(store: Store) -> dict[str, Any]:
    """The look's form; the colour as one of 24 steps around the wheel."""
    return {
        "hue": round(store.colour_hue / HUE_STEP) % HUES,
        "density": store.density,
        "home_layout": store.home_layout,
        "corners": store.corners,
    }


def read_theme(form: Mapping[str, str], store: Store) -> Read:
    """What is not one of the choices stays as it is: these are buttons, not text."""
    typed = theme_of(store)
    hue = form.get("hue", "")
    if hue.isascii() and hue.isdigit() and int(hue[:3]) < HUES:
        typed["hue"] = int(hue)
    for name, choices in (
        ("density", DENSITIES),
        ("home_layout", LAYOUTS),
        ("corners", CORNERS),
    ):
        if form.get(name) in choices:
            typed[name] = form[name]
    wanted = {name: typed[name] for name in ("density", "home_layout", "corners")}
    is_same = typed["hue"] == theme_of(store)["hue"]
    wanted["colour_hue"] = store.colour_hue if is_same else typed["hue"] * HUE_STEP
    return Read(typed, wanted)


# -- a break ------------------------------------------------------------------------------


def pause_of(store: Store, now: datetime) -> dict[str, Any]:
    """The break's form. A break that ended by itself reads as open."""
    is_paused = not store.takes_orders(now)
    until = store.paused_until if is_paused else None
    return {
        "is_paused": is_paused,
        "words": store.paused_words,
        "until": f"{nairobi(until):%Y-%m-%dT%H:%M}" if until else "",
    }


def read_pause(form: Mapping[str, str], store: Store, now: datetime) -> Read:
    """A store that the platform suspended stays so whatever this form says."""
    typed = {
        "is_paused": form.get("is_paused") == "yes",
        "words": line(form, "words", 200),
        "until": line(form, "until", 16),
    }
    read = Read(typed)
    until = None
    if typed["is_paused"] and typed["until"]:
        try:
            local = datetime.fromisoformat(str(typed["until"]))
            until = at_nairobi(local.date(), time(local.hour, local.minute))
        except ValueError:
            read.wrong["until"] = _("Choose a day and a time.")
        if until is not None and until <= now:
            read.wrong["until"] = _("That moment has passed. Choose a later one.")
    status = "paused" if typed["is_paused"] else "active"
    read.wanted = {"paused_words": typed["words"], "paused_until": until}
    if store.status in ("active", "paused"):
        read.wanted["status"] = status
    return read
