"""A whole running Dukani on one machine, for a person, a test or a benchmark.

    with Stack(home=folder, processes={"web", "money"}, fast=True) as stack:
        httpx.get(stack.base_url + "/healthz")

Everything is stopped in reverse at the end. ``bin/dev`` is this class with a terminal around it.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import time
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psycopg

from local import keys, os_process, ports, preflight, roles
from local.errors import CannotStart
from local.home import CHECKOUT, Home, Lock, write_private
from local.postgres import Postgres
from local.processes import DEFAULT_PLAN, Plan, Running, run_step, visible
from local.valkey import Valkey

DATABASE = "dukani"
# Read by servers and clients on their own account: a setting meant for another program on this
# machine must not reach ours, and a superuser's name or password least of all.
NOT_INHERITED = ("PG*", "GRANIAN_*", "RQ_*", "FLASK_*", "DUKANI_*")


class AlreadyRunning(CannotStart):
    """Another stack uses this home."""

    def __init__(self, home: Home) -> None:
        about = home.running()
        where = f" at {about['base_url']} (process {about['pid']})" if about else ""
        super().__init__(
            f"Dukani is already running{where} with its data in {home.root}. "
            "Stop that one first, or give this one a folder of its own with DUKANI_HOME."
        )


class Stack:
    """Postgres, Valkey and the programs of ``processes.toml``, started in order.

    ``port`` 0 takes free ones (the sandbox gets the next). ``processes`` chooses programs by
    name; None means all. ``env`` is added to every program's environment and may bring
    DATABASE_URL or REDIS_URL, in which case no server of that kind is started. ``fast`` gives up
    safety against power loss. ``seed`` makes the demo stores when there are none; without
    ``steps`` nothing is migrated either. ``plan`` is another list of programs. Programs that
    die are started again only by calling ``tick``.
    """

    def __init__(
        self,
        home: Path,
        *,
        port: int = 0,
        processes: Collection[str] | None = None,
        env: Mapping[str, str] | None = None,
        fast: bool = False,
        seed: bool = False,
        workers: int = 1,
        web_workers: int = 1,
        steps: bool = True,
        plan: Path = DEFAULT_PLAN,
        say: Callable[[str], None] = lambda line: None,
    ) -> None:
        self.home = Home(Path(home).absolute())
        self.port = port
        self.sandbox_port = port + 1 if port else 0
        self.fast = fast
        self.env: dict[str, str] = {}
        self.superuser_url: str | None = None
        self.postgres: Postgres | None = None
        self.valkey: Valkey | None = None
        self._chosen = None if processes is None else set(processes)
        self._extra = dict(env or {})
        self._seed = seed
        self._steps = steps
        self._counts = {"workers": str(workers), "web_workers": str(web_workers)}
        self._plan_file = plan
        self._say = say
        self._lock = Lock(self.home)
        self._running: dict[str, Running] = {}
        self._down_since: dict[str, float] = {}

    # -- life ---------------------------------------------------------------------------

    def start(self) -> Self:
        """Start everything and wait until it answers.

        Raises AlreadyRunning, CannotStart, or StopRequested; nothing is left running then.
        """
        preflight.check_python()
        self.home.make()
        if not self.take_lock():
            raise AlreadyRunning(self.home)
        try:
            self._start()
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """Stop everything in reverse order; whatever still lives is killed."""
        for running in reversed(self._running.values()):
            running.stop()
        self._running.clear()
        if self._lock.held:
            os_process.end(os_process.marked(self.home.marker), first=signal.SIGTERM, patience=2)
        for server in (self.valkey, self.postgres):
            if server is not None:
                server.stop()
        if self._lock.held:
            self.home.running_file.unlink(missing_ok=True)
        self._lock.release()

    def take_lock(self) -> bool:
        """Make the home ours; False when another stack uses it."""
        return self._lock.held or self._lock.acquire()

    def forget(self) -> None:
        """Delete all data of the home, also what is kept elsewhere. Only while it is ours."""
        assert self._lock.held
        self._end_leftovers()
        Postgres(self.home.root).remove()
        Valkey(self.home.root).remove()
        self.home.reset()
        self.home.make()

    def remove(self) -> None:
        """Stop and delete all data, also what is kept outside the home."""
        self.stop()
        for server in (self.valkey, self.postgres):
            if server is not None:
                server.remove()
        self.home.reset()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    # -- use ----------------------------------------------------------------------------

    @property
    def base_url(self) -> str:
        """The platform's address. Python resolves no ``*.localhost``: send Host for a store."""
        return f"http://localhost:{self.port}"

    @property
    def sandbox_url(self) -> str:
        return f"http://localhost:{self.sandbox_port}"

    @property
    def database_url(self) -> str:
        """The database as the product's own role, dukani_app."""
        return self.env["DATABASE_URL"]

    @property
    def log_folder(self) -> Path:
        """One ``<name>.log`` for each program, and for postgres and valkey."""
        return self.home.log

    def names(self) -> list[str]:
        """The programs of this stack in the order in which they started."""
        return list(self._running)

    def pids(self, name: str) -> list[int]:
        """The pid of a program, then those of its children, alive now."""
        return self._running[name].pids()

    def kill(self, name: str, sig: int = signal.SIGKILL) -> list[int]:
        """Signal a program; SIGKILL takes its children too. Returns the pids signalled."""
        return self._running[name].kill(sig)

    def restart(self, name: str) -> None:
        """Stop a program (if it still runs), start it again and wait until it answers."""
        self._running[name].stop()
        self._running[name].start()
        self._running[name].wait_ready()

    def stop_program(self, name: str) -> None:
        """Stop a program and leave it stopped."""
        self._running[name].stop()

    def stop_postgres(self) -> None:
        """Stop the embedded database; ``start_postgres`` brings it back at the same address."""
        assert self.postgres is not None, "this stack uses a database given to it"
        self.postgres.stop()

    def start_postgres(self) -> None:
        assert self.postgres is not None, "this stack uses a database given to it"
        self.postgres.start()

    def stop_valkey(self) -> None:
        """Stop the embedded queue server; ``start_valkey`` brings it back."""
        assert self.valkey is not None, "this stack uses a queue server given to it"
        self.valkey.stop()

    def start_valkey(self) -> None:
        assert self.valkey is not None, "this stack uses a queue server given to it"
        self.valkey.start()

    def tick(self) -> None:
        """Start again whatever died on its own, waiting longer each time. Call it often."""
        for name, server in (("postgres", self.postgres), ("valkey", self.valkey)):
            if server is None or server.pid is not None:
                self._down_since.pop(name, None)
            elif time.monotonic() - self._down_since.setdefault(name, time.monotonic()) > 0.5:
                self._say(f"{name} stopped; starting it again")
                server.start()
        for running in self._running.values():
            if happened := running.revive():
                self._say(happened)

    # -- starting -----------------------------------------------------------------------

    def _start(self) -> None:
        self._end_leftovers()
        preflight.check_disk(self.home.root)
        plan = self._choose_ports_and_plan()
        shutil.rmtree(self.home.metrics, ignore_errors=True)
        self.home.metrics.mkdir()
        self.env = self._environment()
        self._write_about_us()
        self._running = {
            program.name: Running(program, self.env, self.home.log) for program in plan.programs
        }
        early = [running for running in self._running.values() if running.program.early]
        late = [running for running in self._running.values() if not running.program.early]
        for running in early:
            running.start()
        self._open_servers()
        for running in self._running.values():  # the servers' addresses are known only now
            running.set_environment(self.env)
        self._write_about_us()
        for running in early:
            running.wait_ready()
        self._run_steps(plan)
        for running in late:
            running.start()
        for running in late:
            running.wait_ready()

    def _choose_ports_and_plan(self) -> Plan:
        if not self.port:
            self.port = ports.free_port(run=2)
            self.sandbox_port = self.port + 1
        plan = self._plan()
        names = {program.name for program in plan.programs}
        if "web" in names:
            preflight.check_port(self.port, "the shop")
        if "sandbox" in names:
            preflight.check_port(self.sandbox_port, "the sandbox")
        return plan

    def _plan(self) -> Plan:
        words = {
            "python": os_process.this_python(),
            "home": str(self.home.root),
            "checkout": str(CHECKOUT),
            "port": str(self.port),
            "sandbox_port": str(self.sandbox_port),
            **self._counts,
        }
        plan = Plan.read(self._plan_file, words)
        if self._chosen is None:
            return plan
        known = {program.name.partition("-")[0] for program in plan.programs}
        if unknown := self._chosen - known:
            raise CannotStart(f"There is no program {', '.join(sorted(unknown))} to start.")
        kept = [p for p in plan.programs if p.name.partition("-")[0] in self._chosen]
        return Plan(tuple(kept), plan.steps)

    def _environment(self) -> dict[str, str]:
        """What every program is told, before the servers' addresses are known."""
        made = keys.read_or_make(self.home)
        ours = {
            "APP_ENV": "development",
            "PUBLIC_SCHEME": "http",
            "PLATFORM_HOST": f"localhost:{self.port}",
            "STORE_HOST_SUFFIX": f".localhost:{self.port}",
            "PROXY_HOPS": "0",
            "MEDIA_DIR": str(self.home.media),
            "DARAJA_BASE_URL": f"http://127.0.0.1:{self.sandbox_port}/daraja",
            "GRAPH_BASE_URL": f"http://127.0.0.1:{self.sandbox_port}/graph",
            "SMS_BASE_URL": f"http://127.0.0.1:{self.sandbox_port}/sms",
            "SMS_USERNAME": "sandbox",
            "EMAIL_PROVIDER": "postmark",
            "EMAIL_BASE_URL": f"http://127.0.0.1:{self.sandbox_port}/mail",
            "EMAIL_SENDER": "Dukani <hello@dukani.example>",
            "VAPID_SUBJECT": "mailto:hello@dukani.example",
            "PUSH_TEST_HOSTS": f"127.0.0.1:{self.sandbox_port},localhost:{self.sandbox_port}",
            "MPESA_TEST_PHONE_URL": f"http://localhost:{self.sandbox_port}/phone/",
            "SANDBOX_URL": f"http://127.0.0.1:{self.sandbox_port}",
            **{name: made[name] for name in keys.SETTINGS},
        }
        fixed = {
            "DUKANI_HOME": str(self.home.root),
            os_process.MARKER: self.home.marker,
            "PROMETHEUS_MULTIPROC_DIR": str(self.home.metrics),
            "PYTHONUNBUFFERED": "1",
            "MALLOC_ARENA_MAX": "2",  # as in the image
            "PYTHONPATH": str(CHECKOUT),
        }
        given = {name: value for name, value in self._extra.items() if value}
        return {**visible(os.environ, NOT_INHERITED), **ours, **given, **fixed}

    def _open_servers(self) -> None:
        if self._extra.get("REDIS_URL"):
            self.env.setdefault("CACHE_REDIS_URL", self._extra["REDIS_URL"])
        else:
            self.valkey = Valkey(self.home.root, fast=self.fast)
            self.valkey.start()
            self.env["REDIS_URL"] = self.valkey.url(0)
            self.env["CACHE_REDIS_URL"] = self._extra.get("CACHE_REDIS_URL") or self.valkey.url(1)
        given = self._extra.get("DATABASE_URL", "")
        if not given:
            self._open_embedded_database()
        elif _asks_superuser(given):
            self.superuser_url = given
        elif not self._extra.get("DATABASE_MIGRATOR_URL"):
            raise CannotStart(
                "DATABASE_URL is not a superuser's, so the roles cannot be made from it. Give "
                "DATABASE_MIGRATOR_URL, DATABASE_RELAY_URL and DATABASE_PLATFORM_URL as well, "
                "or a superuser's DATABASE_URL."
            )
        if self.superuser_url:
            made = roles.create_roles(
                self.superuser_url,
                roles.database_of(self.superuser_url),
                keys.passwords(keys.read_or_make(self.home)),
            )
            self.env |= roles.environment(made)

    def _open_embedded_database(self) -> None:
        self.postgres = Postgres(self.home.root, fast=self.fast)
        if self.postgres.user is not None:
            self._say(
                f"Postgres refuses root: it runs as {self.postgres.user.name}, "
                f"with its data in {self.postgres.data}"
            )
        self.postgres.start()
        if self._half_seeded.exists():
            self._say("The last start was cut off while making the demo stores: beginning again")
            self.postgres.drop_database(DATABASE)
            self._half_seeded.unlink()
        if not self.postgres.database_exists(DATABASE):
            self.postgres.create_database(DATABASE)
        self.superuser_url = self.postgres.superuser_url(DATABASE)

    def _run_steps(self, plan: Plan) -> None:
        for step in plan.steps if self._steps else ():
            if step.when == "not migrated" and self._is_migrated():
                continue
            if step.when == "no store":
                if not self._seed or self._has_stores():
                    continue
                self._half_seeded.touch()
            if step.says:
                self._say(step.says)
            run_step(step, self.env, self.home.log)
            if step.when == "no store":
                self._half_seeded.unlink()

    @property
    def _half_seeded(self) -> Path:
        """Exists while the demo is being made, so that half a demo is never taken for one."""
        return self.home.root / "seeding"

    def _look(self) -> psycopg.Connection[tuple[Any, ...]]:
        url = self.superuser_url or self.env["DATABASE_MIGRATOR_URL"]
        return psycopg.connect(url, connect_timeout=10)

    def _is_migrated(self) -> bool:
        """Whether the database is at the newest migration: asked here because it is quicker
        than starting the whole product to find nothing to do."""
        newest = newest_migrations()
        with self._look() as connection:
            table = connection.execute("SELECT to_regclass('app.alembic_version') IS NOT NULL")
            if table.fetchone() != (True,):
                return False
            found = connection.execute("SELECT version_num FROM app.alembic_version").fetchall()
            return {str(row[0]) for row in found} == newest

    def _has_stores(self) -> bool:
        with self._look() as connection:
            table = connection.execute("SELECT to_regclass('app.stores') IS NOT NULL").fetchone()
            if not table or not table[0]:
                return False
            # Store 0 is the platform itself, made by the first migration.
            found = connection.execute("SELECT 1 FROM app.stores WHERE id <> 0 LIMIT 1")
            return found.fetchone() is not None

    def _end_leftovers(self) -> None:
        """End what a stack of this home left behind when it was killed outright.

        We hold the home's lock, so nobody else can be using these.
        """
        left = os_process.marked(self.home.marker)
        if left:
            self._say("Ending what an earlier start left running")
            os_process.end(left, first=signal.SIGTERM, patience=5)

    def _write_about_us(self) -> None:
        about = {
            "pid": os.getpid(),
            "base_url": self.base_url,
            "sandbox_url": self.sandbox_url,
            "env": {
                name: value
                for name, value in self.env.items()
                if name != os_process.MARKER and os.environ.get(name) != value
            },
        }
        write_private(self.home.running_file, json.dumps(about, indent=1) + "\n")


def newest_migrations(folder: Path = CHECKOUT / "migrations" / "versions") -> set[str]:
    """The revisions that no other one follows; more than one means two were written at once."""
    revisions, followed = set(), set()
    for file in folder.glob("*.py"):
        text = file.read_text()
        revisions |= set(re.findall(r"""(?m)^revision\b[^=]*= *["'](\w+)""", text))
        followed |= set(re.findall(r"""(?m)^down_revision\b[^=]*= *["'](\w+)""", text))
    return revisions - followed


def _asks_superuser(url: str) -> bool:
    try:
        return roles.is_superuser(url)
    except psycopg.OperationalError as error:
        raise CannotStart(f"The database in DATABASE_URL does not answer: {error}") from error
