"""``bin/manage urls``: every address the product answers, who it is for, and its guard."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import click
from flask import Flask, current_app
from flask.cli import with_appcontext

ROUTES_PAGE = Path(__file__).resolve().parents[3] / "docs" / "routes.md"

AUDIENCES = {
    "storefront": "Shoppers, on a store's own host",
    "backoffice": "Staff, on the platform's host",
    "platform": "Signing in and the platform's own pages",
    "webhooks": "Providers calling back",
    "": "Any host",
}

HEAD = """# Every address

Written by `bin/manage urls --write`; a test compares it with the application. A permission is a
key of `app/domain/people/permissions.py`, where the roles that have it are listed.
"""


@click.command("urls")
@click.option("--write", is_flag=True, help="Write docs/routes.md.")
@with_appcontext
def urls_command(write: bool) -> None:
    """List every address the product answers."""
    page = routes_page(current_app)
    if not write:
        click.echo(page)
        return
    ROUTES_PAGE.write_text(page)
    click.echo("Wrote docs/routes.md.")


def routes_page(app: Flask) -> str:
    """The page for this application."""
    rows: dict[str, list[str]] = defaultdict(list)
    for rule in sorted(app.url_map.iter_rules(), key=lambda rule: (rule.rule, rule.endpoint)):
        view = app.view_functions[rule.endpoint]
        methods = ", ".join(sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}))
        permission = getattr(view, "_permission", "")
        rows[_audience(view.__module__)].append(
            f"| `{rule.rule}` | {methods} | {rule.endpoint} | {permission} |"
        )
    parts = [HEAD]
    for audience, words in AUDIENCES.items():
        parts += [f"## {words}", ""]
        parts += ["| address | methods | view | permission |", "|---|---|---|---|"]
        parts += [*rows[audience], ""]
    return "\n".join(parts)


def _audience(module: str) -> str:
    part = module.removeprefix("app.web.").partition(".")[0]
    return part if part in AUDIENCES else ""
