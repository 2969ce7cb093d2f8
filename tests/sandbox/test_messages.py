"""WhatsApp and SMS as their companies answer, and what reaches the phone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx
import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.sandbox.conftest import Shop

PHONE = "254712345678"


def send(shop: Shop, *, token: str = "", number_id: str = "", **body: Any) -> httpx.Response:
    number_id = number_id or shop.keys["whatsapp_phone_number_id"]
    return shop.http.post(
        f"/graph/v26.0/{number_id}/messages",
        headers={"Authorization": f"Bearer {token or shop.keys['whatsapp_token']}"},
        json={"messaging_product": "whatsapp", "to": PHONE} | body,
    )


def text(shop: Shop, body: str = "Karibu") -> httpx.Response:
    return send(shop, type="text", text={"body": body})


def interactive(kind: str, action: dict[str, Any], **more: Any) -> dict[str, Any]:
    inner = {"type": kind, "body": {"text": "Your cart"}, "action": action} | more
    return {"type": "interactive", "interactive": inner}


def reply(title: str) -> dict[str, Any]:
    return {"type": "reply", "reply": {"id": title, "title": title}}


def sections(*sizes: int) -> dict[str, Any]:
    rows = [
        {"title": f"Part {n}", "rows": [{"id": f"{n}.{r}", "title": "Row"} for r in range(size)]}
        for n, size in enumerate(sizes)
    ]
    return {"button": "Choose", "sections": rows}


def code(answer: httpx.Response) -> tuple[int, int]:
    """HTTP status and Graph's error code."""
    error = answer.json()["error"]
    assert error["type"] == "OAuthException"
    assert error["fbtrace_id"]
    return answer.status_code, error["code"]


def outbox(shop: Shop, **filters: str) -> list[dict[str, Any]]:
    query = {"to": "0712345678"} | filters
    found: list[dict[str, Any]] = shop.http.get("/_sim/outbox", params=query).json()["messages"]
    return found


def test_a_message_is_accepted_and_reaches_the_phone(shop: Shop) -> None:
    answer = text(shop, "Karibu *Mtaani*")
    assert answer.status_code == 200
    body = answer.json()
    assert body["contacts"] == [{"input": PHONE, "wa_id": PHONE}]
    message_id = body["messages"][0]["id"]
    assert message_id.startswith("wamid.")
    [message] = outbox(shop)
    assert (message["channel"], message["id"]) == ("whatsapp", message_id)
    assert message["text"] == "Karibu *Mtaani*"


def test_tokens_and_numbers_of_other_shops(shop: Shop, new_shop: Callable[..., Shop]) -> None:
    other = new_shop("Another Shop")
    body = {"type": "text", "text": {"body": "x"}}
    assert code(send(shop, token="nobody", **body)) == (401, 190)
    number_id = other.keys["whatsapp_phone_number_id"]
    assert code(send(shop, number_id=number_id, **body)) == (403, 10)
    assert code(send(shop, number_id="12345", **body)) == (400, 33)
    assert outbox(shop) == []


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"messaging_product": "sms", "type": "text", "text": {"body": "x"}}, 100),
        ({"to": None, "type": "text", "text": {"body": "x"}}, 100),
        ({"to": "Wanjiku", "type": "text", "text": {"body": "x"}}, 131009),
        ({"type": "text", "text": {"body": "x" * 4097}}, 100),
        ({"type": "text", "text": {"body": " "}}, 131008),
        ({"type": "text"}, 100),
        ({"type": "poem", "poem": {}}, 100),
        ({"type": "image", "image": {}}, 100),
        ({"type": "image", "image": {"link": "https://x/y.jpg", "id": "1"}}, 100),
        (interactive("button", {"buttons": []}), 131009),
        (interactive("button", {"buttons": [reply(str(n)) for n in range(4)]}), 131009),
        (interactive("button", {"buttons": [reply("x" * 21)]}), 100),
        (interactive("button", {"buttons": [reply("a"), reply("a")]}), 131009),
        (interactive("button", {"buttons": [reply("a")]}, body={"text": "x" * 1025}), 100),
        (interactive("list", sections(6, 5)), 131009),
        (interactive("list", sections()), 131009),
        (interactive("list", sections(1) | {"button": "x" * 21}), 100),
        (interactive("cta_url", {"name": "cta_url", "parameters": {}}), 131008),
        ({"biz_opaque_callback_data": "x" * 513, "type": "text", "text": {"body": "x"}}, 131009),
    ],
)
def test_limits_of_messages(shop: Shop, body: dict[str, Any], expected: int) -> None:
    assert code(send(shop, **body)) == (400, expected)
    assert outbox(shop) == []


def test_each_kind_of_message_shows_its_words(shop: Shop) -> None:
    assert send(shop, **interactive("button", {"buttons": [reply("Checkout")]})).is_success
    assert send(shop, **interactive("list", sections(2, 3))).is_success
    parameters = {"display_text": "View order", "url": "https://x.example/o/1"}
    link = {"name": "cta_url", "parameters": parameters}
    assert send(shop, **interactive("cta_url", link)).is_success
    picture = {"link": "https://x.example/p.jpg", "caption": "Tote"}
    assert send(shop, type="image", image=picture).is_success
    texts = [message["text"] for message in outbox(shop)]
    assert texts[0] == "Your cart\n[Checkout]"
    assert "[Choose]" in texts[1]
    assert texts[1].count("• Row") == 5
    assert texts[2].endswith("[View order] https://x.example/o/1")
    assert texts[3] == "Tote"


def template(*parameters: str) -> dict[str, Any]:
    filled = [{"type": "text", "text": value} for value in parameters]
    return {
        "type": "template",
        "template": {
            "name": "order_paid",
            "language": {"code": "en"},
            "components": [{"type": "body", "parameters": filled}],
        },
    }


