"""``bin/manage``: the product's commands, with the servers of this machine behind them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping

from local import os_process, preflight
from local.errors import CannotStart
from local.home import CHECKOUT, Home
from local.stack import Stack
from local.supervisor import given_settings

# These look after the migrations themselves, so none may run before them.
WITHOUT_MIGRATING = {"db", "migrate", "migration", "check-db"}
# Flask has a "shell" of its own, which knows no store.
SHORTHAND = {"shell": ("store", "shell")}


def main(arguments: list[str] | None = None) -> int:
    """Run one command; returns its exit status, or 1 when it could not be started."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    if words and words[0] == "translations":
        from local.translations import main as translations

        return translations(words[1:])  # of the checkout alone: no server, no settings
    if os.environ.get("APP_ENV") == "production":
        return _flask(words, os.environ)
    try:
        outside = {**preflight.read_dotenv(), **os.environ}
        home = Home.find(outside)
        home.make()
        stack = Stack(
            home.root,
            port=8000,
            processes=(),
            env=given_settings(outside),
            steps=not (words and words[0] in WITHOUT_MIGRATING),
        )
        if not stack.take_lock():
            return _flask(words, {**os.environ, **_running_environment(home)})
        with stack:
            return _flask(words, stack.env)
    except CannotStart as error:
        print(error, file=sys.stderr)
        return 1


def _running_environment(home: Home) -> dict[str, str]:
    """The settings of the stack that runs in this home, once it has them."""

    def known() -> bool:
        return bool(home.running().get("env", {}).get("DATABASE_URL"))

    if not os_process.wait_until(known, seconds=60):
        raise CannotStart("bin/dev is starting and not ready yet. Try again in a moment.")
    return dict(home.running()["env"])


def _flask(words: list[str], env: Mapping[str, str]) -> int:
    """Run Flask's own command line. Ctrl-C is the command's to answer, not ours."""
    if words and words[0] in SHORTHAND:
        words = [*SHORTHAND[words[0]], *words[1:]]
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        command = [os_process.this_python(), "-m", "flask", "--app", "wsgi", *words]
        process = subprocess.Popen(
            command,
            env={**env, "PYTHONPATH": str(CHECKOUT)},
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
        return process.wait()
    finally:
        signal.signal(signal.SIGINT, before)


if __name__ == "__main__":
    sys.exit(main())
