"""Photos that people upload: waiting until their files are made, framed, and removable.

Additive. What stands already has all its files and stays shown.
"""

from alembic import op

revision = "0012_photos"
down_revision = "0011_changes"

UP = """
ALTER TABLE app.product_images
  ADD COLUMN status text NOT NULL DEFAULT 'ready',
  ADD COLUMN refusal text NOT NULL DEFAULT '',
  ADD COLUMN filename text NOT NULL DEFAULT '',
  ADD COLUMN files jsonb NOT NULL DEFAULT '{}',
  ADD COLUMN is_filled boolean NOT NULL DEFAULT false,
  ADD COLUMN focal_x smallint NOT NULL DEFAULT 50 CHECK (focal_x BETWEEN 0 AND 100),
  ADD COLUMN focal_y smallint NOT NULL DEFAULT 50 CHECK (focal_y BETWEEN 0 AND 100),
  ADD COLUMN added_at timestamptz NOT NULL DEFAULT now(),
  ADD COLUMN removed_at timestamptz,
  ADD CONSTRAINT ready_has_a_size CHECK (status <> 'ready' OR (width > 0 AND height > 0)),
  ADD CONSTRAINT refused_says_why CHECK ((status = 'refused') = (refusal <> ''));
INSERT INTO app.transitions VALUES
  ('product_images','','ready'), ('product_images','','waiting'), ('product_images','','refused'),
  ('product_images','waiting','making'), ('product_images','waiting','refused'),
  ('product_images','making','ready'), ('product_images','making','refused');
CREATE TRIGGER legal_status BEFORE INSERT OR UPDATE OF status ON app.product_images
  FOR EACH ROW EXECUTE FUNCTION app.enforce_transition();
"""

# Photos without files have nothing to show without the columns that say so.
DOWN = """
DROP TRIGGER legal_status ON app.product_images;
DELETE FROM app.transitions WHERE entity = 'product_images';
DELETE FROM app.product_images WHERE status <> 'ready' OR removed_at IS NOT NULL;
ALTER TABLE app.product_images
  DROP CONSTRAINT refused_says_why, DROP CONSTRAINT ready_has_a_size,
  DROP COLUMN removed_at, DROP COLUMN added_at, DROP COLUMN focal_y, DROP COLUMN focal_x, DROP COLUMN is_filled,
  DROP COLUMN files, DROP COLUMN filename, DROP COLUMN refusal, DROP COLUMN status;
"""


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '3s'")
    op.execute(UP)


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '3s'")
    op.execute(DOWN)
