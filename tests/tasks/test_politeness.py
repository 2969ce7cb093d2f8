"""Who steps back on the machine: whatever may wait a minute and works hard."""

from __future__ import annotations

import os

import pytest
from sqlalchemy.orm import Session

from app.ids import new_id
from app.jobs import Topic
from tasks.politeness import POLITENESS, be_polite
from tasks.runner import handlers


@pytest.fixture
def nice(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How far jobs step back: not this process, which runs other tests after."""
    asked: list[int] = []
    monkeypatch.setattr(os, "nice", lambda more: asked.append(more) or sum(asked))
    return asked


def test_jobs_of_one_process_step_back_once(nice: list[int]) -> None:
    be_polite()
    be_polite()

    assert sum(nice) == POLITENESS


@pytest.mark.row("W8")
@pytest.mark.parametrize(
    ("topic", "ids"),
    [
        pytest.param(Topic.MAKE_PICTURE, {"photo_id": str(new_id())}, id="a photo"),
        pytest.param(Topic.MAKE_AVIF, {"photo_ids": [str(new_id())]}, id="smaller files"),
    ],
)
def test_the_making_of_photos_steps_back_and_a_photo_that_is_gone_is_no_error(
    session: Session, nice: list[int], topic: Topic, ids: dict[str, str | list[str]]
) -> None:
    handlers()[topic].run(session, **ids)

    assert sum(nice) == POLITENESS
