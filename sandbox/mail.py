"""Postmark as it answers on the wire: one e-mail, as JSON."""

from __future__ import annotations

import hmac
import re
import uuid
from typing import Any

from flask import Blueprint, Response, current_app, request

from sandbox.wire import any_method, hang, json_answer
from sandbox.world import world

bp = Blueprint("mail", __name__)

_ADDRESS = re.compile(r"[^@\s<>,]+@[^@\s<>,]+\.[^@\s<>,]+")
BAD_TOKEN, INACTIVE, INVALID = 10, 406, 300


@any_method(bp, "/email")
def email() -> Response:
    """``POST /email``: the letter is in the outbox when the answer says ``OK``."""
    here = world()
    behaviour = here.faults.behaviour(None, here.faults.take_next("mail", None))
    if behaviour.hits("mail", ()):
        hang(behaviour.hang_s)
        if behaviour.down:
            return Response("Service Unavailable", 503, mimetype="text/plain")
    if request.method != "POST":
        return _refused(0, "The requested resource does not support this method.", 405)
    wanted = str(current_app.config.get("MAIL_TOKEN", ""))
    given = request.headers.get("X-Postmark-Server-Token", "")
    if not given or (wanted and not hmac.compare_digest(wanted.encode(), given.encode())):
        return _refused(BAD_TOKEN, "The Server Token you provided is invalid.", 401)
    letter: Any = request.get_json(silent=True)
    if not isinstance(letter, dict):
        return _refused(402, "Invalid JSON.", 422)
    to, sender = str(letter.get("To", "")).strip(), str(letter.get("From", ""))
    if not _ADDRESS.fullmatch(to):
        return _refused(INVALID, f"Error parsing 'To': Illegal email address '{to}'.", 422)
    if not _ADDRESS.search(sender):
        return _refused(INVALID, "Invalid 'From' address.", 422)
    if not letter.get("TextBody") and not letter.get("HtmlBody"):
        return _refused(INVALID, "Provide either email TextBody or HtmlBody or both.", 422)
    if to.startswith("bounced@"):
        return _refused(INACTIVE, "You tried to send to a recipient marked inactive.", 422)
    message_id = str(uuid.uuid4())
    here.mailbox.add(
        "email",
        message_id=message_id,
        to=to.lower(),
        sender=sender,
        text=f"{letter.get('Subject', '')}\n{letter.get('TextBody', '')}",
        shop="Dukani",
        payload={"html": letter.get("HtmlBody"), "attachments": letter.get("Attachments") or []},
    )
    answer = {
        "To": to,
        "SubmittedAt": here.clock.iso(here.clock.now()),
        "MessageID": message_id,
        "ErrorCode": 0,
        "Message": "OK",
    }
    return json_answer(answer, 200)


def _refused(code: int, message: str, status: int) -> Response:
    return json_answer({"ErrorCode": code, "Message": message}, status)
