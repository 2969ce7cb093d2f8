"""Who is asking, and the guard that a back-office view puts on its door."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

from flask import Response, abort, g, redirect, request, url_for

from app.db.engine import db
from app.domain.people.permissions import PERMISSIONS, can
from app.domain.people.sessions import find_session, role_in
from app.domain.stores.models import Store
from app.web.tenancy import bind_store, platform_only

View = TypeVar("View", bound=Callable[..., Any])

COOKIE = "__Host-staff"


def staff_token() -> str:
    """The session token of this browser, or nothing."""
    return request.cookies.get(COOKIE, "")


def load_person() -> Any | None:
    """The person signed in here, or None. One look per request."""
    if "person" not in g:
        found = find_session(staff_token()) if staff_token() else None
        g.person = found[0] if found else None
    return g.person


def remember_staff(response: Response, token: str) -> Response:
    """Hand the browser its session."""
    response.set_cookie(
        COOKIE, token, secure=True, httponly=True, samesite="Lax", path="/", max_age=7 * 86_400
    )
    return response


def forget_staff(response: Response) -> Response:
    response.delete_cookie(COOKIE, secure=True, httponly=True, samesite="Lax", path="/")
    return response


def require_staff(permission: str) -> Callable[[View], View]:
    """Open the store named in the URL for whoever may do this there.

    Not signed in: to the sign-in page and back. No role in that store: 404, as if the
    store did not exist. A role without the permission: 403. The role is read anew for
    each request. Sets ``g.person``, ``g.role``, ``g.store``.
    """
    if permission not in PERMISSIONS:
        raise KeyError(permission)

    def guard(view: View) -> View:
        @wraps(view)
        def guarded(*args: Any, store: str, **kwargs: Any) -> Any:
            platform_only()
            person = load_person()
            if person is None:
                if request.method == "GET":
                    return redirect(
                        url_for("signing_in.show", next=request.full_path.rstrip("?")), code=303
                    )
                abort(401)
            found = role_in(person.id, store)
            if found is None:
                abort(404)
            store_id, g.role = found
            if not can(g.role, permission):
                abort(403)
            bind_store(store_id)
            g.store = db.session.get_one(Store, store_id)
            return view(*args, **kwargs)

        guarded._permission = permission  # type: ignore[attr-defined]
        return guarded  # type: ignore[return-value]

    return guard
