"""Jobs of the money queue. Each is thin: find the store's provider, call the domain."""

from __future__ import annotations

from uuid import UUID

from flask import current_app
from sqlalchemy import select
from sqlalchemy.orm import Session

from app import addresses
from app.db.tenancy import bound_store
from app.domain.checkout.actions import release_hold as release_hold_of
from app.domain.payments import callbacks, checking, registering, sending
from app.domain.payments.models import PaymentSettings
from app.jobs import Topic, TryLater
from app.providers import registry
from app.providers.payments import PaymentProvider
from app.providers.payments.mpesa import MpesaKeys
from tasks.runner import handles

HOOK = "/hooks/pay/"


def payment_provider(session: Session) -> PaymentProvider:
    """The provider of this store, with its own keys. Raises TryLater where none is set up."""
    keys = session.scalar(
        select(PaymentSettings).where(PaymentSettings.store_id == bound_store()).limit(1)
    )
    if keys is None:
        raise TryLater("no payment settings", after_seconds=60)
    return registry.mpesa(
        MpesaKeys(
            consumer_key=keys.open_secret("consumer_key"),
            consumer_secret=keys.open_secret("consumer_secret"),
            shortcode=keys.shortcode,
            passkey=keys.open_secret("passkey"),
            till=keys.till if keys.kind == "till" else None,
        ),
        base_url=_base_url(keys.mode),
        redis=current_app.extensions["cache_redis"],
    )


def _base_url(mode: str) -> str:
    """Test keys belong to the provider's test system, where an installation knows one."""
    settings = current_app.config["SETTINGS"]
    test_url: str = settings.mpesa_test_base_url
    live_url: str = settings.daraja_base_url
    return test_url if mode == "test" and test_url else live_url


@handles(Topic.SEND_ATTEMPT, external=True)
def send_attempt(session: Session, *, attempt_id: str) -> None:
    """Prompt the customer for one payment attempt. Safe to run twice."""
    sending.send_attempt(
        session,
        UUID(attempt_id),
        provider=payment_provider(session),
        callback_url=addresses.platform_url(HOOK),
    )


@handles(Topic.HANDLE_CALLBACK)
def handle_callback(session: Session, *, callback_id: str) -> None:
    """Act on one stored callback."""
    callbacks.handle_callback(session, UUID(callback_id))


@handles(Topic.CONFIRM_ATTEMPT, external=True)
def confirm_attempt(session: Session, *, attempt_id: str, tries: int) -> None:
    """Ask the provider whether a callback told the truth."""
    checking.confirm_attempt(
        session, UUID(attempt_id), tries=tries, provider=payment_provider(session)
    )


@handles(Topic.CHECK_ATTEMPT, external=True)
def check_attempt(session: Session, *, attempt_id: str) -> None:
    """Ask the provider about an attempt that is silent."""
    checking.check_attempt(session, UUID(attempt_id), provider=payment_provider(session))


@handles(Topic.RELEASE_HOLD)
def release_hold(session: Session, *, order_id: str) -> None:
    """Put an unpaid order's goods back on sale."""
    wait = release_hold_of(session, UUID(order_id))
    if wait is not None:
        raise TryLater("a payment is under way", after_seconds=wait)


@handles(Topic.REGISTER_C2B, external=True)
def register_c2b(session: Session, *, settings_id: str) -> None:
    """Tell the provider where to report money that arrives by itself."""
    registering.register_c2b(
        session,
        UUID(settings_id),
        provider=payment_provider(session),
        hook_url=addresses.platform_url(HOOK),
    )
