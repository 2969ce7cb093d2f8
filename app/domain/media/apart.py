"""Photos made apart from us: by a program with limits, started once for many photos.

Bytes of a stranger are decoded there and nowhere else. See ``making.py``, which is the program.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from queue import Empty, LifoQueue
from threading import Timer
from time import monotonic
from typing import Any, NamedTuple, Self

from app.domain.media import making
from app.domain.media.making import FORMATS, WIDTHS, Unfit

WALL_SECONDS = 30  # by the clock, for a machine that is busy; the program's own limit is CPU time
PROGRAMS = 2  # at once: they are as polite as the job that starts them


class Made(NamedTuple):
    """A photo's width and height as it came, upright, and its files."""

    width: int
    height: int
    files: list[tuple[str, int, bytes]]


def made_apart(data: bytes, formats: Sequence[str] = FORMATS) -> Made:
    """Width, height and files of one photo, made by a program of its own. Raises Unfit."""
    with PhotoProgram() as program:
        return program.make(data, formats)


class _Ends(ABC):
    """What is used in a ``with`` and ends there."""

    @abstractmethod
    def end(self) -> None: ...

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.end()


class PhotoProgram(_Ends):
    """One program, which makes one photo after the other. It starts with the first."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._is_late = False

    def make(self, data: bytes, formats: Sequence[str]) -> Made:
        """The files of one photo. Raises Unfit; what made one photo unfit is no harm to the next.

        Each may use 512 MiB and ten seconds of a core, and half a minute by the clock.
        """
        process = self._started()
        clock = Timer(WALL_SECONDS, self._too_late, [process])
        clock.start()
        try:
            answer = _asked(process, data, formats)
        finally:
            clock.cancel()
            clock.join()  # either it has not come to it, or it is through with it
        if answer is None or self._is_late:
            self.end()
            raise Unfit(making.TOO_HEAVY)
        return _read(answer, formats)

    def end(self) -> None:
        """End the program, and what it may be making."""
        process, self._process = self._process, None
        self._is_late = False
        if process is not None:
            _kill(process)
            process.communicate()

    def _started(self) -> subprocess.Popen[bytes]:
        if self._process is not None and self._process.poll() is not None:
            self.end()
        if self._process is None:
            self._process = subprocess.Popen(  # noqa: S603 - our own file; photos come by its input
                [sys.executable, "-I", str(Path(making.__file__))],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env={"MALLOC_ARENA_MAX": "1", "LC_ALL": "C.UTF-8"},
                process_group=0,  # so that its child ends with it
            )
        return self._process

    def _too_late(self, process: subprocess.Popen[bytes]) -> None:
        self._is_late = True
        _kill(process)


def _kill(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)


def _asked(process: subprocess.Popen[bytes], data: bytes, formats: Sequence[str]) -> bytes | None:
    """The program's answer; None when it ended before it had given one."""
    assert process.stdin is not None
    assert process.stdout is not None
    head = {"bytes": len(data), "formats": list(formats)}
    try:
        process.stdin.write(json.dumps(head).encode() + b"\n" + data)
        process.stdin.flush()
    except BrokenPipeError:
        return None
    length = int.from_bytes(process.stdout.read(8), "big")
    answer = process.stdout.read(length)
    return answer if length and len(answer) == length else None


def _read(answer: bytes, formats: Sequence[str]) -> Made:
    """The answer, believed no further than its form: it comes from where hostile files are read."""
    try:
        line, _newline, bodies = answer.partition(b"\n")
        head = json.loads(line)
        if "refusal" in head:
            raise Unfit(str(head["refusal"]))
        files = list(_cut(head["files"], bodies))
        made = Made(int(head["width"]), int(head["height"]), files)
    except (ValueError, KeyError, TypeError) as error:
        raise Unfit(making.BROKEN) from error
    # They become names of files.
    if any(name not in formats or width not in WIDTHS for name, width, _body in files):
        raise Unfit(making.BROKEN)
    return made


def _cut(files: Sequence[Sequence[Any]], bodies: bytes) -> Iterator[tuple[str, int, bytes]]:
    at = 0
    for name, width, length in files:
        yield str(name), int(width), bodies[at : at + int(length)]
        at += int(length)


class PhotoPrograms(_Ends):
    """A few programs for the photos of one job; threads borrow them."""

    def __init__(self, count: int = PROGRAMS) -> None:
        self._all = [PhotoProgram() for _ in range(count)]
        # The last one given back goes out first, so that no more are started than work at once.
        self._free: LifoQueue[PhotoProgram] = LifoQueue()
        for program in self._all:
            self._free.put(program)

    def end(self) -> None:
        """End every program, and what they may be making."""
        for program in self._all:
            program.end()

    @contextmanager
    def borrowed(self, *, until: float) -> Iterator[PhotoProgram | None]:
        """A program for one photo; None where all are taken up to the moment ``until`` (monotonic)."""
        if monotonic() > until:
            yield None
            return
        try:
            program = self._free.get(timeout=max(0.0, until - monotonic()))
        except Empty:
            yield None
            return
        try:
            yield program
        finally:
            self._free.put(program)
