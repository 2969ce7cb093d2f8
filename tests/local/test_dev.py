"""bin/dev as a person meets it: what it says, what it refuses, what it leaves behind."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from local import os_process, ports
from local.home import CHECKOUT, Home
from local.processes import answers
from tests.local.fresh import clone_to, give, python_and_packages, run_as, somebody_without_rights

PLAN = Path(__file__).with_name("stand_in.toml")
DEV = CHECKOUT / "bin" / "dev"


class Terminal:
    """bin/dev started the way a service manager would: no input, no home, another folder."""

    def __init__(self, home: Path, *options: str) -> None:
        self.home = Home(home)
        self.output = home.parent / f"{home.name}.out"
        environ = {
            name: value for name, value in os.environ.items() if name not in {"HOME", "DUKANI_HOME"}
        }
        with self.output.open("w") as output:
            self.process = subprocess.Popen(
                [str(DEV), "--plan", str(PLAN), *options],
                env={**environ, "DUKANI_HOME": str(home), "CI": "true"},
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    @property
    def said(self) -> str:
        return self.output.read_text()

    def until_ready(self) -> Terminal:
        ready = os_process.wait_until(
            lambda: "Ctrl-C stops" in self.said or self.process.poll() is not None, seconds=60
        )
        assert ready, self.said
        assert self.process.poll() is None, self.said
        return self

    def until_over(self) -> int:
        over = os_process.wait_until(lambda: self.process.poll() is not None, seconds=60)
        assert over, self.said
        return int(self.process.returncode)

    def everything(self) -> list[int]:
        return [self.process.pid, *os_process.children_of([self.process.pid])]

    def end(self) -> None:
        everything = self.everything()
        os_process.end([self.process.pid], first=signal.SIGTERM, patience=20)
        self.process.wait()
        os_process.end(everything, first=signal.SIGKILL, patience=1)
        if self.home.root.exists():
            _forget(self.home.root)


def _forget(home: Path) -> None:
    from local.stack import Stack

    stack = Stack(home)
    assert stack.take_lock()
    stack.forget()
    stack.stop()


@pytest.fixture
def port() -> int:
    return ports.free_port(run=2)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def dev(home: Path, port: int) -> Iterator[Terminal]:
    terminal = Terminal(home, "--port", str(port))
    yield terminal
    terminal.end()


@pytest.mark.row("W59", "T79")
def test_one_command_opens_everything_and_a_signal_ends_all_of_it(dev: Terminal, port: int) -> None:
    dev.until_ready()
    assert f"http://localhost:{port}" in dev.said
    assert f"http://localhost:{port + 1}" in dev.said
    assert answers(f"http://127.0.0.1:{port}/")
    everything = dev.everything()
    assert len(everything) >= 11  # supervisor, Postgres's family, Valkey, five programs
    dev.process.terminate()
    assert dev.until_over() == 0
    assert dev.said.rstrip().endswith("Stopped.")
    assert not any(map(os_process.alive, everything))
    assert os_process.marked(dev.home.marker) == []
    assert ports.is_free(port)


def test_a_second_start_says_in_a_sentence_where_the_first_one_is(
    dev: Terminal, home: Path, port: int
) -> None:
    dev.until_ready()
    second = subprocess.run(
        [str(DEV), "--port", str(port)],
        env={**os.environ, "DUKANI_HOME": str(home)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert second.returncode == 1
    assert f"already running at http://localhost:{port} (process {dev.process.pid})" in (
        second.stderr
    )
    assert len(second.stderr.splitlines()) == 1
    assert answers(f"http://127.0.0.1:{port}/")


def test_after_a_kill_the_next_start_clears_up_and_is_quick(
    dev: Terminal, home: Path, port: int
) -> None:
    dev.until_ready()
    before = dev.everything()[1:]
    dev.process.kill()
    dev.process.wait()
    again = Terminal(home, "--port", str(port))
    try:
        again.until_ready()
        assert os_process.wait_until(lambda: not any(map(os_process.alive, before)), seconds=10)
        assert answers(f"http://127.0.0.1:{port}/")
        seconds = float(again.said.split("Ready after ")[1].split(" s")[0])
        assert seconds <= 10
    finally:
        again.end()


def test_reset_forgets_the_data_of_the_last_start(dev: Terminal, home: Path, port: int) -> None:
    dev.until_ready()
    secrets = dev.home.secrets_file.read_text()
    (dev.home.media / "picture.webp").write_bytes(b"x")
    dev.process.terminate()
    assert dev.until_over() == 0
    again = Terminal(home, "--port", str(port), "--reset")
    try:
        again.until_ready()
        assert dev.home.secrets_file.read_text() != secrets
        assert list(dev.home.media.iterdir()) == []
    finally:
        again.end()


def test_a_busy_port_is_a_sentence_with_a_way_out(home: Path, port: int) -> None:
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", port))
        other.listen()
        terminal = Terminal(home, "--port", str(port))
        assert terminal.until_over() == 1
    assert f"Port {port}, needed for the shop, is in use" in terminal.said
    assert "--port" in terminal.said.splitlines()[-1]
    assert "Traceback" not in terminal.said
    assert os_process.marked(terminal.home.marker) == []


@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGINT])
def test_it_can_be_stopped_while_it_starts(
    home: Path, port: int, tmp_path: Path, sent: signal.Signals
) -> None:
    plan = tmp_path / "plan.toml"
    plan.write_text(
        '[[step]]\nname = "migrate"\n'
        'command = ["{python}", "{checkout}/tests/local/stand_in.py", "stubborn"]\n'
    )
    terminal = Terminal(home, "--port", str(port), "--plan", str(plan))
    try:
        migrating = os_process.wait_until(
            lambda: any("stubborn" in os_process.command_of(pid) for pid in terminal.everything()),
            seconds=30,
        )
        assert migrating, terminal.said
        everything = terminal.everything()
        terminal.process.send_signal(sent)
        assert terminal.until_over() == 0
        assert terminal.said.rstrip().endswith("Stopped.")
        assert not any(map(os_process.alive, everything))
    finally:
        terminal.end()


def run_supervisor(home: Path, before: str, *options: str) -> subprocess.CompletedProcess[str]:
    """The supervisor with one line run before it, for conditions a test machine does not have."""
    script = (
        f"import sys; from local import preflight, supervisor; {before}; "
        "sys.exit(supervisor.main(sys.argv[1:]))"
    )
    return subprocess.run(
        [sys.executable, "-c", script, "--plan", str(PLAN), *options],
        env={**os.environ, "DUKANI_HOME": str(home)},
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_full_disk_is_a_sentence(home: Path, port: int) -> None:
    done = run_supervisor(home, "preflight.NEEDED_MB = 10**9", "--port", str(port))
    assert done.returncode == 1
    assert "is almost full" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_disk_that_fills_up_while_starting_is_a_sentence(home: Path, port: int) -> None:
    # A write that fails for lack of space, as the kernel reports it, in the middle of a start.
    full = (
        "from local import keys; import errno, os; "
        "keys.write_private = lambda *_: open('/dev/full', 'w', 1).write('x\\n')"
    )
    done = run_supervisor(home, full, "--port", str(port))
    assert done.returncode == 1
    assert done.stderr.splitlines() == ["The disk is full. Free some space and start again."]
    assert os_process.marked(Home(home).marker) == []


def test_a_mistyped_setting_is_named(home: Path, tmp_path: Path) -> None:
    dotenv = tmp_path / "dotenv"
    dotenv.write_text("DATABSE_URL=postgresql://somewhere/else\n")
    before = (
        "import pathlib; original = preflight.read_dotenv; "
        f"preflight.read_dotenv = lambda: original(pathlib.Path({str(dotenv)!r}))"
    )
    done = run_supervisor(home, before)
    assert done.returncode == 1
    assert "DATABSE_URL" in done.stderr
    assert "which nothing reads" in done.stderr


# -- machines that lack something ----------------------------------------------------------


@pytest.fixture
def bare_checkout(tmp_path: Path) -> Path:
    """The scripts alone, as a clone whose .venv was never made."""
    root = tmp_path / "checkout"
    (root / "bin").mkdir(parents=True)
    (root / "local").mkdir()
    for name in ("bin/dev", "bin/test", "local/prepare.sh", "requirements.txt"):
        shutil.copy2(CHECKOUT / name, root / name)
    return root


def programs(folder: Path, **scripts: str) -> dict[str, str]:
    """A PATH that holds the usual small tools and these shell scripts, and nothing else."""
    folder.mkdir()
    for name in ("sh", "dirname", "df", "tail", "mkdir", "rm", "cat", "grep", "id", "sleep"):
        (folder / name).symlink_to(str(shutil.which(name)))
    for name, script in scripts.items():
        program = folder / name
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
    return {"PATH": str(folder)}


def run_script(script: Path, environ: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(script)],
        env=dict(environ),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


OLD_PYTHON = 'case "$2" in *"print("*) echo 3.9.2;; *) exit 1;; esac'
PYTHON_WITHOUT_VENV = (
    'case "$2" in *"print("*) echo 3.11.2;; *ensurepip*) exit 1;; *) exit 0;; esac'
)


def test_an_old_python_is_a_sentence(bare_checkout: Path, tmp_path: Path) -> None:
    done = run_script(
        bare_checkout / "bin" / "dev", programs(tmp_path / "path", python3=OLD_PYTHON)
    )
    assert done.returncode == 1
    assert "needs Python 3.11 or newer, and this machine has 3.9.2" in done.stderr


def test_no_python_at_all_is_a_sentence(bare_checkout: Path, tmp_path: Path) -> None:
    done = run_script(bare_checkout / "bin" / "dev", programs(tmp_path / "path"))
    assert done.returncode == 1
    assert "no Python was found" in done.stderr


def test_a_missing_venv_module_is_a_sentence(bare_checkout: Path, tmp_path: Path) -> None:
    done = run_script(
        bare_checkout / "bin" / "dev", programs(tmp_path / "path", python3=PYTHON_WITHOUT_VENV)
    )
    assert done.returncode == 1
    assert "apt install python3-venv" in done.stderr
    assert not (bare_checkout / ".venv").exists()


def test_stopping_while_packages_are_installed_stops_that_too(
    bare_checkout: Path, tmp_path: Path
) -> None:
    slow = 'case "$2" in *"print("*) echo 3.11.2;; venv) exec sleep 61;; *) exit 0;; esac'
    process = subprocess.Popen(
        [str(bare_checkout / "bin" / "dev")],
        env=programs(tmp_path / "path", python3=slow),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    )

    def making() -> list[int]:
        children = os_process.children_of([process.pid])
        return [pid for pid in children if "sleep 61" in os_process.command_of(pid)]

    assert os_process.wait_until(lambda: bool(making()), seconds=10)
    child = making()[0]
    process.terminate()
    assert process.wait(10) == 143
    assert not os_process.alive(child)
    assert not (bare_checkout / "var" / "prepare.lock").exists()


def test_as_root_the_tools_of_the_tests_come_through_apt(
    bare_checkout: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "path"
    environ = programs(folder, **{"apt-get": f'echo "$@" >> {tmp_path}/apt.log'})
    (folder / "id").unlink()
    (folder / "id").write_text("#!/bin/sh\necho 0\n")
    (folder / "id").chmod(0o755)
    script = bare_checkout / "bin" / "test"
    script.write_text(script.read_text().replace(":/usr/local/sbin:/usr/sbin:/sbin", ""))
    done = run_script(script, environ)
    asked = (tmp_path / "apt.log").read_text().splitlines()
    assert asked[0] == "-qq update"
    assert asked[1].startswith("-qq -y --no-install-recommends install")
    assert {"chromium", "nginx", "nodejs", "npm", "python3-venv"} <= set(asked[1].split())
    # This apt-get installed nothing, which is not taken on trust.
    assert done.returncode == 2
    assert "chromium nginx nodejs npm" in done.stderr


def test_bin_test_names_missing_tools_before_anything_else(
    bare_checkout: Path, tmp_path: Path
) -> None:
    # `id` says 1000: an ordinary user, for whom nothing can be installed.
    environ = programs(tmp_path / "path")
    (tmp_path / "path" / "id").unlink()
    (tmp_path / "path" / "id").write_text("#!/bin/sh\necho 1000\n")
    (tmp_path / "path" / "id").chmod(0o755)
    script = bare_checkout / "bin" / "test"
    # The script looks in the system's own folders too; this machine has the tools there.
    script.write_text(script.read_text().replace(":/usr/local/sbin:/usr/sbin:/sbin", ""))
    done = run_script(script, environ)
    assert done.returncode == 2
    assert "chromium nginx nodejs npm" in done.stderr
    assert not (bare_checkout / ".venv").exists()


# -- somebody else's machine -----------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.row("W59", "J36", "M13")
def test_a_fresh_clone_opens_for_an_ordinary_user_with_one_command(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """Copy the example, type one command: packages, servers and programs, and no npm anywhere.

    As root this becomes `nobody`, so that both kinds of user are tried on one machine.
    """
    nobody = somebody_without_rights()
    root = Path("/tmp") / f"dukani-fresh-{os.getpid()}"
    clone = clone_to(root / "clone")
    give(root, nobody)
    # Packages are installed between choosing a port and taking it: not one that others draw.
    below = range(ports.LOWEST - 2_000, ports.LOWEST, 2)
    port = next(p for p in below if ports.is_free(p) and ports.is_free(p + 1))
    output = root / "out"
    with output.open("w") as stream:
        process = subprocess.Popen(
            [str(clone / "bin/dev"), "--port", str(port), "--plan", "tests/local/stand_in.toml"],
            env={"PATH": "/usr/bin:/bin", **python_and_packages(nobody)},
            cwd=clone,
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=stream,
            **run_as(nobody),
        )
    everything = [process.pid]
    try:
        os_process.wait_until(
            lambda: "Ctrl-C" in output.read_text() or process.poll() is not None, seconds=240
        )
        assert process.poll() is None, output.read_text()
        everything += os_process.children_of(everything)
        assert "Ctrl-C" in output.read_text()
        assert "refuses root" not in output.read_text()
        assert (clone / "var/postgres/PG_VERSION").exists()
        assert answers(f"http://127.0.0.1:{port}/")
        assert not (clone / "node_modules").exists()
    finally:
        os_process.end(everything[:1], first=signal.SIGTERM, patience=30)
        said = output.read_text()
        shutil.rmtree(root)
    assert process.wait() == 0
    assert said.rstrip().endswith("Stopped.")
    assert not any(map(os_process.alive, everything))
