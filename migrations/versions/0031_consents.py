"""What customers said about offers: a log that grows and never changes, but for whose it is. Additive."""

from alembic import op

revision = "0031_consents"
down_revision = "0030_history"

UP = """
-- A yes comes from the customer alone; a tick at checkout names its order. ``at`` is the moment of the
-- row and not of its transaction, which may have waited for a merge.
CREATE TABLE app.consents(
  store_id bigint NOT NULL DEFAULT app.store_id() REFERENCES app.stores(id), id uuid NOT NULL,
  customer_id uuid NOT NULL, said_as uuid NOT NULL,
  purpose text NOT NULL CHECK (purpose IN ('offers')), is_given boolean NOT NULL,
  is_proven boolean NOT NULL DEFAULT false,
  words text NOT NULL DEFAULT '' CHECK (length(words) <= 400), version text NOT NULL DEFAULT '',
  source text NOT NULL CHECK (source IN ('checkout','me','desk','merge')), actor text NOT NULL, order_id uuid,
  at timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (store_id, id),
  CONSTRAINT consents_yes_check CHECK (NOT is_given OR (source IN ('checkout','me') AND words <> '' AND version <> '')),
  CONSTRAINT consents_order_check CHECK ((source = 'checkout') = (order_id IS NOT NULL)),
  FOREIGN KEY (store_id, customer_id) REFERENCES app.customers (store_id, id),
  FOREIGN KEY (store_id, said_as) REFERENCES app.customers (store_id, id),
  FOREIGN KEY (store_id, order_id) REFERENCES app.orders (store_id, id));
CREATE INDEX consents_customer ON app.consents (store_id, customer_id, at);
SELECT app.protect('app.consents');
CREATE TRIGGER no_delete BEFORE DELETE ON app.consents FOR EACH ROW EXECUTE FUNCTION app.append_only();
CREATE TRIGGER no_change BEFORE UPDATE ON app.consents FOR EACH ROW
  WHEN (to_jsonb(NEW) - 'customer_id' IS DISTINCT FROM to_jsonb(OLD) - 'customer_id') EXECUTE FUNCTION app.append_only();
CREATE TRIGGER no_trunc BEFORE TRUNCATE ON app.consents FOR EACH STATEMENT EXECUTE FUNCTION app.append_only();
GRANT SELECT, INSERT, UPDATE (customer_id) ON app.consents TO dukani_app;
"""


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '3s'")
    op.execute(UP)


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '3s'")
    op.execute("DROP TABLE app.consents")
