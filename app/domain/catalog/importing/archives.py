"""Opening a ZIP (and so an XLSX) that a stranger sent, without believing its table of contents.

The sizes a ZIP states about itself may be false, so bytes are counted as they come out.
"""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from app.domain.catalog.importing.limits import (
    ARCHIVE_ENTRIES,
    UNPACKED_BYTES,
    UNPACKED_RATIO,
    ImportFileRefused,
)
from app.i18n import gettext as _

_CHUNK: Final = 64 * 1024
_ARCHIVE_MAGIC: Final = (b"PK\x03\x04", b"PK\x05\x06", b"\x1f\x8b", b"7z\xbc\xaf", b"Rar!", b"BZh")


def is_zip(data: bytes) -> bool:
    """Whether the bytes begin like a ZIP, whatever the file is called."""
    return data.startswith((b"PK\x03\x04", b"PK\x05\x06"))


@contextmanager
def opened(data: bytes, *, entries_limit: int = ARCHIVE_ENTRIES) -> Iterator[zipfile.ZipFile]:
    """The archive, with its list of entries checked. Raises ImportFileRefused."""
    try:
        archive = zipfile.ZipFile(io.BytesIO(data))
    except (zipfile.BadZipFile, ValueError, NotImplementedError) as error:
        raise _damaged() from error
    with archive:
        entries = archive.infolist()
        if len(entries) > entries_limit:
            raise ImportFileRefused(
                "archive_entries",
                _(
                    "The file holds %(count)s packed parts; at most %(limit)s are read.",
                    count=len(entries),
                    limit=entries_limit,
                ),
            )
        for entry in entries:
            _check_entry(entry)
        yield archive


def unpack(
    archive: zipfile.ZipFile,
    packed_bytes: int,
    *,
    only: Callable[[str], bool] = lambda name: True,
    most_bytes: int = UNPACKED_BYTES,
) -> Iterator[tuple[str, bytes]]:
    """Each entry's name and bytes, one in memory at a time, counted while they come out.

    ``packed_bytes`` is the size of the file as it was sent; ``only`` chooses by name. Raises
    ImportFileRefused at the byte that goes over the limit, and for an archive inside the archive.
    """
    allowed = min(most_bytes, packed_bytes * UNPACKED_RATIO)
    total = 0
    for entry in archive.infolist():
        if entry.is_dir() or not only(entry.filename):
            continue
        content = bytearray()
        try:
            with archive.open(entry) as stream:
                while chunk := stream.read(_CHUNK):
                    total += len(chunk)
                    if total > allowed:
                        raise _too_much()
                    content += chunk
        except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, OSError) as error:
            raise _damaged() from error
        if content.startswith(_ARCHIVE_MAGIC):
            raise ImportFileRefused(
                "archive_nested",
                _("The file has another packed file inside it; send that one by itself."),
            )
        yield entry.filename, bytes(content)


def read_entry(archive: zipfile.ZipFile, name: str, *, most_bytes: int) -> bytes | None:
    """One entry's bytes, or None when there is none of this name, or it is too large or broken."""
    try:
        with archive.open(name) as stream:
            content = stream.read(most_bytes + 1)
    except (KeyError, RuntimeError, zipfile.BadZipFile, zlib.error, EOFError, OSError):
        return None
    return content if len(content) <= most_bytes else None


def _check_entry(entry: zipfile.ZipInfo) -> None:
    name = entry.filename.replace("\\", "/")
    if name.startswith("/") or ":" in name or ".." in name.split("/"):
        raise ImportFileRefused(
            "archive_path", _("The packed file points outside itself, so it was not opened.")
        )
    if entry.flag_bits & 0x1:
        raise ImportFileRefused(
            "locked", _("The file is locked with a password; save it without one and try again.")
        )


def _damaged() -> ImportFileRefused:
    return ImportFileRefused(
        "damaged",
        _("The file is damaged or was cut short on its way; save it again and send it again."),
    )


def _too_much() -> ImportFileRefused:
    return ImportFileRefused(
        "unpacks_too_large",
        _(
            "Unpacked, the file is larger than %(limit)s MB or far larger than it was sent as; "
            "send fewer rows, or save it as CSV.",
            limit=UNPACKED_BYTES // (1024 * 1024),
        ),
    )
