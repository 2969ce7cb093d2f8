"""The outbox that is the queue, schedules, idempotency keys, and messages to people.

Additive.
"""

from alembic import op

revision = "0008_jobs_and_messages"
down_revision = "0007_ledger_and_audit"

UP = """
CREATE TABLE app.outbox(
  store_id bigint NOT NULL DEFAULT app.store_id() REFERENCES app.stores(id), id uuid NOT NULL,
  topic text NOT NULL, queue text NOT NULL CHECK (queue IN ('money','messages','bulk')),
  dedupe_key text NOT NULL, payload jsonb NOT NULL DEFAULT '{}', request_id text NOT NULL DEFAULT '',
  status text NOT NULL DEFAULT 'pending', attempts integer NOT NULL DEFAULT 0,
  available_at timestamptz NOT NULL DEFAULT now(), lease_until timestamptz, last_error text,
  created_at timestamptz NOT NULL DEFAULT now(), done_at timestamptz,
  PRIMARY KEY (store_id, id), CONSTRAINT outbox_dedupe_key UNIQUE (store_id, topic, dedupe_key));
CREATE INDEX outbox_due ON app.outbox (available_at) WHERE status = 'pending';
INSERT INTO app.transitions VALUES ('outbox','','pending'), ('outbox','pending','done'), ('outbox','pending','dead'), ('outbox','dead','pending');
CREATE TRIGGER legal_status BEFORE INSERT OR UPDATE OF status ON app.outbox
  FOR EACH ROW EXECUTE FUNCTION app.enforce_transition();
SELECT app.protect('app.outbox');
CREATE POLICY relay_all ON app.outbox FOR ALL TO dukani_relay USING (true) WITH CHECK (true);
GRANT SELECT, INSERT, UPDATE ON app.outbox TO dukani_app;
GRANT SELECT (store_id, id, topic, queue, status, attempts, available_at, lease_until, created_at) ON app.outbox TO dukani_relay;
GRANT UPDATE (status, attempts, available_at) ON app.outbox TO dukani_relay;
GRANT SELECT ON app.transitions TO dukani_relay;

CREATE FUNCTION app.ring_relay() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
  PERFORM pg_notify('outbox', ''); RETURN NULL; END $$;
CREATE TRIGGER ring AFTER INSERT ON app.outbox FOR EACH STATEMENT EXECUTE FUNCTION app.ring_relay();

CREATE TABLE app.schedules(
  store_id bigint NOT NULL DEFAULT app.store_id() REFERENCES app.stores(id), name text NOT NULL,
  topic text NOT NULL, queue text NOT NULL, every_seconds integer NOT NULL CHECK (every_seconds >= 60),
  next_run_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (store_id, name));
SELECT app.protect('app.schedules');
GRANT SELECT, INSERT, UPDATE ON app.schedules TO dukani_app;
CREATE POLICY run_due ON app.schedules FOR ALL TO dukani_definer USING (true) WITH CHECK (true);
CREATE POLICY run_due ON app.outbox FOR INSERT TO dukani_definer WITH CHECK (true);
GRANT SELECT (store_id, name, topic, queue, every_seconds, next_run_at), UPDATE (next_run_at) ON app.schedules TO dukani_definer;
GRANT INSERT (store_id, id, topic, queue, dedupe_key) ON app.outbox TO dukani_definer;
GRANT SELECT (store_id, topic, dedupe_key) ON app.outbox TO dukani_definer;
CREATE POLICY run_due_read ON app.outbox FOR SELECT TO dukani_definer USING (true);
GRANT SELECT ON app.transitions TO dukani_definer;

-- Advances every due schedule and asks for its run in one transaction. A missed hour runs once, not sixty times.
CREATE FUNCTION app.run_due_schedules() RETURNS integer LANGUAGE plpgsql SECURITY DEFINER SET search_path = app, pg_temp AS $$
DECLARE s record; n integer := 0; BEGIN
  FOR s IN SELECT sc.store_id, sc.name, sc.topic, sc.queue, sc.every_seconds, sc.next_run_at FROM app.schedules sc
            WHERE sc.next_run_at <= now() ORDER BY sc.next_run_at LIMIT 100 FOR UPDATE SKIP LOCKED LOOP
    INSERT INTO app.outbox (store_id, id, topic, queue, dedupe_key)
      VALUES (s.store_id, gen_random_uuid(), s.topic, s.queue, s.name || extract(epoch FROM s.next_run_at)::bigint)
      ON CONFLICT DO NOTHING;
    UPDATE app.schedules SET next_run_at = greatest(s.next_run_at + make_interval(secs => s.every_seconds),
                                                    now() + make_interval(secs => s.every_seconds) * 0.5)
      WHERE store_id = s.store_id AND name = s.name;
    n := n + 1;
  END LOOP; RETURN n; END $$;
REVOKE ALL ON FUNCTION app.run_due_schedules() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.run_due_schedules() TO dukani_relay;
ALTER FUNCTION app.run_due_schedules() OWNER TO dukani_definer;

CREATE TABLE app.idempotency_keys(
  store_id bigint NOT NULL DEFAULT app.store_id() REFERENCES app.stores(id), key text NOT NULL CHECK (length(key) BETWEEN 16 AND 80),
  request_hash bytea NOT NULL, location text, created_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (store_id, key));
SELECT app.protect('app.idempotency_keys');
GRANT SELECT, INSERT, UPDATE, DELETE ON app.idempotency_keys TO dukani_app;

CREATE TABLE app.messages(
  store_id bigint NOT NULL DEFAULT app.store_id() REFERENCES app.stores(id), id uuid NOT NULL,
  kind text NOT NULL, dedupe_key text NOT NULL, order_id uuid,
  channel text NOT NULL CHECK (channel IN ('whatsapp','sms')), language text NOT NULL DEFAULT 'en', template text NOT NULL DEFAULT '',
  recipient_sealed bytea NOT NULL, recipient_hash bytea NOT NULL, body_sealed bytea NOT NULL,
  status text NOT NULL DEFAULT 'queued', provider text NOT NULL DEFAULT '', provider_ref text, error text, cost_cents bigint NOT NULL DEFAULT 0,
  fallback_of uuid, created_at timestamptz NOT NULL DEFAULT now(), final_at timestamptz,
  PRIMARY KEY (store_id, id), CONSTRAINT messages_dedupe_key UNIQUE (store_id, dedupe_key),
  FOREIGN KEY (store_id, order_id) REFERENCES app.orders (store_id, id),
  FOREIGN KEY (store_id, fallback_of) REFERENCES app.messages (store_id, id));
CREATE INDEX messages_order ON app.messages (store_id, order_id, created_at);
INSERT INTO app.transitions VALUES ('messages','','queued'), ('messages','queued','sending'), ('messages','sending','queued'),
  ('messages','sending','sent'), ('messages','sending','failed'), ('messages','sending','unknown'), ('messages','queued','failed'),
  ('messages','unknown','sent'), ('messages','unknown','failed'), ('messages','unknown','sending'),
  ('messages','sent','delivered'), ('messages','sent','failed');
CREATE TRIGGER legal_status BEFORE INSERT OR UPDATE OF status ON app.messages
  FOR EACH ROW EXECUTE FUNCTION app.enforce_transition();
SELECT app.protect('app.messages');
GRANT SELECT, INSERT, UPDATE ON app.messages TO dukani_app;

CREATE TABLE app.message_attempts(
  store_id bigint NOT NULL DEFAULT app.store_id() REFERENCES app.stores(id), id uuid NOT NULL,
  message_id uuid NOT NULL, at timestamptz NOT NULL DEFAULT clock_timestamp(), outcome text NOT NULL, error text,
  PRIMARY KEY (store_id, id), FOREIGN KEY (store_id, message_id) REFERENCES app.messages (store_id, id));
SELECT app.protect('app.message_attempts'), app.keep_history('app.message_attempts');
GRANT SELECT, INSERT ON app.message_attempts TO dukani_app;

CREATE TABLE app.channel_settings(
  store_id bigint NOT NULL DEFAULT app.store_id() REFERENCES app.stores(id), channel text NOT NULL CHECK (channel IN ('whatsapp')),
  phone_number_id text NOT NULL UNIQUE, token_sealed bytea NOT NULL, is_active boolean NOT NULL DEFAULT true,
  PRIMARY KEY (store_id, channel));
SELECT app.protect('app.channel_settings');
GRANT SELECT, INSERT, UPDATE ON app.channel_settings TO dukani_app;
"""

DOWN = """
DROP FUNCTION app.run_due_schedules();
DROP TABLE app.channel_settings, app.message_attempts, app.messages, app.idempotency_keys, app.schedules, app.outbox CASCADE;
DROP FUNCTION app.ring_relay();
DELETE FROM app.transitions WHERE entity IN ('outbox','messages');
"""


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '3s'")
    op.execute(UP)


def downgrade() -> None:
    op.execute(DOWN)
