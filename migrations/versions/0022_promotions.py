"""Codes, deals, bundles, tiers, customer groups, timed sales and floor prices.

Additive; the new columns have defaults, so that no row is rewritten.
"""

from alembic import op

revision = "0022_promotions"
down_revision = "0021_found"

UP = """
CREATE TABLE app.customer_groups(
  store_id bigint NOT NULL DEFAULT app.store_id() REFERENCES app.stores(id), id uuid NOT NULL,
  name text NOT NULL CHECK (length(name) BETWEEN 1 AND 60), created_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (store_id, id), CONSTRAINT customer_groups_name_key UNIQUE (store_id, name));
SELECT app.protect('app.customer_groups');
GRANT SELECT, INSERT, UPDATE, DELETE ON app.customer_groups TO dukani_app;

CREATE TABLE app.group_members(
  store_id bigint NOT NULL DEFAULT app.store_id() REFERENCES app.stores(id), id uuid NOT NULL,
  group_id uuid NOT NULL, phone_sealed bytea NOT NULL, phone_lookup bytea NOT NULL,
  added_by text NOT NULL DEFAULT '', added_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (store_id, id), CONSTRAINT group_members_phone_key UNIQUE (store_id, phone_lookup),  -- one group each
  FOREIGN KEY (store_id, group_id) REFERENCES app.customer_groups (store_id, id) ON DELETE CASCADE);
SELECT app.protect('app.group_members');
GRANT SELECT, INSERT, UPDATE, DELETE ON app.group_members TO dukani_app;

CREATE TABLE app.promotions(
  store_id bigint NOT NULL DEFAULT app.store_id() REFERENCES app.stores(id), id uuid NOT NULL,
  kind text NOT NULL CHECK (kind IN ('coupon','deal','bundle','tier','group','sale')),
  effect text NOT NULL CHECK (effect IN ('percent','amount','price','free_delivery','buy_get','tiers')),
  name text NOT NULL CHECK (length(name) BETWEEN 1 AND 60),
  code text CHECK (code ~ '^[A-Z0-9]{3,20}$'),
  percent smallint CHECK (percent BETWEEN 1 AND 99),
  amount_cents bigint CHECK (amount_cents > 0 AND amount_cents % 100 = 0),   -- taken off, or the price itself
  buy_n smallint CHECK (buy_n BETWEEN 1 AND 99), get_m smallint CHECK (get_m BETWEEN 1 AND 99),
  tiers jsonb NOT NULL DEFAULT '[]',                     -- [{"from": 3, "percent": 5}, {"from": 10, "price_cents": 90000}]
  categories uuid[] NOT NULL DEFAULT '{}', variants uuid[] NOT NULL DEFAULT '{}',   -- both empty: everything
  areas text[] NOT NULL DEFAULT '{}', group_id uuid,
  is_first_order boolean NOT NULL DEFAULT false, per_phone smallint CHECK (per_phone BETWEEN 1 AND 99),
  minimum_cents bigint NOT NULL DEFAULT 0 CHECK (minimum_cents >= 0),
  max_uses integer CHECK (max_uses > 0), budget_cents bigint CHECK (budget_cents > 0),
  used integer NOT NULL DEFAULT 0, given_cents bigint NOT NULL DEFAULT 0,
  starts_at timestamptz, ends_at timestamptz,
  ignores_floor boolean NOT NULL DEFAULT false, floor_allowed_by text NOT NULL DEFAULT '',
  is_active boolean NOT NULL DEFAULT true, removed_at timestamptz, created_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (store_id, id),
  CONSTRAINT promotions_coupon_check CHECK ((kind = 'coupon') = (code IS NOT NULL)),
  CONSTRAINT promotions_time_check CHECK (ends_at > starts_at),
  CONSTRAINT promotions_uses_check CHECK (used >= 0 AND (max_uses IS NULL OR used <= max_uses)),
  CONSTRAINT promotions_budget_check CHECK (given_cents >= 0 AND (budget_cents IS NULL OR given_cents <= budget_cents)),
  FOREIGN KEY (store_id, group_id) REFERENCES app.customer_groups (store_id, id));
CREATE UNIQUE INDEX promotions_code_key ON app.promotions (store_id, code) WHERE removed_at IS NULL;
CREATE INDEX promotions_kind ON app.promotions (store_id, kind) WHERE removed_at IS NULL;
SELECT app.protect('app.promotions');
GRANT SELECT, INSERT, UPDATE ON app.promotions TO dukani_app;

-- One row is one order that got something. Only a code's uses are counted against its limits.
CREATE TABLE app.promotion_uses(
  store_id bigint NOT NULL DEFAULT app.store_id() REFERENCES app.stores(id), id uuid NOT NULL,
  promotion_id uuid NOT NULL, order_id uuid NOT NULL, phone_lookup bytea NOT NULL,
  given_cents bigint NOT NULL CHECK (given_cents >= 0), at timestamptz NOT NULL DEFAULT now(),
  released_at timestamptz,                               -- the order was called off, or its time to pay ran out
  is_over boolean NOT NULL DEFAULT false,                -- paid late, when the code was used up: counted beside the limit
  PRIMARY KEY (store_id, id), CONSTRAINT promotion_uses_order_key UNIQUE (store_id, order_id, promotion_id),
  FOREIGN KEY (store_id, promotion_id) REFERENCES app.promotions (store_id, id),
  FOREIGN KEY (store_id, order_id) REFERENCES app.orders (store_id, id));
CREATE INDEX promotion_uses_phone ON app.promotion_uses (store_id, promotion_id, phone_lookup) WHERE released_at IS NULL;
SELECT app.protect('app.promotion_uses');
GRANT SELECT, INSERT, UPDATE ON app.promotion_uses TO dukani_app;

ALTER TABLE app.carts ADD COLUMN coupon_code text CHECK (length(coupon_code) <= 20);
ALTER TABLE app.orders ADD COLUMN coupon_code text;
ALTER TABLE app.order_lines
  ADD COLUMN discount_cents bigint NOT NULL DEFAULT 0,
  ADD COLUMN trace jsonb NOT NULL DEFAULT '{}',          -- why this price: base, steps, final
  ADD CONSTRAINT order_lines_discount_check CHECK (discount_cents BETWEEN 0 AND total_cents) NOT VALID;
ALTER TABLE app.variants
  ADD COLUMN floor_cents bigint CHECK (floor_cents > 0 AND floor_cents % 100 = 0),
  ADD COLUMN sale_id uuid, ADD COLUMN sale_percent smallint CHECK (sale_percent BETWEEN 1 AND 99),
  ADD COLUMN sale_price_cents bigint CHECK (sale_price_cents > 0 AND sale_price_cents % 100 = 0),
  ADD COLUMN sale_starts_at timestamptz, ADD COLUMN sale_ends_at timestamptz,
  ADD COLUMN sale_below_floor boolean NOT NULL DEFAULT false,
  ADD CONSTRAINT variants_sale_fkey FOREIGN KEY (store_id, sale_id) REFERENCES app.promotions (store_id, id),
  ADD CONSTRAINT variants_sale_check CHECK ((sale_id IS NULL) = (sale_percent IS NULL AND sale_price_cents IS NULL));
CREATE INDEX variants_sale ON app.variants (store_id, sale_id) WHERE sale_id IS NOT NULL;

-- What one unit costs everybody at this instant. Every list, page and order asks this and nothing
-- else; plain SQL, so that the planner folds it into the statement that calls it.
CREATE FUNCTION app.price_now(v app.variants) RETURNS bigint LANGUAGE sql STABLE PARALLEL SAFE AS $$
  SELECT CASE WHEN v.sale_id IS NOT NULL AND (v.sale_starts_at IS NULL OR v.sale_starts_at <= now())
                   AND (v.sale_ends_at IS NULL OR now() < v.sale_ends_at)
              THEN greatest(least(v.price_cents, coalesce(v.sale_price_cents,
                              (v.price_cents * (100 - v.sale_percent) + 5000) / 10000 * 100)),
                            CASE WHEN v.sale_below_floor THEN 100 ELSE coalesce(v.floor_cents, 0) END)
              ELSE greatest(v.price_cents, coalesce(v.floor_cents, 0)) END $$;
-- What is shown crossed out beside it, or nothing.
CREATE FUNCTION app.compare_now(v app.variants) RETURNS bigint LANGUAGE sql STABLE PARALLEL SAFE AS $$
  SELECT CASE WHEN app.price_now(v) < v.price_cents THEN v.price_cents
              WHEN v.compare_at_cents > app.price_now(v) THEN v.compare_at_cents END $$;
"""

DOWN = """
DROP FUNCTION app.compare_now(app.variants), app.price_now(app.variants);
ALTER TABLE app.variants DROP COLUMN floor_cents, DROP COLUMN sale_id, DROP COLUMN sale_percent,
  DROP COLUMN sale_price_cents, DROP COLUMN sale_starts_at, DROP COLUMN sale_ends_at, DROP COLUMN sale_below_floor;
ALTER TABLE app.order_lines DROP COLUMN discount_cents, DROP COLUMN trace;
ALTER TABLE app.orders DROP COLUMN coupon_code;
ALTER TABLE app.carts DROP COLUMN coupon_code;
DROP TABLE app.promotion_uses, app.promotions, app.group_members, app.customer_groups;
"""


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '3s'")
    op.execute(UP)


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '3s'")
    op.execute(DOWN)
