"""The store: the tenant, and what a shopper is told about it."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import BigInteger, func
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.db.base import Base
from app.db.tenancy import bound_store


class Store(Base):
    __tablename__ = "stores"

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    slug: Mapped[str]
    name: Mapped[str]
    kind: Mapped[str] = mapped_column(default="mixed")
    status: Mapped[str] = mapped_column(default="active")
    prompt_name: Mapped[str] = mapped_column(default="")  # as M-Pesa will show it
    code_prefix: Mapped[str] = mapped_column(default="DK")
    place: Mapped[str] = mapped_column(default="")
    opening_hours: Mapped[dict[str, Any]] = mapped_column(
        default=dict
    )  # {"mon": ["08:00", "19:00"], …}
    phone: Mapped[str] = mapped_column(default="")  # the store's own public number, E.164
    whatsapp: Mapped[str] = mapped_column(default="")
    colour_hue: Mapped[int] = mapped_column(default=262)
    return_days: Mapped[int] = mapped_column(default=7)
    kra_pin: Mapped[str | None]
    is_vat_registered: Mapped[bool] = mapped_column(default=False)
    accepts_mpesa: Mapped[bool] = mapped_column(default=True)
    accepts_pay_on_delivery: Mapped[bool] = mapped_column(default=False)
    pay_first: Mapped[str] = mapped_column(default="mpesa")  # which way to pay is offered first
    accepts_pickup: Mapped[bool] = mapped_column(default=True)
    gives_points: Mapped[bool] = mapped_column(default=False)  # loyalty.settings
    goods_per_point_cents: Mapped[int] = mapped_column(BigInteger, default=100_00)
    point_worth_cents: Mapped[int] = mapped_column(BigInteger, default=1_00)
    callback_trust_limit_cents: Mapped[int] = mapped_column(BigInteger, default=0)
    licence: Mapped[str] = mapped_column(default="")  # of trade, as the county wrote it
    logo: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    holidays: Mapped[list[Any]] = mapped_column(default=list)  # [{"on": "2026-12-25", "name": …}]
    paused_words: Mapped[str] = mapped_column(default="")
    paused_until: Mapped[datetime | None]  # opens by itself then
    density: Mapped[str] = mapped_column(default="roomy")
    home_layout: Mapped[str] = mapped_column(default="grid")
    corners: Mapped[str] = mapped_column(default="round")
    page_links: Mapped[list[Any]] = mapped_column(default=list)  # of the foot, by the pages' code
    content_version: Mapped[int] = mapped_column(BigInteger, default=1)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())

    def takes_orders(self, now: datetime) -> bool:
        """Whether shoppers may order at this instant (UTC). A break with an end ends by itself."""
        if self.status == "paused":
            return self.paused_until is not None and self.paused_until <= now
        return self.status == "active"

    @property
    def ways_to_pay(self) -> list[str]:
        """The ways that are open, in the order in which they are offered."""
        ways = ["mpesa"] * self.accepts_mpesa + ["on_delivery"] * self.accepts_pay_on_delivery
        return sorted(ways, key=lambda way: way != self.pay_first)

    @property
    def closed_dates(self) -> frozenset[date]:
        """The holidays it is closed on, as days in Nairobi."""
        return frozenset(date.fromisoformat(holiday["on"]) for holiday in self.holidays or ())


class Domain(Base):
    """A host that shows a store. Only verified hosts resolve."""

    __tablename__ = "domains"

    store_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, default=bound_store)
    host: Mapped[str] = mapped_column(primary_key=True)  # lower case, no port
    is_canonical: Mapped[bool] = mapped_column(default=True)
    verified_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class Counter(Base):
    """A number that a store keeps, by name: the last one given out, or the last one counted."""

    __tablename__ = "counters"

    store_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, default=bound_store)
    name: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[int] = mapped_column(BigInteger, default=0)
