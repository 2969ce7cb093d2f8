"""Generated requests at every rule and method, as a visitor, a shopper and an owner.

    python -m bench.fuzz [--seed N] [--passes N]

Each pass asks every (rule, method) once per role, and twice more where the role can reach the
view. Requests are well-formed forms of the real pages with some of their values, headers,
cookies, bodies or hosts made hostile. The same seed makes the same choices. Ends non-zero when
an answer is 500 or above, when fewer than two in five requests reach a view, or when a
(rule, method) was asked fewer than 20 times as some role.
"""

from __future__ import annotations

import argparse
import contextvars
import inspect
import io
import json
import logging
import random
import re
import secrets
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import wraps
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

from flask import Flask, g
from werkzeug.routing import Rule
from werkzeug.test import EnvironBuilder, run_wsgi_app

from app.domain.promotions.actions import EFFECTS
from app.web.installed import ICON_SIZES
from bench.fuzz_shop import Aim, nobody, open_aim, refill, sign, token_in

ROLES = ("visitor", "shopper", "owner")
PLATFORM = "localhost"
PASSES = 20
DEEPER = 3  # times per pass, where the role can reach the view
REACH = 0.4
STAFF = "app.web.backoffice"
PLATFORMS = (STAFF, "app.web.platform", "app.web.webhooks")

