"""Points that customers earn with delivered orders and spend at checkout: a ledger, and what a shop gives.

Additive; the new columns have defaults, so that no row is rewritten. Points are off until an owner turns
them on.
"""

from alembic import op

revision = "0032_points"
down_revision = "0031_consents"

UP = """
-- One row is points that came or went; the balance of a customer is their sum. Written once: only whose
-- they are may change, when two profiles become one.
CREATE TABLE app.point_moves(
  store_id bigint NOT NULL DEFAULT app.store_id() REFERENCES app.stores(id), id uuid NOT NULL,
  customer_id uuid NOT NULL, order_id uuid,
  points integer NOT NULL, reason text NOT NULL CHECK (reason IN ('earned','spent','given_back')),
  round smallint NOT NULL DEFAULT 1,                     -- an order that is let go and paid after all spends again
  actor text NOT NULL DEFAULT 'system', at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (store_id, id),
  CONSTRAINT point_moves_order_key UNIQUE (store_id, order_id, reason, round),   -- run twice is once
  CONSTRAINT point_moves_sign_check CHECK (CASE reason WHEN 'spent' THEN points < 0 ELSE points > 0 END),
  CONSTRAINT point_moves_round_check CHECK (round = 1 OR (round > 1 AND reason IN ('spent','given_back'))),
  FOREIGN KEY (store_id, customer_id) REFERENCES app.customers (store_id, id),
  FOREIGN KEY (store_id, order_id) REFERENCES app.orders (store_id, id));
CREATE INDEX point_moves_customer ON app.point_moves (store_id, customer_id, at DESC) INCLUDE (points);
SELECT app.protect('app.point_moves');
GRANT SELECT, INSERT, UPDATE (customer_id) ON app.point_moves TO dukani_app;
CREATE TRIGGER no_change BEFORE DELETE OR UPDATE OF store_id, id, order_id, points, reason, round, actor, at
  ON app.point_moves FOR EACH ROW EXECUTE FUNCTION app.append_only();
CREATE TRIGGER no_trunc BEFORE TRUNCATE ON app.point_moves FOR EACH STATEMENT EXECUTE FUNCTION app.append_only();

-- Nobody spends what they do not have, whoever writes the row. Who spends waits for whoever spends now.
CREATE FUNCTION app.no_negative_spend() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
  PERFORM pg_advisory_xact_lock(71005, hashtext(NEW.customer_id::text));
  IF NEW.points + (SELECT coalesce(sum(points), 0) FROM app.point_moves
                    WHERE store_id = NEW.store_id AND customer_id = NEW.customer_id) < 0 THEN
    RAISE EXCEPTION 'more points spent than there are' USING ERRCODE = 'check_violation'; END IF;
  RETURN NEW; END $$;
CREATE TRIGGER no_negative_spend BEFORE INSERT ON app.point_moves FOR EACH ROW
  WHEN (NEW.reason = 'spent') EXECUTE FUNCTION app.no_negative_spend();

ALTER TABLE app.stores ADD COLUMN gives_points boolean NOT NULL DEFAULT false,
  ADD COLUMN goods_per_point_cents bigint NOT NULL DEFAULT 10000,   -- goods paid that earn one point
  ADD COLUMN point_worth_cents bigint NOT NULL DEFAULT 100,         -- what one takes off at checkout
  ADD CONSTRAINT stores_points_check CHECK (goods_per_point_cents > 0 AND goods_per_point_cents % 100 = 0
    AND point_worth_cents > 0 AND point_worth_cents % 100 = 0 AND point_worth_cents * 2 <= goods_per_point_cents);
GRANT UPDATE (gives_points, goods_per_point_cents, point_worth_cents) ON app.stores TO dukani_app;
"""

DOWN = """
REVOKE UPDATE (gives_points, goods_per_point_cents, point_worth_cents) ON app.stores FROM dukani_app;
ALTER TABLE app.stores DROP CONSTRAINT stores_points_check, DROP COLUMN gives_points,
  DROP COLUMN goods_per_point_cents, DROP COLUMN point_worth_cents;
DROP TABLE app.point_moves;
DROP FUNCTION app.no_negative_spend();
"""


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '3s'")
    op.execute(UP)


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '3s'")
    op.execute(DOWN)
