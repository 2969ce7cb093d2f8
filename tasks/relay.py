"""The relay: rings RQ for every outbox row that is due. Several may run at once.

It wakes on NOTIFY and at least every second. A canary key in Redis tells when Redis
forgot everything (restart, flush, failover): then every row without a live lease rings again.
"""

from __future__ import annotations

import logging
import select as unix_select
import signal
import sys
from collections.abc import Iterator
from time import monotonic
from types import FrameType
from typing import Any

import psycopg
from redis import Redis
from redis.exceptions import RedisError
from rq import Queue as RqQueue
from rq.serializers import JSONSerializer

from app.domain.platform.programs import SAY, this_host
from app.jobs import Queue
from app.logging import configure_logging, get_logger
from app.timings import Timings
from config import Settings

log = get_logger(__name__)

CANARY = "relay:canary"
BATCH = 100
MOST_ATTEMPTS = 12
JOB_TIMEOUT = 60
MOST_BELLS = 30
FEW = 4
TOGETHER = 4
SAY_EVERY = 60.0  # seconds
KEEP_HOUSE_EVERY = 1.0  # seconds
REST = 0.05  # seconds from one look to the next: what comes meanwhile is rung together

_DUE = """
UPDATE app.outbox SET attempts = attempts + 1,
       available_at = now() + make_interval(secs => least(600, %(visibility)s * power(2, least(attempts, 3))))
 WHERE (store_id, id) IN (SELECT store_id, id FROM app.outbox WHERE status = 'pending' AND available_at <= now()
              AND queue = ANY(%(queues)s) ORDER BY available_at LIMIT %(batch)s FOR UPDATE SKIP LOCKED)
RETURNING id, store_id, attempts, queue
"""
_DEAD = """
UPDATE app.outbox SET status = 'dead' WHERE status = 'pending' AND attempts > %(most)s
   AND topic NOT IN ('release_hold', 'check_attempt') RETURNING id, store_id, topic
"""
_RING_ALL = """
UPDATE app.outbox SET available_at = now()
 WHERE status = 'pending' AND attempts > 0 AND available_at > now() AND (lease_until IS NULL OR lease_until < now())
"""


def _grouped(rows: list[tuple[Any, ...]]) -> Iterator[tuple[str, list[tuple[Any, int, int]]]]:
    """Each row its own job while there are few; in fours when many are due.

    A worker forks for each job, which costs more than most rows do. Four rows that all
    wait for a slow provider still end before the job's time is up.
    """
    by_queue: dict[str, list[tuple[Any, int, int]]] = {}
    for row_id, store_id, attempts, queue in rows:
        by_queue.setdefault(queue, []).append((row_id, store_id, attempts))
    for queue, bells in by_queue.items():
        size = 1 if len(bells) <= FEW else TOGETHER
        for start in range(0, len(bells), size):
            yield queue, bells[start : start + size]


