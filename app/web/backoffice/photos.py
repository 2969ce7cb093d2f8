"""A product's photos: several sent at once, put in order, framed, described, removed.

Each file has its own row and its own answer, so a bad one never holds up the others. The
files that shoppers see are made by a job; the list asks again while something waits.
"""

from __future__ import annotations

import hashlib
from typing import Any
from uuid import UUID

from flask import Response, abort, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_wtf.csrf import generate_csrf
from werkzeug.datastructures import FileStorage

from app.db.engine import db
from app.db.tenancy import bound_store
from app.domain.catalog.models import Product, ProductImage
from app.domain.changes.actions import latest_change
from app.domain.changes.models import Change
from app.domain.errors import FieldProblem, NotFound
from app.domain.media.actions import (
    MAX_ALT,
    MAX_BYTES,
    MAX_PHOTOS,
    add_photo,
    describe_photo,
    move_photo,
    order_photos,
    remove_photo,
)
from app.domain.media.queries import find_photo, option_values, photos_of
from app.domain.media.refusals import refusal_words
from app.i18n import gettext as _
from app.web.auth import require_staff
from app.web.backoffice.shell import actor, desk, toast, trouble
from app.web.forms import field
from app.web.htmx import fragment, wants_fragment

bp = desk("office_photos", __name__, "/dash/<store>/products/<uuid:product_id>/photos")

MOST_AT_ONCE_BYTES = 12 * 1024 * 1024  # without a script all files come in one request
SHOWN = 280  # CSS pixels of a photo's longer side where its focal point is tapped
STEPS = {"left": -1, "right": 1, "first": -MAX_PHOTOS}


@bp.url_value_preprocessor
def _allow_larger_files(endpoint: str | None, values: dict[str, Any] | None) -> None:
    # Before anything reads the form; every other page keeps the small limit.
    if endpoint == f"{bp.name}.add":
        request.max_content_length = MOST_AT_ONCE_BYTES


@bp.get("/")
@require_staff("products.see")
def show(product_id: UUID) -> ResponseReturnValue:
    """The photos in their order, and where to send more."""
    product = _product(product_id)
    return render_template(
        "backoffice/photos.html",
        most=MAX_PHOTOS,
        megabytes=MAX_BYTES // 2**20,
        most_at_once=MOST_AT_ONCE_BYTES // 2**20,
        last_change=latest_change(db.session(), "photo_order", subject=str(product.id)),
        **_listed(product),
    )


@bp.get("/list")
@require_staff("products.see")
def listed(product_id: UUID) -> ResponseReturnValue:
    """The list alone: asked for again while photos are being made. Unchanged is 304."""
    page = render_template("backoffice/_photos.html", **_listed(_product(product_id)))
    response = make_response(page)
    # The forms' token names the second it was made in; the list did not change because of it.
    told = page.replace(generate_csrf(), "")
    response.set_etag(hashlib.sha256(told.encode()).hexdigest()[:20])
    return response.make_conditional(request)


@bp.post("/")
@require_staff("products.change")
def add(product_id: UUID) -> ResponseReturnValue:
    """Take the files that came. Each is stored, or refused with its own sentence."""
    product = _product(product_id)
    sent = [file for file in request.files.getlist("photos") if file.filename]
    option_value = field("option_value", most=80) or None
    if option_value not in option_values(product):
        option_value = None
    try:
        for file in sent:
            _keep(product, file, option_value)
    except FieldProblem as full:
        trouble(str(full))
    db.session.commit()
    if wants_fragment():
        return _list_fragment(product_id)
    if not sent:
        trouble(_("Choose a photo first."))
    return redirect(url_for(".show", product_id=product_id), code=303)


@bp.post("/order")
@require_staff("products.change")
def order(product_id: UUID) -> ResponseReturnValue:
    """Put the photos in the order of the ids that were sent, as after a drag."""
    _product(product_id)
    change = order_photos(db.session(), product_id, _ids("photo"), actor=actor())
    return _arranged(product_id, change)


@bp.post("/<uuid:photo_id>/move")
@require_staff("products.change")
def move(product_id: UUID, photo_id: UUID) -> ResponseReturnValue:
    """Move one photo a place to the left or right, or to the front."""
    step = STEPS.get(request.form.get("to", ""))
    if step is None:
        abort(404)
    change = move_photo(db.session(), product_id, photo_id, step, actor=actor())
    return _arranged(product_id, change)


