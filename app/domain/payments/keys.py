"""Where a store's money comes in and where it is paid out to, as its owner types it.

Secrets are written and never shown again. Every change is audited, without the secret, and told
to every owner's own phone. Who may do this, and with which proof, is the caller's to check.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.db.tenancy import bound_store
from app.domain.audit.actions import record
from app.domain.errors import FieldProblem, NotFound
from app.domain.payments.models import PaymentSettings, PayoutNumber
from app.domain.payments.registering import save_payment_settings
from app.domain.people import telling
from app.domain.stores.models import Store
from app.i18n import gettext as _
from app.i18n import gettext_lazy
from app.ids import new_id
from app.jobs import Topic, ask_for
from app.phones import MASK, InvalidPhone, masked, parse_msisdn
from app.vault import vault

_SHORT = re.compile(r"[0-9]{5,7}")
_SECRET = re.compile(r"[!-~]{8,200}")
SECRETS = ("consumer_key", "consumer_secret", "passkey")
MAX_PAYOUT_NUMBERS = 5


@dataclass(frozen=True, kw_only=True)
class TypedKeys:
    """The form as it was typed. An empty secret keeps the one that is saved."""

    kind: str
    shortcode: str
    till: str = ""
    consumer_key: str = ""
    consumer_secret: str = ""
    passkey: str = ""


def current_keys(session: Session) -> PaymentSettings | None:
    """The store's payment keys, or None while it has none."""
    return session.scalar(
        select(PaymentSettings).where(PaymentSettings.store_id == bound_store()).limit(1)
    )


def change_keys(session: Session, typed: TypedKeys, *, actor: str) -> PaymentSettings:
    """Save a store's own M-Pesa keys and register its confirmations anew. Does not commit.

    Raises FieldProblem. Secrets belong to a short code: with another one, all three are needed.
    """
    settings = session.scalar(
        select(PaymentSettings)
        .where(PaymentSettings.store_id == bound_store())
        .limit(1)
        .with_for_update()
    )
    is_same_code = settings is not None and settings.shortcode == typed.shortcode
    _check(typed, may_keep=is_same_code)
    if settings is None:
        settings = save_payment_settings(
            session,
            kind=typed.kind,
            shortcode=typed.shortcode,
            till=typed.till or None,
            consumer_key=typed.consumer_key,
            consumer_secret=typed.consumer_secret,
            passkey=typed.passkey,
            actor=actor,
        )
        changed = ["kind", "shortcode", *SECRETS]
    else:
        changed = _change(settings, typed)
        if not changed:
            return settings
        session.flush()
        if set(changed) - {"passkey"}:
            settings.c2b_registered_at = None
            again = f"{settings.id}:{new_id()}"
            ask_for(session, Topic.REGISTER_C2B, key=again, settings_id=str(settings.id))
        record(
            session,
            "payment_settings.changed",
            actor=actor,
            subject=f"payment_settings:{settings.id}",
            fields=changed,
        )
    _tell_owners(
        session,
        _("%(who)s changed the M-Pesa keys (%(number)s).", who=actor, number=typed.shortcode),
    )
    return settings


def payout_numbers(session: Session) -> list[PayoutNumber]:
    """Where the platform pays this store out to, the oldest first."""
    return list(
        session.scalars(
            select(PayoutNumber)
            .where(PayoutNumber.store_id == bound_store(), PayoutNumber.removed_at.is_(None))
            .order_by(PayoutNumber.added_at, PayoutNumber.id)
        )
    )


def add_payout_number(
    session: Session, *, kind: str, number: str, label: str, actor: str
) -> PayoutNumber:
    """Let the platform pay out to one more phone or till. Does not commit.

    Raises FieldProblem for a number that cannot be used or is there already.
    """
    plain = _payout_number(kind, number)
    if len(payout_numbers(session)) >= MAX_PAYOUT_NUMBERS:
        raise FieldProblem("number", _("Five payout numbers are enough. Remove one first."))
    payout = PayoutNumber(
        id=new_id(),
        kind=kind,
        number_sealed=vault().seal(plain, store_id=bound_store(), column="payout_numbers.number"),
        number_lookup=vault().lookup(f"payout:{plain}", store_id=bound_store()),
        label=label[:60],
        added_by=actor,
    )
    try:
        with session.begin_nested():
            session.add(payout)
            session.flush()
    except IntegrityError as error:
        raise FieldProblem("number", _("That number is on the list already.")) from error
    _tell_owners(
        session,
        _("%(who)s added the payout number %(number)s.", who=actor, number=mask_payout(payout)),
    )
    record(
        session, "payout_number.added", actor=actor, subject=f"payout_number:{payout.id}", kind=kind
    )
    return payout


