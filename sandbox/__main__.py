"""``python -m sandbox --port 8001``: serve the stand-ins until SIGTERM or Ctrl-C."""

from __future__ import annotations

import argparse
import os
import socket
import sys
from contextlib import closing

from granian import Granian
from granian.constants import Interfaces
from granian.log import LogLevels

THREADS = 32


def main(arguments: list[str] | None = None) -> int:
    """Serve until stopped; returns 2 when the port cannot be had."""
    parser = argparse.ArgumentParser(prog="sandbox", description=__doc__)
    parser.add_argument("--port", type=int, default=8001)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument(
        "--keep",
        metavar="FILE",
        default="",
        help="keep shops' keys and registered URLs in FILE across restarts",
    )
    options = parser.parse_args(arguments)

    refusal = _why_not(options.host, options.port)
    if refusal:
        print(f"sandbox: {refusal}", file=sys.stderr)
        return 2
    os.environ["SANDBOX_KEEP"] = os.path.abspath(options.keep) if options.keep else ""
    os.environ["SANDBOX_ADDRESS"] = f"{options.host}:{options.port}"
    os.environ["SANDBOX_PARENT_PID"] = str(os.getpid())

    Granian(
        "sandbox.wsgi:app",
        address=options.host,
        port=options.port,
        interface=Interfaces.WSGI,
        workers=1,  # the state lives in one process's memory
        blocking_threads=THREADS,
        backlog=2048,
        websockets=False,
        log_level=LogLevels.critical,
        workers_kill_timeout=5,
    ).serve()
    return 0


def _why_not(host: str, port: int) -> str:
    """Why this address cannot be served, or nothing."""
    with closing(socket.socket(socket.AF_INET, socket.SOCK_STREAM)) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OverflowError:
            return f"{port} is not a port number."
        except OSError as error:
            return f"cannot listen on {host}:{port}: {error.strerror or error}."
    return ""


if __name__ == "__main__":
    sys.exit(main())
