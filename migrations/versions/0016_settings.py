"""What an owner says about the shop: look, holidays, a break, own place names, own pages.

Additive; the new columns have defaults, so that no row is rewritten.
"""

from alembic import op

revision = "0016_settings"
down_revision = "0015_catalogue_desk"

UP = """
ALTER TABLE app.stores
  ADD COLUMN licence text NOT NULL DEFAULT '' CHECK (length(licence) <= 60),
  ADD COLUMN logo jsonb,                                        -- {"key", "width", "height"}
  ADD COLUMN holidays jsonb NOT NULL DEFAULT '[]',              -- [{"on": "2026-12-25", "name": "Christmas"}]
  ADD COLUMN paused_words text NOT NULL DEFAULT '' CHECK (length(paused_words) <= 200),
  ADD COLUMN paused_until timestamptz,
  ADD COLUMN density text NOT NULL DEFAULT 'roomy' CHECK (density IN ('roomy','tight')),
  ADD COLUMN home_layout text NOT NULL DEFAULT 'grid' CHECK (home_layout IN ('grid','list','pictures')),
  ADD COLUMN corners text NOT NULL DEFAULT 'round' CHECK (corners IN ('round','square')),
  -- The published pages, for the foot of every page: [{"slug", "en", "sw"}]. Kept by the pages' own code.
  ADD COLUMN page_links jsonb NOT NULL DEFAULT '[]';
GRANT UPDATE (prompt_name, licence, logo, holidays, paused_words, paused_until, density,
  home_layout, corners, page_links) ON app.stores TO dukani_app;

ALTER TABLE app.delivery_areas ADD COLUMN aliases jsonb NOT NULL DEFAULT '[]';

CREATE TABLE app.pages(
  store_id bigint NOT NULL DEFAULT app.store_id() REFERENCES app.stores(id), id uuid NOT NULL,
  slug text NOT NULL CHECK (slug ~ '^[a-z0-9](-?[a-z0-9]){1,39}$'),
  kind text NOT NULL DEFAULT 'page' CHECK (kind IN ('page','policy')),
  -- {"en": {"title", "blocks"}, "sw": …}; a policy without a language's own words uses the ready text.
  content jsonb NOT NULL DEFAULT '{}',
  is_published boolean NOT NULL DEFAULT false, position integer NOT NULL DEFAULT 0,
  changed_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (store_id, id), CONSTRAINT pages_slug_key UNIQUE (store_id, slug));
SELECT app.protect('app.pages');
GRANT SELECT, INSERT, UPDATE, DELETE ON app.pages TO dukani_app;
"""

DOWN = """
DROP TABLE app.pages;
ALTER TABLE app.delivery_areas DROP COLUMN aliases;
REVOKE UPDATE (prompt_name) ON app.stores FROM dukani_app;
ALTER TABLE app.stores DROP COLUMN licence, DROP COLUMN logo, DROP COLUMN holidays,
  DROP COLUMN paused_words, DROP COLUMN paused_until, DROP COLUMN density,
  DROP COLUMN home_layout, DROP COLUMN corners, DROP COLUMN page_links;
"""


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '3s'")
    op.execute(UP)


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '3s'")
    op.execute(DOWN)
