"""The pretend M-Pesa: prompts on phones, money that moved, and telling the shop about it."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from sandbox.behaviour import RESULT_TEXTS, Behaviour
from sandbox.clock import Clock, Scheduler
from sandbox.deliver import post_json
from sandbox.faults import FaultBook, Rolls
from sandbox.ids import Ids, request_id
from sandbox.numbers import hashed, masked
from sandbox.shops import TILL, Shop

OPEN, PAID, FAILED = "open", "paid", "failed"

LATE_S = 180.0
MAXIMUM = 250_000  # KES in one transaction
LONGEST_PROMPT = 182  # characters
SAME_AMOUNT_S = 120.0
# The answer to a push must be on the wire before anything that follows from it (real seconds).
AFTER_ANSWER_S = 0.15

_FIRST_NAMES = ("AMINA", "BRIAN", "CHEBET", "DAVID", "ESTHER", "FATUMA", "GRACE", "HASSAN")


@dataclass
class Sent:
    """One POST to the shop."""

    kind: str
    at: float
    url: str
    body: str
    status_code: int | None = None
    answer: str = ""
    error: str | None = None
    took_ms: int | None = None


@dataclass
class Payment:
    """One attempt to move money: a prompt on a phone, or a customer paying by hand.

    ``amount`` is what was asked and ``paid_amount`` what moved, both whole shillings.
    """

    kind: str
    checkout_request_id: str | None
    merchant_request_id: str | None
    shop: Shop
    msisdn: str
    amount: int
    account_reference: str
    transaction_desc: str
    transaction_type: str
    callback_url: str | None
    opened_at: float
    closes_at: float
    pinned: dict[str, Any] = field(default_factory=dict)
    rolls: Rolls = field(default_factory=Rolls)
    # False for requests M-Pesa refuses before the phone rings.
    on_phone: bool = True
    ignored: bool = False
    status: str = OPEN
    result_code: int | str | None = None
    result_desc: str | None = None
    paid_amount: int = 0
    receipt: str | None = None
    finished_at: float | None = None
    queries: int = 0
    sent: list[Sent] = field(default_factory=list)

    @property
    def callback_told(self) -> bool:
        """Whether a true result was posted, whatever came back."""
        return any(each.kind == "stk" and each.took_ms is not None for each in self.sent)


@dataclass
class _Epoch:
    """The time between two resets, and how many posts are planned in it and not yet done."""

    posts: int = 0


class NoSuchPrompt(LookupError):
    """This phone has no such open prompt."""


class Bank:
    """All money. One lock; nothing slow happens under it."""

    def __init__(self, clock: Clock, scheduler: Scheduler, faults: FaultBook) -> None:
        self.clock, self.scheduler, self.faults = clock, scheduler, faults
        self.ids = Ids()
        self.lock = threading.RLock()
        # Called with a paid payment, under the lock: the payer's own SMS.
        self.on_paid: Callable[[Payment], None] = lambda payment: None
        self._begin()

    def _begin(self) -> None:
        self.epoch = _Epoch()
        self.payments: list[Payment] = []
        self.by_checkout: dict[str, Payment] = {}
        self.open_by_msisdn: dict[str, list[Payment]] = {}
        self.recent: dict[tuple[str, int], float] = {}
        self.balances: dict[str, int] = {}
        self.phones_seen: dict[str, float] = {}

    def reset(self) -> None:
        """Forget all money and prompts; what was scheduled no longer happens."""
        with self.lock:
            self._begin()

    def see(self, msisdn: str) -> None:
        """Remember that this phone exists."""
        self.phones_seen[msisdn] = self.clock.now()

    def behaviour(self, payment: Payment) -> Behaviour:
        """How this payment behaves now."""
        return self.faults.behaviour(payment.msisdn, payment.pinned)

    def has_open_prompt(self, msisdn: str) -> bool:
        """Whether the phone is busy with a prompt."""
        return bool(self.open_by_msisdn.get(msisdn))

    def push(
        self,
        shop: Shop,
        *,
        msisdn: str,
        amount: int,
        party_b: str,
        transaction_type: str,
        callback_url: str,
        account_reference: str,
        transaction_desc: str,
        pinned: dict[str, Any],
    ) -> Payment | None:
        """Put a prompt on a phone; None when the phone already has one."""
        behaviour = self.faults.behaviour(msisdn, pinned)
        now = self.clock.now()
        with self.lock:
            if self.has_open_prompt(msisdn):
                return None
            payment = Payment(
                kind="stk",
                checkout_request_id=self.ids.checkout_request(msisdn, self.clock.nairobi(now)),
                merchant_request_id=request_id(),
                shop=shop,
                msisdn=msisdn,
                amount=amount,
                account_reference=account_reference,
                transaction_desc=transaction_desc,
                transaction_type=transaction_type,
                callback_url=callback_url,
                opened_at=now,
                closes_at=now + behaviour.prompt_s,
                pinned=pinned,
                rolls=self.faults.rolls(behaviour),
            )
            self.payments.append(payment)
            assert payment.checkout_request_id is not None
            self.by_checkout[payment.checkout_request_id] = payment
            self.open_by_msisdn.setdefault(msisdn, []).append(payment)
            self.see(msisdn)
            refused = self._refused_before_phone(payment, party_b, behaviour)
            self.recent[msisdn, amount] = now
            payment.on_phone = refused is None
        if behaviour.forge != "none":
            self._after_answer(0, lambda: self._forge(payment, behaviour.forge))
        if behaviour.callback == "before_answer":
            code = refused if refused is not None else behaviour.outcome()
            self.finish(payment, 0 if code is None else code, behaviour.result_desc, wait=True)
        elif refused is not None:
            self._after_answer(1.0, lambda: self.finish(payment, refused))
        else:
            outcome = behaviour.outcome()
            if outcome is not None:
                self._after_answer(
                    behaviour.after_s,
                    lambda: self.finish(payment, outcome, behaviour.result_desc),
                )
            payment.ignored = behaviour.auto == "ignore"
            self._after_answer(behaviour.prompt_s, lambda: self._expire(payment))
        return payment

    def _refused_before_phone(
        self, payment: Payment, party_b: str, behaviour: Behaviour
    ) -> int | str | None:
        """The ResultCode of a request that M-Pesa takes and then cannot carry out."""
        shop = payment.shop
        if payment.transaction_type != shop.transaction_type:
            return 2028
        if party_b != shop.party_b:
            return "SFC_IC0003"
        if payment.amount > MAXIMUM:
            return 3
        if len(prompt_text(payment)) > LONGEST_PROMPT:
            return 1025
        last = self.recent.get((payment.msisdn, payment.amount))
        if behaviour.same_amount_rule and last and payment.opened_at - last < SAME_AMOUNT_S:
            return 17
        return None

    def _after_answer(self, seconds: float, job: Callable[[], object]) -> None:
        epoch = self.epoch
        # The floor is in real time, so that a fast clock cannot overtake the answer.
        least = AFTER_ANSWER_S * max(self.clock.speed, 0)

        def still() -> None:
            if self.epoch is epoch:
                job()

        self.scheduler.after(max(seconds, least), still)

    def _expire(self, payment: Payment) -> None:
        code = self.behaviour(payment).expire_code
        if code is None:
            # Nobody answered: unreachable. Seen and left alone until it closed: cancelled.
            code = 1032 if payment.ignored else 1037
        self.finish(payment, code)

    def newest_prompt(self, msisdn: str, checkout_request_id: str | None = None) -> Payment:
        """The newest open prompt of a phone, or the one named. Raises NoSuchPrompt."""
        with self.lock:
            for payment in reversed(self.open_by_msisdn.get(msisdn, [])):
                if checkout_request_id in {None, payment.checkout_request_id}:
                    return payment
        raise NoSuchPrompt(msisdn)

    def finish(
        self,
        payment: Payment,
        code: int | str,
        desc: str | None = None,
        *,
        wait: bool = False,
    ) -> bool:
        """Close a prompt with a ResultCode and tell the shop; False if it was closed already.

        With ``wait`` the result is posted before this returns.
        """
        behaviour = self.behaviour(payment)
        with self.lock:
            if payment.status != OPEN:
                return False
            now = self.clock.now()
            payment.result_code = code
            payment.result_desc = desc or RESULT_TEXTS.get(str(code), "The request failed.")
            payment.finished_at = now
            payment.status = PAID if str(code) == "0" else FAILED
            waiting = self.open_by_msisdn.get(payment.msisdn, [])
            if payment in waiting:
                waiting.remove(payment)
            if not waiting:
                self.open_by_msisdn.pop(payment.msisdn, None)
            if payment.status == PAID:
                payment.paid_amount = max(payment.amount + behaviour.amount_delta, 1)
                self._receive(payment)
        self._tell(payment, behaviour, wait=wait)
        return True

    def pay_by_hand(
        self,
        shop: Shop,
        *,
        msisdn: str,
        amount: int,
        reference: str,
        times: int = 1,
    ) -> Payment:
        """A customer pays the paybill or till from the M-Pesa menu; ``times`` confirmations."""
        now = self.clock.now()
        with self.lock:
            payment = Payment(
                kind="c2b",
                checkout_request_id=None,
                merchant_request_id=None,
                shop=shop,
                msisdn=msisdn,
                amount=amount,
                account_reference=reference,
                transaction_desc="",
                transaction_type=shop.transaction_type,
                callback_url=None,
                opened_at=now,
                closes_at=now,
                status=PAID,
                result_code=0,
                result_desc=RESULT_TEXTS["0"],
                paid_amount=amount,
                finished_at=now,
            )
            self.payments.append(payment)
            self.see(msisdn)
            self._receive(payment)
        for _ in range(times):
            self._in(0, lambda: self._confirm(payment))
        return payment

    def _receive(self, payment: Payment) -> None:
        shortcode = payment.shop.shortcode
        payment.receipt = self.ids.receipt(self.clock.nairobi(payment.finished_at))
        self.balances[shortcode] = self.balances.get(shortcode, 0) + payment.paid_amount
        self.on_paid(payment)

    def _tell(self, payment: Payment, behaviour: Behaviour, *, wait: bool) -> None:
        times = behaviour.callback_times()
        delay = behaviour.callback_delay_s
        if behaviour.callback == "late":
            delay = delay or LATE_S
        if payment.rolls.dropped:
            times = 0
        elif payment.rolls.duplicated:
            times = max(times, 2)
        if payment.rolls.reordered:
            delay += behaviour.reorder_delay_s

        confirm = payment.status == PAID and behaviour.c2b != "none"
        confirmations = behaviour.c2b_times if confirm and not payment.rolls.c2b_dropped else 0
        c2b_first = behaviour.c2b == "before" and confirmations
        confirm_after = 0.0 if c2b_first else behaviour.c2b_delay_s
        if c2b_first:
            delay += behaviour.c2b_delay_s

        body = stk_result(payment, behaviour, self.clock)
        if wait and times:
            self._send(payment, "stk", payment.callback_url or "", body)
            times -= 1
        for _ in range(times):
            self._later(delay, payment, "stk", payment.callback_url or "", body)
        for _ in range(confirmations):
            self._in(confirm_after, lambda: self._confirm(payment))

    def _later(self, delay: float, payment: Payment, kind: str, url: str, body: str) -> None:
        self._in(delay, lambda: self._send(payment, kind, url, body))

    def _in(self, seconds: float, job: Callable[[], None]) -> None:
        epoch = self.epoch
        with self.lock:
            epoch.posts += 1

        def still() -> None:
            try:
                if self.epoch is epoch:
                    job()
            finally:
                with self.lock:
                    epoch.posts -= 1

        if seconds <= 0:
            self.scheduler.soon(still)
        else:
            self.scheduler.after(seconds, still)

    def _confirm(self, payment: Payment) -> None:
        url = payment.shop.confirmation_url
        if url:
            body = confirmation(payment, self.balances.get(payment.shop.shortcode, 0), self.clock)
            self._send(payment, "c2b", url, body)

    def _forge(self, payment: Payment, how: str) -> None:
        """A liar posts a result: to a guessed URL, or to the true one without any payment."""
        url = payment.callback_url or ""
        if how == "wrong_token":
            head, slash, token = url.rstrip("/").rpartition("/")
            url = f"{head}{slash}{_another(token)}"
        receipt = self.ids.receipt(self.clock.nairobi())
        if how == "other_receipt":
            with self.lock:
                receipts = [p.receipt for p in self.payments if p.receipt and p is not payment]
            receipt = receipts[-1] if receipts else receipt
        self._send(payment, "forged", url, forged_result(payment, receipt, self.clock))

    def _send(self, payment: Payment, kind: str, url: str, body: str) -> None:
        sent = Sent(kind, self.clock.now(), url, body)
        with self.lock:
            payment.sent.append(sent)
        answer = post_json(url, body.encode())
        sent.status_code, sent.answer = answer.status, answer.text
        sent.error, sent.took_ms = answer.error, answer.took_ms

    def totals(self) -> dict[str, Any]:
        """What really moved: the figures a shop's ledger has to agree with (KES)."""
        with self.lock:
            payments = list(self.payments)
        by_shortcode: dict[str, int] = {}
        counts = {OPEN: 0, PAID: 0, FAILED: 0}
        for payment in payments:
            counts[payment.status] += 1
            if payment.status == PAID:
                code = payment.shop.shortcode
                by_shortcode[code] = by_shortcode.get(code, 0) + payment.paid_amount
        return {
            "paid_count": counts[PAID],
            "paid_sum": sum(by_shortcode.values()),
            "paid_by_shortcode": by_shortcode,
            "open_count": counts[OPEN],
            "failed_count": counts[FAILED],
            "posts_waiting": self.epoch.posts,
        }


