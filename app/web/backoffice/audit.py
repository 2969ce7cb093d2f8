"""Who did what: the audit trail in words, newest first, with a check that nobody touched it."""

from __future__ import annotations

from typing import Any

from flask import render_template, request
from flask.typing import ResponseReturnValue
from sqlalchemy import select, text

from app.db.engine import db
from app.db.tenancy import bound_store
from app.domain.audit.models import AuditEntry
from app.domain.orders.queries import area_name
from app.i18n import gettext_lazy as _
from app.money import format_kes
from app.web.auth import require_staff
from app.web.backoffice.shell import desk

bp = desk("office_audit", __name__, "/dash/<store>/audit")

PER_PAGE = 100
# One store's chain only; the view reads it whole, so it is asked for when somebody wants it.
_BREAKS = text("SELECT seq FROM app.audit_breaks WHERE store_id = :store_id ORDER BY seq LIMIT 5")


@bp.get("/")
@require_staff("audit.see")
def show() -> ResponseReturnValue:
    """A page of entries, of everything or about one ``subject``; ``check`` reads the chain."""
    before = request.args.get("before", "")
    subject = request.args.get("about", "")[:120]
    query = select(AuditEntry).where(AuditEntry.store_id == bound_store())
    if before.isascii() and before.isdigit() and len(before) < 16:
        query = query.where(AuditEntry.seq < int(before))
    if subject:
        query = query.where(AuditEntry.subject == subject)
    entries = db.session.scalars(query.order_by(AuditEntry.seq.desc()).limit(PER_PAGE)).all()
    breaks = None
    if request.args.get("check"):
        breaks = db.session.scalars(_BREAKS, {"store_id": bound_store()}).all()
    return render_template(
        "backoffice/audit.html",
        entries=entries,
        words=audit_words,
        who=actor_words,
        breaks=breaks,
        subject=subject,
        per_page=PER_PAGE,
    )


