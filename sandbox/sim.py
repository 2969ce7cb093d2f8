"""Control of the sandbox as JSON, for tests and tools. Documented in docs/sandbox.md."""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import Any

from flask import Blueprint, Response, request

from sandbox.bank import NoSuchPrompt, Payment
from sandbox.behaviour import ACTIONS, BadFault
from sandbox.numbers import NotANumber, to_wire
from sandbox.shops import BadKeys
from sandbox.suffixes import SUFFIXES
from sandbox.wire import json_answer
from sandbox.world import World, world

bp = Blueprint("sim", __name__)


class BadOrder(ValueError):
    """This control call cannot be obeyed; the text says why."""


@bp.errorhandler(BadOrder)
@bp.errorhandler(BadFault)
@bp.errorhandler(BadKeys)
@bp.errorhandler(NotANumber)
def _bad_order(error: Exception) -> Response:
    return json_answer({"error": str(error)}, 400)


@bp.errorhandler(NoSuchPrompt)
def _no_prompt(error: Exception) -> Response:
    return json_answer({"error": f"No open prompt on {error}."}, 404)


@bp.get("/health")
def health() -> Response:
    here = world()
    return json_answer(
        {"ok": True, "now": here.clock.iso(here.clock.now()), "speed": here.clock.speed}
    )


@bp.post("/reset")
def reset() -> Response:
    """Money, messages, faults, tokens and the clock; shops' keys only when asked."""
    order = _order()
    world().reset(credentials=order.get("credentials") is True)
    return json_answer({"ok": True})


@bp.post("/credentials")
def credentials() -> Response:
    return json_answer(world().shops.put(_order()).public())


@bp.get("/credentials")
def list_credentials() -> Response:
    return json_answer({"shops": [shop.public() for shop in world().shops.all()]})


@bp.post("/faults")
def put_faults() -> Response:
    return json_answer(world().faults.put(_order()))


@bp.get("/faults")
def get_faults() -> Response:
    suffixes = {ending: {"means": words, **rule} for ending, (words, rule) in SUFFIXES.items()}
    return json_answer(world().faults.public() | {"suffixes": suffixes})


@bp.post("/clock")
def clock() -> Response:
    """``{"speed": 10}``, ``{"advance_s": 30}``, or both."""
    order = _order()
    here = world()
    if "speed" in order:
        here.clock.set_speed(_seconds(order["speed"], "speed", 10_000))
    if "advance_s" in order:
        here.clock.advance(_seconds(order["advance_s"], "advance_s", 400 * 86_400))
    here.scheduler.poke()
    return health()


@bp.get("/clock")
def get_clock() -> Response:
    return health()


@bp.get("/prompts")
def all_prompts() -> Response:
    here = world()
    with here.bank.lock:
        prompts = [each for found in here.bank.open_by_msisdn.values() for each in found]
    return json_answer({"prompts": [_prompt(here, each) for each in prompts if each.on_phone]})


@bp.get("/prompts/<msisdn>")
def prompts(msisdn: str) -> Response:
    here = world()
    with here.bank.lock:
        found = list(here.bank.open_by_msisdn.get(to_wire(msisdn), ()))
    return json_answer({"prompts": [_prompt(here, each) for each in found if each.on_phone]})


@bp.post("/prompts/<msisdn>")
def answer_prompt(msisdn: str) -> Response:
    """Do with the newest open prompt (or the one named) what a person would."""
    order = _order()
    payment = world().bank.newest_prompt(to_wire(msisdn), order.get("checkout_request_id"))
    act(world(), payment, str(order.get("action")))
    return json_answer(transaction(world(), payment))


@bp.get("/outbox")
def outbox() -> Response:
    """Messages the shop sent, newest last; M-Pesa's own SMS too with ``mpesa=1``."""
    here = world()
    to = request.args.get("to")
    found = here.mailbox.of(_mailbox_of(to)) if to else here.mailbox.all()
    channel = request.args.get("channel")
    wanted = [
        here.mailbox.public(message)
        for message in found
        if (message.channel != "mpesa" or request.args.get("mpesa") == "1" or channel == "mpesa")
        and channel in {None, message.channel}
    ]
    return json_answer({"messages": wanted})


@bp.post("/push")
def push() -> Response:
    """``{"browser": id, "status": 410}`` answers its notifications so from now on; null ends that."""
    order = _order()
    browser, status = order.get("browser"), order.get("status")
    if not isinstance(browser, str) or not (status is None or status in range(400, 600)):
        raise BadOrder("browser is an id, and status a number from 400 to 599 or null.")
    if status is None:
        world().push_answers.pop(browser, None)
    else:
        world().push_answers[browser] = status
    return json_answer({"ok": True})


