"""Looking before starting: everything that is wrong with the machine, as sentences."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from local import keys, ports
from local.errors import CannotStart
from local.home import CHECKOUT

MEGABYTE = 1_000_000
NEEDED_MB = 300
OLDEST = (3, 11)
EXAMPLE = CHECKOUT / ".env.example"


def check_python(version: tuple[int, ...] = tuple(sys.version_info[:3])) -> None:
    """Raises CannotStart for a Python older than the product supports."""
    if version[:2] < OLDEST:
        found = ".".join(map(str, version))
        raise CannotStart(f"Dukani needs Python 3.11 or newer, and this is {found}.")


def check_disk(folder: Path) -> None:
    """Raises CannotStart when the disk of an existing folder has less than NEEDED_MB free."""
    free_mb = shutil.disk_usage(folder).free // MEGABYTE
    if free_mb < NEEDED_MB:
        raise CannotStart(
            f"The disk of {folder} is almost full: {free_mb} MB are free and Dukani needs "
            f"{NEEDED_MB} MB. Free some space, or choose another folder with DUKANI_HOME."
        )


def check_port(port: int, what: str) -> None:
    """Raises CannotStart when something else listens on a port."""
    if not 1 <= port <= 65_535:
        raise CannotStart(f"{port} is not a port: choose one between 1024 and 65534.")
    if not ports.is_free(port):
        raise CannotStart(
            f"Port {port}, needed for {what}, is in use by another program or not allowed. "
            f"Stop that program, or choose another port: bin/dev --port {_another(port)}."
        )


def _another(port: int) -> int:
    for candidate in range(port + 10, min(port + 1000, 65_000), 10):
        if ports.is_free(candidate) and ports.is_free(candidate + 1):
            return candidate
    return ports.free_port(run=2)


def read_dotenv(path: Path | None = None) -> dict[str, str]:
    """The settings in ``.env``, empty ones left out.

    Raises CannotStart for a name that ``.env.example`` does not have: a mistyped name would
    otherwise be ignored without a word.
    """
    path = path or CHECKOUT / ".env"
    if not path.exists():
        return {}
    found = keys.parse(path.read_text())
    unknown = sorted(set(found) - example_names(EXAMPLE)) if EXAMPLE.exists() else []
    if unknown:
        raise CannotStart(
            f"{path} sets {', '.join(unknown)}, which nothing reads. "
            "The names that exist are in .env.example."
        )
    return found


def example_names(path: Path) -> set[str]:
    """Every name of a setting in ``.env.example``, those in comments too."""
    names = set()
    for line in path.read_text().splitlines():
        name, equals, _ = line.lstrip("# ").partition("=")
        if equals and name.isidentifier() and name.isupper():
            names.add(name)
    return names
