"""One worker process for one queue: ``python -m tasks.worker money``.

A plain forking RQ worker, so that a job that dies takes nothing with it. The app is
built before the fork; every child opens its own database connection.
"""

from __future__ import annotations

import gc
import importlib
import pkgutil
import sys
from types import ModuleType
from typing import Any

from redis import Redis
from rq import Queue as RqQueue
from rq import Worker
from rq.job import Job
from rq.serializers import JSONSerializer
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import configure_mappers

from app import create_app, domain, providers
from app.db.engine import db
from app.db.tenancy import PLATFORM_STORE, inside_store
from app.domain.media.making import learn_formats
from app.domain.platform.programs import say_running
from app.jobs import Queue
from app.logging import get_logger
from app.providers.http import http_client
from config import Settings
from tasks.runner import handlers

log = get_logger(__name__)


class AppWorker(Worker):
    """A worker whose children run inside the app's context."""

    app: Any = None

    def run_maintenance_tasks(self) -> None:
        """Once a minute: what RQ cleans up, and one word that this worker runs, under which role."""
        super().run_maintenance_tasks()  # type: ignore[no-untyped-call]
        with self.app.app_context():
            say_running_as(f"worker: {self.queues[0].name}")

    def perform_job(self, job: Job, queue: RqQueue) -> bool:
        with self.app.app_context():
            return super().perform_job(job, queue)


def say_running_as(name: str) -> None:
    """Write down that this program runs; a database that is away is no reason to stop."""
    with inside_store(PLATFORM_STORE):
        try:
            say_running(db.session(), name)
            db.session.commit()
        except DBAPIError as error:
            db.session.rollback()
            log.warning("role_not_written", error=type(error.orig).__name__)
        finally:
            db.session.remove()
            db.engine.dispose()  # a child must not inherit the parent's connection


def warm_up() -> None:
    """Do once in the parent what each child would do again for its one job.

    A child lives for one job, so whatever is imported, read or worked out late is paid for
    by every job: it was nine tenths of a settlement's time.
    """
    handlers()
    for package in (domain, providers):
        _import_all(package)
    configure_mappers()
    learn_formats()
    http_client()  # not the one they will use: it brings its modules and the certificates
    # A child that collects would look through all of this, and so copy it: a fifth of a settlement's processor time.
    gc.collect()
    gc.freeze()


def _import_all(package: ModuleType) -> None:
    for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        importlib.import_module(module.name)


def main(queue_name: str) -> int:
    settings = Settings.from_environ()
    app = create_app(settings, role="worker")
    warm_up()
    AppWorker.app = app
    redis = Redis.from_url(settings.redis_url)
    queue = RqQueue(Queue(queue_name).value, connection=redis, serializer=JSONSerializer)
    worker = AppWorker(
        [queue], connection=redis, serializer=JSONSerializer, maintenance_interval=60
    )
    worker.work(with_scheduler=False, logging_level="WARNING")
    return 0


if __name__ == "__main__":
    if len(sys.argv) != 2 or sys.argv[1] not in {q.value for q in Queue}:
        sys.exit(f"usage: python -m tasks.worker {'|'.join(q.value for q in Queue)}")
    sys.exit(main(sys.argv[1]))