@bp.get("/transactions")
def transactions() -> Response:
    """Totals and every attempt, oldest first.

    ``msisdn``, ``shortcode``, ``reference``, ``status`` filter the list (not the totals);
    ``summary=1`` leaves it out.
    """
    here = world()
    totals = here.bank.totals()
    if request.args.get("summary") == "1":
        return json_answer(totals)
    with here.bank.lock:
        found = list(here.bank.payments)
    args = request.args
    if args.get("msisdn"):
        msisdn = to_wire(args["msisdn"])
        found = [each for each in found if each.msisdn == msisdn]
    if args.get("shortcode"):
        found = [each for each in found if each.shop.shortcode == args["shortcode"]]
    if args.get("reference"):
        found = [each for each in found if each.account_reference == args["reference"]]
    if args.get("status"):
        found = [each for each in found if each.status == args["status"]]
    return json_answer(totals | {"transactions": [transaction(here, each) for each in found]})


@bp.get("/calls")
def calls() -> Response:
    """The last requests the stand-ins got and what they answered, newest last."""
    here = world()
    rows = [asdict(call) | {"at": here.clock.iso(call.at)} for call in list(here.calls)]
    return json_answer({"calls": rows})


@bp.post("/c2b")
def c2b() -> Response:
    """A customer pays the paybill or till from the M-Pesa menu, with no prompt."""
    order = _order()
    here = world()
    shop = here.shops.by_shortcode(str(order.get("shortcode")))
    if shop is None:
        raise BadOrder("Unknown shortcode.")
    amount, times = order.get("amount"), order.get("times", 1)
    for number in (amount, times):
        if isinstance(number, bool) or not isinstance(number, int) or not 0 <= number < 10**7:
            raise BadOrder("amount and times must be whole numbers.")
    if not amount:
        raise BadOrder("amount must be at least 1.")
    payment = here.bank.pay_by_hand(
        shop,
        msisdn=to_wire(str(order.get("msisdn"))),
        amount=amount,
        reference=str(order.get("reference") or ""),
        times=times,
    )
    return json_answer(transaction(here, payment))


@bp.post("/templates")
def templates() -> Response:
    """Teach the phones a template's words: shop, name, language, body."""
    order = _order()
    key = tuple(str(order.get(field) or "") for field in ("shop", "name", "language"))
    if not all(key) or not order.get("body"):
        raise BadOrder("shop, name, language and body are needed.")
    world().templates[key[0], key[1], key[2]] = str(order["body"])
    return json_answer({"ok": True})


def act(here: World, payment: Payment, action: str) -> None:
    """Do ``action`` with an open prompt. Raises BadOrder, NoSuchPrompt."""
    if action == "ignore":
        payment.ignored = True
        return
    if action not in ACTIONS:
        raise BadOrder(f"action must be one of ignore, {', '.join(ACTIONS)}.")
    behaviour = here.bank.behaviour(payment)
    code: int | str = ACTIONS[action]
    if action == "pay" and behaviour.result_code is not None:
        code = behaviour.result_code
    if not here.bank.finish(payment, code, behaviour.result_desc):
        raise NoSuchPrompt(payment.msisdn)


def transaction(here: World, payment: Payment) -> dict[str, Any]:
    """One attempt as JSON."""
    iso = here.clock.iso
    return {
        "kind": payment.kind,
        "checkout_request_id": payment.checkout_request_id,
        "merchant_request_id": payment.merchant_request_id,
        "msisdn": payment.msisdn,
        "amount": payment.amount,
        "paid_amount": payment.paid_amount,
        "shop": payment.shop.name,
        "shortcode": payment.shop.shortcode,
        "account_reference": payment.account_reference,
        "transaction_desc": payment.transaction_desc,
        "callback_url": payment.callback_url,
        "receipt": payment.receipt,
        "status": payment.status,
        "result_code": payment.result_code,
        "result_desc": payment.result_desc,
        "opened_at": iso(payment.opened_at),
        "closes_at": iso(payment.closes_at),
        "finished_at": iso(payment.finished_at),
        "queries": payment.queries,
        "rolls": asdict(payment.rolls),
        "callbacks": [asdict(sent) | {"at": iso(sent.at)} for sent in list(payment.sent)],
    }


def _prompt(here: World, payment: Payment) -> dict[str, Any]:
    return {
        "checkout_request_id": payment.checkout_request_id,
        "msisdn": payment.msisdn,
        "merchant": payment.shop.name,
        "amount": payment.amount,
        "account_reference": payment.account_reference,
        "opened_at": here.clock.iso(payment.opened_at),
        "seconds_left": round(max(payment.closes_at - here.clock.now(), 0), 1),
    }


def _order() -> dict[str, Any]:
    """The JSON object of this control call; nothing at all is an empty one."""
    if not request.get_data(cache=True):
        return {}
    if request.mimetype != "application/json":
        raise BadOrder("Send Content-Type: application/json.")
    order = request.get_json(silent=True)
    if not isinstance(order, dict):
        raise BadOrder("The body must be a JSON object.")
    return order


def _seconds(value: Any, name: str, most: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise BadOrder(f"{name} must be a number.")
    if not 0 <= value <= most:
        raise BadOrder(f"{name} must lie between 0 and {most:g}.")
    return float(value)


def _mailbox_of(written: str) -> str:
    if "@" in written:
        return written.strip().lower()
    # An unescaped + in a query string arrives as a space.
    return to_wire(written.strip())
