"""A rule that said no, and everything else that can go wrong, as words on a page."""

from __future__ import annotations

from flask import Flask, Response, g, make_response, render_template, request
from flask_wtf.csrf import CSRFError
from sqlalchemy.exc import DataError, DBAPIError, OperationalError
from werkzeug.exceptions import HTTPException

from app.db.engine import db
from app.domain.errors import DomainError, KeyReused, NotFound, TooManyTries
from app.domain.platform.impersonating import NotFromOutside, OnlyLooking
from app.i18n import gettext as _
from app.logging import get_logger
from app.phones import InvalidPhone
from app.web.htmx import fragment, wants_fragment

log = get_logger("web")


def add_errors(app: Flask) -> None:
    app.register_error_handler(DomainError, show_domain_error)
    app.register_error_handler(InvalidPhone, show_domain_error)
    app.register_error_handler(HTTPException, show_http_error)
    app.register_error_handler(DBAPIError, show_database_error)
    app.register_error_handler(Exception, show_bug)


def status_of(error: Exception) -> int:
    """404 for what is not there, 403 for who only looks, 409 for a reused form, 429 for a limit, else 422."""
    match error:
        case NotFound():
            return 404
        case KeyReused():
            return 409
        case TooManyTries():
            return 429
        case OnlyLooking() | NotFromOutside():
            return 403
        case _:
            return 422


def show_domain_error(error: Exception) -> Response:
    """Tell the person which rule said no, where they are looking.

    htmx swaps the notice into #notices; without JavaScript the same words come as a page
    with a way back.
    """
    _forget_changes()
    response = _words(str(error), status_of(error))
    if isinstance(error, TooManyTries):
        response.headers["Retry-After"] = str(error.retry_after_seconds)
    return response


def show_http_error(error: HTTPException) -> Response:
    """404, 403, 413 and their kin: constant words and the request's id."""
    _forget_changes()
    code = error.code or 500
    if code < 400:  # redirects of the router
        return error.get_response()  # type: ignore[return-value]
    words = {
        400: _("We could not read that request."),
        403: _("This form came from another place than this shop. Please load the page again."),
        404: _("There is nothing at this address."),
        405: _("This address cannot be used like that."),
        413: _("That is too large to send."),
        414: _("That address is too long."),
        429: _("Too many requests. Please wait a minute and try again."),
    }.get(code, _("We could not do that."))
    if code == 403 and g.get("role"):
        words = _("Your role in this store does not include this. Ask an owner of the store.")
    if isinstance(error, CSRFError):
        words = _("This page is out of date. Please load it again and repeat your last step.")
    response = _words(words, code)
    retry_after = error.get_response().headers.get("Retry-After") if error.response else None
    if code == 429:
        response.headers["Retry-After"] = retry_after or "60"
    if code == 405 and getattr(error, "valid_methods", None):
        response.headers["Allow"] = ", ".join(error.valid_methods)  # type: ignore[attr-defined]
    return response


def show_database_error(error: DBAPIError) -> Response:
    """Input the database cannot hold is 400; a database that is away is 503; the rest is a bug."""
    _forget_changes()
    if isinstance(error, DataError):
        return _words(_("We could not read that request."), 400)
    if isinstance(error, OperationalError):
        log.warning("database_unavailable", error=type(error.orig).__name__)
        response = _words(
            _("The shop is catching its breath. Nothing was lost. Please try again in a moment."),
            503,
        )
        response.headers["Retry-After"] = "5"
        return response
    return show_bug(error)


def show_bug(error: Exception) -> Response:
    """Something we did not foresee: a line for us, an id for the person, nothing half-written."""
    log.exception("bug", error=type(error).__name__)
    _forget_changes()
    return _words(_("Something went wrong on our side. Nothing was changed."), 500)


def _forget_changes() -> None:
    if g.get("store_token") is not None:
        db.session.rollback()


def _words(message: str, status: int) -> Response:
    if request.path.startswith("/hooks/"):
        return make_response({"ResultCode": 1, "ResultDesc": "Rejected"}, status)
    if wants_fragment():
        response = fragment("_notice.html", status=status, message=message)
        response.headers["HX-Retarget"] = "#notices"
        response.headers["HX-Reswap"] = "innerHTML"
    else:
        page = render_template(
            "problem.html", message=message, status=status, request_id=g.get("request_id", "")
        )
        response = make_response(page, status)
    response.headers["Cache-Control"] = "no-store"
    return response
