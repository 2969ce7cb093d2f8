"""Lists of goods: a category, a search, and what a search that has only begun may lead to.

A list is a page of its address, and the same list without the frame is a fragment with an address
of its own: ``/c/watches?stock=1`` and ``/c/watches/list?stock=1``. Both are the same for everybody,
so both can be cached; the area somebody names in a search comes from the address, never a cookie.
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlencode

from flask import Blueprint, Response, g, render_template, request
from flask.typing import ResponseReturnValue

from app.clock import utcnow
from app.db.engine import db
from app.domain.catalog import listing, searching
from app.domain.catalog.listing import Filters, Listing
from app.domain.catalog.queries import find_moved_category
from app.domain.catalog.understanding import clean
from app.domain.delivery.areas import Area, split_area
from app.domain.delivery.queries import FeePreview, preview_of_place
from app.domain.errors import NotFound
from app.i18n import gettext as _
from app.money import format_kes
from app.web.limits import SEARCHES, SUGGESTIONS, limiter
from app.web.public import public
from app.web.storefront.browse import moved_to
from app.web.tenancy import open_store

bp = Blueprint("listing", __name__)
bp.before_request(open_store)

FRAGMENT = "/list"
MAX_PRICE_KES = 100_000_000
MAX_TRAITS = 12


@dataclass(frozen=True, kw_only=True)
class Asked:
    """How the shopper wants a list: read from the address, and written back into links."""

    path: str  # of the page, also when its fragment was asked for
    query: str | None
    sorts: tuple[str, ...]
    sort: str
    filters: Filters
    page: int
    after: str | None

    @classmethod
    def from_request(cls, *, query: str | None) -> Asked:
        """Anything odd in the address is as if it were not there."""
        sorts = searching.SEARCH_SORTS if query else listing.SORTS
        sort = request.args.get("sort", "")
        price = _digits(request.args.get("max", ""), most=MAX_PRICE_KES)
        return cls(
            path=request.path.removesuffix(FRAGMENT),
            query=query,
            sorts=sorts,
            sort=sort if sort in sorts else sorts[0],
            filters=Filters(
                most_cents=price * 100 if price else None,
                in_stock=request.args.get("stock") == "1",
                traits=_traits() if query is None else {},
            ),
            page=_digits(request.args.get("page", ""), most=listing.MAX_PAGE) or 1,
            after=request.args.get("after", "").replace("\x00", "")[:100] or None,
        )

    @property
    def filter_count(self) -> int:
        filters = self.filters
        chosen = sum(map(len, filters.traits.values()))
        return (filters.most_cents is not None) + filters.in_stock + chosen

    @property
    def is_filtered(self) -> bool:
        return self.filters.is_set

    @property
    def chosen(self) -> list[tuple[str, str]]:
        """Each filter in words, and the query string of the list without it."""
        filters = []
        if self.filters.most_cents is not None:
            words = _("Up to %(price)s", price=format_kes(self.filters.most_cents))
            filters.append((words, self._query(max=None)))
        if self.filters.in_stock:
            filters.append((_("In stock"), self._query(stock=None)))
        for key, values in self.filters.traits.items():
            for value in values:
                filters.append((value, self._query(without=(key, value))))
        return filters

    @property
    def cleared(self) -> str:
        return self._query(max=None, stock=None, without=("", ""))

    @property
    def own(self) -> str:
        """The query string of this very page of the list."""
        return self._query(page=self.page, after=self.after)

    def up_to(self, cents: int) -> str:
        """The same list up to another price, in cents."""
        return self._query(max=str(cents // 100))

    def more(self, page: Listing) -> str:
        """The next page. It names the last product of this one, from where the list goes on."""
        after = page.last_slug if page.understood is None else None
        return self._query(page=self.page + 1, after=after)

    def back(self) -> str:
        return self._query(page=self.page - 1)

    def _query(
        self,
        *,
        without: tuple[str, str] | None = None,
        page: int = 1,
        after: str | None = None,
        **changes: str | None,
    ) -> str:
        """This list with some of it changed; ``without`` one trait, or any for an empty key."""
        most = self.filters.most_cents
        values: dict[str, str | None] = {
            "q": self.query or None,
            "sort": self.sort if self.sort != self.sorts[0] else None,
            "max": str(most // 100) if most else None,
            "stock": "1" if self.filters.in_stock else None,
        }
        kept = [(name, value) for name, value in (values | changes).items() if value]
        kept += [
            (f"a-{key}", value)
            for key, chosen in self.filters.traits.items()
            for value in chosen
            if without is None or (without[0] and without != (key, value))
        ]
        if page > 1:
            kept.append(("page", str(page)))
            kept += [("after", after)] if after else []
        return f"?{urlencode(kept)}" if kept else ""


@dataclass(frozen=True, kw_only=True)
class Place:
    """The area that a search names, and what delivery there costs the cheapest thing found."""

    areas: tuple[Area, ...]  # several where the name does not say which: Umoja
    words: str  # the search without it
    preview: FeePreview | None


@bp.get("/c/<slug:slug>")
def category(slug: str) -> ResponseReturnValue:
    return _category(slug, is_piece=False)


@bp.get("/c/<slug:slug>/list")
def category_list(slug: str) -> ResponseReturnValue:
    """The same without the frame."""
    return _category(slug, is_piece=True)


def _category(slug: str, *, is_piece: bool) -> ResponseReturnValue:
    """One category. An address it had before leads to the one it has now."""
    asked = Asked.from_request(query=None)
    try:
        page = listing.category_page(
            db.session(),
            slug,
            sort=asked.sort,
            filters=asked.filters,
            page=asked.page,
            after=asked.after,
        )
    except NotFound:
        moved = find_moved_category(db.session(), slug)
        if moved is None:
            raise
        return moved_to(f"/c/{moved}" + (FRAGMENT if is_piece else ""))
    return _list(page, asked, is_piece=is_piece)


@bp.get("/search")
@limiter.limit(SEARCHES)
def search() -> ResponseReturnValue:
    return _search(is_piece=False)


@bp.get("/search/list")
@limiter.limit(SEARCHES)
def search_list() -> ResponseReturnValue:
    """The same without the frame."""
    return _search(is_piece=True)


def _search(*, is_piece: bool) -> ResponseReturnValue:
    words = clean(request.args.get("q", ""))
    areas, rest = split_area(words)
    asked = Asked.from_request(query=words)
    page = searching.search(
        db.session(),
        rest,
        sort=asked.sort,
        filters=asked.filters,
        page=asked.page,
        after=asked.after,
        place=areas[0].slug if len(areas) == 1 else None,
    )
    place = Place(areas=areas, words=rest, preview=_preview(page, areas)) if areas else None
    return _list(page, asked, is_piece=is_piece, place=place)


@bp.get("/search/suggest")
@limiter.limit(SUGGESTIONS)
def suggest() -> ResponseReturnValue:
    """Shelves and products for what was typed so far, as links; empty for nothing."""
    words = clean(request.args.get("q", ""))
    _areas, rest = split_area(words)
    found = searching.suggest(db.session(), rest) if rest else []
    return public(render_template("storefront/_suggestions.html", found=found))


def _preview(page: Listing, areas: tuple[Area, ...]) -> FeePreview | None:
    """Fee and time for the area; None where the store does not deliver or cannot be told."""
    if len(areas) != 1 or page.place is None:
        return None
    return preview_of_place(
        db.session(),
        g.store,
        page.place,
        basket_cents=page.lowest_cents or 0,
        at=utcnow(),
    )


def _list(page: Listing, asked: Asked, *, is_piece: bool, place: Place | None = None) -> Response:
    template = "storefront/_list.html" if is_piece else "storefront/category.html"
    response = public(
        render_template(template, page=page, asked=asked, query=asked.query, place=place)
    )
    if is_piece:
        response.headers["HX-Push-Url"] = asked.path + asked.own
    return response


def _traits() -> dict[str, list[str]]:
    """Values in the address, ``a-storage=128 GB``, by the attribute's key."""
    found: dict[str, list[str]] = {}
    for name, value in request.args.items(multi=True):
        value = value.replace("\x00", "")[:80]
        if name.startswith("a-") and value and len(name) < 60 and len(found) < MAX_TRAITS:
            values = found.setdefault(name[2:], [])
            if value not in values and len(values) < MAX_TRAITS:
                values.append(value)
    return found


def _digits(text: str, *, most: int) -> int | None:
    """A whole number above zero written in plain digits, or None."""
    if not (text.isascii() and text.isdecimal()) or len(text) > 12:
        return None
    return min(int(text), most) or None
