"""The programs of a stack: read from a list, started, watched, ended.

The list is a file (``processes.toml``), so a test or a benchmark can run a stack of other
programs with the same care.
"""

from __future__ import annotations

import fnmatch
import http.client
import signal
import subprocess
import time
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from local import os_process
from local.errors import CannotStart
from local.home import CHECKOUT

DEFAULT_PLAN = Path(__file__).with_name("processes.toml")
LOG_LIMIT = 5_000_000  # bytes; a longer log is put aside at the next start
STEADY_AFTER = 0.3  # seconds a program without a ready_url must have lived to count as started


@dataclass(frozen=True, kw_only=True)
class Program:
    """One long-running program of a stack."""

    name: str
    command: tuple[str, ...]
    early: bool = False  # starts before the database steps
    copies: str = ""  # the placeholder that says how many to run
    ready_url: str = ""
    ready_within: float = 60.0  # seconds
    stop_within: float = 10.0  # seconds, then it is killed
    hide: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Step:
    """One command that must succeed before the programs start."""

    name: str
    command: tuple[str, ...]
    says: str = ""
    when: str = ""  # "" always, "not migrated", or "no store"
    hide: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Plan:
    programs: tuple[Program, ...]
    steps: tuple[Step, ...]

    @classmethod
    def read(cls, path: Path, words: Mapping[str, str]) -> Plan:
        """Read a list of programs and fill in its words. Raises CannotStart when it is wrong."""
        try:
            with path.open("rb") as stream:
                listed = tomllib.load(stream)
            programs = [Program(**_filled(entry, words)) for entry in listed.get("process", [])]
            steps = [Step(**_filled(entry, words)) for entry in listed.get("step", [])]
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise CannotStart(f"The list of programs in {path} cannot be used: {error}") from error
        return cls(tuple(_copied(programs, words)), tuple(steps))


def _filled(value: Any, words: Mapping[str, str]) -> Any:
    if isinstance(value, str):
        return value.format_map(words)
    if isinstance(value, list):
        return tuple(_filled(part, words) for part in value)
    if isinstance(value, dict):
        return {key: _filled(part, words) for key, part in value.items()}
    return value


def _copied(programs: list[Program], words: Mapping[str, str]) -> list[Program]:
    """A program with copies becomes ``money``, ``money-2``, ``money-3`` …"""
    made = []
    for program in programs:
        count = int(words[program.copies]) if program.copies else 1
        made.append(program)
        made += [replace(program, name=f"{program.name}-{n}") for n in range(2, count + 1)]
    return made


def visible(env: Mapping[str, str], hide: tuple[str, ...]) -> dict[str, str]:
    """The environment without the settings that match one of these patterns."""
    return {
        name: value
        for name, value in env.items()
        if not any(fnmatch.fnmatchcase(name, pattern) for pattern in hide)
    }


