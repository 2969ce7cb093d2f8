"""The M-Pesa adapter against the sandbox over HTTP: what Daraja says, in our three errors and our words."""

from __future__ import annotations

import secrets
from typing import Any

import pytest
from redis import Redis

from app.providers.errors import OutcomeUnknown, Refused, Unavailable
from app.providers.gate import Gate
from app.providers.http import Exchange, http_client
from app.providers.payments import PaymentRequest, PaymentStatus, Verdict
from app.providers.payments.mpesa import (
    Mpesa,
    MpesaKeys,
    Unreadable,
    read_confirmation,
    read_stk_callback,
)
from tests.world import World, wait_for


class Tokens(dict[str, str]):
    """Tokens in this process, counting how often one was asked for."""

    asked = 0

    def put(self, key: str, token: str, *, seconds: int) -> None:
        self.asked += 1
        self[key] = token

    def drop(self, key: str) -> None:
        self.pop(key, None)


def make_adapter(world: World, *, kind: str = "paybill", **wrong: str) -> Mpesa:
    name = f"A{secrets.token_hex(4)}".upper()
    keys = world.sandbox.post("/_sim/credentials", json={"name": name, "type": kind}).json()
    facts: dict[str, Any] = {
        "consumer_key": keys["consumer_key"],
        "consumer_secret": keys["consumer_secret"],
        "shortcode": keys["shortcode"],
        "passkey": keys["passkey"],
        "till": keys["till_number"],
    }
    base_url = str(world.sandbox.base_url).rstrip("/") + "/daraja"
    return Mpesa(
        http_client(),
        MpesaKeys(**(facts | wrong)),
        base_url=base_url,
        tokens=Tokens(),
        gate=Gate(Redis.from_url(world.stack.env["REDIS_URL"]), "mpesa", keys["consumer_key"]),
    )


def request_to(phone: str, *, cents: int = 450_00) -> PaymentRequest:
    return PaymentRequest(
        amount_cents=cents,
        phone="+" + phone,
        account_reference=secrets.token_hex(4).upper(),
        callback_url=f"http://127.0.0.1:9/hooks/pay/{secrets.token_hex(16)}",
    )


@pytest.fixture
def phone() -> str:
    return f"2547{secrets.randbelow(10**5):05d}100"


@pytest.mark.row("W47", "N20", "W3")
@pytest.mark.parametrize("kind", ["paybill", "till"])
def test_a_prompt_is_accepted_answered_and_asked_about(world: World, phone: str, kind: str) -> None:
    adapter = make_adapter(world, kind=kind)
    seen: list[Exchange] = []

    accepted = adapter.request_payment(request_to(phone), on_exchange=seen.append)
    waiting = adapter.payment_status(accepted.checkout_request_id)
    world.answer(phone)

    assert waiting.verdict is Verdict.PENDING
    assert wait_for(
        "paid", lambda: adapter.payment_status(accepted.checkout_request_id).verdict is Verdict.PAID
    )
    assert seen[0].http_status == 200
    assert phone not in repr(seen)
    assert adapter.keys.passkey not in repr(seen)


@pytest.mark.row("W47", "M34")
@pytest.mark.parametrize(
    ("action", "code"),
    [
        ("cancel", "1032"),
        ("wrong_pin", "2001"),
        ("low_balance", "1"),
        ("unreachable", "1037"),
        ("no_operator", "SFC_IC0003"),
    ],
)
def test_a_failure_keeps_its_code_whatever_its_type(
    world: World, phone: str, action: str, code: str
) -> None:
    adapter = make_adapter(world)
    accepted = adapter.request_payment(request_to(phone))
    world.answer(phone, action)

    def failed() -> PaymentStatus | None:
        status = adapter.payment_status(accepted.checkout_request_id)
        return status if status.verdict is Verdict.FAILED else None

    assert wait_for("failed", failed).result_code == code


@pytest.mark.row("N20")
@pytest.mark.parametrize("query", ["pending_500", "pending_4999", "pending_missing"])
def test_every_shape_of_pending_is_pending(world: World, phone: str, query: str) -> None:
    adapter = make_adapter(world)
    world.faults(msisdn=phone, query=query)
    accepted = adapter.request_payment(request_to(phone))

    assert adapter.payment_status(accepted.checkout_request_id).verdict is Verdict.PENDING


@pytest.mark.row("N20", "M32")
@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ({"spike_arrest": "envelope", "on": ["push"]}, Unavailable),
        ({"spike_arrest": "fault", "on": ["push"]}, Unavailable),
        ({"html_403": True, "on": ["push"]}, Unavailable),
        ({"cut_connection_before_answer": True}, OutcomeUnknown),
    ],
)
def test_what_went_wrong_says_whether_asking_again_is_safe(
    world: World, phone: str, fault: dict[str, Any], error: type[Exception]
) -> None:
    adapter = make_adapter(world)
    world.faults(msisdn=phone, **fault)

    with pytest.raises(error):
        adapter.request_payment(request_to(phone))


