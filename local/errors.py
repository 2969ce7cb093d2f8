"""What stops a start, in words for the person at the keyboard."""

from __future__ import annotations


class CannotStart(Exception):
    """``str(error)`` is one or two sentences: what is wrong, and what to do about it."""
