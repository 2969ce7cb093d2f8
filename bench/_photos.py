"""Photos for a shop that a benchmark opened: one of its own for every product."""

from __future__ import annotations

import json
import subprocess
import sys

from tests.world import ROOT, Shop, World

# Runs with the shop's own environment, because media and keys belong to it.
PROGRAM = """
import json, sys
from app import create_app
from app.db.engine import db
from app.db.tenancy import inside_store
from app.domain.catalog.models import Product, ProductImage
from app.domain.media.pictures import store_picture
from config import Settings
from tests.shop_window import photo

order = json.load(sys.stdin)
app = create_app(Settings.from_environ(), role="manage")
with app.app_context(), inside_store(order["store_id"]):
    session = db.session()
    ids = [row.id for row in session.query(Product.id).order_by(Product.id)]
    session.commit()  # drawing takes longer than a transaction may be idle
    for product_id, made in [(at, store_picture(photo(n))) for n, at in enumerate(ids)]:
        session.add(ProductImage(
            product_id=product_id, position=0, media_key=made.media_key, width=made.width,
            height=made.height, tint=made.tint, alt="", sizes=made.sizes, files=made.files,
        ))
    session.commit()
"""


def give_photos(world: World, shop: Shop) -> None:
    """Give every product of this shop a photo, in all its files."""
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        input=json.dumps({"store_id": shop.store_id}),
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=world.stack.env,
        check=False,
    )
    if ended.returncode:
        raise RuntimeError(ended.stderr[-2000:])
