"""One search over all stores: by name, address, phone, e-mail, till or M-Pesa code.

Everything that is somebody's is found by its keyed hash; the answer names the store and
what kind of thing matched, never the person.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from sqlalchemy import func, or_, select, text
from sqlalchemy.orm import Session

from app.db.tenancy import PLATFORM_STORE
from app.domain.people.models import Membership, Person
from app.domain.stores.models import Domain, Store
from app.i18n import gettext_lazy as _
from app.phones import InvalidPhone, parse_msisdn
from app.vault import vault

MOST_TYPED = 80
MOST_FOUND = 50

# What matched, in words, the strongest proof first.
MATCHES: dict[str, str] = {
    "receipt": _("M-Pesa code"),
    "till": _("Till or paybill"),
    "store_phone": _("The shop's own number"),
    "staff": _("Somebody who works here"),
    "customer": _("A customer of this shop"),
    "host": _("Web address"),
    "slug": _("Short name"),
    "name": _("Name"),
}

_RECEIPT = re.compile(r"[A-Z0-9]{8,12}")
_SHORTCODE = re.compile(r"[0-9]{5,7}")
_HOST = re.compile(r"[a-z0-9][a-z0-9.-]{1,80}")
_MONEY = text("SELECT store_id, matched FROM app.ops_find(:receipt, :shortcode, :stores, :lookups)")


@dataclass
class Found:
    """A store that a search found, and why."""

    store_id: int
    slug: str
    name: str
    status: str
    matched: list[str] = field(default_factory=list)  # keys of MATCHES


def find_stores(session: Session, typed: str) -> list[Found]:
    """Every store that what was typed may mean, the surest first. Through the platform's session."""
    wanted = " ".join(typed.split())[:MOST_TYPED]
    if not wanted:
        return []
    matches: dict[int, list[str]] = {}
    for store_id, what in (
        *_by_money_and_customer(session, wanted),
        *_by_person(session, wanted),
        *_by_store(session, wanted),
    ):
        if store_id != PLATFORM_STORE and what not in matches.setdefault(store_id, []):
            matches[store_id].append(what)
    order = list(MATCHES)
    for found in matches.values():
        found.sort(key=order.index)
    stores = session.scalars(select(Store).where(Store.id.in_(matches)).order_by(Store.name))
    found_stores = [
        Found(store.id, store.slug, store.name, store.status, matches[store.id]) for store in stores
    ]
    found_stores.sort(key=lambda one: order.index(one.matched[0]))
    return found_stores[:MOST_FOUND]


def _by_money_and_customer(session: Session, wanted: str) -> list[tuple[int, str]]:
    compact = wanted.replace(" ", "").upper()
    phone = _phone(wanted)
    stores: list[int] = []
    if phone is not None:
        # A customer's number has another hash in every store, so each store is asked with its own.
        stores = list(session.scalars(select(Store.id).where(Store.id != PLATFORM_STORE)))
    rows = session.execute(
        _MONEY,
        {
            "receipt": compact if _RECEIPT.fullmatch(compact) else "",
            "shortcode": compact if _SHORTCODE.fullmatch(compact) else "",
            "stores": stores,
            "lookups": [vault().lookup(phone or "", store_id=one) for one in stores],
        },
    )
    return [(row.store_id, row.matched) for row in rows]


def _by_person(session: Session, wanted: str) -> list[tuple[int, str]]:
    phone = _phone(wanted)
    if phone is not None:
        who = Person.phone_lookup == vault().lookup(phone, store_id=PLATFORM_STORE)
    elif "@" in wanted:
        who = Person.email == wanted.lower()
    else:
        return []
    works_in = session.scalars(
        select(Membership.store_id).join(Person, Person.id == Membership.person_id).where(who)
    )
    return [(store_id, "staff") for store_id in works_in]


def _by_store(session: Session, wanted: str) -> list[tuple[int, str]]:
    low = wanted.lower()
    found: list[tuple[int, str]] = []
    phone = _phone(wanted)
    if phone is not None:
        numbers = select(Store.id).where(or_(Store.phone == phone, Store.whatsapp == phone))
        found += [(store_id, "store_phone") for store_id in session.scalars(numbers)]
    host = low.removeprefix("https://").removeprefix("http://").partition("/")[0].partition(":")[0]
    if _HOST.fullmatch(host):
        hosts = select(Domain.store_id).where(Domain.host == host)
        found += [(store_id, "host") for store_id in session.scalars(hosts)]
        slugs = select(Store.id).where(Store.slug.startswith(host, autoescape=True))
        found += [(one, "slug") for one in session.scalars(slugs.limit(MOST_FOUND))]
    names = select(Store.id).where(func.lower(Store.name).contains(low, autoescape=True))
    found += [(store_id, "name") for store_id in session.scalars(names.limit(MOST_FOUND))]
    return found


def _phone(wanted: str) -> str | None:
    try:
        return parse_msisdn(wanted)
    except InvalidPhone:
        return None
