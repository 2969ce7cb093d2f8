"""The wizard of a shop that has a name: goods, areas, till, a paid test order, and sharing it.

One question a screen; a step that can wait says "Later". Whoever leaves comes back to the first
step that is open, whoever goes back finds what they said.
"""

from __future__ import annotations

import io
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import quote
from uuid import UUID

from flask import (
    Response,
    current_app,
    g,
    make_response,
    redirect,
    render_template,
    request,
    url_for,
)
from flask.typing import ResponseReturnValue
from markupsafe import Markup
from sqlalchemy import select

from app.addresses import order_link, store_url
from app.clock import utcnow
from app.db.engine import db, platform_session
from app.db.tenancy import bound_store
from app.domain.catalog.kinds import ready_set
from app.domain.catalog.models import Category, Product
from app.domain.delivery.areas import BANDS, get_area
from app.domain.delivery.fees import DEFAULT_FEE_CENTS
from app.domain.delivery.settings import MAX_FEE_CENTS
from app.domain.errors import DomainError, FieldProblem
from app.domain.media.actions import add_photo
from app.domain.media.queries import photos_of
from app.domain.media.refusals import refusal_words
from app.domain.onboarding.actions import (
    KINDS,
    TEST_ITEM_CENTS,
    add_first_product,
    fill_with_kind,
    pass_step,
    place_test_order,
    rename,
    set_areas,
    set_up,
    take_out,
    wish_for_till,
)
from app.domain.onboarding.actions import (
    leave as leave_wizard,
)
from app.domain.onboarding.models import Onboarding
from app.domain.onboarding.queries import (
    KNOWN_PLACES,
    MOST_GOODS,
    BandFee,
    band_fees,
    can_be_paid,
    categories,
    first_buyable,
    first_goods,
    next_step,
    phone_of,
    takes_real_money,
    test_order,
)
from app.domain.onboarding.steps import progress_of
from app.domain.orders.models import Order
from app.domain.payments.queries import payment_view
from app.domain.stores.hosts import find_host
from app.domain.stores.models import Store
from app.i18n import gettext as _
from app.money import InvalidAmount, format_kes, parse_kes
from app.phones import InvalidPhone, national, parse_msisdn
from app.web.auth import require_staff
from app.web.backoffice.areas import BAND_WORDS
from app.web.backoffice.home import home_of
from app.web.backoffice.shell import actor, desk, toast, trouble
from app.web.forms import field
from app.web.platform.sign_up import (
    HUE_CHOICES,
    PHOTO_BYTES,
    keep_sent_logo,
    kinds_in_words,
    read_hue,
    test_account,
)

if TYPE_CHECKING:
    import segno

bp = desk("opening", __name__, "/dash/<store>/open")

_TAKE_PHOTOS = ("add_goods", "save_name")


@bp.url_value_preprocessor
def _allow_photos(endpoint: str | None, values: dict[str, Any] | None) -> None:
    if endpoint in {f"{bp.name}.{view}" for view in _TAKE_PHOTOS}:
        request.max_content_length = PHOTO_BYTES


@bp.get("/")
@require_staff("store.change")
def resume() -> ResponseReturnValue:
    """To the first step that is open."""
    return redirect(url_for(f".{next_step(db.session(), _onboarding())}"), code=303)


# -- going back to what was said before the shop was open ---------------------------------


@bp.get("/kind")
@require_staff("store.change")
def kind() -> ResponseReturnValue:
    """What the shop sells, said before; another choice adds its groups."""
    return _page("kind", template="sign_up_kind", chosen=g.store.kind, kinds=kinds_in_words())


@bp.post("/kind")
@require_staff("store.change")
def save_kind() -> ResponseReturnValue:
    wanted = field("kind", most=20)
    if wanted not in KINDS:
        raise FieldProblem("kind", _("Choose what you sell."))
    if wanted != g.store.kind:
        with platform_session() as session:
            session.get_one(Store, bound_store()).kind = wanted
        fill_with_kind(db.session(), wanted, actor=actor())
        db.session.commit()
    return redirect(url_for(".name"), code=303)


