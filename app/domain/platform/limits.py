"""How often anybody may try what, and how many are at their limit now. Nobody is named."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.orm import Session

from app.domain.people import invitations, lockout, otp, signing_in
from app.i18n import gettext_lazy as _

# What is counted in Postgres: the counter's name, what it is in words, and its limits
# as (tries, seconds). A purpose of codes has one counter each.
COUNTED: tuple[tuple[str, str, tuple[tuple[int, int], ...]], ...] = (
    (f"otp:{signing_in.PURPOSE}", _("Sign-in codes to one phone (staff)"), otp.PER_PHONE),
    ("otp:shopper", _("Sign-in codes to one phone (shoppers)"), otp.PER_PHONE),
    ("otp:address", _("Codes asked for from one address"), otp.PER_ADDRESS),
    ("otp:near", _("Codes asked for from one neighbourhood"), otp.PER_NEIGHBOURHOOD),
    ("otp:store", _("Codes sent for one store"), otp.PER_STORE),
    (
        "sign-in-code:address",
        _("Wrong codes from one address"),
        (signing_in.FAILED_CODES_PER_ADDRESS,),
    ),
    ("sign-in:address", _("Wrong passwords from one address"), (signing_in.FAILED_PER_ADDRESS,)),
    (
        lockout.Door.PASSWORD.counter,
        _("Wrong passwords for one account"),
        ((lockout.LOCKED_AT, lockout.Door.PASSWORD.seconds),),
    ),
    (
        lockout.Door.PIN.counter,
        _("Wrong PINs of one person"),
        ((lockout.LOCKED_AT, lockout.Door.PIN.seconds),),
    ),
    ("invite:phone", _("Invitations to one phone"), invitations.PER_PHONE),
    ("invite:store", _("Invitations of one store"), invitations.PER_STORE),
)
_LIMITS = text(
    "SELECT * FROM app.ops_limits(CAST(:names AS text[]), CAST(:mosts AS int[]), CAST(:windows AS int[]))"
)


@dataclass(frozen=True)
class Counted:
    """One limit: ``most`` tries in ``seconds`` seconds, how much of it is used, who is at it.

    ``at_limit`` holds the beginnings of keyed hashes: enough to tell two apart, not who they are.
    """

    name: str
    most: int
    seconds: int
    tries: int
    subjects: int
    at_limit: list[str]
    words: str


def counted_limits(session: Session) -> list[Counted]:
    """Every limit that is counted in Postgres, with what it counts now. Platform's session."""
    flat = [(name, most, window) for name, _words, all_of in COUNTED for most, window in all_of]
    words = {name: what for name, what, _all in COUNTED}
    rows = session.execute(
        _LIMITS,
        {
            "names": [name for name, _most, _window in flat],
            "mosts": [most for _name, most, _window in flat],
            "windows": [window for _name, _most, window in flat],
        },
    )
    return [Counted(**row, words=words[row["name"]]) for row in rows.mappings()]
