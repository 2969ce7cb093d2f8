"""Find the order a cart became without walking through everything that waits for payment.

Additive; the index is made while shops sell.
"""

from alembic import op

revision = "0010_orders_by_cart"
down_revision = "0009_insights_and_seo"


def upgrade() -> None:
    with op.get_context().autocommit_block():
        op.execute("CREATE INDEX CONCURRENTLY orders_cart ON app.orders (store_id, cart_id)")


def downgrade() -> None:
    op.execute("DROP INDEX app.orders_cart")