class Relay:
    """One relay process over one database connection (as dukani_relay) and one Redis."""

    def __init__(
        self, database_url: str, redis: Redis, timings: Timings, *, tells_cdn: bool = False
    ) -> None:
        self.database_url = database_url.replace("postgresql+psycopg://", "postgresql://")
        self.redis = redis
        self.timings = timings
        self.tells_cdn = tells_cdn
        self.queues = {
            q.value: RqQueue(q.value, connection=redis, serializer=JSONSerializer) for q in Queue
        }
        self.is_stopping = False
        self._said_at = -SAY_EVERY
        self._kept_house_at = -KEEP_HOUSE_EVERY

    def run_forever(self) -> None:
        """Relay until told to stop; a lost database or Redis is waited for."""
        while not self.is_stopping:
            try:
                with psycopg.connect(
                    self.database_url, autocommit=True, connect_timeout=5
                ) as connection:
                    connection.execute("LISTEN outbox")
                    log.info("relay_ready")
                    self._said_at = -SAY_EVERY
                    self._serve(connection)
            except (psycopg.OperationalError, RedisError) as error:
                log.warning("relay_waits", error=type(error).__name__)
                self._nap()

    def _serve(self, connection: psycopg.Connection) -> None:
        while not self.is_stopping:
            begun = monotonic()
            self._look_at_canary(connection)
            self._say_running(connection)
            self._keep_house(connection)
            while self.ring(connection) == BATCH and not self.is_stopping:
                pass
            for _ in connection.notifies(timeout=1.0, stop_after=1):
                pass
            # A look for each of 200 callbacks a second takes the processor from those who answer them.
            for _ in connection.notifies(timeout=max(0.0, begun + REST - monotonic())):
                pass

    def ring(self, connection: psycopg.Connection) -> int:
        """Ring for one batch of due rows; returns how many. A Redis error takes the batch back.

        A queue that is full of bells nobody has heard yet gets no more: its rows wait in
        Postgres, where waiting costs nothing, and are not rung a second time in vain.
        """
        with_room = [name for name, queue in self.queues.items() if queue.count < MOST_BELLS]
        with connection.transaction():
            rows = connection.execute(
                _DUE, {"visibility": self.timings.visibility, "batch": BATCH, "queues": with_room}
            ).fetchall()
            if rows:
                with self.redis.pipeline() as pipeline:
                    for queue, bells in _grouped(rows):
                        self.queues[queue].enqueue(
                            "tasks.runner.run_all",
                            [[str(row_id), store_id] for row_id, store_id, _ in bells],
                            job_id=f"ob-{bells[0][0]}-{bells[0][2]}",  # unique, as its first row rings once per try
                            job_timeout=JOB_TIMEOUT,
                            result_ttl=0,
                            failure_ttl=3600,
                            pipeline=pipeline,
                        )
                    pipeline.execute()
        return len(rows)

    def _look_at_canary(self, connection: psycopg.Connection) -> None:
        if not self.redis.exists(CANARY):
            connection.execute(_RING_ALL)
            self.redis.set(CANARY, "sings")
            log.warning("redis_was_empty")

    def _keep_house(self, connection: psycopg.Connection) -> None:
        """Once a second, what would be too dear at each look: schedules, dead rows, changed pages."""
        if monotonic() - self._kept_house_at >= KEEP_HOUSE_EVERY:
            connection.execute("SELECT app.run_due_schedules()")
            self.give_up(connection)
            self.fold_changes(connection)
            self._kept_house_at = monotonic()

    def give_up(self, connection: psycopg.Connection) -> None:
        """Rows that rang as often as a row may are dead, and said to be. A person can have them run again."""
        dead = connection.execute(_DEAD, {"most": MOST_ATTEMPTS}).fetchall()
        for row_id, store_id, topic in dead:
            log.error("outbox_row_dead", row_id=str(row_id), store_id=store_id, topic=topic)

    def fold_changes(self, connection: psycopg.Connection) -> None:
        """Count what pages changed, and ask for a purge where there is a CDN."""
        connection.execute("SELECT app.fold_changes(%s)", (self.tells_cdn,))

    def _say_running(self, connection: psycopg.Connection) -> None:
        """Once a minute: that the relay runs, and under which role."""
        if monotonic() - self._said_at >= SAY_EVERY:
            connection.execute(
                SAY.format(name="%(name)s", host="%(host)s"), {"name": "relay", "host": this_host()}
            )
            self._said_at = monotonic()

    def _nap(self) -> None:
        unix_select.select([], [], [], 0.5)

    def stop(self, signum: int, frame: FrameType | None) -> None:
        self.is_stopping = True


def main() -> int:
    settings = Settings.from_environ()
    configure_logging(pretty=False)
    logging.getLogger().setLevel(logging.INFO)
    relay = Relay(
        settings.relay_database_url,
        Redis.from_url(settings.redis_url),
        settings.timings,
        tells_cdn=bool(settings.cdn_purge_url),
    )
    signal.signal(signal.SIGTERM, relay.stop)
    signal.signal(signal.SIGINT, relay.stop)
    relay.run_forever()
    return 0


if __name__ == "__main__":
    sys.exit(main())
