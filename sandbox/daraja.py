"""Daraja as it answers on the wire: OAuth, STK push, STK query, C2B register and simulate.

The order of the checks, the odd types (ResponseCode is a string) and the misspelt keys are the
company's own. Do not tidy them.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Callable
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from flask import Blueprint, Response, request

from sandbox.bank import OPEN, Payment
from sandbox.behaviour import Behaviour
from sandbox.ids import request_id
from sandbox.numbers import WIRE
from sandbox.shops import TILL, Shop
from sandbox.wire import any_method, cut, hang, html_403, json_answer
from sandbox.world import world

bp = Blueprint("daraja", __name__)

BANNED_WORDS = ("mpesa", "m-pesa", "safaricom", "exe", "exec", "cmd", "sql", "query")
LOOPBACK = ("127.0.0.1", "::1", "localhost")

GATEWAY_CALLS = ("push", "query", "register", "simulate")
ALL_CALLS = ("oauth", *GATEWAY_CALLS)

Refusal = Response | None
Check = Callable[[Any], bool]


def refuse(http: int, code: str, message: str) -> Response:
    """The error envelope of every synchronous call."""
    body = {"requestId": request_id(), "errorCode": code, "errorMessage": message}
    return json_answer(body, http)


def invalid(field: str) -> Response:
    """A field did not pass."""
    return refuse(400, "400.002.02", f"Bad Request - Invalid {field}")


@any_method(bp, "/oauth/v1/generate")
def oauth() -> Response:
    here = world()
    behaviour = here.faults.behaviour(None, here.faults.take_next("oauth", None))
    stopped = _wrong_method("GET") or _gateway(behaviour, "oauth")
    if stopped:
        return stopped
    if behaviour.oauth_empty_400:
        return Response(status=400)
    scheme, _, encoded = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return refuse(400, "400.008.01", "Invalid Authentication passed")
    if request.args.get("grant_type") != "client_credentials":
        return refuse(400, "400.008.02", "Invalid grant type passed")
    try:
        key, _, secret = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return refuse(400, "400.008.01", "Invalid Authentication passed")
    shop = here.shops.by_consumer_key(key)
    if shop is None or shop.consumer_secret != secret or here.owes_empty_oauth(key):
        return Response(status=400)
    token, seconds = here.issue_token(shop, behaviour.token_reissue)
    life = seconds if behaviour.expires_in == "number" else str(seconds)
    return json_answer({"access_token": token, "expires_in": life})


@any_method(bp, "/mpesa/stkpush/v1/processrequest")
def push() -> Response:
    here = world()
    body = _body()
    msisdn = _phone_in(body, "PhoneNumber")
    pinned = here.faults.take_next("push", msisdn)
    behaviour = here.faults.behaviour(msisdn, pinned)
    shop_or_stop = _enter("push", "POST", body, behaviour, msisdn)
    if isinstance(shop_or_stop, Response):
        return shop_or_stop
    shop, fields = shop_or_stop, _Fields(body if isinstance(body, dict) else {})

    stopped = fields.check(_push_checks(behaviour)) or _merchant(shop, fields)
    if stopped:
        return stopped
    if behaviour.push_error not in {"none", "internal_accepted"}:
        return _push_error(behaviour.push_error)
    payment = here.bank.push(
        shop,
        msisdn=fields.text("PhoneNumber"),
        amount=int(fields.text("Amount")),
        party_b=fields.text("PartyB"),
        transaction_type=fields.text("TransactionType"),
        callback_url=fields.text("CallBackURL"),
        account_reference=fields.text("AccountReference"),
        transaction_desc=fields.text("TransactionDesc"),
        pinned=pinned,
    )
    if payment is None:
        return _push_error("locked")
    if behaviour.cut_connection_before_answer or payment.rolls.answer_lost:
        return cut()
    if behaviour.push_error == "internal_accepted":
        return _push_error("internal")
    said = "Success. Request accepted for processing"
    return json_answer(
        {
            "MerchantRequestID": payment.merchant_request_id,
            "CheckoutRequestID": payment.checkout_request_id,
            "ResponseCode": "0",
            "ResponseDescription": said,
            "CustomerMessage": said,
        }
    )


@any_method(bp, "/mpesa/stkpushquery/v1/query")
def query() -> Response:
    here = world()
    body = _body()
    asked = body.get("CheckoutRequestID") if isinstance(body, dict) else None
    payment = here.bank.by_checkout.get(asked) if isinstance(asked, str) else None
    msisdn = payment.msisdn if payment else None
    pinned = (payment.pinned if payment else {}) | here.faults.take_next("query", msisdn)
    behaviour = here.faults.behaviour(msisdn, pinned)
    shop_or_stop = _enter("query", "POST", body, behaviour, msisdn)
    if isinstance(shop_or_stop, Response):
        return shop_or_stop
    shop, fields = shop_or_stop, _Fields(body if isinstance(body, dict) else {})
    stopped = fields.check(_QUERY_CHECKS) or _merchant(shop, fields)
    if stopped:
        return stopped
    if payment is None or payment.shop.shortcode != shop.shortcode:
        return refuse(500, "500.001.1001", "This transaction does not exist")
    with here.bank.lock:
        payment.queries += 1
    return _query_answer(payment, behaviour)


@any_method(bp, "/mpesa/c2b/v<int:version>/registerurl")
def register(version: int) -> Response:
    here = world()
    body = _body()
    behaviour = here.faults.behaviour(None, here.faults.take_next("register", None))
    shop_or_stop = _enter("register", "POST", body, behaviour, None)
    if isinstance(shop_or_stop, Response):
        return shop_or_stop
    shop, fields = shop_or_stop, _Fields(body if isinstance(body, dict) else {})
    if version not in {1, 2}:
        return refuse(404, "404.001.01", "Resource not found")

    def is_url(value: Any) -> bool:
        return _callback_url(value, banned=True, https=behaviour.require_https)

    stopped = fields.check(
        {
            "ShortCode": _shortcode,
            "ResponseType": lambda value: value in {"Completed", "Cancelled"},
            "ConfirmationURL": is_url,
            "ValidationURL": is_url,
        }
    )
    if stopped:
        return stopped
    if fields.text("ShortCode") not in {shop.shortcode, shop.till_number}:
        return refuse(500, "500.001.1001", "Merchant does not exist")
    if behaviour.register_once and shop.confirmation_url:
        return refuse(500, "500.003.1001", "Urls are already registered")
    shop.c2b_shortcode, shop.c2b_version = fields.text("ShortCode"), version
    shop.c2b_response_type = fields.text("ResponseType")
    shop.confirmation_url = fields.text("ConfirmationURL")
    shop.validation_url = fields.text("ValidationURL")
    here.shops.save()
    return _misspelt_success("Success")


@any_method(bp, "/mpesa/c2b/v<int:version>/simulate")
def simulate(version: int) -> Response:
    here = world()
    body = _body()
    msisdn = _phone_in(body, "Msisdn")
    behaviour = here.faults.behaviour(msisdn, here.faults.take_next("simulate", msisdn))
    shop_or_stop = _enter("simulate", "POST", body, behaviour, msisdn)
    if isinstance(shop_or_stop, Response):
        return shop_or_stop
    shop, fields = shop_or_stop, _Fields(body if isinstance(body, dict) else {})
    if version not in {1, 2}:
        return refuse(404, "404.001.01", "Resource not found")
    buys_goods = fields.text("CommandID") == "CustomerBuyGoodsOnline"
    stopped = fields.check(
        {
            "ShortCode": _shortcode,
            "CommandID": lambda v: v in {"CustomerPayBillOnline", "CustomerBuyGoodsOnline"},
            "Amount": _amount,
            "Msisdn": _msisdn,
        }
    )
    if stopped:
        return stopped
    if buys_goods == bool(fields.text("BillRefNumber")):
        return invalid("BillRefNumber")
    if fields.text("ShortCode") not in {shop.shortcode, shop.till_number}:
        return refuse(500, "500.001.1001", "Merchant does not exist")
    if buys_goods != (shop.type == TILL):
        return invalid("CommandID")
    here.bank.pay_by_hand(
        shop,
        msisdn=fields.text("Msisdn"),
        amount=int(fields.text("Amount")),
        reference=fields.text("BillRefNumber"),
    )
    return _misspelt_success("Accept the service request successfully.")


@any_method(bp, "/<path:unknown>")
def nothing_here(unknown: str) -> Response:
    return refuse(404, "404.001.01", "Resource not found")


class _Fields:
    """The body's fields; numbers and numeric strings are the same, null is absent."""

    def __init__(self, body: dict[str, Any]) -> None:
        self._body = body

    def text(self, name: str) -> str:
        value = self._body.get(name)
        return "" if value is None else str(value)

    def check(self, checks: dict[str, Check]) -> Refusal:
        """The first field, in this order, that does not pass."""
        for name, passes in checks.items():
            value = self._body.get(name)
            if value is None or isinstance(value, bool | dict | list) or not passes(value):
                return invalid(name)
        return None


