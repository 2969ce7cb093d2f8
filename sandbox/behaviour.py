"""How the stand-ins can behave: every switch, its ordinary position and what it may be set to."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields
from typing import Any

CALLS = ("oauth", "push", "query", "register", "simulate", "whatsapp", "sms")

# What a person or their phone can do with a prompt, and the ResultCode that comes of it.
ACTIONS: dict[str, int | str] = {
    "pay": 0,
    "cancel": 1032,
    "wrong_pin": 2001,
    "low_balance": 1,
    "unreachable": 1037,
    "expired": 1019,
    "pin_locked": 8006,
    "below_minimum": 2,
    "above_maximum": 3,
    "daily_limit": 4,
    "shop_full": 8,
    "rule_limited": 17,
    "busy": 26,
    "other_session": 1001,
    "push_error": 1025,
    "request_failed": 9999,
    "cancel_old": 1031,
    "not_permitted": 2028,
    "no_operator": "SFC_IC0003",
}

RESULT_TEXTS: dict[str, str] = {
    "0": "The service request is processed successfully.",
    "1": "The balance is insufficient for the transaction.",
    "2": "Declined due to limit rule: less than the minimum transaction amount.",
    "3": "Declined due to limit rule: greater than the maximum transaction amount.",
    "4": "Declined due to limit rule: would exceed daily transfer limit.",
    "8": "Declined due to limit rule: would exceed the maximum balance.",
    "17": "Rule limited.",
    "26": "System busy. Traffic blocking condition in place.",
    "1001": "Unable to lock subscriber, a transaction is already in process for the current "
    "subscriber",
    "1019": "Transaction has expired.",
    "1025": "An error occurred while sending a push request.",
    "1031": "Request cancelled by user",
    "1032": "Request cancelled by user",
    "1037": "DS timeout user cannot be reached.",
    "2001": "The initiator information is invalid.",
    "2028": "The request is not permitted according to product assignment.",
    "4999": "The transaction is still under processing",
    "8006": "The security credential is locked.",
    "9999": "Error sending push request.",
    "SFC_IC0003": "The operator does not exist.",
}


class BadFault(ValueError):
    """This rule makes no sense; the text says why."""


@dataclass(frozen=True)
class Behaviour:
    """Every switch with its ordinary position. Times are sandbox seconds but for ``hang_s``."""

    # the person
    auto: str = "ask"
    after_s: float = 1.0
    result_code: int | str | None = None
    result_desc: str | None = None
    prompt_s: float = 60.0
    expire_code: int | str | None = None
    amount_delta: int = 0
    # the result
    callback: str = "normal"
    callback_delay_s: float = 0.0
    metadata: str = "standard"
    amount_shape: str = "decimal"
    forge: str = "none"
    c2b: str = "after"
    c2b_delay_s: float = 0.5
    c2b_times: int = 1
    # the query
    query: str = "normal"
    query_times: int | None = None
    pending_shape: str = "500"
    # the gateway
    on: tuple[str, ...] = ()
    down: bool = False
    hang_s: float = 0.0
    html_403: bool = False
    spike_arrest: str = "none"
    token_revoked: str = "none"  # noqa: S105 - a switch, not a secret
    cut_connection_before_answer: bool = False
    push_error: str = "none"
    oauth_empty_400: bool = False
    expires_in: str = "string"
    token_reissue: str = "invalidate"  # noqa: S105 - a switch, not a secret
    # storms, 0 to 1
    drop_rate: float = 0.0
    duplicate_rate: float = 0.0
    reorder_rate: float = 0.0
    reorder_delay_s: float = 3.0
    push_answer_lost_rate: float = 0.0
    c2b_drop_rate: float = 0.0
    seed: int = 0
    # how strict
    strict_reference: bool = True
    banned_words: bool = True
    require_https: bool = False
    register_once: bool = False
    same_amount_rule: bool = False
    # messages
    whatsapp_error: int | str | None = None
    templates_strict: bool = False
    sms_error: int | str | None = None

    def hits(self, call: str, usual: tuple[str, ...]) -> bool:
        """Whether a gateway switch of this behaviour holds for this kind of call."""
        return call in (self.on or usual)

    def callback_times(self) -> int:
        """How many times the result is posted."""
        if self.callback == "never":
            return 0
        if self.callback == "twice":
            return 2
        return int(self.callback[6:]) if self.callback.startswith("times:") else 1

    def outcome(self) -> int | str | None:
        """The ResultCode that comes without a person, or None to wait for one."""
        if self.result_code is not None:
            return self.result_code
        return ACTIONS.get(self.auto)


_WORDS: dict[Callable[[Any], Any], tuple[str, ...]] = {}


def _truth(value: Any) -> bool:
    if not isinstance(value, bool):
        raise BadFault("must be true or false.")
    return value


def _one_of(*words: str) -> Callable[[Any], str]:
    def check(value: Any) -> str:
        if value is False:
            value = "none"
        if str(value) not in words:
            raise BadFault(f"must be one of {', '.join(words)}.")
        return str(value)

    _WORDS[check] = words
    return check


def _number(low: float, high: float) -> Callable[[Any], float]:
    def check(value: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise BadFault("must be a number.")
        if not (math.isfinite(value) and low <= value <= high):
            raise BadFault(f"must lie between {low:g} and {high:g}.")
        return float(value)

    return check


def whole(low: int, high: int) -> Callable[[Any], int]:
    """A check for whole numbers in a range. It raises BadFault."""

    def check(value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise BadFault(f"must be a whole number between {low} and {high}.")
        return value

    return check


def _code(value: Any) -> int | str:
    if isinstance(value, bool) or not isinstance(value, int | str) or value == "":
        raise BadFault("must be a number or a word.")
    if isinstance(value, str) and value.isascii() and value.isdigit():
        return int(value)
    return value


def _callback(value: Any) -> str:
    if isinstance(value, str) and value.startswith("times:"):
        if not (value[6:].isascii() and value[6:].isdigit() and 1 <= int(value[6:]) <= 100):
            raise BadFault("times: takes a number from 1 to 100, as times:20.")
        return value
    return _one_of("normal", "before_answer", "twice", "never", "late")(value)


def _calls(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list | tuple) or not all(call in CALLS for call in value):
        raise BadFault(f"must be a list of {', '.join(CALLS)}.")
    return tuple(value)


def _words(value: Any) -> str:
    if not isinstance(value, str):
        raise BadFault("must be text.")
    return value


def _revoked(value: Any) -> str:
    return "404" if value is True else _one_of("none", "404", "401")(value)


def _arrest(value: Any) -> str:
    return (
        "envelope"
        if value is True
        else _one_of("none", "envelope", "busy", "quota", "fault")(value)
    )


_ARRESTS = ("none", "envelope", "busy", "quota", "fault")
_RATE = _number(0, 1)
_SECONDS = _number(0, 31_536_000)

CHECKS: dict[str, Callable[[Any], Any]] = {
    "auto": _one_of("ask", "ignore", *ACTIONS),
    "after_s": _SECONDS,
    "result_code": _code,
    "result_desc": _words,
    "prompt_s": _SECONDS,
    "expire_code": _code,
    "amount_delta": whole(-1_000_000, 1_000_000),
    "callback": _callback,
    "callback_delay_s": _SECONDS,
    "metadata": _one_of(
        "standard",
        "no_balance",
        "balance_text",
        "reordered",
        "missing_items",
        "masked_phone",
        "text_phone",
    ),
    "amount_shape": _one_of("decimal", "integer"),
    "forge": _one_of("none", "wrong_token", "other_receipt", "false_success"),
    "c2b": _one_of("none", "before", "after"),
    "c2b_delay_s": _SECONDS,
    "c2b_times": whole(1, 100),
    "query": _one_of(
        "normal",
        "pending_500",
        "pending_4999",
        "pending_missing",
        "failed",
        "failed_first",
        "failed_until_callback",
        "error_500",
    ),
    "query_times": whole(0, 1_000_000),
    "pending_shape": _one_of("500", "4999", "missing"),
    "on": _calls,
    "down": _truth,
    "hang_s": _number(0, 120),
    "html_403": _truth,
    "spike_arrest": _arrest,
    "token_revoked": _revoked,
    "cut_connection_before_answer": _truth,
    "push_error": _one_of(
        "none",
        "internal",
        "internal_accepted",
        "locked",
        "no_merchant",
        "wrong_credentials",
        "response_code",
    ),
    "oauth_empty_400": _truth,
    "expires_in": _one_of("string", "number"),
    "token_reissue": _one_of("invalidate", "keep", "same"),
    "drop_rate": _RATE,
    "duplicate_rate": _RATE,
    "reorder_rate": _RATE,
    "reorder_delay_s": _SECONDS,
    "push_answer_lost_rate": _RATE,
    "c2b_drop_rate": _RATE,
    "seed": whole(0, 2**63),
    "strict_reference": _truth,
    "banned_words": _truth,
    "require_https": _truth,
    "register_once": _truth,
    "same_amount_rule": _truth,
    "whatsapp_error": _code,
    "templates_strict": _truth,
    "sms_error": _code,
}
assert set(CHECKS) == {entry.name for entry in fields(Behaviour)}


def checked(given: dict[str, Any]) -> dict[str, Any]:
    """The same fields, each checked; null stays null. Raises BadFault."""
    changes: dict[str, Any] = {}
    for name, value in given.items():
        if name not in CHECKS:
            raise BadFault(f"Unknown field {name!r}; known: {', '.join(known_fields())}.")
        if value is None:
            changes[name] = None
            continue
        try:
            changes[name] = CHECKS[name](value)
        except BadFault as error:
            raise BadFault(f"{name} {error}") from error
    return changes


def known_fields() -> Iterable[str]:
    """Every field a rule may have."""
    return sorted({*CHECKS, "msisdn", "next", "clear"})


def choices(name: str) -> tuple[str, ...]:
    """The words a field can have, or nothing when it takes more than a list of words."""
    check = CHECKS.get(name)
    if check is None:
        return ()
    if check is _truth:
        return ("yes", "no")
    if check is _revoked:
        return ("none", "404", "401")
    return _ARRESTS if check is _arrest else _WORDS.get(check, ())
