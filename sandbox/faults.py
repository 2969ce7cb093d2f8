"""What goes wrong, for whom, and how often.

A *rule* is a set of fields below. There is one for everyone, one for each phone that asks for
one, and any number that hold for the next N calls only. A call is answered by all that apply,
laid over each other in this order: the phone's last three digits, everyone, the phone, next N.
"""

from __future__ import annotations

import hashlib
import math
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, fields
from typing import Any

from sandbox.numbers import NotANumber, to_wire

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


def _whole(low: int, high: int) -> Callable[[Any], int]:
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
    "amount_delta": _whole(-1_000_000, 1_000_000),
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
    "c2b_times": _whole(1, 100),
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
    "query_times": _whole(0, 1_000_000),
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
    "seed": _whole(0, 2**63),
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

_PAID = {"auto": "pay"}

# The phone's last three digits → a word for people, and what happens on that phone.
SUFFIXES: dict[str, tuple[str, dict[str, Any]]] = {
    "900": ("pays after a second", _PAID),
    "901": ("cancels", {"auto": "cancel"}),
    "902": ("types a wrong PIN", {"auto": "wrong_pin"}),
    "903": ("has not enough money", {"auto": "low_balance"}),
    "904": ("cannot be reached", {"auto": "unreachable"}),
    "905": ("ignores the prompt until it closes", {"auto": "ignore"}),
    "906": ("lets the transaction expire", {"auto": "expired"}),
    "907": ("string code SFC_IC0003", {"auto": "no_operator"}),
    "908": ("has a locked PIN", {"auto": "pin_locked"}),
    "909": ("rule limited (17)", {"auto": "rule_limited"}),
    "910": ("below the minimum (2)", {"auto": "below_minimum"}),
    "911": ("above the maximum (3)", {"auto": "above_maximum"}),
    "912": ("over the daily limit (4)", {"auto": "daily_limit"}),
    "913": ("the shop's account is full (8)", {"auto": "shop_full"}),
    "914": ("M-Pesa is busy (26)", {"auto": "busy"}),
    "915": ("another session is open (1001)", {"auto": "other_session"}),
    "916": ("the prompt could not be sent (1025)", {"auto": "push_error"}),
    "917": ("the request failed (9999)", {"auto": "request_failed"}),
    "918": ("cancels, older code (1031)", {"auto": "cancel_old"}),
    "919": ("not permitted (2028)", {"auto": "not_permitted"}),
    "920": ("result before the push is answered", _PAID | {"callback": "before_answer"}),
    "921": ("result twice at once", _PAID | {"callback": "twice"}),
    "922": ("result twenty times at once", _PAID | {"callback": "times:20"}),
    "923": ("no result; a C2B confirmation where registered", _PAID | {"callback": "never"}),
    "924": (
        "result three minutes late, the query says failed until then",
        _PAID | {"callback": "late", "query": "failed_until_callback", "c2b": "none"},
    ),
    "925": (
        "query pending as HTTP 500, five times",
        _PAID | {"query": "pending_500", "query_times": 5},
    ),
    "926": (
        "query pending as 4999, five times",
        _PAID | {"query": "pending_4999", "query_times": 5},
    ),
    "927": (
        "query pending without a ResultCode, five times",
        _PAID | {"query": "pending_missing", "query_times": 5},
    ),
    "928": ("query says failed though paid", _PAID | {"query": "failed"}),
    "929": (
        "connection cut before the push is answered",
        _PAID | {"cut_connection_before_answer": True},
    ),
    "930": ("token revoked, every second push (404)", _PAID | {"token_revoked": "404"}),
    "931": ("token revoked, every second push (401)", _PAID | {"token_revoked": "401"}),
    "932": ("spike arrest as error envelope", {"spike_arrest": "envelope", "on": ["push"]}),
    "933": ("spike arrest as gateway fault", {"spike_arrest": "fault", "on": ["push"]}),
    "934": ("an HTML page with 403", {"html_403": True, "on": ["push"]}),
    "935": (
        "token revoked, then OAuth answers once with an empty 400",
        _PAID | {"token_revoked": "404", "oauth_empty_400": True},
    ),
    "936": ("Balance as text", _PAID | {"metadata": "balance_text"}),
    "937": ("no Balance", _PAID | {"metadata": "no_balance"}),
    "938": ("metadata in another order", _PAID | {"metadata": "reordered"}),
    "939": ("metadata items missing", _PAID | {"metadata": "missing_items"}),
    "940": ("phone number masked in the result", _PAID | {"metadata": "masked_phone"}),
    "941": ("KES 1 more than asked", _PAID | {"amount_delta": 1}),
    "942": ("KES 1 less than asked", _PAID | {"amount_delta": -1}),
    "943": ("forged result with a wrong token first", _PAID | {"forge": "wrong_token"}),
    "944": (
        "forged result with another's receipt; cancels",
        {"auto": "cancel", "forge": "other_receipt"},
    ),
    "945": ("C2B confirmation before the result", _PAID | {"c2b": "before"}),
    "946": ("C2B confirmation after the result", _PAID | {"c2b": "after"}),
    "947": ("neither result nor C2B confirmation", _PAID | {"callback": "never", "c2b": "none"}),
    "948": ("provider down (503)", {"down": True}),
    "949": ("push hangs for 30 s", _PAID | {"hang_s": 30, "on": ["push"]}),
    "950": (
        "connection cut, no result, no C2B confirmation",
        _PAID | {"cut_connection_before_answer": True, "callback": "never", "c2b": "none"},
    ),
}


