"""Keeping our calls off a provider that is in trouble, and within what it allows.

One gate per provider and credential, shared by every process through Redis. It closes after
five failures in a row, or when more than half of at least twenty calls in half a minute
failed; then one call in fifteen seconds is let through to see. Without Redis every call
passes: a forgotten gate costs a slow answer, a closed one for no reason costs a sale.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from contextlib import contextmanager

from redis import Redis
from redis.exceptions import RedisError

from app.logging import get_logger
from app.providers.errors import OutcomeUnknown, Unavailable
from app.providers.messaging import MessageSender, Sent
from app.timings import timings

log = get_logger(__name__)

FAILURES_IN_A_ROW = 5
CALLS_TO_JUDGE = 20
WINDOW_SECONDS = 30
SLICE_SECONDS = 10
FORGET_SECONDS = 600
QUERIES_PER_SECOND = 5  # Daraja names this capacity in its spike arrests


class Gate:
    """What stands between us and one provider for one credential. ``credential`` stays secret."""

    def __init__(self, redis: Redis, provider: str, credential: str) -> None:
        self.redis = redis
        self.provider = provider
        self.name = f"gate:{provider}:{hashlib.sha256(credential.encode()).hexdigest()[:24]}"

    @contextmanager
    def calling(self) -> Iterator[None]:
        """One call. A refusal is an answer; no answer, or a turned-away one, is a failure.

        Raises Unavailable, with nothing sent, while the gate is closed.
        """
        if not self._lets_through():
            raise Unavailable(self.provider, "too many calls failed: waiting", code="gate")
        try:
            yield
        except (Unavailable, OutcomeUnknown):
            self._count(failed=True)
            raise
        except Exception:
            self._count(failed=False)
            raise
        self._count(failed=False)

    def take_query(self) -> None:
        """Use up one look-up of this second's budget. Raises Unavailable when it is spent."""
        key = f"{self.name}:queries:{int(time.time())}"
        try:
            with self.redis.pipeline() as pipeline:
                pipeline.incr(key)
                pipeline.expire(key, 5)
                taken = int(pipeline.execute()[0])
        except RedisError:
            return
        if taken > QUERIES_PER_SECOND:
            raise Unavailable(self.provider, "enough was asked this second", code="budget")

    def _lets_through(self) -> bool:
        try:
            if not self.redis.exists(f"{self.name}:closed"):
                return True
            return bool(
                self.redis.set(f"{self.name}:probe", "1", nx=True, px=_milliseconds_to_probe())
            )
        except RedisError:
            return True

    def _count(self, *, failed: bool) -> None:
        now = int(time.time()) // SLICE_SECONDS
        slices = [f"{self.name}:{now - n}" for n in range(WINDOW_SECONDS // SLICE_SECONDS)]
        try:
            with self.redis.pipeline() as pipeline:
                pipeline.hincrby(slices[0], "calls", 1)
                pipeline.hincrby(slices[0], "failed", int(failed))
                pipeline.expire(slices[0], 2 * WINDOW_SECONDS)
                for each in slices:
                    pipeline.hmget(each, "calls", "failed")
                if failed:
                    pipeline.incr(f"{self.name}:row")
                    pipeline.expire(f"{self.name}:row", FORGET_SECONDS)
                else:
                    pipeline.delete(f"{self.name}:row", f"{self.name}:closed")
                answers = pipeline.execute()
            if failed:
                counted = answers[3 : 3 + len(slices)]
                calls, failures = (sum(int(each[n] or 0) for each in counted) for n in (0, 1))
                self._judge(in_a_row=int(answers[3 + len(slices)]), calls=calls, failures=failures)
        except RedisError:
            return

    def _judge(self, *, in_a_row: int, calls: int, failures: int) -> None:
        if in_a_row < FAILURES_IN_A_ROW and not (calls >= CALLS_TO_JUDGE and failures * 2 > calls):
            return
        closed = self.redis.set(f"{self.name}:closed", "1", ex=FORGET_SECONDS, nx=True)
        self.redis.set(f"{self.name}:probe", "1", px=_milliseconds_to_probe())
        if closed:
            log.warning("gate_closed", provider=self.provider, in_a_row=in_a_row)


class Guarded:
    """A message sender behind its gate."""

    def __init__(self, sender: MessageSender, gate: Gate) -> None:
        self.sender, self.gate = sender, gate
        self.name = sender.name

    def send(self, *, phone: str, text: str, reference: str) -> Sent:
        """Send one message. Raises what the sender raises, and Unavailable while the gate is closed."""
        with self.gate.calling():
            return self.sender.send(phone=phone, text=text, reference=reference)


def _milliseconds_to_probe() -> int:
    return max(1, int(timings().probe_every * 1000))
