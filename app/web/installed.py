"""What makes a page an app on a phone: its manifest, its icons, and the worker behind it.

One worker serves shops and desks; each gets its own words, files and patterns filled in. It is
asked for again at every visit (a few bytes when nothing changed) and is in the language of the
person, so nothing on the way may keep it.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Any

import brotli
import rjsmin
from flask import Response, current_app, make_response, request

from app.domain.media.icons import draw_icon
from app.i18n import current_locale
from app.i18n import gettext as _
from app.vault import vault
from app.web.assets import STATIC

SOURCE = STATIC / "js" / "sw.js"
ICON_SIZES = (180, 192, 512)
ICON_SECONDS = 86_400
NOTHING = "$^"
KEPT_PAGES = 30


@dataclass(frozen=True, kw_only=True)
class WorkerFacts:
    """What the worker of one app knows. Patterns are of paths, in JavaScript's words."""

    offline: str
    files: tuple[str, ...]
    mine: str  # pages of one person, as last seen
    seen: str = NOTHING  # public pages, as last seen
    taps: str  # posts that wait for the network
    pay: str = NOTHING  # posts that never do
    forget: str = NOTHING  # posts after which another person may hold the phone
    once: bool = False  # the same tap twice is one
    icon: str


def worker(facts: WorkerFacts, *, scope: str) -> Response:
    """The worker's script for one app, in the language of this request."""
    words = {
        "kept": _("No network. This is kept on your phone and sent when you are back."),
        "away": _("No network, and this page was not looked at before on this phone."),
        "as_of": _("No answer now. This is how it was at {t}; it may have changed since."),
        "pay_words": _(
            "Paying needs the network, and the shop could not be reached. Nothing waits to be sent "
            "later. If no request comes to your phone, tap Pay again when you are back."
        ),
    }
    told: dict[str, Any] = asdict(facts) | words | {"most": KEPT_PAGES}
    digest = hashlib.sha256(json.dumps(told).encode()).hexdigest()[:8]
    told["shell"] = f"shell-{digest}"
    script = _script().replace('"CONFIG"', json.dumps(told, ensure_ascii=False))
    is_small = request.accept_encodings.quality("br") > 0
    response = make_response(_small(script) if is_small else script)
    if is_small:
        response.headers["Content-Encoding"] = "br"
    response.vary.add("Accept-Encoding")
    response.content_type = "text/javascript; charset=utf-8"
    response.headers["Service-Worker-Allowed"] = scope
    response.headers["Cache-Control"] = "private, no-cache"
    response.headers["Content-Language"] = current_locale()
    response.add_etag()
    response.make_conditional(request)
    return response


def manifest(*, name: str, short_name: str, icons: str, version: str, start: str) -> Response:
    """A web app manifest. ``icons`` is the path of the icons up to their size."""
    body = {
        "id": start,
        "name": name,
        "short_name": short_name,
        "lang": current_locale(),
        "dir": "ltr",
        "start_url": start,
        "scope": "/",
        "display": "standalone",
        "background_color": "#fbfaf7",
        "theme_color": "#fbfaf7",
        "icons": [
            {
                "src": f"{icons}{size}{kind}.png?v={version}",
                "sizes": f"{size}x{size}",
                "type": "image/png",
                "purpose": purpose,
            }
            for size, kind, purpose in (
                (192, "", "any"),
                (512, "", "any"),
                (192, "-maskable", "maskable"),
                (512, "-maskable", "maskable"),
            )
        ],
    }
    response = make_response(json.dumps(body, ensure_ascii=False))
    response.content_type = "application/manifest+json; charset=utf-8"
    response.headers["Cache-Control"] = "public, max-age=0, s-maxage=60, must-revalidate"
    response.headers["Content-Language"] = current_locale()
    response.vary.update(("Accept-Language", "Cookie"))
    response.add_etag()
    response.make_conditional(request)
    return response


def icon(name: str, hue: int, size: int, *, maskable: bool, logo: bytes | None = None) -> Response:
    """One icon. Its address changes with what is on it, so it may be kept for a day."""
    response = make_response(_drawn(name, hue, size, maskable, logo))
    response.content_type = "image/png"
    response.headers["Cache-Control"] = f"public, max-age={ICON_SECONDS}"
    return response


def icon_version(*facts: object) -> str:
    """Changes when an icon looks different."""
    return hashlib.sha256(repr(facts).encode()).hexdigest()[:8]


def asset(name: str) -> str:
    """The address of a built file."""
    return str(current_app.jinja_env.globals["asset"](name))  # type: ignore[operator]


def whose(token: str, *, store_id: int) -> str:
    """Tells the worker whether a page belongs to the same person as the last one, and nothing else."""
    return vault().lookup(f"worker:{token}", store_id=store_id).hex()[:12]


@lru_cache(maxsize=256)
def _small(script: str) -> bytes:
    return bytes(brotli.compress(script.encode(), quality=11))


@lru_cache(maxsize=1)
def _script() -> str:
    return str(rjsmin.jsmin(SOURCE.read_text()))


@lru_cache(maxsize=64)
def _drawn(name: str, hue: int, size: int, maskable: bool, logo: bytes | None) -> bytes:
    return draw_icon(name, hue, size, maskable=maskable, logo=logo)
