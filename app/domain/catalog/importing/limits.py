"""How much one upload may hold, and the refusal of a whole file."""

from __future__ import annotations

from typing import Final

from app.domain.errors import DomainError

FILE_BYTES: Final = 5 * 1024 * 1024
ROWS: Final = 20_000
CELL_BYTES: Final = 64 * 1024
COLUMNS: Final = 500
ARCHIVE_ENTRIES: Final = 200
UNPACKED_BYTES: Final = 50 * 1024 * 1024
UNPACKED_RATIO: Final = 100
# A ZIP that brings its own pictures beside the sheet, as our full export does.
BUNDLE_BYTES: Final = 45 * 1024 * 1024
BUNDLE_ENTRIES: Final = 4_000
BUNDLE_UNPACKED_BYTES: Final = 90 * 1024 * 1024
PICTURE_BYTES: Final = 8 * 1024 * 1024


class ImportFileRefused(DomainError):
    """The whole file cannot be read; nothing of it came in. ``code`` is for programs."""

    def __init__(self, code: str, sentence: str) -> None:
        self.code = code
        super().__init__(sentence)
