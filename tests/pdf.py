"""The words of a PDF that we made ourselves, for tests: its fonts' tables and its pages' text."""

from __future__ import annotations

import re
import zlib


def words_of(pdf: bytes) -> str:
    """Every line of text, in the order in which the pages say it."""
    streams = []
    for found in re.finditer(rb"stream\r?\n(.*?)\r?\nendstream", pdf, re.S):
        try:
            streams.append(zlib.decompress(found[1]))
        except zlib.error:
            streams.append(found[1])
    tables = [
        _letters(text) for text in streams if b"beginbfchar" in text or b"beginbfrange" in text
    ]
    lines = []
    for text in streams:
        if b" Tf" not in text and b"BT" not in text:
            continue
        font = 0
        for name, raw in re.findall(rb"/F(\d+) [\d.]+ Tf|\(((?:\\.|[^\\)])*)\) Tj", text, re.S):
            if name:
                font = int(name) - 1
            elif raw:
                codes = _unescaped(raw)
                pairs = [
                    int.from_bytes(codes[at : at + 2], "big") for at in range(0, len(codes), 2)
                ]
                lines.append("".join(tables[font].get(code, "") for code in pairs))
    return "\n".join(lines)


def _letters(table: bytes) -> dict[int, str]:
    found = {}
    for code, letter in re.findall(rb"<([0-9A-Fa-f]{4})> <([0-9A-Fa-f]{4,8})>\s", table):
        found[int(code, 16)] = bytes.fromhex(letter.decode()).decode("utf-16-be")
    return found


def _unescaped(raw: bytes) -> bytes:
    back = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"b": b"\b", b"f": b"\f"}
    return re.sub(rb"\\(.)", lambda found: back.get(found[1], found[1]), raw, flags=re.S)
