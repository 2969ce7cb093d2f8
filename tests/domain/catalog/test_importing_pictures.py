"""Pictures of an import are made as they come: shown together, once, in time, and never twice."""

from __future__ import annotations

import itertools
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from app.db.tenancy import inside_store
from app.domain.catalog.importing import pictures
from app.domain.catalog.importing.pictures import (
    AT_A_TIME,
    LINK_SECONDS,
    TOGETHER,
    PictureNotFetched,
    bring_pictures,
    picture_counts,
    refused_pictures,
)
from app.domain.catalog.models import Product, ProductImage
from app.domain.errors import NotFound
from app.domain.media import apart
from app.domain.media.actions import MAX_PHOTOS, add_photo, make_photo
from app.domain.media.apart import PROGRAMS
from app.domain.media.avif import make_avif
from app.domain.media.making import AVIF
from app.domain.stores.models import Store
from app.i18n import gettext, using_locale
from config import Settings
from tests.conftest import Database
from tests.domain.catalog.test_import_runs import bring
from tests.photo_files import plain_photo

PHOTO = plain_photo(size=(200, 150))


def sheet(count: int) -> str:
    rows = (f"Thing {n},100,https://x.example/{n}.jpg\n" for n in range(count))
    return "Name,Price,Image\n" + "".join(rows)


def give(url: str) -> bytes:
    return PHOTO


def photos(session: Session) -> list[ProductImage]:
    session.expire_all()
    return list(session.scalars(select(ProductImage).order_by(ProductImage.id)))


def asked(session: Session, topic: str) -> list[dict[str, Any]]:
    query = text("SELECT payload FROM app.outbox WHERE topic = :topic ORDER BY created_at, id")
    found = list(session.scalars(query, {"topic": topic}))
    session.commit()
    return found


def pages_changed(session: Session) -> int:
    query = text("SELECT content_version FROM app.stores WHERE id = app.store_id()")
    found = int(session.scalar(query) or 0)
    session.commit()
    return found


NewFiles = Callable[[], set[Path]]


@pytest.fixture
def new_files(settings: Settings) -> NewFiles:
    """Asks which files this test brought into the store of pictures."""
    folder = Path(settings.media_dir)

    def files() -> set[Path]:
        return {path for path in folder.rglob("*") if path.is_file()}

    before = files()
    return lambda: files() - before


@pytest.mark.row("I21", "W8")
def test_pictures_are_shown_as_they_come_and_change_the_pages_once_for_many(
    session: Session,
) -> None:
    done = bring(session, sheet(TOGETHER + 2))
    before = pages_changed(session)

    assert bring_pictures(session, done.id, give) is False

    rows = photos(session)
    assert picture_counts(session, done.id) == {"done": TOGETHER + 2}
    assert {row.status for row in rows} == {"ready"}
    assert all(set(row.files) == {"webp", "jpg"} and row.width == 200 for row in rows)
    assert pages_changed(session) == before + 2
    # No job for each: one of smaller files for what came together.
    assert asked(session, "make_picture") == []
    later = asked(session, "make_avif")
    assert [len(payload["photo_ids"]) for payload in later] == [TOGETHER, 2]

    for payload in later:
        make_avif(session, [UUID(photo_id) for photo_id in payload["photo_ids"]])
    assert all(AVIF in row.files for row in photos(session))
    assert pages_changed(session) == before + 4


