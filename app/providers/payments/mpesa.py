"""Safaricom's Daraja, M-Pesa Kenya: STK push, STK query, C2B registration.

Everything that only Daraja says (shillings, MSISDN, ResponseCode, the 12-character
reference, misspelt keys, a 404 that means "token expired") stays in this file.
Source: Daraja's own documentation, collected in the mobile money contract §1.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any, Protocol

from app.clock import NAIROBI
from app.money import whole_shillings
from app.phones import masked
from app.providers.errors import OutcomeUnknown, Refused, Unavailable
from app.providers.gate import Gate
from app.providers.http import (
    Exchange,
    OnExchange,
    ignore_exchange,
    json_or_none,
    translating_errors,
)
from app.providers.payments import PaymentAccepted, PaymentRequest, PaymentStatus, Verdict

if TYPE_CHECKING:
    import httpx

NAME = "mpesa"
TOKEN = "/oauth/v1/generate"  # noqa: S105 - a path
STK_PUSH = "/mpesa/stkpush/v1/processrequest"
STK_QUERY = "/mpesa/stkpushquery/v1/query"
C2B_REGISTER = "/mpesa/c2b/v2/registerurl"

STALE_TOKEN = {"404.001.03", "400.003.01", "401.002.01", "401.003.01"}
BUSY = {"500.003.02", "500.003.03"}
STILL_PENDING = "4999"
TOKEN_MARGIN_SECONDS = 60


class TokenStore(Protocol):
    """Where one access token per credential is kept for every process."""

    def get(self, key: str) -> str | None: ...
    def put(self, key: str, token: str, *, seconds: int) -> None: ...
    def drop(self, key: str) -> None: ...


@dataclass(frozen=True, kw_only=True)
class MpesaKeys:
    """One store's own credentials. ``shortcode`` is the paybill, or a till's store number."""

    consumer_key: str
    consumer_secret: str
    shortcode: str
    passkey: str
    till: str | None = None


def _nairobi_now() -> datetime:
    return datetime.now(NAIROBI)


class Mpesa:
    name = NAME

    def __init__(
        self,
        http: httpx.Client,
        keys: MpesaKeys,
        *,
        base_url: str,
        tokens: TokenStore,
        gate: Gate,
        now: Callable[[], datetime] = _nairobi_now,
    ) -> None:
        self.http = http
        self.keys = keys
        self.base_url = base_url.rstrip("/")
        self.tokens = tokens
        self.gate = gate
        self.now = now

    # -- what we need -------------------------------------------------------------------

    def request_payment(
        self, request: PaymentRequest, *, on_exchange: OnExchange = ignore_exchange
    ) -> PaymentAccepted:
        """Send the STK push. There is no idempotency key: a doubtful answer must not be resent."""
        msisdn = request.phone.removeprefix("+")
        body = self._signed() | {
            "TransactionType": "CustomerBuyGoodsOnline"
            if self.keys.till
            else "CustomerPayBillOnline",
            "Amount": whole_shillings(request.amount_cents),
            "PartyA": msisdn,
            "PartyB": self.keys.till or self.keys.shortcode,
            "PhoneNumber": msisdn,
            "CallBackURL": request.callback_url,
            "AccountReference": request.account_reference,
            "TransactionDesc": request.account_reference[:13],
        }
        answer = self._call(STK_PUSH, body, on_exchange, moves_money=True)
        match answer:
            case {
                "ResponseCode": "0" | 0,
                "CheckoutRequestID": str(checkout),
                "MerchantRequestID": str(merchant),
            }:
                return PaymentAccepted(checkout_request_id=checkout, merchant_request_id=merchant)
            case {"ResponseCode": code, **rest} if str(code) != "0":
                raise Refused(NAME, str(rest.get("ResponseDescription", "refused")), code=str(code))
            case _:
                raise OutcomeUnknown(NAME, "unexpected answer", code="shape")

    def take_query(self) -> None:
        """Queries share one budget per credential: Daraja stops those who ask too fast."""
        self.gate.take_query()

    def payment_status(
        self, checkout_request_id: str, *, on_exchange: OnExchange = ignore_exchange
    ) -> PaymentStatus:
        """Ask by STK query. It knows neither receipt nor amount, and its "failed" can be wrong."""
        body = self._signed() | {"CheckoutRequestID": checkout_request_id}
        try:
            answer = self._call(STK_QUERY, body, on_exchange, moves_money=False)
        except (Refused, OutcomeUnknown) as error:
            if "being processed" in error.reason.lower():
                return PaymentStatus(verdict=Verdict.PENDING, result_text=error.reason)
            raise
        code = answer.get("ResultCode")
        if code is None or str(code) == STILL_PENDING:
            return PaymentStatus(verdict=Verdict.PENDING)
        text = str(answer.get("ResultDesc", ""))
        verdict = Verdict.PAID if str(code) == "0" else Verdict.FAILED
        return PaymentStatus(verdict=verdict, result_code=str(code), result_text=text)

    def register_confirmations(
        self,
        *,
        confirmation_url: str,
        validation_url: str,
        on_exchange: OnExchange = ignore_exchange,
    ) -> None:
        """Register the C2B URLs. Already registered is as good as registered now."""
        body = {
            "ShortCode": self.keys.shortcode,
            "ResponseType": "Completed",
            "ConfirmationURL": confirmation_url,
            "ValidationURL": validation_url,
        }
        try:
            answer = self._call(C2B_REGISTER, body, on_exchange, moves_money=False)
        except (Refused, OutcomeUnknown) as error:
            if "already registered" in error.reason.lower():
                return
            raise
        if str(answer.get("ResponseCode", "")).strip("0") != "":
            raise Refused(NAME, str(answer.get("ResponseDescription", "refused")))

    # -- how it is said -----------------------------------------------------------------

    def _signed(self) -> dict[str, Any]:
        """Short code, timestamp and the password made of exactly that timestamp."""
        timestamp = self.now().strftime("%Y%m%d%H%M%S")
        password = f"{self.keys.shortcode}{self.keys.passkey}{timestamp}".encode()
        return {
            "BusinessShortCode": self.keys.shortcode,
            "Password": base64.b64encode(password).decode(),
            "Timestamp": timestamp,
        }

    def _call(
        self, path: str, body: dict[str, Any], on_exchange: OnExchange, *, moves_money: bool
    ) -> dict[str, Any]:
        """POST once; a stale token is renewed once and the call repeated once (it was refused unread)."""
        for attempt in (1, 2):
            exchange = Exchange(endpoint=path, request=mask_request(body))
            try:
                with self.gate.calling():
                    return self._post(path, body, exchange, moves_money=moves_money)
            except _StaleToken as stale:
                self.tokens.drop(self._token_key)
                if attempt == 2:
                    raise Unavailable(NAME, "access token refused", code="token") from stale
            finally:
                exchange.ended()
                on_exchange(exchange)
        raise AssertionError("unreachable")

    def _post(
        self, path: str, body: dict[str, Any], exchange: Exchange, *, moves_money: bool
    ) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {self._access_token()}"}
        try:
            with translating_errors(NAME):
                response = self.http.post(self.base_url + path, json=body, headers=headers)
                response.read()
        except (Unavailable, OutcomeUnknown) as error:
            exchange.error = error.reason
            raise
        exchange.http_status = response.status_code
        answer = json_or_none(response)
        exchange.response = mask_response(answer)
        if response.status_code == 200 and isinstance(answer, dict) and "errorCode" not in answer:
            return answer
        refusal = _as_error(response.status_code, answer, moves_money=moves_money)
        exchange.error = str(refusal)
        raise refusal

    @property
    def _token_key(self) -> str:
        return self.keys.consumer_key

    def _access_token(self) -> str:
        token = self.tokens.get(self._token_key)
        if token:
            return token
        try:
            with translating_errors(NAME):
                response = self.http.get(
                    self.base_url + TOKEN,
                    params={"grant_type": "client_credentials"},
                    auth=(self.keys.consumer_key, self.keys.consumer_secret),
                )
        except OutcomeUnknown as error:  # asking for a token moves nothing
            raise Unavailable(NAME, f"no access token: {error.reason}", code="token") from error
        answer = json_or_none(response)
        match answer:
            case {"access_token": str(token), "expires_in": lifetime} if (
                response.status_code == 200
            ):
                seconds = int(str(lifetime)) if str(lifetime).isdecimal() else 600
                self.tokens.put(
                    self._token_key, token, seconds=max(1, seconds - TOKEN_MARGIN_SECONDS)
                )
                return token
            case _:
                raise Unavailable(
                    NAME, f"no access token: HTTP {response.status_code}", code="token"
                )


class _StaleToken(Exception):
    """The token was refused before the call was read."""


def _as_error(status: int, answer: Any, *, moves_money: bool) -> Exception:
    """Their refusal in our three words. A 5xx on a call that moves money is in doubt."""
    code, text = "", f"HTTP {status}"
    if isinstance(answer, dict):
        fault = answer.get("fault")
        if isinstance(fault, dict):
            detail = fault.get("detail")
            code = str(detail.get("errorcode", "")) if isinstance(detail, dict) else ""
            text = str(fault.get("faultstring", text))
        else:
            code = str(answer.get("errorCode", ""))
            text = str(answer.get("errorMessage", text))
    if code in STALE_TOKEN or (status == 401 and "fault" not in str(answer)[:20]):
        return _StaleToken(code)
    if status in (403, 429) or code in BUSY or "ratelimit" in code or "quota" in code.lower():
        return Unavailable(NAME, text, code=code or str(status))
    if status >= 500:
        # These three are clear answers in spite of their status: nothing was sent to a phone.
        clear = ("Merchant does not exist", "Wrong credentials", "Unable to lock subscriber")
        if any(words in text for words in clear) or not moves_money:
            return Refused(NAME, text, code=code or str(status))
        return OutcomeUnknown(NAME, text, code=code or str(status))
    return Refused(NAME, text, code=code or str(status))


# -- callbacks --------------------------------------------------------------------------


class Unreadable(Exception):
    """The body is not a callback of the shape we know."""


@dataclass(frozen=True, kw_only=True)
class StkResult:
    """An STK callback, read by name and not by position. Amounts in cents."""

    merchant_request_id: str
    checkout_request_id: str
    result_code: str
    is_integer_code: bool
    result_text: str
    amount_cents: int | None
    receipt: str | None

    @property
    def says_paid(self) -> bool:
        """Only the JSON integer 0 means paid."""
        return self.is_integer_code and self.result_code == "0"


@dataclass(frozen=True, kw_only=True)
class Confirmation:
    """A C2B confirmation: this money has arrived. Amount in cents."""

    receipt: str
    amount_cents: int
    reference: str
    shortcode: str
    payer: str


def read_stk_callback(payload: Any) -> StkResult:
    """Read an STK callback. Raises Unreadable."""
    match payload:
        case {
            "Body": {
                "stkCallback": {"CheckoutRequestID": str(checkout), "ResultCode": code} as result
            }
        }:
            items = _items(result.get("CallbackMetadata"))
            return StkResult(
                merchant_request_id=str(result.get("MerchantRequestID", "")),
                checkout_request_id=checkout,
                result_code=str(code)[:40],
                is_integer_code=type(code) is int,
                result_text=str(result.get("ResultDesc", ""))[:200],
                amount_cents=_cents(items.get("Amount")),
                receipt=_receipt(items.get("MpesaReceiptNumber")),
            )
        case _:
            raise Unreadable("not an STK callback")


def read_confirmation(payload: Any) -> Confirmation:
    """Read a C2B confirmation. Raises Unreadable."""
    if not isinstance(payload, dict):
        raise Unreadable("not a C2B confirmation")
    receipt, amount = _receipt(payload.get("TransID")), _cents(payload.get("TransAmount"))
    if receipt is None or amount is None or amount <= 0:
        raise Unreadable("no receipt or amount")
    return Confirmation(
        receipt=receipt,
        amount_cents=amount,
        reference="".join(
            c for c in str(payload.get("BillRefNumber", "")).upper() if c.isascii() and c.isalnum()
        )[:20],
        shortcode=str(payload.get("BusinessShortCode", "")),
        payer=" ".join(
            str(payload.get(part) or "") for part in ("FirstName", "MiddleName", "LastName")
        ).split("  ")[0],
    )


def _items(metadata: Any) -> dict[str, Any]:
    """Metadata by name. An item may have no Value, and the list may be one object."""
    items = metadata.get("Item", []) if isinstance(metadata, dict) else []
    items = items if isinstance(items, list) else [items]
    return {str(i["Name"]): i.get("Value") for i in items if isinstance(i, dict) and "Name" in i}


def _cents(value: Any) -> int | None:
    """``1``, ``1.00`` or ``"1.00"`` shillings in cents; None where it is no exact amount."""
    if value is None or isinstance(value, bool):
        return None
    try:
        cents = Decimal(str(value)) * 100
    except InvalidOperation:
        return None
    return (
        int(cents)
        if cents.is_finite() and cents == cents.to_integral_value() and abs(cents) < 10**12
        else None
    )


def _receipt(value: Any) -> str | None:
    text = str(value or "").strip().upper()
    return text if 6 <= len(text) <= 20 and text.isascii() and text.isalnum() else None


# -- masks ------------------------------------------------------------------------------

_SECRET = {"Password", "CallBackURL", "ConfirmationURL", "ValidationURL", "access_token"}
_PHONES = {"PartyA", "PhoneNumber", "MSISDN"}


def mask_request(body: dict[str, Any]) -> dict[str, Any]:
    """What may be kept of a request: no password, no callback secret, no phone number."""
    return {name: _masked_value(name, value) for name, value in body.items()}


def mask_response(answer: Any) -> dict[str, Any] | None:
    """What may be kept of an answer. CheckoutRequestID ends in the payer's phone number."""
    if not isinstance(answer, dict):
        return None
    return {str(name): _masked_value(str(name), value) for name, value in answer.items()}


def _masked_value(name: str, value: Any) -> Any:
    if name in _SECRET:
        return "•••"
    if name in _PHONES:
        return masked("+" + str(value))
    if name == "CheckoutRequestID":
        return str(value)[:12] + "•••"
    return value