def remove_payout_number(session: Session, payout_id: UUID, *, actor: str) -> None:
    """Pay out there no more. Does not commit. Raises NotFound."""
    payout = session.get(PayoutNumber, (bound_store(), payout_id), with_for_update=True)
    if payout is None or payout.removed_at is not None:
        raise NotFound
    payout.removed_at, payout.removed_by = func.now(), actor
    session.flush()
    _tell_owners(
        session,
        _("%(who)s removed the payout number %(number)s.", who=actor, number=mask_payout(payout)),
    )
    record(
        session,
        "payout_number.removed",
        actor=actor,
        subject=f"payout_number:{payout.id}",
        kind=payout.kind,
    )


def mask_payout(payout: PayoutNumber) -> str:
    """Enough of the number to recognise it: ``07•• ••• 678``, ``•••210``."""
    number = payout.number
    return masked(number) if payout.kind == "phone" else MASK * 3 + number[-3:]


def _check(typed: TypedKeys, *, may_keep: bool) -> None:
    if typed.kind not in ("paybill", "till"):
        raise FieldProblem("kind", _("Choose paybill or till."))
    if not _SHORT.fullmatch(typed.shortcode):
        raise FieldProblem("shortcode", _("A short code has 5 to 7 digits."))
    if typed.kind == "till" and not _SHORT.fullmatch(typed.till):
        raise FieldProblem(
            "till", _("A till has 5 to 7 digits. It is the number that customers pay to.")
        )
    if typed.kind == "till" and typed.till == typed.shortcode:
        raise FieldProblem(
            "till", _("The till and the store number differ. The store number is the short code.")
        )
    for name in SECRETS:
        value = getattr(typed, name)
        if not value and not may_keep:
            raise FieldProblem(name, _NEEDED[name])
        if value and not _SECRET.fullmatch(value):
            raise FieldProblem(name, _("Copy it whole from the Daraja portal, without spaces."))


_NEEDED = {
    "consumer_key": gettext_lazy("A new short code needs its own consumer key."),
    "consumer_secret": gettext_lazy("A new short code needs its own consumer secret."),
    "passkey": gettext_lazy("A new short code needs its own passkey."),
}


def _change(settings: PaymentSettings, typed: TypedKeys) -> list[str]:
    """Write what differs; returns the names of the fields that changed."""
    changed = []
    plain = {"kind": typed.kind, "shortcode": typed.shortcode}
    plain["till"] = typed.till if typed.kind == "till" else ""
    for name, value in plain.items():
        if (getattr(settings, name) or "") != value:
            setattr(settings, name, value or None)
            changed.append(name)
    for name in SECRETS:
        value = getattr(typed, name)
        if value and value != settings.open_secret(name):
            column = f"payment_settings.{name}"
            sealed = vault().seal(value, store_id=bound_store(), column=column)
            setattr(settings, f"{name}_sealed", sealed)
            changed.append(name)
    return changed


def _payout_number(kind: str, number: str) -> str:
    if kind == "phone":
        try:
            return parse_msisdn(number)
        except InvalidPhone as problem:
            raise FieldProblem("number", str(problem)) from problem
    if kind != "till" or not _SHORT.fullmatch(number.replace(" ", "")):
        raise FieldProblem("number", _("A till has 5 to 7 digits."))
    return number.replace(" ", "")


def _tell_owners(session: Session, what: str) -> None:
    store = session.get_one(Store, bound_store())
    text = _(
        "%(store)s: %(what)s Not you? Sign out everywhere, change your PIN and call us.",
        store=store.name,
        what=what,
    )
    telling.tell(session, telling.owners_of_store(store.id), text)
