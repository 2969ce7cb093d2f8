"""Categories, products, variants with their stock, pictures, and the ledger of stock movements.

Additive. Stock sits on the variant; every change of on_hand leaves a movement.
"""

from alembic import op

revision = "0003_catalog"
down_revision = "0002_people"

UP = """
CREATE TABLE app.categories(
  store_id bigint NOT NULL DEFAULT app.store_id() REFERENCES app.stores(id), id uuid NOT NULL,
  slug text NOT NULL CHECK (slug ~ '^[a-z0-9](-?[a-z0-9])*$'), name text NOT NULL,
  position integer NOT NULL DEFAULT 0, created_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (store_id, id), CONSTRAINT categories_slug_key UNIQUE (store_id, slug));
SELECT app.protect('app.categories');
GRANT SELECT, INSERT, UPDATE, DELETE ON app.categories TO dukani_app;

CREATE TABLE app.products(
  store_id bigint NOT NULL DEFAULT app.store_id() REFERENCES app.stores(id), id uuid NOT NULL,
  slug text NOT NULL CHECK (slug ~ '^[a-z0-9](-?[a-z0-9])*$'), name text NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
  description_html text NOT NULL DEFAULT '', brand text NOT NULL DEFAULT '', category_id uuid,
  status text NOT NULL DEFAULT 'active', vat_class text NOT NULL DEFAULT 'standard'
    CHECK (vat_class IN ('standard','zero','exempt')),
  facts jsonb NOT NULL DEFAULT '[]', options text[] NOT NULL DEFAULT '{}',
  warranty_months smallint NOT NULL DEFAULT 0, source_key text, is_featured boolean NOT NULL DEFAULT false,
  created_at timestamptz NOT NULL DEFAULT now(), updated_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (store_id, id),
  CONSTRAINT products_slug_key UNIQUE (store_id, slug), CONSTRAINT products_source_key UNIQUE (store_id, source_key),
  FOREIGN KEY (store_id, category_id) REFERENCES app.categories (store_id, id));
CREATE INDEX products_category ON app.products (store_id, category_id, status, created_at DESC);
INSERT INTO app.transitions VALUES ('products','','draft'), ('products','','active'), ('products','draft','active'),
  ('products','active','draft'), ('products','active','archived'), ('products','draft','archived'), ('products','archived','draft');
CREATE TRIGGER legal_status BEFORE INSERT OR UPDATE OF status ON app.products
  FOR EACH ROW EXECUTE FUNCTION app.enforce_transition();
SELECT app.protect('app.products');
GRANT SELECT, INSERT, UPDATE, DELETE ON app.products TO dukani_app;

CREATE TABLE app.variants(
  store_id bigint NOT NULL DEFAULT app.store_id() REFERENCES app.stores(id), id uuid NOT NULL,
  product_id uuid NOT NULL, sku text NOT NULL CHECK (length(sku) BETWEEN 1 AND 80),
  option_values text[] NOT NULL DEFAULT '{}', position integer NOT NULL DEFAULT 0,
  price_cents bigint NOT NULL CHECK (price_cents >= 0 AND price_cents % 100 = 0 AND price_cents <= 10000000000),
  compare_at_cents bigint CHECK (compare_at_cents > price_cents), cost_cents bigint CHECK (cost_cents >= 0),
  weight_grams integer NOT NULL DEFAULT 0 CHECK (weight_grams >= 0), is_bulky boolean NOT NULL DEFAULT false,
  on_hand integer NOT NULL DEFAULT 0 CHECK (on_hand >= 0), reserved integer NOT NULL DEFAULT 0 CHECK (reserved >= 0),
  barcode text, created_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (store_id, id), CONSTRAINT variants_sku_key UNIQUE (store_id, sku),
  CONSTRAINT variants_stock_check CHECK (reserved <= on_hand),
  FOREIGN KEY (store_id, product_id) REFERENCES app.products (store_id, id) ON DELETE CASCADE);
CREATE INDEX variants_product ON app.variants (store_id, product_id, position);
SELECT app.protect('app.variants');
GRANT SELECT, INSERT, UPDATE, DELETE ON app.variants TO dukani_app;

CREATE TABLE app.product_images(
  store_id bigint NOT NULL DEFAULT app.store_id() REFERENCES app.stores(id), id uuid NOT NULL,
  product_id uuid NOT NULL, option_value text, position integer NOT NULL DEFAULT 0,
  alt text NOT NULL DEFAULT '', media_key text NOT NULL CHECK (media_key ~ '^[0-9a-f]{32}$'),
  width integer NOT NULL, height integer NOT NULL, tint smallint NOT NULL DEFAULT 0 CHECK (tint BETWEEN 0 AND 63),
  sizes jsonb NOT NULL DEFAULT '{}',
  PRIMARY KEY (store_id, id),
  FOREIGN KEY (store_id, product_id) REFERENCES app.products (store_id, id) ON DELETE CASCADE);
CREATE INDEX product_images_product ON app.product_images (store_id, product_id, position);
SELECT app.protect('app.product_images');
GRANT SELECT, INSERT, UPDATE, DELETE ON app.product_images TO dukani_app;

CREATE TABLE app.stock_movements(
  store_id bigint NOT NULL DEFAULT app.store_id() REFERENCES app.stores(id), id uuid NOT NULL,
  variant_id uuid NOT NULL, quantity integer NOT NULL CHECK (quantity <> 0),
  reason text NOT NULL CHECK (reason IN ('received','sale','return','count','damage','import')),
  order_id uuid, actor text NOT NULL DEFAULT 'system', at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (store_id, id),
  FOREIGN KEY (store_id, variant_id) REFERENCES app.variants (store_id, id));
CREATE INDEX stock_movements_variant ON app.stock_movements (store_id, variant_id, at);
SELECT app.protect('app.stock_movements'), app.keep_history('app.stock_movements');
GRANT SELECT, INSERT ON app.stock_movements TO dukani_app;
"""

DOWN = """
DROP TABLE app.stock_movements, app.product_images, app.variants, app.products, app.categories CASCADE;
DELETE FROM app.transitions WHERE entity = 'products';
"""


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '3s'")
    op.execute(UP)


def downgrade() -> None:
    op.execute(DOWN)
