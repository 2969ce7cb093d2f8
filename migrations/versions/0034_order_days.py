"""What the orders of a day that is over come to, so that a page need not add them up each time.

Additive. A row of `order_days` is worked out from the orders, by a function that takes a day and no
figure; nobody else may write one. Whatever changes an order of an earlier day says so in
`changed_days`, in its own transaction and by an INSERT alone, so that no change waits for another
one's. A day that was changed, or has no row, is read from its orders: the rows save work, and no
figure needs them to be there or to be young.
"""

from alembic import op

revision = "0034_order_days"
down_revision = "0033_search_once"

TABLES = """
CREATE TABLE app.order_days(
  store_id bigint NOT NULL DEFAULT app.store_id() REFERENCES app.stores(id), day date NOT NULL,  -- Nairobi's
  bought integer NOT NULL,                  -- paid, or accepted to be paid at the door; not cancelled
  left_shop integer NOT NULL, came_back integer NOT NULL,                       -- of these
  waits bigint[] NOT NULL,                  -- from that to the rider, in microseconds, sorted
  sold integer NOT NULL, sold_cents bigint NOT NULL,                            -- bought, and not returned
  variant_ids uuid[] NOT NULL, quantities bigint[] NOT NULL,                    -- in what was sold
  PRIMARY KEY (store_id, day));
SELECT app.protect('app.order_days');
GRANT SELECT ON app.order_days TO dukani_app;

-- No foreign key: it would lock the store's row in every change. `at` keeps rows of an older
-- cluster, restored from a backup, apart from those of this one.
CREATE TABLE app.changed_days(
  store_id bigint NOT NULL DEFAULT app.store_id(), day date NOT NULL,
  id xid8 NOT NULL DEFAULT pg_current_xact_id(),
  at timestamptz NOT NULL DEFAULT transaction_timestamp(),
  PRIMARY KEY (store_id, day, id, at));
SELECT app.protect('app.changed_days');
GRANT SELECT ON app.changed_days TO dukani_app;
"""

