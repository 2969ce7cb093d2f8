"""What messages say. Short, true, one link; an SMS of ours fits into two parts."""

from __future__ import annotations

from dataclasses import dataclass

from app.i18n import gettext as _
from app.money import format_kes


@dataclass(frozen=True, kw_only=True)
class OrderFacts:
    """What a message about an order may mention."""

    store: str
    code: str
    link: str
    total_cents: int
    area: str
    receipt: str = ""
    rider: str = ""


def order_message(kind: str, facts: OrderFacts) -> str:
    """The text of one order message. Raises KeyError for a kind we do not send."""
    amount = format_kes(facts.total_cents).replace("\N{NO-BREAK SPACE}", " ")
    values = {"store": facts.store, "code": facts.code, "link": facts.link, "amount": amount,
              "receipt": facts.receipt, "rider": facts.rider, "area": facts.area}
    match kind:
        case "receipt" if facts.receipt:
            return _("%(store)s: paid %(amount)s for order %(code)s. M-Pesa code %(receipt)s. Follow it: %(link)s", **values)
        case "receipt":
            return _("%(store)s: paid %(amount)s for order %(code)s. Follow it: %(link)s", **values)
        case "accepted":
            return _("%(store)s: order %(code)s accepted. You pay %(amount)s on delivery. Follow it: %(link)s", **values)
        case "packed":
            return _("%(store)s: order %(code)s is packed. %(link)s", **values)
        case "dispatched" if facts.rider:
            return _("%(store)s: order %(code)s is on the way with %(rider)s. %(link)s", **values)
        case "dispatched":
            return _("%(store)s: order %(code)s is on the way. %(link)s", **values)
        case "delivered":
            return _("%(store)s: order %(code)s was delivered. Thank you. %(link)s", **values)
        case "collected":
            return _("%(store)s: order %(code)s was collected. Thank you. %(link)s", **values)
        case "cancelled":
            return _("%(store)s: order %(code)s was cancelled. Questions? %(link)s", **values)
        case "refund_due":
            return _("%(store)s: %(amount)s for order %(code)s is owed back to you. The shop is on it. %(link)s", **values)
        case _:
            raise KeyError(kind)


def code_message(code: str) -> str:
    """The text that carries a one-time code."""
    return _("%(code)s is your Dukani code. It works for 5 minutes. Never share it.", code=code)
