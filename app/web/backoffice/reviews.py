"""Money that waits for a person: each item with its age, its story and its next step."""

from __future__ import annotations

from uuid import UUID

from flask import redirect, render_template, request
from flask.typing import ResponseReturnValue
from sqlalchemy import select

from app.db.engine import db
from app.db.tenancy import bound_store
from app.domain.errors import NotFound
from app.domain.orders.models import Order
from app.domain.payments.actions import ACTIONS, NotPossible, resolve_review
from app.domain.payments.models import ReviewItem
from app.i18n import gettext as _
from app.web.auth import require_staff
from app.web.backoffice.shell import actor, back_or, desk, toast, trouble
from app.web.second_factor import needs_second_factor

bp = desk("office_reviews", __name__, "/dash/<store>/reviews")

RESOLVED_SHOWN = 20
# Steps that book money by somebody's word; the others only put an item away.
MOVES_MONEY = frozenset({"accept", "honour", "refunded"})


@bp.get("/")
@require_staff("money.see")
def show() -> ResponseReturnValue:
    """What is open, the oldest first, and what was settled lately."""
    waiting = db.session.scalars(
        select(ReviewItem)
        .where(ReviewItem.store_id == bound_store(), ReviewItem.status == "open")
        .order_by(ReviewItem.opened_at, ReviewItem.id)
    ).all()
    settled = db.session.scalars(
        select(ReviewItem)
        .where(ReviewItem.store_id == bound_store(), ReviewItem.status == "resolved")
        .order_by(ReviewItem.resolved_at.desc())
        .limit(RESOLVED_SHOWN)
    ).all()
    ids = {item.order_id for item in (*waiting, *settled) if item.order_id}
    orders = db.session.scalars(
        select(Order).where(Order.store_id == bound_store(), Order.id.in_(ids))
    )
    return render_template(
        "backoffice/reviews.html",
        waiting=waiting,
        settled=settled,
        orders={order.id: order for order in orders},
    )


@bp.post("/<uuid:item_id>")
@require_staff("money.review")
@needs_second_factor("action", when=lambda: request.form.get("action") in MOVES_MONEY)
def resolve(item_id: UUID) -> ResponseReturnValue:
    """Settle one item with one of the steps it allows."""
    item = db.session.get(ReviewItem, (bound_store(), item_id), with_for_update=True)
    action = request.form.get("action", "")
    if item is None:
        raise NotFound
    if item.status != "open":
        trouble(_("%(who)s settled this already.", who=item.resolved_by or _("Somebody")))
        return redirect(back_or(".show"), code=303)
    words = ACTIONS.get(item.kind, {}).get(action)
    if words is None:
        raise NotPossible
    resolve_review(db.session(), item, action, actor=actor())
    db.session.commit()
    toast(_("Settled: %(what)s.", what=words))
    return redirect(back_or(".show"), code=303)