class Running:
    """A program of the stack while it runs, through all its restarts."""

    def __init__(self, program: Program, env: Mapping[str, str], log_folder: Path) -> None:
        self.program = program
        self.set_environment(env)
        self.log_file = log_folder / f"{program.name}.log"
        self.process: subprocess.Popen[bytes] | None = None
        self.wanted = False
        self._started_at = 0.0
        self._failures = 0
        self._again_at: float | None = None

    def set_environment(self, env: Mapping[str, str]) -> None:
        """What the program is told from its next start on, without what it must not see."""
        self.env = {**visible(env, self.program.hide), **self.program.env}

    @property
    def pid(self) -> int | None:
        return self.process.pid if self.process and self.process.poll() is None else None

    def pids(self) -> list[int]:
        """The program and all its children, alive now."""
        return [self.pid, *os_process.children_of([self.pid])] if self.pid else []

    def start(self) -> None:
        """Start the program in a process group of its own; returns at once."""
        self.log_file.parent.mkdir(parents=True, exist_ok=True)
        if self.log_file.exists() and self.log_file.stat().st_size > LOG_LIMIT:
            self.log_file.replace(self.log_file.with_suffix(".log.1"))
        with self.log_file.open("ab") as log:
            self.process = subprocess.Popen(
                self.program.command,
                env=self.env,
                cwd=CHECKOUT,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=os_process.dies_with_us(signal.SIGTERM),
            )
        self.wanted = True
        self._started_at = time.monotonic()
        self._again_at = None

    def wait_ready(self) -> None:
        """Wait until the program answers. Raises CannotStart with the end of its log."""
        name, limit = self.program.name, self.program.ready_within

        def ready() -> bool:
            if self.pid is None:
                raise CannotStart(
                    f"{name} stopped while starting; the end of {self.log_file}:\n"
                    f"{os_process.tail(self.log_file)}"
                )
            if not self.program.ready_url:
                return time.monotonic() - self._started_at >= STEADY_AFTER
            return answers(self.program.ready_url)

        if not os_process.wait_until(ready, seconds=limit):
            raise CannotStart(
                f"{name} did not become ready within {limit:.0f} seconds; the end of "
                f"{self.log_file}:\n{os_process.tail(self.log_file)}"
            )

    def stop(self) -> None:
        """Ask the program to stop, then make it, children included."""
        self.wanted = False
        if self.process is None:
            return
        family = self.pids()
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(self.program.stop_within)
            except subprocess.TimeoutExpired:
                family = family + os_process.children_of([self.process.pid])
        os_process.send(set(family) - {self.process.pid}, signal.SIGKILL)
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()

    def kill(self, sent: int = signal.SIGKILL) -> list[int]:
        """Signal the program; SIGKILL takes its children too. Returns the pids signalled.

        After SIGKILL they are gone when this returns. The program is not started again here.
        """
        if self.pid is None or self.process is None:
            return []
        family = self.pids() if sent == signal.SIGKILL else [self.pid]
        os_process.send(family, sent)
        if sent == signal.SIGKILL:
            self.process.wait()
            os_process.wait_until(
                lambda: not any(map(os_process.alive, family)), seconds=5, to_the_end=True
            )
        return family

    def revive(self) -> str:
        """Start the program again if it died, waiting longer each time.

        Returns what happened in a sentence, or an empty string. To be called often.
        """
        now = time.monotonic()
        if not self.wanted:
            return ""
        if self.pid is not None:
            if self._failures and now - self._started_at > 60:
                self._failures = 0
            return ""
        if self._again_at is None:
            code = self.process.returncode if self.process else 0
            delay = min(30.0, 0.5 * 2**self._failures)
            self._failures += 1
            self._again_at = now + delay
            return (
                f"{self.program.name} stopped ({_ending(code)}); starting it again in {delay:g} s"
            )
        if now >= self._again_at:
            self.start()
        return ""


def run_step(step: Step, env: Mapping[str, str], log_folder: Path) -> None:
    """Run one command to its end. Raises CannotStart with the end of its log when it fails."""
    log_file = log_folder / f"{step.name}.log"
    with log_file.open("wb") as log:
        process = subprocess.Popen(
            step.command,
            env={**visible(env, step.hide), **step.env},
            cwd=CHECKOUT,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            preexec_fn=os_process.dies_with_us(signal.SIGTERM),
        )
    try:
        done = os_process.wait_until(lambda: process.poll() is not None, seconds=600)
    finally:
        if process.poll() is None:
            family = [process.pid, *os_process.children_of([process.pid])]
            os_process.send(family, signal.SIGKILL)
        process.wait()
    if not done or process.returncode != 0:
        ending = _ending(process.returncode) if done else "took more than ten minutes"
        text = os_process.tail(log_file, 25)
        if "No space left on device" in text:
            raise CannotStart(f"{step.name}: the disk is full. Free some space and start again.")
        raise CannotStart(f"{step.name} failed ({ending}); the end of {log_file}:\n{text}")


def answers(url: str) -> bool:
    """Whether a GET of this address is answered with 200 within two seconds."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(str(parts.hostname), parts.port, timeout=2)
    try:
        connection.request("GET", parts.path or "/", headers={"Host": f"localhost:{parts.port}"})
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _ending(code: int | None) -> str:
    if code is not None and code < 0:
        try:
            return f"killed by {signal.Signals(-code).name}"
        except ValueError:
            return f"killed by signal {-code}"
    return f"status {code}"
