"""Uploaded photos: kept as they came, made by a job, framed, put in order, removed, swept."""

from __future__ import annotations

import io
import secrets
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest
from PIL import Image
from sqlalchemy import text
from sqlalchemy.orm import Session

from app.clock import utcnow
from app.db.tenancy import bound_store, inside_store
from app.domain.catalog.models import Product, ProductImage
from app.domain.changes.actions import ChangedSince, latest_change, take_back
from app.domain.errors import FieldProblem, NotFound
from app.domain.media import actions, apart, avif
from app.domain.media.actions import (
    MAX_PHOTOS,
    add_photo,
    describe_photo,
    make_photo,
    move_photo,
    open_picture,
    order_photos,
    remove_photo,
    sweep_photos,
)
from app.domain.media.apart import made_apart
from app.domain.media.avif import make_avif
from app.domain.media.hanging import FIRST, facts_of, raw_name
from app.domain.media.making import AVIF
from app.domain.media.queries import photos_of
from app.domain.media.refusals import refusal_words
from app.domain.media.storage import Bucket, keep
from app.domain.stores.models import Store
from app.ids import new_id, new_token
from config import Settings
from tests.builders import make_variant


def photo(width: int = 640, height: int = 480, colour: str = "teal") -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (width, height), colour).save(out, "JPEG")
    return out.getvalue()


def make_product(session: Session) -> Product:
    return make_variant(session).product


def added(session: Session, product: Product, count: int = 1) -> list[ProductImage]:
    rows = [
        add_photo(session, product.id, photo(), filename=f"IMG_{n}.jpg", actor="Wanjiku")
        for n in range(count)
    ]
    session.commit()
    return rows


def raw_files(settings: Settings) -> list[Path]:
    return [p for p in Path(settings.media_dir, "raw", str(bound_store())).glob("*") if p.is_file()]


def order_of(session: Session, product: Product) -> list[UUID]:
    session.expire_all()
    return [row.id for row in photos_of(session, product.id)]


def pages_changed(session: Session) -> int:
    """How often the pages of this store changed so far."""
    found = session.scalar(text("SELECT content_version FROM app.stores WHERE id = app.store_id()"))
    session.commit()
    return int(found or 0)


def shown(session: Session, product: Product, count: int = 1) -> list[ProductImage]:
    """Photos that shoppers see, and whose smaller files are still to be made."""
    rows = added(session, product, count)
    for row in rows:
        make_photo(session, row.id)
        session.refresh(row)
    return rows


@pytest.mark.row("W8")
def test_a_photo_waits_is_made_and_then_shown(session: Session, settings: Settings) -> None:
    product = make_product(session)
    [row] = added(session, product)

    assert (row.status, row.alt, row.filename) == ("waiting", product.name, "IMG_0.jpg")
    assert len(raw_files(settings)) == 1
    asked = session.execute(
        text("SELECT queue, payload FROM app.outbox WHERE topic = 'make_picture'")
    ).one()
    assert asked == ("bulk", {"photo_id": str(row.id)})
    session.refresh(product)
    assert product.images == []

    make_photo(session, row.id)

    session.refresh(row)
    assert (row.status, row.width, row.height) == ("ready", 640, 480)
    assert set(row.files) == {"webp", "jpg"}
    assert set(row.sizes) == {"160", "320", "640"}
    session.refresh(product)
    assert [image.id for image in product.images] == [row.id]
    for name, sizes in row.files.items():
        data = open_picture(row.media_key, 320, name)
        assert data is not None
        assert len(data) == sizes["320"]
        with Image.open(io.BytesIO(data)) as shown:
            assert shown.size == (320, 240)


