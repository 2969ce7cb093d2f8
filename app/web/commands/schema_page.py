"""docs/schema.md, from the catalogue of a migrated database: what is there, not what was meant."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import Connection, text

# What each table is for. A table that is missing here stops the page, and the test of it.
PURPOSE = {
    "action_pins": "A person's PIN for refunds and payouts, as an argon2id hash.",
    "alembic_version": "Which migration this database is at.",
    "audit_log": "Who did what, and when: append-only, each entry's hash over the one before it.",
    "callback_inbox": "Every callback from a provider, raw, before anybody believes it.",
    "cart_lines": "One variant and its quantity in a cart. No price: a cart follows today's.",
    "carts": "What a shopper is considering, found by the hash of a cookie's token.",
    "catalogue_imports": "What became of every row of a catalogue file that was brought in.",
    "categories": "How a store arranges its products.",
    "changed_days": "Days of which an order changed since they were added up, until they are again.",
    "changes": "What people changed in settings and goods, before and after, so that it can be taken back.",
    "channel_settings": "A store's own WhatsApp number and its sealed token.",
    "consents": "What a customer said about offers: when, where, by which words. Rows only move in a merge.",
    "counters": "A number per store and purpose: the last order code, what did not add up last night.",
    "customer_groups": "Customers with prices of their own, like resellers.",
    "customers": "Someone who ordered, known by a phone number that is sealed here.",
    "delivery_areas": "Where a store delivers, with its fee, minimum and promise.",
    "delivery_quotes": "A fee shown to one cart, and honoured for a quarter of an hour.",
    "domains": "Which host shows which store.",
    "export_parts": "A piece of a finished export, until it is a week old.",
    "exports": "Everything a store owns in one file: who asked for it, and whether it is ready.",
    "fee_rules": "When the usual delivery fee is another one, and the reason shown for it.",
    "former_members": "Who was taken out of a store, so that it can be undone for a week.",
    "group_members": "A phone in a group of customers; sealed, and in one group only.",
    "idempotency_keys": "A form's key and where its first sending led; a second one goes there.",
    "impersonations": "When somebody of the platform looked at a store, why, and whether they could write.",
    "import_changes": "What an import did to a product, with which it is taken back.",
    "import_parts": "A piece of an uploaded catalogue file, kept for a month.",
    "import_pictures": "A picture a catalogue file named, and whether it came.",
    "incoming_payments": "Money the provider told us of that came outside a prompt (C2B).",
    "invitations": "An invitation to work in a store: a role, a phone, 48 hours, once.",
    "kept_apart": "Two profiles that somebody looked at and said they are two people.",
    "ledger_entries": "Double entry: the lines of a ledger transaction, which sum to zero.",
    "ledger_tx": "One movement of money and what caused it; a cause moves money once.",
    "memberships": "Which person works in which store, in which role.",
    "message_attempts": "Every try to send a message and how it ended.",
    "messages": "What we tell customers and staff by WhatsApp or SMS; one row per message.",
    "nudges": "A change an insight proposed, its evidence, and whether it was applied or undone.",
    "old_category_slugs": "Addresses that categories had before, which lead to the new ones.",
    "content_changes": "Transactions that changed what public pages show, until the relay counts them.",
    "content_versions": "How many such transactions a store had: the version of its pages.",
    "old_slugs": "Addresses that goods had before, which lead to the new ones.",
    "onboarding": "How far the owner of a new store has come in setting it up.",
    "order_days": "What the orders of a day that is over come to; worked out from them, never typed.",
    "order_events": "The timeline of an order, for the shopper and for staff.",
    "order_lines": "What was bought, at the name and price agreed.",
    "orders": "What a customer committed to.",
    "otp_codes": "One-time codes, as hashes, with their tries.",
    "outbox": "Work asked for in the transaction that made it necessary: the queue itself.",
    "pages": "A store's own pages and policies, made of safe blocks.",
    "passkey_challenges": "A question put to a passkey: one browser, one answer, five minutes.",
    "passkeys": "Public keys of people's phones and computers, with their counters.",
    "payment_attempts": "One prompt on one phone, from before it is sent to what became of it.",
    "payment_intents": "What an order still has to collect.",
    "payment_settings": "A store's own till or paybill and its sealed keys.",
    "payout_numbers": "Where the platform pays a store out to, sealed, with who added it.",
    "people": "Those who sign in to work: owners, staff, riders, platform admins.",
    "point_moves": "Points a customer earned, spent or got back: written once, and their sum is the balance.",
    "product_cards": "A product as lists and searches read it, kept by triggers on the goods.",
    "product_images": "The pictures of a product in their order.",
    "products": "What a shopper sees and taps.",
    "promotion_uses": "What one order got from one promotion, and whether it was given back.",
    "promotions": "Codes, deals, bundles, tiers, group prices and timed sales, with their limits.",
    "programs": "Which worker and relay ran last, and under which database role.",
    "proven_numbers": "Which numbers a shopper's browser has proved by a code since it was signed in.",
    "provider_calls": "Every call to a provider: what was asked, answered, and how long it took.",
    "push_subscriptions": "Browsers that may be notified, and the one thing each is told about.",
    "rate_counters": "Tries of sign-in, codes and prompts, counted in the database.",
    "reservations": "Stock held for an order that is being paid, or by a link of the waiting line.",
    "review_items": "Money that needs a person's decision, with its age and next action.",
    "riders": "Who carries orders.",
    "saved_numbers": "Numbers a customer may pay with; taking one away deletes the row.",
    "schedules": "What the relay asks for by the clock, for every store.",
    "serials": "Serial numbers and IMEIs of single units, for goods that want them.",
    "session_proofs": "When a session last proved who it is, and how.",
    "sessions": "A browser in which a person is signed in, by the hash of its token.",
    "shelf_counts": "How many goods of a shelf have a price, stock or trait: the sum of its rows.",
    "shop_words": "Words of a shop's goods, for what a mistyped word may have meant.",
    "shopper_sessions": "A phone's browser that proved its number to a store.",
    "sign_in_links": "Sign-in links sent by e-mail: a quarter of an hour, once.",
    "sign_ups": "Phones that proved themselves to open a store and have not opened it yet.",
    "sitemaps": "The written sitemap of a store.",
    "stock_movements": "Why stock went up or down.",
    "stock_offers": "Links for those who waited: one unit each, for half an hour, once.",
    "stock_waits": "Who wants to hear when a variant is back, one row per phone and variant.",
    "stores": "The tenant: one merchant's shop and its settings. Row 0 is the platform itself.",
    "suspensions": "When the platform closed a store, why, and when it was opened again.",
    "transitions": "Every legal move of every status; the triggers read it.",
    "variants": "The exact thing sold: its price, its stock, its SKU.",
}

_TABLES = text(
    "SELECT c.oid, c.relname, c.relrowsecurity, c.relforcerowsecurity FROM pg_class c"
    " WHERE c.relnamespace = 'app'::regnamespace AND c.relkind IN ('r', 'p')"
    " AND NOT c.relispartition"
    ' ORDER BY c.relname COLLATE "C"'
)
_VIEWS = text(
    "SELECT relname FROM pg_class"
    " WHERE relnamespace = 'app'::regnamespace AND relkind IN ('v', 'm')"
    ' ORDER BY relname COLLATE "C"'
)
_COLUMNS = text(
    "SELECT a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull,"
    " coalesce(pg_get_expr(d.adbin, d.adrelid),"
    " CASE a.attidentity WHEN '' THEN '' ELSE 'identity' END)"
    " FROM pg_attribute a LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum"
    " WHERE a.attrelid = :table AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum"
)
_CONSTRAINTS = text(
    "SELECT contype::text, conname, pg_get_constraintdef(oid) FROM pg_constraint"
    " WHERE conrelid = :table AND contype IN ('p', 'u', 'f', 'c')"
    " ORDER BY array_position(ARRAY['p', 'u', 'f', 'c'], contype::text),"
    ' conname COLLATE "C"'
)
_INDEXES = text(
    "SELECT pg_get_indexdef(i.indexrelid) FROM pg_index i WHERE i.indrelid = :table"
    " AND NOT EXISTS (SELECT FROM pg_constraint c WHERE c.conindid = i.indexrelid)"
    " ORDER BY 1"
)
_TRIGGERS = text(
    "SELECT t.tgname, p.proname FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid"
    " WHERE t.tgrelid = :table AND NOT t.tgisinternal"
    ' ORDER BY t.tgname COLLATE "C"'
)
_POLICIES = text(
    "SELECT polname, coalesce((SELECT string_agg(rolname, ', ' ORDER BY rolname) FROM pg_roles"
    " WHERE oid = ANY (polroles)), 'public') FROM pg_policy WHERE polrelid = :table"
    ' ORDER BY polname COLLATE "C", 2'
)
_KINDS = {"p": "primary key", "u": "unique", "f": "foreign key", "c": "check"}

HEAD = """# The database

