"""A checkout on somebody else's machine: what a clone holds, who runs it, where packages are."""

from __future__ import annotations

import ast
import os
import pwd
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from local.home import CHECKOUT


def somebody_without_rights() -> pwd.struct_passwd | None:
    """Whom to become, so that both kinds of user are tried: nobody when we are root."""
    return pwd.getpwnam("nobody") if os.geteuid() == 0 else None


def run_as(user: pwd.struct_passwd | None) -> dict[str, Any]:
    """The arguments of subprocess that become this user."""
    if user is None:
        return {}
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}


def give(folder: Path, user: pwd.struct_passwd | None) -> None:
    """Make a folder and all in it this user's."""
    for path in (folder, *folder.rglob("*")) if user else ():
        os.chown(path, user.pw_uid, user.pw_gid, follow_symlinks=False)


def clone_to(target: Path) -> Path:
    """What a clone would hold, with the example settings copied."""
    left_out = shutil.ignore_patterns(
        ".git", ".venv", "var", "__pycache__", "dist", ".*_cache", ".hypothesis", ".env"
    )
    shutil.copytree(CHECKOUT, target, ignore=left_out)
    target.parent.chmod(0o755)
    shutil.copy2(target / ".env.example", target / ".env")
    return target


def python_and_packages(user: pwd.struct_passwd | None) -> dict[str, str]:
    """The Python such a user has, and this machine's way to packages, from pip's own settings."""
    listed = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, check=True
    )
    found = {name: value for name, value in os.environ.items() if name.startswith(("PIP_", "SSL_"))}
    for line in listed.stdout.splitlines():
        name, _, value = line.partition("=")
        option = name.rpartition(".")[2].upper().replace("-", "_")
        # pip writes several values as lines in one string, and reads them from spaces.
        found[f"PIP_{option}"] = " ".join(str(ast.literal_eval(value)).split())
    found.pop("PIP_CONFIG_FILE", None)
    return found if user else found | {"PYTHON": sys.executable}
