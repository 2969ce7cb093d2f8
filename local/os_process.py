"""Starting, finding and ending operating system processes, children of children included."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path

MARKER = "DUKANI_STACK"
PR_SET_PDEATHSIG = 1
WIDEST = 300  # characters of a log's line worth showing: a failed statement may be very long


class StopRequested(Exception):
    """Somebody asked us to stop while we were waiting for something."""


class _Stop:
    requested = False


def request_stop() -> None:
    """Make every present and later ``wait_until`` of this process raise StopRequested.

    Called from a signal handler: nothing is interrupted half-way but waiting.
    """
    _Stop.requested = True


def stop_requested() -> bool:
    return _Stop.requested


_libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


def dies_with_us(sent: signal.Signals) -> Callable[[], None] | None:
    """A ``preexec_fn`` that has the kernel signal the child when we are killed outright.

    Linux ties this to the thread that starts the child, so it is offered in the main thread
    only: a helper thread that ends must not take a server with it.
    """
    if _libc is None or threading.current_thread() is not threading.main_thread():
        return None
    libc, parent = _libc, os.getpid()

    def in_child() -> None:
        libc.prctl(PR_SET_PDEATHSIG, int(sent))
        if os.getppid() != parent:
            os.kill(os.getpid(), sent)

    return in_child


def this_python() -> str:
    """The Python to start our own programs with: the one we run in."""
    return sys.executable


def alive(pid: int) -> bool:
    """Whether a process exists and is not a zombie."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return not Path("/proc/self").exists()
    except OSError:
        return False
    return status.rpartition(")")[2].split()[0] not in {"Z", "X"}


def children_of(pids: Iterable[int]) -> list[int]:
    """All descendants of these processes that are alive now."""
    parents = _parents()
    family = set(pids)
    grew = True
    while grew:
        more = {pid for pid, parent in parents.items() if parent in family} - family
        family |= more
        grew = bool(more)
    return sorted(family - set(pids))


def _parents() -> dict[int, int]:
    """Every process and its parent."""
    found: dict[int, int] = {}
    if Path("/proc/self/stat").exists():
        for entry in Path("/proc").glob("[0-9]*/stat"):
            try:
                fields = entry.read_text().rpartition(")")[2].split()
            except OSError:
                continue
            found[int(entry.parent.name)] = int(fields[1])
        return found
    listing = subprocess.run(
        ["ps", "-A", "-o", "pid=,ppid="],  # noqa: S607 -- macOS has it in one place
        capture_output=True,
        text=True,
        check=True,
    )
    for line in listing.stdout.splitlines():
        pid, parent = line.split()
        found[int(pid)] = int(parent)
    return found


def marked(value: str) -> list[int]:
    """Processes whose environment carries our marker with this value (Linux only)."""
    wanted = f"{MARKER}={value}".encode()
    found = []
    for entry in Path("/proc").glob("[0-9]*/environ"):
        try:
            variables = entry.read_bytes().split(b"\0")
        except OSError:
            continue
        if wanted in variables and int(entry.parent.name) != os.getpid():
            found.append(int(entry.parent.name))
    return [pid for pid in found if alive(pid)]


def command_of(pid: int) -> str:
    """The command line of a process, or an empty string."""
    try:
        return (
            Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        )
    except OSError:
        pass
    listing = subprocess.run(
        ["ps", "-o", "command=", "-p", str(pid)],  # noqa: S607
        capture_output=True,
        text=True,
        check=False,
    )
    return listing.stdout.strip()


def send(pids: Iterable[int], sent: int) -> None:
    """Signal each of these that still exists."""
    for pid in pids:
        try:
            os.kill(pid, sent)
        except ProcessLookupError:
            continue


def end(pids: Iterable[int], *, first: signal.Signals, patience: float) -> None:
    """Ask these processes to stop, wait ``patience`` seconds, then make them."""
    waiting = [pid for pid in pids if alive(pid)]
    send(waiting, first)
    wait_until(lambda: not any(alive(pid) for pid in waiting), seconds=patience, to_the_end=True)
    send([pid for pid in waiting if alive(pid)], signal.SIGKILL)
    wait_until(lambda: not any(alive(pid) for pid in waiting), seconds=5, to_the_end=True)


def wait_until(
    happened: Callable[[], bool], *, seconds: float, every: float = 0.03, to_the_end: bool = False
) -> bool:
    """Ask until the answer is yes or the time is over; returns the last answer.

    Raises StopRequested when we are asked to stop, unless waiting ``to_the_end``.
    """
    deadline = time.monotonic() + seconds
    while not happened():
        if _Stop.requested and not to_the_end:
            raise StopRequested
        if time.monotonic() >= deadline:
            return False
        time.sleep(every)
    return True


def tail(path: Path, lines: int = 15) -> str:
    """The end of a log file, for telling why something died."""
    try:
        text = path.read_text(errors="replace")
    except OSError:
        return ""
    return "\n".join(line[:WIDEST] for line in text.splitlines()[-lines:])
