"""What a shop did before does not slow down what it does today: found with ten million rows.

- Money told of by the provider is looked for by its attempt, at each settlement: an index of its own.
- What this month's SMS cost is read from this month's SMS.
- Whether a customer may be somebody known is asked with their own name, address and numbers. Names and
  addresses are compared without case and spaces, in columns that Postgres fills: row-level security
  lets an index be used for a plain comparison only. To fill them the table is written anew, and is
  locked while it is: a checkout that meets it waits two seconds and is refused then.

Additive, but for an index by name that nothing used.
"""

from alembic import op

revision = "0030_history"
down_revision = "0029_store_callback"

_ALIKE = "lower(regexp_replace(btrim({}), '\\s+', ' ', 'g'))"

UP = f"""
ALTER TABLE app.customers
  ADD COLUMN alike_name text GENERATED ALWAYS AS ({_ALIKE.format("name")}) STORED,
  ADD COLUMN alike_landmark text GENERATED ALWAYS AS ({_ALIKE.format("last_landmark")}) STORED;
DROP INDEX app.customers_name;
"""

# Made while shops sell.
INDEXES = (
    "customers_alike_name ON app.customers (store_id, last_area, alike_name) WHERE merged_into IS NULL",
    "customers_alike_landmark ON app.customers (store_id, last_area, alike_landmark) WHERE merged_into IS NULL",
    "saved_numbers_phone ON app.saved_numbers (store_id, phone_lookup)",
    "incoming_payments_attempt ON app.incoming_payments (store_id, attempt_id)",
    "messages_sms ON app.messages (store_id, created_at) INCLUDE (status, cost_cents) WHERE channel = 'sms'",
)

DOWN = """
DROP INDEX app.messages_sms, app.incoming_payments_attempt, app.saved_numbers_phone;
CREATE INDEX customers_name ON app.customers (store_id, lower(name)) WHERE merged_into IS NULL;
ALTER TABLE app.customers DROP COLUMN alike_name, DROP COLUMN alike_landmark;
"""


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '3s'")
    op.execute(UP)
    with op.get_context().autocommit_block():
        for index in INDEXES:
            op.execute(f"CREATE INDEX CONCURRENTLY {index}")


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '3s'")
    op.execute(DOWN)
