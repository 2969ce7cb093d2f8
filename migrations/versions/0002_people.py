"""People, what they may do in which store, their sessions, one-time codes and counters of tries.

Additive. People are global: only dukani_platform reads them.
"""

from alembic import op

revision = "0002_people"
down_revision = "0001_foundation"

UP = """
CREATE TABLE app.people(
  id uuid PRIMARY KEY, name text NOT NULL CHECK (length(name) BETWEEN 1 AND 120),
  phone_sealed bytea, phone_lookup bytea UNIQUE,
  email text UNIQUE CHECK (email = lower(email)),
  password_hash text, session_version integer NOT NULL DEFAULT 1,
  is_platform_admin boolean NOT NULL DEFAULT false,
  created_at timestamptz NOT NULL DEFAULT now(),
  CHECK (phone_lookup IS NOT NULL OR email IS NOT NULL));
GRANT SELECT, INSERT, UPDATE ON app.people TO dukani_platform;

CREATE TABLE app.memberships(
  store_id bigint NOT NULL REFERENCES app.stores(id), person_id uuid NOT NULL REFERENCES app.people(id),
  role text NOT NULL CHECK (role IN ('owner','manager','sales','packer','dispatcher','rider','accountant','support')),
  created_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (store_id, person_id));
ALTER TABLE app.memberships ENABLE ROW LEVEL SECURITY;
ALTER TABLE app.memberships FORCE ROW LEVEL SECURITY;
CREATE POLICY owner_all ON app.memberships FOR ALL TO dukani_owner USING (true) WITH CHECK (true);
CREATE POLICY platform_all ON app.memberships FOR ALL TO dukani_platform USING (true) WITH CHECK (true);
CREATE INDEX memberships_person ON app.memberships (person_id);
GRANT SELECT, INSERT, UPDATE, DELETE ON app.memberships TO dukani_platform;

CREATE TABLE app.sessions(
  token_hash bytea PRIMARY KEY, person_id uuid NOT NULL REFERENCES app.people(id),
  session_version integer NOT NULL, csrf_secret text NOT NULL, device text NOT NULL DEFAULT '',
  created_at timestamptz NOT NULL DEFAULT now(), seen_at timestamptz NOT NULL DEFAULT now(),
  expires_at timestamptz NOT NULL, ended_at timestamptz);
CREATE INDEX sessions_person ON app.sessions (person_id);
GRANT SELECT, INSERT, UPDATE, DELETE ON app.sessions TO dukani_platform;

-- One-time codes: a shopper's belong to the store, staff codes to store 0.
CREATE TABLE app.otp_codes(
  store_id bigint NOT NULL DEFAULT app.store_id() REFERENCES app.stores(id), id uuid NOT NULL,
  purpose text NOT NULL, phone_lookup bytea NOT NULL, browser_hash bytea NOT NULL, code_hmac bytea NOT NULL,
  tries smallint NOT NULL DEFAULT 0 CHECK (tries BETWEEN 0 AND 5),
  created_at timestamptz NOT NULL DEFAULT now(), expires_at timestamptz NOT NULL, used_at timestamptz,
  PRIMARY KEY (store_id, id));
CREATE UNIQUE INDEX one_live_code ON app.otp_codes (store_id, phone_lookup, purpose) WHERE used_at IS NULL;
SELECT app.protect('app.otp_codes');
GRANT SELECT, INSERT, UPDATE, DELETE ON app.otp_codes TO dukani_app;

-- Tries by subject and window. Kept in Postgres so that an emptied Redis frees nobody.
CREATE TABLE app.rate_counters(
  store_id bigint NOT NULL DEFAULT app.store_id() REFERENCES app.stores(id),
  name text NOT NULL, subject_hash bytea NOT NULL, at timestamptz NOT NULL DEFAULT clock_timestamp(), id uuid NOT NULL,
  PRIMARY KEY (store_id, id));
CREATE INDEX rate_counters_subject ON app.rate_counters (store_id, name, subject_hash, at);
SELECT app.protect('app.rate_counters');
GRANT SELECT, INSERT, DELETE ON app.rate_counters TO dukani_app;
"""

DOWN = """
DROP TABLE app.rate_counters, app.otp_codes, app.sessions, app.memberships, app.people CASCADE;
"""


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '3s'")
    op.execute(UP)


def downgrade() -> None:
    op.execute(DOWN)
