"""Imports that run in a worker, can be resumed and taken back; exports of a whole store.

An upload lies in the database in parts, so that web and workers on different machines see it
and row-level security guards it. What an import made or changed is written down per product:
with that it is taken back. Additive.
"""

from alembic import op

revision = "0018_imports"
down_revision = "0017_operations"

UP = """
ALTER TABLE app.catalogue_imports
  ADD COLUMN status text NOT NULL DEFAULT 'done', ADD COLUMN mapping jsonb NOT NULL DEFAULT '{}',
  ADD COLUMN position integer NOT NULL DEFAULT 0 CHECK (position >= 0),
  ADD COLUMN total integer NOT NULL DEFAULT 0 CHECK (total >= 0),
  ADD COLUMN counts jsonb NOT NULL DEFAULT '{}', ADD COLUMN problem text NOT NULL DEFAULT '',
  ADD COLUMN bytes bigint NOT NULL DEFAULT 0, ADD COLUMN begun_at timestamptz,
  ADD COLUMN finished_at timestamptz, ADD COLUMN undone_at timestamptz,
  ADD COLUMN undone_by text NOT NULL DEFAULT '';
UPDATE app.catalogue_imports SET finished_at = at;
CREATE INDEX catalogue_imports_latest ON app.catalogue_imports (store_id, at DESC);
INSERT INTO app.transitions VALUES ('catalogue_imports','','uploaded'), ('catalogue_imports','','done'),
  ('catalogue_imports','uploaded','running'), ('catalogue_imports','running','done'),
  ('catalogue_imports','running','failed'), ('catalogue_imports','failed','undoing'),
  ('catalogue_imports','done','undoing'), ('catalogue_imports','undoing','undone');
CREATE TRIGGER legal_status BEFORE INSERT OR UPDATE OF status ON app.catalogue_imports
  FOR EACH ROW EXECUTE FUNCTION app.enforce_transition();
GRANT UPDATE, DELETE ON app.catalogue_imports TO dukani_app;

CREATE TABLE app.import_parts(
  store_id bigint NOT NULL DEFAULT app.store_id() REFERENCES app.stores(id), import_id uuid NOT NULL,
  n integer NOT NULL, body bytea NOT NULL,
  PRIMARY KEY (store_id, import_id, n),
  FOREIGN KEY (store_id, import_id) REFERENCES app.catalogue_imports (store_id, id) ON DELETE CASCADE);
SELECT app.protect('app.import_parts');
GRANT SELECT, INSERT, DELETE ON app.import_parts TO dukani_app;

CREATE TABLE app.import_changes(
  store_id bigint NOT NULL DEFAULT app.store_id() REFERENCES app.stores(id), id uuid NOT NULL,
  import_id uuid NOT NULL, product_id uuid NOT NULL, is_new boolean NOT NULL,
  before jsonb NOT NULL DEFAULT '{}', after jsonb NOT NULL DEFAULT '{}',
  outcome text CHECK (outcome IN ('deleted','archived','restored','partly','gone')),
  PRIMARY KEY (store_id, id),
  FOREIGN KEY (store_id, import_id) REFERENCES app.catalogue_imports (store_id, id) ON DELETE CASCADE);
CREATE INDEX import_changes_import ON app.import_changes (store_id, import_id, id);
SELECT app.protect('app.import_changes');
GRANT SELECT, INSERT, UPDATE, DELETE ON app.import_changes TO dukani_app;

CREATE TABLE app.import_pictures(
  store_id bigint NOT NULL DEFAULT app.store_id() REFERENCES app.stores(id), id uuid NOT NULL,
  import_id uuid NOT NULL, product_id uuid NOT NULL, source text NOT NULL, option_value text,
  alt text NOT NULL DEFAULT '', status text NOT NULL DEFAULT 'waiting' CHECK (status IN ('waiting','done','refused')),
  sentence text NOT NULL DEFAULT '',
  PRIMARY KEY (store_id, id),
  FOREIGN KEY (store_id, import_id) REFERENCES app.catalogue_imports (store_id, id) ON DELETE CASCADE,
  FOREIGN KEY (store_id, product_id) REFERENCES app.products (store_id, id) ON DELETE CASCADE);
CREATE INDEX import_pictures_import ON app.import_pictures (store_id, import_id, status, id);
SELECT app.protect('app.import_pictures');
GRANT SELECT, INSERT, UPDATE, DELETE ON app.import_pictures TO dukani_app;

CREATE TABLE app.exports(
  store_id bigint NOT NULL DEFAULT app.store_id() REFERENCES app.stores(id), id uuid NOT NULL,
  status text NOT NULL DEFAULT 'waiting', with_phones boolean NOT NULL DEFAULT false,
  with_pictures boolean NOT NULL DEFAULT true,
  actor text NOT NULL, counts jsonb NOT NULL DEFAULT '{}', bytes bigint NOT NULL DEFAULT 0,
  problem text NOT NULL DEFAULT '', at timestamptz NOT NULL DEFAULT now(), finished_at timestamptz,
  PRIMARY KEY (store_id, id));
CREATE INDEX exports_latest ON app.exports (store_id, at DESC);
INSERT INTO app.transitions VALUES ('exports','','waiting'), ('exports','waiting','done'), ('exports','waiting','failed');
CREATE TRIGGER legal_status BEFORE INSERT OR UPDATE OF status ON app.exports
  FOR EACH ROW EXECUTE FUNCTION app.enforce_transition();
SELECT app.protect('app.exports');
GRANT SELECT, INSERT, UPDATE, DELETE ON app.exports TO dukani_app;

CREATE TABLE app.export_parts(
  store_id bigint NOT NULL DEFAULT app.store_id() REFERENCES app.stores(id), export_id uuid NOT NULL,
  n integer NOT NULL, body bytea NOT NULL,
  PRIMARY KEY (store_id, export_id, n),
  FOREIGN KEY (store_id, export_id) REFERENCES app.exports (store_id, id) ON DELETE CASCADE);
SELECT app.protect('app.export_parts');
GRANT SELECT, INSERT, DELETE ON app.export_parts TO dukani_app;
"""

DOWN = """
DROP TABLE app.export_parts, app.exports, app.import_pictures, app.import_changes, app.import_parts;
DROP TRIGGER legal_status ON app.catalogue_imports;
DELETE FROM app.transitions WHERE entity IN ('catalogue_imports', 'exports');
REVOKE UPDATE, DELETE ON app.catalogue_imports FROM dukani_app;
-- An upload that was never brought in has no report to keep.
DELETE FROM app.catalogue_imports WHERE status = 'uploaded';
DROP INDEX app.catalogue_imports_latest;
ALTER TABLE app.catalogue_imports DROP COLUMN status, DROP COLUMN mapping, DROP COLUMN position,
  DROP COLUMN total, DROP COLUMN counts, DROP COLUMN problem, DROP COLUMN bytes, DROP COLUMN begun_at,
  DROP COLUMN finished_at, DROP COLUMN undone_at, DROP COLUMN undone_by;
"""


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '3s'")
    op.execute(UP)


def downgrade() -> None:
    op.execute(DOWN)
