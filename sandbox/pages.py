"""Pages for people: the phones, and the operator who decides what goes wrong.

Plain forms, one small script that keeps them fresh, no inline anything.
"""

from __future__ import annotations

import json
import re
from dataclasses import fields as fields_of
from datetime import datetime
from typing import Any

from flask import (
    Blueprint,
    Response,
    abort,
    make_response,
    redirect,
    render_template,
    request,
    url_for,
)
from flask.typing import ResponseReturnValue
from markupsafe import Markup, escape

from sandbox.bank import OPEN, PAID, NoSuchPrompt, Payment, first_name
from sandbox.behaviour import CHECKS, BadFault, Behaviour, choices
from sandbox.messages import Message
from sandbox.numbers import NotANumber, to_people, to_wire
from sandbox.sim import BadOrder, act
from sandbox.suffixes import SUFFIXES
from sandbox.world import world

bp = Blueprint("pages", __name__)

POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' http: https:; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
WRONG_PIN = "0000"
ROWS_SHOWN = 50

ANSWERS = (
    ("ask", "Ask the person"),
    ("pay", "Pay"),
    ("cancel", "Cancel"),
    ("ignore", "Ignore"),
    ("wrong_pin", "Wrong PIN"),
    ("low_balance", "Not enough money"),
    ("unreachable", "Phone off"),
)

# slug → words, and the fields it sets for everyone while it is on.
SWITCHES: dict[str, tuple[str, dict[str, Any]]] = {
    "late": ("Results arrive late, by 30 s", {"callback": "late", "callback_delay_s": 30.0}),
    "pending": ("Status query says “still processing”", {"query": "pending_500"}),
    "twice": ("Results arrive twice", {"callback": "twice"}),
    "failing": ("Status query says “failed”", {"query": "failed"}),
    "never": ("Results never arrive", {"callback": "never"}),
    "down": ("Provider answers 503", {"down": True}),
    "early": ("Results arrive before the answer", {"callback": "before_answer"}),
    "hang": ("Provider hangs for 30 s", {"hang_s": 30.0}),
    "c2b": ("No C2B confirmations", {"c2b": "none"}),
    "cut": ("Answers to requests are lost", {"cut_connection_before_answer": True}),
    "amount": ("KES 1 too much is paid", {"amount_delta": 1}),
    "token": ("Access token is revoked", {"token_revoked": "404"}),
    "forge": ("A liar posts results first", {"forge": "wrong_token"}),
    "arrest": ("Too many requests (spike arrest)", {"spike_arrest": "envelope"}),
    "whatsapp": ("Numbers are not on WhatsApp", {"whatsapp_error": 131026}),
    "html": ("Firewall page instead of an answer (403)", {"html_403": True}),
    "window": ("WhatsApp window is closed", {"whatsapp_error": 131047}),
    "sms": ("SMS cannot be delivered", {"sms_error": 407}),
}

_LINK = re.compile(r"https?://[^\s<>\"']+")
_BOLD = re.compile(r"(?<!\w)\*(\S(?:[^*\n]*\S)?)\*(?!\w)")


@bp.after_request
def _headers(response: Response) -> Response:
    response.headers["Content-Security-Policy"] = POLICY
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Referrer-Policy"] = "no-referrer"
    response.headers["Cache-Control"] = "no-store"
    return response


@bp.app_template_filter("people")
def _people(msisdn: str) -> str:
    return to_people(msisdn) if len(msisdn) == 12 and msisdn.startswith("254") else f"+{msisdn}"


@bp.app_template_filter("kes")
def _kes(shillings: int) -> str:
    return f"KES\u00a0{shillings:,}"


@bp.app_template_filter("clock")
def _clock(at: float) -> str:
    return world().clock.nairobi(at).strftime("%H:%M:%S")


