"""A browser's push service as it answers on the wire: one encrypted notification for one browser.

It reads nothing of it, as the real ones cannot: a test that holds the browser's keys opens it.
"""

from __future__ import annotations

import base64
import binascii
import json
import time
import uuid
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from flask import Blueprint, Response, request

from sandbox.wire import any_method, json_answer
from sandbox.world import world

bp = Blueprint("push", __name__)

LONGEST_SIGNATURE_S = 86_400
MOST_BYTES = 4096
HEADER_BYTES = 86  # salt, record size, key length and the sender's key, before the first record


@any_method(bp, "/<browser>")
def deliver(browser: str) -> Response:
    """``POST``: kept for the browser when it is well formed, signed and not too long."""
    here = world()
    told = here.push_answers.get(browser)
    if told:
        return _said("As told by /_sim/push.", told)
    if request.method != "POST":
        return _said("Only POST.", 405)
    body = request.get_data()
    if request.headers.get("Content-Encoding") != "aes128gcm":
        return _said("Content-Encoding must be aes128gcm.", 400)
    if not request.headers.get("TTL", "").isdecimal():
        return _said("A TTL is needed.", 400)
    if len(body) > MOST_BYTES:
        return _said("Too long.", 413)
    if len(body) <= HEADER_BYTES or body[20] != 65:
        return _said("Not an aes128gcm body.", 400)
    wrong = _why_unsigned(request.headers.get("Authorization", ""))
    if wrong:
        return _said(wrong, 403)
    here.mailbox.add(
        "push",
        message_id=str(uuid.uuid4()),
        to=browser,
        sender=request.host,
        text=f"{len(body)} bytes that only the browser can read",
        shop="Dukani",
        kind="push",
        payload={
            "body": base64.b64encode(body).decode(),
            "ttl": int(request.headers["TTL"]),
            "urgency": request.headers.get("Urgency", ""),
            "topic": request.headers.get("Topic", ""),
        },
    )
    answer = _said("", 201)
    answer.headers["Location"] = f"{request.url_root}push/message/{uuid.uuid4()}"
    return answer


def _why_unsigned(header: str) -> str:
    """What is wrong with the VAPID signature, or nothing."""
    scheme, _, rest = header.partition(" ")
    parts = dict(part.strip().split("=", 1) for part in rest.split(",") if "=" in part)
    if scheme != "vapid" or "t" not in parts or "k" not in parts:
        return "Authorization must be vapid t=…, k=…"
    try:
        signed, _, signature = parts["t"].rpartition(".")
        claims: dict[str, Any] = json.loads(_decoded(signed.partition(".")[2]))
        raw = _decoded(signature)
        key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), _decoded(parts["k"]))
        r, s = (int.from_bytes(half, "big") for half in (raw[:32], raw[32:]))
        key.verify(encode_dss_signature(r, s), signed.encode(), ec.ECDSA(SHA256()))
    except (ValueError, binascii.Error, InvalidSignature):
        return "The signature is not right."
    if claims.get("aud") != request.url_root.rstrip("/"):
        return "aud is another service."
    left = float(claims.get("exp", 0)) - time.time()  # ours may run faster; a signature does not
    if not 0 < left <= LONGEST_SIGNATURE_S:
        return "exp is over, or more than a day away."
    if not str(claims.get("sub", "")).startswith(("mailto:", "https:")):
        return "sub names nobody."
    return ""


def _decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _said(text: str, status: int) -> Response:
    return json_answer({"message": text}, status) if text else Response(status=status)
