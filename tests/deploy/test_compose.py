"""The compose file and the workflow: valid, complete, and careful with who is told what."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import psycopg
import pytest
import yaml

from local import preflight, roles
from local.home import CHECKOUT
from local.postgres import Postgres

COMPOSE = CHECKOUT / "deploy" / "compose.yaml"
WORKFLOW = CHECKOUT / ".github" / "workflows" / "ci.yml"
OURS = {"web", "worker-money", "worker-messages", "worker-bulk", "relay", "migrate"}


@pytest.fixture(scope="module")
def services() -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = yaml.safe_load(COMPOSE.read_text())["services"]
    return found


def in_production(services: dict[str, dict[str, Any]]) -> set[str]:
    return {name for name, service in services.items() if not service.get("profiles")}


@pytest.mark.parametrize(
    ("schema", "file"),
    [("vendor.compose-spec", COMPOSE), ("vendor.github-workflows", WORKFLOW)],
    ids=["compose", "workflow"],
)
@pytest.mark.row("T79", "W58")
def test_the_file_says_what_its_schema_allows(schema: str, file: Path, tmp_path: Path) -> None:
    def check(path: Path) -> int:
        command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", schema, str(path)]
        return subprocess.run(command, capture_output=True, check=False).returncode

    assert check(file) == 0
    mistyped = tmp_path / file.name
    mistyped.write_text(
        re.sub(r"^(\s+)(image|runs-on):", r"\1imagge:", file.read_text(), flags=re.M)
    )
    assert check(mistyped) != 0


@pytest.mark.row("N89", "T79")
def test_production_has_every_service_and_no_adminer(services: dict[str, dict[str, Any]]) -> None:
    assert in_production(services) == OURS | {"nginx", "postgres", "redis", "cache"}
    assert services["adminer"]["profiles"] == ["dev"]
    assert "adminer" not in str({name: services[name] for name in in_production(services)})


@pytest.mark.row("M17")
def test_web_workers_and_relay_are_one_image_in_several_roles(
    services: dict[str, dict[str, Any]],
) -> None:
    assert len({str((services[name]["image"], services[name]["build"])) for name in OURS}) == 1
    assert "command" not in services["web"]  # the image's own
    commands = {name: services[name].get("command") for name in OURS - {"web"}}
    assert commands["worker-money"] == ["python", "-m", "tasks.worker", "money"]
    assert commands["relay"] == ["python", "-m", "tasks.relay"]
    assert len({str(command) for command in commands.values()}) == len(commands)


def test_only_the_migration_is_told_how_to_change_tables(
    services: dict[str, dict[str, Any]],
) -> None:
    def told(setting: str) -> set[str]:
        return {
            name
            for name, service in services.items()
            if setting in str(service.get("environment", {})) + str(service.get("command", ""))
        }

    assert told("DUKANI_MIGRATOR_PASSWORD") == {"migrate", "postgres"}
    assert told("POSTGRES_PASSWORD") == {"postgres"}
    assert told("DUKANI_RELAY_PASSWORD") == {"relay", "postgres"}


def test_nothing_starts_before_the_database_is_up_to_date(
    services: dict[str, dict[str, Any]],
) -> None:
    for name in OURS - {"migrate"}:
        condition = services[name]["depends_on"]["migrate"]["condition"]
        assert condition == "service_completed_successfully"


def test_no_secret_is_in_the_file_and_no_port_but_nginxs_is_open(
    services: dict[str, dict[str, Any]],
) -> None:
    text = COMPOSE.read_text()
    for value in re.findall(r"(?m)^ +\w+(?:PASSWORD|_KEY|TOKEN): +(\S+)", text):
        assert value.startswith(("${", '"${')), value
    published = {name for name in in_production(services) if services[name].get("ports")}
    assert published == {"nginx"}
    for name in OURS | {"nginx"}:
        assert services[name]["read_only"] is True
        assert services[name]["cap_drop"] == ["ALL"]


@pytest.mark.row("W59", "J36")
def test_every_setting_is_explained_in_the_example() -> None:
    explained = preflight.example_names(preflight.EXAMPLE)
    in_compose = set(re.findall(r"\$\{([A-Z0-9_]+)", COMPOSE.read_text())) - {"DUKANI_IMAGE"}
    read = set(
        re.findall(
            r"""(?:_required|_optional|_seconds|_key|many)\(\s*"([A-Z_0-9]+)\"""",
            (CHECKOUT / "config.py").read_text(),
        )
    )
    assert len(read) > 20
    assert in_compose | read <= explained
    # And nothing is explained that nobody reads.
    elsewhere = {"DUKANI_HOME", "REDIS_SERVER_BIN"}
    assert explained - read - in_compose - elsewhere == set()


def test_the_example_holds_no_values() -> None:
    lines = preflight.EXAMPLE.read_text().splitlines()
    assert [
        line for line in lines if "=" in line and not line.startswith("#") and line[-1] != "="
    ] == []


@pytest.mark.row("W58", "M46")
def test_the_workflow_runs_the_whole_check_on_every_pull_request() -> None:
    workflow = yaml.safe_load(WORKFLOW.read_text())
    assert "pull_request" in workflow[True]  # YAML reads the word `on` as true
    steps = [step.get("run", "") for job in workflow["jobs"].values() for step in job["steps"]]
    assert ".ci/run" in steps
    assert any("test_migrations.py" in step for step in steps)
    for step in steps:
        for path in re.findall(r"tests/\S+", step):
            assert (CHECKOUT / path).exists()
    assert any("docker build" in step for step in steps)
    assert (CHECKOUT / ".ci" / "run").read_text().splitlines()[-1] == 'exec "$ROOT/bin/test"'


@pytest.mark.row("N89")
def test_the_database_image_makes_the_roles_with_their_passwords(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    server = Postgres(tmp_path_factory.mktemp("init"), fast=True)
    server.start()
    try:
        superuser = server.create_database("dukani")
        passwords = {
            role: f'it\'s "{role}" $HOME \\ %' for role in roles.LOGIN_ROLES
        }  # characters that a careless script trips over
        location = psycopg.conninfo.conninfo_to_dict(superuser)
        psql = server.program("psql")
        done = subprocess.run(
            ["bash", str(CHECKOUT / "deploy" / "postgres-init.sh")],
            env={
                "PATH": f"{psql.parent}:/usr/bin:/bin",
                "POSTGRES_USER": "postgres",
                "POSTGRES_DB": "dukani",
                "PGHOST": str(location["host"]),
                "PGPORT": str(location["port"]),
                "PGPASSWORD": str(location["password"]),
                "ROLES_SQL": str(roles.SCRIPT),
                **{f"{role.upper()}_PASSWORD": word for role, word in passwords.items()},
            },
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        for role, password in passwords.items():
            url = server.url(role, password, "dukani")
            with psycopg.connect(url) as connection:
                row = connection.execute("SELECT session_user, current_schemas(false)").fetchone()
                assert row == (role, ["app", "public"])
    finally:
        server.remove()
