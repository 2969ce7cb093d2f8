"""Nudges, sitemaps and catalogue imports.

Additive.
"""

from alembic import op

revision = "0009_insights_and_seo"
down_revision = "0008_jobs_and_messages"

UP = """
CREATE TABLE app.nudges(
  store_id bigint NOT NULL DEFAULT app.store_id() REFERENCES app.stores(id), id uuid NOT NULL,
  kind text NOT NULL, area text NOT NULL, status text NOT NULL DEFAULT 'offered',
  from_fee_cents bigint NOT NULL, to_fee_cents bigint NOT NULL, evidence jsonb NOT NULL DEFAULT '{}',
  created_at timestamptz NOT NULL DEFAULT now(), applied_at timestamptz, applied_by text, undone_at timestamptz,
  PRIMARY KEY (store_id, id));
CREATE UNIQUE INDEX one_open_nudge ON app.nudges (store_id, kind, area) WHERE status IN ('offered','applied');
INSERT INTO app.transitions VALUES ('nudges','','offered'), ('nudges','offered','applied'), ('nudges','offered','dismissed'),
  ('nudges','applied','undone'), ('nudges','offered','stale');
CREATE TRIGGER legal_status BEFORE INSERT OR UPDATE OF status ON app.nudges
  FOR EACH ROW EXECUTE FUNCTION app.enforce_transition();
SELECT app.protect('app.nudges');
GRANT SELECT, INSERT, UPDATE ON app.nudges TO dukani_app;

CREATE TABLE app.sitemaps(
  store_id bigint NOT NULL DEFAULT app.store_id() REFERENCES app.stores(id), name text NOT NULL,
  body text NOT NULL, urls integer NOT NULL, content_version bigint NOT NULL, made_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (store_id, name));
SELECT app.protect('app.sitemaps');
GRANT SELECT, INSERT, UPDATE, DELETE ON app.sitemaps TO dukani_app;

CREATE TABLE app.catalogue_imports(
  store_id bigint NOT NULL DEFAULT app.store_id() REFERENCES app.stores(id), id uuid NOT NULL,
  filename text NOT NULL, format text NOT NULL DEFAULT '', report jsonb NOT NULL DEFAULT '{}',
  actor text NOT NULL DEFAULT '', at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (store_id, id));
SELECT app.protect('app.catalogue_imports');
GRANT SELECT, INSERT ON app.catalogue_imports TO dukani_app;
"""

DOWN = """
DROP TABLE app.catalogue_imports, app.sitemaps, app.nudges CASCADE;
DELETE FROM app.transitions WHERE entity = 'nudges';
"""


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '3s'")
    op.execute(UP)


def downgrade() -> None:
    op.execute(DOWN)
