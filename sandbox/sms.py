"""Africa's Talking as it answers on the wire: bulk SMS."""

from __future__ import annotations

import re
import secrets
from typing import Any

from flask import Blueprint, Response, request

from sandbox.behaviour import Behaviour
from sandbox.shops import Shop
from sandbox.wire import any_method, cut, hang, json_answer
from sandbox.world import world

bp = Blueprint("sms", __name__)

STATUSES = {
    100: "Processed",
    101: "Sent",
    102: "Queued",
    401: "RiskHold",
    402: "InvalidSenderId",
    403: "InvalidPhoneNumber",
    404: "UnsupportedNumberType",
    405: "InsufficientBalance",
    406: "UserInBlacklist",
    407: "CouldNotRoute",
    409: "DoNotDisturbRejection",
    500: "InternalServerError",
    501: "GatewayError",
    502: "RejectedByGateway",
}
SENT = 101
INVALID_NUMBER = 403
_GOOD = {100, 101, 102}
_GSM = re.compile(
    r"[A-Za-z0-9 @£$¥èéùìòÇØøÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ!\"#¤%&'()*+,\-./:;<=>?¡ÄÖÑÜ§¿äöñüà"
    r"\r\n^{}\\\[~\]|€]*"
)
_CENTS_A_PART = 80


@any_method(bp, "/version1/messaging")
def messaging() -> Response:
    here = world()
    numbers = [part.strip() for part in request.form.get("to", "").split(",") if part.strip()]
    first = _wire(numbers[0]) if numbers else None
    behaviour = here.faults.behaviour(first, here.faults.take_next("sms", first))
    stopped = _gateway(behaviour)
    if stopped:
        return stopped
    if request.method != "POST":
        return _said("HTTP method not allowed.", 405)
    shop = here.shops.by_sms_key(request.headers.get("apiKey", ""))
    if shop is None or request.form.get("username") != shop.sms_username:
        return _said("The supplied authentication is invalid", 401)
    message = request.form.get("message", "")
    if not numbers or not message:
        missing = "message" if numbers else "to"
        return _said(f"Request is missing required form field '{missing}'", 400)
    if behaviour.sms_error == 402:
        refused = {"Message": "InvalidSenderId", "Recipients": []}
        return json_answer({"SMSMessageData": refused}, 201)
    recipients = []
    for number in numbers:
        msisdn = _wire(number)
        own = behaviour if msisdn == first else here.faults.behaviour(msisdn)
        recipients.append(_deliver(shop, number, msisdn, message, own.sms_error))
    if behaviour.sms_error == "cut":
        return cut()
    good = [each for each in recipients if each["statusCode"] in _GOOD]
    cents = sum(each["messageParts"] for each in good) * _CENTS_A_PART
    summary = f"Sent to {len(good)}/{len(numbers)} Total Cost: KES {cents / 100:.4f}"
    return json_answer({"SMSMessageData": {"Message": summary, "Recipients": recipients}}, 201)


def _gateway(behaviour: Behaviour) -> Response | None:
    if behaviour.hits("sms", ()):
        hang(behaviour.hang_s)
        if behaviour.down:
            return _said("Service Unavailable", 503)
    if behaviour.sms_error == "html_500":
        return Response("<html><body>Bad gateway</body></html>", 500, mimetype="text/html")
    return None


def _said(text: str, status: int) -> Response:
    return Response(text, status, mimetype="text/plain")


def _deliver(
    shop: Shop, number: str, msisdn: str | None, message: str, error: int | str | None
) -> dict[str, Any]:
    """Put the SMS on its phone unless something is wrong; the recipient's entry."""
    here = world()
    code = error if isinstance(error, int) and error in STATUSES else SENT
    if msisdn is None:
        code = INVALID_NUMBER
    recipient = _recipient(number, code, parts_of(message))
    if msisdn and code in _GOOD:
        here.bank.see(msisdn)
        here.mailbox.add(
            "sms",
            message_id=recipient["messageId"],
            to=msisdn,
            sender=request.form.get("from") or shop.sms_sender,
            text=message,
            shop=shop.name,
        )
    return recipient


def parts_of(message: str) -> int:
    """How many SMS parts a text takes."""
    plain = _GSM.fullmatch(message) is not None
    single, several = (160, 153) if plain else (70, 67)
    return 1 if len(message) <= single else -(-len(message) // several)


def _recipient(number: str, code: int, parts: int) -> dict[str, Any]:
    good = code in _GOOD
    return {
        "statusCode": code,
        "number": number,
        "status": "Success" if good else STATUSES[code],
        "cost": f"KES {parts * _CENTS_A_PART / 100:.4f}" if good else "0",
        "messageId": f"ATXid_{secrets.token_hex(16)}" if good else "None",
        "messageParts": parts if good else 0,
    }


def _wire(number: str) -> str | None:
    """International form only, as the company asks: ``+254712345678``."""
    digits = number.removeprefix("+")
    return digits if re.fullmatch(r"254[17][0-9]{8}", digits, re.ASCII) else None
