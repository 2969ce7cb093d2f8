"""Jobs of the messages queue."""

from __future__ import annotations

from uuid import UUID

from flask import current_app
from sqlalchemy.orm import Session

from app.db.tenancy import bound_store
from app.domain.messaging.actions import deliver_message
from app.domain.messaging.models import ChannelSettings
from app.jobs import Topic
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
        return registry.sms(
            settings.sms_provider,
            base_url=settings.sms_base_url,
            username=settings.sms_username,
            api_key=settings.sms_api_key,
            sender=settings.sms_sender,
            redis=redis,
        )

    deliver_message(session, UUID(message_id), sender_for=sender_for)
