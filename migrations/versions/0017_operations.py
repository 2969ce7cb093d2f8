"""The platform's desk: suspensions, looking over a store's shoulder, refused callbacks, who runs as whom.

Additive. What ``/ops`` reads over all stores goes through the functions below, each of which
tells as little as its page needs; whatever is read or changed inside one store is read and
changed as ``dukani_app`` bound to that store, like everything else.
"""

from alembic import op

revision = "0017_operations"
down_revision = "0016_settings"

UP = """
-- A store that the platform has closed. Only the platform's role closes and opens it.
INSERT INTO app.transitions VALUES ('stores','active','suspended'), ('stores','paused','suspended'),
  ('stores','suspended','active'), ('stores','suspended','paused') ON CONFLICT DO NOTHING;
CREATE FUNCTION app.only_platform_suspends() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
  IF (OLD.status = 'suspended') <> (NEW.status = 'suspended') AND current_user = 'dukani_app' THEN
    RAISE EXCEPTION 'only the platform suspends and restores a store' USING ERRCODE = 'insufficient_privilege';
  END IF; RETURN NEW; END $$;
CREATE TRIGGER only_platform_suspends BEFORE UPDATE OF status ON app.stores
  FOR EACH ROW EXECUTE FUNCTION app.only_platform_suspends();

CREATE TABLE app.suspensions(
  store_id bigint NOT NULL REFERENCES app.stores(id), id uuid NOT NULL,
  reason text NOT NULL CHECK (length(reason) BETWEEN 3 AND 300), from_status text NOT NULL,
  suspended_by text NOT NULL, suspended_at timestamptz NOT NULL DEFAULT now(),
  restored_by text, restored_at timestamptz,
  PRIMARY KEY (store_id, id));
CREATE UNIQUE INDEX one_suspension ON app.suspensions (store_id) WHERE restored_at IS NULL;
SELECT app.protect('app.suspensions');
CREATE POLICY platform_all ON app.suspensions FOR ALL TO dukani_platform USING (true) WITH CHECK (true);
GRANT SELECT ON app.suspensions TO dukani_app;
GRANT SELECT, INSERT, UPDATE ON app.suspensions TO dukani_platform;

-- Somebody of the platform looking at a store as its owner would. Only the platform's role knows these rows.
CREATE TABLE app.impersonations(
  store_id bigint NOT NULL REFERENCES app.stores(id), id uuid NOT NULL,
  person_id uuid NOT NULL, person_name text NOT NULL, session_hash bytea NOT NULL,
  reason text NOT NULL CHECK (length(reason) BETWEEN 3 AND 300),
  started_at timestamptz NOT NULL DEFAULT now(), ends_at timestamptz NOT NULL, ended_at timestamptz,
  write_reason text CHECK (length(write_reason) BETWEEN 3 AND 300), writes_until timestamptz,
  PRIMARY KEY (store_id, id), CHECK ((write_reason IS NULL) = (writes_until IS NULL)));
CREATE UNIQUE INDEX one_impersonation ON app.impersonations (session_hash) WHERE ended_at IS NULL;
ALTER TABLE app.impersonations ENABLE ROW LEVEL SECURITY;
ALTER TABLE app.impersonations FORCE ROW LEVEL SECURITY;
CREATE POLICY owner_all ON app.impersonations FOR ALL TO dukani_owner USING (true) WITH CHECK (true);
CREATE POLICY platform_all ON app.impersonations FOR ALL TO dukani_platform USING (true) WITH CHECK (true);
GRANT SELECT, INSERT, UPDATE ON app.impersonations TO dukani_platform;

-- Each program says once a minute that it runs; the role is Postgres's own answer, not the program's.
CREATE TABLE app.programs(
  name text NOT NULL CHECK (length(name) BETWEEN 1 AND 40), host text NOT NULL CHECK (length(host) BETWEEN 1 AND 80),
  role text NOT NULL DEFAULT current_user, is_unbound boolean NOT NULL DEFAULT false,
  seen_at timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (name, host));
CREATE FUNCTION app.note_role() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
  NEW.role := current_user; NEW.seen_at := now();
  NEW.is_unbound := (SELECT r.rolsuper OR r.rolbypassrls FROM pg_roles r WHERE r.rolname = current_user);
  RETURN NEW; END $$;
CREATE TRIGGER note_role BEFORE INSERT OR UPDATE ON app.programs FOR EACH ROW EXECUTE FUNCTION app.note_role();
GRANT SELECT (name, host), INSERT (name, host), UPDATE (host) ON app.programs TO dukani_app, dukani_relay;
GRANT SELECT ON app.programs TO dukani_platform;

-- Callbacks: with the headers they came with, and also those that were turned away at the door (store 0).
ALTER TABLE app.callback_inbox ADD COLUMN headers jsonb NOT NULL DEFAULT '{}';
ALTER TABLE app.callback_inbox DROP CONSTRAINT callback_inbox_kind_check;
ALTER TABLE app.callback_inbox ADD CONSTRAINT callback_inbox_kind_check
  CHECK (kind IN ('stk','c2b_confirmation','c2b_validation','refused'));
CREATE INDEX callback_inbox_received ON app.callback_inbox (received_at);
CREATE INDEX provider_calls_at ON app.provider_calls (at);
CREATE INDEX outbox_dead ON app.outbox (topic, created_at) WHERE status = 'dead';
CREATE INDEX payment_attempts_receipt ON app.payment_attempts (receipt) WHERE receipt IS NOT NULL;
CREATE INDEX payment_attempts_reported ON app.payment_attempts (reported_receipt) WHERE reported_receipt IS NOT NULL;
CREATE INDEX incoming_payments_receipt ON app.incoming_payments (receipt);

-- Which stores a receipt, a till or a customer's number belongs to, and nothing else about them.
GRANT SELECT (receipt, reported_receipt) ON app.payment_attempts TO dukani_definer;
GRANT SELECT (shortcode, till) ON app.payment_settings TO dukani_definer;
CREATE POLICY ops_read ON app.incoming_payments FOR SELECT TO dukani_definer USING (true);
GRANT SELECT (store_id, receipt) ON app.incoming_payments TO dukani_definer;
CREATE POLICY ops_read ON app.customers FOR SELECT TO dukani_definer USING (true);
GRANT SELECT (store_id, phone_lookup) ON app.customers TO dukani_definer;
CREATE FUNCTION app.ops_find(wanted_receipt text, wanted_shortcode text, in_stores bigint[], lookups bytea[])
  RETURNS TABLE (store_id bigint, matched text)
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = app, pg_temp AS $$
  SELECT DISTINCT f.store_id, f.matched FROM (
    SELECT a.store_id, 'receipt' AS matched FROM app.payment_attempts a
      WHERE a.receipt = wanted_receipt OR a.reported_receipt = wanted_receipt
    UNION ALL SELECT i.store_id, 'receipt' FROM app.incoming_payments i WHERE i.receipt = wanted_receipt
    UNION ALL SELECT s.store_id, 'till' FROM app.payment_settings s
      WHERE s.shortcode = wanted_shortcode OR s.till = wanted_shortcode
    UNION ALL SELECT c.store_id, 'customer' FROM app.customers c
      JOIN unnest(in_stores, lookups) AS w(store_id, phone_lookup)
        ON c.store_id = w.store_id AND c.phone_lookup = w.phone_lookup
  ) f LIMIT 100 $$;

-- Jobs that failed often or died: what, whose, since when and the name of the error. Never the payload.
GRANT SELECT (id, queue, status, attempts, created_at, available_at, lease_until, last_error) ON app.outbox TO dukani_definer;
CREATE FUNCTION app.ops_jobs(only_topic text, only_store bigint, most integer)
  RETURNS TABLE (store_id bigint, id uuid, topic text, queue text, status text, attempts integer,
                 created_at timestamptz, available_at timestamptz, last_error text)
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = app, pg_temp AS $$
  SELECT o.store_id, o.id, o.topic, o.queue, o.status, o.attempts, o.created_at, o.available_at, o.last_error
    FROM app.outbox o
   WHERE (o.status = 'dead' OR (o.status = 'pending' AND o.attempts >= 4))
     AND (only_topic IS NULL OR o.topic = only_topic) AND (only_store IS NULL OR o.store_id = only_store)
   ORDER BY o.status, o.created_at LIMIT least(most, 1000) $$;
CREATE FUNCTION app.ops_job_totals()
  RETURNS TABLE (topic text, waiting bigint, tired bigint, dead bigint, oldest timestamptz)
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = app, pg_temp AS $$
  SELECT o.topic, count(*) FILTER (WHERE o.status = 'pending'),
         count(*) FILTER (WHERE o.status = 'pending' AND o.attempts >= 4), count(*) FILTER (WHERE o.status = 'dead'),
         min(o.created_at) FILTER (WHERE o.status = 'dead' OR o.attempts >= 4)
    FROM app.outbox o WHERE o.status IN ('pending', 'dead') GROUP BY o.topic ORDER BY o.topic $$;

-- What providers sent and what we asked them: the outside of each, without bodies.
CREATE POLICY ops_read ON app.callback_inbox FOR SELECT TO dukani_definer USING (true);
GRANT SELECT (store_id, id, kind, verdict, source_ip, is_listed_ip, received_at, handled_at) ON app.callback_inbox TO dukani_definer;
CREATE FUNCTION app.ops_events(only_store bigint, only_kind text, only_verdict text, until timestamptz, most integer)
  RETURNS TABLE (store_id bigint, id uuid, kind text, verdict text, source_ip text, is_listed_ip boolean,
                 received_at timestamptz, handled_at timestamptz)
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = app, pg_temp AS $$
  SELECT e.store_id, e.id, e.kind, e.verdict, e.source_ip, e.is_listed_ip, e.received_at, e.handled_at
    FROM app.callback_inbox e
   WHERE (only_store IS NULL OR e.store_id = only_store) AND (only_kind IS NULL OR e.kind = only_kind)
     AND (only_verdict IS NULL OR e.verdict = only_verdict) AND (until IS NULL OR e.received_at < until)
   ORDER BY e.received_at DESC, e.id DESC LIMIT least(most, 500) $$;
CREATE POLICY ops_read ON app.provider_calls FOR SELECT TO dukani_definer USING (true);
GRANT SELECT (store_id, id, call_id, phase, provider, endpoint, http_status, latency_ms, error, at) ON app.provider_calls TO dukani_definer;
CREATE FUNCTION app.ops_calls(only_store bigint, only_failed boolean, until timestamptz, most integer)
  RETURNS TABLE (store_id bigint, id uuid, provider text, endpoint text, http_status integer, latency_ms integer,
                 error text, at timestamptz)
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = app, pg_temp AS $$
  SELECT c.store_id, c.id, c.provider, c.endpoint, c.http_status, c.latency_ms, c.error, c.at
    FROM app.provider_calls c
   WHERE c.phase = 'ended' AND (only_store IS NULL OR c.store_id = only_store)
     AND (NOT only_failed OR c.error IS NOT NULL OR c.http_status >= 400) AND (until IS NULL OR c.at < until)
   ORDER BY c.at DESC, c.id DESC LIMIT least(most, 500) $$;

-- Counters of tries: how many, by how many, and the first letters of the keyed hash of who is at the limit.
CREATE POLICY ops_read ON app.rate_counters FOR SELECT TO dukani_definer USING (true);
GRANT SELECT (store_id, name, subject_hash, at) ON app.rate_counters TO dukani_definer;
CREATE FUNCTION app.ops_limits(names text[], mosts integer[], windows integer[])
  RETURNS TABLE (name text, most integer, seconds integer, tries bigint, subjects bigint, at_limit text[])
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = app, pg_temp AS $$
  SELECT w.name, w.most, w.seconds, coalesce(sum(t.tries), 0)::bigint, count(t.subject),
         coalesce(array_agg(t.subject ORDER BY t.subject) FILTER (WHERE t.tries >= w.most), '{}')
    FROM unnest(names, mosts, windows) WITH ORDINALITY AS w(name, most, seconds, n)
    LEFT JOIN LATERAL (
      SELECT left(encode(r.subject_hash, 'hex'), 8) AS subject, count(*) AS tries FROM app.rate_counters r
       WHERE r.name = w.name AND r.at > now() - make_interval(secs => w.seconds)
       GROUP BY r.store_id, r.subject_hash) t ON true
   GROUP BY w.n, w.name, w.most, w.seconds ORDER BY w.n $$;

DO $$ DECLARE f text; BEGIN FOREACH f IN ARRAY ARRAY['ops_find(text,text,bigint[],bytea[])', 'ops_jobs(text,bigint,integer)',
  'ops_job_totals()', 'ops_events(bigint,text,text,timestamptz,integer)', 'ops_calls(bigint,boolean,timestamptz,integer)',
  'ops_limits(text[],integer[],integer[])'] LOOP
  EXECUTE format('REVOKE ALL ON FUNCTION app.%s FROM PUBLIC', f);
  EXECUTE format('GRANT EXECUTE ON FUNCTION app.%s TO dukani_platform', f);
  EXECUTE format('ALTER FUNCTION app.%s OWNER TO dukani_definer', f); END LOOP; END $$;
"""

