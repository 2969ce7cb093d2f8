"""Asking for later work, in the transaction that makes it necessary.

The outbox row is the job; the relay and RQ only ring the bell. A topic belongs to one
queue, so that slow messages never hold up money.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import func, text
from sqlalchemy.orm import Mapped, Session, mapped_column

from app.db.base import Base, StoreOwned
from app.ids import new_id

request_id: ContextVar[str] = ContextVar("request_id", default="")


class Queue(StrEnum):
    MONEY = "money"
    MESSAGES = "messages"
    BULK = "bulk"


class Topic(StrEnum):
    SEND_ATTEMPT = "send_attempt"
    HANDLE_CALLBACK = "handle_callback"
    CONFIRM_ATTEMPT = "confirm_attempt"
    CHECK_ATTEMPT = "check_attempt"
    RELEASE_HOLD = "release_hold"
    REGISTER_C2B = "register_c2b"
    SEND_MESSAGE = "send_message"
    OFFER_TO_WAITING = "offer_to_waiting"
    LAPSE_OFFER = "lapse_offer"
    WRITE_SITEMAP = "write_sitemap"
    LOOK_FOR_NUDGES = "look_for_nudges"
    SWEEP_OLD_ROWS = "sweep_old_rows"
    GO_ON_WITH_IMPORT = "go_on_with_import"
    TAKE_IMPORT_BACK = "take_import_back"
    FETCH_IMPORT_PICTURES = "fetch_import_pictures"
    MAKE_EXPORT = "make_export"
    MAKE_PICTURE = "make_picture"
    MAKE_AVIF = "make_avif"
    PURGE_PAGES = "purge_pages"
    REPRICE_CARDS = "reprice_cards"


QUEUE_OF: dict[Topic, Queue] = {
    Topic.SEND_ATTEMPT: Queue.MONEY,
    Topic.HANDLE_CALLBACK: Queue.MONEY,
    Topic.CONFIRM_ATTEMPT: Queue.MONEY,
    Topic.CHECK_ATTEMPT: Queue.MONEY,
    Topic.RELEASE_HOLD: Queue.MONEY,
    Topic.REGISTER_C2B: Queue.MONEY,
    Topic.SEND_MESSAGE: Queue.MESSAGES,
    Topic.OFFER_TO_WAITING: Queue.MESSAGES,
    Topic.LAPSE_OFFER: Queue.MESSAGES,
    Topic.WRITE_SITEMAP: Queue.BULK,
    Topic.LOOK_FOR_NUDGES: Queue.BULK,
    Topic.SWEEP_OLD_ROWS: Queue.BULK,
    Topic.GO_ON_WITH_IMPORT: Queue.BULK,
    Topic.TAKE_IMPORT_BACK: Queue.BULK,
    Topic.FETCH_IMPORT_PICTURES: Queue.BULK,
    Topic.MAKE_EXPORT: Queue.BULK,
    Topic.MAKE_PICTURE: Queue.BULK,
    Topic.MAKE_AVIF: Queue.BULK,
    Topic.PURGE_PAGES: Queue.BULK,
    Topic.REPRICE_CARDS: Queue.BULK,
}

# Plain text, because every step of every payment comes by here.
_ASK = text(
    "INSERT INTO app.outbox (id, topic, queue, dedupe_key, payload, request_id, available_at)"
    " SELECT id, topic, queue, dedupe_key, payload, :request_id, now() + make_interval(secs => after_seconds)"
    " FROM jsonb_to_recordset(CAST(:wanted AS jsonb)) AS w(id uuid, topic text, queue text, dedupe_key text,"
    " payload jsonb, after_seconds float8) ON CONFLICT DO NOTHING"
)


class OutboxRow(StoreOwned, Base):
    __tablename__ = "outbox"

    topic: Mapped[str]
    queue: Mapped[str]
    dedupe_key: Mapped[str]
    payload: Mapped[dict[str, Any]] = mapped_column(default=dict)
    request_id: Mapped[str] = mapped_column(default="")
    status: Mapped[str] = mapped_column(default="pending")
    attempts: Mapped[int] = mapped_column(default=0)
    available_at: Mapped[datetime] = mapped_column(server_default=func.now())
    lease_until: Mapped[datetime | None]
    last_error: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    done_at: Mapped[datetime | None]


Id = str | int | list[str]


@dataclass(frozen=True)
class Work:
    """One piece of later work, with the words of ``ask_for``."""

    topic: Topic
    key: str
    ids: Mapping[str, Id]
    after_seconds: float = 0
    id: UUID = field(default_factory=new_id)


def ask_for(
    session: Session, topic: Topic, *, key: str, after_seconds: float = 0, **ids: Id
) -> UUID:
    """Ask for later work in this transaction: it happens if, and only if, we commit.

    ``key`` makes asking twice the same as asking once. ``ids`` are identifiers only,
    never objects, phone numbers or secrets. ``after_seconds`` delays the first run.
    Returns the row's id (of this call's row, also where an earlier one stood already).
    """
    work = Work(topic, key, ids, after_seconds)
    ask_for_all(session, work)
    return work.id


def ask_for_all(session: Session, *wanted: Work) -> None:
    """The same for several pieces of work, in one statement."""
    if not wanted:
        return
    rows = [
        {
            "id": str(work.id),
            "topic": work.topic.value,
            "queue": QUEUE_OF[work.topic].value,
            "dedupe_key": work.key,
            "payload": work.ids,
            "after_seconds": work.after_seconds,
        }
        for work in wanted
    ]
    session.execute(_ASK, {"wanted": json.dumps(rows), "request_id": request_id.get()})


class TryLater(Exception):
    """A handler could not finish; its row rings again after ``after_seconds``."""

    def __init__(self, reason: str, *, after_seconds: float) -> None:
        self.after_seconds = after_seconds
        super().__init__(reason)


Handler = Callable[..., None]
