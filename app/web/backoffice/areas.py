"""Where the store delivers and for how much: every fee edited in place, beside what people did.

One area is changed in its row, many by their distance after a look at what would change. Each
change says who made it and can be taken back.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any
from uuid import UUID

from flask import g, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy import select

from app.clock import utcnow
from app.db.engine import db
from app.db.tenancy import bound_store
from app.domain.audit.actions import record
from app.domain.changes.actions import latest_change, remember
from app.domain.changes.models import Change
from app.domain.delivery.actions import change_fee
from app.domain.delivery.areas import Area, UnknownArea, all_areas, get_area, suggest_areas
from app.domain.delivery.models import DeliveryArea
from app.domain.delivery.queries import (
    FeePreview,
    find_store_area,
    own_name,
    preview_of,
)
from app.domain.delivery.settings import (
    MAX_FEE_CENTS,
    Step,
    add_area,
    change_areas,
    copied_terms,
    plan_for_band,
    read_aliases,
    terms_of,
)
from app.domain.errors import BelowMinimumOrder, FieldProblem, NotFound
from app.domain.insights.queries import AreaCheckouts, area_checkouts
from app.i18n import gettext as _
from app.i18n import gettext_lazy
from app.money import InvalidAmount, format_kes, parse_kes
from app.web.auth import require_staff
from app.web.backoffice.settings_reading import line
from app.web.backoffice.shell import actor, desk, toast, trouble
from app.web.forms import cents_field
from app.web.htmx import fragment, wants_fragment

bp = desk("office_areas", __name__, "/dash/<store>/areas")

BAND_WORDS = {
    "A": gettext_lazy("Town"),
    "B": gettext_lazy("Near town"),
    "C": gettext_lazy("Inner estates"),
    "D": gettext_lazy("Outer estates"),
    "E": gettext_lazy("City edge"),
    "F": gettext_lazy("Other towns"),
}
DO_WORDS = {
    "set": gettext_lazy("Set the fee to"),
    "more": gettext_lazy("Raise the fee by"),
    "less": gettext_lazy("Lower the fee by"),
    "on": gettext_lazy("Deliver there"),
    "off": gettext_lazy("Stop delivering there"),
}


@dataclass(frozen=True)
class AreaRow:
    """One served area, its terms, and what shoppers did when they saw its fee in 7 days."""

    area: Area
    terms: DeliveryArea
    seen: AreaCheckouts | None

    @property
    def paid_percent(self) -> int | None:
        if self.seen is None or not self.seen.begun:
            return None
        return round(100 * self.seen.paid / self.seen.begun)

    @property
    def names(self) -> list[str]:
        """What people call it: the store's own names first."""
        return [*self.terms.aliases, *self.area.aliases[:3]]


@dataclass
class Opened:
    """The row that is open for editing: what was typed in it and what is wrong."""

    terms_id: UUID
    typed: dict[str, str]
    wrong: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Sight:
    """What a shopper who types a place and holds goods of a value would read."""

    place: str
    basket_cents: int
    preview: FeePreview | None = None
    sentence: str = ""
    suggestions: tuple[str, ...] = ()


@bp.get("/")
@require_staff("areas.see")
def show() -> ResponseReturnValue:
    """Every area with a fee, grouped by distance; ``q`` narrows, ``edit`` opens one row."""
    return render_template("backoffice/areas.html", **_facts(_opened_by_address()))


@bp.get("/try")
@require_staff("areas.see")
def try_place() -> ResponseReturnValue:
    """What a shopper would read for a typed place. A piece of the page, with its own address."""
    return render_template("backoffice/_area_sight.html", sight=_sight())