@bp.get("/name")
@require_staff("store.change")
def name() -> ResponseReturnValue:
    """Name, colour and logo again. The web name is on links already, so it stays."""
    return _name_page({"name": g.store.name, "hue": str(g.store.colour_hue)}, {})


@bp.post("/name")
@require_staff("store.change")
def save_name() -> ResponseReturnValue:
    typed = {"name": field("name", most=80), "hue": field("hue", most=3)}
    try:
        rename(
            db.session(),
            g.store,
            name=typed["name"],
            colour_hue=read_hue(typed["hue"]),
            actor=actor(),
        )
    except FieldProblem as problem:
        db.session.rollback()
        return _name_page(typed, {problem.field: str(problem)}, 422)
    db.session.commit()
    keep_sent_logo(g.store, actor())
    return redirect(url_for(".goods"), code=303)


# -- goods ------------------------------------------------------------------------------


@bp.get("/goods")
@require_staff("store.change")
def goods() -> ResponseReturnValue:
    """The first products, one card each."""
    _onboarding()
    return _goods_page({}, {})


@bp.post("/goods")
@require_staff("store.change")
def add_goods() -> ResponseReturnValue:
    """Put one product on the shelf, with its photo. A bad photo never holds up the product."""
    _onboarding()
    session = db.session()
    typed = {
        "name": field("name", most=120),
        "price": field("price", most=20),
        "stock": field("stock", most=9),
        "category": field("category", most=60),
    }
    try:
        product = add_first_product(
            session,
            name=typed["name"],
            price_cents=_price(typed["price"]),
            stock=_stock(typed["stock"]),
            category=_category(typed["category"]),
            key=field("key", most=80),
            actor=actor(),
        )
    except FieldProblem as problem:
        session.rollback()
        return _goods_page(typed, {problem.field: str(problem)}, 422)
    session.commit()
    said = _hang_photo(product)
    if said:
        trouble(_("%(name)s is saved without a photo. %(why)s", name=product.name, why=said))
    else:
        toast(_("%(name)s is in your shop.", name=product.name))
    return redirect(url_for(".goods"), code=303)


@bp.post("/goods/<uuid:product_id>/take-out")
@require_staff("store.change")
def remove_goods(product_id: UUID) -> ResponseReturnValue:
    take_out(db.session(), product_id, actor=actor())
    db.session.commit()
    return redirect(url_for(".goods"), code=303)


@bp.post("/goods/next")
@require_staff("store.change")
def goods_done() -> ResponseReturnValue:
    return _passed("goods", ".areas")


# -- areas ------------------------------------------------------------------------------


@bp.get("/areas")
@require_staff("store.change")
def areas() -> ResponseReturnValue:
    """Fees by distance, filled in with what is usual; an empty fee is no delivery."""
    onboarding = _onboarding()
    bands = band_fees(db.session(), is_first_time=onboarding.areas_at is None)
    return _areas_page(bands, {"place": g.store.place}, {})


@bp.post("/areas")
@require_staff("store.change")
def save_areas() -> ResponseReturnValue:
    onboarding = _onboarding()
    now = band_fees(db.session(), is_first_time=onboarding.areas_at is None)
    typed = {band.band: field(f"fee_{band.band}", most=12) for band in now}
    typed["place"] = field("place", most=120)
    fees: dict[str, int | None] = {}
    wrong: dict[str, str] = {}
    for band in now:
        try:
            fees[band.band] = _fee(typed[band.band])
        except (InvalidAmount, FieldProblem) as problem:
            wrong[band.band] = str(problem)
    if wrong:
        shown = [replace(band, fee_cents=fees.get(band.band)) for band in now]
        return _areas_page(shown, typed, wrong, 422)
    set_areas(db.session(), onboarding, fees, place=typed["place"], actor=actor())
    db.session.commit()
    return redirect(url_for(".till"), code=303)