def test_templates_are_filled_in_and_checked(shop: Shop) -> None:
    assert send(shop, **template("KT-1042")).json()["messages"][0]["message_status"] == "accepted"
    made = shop.http.post(
        f"/graph/v26.0/{shop.keys['whatsapp_business_account_id']}/message_templates",
        headers={"Authorization": f"Bearer {shop.keys['whatsapp_token']}"},
        json={
            "name": "order_paid",
            "language": "en",
            "category": "UTILITY",
            "components": [{"type": "BODY", "text": "Paid {{1}} for order {{2}}, thank you."}],
        },
    )
    assert made.json()["status"] == "APPROVED"
    assert send(shop, **template("KES 3,300", "KT-1042")).is_success
    assert outbox(shop)[-1]["text"] == "Paid KES 3,300 for order KT-1042, thank you."
    assert code(send(shop, **template("KES 3,300"))) == (400, 132000)
    assert code(send(shop, **template("two\nlines", "KT-1042"))) == (400, 132012)
    shop.faults(templates_strict=True)
    unknown = template("x")
    unknown["template"]["name"] = "unknown"
    assert code(send(shop, **unknown)) == (404, 132001)


def test_whatsapp_faults(shop: Shop) -> None:
    shop.faults(msisdn=PHONE, whatsapp_error=131026)
    assert code(text(shop)) == (400, 131026)
    assert send(shop, to="254712345679", type="text", text={"body": "x"}).is_success
    shop.faults(msisdn=PHONE, whatsapp_error=131047)
    assert code(text(shop)) == (400, 131047)
    assert send(shop, **template("KT-1042")).is_success
    shop.faults(msisdn=PHONE, whatsapp_error="html_500")
    answer = text(shop)
    assert (answer.status_code, answer.headers["Content-Type"][:9]) == (500, "text/html")
    before = len(outbox(shop))
    shop.faults(msisdn=PHONE, whatsapp_error="cut")
    with pytest.raises(httpx.RemoteProtocolError):
        text(shop)
    assert len(outbox(shop)) == before + 1
    shop.faults(msisdn=PHONE, whatsapp_error=None, on=["whatsapp"], down=True)
    assert code(text(shop)) == (503, 131016)
    shop.faults(msisdn=PHONE, down=None, hang_s=0.3)
    assert text(shop).elapsed.total_seconds() >= 0.3
    shop.faults(clear=True)
    shop.faults(next=1, whatsapp_error=130429)
    assert code(text(shop)) == (429, 130429)
    assert text(shop).is_success


def sms(shop: Shop, to: str = f"+{PHONE}", key: str = "", **form: str) -> httpx.Response:
    return shop.http.post(
        "/sms/version1/messaging",
        headers={"apiKey": key or shop.keys["sms_api_key"], "Accept": "application/json"},
        data={"username": shop.keys["sms_username"], "to": to, "message": "Code 482913"} | form,
    )


def test_an_sms_answers_in_the_company_s_shape(shop: Shop) -> None:
    answer = sms(shop, **{"from": "DUKANI"})
    assert answer.status_code == 201
    data = answer.json()["SMSMessageData"]
    assert data["Message"] == "Sent to 1/1 Total Cost: KES 0.8000"
    [recipient] = data["Recipients"]
    assert recipient["messageId"].startswith("ATXid_")
    assert recipient | {"messageId": ""} == {
        "statusCode": 101,
        "number": f"+{PHONE}",
        "status": "Success",
        "cost": "KES 0.8000",
        "messageId": "",
        "messageParts": 1,
    }
    [message] = outbox(shop)
    assert (message["channel"], message["text"]) == ("sms", "Code 482913")
    assert message["from"] == "DUKANI"


def test_sms_refusals(shop: Shop) -> None:
    wrong = sms(shop, key="wrong")
    assert (wrong.status_code, wrong.headers["Content-Type"][:10]) == (401, "text/plain")
    assert sms(shop, username="someone").status_code == 401
    assert sms(shop, message="").status_code == 400
    several = sms(shop, to=f"+{PHONE},12,+254712345679").json()["SMSMessageData"]
    assert [each["statusCode"] for each in several["Recipients"]] == [101, 403, 101]
    assert several["Message"].startswith("Sent to 2/3")
    shop.faults(sms_error=406)
    [blocked] = sms(shop).json()["SMSMessageData"]["Recipients"]
    assert (blocked["statusCode"], blocked["status"]) == (406, "UserInBlacklist")
    shop.faults(sms_error=402)
    assert sms(shop).json()["SMSMessageData"] == {"Message": "InvalidSenderId", "Recipients": []}
    shop.faults(sms_error="html_500")
    assert sms(shop).status_code == 500
    assert len(outbox(shop)) == 1


def test_long_and_non_gsm_texts_take_more_parts(shop: Shop) -> None:
    def parts(message: str) -> int:
        found = sms(shop, message=message).json()["SMSMessageData"]["Recipients"][0]
        return int(found["messageParts"])

    assert [parts("x" * 160), parts("x" * 161), parts("’" * 70), parts("’" * 71)] == [1, 2, 1, 2]


def test_the_payer_gets_m_pesa_s_own_sms(shop: Shop) -> None:
    shop.accepted(PHONE)
    paid = shop.act(PHONE, "pay")
    assert outbox(shop) == []
    [message] = outbox(shop, mpesa="1")
    assert message["from"] == "MPESA"
    start = f"{paid['receipt']} Confirmed. Ksh2,170.00 sent to MTAANI GADGETS"
    assert message["text"].startswith(start)
