"""Money a customer sends without being asked: register, simulate, confirmations."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.sandbox.conftest import Shop

PHONE = "254712345126"


@pytest.mark.parametrize("version", [1, 2])
def test_registering_answers_with_the_misspelt_key(shop: Shop, version: int) -> None:
    answer = shop.register(version)
    assert answer.status_code == 200
    assert set(answer.json()) == {
        "OriginatorCoversationID",
        "ResponseCode",
        "ResponseDescription",
    }
    assert answer.json()["ResponseCode"] == "0"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("ShortCode", None),
        ("ResponseType", "Canceled"),
        ("ResponseType", "completed"),
        ("ConfirmationURL", "http://shop.example/hooks/confirm"),
        ("ValidationURL", None),
    ],
)
def test_registering_is_strict(shop: Shop, field: str, value: object) -> None:
    answer = shop.register(**{field: value})
    assert answer.status_code == 400
    assert answer.json()["errorMessage"] == f"Bad Request - Invalid {field}"


def test_registering_once_is_a_switch(shop: Shop) -> None:
    shop.register()
    assert shop.register().status_code == 200
    shop.faults(register_once=True)
    again = shop.register()
    assert (again.status_code, again.json()["errorCode"]) == (500, "500.003.1001")
    assert again.json()["errorMessage"] == "Urls are already registered"


def test_another_shop_s_short_code_cannot_be_registered(shop: Shop) -> None:
    answer = shop.register(ShortCode="99999")
    assert answer.json()["errorMessage"] == "Merchant does not exist"


def simulate(shop: Shop, version: int = 2, **changes: object) -> int:
    body = {
        "ShortCode": int(shop.keys["shortcode"]),
        "CommandID": "CustomerPayBillOnline",
        "Amount": 5,
        "Msisdn": int(PHONE),
        "BillRefNumber": "ktp7q2xm ",
    }
    path = f"/daraja/mpesa/c2b/v{version}/simulate"
    return shop.http.post(path, headers=shop.bearer(), json=body | changes).status_code


def test_a_confirmation_is_all_text_and_hides_the_payer(shop: Shop) -> None:
    shop.register(2)
    assert simulate(shop) == 200
    body = shop.receiver.wait("/hooks/c2b/confirm")[0].json
    assert all(isinstance(value, str) for value in body.values())
    assert body["TransactionType"] == "Pay Bill"
    assert body["TransAmount"] == "5.00"
    assert body["BillRefNumber"] == "ktp7q2xm "
    assert body["MSISDN"] == "2547 ***** 126"
    assert body["OrgAccountBalance"] == "5.00"
    assert len(body["TransTime"]) == 14
    assert len(body["TransID"]) == 10
    assert list(body) == [
        "TransactionType",
        "TransID",
        "TransTime",
        "TransAmount",
        "BusinessShortCode",
        "BillRefNumber",
        "InvoiceNumber",
        "OrgAccountBalance",
        "ThirdPartyTransID",
        "MSISDN",
        "FirstName",
        "MiddleName",
        "LastName",
    ]


def test_version_one_hashes_the_payer(shop: Shop) -> None:
    shop.register(1)
    simulate(shop, 1)
    body = shop.receiver.wait("/hooks/c2b/confirm")[0].json
    assert body["MSISDN"] == hashlib.sha256(PHONE.encode()).hexdigest()


def test_a_till_takes_no_account_number(till: Shop) -> None:
    till.register()
    assert simulate(till, CommandID="CustomerBuyGoodsOnline") == 400
    assert simulate(till, BillRefNumber=None) == 400
    assert simulate(till, CommandID="CustomerBuyGoodsOnline", BillRefNumber=None) == 200
    body = till.receiver.wait("/hooks/c2b/confirm")[0].json
    assert (body["TransactionType"], body["BillRefNumber"]) == ("Buy Goods", "")


def test_paying_by_hand_through_control(shop: Shop) -> None:
    shop.register()
    paid = shop.http.post(
        "/_sim/c2b",
        json={
            "shortcode": shop.keys["shortcode"],
            "amount": 1480,
            "msisdn": "0712 345 126",
            "reference": "KTP7Q2XM",
            "times": 2,
        },
    ).json()
    posts = shop.receiver.wait("/hooks/c2b/confirm", 2)
    assert {post.json["TransID"] for post in posts} == {paid["receipt"]}
    totals = shop.transactions(summary="1")
    assert (totals["paid_count"], totals["paid_sum"]) == (1, 1480)
    unknown = {"shortcode": "12", "amount": 1, "msisdn": PHONE}
    assert shop.http.post("/_sim/c2b", json=unknown).status_code == 400


def test_a_push_is_confirmed_only_where_urls_are_registered(shop: Shop) -> None:
    shop.accepted(PHONE)
    shop.act(PHONE, "pay")
    shop.results()
    shop.quiet()
    assert [each.path for each in shop.receiver.posts] == [shop.hook()]
    shop.register()
    shop.faults(c2b="none")
    shop.accepted(PHONE)
    shop.act(PHONE, "pay")
    shop.results()
    shop.quiet()
    assert shop.receiver.at("/hooks/c2b/confirm") == []
