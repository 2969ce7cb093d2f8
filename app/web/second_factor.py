"""The guard on what moves money or changes locks: prove once more who you are.

Put ``@needs_second_factor(...)`` under ``@require_staff`` or ``@require_person``. Without a fresh
proof the view does not run: a page asks for PIN, passkey or code and, once it has them, sends
the person on to where they were going, a form with everything that was typed into it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar
from urllib.parse import urlsplit

from flask import Response, g, make_response, render_template, request, url_for

from app.domain.people.second_factor import Level, enough_for, fresh_ways, is_proven, means_of
from app.web.auth import staff_token
from app.web.htmx import wants_fragment

View = TypeVar("View", bound=Callable[..., Any])

# Only these addresses may follow a proof: a link to the page must not lead elsewhere.
_OURS = re.compile(
    r"/(?:(?:dash|staff)/[a-z0-9-]{2,40}|me)/[A-Za-z0-9/_.-]*(?:\?[A-Za-z0-9/_.=&%+-]*)?"
)
MAX_NEXT = 400


def needs_second_factor(
    level: str, *, when: Callable[[], bool] | None = None, back: str | None = None
) -> Callable[[View], View]:
    """Run the view only with a fresh proof of this level (see ``Level``).

    ``when`` says, from the request, whether this one needs it. With ``back``, the endpoint of a
    page, nothing that was typed travels through the asking page, because it is a secret: the
    person comes back to the empty form. Raises ValueError for a level that does not exist.
    """
    wanted = Level(level)

    def guard(view: View) -> View:
        @wraps(view)
        def guarded(*args: Any, **kwargs: Any) -> Any:
            if (when is None or when()) and not has_proof(wanted):
                return ask_for_proof(wanted, back=back)
            return view(*args, **kwargs)

        guarded._second_factor = wanted.value  # type: ignore[attr-defined]
        return guarded  # type: ignore[return-value]

    return guard


def has_proof(level: Level) -> bool:
    """Whether the person at this session proved themselves for this level within five minutes."""
    return is_proven(staff_token(), g.person, level)


def ask_for_proof(level: Level, *, back: str | None = None) -> Response:
    """The page that asks, in place of what was wanted. Nothing was done."""
    if wants_fragment():
        shown = urlsplit(request.headers.get("HX-Current-URL", "")).path
        response = make_response("", 403)
        response.headers["HX-Redirect"] = url_for(
            "account_security.confirm_page", level=level.value, next=way_on(shown)
        )
        return response
    is_form = request.method == "POST" and back is None
    here = request.path if request.method == "POST" else request.full_path.rstrip("?")
    return asking_page(
        level,
        next_path=url_for(back) if back is not None else here,
        method="post" if is_form else "get",
        fields=kept_fields() if is_form else [],
        status=403 if request.method == "POST" else 200,
    )


def asking_page(
    level: Level,
    *,
    next_path: str,
    method: str,
    fields: list[tuple[str, str]],
    status: int = 200,
    problem: str = "",
    has_sent: bool = False,
) -> Response:
    """Ask for what is still missing at this level."""
    means, fresh = means_of(g.person), fresh_ways(staff_token())
    sets = enough_for(level, means)
    page = render_template(
        "platform/confirm.html",
        level=level.value,
        next_path=way_on(next_path),
        method=method,
        fields=fields,
        problem=problem,
        has_sent=has_sent,
        can_at_all=bool(sets),
        means=means,
        ways=sorted({way.value for ways in sets for way in ways}),
        done=[way.value for way in fresh],
        needs_both=any(len(ways) > 1 for ways in sets),
    )
    return make_response(page, status)


def kept_fields() -> list[tuple[str, str]]:
    """What the form had, to be sent again after the proof."""
    return [
        (name, value)
        for name, value in request.form.items(multi=True)
        if name != "csrf_token" and not name.startswith("confirm_")
    ]


def way_on(wanted: str) -> str:
    """A page of ours to go on to, else one's own security page."""
    is_ours = len(wanted) <= MAX_NEXT and _OURS.fullmatch(wanted) and ".." not in wanted
    return wanted if is_ours and "//" not in wanted else "/me/security"
