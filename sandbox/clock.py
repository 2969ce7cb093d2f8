"""The sandbox's own time and what happens when.

Prompts, expiry and delayed callbacks live on this clock, so a test can make a minute pass in a
second without touching the machine's clock or anybody else's.
"""

from __future__ import annotations

import heapq
import itertools
import logging
import queue
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone

log = logging.getLogger("sandbox")

NAIROBI = timezone(timedelta(hours=3), "EAT")

# Posting to a receiver that hangs holds one of these for up to the posting timeout.
POSTING_THREADS = 24

Job = Callable[[], None]


class Clock:
    """Seconds since the epoch, at a speed and with jumps forward."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._set(time.time(), 1.0)

    def _set(self, now: float, speed: float) -> None:
        self._base, self._started, self.speed = now, time.monotonic(), speed

    def now(self) -> float:
        """Sandbox time in seconds since the epoch."""
        with self._lock:
            return self._base + (time.monotonic() - self._started) * self.speed

    def set_speed(self, speed: float) -> None:
        """Let ``speed`` sandbox seconds pass in each real one; 0 stops the clock."""
        now = self.now()
        with self._lock:
            self._set(now, speed)

    def advance(self, seconds: float) -> None:
        """Jump forward."""
        with self._lock:
            self._base += seconds

    def reset(self) -> None:
        """Back to the machine's time and speed 1."""
        with self._lock:
            self._set(time.time(), 1.0)

    def nairobi(self, at: float | None = None) -> datetime:
        """A moment (default: now) on a Nairobi wall clock."""
        return datetime.fromtimestamp(self.now() if at is None else at, NAIROBI)

    def iso(self, at: float | None) -> str | None:
        """A moment as ISO 8601 UTC."""
        if at is None:
            return None
        return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds")


class Scheduler:
    """Runs jobs at moments of the sandbox clock; slow ones in a bounded set of threads."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._due: list[tuple[float, int, Job]] = []
        self._order = itertools.count()
        self._wake = threading.Condition()
        self._work: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._closed = False
        threading.Thread(target=self._watch, name="clock", daemon=True).start()
        for number in range(POSTING_THREADS):
            # Daemon threads: a callback to a receiver that hangs must not hold up the stop.
            threading.Thread(target=self._post, name=f"poster-{number}", daemon=True).start()

    def after(self, seconds: float, job: Job) -> None:
        """Run ``job`` in a posting thread once ``seconds`` of sandbox time have passed."""
        with self._wake:
            entry = (self._clock.now() + seconds, next(self._order), job)
            heapq.heappush(self._due, entry)
            if self._due[0] is entry:
                self._wake.notify()

    def soon(self, job: Job) -> None:
        """Run ``job`` in the next free posting thread."""
        self._work.put(job)

    def poke(self) -> None:
        """The clock moved: look again."""
        with self._wake:
            self._wake.notify()

    def clear(self) -> None:
        """Forget everything that has not begun."""
        with self._wake:
            self._due.clear()

    def close(self) -> None:
        """End its threads; what has not begun never will."""
        with self._wake:
            self._closed = True
            self._due.clear()
            self._wake.notify()
        for _ in range(POSTING_THREADS):
            self._work.put(None)

    def _watch(self) -> None:
        while True:
            with self._wake:
                if self._closed:
                    return
                now = self._clock.now()
                while self._due and self._due[0][0] <= now:
                    self._work.put(heapq.heappop(self._due)[2])
                self._wake.wait(self._pause(now))

    def _pause(self, now: float) -> float | None:
        if not self._due or self._clock.speed <= 0:
            return None
        return min((self._due[0][0] - now) / self._clock.speed, 3600.0)

    def _post(self) -> None:
        while job := self._work.get():
            try:
                job()
            except Exception:  # the top of a worker: one bad job must not end the thread
                log.exception("sandbox_job_failed")
