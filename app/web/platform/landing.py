"""The platform's own front page: what Dukani is, and where to sign in."""

from __future__ import annotations

from flask import render_template
from flask.typing import ResponseReturnValue

from app.domain.people.sessions import stores_of
from app.web.auth import load_person
from app.web.platform.sign_up import unfinished_opening


def landing_page() -> ResponseReturnValue:
    """For visitors, what this is; for staff, their stores."""
    person = load_person()
    choices = stores_of(person.id) if person is not None else []
    # Whoever left in the middle of opening a shop goes on there.
    way_on = unfinished_opening(person.id) if person is not None else ""
    return render_template("platform/landing.html", person=person, choices=choices, way_on=way_on)
