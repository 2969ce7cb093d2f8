"""Counting tries, in Postgres, so that an emptied Redis frees nobody.

A counter is a name and a subject (a phone, an address, an account); the subject is stored
as a keyed hash, so the table names nobody. Counters belong to the store that is bound:
staff sign in through store 0.
"""

from __future__ import annotations

import math
from datetime import timedelta
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from sqlalchemy import ColumnElement, delete, func, select, text
from sqlalchemy.orm import Session

from app.db.tenancy import bound_store
from app.domain.errors import TooManyTries
from app.domain.people.models import RateCounter
from app.vault import vault

# Two lines in a row must not both see room for one more.
_ONE_AT_A_TIME = text("SELECT pg_advisory_xact_lock(71002, hashtext(:what))")
KEEP_FOR = timedelta(days=2)


def too_many(session: Session, name: str, subject: str, limit: int, window_seconds: int) -> int:
    """Seconds until there is room for another try; 0, which is false, when there is room now.

    Asks only: ``note_try`` counts. The window slides.
    """
    oldest, count, now = session.execute(
        select(func.min(RateCounter.at), func.count(), func.clock_timestamp()).where(
            *_tries(name, subject),
            RateCounter.at > func.clock_timestamp() - timedelta(seconds=window_seconds),
        )
    ).one()
    if count < limit:
        return 0
    if limit == 0:
        return window_seconds
    # Room comes when enough of the oldest tries have left the window.
    leaves_first = session.scalar(
        select(RateCounter.at)
        .where(*_tries(name, subject), RateCounter.at >= oldest)
        .order_by(RateCounter.at)
        .offset(count - limit)
        .limit(1)
    )
    age: float = (now - (leaves_first or oldest)).total_seconds()
    return max(1, math.ceil(window_seconds - age))


def note_try(session: Session, name: str, subject: str) -> None:
    """Count one try. It stays counted only if the transaction commits."""
    session.add(RateCounter(name=name, subject_hash=_hashed(subject)))
    session.flush()


def take_turn(session: Session, name: str, subject: str, *limits: tuple[int, int]) -> None:
    """Count one try if every ``(limit, window_seconds)`` has room, else raise TooManyTries.

    Holds a lock on the subject until the transaction ends, so that simultaneous tries are
    counted one after the other.
    """
    session.execute(_ONE_AT_A_TIME, {"what": f"{bound_store()}:{name}:{_hashed(subject).hex()}"})
    wait = max(too_many(session, name, subject, limit, window) for limit, window in limits)
    if wait:
        raise TooManyTries(wait)
    note_try(session, name, subject)


def forget_tries(session: Session, name: str, subject: str) -> None:
    """Start this subject's counter again, for example after a password was right."""
    session.execute(delete(RateCounter).where(*_tries(name, subject)))


def sweep_tries(session: Session) -> int:
    """Delete what no window can still need. Returns how many rows went."""
    old = RateCounter.at < func.now() - KEEP_FOR
    removed = session.execute(
        delete(RateCounter)
        .where(RateCounter.store_id == bound_store(), old)
        .returning(RateCounter.id)
    )
    return len(removed.all())


def address_group(address: str) -> str:
    """The part of an IP address that one customer of a network has: IPv6 by its /64.

    An address that cannot be read counts as one shared, unknown place.
    """
    found = _read_address(address)
    if isinstance(found, IPv6Address):
        return str(ip_network(f"{found}/64", strict=False))
    return str(found) if found else "unknown"


def neighbourhood(address: str) -> str:
    """The /24 of an IPv4 address, the /48 of an IPv6 one."""
    found = _read_address(address)
    if found is None:
        return "unknown"
    size = 48 if isinstance(found, IPv6Address) else 24
    return str(ip_network(f"{found}/{size}", strict=False))


def _read_address(address: str) -> IPv4Address | IPv6Address | None:
    try:
        found = ip_address(address)
    except ValueError:
        return None
    if isinstance(found, IPv6Address) and found.ipv4_mapped:
        return found.ipv4_mapped
    return found


def _hashed(subject: str) -> bytes:
    return vault().lookup(f"tries:{subject}", store_id=bound_store())


def _tries(name: str, subject: str) -> tuple[ColumnElement[bool], ...]:
    return (
        RateCounter.store_id == bound_store(),
        RateCounter.name == name,
        RateCounter.subject_hash == _hashed(subject),
    )
