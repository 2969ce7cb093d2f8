"""WhatsApp's Graph API as it answers on the wire: sending messages, message templates."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable
from typing import Any

from flask import Blueprint, Response, request

from sandbox.behaviour import Behaviour
from sandbox.ids import wamid
from sandbox.shops import Shop
from sandbox.wire import any_method, cut, hang, json_answer
from sandbox.world import world

bp = Blueprint("graph", __name__)

# code → (HTTP status, title)
ERRORS: dict[int, tuple[int, str]] = {
    1: (500, "An unknown error occurred"),
    2: (503, "Service temporarily unavailable"),
    4: (400, "Application request limit reached"),
    10: (403, "Application does not have permission for this action"),
    33: (400, "Object does not exist"),
    100: (400, "Invalid parameter"),
    190: (401, "Invalid OAuth access token - Cannot parse access token"),
    200: (403, "Permissions error"),
    368: (403, "Temporarily blocked for policies violations"),
    803: (404, "Some of the aliases you requested do not exist"),
    80007: (400, "Rate limit issues"),
    130429: (429, "Rate limit hit"),
    130472: (400, "User's number is part of an experiment"),
    131000: (500, "Something went wrong"),
    131005: (403, "Access denied"),
    131008: (400, "Required parameter is missing"),
    131009: (400, "Parameter value is not valid"),
    131016: (503, "Service unavailable"),
    131021: (400, "Recipient cannot be sender"),
    131026: (400, "Message undeliverable"),
    131030: (400, "Recipient phone number not in allowed list"),
    131031: (403, "Account has been locked"),
    131042: (402, "Business eligibility payment issue"),
    131047: (400, "Re-engagement message"),
    131048: (400, "Spam rate limit hit"),
    131049: (400, "This message was not delivered to maintain healthy ecosystem engagement"),
    131050: (400, "User has stopped marketing messages"),
    131051: (400, "Unsupported message type"),
    131052: (400, "Media download error"),
    131053: (400, "Media upload error"),
    131056: (400, "Pair rate limit hit"),
    131057: (503, "Account in maintenance mode"),
    132000: (400, "Template param count mismatch"),
    132001: (404, "Template does not exist"),
    132005: (400, "Template hydrated text too long"),
    132012: (400, "Template parameter format mismatch"),
    132015: (400, "Template is paused"),
    132016: (400, "Template is disabled"),
    133010: (400, "Phone number not registered"),
}
_TRANSIENT = {1, 2, 4, 80007, 130429, 131000, 131016, 131056, 131057}
_PHONE = re.compile(r"\+?[0-9]{6,15}", re.ASCII)
_HOLE = re.compile(r"\{\{\s*([A-Za-z0-9_]+)\s*\}\}")
_BAD_PARAMETER_TEXT = re.compile(r"[\n\r\t]| {5,}")


class Refused(Exception):
    """Graph says no: a code of ERRORS with details for whoever reads logs."""

    def __init__(self, code: int, details: str) -> None:
        self.code, self.details = code, details
        super().__init__(details)


def envelope(code: int, details: str) -> Response:
    """The error shape of every Graph call."""
    status, title = ERRORS.get(code, (400, "Unknown error"))
    error = {
        "message": f"(#{code}) {title}",
        "type": "OAuthException",
        "code": code,
        "error_data": {"messaging_product": "whatsapp", "details": details},
        "fbtrace_id": f"A{secrets.token_urlsafe(16)}",
        "is_transient": code in _TRANSIENT,
    }
    return json_answer({"error": error}, status)


@any_method(bp, "/<version>/<number_id>/messages")
def messages(version: str, number_id: str) -> Response:
    body = request.get_json(silent=True, cache=True)
    to = _recipient(body) if isinstance(body, dict) else None
    here = world()
    behaviour = here.faults.behaviour(to, here.faults.take_next("whatsapp", to))
    try:
        stopped = _gateway(behaviour)
        if stopped:
            return stopped
        shop = _sender(version, number_id)
        return _send(shop, body, to, behaviour)
    except Refused as refused:
        return envelope(refused.code, refused.details)


@any_method(bp, "/<version>/<account_id>/message_templates")
def templates(version: str, account_id: str) -> Response:
    """Create (approved at once) and list a shop's templates."""
    here = world()
    try:
        shop = _bearer()
        if shop.whatsapp_business_account_id != account_id:
            raise Refused(200, "This WhatsApp Business Account is not shared with the app.")
        if request.method == "GET":
            rows = [
                {"name": name, "language": language, "status": "APPROVED", "category": "UTILITY"}
                for owner, name, language in here.templates
                if owner == shop.name
            ]
            return json_answer({"data": rows, "paging": {}})
        body = _dict(request.get_json(silent=True), "body")
        name, language = _text(body, "name", 512), _text(body, "language", 10)
        if not re.fullmatch(r"[a-z0-9_]+", name):
            raise Refused(100, "Template name: lower-case letters, digits and underscores only.")
        here.templates[shop.name, name, language] = _template_body(body)
        made = {"id": secrets.token_hex(8), "status": "APPROVED"}
        return json_answer(made | {"category": body.get("category", "UTILITY")})
    except Refused as refused:
        return envelope(refused.code, refused.details)


