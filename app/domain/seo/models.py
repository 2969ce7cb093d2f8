"""A store's sitemap as it was last written."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, func
from sqlalchemy.orm import Mapped, mapped_column

from app.db.base import Base
from app.db.tenancy import bound_store


class Sitemap(Base):
    __tablename__ = "sitemaps"

    store_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, default=bound_store)
    name: Mapped[str] = mapped_column(primary_key=True)  # sitemap.xml, sitemap-1.xml …
    body: Mapped[str]
    urls: Mapped[int]
    content_version: Mapped[int] = mapped_column(BigInteger)
    made_at: Mapped[datetime] = mapped_column(server_default=func.now())
