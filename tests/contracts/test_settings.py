"""Settings and secrets: written down once, never guessable, never in the repository."""

from __future__ import annotations

import ast
import base64
import re
import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from config import MissingSetting, Settings, UnsafeSetting
from tests.contracts.source import ROOT, text_files

NOT_THE_PRODUCTS = ("-- only bin/dev and the tests", "-- only deploy/compose.yaml")

# What keys of the companies we know look like, and any long literal that is given a secret's name.
KEYS = {
    "a private key": r"-----BEGIN (?:[A-Z]+ )?PRIVATE KEY-----",
    "AWS": r"\bAKIA[0-9A-Z]{16}\b",
    "GitHub": r"\bgh[pousr]_[A-Za-z0-9]{36,}",
    "Slack": r"\bxox[abprs]-[A-Za-z0-9-]{10,}",
    "Stripe": r"\b[sr]k_(?:live|test)_[A-Za-z0-9]{16,}",
    "Google": r"\bAIza[0-9A-Za-z_-]{35}\b",
    "Meta": r"\bEAA[A-Za-z0-9]{40,}",
    "Africa's Talking": r"\batsk_[a-f0-9]{40,}",
    "a JSON web token": r"\beyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}",
    "a secret's name with a value": (
        r"(?i)(?:secret|passkey|password|api_?key|token|consumer_key)\w*[\"']?\s*[:=]\s*[\"'][A-Za-z0-9+/_-]{20,}={0,2}[\"']"
    ),
}
# The name of a database constraint, a header, a word of ours: no value that opens anything.
HARMLESS = re.compile(r"[\"'](?:[a-z]+_)+[a-z]+[\"']$")


def keys_in(path: Path) -> Iterator[str]:
    text = path.read_text(encoding="utf-8", errors="replace")
    for what, pattern in KEYS.items():
        for match in re.finditer(pattern, text):
            if not HARMLESS.search(match.group()):
                yield f"{path.name}:{text.count(chr(10), 0, match.start()) + 1} {what}"


@pytest.mark.row("W49")
def test_no_key_is_in_the_repository() -> None:
    assert [found for path in text_files() for found in keys_in(path)] == []


@pytest.mark.row("W49")
def test_a_key_that_slips_in_would_be_found(tmp_path: Path) -> None:
    file = tmp_path / "settings.py"
    for text in (
        f'DARAJA_PASSKEY = "{secrets.token_hex(32)}"',
        f"AKIA{'Q' * 16}",
        "-----BEGIN PRIVATE" + " KEY-----",
    ):
        file.write_text(text)
        assert list(keys_in(file)), text


# -- production ---------------------------------------------------------------------------