@bp.get("/areas/reads")
@require_staff("store.change")
def reads() -> ResponseReturnValue:
    """What a shopper will read with the fees as they are typed: a piece for the page."""
    fees: dict[str, int | None] = {}
    for band in BANDS:
        try:
            fees[band] = _fee(request.args.get(f"fee_{band}", "").strip()[:12])
        except (InvalidAmount, FieldProblem):
            fees[band] = None
    said = _what_shoppers_read(fees)
    return make_response(render_template("platform/_wizard_reads.html", reads=said))


@bp.post("/areas/later")
@require_staff("store.change")
def areas_later() -> ResponseReturnValue:
    return _passed("areas", ".till")


# -- till -------------------------------------------------------------------------------


@bp.get("/till")
@require_staff("store.change")
def till() -> ResponseReturnValue:
    """The till or paybill for real money. Until it is checked the shop takes test payments."""
    onboarding = _onboarding()
    typed = {"kind": onboarding.wanted_kind or "till", "number": onboarding.wanted_number or ""}
    return _page("till", typed=typed, wrong={})


@bp.post("/till")
@require_staff("store.change")
def save_till() -> ResponseReturnValue:
    onboarding = _onboarding()
    typed = {"kind": field("kind", most=10), "number": field("number", most=20)}
    try:
        wish_for_till(db.session(), onboarding, kind=typed["kind"], number=typed["number"])
    except FieldProblem as problem:
        db.session.rollback()
        return _page("till", 422, typed=typed, wrong={problem.field: str(problem)})
    db.session.commit()
    return redirect(url_for(".test"), code=303)


@bp.post("/till/later")
@require_staff("store.change")
def till_later() -> ResponseReturnValue:
    return _passed("till", ".test")


# -- the test order -----------------------------------------------------------------------


@bp.get("/test")
@require_staff("store.change")
def test() -> ResponseReturnValue:
    """Buy one thing from oneself and see what customers will see."""
    _onboarding()
    return _test_page({"phone": _own_number()}, {})


@bp.post("/test")
@require_staff("store.change")
def buy() -> ResponseReturnValue:
    """Place the test order: a real order of this shop, asked to be paid on the owner's phone."""
    onboarding = _onboarding()
    typed = {"phone": field("phone", most=40)}
    session = db.session()
    try:
        phone = parse_msisdn(typed["phone"])
        place_test_order(session, g.store, onboarding, phone=phone, key=field("key", most=60))
    except (InvalidPhone, DomainError) as problem:
        session.rollback()
        return _test_page(typed, {"phone": str(problem)}, 422)
    session.commit()
    return redirect(url_for(".test"), code=303)


@bp.get("/test/now")
@require_staff("store.change")
def test_now() -> ResponseReturnValue:
    """How far the test order is: a piece that the page asks for again and again."""
    typed = {"phone": _own_number()}
    return make_response(
        render_template("platform/_wizard_test.html", typed=typed, wrong={}, **_test_facts())
    )


# -- done ---------------------------------------------------------------------------------


@bp.get("/done")
@require_staff("store.change")
def done() -> ResponseReturnValue:
    """The link to share, as words and as a picture, and what is left to do."""
    onboarding = _onboarding()
    session = db.session()
    address = _shop_address()
    words = _(
        "%(name)s is online. Look and order here: %(address)s", name=g.store.name, address=address
    )
    own = phone_of(g.person.id) or ""
    order = test_order(session, onboarding)
    return _page(
        "test",
        template="wizard_done",
        address=address,
        qr=qr_code(address),
        to_me=f"https://wa.me/{own.removeprefix('+')}?text={quote(words)}" if own else "",
        to_all=f"https://wa.me/?text={quote(words)}",
        order=order,
        is_paid=order is not None and order.paid_at is not None,
        checks=_checks(onboarding, order),
    )


@bp.get("/poster")
@require_staff("store.change")
def poster() -> ResponseReturnValue:
    """A sheet for the counter: scan and shop."""
    address = _shop_address()
    return make_response(
        render_template("platform/wizard_poster.html", address=address, qr=qr_code(address))
    )


