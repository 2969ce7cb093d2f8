"""A callback is known, kept and asked to be handled by one statement, in one message to Postgres.

Before, a web process sent six for each callback: whose it is, BEGIN, the store, the row, the work,
COMMIT. The function runs with the rights of whoever calls it: only what knows a secret (which two
functions had to their owner's rights before) is more than the app's role may see, and the rows are
written under row-level security, inside the store that the secret named.

Additive: what runs meanwhile still sends its six.
"""

from alembic import op

revision = "0029_store_callback"
down_revision = "0028_search_frequent"

UP = """
CREATE FUNCTION app.store_callback(tok text, c2b_kind text, new_id uuid, job_id uuid, said bytea, head jsonb,
    ip text, listed boolean, trace text) RETURNS TABLE (store_id bigint, kind text, request_id text)
  LANGUAGE plpgsql AS $$
DECLARE
  s bigint; attempt uuid; k text := 'stk'; story text;
BEGIN
  IF app.store_id() IS NOT NULL THEN  -- the secret says whose it is, and nothing else does
    RAISE EXCEPTION 'a callback is stored outside any store' USING ERRCODE = 'invalid_transaction_state';
  END IF;
  SELECT r.store_id, r.attempt_id INTO s, attempt FROM app.resolve_callback(tok) r;
  IF s IS NULL THEN
    SELECT r.store_id INTO s FROM app.resolve_c2b(tok) r;
    k := c2b_kind;
  END IF;
  IF s IS NULL THEN RETURN; END IF;
  PERFORM set_config('app.store_id', s::text, true);
  -- What answers a prompt goes on under the request id of that prompt: one id tells the whole story.
  IF attempt IS NOT NULL THEN
    SELECT nullif(o.request_id, '') INTO story FROM app.outbox o
     WHERE o.store_id = s AND o.topic = 'send_attempt' AND o.dedupe_key = attempt::text;
  END IF;
  story := coalesce(story, trace);
  INSERT INTO app.callback_inbox
    (store_id, id, kind, attempt_id, body, body_sha256, headers, source_ip, is_listed_ip, request_id)
  VALUES (s, new_id, k, attempt, said, sha256(said), head, ip, listed, story);
  IF k <> 'c2b_validation' THEN
    INSERT INTO app.outbox (store_id, id, topic, queue, dedupe_key, payload, request_id)
    VALUES (s, job_id, 'handle_callback', 'money', new_id::text, jsonb_build_object('callback_id', new_id), story);
  END IF;
  RETURN QUERY SELECT s, k, story;
END $$;
REVOKE ALL ON FUNCTION app.store_callback(text, text, uuid, uuid, bytea, jsonb, text, boolean, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.store_callback(text, text, uuid, uuid, bytea, jsonb, text, boolean, text) TO dukani_app;
"""
DOWN = (
    "DROP FUNCTION app.store_callback(text, text, uuid, uuid, bytea, jsonb, text, boolean, text);"
)


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '3s'")
    op.execute(UP)


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '3s'")
    op.execute(DOWN)
