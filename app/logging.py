"""Structured logs: one JSON object a line, ids bound once at the door, nothing personal.

One processor masks what must never be written: phone numbers in any spelling, e-mail
addresses, tokens, one-time codes, card numbers, passwords, cookies.
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

import structlog
from structlog.typing import EventDict, Processor

_PHONE = re.compile(r"(?<![0-9a-fA-F-])(?:\+?254|0)[ -]?[17](?:[ -]?\d){8}(?![0-9a-fA-F-])")
_EMAIL = re.compile(r"[\w.+-]+@[\w-]+\.[\w.]+")
_CARD = re.compile(r"(?<![\w-])\d{13,19}(?![\w-])")
_BEARER = re.compile(r"(?i)(bearer|basic)\s+[\w.~+/=-]+")
_TOKEN_IN_PATH = re.compile(r"(/(?:o|r|hooks/pay|hooks/email|pay|back)/)[\w-]{6,}")
_CHECKOUT_ID = re.compile(r"(ws_CO_\d{8})\d+")
# Ten digits, as the shortest phone number has: a line's own date and time have fewer in a row.
_MANY_DIGITS = re.compile(r"[0-9](?:[ -]?\d){9}")
_SECRET_NAMES = re.compile(
    r"(?i)pass|secret|token|authorization|cookie|otp|api_?key|(^|_)code$|msisdn|phone$"
)

_NO_SECRETS = frozenset({"result_code", "error_code", "order_code"})


def scrub(text: str) -> str:
    """The text without anything that must not be in a log."""
    if _is_plain(text):
        return text
    text = _CHECKOUT_ID.sub(r"\1•••", text)
    text = _TOKEN_IN_PATH.sub(r"\1•••", text)
    text = _BEARER.sub(r"\1 •••", text)
    text = _EMAIL.sub("•••@•••", text)
    text = _CARD.sub("•••", text)
    return _PHONE.sub("07•••", text)


def _is_plain(text: str) -> bool:
    """Whether nothing of it looks like anything to be masked, as in most lines: found out quickly.

    Every line of every request is asked, and one expression for all of it takes six times as long.
    """
    small = text.lower()
    return (
        text.isascii()  # other scripts have digits and letters of their own
        and "@" not in text
        and "bearer" not in small
        and "basic" not in small
        and "ws_co_" not in small
        and not _TOKEN_IN_PATH.search(text)
        and not _MANY_DIGITS.search(text)
    )


@lru_cache(maxsize=1024)
def _is_secret(name: str) -> bool:
    return name not in _NO_SECRETS and bool(_SECRET_NAMES.search(name))


def _scrub_value(name: str, value: Any) -> Any:
    if isinstance(value, str):
        return "•••" if _is_secret(name) else scrub(value)
    if isinstance(value, Mapping):
        return {k: _scrub_value(str(k), v) for k, v in value.items()}
    if isinstance(value, Iterable) and not isinstance(value, bytes):
        return [_scrub_value(name, v) for v in value]
    return value


def scrub_event(logger: Any, method: str, event: EventDict) -> EventDict:
    """The processor that every line passes."""
    return {name: _scrub_value(name, value) for name, value in event.items()}


class ScrubbingFormatter(structlog.stdlib.ProcessorFormatter):
    """Formats our own lines and those of libraries alike, scrubbed at the very end."""

    def format(self, record: logging.LogRecord) -> str:
        return scrub(super().format(record))


def configure_logging(*, pretty: bool) -> None:
    """Set up logging for this process: to standard output, as JSON, or readable in a terminal."""
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        scrub_event,
    ]
    renderer: Processor = (
        structlog.dev.ConsoleRenderer(colors=False)
        if pretty
        else structlog.processors.JSONRenderer(ensure_ascii=False)
    )
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        ScrubbingFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.INFO)
    for noisy in ("httpx", "httpcore", "rq.worker", "alembic"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )


def get_logger(name: str) -> structlog.stdlib.BoundLogger:
    """A logger; M-Pesa's own stream is named ``mpesa``."""
    logger: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(name)
    return logger
