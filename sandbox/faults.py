"""What goes wrong, for whom, and how often.

A *rule* is a set of the fields of Behaviour. There is one for everyone, one for each phone that
asks for one, and any number that hold for the next N calls only. A call is answered by all that
apply, laid over each other in this order: the phone's last three digits, everyone, the phone,
next N.
"""

from __future__ import annotations

import hashlib
import threading
from dataclasses import dataclass, field
from typing import Any

from sandbox.behaviour import BadFault, Behaviour, checked, whole
from sandbox.numbers import NotANumber, to_wire
from sandbox.suffixes import SUFFIXES


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
        if times is not None:
            times = whole(1, 1_000_000)(times)
        with self._lock:
            if clear:
                self._clear(msisdn)
            if times is not None:
                rule_on = changes.get("on") or _natural_calls(changes)
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