def prompt_text(payment: Payment) -> str:
    """What the phone shows with a request."""
    return (
        f"Do you want to pay Ksh {payment.amount} to {payment.shop.name} "
        f"Account no. {payment.account_reference} {payment.transaction_desc}? "
        "Enter M-PESA PIN:"
    )


def first_name(msisdn: str) -> str:
    """The same invented name for the same phone."""
    return _FIRST_NAMES[int(msisdn[-4:]) % len(_FIRST_NAMES)]


def stk_result(payment: Payment, behaviour: Behaviour, clock: Clock) -> str:
    """The body of an STK result; failures have no metadata at all."""
    code = payment.result_code
    inner: dict[str, Any] = {
        "MerchantRequestID": payment.merchant_request_id,
        "CheckoutRequestID": payment.checkout_request_id,
        "ResultCode": code,
        "ResultDesc": payment.result_desc,
    }
    if payment.status == PAID:
        inner["CallbackMetadata"] = {"Item": _metadata(payment, behaviour.metadata, clock)}
    shape = ".2f" if behaviour.amount_shape == "decimal" else "d"
    return _with_amount({"Body": {"stkCallback": inner}}, f"{payment.paid_amount:{shape}}")


def forged_result(payment: Payment, receipt: str, clock: Clock) -> str:
    """The body of a result nobody at M-Pesa sent."""
    inner = {
        "MerchantRequestID": payment.merchant_request_id,
        "CheckoutRequestID": payment.checkout_request_id,
        "ResultCode": 0,
        "ResultDesc": RESULT_TEXTS["0"],
        "CallbackMetadata": {
            "Item": [
                {"Name": "Amount", "Value": _AMOUNT},
                {"Name": "MpesaReceiptNumber", "Value": receipt},
                {"Name": "TransactionDate", "Value": int(clock.nairobi().strftime("%Y%m%d%H%M%S"))},
                {"Name": "PhoneNumber", "Value": int(payment.msisdn)},
            ]
        },
    }
    return _with_amount({"Body": {"stkCallback": inner}}, f"{payment.amount:.2f}")


