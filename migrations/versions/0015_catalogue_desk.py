"""The catalogue desk: what a category asks of its goods, old addresses, serials, low marks, waits.

Additive, but for the reasons of a stock movement, which gain ``transfer``. Going down, a transfer
is told as a count: the figures stay whole.
"""

from alembic import op

revision = "0015_catalogue_desk"
down_revision = "0014_second_factor"

UP = """
ALTER TABLE app.categories
  ADD COLUMN parent_id uuid,
  ADD COLUMN attributes jsonb NOT NULL DEFAULT '[]',
  ADD COLUMN size_chart jsonb NOT NULL DEFAULT '[]',
  ADD COLUMN return_days smallint CHECK (return_days BETWEEN 0 AND 90),
  ADD COLUMN return_note text NOT NULL DEFAULT '',
  ADD COLUMN photo_guide jsonb NOT NULL DEFAULT '[]',
  ADD CONSTRAINT categories_parent_id_fkey FOREIGN KEY (store_id, parent_id)
    REFERENCES app.categories (store_id, id),
  ADD CONSTRAINT categories_not_its_own_parent CHECK (parent_id <> id);
CREATE INDEX categories_parent ON app.categories (store_id, parent_id) WHERE parent_id IS NOT NULL;

ALTER TABLE app.products
  ADD COLUMN attributes jsonb NOT NULL DEFAULT '{}',
  ADD COLUMN seo_title text NOT NULL DEFAULT '' CHECK (length(seo_title) <= 70),
  ADD COLUMN seo_description text NOT NULL DEFAULT '' CHECK (length(seo_description) <= 200),
  ADD COLUMN tracks_serials boolean NOT NULL DEFAULT false;
CREATE INDEX products_name ON app.products (store_id, lower(name), id);

-- A way to buy that is no longer offered keeps its history and its SKU.
ALTER TABLE app.variants
  ADD COLUMN is_active boolean NOT NULL DEFAULT true,
  ADD COLUMN low_mark integer NOT NULL DEFAULT 3 CHECK (low_mark BETWEEN 0 AND 1000000);

ALTER TABLE app.stock_movements
  ADD COLUMN note text NOT NULL DEFAULT '' CHECK (length(note) <= 200),
  DROP CONSTRAINT stock_movements_reason_check,
  ADD CONSTRAINT stock_movements_reason_check
    CHECK (reason IN ('received','sale','return','count','damage','transfer','import'));

-- Where a product used to be: its old address leads to the new one.
CREATE TABLE app.old_slugs(
  store_id bigint NOT NULL DEFAULT app.store_id() REFERENCES app.stores(id), slug text NOT NULL,
  product_id uuid NOT NULL, at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (store_id, slug),
  FOREIGN KEY (store_id, product_id) REFERENCES app.products (store_id, id) ON DELETE CASCADE);
CREATE INDEX old_slugs_product ON app.old_slugs (store_id, product_id);
SELECT app.protect('app.old_slugs');
GRANT SELECT, INSERT, UPDATE, DELETE ON app.old_slugs TO dukani_app;

-- One unit with its serial number or IMEI.
CREATE TABLE app.serials(
  store_id bigint NOT NULL DEFAULT app.store_id() REFERENCES app.stores(id), id uuid NOT NULL,
  variant_id uuid NOT NULL, serial text NOT NULL CHECK (serial ~ '^[0-9A-Z][0-9A-Z/._-]{2,39}$'),
  status text NOT NULL DEFAULT 'in_stock', order_line_id uuid,
  received_at timestamptz NOT NULL DEFAULT now(), received_by text NOT NULL DEFAULT 'system',
  changed_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (store_id, id), CONSTRAINT serials_serial_key UNIQUE (store_id, serial),
  FOREIGN KEY (store_id, variant_id) REFERENCES app.variants (store_id, id),
  FOREIGN KEY (store_id, order_line_id) REFERENCES app.order_lines (store_id, id),
  CHECK ((status = 'sold') = (order_line_id IS NOT NULL)));
CREATE INDEX serials_variant ON app.serials (store_id, variant_id, status);
CREATE INDEX serials_line ON app.serials (store_id, order_line_id) WHERE order_line_id IS NOT NULL;
INSERT INTO app.transitions VALUES ('serials','','in_stock'), ('serials','in_stock','sold'),
  ('serials','in_stock','gone'), ('serials','sold','in_stock'), ('serials','gone','in_stock');
CREATE TRIGGER legal_status BEFORE INSERT OR UPDATE OF status ON app.serials
  FOR EACH ROW EXECUTE FUNCTION app.enforce_transition();
SELECT app.protect('app.serials');
GRANT SELECT, INSERT, UPDATE ON app.serials TO dukani_app;

-- Who asked to be told when a variant is back. One row per phone and variant.
CREATE TABLE app.stock_waits(
  store_id bigint NOT NULL DEFAULT app.store_id() REFERENCES app.stores(id), id uuid NOT NULL,
  variant_id uuid NOT NULL, phone_sealed bytea NOT NULL, phone_lookup bytea NOT NULL,
  language text NOT NULL DEFAULT 'en', asked_at timestamptz NOT NULL DEFAULT now(), told_at timestamptz,
  PRIMARY KEY (store_id, id),
  CONSTRAINT stock_waits_phone_key UNIQUE (store_id, variant_id, phone_lookup),
  FOREIGN KEY (store_id, variant_id) REFERENCES app.variants (store_id, id) ON DELETE CASCADE);
SELECT app.protect('app.stock_waits');
GRANT SELECT, INSERT, UPDATE, DELETE ON app.stock_waits TO dukani_app;
"""

DOWN = """
DROP TABLE app.stock_waits, app.serials, app.old_slugs CASCADE;
DELETE FROM app.transitions WHERE entity = 'serials';
ALTER TABLE app.stock_movements DISABLE TRIGGER no_change;
UPDATE app.stock_movements SET reason = 'count' WHERE reason = 'transfer';
ALTER TABLE app.stock_movements ENABLE TRIGGER no_change;
ALTER TABLE app.stock_movements
  DROP COLUMN note,
  DROP CONSTRAINT stock_movements_reason_check,
  ADD CONSTRAINT stock_movements_reason_check
    CHECK (reason IN ('received','sale','return','count','damage','import'));
ALTER TABLE app.variants DROP COLUMN is_active, DROP COLUMN low_mark;
DROP INDEX app.products_name;
ALTER TABLE app.products DROP COLUMN attributes, DROP COLUMN seo_title, DROP COLUMN seo_description,
  DROP COLUMN tracks_serials;
ALTER TABLE app.categories DROP COLUMN parent_id, DROP COLUMN attributes, DROP COLUMN size_chart,
  DROP COLUMN return_days, DROP COLUMN return_note, DROP COLUMN photo_guide;
"""


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '3s'")
    op.execute(UP)


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '3s'")
    op.execute(DOWN)
