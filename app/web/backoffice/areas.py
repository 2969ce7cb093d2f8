"""Where the store delivers and for how much: every fee edited in place, beside what people did."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from uuid import UUID

from flask import redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy import select

from app.clock import utcnow
from app.db.engine import db
from app.db.tenancy import bound_store
from app.domain.audit.actions import record
from app.domain.catalog.actions import touch_content
from app.domain.delivery.actions import change_fee, serve_area
from app.domain.delivery.areas import Area, UnknownArea, all_areas, find_area, get_area
from app.domain.delivery.models import DeliveryArea
from app.domain.errors import FieldProblem, NotFound
from app.domain.insights.queries import AreaCheckouts, area_checkouts
from app.i18n import gettext as _
from app.i18n import gettext_lazy
from app.money import InvalidAmount, format_kes, parse_kes
from app.web.auth import require_staff
from app.web.backoffice.shell import actor, desk, toast, trouble
from app.web.forms import cents_field

bp = desk("office_areas", __name__, "/dash/<store>/areas")

MAX_FEE_CENTS = 10_000_00
BAND_WORDS = {
    "A": gettext_lazy("Town"),
    "B": gettext_lazy("Near town"),
    "C": gettext_lazy("Inner estates"),
    "D": gettext_lazy("Outer estates"),
    "E": gettext_lazy("City edge"),
    "F": gettext_lazy("Other towns"),
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


@bp.get("/")
@require_staff("areas.see")
def show() -> ResponseReturnValue:
    """Every area with a fee, grouped by distance; ``q`` narrows by name or nickname."""
    session = db.session()
    typed = request.args.get("q", "").strip()[:60]
    seen = {row.area: row for row in area_checkouts(session, utcnow())}
    terms = session.scalars(select(DeliveryArea).where(DeliveryArea.store_id == bound_store()))
    rows = [
        AreaRow(area, row, seen.get(area.slug))
        for row in terms
        if (area := _known(row.area)) is not None and _matches(area, typed)
    ]
    rows.sort(key=lambda row: (row.area.band, row.area.name))
    groups = [
        (BAND_WORDS[band], list(members))
        for band, members in groupby(rows, key=lambda row: row.area.band)
    ]
    served = {row.area.slug for row in rows}
    return render_template(
        "backoffice/areas.html",
        groups=groups,
        count=len(rows),
        typed=typed,
        more_areas=[area for area in all_areas() if area.slug not in served] if not typed else [],
    )


@bp.post("/<uuid:terms_id>/fee")
@require_staff("areas.change")
def fee(terms_id: UUID) -> ResponseReturnValue:
    """Set one fee. Orders already placed, and fees shown in the last 15 minutes, keep theirs."""
    terms = _locked(terms_id)
    before = terms.fee_cents
    try:
        wanted = _fee(request.form.get("fee", ""))
        seen = cents_field("seen")
        if seen is not None and seen != before:
            raise FieldProblem(
                "fee",
                _(
                    "%(who)s set %(fee)s meanwhile. Nothing was changed.",
                    who=terms.changed_by or _("Somebody"),
                    fee=format_kes(before),
                ),
            )
    except (InvalidAmount, FieldProblem) as problem:
        db.session.rollback()
        trouble(str(problem))
        return _back(terms_id)
    if wanted != before:
        change_fee(db.session(), terms, wanted, actor=actor())
        db.session.commit()
        toast(
            _("%(area)s costs %(fee)s now.", area=_name(terms), fee=format_kes(wanted)),
            undo=url_for(".fee", terms_id=terms_id),
            fields={"fee": str(before // 100), "seen": str(wanted)},
        )
    return _back(terms_id)


@bp.post("/<uuid:terms_id>/active")
@require_staff("areas.change")
def active(terms_id: UUID) -> ResponseReturnValue:
    """Stop delivering to an area, or begin again."""
    terms = _locked(terms_id)
    wanted = request.form.get("active") == "yes"
    if terms.is_active != wanted:
        terms.is_active, terms.changed_by, terms.changed_at = wanted, actor(), utcnow()
        touch_content(db.session())
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


@bp.post("/add")
@require_staff("areas.change")
def add() -> ResponseReturnValue:
    """Deliver to one more area, at its band's usual fee or the one typed."""
    typed = request.form.get("area", "").strip()[:60]
    area = find_area(typed) if typed else None
    if area is None:
        trouble(_("We do not know an area called “%(name)s”.", name=typed or "…"))
        return redirect(url_for(".show"), code=303)
    fee_typed = request.form.get("fee", "").strip()
    try:
        fee_cents = _fee(fee_typed) if fee_typed else None
    except (InvalidAmount, FieldProblem) as problem:
        trouble(str(problem))
        return redirect(url_for(".show"), code=303)
    serve_area(db.session(), area.slug, actor=actor(), fee_cents=fee_cents)
    touch_content(db.session())
    record(db.session(), "area.added", actor=actor(), subject=f"area:{area.slug}", after=fee_cents)
    db.session.commit()
    toast(_("You deliver to %(area)s now.", area=area.name))
    return redirect(url_for(".show"), code=303)


def _fee(text: str) -> int:
    cents = parse_kes(text)
    if cents % 100 or cents > MAX_FEE_CENTS:
        raise FieldProblem(
            "fee",
            _("A fee is whole shillings, at most %(most)s.", most=format_kes(MAX_FEE_CENTS)),
        )
    return cents


def _locked(terms_id: UUID) -> DeliveryArea:
    terms = db.session.get(DeliveryArea, (bound_store(), terms_id), with_for_update=True)
    if terms is None:
        raise NotFound
    return terms


def _back(terms_id: UUID) -> ResponseReturnValue:
    return redirect(url_for(".show", _anchor=f"a{terms_id}"), code=303)


def _known(slug: str) -> Area | None:
    try:
        return get_area(slug)
    except UnknownArea:
        return None


def _name(terms: DeliveryArea) -> str:
    area = _known(terms.area)
    return area.name if area else terms.area


def _matches(area: Area, typed: str) -> bool:
    wanted = typed.casefold()
    return not wanted or any(wanted in name.casefold() for name in (area.name, *area.aliases))
