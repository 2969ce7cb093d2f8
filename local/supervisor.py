"""``bin/dev``: start everything, say where it is, keep it running, stop it on Ctrl-C."""

from __future__ import annotations

import argparse
import errno
import json
import os
import signal
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from local import os_process, preflight
from local.errors import CannotStart
from local.home import Home
from local.processes import DEFAULT_PLAN
from local.stack import AlreadyRunning, Stack


def main(arguments: list[str] | None = None) -> int:
    """Run until told to stop. Returns 0 after a stop, 1 when it could not start."""
    options = _options(arguments)
    for sent in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(sent, lambda *_: os_process.request_stop())
    try:
        return _run(options)
    except os_process.StopRequested:
        print("Stopped.", flush=True)
        return 0
    except CannotStart as error:
        return _refuse(str(error))
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            return _refuse("The disk is full. Free some space and start again.")
        raise


def _run(options: argparse.Namespace) -> int:
    began = time.monotonic()
    outside = {**preflight.read_dotenv(), **{k: v for k, v in os.environ.items() if v}}
    if "REDIS_SERVER_BIN" in outside:
        os.environ["REDIS_SERVER_BIN"] = outside["REDIS_SERVER_BIN"]
    home = Home.find(outside)
    stack = Stack(
        home.root,
        port=options.port,
        workers=options.workers,
        web_workers=options.web_workers,
        seed=True,
        plan=options.plan,
        env=given_settings(outside),
        say=_say,
    )
    if options.reset:
        _reset(stack)
    _say(f"Starting Dukani; its data is in {home.root}")
    stack.start()
    try:
        _say(f"Ready after {time.monotonic() - began:.1f} s")
        print("\n".join(["", *_where(stack), *_who(stack), "", "Ctrl-C stops everything."]))
        sys.stdout.flush()
        while not os_process.stop_requested():
            stack.tick()
            time.sleep(0.2)
        _say("Stopping")
    finally:
        stack.stop()
    print("Stopped.", flush=True)
    return 0


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="bin/dev",
        description="Start a working Dukani on this machine and keep it running until Ctrl-C.",
        epilog="DUKANI_HOME moves the data; DATABASE_URL and REDIS_URL use servers of yours.",
    )
    parser.add_argument("--port", type=int, default=8000, help="the shop's port; sandbox: next")
    parser.add_argument("--reset", action="store_true", help="forget all data first")
    parser.add_argument("--workers", type=int, default=1, help="worker processes for each queue")
    parser.add_argument("--web-workers", type=int, default=1, help="web processes")
    parser.add_argument("--plan", type=Path, default=DEFAULT_PLAN, help="another list of programs")
    options = parser.parse_args(arguments)
    if not 1 <= options.port <= 65_534:
        parser.error(f"{options.port} is not a port: choose one between 1024 and 65534")
    if options.workers < 1 or options.web_workers < 1:
        parser.error("at least one worker is needed")
    return options


def given_settings(outside: Mapping[str, str]) -> dict[str, str]:
    """The product's settings among what the person set, in ``.env`` or in the environment.

    The passwords there are for compose's servers, and no program of ours is told one.
    """
    names = preflight.example_names(preflight.EXAMPLE)
    names = {name for name in names if not name.endswith("_PASSWORD")}
    return {name: value for name, value in outside.items() if name in names and value}


def _reset(stack: Stack) -> None:
    """Forget all data, unless somebody is using it."""
    stack.home.make()
    if not stack.take_lock():
        raise AlreadyRunning(stack.home)
    _say("Forgetting all data")
    stack.forget()


def _where(stack: Stack) -> list[str]:
    """The addresses, for the terminal."""
    return [
        f"  Platform and back office   {stack.base_url}",
        f"  Sandbox phones and faults  {stack.sandbox_url}",
        f"  Logs                       {stack.log_folder}",
    ]


def _who(stack: Stack) -> list[str]:
    """Stores and sign-ins of the demo, from the file that the seed wrote.

    The addresses there are those of the first start; the port may be another one today.
    """
    try:
        stores = json.loads(stack.home.demo_file.read_text())["stores"]
    except (OSError, ValueError, KeyError):
        return []
    lines = []
    for store in stores:
        address = f"http://{store.get('slug')}.localhost:{stack.port}/"
        lines += ["", f"  {store.get('name')}   {address}"]
        lines += [f"    {_sign_in(person)}" for person in store.get("staff", ())]
    note = f"  Sign-ins are also in {stack.home.demo_file}; codes by SMS show on the phone."
    return [*lines, "", note]


def _sign_in(person: Mapping[str, str]) -> str:
    said = [person.get(part, "") for part in ("role", "name", "phone", "email", "password")]
    widths = (10, 18, 14, 32, 0)
    return " ".join(f"{text:<{width}}" for text, width in zip(said, widths, strict=True)).rstrip()


def _say(line: str) -> None:
    print(f"· {line}", flush=True)


def _refuse(sentence: str) -> int:
    print(sentence, file=sys.stderr, flush=True)
    return 1


if __name__ == "__main__":
    sys.exit(main())
