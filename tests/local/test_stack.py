"""The stack that bin/dev, the tests and the benchmarks start, with small programs in it."""

from __future__ import annotations

import http.client
import json
import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
import redis

from local import os_process, roles
from local.errors import CannotStart
from local.processes import Running
from local.stack import AlreadyRunning, Stack

PLAN = Path(__file__).with_name("stand_in.toml")


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    made = Stack(tmp_path_factory.mktemp("home"), fast=True, plan=PLAN)
    with made:
        yield made
    made.remove()


def settings_seen_by(port: int) -> dict[str, str]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    connection.request("GET", "/")
    seen: dict[str, str] = json.loads(connection.getresponse().read())
    connection.close()
    return seen


def environment_of(pid: int) -> str:
    return Path(f"/proc/{pid}/environ").read_text()


def one(url: str, statement: str) -> object:
    with psycopg.connect(url) as connection:
        row = connection.execute(statement.encode()).fetchone()
        return row[0] if row else None


@pytest.mark.row("W59")
def test_programs_start_in_order_and_are_told_where_everything_is(stack: Stack) -> None:
    assert stack.names() == ["sandbox", "web", "money", "relay"]
    seen = settings_seen_by(stack.port)
    assert seen["PLATFORM_HOST"] == f"localhost:{stack.port}"
    assert seen["DARAJA_BASE_URL"] == f"http://127.0.0.1:{stack.port + 1}/daraja"
    assert one(seen["DATABASE_URL"], "SELECT current_user") == "dukani_app"
    assert redis.Redis.from_url(seen["REDIS_URL"]).ping()
    assert seen["CACHE_REDIS_URL"] != seen["REDIS_URL"]


@pytest.mark.row("J36")
def test_no_program_is_told_a_superusers_address_and_each_only_its_own(stack: Stack) -> None:
    assert stack.superuser_url is not None
    password = stack.superuser_url.split("@")[0].rpartition(":")[2]
    for name in stack.names():
        for pid in stack.pids(name):
            assert password not in environment_of(pid)
    assert "DATABASE_MIGRATOR_URL" not in settings_seen_by(stack.port)
    outside = settings_seen_by(stack.sandbox_port)
    assert not [n for n in outside if n.startswith(("DATABASE", "REDIS")) or n.endswith("_KEY")]


def test_secrets_are_made_once_and_only_their_owner_can_read_them(stack: Stack) -> None:
    for file in (stack.home.secrets_file, stack.home.running_file):
        assert file.stat().st_mode & 0o077 == 0
    assert len(stack.env["SECRET_KEY"]) >= 32
    assert f"SECRET_KEY={stack.env['SECRET_KEY']}" in stack.home.secrets_file.read_text()


def test_a_killed_worker_takes_its_child_along_and_comes_back(stack: Stack) -> None:
    assert os_process.wait_until(lambda: len(stack.pids("money")) == 2, seconds=5)
    before = stack.kill("money", signal.SIGKILL)
    assert len(before) == 2
    assert not any(map(os_process.alive, before))
    back = os_process.wait_until(
        lambda: stack.tick() is None and len(stack.pids("money")) == 2, seconds=10
    )
    assert back
    assert not set(stack.pids("money")) & set(before)


def test_a_program_that_keeps_dying_is_started_less_and_less_often(stack: Stack) -> None:
    relay: Running = stack._running["relay"]
    delays = []
    for _ in range(3):
        stack.kill("relay")
        delays.append(float(relay.revive().split(" in ")[1].removesuffix(" s")))
        assert os_process.wait_until(
            lambda: relay.revive() == "" and relay.pid is not None, seconds=10
        )
    assert delays == sorted(set(delays))


def test_servers_come_back_at_the_same_address_with_what_they_held(stack: Stack) -> None:
    queue = redis.Redis.from_url(stack.env["REDIS_URL"])
    queue.set("kept", "yes")
    with psycopg.connect(stack.env["DATABASE_MIGRATOR_URL"]) as connection:
        connection.execute("CREATE TABLE app.kept (id int)")
    stack.stop_postgres()
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(stack.database_url)
    stack.start_postgres()
    assert stack.valkey is not None
    before = stack.valkey.pid
    assert before is not None
    os.kill(before, signal.SIGKILL)
    assert os_process.wait_until(
        lambda: stack.tick() is None and stack.valkey.pid not in {None, before}, seconds=10
    )
    assert queue.get("kept") == b"yes"
    assert one(stack.superuser_url or "", "SELECT count(*) FROM app.kept") == 0
    with psycopg.connect(stack.env["DATABASE_MIGRATOR_URL"]) as connection:
        connection.execute("DROP TABLE app.kept")


def test_a_second_stack_in_the_same_home_is_told_of_the_first(stack: Stack) -> None:
    with pytest.raises(AlreadyRunning) as refused:
        Stack(stack.home.root, plan=PLAN).start()
    assert stack.base_url in str(refused.value)
    assert str(os.getpid()) in str(refused.value)
    assert settings_seen_by(stack.port)


