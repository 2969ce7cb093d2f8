"""Where a running stack keeps its files, and the lock that lets only one use them."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local.errors import CannotStart

CHECKOUT = Path(__file__).resolve().parent.parent


def short_hash(path: Path) -> str:
    """Ten characters that tell one folder from another."""
    return hashlib.sha256(str(path).encode()).hexdigest()[:10]


@dataclass(frozen=True)
class Home:
    """The data folder of one stack: ``var/`` of the checkout, or ``DUKANI_HOME``."""

    root: Path

    @classmethod
    def find(cls, environ: Mapping[str, str]) -> Home:
        """The folder the person chose, else ``var/``."""
        chosen = environ.get("DUKANI_HOME", "").strip()
        return cls((Path(chosen).expanduser() if chosen else CHECKOUT / "var").absolute())

    @property
    def media(self) -> Path:
        return self.root / "media"

    @property
    def log(self) -> Path:
        return self.root / "log"

    @property
    def metrics(self) -> Path:
        """Counters of the running processes, added up by /metrics; emptied at each start."""
        return self.root / "metrics"

    @property
    def demo_file(self) -> Path:
        return self.root / "demo.json"

    @property
    def secrets_file(self) -> Path:
        return self.root / "secrets.env"

    @property
    def running_file(self) -> Path:
        """Written by a running stack, 0600: its address, pid and environment."""
        return self.root / "running.json"

    @property
    def marker(self) -> str:
        """The value of DUKANI_STACK in every process this home's stack starts."""
        return short_hash(self.root)

    def make(self) -> None:
        """Create the folders. Raises CannotStart when they cannot be written."""
        try:
            for folder in (self.root, self.media, self.log):
                folder.mkdir(parents=True, exist_ok=True)
            probe = self.root / f".writable-{os.getpid()}"
            probe.touch()
            probe.unlink()
        except PermissionError as error:
            raise CannotStart(
                f"The data folder {self.root} cannot be written by this user. "
                "Choose another with DUKANI_HOME=/some/folder."
            ) from error

    def reset(self) -> None:
        """Forget all data: files, pictures, secrets and logs. The lock file stays."""
        for entry in self.root.iterdir() if self.root.exists() else ():
            if entry.name == "lock":
                continue
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry)
            else:
                entry.unlink()

    def running(self) -> dict[str, Any]:
        """What the running stack wrote about itself, or an empty dict."""
        try:
            found = json.loads(self.running_file.read_text())
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}


class Lock:
    """Held for as long as a stack uses a home; the kernel lets go of it when we die."""

    def __init__(self, home: Home) -> None:
        self.home = home
        self._file: int | None = None

    @property
    def held(self) -> bool:
        return self._file is not None

    def acquire(self) -> bool:
        """True when the home is ours now."""
        file = os.open(self.home.root / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(file)
            return False
        self._file = file
        return True

    def release(self) -> None:
        file, self._file = self._file, None
        if file is not None:
            os.close(file)


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner can read, all of it or none."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    file = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(file, "w") as stream:
        stream.write(text)
    draft.replace(path)