@pytest.fixture
def production(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """An environment in which production would start."""
    key = base64.b64encode(secrets.token_bytes(32)).decode()
    for name, value in {
        "APP_ENV": "production",
        "DATABASE_URL": "postgresql://dukani_app@db/dukani",
        "REDIS_URL": "redis://queue",
        "SECRET_KEY": secrets.token_urlsafe(32),
        "PHONE_KEY": key,
        "LOOKUP_KEY": base64.b64encode(secrets.token_bytes(32)).decode(),
        "RATE_LIMITS": "",
    }.items():
        monkeypatch.setenv(name, value)
    return monkeypatch


def test_good_secrets_start(production: pytest.MonkeyPatch) -> None:
    assert Settings.from_environ().environment == "production"


@pytest.mark.row("W49")
@pytest.mark.parametrize(
    ("name", "value"),
    [
        pytest.param("SECRET_KEY", "change-me-" + "0" * 40, id="a published word"),
        pytest.param("SECRET_KEY", "short", id="too short"),
        pytest.param("PHONE_KEY", base64.b64encode(bytes(32)).decode(), id="not random"),
        pytest.param("LOOKUP_KEY", base64.b64encode(b"k" * 32).decode(), id="one letter"),
        pytest.param("PHONE_KEY", "bm90IGVub3VnaA==", id="not 32 bytes"),
        pytest.param("RATE_LIMITS", "off", id="limits switched off"),
        pytest.param("APP_ENV", "prod", id="an environment nobody knows"),
    ],
)
def test_production_refuses_what_could_be_guessed(
    production: pytest.MonkeyPatch, name: str, value: str
) -> None:
    production.setenv(name, value)

    with pytest.raises(UnsafeSetting, match=name):
        Settings.from_environ()


@pytest.mark.row("W49")
@pytest.mark.parametrize(
    "name", ["DATABASE_URL", "REDIS_URL", "SECRET_KEY", "PHONE_KEY", "LOOKUP_KEY"]
)
def test_what_is_missing_is_named(production: pytest.MonkeyPatch, name: str) -> None:
    production.delenv(name)

    with pytest.raises(MissingSetting, match=name):
        Settings.from_environ()


# -- .env.example -------------------------------------------------------------------------


def names_read_by_config() -> set[str]:
    readers = {"_required", "_optional", "_seconds", "_key", "many"}
    tree = ast.parse((ROOT / "config.py").read_text())
    return {
        str(node.args[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id in readers
        and node.args
        and isinstance(node.args[0], ast.Constant)
    }


def names_in_the_example() -> set[str]:
    names, ours = set(), True
    for line in (ROOT / ".env.example").read_text().splitlines():
        if line.startswith("# --"):
            ours = not any(heading in line for heading in NOT_THE_PRODUCTS)
        elif ours and (match := re.match(r"([A-Z][A-Z0-9_]*)=", line)):
            names.add(match.group(1))
    return names


@pytest.mark.row("W59", "J36")
def test_the_example_names_every_setting_and_no_other() -> None:
    assert names_in_the_example() == names_read_by_config()


@pytest.mark.row("W49", "W59")
def test_the_example_holds_no_value() -> None:
    filled = re.findall(r"(?m)^[A-Z][A-Z0-9_]*=.+$", (ROOT / ".env.example").read_text())

    assert filled == []


def test_the_environment_is_read_in_one_place() -> None:
    readers = [
        path.relative_to(ROOT).as_posix()
        for folder in ("app", "tasks")
        for path in sorted((ROOT / folder).rglob("*.py"))
        if re.search(r"os\.(environ|getenv)", path.read_text())
    ]

    assert readers == []


# -- no build -------------------------------------------------------------------------------


@pytest.mark.row("M13")
def test_nothing_needs_npm_to_run() -> None:
    tracked = {path.relative_to(ROOT).as_posix() for path in text_files()}

    assert not [
        path
        for path in tracked
        if path.rpartition("/")[2] in ("package.json", "package-lock.json", "yarn.lock")
    ]
    for script in ("bin/dev", "bin/manage", "local/prepare.sh", "Dockerfile"):
        # The words may appear in a comment; a command may not.
        commands = re.sub(r"(?m)#.*$", "", (ROOT / script).read_text())
        assert not re.search(r"\b(npm|npx|node|yarn)\b", commands), script


# What a browser may keep for itself, by its key: never who somebody is or what they bought. Taps that
# wait for the network lie in the worker's IndexedDB until they are sent, and nowhere else.
WORKER = "sw.js"
PREFERENCES = {
    "keys": "whether letter keys work in the back office",
    "seen": "the goods that were looked at lately, by their addresses; a button forgets them",
}


@pytest.mark.row("M10")
def test_the_browser_keeps_preferences_and_nothing_about_a_person() -> None:
    scripts = [*(ROOT / "static" / "js").glob("*.js"), *(ROOT / "templates").rglob("*.html")]
    kept, elsewhere = set(), []
    for path in scripts:
        text = path.read_text()
        kept |= set(re.findall(r"localStorage\.setItem\(\s*[\"']([^\"']+)", text))
        others = re.sub(r"localStorage\.(?:get|set|remove)Item\(\s*[\"'][^\"']+", "", text)
        if path.name == WORKER:
            assert re.findall(r'indexedDB\.open\("(\w+)"', others) == ["taps"]
            others = others.replace("indexedDB", "")
        if re.search(r"localStorage|sessionStorage|indexedDB|document\.cookie", others):
            elsewhere.append(path.name)

    assert len(scripts) > 20
    assert kept == set(PREFERENCES)
    assert elsewhere == []