# What a form field may carry that nobody means. Bytes are sent as they are.
HOSTILE: tuple[str | bytes, ...] = (
    *("", " ", "\x00", "a\x00b", "x" * (64 * 1024 + 1), "y" * 5000),
    *("٣", "１２", "²", "½", "Ⅷ", "۱۲۳۴", "-1", "0", "00", "+5", "1.5", "1e9", "NaN", "Infinity"),
    *("2147483648", "9223372036854775808", "9" * 30, "9" * 4400, "-9223372036854775809"),
    *("\u202ekcab\u202c", "العربية", "😀" * 60, "👩‍👩‍👧", "a" + "\u0301" * 400, "\u200b", "İ", "ß", "\ufeff"),
    *("' OR 1=1 --", "'; DROP TABLE app.orders; --", "%' ESCAPE '", "\\", "%", "_", "$1", ":x", "%(x)s %s"),
    *("<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "{{7*7}}", "{% raw %}", "${7*7}"),
    *("../../etc/passwd", "//evil.example", "https://evil.example/", "/\\evil.example", "javascript:1"),
    *("\r\nSet-Cookie: a=b", "a\nb", "\t\v\f", "\x1b[31m", "\x7f", "\x85", "\u2028", "null", "true", "[]", "{}"),
    *(b"\xff\xfe", b"\xed\xa0\x80", b"\xf0\x9f", b"%00", b"%", b"%zz", b"%u0041", b"\xc0\x80"),
)  # fmt: skip
HEADERS: tuple[tuple[str, str], ...] = (
    *(("Origin", value) for value in ("null", "http://[", "https://evil.example", "", "://", "http://a:b@c:d/")),
    *(("Referer", value) for value in ("http://[::1", "not a url", "https://evil.example/x", "http://\xe9")),
    *(("Accept-Language", value) for value in ("sw", "*;q=x", "en;q=nan", "zz-" * 100, "\xff", ",,,;;;")),
    *(("If-None-Match", value) for value in ('"', "*", 'W/"', '"a", "b', "\xe9")),
    *(("If-Modified-Since", value) for value in ("yesterday", "Thu, 99 Foo 0000", "9" * 50)),
    *(("Range", value) for value in ("bytes=-", "bytes=9-1", "bytes=" + "0-," * 200, "lines=1")),
    *(("Content-Length", value) for value in ("-1", "abc", "99999999999", "٣")),
    *(("Content-Type", value) for value in ("", ";", "multipart/form-data", "text/html; charset=nope", "a" * 3000)),
    *(("X-Forwarded-Host", "evil.example"), ("X-Forwarded-For", "' OR 1=1"), ("X-Forwarded-Proto", "gopher")),
    *(("X-HTTP-Method-Override", "DELETE"), ("X-Request-ID", "a" * 9000), ("X-CSRF-Token", "x" * 70_000)),
    *(("HX-Request", "true"), ("HX-Request", "\xff"), ("HX-Boosted", "true"), ("HX-Target", "<x>")),
    *(("User-Agent", "\x01\xff" * 50), ("Accept", "*/*;q=x"), ("Accept-Encoding", "gzip;q=-1"), ("Authorization", "Bearer \xff")),
    *(("Authorization", "Basic !!!"), ("Expect", "100-continue"), ("Transfer-Encoding", "chunked"), ("Cookie", "; = ;;")),
)  # fmt: skip
HOSTS = (
    *(
        "unknown.example",
        "LOCALHOST:8000",
        "localhost.",
        "localhost:",
        "localhost:٨",
        "[::1]",
        "[",
        "a b",
        "",
    ),
    *(
        "x" * 300,
        "bücher.localhost",
        "xn--",
        "..",
        "evil.example:80@localhost",
        "localhost/../",
        "\xff",
        "'--",
    ),
)
BODIES: tuple[tuple[str, bytes], ...] = (
    ("application/json", b'{"phone": ["0712345678"], "area": {"a": 1}}'),
    ("application/json", b'{"phone": '),
    ("application/json", b"[" * 20_000),
    ("application/json", b"\xff\xfe\x00"),
    ("application/json", json.dumps({"Body": {"stkCallback": {"ResultCode": 10**400}}}).encode()),
    ("application/json", b'{"Body":{"stkCallback":{"CallbackMetadata":{"Item":[{"Name":null}]}}}}'),
    ("application/json", b'"\\u0000\\ud800"'),
    ("application/xml", b'<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>'),
    ("text/plain", b"phone=0712345678"),
    ("multipart/form-data", b"--x\r\n\r\n"),
    ("multipart/form-data; boundary=", b"----\r\n"),
    ("multipart/form-data; boundary=x", b"--x\r\nContent-Disposition: form-data\r\n\r\nv\r\n--x--\r\n"),
    ("multipart/form-data; boundary=x", b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\nno end'),
    ("multipart/form-data; boundary=x", b'--x\r\nContent-Disposition: form-data; name="file"; filename="a\x00b.csv"\r\n\r\nName,Price\nx,1\r\n--x--\r\n'),
    ("multipart/form-data; boundary=x", b"".join(b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n' for _ in range(300)) + b"--x--\r\n"),
    ("multipart/form-data; boundary=" + "b" * 500, b"--b"),
    ("application/x-www-form-urlencoded", b"&&&===&%&a=%&=b&\x00=1"),
    ("application/x-www-form-urlencoded", b"a=1&" * 10_000),
    ("application/x-www-form-urlencoded; charset=utf-7", b"phone=+ADw-script+AD4-"),
    ("application/x-www-form-urlencoded", b"z" * (1024 * 1024 + 1)),
)  # fmt: skip
FILES: tuple[tuple[str, bytes], ...] = (
    ("goods.csv", b"Name,Price,Stock\nMaize flour,210,5\n"),
    ("", b""),
    ("a\x00.csv", b"Name,Price\nx,1\n"),
    ("../../x.xlsx", b"PK\x03\x04" + b"\x00" * 60),
    ("x.xls", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\xff" * 600),
    ("x.csv", b"\xff\xfeN\x00a\x00m\x00e\x00"),
    ("x.csv", b"Name,Price\n" + b'"' * 999),
    ("x.csv", b"Name,Price,Stock\n" + "😀\u202e,KES ٣,9e99\n".encode() * 40),
    ("x.csv", b"Name\x00,Price\nT\x00ea,\x005\n"),
    ("x.csv", b"," * 5000),
)


@dataclass(frozen=True)
class Shot:
    """One request, complete enough to send it again by hand."""

    number: int
    role: str
    rule: str
    method: str
    path: str
    host: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    address: str

    def __str__(self) -> str:
        body = self.body[:300].decode("latin-1") + ("…" if len(self.body) > 300 else "")
        shown = {name: value[:80] for name, value in self.headers if name != "Cookie"}
        return f"#{self.number} {self.role} {self.method} {self.path[:200]!r} at {self.host[:60]!r} {shown} {body!r}"


@dataclass
class Figures:
    """What a run found."""

    sent: int = 0
    reached: int = 0
    seconds: float = 0.0
    statuses: Counter[int] = field(default_factory=Counter)
    hits: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    bugs: list[str] = field(default_factory=list)

    @property
    def share(self) -> float:
        return self.reached / self.sent if self.sent else 0.0

    def lines(self) -> list[str]:
        """The figures as they are printed."""
        classes = Counter(f"{status // 100}xx" for status in self.statuses.elements())
        often = ", ".join(f"{status}: {count}" for status, count in self.statuses.most_common(12))
        return [
            f"{self.sent} requests in {self.seconds:.0f} s, {dict(sorted(classes.items()))}",
            f"statuses {often}",
            f"{self.reached} reached a view ({self.share:.0%})",
            f"{len(self.hits)} (rule, method, role), each asked at least {min(self.hits.values())} times",
            f"{len(self.bugs)} answers of 500 or above",
            *self.bugs[:20],
        ]

    def missed(self, *, least: int) -> list[str]:
        """The bars this run did not clear."""
        thin = [key for key, count in self.hits.items() if count < least]
        return [
            *([f"{len(self.bugs)} answers of 500 or above"] if self.bugs else []),
            *([f"only {self.share:.0%} reached a view"] if self.share < REACH else []),
            *([f"asked fewer than {least} times: {thin[:5]}"] if thin else []),
        ]


def run(app: Flask, *, seed: int, passes: int) -> Figures:
    """Ask every (rule, method) as every role, ``passes`` times and more."""
    figures, started = Figures(), time.monotonic()
    ours, theirs = open_aim(app, "Duka la Fuzz"), open_aim(app, "Duka Jirani")
    refill(app, theirs)
    maker = Maker(app, random.Random(seed), ours, theirs)
    with watched(app) as watch:
        for _ in range(passes):
            refill(app, ours)
            for shot in maker.one_pass():
                fire(app, shot, watch, figures)
    figures.seconds = time.monotonic() - started
    return figures


@dataclass
class Watch:
    """What the view functions saw of the request that is under way."""

    reached: bool = False
    trace: str = ""


@contextmanager
def watched(app: Flask) -> Iterator[Watch]:
    """Note when a view runs: behind its guard, where it has one."""
    watch, before = Watch(), dict(app.view_functions)

    def wrap(view: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(view)
        def counted(*args: Any, **kwargs: Any) -> Any:
            try:
                return view(*args, **kwargs)
            except Exception:
                watch.trace = traceback.format_exc()
                raise
            finally:
                # A guarded view has run if its guard let the request into a store.
                watch.reached = not hasattr(view, "_permission") or g.get("store") is not None

        return counted

    app.view_functions.update({name: wrap(view) for name, view in before.items()})
    try:
        yield watch
    finally:
        app.view_functions.update(before)


def fire(app: Flask, shot: Shot, watch: Watch, figures: Figures) -> None:
    """Send one request and note what came of it."""
    watch.reached, watch.trace = False, ""
    try:
        # Each request has a context of its own, as in a server.
        status = contextvars.Context().run(send, app, shot)
    except Exception:  # a crash outside the application is what we look for, too
        status, watch.trace = 599, traceback.format_exc()
    figures.sent += 1
    figures.reached += watch.reached
    figures.statuses[status] += 1
    figures.hits[shot.rule, shot.method, shot.role] += 1
    if status >= 500:
        figures.bugs.append(f"{status} {shot}\n{watch.trace}")


def send(app: Flask, shot: Shot) -> int:
    """The status this application answers with."""
    builder = EnvironBuilder(shot.path, method=shot.method, base_url="https://localhost:8000")
    environ = builder.get_environ() | {
        "HTTP_HOST": shot.host,
        "REMOTE_ADDR": shot.address,
        "wsgi.input": io.BytesIO(shot.body),
        "CONTENT_LENGTH": str(len(shot.body)),
        **{_environ_name(name): value for name, value in shot.headers},
    }
    chunks, status, _ = run_wsgi_app(app, environ, buffered=True)
    for _chunk in chunks:
        pass
    return int(status.split()[0])


def _environ_name(header: str) -> str:
    name = header.upper().replace("-", "_")
    return name if name in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{name}"


class Maker:
    """Makes requests. All choices come from one random source."""

    def __init__(self, app: Flask, rng: random.Random, ours: Aim, theirs: Aim) -> None:
        self.app, self.rng, self.ours, self.theirs = app, rng, ours, theirs
        self.rules = sorted(app.url_map.iter_rules(), key=lambda rule: (rule.rule, rule.endpoint))
        self.fields = {rule.endpoint: fields_of(app, rule) for rule in self.rules}
        self.tokens = {role: self._csrf(role) for role in ROLES}
        self.number = 0

    def one_pass(self) -> Iterator[Shot]:
        """Every (rule, method) as every role, and again those that the role can reach."""
        aims = [
            (role, rule, method)
            for role in ROLES
            for rule in self.rules
            for method in sorted(rule.methods or ())
            for _ in range(DEEPER if self._can_reach(role, rule, method) else 1)
        ]
        self.rng.shuffle(aims)
        # What signs everybody out comes last, or the rest would be asked as visitors.
        aims.sort(key=lambda aim: aim[1].endpoint in SIGNS_OUT)
        for role, rule, method in aims:
            yield self.shot(role, rule, method)

    def shot(self, role: str, rule: Rule, method: str, fixed: dict[str, str] | None = None) -> Shot:
        """One request. A third are what a page of ours sends; the rest are bent somewhere.

        With ``fixed`` values for fields it is what a page sends but for those.
        """
        self.number += 1
        rng, bent = self.rng, fixed is None and self.rng.random() > 0.35
        host = self._host(rule)
        cookies = self._cookies(role, host)
        headers = {"Sec-Fetch-Site": "same-origin"}
        form = self._form(rule, role, bent=bent)
        if fixed is not None:
            form = [pair for pair in form if pair[0] not in fixed] + list(fixed.items())
        path, query, body = self._path(rule, bent=bent), b"", b""
        if method == "POST":
            headers["Content-Type"], body = self._body(form)
        else:
            query = _urlencoded([(name, value) for name, value in form if name != "csrf_token"])
        if bent and rng.random() < 0.3:
            host, body = self._bend(rng.randrange(8), host, headers, cookies, body)
        if bent and rng.random() < 0.04:
            query += b"&junk=" + b"j" * rng.choice((100, 4200))
        headers["Cookie"] = headers.get(
            "Cookie", "; ".join(f"{name}={value}" for name, value in cookies.items())
        )
        if rng.random() < 0.2:
            headers["HX-Request"] = "true"
        return Shot(
            self.number,
            role,
            rule.rule,
            method,
            path + ("?" + query.decode("latin-1") if query else ""),
            host,
            tuple(headers.items()),
            body,
            ".".join(["127", *(str(rng.randrange(1, 250)) for _ in range(3))]),
        )

    # -- where --------------------------------------------------------------------------

    def _host(self, rule: Rule) -> str:
        wanted = PLATFORM if self.is_platforms(rule) else self.ours.host
        if self.rng.random() < 0.04:
            wanted = self.rng.choice((self.theirs.host, PLATFORM, self.ours.host))
        return f"{wanted}:8000"

    def _path(self, rule: Rule, *, bent: bool) -> str:
        """The rule with its arguments filled in: ours, the neighbour's or junk."""

        def fill(found: re.Match[str]) -> str:
            chance = self.rng.random() if bent else 0.0
            name = found[1]
            if chance < 0.78:
                return self.known(rule, name, self.ours)
            if chance < 0.9:
                return self.known(rule, name, self.theirs)
            value = self.rng.choice(HOSTILE)
            return quote(
                value[:4400] if isinstance(value, bytes) else value.encode()[:4400], safe=""
            )

        return ARGUMENT.sub(fill, rule.rule)

    def address(self, rule: Rule, aim: Aim) -> str:
        """The rule's address with this store's own rows in it."""
        return ARGUMENT.sub(lambda found: self.known(rule, found[1], aim), rule.rule)

    def known(self, rule: Rule, name: str, aim: Aim) -> str:
        """A value for one argument of a rule, from this store's rows."""
        if name == "store":
            return aim.slug
        if name in ("width", "part"):
            return self.rng.choice(("320", "640", "1", "0", "9999999999999"))
        if name == "size":
            return self.rng.choice([str(size) for size in ICON_SIZES])
        if name == "kind":
            return self.rng.choice(sorted(EFFECTS))
        key = name
        if name == "token":
            key = next(
                (key for prefix, key in TOKENS if rule.rule.startswith(prefix)),
                "file",
            )
        elif name == "code":
            key = "cart_code"
        elif name == "slug":
            key = next((key for part, key in SLUGS if part in rule.rule), "product")
        found = aim.values.get(key)
        return self.rng.choice(found) if found else nobody(self.rng)

    # -- what ---------------------------------------------------------------------------

    def _form(self, rule: Rule, role: str, *, bent: bool) -> list[tuple[str, str | bytes]]:
        rng = self.rng
        form: list[tuple[str, str | bytes]] = [("csrf_token", self.tokens[role][0])]
        for name in self.fields[rule.endpoint]:
            chance = rng.random() if bent else 0.0
            if chance < 0.7:
                form.append((name, self.good(name)))
            elif chance < 0.9:
                form.append((name, rng.choice(HOSTILE)))
            if bent and rng.random() < 0.05:
                form += [(f"{name}[]", "1"), (name, rng.choice(HOSTILE)), (name, self.good(name))]
        if bent and rng.random() < 0.1:
            form.append(
                (
                    rng.choice(("status", "__proto__", "order_id", "store_id", "col:Name", "\x00")),
                    "paid",
                )
            )
        rng.shuffle(form)
        return form

    def good(self, name: str) -> str:
        """What a person would send in a field of this name."""
        rng, values = self.rng, self.ours.values
        if name.startswith("option-"):
            return rng.choice(("Small", "Big"))
        if name.startswith("col:"):
            return rng.choice(("name", "price", "stock", "sku", ""))
        if name in POOLS:
            return rng.choice(values[POOLS[name]] or [nobody(rng)])
        made: dict[str, Callable[[], str]] = {
            "phone": lambda: f"071{rng.randrange(10**7):07d}",
            "key": lambda: f"{rng.getrandbits(128):032x}",
            "pending": lambda: sign(self.app, "pending-phone", f"+25471{rng.randrange(10**7):07d}"),
            "next": lambda: rng.choice(("/checkout", "/cart", f"/staff/{self.ours.slug}/orders/")),
            "back": lambda: f"/staff/{self.ours.slug}/orders/?tab=out",
            "about": lambda: f"order:{rng.choice(values['order_id'])}",
        }
        return made[name]() if name in made else str(rng.choice(GOOD.get(name, UNKNOWN)))

    def _body(self, form: list[tuple[str, str | bytes]]) -> tuple[str, bytes]:
        if "file" not in dict(form) and self.rng.random() < 0.85:
            return "application/x-www-form-urlencoded", _urlencoded(form)
        edge = b"dukaedge"
        parts = []
        for name, value in form:
            filename, data = "", value.encode() if isinstance(value, str) else value
            head = b'Content-Disposition: form-data; name="' + name.encode() + b'"'
            if name == "file":
                filename, data = self.rng.choice(FILES[:1] * 5 + FILES)
                head += b'; filename="' + filename.encode() + b'"\r\nContent-Type: text/csv'
            parts.append(b"--" + edge + b"\r\n" + head + b"\r\n\r\n" + data + b"\r\n")
        return f"multipart/form-data; boundary={edge.decode()}", b"".join(
            parts
        ) + b"--" + edge + b"--\r\n"

    def _bend(
        self, way: int, host: str, headers: dict[str, str], cookies: dict[str, str], body: bytes
    ) -> tuple[str, bytes]:
        """Break the envelope of a request in one way. Returns the host and the body to send."""
        rng = self.rng
        match way:
            case 0:
                host = rng.choice(HOSTS)
            case 1 if body:
                headers["Content-Type"], body = rng.choice(BODIES)
            case 2:
                del headers["Sec-Fetch-Site"]
                odd = [pair for pair in HEADERS if pair[0] in ("Origin", "Referer")]
                name, value = rng.choice([*odd, *[("Origin", f"https://{host}")] * len(odd)])
                headers[name] = value
            case 3:
                headers["Sec-Fetch-Site"] = rng.choice(
                    ("cross-site", "same-site", "none", "\xff", "")
                )
            case 4:
                for name in rng.sample(sorted(cookies), k=min(2, len(cookies))):
                    cookies[name] = _tampered(rng, cookies[name])
            case 5:
                cookies |= {
                    "__Host-lang": rng.choice(("sw", "zz", "../", "\xff")),
                    "__Host-area": "' OR 1=1",
                }
            case _:
                for name, value in rng.sample(HEADERS, k=2):
                    headers[name] = value
        return host, body

    # -- who ----------------------------------------------------------------------------

    def _cookies(self, role: str, host: str) -> dict[str, str]:
        cookies = {"__Host-csrf": self.tokens[role][1]}
        if role != "visitor":
            cookies |= {"__Host-cart": self.rng.choice(self.ours.carts), "__Host-area": "kilimani"}
            cookies |= {"__Host-shopper": self.ours.shopper, "__Host-browser": "ab" * 16}
        if role == "owner" and host.startswith(PLATFORM):
            cookies["__Host-staff"] = self.ours.owner
        return cookies

    def _csrf(self, role: str) -> tuple[str, str]:
        """A token and the session cookie it belongs to; the secret is the same on every host."""
        client = self.app.test_client(use_cookies=True)
        page = client.get("/sign-in", base_url="https://localhost:8000").text
        cookie = client.get_cookie("__Host-csrf")
        assert cookie is not None
        return token_in(page), cookie.value

    def is_platforms(self, rule: Rule) -> bool:
        """Whether this address lives on the platform's host."""
        return self._module(rule).startswith(PLATFORMS)

    def _module(self, rule: Rule) -> str:
        return self.app.view_functions[rule.endpoint].__module__

    def _can_reach(self, role: str, rule: Rule, method: str) -> bool:
        is_staff = self._module(rule).startswith(STAFF)
        return method != "OPTIONS" and (role == "owner" or not is_staff)


# Fields that carry an id or a name of one of our rows, and where those are kept.
POOLS = {
    "sku": "sku",
    "product": "product",
    "area": "area",
    "rider": "rider_id",
    "order": "order_id",
    "orders": "order_id",
}
MADE = ("phone", "key", "pending", "next", "back", "about")
UNKNOWN = ("1", "yes", "tea")
TOKENS = (
    *(("/o/", "token"), ("/hooks/", "hook"), ("/join/", "join"), ("/sign-in/link/", "link")),
    ("/back/", "offer"),
)
SLUGS = (("/c/", "category"), ("/pages/", "page"))
SIGNS_OUT = {"signing_in.sign_out", "devices.sign_out_all"}
# Fields whose good values are a choice.
GOOD: dict[str, tuple[object, ...]] = {
    "topic": ("write_sitemap", "drop_tables"),
    "store": ("platform", "no-such-store"),
    "verdict": ("settled", "unreadable"),
    "which": ("failed",),
    "until": (1_795_000_000_000_000,),
    "q": ("tea", "kericho", "westi", "", "FZ-1"),
    "quantity": (1, 2, 0),
    "version": (1, 2, 3),
    "tab": ("to_pack", "ready", "out"),
    "stock": (5, 1_000_000, 1),
    "seen": (25_000, 45_000),
    "pay": ("mpesa", "on_delivery"),
    "offers": ("en", "sw", "yes"),
    "agree": ("sw", ""),
    "stop": (1, ""),
    "pay_first": ("mpesa", "on_delivery"),
    "fee": (200, 250),
    "price": (450, "1,200"),
    "action": ("accept", "dismiss", "refunded", "honour"),
    "text": ("Call before noon",),
    "start": (0, 1),
    "sort": ("newest", "price"),
    "shown_total_cents": (70_000, 115_000),
    "use_points": ("yes", ""),
    "gives_points": ("yes",),
    "goods_per_point": (100, "1,000"),
    "point_worth": (1, 3),
    "reason": ("Customer asked", "Out of stock"),
    "password": ("not the right one",),
    "panel": (1,),
    "page": (1, 2),
    "on": ("board",),
    "name": ("Wanjiku", "Baraka Otieno"),
    "role": ("packer", "sales", "rider"),
    "how": ("sms", "link"),
    "landmark": ("Blue gate opposite the school",),
    "endpoint": ("https://fcm.googleapis.com/fcm/send/abc:def", "http://169.254.169.254/x"),
    "p256dh": ("B" + "A" * 86,),
    "auth": ("A" * 22,),
    "wait": ("IjAxOGYi.Z0lJ.abc",),
    "kind": ("home", "till"),
    "hue": (30, 262),
    "chat": ("yes", ""),
    "slug": ("pendo-fuzz", "admin"),
    "followed": ("pendo",),
    "offered": ("pendo-ke",),
    "photo": ("tea",),
    "logo": ("tea",),
    "place": ("Stall B14, Tom Mboya Street",),
    "number": ("522533", "12"),
    "category": ("tea",),
    "max": (1000,),
    "show": (24, 48),
    "email": ("achieng@duka.example",),
    "code": ("123456", "000000"),
    "active": ("yes", "no"),
    "way": ("password", "phone"),
    "view": ("out", "give"),
    "before": (5, 100),
    "check": (1,),
    "pin": ("5821", "1234"),
    "again": ("5821",),
    "label": ("Main phone",),
    "confirm_send": ("sms",),
    "confirm_level": ("money", "action"),
    "confirm_next": ("/me/security",),
    "confirm_method": ("get", "post"),
    "confirm_pin": ("5821",),
    "confirm_code": ("123456",),
    "confirm_password": ("not the right one",),
    "credential": ("{}",),
    "confirm_passkey": ("{}",),
    "shortcode": ("600984",),
    "till": ("5551234",),
    "consumer_key": ("consumer-key-of-ours",),
    "consumer_secret": ("consumer-secret-of-ours",),
    "passkey": ("passkey-of-ours",),
    "change": (1, ""),
    "all": (1, ""),
    "alt": ("A teapot from the side",),
    "amount": (10, 50),
    "at": ("2:3",),
    "band": (1, 3),
    "basket": (1200, 0),
    "description": ("Picked in Kericho",),
    "digest": ("0" * 64,),
    "direction": ("up", "down"),
    "do": ("preview", "apply", "save"),
    "areas": ("kilimani",),
    "categories": ("tea",),
    "effect": ("percent", "amount", "price", "buy_get", "tiers", "free_delivery"),
    "group": ("",),
    "field": ("price", "stock"),
    "id": ("tea",),
    "photos": ("tea",),
    "focal_x": (50, 25),
    "focal_y": (50, 75),
    "is_paused": ("yes", ""),
    "lang": ("en", "sw"),
    "like": ("kilimani",),
    "names": ("Small\nLarge",),
    "new_category": ("tea",),
    "new_low_mark": (3,),
    "new_status": ("draft", "active"),
    "new_vat_class": ("standard", "zero"),
    "option_value": ("Blue",),
    "phones": (1, ""),
    "pictures": (1, ""),
    "rounding": ("none", "10"),
    "status": ("draft", "active"),
    "to": (0, 2),
    "uncounted_stock": (0, 5),
    "unit": ("percent", "kes"),
    "vat_class": ("standard", "exempt"),
}

ARGUMENT = re.compile(r"<(?:[^:<>]+:)?(\w+)>")
_READS = re.compile(
    r"""(?:field|getlist|(?:form|args|values|files)\.get)\(\s*"([\w-]+)\""""
    r"""|(?:form|args)\[f?"([\w-]+)(?:\{[^}]*\})?"\]"""
)


def fields_of(app: Flask, rule: Rule) -> list[str]:
    """The names that the module of this rule's view reads from forms and addresses."""
    module = inspect.getmodule(inspect.unwrap(app.view_functions[rule.endpoint]))
    found = _READS.findall(inspect.getsource(module)) if module else []
    names = {first or second for first, second in found} - {"csrf_token"}
    if "option-" in names:
        names = names - {"option-"} | {"option-0"}
    return sorted(names)


def _urlencoded(form: list[tuple[str, str | bytes]]) -> bytes:
    return "&".join(
        f"{quote_plus(name)}={value.decode('latin-1') if isinstance(value, bytes) else quote_plus(value)}"
        for name, value in form
    ).encode("latin-1")


def _tampered(rng: random.Random, value: str) -> str:
    at = rng.randrange(max(1, len(value)))
    junk = rng.choice(("", "\xff", "A", "..", "\x00", "=" * 5000, '"', "%00"))
    return value[:at] + junk + value[at + 1 :]


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--seed", type=int, default=secrets.randbelow(10**6))
    parser.add_argument("--passes", type=int, default=PASSES)
    asked = parser.parse_args()
    with served() as app:
        figures = run(app, seed=asked.seed, passes=asked.passes)
    print(f"seed {asked.seed}", *figures.lines(), sep="\n")
    missed = figures.missed(least=asked.passes)
    if figures.sent < 10_000 and asked.passes >= PASSES:
        missed.append(f"only {figures.sent} requests")
    print(*(f"MISSED {bar}" for bar in missed), sep="\n")
    return 1 if missed else 0


@contextmanager
def served() -> Iterator[Flask]:
    """The application over a database and a Valkey of its own."""
    from app import create_app
    from app.db.engine import db, dispose_platform_engine
    from config import Settings
    from local.postgres import Postgres
    from local.valkey import Valkey
    from tests.conftest import make_database

    with tempfile.TemporaryDirectory(prefix="dk-fuzz-") as folder:
        Path(folder).chmod(0o755)
        postgres, valkey = (
            Postgres(Path(folder) / "pg", fast=True),
            Valkey(Path(folder) / "vk", fast=True),
        )
        postgres.start()
        valkey.start()
        try:
            database = make_database(postgres, "fuzz")
            app = create_app(
                Settings(
                    environment="test",
                    database_url=database.url("dukani_app"),
                    platform_database_url=database.url("dukani_platform"),
                    relay_database_url=database.url("dukani_relay"),
                    migrator_database_url=database.url("dukani_migrator"),
                    redis_url=valkey.url(0),
                    cache_redis_url=valkey.url(1),
                    secret_key=secrets.token_hex(32),
                    phone_key=secrets.token_bytes(32),
                    lookup_key=secrets.token_bytes(32),
                    platform_host="localhost:8000",
                    media_dir=str(Path(folder) / "media"),
                )
            )
            logging.getLogger().setLevel(logging.CRITICAL)
            yield app
            with app.app_context():
                db.engine.dispose()
            dispose_platform_engine()
        finally:
            valkey.remove()
            postgres.remove()


if __name__ == "__main__":
    sys.exit(main())
