"""What ``bin/manage`` can do: Flask commands, one module per subject.

A command opens the same domain as the pages do. What it needs beyond that is imported when
it runs, so that a web process does not pay for it.
"""

from __future__ import annotations

from flask import Flask

from app.web.commands.assets import assets_command
from app.web.commands.catalog import catalog_group
from app.web.commands.database import check_db, migrate, migration, schema
from app.web.commands.people import platform_admin
from app.web.commands.rights import rights_command
from app.web.commands.rows import rows_command
from app.web.commands.stores import store
from app.web.commands.urls import urls_command

COMMANDS = (
    assets_command,
    catalog_group,
    check_db,
    migrate,
    migration,
    platform_admin,
    rights_command,
    rows_command,
    schema,
    store,
    urls_command,
)


def add_commands(app: Flask) -> None:
    """Give Flask's command line the product's own commands."""
    for command in COMMANDS:
        app.cli.add_command(command)
