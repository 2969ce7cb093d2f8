"""What a page needs to offer notifications, and reading where a browser wants them."""

from __future__ import annotations

from flask import current_app

from app.domain.errors import FieldProblem
from app.domain.messaging.push import BrowserAddress
from app.i18n import gettext as _
from app.providers.push.addresses import is_push_service
from app.providers.push.keys import can_push, public_key
from app.web.forms import field


def push_key() -> str:
    """What a browser subscribes with; empty where notifications are not sent."""
    private = current_app.config["SETTINGS"].vapid_private_key
    return public_key(private) if private and can_push() else ""


def browser_address() -> BrowserAddress:
    """Where the form says this browser's notifications go. Raises FieldProblem for an unknown service."""
    settings = current_app.config["SETTINGS"]
    endpoint = field("endpoint", most=1_001)
    is_known = is_push_service(
        endpoint, hosts=settings.push_hosts, allowed=settings.push_test_hosts
    )
    if not push_key() or not is_known:
        raise FieldProblem("endpoint", _("This browser cannot be sent notifications."))
    return BrowserAddress(
        endpoint=endpoint, p256dh=field("p256dh", most=200), auth=field("auth", most=100)
    )
