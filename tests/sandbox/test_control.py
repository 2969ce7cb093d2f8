"""Control calls, the clock, the process itself and the pages for people."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tests.sandbox.conftest import ROOT, eventually, free_port, start_sandbox, stop_sandbox

if TYPE_CHECKING:
    from tests.sandbox.conftest import Shop

PHONE = "254712345678"


def test_credentials_are_made_once_for_a_name(http: httpx.Client) -> None:
    def put(**fields: Any) -> dict[str, Any]:
        answer = http.post("/_sim/credentials", json=fields)
        assert answer.status_code == 200, answer.text
        made: dict[str, Any] = answer.json()
        return made

    first = put(name="Mtaani")
    assert put(name="Mtaani") == first
    assert first["type"] == "paybill"
    assert first["party_b"] == first["shortcode"]
    given = put(name="Kitenge", shortcode="600984", passkey="abc", consumer_key="k")
    assert (given["shortcode"], given["passkey"], given["consumer_key"]) == ("600984", "abc", "k")
    till = put(name="Till", type="till", store_number="7654321", till_number="5123456")
    assert (till["shortcode"], till["party_b"]) == ("7654321", "5123456")
    assert len(http.get("/_sim/credentials").json()["shops"]) == 3
    for bad in (
        {"name": "Thief", "shortcode": "600984"},
        {"name": "X", "type": "bank"},
        {"name": "X", "shortcode": "12"},
        {"name": "X", "colour": "red"},
        {"name": ["X"]},
    ):
        assert http.post("/_sim/credentials", json=bad).status_code == 400


def test_reset_keeps_the_keys_unless_told(shop: Shop) -> None:
    shop.accepted(PHONE)
    shop.faults(down=True)
    shop.clock(speed=10, advance_s=1000)
    shop.http.post("/_sim/reset")
    assert shop.http.get("/_sim/health").json()["speed"] == 1
    assert shop.transactions()["transactions"] == []
    assert shop.faults()["all"] == {}
    shop.oauth()
    shop.accepted(PHONE)
    shop.http.post("/_sim/reset", json={"credentials": True})
    assert shop.oauth().status_code == 400


def test_a_reset_calls_off_what_was_planned(shop: Shop) -> None:
    shop.faults(callback="late", callback_delay_s=30, auto="pay", after_s=0)
    shop.accepted(PHONE)
    eventually(lambda: shop.transactions(summary="1")["paid_count"] == 1)
    shop.http.post("/_sim/reset")
    shop.clock(advance_s=100)
    shop.oauth()
    shop.accepted(PHONE)
    shop.act(PHONE, "pay")
    shop.results()
    shop.quiet()
    assert len(shop.receiver.posts) == 1


@pytest.mark.parametrize(
    "rule",
    [
        {"callback": "sometimes"},
        {"callback": "times:0"},
        {"drop_rate": 1.5},
        {"drop_rate": "much"},
        {"down": 1},
        {"next": 0, "down": True},
        {"msisdn": "12", "down": True},
        {"nonsense": 1},
        {"on": ["fax"], "down": True},
        {"result_code": ""},
        {"hang_s": float(10**6)},
    ],
)
def test_rules_that_make_no_sense_are_refused(http: httpx.Client, rule: dict[str, Any]) -> None:
    answer = http.post("/_sim/faults", json=rule)
    assert answer.status_code == 400
    assert answer.json()["error"]
    assert http.get("/_sim/faults").json()["all"] == {}


def test_control_calls_want_json(http: httpx.Client) -> None:
    assert http.post("/_sim/faults", data={"down": "true"}).status_code == 400
    assert http.post("/_sim/clock", json=[1]).status_code == 400
    assert http.post("/_sim/clock", json={"speed": -1}).status_code == 400
    assert http.post("/_sim/clock", json={"advance_s": "x"}).status_code == 400
    assert http.get("/_sim/outbox", params={"to": "nobody"}).status_code == 400


def test_a_fast_clock_closes_prompts_sooner(shop: Shop) -> None:
    shop.clock(speed=100)
    shop.accepted(PHONE)
    assert shop.results(within_s=5)[0].result["ResultCode"] == 1037


def test_prompts_are_listed_and_answered(shop: Shop) -> None:
    asked = shop.accepted(PHONE)
    [prompt] = shop.http.get("/_sim/prompts/0712345678").json()["prompts"]
    assert prompt["checkout_request_id"] == asked
    assert (prompt["merchant"], prompt["amount"]) == ("Mtaani Gadgets", 2170)
    assert prompt["account_reference"] == "KTP7Q2XM"
    assert 55 < prompt["seconds_left"] <= 60
    assert len(shop.http.get("/_sim/prompts").json()["prompts"]) == 1
    path = f"/_sim/prompts/{PHONE}"
    assert shop.http.post(path, json={"action": "dance"}).status_code == 400
    other = {"action": "pay", "checkout_request_id": "ws_CO_other"}
    assert shop.http.post(path, json=other).status_code == 404
    assert shop.act(PHONE, "low_balance")["result_code"] == 1
    assert shop.http.post(path, json={"action": "pay"}).status_code == 404


def test_transactions_tell_what_was_posted_and_answered(shop: Shop) -> None:
    shop.accepted(PHONE)
    shop.act(PHONE, "pay")
    shop.results()
    shop.quiet()
    [row] = shop.transactions(msisdn=PHONE)["transactions"]
    assert row["callback_url"] == shop.url(shop.hook())
    [post] = row["callbacks"]
    assert (post["kind"], post["status_code"]) == ("stk", 200)
    assert post["answer"] == '{"ResultCode":0,"ResultDesc":"Accepted"}'
    assert shop.transactions(reference="NONE")["transactions"] == []
    calls = shop.http.get("/_sim/calls").json()["calls"]
    assert [call["status"] for call in calls] == [200, 200]
    assert shop.keys["consumer_secret"] not in str(calls)


def test_a_receiver_that_is_not_there_is_noted(shop: Shop) -> None:
    nobody = f"http://localhost:{free_port()}/hooks/pay/1"
    shop.accepted(PHONE, CallBackURL=nobody)
    shop.act(PHONE, "pay")
    shop.quiet()
    [row] = shop.transactions()["transactions"]
    assert row["status"] == "paid"
    assert "ConnectionRefused" in row["callbacks"][0]["error"]


def test_many_at_once_get_ids_of_their_own(shop: Shop) -> None:
    shop.oauth()
    shop.faults(auto="pay", after_s=0)
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda n: shop.push(f"2547{n:08d}"), range(200)))
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.json()["CheckoutRequestID"] for answer in answers}) == 200
    eventually(lambda: shop.transactions(summary="1")["paid_count"] == 200)
    rows = shop.transactions()["transactions"]
    assert len({row["receipt"] for row in rows}) == 200
    assert shop.transactions(summary="1")["paid_sum"] == 200 * 2170


def test_twenty_taps_on_one_phone_make_one_prompt(shop: Shop) -> None:
    shop.oauth()
    gate = threading.Barrier(10)

    def tap(_: int) -> int:
        gate.wait()
        return shop.push(PHONE).status_code

    with ThreadPoolExecutor(10) as pool:
        statuses = list(pool.map(tap, range(10)))
    assert sorted(statuses) == [200, *[500] * 9]


# The pages.


def test_pages_carry_a_strict_policy_and_nothing_inline(shop: Shop) -> None:
    shop.accepted(PHONE)
    for path in ("/", f"/phone/{PHONE}", "/operator"):
        answer = shop.http.get(path)
        assert answer.status_code == 200
        policy = answer.headers["Content-Security-Policy"]
        assert "script-src 'self'" in policy
        assert "unsafe" not in policy
        assert " style=" not in answer.text
        assert "onclick" not in answer.text
        assert "<script src=" in answer.text
        assert answer.text.count("<script") == 1
    for path in ("/static/sandbox.css", "/static/live.js"):
        assert shop.http.get(path).status_code == 200


def test_a_phone_is_opened_by_any_way_of_writing_its_number(http: httpx.Client) -> None:
    answer = http.get("/open", params={"number": "0712 345-678"}, follow_redirects=True)
    assert answer.url.path == f"/phone/{PHONE}"
    assert "0712\u00a0345\u00a0678" in answer.text
    assert http.get("/phone/0712345678", follow_redirects=True).url.path == f"/phone/{PHONE}"
    wrong = http.get("/open", params={"number": "12<b>"})
    assert wrong.status_code == 400
    assert "is not a Kenyan mobile number" in wrong.text
    assert "<b>'" not in wrong.text
    assert http.get("/phone/12345").status_code == 404
    assert "0712\u00a0345\u00a0678" in http.get("/").text


@pytest.mark.parametrize(
    ("form", "code"),
    [
        ({"action": "send", "pin": "1234"}, 0),
        ({"action": "send", "pin": "0000"}, 2001),
        ({"action": "cancel"}, 1032),
        ({"action": "low_balance"}, 1),
    ],
)
def test_a_person_answers_the_request_on_the_phone(
    shop: Shop, form: dict[str, str], code: int
) -> None:
    asked = shop.accepted(PHONE)
    page = shop.http.get(f"/phone/{PHONE}").text
    assert "Pay KES\u00a02,170 to Mtaani Gadgets?" in page
    assert "KTP7Q2XM" in page
    form = {"checkout_request_id": asked, **form}
    answer = shop.http.post(f"/phone/{PHONE}/prompt", data=form)
    assert answer.status_code == 303
    assert shop.results()[0].result["ResultCode"] == code
    assert "No request to pay" in shop.http.get(f"/phone/{PHONE}/screen").text
    again = shop.http.post(f"/phone/{PHONE}/prompt", data=form, follow_redirects=True)
    assert "already closed" in again.text


def test_a_short_pin_is_not_sent(shop: Shop) -> None:
    asked = shop.accepted(PHONE)
    form = {"checkout_request_id": asked, "action": "send", "pin": "12"}
    answer = shop.http.post(f"/phone/{PHONE}/prompt", data=form, follow_redirects=True)
    assert "A PIN has 4 digits" in answer.text
    assert len(shop.http.get(f"/_sim/prompts/{PHONE}").json()["prompts"]) == 1


def test_messages_show_on_the_phone_and_cannot_carry_markup(shop: Shop) -> None:
    shop.http.post(
        "/sms/version1/messaging",
        headers={"apiKey": shop.keys["sms_api_key"]},
        data={
            "username": shop.keys["sms_username"],
            "to": f"+{PHONE}",
            "message": "<script>x</script> see http://a.localhost:8000/o/abc.",
        },
    )
    page = shop.http.get(f"/phone/{PHONE}").text
    assert "&lt;script&gt;x&lt;/script&gt;" in page
    assert '<a href="http://a.localhost:8000/o/abc">' in page


def test_operator_switches_turn_over(shop: Shop) -> None:
    def press(path: str, **form: str) -> None:
        assert shop.http.post(f"/operator/{path}", data=form).status_code == 303

    press("switch", slug="twice")
    assert shop.faults()["all"] == {"callback": "twice"}
    press("switch", slug="twice")
    assert shop.faults()["all"] == {}
    press("answers", auto="cancel")
    press("answers", auto="pay", **{"for": PHONE})
    rules = shop.faults()
    assert rules["all"] == {"auto": "cancel"}
    assert rules["phones"] == {PHONE: {"auto": "pay"}}
    press("rule", next="3", callback="never")
    assert shop.faults()["next"][0]["left"] == 3
    press("rule", clear="1")
    assert shop.faults() == {"all": {}, "phones": {}, "next": []}
    press("clock", speed="10")
    press("clock", advance_s="86400")
    assert shop.http.get("/_sim/health").json()["speed"] == 10
    press("c2b", shortcode=shop.keys["shortcode"], msisdn=PHONE, amount="850", reference="x")
    assert shop.transactions(summary="1")["paid_sum"] == 850
    assert "KES\u00a0850" in shop.http.get("/operator/live").text
    bad = shop.http.post("/operator/rule", data={"drop_rate": "7"})
    assert bad.status_code == 400
    assert "must lie between" in bad.text
    press("reset")
    assert shop.transactions(summary="1")["paid_sum"] == 0


def test_every_field_of_a_rule_is_on_the_operator_page(http: httpx.Client) -> None:
    from sandbox.behaviour import CHECKS
    from sandbox.suffixes import SUFFIXES

    page = http.get("/operator").text
    for name in CHECKS:
        assert f'name="{name}"' in page
    for ending in SUFFIXES:
        assert f"…{ending}" in page
        assert f"| {ending} |" in (ROOT / "docs/sandbox.md").read_text()


def test_another_site_cannot_press_our_buttons(http: httpx.Client) -> None:
    foreign = {"Sec-Fetch-Site": "cross-site"}
    assert http.post("/operator/reset", headers=foreign).status_code == 403
    assert http.post("/_sim/reset", headers=foreign).status_code == 403


# The process.


def test_keys_survive_a_restart_in_a_private_file(tmp_path: Path) -> None:
    keep = tmp_path / "keys.json"
    port = free_port()
    for first in (True, False):
        process = start_sandbox(port, "--keep", str(keep))
        with httpx.Client(base_url=f"http://127.0.0.1:{port}") as client:
            if first:
                made = client.post("/_sim/credentials", json={"name": "Mtaani"}).json()
            else:
                assert client.get("/_sim/credentials").json()["shops"] == [made]
        assert stop_sandbox(process) == 0
    assert keep.stat().st_mode & 0o777 == 0o600


def test_a_busy_port_is_a_sentence(sandbox_url: str) -> None:
    port = sandbox_url.rpartition(":")[2]
    done = subprocess.run(
        [sys.executable, "-m", "sandbox", "--port", port],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=20,
    )
    assert done.returncode == 2
    assert "cannot listen on" in done.stderr
    assert "Traceback" not in done.stderr


def test_no_process_is_left_when_the_parent_is_killed() -> None:
    port = free_port()
    process = start_sandbox(port)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert process.stdout is not None
    process.stdout.close()

    def gone() -> bool:
        try:
            httpx.get(f"http://127.0.0.1:{port}/_sim/health", timeout=1)
        except httpx.HTTPError:
            return True
        return False

    eventually(gone)


def test_the_sandbox_imports_nothing_of_the_product() -> None:
    for file in (ROOT / "sandbox").glob("*.py"):
        for line in file.read_text().splitlines():
            assert not line.startswith(("from app", "import app", "from config")), file