@bp.get("/<uuid:photo_id>")
@require_staff("products.see")
def edit(product_id: UUID, photo_id: UUID) -> ResponseReturnValue:
    """One photo large: where its subject is, its words, the choice it belongs to."""
    product = _product(product_id)
    photo = _photo(product_id, photo_id)
    width, height = _shown_size(photo)
    return render_template(
        "backoffice/photo.html",
        product=product,
        photo=photo,
        values=option_values(product),
        width=width,
        height=height,
        most_alt=MAX_ALT,
        last_change=latest_change(db.session(), "photo_words", subject=str(product.id)),
    )


@bp.post("/<uuid:photo_id>")
@require_staff("products.change")
def save(product_id: UUID, photo_id: UUID) -> ResponseReturnValue:
    """Keep the words, the choice and the point. A tap on the photo sends the point alone."""
    photo = _photo(product_id, photo_id)
    is_tap = "at.x" in request.form
    try:
        change = describe_photo(
            db.session(),
            product_id,
            photo_id,
            alt=photo.alt if is_tap else field("alt", most=MAX_ALT),
            option_value=photo.option_value if is_tap else field("option_value", most=80),
            focal=_tapped(photo) if is_tap else (_percent("focal_x"), _percent("focal_y")),
            actor=actor(),
        )
    except FieldProblem as problem:
        db.session.rollback()
        trouble(str(problem))
        return redirect(url_for(".edit", product_id=product_id, photo_id=photo_id), code=303)
    db.session.commit()
    _say(_("Saved."), change)
    if is_tap:
        return redirect(url_for(".edit", product_id=product_id, photo_id=photo_id), code=303)
    return redirect(url_for(".show", product_id=product_id), code=303)


@bp.post("/<uuid:photo_id>/remove")
@require_staff("products.change")
def remove(product_id: UUID, photo_id: UUID) -> ResponseReturnValue:
    """Take a photo off the product; a refused one leaves without a word."""
    was_refused = _photo(product_id, photo_id).status == "refused"
    change = remove_photo(db.session(), product_id, photo_id, actor=actor())
    db.session.commit()
    if not was_refused:
        _say(_("Photo removed."), change)
    return redirect(url_for(".show", product_id=product_id), code=303)


def _keep(product: Product, file: FileStorage, option_value: str | None) -> None:
    add_photo(
        db.session(),
        product.id,
        file.stream.read(MAX_BYTES + 1),
        filename=file.filename or "",
        actor=actor(),
        option_value=option_value,
    )


def _product(product_id: UUID) -> Product:
    product = db.session.get(Product, (bound_store(), product_id))
    if product is None:
        raise NotFound
    return product


def _photo(product_id: UUID, photo_id: UUID) -> ProductImage:
    photo = find_photo(db.session(), product_id, photo_id)
    if photo is None:
        raise NotFound
    return photo


def _listed(product: Product) -> dict[str, Any]:
    photos = photos_of(db.session(), product.id)
    good = [photo for photo in photos if photo.status != "refused"]
    return {
        "product": product,
        "photos": good,
        "refused": [
            (photo, refusal_words(photo.refusal)) for photo in photos if photo.status == "refused"
        ],
        "waiting": sum(photo.status != "ready" for photo in good),
        "values": option_values(product),
    }


def _list_fragment(product_id: UUID) -> Response:
    return fragment("backoffice/_photos.html", with_toasts=True, **_listed(_product(product_id)))


def _arranged(product_id: UUID, change: Change | None) -> ResponseReturnValue:
    db.session.commit()
    _say(_("New order saved."), change)
    if wants_fragment():
        return _list_fragment(product_id)
    return redirect(url_for(".show", product_id=product_id), code=303)


def _say(words: str, change: Change | None) -> None:
    if change is not None:
        toast(words, undo=url_for("office_changes.undo", change_id=change.id))


def _shown_size(photo: ProductImage) -> tuple[int, int]:
    """Width and height in CSS pixels, the longer one SHOWN."""
    longer = max(photo.width, photo.height, 1)
    return max(1, photo.width * SHOWN // longer), max(1, photo.height * SHOWN // longer)


def _tapped(photo: ProductImage) -> tuple[int, int]:
    width, height = _shown_size(photo)
    return (
        min(100, round(_number("at.x") * 100 / width)),
        min(100, round(_number("at.y") * 100 / height)),
    )


def _percent(name: str) -> int:
    return min(100, _number(name))


def _number(name: str) -> int:
    text = request.form.get(name, "")
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= 4 else 50


def _ids(name: str) -> list[UUID]:
    try:
        return [UUID(text) for text in request.form.getlist(name)]
    except ValueError:
        abort(404)
