"""The team: who works here as what, inviting, changing roles, taking somebody out, lost phones."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from app.db.engine import db
from app.domain.errors import DomainError, FieldProblem
from app.domain.messaging.push import forget_person
from app.domain.people import invitations, team
from app.domain.people.invitations import AlreadyInvited
from app.domain.people.models import Invitation
from app.domain.people.permissions import ROLES
from app.domain.people.roles import ROLE_SENTENCES, ROLE_WORDS
from app.domain.people.sessions import devices_of
from app.i18n import current_locale
from app.i18n import gettext as _
from app.phones import InvalidPhone, parse_msisdn
from app.web.auth import require_staff, staff_token
from app.web.backoffice.shell import actor, desk, may, toast, trouble

bp = desk("office_team", __name__, "/dash/<store>/team")


@bp.get("/")
@require_staff("team.see")
def show() -> ResponseReturnValue:
    """Everybody who works here, who is invited, and who was taken out lately."""
    return render_template(
        "backoffice/team.html",
        members=team.team_of(g.store.id),
        invited=invitations.open_invitations(db.session()),
        former=team.former_members(g.store.id) if may("team.change") else [],
        closed_because=invitations.why_closed,
    )


@bp.get("/invite")
@require_staff("team.change")
def invite_form() -> ResponseReturnValue:
    """Who, as what, and how the link reaches them."""
    return _invite_page()


@bp.post("/invite")
@require_staff("team.change")
def invite() -> ResponseReturnValue:
    """Make an invitation and send its link."""
    session = db.session()
    try:
        invitation = invitations.invite(
            session,
            phone=parse_msisdn(request.form.get("phone", "")),
            role=request.form.get("role", ""),
            name=request.form.get("name", ""),
            channel=request.form.get("how", ""),
            actor=actor(),
            language=current_locale(),
        )
    except InvalidPhone as problem:
        return _invite_page(problem=str(problem), field="phone", status=422)
    except AlreadyInvited as known:
        session.rollback()
        trouble(str(known))
        return redirect(url_for(".invitation", invitation_id=known.invitation_id), code=303)
    except (invitations.AlreadyMember, FieldProblem) as problem:
        session.rollback()
        field = getattr(problem, "field", "phone")
        return _invite_page(problem=str(problem), field=field, status=422)
    session.commit()
    toast(_sent_words(invitation))
    return redirect(url_for(".invitation", invitation_id=invitation.id), code=303)


@bp.get("/invitations/<uuid:invitation_id>")
@require_staff("team.change")
def invitation(invitation_id: UUID) -> ResponseReturnValue:
    """One invitation: its link to pass on, what became of the message, again or withdraw."""
    session = db.session()
    found = invitations.get_invitation(session, invitation_id)
    return render_template(
        "backoffice/team_invitation.html",
        invitation=found,
        link=invitations.link_of(found),
        words=invitations.words_of(g.store.name, found),
        closed=invitations.why_closed(found),
        message=invitations.message_of(session, found),
        can_use_whatsapp=invitations.can_use_whatsapp(session),
    )


@bp.post("/invitations/<uuid:invitation_id>/again")
@require_staff("team.change")
def send_again(invitation_id: UUID) -> ResponseReturnValue:
    """Send the link once more; its 48 hours begin again."""
    found = invitations.send_again(
        db.session(),
        invitation_id,
        channel=request.form.get("how", ""),
        actor=actor(),
        language=current_locale(),
    )
    db.session.commit()
    toast(_sent_words(found))
    return redirect(url_for(".invitation", invitation_id=invitation_id), code=303)


@bp.post("/invitations/<uuid:invitation_id>/withdraw")
@require_staff("team.change")
def withdraw(invitation_id: UUID) -> ResponseReturnValue:
    """Make the link stop working."""
    invitations.withdraw(db.session(), invitation_id, actor=actor())
    db.session.commit()
    toast(_("The invitation is withdrawn. Its link does not work any more."))
    return redirect(url_for(".show"), code=303)


@bp.get("/<uuid:person_id>")
@require_staff("team.see")
def member(person_id: UUID) -> ResponseReturnValue:
    """One person: the role, the devices they are signed in on, taking them out."""
    found = team.member_of(g.store.id, person_id)
    devices = devices_of(person_id, this_token=staff_token()) if may("team.change") else []
    return render_template(
        "backoffice/team_member.html", member=found, devices=devices, **_role_words()
    )


@bp.post("/<uuid:person_id>/role")
@require_staff("team.change")
def change_role(person_id: UUID) -> ResponseReturnValue:
    """Another role, from their next click."""
    wanted, seen = request.form.get("role", ""), request.form.get("seen", "")
    found = team.member_of(g.store.id, person_id)
    try:
        before = team.change_role(g.store.id, person_id, wanted, seen=seen, actor=actor())
    except DomainError as problem:
        trouble(str(problem))
        return redirect(url_for(".member", person_id=person_id), code=303)
    if before != wanted:
        toast(
            _("%(name)s is %(role)s now.", name=found.name, role=ROLE_WORDS[wanted]),
            undo=url_for(".change_role", person_id=person_id),
            fields={"role": before, "seen": wanted},
        )
    return _after_change(person_id)


@bp.post("/<uuid:person_id>/remove")
@require_staff("team.change")
def remove(person_id: UUID) -> ResponseReturnValue:
    """Take somebody out of the team; for a week it can be undone."""
    try:
        former = team.remove_member(g.store.id, person_id, actor=actor())
    except team.LastOwner as problem:
        trouble(str(problem))
        return redirect(url_for(".member", person_id=person_id), code=303)
    forget_person(db.session(), person_id)
    db.session.commit()
    if person_id == g.person.id:
        return redirect(url_for("signing_in.stores"), code=303)
    toast(
        _("%(name)s does not work here any more.", name=former.name),
        undo=url_for(".bring_back", person_id=person_id),
    )
    return redirect(url_for(".show"), code=303)


@bp.post("/<uuid:person_id>/bring-back")
@require_staff("team.change")
def bring_back(person_id: UUID) -> ResponseReturnValue:
    """Undo a removal."""
    found = team.bring_back(g.store.id, person_id, actor=actor())
    toast(
        _("%(name)s is back as %(role)s.", name=found.name, role=ROLE_WORDS[found.role]),
    )
    return redirect(url_for(".show"), code=303)


@bp.post("/<uuid:person_id>/devices/<uuid:device_id>/sign-out")
@require_staff("team.change")
def sign_out_device(person_id: UUID, device_id: UUID) -> ResponseReturnValue:
    """A lost phone: its next click asks for the sign-in page."""
    try:
        device = team.sign_out_device(g.store.id, person_id, device_id, actor=actor())
    except team.DeviceGone as gone:
        trouble(str(gone))
    else:
        toast(_("%(device)s is signed out.", device=device or _("That device")))
    return redirect(url_for(".member", person_id=person_id), code=303)


def _after_change(person_id: UUID) -> ResponseReturnValue:
    """Back to the page they changed; a person who gave their own rights away starts anew."""
    if person_id == g.person.id:
        return redirect(url_for("office_home.show"), code=303)
    return redirect(url_for(".member", person_id=person_id), code=303)


def _invite_page(*, problem: str = "", field: str = "", status: int = 200) -> ResponseReturnValue:
    can_use_whatsapp = invitations.can_use_whatsapp(db.session())
    page = render_template(
        "backoffice/team_invite.html",
        problem=problem,
        field=field,
        typed=request.form,
        can_use_whatsapp=can_use_whatsapp,
        **_role_words(),
    )
    return page, status


def _role_words() -> dict[str, Any]:
    return {"roles": ROLES, "role_sentences": ROLE_SENTENCES}


def _sent_words(invitation: Invitation) -> str:
    if invitation.channel == "link":
        return _("The link is ready. Pass it on within 48 hours.")
    by = _("WhatsApp") if invitation.channel == "whatsapp" else _("SMS")
    return _("The link is on its way by %(how)s.", how=by)
