"""The faults of a mobile-money provider, each reachable as JSON, by number and by the page.

The numbers in the test names are those of the list of scenarios in docs/sandbox.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx
import pytest

from sandbox.suffixes import SUFFIXES
from tests.sandbox.conftest import eventually

if TYPE_CHECKING:
    from tests.sandbox.conftest import Shop

WAYS = ("faults", "number", "page")
ORDINARY = "254712345678"

FAILURES = [
    ("901", 1032),
    ("902", 2001),
    ("903", 1),
    ("904", 1037),
    ("906", 1019),
    ("907", "SFC_IC0003"),
    ("908", 8006),
    ("909", 17),
    ("910", 2),
    ("911", 3),
    ("912", 4),
    ("913", 8),
    ("914", 26),
    ("915", 1001),
    ("916", 1025),
    ("917", 9999),
    ("918", 1031),
    ("919", 2028),
]


def arrange(shop: Shop, way: str, suffix: str, **more: Any) -> str:
    """Switch a scenario on in one of the three ways; the phone it holds for."""
    if way == "number":
        return f"254712345{suffix}"
    rule = SUFFIXES[suffix][1] | more
    if way == "faults":
        shop.faults(msisdn=ORDINARY, **rule)
        return ORDINARY
    words = {True: "yes", False: "no"}
    form = {
        name: ", ".join(value)
        if isinstance(value, list)
        else words.get(value, str(value))
        if isinstance(value, bool)
        else str(value)
        for name, value in rule.items()
    }
    answer = shop.http.post("/operator/rule", data={"msisdn": ORDINARY, **form})
    assert answer.status_code == 303, answer.text
    return ORDINARY


def final(shop: Shop, checkout_request_id: str) -> dict[str, Any]:
    """The transaction as the sandbox has it."""
    found = shop.transactions()["transactions"]
    return next(t for t in found if t["checkout_request_id"] == checkout_request_id)


@pytest.mark.parametrize("way", WAYS)
def test_1_pays(shop: Shop, way: str) -> None:
    phone = arrange(shop, way, "900")
    asked = shop.accepted(phone)
    assert shop.results()[0].result["ResultCode"] == 0
    assert final(shop, asked)["status"] == "paid"
    totals = shop.transactions(summary="1")
    assert (totals["paid_count"], totals["paid_sum"]) == (1, 2170)
    assert totals["paid_by_shortcode"] == {shop.keys["shortcode"]: 2170}


@pytest.mark.parametrize("way", WAYS)
def test_2_each_failure_code(shop: Shop, way: str) -> None:
    shop.clock(speed=10)
    for suffix, code in FAILURES:
        phone = arrange(shop, way, suffix)
        asked = shop.accepted(phone)
        result = shop.results()[0].result
        assert result["ResultCode"] == code
        assert "CallbackMetadata" not in result
        assert shop.query(asked).json()["ResultCode"] == str(code)
    assert shop.transactions(summary="1")["paid_sum"] == 0


def test_2_any_code_can_be_set(shop: Shop) -> None:
    shop.faults(result_code=1234, result_desc="Something new", after_s=0)
    shop.accepted(ORDINARY)
    result = shop.results()[0].result
    assert (result["ResultCode"], result["ResultDesc"]) == (1234, "Something new")


@pytest.mark.parametrize("way", WAYS)
def test_3_result_before_the_answer(shop: Shop, way: str) -> None:
    phone = arrange(shop, way, "920")
    shop.accepted(phone)
    # The push has only just been answered, and the result is here already.
    assert shop.receiver.at(shop.hook())[0].result["ResultCode"] == 0


@pytest.mark.parametrize(("suffix", "times"), [("921", 2), ("922", 20)])
@pytest.mark.parametrize("way", WAYS)
def test_4_result_many_times(shop: Shop, way: str, suffix: str, times: int) -> None:
    phone = arrange(shop, way, suffix)
    shop.accepted(phone)
    posts = shop.results(times)
    shop.quiet()
    assert len(shop.receiver.at(shop.hook())) == times
    assert len({post.raw for post in posts}) == 1
    assert shop.transactions(summary="1")["paid_count"] == 1


@pytest.mark.parametrize("way", WAYS)
def test_5_no_result_but_the_money_moved(shop: Shop, way: str) -> None:
    phone = arrange(shop, way, "923")
    asked = shop.accepted(phone)
    shop.clock(advance_s=600)
    paid = eventually_paid(shop, asked)
    assert paid["callbacks"] == []
    assert shop.query(asked).json()["ResultCode"] == "0"


def eventually_paid(shop: Shop, asked: str) -> dict[str, Any]:
    """Wait until the sandbox has the money, and everything due was posted."""
    eventually(lambda: final(shop, asked)["status"] == "paid")
    shop.quiet()
    return final(shop, asked)


@pytest.mark.parametrize("way", WAYS)
def test_6_late_success_after_a_failing_query(shop: Shop, way: str) -> None:
    phone = arrange(shop, way, "924")
    asked = shop.accepted(phone)
    assert shop.query(asked).json()["ResultCode"] == "1037"
    shop.clock(advance_s=2)
    eventually(lambda: final(shop, asked)["status"] == "paid")
    assert shop.query(asked).json()["ResultCode"] == "1037"
    shop.clock(advance_s=150)
    assert shop.receiver.at(shop.hook()) == []
    shop.clock(advance_s=40)
    assert shop.results()[0].result["ResultCode"] == 0
    shop.quiet()
    assert shop.query(asked).json()["ResultCode"] == "0"


@pytest.mark.parametrize("way", WAYS)
def test_7_pending_in_each_shape(shop: Shop, way: str) -> None:
    def pending(suffix: str) -> httpx.Response:
        phone = arrange(shop, way, suffix)
        asked = shop.accepted(phone)
        shop.results()
        answers = [shop.query(asked) for _ in range(5)]
        assert len({answer.status_code for answer in answers}) == 1
        # Pending ends after five times, as the scenario says.
        assert shop.query(asked).json()["ResultCode"] == "0"
        return answers[-1]

    as_500 = pending("925")
    assert as_500.status_code == 500
    assert as_500.json()["errorMessage"] == "The transaction is being processed"
    as_4999 = pending("926")
    assert (as_4999.status_code, as_4999.json()["ResultCode"]) == (200, "4999")
    missing = pending("927")
    assert (missing.status_code, missing.json()["ResponseCode"]) == (200, "0")
    assert "ResultCode" not in missing.json()


@pytest.mark.parametrize("way", WAYS)
def test_8_the_query_says_failed_though_paid(shop: Shop, way: str) -> None:
    phone = arrange(shop, way, "928")
    asked = shop.accepted(phone)
    assert shop.results()[0].result["ResultCode"] == 0
    assert [shop.query(asked).json()["ResultCode"] for _ in range(3)] == ["1037"] * 3
    assert final(shop, asked)["status"] == "paid"


def test_8_the_first_query_fails_and_the_next_is_true(shop: Shop) -> None:
    shop.faults(query="failed_first", auto="pay", after_s=0)
    asked = shop.accepted(ORDINARY)
    shop.results()
    assert [shop.query(asked).json()["ResultCode"] for _ in range(2)] == ["1037", "0"]


@pytest.mark.parametrize("way", WAYS)
def test_9_connection_cut_after_accepting(shop: Shop, way: str) -> None:
    phone = arrange(shop, way, "929")
    shop.bearer()
    with pytest.raises(httpx.RemoteProtocolError):
        shop.push(phone)
    assert shop.results()[0].result["ResultCode"] == 0
    assert shop.transactions(summary="1")["paid_count"] == 1


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    ("suffix", "status", "code"), [("930", 404, "404.001.03"), ("931", 401, "401.002.01")]
)
def test_10_token_revoked_mid_life(
    shop: Shop, way: str, suffix: str, status: int, code: str
) -> None:
    phone = arrange(shop, way, suffix)
    shop.bearer()
    answer = shop.push(phone)
    assert (answer.status_code, answer.json()["errorCode"]) == (status, code)
    assert "Invalid Access Token" in answer.json()["errorMessage"]
    # Without a new token it stays refused; with one, the repeat goes through.
    assert shop.push(phone).status_code == 404
    shop.oauth()
    shop.accepted(phone)
    assert shop.transactions()["transactions"][0]["msisdn"] == phone
    assert len(shop.transactions()["transactions"]) == 1


@pytest.mark.parametrize("way", WAYS)
def test_11_spike_arrest_in_both_shapes(shop: Shop, way: str) -> None:
    phone = arrange(shop, way, "932")
    envelope = shop.push(phone)
    assert (envelope.status_code, envelope.json()["errorCode"]) == (500, "500.003.02")
    phone = arrange(shop, way, "933")
    fault = shop.push(phone)
    assert fault.status_code == 429
    code = fault.json()["fault"]["detail"]["errorcode"]
    assert code == "policies.ratelimit.SpikeArrestViolation"
    assert shop.transactions()["transactions"] == []


@pytest.mark.parametrize("way", WAYS)
def test_12_an_html_page(shop: Shop, way: str) -> None:
    answer = shop.push(arrange(shop, way, "934"))
    assert answer.status_code == 403
    assert answer.headers["Content-Type"].startswith("text/html")
    assert "Incapsula incident" in answer.text


@pytest.mark.parametrize("way", WAYS)
def test_13_empty_400_on_oauth(shop: Shop, way: str) -> None:
    phone = arrange(shop, way, "935")
    shop.bearer()
    assert shop.push(phone).status_code == 404
    empty = shop.oauth()
    assert (empty.status_code, empty.content) == (400, b"")
    assert shop.oauth().status_code == 200
    shop.accepted(phone)


@pytest.mark.parametrize("way", WAYS)
def test_14_shapes_of_the_metadata(shop: Shop, way: str) -> None:
    shop.clock(speed=10)
    names = ["Amount", "MpesaReceiptNumber", "Balance", "TransactionDate", "PhoneNumber"]

    def items(suffix: str) -> list[dict[str, Any]]:
        shop.accepted(arrange(shop, way, suffix))
        found: list[dict[str, Any]] = shop.results()[0].result["CallbackMetadata"]["Item"]
        return found

    text = items("936")
    assert [item["Name"] for item in text] == names
    assert text[2]["Value"].startswith("{Amount={CurrencyCode=KES")
    assert [item["Name"] for item in items("937")] == [n for n in names if n != "Balance"]
    other_order = [item["Name"] for item in items("938")]
    assert other_order != names
    assert sorted(other_order) == sorted(names)
    assert [item["Name"] for item in items("939")] == names[:2]
    assert items("940")[4]["Value"].startswith("2547 ***** ")


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("suffix", "paid"), [("941", 2171), ("942", 2169)])
def test_15_another_amount_than_asked(shop: Shop, way: str, suffix: str, paid: int) -> None:
    asked = shop.accepted(arrange(shop, way, suffix))
    assert shop.results()[0].items["Amount"] == paid
    assert final(shop, asked)["paid_amount"] == paid
    assert shop.transactions(summary="1")["paid_sum"] == paid


@pytest.mark.parametrize("way", WAYS)
def test_16_forged_result_with_a_wrong_token(shop: Shop, way: str) -> None:
    phone = arrange(shop, way, "943")
    asked = shop.accepted(phone)
    true = shop.results()[0]
    shop.quiet()
    forged = [post for post in shop.receiver.posts if post.path != shop.hook()]
    assert len(forged) == 1
    assert forged[0].path.startswith("/hooks/pay/")
    assert forged[0].result["CheckoutRequestID"] == asked
    assert forged[0].items["MpesaReceiptNumber"] != true.items["MpesaReceiptNumber"]
    assert shop.transactions(summary="1")["paid_count"] == 1


@pytest.mark.parametrize("way", WAYS)
def test_16_forged_result_with_another_s_receipt(shop: Shop, way: str) -> None:
    shop.accepted("254712000900")
    receipt = shop.results()[0].items["MpesaReceiptNumber"]
    asked = shop.accepted(arrange(shop, way, "944"))
    posts = shop.results(2)
    codes = [post.result["ResultCode"] for post in posts]
    assert codes == [0, 1032]
    assert posts[0].items["MpesaReceiptNumber"] == receipt
    assert final(shop, asked)["status"] == "failed"
    assert shop.transactions(summary="1")["paid_count"] == 1


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("suffix", "c2b_first"), [("945", True), ("946", False)])
def test_17_push_and_c2b_tell_of_one_receipt(
    shop: Shop, way: str, suffix: str, c2b_first: bool
) -> None:
    assert shop.register().status_code == 200
    phone = arrange(shop, way, suffix)
    shop.accepted(phone)
    result = shop.results()[0]
    told = shop.receiver.wait("/hooks/c2b/confirm")[0]
    assert (told.at < result.at) is c2b_first
    assert told.json["TransID"] == result.items["MpesaReceiptNumber"]
    assert told.json["BillRefNumber"] == "KTP7Q2XM"
    assert told.json["TransAmount"] == "2170.00"
    assert told.json["BusinessShortCode"] == shop.keys["shortcode"]


def test_neither_result_nor_confirmation(shop: Shop) -> None:
    shop.register()
    asked = shop.accepted("254712345947")
    paid = eventually_paid(shop, asked)
    assert paid["callbacks"] == []


def test_provider_down_and_push_errors(shop: Shop) -> None:
    shop.oauth()
    shop.faults(down=True)
    assert shop.push(ORDINARY).status_code == 503
    assert shop.oauth().status_code == 503
    shop.faults(down=None, push_error="response_code")
    refused = shop.push(ORDINARY)
    assert (refused.status_code, refused.json()["ResponseCode"]) == (200, "1")
    for kind, words in [
        ("internal", "Internal Server Error"),
        ("locked", "Unable to lock subscriber"),
        ("no_merchant", "Merchant does not exist"),
        ("wrong_credentials", "[MerchantValidate] - Wrong credentials"),
    ]:
        shop.faults(push_error=kind)
        answer = shop.push(ORDINARY)
        assert answer.status_code == 500
        assert answer.json()["errorMessage"].startswith(words)
    assert shop.transactions()["transactions"] == []
    shop.faults(push_error="internal_accepted")
    assert shop.push(ORDINARY).status_code == 500
    assert shop.transactions()["transactions"][0]["status"] == "open"


def test_a_hanging_gateway_holds_the_caller(shop: Shop) -> None:
    shop.oauth()
    shop.faults(hang_s=0.4)
    answer = shop.push(ORDINARY)
    assert answer.status_code == 200
    assert answer.elapsed.total_seconds() >= 0.4


def test_rules_for_the_next_calls_run_out(shop: Shop) -> None:
    shop.faults(next=2, html_403=True)
    shop.oauth()
    assert [shop.push(ORDINARY).status_code for _ in range(2)] == [403, 403]
    assert shop.faults()["next"] == []
    shop.accepted(ORDINARY)

    shop.faults(next=1, msisdn="254712345670", auto="cancel", callback="twice")
    shop.accepted("254712345671")
    shop.accepted("254712345670")
    assert [post.result["ResultCode"] for post in shop.results(2)] == [1032, 1032]


def test_rates_are_the_same_each_time_for_one_seed(shop: Shop) -> None:
    def storm(seed: int) -> list[dict[str, bool]]:
        shop.faults(
            clear=True,
            auto="pay",
            after_s=0,
            seed=seed,
            drop_rate=0.2,
            duplicate_rate=0.2,
            reorder_rate=0.1,
            push_answer_lost_rate=0.05,
            c2b_drop_rate=0.3,
        )
        before = len(shop.transactions()["transactions"])
        shop.oauth()
        for number in range(60):
            try:
                shop.push(f"2547{seed:02d}{number:06d}")
            except httpx.RemoteProtocolError:
                continue
        found = shop.transactions()["transactions"][before:]
        assert len(found) == 60
        eventually(lambda: shop.transactions(summary="1")["open_count"] == 0)
        return [each["rolls"] for each in found]

    first, again, other = storm(11), storm(11), storm(12)
    assert first == again
    assert first != other
    dropped = sum(each["dropped"] for each in first)
    assert 4 <= dropped <= 22
    shop.clock(advance_s=60)
    shop.quiet()
    for each in shop.transactions()["transactions"]:
        posts = sum(1 for post in each["callbacks"] if post["kind"] == "stk")
        expected = 0 if each["rolls"]["dropped"] else 2 if each["rolls"]["duplicated"] else 1
        assert posts == expected