@any_method(bp, "/<path:unknown>")
def nothing_here(unknown: str) -> Response:
    return envelope(803, f"Unknown path components: /{unknown}")


def _gateway(behaviour: Behaviour) -> Response | None:
    if behaviour.hits("whatsapp", ()):
        hang(behaviour.hang_s)
        if behaviour.down:
            return envelope(131016, "Service unavailable.")
    if behaviour.whatsapp_error == "html_500":
        page = "<html><body><h1>Sorry, something went wrong.</h1></body></html>"
        return Response(page, 500, mimetype="text/html")
    return None


def _bearer() -> Shop:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    shop = world().shops.by_whatsapp_token(token.strip()) if scheme.lower() == "bearer" else None
    if shop is None:
        raise Refused(190, "The access token could not be decrypted.")
    return shop


def _sender(version: str, number_id: str) -> Shop:
    shop = _bearer()
    if request.method != "POST":
        raise Refused(100, f"Unsupported {request.method.lower()} request.")
    if not re.fullmatch(r"v[0-9]{1,3}\.[0-9]", version):
        raise Refused(803, "Unknown API version.")
    if shop.whatsapp_phone_number_id != number_id:
        if world().shops.by_whatsapp_number_id(number_id):
            raise Refused(10, "The token belongs to another business's number.")
        raise Refused(33, f"Object with ID '{number_id}' does not exist.")
    return shop


def _send(shop: Shop, body: Any, to: str | None, behaviour: Behaviour) -> Response:
    body = _dict(body, "body")
    _check_common(body)
    if body.get("status") == "read":
        return json_answer({"success": True})
    kind, to = body.get("type", "text"), _addressee(body, to)
    reader = _READERS.get(str(kind))
    if reader is None:
        raise Refused(100, f"Param type must not be {kind!r}.")
    text = reader(shop, _dict(body.get(kind), str(kind)), behaviour)
    if to == shop.whatsapp_number:
        raise Refused(131021, "Sender and recipient are the same number.")
    error = behaviour.whatsapp_error
    # A closed window stops free-form messages only; templates pass.
    if isinstance(error, int) and not (error == 131047 and kind == "template"):
        raise Refused(error, ERRORS.get(error, (400, "Switched on by a fault"))[1])

    message_id = wamid()
    here = world()
    here.bank.see(to)
    here.mailbox.add(
        "whatsapp",
        message_id=message_id,
        to=to,
        sender=shop.whatsapp_number,
        text=text,
        shop=shop.name,
        kind=str(kind),
        payload=body,
    )
    if error == "cut":
        return cut()
    made = {"id": message_id}
    if kind == "template":
        made["message_status"] = "accepted"
    return json_answer(
        {
            "messaging_product": "whatsapp",
            "contacts": [{"input": body.get("to"), "wa_id": to}],
            "messages": [made],
        }
    )


def _check_common(body: dict[str, Any]) -> None:
    if body.get("messaging_product") != "whatsapp":
        raise Refused(100, "The parameter messaging_product is required.")
    if len(str(body.get("biz_opaque_callback_data") or "")) > 512:
        raise Refused(131009, "biz_opaque_callback_data may have 512 characters.")


def _addressee(body: dict[str, Any], to: str | None) -> str:
    if not body.get("to") and not body.get("recipient"):
        raise Refused(100, "The parameter to is required.")
    if to is None:
        raise Refused(131009, "Parameter to is not a phone number.")
    return to


def _recipient(body: dict[str, Any]) -> str | None:
    written = re.sub(r"[\s\-()]", "", str(body.get("to") or ""))
    return written.removeprefix("+") if _PHONE.fullmatch(written) else None


def _read_text(shop: Shop, part: dict[str, Any], behaviour: Behaviour) -> str:
    return _text(part, "body", 4096)


def _read_image(shop: Shop, part: dict[str, Any], behaviour: Behaviour) -> str:
    if bool(part.get("id")) == bool(part.get("link")):
        raise Refused(100, "image needs exactly one of id and link.")
    if part.get("link") and not str(part["link"]).startswith(("http://", "https://")):
        raise Refused(131009, "image link must be a public URL.")
    return _text(part, "caption", 1024) if part.get("caption") else "Picture"


