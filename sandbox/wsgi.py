"""What granian serves: one application, its state in this process's memory."""

from __future__ import annotations

import os

from sandbox.app import create_app
from sandbox.process import say_when_ready, stop_with_parent

# The command line passes these through the environment: the worker is a fresh process.
app = create_app(keep=os.environ.get("SANDBOX_KEEP") or None)
say_when_ready(os.environ.get("SANDBOX_ADDRESS"))
stop_with_parent(os.environ.get("SANDBOX_PARENT_PID"))
