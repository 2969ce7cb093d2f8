"""Every wait of this process, in seconds: the product's own, or shorter ones for a test."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True, kw_only=True)
class Timings:
    """Waits in seconds. The defaults are the contract's; see reliability, sections 4 and 5."""

    confirm_delays: tuple[float, ...] = (0, 2, 4, 8, 15, 30)
    confirm_every: float = 60
    confirm_for: float = 600
    first_check: float = 20
    check_every: float = 10
    check_until: float = 180
    late_check_delays: tuple[float, ...] = (300, 900, 3600)
    give_up_after: float = 86_400
    sending_is_lost_after: float = 60
    resend_after_unknown: float = 60
    prompt_lifetime: float = 60
    reservation: float = 900
    quote: float = 900
    offer: float = 1800
    receipt_patience: float = 15
    lease: float = 90
    visibility: float = 90
    retry_delay: float = 10
    wrong_try: float = 1
    give_up_reaching: float = 120
    probe_every: float = 15

    def reservation_end(self, now: datetime) -> datetime:
        return now + timedelta(seconds=self.reservation)

    def offer_end(self, now: datetime) -> datetime:
        """Until when a link of the waiting line keeps its unit."""
        return now + timedelta(seconds=self.offer)

    def confirm_delay(self, tries: int, waited: float) -> float | None:
        """Seconds until the next confirming query after ``tries`` of them, or None to give up."""
        if tries < len(self.confirm_delays):
            return self.confirm_delays[tries]
        return self.confirm_every if waited < self.confirm_for else None

    def wrong_try_delay(self, tries: int) -> float:
        """Seconds to wait after ``tries`` wrong ones in a row: none at first, then ever longer."""
        return 0.0 if tries < 3 else min(self.wrong_try * 2.0 ** (tries - 3), 300.0)

    def check_delay(self, waited: float) -> float | None:
        """Seconds until the next look at a silent attempt, asked ``waited`` seconds ago; None to give up."""
        if waited >= self.give_up_after:
            return None
        if waited < self.check_until:
            return self.check_every
        for delay in self.late_check_delays:
            if waited < self.check_until + delay:
                return delay
        return self.late_check_delays[-1] if self.late_check_delays else self.check_every


_timings = Timings()


def configure_timings(timings: Timings) -> None:
    """Give this process its waits, once, at start."""
    global _timings
    _timings = timings


def timings() -> Timings:
    """The waits of this process."""
    return _timings