def test_a_database_of_ones_own_gets_roles_and_keeps_its_superuser_secret(
    stack: Stack, tmp_path: Path
) -> None:
    assert stack.postgres is not None
    given = stack.postgres.create_database("given")
    env = {"DATABASE_URL": given, "REDIS_URL": stack.env["REDIS_URL"]}
    with Stack(tmp_path, plan=PLAN, env=env, processes={"web"}) as other:
        assert other.postgres is None
        assert other.valkey is None
        seen = settings_seen_by(other.port)
        assert one(seen["DATABASE_URL"], "SELECT current_user || ' ' || current_database()") == (
            "dukani_app given"
        )
        assert given not in seen.values()
    # The passwords are the cluster's: give the first stack its own back.
    assert stack.superuser_url is not None
    restored = roles.create_roles(
        stack.superuser_url,
        "dukani",
        {name: _password(stack, name) for name in roles.ENVIRONMENT.values()},
    )
    assert one(restored["dukani_app"], "SELECT 1") == 1


def _password(stack: Stack, role: str) -> str:
    names = {role: setting for setting, role in roles.ENVIRONMENT.items()}
    return stack.env[names[role]].split("@")[0].rpartition(":")[2]


def test_a_plain_database_address_alone_is_refused_with_what_is_missing(
    stack: Stack, tmp_path: Path
) -> None:
    env = {"DATABASE_URL": stack.database_url, "REDIS_URL": stack.env["REDIS_URL"]}
    with pytest.raises(CannotStart, match="DATABASE_MIGRATOR_URL"):
        Stack(tmp_path, plan=PLAN, env=env).start()


def test_a_program_that_cannot_start_says_why_and_leaves_nothing(tmp_path: Path) -> None:
    plan = tmp_path / "plan.toml"
    plan.write_text(
        '[[process]]\nname = "relay"\n'
        'command = ["{python}", "{checkout}/tests/local/stand_in.py", "wait"]\n'
        '[[process]]\nname = "web"\n'
        'command = ["{python}", "{checkout}/tests/local/stand_in.py", "fail"]\n'
    )
    stack = Stack(tmp_path / "home", fast=True, plan=plan)
    with pytest.raises(CannotStart, match="nothing to stand on"):
        stack.start()
    assert os_process.marked(stack.home.marker) == []
    assert stack.postgres is not None
    assert stack.postgres.pid is None
    stack.remove()


def test_a_failed_migration_stops_the_start_with_its_last_words(tmp_path: Path) -> None:
    plan = tmp_path / "plan.toml"
    plan.write_text(
        '[[step]]\nname = "migrate"\n'
        'command = ["{python}", "-c", "raise SystemExit(\'no such column\')"]\n'
    )
    stack = Stack(tmp_path / "home", fast=True, plan=plan)
    with pytest.raises(CannotStart, match=r"(?s)migrate failed.*no such column"):
        stack.start()
    stack.remove()


def test_half_a_demo_is_thrown_away_at_the_next_start(tmp_path: Path) -> None:
    plan = tmp_path / "plan.toml"
    command = (
        "import os, psycopg; c = psycopg.connect(os.environ['DATABASE_URL'], autocommit=True); "
    )
    migrate = (
        "import os, psycopg; "
        "c = psycopg.connect(os.environ['DATABASE_MIGRATOR_URL'], autocommit=True); "
        "c.execute('CREATE TABLE IF NOT EXISTS app.stores (id int)'); "
        "c.execute('GRANT SELECT, INSERT ON app.stores TO dukani_app')"
    )

    def write(end: str) -> None:
        insert = command + "c.execute('INSERT INTO app.stores VALUES (1)'); " + end
        plan.write_text(
            f'[[step]]\nname = "migrate"\ncommand = ["{{python}}", "-c", "{migrate}"]\n'
            f'[[step]]\nname = "seed"\nwhen = "no store"\n'
            f'command = ["{{python}}", "-c", "{insert}"]\n'
        )

    write("raise SystemExit(1)")
    home = tmp_path / "home"
    with pytest.raises(CannotStart, match="seed failed"):
        Stack(home, fast=True, seed=True, plan=plan).start()
    write("pass")
    stack = Stack(home, fast=True, seed=True, plan=plan)
    for _ in range(2):  # the second start finds a store and does not make another
        with stack:
            assert one(stack.superuser_url or "", "SELECT count(*) FROM app.stores") == 1
    stack.remove()


def test_stopping_leaves_no_process_not_even_stubborn_ones(tmp_path: Path) -> None:
    stack = Stack(tmp_path / "home", fast=True, plan=PLAN, workers=2)
    with stack:
        assert os_process.wait_until(
            lambda: len(stack.pids("money")) == 2 and len(stack.pids("money-2")) == 2, seconds=5
        )
        assert stack.postgres is not None
        assert stack.valkey is not None
        servers = [pid for pid in (stack.postgres.pid, stack.valkey.pid) if pid]
        everything = [pid for name in stack.names() for pid in stack.pids(name)]
        everything += servers + os_process.children_of(servers)
        assert len(everything) >= 11
    assert not any(map(os_process.alive, everything))
    assert os_process.marked(stack.home.marker) == []
    stack.remove()


def test_a_helper_thread_may_start_a_program_and_end(stack: Stack) -> None:
    # Linux would kill a child with the thread that made it, had we asked for that there.
    thread = threading.Thread(target=stack.restart, args=("relay",))
    thread.start()
    thread.join()
    assert len(stack.pids("relay")) == 1
    assert stack.pids("relay") == stack.pids("relay")