# What an order counts for stands here alone: a day that is over and the hours that are not are added
# up by the same functions.
READING = """
CREATE FUNCTION app.nairobi_day(at timestamptz) RETURNS date LANGUAGE sql IMMUTABLE PARALLEL SAFE AS
  $$ SELECT (at AT TIME ZONE 'Africa/Nairobi')::date $$;
CREATE FUNCTION app.day_begins(day date) RETURNS timestamptz LANGUAGE sql IMMUTABLE PARALLEL SAFE AS
  $$ SELECT day::timestamp AT TIME ZONE 'Africa/Nairobi' $$;

-- The orders of the bound store that were placed in [since, until).
CREATE FUNCTION app.order_sums(since timestamptz, until timestamptz)
  RETURNS TABLE (bought bigint, left_shop bigint, came_back bigint, waits bigint[], sold bigint, sold_cents bigint)
  LANGUAGE sql STABLE AS $$
  SELECT count(*),
         count(*) FILTER (WHERE dispatched_at IS NOT NULL OR delivered_at IS NOT NULL),
         count(*) FILTER (WHERE status = 'returned' OR (status = 'closed' AND EXISTS (
           SELECT FROM app.order_events e WHERE e.store_id = app.store_id() AND e.order_id = o.id
              AND e.kind = 'returned'))),
         coalesce(array_agg(wait ORDER BY wait) FILTER (WHERE wait IS NOT NULL), '{}'),
         count(*) FILTER (WHERE status <> 'returned'),
         coalesce(sum(total_cents) FILTER (WHERE status <> 'returned'), 0)::bigint
    FROM (SELECT id, status, dispatched_at, delivered_at, total_cents,
                 (extract(epoch FROM dispatched_at - CASE payment_method
                    WHEN 'on_delivery' THEN placed_at ELSE coalesce(paid_at, placed_at) END)
                  * 1000000)::bigint AS wait
            FROM app.orders
           WHERE store_id = app.store_id() AND placed_at >= since AND placed_at < until
             AND status NOT IN ('pending_payment', 'cancelled')) o $$;

-- How many of each variant these orders sold.
CREATE FUNCTION app.variants_sold(since timestamptz, until timestamptz)
  RETURNS TABLE (variant_id uuid, quantity bigint) LANGUAGE sql STABLE AS $$
  -- By each order's key: a planner would rather read the lines of all years.
  SELECT l.variant_id, sum(l.quantity)
    FROM app.orders o CROSS JOIN LATERAL (
      SELECT x.variant_id, x.quantity FROM app.order_lines x
       WHERE x.store_id = app.store_id() AND x.order_id = o.id AND x.variant_id IS NOT NULL OFFSET 0) l
   WHERE o.store_id = app.store_id() AND o.placed_at >= since AND o.placed_at < until
     AND o.status NOT IN ('pending_payment', 'cancelled', 'returned')
   GROUP BY l.variant_id $$;

-- The Nairobi days of a span, the first and the last cut to it, and whether the row of a day tells the
-- truth: then all of the day is in the span, and no order of it changed since it was added up. In
-- plpgsql, as what asks it, so that they and a page's statement are planned once, and not for each span.
CREATE FUNCTION app.days_of(since timestamptz, until timestamptz)
  RETURNS TABLE (day date, begins timestamptz, ends timestamptz, is_summed boolean)
  LANGUAGE plpgsql STABLE ROWS 90 SET plan_cache_mode = force_generic_plan AS $$
DECLARE
  first date := app.nairobi_day(since);
  last date := app.nairobi_day(until);
  midnight timestamptz := app.day_begins(first);  -- Nairobi's clocks are never put forward or back
BEGIN
  RETURN QUERY
  SELECT first + n, greatest(midnight + n * interval '24 hours', since),
         least(midnight + (n + 1) * interval '24 hours', until),
         s.day IS NOT NULL AND (n > 0 OR midnight = since) AND s.day < last
           AND NOT EXISTS (SELECT FROM app.changed_days c WHERE c.store_id = app.store_id() AND c.day = s.day)
    FROM generate_series(0, last - first) n
    LEFT JOIN app.order_days s ON s.store_id = app.store_id() AND s.day = first + n;
END $$;

-- What pages ask: the sums of each Nairobi day of a span, and what was sold in it.
CREATE FUNCTION app.sums_by_day(since timestamptz, until timestamptz)
  RETURNS TABLE (day date, bought bigint, left_shop bigint, came_back bigint, waits bigint[], sold bigint, sold_cents bigint)
  LANGUAGE plpgsql STABLE ROWS 90 SET plan_cache_mode = force_generic_plan AS $$ BEGIN
  RETURN QUERY
  WITH days AS MATERIALIZED (SELECT * FROM app.days_of(since, until))
  SELECT d.day, s.bought::bigint, s.left_shop::bigint, s.came_back::bigint, s.waits, s.sold::bigint, s.sold_cents
    FROM days d JOIN app.order_days s ON s.store_id = app.store_id() AND s.day = d.day
   WHERE d.is_summed
   UNION ALL
  SELECT d.day, s.* FROM days d CROSS JOIN LATERAL app.order_sums(d.begins, d.ends) s
   WHERE NOT d.is_summed;
END $$;
CREATE FUNCTION app.sold_by_variant(since timestamptz, until timestamptz)
  RETURNS TABLE (variant_id uuid, quantity bigint)
  LANGUAGE plpgsql STABLE ROWS 90 SET plan_cache_mode = force_generic_plan AS $$ BEGIN
  RETURN QUERY
  WITH days AS MATERIALIZED (SELECT * FROM app.days_of(since, until))
  SELECT x.variant_id, sum(x.quantity)::bigint FROM (
    SELECT u.variant_id, u.quantity
      FROM days d JOIN app.order_days s ON s.store_id = app.store_id() AND s.day = d.day
     CROSS JOIN LATERAL unnest(s.variant_ids, s.quantities) AS u(variant_id, quantity)
     WHERE d.is_summed
     UNION ALL
    SELECT v.variant_id, v.quantity
      FROM days d CROSS JOIN LATERAL app.variants_sold(d.begins, d.ends) v
     WHERE NOT d.is_summed) x
   GROUP BY x.variant_id;
END $$;
"""