@bp.post("/<uuid:terms_id>/fee")
@require_staff("areas.change")
def fee(terms_id: UUID) -> ResponseReturnValue:
    """Set one fee. Orders already placed, and fees shown in the last 15 minutes, keep theirs."""
    terms = _locked(terms_id)
    before = terms_of(terms)
    try:
        wanted = _fee(request.form.get("fee", ""))
        seen = cents_field("seen")
        if seen is not None and seen != terms.fee_cents:
            raise FieldProblem(
                "fee",
                _(
                    "%(who)s set %(fee)s meanwhile. Nothing was changed.",
                    who=terms.changed_by or _("Somebody"),
                    fee=format_kes(terms.fee_cents),
                ),
            )
    except (InvalidAmount, FieldProblem) as problem:
        db.session.rollback()
        trouble(str(problem))
        return _back(terms_id, status=422)
    was = terms.fee_cents
    if wanted != was:
        change_fee(db.session(), terms, wanted, actor=actor())
        _remember(terms, before)
        db.session.commit()
        toast(
            _("%(area)s costs %(fee)s now.", area=_name(terms), fee=format_kes(wanted)),
            undo=url_for(".fee", terms_id=terms_id),
            fields={"fee": str(was // 100), "seen": str(wanted)},
        )
    return _back(terms_id)


@bp.post("/<uuid:terms_id>/active")
@require_staff("areas.change")
def active(terms_id: UUID) -> ResponseReturnValue:
    """Stop delivering to an area, or begin again."""
    terms = _locked(terms_id)
    wanted = request.form.get("active") == "yes"
    if terms.is_active != wanted:
        change_areas(db.session(), {terms.area: {"is_active": wanted}}, actor=actor())
        record(
            db.session(),
            "area.active",
            actor=actor(),
            subject=f"area:{terms.area}",
            before=not wanted,
            after=wanted,
        )
        db.session.commit()
        said = _("You deliver to %(area)s again.") if wanted else _("No more orders to %(area)s.")
        toast(
            said % {"area": _name(terms)},
            undo=url_for(".active", terms_id=terms_id),
            fields={"active": "no" if wanted else "yes"},
        )
    return _back(terms_id)


@bp.post("/<uuid:terms_id>/terms")
@require_staff("areas.change")
def terms(terms_id: UUID) -> ResponseReturnValue:
    """Save one area's row: fee, minimum, free limit, time, own names; or copy another's terms."""
    row = _locked(terms_id)
    opened = Opened(terms_id, _typed_terms())
    try:
        is_copy = request.form.get("do") == "copy"
        wanted = _like(opened.typed["like"]) if is_copy else _read_terms(opened)
        change = None
        if not opened.wrong:
            change = change_areas(db.session(), {row.area: wanted}, actor=actor())
    except FieldProblem as problem:
        opened.wrong[problem.field] = str(problem)
    if opened.wrong:
        db.session.rollback()
        if wants_fragment():
            return fragment("backoffice/_areas_answer.html", status=422, **_facts(opened))
        return make_response(render_template("backoffice/areas.html", **_facts(opened)), 422)
    db.session.commit()
    _said(change, _("%(area)s is saved.", area=_name(row)))
    return _back(terms_id)


@bp.post("/add")
@require_staff("areas.change")
def add() -> ResponseReturnValue:
    """Deliver to one more area, at its band's usual fee, the one typed, or like another area."""
    typed = line(request.form, "area", 60)
    fee_typed = request.form.get("fee", "").strip()
    like_typed = line(request.form, "like", 60)
    try:
        fee_cents = _fee(fee_typed) if fee_typed else None
        like = _slug_of(like_typed) if like_typed else None
        area, change = add_area(db.session(), typed, actor=actor(), fee_cents=fee_cents, like=like)
    except (InvalidAmount, FieldProblem) as problem:
        db.session.rollback()
        trouble(str(problem))
        return redirect(url_for(".show"), code=303)
    if change is None:
        db.session.rollback()
        trouble(_("You deliver to %(area)s already.", area=area.name))
        return redirect(url_for(".show", q=area.name), code=303)
    record(db.session(), "area.added", actor=actor(), subject=f"area:{area.slug}", after=fee_cents)
    db.session.commit()
    _said(change, _("You deliver to %(area)s now.", area=area.name))
    return redirect(url_for(".show"), code=303)


@bp.get("/bulk")
@require_staff("areas.change")
def bulk() -> ResponseReturnValue:
    """What a change to many areas would do, one line for each. Nothing is changed."""
    if not request.args:
        return redirect(url_for(".show"), code=303)
    return _bulk_page(*_bulk_asked(request.args))


@bp.post("/bulk")
@require_staff("areas.change")
def save_bulk() -> ResponseReturnValue:
    """Do what was looked at; if anything moved since, show it again instead."""
    band, do, amount = _bulk_asked(request.form)
    try:
        steps = plan_for_band(db.session(), band, do, _bulk_amount(do, amount))
    except (InvalidAmount, FieldProblem):
        return _bulk_page(band, do, amount)
    if request.form.get("plan") != _digest(steps):
        notice = _("Something changed meanwhile. Look again before you do it.")
        return _bulk_page(band, do, amount, notice=notice)
    change = change_areas(
        db.session(), {step.area.slug: step.after for step in steps}, actor=actor()
    )
    db.session.commit()
    _said(change, _("%(n)s areas changed.", n=len(steps)))
    return redirect(url_for(".show"), code=303)


def _bulk_page(band: str, do: str, amount: str, notice: str = "") -> ResponseReturnValue:
    steps: list[Step] = []
    wrong = ""
    try:
        steps = plan_for_band(db.session(), band, do, _bulk_amount(do, amount))
    except (InvalidAmount, FieldProblem) as problem:
        wrong = str(problem)
    page = render_template(
        "backoffice/areas_bulk.html",
        steps=steps,
        band=band,
        do=do,
        amount=amount,
        wrong=wrong,
        notice=notice,
        plan=_digest(steps),
        bands=BAND_WORDS,
        do_words=DO_WORDS,
    )
    return make_response(page, 422 if wrong or notice else 200)


def _bulk_asked(form: Any) -> tuple[str, str, str]:
    band = form.get("band", "")
    return band if band in BAND_WORDS else "", line(form, "do", 5), line(form, "amount", 9)


def _bulk_amount(do: str, amount: str) -> int | None:
    return parse_kes(amount) if do in ("set", "more", "less") else None


def _digest(steps: Iterable[Step]) -> str:
    """What was looked at, so that nothing else is done."""
    facts = [[step.area.slug, step.before, step.after] for step in steps]
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:32]


def _facts(opened: Opened | None = None) -> dict[str, Any]:
    """Everything the page and its table show."""
    session = db.session()
    typed = request.args.get("q", "").strip()[:60]
    seen = {row.area: row for row in area_checkouts(session, utcnow())}
    found = session.scalars(select(DeliveryArea).where(DeliveryArea.store_id == bound_store()))
    rows = [
        AreaRow(area, row, seen.get(area.slug))
        for row in found
        if (area := _known(row.area)) is not None
    ]
    rows.sort(key=lambda row: (row.area.band, row.area.name))
    shown = [row for row in rows if _matches(row, typed)]
    served = {row.area.slug for row in rows if row.terms.is_active}
    return {
        "groups": [
            (BAND_WORDS[band], band, list(members))
            for band, members in groupby(shown, key=lambda row: row.area.band)
        ],
        "count": len(shown),
        "typed": typed,
        "served": [row.area.name for row in rows if row.terms.is_active],
        "more_areas": [area for area in all_areas() if area.slug not in served]
        if not typed
        else [],
        "opened": opened,
        "sight": _sight(),
        "change": latest_change(session, "areas"),
        "here_address": url_for(".show", q=typed or None),
        "bands": BAND_WORDS,
        "do_words": DO_WORDS,
    }


def _sight() -> Sight | None:
    """What a shopper reads for the place in the address, as the shop itself would say it."""
    place = line(request.args, "place", 60)
    if not place:
        return None
    basket = line(request.args, "basket", 9)
    try:
        basket_cents = parse_kes(basket) if basket else 0
    except InvalidAmount:
        basket_cents = 0
    session = db.session()
    found = find_store_area(session, place)
    if found is None:
        near = tuple(area.name for area in suggest_areas(place, 3))
        sentence = _("We do not reach %(area)s yet. These are the areas we deliver to.", area=place)
        return Sight(place, basket_cents, sentence=sentence, suggestions=near)
    worth = basket_cents or max(found.terms.minimum_order_cents, 1)
    try:
        return Sight(
            place,
            basket_cents,
            preview=preview_of(session, g.store, found, basket_cents=worth),
        )
    except BelowMinimumOrder as problem:
        return Sight(place, basket_cents, sentence=str(problem))


def _opened_by_address() -> Opened | None:
    try:
        terms_id = UUID(request.args.get("edit", ""))
    except ValueError:
        return None
    row = db.session.get(DeliveryArea, (bound_store(), terms_id))
    if row is None:
        return None
    return Opened(
        terms_id,
        {
            "fee": str(row.fee_cents // 100),
            "minimum": str(row.minimum_order_cents // 100) if row.minimum_order_cents else "",
            "free_from": str(row.free_from_cents // 100) if row.free_from_cents else "",
            "minutes": str(row.minutes),
            "aliases": ", ".join(row.aliases),
            "like": "",
        },
    )


def _typed_terms() -> dict[str, str]:
    names = ("fee", "minimum", "free_from", "minutes", "like")
    return {name: line(request.form, name, 60) for name in names} | {
        "aliases": line(request.form, "aliases", 400)
    }


def _read_terms(opened: Opened) -> dict[str, Any]:
    """The typed row as values; what cannot be read is said beside its field."""
    typed, wanted = opened.typed, dict[str, Any]()
    for name, column, empty in (
        ("fee", "fee_cents", None),
        ("minimum", "minimum_order_cents", 0),
        ("free_from", "free_from_cents", None),
    ):
        try:
            if typed[name] or name == "fee":
                wanted[column] = parse_kes(typed[name])
            else:
                wanted[column] = empty
        except InvalidAmount as problem:
            opened.wrong[name] = str(problem)
    if wanted.get("free_from_cents") == 0:
        opened.wrong["free_from"] = _("To deliver free, set the fee to 0.")
    minutes = typed["minutes"]
    if minutes.isascii() and minutes.isdigit() and len(minutes) < 6:
        wanted["minutes"] = int(minutes)
    else:
        opened.wrong["minutes"] = _("A number of minutes.")
    try:
        wanted["aliases"] = read_aliases(typed["aliases"])
    except FieldProblem as problem:
        opened.wrong[problem.field] = str(problem)
    return wanted


def _like(text: str) -> dict[str, Any]:
    return copied_terms(db.session(), _slug_of(text))


def _slug_of(text: str) -> str:
    """The served area that the words mean. Raises FieldProblem for the field ``like``."""
    found = find_store_area(db.session(), text)
    if found is None:
        raise FieldProblem("like", _("Choose one of the areas you deliver to."))
    return found.area.slug


def _said(change: Change | None, words: str) -> None:
    if change is None:
        toast(_("Nothing to save: it is as it was."))
    else:
        toast(words, undo=url_for("office_changes.undo", change_id=change.id))


def _remember(row: DeliveryArea, before: dict[str, Any]) -> None:
    remember(
        db.session(),
        "areas",
        actor=actor(),
        before={row.area: before},
        after={row.area: terms_of(row)},
    )


def _fee(text: str) -> int:
    cents = parse_kes(text)
    if cents % 100 or cents > MAX_FEE_CENTS:
        raise FieldProblem(
            "fee",
            _("A fee is whole shillings, at most %(most)s.", most=format_kes(MAX_FEE_CENTS)),
        )
    return cents


def _locked(terms_id: UUID) -> DeliveryArea:
    found = db.session.get(DeliveryArea, (bound_store(), terms_id), with_for_update=True)
    if found is None:
        raise NotFound
    return found


def _back(terms_id: UUID, *, status: int = 200) -> ResponseReturnValue:
    """The table for htmx; without it the page, at the row that was changed."""
    if wants_fragment():
        return fragment("backoffice/_areas_answer.html", status=status, **_facts())
    return redirect(url_for(".show", _anchor=f"a{terms_id}"), code=303)


def _known(slug: str) -> Area | None:
    try:
        return get_area(slug)
    except UnknownArea:
        return None


def _name(terms: DeliveryArea) -> str:
    area = _known(terms.area)
    return area.name if area else terms.area


def _matches(row: AreaRow, typed: str) -> bool:
    wanted = own_name(typed)
    names = (row.area.name, *row.area.aliases, *row.terms.aliases)
    return not wanted or any(wanted in own_name(name) for name in names)
