"""The demo's stock adds up: every unit on a shelf came by a movement."""

from __future__ import annotations

import pytest
from flask import Flask
from sqlalchemy import func, select

from app.db.engine import db, platform_session
from app.db.tenancy import inside_store
from app.domain.catalog.models import StockMovement, Variant
from app.domain.catalog.shelf import stock_breaks
from app.domain.media.pictures import StoredPicture
from app.domain.stores.models import Store
from config import Settings
from local.demo import seed
from local.demo.catalogue import DAKIKA


@pytest.mark.row("N59")
def test_the_demo_shops_stock_is_the_sum_of_its_movements(
    app: Flask, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Its pictures take a minute to draw, and stock does not look at them.
    blank = StoredPicture(media_key="0" * 32, width=800, height=800, tint=0)
    count = sum(len(goods.pictures) for goods in DAKIKA.products)
    monkeypatch.setattr(seed, "_draw_all", lambda *_: [blank] * count)
    with app.app_context():
        seed.seed_store(DAKIKA, settings)
        with platform_session() as platform:
            store_id = platform.scalars(select(Store.id).where(Store.slug == DAKIKA.slug)).one()
        with inside_store(store_id):
            session = db.session()
            assert stock_breaks(session) == []
            reasons = set(session.scalars(select(StockMovement.reason).distinct()))
            assert {"received", "sale"} <= reasons
            assert (session.scalar(select(func.count()).select_from(Variant)) or 0) > 50
            db.session.remove()