DOWN = """
DROP FUNCTION app.ops_limits(text[],integer[],integer[]), app.ops_calls(bigint,boolean,timestamptz,integer),
  app.ops_events(bigint,text,text,timestamptz,integer), app.ops_job_totals(), app.ops_jobs(text,bigint,integer),
  app.ops_find(text,text,bigint[],bytea[]);
DROP POLICY ops_read ON app.rate_counters;
DROP POLICY ops_read ON app.provider_calls;
DROP POLICY ops_read ON app.callback_inbox;
DROP POLICY ops_read ON app.customers;
DROP POLICY ops_read ON app.incoming_payments;
REVOKE SELECT (store_id, name, subject_hash, at) ON app.rate_counters FROM dukani_definer;
REVOKE SELECT (store_id, id, call_id, phase, provider, endpoint, http_status, latency_ms, error, at) ON app.provider_calls FROM dukani_definer;
REVOKE SELECT (store_id, id, kind, verdict, source_ip, is_listed_ip, received_at, handled_at) ON app.callback_inbox FROM dukani_definer;
REVOKE SELECT (id, queue, status, attempts, created_at, available_at, lease_until, last_error) ON app.outbox FROM dukani_definer;
GRANT SELECT (store_id, topic, dedupe_key) ON app.outbox TO dukani_definer;
REVOKE SELECT (store_id, phone_lookup) ON app.customers FROM dukani_definer;
REVOKE SELECT (store_id, receipt) ON app.incoming_payments FROM dukani_definer;
REVOKE SELECT (shortcode, till) ON app.payment_settings FROM dukani_definer;
REVOKE SELECT (receipt, reported_receipt) ON app.payment_attempts FROM dukani_definer;
DROP INDEX app.incoming_payments_receipt, app.payment_attempts_reported, app.payment_attempts_receipt, app.outbox_dead,
  app.provider_calls_at, app.callback_inbox_received;
DELETE FROM app.callback_inbox WHERE kind = 'refused';
ALTER TABLE app.callback_inbox DROP CONSTRAINT callback_inbox_kind_check;
ALTER TABLE app.callback_inbox ADD CONSTRAINT callback_inbox_kind_check
  CHECK (kind IN ('stk','c2b_confirmation','c2b_validation'));
ALTER TABLE app.callback_inbox DROP COLUMN headers;
DROP TABLE app.programs, app.impersonations, app.suspensions CASCADE;
DROP FUNCTION app.note_role();
DROP TRIGGER only_platform_suspends ON app.stores;
DROP FUNCTION app.only_platform_suspends();
UPDATE app.stores SET status = 'paused' WHERE status = 'suspended';
DELETE FROM app.transitions WHERE entity = 'stores' AND 'suspended' IN (from_status, to_status);
"""


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '3s'")
    op.execute(UP)


def downgrade() -> None:
    op.execute(DOWN)
