"""Letters that came back, told by the e-mail provider (Postmark's bounce webhook).

The key in the path is the secret. The provider's own id of the letter tells whose it was; a letter
nobody sent is 200 as well, so that the provider does not tell of it again and again.
"""

from __future__ import annotations

import hmac

from flask import Blueprint, Response, abort, current_app, jsonify, request
from sqlalchemy import text

from app.db.engine import db, looking_up
from app.domain.messaging.letters import note_bounce
from app.web.security import provider_callback
from app.web.tenancy import bind_store, platform_only

bp = Blueprint("letter_hooks", __name__, url_prefix="/hooks/email")

BODY_LIMIT = 16 * 1024
# Told of as a bounce as well, and the letter arrived or still may.
NO_LOSS = frozenset({"AutoResponder", "AddressChange", "ChallengeVerification", "Transient"})
_RESOLVE = text("SELECT store_id, message_id FROM app.resolve_letter(:ref)")


@bp.before_request
def _guard() -> None:
    platform_only()


@bp.post("/<regex32:key>")
@provider_callback
def receive(key: str) -> tuple[Response, int]:
    """Note that one letter came back. Told twice is told once."""
    wanted = current_app.config["SETTINGS"].email_hook_key
    if not wanted or not hmac.compare_digest(key, wanted):
        abort(404)
    if (request.content_length or 0) > BODY_LIMIT:
        abort(413)
    body = request.get_json(silent=True, cache=False)
    match body:
        case {"RecordType": "Bounce", "MessageID": str(ref), "Type": str(why)} if (
            why not in NO_LOSS and ref.isascii() and ref.isprintable() and len(ref) <= 200
        ):
            _note(ref, why)
    return jsonify(ok=True), 200


def _note(ref: str, why: str) -> None:
    with looking_up() as connection:
        found = connection.execute(_RESOLVE, {"ref": ref}).one_or_none()
    if found is None:
        return
    bind_store(found.store_id)
    reason = "".join(c for c in why if c.isalnum())[:40]
    note_bounce(db.session(), found.message_id, reason)
    db.session.commit()
