"""Who in the store has an action PIN; the owner can take one away, never read or choose it."""

from __future__ import annotations

from uuid import UUID

from flask import g, redirect, render_template, url_for
from flask.typing import ResponseReturnValue

from app.db.engine import db
from app.domain.people.pins import pins_in, reset_pin
from app.i18n import gettext as _
from app.web.auth import require_staff
from app.web.backoffice.shell import actor, desk, toast
from app.web.second_factor import needs_second_factor

bp = desk("office_pins", __name__, "/dash/<store>/pins")


@bp.get("/")
@require_staff("team.change")
def show() -> ResponseReturnValue:
    """Everybody in the store, and whether they have a PIN."""
    return render_template("backoffice/pins.html", people=pins_in(g.store.id))


@bp.post("/<uuid:person_id>/reset")
@require_staff("team.change")
@needs_second_factor("action")
def reset(person_id: UUID) -> ResponseReturnValue:
    """Take a PIN away; the person sets a new one after a code to their phone."""
    person = reset_pin(db.session(), g.store, person_id, actor=actor())
    db.session.commit()
    toast(_("The PIN of %(name)s is gone. The owners were told.", name=person.name))
    return redirect(url_for(".show"), code=303)
