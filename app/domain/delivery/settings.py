"""The owner's hand on areas and fees: one or many at a time, looked at first, taken back after."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.clock import utcnow
from app.db.tenancy import bound_store
from app.domain.catalog.actions import touch_content
from app.domain.changes.actions import ChangedSince, puts_back, remember
from app.domain.changes.models import Change
from app.domain.delivery.actions import serve_area
from app.domain.delivery.areas import Area, UnknownArea, find_area, get_area
from app.domain.delivery.models import DeliveryArea
from app.domain.delivery.queries import own_name
from app.domain.errors import FieldProblem, NotFound
from app.i18n import gettext_lazy as _
from app.money import format_kes

TERMS = ("fee_cents", "minimum_order_cents", "free_from_cents", "minutes", "is_active", "aliases")
"""What an owner says about an area, and what Undo puts back."""

COPIED = ("fee_cents", "minimum_order_cents", "free_from_cents", "minutes")
MAX_FEE_CENTS = 10_000_00
MAX_ORDER_CENTS = 250_000_00
MIN_MINUTES, MAX_MINUTES = 15, 20_160
MOST_ALIASES = 12
MOST_ALIAS_LETTERS = 40

BULK = ("set", "more", "less", "on", "off")
"""What may be done to all areas of a band: set the fee, raise or lower it, switch on or off."""


@dataclass(frozen=True, kw_only=True)
class Step:
    """One area before and after a change to many; fees in cents."""

    terms: DeliveryArea
    area: Area
    before: dict[str, Any]
    after: dict[str, Any]


def terms_of(row: DeliveryArea) -> dict[str, Any]:
    """An area's terms as a change keeps them."""
    return {name: getattr(row, name) for name in TERMS}


def change_areas(
    session: Session, wanted: Mapping[str, Mapping[str, Any]], *, actor: str
) -> Change | None:
    """Change the terms of areas by slug, all or none; checked values only.

    Returns None when nothing differs. Raises NotFound for an area the store never served,
    and FieldProblem. Does not commit.
    """
    rows = {row.area: row for row in _locked(session, wanted)}
    before, after = {}, {}
    for slug, values in sorted(wanted.items()):
        row = rows.get(slug)
        if row is None:
            raise NotFound
        _check(values)
        was = terms_of(row)
        changed = {**was, **values}
        if changed != was:
            before[slug], after[slug] = was, changed
            _write(row, changed, actor)
    if not after:
        return None
    session.flush()
    touch_content(session)
    return remember(session, "areas", actor=actor, before=before, after=after)


def add_area(
    session: Session,
    text: str,
    *,
    actor: str,
    fee_cents: int | None = None,
    like: str | None = None,
) -> tuple[Area, Change | None]:
    """Deliver to the area that the words mean, on its band's usual terms or those of ``like``.

    ``fee_cents``, where given, is its fee. The change is None when the area was served already.
    Raises FieldProblem for words that mean no area. Does not commit.
    """
    area = find_area(text) if text else None
    if area is None:
        raise FieldProblem("area", _("We do not know an area called “%(name)s”.", name=text or "…"))
    old = {row.area: terms_of(row) for row in _locked(session, [area.slug])}
    if not serve_area(session, area.slug, actor=actor, fee_cents=fee_cents):
        return area, None
    row = _locked(session, [area.slug])[0]
    if like is not None:
        copied = copied_terms(session, like)
        if fee_cents is not None:
            copied["fee_cents"] = fee_cents
        _write(row, {**terms_of(row), **copied}, actor)
        session.flush()
    touch_content(session)
    before = old.get(area.slug) or {**terms_of(row), "is_active": False}
    change = remember(
        session,
        "areas",
        actor=actor,
        before={area.slug: before},
        after={area.slug: terms_of(row)},
    )
    return area, change


def copied_terms(session: Session, slug: str) -> dict[str, Any]:
    """The fee, minimum, free limit and time of another area. Raises NotFound."""
    row = session.scalar(
        select(DeliveryArea).where(
            DeliveryArea.store_id == bound_store(), DeliveryArea.area == slug
        )
    )
    if row is None:
        raise NotFound
    return {name: getattr(row, name) for name in COPIED}


