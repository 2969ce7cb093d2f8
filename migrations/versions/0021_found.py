"""Being found: old addresses of categories, true dates, a sitemap that follows edits.

Additive. ``variants.changed_at`` is when a shopper last saw something else there: another price,
other words, sold out or back. It is empty where nothing changed since before this migration.
"""

from alembic import op

revision = "0021_found"
down_revision = "0020_page_cache"

UP = """
-- Where a category's page used to be. Each old address names the category itself, so that however
-- often it moves, one step leads to where it is now.
CREATE TABLE app.old_category_slugs(
  store_id bigint NOT NULL DEFAULT app.store_id() REFERENCES app.stores(id), slug text NOT NULL,
  category_id uuid NOT NULL, at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (store_id, slug),
  FOREIGN KEY (store_id, category_id) REFERENCES app.categories (store_id, id) ON DELETE CASCADE);
CREATE INDEX old_category_slugs_category ON app.old_category_slugs (store_id, category_id);
SELECT app.protect('app.old_category_slugs');
GRANT SELECT, INSERT, UPDATE, DELETE ON app.old_category_slugs TO dukani_app;
SELECT app.shown_on_pages('app.old_category_slugs');

ALTER TABLE app.variants ADD COLUMN changed_at timestamptz;
CREATE FUNCTION app.note_what_shoppers_see() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
  NEW.changed_at := clock_timestamp(); RETURN NEW; END $$;
CREATE TRIGGER shown_anew BEFORE UPDATE ON app.variants FOR EACH ROW
  WHEN ((OLD.price_cents, OLD.compare_at_cents, OLD.option_values, OLD.is_active, OLD.on_hand > OLD.reserved)
        IS DISTINCT FROM
        (NEW.price_cents, NEW.compare_at_cents, NEW.option_values, NEW.is_active, NEW.on_hand > NEW.reserved))
  EXECUTE FUNCTION app.note_what_shoppers_see();

-- An edit asks for the sitemap once per quarter of an hour, for the end of it: however many edits
-- follow, one job writes them all.
CREATE FUNCTION app.ask_for_sitemap() RETURNS trigger
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = app, pg_temp AS $$
DECLARE quarter bigint := floor(extract(epoch FROM clock_timestamp()) / 900); BEGIN
  INSERT INTO app.outbox (store_id, id, topic, queue, dedupe_key, available_at)
    VALUES (NEW.id, gen_random_uuid(), 'write_sitemap', 'bulk', 'edited' || quarter,
            to_timestamp((quarter + 1) * 900 + 10))
    ON CONFLICT DO NOTHING;
  RETURN NULL; END $$;
REVOKE ALL ON FUNCTION app.ask_for_sitemap() FROM PUBLIC;
ALTER FUNCTION app.ask_for_sitemap() OWNER TO dukani_definer;
CREATE TRIGGER edited AFTER UPDATE OF content_version ON app.stores FOR EACH ROW
  WHEN (NEW.id <> 0 AND NEW.content_version > OLD.content_version)
  EXECUTE FUNCTION app.ask_for_sitemap();
"""

DOWN = """
DROP TRIGGER edited ON app.stores;
DROP FUNCTION app.ask_for_sitemap();
DROP TRIGGER shown_anew ON app.variants;
DROP FUNCTION app.note_what_shoppers_see();
ALTER TABLE app.variants DROP COLUMN changed_at;
DROP TABLE app.old_category_slugs;
"""


# Deliveries to one area in the last weeks, for the area's page; made while shops sell.
DELIVERED = (
    "CREATE INDEX CONCURRENTLY orders_delivered ON app.orders (store_id, area, delivered_at)"
    " WHERE delivered_at IS NOT NULL"
)


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '3s'")
    op.execute(UP)
    with op.get_context().autocommit_block():
        op.execute(DELIVERED)


def downgrade() -> None:
    op.execute("DROP INDEX app.orders_delivered")
    op.execute(DOWN)
