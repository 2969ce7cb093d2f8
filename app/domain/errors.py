"""Everything a rule can say no with.

Each error carries the facts as attributes and, as ``str(error)``, a sentence that is
safe to show to the person, in the language of whoever reads it. ``app.web`` turns
``NotFound`` into 404 and every other one into 422, in one place.
"""

from __future__ import annotations

from app.i18n import gettext_lazy as _
from app.money import format_kes


class DomainError(Exception):
    """A rule said no. ``str(error)`` is safe to show to the person."""


class NotFound(DomainError):
    """There is no such thing in this store."""

    def __init__(self, message: str = _("We could not find that.")) -> None:
        super().__init__(message)


class OutOfStock(DomainError):
    """Fewer units are free to sell than were asked for."""

    def __init__(self, sku: str, available: int) -> None:
        self.sku = sku
        self.available = available
        super().__init__(
            _("Only %(n)s left in stock.", n=available)
            if available > 0
            else _("This item is sold out.")
        )


class BelowMinimumOrder(DomainError):
    """The goods come to less than the area's smallest order."""

    def __init__(self, minimum_cents: int) -> None:
        self.minimum_cents = minimum_cents
        super().__init__(
            _(
                "The smallest order we deliver there is %(amount)s.",
                amount=format_kes(minimum_cents),
            )
        )


class WayNotOffered(DomainError):
    """The shop has closed this way to pay since the page was opened."""

    def __init__(self) -> None:
        super().__init__(
            _("The shop does not take M-Pesa now. Nothing was ordered: choose how to pay below.")
        )


class AreaNotServed(DomainError):
    """The store does not deliver to this area, or no area was chosen."""

    def __init__(self, area: str | None) -> None:
        self.area = area
        super().__init__(
            _("This shop does not deliver to %(area)s yet.", area=area)
            if area
            else _("Choose your area to see the delivery fee and time.")
        )


class IllegalTransition(DomainError):
    """A status cannot change like that, usually because somebody else was quicker."""

    def __init__(self, thing: str, from_status: str, to_status: str) -> None:
        self.thing = thing
        self.from_status = from_status
        self.to_status = to_status
        super().__init__(_("That was already changed by someone else. Look again."))


class PriceChanged(DomainError):
    """The total the shopper agreed to is no longer the total. Nothing was ordered or charged."""

    def __init__(self, *, shown_cents: int, total_cents: int, changes: list[str]) -> None:
        self.shown_cents = shown_cents
        self.total_cents = total_cents
        self.changes = changes
        super().__init__(
            _(
                "The total is now %(total)s. You were shown %(shown)s. Nothing was charged.",
                total=format_kes(total_cents),
                shown=format_kes(shown_cents),
            )
        )


class EmptyCart(DomainError):
    """There is nothing to order."""

    def __init__(self) -> None:
        super().__init__(_("Your cart is empty."))


class StorePaused(DomainError):
    """The store takes no orders now. ``words`` are the shop's own, where it left some."""

    def __init__(self, words: str = "") -> None:
        super().__init__(words or _("This shop is taking a short break. Please come back later."))


class FieldProblem(DomainError):
    """One field of a form cannot be used as it was typed."""

    def __init__(self, field: str, message: str) -> None:
        self.field = field
        super().__init__(message)


class AmountNotPayable(DomainError):
    """M-Pesa does not take this amount in one payment."""

    def __init__(self, amount_cents: int) -> None:
        self.amount_cents = amount_cents
        super().__init__(
            _("M-Pesa takes KES 1 to KES 250,000 in one payment. Please split the order.")
        )


class PromptStillAlive(DomainError):
    """Another prompt may still be answered; a second one could take the money twice."""

    def __init__(self, wait_seconds: int) -> None:
        self.wait_seconds = wait_seconds
        super().__init__(
            _("A payment request is still open. You can send another in %(n)s s.", n=wait_seconds)
        )


class TooManyTries(DomainError):
    """A limit was reached. Says when to try again."""

    def __init__(self, retry_after_seconds: int) -> None:
        self.retry_after_seconds = retry_after_seconds
        minutes = max(1, -(-retry_after_seconds // 60))
        super().__init__(_("Too many tries. Please try again in %(n)s min.", n=minutes))


class KeyReused(DomainError):
    """The same form key came with different content."""

    def __init__(self) -> None:
        super().__init__(_("This form was already used for something else. Please start again."))


class AlreadyPaid(DomainError):
    """There is nothing left to pay on this order."""

    def __init__(self) -> None:
        super().__init__(_("This order is already paid. Thank you."))


class NotPayable(DomainError):
    """The order cannot be paid any more."""

    def __init__(self) -> None:
        super().__init__(_("This order was cancelled and cannot be paid."))
