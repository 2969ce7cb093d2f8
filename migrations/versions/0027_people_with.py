"""Who of a store's people may be told of something now: a job asks, and memberships are not its to read.

Additive.
"""

from alembic import op

revision = "0027_people_with"
down_revision = "0026_vat_class"

UP = """
CREATE POLICY people_with ON app.memberships FOR SELECT TO dukani_definer USING (true);
GRANT SELECT (store_id, person_id, role) ON app.memberships TO dukani_definer;
CREATE FUNCTION app.people_with(roles text[]) RETURNS SETOF uuid
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = app, pg_temp AS
$$ SELECT person_id FROM app.memberships WHERE store_id = app.store_id() AND role = ANY(roles) $$;
REVOKE ALL ON FUNCTION app.people_with(text[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.people_with(text[]) TO dukani_app;
ALTER FUNCTION app.people_with(text[]) OWNER TO dukani_definer;
"""

DOWN = """
DROP FUNCTION app.people_with(text[]);
REVOKE SELECT (store_id, person_id, role) ON app.memberships FROM dukani_definer;
DROP POLICY people_with ON app.memberships;
"""


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '3s'")
    op.execute(UP)


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '3s'")
    op.execute(DOWN)