def _body() -> Any:
    """The JSON body, or None when it is no JSON or not said to be."""
    if request.mimetype != "application/json":
        return None
    try:
        return json.loads(request.get_data(cache=True))
    except (ValueError, RecursionError):
        return None


def _phone_in(body: Any, field: str) -> str | None:
    if not isinstance(body, dict):
        return None
    written = str(body.get(field))
    return written if WIRE.fullmatch(written) else None


def _enter(
    call: str, method: str, body: Any, behaviour: Behaviour, msisdn: str | None
) -> Shop | Response:
    """The checks every call begins with; the shop whose token it is, or the refusal."""
    stopped = _wrong_method(method) or _gateway(behaviour, call)
    if stopped:
        return stopped
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    shop = world().bearer(token.strip()) if scheme.lower() == "bearer" else None
    if shop is None:
        return refuse(404, "404.001.03", "Invalid Access Token")
    revoked = behaviour.token_revoked
    if revoked != "none" and behaviour.hits(call, ("push", "query")):
        why = f"{call}:{msisdn}"
        if world().revoke(shop, why, then_empty_oauth=behaviour.oauth_empty_400):
            if revoked == "401":
                text = f"Error Occurred - Invalid Access Token - {token.strip()[:8]}"
                return refuse(401, "401.002.01", text)
            return refuse(404, "404.001.03", "Invalid Access Token")
    if request.mimetype != "application/json":
        return invalid("BusinessShortCode" if call in {"push", "query"} else "ShortCode")
    if not isinstance(body, dict):
        return refuse(400, "400.002.05", "Invalid Request Payload")
    return shop


