"""A test that measures time has the machine to itself: no other test of the run goes on meanwhile.

Several test processes share one machine. A test marked ``alone`` waits until the others have ended
the test they are in, and theirs wait until it has ended. Its limits can then be those of the product
and not those of a machine that is busy with something else.
"""

from __future__ import annotations

import fcntl
import tempfile
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


class Turns:
    """Shared by the processes of one run: many tests at a time, or one that is alone."""

    def __init__(self, run: str) -> None:
        folder = Path(tempfile.gettempdir())
        self.files = [folder / f"dk-{run}.{name}" for name in ("door", "room")]

    @contextmanager
    def take(self, *, alone: bool) -> Iterator[None]:
        """The room for one test.

        Who waits to be alone keeps the door, so that nobody else can come in before.
        """
        door, room = self.files
        with room.open("w") as inside:
            with door.open("w") as held:
                fcntl.flock(held, fcntl.LOCK_EX)
                fcntl.flock(inside, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
            yield

    def forget(self) -> None:
        for file in self.files:
            file.unlink(missing_ok=True)


class TakesTurns:
    """The plugin, in a process that runs tests beside others."""

    def __init__(self, run: str) -> None:
        self.turns = Turns(run)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        with self.turns.take(alone=item.get_closest_marker("alone") is not None):
            return (yield)


class CleansUp:
    """The plugin, in the process that started the others."""

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        started = session.config.pluginmanager.get_plugin("dsession")
        if started is not None:
            Turns(started.nodemanager.testrunuid).forget()


def pytest_configure(config: pytest.Config) -> None:
    """Nothing to do in a run of one process."""
    if hasattr(config, "workerinput"):
        config.pluginmanager.register(TakesTurns(config.workerinput["testrunuid"]), "takes-turns")
    else:
        config.pluginmanager.register(CleansUp(), "cleans-up-turns")
