"""Lay the ground: tenancy functions, legal moves, stores and their hosts.

Nothing ran before this, so there is nothing to overlap with.
"""

from alembic import op

revision = "0001_foundation"
down_revision = None

UP = """
CREATE FUNCTION app.store_id() RETURNS bigint LANGUAGE sql STABLE PARALLEL SAFE
  AS $$ SELECT NULLIF(current_setting('app.store_id', true), '')::bigint $$;

-- Every table with store_id calls this in the migration that makes it.
CREATE FUNCTION app.protect(t regclass) RETURNS void LANGUAGE plpgsql AS $$ BEGIN
  EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', t);
  EXECUTE format('ALTER TABLE %s FORCE ROW LEVEL SECURITY', t);
  EXECUTE format('CREATE POLICY owner_all ON %s FOR ALL TO dukani_owner USING (true) WITH CHECK (true)', t);
  EXECUTE format('CREATE POLICY tenant_isolation ON %s FOR ALL TO dukani_app
     USING (store_id = (SELECT app.store_id())) WITH CHECK (store_id = (SELECT app.store_id()))', t);
END $$;

CREATE TABLE app.transitions(
  entity text NOT NULL, from_status text NOT NULL, to_status text NOT NULL,
  PRIMARY KEY (entity, from_status, to_status));
GRANT SELECT ON app.transitions TO dukani_app, dukani_platform;

-- from_status '' is the first status a row may be born with.
CREATE FUNCTION app.enforce_transition() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE old_status text := '';
BEGIN
  IF TG_OP = 'UPDATE' THEN old_status := OLD.status; END IF;
  IF NEW.status IS DISTINCT FROM old_status AND NOT EXISTS (SELECT 1 FROM app.transitions
       WHERE entity = TG_TABLE_NAME AND from_status = old_status AND to_status = NEW.status) THEN
    RAISE EXCEPTION 'illegal % transition % -> %', TG_TABLE_NAME, old_status, NEW.status
      USING ERRCODE = 'check_violation';
  END IF; RETURN NEW; END $$;

CREATE FUNCTION app.append_only() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
  RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege'; END $$;
CREATE FUNCTION app.keep_history(t regclass) RETURNS void LANGUAGE plpgsql AS $$ BEGIN
  EXECUTE format('CREATE TRIGGER no_change BEFORE UPDATE OR DELETE ON %s FOR EACH ROW EXECUTE FUNCTION app.append_only()', t);
  EXECUTE format('CREATE TRIGGER no_trunc BEFORE TRUNCATE ON %s FOR EACH STATEMENT EXECUTE FUNCTION app.append_only()', t);
END $$;

CREATE TABLE app.stores(
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  slug text NOT NULL UNIQUE CHECK (slug ~ '^[a-z0-9](-?[a-z0-9]){1,39}$'),
  name text NOT NULL CHECK (length(name) BETWEEN 1 AND 80),
  kind text NOT NULL DEFAULT 'mixed' CHECK (kind IN ('electronics','fashion','watches','home','mixed')),
  status text NOT NULL DEFAULT 'active',
  prompt_name text NOT NULL DEFAULT '',
  code_prefix text NOT NULL DEFAULT 'DK' CHECK (code_prefix ~ '^[A-Z]{2,3}$'),
  place text NOT NULL DEFAULT '',
  opening_hours jsonb NOT NULL DEFAULT '{}',
  phone text NOT NULL DEFAULT '',
  whatsapp text NOT NULL DEFAULT '',
  colour_hue smallint NOT NULL DEFAULT 262 CHECK (colour_hue BETWEEN 0 AND 360),
  return_days smallint NOT NULL DEFAULT 7 CHECK (return_days BETWEEN 0 AND 90),
  kra_pin text,
  is_vat_registered boolean NOT NULL DEFAULT false,
  accepts_pay_on_delivery boolean NOT NULL DEFAULT false,
  accepts_pickup boolean NOT NULL DEFAULT true,
  callback_trust_limit_cents bigint NOT NULL DEFAULT 0 CHECK (callback_trust_limit_cents BETWEEN 0 AND 200000),
  content_version bigint NOT NULL DEFAULT 1,
  created_at timestamptz NOT NULL DEFAULT now());
INSERT INTO app.transitions VALUES
  ('stores','','active'), ('stores','active','paused'), ('stores','paused','active');
CREATE TRIGGER legal_status BEFORE INSERT OR UPDATE OF status ON app.stores
  FOR EACH ROW EXECUTE FUNCTION app.enforce_transition();
ALTER TABLE app.stores ENABLE ROW LEVEL SECURITY;
ALTER TABLE app.stores FORCE ROW LEVEL SECURITY;
CREATE POLICY owner_all ON app.stores FOR ALL TO dukani_owner USING (true) WITH CHECK (true);
CREATE POLICY tenant_isolation ON app.stores FOR ALL TO dukani_app
  USING (id = (SELECT app.store_id())) WITH CHECK (id = (SELECT app.store_id()));
CREATE POLICY platform_all ON app.stores FOR ALL TO dukani_platform USING (true) WITH CHECK (true);
GRANT SELECT ON app.stores TO dukani_app;
GRANT UPDATE (name, status, place, opening_hours, phone, whatsapp, colour_hue, return_days, kra_pin,
  is_vat_registered, accepts_pay_on_delivery, accepts_pickup, callback_trust_limit_cents, content_version)
  ON app.stores TO dukani_app;
GRANT SELECT, INSERT, UPDATE ON app.stores TO dukani_platform;

-- Store 0 is the platform itself: its schedules, sign-in codes and messages. No host maps to it.
INSERT INTO app.stores (id, slug, name) OVERRIDING SYSTEM VALUE VALUES (0, 'platform', 'Dukani');

CREATE TABLE app.domains(
  store_id bigint NOT NULL DEFAULT app.store_id() REFERENCES app.stores(id),
  host text NOT NULL CHECK (host = lower(host) AND host !~ '[:/ ]'),
  is_canonical boolean NOT NULL DEFAULT true,
  verified_at timestamptz,
  created_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (store_id, host),
  CONSTRAINT domains_host_key UNIQUE (host),           -- a host is global by nature
  CHECK (store_id <> 0));
SELECT app.protect('app.domains');
CREATE POLICY platform_all ON app.domains FOR ALL TO dukani_platform USING (true) WITH CHECK (true);
CREATE POLICY resolve ON app.domains FOR SELECT TO dukani_definer USING (true);
CREATE POLICY resolve ON app.stores FOR SELECT TO dukani_definer USING (true);
GRANT SELECT ON app.domains TO dukani_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON app.domains TO dukani_platform;
GRANT SELECT (store_id, host, verified_at, is_canonical) ON app.domains TO dukani_definer;
GRANT SELECT (id, status, content_version) ON app.stores TO dukani_definer;

CREATE FUNCTION app.resolve_host(wanted text) RETURNS TABLE (store_id bigint, content_version bigint)
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = app, pg_temp AS
  $$ SELECT d.store_id, s.content_version FROM app.domains d JOIN app.stores s ON s.id = d.store_id
      WHERE d.host = wanted AND d.verified_at IS NOT NULL $$;
REVOKE ALL ON FUNCTION app.resolve_host(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.resolve_host(text) TO dukani_app;
ALTER FUNCTION app.resolve_host(text) OWNER TO dukani_definer;

-- Per-store numbers (orders, invoices) come from a row, so that no sequence shows what others sell.
CREATE TABLE app.counters(
  store_id bigint NOT NULL DEFAULT app.store_id() REFERENCES app.stores(id),
  name text NOT NULL, value bigint NOT NULL DEFAULT 0 CHECK (value >= 0),
  PRIMARY KEY (store_id, name));
SELECT app.protect('app.counters');
GRANT SELECT, INSERT, UPDATE ON app.counters TO dukani_app;
"""

DOWN = """
DROP TABLE app.counters, app.domains, app.stores, app.transitions CASCADE;
DROP FUNCTION IF EXISTS app.resolve_host(text), app.keep_history(regclass), app.append_only(),
  app.enforce_transition(), app.protect(regclass), app.store_id() CASCADE;
"""


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '3s'")
    op.execute(UP)


def downgrade() -> None:
    op.execute(DOWN)