def _wrong_method(method: str) -> Refusal:
    if request.method == method:
        return None
    return refuse(405, "405.001", f"{request.method} Method Not Allowed")


def _gateway(behaviour: Behaviour, call: str) -> Refusal:
    """What the machinery in front of Daraja may answer on its own."""
    if behaviour.hits(call, ("push", "query")):
        hang(behaviour.hang_s)
    if behaviour.down and behaviour.hits(call, ALL_CALLS):
        return Response("Service Unavailable\n", 503, mimetype="text/plain")
    if behaviour.html_403 and behaviour.hits(call, ("push", "query")):
        return html_403()
    arrest = behaviour.spike_arrest
    if arrest != "none" and behaviour.hits(call, ("push", "query")):
        return _arrested(arrest)
    return None


def _arrested(shape: str) -> Response:
    if shape == "fault":
        fault = {
            "faultstring": "Spike arrest violation. Allowed rate : MessageRate{capacity=5}",
            "detail": {"errorcode": "policies.ratelimit.SpikeArrestViolation"},
        }
        return json_answer({"fault": fault}, 429)
    if shape == "busy":
        text = "System is busy. Please try again in few minutes."
        return refuse(500, "500.003.02", text)
    if shape == "quota":
        return refuse(500, "500.003.03", "Quota Violation")
    return refuse(500, "500.003.02", "Error Occurred: Spike Arrest Violation")


def _merchant(shop: Shop, fields: _Fields) -> Refusal:
    if fields.text("BusinessShortCode") != shop.shortcode:
        return refuse(500, "500.001.1001", "Merchant does not exist")
    if fields.text("Password") != shop.password(fields.text("Timestamp")):
        return refuse(500, "500.001.1001", "Wrong credentials")
    return None


def _push_error(kind: str) -> Response:
    if kind == "response_code":
        return json_answer(
            {
                "MerchantRequestID": request_id(),
                "CheckoutRequestID": "",
                "ResponseCode": "1",
                "ResponseDescription": "Rejected",
                "CustomerMessage": "Request could not be accepted",
            }
        )
    text = {
        "internal": "Internal Server Error",
        "no_merchant": "Merchant does not exist",
        "wrong_credentials": "[MerchantValidate] - Wrong credentials",
        "locked": "Unable to lock subscriber, a transaction is already in process for the "
        "current subscriber",
    }[kind]
    return refuse(500, "500.001.1001", text)


