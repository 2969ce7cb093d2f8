"""Modules that few requests need, loaded when the first of those does.

A web process that never signs anybody in by passkey, or never writes a spreadsheet, does not pay
for the code that does, and every process of a machine would.
"""

from __future__ import annotations

import importlib.util
import sys
from types import ModuleType


def lazily(name: str) -> ModuleType:
    """The module of this name, which is read when something of it is first used.

    Raises ModuleNotFoundError at once when there is none.
    """
    loaded = sys.modules.get(name)
    if loaded is not None:
        return loaded
    spec = importlib.util.find_spec(name)
    if spec is None or spec.loader is None:
        raise ModuleNotFoundError(name)
    spec.loader = importlib.util.LazyLoader(spec.loader)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module