@pytest.mark.row("W8")
def test_the_smaller_files_follow_and_then_what_came_is_forgotten(
    session: Session, settings: Settings
) -> None:
    product = make_product(session)
    [row] = shown(session, product)
    asked = session.execute(
        text(
            "SELECT queue, payload, available_at - now() AS wait FROM app.outbox"
            " WHERE topic = 'make_avif'"
        )
    ).one()
    session.commit()
    assert asked[:2] == ("bulk", {"photo_ids": [str(row.id)]})
    assert asked.wait > timedelta(seconds=60)  # those that nobody has seen yet come first
    assert len(raw_files(settings)) == 1
    before = pages_changed(session)

    assert make_avif(session, [row.id]) is False

    session.refresh(row)
    assert set(row.files) == {"avif", "webp", "jpg"}
    assert set(row.files["avif"]) == set(row.sizes)
    for width, size in row.files["avif"].items():
        data = open_picture(row.media_key, int(width), AVIF)
        assert data is not None
        assert len(data) == size
    assert raw_files(settings) == []
    assert pages_changed(session) == before + 1
    # A second ring finds nothing to do, and no page changes for it.
    assert make_avif(session, [row.id]) is False
    assert pages_changed(session) == before + 1


@pytest.mark.row("W8")
def test_smaller_files_of_many_photos_change_the_pages_once(session: Session) -> None:
    mugs = shown(session, make_variant(session, sku="MUG").product, 3)
    [jug] = shown(session, make_variant(session, sku="JUG").product)
    before = pages_changed(session)

    make_avif(session, [mugs[0].id, jug.id])  # the other two mugs go with the first

    session.expire_all()
    assert all(AVIF in row.files for row in [*mugs, jug])
    assert pages_changed(session) == before + 1


