"""Invitations, devices, links to sign in by e-mail, and who worked in a store before.

Additive: new columns have defaults, so that the code of the release before keeps working.
The platform's role writes the audit of the store it acts in, in the same transaction as a
change of roles, and sees no other store's.
"""

from alembic import op

revision = "0013_people"
down_revision = "0012_photos"

UP = """
CREATE TABLE app.invitations(
  store_id bigint NOT NULL DEFAULT app.store_id() REFERENCES app.stores(id), id uuid NOT NULL,
  role text NOT NULL CHECK (role IN ('owner','manager','sales','packer','dispatcher','rider','accountant','support')),
  name text NOT NULL DEFAULT '' CHECK (length(name) <= 120),
  phone_sealed bytea NOT NULL, phone_lookup bytea NOT NULL,
  token_hash bytea NOT NULL, token_sealed bytea,          -- sealed only while the link may be shown
  channel text NOT NULL CHECK (channel IN ('sms','whatsapp','link')),
  times_sent integer NOT NULL DEFAULT 0 CHECK (times_sent >= 0), sent_at timestamptz,
  invited_by text NOT NULL, created_at timestamptz NOT NULL DEFAULT clock_timestamp(), expires_at timestamptz NOT NULL,
  used_at timestamptz, used_by uuid, withdrawn_at timestamptz, withdrawn_by text,
  PRIMARY KEY (store_id, id),
  CHECK (used_at IS NULL OR withdrawn_at IS NULL),
  CHECK ((used_at IS NULL AND withdrawn_at IS NULL) OR token_sealed IS NULL));
-- Random, so unique on the whole platform: the link is looked up before any store is known.
CREATE UNIQUE INDEX invitations_token ON app.invitations (token_hash);
CREATE UNIQUE INDEX one_open_invitation ON app.invitations (store_id, phone_lookup)
  WHERE used_at IS NULL AND withdrawn_at IS NULL;
SELECT app.protect('app.invitations');
CREATE POLICY platform_all ON app.invitations FOR ALL TO dukani_platform USING (true) WITH CHECK (true);
GRANT SELECT, INSERT, UPDATE ON app.invitations TO dukani_app;
GRANT SELECT, UPDATE ON app.invitations TO dukani_platform;

-- Who was taken out of a team, so that it can be undone. People who never agreed to work here
-- are not in it, so nobody is brought in by it.
CREATE TABLE app.former_members(
  store_id bigint NOT NULL REFERENCES app.stores(id), person_id uuid NOT NULL,
  role text NOT NULL, removed_by text NOT NULL, removed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (store_id, person_id));
ALTER TABLE app.former_members ENABLE ROW LEVEL SECURITY;
ALTER TABLE app.former_members FORCE ROW LEVEL SECURITY;
CREATE POLICY owner_all ON app.former_members FOR ALL TO dukani_owner USING (true) WITH CHECK (true);
CREATE POLICY platform_all ON app.former_members FOR ALL TO dukani_platform USING (true) WITH CHECK (true);
GRANT SELECT, INSERT, UPDATE, DELETE ON app.former_members TO dukani_platform;

-- A link by e-mail that signs one person in, once, within a quarter of an hour.
CREATE TABLE app.sign_in_links(
  token_hash bytea PRIMARY KEY, person_id uuid NOT NULL REFERENCES app.people(id),
  next_path text NOT NULL DEFAULT '', created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  expires_at timestamptz NOT NULL, used_at timestamptz);
CREATE INDEX sign_in_links_person ON app.sign_in_links (person_id);
GRANT SELECT, INSERT, UPDATE, DELETE ON app.sign_in_links TO dukani_platform;
ALTER TABLE app.messages DROP CONSTRAINT messages_channel_check;
ALTER TABLE app.messages ADD CONSTRAINT messages_channel_check
  CHECK (channel IN ('whatsapp','sms','email')) NOT VALID;

ALTER TABLE app.memberships ADD COLUMN seen_at timestamptz;
ALTER TABLE app.sessions ADD COLUMN id uuid NOT NULL DEFAULT gen_random_uuid();
ALTER TABLE app.sessions ADD COLUMN place text NOT NULL DEFAULT '';
CREATE UNIQUE INDEX sessions_id ON app.sessions (id);

CREATE POLICY of_the_store_acted_in ON app.audit_log FOR ALL TO dukani_platform
  USING (store_id = (SELECT app.store_id())) WITH CHECK (store_id = (SELECT app.store_id()));
GRANT SELECT, INSERT ON app.audit_log TO dukani_platform;
"""

DOWN = """
REVOKE SELECT, INSERT ON app.audit_log FROM dukani_platform;
DROP POLICY of_the_store_acted_in ON app.audit_log;
DROP INDEX app.sessions_id;
ALTER TABLE app.sessions DROP COLUMN place, DROP COLUMN id;
ALTER TABLE app.memberships DROP COLUMN seen_at;
ALTER TABLE app.messages DROP CONSTRAINT messages_channel_check;
ALTER TABLE app.messages ADD CONSTRAINT messages_channel_check
  CHECK (channel IN ('whatsapp','sms')) NOT VALID;           -- messages sent meanwhile stay
DROP TABLE app.sign_in_links, app.former_members, app.invitations;
"""


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '3s'")
    op.execute(UP)


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '3s'")
    op.execute(DOWN)