@bp.app_template_filter("result_words")
def result_words(payment: Payment) -> str:
    """How an attempt stands, in words."""
    if payment.status == OPEN:
        return "Waiting for PIN" if payment.on_phone else "Being refused"
    if payment.status == PAID:
        if payment.kind == "c2b":
            return "Paid by hand, no request"
        if any(each.status_code == 200 for each in payment.sent if each.kind != "forged"):
            return "Paid, told the shop"
        return "Paid, shop did not hear" if payment.sent else "Paid, shop not told yet"
    words = {
        "1": "Not enough money",
        "1032": "Cancelled on phone",
        "1031": "Cancelled on phone",
        "1037": "Phone not reached",
        "1019": "Expired",
        "2001": "Wrong PIN",
    }.get(str(payment.result_code), payment.result_desc or "Failed")
    return f"{words} ({payment.result_code})"


@bp.app_template_filter("words")
def words(text: str) -> Markup:
    """Text with its links made links and *bold* made bold."""
    out, rest = Markup(), 0
    for link in _LINK.finditer(text):
        url = link[0].rstrip(".,;:!?)")
        out += _bold(text[rest : link.start()])
        out += Markup('<a href="{0}">{0}</a>').format(url)
        rest = link.start() + len(url)
    return out + _bold(text[rest:])


def _bold(text: str) -> Markup:
    return Markup(_BOLD.sub(r"<b>\1</b>", str(escape(text))))  # noqa: S704 - escaped just here


@bp.app_template_filter("bubble")
def bubble(message: Message) -> Markup:
    """A WhatsApp message without its buttons, which are drawn apart."""
    lines = message.text.split("\n")
    if message.kind == "interactive":
        lines = [line for line in lines if not line.startswith("[")]
    return words("\n".join(lines))


@bp.app_template_filter("buttons")
def buttons(message: Message) -> list[tuple[str, str]]:
    """(title, URL or nothing) of each button of a WhatsApp message."""
    if message.kind != "interactive":
        return []
    found = []
    for line in message.text.split("\n"):
        if line.startswith("["):
            title, _, url = line[1:].partition("]")
            found.append((title, url.strip()))
    return found


@bp.app_template_filter("picture")
def picture(message: Message) -> str:
    """Where a WhatsApp message's picture is, or nothing."""
    payload = message.payload or {}
    holder: Any = payload.get("image") or {}
    if message.kind == "interactive":
        holder = (payload.get("interactive") or {}).get("header") or {}
        holder = holder.get("image") or {}
    return str(holder.get("link") or "") if isinstance(holder, dict) else ""


@bp.get("/")
def phones() -> str:
    return render_template("phones.html", here="phones", rows=_phone_rows())


@bp.get("/phones")
def phones_list() -> str:
    return render_template("_phones.html", rows=_phone_rows())


@bp.get("/letters")
def letters() -> str:
    """Every e-mail that was sent, the newest first."""
    found = [each for each in world().mailbox.all() if each.channel == "email"]
    return render_template("letters.html", here="letters", letters=found[::-1][:50])


@bp.get("/open")
def open_phone() -> ResponseReturnValue:
    number = request.args.get("number", "")
    try:
        msisdn = to_wire(number)
    except NotANumber as problem:
        page = render_template(
            "phones.html", here="phones", rows=_phone_rows(), number=number, problem=str(problem)
        )
        return page, 400
    world().bank.see(msisdn)
    return redirect(url_for(".phone", msisdn=msisdn), 303)


@bp.get("/phone/<msisdn>")
def phone(msisdn: str) -> ResponseReturnValue:
    wire = _number_in_path(msisdn)
    if wire != msisdn:
        return redirect(url_for(".phone", msisdn=wire), 302)
    return render_template("phone.html", here="phone", **_screen(wire))


@bp.get("/phone/<msisdn>/screen")
def screen(msisdn: str) -> str:
    return render_template("_screen.html", **_screen(_number_in_path(msisdn)))


@bp.post("/phone/<msisdn>/prompt")
def answer(msisdn: str) -> ResponseReturnValue:
    """What the person did with the request on the phone."""
    wire = _number_in_path(msisdn)
    action = request.form.get("action", "")
    said = ""
    if action == "send":
        pin = request.form.get("pin", "")
        action = "wrong_pin" if pin == WRONG_PIN else "pay"
        if not re.fullmatch(r"[0-9]{4}", pin, re.ASCII):
            return redirect(url_for(".phone", msisdn=wire, said="pin"), 303)
    try:
        named = request.form.get("checkout_request_id")
        act(world(), world().bank.newest_prompt(wire, named), action)
    except NoSuchPrompt:
        said = "closed"
    except BadOrder:
        abort(400)
    if request.form.get("back") == "operator":
        return redirect(url_for(".operator", said=said or None), 303)
    return redirect(url_for(".phone", msisdn=wire, said=said or None), 303)


