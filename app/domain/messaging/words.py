"""What messages say. Short, true, one link; an SMS of ours fits into two parts."""

from __future__ import annotations

from dataclasses import dataclass

from app.i18n import gettext as _
from app.i18n import gettext_noop
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


SENTENCES: dict[str, str] = {
    "receipt": gettext_noop("%(store)s: paid %(amount)s for order %(code)s. Follow it: %(link)s"),
    "receipt_with_code": gettext_noop(
        "%(store)s: paid %(amount)s for order %(code)s. M-Pesa code %(receipt)s. Follow it: %(link)s"
    ),
    "accepted": gettext_noop(
        "%(store)s: order %(code)s accepted. You pay %(amount)s on delivery. Follow it: %(link)s"
    ),
    "packed": gettext_noop("%(store)s: order %(code)s is packed. %(link)s"),
    "dispatched": gettext_noop("%(store)s: order %(code)s is on the way. %(link)s"),
    "dispatched_with_rider": gettext_noop(
        "%(store)s: order %(code)s is on the way with %(rider)s. %(link)s"
    ),
    "delivered": gettext_noop("%(store)s: order %(code)s was delivered. Thank you. %(link)s"),
    "collected": gettext_noop("%(store)s: order %(code)s was collected. Thank you. %(link)s"),
    "cancelled": gettext_noop("%(store)s: order %(code)s was cancelled. Questions? %(link)s"),
    "refund_due": gettext_noop(
        "%(store)s: %(amount)s for order %(code)s is owed back to you. The shop is on it. %(link)s"
    ),
}


def order_message(kind: str, facts: OrderFacts) -> str:
    """The text of one order message. Raises KeyError for a kind we do not send."""
    if kind == "receipt" and facts.receipt:
        kind = "receipt_with_code"
    if kind == "dispatched" and facts.rider:
        kind = "dispatched_with_rider"
    amount = format_kes(facts.total_cents).replace("\N{NO-BREAK SPACE}", " ")
    return _(SENTENCES[kind]) % {
        "store": facts.store,
        "code": facts.code,
        "link": facts.link,
        "amount": amount,
        "receipt": facts.receipt,
        "rider": facts.rider,
    }


def code_message(code: str) -> str:
    """The text that carries a one-time code."""
    return _("%(code)s is your Dukani code. It works for 5 minutes. Never share it.", code=code)
