"""Intents, attempts, what providers told us, money that arrived by itself, and what needs a person.

Additive.
"""

from alembic import op

revision = "0006_payments"
down_revision = "0005_orders"

UP = """
CREATE TABLE app.payment_settings(
  store_id bigint NOT NULL DEFAULT app.store_id() REFERENCES app.stores(id), id uuid NOT NULL,
  provider text NOT NULL CHECK (provider IN ('mpesa')), mode text NOT NULL DEFAULT 'test' CHECK (mode IN ('test','live')),
  kind text NOT NULL CHECK (kind IN ('paybill','till')), shortcode text NOT NULL CHECK (shortcode ~ '^[0-9]{5,7}$'),
  till text CHECK (till ~ '^[0-9]{5,7}$'), consumer_key_sealed bytea NOT NULL, consumer_secret_sealed bytea NOT NULL,
  passkey_sealed bytea NOT NULL, c2b_token_hash bytea, c2b_registered_at timestamptz,
  created_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (store_id, id), CONSTRAINT payment_settings_provider_key UNIQUE (store_id, provider, mode),
  CONSTRAINT payment_settings_c2b_key UNIQUE (c2b_token_hash),   -- random, so global is safe
  CHECK (kind <> 'till' OR till IS NOT NULL));
SELECT app.protect('app.payment_settings');
GRANT SELECT, INSERT, UPDATE ON app.payment_settings TO dukani_app;

CREATE TABLE app.payment_intents(
  store_id bigint NOT NULL DEFAULT app.store_id() REFERENCES app.stores(id), id uuid NOT NULL,
  order_id uuid NOT NULL, amount_cents bigint NOT NULL CHECK (amount_cents > 0), currency text NOT NULL DEFAULT 'KES',
  status text NOT NULL DEFAULT 'requires_payment_method', metadata jsonb NOT NULL DEFAULT '{}',
  created_at timestamptz NOT NULL DEFAULT now(), succeeded_at timestamptz,
  PRIMARY KEY (store_id, id), CONSTRAINT payment_intents_order_key UNIQUE (store_id, order_id),
  FOREIGN KEY (store_id, order_id) REFERENCES app.orders (store_id, id));
INSERT INTO app.transitions VALUES ('payment_intents','','requires_payment_method'),
  ('payment_intents','requires_payment_method','processing'), ('payment_intents','processing','requires_payment_method'),
  ('payment_intents','requires_payment_method','succeeded'), ('payment_intents','processing','succeeded'),
  ('payment_intents','requires_payment_method','canceled'), ('payment_intents','processing','canceled');
CREATE TRIGGER legal_status BEFORE INSERT OR UPDATE OF status ON app.payment_intents
  FOR EACH ROW EXECUTE FUNCTION app.enforce_transition();
SELECT app.protect('app.payment_intents');
GRANT SELECT, INSERT, UPDATE ON app.payment_intents TO dukani_app;

CREATE TABLE app.payment_attempts(
  store_id bigint NOT NULL DEFAULT app.store_id() REFERENCES app.stores(id), id uuid NOT NULL,
  intent_id uuid NOT NULL, order_id uuid NOT NULL, provider text NOT NULL DEFAULT 'mpesa',
  status text NOT NULL DEFAULT 'created', amount_cents bigint NOT NULL,
  phone_sealed bytea NOT NULL, phone_lookup bytea NOT NULL, account_reference text NOT NULL CHECK (account_reference ~ '^[A-Z0-9]{4,12}$'),
  token_hash bytea NOT NULL, token_sealed bytea NOT NULL,
  merchant_request_id text, checkout_request_id text,
  callback_result_code text, callback_at timestamptz, reported_receipt text, reported_amount_cents bigint,
  result_code text, result_text text, receipt text, confirmed_by text, checks integer NOT NULL DEFAULT 0,
  created_at timestamptz NOT NULL DEFAULT now(), sent_at timestamptz, prompted_at timestamptz, prompt_ends_at timestamptz,
  ended_at timestamptz,
  PRIMARY KEY (store_id, id),
  CONSTRAINT payment_attempts_amount_in_mpesa_limits CHECK (amount_cents BETWEEN 100 AND 25000000 AND amount_cents % 100 = 0),
  CONSTRAINT payment_attempts_token_key UNIQUE (token_hash),                       -- random, so global is safe
  CONSTRAINT payment_attempts_checkout_key UNIQUE (provider, checkout_request_id), -- given out by the provider, global there
  CONSTRAINT payment_attempts_receipt_key UNIQUE (provider, receipt),              -- one receipt pays one attempt on the platform
  CONSTRAINT payment_attempts_reference_key UNIQUE (store_id, account_reference),
  FOREIGN KEY (store_id, intent_id) REFERENCES app.payment_intents (store_id, id),
  FOREIGN KEY (store_id, order_id) REFERENCES app.orders (store_id, id));
CREATE UNIQUE INDEX one_open_attempt_per_order ON app.payment_attempts (store_id, order_id)
  WHERE status IN ('created','sending','awaiting_customer','unknown');
CREATE INDEX payment_attempts_order ON app.payment_attempts (store_id, order_id, created_at);
CREATE INDEX payment_attempts_phone ON app.payment_attempts (store_id, phone_lookup, created_at);
INSERT INTO app.transitions VALUES ('payment_attempts','','created'),
  ('payment_attempts','created','sending'), ('payment_attempts','created','failed'),
  ('payment_attempts','sending','created'), ('payment_attempts','sending','awaiting_customer'),
  ('payment_attempts','sending','unknown'), ('payment_attempts','sending','failed'), ('payment_attempts','sending','succeeded'),
  ('payment_attempts','unknown','awaiting_customer'), ('payment_attempts','unknown','succeeded'),
  ('payment_attempts','unknown','failed'), ('payment_attempts','unknown','expired'),
  ('payment_attempts','awaiting_customer','succeeded'), ('payment_attempts','awaiting_customer','failed'),
  ('payment_attempts','awaiting_customer','expired'),
  ('payment_attempts','failed','succeeded'), ('payment_attempts','expired','succeeded');
CREATE TRIGGER legal_status BEFORE INSERT OR UPDATE OF status ON app.payment_attempts
  FOR EACH ROW EXECUTE FUNCTION app.enforce_transition();
SELECT app.protect('app.payment_attempts');
GRANT SELECT, INSERT, UPDATE ON app.payment_attempts TO dukani_app;

CREATE POLICY resolve ON app.payment_attempts FOR SELECT TO dukani_definer USING (true);
GRANT SELECT (store_id, id, token_hash) ON app.payment_attempts TO dukani_definer;
CREATE FUNCTION app.resolve_callback(tok text) RETURNS TABLE (store_id bigint, attempt_id uuid)
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = app, pg_temp AS
  $$ SELECT a.store_id, a.id FROM app.payment_attempts a WHERE a.token_hash = sha256(convert_to(tok, 'UTF8')) $$;
REVOKE ALL ON FUNCTION app.resolve_callback(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.resolve_callback(text) TO dukani_app;
ALTER FUNCTION app.resolve_callback(text) OWNER TO dukani_definer;

CREATE POLICY resolve ON app.payment_settings FOR SELECT TO dukani_definer USING (true);
GRANT SELECT (store_id, c2b_token_hash) ON app.payment_settings TO dukani_definer;
CREATE FUNCTION app.resolve_c2b(tok text) RETURNS TABLE (store_id bigint)
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = app, pg_temp AS
  $$ SELECT s.store_id FROM app.payment_settings s WHERE s.c2b_token_hash = sha256(convert_to(tok, 'UTF8')) $$;
REVOKE ALL ON FUNCTION app.resolve_c2b(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.resolve_c2b(text) TO dukani_app;
ALTER FUNCTION app.resolve_c2b(text) OWNER TO dukani_definer;

CREATE TABLE app.callback_inbox(
  store_id bigint NOT NULL DEFAULT app.store_id() REFERENCES app.stores(id), id uuid NOT NULL,
  kind text NOT NULL CHECK (kind IN ('stk','c2b_confirmation','c2b_validation')), attempt_id uuid,
  body bytea NOT NULL, body_sha256 bytea NOT NULL, source_ip text NOT NULL DEFAULT '', is_listed_ip boolean,
  request_id text NOT NULL DEFAULT '', received_at timestamptz NOT NULL DEFAULT now(),
  verdict text, handled_at timestamptz,
  PRIMARY KEY (store_id, id),
  FOREIGN KEY (store_id, attempt_id) REFERENCES app.payment_attempts (store_id, id));
CREATE INDEX callback_inbox_attempt ON app.callback_inbox (store_id, attempt_id);
CREATE INDEX callback_inbox_unhandled ON app.callback_inbox (store_id, received_at) WHERE handled_at IS NULL;
SELECT app.protect('app.callback_inbox');
GRANT SELECT, INSERT, UPDATE ON app.callback_inbox TO dukani_app;

CREATE TABLE app.provider_calls(
  store_id bigint NOT NULL DEFAULT app.store_id() REFERENCES app.stores(id), id uuid NOT NULL,
  call_id uuid NOT NULL, phase text NOT NULL CHECK (phase IN ('started','ended')),
  attempt_id uuid, provider text NOT NULL, endpoint text NOT NULL, request_hash bytea, request_masked jsonb,
  http_status integer, latency_ms integer, response_masked jsonb, error text, request_id text NOT NULL DEFAULT '',
  at timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (store_id, id));
CREATE INDEX provider_calls_attempt ON app.provider_calls (store_id, attempt_id, at);
SELECT app.protect('app.provider_calls'), app.keep_history('app.provider_calls');
GRANT SELECT, INSERT ON app.provider_calls TO dukani_app;

-- Money that arrived, as the provider's C2B confirmation told it. Matched to an attempt or kept as unmatched.
CREATE TABLE app.incoming_payments(
  store_id bigint NOT NULL DEFAULT app.store_id() REFERENCES app.stores(id), id uuid NOT NULL,
  provider text NOT NULL DEFAULT 'mpesa', receipt text NOT NULL, amount_cents bigint NOT NULL CHECK (amount_cents > 0),
  reference text NOT NULL DEFAULT '', payer_masked text NOT NULL DEFAULT '', status text NOT NULL DEFAULT 'unmatched',
  attempt_id uuid, received_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (store_id, id), CONSTRAINT incoming_payments_receipt_key UNIQUE (provider, receipt),
  FOREIGN KEY (store_id, attempt_id) REFERENCES app.payment_attempts (store_id, id));
INSERT INTO app.transitions VALUES ('incoming_payments','','matched'), ('incoming_payments','','unmatched'),
  ('incoming_payments','unmatched','matched');
CREATE TRIGGER legal_status BEFORE INSERT OR UPDATE OF status ON app.incoming_payments
  FOR EACH ROW EXECUTE FUNCTION app.enforce_transition();
SELECT app.protect('app.incoming_payments');
GRANT SELECT, INSERT, UPDATE ON app.incoming_payments TO dukani_app;

CREATE TABLE app.review_items(
  store_id bigint NOT NULL DEFAULT app.store_id() REFERENCES app.stores(id), id uuid NOT NULL,
  kind text NOT NULL, subject_id uuid NOT NULL, order_id uuid, amount_cents bigint,
  status text NOT NULL DEFAULT 'open', owner_role text NOT NULL DEFAULT 'owner', next_action text NOT NULL,
  detail jsonb NOT NULL DEFAULT '{}', opened_at timestamptz NOT NULL DEFAULT now(), resolved_at timestamptz, resolved_by text,
  resolution text,
  PRIMARY KEY (store_id, id), CONSTRAINT review_items_subject_key UNIQUE (store_id, kind, subject_id));
INSERT INTO app.transitions VALUES ('review_items','','open'), ('review_items','open','resolved');
CREATE TRIGGER legal_status BEFORE INSERT OR UPDATE OF status ON app.review_items
  FOR EACH ROW EXECUTE FUNCTION app.enforce_transition();
SELECT app.protect('app.review_items');
GRANT SELECT, INSERT, UPDATE ON app.review_items TO dukani_app;
"""

DOWN = """
DROP FUNCTION app.resolve_callback(text), app.resolve_c2b(text);
DROP TABLE app.review_items, app.incoming_payments, app.provider_calls, app.callback_inbox, app.payment_attempts,
  app.payment_intents, app.payment_settings CASCADE;
DELETE FROM app.transitions WHERE entity IN ('payment_intents','payment_attempts','incoming_payments','review_items');
"""


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '3s'")
    op.execute(UP)


def downgrade() -> None:
    op.execute(DOWN)
