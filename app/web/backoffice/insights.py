"""The rows behind each card, and the one tap that follows advice or takes it back."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

from flask import redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from app.clock import utcnow
from app.db.engine import db
from app.domain.delivery.queries import area_name
from app.domain.errors import DomainError, NotFound
from app.domain.insights.actions import apply_nudge, dismiss_nudge, undo_nudge
from app.domain.insights.models import Nudge
from app.domain.insights.queries import (
    area_checkouts,
    list_checkouts,
    low_stock,
    sold_today_and_last_week,
)
from app.i18n import gettext as _
from app.money import format_kes
from app.web.auth import require_staff
from app.web.backoffice.shell import actor, desk, toast, trouble

bp = desk("office_insights", __name__, "/dash/<store>/insights")


@bp.get("/sales")
@require_staff("today.see")
def sales() -> ResponseReturnValue:
    """Today's orders, and last week's by this time of day."""
    sold, last_week = sold_today_and_last_week(db.session(), utcnow())
    return render_template(
        "backoffice/insight_sales.html", sold=sold, last_week=last_week, area_name=area_name
    )


@bp.get("/areas")
@require_staff("today.see")
def areas() -> ResponseReturnValue:
    """The week's checkouts by area, and one by one; ``area`` narrows to one area's."""
    area = request.args.get("area", "")[:60] or None
    return render_template(
        "backoffice/insight_areas.html",
        areas=area_checkouts(db.session(), utcnow()),
        checkouts=list_checkouts(db.session(), utcnow(), area),
        chosen=area,
        area_name=area_name,
    )


@bp.get("/stock")
@require_staff("today.see")
def stock() -> ResponseReturnValue:
    """What is about to sell out, the most urgent first."""
    return render_template("backoffice/insight_stock.html", low=low_stock(db.session(), utcnow()))


@bp.post("/nudges/<uuid:nudge_id>/apply")
@require_staff("insights.apply")
def apply(nudge_id: UUID) -> ResponseReturnValue:
    nudge = _decide(apply_nudge, nudge_id)
    if nudge is not None:
        toast(_fee_words(nudge, nudge.to_fee_cents), undo=url_for(".undo", nudge_id=nudge_id))
    return redirect(url_for("office_today.show"), code=303)


@bp.post("/nudges/<uuid:nudge_id>/undo")
@require_staff("insights.apply")
def undo(nudge_id: UUID) -> ResponseReturnValue:
    nudge = _decide(undo_nudge, nudge_id)
    if nudge is not None:
        toast(_fee_words(nudge, nudge.from_fee_cents))
    return redirect(url_for("office_today.show"), code=303)


@bp.post("/nudges/<uuid:nudge_id>/dismiss")
@require_staff("insights.apply")
def dismiss(nudge_id: UUID) -> ResponseReturnValue:
    nudge = _decide(dismiss_nudge, nudge_id)
    if nudge is not None:
        toast(_("We will not suggest that for %(area)s for 14 days.", area=area_name(nudge.area)))
    return redirect(url_for("office_today.show"), code=303)


def _decide(decision: Callable[[Session, UUID, str], Nudge], nudge_id: UUID) -> Nudge | None:
    """Take a decision and keep it; None after saying on the next page why it was not taken."""
    try:
        nudge = decision(db.session(), nudge_id, actor())
    except NotFound:
        raise
    except DomainError as reason:
        db.session.rollback()
        trouble(str(reason))
        return None
    db.session.commit()
    return nudge


def _fee_words(nudge: Nudge, fee_cents: int) -> str:
    return _("%(area)s fee is %(fee)s.", area=area_name(nudge.area), fee=format_kes(fee_cents))
