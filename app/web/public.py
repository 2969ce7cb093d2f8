"""A page that is the same for everybody in its language, and says so."""

from __future__ import annotations

from flask import Response, make_response, request

from app.i18n import current_locale
from app.web.page_kinds import is_personal

FOR_CACHES = "public, max-age=0, s-maxage=1, must-revalidate"
# In the environ of a request that the page cache makes: tag, encoding and 304 are its work then.
MADE_FOR_ALL = "dukani.made_for_all"


def public(html: str) -> Response:
    """The answer of a public page: caches may keep it for a second, a browser asks with its tag.

    Call it only for what knows no cookie and no person.
    """
    response = make_response(html)
    response.headers["Cache-Control"] = (
        "private, no-store" if is_personal(request.args.get("q", "")) else FOR_CACHES
    )
    response.headers["Content-Language"] = current_locale()
    response.vary.update(("Accept-Language", "Cookie"))
    if MADE_FOR_ALL not in request.environ:
        response.add_etag()
        response.make_conditional(request)
    return response