KEEPING = """
CREATE POLICY day_sums ON app.orders FOR SELECT TO dukani_definer USING (store_id = (SELECT app.store_id()));
CREATE POLICY day_sums ON app.order_lines FOR SELECT TO dukani_definer USING (store_id = (SELECT app.store_id()));
CREATE POLICY day_sums ON app.order_events FOR SELECT TO dukani_definer USING (store_id = (SELECT app.store_id()));
CREATE POLICY day_sums ON app.order_days FOR ALL TO dukani_definer
  USING (store_id = (SELECT app.store_id())) WITH CHECK (store_id = (SELECT app.store_id()));
CREATE POLICY day_sums ON app.changed_days FOR ALL TO dukani_definer USING (true) WITH CHECK (true);
GRANT SELECT (store_id, id, status, payment_method, total_cents, placed_at, paid_at, dispatched_at, delivered_at)
  ON app.orders TO dukani_definer;
GRANT SELECT (store_id, order_id, variant_id, quantity) ON app.order_lines TO dukani_definer;
GRANT SELECT (store_id, order_id, kind) ON app.order_events TO dukani_definer;
GRANT SELECT, INSERT, UPDATE, DELETE ON app.order_days, app.changed_days TO dukani_definer;

-- Says that an order of an earlier day changed. One row for each day and transaction.
CREATE FUNCTION app.note_changed_day() RETURNS trigger
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = app, pg_temp AS $$ BEGIN
  IF TG_OP <> 'INSERT' THEN
    INSERT INTO app.changed_days (store_id, day) VALUES (OLD.store_id, app.nairobi_day(OLD.placed_at))
      ON CONFLICT DO NOTHING;
  END IF;
  IF TG_OP <> 'DELETE' THEN
    INSERT INTO app.changed_days (store_id, day) VALUES (NEW.store_id, app.nairobi_day(NEW.placed_at))
      ON CONFLICT DO NOTHING;
  END IF;
  RETURN NULL; END $$;
CREATE FUNCTION app.note_return() RETURNS trigger
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = app, pg_temp AS $$ BEGIN
  INSERT INTO app.changed_days (store_id, day)
  SELECT o.store_id, app.nairobi_day(o.placed_at) FROM app.orders o
   WHERE o.store_id = NEW.store_id AND o.id = NEW.order_id
     AND o.placed_at < app.day_begins(app.nairobi_day(clock_timestamp()))
      ON CONFLICT DO NOTHING;
  RETURN NULL; END $$;
REVOKE ALL ON FUNCTION app.note_changed_day(), app.note_return() FROM PUBLIC;
ALTER FUNCTION app.note_changed_day() OWNER TO dukani_definer;
ALTER FUNCTION app.note_return() OWNER TO dukani_definer;

-- An order of today, which every checkout writes, costs a comparison. The lines of an order are written
-- with it and never again.
CREATE TRIGGER day_changed_i AFTER INSERT ON app.orders FOR EACH ROW
  WHEN (NEW.placed_at < app.day_begins(app.nairobi_day(clock_timestamp())))
  EXECUTE FUNCTION app.note_changed_day();
CREATE TRIGGER day_changed_u AFTER UPDATE ON app.orders FOR EACH ROW
  WHEN (least(OLD.placed_at, NEW.placed_at) < app.day_begins(app.nairobi_day(clock_timestamp()))
    AND (OLD.status, OLD.payment_method, OLD.total_cents, OLD.placed_at, OLD.paid_at, OLD.dispatched_at, OLD.delivered_at)
        IS DISTINCT FROM
        (NEW.status, NEW.payment_method, NEW.total_cents, NEW.placed_at, NEW.paid_at, NEW.dispatched_at, NEW.delivered_at))
  EXECUTE FUNCTION app.note_changed_day();
CREATE TRIGGER day_changed_d AFTER DELETE ON app.orders FOR EACH ROW
  WHEN (OLD.placed_at < app.day_begins(app.nairobi_day(clock_timestamp())))
  EXECUTE FUNCTION app.note_changed_day();
CREATE TRIGGER came_back AFTER INSERT ON app.order_events FOR EACH ROW
  WHEN (NEW.kind = 'returned') EXECUTE FUNCTION app.note_return();

-- Adds up those of the bound store's last 91 days that are over and have no row, or changed since: the
-- newest first, and no more at once than a job has time for. Takes away what is older. Returns how many
-- days it added up; none while somebody else is at it.
--
-- A day is over an hour after its end: a change made before it ended left no word, and is committed by
-- then, since a transaction of the product lives for seconds. The words that a day was changed go in the
-- statement that adds it up, so that both see the same orders: a change committed while it runs keeps its
-- word.
CREATE FUNCTION app.sum_order_days() RETURNS integer
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = app, pg_temp AS $$
DECLARE
  store bigint := app.store_id();
  newest date := app.nairobi_day(clock_timestamp() - interval '1 hour') - 1;
  d date; summed integer := 0;
BEGIN
  IF store IS NULL OR NOT pg_try_advisory_xact_lock(71033, hashint8(store)) THEN RETURN 0; END IF;
  DELETE FROM app.order_days WHERE store_id = store AND day < newest - 90;
  DELETE FROM app.changed_days WHERE store_id = store AND day < newest - 90;
  FOR d IN SELECT x.day FROM app.days_of(app.day_begins(newest - 90), app.day_begins(newest + 1)) x
            WHERE x.day <= newest AND NOT x.is_summed ORDER BY x.day DESC LIMIT 31 LOOP
    WITH words AS (DELETE FROM app.changed_days WHERE store_id = store AND day = d)
    INSERT INTO app.order_days (store_id, day, bought, left_shop, came_back, waits, sold, sold_cents,
                                variant_ids, quantities)
    SELECT store, d, s.bought, s.left_shop, s.came_back, s.waits, s.sold, s.sold_cents, v.ids, v.quantities
      FROM app.order_sums(app.day_begins(d), app.day_begins(d + 1)) s
     CROSS JOIN (SELECT coalesce(array_agg(variant_id ORDER BY variant_id), '{}') AS ids,
                        coalesce(array_agg(quantity ORDER BY variant_id), '{}') AS quantities
                   FROM app.variants_sold(app.day_begins(d), app.day_begins(d + 1))) v
        ON CONFLICT (store_id, day) DO UPDATE SET
           bought = excluded.bought, left_shop = excluded.left_shop, came_back = excluded.came_back,
           waits = excluded.waits, sold = excluded.sold, sold_cents = excluded.sold_cents,
           variant_ids = excluded.variant_ids, quantities = excluded.quantities;
    summed := summed + 1;
  END LOOP;
  RETURN summed;
END $$;
REVOKE ALL ON FUNCTION app.sum_order_days() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.sum_order_days() TO dukani_app;
ALTER FUNCTION app.sum_order_days() OWNER TO dukani_definer;
"""