@pytest.mark.row("W47")
@pytest.mark.parametrize("twin", ["404", "401"])
def test_a_revoked_token_is_renewed_once_and_the_call_repeated_once(
    world: World, phone: str, twin: str
) -> None:
    adapter = make_adapter(world)
    adapter.request_payment(request_to(phone[:-3] + "200"))
    world.faults(msisdn=phone, token_revoked=twin)

    adapter.request_payment(request_to(phone))
    adapter.request_payment(request_to(phone[:-3] + "300"))

    assert isinstance(adapter.tokens, Tokens)
    assert adapter.tokens.asked >= 2
    assert len(world.transactions(msisdn=phone)["transactions"]) == 1


@pytest.mark.row("N20")
def test_an_empty_400_of_oauth_is_no_access_and_nothing_was_sent(world: World, phone: str) -> None:
    adapter = make_adapter(world, consumer_secret="another")

    with pytest.raises(Unavailable, match="no access token"):
        adapter.request_payment(request_to(phone))
    assert world.transactions(msisdn=phone)["transactions"] == []


@pytest.mark.row("N20")
def test_wrong_keys_and_a_busy_phone_are_clear_refusals_in_spite_of_their_500(
    world: World, phone: str
) -> None:
    with pytest.raises(Refused, match="Wrong credentials"):
        make_adapter(world, passkey="0" * 64).request_payment(request_to(phone))
    adapter = make_adapter(world)
    adapter.request_payment(request_to(phone))

    with pytest.raises(Refused, match="Unable to lock subscriber"):
        adapter.request_payment(request_to(phone))


def test_cents_that_are_no_whole_shillings_never_leave(world: World, phone: str) -> None:
    with pytest.raises(ValueError, match="whole number of shillings"):
        make_adapter(world).request_payment(request_to(phone, cents=450_50))


@pytest.mark.row("W47")
def test_confirmation_urls_are_registered_and_registering_again_is_fine(world: World) -> None:
    adapter = make_adapter(world)
    urls = {
        "confirmation_url": "http://127.0.0.1:9/hooks/pay/" + "a" * 32,
        "validation_url": "http://127.0.0.1:9/hooks/pay/" + "a" * 32 + "/check",
    }

    adapter.register_confirmations(**urls)
    world.faults(register_once=True)
    adapter.register_confirmations(**urls)


@pytest.mark.row("M33", "N20")
@pytest.mark.parametrize(
    ("amount", "cents"),
    [
        (1, 100),
        (1.0, 100),
        (2450.00, 2450_00),
        ("5.00", 500),
        (1.005, None),
        (True, None),
        ("x", None),
    ],
)
def test_amounts_are_read_exactly_or_not_at_all(amount: object, cents: int | None) -> None:
    items = [
        {"Name": "Balance"},
        {"Name": "MpesaReceiptNumber", "Value": "NLJ7RT61SV"},
        {"Name": "Amount", "Value": amount},
    ]
    body = {
        "Body": {
            "stkCallback": {
                "MerchantRequestID": "1",
                "CheckoutRequestID": "ws_CO_1",
                "ResultCode": 0,
                "ResultDesc": "ok",
                "CallbackMetadata": {"Item": items},
            }
        }
    }

    result = read_stk_callback(body)

    assert (result.amount_cents, result.receipt, result.says_paid) == (cents, "NLJ7RT61SV", True)


@pytest.mark.parametrize("code", ["0", True, False, 0.0, None, "SFC_IC0003", 1032])
def test_only_the_integer_zero_says_paid(code: object) -> None:
    body = {"Body": {"stkCallback": {"CheckoutRequestID": "ws_CO_1", "ResultCode": code}}}

    assert not read_stk_callback(body).says_paid


@pytest.mark.parametrize(
    "body",
    [
        None,
        [],
        {},
        {"Body": {}},
        {"Body": {"stkCallback": {"CheckoutRequestID": 5, "ResultCode": 0}}},
    ],
)
def test_anything_else_is_unreadable(body: object) -> None:
    with pytest.raises(Unreadable):
        read_stk_callback(body)
    with pytest.raises(Unreadable):
        read_confirmation(body)


def test_a_reference_typed_by_hand_is_read_as_people_type_it() -> None:
    body = {
        "TransID": "rkl51zdr4f",
        "TransAmount": "5.00",
        "BusinessShortCode": "600966",
        "BillRefNumber": " kt 7-xq2 ",
    }

    confirmation = read_confirmation(body)

    assert (confirmation.receipt, confirmation.amount_cents, confirmation.reference) == (
        "RKL51ZDR4F",
        500,
        "KT7XQ2",
    )
