"""Nothing personal and nothing secret reaches a log, whoever writes the line."""

from __future__ import annotations

import io
import json
import logging
import secrets
from collections.abc import Iterator

import pytest
import structlog

from app.ids import new_token
from app.logging import _is_plain, configure_logging, get_logger, scrub

PHONES = [
    *("0712345678", "0712 345 678", "0712-345-678", "+254712345678", "254712345678"),
    *("+254 712 345 678", "0112345678", "254112345678"),
]


@pytest.fixture
def logs() -> Iterator[io.StringIO]:
    """Logging as a process of the product sets it up, written where the test can read it."""
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    configure_logging(pretty=False)
    written = io.StringIO()
    handler = root.handlers[0]
    assert isinstance(handler, logging.StreamHandler)
    handler.setStream(written)
    yield written
    root.handlers[:] = before
    root.setLevel(level)
    structlog.contextvars.clear_contextvars()


@pytest.mark.row("T63")
@pytest.mark.parametrize("phone", PHONES)
@pytest.mark.parametrize(
    "around", ["{}", "paid by {}.", "msisdn={}&x=1", '{{"PhoneNumber": {}}}', "/phone/{}"]
)
def test_a_phone_number_is_masked_in_any_spelling(phone: str, around: str) -> None:
    written = scrub(around.format(phone))

    assert phone not in written
    assert phone.replace(" ", "").replace("-", "")[-6:] not in written.replace(" ", "").replace(
        "-", ""
    )


@pytest.mark.row("T63", "N80")
def test_secrets_are_masked_wherever_they_stand(logs: io.StringIO) -> None:
    token, code = new_token(), f"{secrets.randbelow(10**6):06d}"
    seeded = {
        "token": token,
        "otp": code,
        "password": "twende-nairobi-sasa",
        "cookie": f"__Host-staff={token}",
        "email": "wanjiku@duka.example",
        "card": "4111111111111111",
        "authorization": f"Bearer {token}",
    }

    get_logger("web").info(
        "seeded", path=f"/o/{token}/payment", nested={"inner": dict(seeded)}, **seeded
    )
    get_logger("mpesa").info(
        "called", url=f"https://dukani.example/hooks/pay/{token}", listed=["0712345678"]
    )
    logging.getLogger("some.library").warning("GET /r/%s Authorization: Bearer %s", token, token)

    written = logs.getvalue()
    for value in (token, code, *seeded.values(), "0712345678"):
        assert value not in written, value
    assert written.count("•••") > 10


@pytest.mark.row("T63")
def test_a_traceback_is_masked_too(logs: io.StringIO) -> None:
    try:
        raise ValueError("cannot send to +254712345678 (wanjiku@duka.example)")
    except ValueError:
        get_logger("web").exception("broke")

    written = logs.getvalue()
    assert "712345678" not in written
    assert "wanjiku@" not in written
    assert "ValueError" in written


@pytest.mark.row("N80", "T75")
def test_each_line_is_one_json_object_with_the_ids_bound_at_the_door(
    logs: io.StringIO,
) -> None:
    structlog.contextvars.bind_contextvars(request_id="a1b2c3d4", store_id=7)

    get_logger("mpesa").info("provider_call", endpoint="query", latency_ms=12)
    logging.getLogger("some.library").warning("two\nlines")

    lines = [json.loads(line) for line in logs.getvalue().splitlines()]
    assert [line["event"] for line in lines] == ["provider_call", "two\nlines"]
    assert {line["request_id"] for line in lines} == {"a1b2c3d4"}
    assert (
        lines[0]
        | {"logger": "mpesa", "level": "info", "store_id": 7, "endpoint": "query", "latency_ms": 12}
        == lines[0]
    )
    assert lines[0]["timestamp"].endswith(("Z", "+00:00"))


@pytest.mark.parametrize(
    "word",
    [
        "order KT-1042",
        "total_cents=245000",
        "0198c2f0-7b1e-7c3a-9d2f-0a1b2c3d4e5f",
        "2026-03-04T09:15:00Z",
    ],
)
def test_what_is_not_personal_stays_readable(word: str) -> None:
    assert scrub(word) == word


@pytest.mark.parametrize("rule", ["/p/<slug>", "/hooks/pay/<regex32:token>", "/o/<regex32:token>"])
def test_an_ordinary_line_is_not_searched_for_each_kind_of_secret(rule: str) -> None:
    """Its own date and time look like no number, nor a route's pattern like a link with a token."""
    line = f'{{"rule": "{rule}", "ms": 5.6, "timestamp": "2026-11-30T11:42:54.320067Z"}}'

    assert _is_plain(line)


@pytest.mark.parametrize(
    "secret",
    [
        *("0712 345 678", "wanjiku@duka.example", "4111111111111111", "ws_CO_01022026123456"),
        "".join(chr(0x660 + int(digit)) for digit in "4111111111111111"),  # Arabic digits
        *("BEARER abc", "basic abc", "/o/abcdef123", "/hooks/email/abcdef123"),
    ],
)
def test_what_is_masked_never_looks_plain(secret: str) -> None:
    assert scrub(f"before {secret} after") != f"before {secret} after"
