"""Promotions: codes, sales, deals, bundles, tiers and group prices, each on one screen.

A form shows what a shopper will see while it is filled in; saving it says who did and offers a
way back. Letting one go below a floor price takes the owner and their PIN.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import abort, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from app.clock import utcnow
from app.db.engine import db
from app.domain.changes.actions import latest_change
from app.domain.delivery.queries import store_areas
from app.domain.errors import FieldProblem
from app.domain.promotions.actions import (
    EFFECTS,
    Saved,
    add_group,
    add_member,
    get_group,
    get_promotion,
    remove_member,
    remove_promotion,
    save_promotion,
    set_active,
    set_floor,
)
from app.domain.promotions.models import Promotion
from app.domain.promotions.queries import (
    Result,
    Sight,
    all_groups,
    all_promotions,
    conditions,
    floors,
    results,
    shelf_choices,
    sight_of,
    standing,
    used_by,
    what_it_gives,
)
from app.domain.stores.settings import ChangedMeanwhile, check_seen
from app.i18n import gettext as _
from app.i18n import gettext_lazy, ngettext
from app.ids import new_id
from app.money import InvalidAmount, parse_kes
from app.phones import InvalidPhone, parse_msisdn
from app.web.auth import require_staff
from app.web.backoffice.promotions_reading import empty_form, form_of, read_promotion
from app.web.backoffice.settings_reading import Read, line
from app.web.backoffice.shell import actor, desk, may, toast, trouble
from app.web.htmx import fragment, wants_fragment
from app.web.second_factor import needs_second_factor

bp = desk("office_promotions", __name__, "/dash/<store>/promotions")

KINDS = {
    "coupon": (gettext_lazy("Code"), gettext_lazy("Shoppers type it at checkout.")),
    "sale": (
        gettext_lazy("Timed sale"),
        gettext_lazy("A lower price for a while, crossed out beside."),
    ),
    "deal": (gettext_lazy("Deal"), gettext_lazy("Buy 2 get 1, or money off by itself.")),
    "bundle": (gettext_lazy("Bundle"), gettext_lazy("Several goods for one price.")),
    "tier": (gettext_lazy("Quantity price"), gettext_lazy("Cheaper from 3, from 10 …")),
    "group": (gettext_lazy("Group price"), gettext_lazy("For customers you know by phone.")),
}
EFFECT_WORDS = {
    "percent": gettext_lazy("Percent off"),
    "amount": gettext_lazy("Shillings off"),
    "price": gettext_lazy("A price"),
    "free_delivery": gettext_lazy("Free delivery"),
    "buy_get": gettext_lazy("Buy some, get some free"),
    "tiers": gettext_lazy("Prices by quantity"),
}


@bp.get("/")
@require_staff("promotions.see")
def show() -> ResponseReturnValue:
    """Every promotion, what it gives and what it did."""
    session, now = db.session(), utcnow()
    shelves, did = dict(shelf_choices(session)), results(session)
    rows = [
        {
            "promotion": promotion,
            "kind": KINDS[promotion.kind][0],
            "gives": what_it_gives(promotion),
            "limits": conditions(promotion, shelves),
            "standing": standing(promotion, now),
            "result": did.get(promotion.id, Result()),
        }
        for promotion in all_promotions(session)
    ]
    return render_template(
        "backoffice/promotions.html",
        rows=rows,
        kinds=KINDS,
        can_change=may("promotions.change"),
    )


@bp.get("/new/<kind>")
@require_staff("promotions.change")
def new(kind: str) -> ResponseReturnValue:
    """An empty form."""
    if kind not in KINDS:
        abort(404)
    return render_template("backoffice/promotion_edit.html", **_facts(empty_form(kind), None))


@bp.post("/new/<kind>")
@require_staff("promotions.change")
@needs_second_factor("action", when=lambda: request.form.get("ignores_floor") == "yes")
def add(kind: str) -> ResponseReturnValue:
    """Keep a new promotion, or show what it would look like."""
    if kind not in KINDS:
        abort(404)
    return _save(kind, None)


@bp.get("/<uuid:promotion_id>")
@require_staff("promotions.see")
def edit(promotion_id: UUID) -> ResponseReturnValue:
    """One promotion: its form, what it did, and its latest orders."""
    promotion = get_promotion(db.session(), promotion_id)
    return render_template(
        "backoffice/promotion_edit.html",
        **_facts(form_of(db.session(), promotion), promotion),
    )


@bp.post("/<uuid:promotion_id>")
@require_staff("promotions.change")
@needs_second_factor("action", when=lambda: request.form.get("ignores_floor") == "yes")
def save(promotion_id: UUID) -> ResponseReturnValue:
    """Keep the form, or show what it would look like."""
    promotion = get_promotion(db.session(), promotion_id)
    return _save(promotion.kind, promotion)


@bp.post("/preview/<kind>")
@require_staff("promotions.change")
def preview(kind: str) -> ResponseReturnValue:
    """What a shopper would see with the form as it is now. Keeps nothing."""
    if kind not in KINDS:
        abort(404)
    read = read_promotion(db.session(), request.form, kind)
    return fragment("backoffice/_promotion_sight.html", **_sight_facts(read))


@bp.post("/<uuid:promotion_id>/active")
@require_staff("promotions.change")
def active(promotion_id: UUID) -> ResponseReturnValue:
    """Pause it, or let it go on."""
    promotion = get_promotion(db.session(), promotion_id, lock=True)
    is_active = request.form.get("active") == "yes"
    saved = set_active(db.session(), promotion, is_active, actor=actor())
    db.session.commit()
    _said(saved, _("It runs again.") if is_active else _("Paused. Shoppers do not get it now."))
    return redirect(url_for(".show"), code=303)


@bp.post("/<uuid:promotion_id>/remove")
@require_staff("promotions.change")
def remove(promotion_id: UUID) -> ResponseReturnValue:
    """Take it away; Undo brings it back."""
    promotion = get_promotion(db.session(), promotion_id, lock=True)
    change = remove_promotion(db.session(), promotion, actor=actor())
    db.session.commit()
    _said(Saved(promotion, change), _("The promotion is gone. Orders that had it keep it."))
    return redirect(url_for(".show"), code=303)


@bp.get("/groups")
@require_staff("promotions.see")
def groups() -> ResponseReturnValue:
    """Groups of customers with prices of their own."""
    return _groups_page({})


@bp.post("/groups")
@require_staff("promotions.change")
def new_group() -> ResponseReturnValue:
    try:
        group = add_group(db.session(), line(request.form, "name", 60), actor=actor())
    except FieldProblem as problem:
        db.session.rollback()
        return _groups_page({problem.field: str(problem)}, status=422)
    db.session.commit()
    toast(_("Group %(name)s added.", name=group.name))
    return redirect(url_for(".groups"), code=303)


@bp.post("/groups/<uuid:group_id>/members")
@require_staff("promotions.change")
def new_member(group_id: UUID) -> ResponseReturnValue:
    group = get_group(db.session(), group_id)
    try:
        phone = parse_msisdn(line(request.form, "phone", 40))
    except InvalidPhone as problem:
        return _groups_page({f"phone-{group_id}": str(problem)}, status=422)
    add_member(db.session(), group, phone, actor=actor())
    db.session.commit()
    toast(_("Added. They see their prices once they prove this phone by a code."))
    return redirect(url_for(".groups"), code=303)


@bp.post("/groups/members/<uuid:member_id>/remove")
@require_staff("promotions.change")
def drop_member(member_id: UUID) -> ResponseReturnValue:
    remove_member(db.session(), member_id, actor=actor())
    db.session.commit()
    toast(_("Taken out of the group."))
    return redirect(url_for(".groups"), code=303)


@bp.get("/floors")
@require_staff("promotions.see")
def lowest() -> ResponseReturnValue:
    """The lowest price of goods, which no promotion goes below."""
    return _floors_page({}, {})


@bp.post("/floors")
@require_staff("promotions.change")
def save_floor() -> ResponseReturnValue:
    """Set one; an empty amount takes it away."""
    typed = {"sku": line(request.form, "sku", 80), "floor": line(request.form, "floor", 14)}
    try:
        cents = parse_kes(typed["floor"]) // 100 * 100 if typed["floor"] else None
        change = set_floor(db.session(), typed["sku"], cents or None, actor=actor())
    except InvalidAmount as problem:
        return _floors_page(typed, {"floor": str(problem)}, status=422)
    except FieldProblem as problem:
        db.session.rollback()
        return _floors_page(typed, {problem.field: str(problem)}, status=422)
    db.session.commit()
    undo = url_for("office_changes.undo", change_id=change.id) if change else None
    toast(_("Saved."), undo=undo, fields={"back": url_for(".lowest")})
    return redirect(url_for(".lowest"), code=303)


def _save(kind: str, promotion: Promotion | None) -> ResponseReturnValue:
    session = db.session()
    read = read_promotion(session, request.form, kind)
    if request.form.get("do") == "look":
        return _answer(read, promotion)
    # Only who may override floors keeps a promotion below them; another's change ends that.
    read.wanted["ignores_floor"] = read.typed["ignores_floor"] and may("floors.override")
    read.wanted["floor_allowed_by"] = actor() if read.wanted["ignores_floor"] else ""
    notice, saved = "", None
    if not read.wrong:
        try:
            if promotion is not None:
                seen = request.form.get("seen", "")
                check_seen(session, "promotion", seen, subject=str(promotion.id))
            promotion_id = promotion.id if promotion is not None else None
            saved = save_promotion(session, promotion_id, read.wanted, actor=actor())
        except FieldProblem as problem:
            read.wrong[_FIELD.get(problem.field, problem.field)] = str(problem)
        except ChangedMeanwhile as problem:
            notice = str(problem)
    if saved is None:
        session.rollback()
        return _answer(read, promotion, notice=notice)
    session.commit()
    _said(saved, _("Saved. Shoppers see it now."))
    address = url_for(".edit", promotion_id=saved.promotion.id)
    if not wants_fragment():
        return redirect(address, code=303)
    if promotion is None:  # the page of what was just made has an address of its own
        return make_response("", 200, {"HX-Redirect": address})
    kept = get_promotion(session, saved.promotion.id)
    return fragment("backoffice/_promotion_answer.html", **_facts(form_of(session, kept), kept))


_FIELD = {"amount_cents": "amount"}


def _answer(read: Read, promotion: Promotion | None, *, notice: str = "") -> ResponseReturnValue:
    """The form again, with what was typed."""
    if promotion is not None:
        promotion = get_promotion(db.session(), promotion.id)
    facts = _facts(read.typed, promotion) | _sight_facts(read)
    facts |= {"wrong": read.wrong, "notice": notice, "is_dirty": True}
    status = 422 if read.wrong or notice else 200
    if wants_fragment():
        return fragment("backoffice/_promotion_answer.html", status=status, **facts)
    return make_response(render_template("backoffice/promotion_edit.html", **facts), status)


def _said(saved: Saved, words: str) -> None:
    if saved.change is None:
        toast(_("Nothing to save: it is as it was."))
    else:
        undo = url_for("office_changes.undo", change_id=saved.change.id)
        toast(words, undo=undo, fields={"back": url_for(".show")})
    if saved.elsewhere:
        trouble(
            ngettext(
                "%(n)s of these goods is in another sale and stays there.",
                "%(n)s of these goods are in another sale and stay there.",
                saved.elsewhere,
            )
        )


def _sight_facts(read: Read) -> dict[str, Any]:
    """What a shopper sees with a promotion that is only typed; nothing while it is not whole."""
    sight: Sight | None = None
    if not read.wrong:
        # A promotion in no session: it is looked at and forgotten.
        typed = Promotion(id=new_id(), used=0, given_cents=0, **read.wanted)
        sight = sight_of(db.session(), typed)
    code = read.wanted.get("code") or ""
    return {"sight": sight, "sight_code": code, "typed": read.typed}


def _facts(typed: dict[str, Any], promotion: Promotion | None) -> dict[str, Any]:
    session = db.session()
    kind = typed["kind"]
    subject = str(promotion.id) if promotion is not None else ""
    change = latest_change(session, "promotion", subject=subject) if promotion is not None else None
    return {
        "typed": typed,
        "promotion": promotion,
        "kind": kind,
        "kind_words": KINDS[kind],
        "effects": [(effect, EFFECT_WORDS[effect]) for effect in EFFECTS[kind]],
        "shelves": shelf_choices(session),
        "areas": [place.area for place in store_areas(session)] if kind == "coupon" else [],
        "groups": all_groups(session) if kind == "group" else [],
        "result": results(session).get(promotion.id, Result()) if promotion else None,
        "used_by": used_by(session, promotion.id) if promotion else [],
        "standing": standing(promotion, utcnow()) if promotion else None,
        "sight": sight_of(session, promotion) if promotion else None,
        "sight_code": (promotion.code or "") if promotion else "",
        "change": change,
        "seen": change.id if change else "",
        "can_change": may("promotions.change"),
        "can_override": may("floors.override"),
        "wrong": {},
        "notice": "",
        "is_dirty": False,
    }


def _groups_page(wrong: dict[str, str], *, status: int = 200) -> ResponseReturnValue:
    page = render_template(
        "backoffice/promotion_groups.html",
        groups=all_groups(db.session()),
        wrong=wrong,
        can_change=may("promotions.change"),
    )
    return make_response(page, status)


def _floors_page(
    typed: dict[str, str], wrong: dict[str, str], *, status: int = 200
) -> ResponseReturnValue:
    page = render_template(
        "backoffice/promotion_floors.html",
        rows=floors(db.session()),
        typed=typed,
        wrong=wrong,
        can_change=may("promotions.change"),
    )
    return make_response(page, status)
