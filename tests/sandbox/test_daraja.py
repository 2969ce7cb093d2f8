"""Daraja on the wire: OAuth, STK push and query, in the order and types of the company."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import httpx
import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.sandbox.conftest import Shop

PHONE = "254712345678"
PUSH = "/daraja/mpesa/stkpush/v1/processrequest"
QUERY = "/daraja/mpesa/stkpushquery/v1/query"
REQUEST_ID = r"[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}[0-9]{4,9}"


def refused(answer: httpx.Response) -> tuple[int, str, str]:
    """HTTP status, errorCode and errorMessage of the error envelope."""
    body = answer.json()
    assert set(body) == {"requestId", "errorCode", "errorMessage"}
    assert re.fullmatch(REQUEST_ID, body["requestId"])
    return answer.status_code, body["errorCode"], body["errorMessage"]


def test_oauth_gives_a_token_whose_life_is_text_unless_switched(shop: Shop) -> None:
    answer = shop.oauth()
    assert answer.json() == {"access_token": shop.token, "expires_in": "3599"}
    shop.faults(expires_in="number")
    assert shop.oauth().json()["expires_in"] == 3599


def test_oauth_refuses_in_its_own_ways(shop: Shop, http: httpx.Client) -> None:
    path = "/daraja/oauth/v1/generate"
    good = (shop.keys["consumer_key"], shop.keys["consumer_secret"])
    grant = {"grant_type": "client_credentials"}
    wrong = http.get(path, params=grant, auth=(good[0], "wrong"))
    assert (wrong.status_code, wrong.content) == (400, b"")
    no_basic = http.get(path, params=grant, headers={"Authorization": "Bearer x"})
    assert refused(no_basic)[:2] == (400, "400.008.01")
    assert refused(http.get(path, auth=good))[:2] == (400, "400.008.02")
    assert refused(http.post(path, params=grant, auth=good))[:2] == (405, "405.001")


def test_a_new_token_ends_the_one_before_unless_switched(shop: Shop) -> None:
    shop.oauth()
    first = shop.token
    shop.oauth()
    assert shop.token != first
    shop.token = first
    assert refused(shop.push(PHONE)) == (404, "404.001.03", "Invalid Access Token")

    shop.faults(token_reissue="same")
    shop.oauth()
    kept = shop.token
    shop.oauth()
    assert shop.token == kept

    shop.faults(token_reissue="keep")
    shop.oauth()
    shop.token = kept
    shop.accepted(PHONE)


def test_a_token_dies_after_an_hour_of_sandbox_time(shop: Shop) -> None:
    shop.oauth()
    shop.clock(advance_s=3590)
    shop.accepted(PHONE)
    shop.clock(advance_s=11)
    assert refused(shop.push("254712345679"))[:2] == (404, "404.001.03")


def test_an_accepted_push_answers_in_the_company_s_shape(shop: Shop) -> None:
    answer = shop.push(PHONE)
    assert answer.status_code == 200
    body = answer.json()
    said = "Success. Request accepted for processing"
    assert body["ResponseCode"] == "0"
    assert body["ResponseDescription"] == body["CustomerMessage"] == said
    assert re.fullmatch(REQUEST_ID, body["MerchantRequestID"])
    assert re.fullmatch(r"ws_CO_[0-9]{17}712345678", body["CheckoutRequestID"])
    assert len(body) == 5


def test_the_checks_of_a_push_come_in_order(shop: Shop, http: httpx.Client) -> None:
    """Everything is wrong at first; each repair shows the next complaint."""
    shop.bearer()
    fields = [
        ("BusinessShortCode", shop.keys["shortcode"]),
        ("Password", "d3Jvbmc="),
        ("Timestamp", "20261120183000"),
        ("TransactionType", "CustomerPayBillOnline"),
        ("Amount", "10"),
        ("PartyA", PHONE),
        ("PartyB", shop.keys["party_b"]),
        ("PhoneNumber", PHONE),
        ("CallBackURL", shop.url("/hooks/pay/1")),
        ("AccountReference", "KTP7Q2XM"),
    ]
    assert refused(http.get(PUSH)) == (405, "405.001", "GET Method Not Allowed")
    token_missing = (404, "404.001.03", "Invalid Access Token")
    assert refused(http.post(PUSH)) == token_missing
    assert refused(http.post(PUSH, headers={"Authorization": "Bearer no"})) == token_missing
    no_type = http.post(PUSH, headers=shop.bearer(), content=b"{}")
    assert refused(no_type)[2] == "Bad Request - Invalid BusinessShortCode"
    form = http.post(PUSH, headers=shop.bearer(), data=dict(fields))
    assert refused(form) == (400, "400.002.02", "Bad Request - Invalid BusinessShortCode")
    torn = {**shop.bearer(), "Content-Type": "application/json"}
    assert refused(http.post(PUSH, headers=torn, content=b"{"))[:2] == (400, "400.002.05")

    body: dict[str, Any] = dict.fromkeys(name for name, _ in fields)
    for name, value in fields:
        said = refused(http.post(PUSH, headers=shop.bearer(), json=body))
        assert said == (400, "400.002.02", f"Bad Request - Invalid {name}")
        body[name] = value

    def complaint() -> tuple[int, str, str]:
        return refused(http.post(PUSH, headers=shop.bearer(), json=body))

    body["BusinessShortCode"] = "99999"
    assert complaint() == (500, "500.001.1001", "Merchant does not exist")
    body["BusinessShortCode"] = shop.keys["shortcode"]
    assert complaint() == (500, "500.001.1001", "Wrong credentials")
    body["Password"] = shop.password()
    assert http.post(PUSH, headers=shop.bearer(), json=body).status_code == 200
    assert complaint()[2].startswith("Unable to lock subscriber")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("Amount", 0),
        ("Amount", -5),
        ("Amount", 10.5),
        ("Amount", "10.50"),
        ("Amount", True),
        ("Amount", "٣"),
        ("PhoneNumber", "0712345678"),
        ("PhoneNumber", "+254712345678"),
        ("PartyA", "254212345678"),
        ("Timestamp", "2026112018300"),
        ("Timestamp", "20261320183000"),
        ("TransactionType", "CustomerPayBill"),
        ("AccountReference", "A" * 13),
        ("AccountReference", ""),
        ("CallBackURL", "http://shop.example/hooks/pay/1"),
        ("CallBackURL", "ftp://localhost/x"),
        ("CallBackURL", "not a url"),
        ("BusinessShortCode", "1234"),
        ("BusinessShortCode", {"a": 1}),
    ],
)
def test_a_push_is_strict_where_the_company_is(shop: Shop, field: str, value: object) -> None:
    said = refused(shop.push(PHONE, **{field: value}))
    assert said == (400, "400.002.02", f"Bad Request - Invalid {field}")


def test_a_push_is_lenient_where_the_company_is(shop: Shop) -> None:
    numbers = {name: int(shop.body(PHONE)[name]) for name in ("BusinessShortCode", "PartyB")}
    shop.accepted(
        PHONE,
        **numbers,
        Amount="2170",
        PartyA=int(PHONE),
        PhoneNumber=int(PHONE),
        Timestamp=int("20261120183000"),
        TransactionDesc="much longer than thirteen characters",
        Passkey="not asked for",
    )
    shop.accepted("254712345679", TransactionDesc=None)


@pytest.mark.parametrize("word", ["mpesa", "M-Pesa", "SafariCom", "exec", "cmd", "sql", "QUERY"])
def test_banned_words_in_a_callback_url_are_a_switch_for_push(shop: Shop, word: str) -> None:
    url = shop.url(f"/{word}/1")
    assert refused(shop.push(PHONE, CallBackURL=url))[2] == "Bad Request - Invalid CallBackURL"
    assert refused(shop.register(ConfirmationURL=url))[2].endswith("Invalid ConfirmationURL")
    shop.faults(banned_words=False)
    shop.accepted(PHONE, CallBackURL=url)
    assert refused(shop.register(ConfirmationURL=url))[2].endswith("Invalid ConfirmationURL")


def test_switches_for_long_references_and_production_urls(shop: Shop) -> None:
    shop.faults(strict_reference=False)
    shop.accepted(PHONE, AccountReference="A" * 13)
    shop.faults(require_https=True)
    assert refused(shop.push("254712345679"))[2] == "Bad Request - Invalid CallBackURL"


def test_a_till_pushes_with_store_number_and_till(till: Shop) -> None:
    till.accepted(PHONE)
    till.act(PHONE, "pay")
    assert till.results()[0].result["ResultCode"] == 0
    till.accepted("254712345679", TransactionType="CustomerPayBillOnline")
    assert till.results()[0].result["ResultCode"] == 2028
    till.accepted("254712345670", PartyB=till.keys["store_number"])
    assert till.results()[0].result["ResultCode"] == "SFC_IC0003"
    wrong = refused(till.push("254712345671", BusinessShortCode=till.keys["till_number"]))
    assert wrong[2] == "Merchant does not exist"


def test_requests_that_are_taken_and_then_fail_before_the_phone_rings(shop: Shop) -> None:
    shop.accepted(PHONE, Amount=250_001)
    assert shop.http.get(f"/_sim/prompts/{PHONE}").json()["prompts"] == []
    assert shop.results()[0].result["ResultCode"] == 3
    shop.accepted("254712345679", TransactionDesc="x" * 180)
    assert shop.results()[0].result["ResultCode"] == 1025
    shop.faults(same_amount_rule=True)
    shop.accepted("254712345670")
    shop.act("254712345670", "cancel")
    shop.accepted("254712345670")
    assert shop.results()[0].result["ResultCode"] == 17


def test_the_query_speaks_in_text_and_keeps_its_misspelling(shop: Shop) -> None:
    asked = shop.accepted(PHONE)
    assert refused(shop.query(asked)) == (
        500,
        "500.001.1001",
        "The transaction is being processed",
    )
    shop.act(PHONE, "cancel")
    answer = shop.query(asked)
    assert answer.status_code == 200
    body = answer.json()
    assert body["ResponseCode"] == "0"
    assert body["ResponseDescription"] == "The service request has been accepted successsfully"
    assert (body["ResultCode"], body["ResultDesc"]) == ("1032", "Request cancelled by user")
    assert body["CheckoutRequestID"] == asked
    assert "MpesaReceiptNumber" not in answer.text


def test_the_query_checks_what_the_push_checks(
    shop: Shop, http: httpx.Client, new_shop: Callable[..., Shop]
) -> None:
    asked = shop.accepted(PHONE)
    assert refused(http.get(QUERY))[:2] == (405, "405.001")
    assert refused(http.post(QUERY, json={}))[:2] == (404, "404.001.03")
    empty = http.post(QUERY, headers=shop.bearer(), json={})
    assert refused(empty)[2] == "Bad Request - Invalid BusinessShortCode"
    assert refused(shop.query("ws_CO_nothing"))[2] == "This transaction does not exist"
    other = new_shop("Another Shop")
    assert refused(other.query(asked))[2] == "This transaction does not exist"
    shop.keys["passkey"] = "wrong"
    assert refused(shop.query(asked))[2] == "Wrong credentials"


def test_a_result_has_the_types_of_the_wire(shop: Shop) -> None:
    asked = shop.accepted(PHONE, Amount="1")
    paid = shop.act(PHONE, "pay")
    post = shop.results()[0]
    assert post.host == f"pay.localhost:{shop.receiver.port}"
    assert post.type == "application/json"
    assert post.result["ResultCode"] == 0
    assert post.result["CheckoutRequestID"] == asked
    assert '"Value": 1.00}' in post.raw
    items = post.items
    assert list(items) == ["Amount", "MpesaReceiptNumber", "TransactionDate", "PhoneNumber"]
    assert isinstance(items["TransactionDate"], int)
    assert len(str(items["TransactionDate"])) == 14
    assert items["PhoneNumber"] == int(PHONE)
    assert {"Name": "Balance"} in post.result["CallbackMetadata"]["Item"]
    assert items["MpesaReceiptNumber"] == paid["receipt"]
    assert re.fullmatch(r"[S-Z][A-L][1-9A-V][0-9A-Z]{7}", paid["receipt"])
    assert shop.query(asked).json()["ResultCode"] == "0"


def test_a_failed_result_has_no_metadata(shop: Shop) -> None:
    shop.accepted(PHONE)
    shop.act(PHONE, "wrong_pin")
    result = shop.results()[0].result
    assert result["ResultCode"] == 2001
    assert "CallbackMetadata" not in result


def test_nobody_answers_and_the_prompt_closes_after_a_minute(shop: Shop) -> None:
    shop.accepted(PHONE)
    shop.clock(advance_s=55)
    assert len(shop.http.get(f"/_sim/prompts/{PHONE}").json()["prompts"]) == 1
    shop.clock(advance_s=6)
    assert shop.results()[0].result["ResultCode"] == 1037
    shop.accepted(PHONE)
    shop.act(PHONE, "ignore")
    shop.clock(advance_s=61)
    assert shop.results()[0].result["ResultCode"] == 1032
    shop.faults(expire_code=1019)
    shop.accepted(PHONE)
    shop.clock(advance_s=61)
    assert shop.results()[0].result["ResultCode"] == 1019


def test_paths_nobody_has_and_bodies_nobody_sends(shop: Shop, http: httpx.Client) -> None:
    assert refused(http.post("/daraja/mpesa/nothing"))[:2] == (404, "404.001.01")
    headers = {**shop.bearer(), "Content-Type": "application/json"}
    for raw in (b"[]", b"null", b"1", b"\xff", b"[" * 100_000, b'{"Amount": NaN}'):
        assert http.post(PUSH, headers=headers, content=raw).status_code == 400
    assert http.post(PUSH, headers=headers, content=b"x" * 1_100_000).status_code == 413
