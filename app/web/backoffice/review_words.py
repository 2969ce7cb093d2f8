"""What a review item says to the person who must settle it."""

from __future__ import annotations

from app.domain.payments.actions import ACTIONS
from app.domain.payments.models import ReviewItem
from app.i18n import gettext_lazy as _

# Kind → what happened, and what is safe and what to do.
_WORDS: dict[str, tuple[str, str]] = {
    "amount_differs": (
        _("M-Pesa reported another amount than was asked"),
        _("The order waits. Look at your M-Pesa statement and say what arrived."),
    ),
    "unconfirmed_callback": (
        _("Word of money came, and M-Pesa will not confirm it"),
        _("The order waits and nothing was handed out. Look at your M-Pesa statement."),
    ),
    "silent_attempt": (
        _("M-Pesa never said how a request ended"),
        _("The order waits. Look at your M-Pesa statement for this amount."),
    ),
    "late_money": (
        _("Money arrived after the order was cancelled"),
        _("It is safe in your till. Send the goods after all, or send the money back."),
    ),
    "late_money_sold_out": (
        _("Money arrived after the goods were sold out"),
        _("It is safe in your till. Send the goods if you find them, or send the money back."),
    ),
    "paid_twice": (
        _("The same order was paid twice"),
        _("The second payment is the customer's. Send it back from your M-Pesa."),
    ),
    "refund_due": (
        _("A paid order was cancelled"),
        _("The money is the customer's. Send it back from your M-Pesa."),
    ),
    "unmatched_money": (
        _("Money without an order"),
        _("It is safe in your till. Find out whose it is, or send it back."),
    ),
    "receipt_used_elsewhere": (
        _("One M-Pesa receipt turned up at two orders"),
        _("Nothing was counted twice. Compare both with your M-Pesa statement."),
    ),
    "unreadable_callback": (
        _("M-Pesa sent a message we could not read"),
        _("No money was booked from it. We ask M-Pesa ourselves."),
    ),
}


def item_words(item: ReviewItem) -> tuple[str, str]:
    """What happened, and what to do about it."""
    return _WORDS.get(item.kind, (item.kind.replace("_", " ").capitalize(), ""))


def item_actions(item: ReviewItem) -> list[tuple[str, str]]:
    """The steps a person may take: the form's value and the button's words."""
    return list(ACTIONS.get(item.kind, {}).items()) if item.status == "open" else []