@dataclass
class NextRule:
    """A rule for the next ``left`` calls of the kinds in ``on``."""

    left: int
    on: tuple[str, ...]
    msisdn: str | None
    fields: dict[str, Any] = field(default_factory=dict)

    def public(self) -> dict[str, Any]:
        """As JSON."""
        return {"left": self.left, "on": list(self.on), "msisdn": self.msisdn, **self.fields}


class FaultBook:
    """The rules in force. Every method may be called from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._everyone: dict[str, Any] = {}
        self._phones: dict[str, dict[str, Any]] = {}
        self._next: list[NextRule] = []
        self._pushes = 0

    def put(self, given: dict[str, Any]) -> dict[str, Any]:
        """Change the rules as ``POST /_sim/faults`` says; returns the rules in force.

        A field set to null goes back to its ordinary position. Raises BadFault.
        """
        given = dict(given)
        clear = given.pop("clear", False)
        times = given.pop("next", None)
        msisdn = _phone(given.pop("msisdn", None))
        changes = checked(given)
        with self._lock:
            if clear:
                self._clear(msisdn)
            if times is not None:
                rule_on = changes.get("on") or _natural_calls(changes)
                _whole(1, 1_000_000)(times)
                kept = {name: value for name, value in changes.items() if value is not None}
                self._next.append(NextRule(times, rule_on, msisdn, kept))
            else:
                rule = self._everyone if msisdn is None else self._phones.setdefault(msisdn, {})
                for name, value in changes.items():
                    if value is None:
                        rule.pop(name, None)
                    else:
                        rule[name] = value
                if msisdn and not rule:
                    del self._phones[msisdn]
            if "seed" in changes or clear:
                self._pushes = 0
        return self.public()

    def clear(self) -> None:
        """Nothing goes wrong any more."""
        with self._lock:
            self._clear(None)

    def _clear(self, msisdn: str | None) -> None:
        if msisdn is not None:
            self._phones.pop(msisdn, None)
            self._next = [rule for rule in self._next if rule.msisdn != msisdn]
            return
        self._everyone.clear()
        self._phones.clear()
        self._next.clear()
        self._pushes = 0

    def take_next(self, call: str, msisdn: str | None) -> dict[str, Any]:
        """Use up one turn of the first next-N rule for this call; its fields or nothing."""
        if not self._next:
            return {}
        with self._lock:
            for rule in self._next:
                if call in rule.on and rule.msisdn in {None, msisdn}:
                    rule.left -= 1
                    if rule.left <= 0:
                        self._next.remove(rule)
                    return rule.fields
        return {}

    def behaviour(self, msisdn: str | None, pinned: dict[str, Any] | None = None) -> Behaviour:
        """Everything that applies to this phone, with what was pinned at the push on top."""
        suffix = SUFFIXES.get(msisdn[-3:]) if msisdn else None
        layers = (
            suffix[1] if suffix else {},
            self._everyone,
            self._phones.get(msisdn, {}) if msisdn else {},
            pinned or {},
        )
        merged: dict[str, Any] = {}
        for layer in layers:
            merged.update(layer)
        return Behaviour(**merged)

    def rolls(self, behaviour: Behaviour) -> Rolls:
        """Throw the dice for one accepted push.

        The nth push after the seed was set always gets the same answer, whoever it is for, so
        a storm of N pushes loses exactly the same number of results each time.
        """
        with self._lock:
            self._pushes += 1
            number = self._pushes

        def happens(kind: str, rate: float) -> bool:
            if rate <= 0:
                return False
            text = f"{behaviour.seed}:{kind}:{number}".encode()
            digest = hashlib.blake2b(text, digest_size=8).digest()
            return int.from_bytes(digest, "big") / 2**64 < rate

        return Rolls(
            dropped=happens("drop", behaviour.drop_rate),
            duplicated=happens("duplicate", behaviour.duplicate_rate),
            reordered=happens("reorder", behaviour.reorder_rate),
            answer_lost=happens("answer", behaviour.push_answer_lost_rate),
            c2b_dropped=happens("c2b", behaviour.c2b_drop_rate),
        )

    def public(self) -> dict[str, Any]:
        """The rules in force, as JSON."""
        with self._lock:
            return {
                "all": dict(self._everyone),
                "phones": {phone: dict(rule) for phone, rule in self._phones.items()},
                "next": [rule.public() for rule in self._next],
            }


@dataclass(frozen=True)
class Rolls:
    """What chance decided for one push."""

    dropped: bool = False
    duplicated: bool = False
    reordered: bool = False
    answer_lost: bool = False
    c2b_dropped: bool = False


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
    check = CHECKS[name] if name in CHECKS else None
    if check is _truth:
        return ("yes", "no")
    fixed = {_revoked: ("none", "404", "401"), _arrest: _ARRESTS}
    return fixed.get(check) or _WORDS.get(check, ()) if check else ()


def _natural_calls(changes: dict[str, Any]) -> tuple[str, ...]:
    """Which calls use up a next-N rule that does not say."""
    if changes.get("whatsapp_error") is not None:
        return ("whatsapp",)
    if changes.get("sms_error") is not None:
        return ("sms",)
    if changes.get("oauth_empty_400"):
        return ("oauth",)
    return ("push",)


def _phone(written: Any) -> str | None:
    if written is None:
        return None
    try:
        return to_wire(str(written))
    except NotANumber as error:
        raise BadFault(str(error)) from error
