"""The shops' keys: what each company would have given them."""

from __future__ import annotations

import base64
import json
import os
import secrets
import threading
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

PAYBILL = "paybill"
TILL = "till"


class BadKeys(ValueError):
    """These keys cannot be had; the text says why."""


@dataclass
class Shop:
    """One short code with its keys, and the same shop's WhatsApp and SMS accounts.

    ``shortcode`` is what goes into BusinessShortCode: the paybill, or a till's store number.
    """

    name: str
    type: str
    shortcode: str
    till_number: str | None
    passkey: str
    consumer_key: str
    consumer_secret: str
    whatsapp_token: str
    whatsapp_phone_number_id: str
    whatsapp_business_account_id: str
    whatsapp_number: str
    sms_username: str
    sms_api_key: str
    sms_sender: str
    c2b_shortcode: str | None = None
    c2b_version: int | None = None
    c2b_response_type: str | None = None
    confirmation_url: str | None = None
    validation_url: str | None = None

    @property
    def party_b(self) -> str:
        """Who is credited: the paybill, or the till."""
        return self.till_number or self.shortcode

    @property
    def transaction_type(self) -> str:
        """The TransactionType M-Pesa has this short code down for."""
        return "CustomerBuyGoodsOnline" if self.type == TILL else "CustomerPayBillOnline"

    def password(self, timestamp: str) -> str:
        """The only Password accepted with this Timestamp."""
        return base64.b64encode(f"{self.shortcode}{self.passkey}{timestamp}".encode()).decode()

    def public(self) -> dict[str, Any]:
        """Everything as JSON; ``store_number`` and ``party_b`` are there for convenience."""
        store_number = self.shortcode if self.type == TILL else None
        return asdict(self) | {"store_number": store_number, "party_b": self.party_b}


_TEXT = {field.name for field in fields(Shop)} - {"c2b_version"}
_ALIASES = {"store_number": "shortcode", "till": "till_number"}
_UNIQUE = ("shortcode", "till_number", "consumer_key", "whatsapp_phone_number_id", "sms_api_key")


class Registry:
    """Every shop, by name and by each of its keys; kept in a file when one is given."""

    def __init__(self, keep: str | None = None) -> None:
        self._lock = threading.RLock()
        self._shops: dict[str, Shop] = {}
        self._file = Path(keep) if keep else None
        if self._file and self._file.exists():
            for row in json.loads(self._file.read_text()):
                self._shops[row["name"]] = Shop(**row)

    def all(self) -> list[Shop]:
        """Every shop, oldest first."""
        return list(self._shops.values())

    def put(self, given: dict[str, Any]) -> Shop:
        """Find the shop of this name or make it; fields given win, missing ones are made.

        Raises BadKeys.
        """
        wanted = _cleaned(given)
        name = wanted.get("name") or f"Shop {secrets.token_hex(3)}"
        with self._lock:
            known = self._shops.get(name)
            row = asdict(known) if known else _random_keys(name, wanted.get("type", PAYBILL))
            row |= wanted | {"name": name}
            if row["type"] == TILL and not row["till_number"]:
                row["till_number"] = _digits(7)
            if row["type"] == PAYBILL:
                row["till_number"] = None
            shop = Shop(**row)
            self._refuse_taken(shop)
            self._shops[name] = shop
            self.save()
            return shop

    def by_consumer_key(self, key: str) -> Shop | None:
        """The shop an OAuth user name belongs to."""
        return self._find("consumer_key", key)

    def by_shortcode(self, number: str) -> Shop | None:
        """The shop with this paybill, store number, till or registered C2B short code."""
        for shop in self.all():
            if number in {shop.shortcode, shop.till_number, shop.c2b_shortcode}:
                return shop
        return None

    def by_whatsapp_token(self, token: str) -> Shop | None:
        """The shop a Graph bearer token belongs to."""
        return self._find("whatsapp_token", token)

    def by_whatsapp_number_id(self, number_id: str) -> Shop | None:
        """The shop with this phone_number_id."""
        return self._find("whatsapp_phone_number_id", number_id)

    def by_sms_key(self, key: str) -> Shop | None:
        """The shop an SMS apiKey belongs to."""
        return self._find("sms_api_key", key)

    def clear(self) -> None:
        """Forget every shop."""
        with self._lock:
            self._shops.clear()
            self.save()

    def save(self) -> None:
        """Write the file, readable by its owner alone, when there is one."""
        if self._file is None:
            return
        with self._lock:
            new = self._file.with_suffix(".new")
            descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(descriptor, "w") as file:
                json.dump([asdict(shop) for shop in self._shops.values()], file, indent=1)
            new.replace(self._file)

    def _find(self, field: str, value: str) -> Shop | None:
        if not value:
            return None
        for shop in self.all():
            if secrets.compare_digest(str(getattr(shop, field)).encode(), value.encode()):
                return shop
        return None

    def _refuse_taken(self, shop: Shop) -> None:
        for other in self._shops.values():
            if other.name == shop.name:
                continue
            for field in _UNIQUE:
                value = getattr(shop, field)
                if value is not None and value == getattr(other, field):
                    raise BadKeys(f"{field} already belongs to {other.name!r}.")


def _cleaned(given: dict[str, Any]) -> dict[str, Any]:
    wanted: dict[str, Any] = {}
    for written, value in given.items():
        field = _ALIASES.get(written, written)
        if field == "party_b" or value is None or value == "":
            continue
        if field == "c2b_version":
            wanted[field] = 1 if str(value) == "1" else 2
            continue
        if field not in _TEXT:
            raise BadKeys(f"Unknown field {written!r}; known: {', '.join(sorted(_TEXT))}.")
        if isinstance(value, bool | dict | list):
            raise BadKeys(f"{written} must be text.")
        wanted[field] = str(value)
    if wanted.get("type", PAYBILL) not in {PAYBILL, TILL}:
        raise BadKeys("type must be 'paybill' or 'till'.")
    for field in ("shortcode", "till_number", "c2b_shortcode"):
        number = wanted.get(field, "00000")
        if not (number.isascii() and number.isdigit() and 5 <= len(number) <= 7):
            raise BadKeys(f"{field} must have 5 to 7 digits.")
    if wanted.get("till_number") and "type" not in wanted:
        wanted["type"] = TILL
    return wanted


def _random_keys(name: str, kind: str) -> dict[str, Any]:
    return {
        "name": name,
        "type": kind,
        "shortcode": _digits(6),
        "till_number": None,
        "passkey": secrets.token_hex(32),
        "consumer_key": secrets.token_urlsafe(24),
        "consumer_secret": secrets.token_urlsafe(36),
        "whatsapp_token": f"EAA{secrets.token_urlsafe(60)}",
        "whatsapp_phone_number_id": _digits(15),
        "whatsapp_business_account_id": _digits(15),
        "whatsapp_number": f"2547{_digits(8)}",
        "sms_username": f"shop{secrets.token_hex(3)}",
        "sms_api_key": f"atsk_{secrets.token_hex(32)}",
        "sms_sender": "DUKANI",
    }


def _digits(count: int) -> str:
    return str(10 ** (count - 1) + secrets.randbelow(9 * 10 ** (count - 1)))
