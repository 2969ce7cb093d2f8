"""One product: making it, changing everything about it, seeing it before shoppers do."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import abort, current_app, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from app.addresses import store_url
from app.db.engine import db
from app.db.tenancy import bound_store
from app.domain.catalog.actions import add_category
from app.domain.catalog.grid import shelves
from app.domain.catalog.kinds import attributes_of
from app.domain.catalog.models import Category, Product
from app.domain.catalog.saving import (
    FieldProblems,
    SavedMeanwhile,
    get_product_to_edit,
    save_product,
    version_of,
)
from app.domain.catalog.waiting import waiting_for
from app.domain.changes.actions import latest_change
from app.domain.stores.hosts import canonical_host
from app.i18n import gettext as _
from app.web.auth import require_staff
from app.web.backoffice.product_form import (
    ProductForm,
    asked_of,
    blank_form,
    facts_of,
    form_of,
    read_form,
)
from app.web.backoffice.shell import actor, desk, toast
from app.web.forms import uuid_field
from app.web.htmx import fragment
from app.web.previews import preview_token

bp = desk("office_product", __name__, "/dash/<store>/products")


@bp.get("/new")
@require_staff("products.change")
def new() -> ResponseReturnValue:
    """An empty form; few fields first, the others folded away."""
    return _page(None, blank_form())


@bp.post("/new")
@require_staff("products.change")
def create() -> ResponseReturnValue:
    """Make the product. The same form sent twice makes it once."""
    key = uuid_field("key")
    if db.session.get(Product, (bound_store(), key)) is not None:
        return redirect(url_for(".show", product_id=key), code=303)
    return _save(None, key=key)


@bp.get("/<uuid:product_id>")
@require_staff("products.change")
def show(product_id: UUID) -> ResponseReturnValue:
    product = _product(product_id)
    return _page(product, form_of(product))


@bp.post("/<uuid:product_id>")
@require_staff("products.change")
def save(product_id: UUID) -> ResponseReturnValue:
    """Save everything the form says, or nothing, with what is wrong beside its field."""
    return _save(get_product_to_edit(db.session(), product_id))


@bp.get("/attributes")
@require_staff("products.change")
def attributes() -> ResponseReturnValue:
    """The questions of a category, for the form that just chose it."""
    category = _category(request.args.get("category", ""))
    form = ProductForm(
        attributes={name[2:]: value for name, value in request.args.items() if name[:2] == "a-"}
    )
    asked = asked_of(attributes_of(category), ())
    return fragment("backoffice/_attributes.html", category=category, asked=asked, form=form)


@bp.get("/<uuid:product_id>/preview")
@require_staff("products.change")
def preview(product_id: UUID) -> ResponseReturnValue:
    """To the shop's own page of it: the public one, or for a draft one that only this link opens."""
    product = _product(product_id)
    host = canonical_host(db.session())
    path = f"/p/{product.slug}"
    if product.status != "active":
        path = f"/preview/{preview_token(product)}"
    return redirect(store_url(host, path), code=303)


def _save(product: Product | None, *, key: UUID | None = None) -> ResponseReturnValue:
    session: Session = db.session()
    form = read_form(request.form)
    if request.form.get("do") == "ways":
        return _page(product, form)
    try:
        category_id = _chosen_category(session, form)
        facts = facts_of(form, category_id=category_id)
        saved, change = save_product(
            session, product, facts, actor=actor(), seen=request.form.get("seen"), new_id=key
        )
    except (FieldProblems, SavedMeanwhile) as error:
        session.rollback()
        if isinstance(error, FieldProblems):
            form.problems |= error.problems
        else:
            form.problems["form"] = str(error)
        return _page(product and _product(product.id), form), 422
    session.commit()
    words = _("%(name)s is saved.", name=saved.name)
    undo = url_for("office_changes.undo", change_id=change.id) if change else None
    toast(words, undo=undo)
    return redirect(url_for(".show", product_id=saved.id), code=303)


def _page(product: Product | None, form: ProductForm) -> str:
    session: Session = db.session()
    category = _category(form.of("category"))
    offered = [variant for variant in product.variants if variant.is_active] if product else []
    return render_template(
        "backoffice/product.html",
        product=product,
        form=form,
        wrong=form.problems,
        shelves=shelves(session),
        category=category,
        asked=asked_of(attributes_of(category), form.names),
        usual=[each for each in attributes_of(category) if each.is_option],
        stock={str(variant.id): variant for variant in offered},
        waiting=waiting_for(session, [variant.id for variant in offered]),
        version=_version(product, form),
        photos=_photos_address(product),
        pictures=[i for i in product.images if i.removed_at is None] if product else [],
        last_change=latest_change(session, "product", subject=f"product:{product.id}")
        if product
        else None,
    )


def _version(product: Product | None, form: ProductForm) -> str:
    """What the next save is compared with: the newest, once somebody was told of it."""
    if product is None:
        return ""
    was_told = "form" in form.problems
    return (not was_told and request.form.get("seen")) or version_of(product)


def _product(product_id: UUID) -> Product:
    product = db.session.get(Product, (bound_store(), product_id))
    if product is None:
        abort(404)
    return product


def _category(text: str) -> Category | None:
    try:
        return db.session.get(Category, (bound_store(), UUID(text)))
    except ValueError:
        return None


def _chosen_category(session: Session, form: ProductForm) -> UUID | None:
    """The category of the form, made first when a new name was typed. Raises FieldProblems."""
    if form.of("new_category"):
        return add_category(session, form.of("new_category")).id
    if not form.of("category"):
        return None
    category = _category(form.of("category"))
    if category is None:
        raise FieldProblems({"category": _("Choose one of your categories.")})
    return category.id


def _photos_address(product: Product | None) -> str | None:
    if product is None or "office_photos.show" not in current_app.view_functions:
        return None
    address: Any = url_for("office_photos.show", product_id=product.id, store=g.store.slug)
    return str(address)
