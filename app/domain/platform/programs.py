"""Which program runs as which database role, in Postgres's own words."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from app.domain.platform.models import Program

# The role each kind of program must have; anything else is shown as wrong.
EXPECTED: dict[str, str] = {
    "web": "dukani_app",
    "web, for the platform": "dukani_platform",
    "worker": "dukani_app",
    "relay": "dukani_relay",
}
SHOWN_FOR = timedelta(days=1)

# Plain text, because the relay says it over a connection of its own.
SAY = (
    "INSERT INTO app.programs (name, host) VALUES ({name}, {host})"
    " ON CONFLICT (name, host) DO UPDATE SET host = excluded.host"
)
_SAY = text(SAY.format(name=":name", host=":host"))
_CONNECTIONS = text(
    "SELECT usename AS role, count(*) AS connections FROM pg_stat_activity"
    " WHERE datname = current_database() AND backend_type IS DISTINCT FROM 'parallel worker' AND usename IS NOT NULL"
    " GROUP BY usename ORDER BY usename"
)


@dataclass(frozen=True)
class Connected:
    """How many connections a database role has open at this moment."""

    role: str
    connections: int


def this_host() -> str:
    """The name of this machine or container, as the page shows it."""
    return socket.gethostname()[:80] or "unknown"


def say_running(session: Session, name: str) -> None:
    """Write down that a program runs, under the role it is connected with. Does not commit."""
    session.execute(_SAY, {"name": name, "host": this_host()})


def programs(session: Session) -> list[Program]:
    """Every program seen in the last day, by name. Platform's session."""
    return list(
        session.scalars(
            select(Program)
            .where(Program.seen_at > func.now() - SHOWN_FOR)
            .order_by(Program.name, Program.host)
        )
    )


def connections(session: Session) -> list[Connected]:
    """Who is connected to this database now, by role. Platform's session."""
    return [Connected(**row) for row in session.execute(_CONNECTIONS).mappings()]


def current_role(session: Session) -> str:
    """What ``SELECT current_user`` answers on this connection."""
    return str(session.scalar(text("SELECT current_user")))


def is_right(program: Program) -> bool:
    """Whether a program has the role of its kind and cannot look past a store."""
    kind = program.name.partition(":")[0]
    return EXPECTED.get(kind) == program.role and not program.is_unbound
