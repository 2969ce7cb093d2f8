"""Passkeys, action PINs, fresh proofs of a second factor, and the numbers a store is paid out to.

Additive. What belongs to a person is global and read by dukani_platform alone; payout numbers
belong to a store.
"""

from alembic import op

revision = "0014_second_factor"
down_revision = "0013_people"

UP = """
CREATE TABLE app.passkeys(
  credential_id bytea PRIMARY KEY CHECK (length(credential_id) BETWEEN 16 AND 1023),
  id uuid NOT NULL UNIQUE, person_id uuid NOT NULL REFERENCES app.people(id),
  public_key bytea NOT NULL, sign_count bigint NOT NULL DEFAULT 0 CHECK (sign_count >= 0),
  name text NOT NULL CHECK (length(name) BETWEEN 1 AND 60), is_synced boolean NOT NULL DEFAULT false,
  transports jsonb NOT NULL DEFAULT '[]', created_at timestamptz NOT NULL DEFAULT now(), used_at timestamptz);
CREATE INDEX passkeys_person ON app.passkeys (person_id);
GRANT SELECT, INSERT, UPDATE, DELETE ON app.passkeys TO dukani_platform;

-- A challenge is bound to one browser and one purpose, lives five minutes, and is deleted by its first use.
CREATE TABLE app.passkey_challenges(
  challenge bytea PRIMARY KEY, purpose text NOT NULL CHECK (purpose IN ('register','sign_in','confirm')),
  bound_to bytea NOT NULL, person_id uuid REFERENCES app.people(id), expires_at timestamptz NOT NULL);
CREATE INDEX passkey_challenges_expiry ON app.passkey_challenges (expires_at);
CREATE INDEX passkey_challenges_bound ON app.passkey_challenges (bound_to);
GRANT SELECT, INSERT, DELETE ON app.passkey_challenges TO dukani_platform;

CREATE TABLE app.action_pins(
  person_id uuid PRIMARY KEY REFERENCES app.people(id), pin_hash text NOT NULL,
  set_at timestamptz NOT NULL DEFAULT now());
GRANT SELECT, INSERT, UPDATE, DELETE ON app.action_pins TO dukani_platform;

-- What a session has proven lately, beside being signed in. Gone with the session.
CREATE TABLE app.session_proofs(
  token_hash bytea NOT NULL REFERENCES app.sessions(token_hash) ON DELETE CASCADE,
  way text NOT NULL CHECK (way IN ('pin','code','passkey','password')),
  proven_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (token_hash, way));
GRANT SELECT, INSERT, UPDATE, DELETE ON app.session_proofs TO dukani_platform;

CREATE TABLE app.payout_numbers(
  store_id bigint NOT NULL DEFAULT app.store_id() REFERENCES app.stores(id), id uuid NOT NULL,
  kind text NOT NULL CHECK (kind IN ('phone','till')),
  number_sealed bytea NOT NULL, number_lookup bytea NOT NULL, label text NOT NULL DEFAULT '' CHECK (length(label) <= 60),
  added_by text NOT NULL, added_at timestamptz NOT NULL DEFAULT now(), removed_by text, removed_at timestamptz,
  PRIMARY KEY (store_id, id), CHECK ((removed_at IS NULL) = (removed_by IS NULL)));
CREATE UNIQUE INDEX one_live_payout_number ON app.payout_numbers (store_id, number_lookup) WHERE removed_at IS NULL;
SELECT app.protect('app.payout_numbers');
GRANT SELECT, INSERT, UPDATE ON app.payout_numbers TO dukani_app;
"""

DOWN = """
DROP TABLE app.payout_numbers, app.session_proofs, app.action_pins, app.passkey_challenges, app.passkeys;
"""


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '3s'")
    op.execute(UP)


def downgrade() -> None:
    op.execute(DOWN)
