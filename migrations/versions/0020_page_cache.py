"""When what a store's public pages show was last changed, without anybody having to say so.

Additive, but for `app.resolve_host`, whose answer means the same as before. A trigger on every
table that public pages read notes the change: one row per transaction, added and never updated,
so that no checkout waits for another one's. The number of changes that were committed is the
version; it grows exactly when one becomes visible. The relay folds old rows into one number.
"""

from alembic import op

revision = "0020_page_cache"
down_revision = "0019_sign_up"

UP = """
CREATE TABLE app.content_versions(
  store_id bigint NOT NULL DEFAULT app.store_id() REFERENCES app.stores(id),
  version bigint NOT NULL DEFAULT 0 CHECK (version >= 0),
  changed_at timestamptz NOT NULL DEFAULT now(),           -- when changes were last folded in
  purged_at timestamptz NOT NULL DEFAULT '-infinity',      -- until when a purge is asked for
  PRIMARY KEY (store_id));
CREATE INDEX content_versions_changed ON app.content_versions (changed_at);
SELECT app.protect('app.content_versions');

-- No foreign key: it would lock the store's row in every checkout. `at` keeps rows of an older
-- cluster, restored from a backup, apart from those of this one.
CREATE TABLE app.content_changes(
  store_id bigint NOT NULL DEFAULT app.store_id(),
  id xid8 NOT NULL DEFAULT pg_current_xact_id(),
  at timestamptz NOT NULL DEFAULT transaction_timestamp(),
  PRIMARY KEY (store_id, id, at));
SELECT app.protect('app.content_changes');
GRANT SELECT, INSERT ON app.content_changes TO dukani_app, dukani_platform;
CREATE POLICY platform_all ON app.content_changes FOR ALL TO dukani_platform USING (true) WITH CHECK (true);
CREATE POLICY versions ON app.content_changes FOR ALL TO dukani_definer USING (true) WITH CHECK (true);
CREATE POLICY versions ON app.content_versions FOR ALL TO dukani_definer USING (true) WITH CHECK (true);
GRANT SELECT, UPDATE, DELETE ON app.content_changes TO dukani_definer;
GRANT SELECT, INSERT, UPDATE ON app.content_versions TO dukani_definer;

CREATE FUNCTION app.note_change() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
  INSERT INTO app.content_changes (store_id) SELECT DISTINCT store_id FROM changed ON CONFLICT DO NOTHING;
  RETURN NULL; END $$;
CREATE FUNCTION app.note_store_change() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
  INSERT INTO app.content_changes (store_id) SELECT DISTINCT id FROM changed ON CONFLICT DO NOTHING;
  RETURN NULL; END $$;

-- Call it in the migration of each table that a public page reads.
CREATE FUNCTION app.shown_on_pages(t regclass) RETURNS void LANGUAGE plpgsql AS $$ BEGIN
  EXECUTE format('CREATE TRIGGER shown_new AFTER INSERT ON %s REFERENCING NEW TABLE AS changed
                  FOR EACH STATEMENT EXECUTE FUNCTION app.note_change()', t);
  EXECUTE format('CREATE TRIGGER shown_changed AFTER UPDATE ON %s REFERENCING NEW TABLE AS changed
                  FOR EACH STATEMENT EXECUTE FUNCTION app.note_change()', t);
  EXECUTE format('CREATE TRIGGER shown_gone AFTER DELETE ON %s REFERENCING OLD TABLE AS changed
                  FOR EACH STATEMENT EXECUTE FUNCTION app.note_change()', t);
END $$;
SELECT app.shown_on_pages('app.products'), app.shown_on_pages('app.variants'),
  app.shown_on_pages('app.product_images'), app.shown_on_pages('app.categories'),
  app.shown_on_pages('app.old_slugs'), app.shown_on_pages('app.domains'),
  app.shown_on_pages('app.delivery_areas'), app.shown_on_pages('app.fee_rules'),
  app.shown_on_pages('app.pages'), app.shown_on_pages('app.payment_settings');
CREATE TRIGGER shown_changed AFTER UPDATE ON app.stores REFERENCING NEW TABLE AS changed
  FOR EACH STATEMENT EXECUTE FUNCTION app.note_store_change();

-- What a page asks of old orders it finds by index, however many there are.
CREATE INDEX order_lines_variant ON app.order_lines (store_id, variant_id, order_id DESC);
CREATE INDEX orders_done ON app.orders (store_id, delivered_at) WHERE status IN ('delivered', 'closed');

-- Host -> store, and the version of its pages.
CREATE OR REPLACE FUNCTION app.resolve_host(wanted text) RETURNS TABLE (store_id bigint, content_version bigint)
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = app, pg_temp AS
  $$ SELECT d.store_id, coalesce((SELECT v.version FROM app.content_versions v WHERE v.store_id = d.store_id), 0)
                        + (SELECT count(*) FROM app.content_changes c WHERE c.store_id = d.store_id)
       FROM app.domains d WHERE d.host = wanted AND d.verified_at IS NOT NULL $$;

-- Every store whose pages changed in the last half minute, with their version and its hosts; for a
-- process that asked less than five seconds ago, all others are as it knows them.
CREATE FUNCTION app.changed_pages() RETURNS TABLE (store_id bigint, content_version bigint, hosts text[])
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = app, pg_temp AS
  $$ SELECT x.store_id, sum(x.n)::bigint,
            ARRAY(SELECT d.host FROM app.domains d WHERE d.store_id = x.store_id AND d.verified_at IS NOT NULL)
       FROM (
       SELECT c.store_id, count(*) AS n FROM app.content_changes c GROUP BY c.store_id
        UNION ALL
       SELECT v.store_id, v.version FROM app.content_versions v
        WHERE v.changed_at > clock_timestamp() - interval '30 seconds'
           OR v.store_id IN (SELECT c.store_id FROM app.content_changes c)) x
      GROUP BY x.store_id $$;
REVOKE ALL ON FUNCTION app.changed_pages() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.changed_pages() TO dukani_app;
ALTER FUNCTION app.changed_pages() OWNER TO dukani_definer;

-- Folds what is committed into one number per store; no version changes by that. Where a cache in
-- front of us wants to be told, a purge is asked for: at once, at most one in five seconds, and once
-- more two seconds later, for what it fetched meanwhile from a layer that did not know yet.
CREATE FUNCTION app.fold_changes(tell boolean) RETURNS integer
  LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = app, pg_temp AS
  $$ WITH gone AS (
       DELETE FROM app.content_changes c USING (
           SELECT x.store_id, x.id, x.at FROM app.content_changes x LIMIT 5000 FOR UPDATE SKIP LOCKED) o
        WHERE c.store_id = o.store_id AND c.id = o.id AND c.at = o.at RETURNING c.store_id),
     folded AS (
       INSERT INTO app.content_versions AS v (store_id, version, changed_at)
       SELECT g.store_id, count(*), clock_timestamp() FROM gone g GROUP BY g.store_id ORDER BY g.store_id
           ON CONFLICT (store_id) DO UPDATE SET version = v.version + excluded.version,
              changed_at = excluded.changed_at,
              purged_at = CASE WHEN NOT tell OR v.purged_at > clock_timestamp() THEN v.purged_at
                          ELSE greatest(clock_timestamp(), v.purged_at + interval '5 seconds') END
       RETURNING v.store_id, v.version, greatest(v.purged_at, clock_timestamp()) AS due, v.purged_at),
     told AS (
       INSERT INTO app.outbox (store_id, id, topic, queue, dedupe_key, available_at)
       SELECT f.store_id, gen_random_uuid(), 'purge_pages', 'bulk', f.purged_at || ' ' || wait,
              f.due + make_interval(secs => wait)
         FROM folded f CROSS JOIN (VALUES (0), (2)) AS w(wait) WHERE tell ON CONFLICT DO NOTHING)
     SELECT count(*)::integer FROM folded $$;
REVOKE ALL ON FUNCTION app.fold_changes(boolean) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.fold_changes(boolean) TO dukani_relay;
GRANT INSERT (available_at) ON app.outbox TO dukani_definer;
ALTER FUNCTION app.fold_changes(boolean) OWNER TO dukani_definer;
"""

DOWN = """
DROP INDEX app.order_lines_variant, app.orders_done;
DROP FUNCTION app.fold_changes(boolean), app.changed_pages();
CREATE OR REPLACE FUNCTION app.resolve_host(wanted text) RETURNS TABLE (store_id bigint, content_version bigint)
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = app, pg_temp AS
  $$ SELECT d.store_id, s.content_version FROM app.domains d JOIN app.stores s ON s.id = d.store_id
      WHERE d.host = wanted AND d.verified_at IS NOT NULL $$;
DROP FUNCTION app.note_change(), app.note_store_change(), app.shown_on_pages(regclass) CASCADE;
DROP TABLE app.content_changes, app.content_versions;
REVOKE INSERT (available_at) ON app.outbox FROM dukani_definer;
"""


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '3s'")
    op.execute(UP)


def downgrade() -> None:
    op.execute(DOWN)
