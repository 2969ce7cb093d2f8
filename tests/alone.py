"""A test that measures time has the machine to itself: no other test of the run goes on meanwhile.

Several test processes share one machine. A test marked ``alone`` waits until the others have ended
the test they are in, and theirs wait until it has ended; of a long test, ``with alone():`` around what
is measured is enough. Limits can then be those of the product and not those of a machine that is
busy with something else.
"""

from __future__ import annotations

import fcntl
import tempfile
from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import IO

import pytest


class Turns:
    """Shared by the processes of one run: many tests at a time, or one that is alone."""

    def __init__(self, run: str) -> None:
        folder = Path(tempfile.gettempdir())
        self.door, self.room = (folder / f"dk-{run}.{name}" for name in ("door", "room"))
        self._held: IO[str] | None = None

    def take(self, *, alone: bool) -> None:
        """Wait for the room.

        Who waits to be alone keeps the door, so that nobody else can come in before.
        """
        room = self.room.open("w")
        with self.door.open("w") as door:
            fcntl.flock(door, fcntl.LOCK_EX)
            fcntl.flock(room, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
        self._held = room

    def give_back(self) -> None:
        if self._held is not None:
            self._held.close()
            self._held = None

    def forget(self) -> None:
        for file in (self.door, self.room):
            file.unlink(missing_ok=True)


class TakesTurns:
    """The plugin, in a process that runs tests beside others."""

    def __init__(self, run: str) -> None:
        self.turns = Turns(run)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        self.turns.take(alone=item.get_closest_marker("alone") is not None)
        try:
            return (yield)
        finally:
            self.turns.give_back()

    @contextmanager
    def alone(self) -> Iterator[None]:
        """A part of a test that no other test goes on beside."""
        self.turns.give_back()
        self.turns.take(alone=True)
        try:
            yield
        finally:
            self.turns.give_back()
            self.turns.take(alone=False)


@pytest.fixture
def alone(pytestconfig: pytest.Config) -> Callable[[], AbstractContextManager[None]]:
    """``with alone():`` around the part of a test that measures time."""
    plugin = pytestconfig.pluginmanager.get_plugin("takes-turns")
    return plugin.alone if plugin else nullcontext


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with a slow test first: a long one that begins last would leave the others idle."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


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