@bp.get("/qr.svg")
@require_staff("store.change")
def qr_file() -> ResponseReturnValue:
    """The same code as a file, for a printer."""
    out = io.BytesIO()
    _qr(_shop_address()).save(out, kind="svg", scale=8, border=4)
    answer = make_response(out.getvalue())
    answer.headers["Content-Type"] = "image/svg+xml"
    answer.headers["Content-Disposition"] = f'attachment; filename="{g.store.slug}-qr.svg"'
    return answer


@bp.post("/leave")
@require_staff("store.change")
def leave() -> ResponseReturnValue:
    """Leave the wizard for the desk. Its pages stay reachable; nobody is sent there any more."""
    with platform_session() as session:
        leave_wizard(session, g.person.id, bound_store())
    return redirect(home_of(g.role, g.store.slug), code=303)


# -- helpers ------------------------------------------------------------------------------


@dataclass(frozen=True)
class Check:
    """One line of the list at the end."""

    words: str
    help: str
    is_done: bool
    address: str = ""


def qr_code(address: str) -> Markup:
    """The address as an inline picture, black on white for every camera."""
    svg = _qr(address).svg_inline(border=2, dark="#000", light="#fff", omitsize=True)
    return Markup(svg)  # noqa: S704 - drawn by us from our own address


def _qr(address: str) -> segno.QRCode:
    import segno  # few ever need it

    return segno.make(address, error="m", micro=False)


def _onboarding() -> Onboarding:
    """The store's row; a store whose setting up was cut off gets the rest of it now."""
    session = db.session()
    found = session.get(Onboarding, bound_store())
    if found is None:
        found = set_up(session, g.store, actor=actor(), account=test_account())
        session.commit()
    return found


def _page(step: str, status: int = 200, *, template: str = "", **context: Any) -> Response:
    values = {"typed": {}, "wrong": {}, "problem": ""} | context
    page = render_template(
        f"platform/{template or 'wizard_' + step}.html", progress=progress_of(step), **values
    )
    return make_response(page, status)


def _name_page(typed: dict[str, str], wrong: dict[str, str], status: int = 200) -> Response:
    return _page(
        "name",
        status,
        template="sign_up_name",
        typed=typed,
        wrong=wrong,
        hues=_hues(),
        hue=read_hue(typed["hue"]),
        address=_shop_address(),
    )


def _hues() -> tuple[int, ...]:
    """The choices, and the shop's own colour when it is none of them."""
    return HUE_CHOICES if g.store.colour_hue in HUE_CHOICES else (*HUE_CHOICES, g.store.colour_hue)


def _goods_page(typed: dict[str, str], wrong: dict[str, str], status: int = 200) -> Response:
    session = db.session()
    shelf = first_goods(session)
    return _page(
        "goods",
        status,
        typed=typed,
        wrong=wrong,
        shelf=shelf,
        most=MOST_GOODS,
        groups=categories(session),
        guide=ready_set(g.store.kind).photo_guide,
    )


def _areas_page(
    bands: list[BandFee], typed: dict[str, str], wrong: dict[str, str], status: int = 200
) -> Response:
    reads = _what_shoppers_read({band.band: band.fee_cents for band in bands})
    return _page(
        "areas",
        status,
        typed=typed,
        wrong=wrong,
        bands=bands,
        band_words=BAND_WORDS,
        usual=DEFAULT_FEE_CENTS,
        reads=reads,
    )


def _own_number() -> str:
    """The number of whoever looks, as people write it; empty for somebody without one."""
    own = phone_of(g.person.id)
    return national(own) if own else ""


def _what_shoppers_read(fees: dict[str, int | None]) -> str:
    """The line of a product page, for Kilimani if the shop goes there; empty without delivery."""
    for band in ("B", *fees):
        fee_cents = fees.get(band)
        if fee_cents is not None:
            area = get_area(KNOWN_PLACES[band][0]).name
            return _("Delivery to %(area)s, %(fee)s", area=area, fee=format_kes(fee_cents))
    return ""


