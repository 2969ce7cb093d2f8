"""Customers, carts, delivery areas with fees, quotes.

Additive.
"""

from alembic import op

revision = "0004_shopping"
down_revision = "0003_catalog"

UP = """
CREATE TABLE app.customers(
  store_id bigint NOT NULL DEFAULT app.store_id() REFERENCES app.stores(id), id uuid NOT NULL,
  phone_sealed bytea NOT NULL, phone_lookup bytea NOT NULL, name text NOT NULL DEFAULT '',
  language text NOT NULL DEFAULT 'en', last_area text, last_landmark text NOT NULL DEFAULT '',
  verified_at timestamptz, created_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (store_id, id), CONSTRAINT customers_phone_key UNIQUE (store_id, phone_lookup));
SELECT app.protect('app.customers');
GRANT SELECT, INSERT, UPDATE ON app.customers TO dukani_app;

CREATE TABLE app.shopper_sessions(
  store_id bigint NOT NULL DEFAULT app.store_id() REFERENCES app.stores(id), id uuid NOT NULL,
  token_hash bytea NOT NULL, customer_id uuid NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(), expires_at timestamptz NOT NULL,
  PRIMARY KEY (store_id, id), CONSTRAINT shopper_sessions_token_key UNIQUE (token_hash),   -- random, so global is safe
  FOREIGN KEY (store_id, customer_id) REFERENCES app.customers (store_id, id));
SELECT app.protect('app.shopper_sessions');
GRANT SELECT, INSERT, UPDATE, DELETE ON app.shopper_sessions TO dukani_app;

CREATE TABLE app.carts(
  store_id bigint NOT NULL DEFAULT app.store_id() REFERENCES app.stores(id), id uuid NOT NULL,
  code text NOT NULL, customer_id uuid, area text, channel text NOT NULL DEFAULT 'web',
  created_at timestamptz NOT NULL DEFAULT now(), updated_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (store_id, id), CONSTRAINT carts_code_key UNIQUE (store_id, code),
  FOREIGN KEY (store_id, customer_id) REFERENCES app.customers (store_id, id));
CREATE UNIQUE INDEX one_cart_per_customer ON app.carts (store_id, customer_id) WHERE customer_id IS NOT NULL;
SELECT app.protect('app.carts');
GRANT SELECT, INSERT, UPDATE, DELETE ON app.carts TO dukani_app;

CREATE TABLE app.cart_lines(
  store_id bigint NOT NULL DEFAULT app.store_id() REFERENCES app.stores(id), id uuid NOT NULL,
  cart_id uuid NOT NULL, variant_id uuid NOT NULL, quantity integer NOT NULL CHECK (quantity BETWEEN 1 AND 999),
  added_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (store_id, id), CONSTRAINT cart_lines_variant_key UNIQUE (store_id, cart_id, variant_id),
  FOREIGN KEY (store_id, cart_id) REFERENCES app.carts (store_id, id) ON DELETE CASCADE,
  FOREIGN KEY (store_id, variant_id) REFERENCES app.variants (store_id, id) ON DELETE CASCADE);
SELECT app.protect('app.cart_lines');
GRANT SELECT, INSERT, UPDATE, DELETE ON app.cart_lines TO dukani_app;

CREATE TABLE app.delivery_areas(
  store_id bigint NOT NULL DEFAULT app.store_id() REFERENCES app.stores(id), id uuid NOT NULL,
  area text NOT NULL, fee_cents bigint NOT NULL CHECK (fee_cents >= 0 AND fee_cents % 100 = 0),
  minimum_order_cents bigint NOT NULL DEFAULT 0 CHECK (minimum_order_cents >= 0),
  free_from_cents bigint CHECK (free_from_cents > 0),
  minutes integer NOT NULL DEFAULT 180 CHECK (minutes BETWEEN 15 AND 20160),
  is_active boolean NOT NULL DEFAULT true, changed_by text NOT NULL DEFAULT '', changed_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (store_id, id), CONSTRAINT delivery_areas_area_key UNIQUE (store_id, area));
SELECT app.protect('app.delivery_areas');
GRANT SELECT, INSERT, UPDATE, DELETE ON app.delivery_areas TO dukani_app;

CREATE TABLE app.fee_rules(
  store_id bigint NOT NULL DEFAULT app.store_id() REFERENCES app.stores(id), id uuid NOT NULL,
  position integer NOT NULL DEFAULT 0, kind text NOT NULL, area text, terms jsonb NOT NULL DEFAULT '{}',
  is_active boolean NOT NULL DEFAULT true,
  PRIMARY KEY (store_id, id));
SELECT app.protect('app.fee_rules');
GRANT SELECT, INSERT, UPDATE, DELETE ON app.fee_rules TO dukani_app;

-- A fee shown at checkout is honoured for 15 minutes. One row is also one "checkout begun" for that area.
CREATE TABLE app.delivery_quotes(
  store_id bigint NOT NULL DEFAULT app.store_id() REFERENCES app.stores(id), id uuid NOT NULL,
  cart_id uuid NOT NULL, area text NOT NULL, subtotal_cents bigint NOT NULL, fee_cents bigint NOT NULL CHECK (fee_cents >= 0),
  reason text NOT NULL DEFAULT '', promised_at timestamptz, created_at timestamptz NOT NULL DEFAULT now(),
  expires_at timestamptz NOT NULL,
  PRIMARY KEY (store_id, id));
CREATE INDEX delivery_quotes_area ON app.delivery_quotes (store_id, created_at, area);
CREATE INDEX delivery_quotes_cart ON app.delivery_quotes (store_id, cart_id, area, expires_at);
SELECT app.protect('app.delivery_quotes');
GRANT SELECT, INSERT, DELETE ON app.delivery_quotes TO dukani_app;

CREATE TABLE app.riders(
  store_id bigint NOT NULL DEFAULT app.store_id() REFERENCES app.stores(id), id uuid NOT NULL,
  name text NOT NULL, phone_sealed bytea, phone_lookup bytea, is_active boolean NOT NULL DEFAULT true,
  created_at timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (store_id, id));
SELECT app.protect('app.riders');
GRANT SELECT, INSERT, UPDATE ON app.riders TO dukani_app;
"""

DOWN = """
DROP TABLE app.riders, app.delivery_quotes, app.fee_rules, app.delivery_areas, app.cart_lines, app.carts,
  app.shopper_sessions, app.customers CASCADE;
"""


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '3s'")
    op.execute(UP)


def downgrade() -> None:
    op.execute(DOWN)
