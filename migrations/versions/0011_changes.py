"""What people changed in settings and goods, kept so that it can be shown and taken back.

Additive.
"""

from alembic import op

revision = "0011_changes"
down_revision = "0010_orders_by_cart"

UP = """
CREATE TABLE app.changes(
  store_id bigint NOT NULL DEFAULT app.store_id() REFERENCES app.stores(id), id uuid NOT NULL,
  kind text NOT NULL, subject text NOT NULL DEFAULT '', actor text NOT NULL,
  before jsonb NOT NULL, after jsonb NOT NULL,
  at timestamptz NOT NULL DEFAULT clock_timestamp(), taken_back_at timestamptz, taken_back_by text,
  PRIMARY KEY (store_id, id));
CREATE INDEX changes_latest ON app.changes (store_id, kind, subject, at DESC);
SELECT app.protect('app.changes');
GRANT SELECT, INSERT, UPDATE ON app.changes TO dukani_app;
"""


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '3s'")
    op.execute(UP)


def downgrade() -> None:
    op.execute("DROP TABLE app.changes")