def _test_page(typed: dict[str, str], wrong: dict[str, str], status: int = 200) -> Response:
    return _page("test", status, typed=typed, wrong=wrong, **_test_facts())


def _test_facts() -> dict[str, Any]:
    session = db.session()
    onboarding = _onboarding()
    order = test_order(session, onboarding)
    phone_page = current_app.config["SETTINGS"].mpesa_test_phone_url
    facts: dict[str, Any] = {
        "order": order,
        "buys": first_buyable(session) if order is None else None,
        "test_item_cents": TEST_ITEM_CENTS,
        "pay": None,
        "order_address": "",
        "phone_page": "",
        "can_be_paid": can_be_paid(session),
        "is_live": takes_real_money(session),
    }
    if order is not None:
        facts["pay"] = payment_view(session, order, utcnow())
        facts["order_address"] = _order_address(order)
        if phone_page:
            facts["phone_page"] = phone_page + order.customer.phone.removeprefix("+")
    return facts


def _order_address(order: Order) -> str:
    return order_link(_host(), order.token)


def _host() -> str:
    return find_host(db.session()) or ""


def _shop_address() -> str:
    return store_url(_host())


def _checks(onboarding: Onboarding, order: Order | None) -> list[Check]:
    shelf = first_goods(db.session())
    is_delivering = any(band.fee_cents for band in band_fees(db.session(), is_first_time=False))
    is_paid = order is not None and order.paid_at is not None
    return [
        Check(
            _("Products with photos"),
            _("%(n)s so far. Shops with ten sell more.", n=len(shelf)),
            bool(shelf) and all(product.images for product in shelf),
            url_for("office_products.show"),
        ),
        Check(
            _("Delivery fees"),
            _("Shoppers see them before they order."),
            is_delivering,
            url_for("office_areas.show"),
        ),
        Check(
            _("A paid test order"),
            _("You have seen what your customers will see."),
            is_paid,
            url_for(".test"),
        ),
        Check(
            _("Your own till"),
            _("Noted. We check it with KES 1 before real money moves.")
            if onboarding.wanted_number
            else _("Until then every payment is a test."),
            takes_real_money(db.session()),
            url_for(".till"),
        ),
    ]


def _passed(step: str, next_page: str) -> ResponseReturnValue:
    pass_step(_onboarding(), step)
    db.session.commit()
    return redirect(url_for(next_page), code=303)


def _hang_photo(product: Product) -> str:
    """Keep the photo that came with the form. Returns why not, in words; nothing when all is well."""
    sent = request.files.get("photo")
    data = sent.stream.read(PHOTO_BYTES) if sent is not None else b""
    session = db.session()
    if sent is None or not data or photos_of(session, product.id):
        return ""
    try:
        photo = add_photo(
            session, product.id, data, filename=sent.filename or "photo", actor=actor()
        )
    except DomainError as refused:
        session.rollback()
        return str(refused)
    session.commit()
    return str(refusal_words(photo.refusal)) if photo.status == "refused" else ""


def _price(text: str) -> int:
    try:
        return parse_kes(text)
    except InvalidAmount as no:
        raise FieldProblem("price", str(no)) from no


def _stock(text: str) -> int:
    digits = text.replace(",", "").replace(" ", "") or "1"
    if not (digits.isascii() and digits.isdecimal()):
        raise FieldProblem("stock", _("How many do you have? 0 to 100,000."))
    return int(digits)


def _category(slug: str) -> Category | None:
    if not slug:
        return None
    return db.session.scalar(
        select(Category).where(Category.store_id == bound_store(), Category.slug == slug)
    )


def _fee(text: str) -> int | None:
    if not text:
        return None
    cents = parse_kes(text)
    if cents % 100 or cents > MAX_FEE_CENTS:
        raise FieldProblem(
            "fee",
            _("A fee is whole shillings, at most %(most)s.", most=format_kes(MAX_FEE_CENTS)),
        )
    return cents
