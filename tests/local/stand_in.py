"""A program that stands where web, a worker or the relay will be: small, real, quick to start.

``python stand_in.py serve PORT`` answers 200 with the names of the settings it was given;
``wait`` does nothing until SIGTERM; ``family`` does so with a child in a session of its own, as
an RQ worker has; ``fail`` says why and exits.
"""

from __future__ import annotations

import http.server
import json
import os
import signal
import subprocess
import sys
import threading


class Names(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = json.dumps(dict(os.environ)).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def serve(port: int) -> None:
    http.server.ThreadingHTTPServer(("127.0.0.1", port), Names).serve_forever()


def wait() -> None:
    stopped = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopped.set())
    stopped.wait()


def family() -> None:
    command = [sys.executable, __file__, "stubborn"]
    child = subprocess.Popen(command, start_new_session=True)
    print(f"child {child.pid}", flush=True)
    wait()


def stubborn() -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    threading.Event().wait()


def fail() -> None:
    print("the stand-in has nothing to stand on")
    sys.exit(3)


if __name__ == "__main__":
    kind, *rest = sys.argv[1:]
    globals()[kind](*map(int, rest))
