"""bin/manage: the product's commands, beside a running stack or on their own."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from local import os_process
from local.home import CHECKOUT, Home
from local.stack import Stack

PLAN = Path(__file__).with_name("stand_in.toml")


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "home"
    yield folder
    stack = Stack(folder)
    stack.home.make()
    assert stack.take_lock()
    stack.forget()
    stack.stop()


def manage(home: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(CHECKOUT / "bin" / "manage"), *words],
        env={**os.environ, "DUKANI_HOME": str(home)},
        cwd="/",
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.row("W58")
def test_on_its_own_it_starts_the_servers_migrates_and_stops_them(home: Path) -> None:
    done = manage(home, "db", "upgrade")
    assert done.returncode == 0, done.stderr
    done = manage(home, "db", "current")
    assert done.returncode == 0, done.stderr
    assert "(head)" in done.stdout + done.stderr
    assert os_process.marked(Home(home).marker) == []
    assert not (home / "running.json").exists()


def test_beside_a_running_stack_it_uses_that_ones_servers(home: Path) -> None:
    with Stack(home, fast=True, plan=PLAN, processes={"web"}) as stack:
        assert manage(home, "migrate").returncode == 0
        done = manage(home, "db", "current")
        assert "(head)" in done.stdout + done.stderr
        assert stack.pids("web")


def test_a_command_that_fails_says_so_with_its_status(home: Path) -> None:
    done = manage(home, "db", "downgrade", "no-such-revision")
    assert done.returncode != 0
    assert "no-such-revision" in done.stdout + done.stderr
