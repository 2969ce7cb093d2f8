"""A cell that no spreadsheet runs as a formula, and the way back to what was meant.

Excel, LibreOffice and Google run a cell that begins with one of a few characters. An apostrophe
in front makes it text; a cell that has one already gets another, so that taking one away always
gives back exactly what was written.
"""

from __future__ import annotations

import re
from typing import Final

_RUNS: Final = re.compile(r"[\s']*[=+\-@\uff1d\uff0b\uff0d\uff20]|'*[\t\r\n]")
_PHONE: Final = re.compile(r"^\+?[0-9]+$", re.ASCII)


def safe_cell(text: str) -> str:
    """The text, behind an apostrophe when a spreadsheet might run it."""
    return f"'{text}" if _RUNS.match(text) else text


def safe_phone(text: str) -> str:
    """A phone number as it is (``+254…`` is no sum), anything else as ``safe_cell`` has it."""
    return text if _PHONE.match(text) else safe_cell(text)


def meant_cell(text: str) -> str:
    """What ``safe_cell`` was given."""
    return text[1:] if text.startswith("'") and _RUNS.match(text[1:]) else text