# What was done, with the values that the entry can fill in.
SENTENCES = {
    "price.changed": _("%(name)s: price %(money)s"),
    "stock.counted": _("%(name)s: stock %(numbers)s"),
    "fee.changed": _("%(area)s: delivery fee %(money)s"),
    "area.added": _("%(area)s: added to your areas"),
    "area.active": _("%(area)s: delivery switched on or off"),
    "order.packed": _("%(code)s packed"),
    "order.units": _("%(code)s: numbers of its units noted"),
    "order.rider": _("%(code)s: rider changed"),
    "order.dispatched": _("%(code)s left with the rider"),
    "order.delivered": _("%(code)s delivered"),
    "order.collected": _("%(code)s handed over at the shop"),
    "order.cancelled": _("%(code)s cancelled: %(reason)s"),
    "phone.revealed": _("%(code)s: the whole phone number was shown"),
    "customers.merged.changed": _("Two customers made one"),
    "customers.merged.taken_back": _("Two customers made one: taken apart again"),
    "offers.stopped": _("A customer said to stop offers"),
    "payment.checked": _("%(code)s: asked M-Pesa again"),
    "payment.settled": _("%(amount)s settled for an order"),
    "review.accept": _("%(amount)s accepted as arrived"),
    "review.honour": _("A late %(amount)s honoured"),
    "review.refunded": _("%(amount)s marked as sent back"),
    "review.dismiss": _("A question about money closed"),
    "nudge.dismissed": _("%(area)s: a suggestion put aside"),
    "rider.added": _("Rider %(name)s added"),
    "store.suspended": _("Dukani closed this shop: %(reason)s"),
    "store.restored": _("Dukani opened this shop again"),
    "impersonation.began": _("Somebody of Dukani looked at this shop: %(reason)s"),
    "impersonation.may_write": _("Somebody of Dukani may change things for 15 minutes: %(reason)s"),
    "impersonation.ended": _("Somebody of Dukani stopped looking at this shop"),
    "event.replayed": _("Dukani ran a message of M-Pesa again"),
    "job.rerun": _("Dukani gave a job another go"),
    "photo.changed": _("A photo added or removed"),
    "photo.taken_back": _("A photo put back as it was"),
    "photo_order.changed": _("Photos put in another order"),
    "photo_order.taken_back": _("The order of photos put back"),
    "photo_words.changed": _("What a photo shows changed"),
    "photo_words.taken_back": _("What a photo shows put back"),
    "settings.shop.changed": _("The shop's facts changed"),
    "settings.shop.taken_back": _("The shop's facts put back"),
    "settings.hours.changed": _("Opening hours changed"),
    "settings.hours.taken_back": _("Opening hours put back"),
    "settings.theme.changed": _("The shop's look changed"),
    "settings.theme.taken_back": _("The shop's look put back"),
    "settings.paying.changed": _("Ways to pay changed"),
    "settings.paying.taken_back": _("Ways to pay put back"),
    "settings.points.changed": _("Points for customers changed"),
    "settings.points.taken_back": _("Points for customers put back"),
    "settings.pause.changed": _("A break begun or ended"),
    "settings.pause.taken_back": _("The break put back as it was"),
    "areas.changed": _("Areas or fees changed"),
    "areas.taken_back": _("Areas and fees put back"),
    "page.changed": _("Page “%(of)s” changed"),
    "page.taken_back": _("Page “%(of)s” put back"),
    "pages.changed": _("Pages shown or hidden"),
    "pages.taken_back": _("Pages shown or hidden as before"),
    "promotion.changed": _("A promotion changed"),
    "promotion.taken_back": _("A promotion put back as it was"),
    "floor.changed": _("A lowest price changed"),
    "floor.taken_back": _("A lowest price put back"),
    "group.added": _("Customer group %(name)s added"),
    "group.member_added": _("A phone added to the group %(name)s"),
    "group.member_removed": _("A phone taken out of its group"),
    "catalogue.imported": _("Products brought in from a file"),
    "catalogue.import_taken_back": _("An import taken back"),
    "order.placed": _("An order placed"),
    "order.accepted": _("An order accepted, to be paid on delivery"),
    "order.note": _("A note written on %(code)s"),
    "order.returned": _("%(code)s came back to the shop"),
    "order.closed": _("%(code)s closed"),
    "review.dismissed": _("A question about money closed"),
    "nudge.applied": _("%(area)s: a suggestion followed"),
    "nudge.undone": _("%(area)s: a suggestion taken back"),
    "category.changed": _("A category renamed"),
    "category.taken_back": _("A category's old name put back"),
    "kind.applied": _("A ready set of categories added"),
    "product.added": _("%(name)s added"),
    "product.changed": _("A product changed"),
    "product.taken_back": _("A product put back as it was"),
    "product_cell.changed": _("A product changed in the list"),
    "product_cell.taken_back": _("A product put back as it was"),
    "variant.changed": _("A price or a number in stock changed"),
    "variant.taken_back": _("A price or a number in stock put back"),
    "goods.changed": _("Many products changed"),
    "goods.taken_back": _("Many products put back as they were"),
    "stock.changed": _("A shelf counted"),
    "stock.taken_back": _("A count taken back"),
    "product.archived": _("%(name)s put away"),
    "stock.moved": _("Stock moved"),
    "store.created": _("The shop was opened"),
    "store.renamed": _("The shop's name changed"),
    "store.logo": _("The shop's logo changed"),
    "store.exported": _("Everything of the shop was exported"),
    "areas.set": _("Areas and fees set when the shop opened"),
    "till.wished": _("A till or paybill noted"),
    "payment_settings.saved": _("M-Pesa keys saved"),
    "payment_settings.changed": _("M-Pesa keys changed"),
    "payout_number.added": _("A payout number added"),
    "payout_number.removed": _("A payout number removed"),
    "passkey.added": _("A fingerprint or face added"),
    "passkey.removed": _("A fingerprint or face removed"),
    "pin.set": _("An action PIN set"),
    "pin.reset": _("An action PIN reset"),
    "person.locked": _("Somebody was locked after wrong tries"),
    "person.unlocked": _("Somebody was unlocked by a code"),
    "person.signed_in": _("Somebody signed in"),
    "team.invited": _("Somebody invited"),
    "team.invited_again": _("An invitation sent again"),
    "team.invitation_withdrawn": _("An invitation withdrawn"),
    "team.joined": _("Somebody joined the team"),
    "team.role": _("A role changed"),
    "team.removed": _("Somebody taken out of the team"),
    "team.brought_back": _("Somebody brought back to the team"),
    "team.device_signed_out": _("A device signed out"),
}
_BY_ITSELF = {
    "shopper": _("a shopper"),
    "mpesa": "M-Pesa",
    "system": "Dukani",
    "owner": _("an owner"),
}


def audit_words(entry: AuditEntry) -> str:
    """One entry as a sentence: ``KT-1042 packed``, ``Watch: price KES 2,500 → KES 2,300``."""
    d: dict[str, Any] = entry.detail
    known = SENTENCES.get(entry.action)
    if known is None:
        return entry.action.replace(".", ": ").replace("_", " ").capitalize()
    return str(known) % {
        "name": d.get("name", ""),
        "code": d.get("code", ""),
        "reason": d.get("reason", ""),
        "of": d.get("of", ""),
        "area": area_name(d.get("area") or entry.subject.removeprefix("area:")),
        "amount": format_kes(_cents(d, "amount_cents")),
        "money": f"{format_kes(_cents(d, 'before'))} → {format_kes(_cents(d, 'after'))}",
        "numbers": f"{d.get('before')} → {d.get('after')}",
    }


def actor_words(entry: AuditEntry) -> str:
    """Who did it: a person's name, a shopper, M-Pesa, or Dukani by itself."""
    return str(_BY_ITSELF.get(entry.actor.partition(":")[0], entry.actor))


def _cents(d: dict[str, Any], name: str) -> int:
    value = d.get(name)
    return value if isinstance(value, int) else 0
