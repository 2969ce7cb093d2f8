"""Signing up, and how far a new shop's first setting-up has come.

Additive. A sign-up begins before there is a store, so it belongs to a person and, like people,
is read by dukani_platform alone.
"""

from alembic import op

revision = "0019_sign_up"
down_revision = "0018_imports"

UP = """
CREATE TABLE app.sign_ups(
  id uuid PRIMARY KEY, person_id uuid NOT NULL REFERENCES app.people(id),
  kind text CHECK (kind IN ('electronics','fashion','watches','home','mixed')),
  opened_store bigint REFERENCES app.stores(id),          -- the store it became
  created_at timestamptz NOT NULL DEFAULT now(), opened_at timestamptz, left_at timestamptz,
  CHECK ((opened_store IS NULL) = (opened_at IS NULL)));
CREATE UNIQUE INDEX one_open_sign_up ON app.sign_ups (person_id) WHERE opened_at IS NULL;
CREATE INDEX sign_ups_person ON app.sign_ups (person_id, created_at DESC);
GRANT SELECT, INSERT, UPDATE ON app.sign_ups TO dukani_platform;

-- One row per store that was opened by signing up; a moment for every step that is behind it.
CREATE TABLE app.onboarding(
  store_id bigint NOT NULL DEFAULT app.store_id() REFERENCES app.stores(id),
  goods_at timestamptz, areas_at timestamptz, till_at timestamptz,
  wanted_kind text CHECK (wanted_kind IN ('till','paybill')), wanted_number text CHECK (wanted_number ~ '^[0-9]{5,7}$'),
  test_order_id uuid,
  created_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (store_id),
  FOREIGN KEY (store_id, test_order_id) REFERENCES app.orders (store_id, id),
  CHECK ((wanted_kind IS NULL) = (wanted_number IS NULL)));
SELECT app.protect('app.onboarding');
GRANT SELECT, INSERT, UPDATE ON app.onboarding TO dukani_app;
"""

DOWN = """
DROP TABLE app.onboarding, app.sign_ups;
"""


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '3s'")
    op.execute(UP)


def downgrade() -> None:
    op.execute(DOWN)
