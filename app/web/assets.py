"""Styles and scripts: built from static/ without Node, served under names that carry their hash.

The storefront's style is one inline ``<style>`` block per build and store colour, allowed by
its hash in the content policy; the back office links its own. Everything else is a file in
static/dist with ``.br`` and ``.gz`` beside it, served by WhiteNoise and cached for ever.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import re
from functools import lru_cache
from pathlib import Path
from typing import Any

import brotli
import rjsmin
from flask import Flask, g, request
from lightningcss import process_stylesheet
from markupsafe import Markup
from whitenoise import WhiteNoise

from app.domain.media.tints import TINTS, oklch_hex, tint_colours
from app.web.tints import leave_room, style_hash, tint_css
from app.web.weight import weigh_file

ROOT = Path(__file__).resolve().parents[2]
STATIC = ROOT / "static"
DIST = STATIC / "dist"
MANIFEST = "manifest.json"
BROWSERS = ["chrome 84"]
DEFAULT_HUE = 262
WHOLE_PAGE = "dukani.whole_page"  # in the request's own environment: an answer with a head

HTMX = Path("vendor/htmx/htmx-4.0.1.min.js")
HTMX_SHA256 = "a0abb04f2f45a1f89d1d4844023245537e5e6014c87b144553e0607b4cc32130"

# Which source files make which file. Names are sorted, so tokens.css starts with its number.
# A page of a shop takes store.css and the parts its template names; without "tints" it gets
# those of its own pictures alone.
PARTS = (
    "pictures",
    "tints",
    "goods",
    "rail",
    "home",
    "list",
    "areas",
    "product",
    "form",
    "cart",
    "order",
    "own",
)
BUNDLES: dict[str, str] = {
    "store.css": "css/store/*.css",
    **{f"store-{part}.css": f"css/store/{part}/*.css" for part in PARTS},
    "office.css": "css/office/*.css",
    "store.js": "js/store*.js",
    "office.js": "js/office*.js",
}

_HASHED_NAME = re.compile(r"\.[0-9a-f]{12}\.(css|js)$")


class AssetsBroken(RuntimeError):
    """A source file is missing or is not the file we vetted."""


def build(dist: Path = DIST) -> dict[str, str]:
    """Build every bundle into ``dist`` and return name → hashed file name.

    Raises AssetsBroken when the vendored htmx is not the one we know.
    """
    dist.mkdir(parents=True, exist_ok=True)
    manifest = {"_sources": _fingerprint()}
    for name, pattern in BUNDLES.items():
        text = "\n".join(path.read_text() for path in sorted(STATIC.glob(pattern)))
        if name.endswith(".css"):
            text = _small_css(
                name, text + (tint_css(list(range(TINTS))) if name == "store-tints.css" else "")
            )
        else:
            text = rjsmin.jsmin(text)
        manifest[name] = _write(dist, name, text.encode())
    manifest["htmx.js"] = _write(dist, "htmx.js", _vetted_htmx())
    whole = dist / f"{MANIFEST}.new"
    whole.write_text(json.dumps(manifest, indent=1))
    whole.replace(dist / MANIFEST)  # a process that starts meanwhile reads the old or the new
    return manifest


def manifest(dist: Path = DIST) -> dict[str, str]:
    """Name → hashed file name, built first when a source changed since the last build."""
    try:
        known: dict[str, str] = json.loads((dist / MANIFEST).read_text())
    except (FileNotFoundError, json.JSONDecodeError):
        return build(dist)
    is_whole = all((dist / file).exists() for name, file in known.items() if name[0] != "_")
    return known if known.get("_sources") == _fingerprint() and is_whole else build(dist)


def wrap(app: Flask) -> None:
    """Serve /static/ from the built files, before Flask, and give the templates their helpers."""
    files = manifest()
    frame = (DIST / files["store.css"]).read_text()
    styles = {part: (DIST / files[f"store-{part}.css"]).read_text() for part in PARTS}
    # Index files and unhashed names are not served: every name under /static/ is immutable.
    app.wsgi_app = WhiteNoise(  # type: ignore[method-assign]
        app.wsgi_app,
        root=str(DIST),
        prefix="static/",
        max_age=300,
        immutable_file_test=lambda path, url: bool(_HASHED_NAME.search(url)),
    )

    sent = {
        name: (DIST / f"{file}.br").stat().st_size for name, file in files.items() if name[0] != "_"
    }

    def asset(name: str) -> str:
        weigh_file(name, sent[name])
        return f"/static/{files[name]}"

    @lru_cache(maxsize=256)
    def styled(parts: tuple[str, ...], hue: int) -> tuple[str, str]:
        """The inline style of one kind of page in one colour, and its hash as the policy writes it."""
        text = colour_css(hue) + frame + "".join(styles[part] for part in parts)
        return text, style_hash(text)

    def store_style(parts: tuple[str, ...] = PARTS) -> Markup:
        store = g.get("store")
        request.environ[WHOLE_PAGE] = True
        text, g.style_hash = styled(tuple(parts), store.colour_hue if store else DEFAULT_HUE)
        room = "" if "tints" in parts or "pictures" not in parts else leave_room()
        return Markup("<style>" + text + room + "</style>")  # noqa: S704 - our own build, never a person's text

    app.jinja_env.globals.update(
        asset=asset,
        store_style=store_style,
    )


def colour_css(hue: int) -> str:
    """A shop's one colour by day and by night, clamped so that text on it stays readable."""
    day, day_pressed = oklch_hex(0.42, 0.11, hue), oklch_hex(0.36, 0.11, hue)
    night, night_pressed = oklch_hex(0.76, 0.10, hue), oklch_hex(0.68, 0.10, hue)
    return (
        f":root{{--store:{day};--store-pressed:{day_pressed};--on-store:#fdfcf9}}"
        "@media(prefers-color-scheme:dark){"
        f":root{{--store:{night};--store-pressed:{night_pressed};"
        f"--on-store:{oklch_hex(0.20, 0.03, hue)}}}}}"
    )


def _small_css(name: str, text: str) -> str:
    small: Any = process_stylesheet(text, filename=name, browsers_list=BROWSERS, minify=True)
    return str(small)


def _vetted_htmx() -> bytes:
    data = (STATIC / HTMX).read_bytes()
    if hashlib.sha256(data).hexdigest() != HTMX_SHA256:
        raise AssetsBroken(f"{HTMX} is not the file its README describes")
    return data


def _write(dist: Path, name: str, data: bytes) -> str:
    stem, _, kind = name.rpartition(".")
    file = f"{stem}.{hashlib.sha256(data).hexdigest()[:12]}.{kind}"
    (dist / file).write_bytes(data)
    (dist / f"{file}.br").write_bytes(brotli.compress(data, quality=11))
    (dist / f"{file}.gz").write_bytes(gzip.compress(data, 9, mtime=0))
    return file


def _fingerprint() -> str:
    """Changes whenever a source file, or this module, does."""
    digest = hashlib.sha256()
    sources = [STATIC / HTMX, Path(__file__), Path(str(tint_colours.__code__.co_filename))]
    for pattern in BUNDLES.values():
        sources += sorted(STATIC.glob(pattern))
    for path in sources:
        digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()
