"""What a page is made of: a few kinds of blocks, and none of them can carry a script.

People write plain text; a line left empty begins a new paragraph. Those who know a little HTML
may use it: what is harmless stays, everything else goes, here, once, before it is stored.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from html import escape
from typing import Any

import nh3

from app.domain.media.making import widths_of

KINDS = ("heading", "text", "list", "picture", "faq", "call", "chat")
MOST_BLOCKS = 40
MOST_TEXT = 6_000
MOST_LINE = 160

_INLINE = {"b", "strong", "i", "em", "a", "br"}
_WHOLE = _INLINE | {"p", "ul", "ol", "li", "h3", "h4", "blockquote"}
_HAS_BLOCKS = re.compile(r"<(p|ul|ol|h3|h4|blockquote)\b", re.I)
_MEDIA_KEY = re.compile(r"[0-9a-f]{32}")

Block = dict[str, Any]


def text_html(text: str) -> str:
    """The text as HTML that is safe to show as it is."""
    if "<" not in text:
        return _paragraphs(escape(text, quote=False))
    clean = nh3.clean(
        text,
        tags=_WHOLE,
        attributes={"a": {"href"}},
        url_schemes={"http", "https", "mailto", "tel"},
        link_rel="noopener nofollow",
    )
    return clean if _HAS_BLOCKS.search(clean) else _paragraphs(clean)


def clean_block(block: Mapping[str, Any]) -> Block | None:
    """A block as it may be stored; None for one that says nothing or is of no known kind."""
    kind = block.get("type")
    if kind == "heading":
        return _unless_empty({"type": kind, "text": _line(block.get("text"))}, "text")
    if kind == "text":
        text = _text(block.get("text"))
        return _unless_empty({"type": kind, "text": text, "html": text_html(text)}, "text")
    if kind == "list":
        items = [line for part in _text(block.get("text")).split("\n") if (line := _line(part))]
        return _unless_empty({"type": kind, "items": items}, "items")
    if kind == "faq":
        found = {"type": kind, "question": _line(block.get("question"))}
        answer = _text(block.get("answer"))
        return _unless_empty(found | {"answer": answer, "html": text_html(answer)}, "question")
    if kind == "picture":
        key = str(block.get("key", ""))
        sides = {side: _side(block.get(side)) for side in ("width", "height")}
        if not _MEDIA_KEY.fullmatch(key) or not all(sides.values()):
            return None
        file = widths_of(sides["width"])[-1]
        return {"type": kind, "key": key, "alt": _line(block.get("alt")), "file": file, **sides}
    if kind == "call":
        return {"type": kind, "label": _line(block.get("label"))}
    if kind == "chat":
        return {
            "type": kind,
            "label": _line(block.get("label")),
            "words": _line(block.get("words")),
        }
    return None


def _paragraphs(html: str) -> str:
    parts = (part.strip() for part in re.split(r"\n\s*\n", html.replace("\r", "")))
    return "".join(f"<p>{part.replace(chr(10), '<br>')}</p>" for part in parts if part)


def _unless_empty(block: Block, name: str) -> Block | None:
    return block if block[name] else None


def _line(text: object) -> str:
    printable = "".join(c if c.isprintable() else " " for c in str(text or ""))
    return " ".join(printable.split())[:MOST_LINE]


def _text(text: object) -> str:
    kept = str(text or "").replace("\r\n", "\n").replace("\r", "\n")
    return "".join(c for c in kept if c.isprintable() or c == "\n").strip()[:MOST_TEXT]


def _side(value: object) -> int:
    text = str(value or "")
    return int(text) if text.isascii() and text.isdigit() and 0 < int(text[:6]) <= 20_000 else 0
