"""The VAT class of what was sold, kept with the line: zero-rated and exempt are two things on an invoice.

Additive. Lines sold before keep "none": their rate still says what VAT was in them.
"""

from alembic import op

revision = "0026_vat_class"
down_revision = "0025_customers"

UP = """
ALTER TABLE app.order_lines ADD COLUMN vat_class text NOT NULL DEFAULT 'none'
  CHECK (vat_class IN ('standard', 'zero', 'exempt', 'none'));
-- The one on top of the home page is found without reading the others.
CREATE INDEX product_cards_featured ON app.product_cards (store_id, created_at DESC, slug)
  WHERE is_shown AND is_featured AND NOT is_out;
"""

DOWN = """
DROP INDEX app.product_cards_featured;
ALTER TABLE app.order_lines DROP COLUMN vat_class;
"""


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '3s'")
    op.execute(UP)


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '3s'")
    op.execute(DOWN)