_AMOUNT = "\u0000amount"


def _with_amount(body: dict[str, Any], amount: str) -> str:
    """As JSON, with the amount written as given: ``1.00`` keeps its zeros."""
    return json.dumps(body).replace(json.dumps(_AMOUNT), amount)


def _metadata(payment: Payment, shape: str, clock: Clock) -> list[dict[str, Any]]:
    amount = {"Name": "Amount", "Value": _AMOUNT}
    receipt = {"Name": "MpesaReceiptNumber", "Value": payment.receipt}
    balance: dict[str, Any] = {"Name": "Balance"}
    stamp = clock.nairobi(payment.finished_at).strftime("%Y%m%d%H%M%S")
    date = {"Name": "TransactionDate", "Value": int(stamp)}
    phone: dict[str, Any] = {"Name": "PhoneNumber", "Value": int(payment.msisdn)}
    if shape == "no_balance":
        return [amount, receipt, date, phone]
    if shape == "balance_text":
        balance["Value"] = (
            "{Amount={CurrencyCode=KES, MinimumAmount=61868300, BasicAmount=618683.00}}"
        )
    if shape == "reordered":
        return [phone, date, receipt, balance, amount]
    if shape == "missing_items":
        return [amount, receipt]
    if shape == "masked_phone":
        phone["Value"] = masked(payment.msisdn)
    if shape == "text_phone":
        phone["Value"] = payment.msisdn
    return [amount, receipt, balance, date, phone]


def confirmation(payment: Payment, balance: int, clock: Clock) -> str:
    """The body of a C2B confirmation: every value a string, the payer masked or hashed."""
    shop = payment.shop
    hide = hashed if shop.c2b_version == 1 else masked
    return json.dumps(
        {
            "TransactionType": "Buy Goods" if shop.type == TILL else "Pay Bill",
            "TransID": payment.receipt,
            "TransTime": clock.nairobi(payment.finished_at).strftime("%Y%m%d%H%M%S"),
            "TransAmount": f"{payment.paid_amount}.00",
            "BusinessShortCode": shop.c2b_shortcode or shop.shortcode,
            "BillRefNumber": payment.account_reference[:20],
            "InvoiceNumber": "",
            "OrgAccountBalance": f"{balance}.00",
            "ThirdPartyTransID": "",
            "MSISDN": hide(payment.msisdn),
            "FirstName": first_name(payment.msisdn),
            "MiddleName": "",
            "LastName": "",
        }
    )


def _another(token: str) -> str:
    """A token of the same length and alphabet that is not this one."""
    return "".join("0" if character == "1" else "1" for character in token) or "1"
