"""The page cache, in front of Flask: a public page is made once and then sent as bytes.

What may be kept says so itself: a 200 with ``Cache-Control: public, s-maxage=…`` and no cookie.
It is made from a request that carries nothing but the key (host, path, the words it reads,
language, photos or none), so no visitor, signed in or hostile, leaves a trace in it. Copies lie in this process
and, for all processes, in the cache Redis; without Redis each process makes its own.

A copy is served while its version is the store's current one (`app.web.page_versions`) and the
minute it was made in lasts, because words like "open until 7 pm" change on the minute. While the
next copy is made everybody gets the last, as long as that was current a second ago.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import sys
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from time import monotonic, time
from typing import TYPE_CHECKING, Any

import brotli
from flask import Flask
from redis import Redis
from redis.exceptions import RedisError
from sqlalchemy.exc import SQLAlchemyError

from app.cache import cache_key, give_turn_back, take_turn, wait_for_turn
from app.db.engine import db
from app.logging import get_logger
from app.web.metrics import PAGES
from app.web.page_keys import Asked, Key, RawKey, raw_key, read
from app.web.page_kinds import KINDS
from app.web.page_versions import OVER, Known, PageVersions
from app.web.public import FOR_CACHES, MADE_FOR_ALL

if TYPE_CHECKING:
    from config import Settings

log = get_logger("web")

Environ = dict[str, Any]
Headers = list[tuple[str, str]]
StartResponse = Callable[..., Any]
Program = Callable[[Environ, StartResponse], Iterable[bytes]]

MINUTE = 60
QUALITY = 5  # of Brotli: a page is compressed while somebody waits for it
MOST_ASKED = 4_096
PATIENCE = 10.0  # seconds to wait for another request that makes the same page
ELSEWHERE = 3.0  # seconds to wait for another process that does; its claim is good for as long
REDIS_REST = 2.0  # seconds to leave Redis alone after it failed
STALE_MINUTE = 2.0  # seconds a copy of the last minute may be shown, while the next is made
GIVE_WAY = 0.1  # seconds that a page nobody waits for stays behind those who are being answered
MOMENT = 0.01  # seconds without anybody to answer are quiet
MOST_BESIDE = 2  # pages per process that are made at a time while nobody waits for them
MOST_WARMED = 20  # pages per process that are made anew by themselves after an edit

# What Flask learns of the visitor whose request makes the page: for the limits and the log. Nothing
# else of a request reaches it, so nothing else can show.
_PASSED_ON = ("REMOTE_ADDR", "HTTP_X_REQUEST_ID")
_OWN_HEADERS = {
    "cache-control", "content-length", "content-encoding", "etag", "vary", "date", "x-request-id",
    "set-cookie", "connection", "server",
}  # fmt: skip
VARY = "Accept-Encoding, Accept-Language, Cookie, Save-Data"


@dataclass(slots=True)
class Ready:
    """A page in one encoding: everything of the answer but what depends on the second."""

    headers: Headers
    body: list[bytes]


@dataclass(slots=True, eq=False)
class Page:
    """One kept page. ``until`` is wall-clock time, the same for every process."""

    kind: str
    known: Known
    version: int
    until: float
    etag: str
    headers: Headers
    body: bytes  # Brotli
    ready: dict[str, Ready] = field(default_factory=dict)
    is_used: bool = True

    @property
    def size(self) -> int:
        return len(self.body) + sum(len(one.body[0]) for one in self.ready.values()) + 2_000

    def is_current(self, now: float) -> bool:
        return self.version == self.known.version and now < self.until

    def may_be_stale(self, now: float) -> bool:
        """Whether this old copy may bridge the moment in which the next one is made."""
        if self.version == self.known.version:
            return now < self.until + STALE_MINUTE
        return monotonic() < self.known.stale_until and now < self.until + STALE_MINUTE

    def in_encoding(self, encoding: str) -> Ready:
        """The page as a browser that speaks this encoding gets it; made once."""
        ready = self.ready.get(encoding)
        if ready is None:
            body = self.body
            if encoding != "br":
                body = brotli.decompress(body)
                body = gzip.compress(body, 6, mtime=0) if encoding == "gzip" else body
            named = [] if encoding == "identity" else [("Content-Encoding", encoding)]
            ready = Ready(
                [*self.headers, *named, ("Content-Length", str(len(body))), ("ETag", self.etag)],
                [body],
            )
            self.ready[encoding] = ready
        return ready

    def packed(self) -> bytes:
        """This page as the cache Redis keeps it."""
        facts = [self.kind, self.version, self.until, self.etag, self.headers]
        return json.dumps(facts).encode() + b"\n" + self.body

    @classmethod
    def unpacked(cls, data: bytes, known: Known) -> Page | None:
        """A page from Redis, if it is the current one; None for anything else."""
        facts, _, body = data.partition(b"\n")
        try:
            kind, version, until, etag, headers = json.loads(facts)
        except ValueError:
            return None
        page = cls(kind, known, version, until, etag, [(n, v) for n, v in headers], body)
        return page if page.is_current(time()) else None


class Shelf:
    """The copies of this process, at most so many bytes; what nobody asked for again goes first."""

    def __init__(self, most_bytes: int) -> None:
        self.most_bytes = most_bytes
        self.bytes = 0
        self.pages: OrderedDict[Key, Page] = OrderedDict()
        self._sizes: dict[Key, int] = {}
        self._lock = threading.Lock()

    def put(self, key: Key, page: Page) -> None:
        with self._lock:
            self.pages.pop(key, None)
            self.pages[key] = page
            self._weigh(key, page)
            while self.bytes > self.most_bytes and len(self.pages) > 1:
                oldest, left = self.pages.popitem(last=False)
                if left.is_used:  # a second chance
                    left.is_used = False
                    self.pages[oldest] = left
                else:
                    self.bytes -= self._sizes.pop(oldest)

    def weigh(self, key: Key, page: Page) -> None:
        """A page that lies here has grown."""
        with self._lock:
            if self.pages.get(key) is page:
                self._weigh(key, page)

    def _weigh(self, key: Key, page: Page) -> None:
        self.bytes += page.size - self._sizes.get(key, 0)
        self._sizes[key] = page.size

    def used_of(self, stores: set[int]) -> list[Key]:
        """The pages of these stores that were asked for since they were made, the latest first."""
        with self._lock:
            return [
                key
                for key, page in reversed(self.pages.items())
                if page.is_used and page.known.store_id in stores
            ]


class SharedPages:
    """The copies of all processes, in the cache Redis. Away, it is as if it were empty."""

    def __init__(self, redis: Redis, environment: str, build: str) -> None:
        self._redis = redis
        self._environment = environment
        self._build = build  # another one may make another page of the same facts
        self._rest_until = 0.0

    def begin(self, asked: Asked, known: Known) -> tuple[Page | None, bool]:
        """The current copy, if there is one; else whether making it is now up to us."""
        name = self._name(asked, known)
        pipeline = self._redis.pipeline(transaction=False)
        pipeline.get(name)
        take_turn(pipeline, f"{name}:making", seconds=ELSEWHERE)
        found = self._try(pipeline.execute)
        if found is None:
            return None, True
        page = Page.unpacked(found[0], known) if found[0] else None
        if page is not None and found[1]:
            pipeline = self._redis.pipeline(transaction=False)
            give_turn_back(pipeline, f"{name}:making")
            self._try(pipeline.execute)
        return page, bool(found[1])

    def wait(self, asked: Asked, known: Known) -> Page | None:
        """The copy that another process makes, once it has; None when it keeps none."""
        name = self._name(asked, known)
        self._try(lambda: wait_for_turn(self._redis, f"{name}:making", seconds=ELSEWHERE))
        data: Any = self._try(lambda: self._redis.get(name))
        return Page.unpacked(data, known) if data else None

    def end(self, asked: Asked, known: Known, page: Page | None) -> None:
        """Keep what was made, until its minute is over, and let others make it again."""
        name = self._name(asked, known)
        pipeline = self._redis.pipeline(transaction=False)
        if page is not None:
            pipeline.set(name, page.packed(), px=max(1, int((page.until - time()) * 1000)))
        give_turn_back(pipeline, f"{name}:making")
        self._try(pipeline.execute)

    def _name(self, asked: Asked, known: Known) -> str:
        digest = hashlib.blake2b(
            f"{self._build}\n{asked.host}\n{asked.path}?{asked.query}\n{asked.has_photos}".encode(),
            digest_size=16,
        ).hexdigest()
        return cache_key(self._environment, known.store_id, "page", digest, asked.language)

    def _try(self, ask: Callable[[], Any]) -> Any:
        if monotonic() < self._rest_until:
            return None
        try:
            return ask()
        except RedisError as error:
            self._rest_until = monotonic() + REDIS_REST
            log.warning("page_cache_alone", error=type(error).__name__)
            return None


class Flight:
    """One request that makes a page, and those that wait for it."""

    def __init__(self) -> None:
        self.landed = threading.Event()
        self.page: Page | None = None


class Road:
    """Who is being answered by this process now: what nobody waits for yet gives way to them.

    Two threads of Python take turns, so that somebody's cart and two pages made for later are ready
    together, after the time of all three.
    """

    def __init__(self) -> None:
        self._change = threading.Condition()
        self._on_it = 0

    def __enter__(self) -> None:
        with self._change:
            self._on_it += 1
            self._change.notify_all()

    def __exit__(self, *_failure: object) -> None:
        with self._change:
            self._on_it -= 1
            self._change.notify_all()

    def wait_until_quiet(self, seconds: float) -> None:
        """Wait until nobody has been answered for a moment, or so long at most.

        A moment, because whoever is the first to hear of an edit is about to be answered.
        """
        end = monotonic() + seconds
        with self._change:
            while (left := end - monotonic()) > 0:
                self._change.wait_for(lambda: not self._on_it, left)
                if not self._change.wait_for(lambda: self._on_it > 0, min(left, MOMENT)):
                    return


class PageCache:
    """The WSGI layer. Everything that is not a public page passes it untouched."""

    def __init__(
        self, app: Flask, program: Program, settings: Settings, versions: PageVersions
    ) -> None:
        self._program = program
        self._is_https = settings.public_scheme == "https"
        self._platform_host = settings.platform_host.partition(":")[0]
        self._versions = versions
        self._versions.on_change = self._warm_later
        self._shelf = Shelf(settings.page_cache_mib * 1024 * 1024)
        self._pages = self._shelf.pages
        self._shared = SharedPages(
            app.extensions["cache_redis"], settings.environment, _build_of(Path(app.root_path))
        )
        self._asked: dict[RawKey, Asked] = {}
        self._flights: dict[Key, Flight] = {}
        self._lock = threading.Lock()
        self._beside = threading.BoundedSemaphore(MOST_BESIDE)
        self._road = Road()
        self._due = 0.0
        self._edge: Headers = []
        self._hits = dict.fromkeys(KINDS, 0)

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        method = environ["REQUEST_METHOD"]
        if method != "GET" and method != "HEAD":
            return self._answer(environ, start_response)
        if self._is_https and environ["wsgi.url_scheme"] != "https":
            return self._answer(environ, start_response)  # which leads to https
        now = time()
        if now >= self._due:
            self._on_the_clock(now)
        raw = raw_key(environ)
        asked = self._asked.get(raw) or self._read(raw)
        if asked is None:
            return self._answer(environ, start_response)
        page = self._pages.get(asked.key)
        if page is None or page.version != page.known.version or now >= page.until:
            return self._fetch(asked, page, environ, start_response)
        self._hits[asked.kind] += 1
        page.is_used = True
        ready = page.ready.get(asked.encoding) or self._make_ready(page, asked)
        if "HTTP_IF_NONE_MATCH" in environ or method == "HEAD":
            return self._shortly(page, ready, "hit", self._edge, environ, start_response)
        start_response("200 OK", ready.headers + self._edge)
        return ready.body

    def _answer(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Flask's own answer, to one person."""
        with self._road:
            return self._program(environ, start_response)

    # -- the way to a page that is not at hand ------------------------------------------

    def _read(self, raw: RawKey) -> Asked | None:
        asked = read(raw)
        if asked is None or asked.host == self._platform_host:
            return None
        if len(self._asked) >= MOST_ASKED:
            self._asked.clear()
        self._asked[raw] = asked
        return asked

    def _fetch(
        self, asked: Asked, old: Page | None, environ: Environ, start_response: StartResponse
    ) -> Iterable[bytes]:
        known = self._look(asked)
        if known is None:  # or the database is away: Flask has the words for that
            return self._answer(environ, start_response)
        mine = Flight()
        flight = self._take_off(mine, asked)
        if flight is not mine:
            if old is not None and old.may_be_stale(time()):
                return self._send(old, asked, "stale", _AT_ONCE, environ, start_response)
            flight.landed.wait(PATIENCE)
            if flight.page is None:
                return self._answer(environ, start_response)
            return self._send(flight.page, asked, "hit", self._edge, environ, start_response)
        if old is not None and old.may_be_stale(time()) and self._beside.acquire(blocking=False):
            work = (mine, asked, known, environ)
            beside = threading.Thread(
                target=self._land_beside, args=work, name="beside", daemon=True
            )
            try:
                beside.start()
            except RuntimeError:  # the machine has no more threads: then they wait
                self._beside.release()
            else:
                return self._send(old, asked, "stale", _AT_ONCE, environ, start_response)
        with self._road:
            answer = self._land(mine, asked, known, environ)
        if mine.page is None:
            if answer is None or answer.is_personal or "HTTP_HX_REQUEST" in environ:
                return self._answer(environ, start_response)
            start_response(answer.status, answer.headers)
            return [] if environ["REQUEST_METHOD"] == "HEAD" else [answer.body]
        how = "hit" if answer is None else "miss"
        return self._send(mine.page, asked, how, self._edge, environ, start_response)

    def _look(self, asked: Asked) -> Known | None:
        try:
            return self._versions.look(asked.host)
        except SQLAlchemyError:
            return None

    def _take_off(self, mine: Flight, asked: Asked) -> Flight:
        """The one flight in which a page is made: ours, unless another is on its way."""
        with self._lock:
            return self._flights.setdefault(asked.key, mine)

    def _land_beside(self, flight: Flight, asked: Asked, known: Known, environ: Environ) -> None:
        try:
            self._land_quietly(flight, asked, known, environ)
        finally:
            self._beside.release()

    def _land_quietly(self, flight: Flight, asked: Asked, known: Known, environ: Environ) -> None:
        """Make a page that nobody waits for. What goes wrong is met by whoever asks next."""
        self._road.wait_until_quiet(GIVE_WAY)
        try:
            self._land(flight, asked, known, environ)
        except Exception as error:
            log.warning("page_not_made", kind=asked.kind, error=type(error).__name__)

    def _land(self, flight: Flight, asked: Asked, known: Known, environ: Environ) -> Answer | None:
        try:
            flight.page, answer = self._make(asked, known, environ)
        finally:
            with self._lock:
                del self._flights[asked.key]
            flight.landed.set()
        return answer

    def _make(
        self, asked: Asked, known: Known, environ: Environ
    ) -> tuple[Page | None, Answer | None]:
        """The page from another process, or made here; and Flask's own answer, if it was asked."""
        page, is_ours = self._shared.begin(asked, known)
        if page is None and not is_ours:
            page = self._shared.wait(asked, known)
        if page is not None:
            self._shelf.put(asked.key, page)
            return page, None
        version = known.version  # of before: what is read from here on is as new, or newer
        try:
            answer = Answer.of(self._program, self._environ_of(asked, environ))
            page = self._page_of(asked, known, version, answer)
        finally:
            self._shared.end(asked, known, page)
        if page is not None:
            self._shelf.put(asked.key, page)
        return page, answer

    def _page_of(self, asked: Asked, known: Known, version: int, answer: Answer) -> Page | None:
        """What may be kept of an answer: a page that says it is everybody's."""
        headers = {name.lower(): value for name, value in answer.headers}
        policy = headers.get("cache-control", "")
        if (
            not answer.status.startswith("200")
            or "public" not in policy
            or "s-maxage" not in policy
            or version == OVER
            or answer.is_personal
            or "hx-request" in headers.get("vary", "").lower()
        ):
            return None
        tags = f"s{known.store_id} s{known.store_id}-{asked.kind}"
        return Page(
            kind=asked.kind,
            known=known,
            version=version,
            until=(time() // MINUTE + 1) * MINUTE,
            etag=f'W/"{hashlib.blake2b(answer.body, digest_size=12).hexdigest()}"',
            headers=[
                *((n, v) for n, v in answer.headers if n.lower() not in _OWN_HEADERS),
                ("Vary", VARY),
                ("Surrogate-Key", tags),
                ("Cache-Tag", tags.replace(" ", ",")),
            ],
            body=brotli.compress(answer.body, quality=QUALITY),
        )

    # -- answering ----------------------------------------------------------------------

    def _send(
        self,
        page: Page,
        asked: Asked,
        how: str,
        edge: Headers,
        environ: Environ,
        start_response: StartResponse,
    ) -> Iterable[bytes]:
        PAGES.labels(asked.kind, how).inc()
        ready = page.ready.get(asked.encoding) or self._make_ready(page, asked)
        return self._shortly(page, ready, how, edge, environ, start_response)

    def _shortly(
        self,
        page: Page,
        ready: Ready,
        how: str,
        edge: Headers,
        environ: Environ,
        start_response: StartResponse,
    ) -> Iterable[bytes]:
        """The page, or less where the browser has it already or wants its headers alone."""
        headers = ready.headers + edge
        if how != "hit":
            headers = [(n, how if n == "X-Cache" else v) for n, v in headers]
        if _has_already(environ.get("HTTP_IF_NONE_MATCH", ""), page.etag):
            start_response("304 Not Modified", [h for h in headers if h[0] not in _OF_A_BODY])
            return []
        start_response("200 OK", headers)
        return [] if environ["REQUEST_METHOD"] == "HEAD" else ready.body

    def _make_ready(self, page: Page, asked: Asked) -> Ready:
        ready = page.in_encoding(asked.encoding)
        self._shelf.weigh(asked.key, page)
        return ready

    # -- by the clock -------------------------------------------------------------------

    def _on_the_clock(self, now: float) -> None:
        """Once a second and once a recheck: what caches in front may do, and what has changed."""
        self._edge = _edge_headers(int(now))
        self._versions.keep_up(monotonic())
        for kind, count in self._hits.items():
            if count:
                self._hits[kind] -= count
                PAGES.labels(kind, "hit").inc(count)
        wait = max(0.0, self._versions.due - monotonic())
        self._due = min(int(now) + 1.0, time() + wait)

    def _warm_later(self, stores: set[int]) -> None:
        """An edit: what people look at in these shops is made anew before they ask again."""
        keys = self._shelf.used_of(stores)[:MOST_WARMED]
        if keys:
            threading.Thread(target=self._warm, args=(keys,), name="warm", daemon=True).start()

    def _warm(self, keys: list[Key]) -> None:
        for key in keys:
            page = self._pages.get(key)
            if page is None or page.is_current(time()):
                continue
            asked = Asked(page.kind, *key, encoding="br")
            mine, known = Flight(), self._look(asked)
            if known is None or self._take_off(mine, asked) is not mine:
                continue
            self._land_quietly(mine, asked, known, {})
            if mine.page is not None:
                mine.page.is_used = False  # not until somebody asks

    def _environ_of(self, asked: Asked, environ: Environ) -> Environ:
        """A request that holds nothing but what is in the key, and who is asking for the limits."""
        return {
            **{name: environ[name] for name in _PASSED_ON if name in environ},
            "REQUEST_METHOD": "GET",
            "SCRIPT_NAME": "",
            "PATH_INFO": asked.path,
            "QUERY_STRING": asked.query,
            "SERVER_NAME": asked.host,
            "SERVER_PORT": "80",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "HTTP_HOST": asked.host,
            "HTTP_ACCEPT_LANGUAGE": asked.language,
            "HTTP_SAVE_DATA": "off" if asked.has_photos else "on",
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "https" if self._is_https else "http",
            "wsgi.input": BytesIO(),
            "wsgi.errors": sys.stderr,
            "wsgi.multithread": True,
            "wsgi.multiprocess": True,
            "wsgi.run_once": False,
            MADE_FOR_ALL: True,
        }


@dataclass
class Answer:
    """What Flask said."""

    status: str
    headers: Headers
    body: bytes

    @property
    def is_personal(self) -> bool:
        return any(name.lower() == "set-cookie" for name, _ in self.headers)

    @classmethod
    def of(cls, program: Program, environ: Environ) -> Answer:
        said: list[tuple[str, Headers]] = []

        def start(status: str, headers: Headers, error: object = None) -> None:
            said.append((status, headers))

        parts = program(environ, start)
        try:
            body = b"".join(parts)
        finally:
            close = getattr(parts, "close", None)
            if close is not None:
                close()
        return cls(*said[-1], body)


# What the layers in front may do. nginx obeys X-Accel-Expires: until the end of this very second,
# so that together with our own half a second nothing is shown that is two seconds old. A CDN obeys
# s-maxage; a browser asks each time, with its tag.
def _edge_headers(second: int) -> Headers:
    return [
        ("Cache-Control", FOR_CACHES),
        ("X-Accel-Expires", f"@{second}"),
        ("X-Cache", "hit"),
    ]


# A copy that is being replaced goes to one visitor and is kept by nobody.
_AT_ONCE: Headers = [
    ("Cache-Control", "public, max-age=0, s-maxage=0, must-revalidate"),
    ("X-Accel-Expires", "0"),
    ("X-Cache", "hit"),
]
_OF_A_BODY = {"Content-Length", "Content-Encoding", "Content-Type"}


def _has_already(tags: str, etag: str) -> bool:
    """Whether If-None-Match names this tag, compared as weak ones are."""
    if not tags:
        return False
    wanted = etag.removeprefix("W/")
    return tags.strip() == "*" or wanted in (
        tag.strip().removeprefix("W/") for tag in tags.split(",")
    )


def _build_of(root: Path) -> str:
    """Changes with the product's code, words and looks."""
    digest = hashlib.blake2b(digest_size=8)
    for folder in ("app", "templates", "static/dist"):
        for path in sorted((root / folder).rglob("*.*")):
            if path.suffix != ".pyc":
                about = path.stat()
                digest.update(f"{path.name} {about.st_size} {about.st_mtime_ns}".encode())
    return digest.hexdigest()


def wrap(app: Flask, settings: Settings) -> None:
    """Put the cache in front of the application, and tell it the versions of what it shows."""
    with app.app_context():
        engine = db.engine.execution_options(isolation_level="AUTOCOMMIT")
    versions = PageVersions(engine.connect, recheck=settings.page_cache_recheck)
    app.extensions["page_versions"] = versions
    if settings.page_cache:
        app.wsgi_app = PageCache(app, app.wsgi_app, settings, versions)  # type: ignore[method-assign]
