"""Moving stock by hand: what came in, broke, went elsewhere, or was counted.

Stock is the sum of its movements, and these are the only ways by which a person adds one. What is
held for orders being paid stays held: nothing here goes below it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session, joinedload

from app.db.tenancy import bound_store
from app.domain.audit.actions import record
from app.domain.catalog.actions import receive_stock
from app.domain.catalog.editing import MAX_STOCK, get_variant_to_edit
from app.domain.catalog.models import Serial, Variant
from app.domain.catalog.saving import FieldProblems
from app.domain.catalog.shelf import REASONS_OF_STAFF
from app.domain.changes.actions import ChangedSince, puts_back, remember
from app.domain.changes.models import Change
from app.domain.errors import FieldProblem
from app.i18n import gettext_lazy as _

MAX_NOTE = 200
LOSSES = ("damage",)
GAINS = ("received", "return")

_SERIAL = re.compile(r"[0-9A-Z][0-9A-Z/._-]{2,39}")


@dataclass(frozen=True, kw_only=True)
class Counted:
    """What a person counted of one variant, and what the page said there was."""

    seen: int
    counted: int


def adjust_stock(
    session: Session,
    variant_id: UUID,
    quantity: int,
    reason: str,
    *,
    actor: str,
    note: str = "",
    serials: Iterable[str] = (),
) -> Variant:
    """Add to the shelf or take from it (``quantity`` below zero), with the reason.

    ``received`` and ``return`` only add, ``damage`` only takes away, ``transfer`` does either.
    Units with numbers of their own name them in ``serials``. Does not commit. Raises NotFound and
    FieldProblem with nothing changed.
    """
    variant = get_variant_to_edit(session, variant_id)
    numbers = read_serials(serials)
    _check_movement(variant, quantity, reason, note)
    if numbers:
        if len(numbers) != abs(quantity):
            raise FieldProblem(
                "serials",
                _("%(n)s numbers for %(q)s units.", n=len(numbers), q=abs(quantity)),
            )
        if quantity > 0:
            receive_serials(session, variant, numbers, actor=actor)
        else:
            _lose_serials(session, variant, numbers)
    elif variant.product.tracks_serials:
        raise FieldProblem("serials", _("Write the number of each unit, one on a line."))
    before = variant.on_hand
    receive_stock(session, variant, quantity, reason, actor=actor, note=note)
    record(
        session,
        "stock.moved",
        actor=actor,
        subject=f"variant:{variant.id}",
        name=_name(variant),
        reason=reason,
        before=before,
        after=variant.on_hand,
    )
    return variant


def count_stock(session: Session, counts: Mapping[UUID, Counted], *, actor: str) -> Change | None:
    """Put the differences of a stock count right, all of them or none. Does not commit.

    Each variant moves by counted minus seen: what was sold while people counted stays sold.
    Returns what can be taken back, None when everything agreed. Raises FieldProblems, keyed by
    the variant's id.
    """
    moves = {key: c.counted - c.seen for key, c in counts.items() if c.counted != c.seen}
    wrong = {
        str(key): str(_("A number from 0 to 1,000,000."))
        for key, c in counts.items()
        if not 0 <= c.counted <= MAX_STOCK
    }
    variants = _locked(session, moves)
    wrong |= {
        str(key): str(_("It is not here any more.")) for key in moves.keys() - variants.keys()
    }
    for key, variant in variants.items():
        if variant.on_hand + moves[key] < variant.reserved:
            wrong[str(key)] = str(_("%(n)s are held by orders being paid.", n=variant.reserved))
    if wrong:
        raise FieldProblems(wrong)
    for key, variant in variants.items():
        receive_stock(session, variant, moves[key], "count", actor=actor)
    return remember(
        session,
        "stock",
        subject="count",
        actor=actor,
        before={},
        after={str(key): quantity for key, quantity in moves.items()},
    )


@puts_back("stock")
def _put_back(session: Session, change: Change) -> None:
    """A count is undone by counting back: the ledger forgets nothing."""
    moves = {UUID(key): -int(quantity) for key, quantity in change.after.items()}
    variants = _locked(session, moves)
    if any(v.on_hand + moves[key] < v.reserved for key, v in variants.items()):
        raise ChangedSince
    for key, variant in variants.items():
        receive_stock(
            session, variant, moves[key], "count", actor=change.actor, note=str(_("Count undone"))
        )


def read_serials(lines: Iterable[str]) -> list[str]:
    """Serial numbers as we keep them: capitals, no spaces, each once.

    Raises FieldProblem for one that cannot be one, and for 15 digits whose check digit is wrong:
    that is an IMEI with a slip of the finger.
    """
    found: dict[str, None] = {}
    for line in lines:
        number = "".join(line.split()).upper()
        if not number:
            continue
        if not _SERIAL.fullmatch(number):
            raise FieldProblem("serials", _("“%(n)s” is not a serial number.", n=number[:40]))
        if len(number) == 15 and number.isdigit() and not is_imei(number):
            raise FieldProblem("serials", _("%(n)s is not an IMEI: look at its digits.", n=number))
        if number in found:
            raise FieldProblem("serials", _("%(n)s is there twice.", n=number))
        found[number] = None
    return list(found)


def is_imei(digits: str) -> bool:
    """Whether the last of 15 digits checks the others (Luhn)."""
    doubled = (int(d) * (2 if at % 2 else 1) for at, d in enumerate(digits))
    return sum(n - 9 if n > 9 else n for n in doubled) % 10 == 0


def receive_serials(
    session: Session, variant: Variant, numbers: Iterable[str], *, actor: str
) -> None:
    """Note the numbers of units that come in. A number that left may come back.

    Raises FieldProblem when one of them is in the store already, on whatever product.
    """
    numbers = list(numbers)
    known = {row.serial: row for row in session.scalars(_by_number(numbers))}
    for number in numbers:
        row = known.get(number)
        if row is None:
            session.add(Serial(variant_id=variant.id, serial=number, received_by=actor))
        elif row.status == "in_stock" or row.variant_id != variant.id:
            raise FieldProblem("serials", _("%(n)s is in the shop already.", n=number))
        else:
            row.status, row.order_line_id, row.changed_at = "in_stock", None, func.now()
    session.flush()


def _lose_serials(session: Session, variant: Variant, numbers: list[str]) -> None:
    known = {row.serial: row for row in session.scalars(_by_number(numbers))}
    for number in numbers:
        row = known.get(number)
        if row is None or row.variant_id != variant.id or row.status != "in_stock":
            raise FieldProblem("serials", _("%(n)s is not on this shelf.", n=number))
        row.status, row.changed_at = "gone", func.now()
    session.flush()


def _by_number(numbers: list[str]) -> Select[Serial]:
    return (
        select(Serial)
        .where(Serial.store_id == bound_store(), Serial.serial.in_(numbers))
        .with_for_update()
    )


def _check_movement(variant: Variant, quantity: int, reason: str, note: str) -> None:
    if reason not in REASONS_OF_STAFF or reason == "count":
        raise FieldProblem("reason", _("Choose why the stock changes."))
    if quantity == 0 or abs(quantity) > MAX_STOCK:
        raise FieldProblem("quantity", _("Write how many, like 5 or -2."))
    if reason in GAINS and quantity < 0:
        raise FieldProblem("quantity", _("What comes in is a number above 0."))
    if reason in LOSSES and quantity > 0:
        raise FieldProblem("quantity", _("What breaks leaves the shelf: a number below 0."))
    if len(note) > MAX_NOTE:
        raise FieldProblem("note", _("Up to 200 letters."))
    if variant.on_hand + quantity < variant.reserved:
        raise FieldProblem(
            "quantity",
            _("Not saved. %(n)s are held by orders being paid.", n=variant.reserved)
            if variant.reserved
            else _("There are only %(n)s on the shelf.", n=variant.on_hand),
        )
    if variant.on_hand + quantity > MAX_STOCK:
        raise FieldProblem("quantity", _("Stock is a number from 0 to 1,000,000."))


def _locked(session: Session, moves: Mapping[UUID, int]) -> dict[UUID, Variant]:
    """The variants in key order, so that two counts queue up and never deadlock."""
    rows = session.scalars(
        select(Variant)
        .where(Variant.store_id == bound_store(), Variant.id.in_(moves))
        .order_by(Variant.id)
        .options(joinedload(Variant.product))
        .with_for_update(of=Variant)
        .execution_options(populate_existing=True)
    )
    return {variant.id: variant for variant in rows}


def _name(variant: Variant) -> str:
    name = variant.product.name
    return f"{name}, {variant.option_text}" if variant.option_text else name
