"""The pictures a file names: fetched, unpacked or copied after the goods are in.

A picture may be an address, a file in the same ZIP, or one of our own pictures by its key. Each
is its own small piece of work: a bad or slow one costs itself only, and stopping in the middle
loses nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
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
from app.domain.media.actions import add_photo
from app.domain.media.making import FORMATS, WIDTHS
from app.domain.media.pictures import file_name
from app.domain.media.storage import fetch as fetch_file
from app.domain.media.storage import keep, open_bucket, place_for
from app.i18n import current_locale
from app.i18n import gettext as _
from app.ids import new_id, new_token
from app.jobs import Topic, ask_for

LINK_SECONDS: Final = 20.0
AT_A_TIME: Final = 8
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

    Commits after each picture: they come from outside and may take long. What is left is asked
    for as a job of its own. Safe to call twice, also at once.
    """
    kept = get_import(session, import_id)
    actor = kept.actor
    end = monotonic() + seconds
    failures: dict[str, int] = {}
    with _sources(session, kept) as sources, ThreadPoolExecutor(AT_A_TIME) as threads:
        session.commit()
        while waiting := _waiting(session, import_id):
            session.commit()
            known = [(p.id, p.source) for p in waiting]
            bodies = list(threads.map(lambda one: _get(one[1], sources, fetch, failures), known))
            for (picture_id, source), body in zip(known, bodies, strict=True):
                host = urlsplit(source).hostname or ""
                failures[host] = failures.get(host, 0) + 1 if isinstance(body, str) else 0
                _keep(session, picture_id, body, actor)
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


def _waiting(session: Session, import_id: UUID) -> list[ImportPicture]:
    return list(
        session.scalars(
            select(ImportPicture)
            .where(*_of(import_id), ImportPicture.status == "waiting")
            .order_by(ImportPicture.id)
            .limit(AT_A_TIME)
        )
    )


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


def _get(
    source: str, sources: _Sources, fetch: Fetch, failures: dict[str, int]
) -> bytes | Copy | str:
    """The picture's bytes, the facts of one of ours to copy, or a sentence why it does not come."""
    if match := _OWN.match(source):
        facts = sources.own.get(match[1])
        if facts and (copied := _copied(match[1], facts)):
            return copied
    if not re.match(r"https?://", source, re.I):
        return sources.find(source) or _(
            "There is no file “%(name)s” beside the sheet.", name=source[:80]
        )
    host = urlsplit(source).hostname or ""
    if failures.get(host, 0) >= PATIENCE:
        return _("%(host)s did not answer for the pictures before, so it was not asked.", host=host)
    try:
        return fetch(source)
    except PictureNotFetched as error:
        return str(error)


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


def _keep(session: Session, picture_id: UUID, body: bytes | Copy | str, actor: str) -> None:
    picture = session.scalar(
        select(ImportPicture)
        .where(ImportPicture.store_id == bound_store(), ImportPicture.id == picture_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    if picture is None or picture.status != "waiting":
        return
    if isinstance(body, str):
        picture.status, picture.sentence = "refused", body[:300]
        return
    try:
        photo = _hang(session, picture, body, actor)
    except DomainError as no:
        picture.status, picture.sentence = "refused", str(no)[:300]
        return
    if photo.status == "refused":
        picture.status, picture.sentence = "refused", _("That file is not a picture we can show.")
        return
    picture.status = "done"
    touch_content(session)


def _hang(session: Session, picture: ImportPicture, body: bytes | Copy, actor: str) -> ProductImage:
    if isinstance(body, bytes):
        photo = add_photo(
            session,
            picture.product_id,
            body,
            filename=picture.source.rpartition("/")[2][:120],
            actor=actor,
            option_value=picture.option_value,
        )
    else:
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
            **body,
        )
        session.add(photo)
    if picture.alt:
        photo.alt = picture.alt
    session.flush()
    return photo


def forget_waiting(session: Session, import_id: UUID, sentence: str) -> None:
    """Say of every picture still on its way that it does not come."""
    session.execute(
        update(ImportPicture)
        .where(*_of(import_id), ImportPicture.status == "waiting")
        .values(status="refused", sentence=sentence)
    )
