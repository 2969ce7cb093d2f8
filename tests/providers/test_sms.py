"""Every SMS provider keeps the same promise, over real HTTP to a local server that speaks its form."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from urllib.parse import parse_qs

import pytest

from app.cache import connect_cache
from app.providers import registry
from app.providers.errors import OutcomeUnknown, Refused, Unavailable
from app.providers.messaging import MessageSender

PHONE, TEXT = "+254712345678", "482913 is your Dukani code."

TAKEN = {
    "africastalking": {
        "SMSMessageData": {
            "Recipients": [
                {
                    "statusCode": 101,
                    "number": PHONE,
                    "status": "Success",
                    "cost": "KES 0.8000",
                    "messageId": "ATX-1",
                }
            ]
        }
    },
    "twilio": {"sid": "SM1", "status": "queued"},
}
REFUSED = {
    "africastalking": (
        201,
        {
            "SMSMessageData": {
                "Recipients": [
                    {
                        "statusCode": 403,
                        "number": PHONE,
                        "status": "InvalidPhoneNumber",
                        "cost": "0",
                        "messageId": "None",
                    }
                ]
            }
        },
    ),
    "twilio": (400, {"code": 21211, "message": "The 'To' number is not valid."}),
}


class Company:
    """A provider's server: answers as told, and records what it was sent."""

    def __init__(self) -> None:
        self.status, self.answer = 201, json.dumps({})
        self.forms: list[dict[str, str]] = []
        company = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                company.forms.append({k: v[0] for k, v in parse_qs(body).items()})
                self.send_response(company.status)
                self.end_headers()
                self.wfile.write(company.answer.encode())

            def log_message(self, *args: object) -> None:
                """Quiet."""

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


# A gate without Redis lets every call pass; test_gate.py has the rest.
NOWHERE = connect_cache("redis://127.0.0.1:1/0")


@pytest.fixture
def company() -> Iterator[Company]:
    made = Company()
    yield made
    made.server.shutdown()
    made.server.server_close()


def sender(name: str, company: Company) -> MessageSender:
    return registry.sms(
        name,
        base_url=company.url,
        username="shop",
        api_key="made-up",
        sender="DUKANI",
        redis=NOWHERE,
    )


@pytest.mark.row("W11")
@pytest.mark.parametrize("name", ["africastalking", "twilio"])
def test_a_message_reaches_the_provider_chosen_by_one_setting(name: str, company: Company) -> None:
    company.answer = json.dumps(TAKEN[name])

    sent = sender(name, company).send(phone=PHONE, text=TEXT, reference="m1")

    assert sent.provider_ref in ("ATX-1", "SM1")
    form = {key.lower(): value for key, value in company.forms[0].items()}
    assert form["to"] == PHONE
    assert TEXT in (form.get("message"), form.get("body"))


@pytest.mark.row("T24")
def test_the_cost_is_kept_in_cents_rounded_up(company: Company) -> None:
    company.answer = json.dumps(TAKEN["africastalking"])

    assert (
        sender("africastalking", company).send(phone=PHONE, text=TEXT, reference="m1").cost_cents
        == 80
    )


@pytest.mark.row("W11")
@pytest.mark.parametrize("name", ["africastalking", "twilio"])
def test_a_refusal_an_outage_and_a_doubt_are_told_apart(name: str, company: Company) -> None:
    status, answer = REFUSED[name]
    for code, text, expected in (
        (status, json.dumps(answer), Refused),
        (503, "", Unavailable),
        (429, "", Unavailable),
        (500, "<html>", OutcomeUnknown),
        (200, "not json", OutcomeUnknown),
    ):
        company.status, company.answer = code, text
        with pytest.raises(expected):
            sender(name, company).send(phone=PHONE, text=TEXT, reference="m1")


@pytest.mark.row("W11")
def test_without_a_provider_the_log_says_so_and_hides_number_and_text(
    capsys: pytest.CaptureFixture[str],
) -> None:
    from app.logging import configure_logging

    configure_logging(pretty=False)
    sent = registry.sms("log", base_url="", username="", api_key="", redis=NOWHERE).send(
        phone=PHONE, text=TEXT, reference="m1"
    )

    logged = capsys.readouterr().out
    assert sent.provider_ref == "log-m1"
    assert "sms_not_sent" in logged
    assert "712345678" not in logged
    assert "482913" not in logged


def test_an_unknown_provider_stops_at_once() -> None:
    with pytest.raises(ValueError, match="SMS_PROVIDER"):
        registry.sms("pigeon", base_url="", username="", api_key="", redis=NOWHERE)