def _read_template(shop: Shop, part: dict[str, Any], behaviour: Behaviour) -> str:
    """The words of a template once its parameters are filled in."""
    name = _text(part, "name", 512)
    language = _text(_dict(part.get("language"), "template['language']"), "code", 10)
    filled: dict[str, str] = {}
    for component in _list(part.get("components") or [], "template['components']"):
        if str(_dict(component, "component").get("type")).lower() != "body":
            continue
        for number, given in enumerate(_list(component.get("parameters") or [], "parameters"), 1):
            parameter = _dict(given, "parameter")
            value = str(parameter.get("text") or "")
            if not value or _BAD_PARAMETER_TEXT.search(value):
                raise Refused(
                    132012, f"Parameter {number} is empty or has new lines, tabs or gaps."
                )
            filled[str(parameter.get("parameter_name") or number)] = value
    words = world().templates.get((shop.name, name, language))
    if words is None:
        if behaviour.templates_strict:
            raise Refused(132001, f"Template {name} does not exist in {language}.")
        return f"{name} ({language}): " + ", ".join(filled.values())
    holes = set(_HOLE.findall(words))
    if holes != set(filled):
        text = f"body: number of localizable_params ({len(filled)}) does not match {len(holes)}"
        raise Refused(132000, text)
    return _HOLE.sub(lambda hole: filled[hole[1]], words)


def _read_interactive(shop: Shop, part: dict[str, Any], behaviour: Behaviour) -> str:
    kind = part.get("type")
    reader = {"button": _buttons, "list": _rows, "cta_url": _link}.get(str(kind))
    if reader is None:
        raise Refused(100, f"Param interactive['type'] must not be {kind!r}.")
    body = _text(_dict(part.get("body"), "interactive['body']"), "text", 1024)
    footer = part.get("footer")
    lines = [body]
    header = part.get("header")
    if header is not None:
        header = _dict(header, "interactive['header']")
        if header.get("type") == "text":
            lines.insert(0, _text(header, "text", 60))
        elif kind == "list":
            raise Refused(131009, "A list takes a text header only.")
    if footer is not None:
        lines.append(_text(_dict(footer, "interactive['footer']"), "text", 60))
    lines += reader(_dict(part.get("action"), "interactive['action']"))
    return "\n".join(lines)


def _buttons(action: dict[str, Any]) -> Iterable[str]:
    buttons = _list(action.get("buttons"), "interactive['action']['buttons']")
    if not 1 <= len(buttons) <= 3:
        raise Refused(131009, "Between 1 and 3 buttons are allowed.")
    replies = [_dict(_dict(button, "button").get("reply"), "reply") for button in buttons]
    titles = [_text(reply, "title", 20) for reply in replies]
    ids = [_text(reply, "id", 256) for reply in replies]
    if len(set(titles)) < len(titles) or len(set(ids)) < len(ids):
        raise Refused(131009, "Button titles and ids must be unique.")
    return [f"[{title}]" for title in titles]


def _rows(action: dict[str, Any]) -> Iterable[str]:
    lines = [f"[{_text(action, 'button', 20)}]"]
    sections = _list(action.get("sections"), "interactive['action']['sections']")
    if not 1 <= len(sections) <= 10:
        raise Refused(131009, "Between 1 and 10 sections are allowed.")
    ids: list[str] = []
    for entry in sections:
        section = _dict(entry, "section")
        if len(sections) > 1 or section.get("title"):
            lines.append(_text(section, "title", 24))
        for each in _list(section.get("rows"), "rows"):
            row = _dict(each, "row")
            ids.append(_text(row, "id", 200))
            title = _text(row, "title", 24)
            about = _text(row, "description", 72) if row.get("description") else ""
            lines.append(f"• {title}" + (f": {about}" if about else ""))
    if not 1 <= len(ids) <= 10:
        raise Refused(131009, "Between 1 and 10 rows in total are allowed.")
    if len(set(ids)) < len(ids):
        raise Refused(131009, "Row ids must be unique.")
    return lines


def _link(action: dict[str, Any]) -> Iterable[str]:
    if action.get("name") != "cta_url":
        raise Refused(131009, "Param interactive['action']['name'] must be cta_url.")
    parameters = _dict(action.get("parameters"), "interactive['action']['parameters']")
    title = _text(parameters, "display_text", 20)
    url = _text(parameters, "url", 2000)
    if not url.startswith(("http://", "https://")):
        raise Refused(131009, "url must begin with http:// or https://.")
    return [f"[{title}] {url}"]


_READERS = {
    "text": _read_text,
    "image": _read_image,
    "template": _read_template,
    "interactive": _read_interactive,
}


def _template_body(body: dict[str, Any]) -> str:
    for component in _list(body.get("components"), "components"):
        if str(_dict(component, "component").get("type")).upper() == "BODY":
            return _text(component, "text", 1024)
    raise Refused(100, "A template needs a BODY component.")


def _dict(value: Any, name: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise Refused(100, f"Param {name} must be an object.")
    return value


def _list(value: Any, name: str) -> list[Any]:
    if not isinstance(value, list):
        raise Refused(100, f"Param {name} must be an array.")
    return value


def _text(holder: dict[str, Any], field: str, longest: int) -> str:
    value = holder.get(field)
    if not isinstance(value, str) or not value.strip():
        raise Refused(131008, f"Parameter {field} is required.")
    if len(value) > longest:
        raise Refused(100, f"Param {field} must be at most {longest} characters long.")
    return value