def test_a_job_of_smaller_files_that_died_half_way_is_done_again(
    session: Session, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    [row] = shown(session, make_product(session))

    def die(*_facts: object) -> None:
        raise OSError("killed")

    with monkeypatch.context() as patch:
        patch.setattr(avif, "_write", die)
        with pytest.raises(OSError, match="killed"):
            make_avif(session, [row.id])
    session.rollback()
    session.refresh(row)
    assert (row.status, set(row.files)) == ("ready", {"webp", "jpg"})
    assert len(raw_files(settings)) == 1

    make_avif(session, [row.id])

    session.refresh(row)
    assert AVIF in row.files
    assert raw_files(settings) == []


def test_a_job_that_died_before_it_forgot_what_came_changes_no_page_again(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    [row] = shown(session, make_product(session))
    with monkeypatch.context() as patch:
        patch.setattr(avif, "forget", lambda bucket, names: None)
        make_avif(session, [row.id])
    before = pages_changed(session)

    make_avif(session, [row.id])

    assert pages_changed(session) == before


def test_smaller_files_that_cannot_be_made_leave_the_photo_as_it_is(
    session: Session, settings: Settings
) -> None:
    [row] = shown(session, make_product(session))
    before = pages_changed(session)
    raw_files(settings)[0].write_bytes(photo()[:500])

    assert make_avif(session, [row.id]) is False

    session.refresh(row)
    assert (row.status, set(row.files)) == ("ready", {"webp", "jpg"})
    assert raw_files(settings) == []
    assert pages_changed(session) == before


def test_smaller_files_of_a_photo_that_went_meanwhile_go_too(
    session: Session, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    [row] = shown(session, make_product(session))
    photo_id, key = row.id, row.media_key
    write = avif._write

    def gone_before(session: Session, made: dict[UUID, dict[str, int]]) -> set[UUID]:
        session.execute(text("DELETE FROM app.product_images WHERE id = :id"), {"id": photo_id})
        return write(session, made)

    monkeypatch.setattr(avif, "_write", gone_before)
    assert make_avif(session, [photo_id]) is False

    assert open_picture(key, 320, AVIF) is None
    assert raw_files(settings) == []
    assert make_avif(session, [photo_id]) is False


def test_a_removed_photo_gets_its_smaller_files_for_the_day_it_is_put_back(
    session: Session, settings: Settings
) -> None:
    product = make_product(session)
    [row] = shown(session, product)
    remove_photo(session, product.id, row.id, actor="Wanjiku")
    session.commit()

    make_avif(session, [row.id])

    session.refresh(row)
    assert AVIF in row.files
    assert row.removed_at is not None
    assert raw_files(settings) == []


def test_another_store_makes_no_smaller_files_of_ours(
    session: Session, theirs: Store, settings: Settings
) -> None:
    [row] = shown(session, make_product(session))
    photo_id = row.id
    session.rollback()
    with inside_store(theirs.id):
        assert make_avif(session, [photo_id]) is False

    session.refresh(row)
    assert AVIF not in row.files
    assert len(raw_files(settings)) == 1


def test_smaller_files_that_were_not_begun_in_time_are_asked_for_again(session: Session) -> None:
    [row] = shown(session, make_product(session))

    assert make_avif(session, [row.id], seconds=-1) is True

    asked = session.scalars(
        text("SELECT payload FROM app.outbox WHERE topic = 'make_avif' ORDER BY created_at")
    ).all()
    session.refresh(row)
    assert asked == [{"photo_ids": [str(row.id)]}] * 2
    assert AVIF not in row.files
    assert make_avif(session, [row.id]) is False


def test_the_job_may_run_twice_and_after_a_crash(session: Session) -> None:
    [row] = added(session, make_product(session))
    actions.start_making(session, row.id)
    session.commit()  # the worker died here

    make_photo(session, row.id)
    session.refresh(row)
    first = row.files
    make_photo(session, row.id)
    session.refresh(row)

    assert row.status == "ready"
    assert row.files == first


def test_a_bad_file_is_refused_with_a_sentence_and_blocks_no_other(session: Session) -> None:
    product = make_product(session)
    whole = photo(1200, 900)
    uploads = {
        "empty.jpg": (b"", "empty"),
        "page.jpg": (b"<html>Not found</html>", "not_a_photo"),
        "cut.jpg": (whole[: len(whole) // 2], "broken"),
        "IMG_5195.HEIC": (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "heic"),
        "huge.jpg": (whole + bytes(8 * 1024 * 1024), "too_many_bytes"),
        "good.jpg": (whole, ""),
    }
    rows = {
        name: add_photo(session, product.id, data, filename=name, actor="Wanjiku")
        for name, (data, _reason) in uploads.items()
    }
    session.commit()
    for row in rows.values():
        make_photo(session, row.id)
        session.refresh(row)

    assert {name: row.refusal for name, row in rows.items()} == {
        name: reason for name, (_data, reason) in uploads.items()
    }
    assert rows["good.jpg"].status == "ready"
    assert "Most Compatible" in str(refusal_words("heic"))


def test_an_upload_is_kept_before_the_audit_trail_is_locked(
    session: Session, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    product = make_product(session)
    session.commit()
    locked: list[bool] = []
    query = text(
        "SELECT EXISTS (SELECT FROM pg_locks WHERE pid = pg_backend_pid() AND locktype = 'advisory')"
    )

    def watched(bucket: Bucket, path: str, data: bytes) -> None:
        locked.append(bool(session.scalar(query)))
        keep(bucket, path, data)

    monkeypatch.setattr(actions, "keep", watched)

    add_photo(session, product.id, photo(), filename="a.jpg", actor="Wanjiku")

    assert session.scalar(query) is True
    assert locked == [False]
    assert [file.read_bytes() for file in raw_files(settings)] == [photo()]


def test_an_upload_that_was_lost_says_so(session: Session, settings: Settings) -> None:
    [row] = added(session, make_product(session))
    raw_files(settings)[0].unlink()

    make_photo(session, row.id)

    session.refresh(row)
    assert (row.status, row.refusal) == ("refused", "lost")


def test_a_file_that_takes_too_long_is_refused(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    [row] = added(session, make_product(session))
    monkeypatch.setattr(apart, "WALL_SECONDS", 0.001)

    make_photo(session, row.id)

    session.refresh(row)
    assert (row.status, row.refusal) == ("refused", "too_heavy")


def test_only_a_product_of_ours_takes_photos_and_only_so_many(
    session: Session, settings: Settings
) -> None:
    product = make_product(session)
    for _n in range(MAX_PHOTOS):
        add_photo(session, product.id, b"", filename="x", actor="Wanjiku")

    with pytest.raises(FieldProblem):
        add_photo(session, product.id, photo(), filename="x", actor="Wanjiku")
    with pytest.raises(NotFound):
        add_photo(session, new_id(), photo(), filename="x", actor="Wanjiku")
    assert raw_files(settings) == []


def test_photos_are_moved_and_put_in_order_and_back(session: Session) -> None:
    product = make_product(session)
    a, b, c = (row.id for row in added(session, product, 3))

    move_photo(session, product.id, c, -1, actor="Wanjiku")
    assert order_of(session, product) == [a, c, b]
    move_photo(session, product.id, a, -1, actor="Wanjiku")
    assert order_of(session, product) == [a, c, b]
    change = order_photos(session, product.id, [b, new_id(), b], actor="Wanjiku")
    assert order_of(session, product) == [b, a, c]
    session.commit()

    assert change is not None
    take_back(session, change.id, actor="Wanjiku")
    assert order_of(session, product) == [a, c, b]


def test_an_order_that_changed_again_is_not_put_back(session: Session) -> None:
    product = make_product(session)
    a, b = (row.id for row in added(session, product, 2))
    change = move_photo(session, product.id, b, -1, actor="Wanjiku")
    move_photo(session, product.id, a, -1, actor="Otieno")
    session.commit()

    assert change is not None
    with pytest.raises(ChangedSince):
        take_back(session, change.id, actor="Wanjiku")


def test_words_choice_and_point_of_a_photo(session: Session) -> None:
    product = make_product(session)
    product.options = ["Colour"]
    product.variants[0].option_values = ["Blue"]
    [row] = added(session, product)

    change = describe_photo(
        session, product.id, row.id,
        alt="  A blue  mug ", option_value="Blue", focal=(20, 80), actor="Wanjiku",
    )  # fmt: skip
    assert (row.alt, row.option_value, row.focal_x, row.focal_y) == ("A blue mug", "Blue", 20, 80)
    for wrong in ({"option_value": "Red"}, {"focal": (101, 0)}):
        facts = {"alt": "x", "option_value": "Blue", "focal": (1, 1), **wrong}
        with pytest.raises(FieldProblem):
            describe_photo(session, product.id, row.id, actor="Wanjiku", **facts)  # type: ignore[arg-type]

    session.commit()
    assert change is not None
    take_back(session, change.id, actor="Wanjiku")
    session.refresh(row)
    assert (row.alt, row.option_value, row.focal_x) == (product.name, None, 50)


def test_a_removed_photo_comes_back_and_after_thirty_days_its_files_go(
    session: Session, settings: Settings
) -> None:
    product = make_product(session)
    [row] = added(session, product)
    make_photo(session, row.id)

    remove_photo(session, product.id, row.id, actor="Wanjiku")
    session.commit()
    assert photos_of(session, product.id) == []
    change = latest_change(session, "photo", subject=str(product.id))
    assert change is not None
    take_back(session, change.id, actor="Wanjiku")
    session.commit()
    assert order_of(session, product) == [row.id]
    remove_photo(session, product.id, row.id, actor="Wanjiku")
    session.commit()
    assert sweep_photos(session) == 0
    key = row.media_key
    session.execute(
        text("UPDATE app.product_images SET removed_at = now() - interval '31 days' WHERE id = :i"),
        {"i": row.id},
    )
    session.expire_all()

    assert sweep_photos(session) == 1
    session.commit()
    assert open_picture(key, 320) is None
    assert photos_of(session, product.id) == []


def test_uploads_that_nobody_made_anything_of_are_swept(
    session: Session, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    added(session, make_product(session))
    sweep_photos(session)
    assert len(raw_files(settings)) == 1

    monkeypatch.setattr(actions, "utcnow", lambda: utcnow() + timedelta(days=2))
    sweep_photos(session)

    assert raw_files(settings) == []


def test_what_a_killed_job_left_is_swept_and_what_is_shown_stays(
    session: Session, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    [row] = shown(session, make_product(session))
    left = new_token()  # made, and the job was killed before it hung it
    actions.keep(actions.open_bucket(actions.place_for(None)), raw_name(left), photo())
    facts_of(left, made_apart(photo(), FIRST))

    monkeypatch.setattr(actions, "utcnow", lambda: utcnow() + timedelta(days=2))
    sweep_photos(session)

    assert raw_files(settings) == []
    assert open_picture(left, 320) is None
    assert open_picture(row.media_key, 320) is not None


def test_an_address_leads_to_finished_files_only(
    session: Session, store: Store, settings: Settings
) -> None:
    [row] = added(session, make_product(session))

    assert open_picture(row.media_key, 320) is None
    assert open_picture(secrets.token_hex(16), 320, "jpg") is None
    assert open_picture(row.media_key, 321) is None
    assert open_picture(row.media_key, 320, "raw") is None
