"""Phones that misbehave by themselves: the last three digits choose a scenario."""

from __future__ import annotations

from typing import Any

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
