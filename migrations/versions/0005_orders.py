"""Orders, their lines and timeline, and the stock held for them.

Additive.
"""

from alembic import op

revision = "0005_orders"
down_revision = "0004_shopping"

UP = """
CREATE TABLE app.orders(
  store_id bigint NOT NULL DEFAULT app.store_id() REFERENCES app.stores(id), id uuid NOT NULL,
  code text NOT NULL, token_hash bytea NOT NULL, token_sealed bytea NOT NULL,
  customer_id uuid NOT NULL, cart_id uuid, status text NOT NULL DEFAULT 'pending_payment',
  payment_method text NOT NULL DEFAULT 'mpesa' CHECK (payment_method IN ('mpesa','on_delivery')),
  channel text NOT NULL DEFAULT 'web', currency text NOT NULL DEFAULT 'KES', language text NOT NULL DEFAULT 'en',
  subtotal_cents bigint NOT NULL CHECK (subtotal_cents >= 0),
  discount_cents bigint NOT NULL DEFAULT 0 CHECK (discount_cents >= 0),
  delivery_fee_cents bigint NOT NULL CHECK (delivery_fee_cents >= 0),
  rounding_cents bigint NOT NULL DEFAULT 0 CHECK (abs(rounding_cents) <= 50),
  total_cents bigint NOT NULL CHECK (total_cents > 0 AND total_cents % 100 = 0),
  vat_cents bigint NOT NULL DEFAULT 0 CHECK (vat_cents >= 0),
  fee_reason text NOT NULL DEFAULT '', quote_id uuid,
  is_pickup boolean NOT NULL DEFAULT false, area text, landmark text NOT NULL DEFAULT '', customer_name text NOT NULL DEFAULT '',
  rider_id uuid, promised_at timestamptz, version integer NOT NULL DEFAULT 1,
  placed_at timestamptz NOT NULL DEFAULT now(), paid_at timestamptz, packed_at timestamptz, dispatched_at timestamptz,
  delivered_at timestamptz, cancelled_at timestamptz,
  PRIMARY KEY (store_id, id), CONSTRAINT orders_code_key UNIQUE (store_id, code),
  CONSTRAINT orders_token_key UNIQUE (token_hash),   -- random, so global is safe
  CONSTRAINT orders_total_adds_up CHECK (total_cents = subtotal_cents - discount_cents + delivery_fee_cents + rounding_cents),
  CONSTRAINT orders_area_check CHECK (is_pickup OR area IS NOT NULL),
  FOREIGN KEY (store_id, customer_id) REFERENCES app.customers (store_id, id),
  FOREIGN KEY (store_id, rider_id) REFERENCES app.riders (store_id, id));
CREATE INDEX orders_board ON app.orders (store_id, status, placed_at);
CREATE INDEX orders_placed ON app.orders (store_id, placed_at);
CREATE INDEX orders_customer ON app.orders (store_id, customer_id, placed_at DESC);
INSERT INTO app.transitions VALUES
  ('orders','','pending_payment'), ('orders','','accepted'),
  ('orders','pending_payment','paid'), ('orders','pending_payment','accepted'), ('orders','pending_payment','cancelled'),
  ('orders','paid','packed'), ('orders','paid','cancelled'), ('orders','accepted','packed'), ('orders','accepted','cancelled'),
  ('orders','packed','dispatched'), ('orders','packed','delivered'), ('orders','packed','cancelled'),
  ('orders','dispatched','delivered'), ('orders','dispatched','returned'),
  ('orders','delivered','closed'), ('orders','delivered','returned'), ('orders','returned','closed'), ('orders','cancelled','paid');
CREATE TRIGGER legal_status BEFORE INSERT OR UPDATE OF status ON app.orders
  FOR EACH ROW EXECUTE FUNCTION app.enforce_transition();
SELECT app.protect('app.orders');
GRANT SELECT, INSERT, UPDATE ON app.orders TO dukani_app;

CREATE TABLE app.order_lines(
  store_id bigint NOT NULL DEFAULT app.store_id() REFERENCES app.stores(id), id uuid NOT NULL,
  order_id uuid NOT NULL, n smallint NOT NULL, variant_id uuid,
  sku text NOT NULL, name text NOT NULL, option_text text NOT NULL DEFAULT '',
  quantity integer NOT NULL CHECK (quantity > 0), price_cents bigint NOT NULL CHECK (price_cents >= 0),
  cost_cents bigint, vat_rate smallint NOT NULL DEFAULT 0 CHECK (vat_rate BETWEEN 0 AND 100),
  vat_cents bigint NOT NULL DEFAULT 0, total_cents bigint NOT NULL CHECK (total_cents = price_cents * quantity),
  PRIMARY KEY (store_id, id), CONSTRAINT order_lines_n_key UNIQUE (store_id, order_id, n),
  FOREIGN KEY (store_id, order_id) REFERENCES app.orders (store_id, id));
SELECT app.protect('app.order_lines'), app.keep_history('app.order_lines');
GRANT SELECT, INSERT ON app.order_lines TO dukani_app;

CREATE TABLE app.order_events(
  store_id bigint NOT NULL DEFAULT app.store_id() REFERENCES app.stores(id), id uuid NOT NULL,
  order_id uuid NOT NULL, at timestamptz NOT NULL DEFAULT clock_timestamp(), kind text NOT NULL,
  actor text NOT NULL DEFAULT 'system', channel text NOT NULL DEFAULT 'web', is_public boolean NOT NULL DEFAULT true,
  detail jsonb NOT NULL DEFAULT '{}',
  PRIMARY KEY (store_id, id), FOREIGN KEY (store_id, order_id) REFERENCES app.orders (store_id, id));
CREATE INDEX order_events_order ON app.order_events (store_id, order_id, at);
SELECT app.protect('app.order_events'), app.keep_history('app.order_events');
GRANT SELECT, INSERT ON app.order_events TO dukani_app;

CREATE TABLE app.reservations(
  store_id bigint NOT NULL DEFAULT app.store_id() REFERENCES app.stores(id), id uuid NOT NULL,
  order_id uuid NOT NULL, variant_id uuid NOT NULL, quantity integer NOT NULL CHECK (quantity > 0),
  status text NOT NULL DEFAULT 'live', expires_at timestamptz NOT NULL, created_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (store_id, id),
  FOREIGN KEY (store_id, order_id) REFERENCES app.orders (store_id, id),
  FOREIGN KEY (store_id, variant_id) REFERENCES app.variants (store_id, id));
CREATE UNIQUE INDEX one_live_reservation ON app.reservations (store_id, order_id, variant_id) WHERE status = 'live';
CREATE INDEX reservations_variant ON app.reservations (store_id, variant_id) WHERE status = 'live';
INSERT INTO app.transitions VALUES ('reservations','','live'), ('reservations','live','consumed'), ('reservations','live','released');
CREATE TRIGGER legal_status BEFORE INSERT OR UPDATE OF status ON app.reservations
  FOR EACH ROW EXECUTE FUNCTION app.enforce_transition();
SELECT app.protect('app.reservations');
GRANT SELECT, INSERT, UPDATE ON app.reservations TO dukani_app;
"""

DOWN = """
DROP TABLE app.reservations, app.order_events, app.order_lines, app.orders CASCADE;
DELETE FROM app.transitions WHERE entity IN ('orders', 'reservations');
"""


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '3s'")
    op.execute(UP)


def downgrade() -> None:
    op.execute(DOWN)