@bp.get("/operator")
def operator() -> str:
    here = world()
    chosen = _chosen()
    rules = here.faults.public()
    rule = rules["phones"].get(chosen, {}) if chosen else rules["all"]
    in_force = {name: value for name, value in rules.items() if value}
    return render_template(
        "operator.html",
        here="operator",
        notice=_said(),
        chosen=chosen,
        phones=sorted(here.bank.phones_seen, key=here.bank.phones_seen.__getitem__, reverse=True),
        answers=ANSWERS,
        answering=rule.get("auto", "ask"),
        switches=[
            {"slug": slug, "words": words, "on": _is_on(slug)}
            for slug, (words, _) in SWITCHES.items()
        ],
        fields=_field_rows(rule),
        in_force=json.dumps(in_force, indent=2),
        shops=here.shops.all(),
        endings=[(ending, words) for ending, (words, _) in SUFFIXES.items()],
        clock_speed=here.clock.speed,
        **_live(),
    )


@bp.get("/operator/live")
def live() -> str:
    return render_template("_live.html", **_live())


@bp.post("/operator/clock")
def set_clock() -> ResponseReturnValue:
    here = world()
    if request.form.get("speed") in {"1", "10", "60"}:
        here.clock.set_speed(float(request.form["speed"]))
    if request.form.get("advance_s") in {"60", "86400"}:
        here.clock.advance(float(request.form["advance_s"]))
    here.scheduler.poke()
    return _back()


@bp.post("/operator/reset")
def reset() -> ResponseReturnValue:
    world().reset()
    return _back("reset")


@bp.post("/operator/answers")
def answers() -> ResponseReturnValue:
    """What one phone, or every phone, does with a request."""
    auto: str | None = request.form.get("auto", "ask")
    order: dict[str, Any] = {"auto": None if auto == "ask" else auto, "result_code": None}
    if request.form.get("for"):
        order["msisdn"] = request.form["for"]
    return _put(order)


@bp.post("/operator/switch")
def switch() -> ResponseReturnValue:
    """Turn one of the named switches over."""
    slug = request.form.get("slug", "")
    if slug not in SWITCHES:
        abort(400)
    settings = SWITCHES[slug][1]
    return _put(dict.fromkeys(settings) if _is_on(slug) else dict(settings))


@bp.post("/operator/rule")
def rule() -> ResponseReturnValue:
    """Set any fields, for everyone, one phone or the next calls."""
    if request.form.get("clear"):
        return _put({"clear": True})
    order: dict[str, Any] = {}
    for name in CHECKS:
        written = request.form.get(name, "").strip()
        order[name] = _typed(name, written) if written else None
    if request.form.get("msisdn"):
        order["msisdn"] = request.form["msisdn"]
    if request.form.get("next", "").strip():
        order["next"] = _typed("next", request.form["next"].strip())
        order = {name: value for name, value in order.items() if value is not None}
    return _put(order)


@bp.post("/operator/c2b")
def pay_by_hand() -> ResponseReturnValue:
    here = world()
    shop = here.shops.by_shortcode(request.form.get("shortcode", ""))
    amount = request.form.get("amount", "").strip()
    if shop is None or not re.fullmatch(r"[1-9][0-9]{0,5}", amount, re.ASCII):
        return _back("c2b")
    try:
        msisdn = to_wire(request.form.get("msisdn", ""))
    except NotANumber:
        return _back("number")
    reference = request.form.get("reference", "")[:20]
    here.bank.pay_by_hand(shop, msisdn=msisdn, amount=int(amount), reference=reference)
    return _back()


def _phone_rows() -> list[dict[str, Any]]:
    here = world()
    seen = here.bank.phones_seen
    newest_first = sorted(seen, key=seen.__getitem__, reverse=True)
    return [
        {
            "msisdn": msisdn,
            "name": first_name(msisdn).title(),
            "waiting": here.bank.has_open_prompt(msisdn),
            "messages": len(here.mailbox.of(msisdn)),
        }
        for msisdn in newest_first[:200]
    ]


