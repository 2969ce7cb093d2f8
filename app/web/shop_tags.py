"""The small parts that a shop's pages are put together from: prices, facts, cards.

Written in Python and not as macros: a page has a hundred of them, and Jinja reads a file of macros
anew into every template that names it. Their words come from the database or from us; what people
wrote is escaped.
"""

# ruff: noqa: S704 - the markup is our own, and each value in it is escaped or a number

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import quote

from flask import Flask
from jinja2 import pass_context
from jinja2.runtime import Context
from markupsafe import Markup, escape

from app.domain.catalog.queries import Card, Picture
from app.domain.stores.models import Store
from app.i18n import gettext as _
from app.i18n import ngettext
from app.money import format_kes
from app.web.icons import bag, icon
from app.web.photos import photos_on
from app.web.picture_tags import img
from app.web.weight import kilobytes, weigh_photo

NOTICE_ICONS = {"wait": "bell", "loss": "receipt", "done": "tick"}


def price(cents: int, classes: str = "") -> Markup:
    """An amount to look at: a small KES, a bold number, never split over two lines."""
    return Markup(f'<span class="price{" " + classes if classes else ""}">{_amount(cents)}</span>')


def _amount(cents: int) -> str:
    words = format_kes(cents)
    return f"<small>{words[:3]}&nbsp;</small>{words[4:]}"


def fact(name: str, claim: str, support: str = "") -> Markup:
    """One fact with its icon: a claim and what stands behind it."""
    behind = f"<small>{escape(support)}</small>" if support else ""
    return Markup(f'<li>{icon(name)}<div><p class="strong">{escape(claim)}</p>{behind}</div></li>')


def notice(message: str, kind: str = "wait") -> Markup:
    """A sentence that must be read: ``kind`` is wait, loss or done."""
    role = "alert" if kind in ("wait", "loss") else "status"
    return Markup(
        f'<p class="notice notice-{kind}" role="{role}">{icon(NOTICE_ICONS[kind])}'
        f"<span>{escape(message)}</span></p>"
    )


def whole(words: str) -> Markup:
    """Words in which M-Pesa does not break at its hyphen."""
    return escape(words).replace("M-Pesa", Markup('<span class="nb">M-Pesa</span>'))


def rich(html: str) -> Markup:
    """A description that was sanitised when it was saved: the only place where HTML is not escaped."""
    return Markup(f'<div class="rich" hx-ignore>{html}</div>')


def chat_link(store: Store, words: str) -> str:
    """The address that opens WhatsApp with a sentence already written."""
    return f"https://wa.me/{store.whatsapp.lstrip('+')}?text={quote(str(words))}"


def tap_photo(
    picture: Picture, most: int = 320, classes: str = "pic pic-sq", alt: str = ""
) -> Markup:
    """A photo that waits for a tap, with what it costs: the file itself; with script it opens in place."""
    width = max(width for width in picture.widths if width <= most)
    words = _("Photo, %(size)s KB", size=kilobytes(picture.sizes[str(width)]))
    return Markup(
        f'<a class="{classes} t{picture.tint} ask js-photo" href="/media/{picture.key}-{width}.webp"'
        f' data-alt="{escape(alt)}"><span>{escape(words)}</span></a>'
    )


@pass_context
def card_sizes(context: Context) -> str:
    """How wide a card's picture is, by the owner's layout.

    A phone of three dots a point shows no more of a small picture than one of two: the width said
    here is what is worth sending.
    """
    look = context.get("look") or ""
    if "as-list" in look:
        return "96px"
    if "as-pictures" in look:
        return "(min-width:1000px) 300px, (min-width:700px) 33vw, 66vw"
    return "(min-width:1000px) 224px, (min-width:700px) 27vw, 40vw"


@pass_context
def card_most(context: Context) -> int:
    """The widest file worth sending for a card's picture, by the owner's layout."""
    return 320 if "as-list" in (context.get("look") or "") else 640


@pass_context
def grid(context: Context, cards: Sequence[Card], eager: int = 0) -> Markup:
    """Products in a list. ``eager`` is how many of them a phone shows before it is scrolled."""
    sizes, most = card_sizes(context), card_most(context)
    items = []
    for number, card in enumerate(cards, 1):
        shown = "first" if eager and number == 1 else number <= eager
        picture = (
            img(
                context,
                card.picture,
                sizes,
                most,
                eager=shown,
                later=number > eager,
                frame=f"pic pic-sq t{card.picture.tint}",
            )
            if card.picture and photos_on()
            else _no_photo(card)
        )
        items.append(_card(card, picture))
    return Markup(f'<ul class="grid">{"".join(items)}</ul>')


def _no_photo(card: Card) -> str:
    """Without photos the picture's place is a link of its own, to the photo."""
    if card.picture:
        return tap_photo(card.picture, alt=card.name)
    return '<span class="pic pic-sq t0"></span>'


def _card(card: Card, picture: str) -> str:
    """A product in a list. Price above the name; the whole card leads where the name does.

    A list has few nodes, so that a cheap phone scrolls it: the price is the card's own text, and
    the picture its own frame.
    """
    was = f' <s class="was">{format_kes(card.compare_cents)}</s>' if card.compare_cents else ""
    words = _note(card)
    note = f'<span class="card-note">{escape(words)}</span>' if words else ""
    return (
        f'<li class="card{"" if card.stock else " card-out"}">{picture}{_amount(card.price_cents)}{was}'
        f'<a class="card-name" href="/p/{escape(card.slug)}">{escape(card.name)}</a>{note}</li>'
    )


def _note(card: Card) -> str:
    if not card.stock:
        return _("Out of stock")
    if card.is_low:
        return _("Only %(n)s left", n=card.stock)
    return choices(card) if card.choices > 1 and card.option_name else ""


def choices(card: Card) -> str:
    """How many colours, sizes or other choices a product comes in."""
    name = (card.option_name or "").lower()
    if name in ("colour", "color"):
        return ngettext("%(n)s colour", "%(n)s colours", card.choices)
    if name == "size":
        return ngettext("%(n)s size", "%(n)s sizes", card.choices)
    return ngettext("%(n)s choice", "%(n)s choices", card.choices)


@pass_context
def weigh_cards(context: Context, cards: Sequence[Card]) -> str:
    """Count the photos of cards that wait to be seen, where a phone sees them at once on this page."""
    if photos_on():
        for card in cards:
            if card.picture:
                weigh_photo(card.picture, card_sizes(context), card_most(context))
    return ""


def add_shop_tags(app: Flask) -> None:
    """Give the templates their parts."""
    app.jinja_env.globals.update(
        icon=icon,
        bag=bag,
        price=price,
        fact=fact,
        tap_photo=tap_photo,
        card_sizes=card_sizes,
        card_most=card_most,
        grid=grid,
        choices=choices,
        weigh_cards=weigh_cards,
        notice=notice,
        whole=whole,
        rich=rich,
        chat_link=chat_link,
        about=app.jinja_env.get_template("macros/seo.html").module.about,  # type: ignore[attr-defined]
    )
