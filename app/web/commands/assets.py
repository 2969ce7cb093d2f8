"""``bin/manage assets``: build styles and scripts ahead of time, as the image does."""

from __future__ import annotations

import click


@click.command("assets")
def assets_command() -> None:
    """Build every style and script into static/dist."""
    from app.web.assets import DIST, build

    for name, file in build().items():
        if not name.startswith("_"):
            click.echo(f"{name:<12} {(DIST / file).stat().st_size:>7} bytes  {file}")
