"""My devices: where I am signed in, and signing out one of them or all."""

from __future__ import annotations

from uuid import UUID

from flask import Blueprint, flash, g, make_response, redirect, render_template, url_for
from flask.typing import ResponseReturnValue

from app.db.engine import db
from app.domain.audit.actions import record
from app.domain.people.sessions import (
    ABSOLUTE,
    IDLE,
    devices_of,
    end_all_sessions,
    end_device,
    end_other_sessions,
)
from app.i18n import gettext as _
from app.i18n import ngettext
from app.web.auth import forget_staff, require_person, staff_token
from app.web.platform.signing_in import platform_store
from app.web.tenancy import platform_only

bp = Blueprint("devices", __name__, url_prefix="/me/devices")
bp.before_request(platform_only)


@bp.get("")
@require_person
def show() -> ResponseReturnValue:
    """Every browser where this person is signed in, this one marked."""
    return render_template(
        "platform/devices.html",
        devices=devices_of(g.person.id, this_token=staff_token()),
        idle_hours=int(IDLE.total_seconds() // 3600),
        most_days=ABSOLUTE.days,
    )


@bp.post("/<uuid:device_id>/sign-out")
@require_person
def sign_out(device_id: UUID) -> ResponseReturnValue:
    """Sign one device out: its next click asks for the sign-in page."""
    device = end_device(g.person.id, device_id)
    if device is None:
        _say(_("That device is signed out already."))
    else:
        _note("person.device_signed_out", device=device)
        _say(_("%(device)s is signed out.", device=device or _("That device")))
    return redirect(url_for(".show"), code=303)


@bp.post("/sign-out-others")
@require_person
def sign_out_others() -> ResponseReturnValue:
    """Stay here, and nowhere else."""
    count = end_other_sessions(g.person.id, keep=staff_token())
    if count:
        _note("person.signed_out_elsewhere", devices=count)
    _say(
        ngettext("%(n)s other device is signed out.", "%(n)s other devices are signed out.", count)
        if count
        else _("You are signed in nowhere else.")
    )
    return redirect(url_for(".show"), code=303)


@bp.post("/sign-out-all")
@require_person
def sign_out_all() -> ResponseReturnValue:
    """Sign out everywhere, here too."""
    end_all_sessions(g.person.id)
    _note("person.signed_out_everywhere")
    return forget_staff(make_response(redirect(url_for("signing_in.show"), code=303)))


def _note(action: str, **detail: object) -> None:
    """Write it to the platform's audit trail."""
    with platform_store():
        record(db.session(), action, actor=g.person.name, subject=f"person:{g.person.id}", **detail)
        db.session.commit()


def _say(words: str) -> None:
    flash(words, "devices")
