"""The unprivileged user a server runs as when we are root, because Postgres refuses root."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from local.errors import CannotStart

NAME = "dukani-dev"
BASE = Path("/var/lib/dukani-dev")
NO_LOGIN = ("--home-dir", "/nonexistent", "--shell", "/usr/sbin/nologin")


@dataclass(frozen=True)
class SystemUser:
    name: str
    uid: int
    gid: int

    def own(self, path: Path) -> None:
        """Give a file or folder to this user."""
        os.chown(path, self.uid, self.gid)

    def can_use(self, folder: Path) -> bool:
        """Whether this user can create files in a folder, parents' permissions included."""
        tried = subprocess.run(
            ["/bin/sh", "-c", 'test -d "$1" && test -w "$1" && test -x "$1"', "sh", str(folder)],
            user=self.uid,
            group=self.gid,
            extra_groups=[],
            cwd="/",
            check=False,
        )
        return tried.returncode == 0


def unprivileged_user() -> SystemUser | None:
    """Who runs Postgres: None for ourselves, or a system user when we are root.

    The user is made at the first need; a machine without ``useradd`` lends ``nobody``.
    """
    if os.geteuid() != 0:
        return None
    found = _find(NAME)
    useradd = shutil.which("useradd", path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    if found is None and useradd:
        # Two starts at once may both come here: the loser's useradd fails and finds the user.
        subprocess.run(
            [useradd, "--system", "--user-group", "--no-create-home", *NO_LOGIN, NAME],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=False,
        )
        found = _find(NAME)
    found = found or _find("nobody")
    if found is None:
        raise CannotStart(
            "Postgres refuses to run as root and this machine has no unprivileged user. "
            "Run this command as an ordinary user."
        )
    return found


def _find(name: str) -> SystemUser | None:
    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        return None
    return SystemUser(entry.pw_name, entry.pw_uid, entry.pw_gid)
