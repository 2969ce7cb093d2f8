"""The front doors of the desks: each role lands on its own first page."""

from __future__ import annotations

from flask import g, redirect, render_template, url_for
from flask.typing import ResponseReturnValue

from app.db.engine import db
from app.domain.messaging.push import follow
from app.domain.people.permissions import can
from app.i18n import current_locale
from app.i18n import gettext as _
from app.web.auth import require_staff
from app.web.backoffice.shell import desk, toast
from app.web.notifying import browser_address

bp = desk("office_home", __name__, "/staff/<store>")

# The first one that a role may open is its home.
_HOMES = (
    ("today.see", "office_today.show"),
    ("orders.pack", "office_orders.show"),
    ("orders.dispatch", "office_dispatch.show"),
    ("run.see", "office_run.show"),
    ("orders.see", "office_orders.show"),
)


def home_of(role: str, store: str) -> str:
    """The address where somebody with this role starts."""
    for permission, endpoint in _HOMES:
        if can(role, permission):
            return url_for(endpoint, store=store)
    return url_for("office_home.more", store=store)


@bp.get("/")
@require_staff("door.open")
def show() -> ResponseReturnValue:
    return redirect(home_of(g.role, g.store.slug), code=303)


@bp.get("/more")
@require_staff("door.open")
def more() -> ResponseReturnValue:
    return render_template("backoffice/more.html")


@bp.post("/notify")
@require_staff("orders.see")
def notify() -> ResponseReturnValue:
    """This browser is told when there is something new to pack."""
    follow(db.session(), browser_address(), language=current_locale(), person_id=g.person.id)
    db.session.commit()
    toast(_("This phone is told of new orders."))
    return redirect(url_for(".more"), code=303)


@bp.get("/keys")
@require_staff("door.open")
def keys() -> ResponseReturnValue:
    return render_template("backoffice/keys.html")
