"""The pictures a file names: fetched, unpacked or copied after the goods are in.

A picture may be an address, a file in the same ZIP, or one of our own pictures by its key. A bad or
slow one costs itself only. A few dozen are fetched and made at a time, and hung together: shoppers
see them at once, their pages change once, and stopping in the middle loses nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import Context, copy_context
from dataclasses import dataclass
from itertools import groupby
from threading import Lock
from time import monotonic
from typing import Any, Final
from urllib.parse import urlsplit
from uuid import UUID

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from app.db.tenancy import bound_store
from app.domain.catalog.actions import touch_content
from app.domain.catalog.importing import archives
from app.domain.catalog.importing.limits import BUNDLE_ENTRIES, PICTURE_BYTES, ImportFileRefused
from app.domain.catalog.importing.manifest import read_manifest
from app.domain.catalog.importing.records import (
    CatalogueImport,
    ImportPicture,
    UploadGone,
    get_import,
    upload_of,
)
from app.domain.catalog.models import Product, ProductImage
from app.domain.errors import DomainError
from app.domain.media.apart import PhotoPrograms
from app.domain.media.hanging import (
    FIRST,
    NewPhoto,
    facts_of,
    forget_photo,
    hang_photos,
    raw_name,
)
from app.domain.media.making import FORMATS, WIDTHS, Unfit, look_at
from app.domain.media.pictures import file_name
from app.domain.media.storage import fetch as fetch_file
from app.domain.media.storage import keep, open_bucket, place_for
from app.i18n import current_locale
from app.i18n import gettext as _
from app.ids import new_id, new_token
from app.jobs import Topic, ask_for

# Short, because a person's own photo waits behind it.
LINK_SECONDS: Final = 10.0
# What was fetched late is left to a job of its own: one that is being made may take half a minute.
MAKING_SECONDS: Final = 10.0
AT_A_TIME: Final = 8
TOGETHER: Final = 24
# After so many pictures in a row that a host did not give, the rest of its are not asked for.
PATIENCE: Final = 5
_OWN: Final = re.compile(r"^pictures/([0-9a-f]{32})\.[a-z]{3,4}$")


class PictureNotFetched(DomainError):
    """The address gave no picture; the sentence says why."""


Fetch = Callable[[str], bytes]
"""Gets the bytes at an address of the open internet. Raises PictureNotFetched."""


def picture_counts(session: Session, import_id: UUID) -> dict[str, int]:
    """How many pictures of an import are waiting, done and refused."""
    rows = session.execute(
        select(ImportPicture.status, func.count())
        .where(*_of(import_id))
        .group_by(ImportPicture.status)
    )
    return {status: int(count) for status, count in rows}


def refused_pictures(session: Session, import_id: UUID, *, limit: int = 100) -> list[ImportPicture]:
    """Pictures that did not come, with the reason."""
    return list(
        session.scalars(
            select(ImportPicture)
            .where(*_of(import_id), ImportPicture.status == "refused")
            .order_by(ImportPicture.id)
            .limit(limit)
        )
    )


def bring_pictures(
    session: Session, import_id: UUID, fetch: Fetch, *, seconds: float = LINK_SECONDS
) -> bool:
    """Bring the next pictures for about ``seconds``; True while some are left.

    Commits after every two dozen: they come from outside and may take long. What is left is asked
    for as a job of its own. Safe to call twice, also at once.
    """
    kept = get_import(session, import_id)
    actor = kept.actor
    end = monotonic() + seconds
    with (
        _sources(session, kept) as sources,
        PhotoPrograms() as programs,
        ThreadPoolExecutor(AT_A_TIME) as threads,
    ):
        bringer = _Bringer(sources, fetch, programs, end)
        session.commit()
        while waiting := _waiting(session, import_id):
            session.commit()
            # A thread speaks the language, and knows the store, of a context that it is given.
            found = threads.map(
                lambda picture: picture.context.run(bringer.bring, picture), waiting
            )
            _hang(session, dict(zip((p.id for p in waiting), found, strict=True)), actor)
            session.commit()
            if monotonic() > end:
                ask_for(
                    session,
                    Topic.FETCH_IMPORT_PICTURES,
                    key=f"{import_id}:{new_id()}",
                    import_id=str(import_id),
                    language=current_locale(),
                )
                session.commit()
                return True
    session.commit()
    return False


def _of(import_id: UUID) -> tuple[Any, ...]:
    return (ImportPicture.store_id == bound_store(), ImportPicture.import_id == import_id)


@dataclass(frozen=True, kw_only=True)
class _Waiting:
    """A picture still to be brought, as a thread may know it."""

    id: UUID
    product_id: UUID
    source: str
    option_value: str | None
    alt: str
    context: Context


def _waiting(session: Session, import_id: UUID) -> list[_Waiting]:
    rows = session.execute(
        select(
            ImportPicture.id,
            ImportPicture.product_id,
            ImportPicture.source,
            ImportPicture.option_value,
            ImportPicture.alt,
        )
        .where(*_of(import_id), ImportPicture.status == "waiting")
        .order_by(ImportPicture.id)
        .limit(TOGETHER)
    )
    return [_Waiting(**row._mapping, context=copy_context()) for row in rows]


# -- where a picture is ---------------------------------------------------------------------

Copy = dict[str, Any]


class _Sources:
    """The ZIP that came with the sheet, by file name, and what is known of our own pictures."""

    def __init__(self, data: bytes, archive: Any) -> None:
        self.archive = archive
        self.own = read_manifest(data)[1] if archive else {}
        names = archive.namelist() if archive else []
        self.names = {name.casefold(): name for name in names}
        # A person writes "red-shoe.jpg" and keeps it in a folder.
        self.short = {name.rpartition("/")[2].casefold(): name for name in names}

    def find(self, source: str) -> bytes | None:
        wanted = source.strip().replace("\\", "/").casefold()
        name = self.names.get(wanted) or self.short.get(wanted.rpartition("/")[2])
        if name is None or self.archive is None:
            return None
        return archives.read_entry(self.archive, name, most_bytes=PICTURE_BYTES)


@contextmanager
def _sources(session: Session, kept: CatalogueImport) -> Iterator[_Sources]:
    try:
        data = upload_of(session, kept)
    except UploadGone:
        yield _Sources(b"", None)
        return
    if not archives.is_zip(data):
        yield _Sources(b"", None)
        return
    try:
        with archives.opened(data, entries_limit=BUNDLE_ENTRIES) as archive:
            yield _Sources(data, archive)
    except ImportFileRefused:
        yield _Sources(b"", None)


Brought = NewPhoto | Copy | str | None
"""A picture in our store, the facts of a copy, a sentence why there is none; None: not tried yet."""


class _Bringer:
    """Gets pictures, several at once, and makes their first files. Its threads touch no database."""

    def __init__(
        self, sources: _Sources, fetch: Fetch, programs: PhotoPrograms, end: float
    ) -> None:
        self.sources = sources
        self.fetch = fetch
        self.programs = programs
        self.end = end
        self.bucket = open_bucket(place_for(None))
        self._failures: dict[str, int] = {}
        self._lock = Lock()

    def bring(self, picture: _Waiting) -> Brought:
        """What becomes of one picture; None when the time was over before it was begun."""
        if monotonic() > self.end:
            return None
        body = self._get(picture.source)
        return self._made(picture, body) if isinstance(body, bytes) else body

    def _get(self, source: str) -> bytes | Copy | str:
        if match := _OWN.match(source):
            facts = self.sources.own.get(match[1])
            if facts and (copied := _copied(match[1], facts)):
                return copied
        if not re.match(r"https?://", source, re.I):
            return self.sources.find(source) or _(
                "There is no file “%(name)s” beside the sheet.", name=source[:80]
            )
        host = urlsplit(source).hostname or ""
        if self._failures.get(host, 0) >= PATIENCE:
            return _(
                "%(host)s did not answer for the pictures before, so it was not asked.", host=host
            )
        try:
            body = self.fetch(source)
        except PictureNotFetched as error:
            with self._lock:
                self._failures[host] = self._failures.get(host, 0) + 1
            return str(error)
        self._failures[host] = 0
        return body

    def _made(self, picture: _Waiting, data: bytes) -> NewPhoto | str:
        key = new_token()
        facts: dict[str, Any] = {}
        try:
            look_at(data)
            with self.programs.borrowed(until=self.end + MAKING_SECONDS) as program:
                made = program.make(data, FIRST) if program else None
        except Unfit:
            return _("That file is not a picture we can show.")
        # First, because the sweep finds by it what a job left that was killed.
        keep(self.bucket, raw_name(key), data)
        if made is not None:
            facts = facts_of(key, made)
        return NewPhoto(
            product_id=picture.product_id,
            media_key=key,
            filename=picture.source.rpartition("/")[2][:120],
            option_value=picture.option_value,
            alt=picture.alt,
            facts=facts,
        )


def _copied(key: str, facts: dict[str, Any]) -> Copy | None:
    """Copy the files of one of our own pictures to a new key; None when one is not here.

    A copy and not the same key: each shop may remove its pictures without the other's going.
    """
    bucket = open_bucket(place_for(None))
    new = new_token()
    files: dict[str, dict[str, int]] = {}
    for kind, widths in facts["files"].items():
        for width in widths:
            if kind not in FORMATS or width not in map(str, WIDTHS):
                return None
            body = fetch_file(bucket, file_name(key, int(width), kind))
            if body is None:
                return None
            keep(bucket, file_name(new, int(width), kind), body, kind=kind)
            files.setdefault(kind, {})[width] = len(body)
    if "webp" not in files or not (facts["width"] and facts["height"]):
        return None
    told = {name: value for name, value in facts.items() if name != "files"}
    return told | {"media_key": new, "files": files, "sizes": files["webp"], "status": "ready"}


# -- what becomes of it ---------------------------------------------------------------------


def _hang(session: Session, brought: dict[UUID, Brought], actor: str) -> None:
    """Hang what was brought, and say of the rest why not; pages change once.

    ``brought`` is emptied of what hangs; the files of the rest are removed.
    """
    pictures = session.scalars(
        select(ImportPicture)
        .where(
            ImportPicture.store_id == bound_store(),
            ImportPicture.id.in_([at for at, body in brought.items() if body is not None]),
            ImportPicture.status == "waiting",
        )
        .order_by(ImportPicture.id)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).all()
    # In runs, so that the photos of a product keep the order of the file.
    for is_copy, run in groupby(pictures, lambda picture: isinstance(brought[picture.id], dict)):
        if is_copy:
            _hang_copies(session, list(run), brought)
        else:
            _hang_new(session, list(run), brought, actor)
    if any(picture.status == "done" for picture in pictures):
        touch_content(session)
    _forget(brought.values())


def _hang_new(
    session: Session, pictures: Sequence[ImportPicture], brought: dict[UUID, Brought], actor: str
) -> None:
    new: list[tuple[ImportPicture, NewPhoto]] = []
    for picture in pictures:
        match brought.pop(picture.id):
            case str() as sentence:
                _refuse(picture, sentence)
            case NewPhoto() as photo:
                new.append((picture, photo))
    hung = hang_photos(session, [photo for _picture, photo in new], actor=actor)
    for (picture, photo), outcome in zip(new, hung, strict=True):
        if isinstance(outcome, DomainError):
            _refuse(picture, str(outcome))
            brought[picture.id] = photo
        else:
            picture.status = "done"


def _refuse(picture: ImportPicture, sentence: str) -> None:
    picture.status, picture.sentence = "refused", sentence[:300]


def _hang_copies(
    session: Session, pictures: Sequence[ImportPicture], brought: dict[UUID, Brought]
) -> None:
    for picture in pictures:
        copy = brought.pop(picture.id)
        assert isinstance(copy, dict)
        product = session.get_one(Product, (bound_store(), picture.product_id))
        last = session.scalar(
            select(func.max(ProductImage.position)).where(
                ProductImage.store_id == bound_store(), ProductImage.product_id == product.id
            )
        )
        photo = ProductImage(
            id=new_id(),
            product_id=product.id,
            option_value=picture.option_value,
            position=0 if last is None else last + 1,
            alt=product.name,
            **copy,
        )
        session.add(photo)
        if picture.alt:
            photo.alt = picture.alt
        session.flush()
        picture.status = "done"


def _forget(brought: Iterable[Brought]) -> None:
    """Remove the files of what does not hang: its product is full, or somebody else brought it."""
    bucket = open_bucket(place_for(None))
    for body in brought:
        match body:
            case NewPhoto(media_key=key) | {"media_key": str(key)}:
                forget_photo(bucket, key)


def forget_waiting(session: Session, import_id: UUID, sentence: str) -> None:
    """Say of every picture still on its way that it does not come."""
    session.execute(
        update(ImportPicture)
        .where(*_of(import_id), ImportPicture.status == "waiting")
        .values(status="refused", sentence=sentence)
    )