DOWN = """
DROP TRIGGER came_back ON app.order_events;
DROP TRIGGER day_changed_d ON app.orders;
DROP TRIGGER day_changed_u ON app.orders;
DROP TRIGGER day_changed_i ON app.orders;
DROP FUNCTION app.sum_order_days(), app.note_return(), app.note_changed_day(),
  app.sums_by_day(timestamptz, timestamptz), app.sold_by_variant(timestamptz, timestamptz),
  app.days_of(timestamptz, timestamptz), app.variants_sold(timestamptz, timestamptz),
  app.order_sums(timestamptz, timestamptz), app.day_begins(date), app.nairobi_day(timestamptz);
DROP TABLE app.changed_days, app.order_days;
DROP POLICY day_sums ON app.order_events;
DROP POLICY day_sums ON app.order_lines;
DROP POLICY day_sums ON app.orders;
REVOKE SELECT (store_id, order_id, kind) ON app.order_events FROM dukani_definer;
REVOKE SELECT (store_id, order_id, variant_id, quantity) ON app.order_lines FROM dukani_definer;
REVOKE SELECT (store_id, id, status, payment_method, total_cents, placed_at, paid_at, dispatched_at, delivered_at)
  ON app.orders FROM dukani_definer;
"""


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '3s'")
    for part in (TABLES, READING, KEEPING):
        op.execute(part)


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '3s'")
    op.execute(DOWN)
