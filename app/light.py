"""Keeps out of every process what only a terminal uses; to be imported before structlog and Flask-Limiter.

Both load rich where it is installed (6 MiB with Pygments), and do without it where it is not.
"""

from __future__ import annotations

import sys

sys.modules.setdefault("rich", None)  # type: ignore[arg-type] # an import of it fails as if it were not there