def _screen(msisdn: str) -> dict[str, Any]:
    here = world()
    prompt = None
    with here.bank.lock:
        waiting = here.bank.open_by_msisdn.get(msisdn, [])
        asked = [each for each in waiting if each.on_phone and not each.ignored]
        prompt = asked[-1] if asked else None
        mine = [each for each in here.bank.payments if each.msisdn == msisdn]
    messages = here.mailbox.of(msisdn)
    return {
        "msisdn": msisdn,
        "name": first_name(msisdn).title(),
        "now": here.clock.nairobi(),
        "prompt": prompt,
        "closes_at": _moment(prompt),
        "payments": [each for each in reversed(mine) if each is not prompt][:5],
        "sms": [each for each in reversed(messages) if each.channel != "whatsapp"],
        "chat": [each for each in messages if each.channel == "whatsapp"],
        "notice": _said(),
    }


def _moment(prompt: Payment | None) -> datetime | None:
    return world().clock.nairobi(prompt.closes_at) if prompt else None


def _live() -> dict[str, Any]:
    here = world()
    with here.bank.lock:
        found = [each for waiting in here.bank.open_by_msisdn.values() for each in waiting]
        payments = here.bank.payments[-ROWS_SHOWN:]
    return {
        "now": here.clock.nairobi(),
        "prompts": [each for each in found if each.on_phone][:ROWS_SHOWN],
        "payments": payments[::-1],
        "totals": here.bank.totals(),
        "calls": list(here.calls)[-ROWS_SHOWN:][::-1],
        "messages": here.mailbox.all()[-ROWS_SHOWN:][::-1],
        "message_count": here.mailbox.count(),
    }


def _number_in_path(written: str) -> str:
    try:
        return to_wire(written)
    except NotANumber as problem:
        page = render_template(
            "problem.html", here="phones", title="No such phone", words=str(problem)
        )
        abort(make_response(page, 404))


def _chosen() -> str:
    try:
        return to_wire(request.args.get("for", ""))
    except NotANumber:
        return ""


def _is_on(slug: str) -> bool:
    everyone = world().faults.public()["all"]
    return all(everyone.get(name) == value for name, value in SWITCHES[slug][1].items())


def _field_rows(rule: dict[str, Any]) -> list[dict[str, Any]]:
    rows = []
    for field in fields_of(Behaviour):
        usual = field.default
        now = rule.get(field.name, "")
        rows.append(
            {
                "name": field.name,
                "words": field.name.replace("_", " "),
                "choices": choices(field.name),
                "usual": _written(usual) or "–",
                "now": _written(now),
            }
        )
    return rows


def _written(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple | list):
        return ", ".join(value)
    return "" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


def _typed(name: str, written: str) -> Any:
    """What a form field means: yes and no, numbers, lists, words."""
    if written in {"yes", "no"}:
        return written == "yes"
    if name == "on":
        return [word.strip() for word in written.split(",") if word.strip()]
    if name == "result_desc" or choices(name):
        return written
    try:
        return int(written)
    except ValueError:
        pass
    try:
        return float(written)
    except ValueError:
        return written


def _put(order: dict[str, Any]) -> ResponseReturnValue:
    try:
        world().faults.put(order)
    except BadFault as problem:
        page = render_template("problem.html", here="operator", title="Not set", words=str(problem))
        return page, 400
    return _back(phone=str(order.get("msisdn") or ""))


def _back(said: str | None = None, phone: str = "") -> ResponseReturnValue:
    values: dict[str, Any] = {"said": said, "for": phone or None}
    return redirect(url_for(".operator", **values), 303)


def _said() -> str:
    return {
        "pin": "A PIN has 4 digits. Nothing was sent.",
        "closed": "That request had already closed. Nothing was sent.",
        "reset": "Everything is as at the start. Shops keep their keys.",
        "c2b": "Nothing was paid: choose a shop and an amount in whole shillings.",
        "number": "Nothing was paid: that is not a Kenyan mobile number.",
    }.get(request.args.get("said", ""), "")
