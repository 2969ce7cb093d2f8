"""A page of the shop's own words: about, contact, a policy, anything."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import func
from sqlalchemy.orm import Mapped, mapped_column

from app.db.base import Base, StoreOwned


class Page(StoreOwned, Base):
    """``content`` is ``{"en": {"title": …, "blocks": […]}, "sw": …}``; a language may be missing.

    For the addresses that have a ready text, a missing language reads the ready text.
    """

    __tablename__ = "pages"

    slug: Mapped[str]
    kind: Mapped[str] = mapped_column(default="page")  # page or policy
    content: Mapped[dict[str, Any]] = mapped_column(default=dict)
    is_published: Mapped[bool] = mapped_column(default=False)
    position: Mapped[int] = mapped_column(default=0)
    changed_at: Mapped[datetime] = mapped_column(server_default=func.now())
