"""Kenyan mobile numbers: what people type in, one stored form, what people see.

Stored: E.164, ``+254712345678``. Shown: ``0712 345 678``, or masked. Sent to M-Pesa:
``254712345678``. A number is read or refused, never repaired by cutting digits off:
the last nine digits of nonsense may be somebody's real phone.
"""

from __future__ import annotations

import re

import phonenumbers
from phonenumbers import PhoneNumber, PhoneNumberFormat, PhoneNumberType

from app.i18n import gettext_lazy as _

COUNTRY_CODE = 254
NATIONAL_LENGTH = 9
MAX_TYPED_LENGTH = 40
MASK = "\N{BULLET}"

# Contact cards and chat apps wrap numbers in invisible direction marks.
_INVISIBLE = re.compile("[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]")
_DASHES = re.compile("[\u2010-\u2015\u2212]")
_MASKED = re.compile("[\u2022\u00b7\u25cf\u2026]|[0-9 ][*]+[0-9 ]|[*]{2}|x{2}", re.I)
_EXTENSION = re.compile(r"[0-9].*?(?:ext(?:n|ension)?\.?|x|#)[\s.:=]*[0-9]{1,6}$", re.I)
_SEVERAL = re.compile(r"[0-9]{3}[\s)]*(?:[,;/&|]|\bor\b|\band\b)[\s(]*\+?[0-9]{2}", re.I)
_ALLOWED = re.compile(r"\(?\+?[0-9 ().-]*")

_SENTENCES = {
    "empty": _("Enter a phone number, like 0712 345 678."),
    "too_short": _("That number is too short. Write it like 0712 345 678."),
    "too_long": _("That number is too long. Write it like 0712 345 678."),
    "foreign": _("We need a Kenyan number, like 0712 345 678 or 0112 345 678."),
    "landline": _("That is a landline. We need a mobile number, like 0712 345 678."),
    "not_mobile": _("That is not a mobile number. Write one like 0712 345 678."),
    "unknown_prefix": _("No Kenyan mobile number starts like that. Write it like 0712 345 678."),
    "letters": _("A phone number has digits only, like 0712 345 678."),
    "other_digits": _("Write the number with the digits 0 to 9, like 0712 345 678."),
    "symbols": _("Write the number with digits and spaces only, like 0712 345 678."),
    "masked": _("Some digits are hidden. Write the whole number, like 0712 345 678."),
    "extension": _("Leave the extension out. Write the number like 0712 345 678."),
    "several": _("Write one number only, like 0712 345 678."),
}


class InvalidPhone(ValueError):
    """The text is not one Kenyan mobile number. ``str(error)`` is safe to show.

    ``reason`` is one of empty, too_short, too_long, foreign, landline, not_mobile,
    unknown_prefix, letters, other_digits, symbols, masked, extension, several. The
    message never repeats what was typed.
    """

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(_SENTENCES[reason])


def parse_msisdn(text: str) -> str:
    """The number in E.164, ``+254712345678``. Raises InvalidPhone for anything else."""
    typed = _DASHES.sub("-", _INVISIBLE.sub("", text))
    typed = " ".join(typed.split())
    _refuse_what_is_not_written_as_a_number(typed)
    digits = re.sub("[^0-9]", "", typed)
    is_international = "+" in typed
    if digits.startswith("00") and not is_international:
        # Kenya dials out with 000, so the parser does not know the 00 people write.
        digits, is_international = digits[2:], True
    try:
        number = phonenumbers.parse(("+" if is_international else "") + digits, "KE")
    except phonenumbers.NumberParseException as error:
        raise InvalidPhone(_wrong_length(digits) or "unknown_prefix") from error
    reason = _why_not_a_kenyan_mobile(number, digits)
    if reason:
        raise InvalidPhone(reason)
    return phonenumbers.format_number(number, PhoneNumberFormat.E164)


def national(e164: str) -> str:
    """As people here write it, ``0712 345 678``; foreign numbers stay international."""
    if _is_kenyan(e164):
        local = "0" + e164[4:]
        return f"{local[:4]} {local[4:7]} {local[7:]}"
    number = phonenumbers.parse(e164)
    return phonenumbers.format_number(number, PhoneNumberFormat.INTERNATIONAL)