def _query_answer(payment: Payment, behaviour: Behaviour) -> Response:
    shape = behaviour.query
    limit = behaviour.query_times
    if shape == "failed_first" and limit is None:
        limit = 1
    if limit is not None and payment.queries > limit:
        shape = "normal"
    if shape == "error_500":
        return refuse(500, "500.001.1001", "Internal Server Error")
    if shape in {"failed", "failed_first"} or (
        shape == "failed_until_callback" and not payment.callback_told
    ):
        return _query_result(payment, "1037", "DS timeout user cannot be reached.")
    if shape.startswith("pending_"):
        return _still_pending(payment, shape[8:])
    if payment.status == OPEN:
        return _still_pending(payment, behaviour.pending_shape)
    return _query_result(payment, str(payment.result_code), payment.result_desc or "")


def _still_pending(payment: Payment, shape: str) -> Response:
    if shape == "500":
        return refuse(500, "500.001.1001", "The transaction is being processed")
    if shape == "missing":
        return _query_result(payment, None, "")
    return _query_result(payment, "4999", "The transaction is still under processing")


def _query_result(payment: Payment, code: str | None, text: str) -> Response:
    body: dict[str, Any] = {
        "ResponseCode": "0",
        "ResponseDescription": "The service request has been accepted successsfully",
        "MerchantRequestID": payment.merchant_request_id,
        "CheckoutRequestID": payment.checkout_request_id,
    }
    if code is not None:
        body |= {"ResultCode": code, "ResultDesc": text}
    return json_answer(body)


def _misspelt_success(text: str) -> Response:
    return json_answer(
        {
            "OriginatorCoversationID": request_id(),
            "ResponseCode": "0",
            "ResponseDescription": text,
        }
    )


def _shortcode(value: Any) -> bool:
    return re.fullmatch(r"[0-9]{5,7}", str(value), re.ASCII) is not None


def _amount(value: Any) -> bool:
    # A float is refused even when it is whole: decimals are not accepted on the way in.
    return re.fullmatch(r"[0-9]{1,12}", str(value), re.ASCII) is not None and int(value) >= 1


def _msisdn(value: Any) -> bool:
    return WIRE.fullmatch(str(value)) is not None


def _timestamp(value: Any) -> bool:
    if not re.fullmatch(r"[0-9]{14}", str(value), re.ASCII):
        return False
    try:
        datetime.strptime(str(value), "%Y%m%d%H%M%S")  # noqa: DTZ007 - only its form matters
    except ValueError:
        return False
    return True


def _callback_url(value: Any, *, banned: bool, https: bool) -> bool:
    """https, or http where that is allowed; no banned word anywhere in it."""
    if not isinstance(value, str) or not value.isascii() or any(c.isspace() for c in value):
        return False
    try:
        parts = urlsplit(value)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        return False
    if banned and any(word in value.lower() for word in BANNED_WORDS):
        return False
    if not host or parts.scheme not in {"http", "https"}:
        return False
    on_loopback = host in LOOPBACK or host.endswith(".localhost") or host.startswith("127.")
    return parts.scheme == "https" or (on_loopback and not https)


def _push_checks(behaviour: Behaviour) -> dict[str, Check]:
    def is_url(value: Any) -> bool:
        return _callback_url(value, banned=behaviour.banned_words, https=behaviour.require_https)

    def reference(value: Any) -> bool:
        return bool(str(value).strip()) and (
            len(str(value)) <= 12 or not behaviour.strict_reference
        )

    return {
        "BusinessShortCode": _shortcode,
        "Password": bool,
        "Timestamp": _timestamp,
        "TransactionType": lambda v: v in {"CustomerPayBillOnline", "CustomerBuyGoodsOnline"},
        "Amount": _amount,
        "PartyA": _msisdn,
        "PartyB": _shortcode,
        "PhoneNumber": _msisdn,
        "CallBackURL": is_url,
        "AccountReference": reference,
    }


_QUERY_CHECKS: dict[str, Check] = {
    "BusinessShortCode": _shortcode,
    "Password": bool,
    "Timestamp": _timestamp,
    "CheckoutRequestID": bool,
}
