"""What the serving process does besides serving."""

from __future__ import annotations

import http.client
import os
import threading
import time
from contextlib import closing

READY_WITHIN_S = 30.0


def say_when_ready(address: str | None) -> None:
    """Print one line on stdout as soon as ``host:port`` gives its first answer.

    Done here and not in the parent, which must have a single thread when it forks.
    """
    if address:
        threading.Thread(target=_say_ready, args=(address,), name="ready", daemon=True).start()


def stop_with_parent(parent: str | None) -> None:
    """End this process when the one that started it is gone, however it went."""
    if not parent:
        return

    def watch() -> None:
        while os.getppid() == int(parent):
            time.sleep(0.5)
        os._exit(0)

    threading.Thread(target=watch, name="parent", daemon=True).start()


def _say_ready(address: str) -> None:
    host, _, port = address.rpartition(":")
    asked = "127.0.0.1" if host == "0.0.0.0" else host  # noqa: S104 - compared, not bound
    deadline = time.monotonic() + READY_WITHIN_S
    while time.monotonic() < deadline:
        with closing(http.client.HTTPConnection(asked, int(port), timeout=2)) as connection:
            try:
                connection.request("GET", "/_sim/health")
                if connection.getresponse().status == 200:
                    print(f"sandbox ready on http://{address}", flush=True)
                    return
            except (OSError, http.client.HTTPException):
                time.sleep(0.05)
