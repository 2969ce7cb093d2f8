"""Notifications, a waiting line whose links hold one unit each, and letters that come back.

Additive, but for two columns that may now be empty: a reservation belongs to an order or to a link
of the waiting line. The running version makes reservations for orders alone, so the two can overlap.
"""

from alembic import op

revision = "0024_push"
down_revision = "0023_search"

UP = """
-- One row per browser and what it is told about: an order, a thing that is sold out, or a desk's work.
CREATE TABLE app.push_subscriptions(
  store_id bigint NOT NULL DEFAULT app.store_id() REFERENCES app.stores(id), id uuid NOT NULL,
  endpoint_hash bytea NOT NULL, sealed bytea NOT NULL,          -- endpoint and keys, as JSON, sealed
  order_id uuid, wait_id uuid, person_id uuid,                  -- exactly one of them
  language text NOT NULL DEFAULT 'en', created_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (store_id, id),
  CHECK (num_nonnulls(order_id, wait_id, person_id) = 1),
  FOREIGN KEY (store_id, order_id) REFERENCES app.orders (store_id, id),
  FOREIGN KEY (store_id, wait_id) REFERENCES app.stock_waits (store_id, id) ON DELETE CASCADE);
CREATE UNIQUE INDEX push_subscriptions_subject ON app.push_subscriptions
  (store_id, endpoint_hash, order_id, wait_id, person_id) NULLS NOT DISTINCT;
CREATE INDEX push_subscriptions_order ON app.push_subscriptions (store_id, order_id) WHERE order_id IS NOT NULL;
CREATE INDEX push_subscriptions_wait ON app.push_subscriptions (store_id, wait_id) WHERE wait_id IS NOT NULL;
CREATE INDEX push_subscriptions_person ON app.push_subscriptions (store_id, person_id) WHERE person_id IS NOT NULL;
SELECT app.protect('app.push_subscriptions');
GRANT SELECT, INSERT, UPDATE, DELETE ON app.push_subscriptions TO dukani_app;

-- What somebody in the waiting line was sent: a link that holds one unit for a while and works once.
CREATE TABLE app.stock_offers(
  store_id bigint NOT NULL DEFAULT app.store_id() REFERENCES app.stores(id), id uuid NOT NULL,
  wait_id uuid NOT NULL, variant_id uuid NOT NULL, token_hash bytea NOT NULL,
  status text NOT NULL DEFAULT 'live', cart_id uuid,            -- the cart that took it; carts come and go
  expires_at timestamptz NOT NULL, created_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (store_id, id),
  FOREIGN KEY (store_id, wait_id) REFERENCES app.stock_waits (store_id, id),
  FOREIGN KEY (store_id, variant_id) REFERENCES app.variants (store_id, id));
CREATE UNIQUE INDEX stock_offers_token ON app.stock_offers (store_id, token_hash);
CREATE UNIQUE INDEX one_open_offer ON app.stock_offers (store_id, wait_id) WHERE status IN ('live','taken');
CREATE INDEX stock_offers_cart ON app.stock_offers (store_id, cart_id) WHERE status = 'taken';
INSERT INTO app.transitions VALUES ('stock_offers','','live'), ('stock_offers','live','taken'), ('stock_offers','live','lapsed'),
  ('stock_offers','taken','used'), ('stock_offers','taken','lapsed');
CREATE TRIGGER legal_status BEFORE INSERT OR UPDATE OF status ON app.stock_offers
  FOR EACH ROW EXECUTE FUNCTION app.enforce_transition();
SELECT app.protect('app.stock_offers');
GRANT SELECT, INSERT, UPDATE ON app.stock_offers TO dukani_app;

ALTER TABLE app.reservations ALTER COLUMN order_id DROP NOT NULL, ADD COLUMN offer_id uuid,
  ADD CONSTRAINT reservations_offer_fkey FOREIGN KEY (store_id, offer_id)
    REFERENCES app.stock_offers (store_id, id),
  ADD CONSTRAINT reservations_subject_check CHECK (num_nonnulls(order_id, offer_id) = 1) NOT VALID;
CREATE UNIQUE INDEX one_live_offer_reservation ON app.reservations (store_id, offer_id) WHERE status = 'live' AND offer_id IS NOT NULL;

-- Units of a cart's line that are held for it until a moment, by a link of the waiting line.
ALTER TABLE app.cart_lines ADD COLUMN held integer NOT NULL DEFAULT 0 CHECK (held >= 0), ADD COLUMN held_until timestamptz;

-- Stock comes back by many doors (a delivery, a count, a file, a cancelled order, a hold that ends), so
-- the table itself asks for the waiting line to be told, in the transaction that brings it back.
CREATE FUNCTION app.ring_waiting() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
  IF EXISTS (SELECT 1 FROM app.stock_waits w WHERE w.store_id = NEW.store_id AND w.variant_id = NEW.id AND w.told_at IS NULL) THEN
    INSERT INTO app.outbox (store_id, id, topic, queue, dedupe_key, payload)
      VALUES (NEW.store_id, gen_random_uuid(), 'offer_to_waiting', 'messages', NEW.id || ':' || txid_current(),
              jsonb_build_object('variant_id', NEW.id))
      ON CONFLICT DO NOTHING;
  END IF; RETURN NULL; END $$;
CREATE TRIGGER ring_waiting AFTER UPDATE OF on_hand, reserved ON app.variants FOR EACH ROW
  WHEN (NEW.on_hand > NEW.reserved AND NEW.on_hand - NEW.reserved > OLD.on_hand - OLD.reserved)
  EXECUTE FUNCTION app.ring_waiting();

ALTER TABLE app.messages DROP CONSTRAINT messages_channel_check;
ALTER TABLE app.messages ADD CONSTRAINT messages_channel_check
  CHECK (channel IN ('whatsapp','sms','email','push')) NOT VALID;

-- A letter that came back: which store's, before any store is known. By the provider's own id of it.
CREATE INDEX messages_letter ON app.messages (provider_ref) WHERE channel = 'email' AND provider_ref IS NOT NULL;
CREATE POLICY resolve ON app.messages FOR SELECT TO dukani_definer USING (true);
GRANT SELECT (store_id, id, channel, provider_ref) ON app.messages TO dukani_definer;
CREATE FUNCTION app.resolve_letter(ref text) RETURNS TABLE (store_id bigint, message_id uuid)
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = app, pg_temp AS
  $$ SELECT m.store_id, m.id FROM app.messages m WHERE m.channel = 'email' AND m.provider_ref = ref LIMIT 1 $$;
REVOKE ALL ON FUNCTION app.resolve_letter(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.resolve_letter(text) TO dukani_app;
ALTER FUNCTION app.resolve_letter(text) OWNER TO dukani_definer;
"""