def masked(e164: str) -> str:
    """For screens and logs, ``07•• ••• 678``: enough to recognise one's own number."""
    hidden = f"{MASK * 3} {e164[-3:]}"
    if _is_kenyan(e164):
        return f"0{e164[4]}{MASK * 2} {hidden}"
    return f"+{phonenumbers.parse(e164).country_code} {hidden}"


def msisdn_digits(e164: str) -> str:
    """The form M-Pesa wants, ``254712345678``. Raises ValueError for a foreign number."""
    if not _is_kenyan(e164):
        raise ValueError("only a Kenyan number can be sent to M-Pesa")
    return e164.removeprefix("+")


def network_hint(e164: str) -> str | None:
    """The network the number was first given to, or None where the plan names none.

    Numbers move between networks, so this may suggest and must never refuse.
    """
    if not _is_kenyan(e164):
        return None
    prefix = int(e164[4:7])
    return next((name for first, last, name in _NETWORKS if first <= prefix <= last), None)


# The number plan by the three digits after 254; small exceptions before wide ranges.
_NETWORKS = (
    (744, 744, "Homeland Media"),
    (747, 747, "Faiba"),
    (761, 761, "Telkom"),
    (700, 729, "Safaricom"),
    (740, 749, "Safaricom"),
    (757, 759, "Safaricom"),
    (768, 769, "Safaricom"),
    (790, 799, "Safaricom"),
    (110, 119, "Safaricom"),
    (140, 146, "Safaricom"),
    (180, 189, "Safaricom"),
    (730, 739, "Airtel"),
    (750, 756, "Airtel"),
    (760, 767, "Airtel"),
    (780, 789, "Airtel"),
    (100, 108, "Airtel"),
    (135, 139, "Airtel"),
    (770, 779, "Telkom"),
    (120, 120, "Telkom"),
    (121, 121, "Infura"),
    (124, 124, "Equitel"),
    (130, 130, "NRG"),
)


def _is_kenyan(e164: str) -> bool:
    return re.fullmatch(r"\+254[17][0-9]{8}", e164) is not None


def _refuse_what_is_not_written_as_a_number(typed: str) -> None:
    if not typed:
        raise InvalidPhone("empty")
    if len(typed) > MAX_TYPED_LENGTH:
        raise InvalidPhone("too_long")
    if any(char.isnumeric() and not char.isascii() for char in typed):
        raise InvalidPhone("other_digits")
    for reason, pattern in (
        ("several", _SEVERAL),
        ("masked", _MASKED),
        ("extension", _EXTENSION),
    ):
        if pattern.search(typed):
            raise InvalidPhone(reason)
    if any(char.isalpha() for char in typed):
        raise InvalidPhone("letters")
    if not _ALLOWED.fullmatch(typed):
        raise InvalidPhone("symbols")


def _why_not_a_kenyan_mobile(number: PhoneNumber, digits: str) -> str | None:
    """The reason code, or None when the number is good."""
    if number.country_code != COUNTRY_CODE:
        return "foreign"
    if phonenumbers.is_valid_number_for_region(number, "KE") and number.extension is None:
        kind = phonenumbers.number_type(number)
        if kind == PhoneNumberType.MOBILE:
            return None
        return "landline" if kind == PhoneNumberType.FIXED_LINE else "not_mobile"
    if _is_foreign_without_plus(digits):
        return "foreign"
    return _wrong_length(digits) or "unknown_prefix"


def _wrong_length(digits: str) -> str | None:
    """Too short or too long, by the nine digits after the country code or the zero."""
    length = len(digits.removeprefix(str(COUNTRY_CODE)).removeprefix("0"))
    if length == NATIONAL_LENGTH:
        return None
    return "too_short" if length < NATIONAL_LENGTH else "too_long"


def _is_foreign_without_plus(digits: str) -> bool:
    """True for 255754123456: nobody means a Kenyan number by it."""
    if digits.startswith(("0", str(COUNTRY_CODE))) or len(digits) < 11:
        return False
    try:
        return phonenumbers.is_valid_number(phonenumbers.parse("+" + digits))
    except phonenumbers.NumberParseException:
        return False