Written by `bin/manage schema --write` from a migrated database; a test compares the two.
Everything is in the schema `app`. A table with `store_id` belongs to a store, and row-level
security is forced on it: see [ADR 0001](adr/0001-row-level-security-for-tenants.md).
"""


def schema_page(connection: Connection) -> str:
    """The page. Raises KeyError for a table whose purpose nobody has written down."""
    return "\n".join([HEAD, *_lines(connection)]) + "\n"


def _lines(connection: Connection) -> Iterator[str]:
    tables = connection.execute(_TABLES).all()
    yield f"{len(tables)} tables."
    for oid, name, has_security, is_forced in tables:
        yield from ("", f"## {name}", "", PURPOSE[name], "")
        yield f"Row-level security: {'forced' if is_forced else 'on' if has_security else 'off'}."
        yield from ("", "| column | type | NULL | default |", "|---|---|---|---|")
        for column, kind, is_required, default in connection.execute(_COLUMNS, {"table": oid}):
            yield f"| {column} | {kind} | {'' if is_required else 'yes'} | {_code(default)} |"
        facts = [*_facts(connection, oid)]
        if facts:
            yield from ("", *facts)
    yield from ("", "## Views", "")
    for (name,) in connection.execute(_VIEWS):
        yield f"- `{name}`: asks as its reader, so row-level security holds in it too."


def _facts(connection: Connection, table: int) -> Iterator[str]:
    for kind, name, definition in connection.execute(_CONSTRAINTS, {"table": table}):
        yield f"- {_KINDS[kind]} `{name}`: {_code(definition)}"
    for (definition,) in connection.execute(_INDEXES, {"table": table}):
        yield f"- index: {_code(definition)}"
    for name, function in connection.execute(_TRIGGERS, {"table": table}):
        yield f"- trigger `{name}` runs `{function}()`"
    for name, roles in connection.execute(_POLICIES, {"table": table}):
        yield f"- policy `{name}` for {roles}"


def _code(words: str) -> str:
    """As code in a table: a bar would end the cell, a line break the row."""
    return f"`{' '.join(words.split())}`".replace("|", "\\|") if words else ""