DOWN = """
DROP FUNCTION app.resolve_letter(text);
REVOKE SELECT (store_id, id, channel, provider_ref) ON app.messages FROM dukani_definer;
DROP POLICY resolve ON app.messages;
DROP INDEX app.messages_letter;
ALTER TABLE app.messages DROP CONSTRAINT messages_channel_check;
ALTER TABLE app.messages ADD CONSTRAINT messages_channel_check
  CHECK (channel IN ('whatsapp','sms','email')) NOT VALID;      -- messages sent meanwhile stay
DROP TRIGGER ring_waiting ON app.variants;
DROP FUNCTION app.ring_waiting();
ALTER TABLE app.cart_lines DROP COLUMN held, DROP COLUMN held_until;
DROP INDEX app.one_live_offer_reservation;
UPDATE app.variants v SET reserved = v.reserved - r.held FROM (SELECT store_id, variant_id, sum(quantity)::integer AS held
  FROM app.reservations WHERE status = 'live' AND offer_id IS NOT NULL GROUP BY 1, 2) r
  WHERE (v.store_id, v.id) = (r.store_id, r.variant_id);
DELETE FROM app.reservations WHERE order_id IS NULL;
ALTER TABLE app.reservations DROP CONSTRAINT reservations_subject_check, DROP COLUMN offer_id,
  ALTER COLUMN order_id SET NOT NULL;
DROP TABLE app.stock_offers, app.push_subscriptions;
DELETE FROM app.transitions WHERE entity = 'stock_offers';
"""


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '3s'")
    op.execute(UP)


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '3s'")
    op.execute(DOWN)
