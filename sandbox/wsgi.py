"""What granian serves: one application, its state in this process's memory."""

from __future__ import annotations

import os

from sandbox.app import create_app
from sandbox.process import say_when_ready, stop_with_parent
from sandbox.shops import Registry

# The command line passes these through the environment: the worker is a fresh process.
app = create_app(keep=os.environ.get("SANDBOX_KEEP") or None)


def know_the_platform(shops: Registry) -> None:
    """The accounts that the platform itself has here, from the environment it runs in."""
    test_till = {
        field: os.environ.get(f"MPESA_TEST_{field.upper()}", "")
        for field in ("shortcode", "consumer_key", "consumer_secret", "passkey")
    }
    if all(test_till.values()):
        shops.put({"name": "DUKANI TEST"} | test_till)
    sms = {field: os.environ.get(field.upper(), "") for field in ("sms_username", "sms_api_key")}
    if all(sms.values()):
        shops.put({"name": "Dukani SMS"} | sms)


app.config["MAIL_TOKEN"] = os.environ.get("EMAIL_TOKEN", "")
know_the_platform(app.extensions["world"].shops)
say_when_ready(os.environ.get("SANDBOX_ADDRESS"))
stop_with_parent(os.environ.get("SANDBOX_PARENT_PID"))
