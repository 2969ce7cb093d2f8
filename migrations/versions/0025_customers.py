"""A customer's saved numbers, what a browser has proved, two profiles that are one person, ways to pay.

Additive; the new columns have defaults, so that no row is rewritten.
"""

from alembic import op

revision = "0025_customers"
down_revision = "0024_push"

UP = """
-- Numbers a customer may pay with. Taking one away deletes the row.
CREATE TABLE app.saved_numbers(
  store_id bigint NOT NULL DEFAULT app.store_id() REFERENCES app.stores(id), id uuid NOT NULL,
  customer_id uuid NOT NULL, phone_sealed bytea NOT NULL, phone_lookup bytea NOT NULL,
  label text NOT NULL DEFAULT '' CHECK (length(label) <= 40), is_default boolean NOT NULL DEFAULT false,
  created_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (store_id, id), CONSTRAINT saved_numbers_phone_key UNIQUE (store_id, customer_id, phone_lookup),
  FOREIGN KEY (store_id, customer_id) REFERENCES app.customers (store_id, id));
CREATE UNIQUE INDEX one_default_number ON app.saved_numbers (store_id, customer_id) WHERE is_default;
SELECT app.protect('app.saved_numbers');
GRANT SELECT, INSERT, UPDATE, DELETE ON app.saved_numbers TO dukani_app;

-- The numbers a browser has proved by a code since it was signed in: a prompt goes to no other without typing it.
CREATE TABLE app.proven_numbers(
  store_id bigint NOT NULL DEFAULT app.store_id() REFERENCES app.stores(id), id uuid NOT NULL,
  session_id uuid NOT NULL, phone_lookup bytea NOT NULL, proven_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (store_id, id), CONSTRAINT proven_numbers_phone_key UNIQUE (store_id, session_id, phone_lookup),
  FOREIGN KEY (store_id, session_id) REFERENCES app.shopper_sessions (store_id, id) ON DELETE CASCADE);
SELECT app.protect('app.proven_numbers');
GRANT SELECT, INSERT, DELETE ON app.proven_numbers TO dukani_app;
-- Whoever is signed in now has proved the number of their profile.
INSERT INTO app.proven_numbers (store_id, id, session_id, phone_lookup)
  SELECT s.store_id, gen_random_uuid(), s.id, c.phone_lookup FROM app.shopper_sessions s
    JOIN app.customers c ON c.store_id = s.store_id AND c.id = s.customer_id;
CREATE INDEX shopper_sessions_customer ON app.shopper_sessions (store_id, customer_id);

-- A profile that is the same person as another one keeps its number and points to it.
ALTER TABLE app.customers ADD COLUMN merged_into uuid, ADD COLUMN merged_at timestamptz,
  ADD CONSTRAINT customers_merged_into_fkey FOREIGN KEY (store_id, merged_into) REFERENCES app.customers (store_id, id),
  ADD CONSTRAINT customers_merged_check CHECK ((merged_into IS NULL) = (merged_at IS NULL) AND merged_into <> id);
CREATE INDEX customers_merged ON app.customers (store_id, merged_into) WHERE merged_into IS NOT NULL;
CREATE INDEX customers_name ON app.customers (store_id, lower(name)) WHERE merged_into IS NULL;
-- Two profiles that somebody looked at and said: these are two people.
CREATE TABLE app.kept_apart(
  store_id bigint NOT NULL DEFAULT app.store_id() REFERENCES app.stores(id), id uuid NOT NULL,
  one_id uuid NOT NULL, other_id uuid NOT NULL, actor text NOT NULL, at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (store_id, id), CONSTRAINT kept_apart_pair_key UNIQUE (store_id, one_id, other_id), CHECK (one_id < other_id),
  FOREIGN KEY (store_id, one_id) REFERENCES app.customers (store_id, id),
  FOREIGN KEY (store_id, other_id) REFERENCES app.customers (store_id, id));
SELECT app.protect('app.kept_apart');
GRANT SELECT, INSERT, DELETE ON app.kept_apart TO dukani_app;

-- Whose number an order was placed with, where that profile is part of the customer's by now.
ALTER TABLE app.orders ADD COLUMN placed_as uuid,
  ADD CONSTRAINT orders_placed_as_fkey FOREIGN KEY (store_id, placed_as) REFERENCES app.customers (store_id, id);

-- Ways to pay: which are open, and which is offered first.
ALTER TABLE app.stores ADD COLUMN accepts_mpesa boolean NOT NULL DEFAULT true,
  ADD COLUMN pay_first text NOT NULL DEFAULT 'mpesa' CHECK (pay_first IN ('mpesa','on_delivery')),
  ADD CONSTRAINT stores_one_way_to_pay CHECK (accepts_mpesa OR accepts_pay_on_delivery);
GRANT UPDATE (accepts_mpesa, pay_first) ON app.stores TO dukani_app;
"""

DOWN = """
REVOKE UPDATE (accepts_mpesa, pay_first) ON app.stores FROM dukani_app;
ALTER TABLE app.stores DROP CONSTRAINT stores_one_way_to_pay, DROP COLUMN pay_first, DROP COLUMN accepts_mpesa;
ALTER TABLE app.orders DROP COLUMN placed_as;
DROP INDEX app.customers_name;
ALTER TABLE app.customers DROP CONSTRAINT customers_merged_check, DROP COLUMN merged_into, DROP COLUMN merged_at;
DROP INDEX app.shopper_sessions_customer;
DROP TABLE app.kept_apart, app.proven_numbers, app.saved_numbers;
"""


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '3s'")
    op.execute(UP)


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '3s'")
    op.execute(DOWN)
