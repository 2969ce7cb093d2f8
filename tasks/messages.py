"""Jobs of the messages queue."""

from __future__ import annotations

from uuid import UUID

from flask import current_app
from sqlalchemy.orm import Session

from app.db.tenancy import bound_store
from app.domain.messaging.actions import deliver_message
from app.domain.messaging.models import ChannelSettings
from app.domain.restock.actions import lapse_offer, offer_to_waiting
from app.jobs import Topic, TryLater
from app.providers import registry
from app.providers.messaging import MessageSender
from tasks.runner import handles


@handles(Topic.SEND_MESSAGE, external=True)
def send_message(session: Session, *, message_id: str) -> None:
    """Send one message by its channel."""

    def sender_for(channel: str) -> MessageSender:
        settings = current_app.config["SETTINGS"]
        redis = current_app.extensions["cache_redis"]
        if channel == "whatsapp":
            keys = session.get_one(ChannelSettings, (bound_store(), "whatsapp"))
            number, token = keys.phone_number_id, keys.token
            session.commit()
            return registry.whatsapp(
                base_url=settings.graph_base_url, phone_number_id=number, token=token, redis=redis
            )
        if channel == "email":
            return registry.email(
                settings.email_provider,
                base_url=settings.email_base_url,
                username=settings.email_username,
                token=settings.email_token,
                sender=settings.email_sender,
            )
        if channel == "push":
            return registry.push(
                private_key=settings.vapid_private_key,
                subject=settings.vapid_subject or f"mailto:hello@{settings.platform_host}",
                hosts=settings.push_hosts,
                allowed=settings.push_test_hosts,
            )
        return registry.sms(
            settings.sms_provider,
            base_url=settings.sms_base_url,
            username=settings.sms_username,
            api_key=settings.sms_api_key,
            sender=settings.sms_sender,
            redis=redis,
        )

    deliver_message(session, UUID(message_id), sender_for=sender_for)


@handles(Topic.OFFER_TO_WAITING)
def tell_waiting(session: Session, *, variant_id: str) -> None:
    """Units came back: keep one each for whoever waited longest, and tell them."""
    offer_to_waiting(session, UUID(variant_id))


@handles(Topic.LAPSE_OFFER)
def end_offer(session: Session, *, offer_id: str) -> None:
    """A link's time is over: what it kept goes on sale again, and the next in line is told."""
    left = lapse_offer(session, UUID(offer_id))
    if left is not None:
        raise TryLater("the link still keeps its unit", after_seconds=left)
