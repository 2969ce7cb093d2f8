"""Finding ports to listen on."""

from __future__ import annotations

import random
import socket

from local.errors import CannotStart

# Below the range from which the kernel takes ports for outgoing connections, so that nothing
# takes one of these between our look and the server's bind.
LOWEST, HIGHEST = 20_000, 32_000


def is_free(port: int) -> bool:
    """Whether a server could listen on this port of 127.0.0.1 now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", port))
            listener.listen(1)
        except OSError:
            return False
    return True


def free_port(*, run: int = 1) -> int:
    """The first of ``run`` free ports in a row, chosen at random so two starts rarely meet."""
    for _ in range(500):
        port = random.randrange(LOWEST, HIGHEST - run)  # noqa: S311 -- not a secret
        if all(is_free(port + step) for step in range(run)):
            return port
    raise CannotStart("No free port was found on this machine.")