@pytest.mark.row("I21", "W8")
def test_a_program_is_started_for_many_pictures_and_not_for_each(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = bring(session, sheet(TOGETHER))
    started: list[subprocess.Popen[bytes]] = []
    start = subprocess.Popen

    def counted(*facts: Any, **more: Any) -> subprocess.Popen[bytes]:
        started.append(start(*facts, **more))
        return started[-1]

    monkeypatch.setattr(apart.subprocess, "Popen", counted)
    bring_pictures(session, done.id, give)

    assert picture_counts(session, done.id) == {"done": TOGETHER}
    assert 1 <= len(started) <= PROGRAMS
    assert all(program.returncode is not None for program in started)  # none goes on alone


@pytest.mark.row("I21")
def test_a_picture_that_cannot_be_made_says_so_and_hangs_nowhere(
    session: Session, new_files: NewFiles
) -> None:
    done = bring(session, sheet(2))

    bring_pictures(session, done.id, lambda url: PHOTO[:900] if "0.jpg" in url else PHOTO)

    assert picture_counts(session, done.id) == {"done": 1, "refused": 1}
    [row] = photos(session)
    assert all(row.media_key in path.name for path in new_files())


@pytest.mark.row("I21")
def test_a_picture_that_somebody_else_brought_meanwhile_hangs_once(
    session: Session, database: Database, new_files: NewFiles
) -> None:
    done = bring(session, sheet(1))

    def given_to_both(url: str) -> bytes:
        with psycopg.connect(database.superuser, autocommit=True) as other:
            other.execute("UPDATE app.import_pictures SET status = 'done'")
        return PHOTO

    bring_pictures(session, done.id, given_to_both)

    assert photos(session) == []
    assert new_files() == set()
    assert asked(session, "make_avif") == []


@pytest.mark.row("I21")
def test_a_product_that_has_its_fill_takes_no_more_and_keeps_no_file(
    session: Session, new_files: NewFiles
) -> None:
    done = bring(session, sheet(1))
    product_id = session.scalars(select(Product.id)).one()
    for _n in range(MAX_PHOTOS):
        add_photo(session, product_id, b"", filename="x", actor="Wanjiku")
    session.commit()

    bring_pictures(session, done.id, give)

    [refused] = refused_pictures(session, done.id)
    assert str(MAX_PHOTOS) in refused.sentence
    assert len(photos(session)) == MAX_PHOTOS
    assert new_files() == set()


@pytest.mark.row("I21")
def test_a_picture_that_came_too_late_to_be_made_here_gets_a_job_of_its_own(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = bring(session, sheet(1))
    monkeypatch.setattr(pictures, "MAKING_SECONDS", -2 * LINK_SECONDS)

    bring_pictures(session, done.id, give)

    [row] = photos(session)
    assert row.status == "waiting"
    assert asked(session, "make_picture") == [{"photo_id": str(row.id)}]
    make_photo(session, row.id)
    assert [photo.status for photo in photos(session)] == ["ready"]


@pytest.mark.row("I21")
def test_after_some_seconds_the_next_job_goes_on_so_that_others_come_between(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = bring(session, sheet(TOGETHER))
    fetched: list[str] = []

    def one_second_each(url: str) -> bytes:
        fetched.append(url)
        return PHOTO

    ticks = itertools.count()
    monkeypatch.setattr(pictures, "monotonic", lambda: float(next(ticks)))
    monkeypatch.setattr(pictures, "MAKING_SECONDS", 10**9)
    assert bring_pictures(session, done.id, one_second_each) is True
    assert LINK_SECONDS - AT_A_TIME <= len(fetched) <= LINK_SECONDS
    assert picture_counts(session, done.id)["done"] == len(fetched)
    assert asked(session, "fetch_import_pictures")[-1]["import_id"] == str(done.id)

    while bring_pictures(session, done.id, one_second_each):
        pass
    assert picture_counts(session, done.id) == {"done": TOGETHER}
    assert len(fetched) == len(set(fetched)) == TOGETHER


@pytest.mark.row("I21")
def test_a_job_that_was_killed_before_it_hung_its_pictures_loses_none(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = bring(session, sheet(2))

    def die(*_facts: object, **_more: object) -> None:
        raise OSError("killed")

    with monkeypatch.context() as patch:
        patch.setattr(pictures, "hang_photos", die)
        with pytest.raises(OSError, match="killed"):
            bring_pictures(session, done.id, give)
    session.rollback()
    assert photos(session) == []

    bring_pictures(session, done.id, give)

    assert picture_counts(session, done.id) == {"done": 2}
    assert len(photos(session)) == 2


@pytest.mark.row("I21")
def test_what_is_said_of_a_picture_is_in_the_language_of_the_import(session: Session) -> None:
    done = bring(session, sheet(TOGETHER + 1))

    def no_picture(url: str) -> bytes:
        raise PictureNotFetched(gettext("That file is not a picture we can show."))

    with using_locale("sw"):
        bring_pictures(session, done.id, no_picture)

    assert {picture.sentence for picture in refused_pictures(session, done.id)} == {
        "Faili hiyo si picha tunayoweza kuonyesha.",
        "x.example haikujibu kuhusu picha hapo awali, kwa hiyo haikuulizwa.",
    }


@pytest.mark.row("I21")
def test_another_store_brings_none_of_our_pictures(
    session: Session, store: Store, theirs: Store, new_files: NewFiles
) -> None:
    done_id = bring(session, sheet(1)).id
    session.commit()
    with inside_store(theirs.id), pytest.raises(NotFound):
        bring_pictures(session, done_id, give)
    session.rollback()

    assert new_files() == set()
    assert picture_counts(session, done_id) == {"waiting": 1}
