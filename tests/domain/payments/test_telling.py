"""What providers tell us: each thing they may say, and what is made of it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.db.tenancy import bound_store
from app.domain.payments.callbacks import (
    handle_again,
    handle_callback,
    kept_headers,
)
from app.domain.payments.models import PaymentAttempt, PaymentSettings, ReviewItem
from app.domain.payments.registering import register_c2b
from app.domain.stores.models import Store
from app.ids import new_id, token_hash
from app.jobs import TryLater
from tasks.payments import payment_provider
from tests.builders import make_callback, make_payment_settings
from tests.domain.payments.conftest import Prompted, Till, ledger, loads


def say(prompted: Prompted, kind: str, body: Any) -> str:
    """Store and handle one message; returns the verdict."""
    session = prompted.session
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    attempt_id = prompted.attempt_id if kind == "stk" else None
    callback_id = make_callback(session, kind, data, attempt_id=attempt_id).id
    verdict = handle_callback(session, callback_id)
    session.commit()
    assert handle_callback(session, callback_id) == verdict
    session.commit()
    return verdict


def changed(prompted: Prompted, kind: str = "stk", **facts: Any) -> Any:
    """The message that really came, with some of it changed."""
    body = loads(prompted.told(kind))
    if kind == "c2b":
        return body | facts
    result = body["Body"]["stkCallback"]
    if "amount" in facts or "receipt" in facts:
        for item in result["CallbackMetadata"]["Item"]:
            if item["Name"] == "Amount" and "amount" in facts:
                item["Value"] = facts["amount"]
            if item["Name"] == "MpesaReceiptNumber" and "receipt" in facts:
                item["Value"] = facts["receipt"]
    result |= {name: value for name, value in facts.items() if name not in ("amount", "receipt")}
    return body


def failure(prompted: Prompted, code: object = 1032) -> Any:
    attempt = prompted.attempt
    return {
        "Body": {
            "stkCallback": {
                "CheckoutRequestID": attempt.checkout_request_id,
                "ResultCode": code,
                "ResultDesc": "Request cancelled by user",
            }
        }
    }


def reviews(session: Session) -> list[str]:
    return sorted(
        session.scalars(select(ReviewItem.kind).where(ReviewItem.store_id == bound_store()))
    )


@pytest.mark.row("W53")
def test_a_failure_ends_the_try_once(till: Till) -> None:
    prompted = till.order(is_paid=False)

    assert say(prompted, "stk", failure(prompted)) == "failed"
    assert say(prompted, "stk", failure(prompted)) == "repeated"
    assert prompted.attempt.status == "failed"


@pytest.mark.row("W53")
def test_a_failure_before_the_prompt_was_sent_changes_nothing(till: Till) -> None:
    prompted = till.order(is_paid=False, spike_arrest="envelope")
    body = failure(prompted)
    body["Body"]["stkCallback"]["CheckoutRequestID"] = "ws_CO_not_sent_1"

    assert say(prompted, "stk", body) == "repeated"
    assert prompted.attempt.status == "created"


@pytest.mark.row("W53", "M45")
def test_a_failure_never_overrides_a_success(till: Till) -> None:
    prompted = till.order()
    assert say(prompted, "stk", changed(prompted)) == "confirming"
    assert say(prompted, "stk", failure(prompted)) == "failure_after_success"
    prompted.ask()

    assert say(prompted, "stk", failure(prompted)) == "failure_after_success"
    assert prompted.attempt.status == "succeeded"


@pytest.mark.row("W53")
def test_ids_are_adopted_from_the_first_message_when_the_answer_was_lost(till: Till) -> None:
    prompted = till.order(cut_connection_before_answer=True)
    other = till.order(cut_connection_before_answer=True)
    body = changed(prompted)

    assert say(prompted, "stk", body) == "confirming"
    assert prompted.attempt.checkout_request_id == body["Body"]["stkCallback"]["CheckoutRequestID"]
    assert say(other, "stk", body) == "checkout_id_of_another"
    assert say(other, "c2b_confirmation", changed(other, "c2b")) == "settled"
    assert other.attempt.status == "succeeded"
    assert other.attempt.confirmed_by == "c2b"


@pytest.mark.row("W53", "M33")
def test_another_amount_waits_for_a_person_also_after_success(till: Till) -> None:
    prompted = till.order()
    assert say(prompted, "stk", changed(prompted, amount=1)) == "amount_differs"
    assert prompted.attempt.reported_amount_cents == 1_00
    attempt = prompted.attempt
    attempt.reported_amount_cents = None
    till.session.commit()
    prompted.ask()

    assert say(prompted, "stk", changed(prompted, amount=2)) == "amount_differs"
    assert prompted.attempt.reported_amount_cents is None
    assert reviews(till.session) == ["amount_differs"]


@pytest.mark.row("W53")
def test_a_small_payment_of_a_trusting_shop_is_settled_at_once(till: Till) -> None:
    till.session.get_one(Store, bound_store()).callback_trust_limit_cents = 200_000
    till.session.commit()
    prompted = till.order()
    nameless = changed(prompted, CallbackMetadata={})
    assert say(prompted, "stk", nameless) == "confirming"
    other = till.order()

    assert say(other, "stk", changed(other)) == "settled"
    assert other.attempt.confirmed_by == "trust"


@pytest.mark.row("W53")
def test_a_repeated_success_still_brings_its_code(till: Till) -> None:
    prompted = till.order()
    prompted.ask()
    assert prompted.attempt.receipt is None
    without = changed(prompted, CallbackMetadata={})
    assert say(prompted, "stk", without) == "repeated"
    assert prompted.attempt.receipt is None

    assert say(prompted, "stk", changed(prompted)) == "repeated"

    assert prompted.attempt.receipt is not None


@pytest.mark.row("W53", "W25")
def test_a_confirmation_of_another_till_or_without_sense_is_refused(till: Till) -> None:
    prompted = till.order()

    assert say(prompted, "c2b_confirmation", changed(prompted, "c2b", BusinessShortCode="1")) == (
        "wrong_shortcode"
    )
    for nonsense in ([], {}, changed(prompted, "c2b", TransAmount="-1"), b"{", b"[" * 9000):
        assert say(prompted, "c2b_confirmation", nonsense) == "unreadable"
    assert reviews(till.session) == []
    assert say(prompted, "stk", b"nonsense") == "unreadable"
    assert reviews(till.session) == ["unreadable_callback"]


@pytest.mark.row("W53")
def test_money_is_matched_by_reference_else_by_the_code_a_callback_told(till: Till) -> None:
    prompted = till.order()
    say(prompted, "stk", changed(prompted))
    told = changed(prompted, "c2b", BillRefNumber="TYPED BY HAND")

    assert say(prompted, "c2b_confirmation", told) == "settled"
    assert say(prompted, "c2b_confirmation", told) == "repeated"
    assert prompted.attempt.status == "succeeded"


@pytest.mark.row("W53")
def test_a_callback_after_its_confirmation_is_confirmed(till: Till) -> None:
    prompted = till.order()
    assert say(prompted, "c2b_confirmation", changed(prompted, "c2b")) == "confirming"

    assert say(prompted, "stk", changed(prompted)) == "settled"
    assert prompted.attempt.confirmed_by == "c2b"


@pytest.mark.row("W53")
def test_money_that_fits_nothing_is_kept_and_reported(till: Till) -> None:
    prompted = till.order()
    told = changed(prompted, "c2b", BillRefNumber="NOBODY", TransID="TUNKNOWN01")

    assert say(prompted, "c2b_confirmation", told) == "unmatched"
    assert reviews(till.session) == ["unmatched_money"]
    assert ledger(till.session)["unmatched"] < 0


@pytest.mark.row("W53")
def test_the_same_reference_paid_again_by_hand_is_other_money(till: Till) -> None:
    prompted = till.order()
    say(prompted, "stk", changed(prompted))
    prompted.ask()
    assert prompted.attempt.receipt is not None
    told = changed(prompted, "c2b", TransID=f"T2{str(new_id().int)[-8:]}")

    assert say(prompted, "c2b_confirmation", told) == "unmatched"
    assert reviews(till.session) == ["unmatched_money"]


@pytest.mark.row("W53", "M33")
@pytest.mark.parametrize("is_paid", [True, False])
def test_a_confirmation_of_another_amount(till: Till, is_paid: bool) -> None:
    prompted = till.order()
    if is_paid:
        prompted.ask()

    told = changed(prompted, "c2b", TransAmount="900.00", TransID=f"T3{str(new_id().int)[-8:]}")
    assert say(prompted, "c2b_confirmation", told) == "unmatched"

    assert ("amount_differs" in reviews(till.session)) == (not is_paid)
    difference = 900_00 if not is_paid else 900_00 - prompted.attempt.amount_cents
    assert ledger(till.session)["unmatched"] == -difference


@pytest.mark.row("W53")
def test_a_confirmation_after_the_query_completes_the_receipt(till: Till) -> None:
    prompted = till.order()
    prompted.ask()

    assert say(prompted, "c2b_confirmation", changed(prompted, "c2b")) == "repeated"
    assert prompted.attempt.receipt is not None


@pytest.mark.row("M44", "W53")
def test_handling_again_repeats_nothing(till: Till) -> None:
    prompted = till.order()
    session = till.session
    told = prompted.told("stk").encode()
    callback_id = make_callback(session, "stk", told, attempt_id=prompted.attempt_id).id
    assert handle_again(session, callback_id) == "confirming"
    session.commit()
    prompted.work("confirm_attempt")

    assert handle_again(session, callback_id) == "repeated"
    session.commit()
    assert ledger(session)["mpesa_till"] == prompted.attempt.amount_cents


def test_headers_are_kept_without_what_signs_somebody_in() -> None:
    kept = kept_headers(
        {"Cookie": "a=b", "Authorization": "Basic x", "X-Phone": "0712345678", "Host": "h"}
        | {f"X-{n:03d}": "x" * 900 for n in range(60)}
    )

    assert len(kept) == 30
    assert not {"Cookie", "Authorization"} & set(kept)
    assert max(map(len, kept.values())) == 300
    assert kept["Host"] == "h"
    assert kept_headers({"X-Phone": "0712345678"}) == {"X-Phone": "07•••"}


@pytest.mark.row("W53")
def test_a_till_is_registered_once_and_tried_again_until_then(till: Till) -> None:
    session = till.session
    settings = session.scalars(
        select(PaymentSettings).where(PaymentSettings.store_id == bound_store())
    ).one()
    provider = payment_provider(session)
    till.bank.post("/_sim/faults", next=1, on=["register"], down=True)
    with pytest.raises(TryLater):
        register_c2b(session, settings.id, provider=provider, hook_url="http://127.0.0.1:9/h/")
    assert settings.c2b_registered_at is None

    register_c2b(session, settings.id, provider=provider, hook_url="http://127.0.0.1:9/h/")
    first = settings.c2b_token_hash
    register_c2b(session, settings.id, provider=provider, hook_url="http://127.0.0.1:9/h/")

    assert settings.c2b_registered_at is not None
    assert settings.c2b_token_hash == first != token_hash(till.c2b_token)


def test_secrets_are_sealed_and_a_mode_has_one_row(session: Session) -> None:
    settings = make_payment_settings(session, {"passkey": "x" * 12})

    assert settings.open_secret("passkey") == "x" * 12
    assert b"x" * 12 not in settings.passkey_sealed


def test_an_attempt_opens_its_own_phone_and_token(till: Till) -> None:
    prompted = till.order(is_paid=False)
    attempt = till.session.get_one(PaymentAttempt, (bound_store(), prompted.attempt_id))

    assert attempt.phone == prompted.phone
    assert attempt.callback_token == prompted.token
