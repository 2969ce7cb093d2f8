"""The double-entry ledger and the hash-chained audit log, both append-only.

Additive.
"""

from alembic import op

revision = "0007_ledger_and_audit"
down_revision = "0006_payments"

UP = """
CREATE TABLE app.ledger_tx(store_id bigint NOT NULL DEFAULT app.store_id() REFERENCES app.stores(id), id uuid NOT NULL,
  kind text NOT NULL, source_id text NOT NULL, at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (store_id, id), CONSTRAINT ledger_tx_source_key UNIQUE (store_id, kind, source_id));
CREATE TABLE app.ledger_entries(store_id bigint NOT NULL DEFAULT app.store_id() REFERENCES app.stores(id), tx_id uuid NOT NULL,
  n smallint NOT NULL, account text NOT NULL, amount_cents bigint NOT NULL CHECK (amount_cents <> 0),
  PRIMARY KEY (store_id, tx_id, n), FOREIGN KEY (store_id, tx_id) REFERENCES app.ledger_tx (store_id, id));
CREATE INDEX ledger_entries_account ON app.ledger_entries (store_id, account);
CREATE FUNCTION app.check_balanced() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE s numeric; c int; r jsonb := to_jsonb(NEW);
        t uuid := (CASE TG_TABLE_NAME WHEN 'ledger_tx' THEN r->>'id' ELSE r->>'tx_id' END)::uuid;
BEGIN
  SELECT coalesce(sum(amount_cents), 0), count(*) INTO s, c FROM app.ledger_entries WHERE store_id = NEW.store_id AND tx_id = t;
  IF c < 2 OR s <> 0 THEN RAISE EXCEPTION 'unbalanced ledger tx % (rows %, sum %)', t, c, s USING ERRCODE = 'check_violation'; END IF;
  RETURN NULL; END $$;
CREATE CONSTRAINT TRIGGER balanced AFTER INSERT ON app.ledger_tx      DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION app.check_balanced();
CREATE CONSTRAINT TRIGGER balanced AFTER INSERT ON app.ledger_entries DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION app.check_balanced();

CREATE TABLE app.audit_log(store_id bigint NOT NULL DEFAULT app.store_id() REFERENCES app.stores(id), seq bigint NOT NULL, at timestamptz NOT NULL,
  actor text NOT NULL, action text NOT NULL, subject text NOT NULL, detail jsonb NOT NULL DEFAULT '{}',
  prev_hash bytea NOT NULL, hash bytea NOT NULL, PRIMARY KEY (store_id, seq));
CREATE INDEX audit_log_subject ON app.audit_log (store_id, subject);
CREATE FUNCTION app.audit_hash(a app.audit_log) RETURNS bytea LANGUAGE sql IMMUTABLE AS $$ SELECT sha256(a.prev_hash || convert_to(
  jsonb_build_array(a.store_id, a.seq, extract(epoch FROM a.at), a.actor, a.action, a.subject, a.detail)::text, 'UTF8')) $$;
CREATE FUNCTION app.audit_chain() RETURNS trigger LANGUAGE plpgsql AS $$ DECLARE p app.audit_log; BEGIN
  PERFORM pg_advisory_xact_lock(71001, hashint8(NEW.store_id));
  SELECT * INTO p FROM app.audit_log WHERE store_id = NEW.store_id ORDER BY seq DESC LIMIT 1;
  NEW.seq := coalesce(p.seq, 0) + 1; NEW.at := clock_timestamp();
  NEW.prev_hash := coalesce(p.hash, '\\x00'::bytea); NEW.hash := app.audit_hash(NEW); RETURN NEW; END $$;
CREATE TRIGGER chain BEFORE INSERT ON app.audit_log FOR EACH ROW EXECUTE FUNCTION app.audit_chain();
CREATE VIEW app.audit_breaks WITH (security_invoker = true) AS SELECT store_id, seq FROM (
  SELECT a.*, lag(hash) OVER w AS lh, lag(seq) OVER w AS ls, app.audit_hash(a) AS h2
    FROM app.audit_log a WINDOW w AS (PARTITION BY store_id ORDER BY seq)) x
 WHERE hash <> h2 OR prev_hash <> coalesce(lh, '\\x00'::bytea) OR seq <> coalesce(ls, 0) + 1;
GRANT SELECT ON app.audit_breaks TO dukani_app;

DO $$ DECLARE t text; BEGIN FOREACH t IN ARRAY ARRAY['ledger_tx', 'ledger_entries', 'audit_log'] LOOP
  PERFORM app.keep_history(format('app.%I', t)::regclass);
  PERFORM app.protect(format('app.%I', t)::regclass);
  EXECUTE format('GRANT SELECT, INSERT ON app.%I TO dukani_app', t); END LOOP; END $$;
"""

DOWN = """
DROP VIEW app.audit_breaks;
DROP TABLE app.ledger_entries, app.ledger_tx CASCADE;
DROP FUNCTION app.audit_hash(app.audit_log) CASCADE;
DROP TABLE app.audit_log CASCADE;
DROP FUNCTION app.check_balanced(), app.audit_chain() CASCADE;
"""


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '3s'")
    op.execute(UP)


def downgrade() -> None:
    op.execute(DOWN)
