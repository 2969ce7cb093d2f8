"""A store's payment keys, and telling the provider where to report money that arrives by itself."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy.orm import Session

from app.clock import utcnow
from app.db.tenancy import bound_store
from app.domain.audit.actions import record
from app.domain.payments import calls
from app.domain.payments.models import PaymentSettings
from app.ids import new_id, new_token, token_hash
from app.jobs import Topic, TryLater, ask_for
from app.providers.errors import ProviderError
from app.providers.payments import PaymentProvider
from app.timings import timings
from app.vault import vault


def save_payment_settings(
    session: Session,
    *,
    kind: str,
    shortcode: str,
    till: str | None,
    consumer_key: str,
    consumer_secret: str,
    passkey: str,
    actor: str,
    mode: str = "test",
    is_shared: bool = False,
) -> PaymentSettings:
    """Keep a store's M-Pesa keys, sealed, and ask for its C2B registration. Does not commit.

    With ``is_shared`` the short code serves other stores too, so that nothing is registered:
    money that arrives there by itself could not be told apart.
    """

    def seal(name: str, value: str) -> bytes:
        return vault().seal(value, store_id=bound_store(), column=f"payment_settings.{name}")

    settings = PaymentSettings(
        id=new_id(),
        provider="mpesa",
        mode=mode,
        kind=kind,
        shortcode=shortcode,
        till=till,
        consumer_key_sealed=seal("consumer_key", consumer_key),
        consumer_secret_sealed=seal("consumer_secret", consumer_secret),
        passkey_sealed=seal("passkey", passkey),
    )
    session.add(settings)
    session.flush()
    if not is_shared:
        ask_for(session, Topic.REGISTER_C2B, key=str(settings.id), settings_id=str(settings.id))
    record(
        session,
        "payment_settings.saved",
        actor=actor,
        subject=f"payment_settings:{settings.id}",
        kind=kind,
    )
    return settings


def register_c2b(
    session: Session, settings_id: UUID, *, provider: PaymentProvider, hook_url: str
) -> None:
    """Register this store's confirmation URL, with a secret of its own in the path. Commits.

    The secret's hash is stored before the call: a confirmation may come at once.
    Raises TryLater when the provider could not be reached or did not agree.
    """
    settings = session.get_one(PaymentSettings, (bound_store(), settings_id), with_for_update=True)
    if settings.c2b_registered_at is not None:
        session.commit()
        return
    token = new_token()
    settings.c2b_token_hash = token_hash(token)
    call = calls.started(
        session, provider=provider.name, endpoint="register_confirmations", attempt_id=None
    )
    session.commit()
    try:
        provider.register_confirmations(
            confirmation_url=hook_url + token,
            validation_url=hook_url + token + "/check",
            on_exchange=call.note,
        )
    except ProviderError as error:
        call.ended(session)
        session.commit()
        raise TryLater(error.reason, after_seconds=timings().retry_delay * 6) from error
    settings.c2b_registered_at = utcnow()
    call.ended(session)
    session.commit()