def plan_for_band(
    session: Session, band: str, do: str, amount_cents: int | None = None
) -> list[Step]:
    """What a change to a band, or with an empty band to every area, would do. Writes nothing.

    Only areas that would differ are in it. Fees change for areas that are served; a fee
    never falls below zero. Raises FieldProblem.
    """
    if do not in BULK:
        raise FieldProblem("do", _("Choose what to do."))
    is_fee = amount_cents is not None and _is_fee(amount_cents)
    if do in ("set", "more", "less") and not is_fee:
        raise FieldProblem("amount", _fee_words())
    rows = session.scalars(select(DeliveryArea).where(DeliveryArea.store_id == bound_store()))
    steps = []
    for row in rows:
        area = _known(row.area)
        if area is None or (band and area.band != band):
            continue
        before = terms_of(row)
        after = {**before, **_done(row, do, amount_cents or 0)}
        if after != before:
            steps.append(Step(terms=row, area=area, before=before, after=after))
    return sorted(steps, key=lambda step: (step.area.band, step.area.name))


def read_aliases(text: str) -> list[str]:
    """The store's own names out of one line, commas between them. Raises FieldProblem."""
    names = [" ".join(part.split())[:MOST_ALIAS_LETTERS] for part in text.split(",")]
    kept = {own_name(name): name for name in names if own_name(name)}
    if len(kept) > MOST_ALIASES:
        raise FieldProblem(
            "aliases", _("At most %(n)s names of your own for a place.", n=MOST_ALIASES)
        )
    return list(kept.values())


@puts_back("areas")
def _put_back(session: Session, change: Change) -> None:
    rows = {row.area: row for row in _locked(session, change.after)}
    for slug, after in change.after.items():
        if slug not in rows or terms_of(rows[slug]) != after:
            raise ChangedSince
    for slug, before in change.before.items():
        _write(rows[slug], before, change.actor)
    session.flush()
    touch_content(session)


def _done(row: DeliveryArea, do: str, amount_cents: int) -> dict[str, Any]:
    if do in ("on", "off"):
        return {"is_active": do == "on"}
    if not row.is_active:
        return {}
    if do == "set":
        return {"fee_cents": amount_cents}
    changed = row.fee_cents + (amount_cents if do == "more" else -amount_cents)
    return {"fee_cents": min(max(0, changed), MAX_FEE_CENTS)}


def _check(values: Mapping[str, Any]) -> None:
    fee = values.get("fee_cents")
    if fee is not None and not _is_fee(fee):
        raise FieldProblem("fee", _fee_words())
    for name, field in (("minimum_order_cents", "minimum"), ("free_from_cents", "free_from")):
        cents = values.get(name)
        if cents is not None and not 0 <= cents <= MAX_ORDER_CENTS:
            raise FieldProblem(field, _("At most %(most)s.", most=format_kes(MAX_ORDER_CENTS)))
    minutes = values.get("minutes")
    if minutes is not None and not MIN_MINUTES <= minutes <= MAX_MINUTES:
        raise FieldProblem("minutes", _("From 15 minutes to 14 days."))


def _is_fee(cents: int) -> bool:
    return cents % 100 == 0 and 0 <= cents <= MAX_FEE_CENTS


def _fee_words() -> str:
    return str(_("A fee is whole shillings, at most %(most)s.", most=format_kes(MAX_FEE_CENTS)))


def _write(row: DeliveryArea, values: Mapping[str, Any], actor: str) -> None:
    for name, value in values.items():
        setattr(row, name, value)
    row.changed_by, row.changed_at = actor, utcnow()


def _locked(session: Session, slugs: Iterable[str]) -> list[DeliveryArea]:
    """These areas' rows, always locked in the same order."""
    return list(
        session.scalars(
            select(DeliveryArea)
            .where(DeliveryArea.store_id == bound_store(), DeliveryArea.area.in_(list(slugs)))
            .order_by(DeliveryArea.area)
            .with_for_update()
            .execution_options(populate_existing=True)
        )
    )


def _known(slug: str) -> Area | None:
    try:
        return get_area(slug)
    except UnknownArea:
        return None
