"""Who is asking, and the guard that a back-office view puts on its door."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

from flask import Response, abort, g, redirect, request, url_for

from app.db.engine import db
from app.domain.people.permissions import OWNER, PERMISSIONS, can
from app.domain.people.sessions import find_session, role_in
from app.domain.platform.impersonating import acting_now
from app.domain.stores.models import Store
from app.web.security import SAFE_METHODS
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


def open_to(whom: str) -> Callable[[View], View]:
    """Say who may open a platform page that no permission guards: the page asks by itself."""

    def mark(view: View) -> View:
        view._open_to = whom  # type: ignore[attr-defined]
        return view

    return mark


def require_person(view: View) -> View:
    """Open a page about oneself, on the platform's host, for whoever is signed in.

    Not signed in: to the sign-in page and back. Sets ``g.person``.
    """

    @wraps(view)
    def guarded(*args: Any, **kwargs: Any) -> Any:
        platform_only()
        if load_person() is None:
            if request.method == "GET":
                return redirect(url_for("signing_in.show", next=request.path), code=303)
            abort(401)
        return view(*args, **kwargs)

    guarded._open_to = "the person signed in"  # type: ignore[attr-defined]
    return guarded  # type: ignore[return-value]


def _acting_as_owner(store: str, permission: str) -> tuple[int, str] | None:
    """The store and the owner's role, for somebody of the platform who looks at it; sets ``g.acting``.

    Raises OnlyLooking for anything but reading outside the quarter of an hour for changes.
    """
    acting = acting_now(staff_token()) if g.person.is_platform_admin else None
    if acting is None or acting.slug != store:
        return None
    acting.refuse(permission, is_reading=request.method in SAFE_METHODS)
    g.acting = acting
    return acting.store_id, OWNER


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
            found = _acting_as_owner(store, permission) or role_in(person.id, store)
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
