"""A photo as the pages of a shop show it: its files by format and width, in its frame.

Written in Python and not as a macro, because a list has two dozen of them, and each took as long in
Jinja as the rest of its card.
"""

from __future__ import annotations

from flask import Flask, request
from jinja2 import pass_context
from jinja2.runtime import Context
from markupsafe import Markup, escape

from app.domain.catalog.queries import Picture
from app.web.assets import WHOLE_PAGE
from app.web.photos import photos_on
from app.web.weight import weigh_photo


@pass_context
def img(
    context: Context,
    picture: Picture,
    sizes: str,
    most: int = 640,
    *,
    eager: bool | str = False,
    later: bool = False,
    on_phones: bool = True,
    alt: str = "",
    whole: bool = False,
    frame: str = "",
) -> Markup:
    """One picture at one of its sizes; nothing where photos are off.

    ``sizes`` is the width it takes on the page, as the attribute says it; ``most`` the widest file
    worth sending there. ``eager`` is for what a phone shows at once, and ``"first"`` for what a
    shopper waits for. ``later`` keeps it back until it is in sight or the page is scrolled; without
    script, and in an answer that is no whole page, it is lazy like any other. ``on_phones`` is false
    for what only wide screens show. A photo with a ground of its own fills the frame around its focal
    point, but shown ``whole``. ``frame`` are classes of the picture itself, where no element around it
    frames it; they keep its place while it waits.
    """
    if not photos_on():
        return Markup()
    widths = picture.widths
    if not widths:
        return Markup(f'<span class="{frame}"></span>') if frame else Markup()  # noqa: S704
    is_later = later and WHOLE_PAGE in request.environ and not context.get("preview_words")
    if on_phones and not is_later:
        weigh_photo(picture, sizes, most)
    sources, opening = _sources(picture, widths, sizes, most)
    if picture.is_filled and not whole:
        x, y = (round(percent / 25) for percent in picture.focal)
        opening += f' class="fill x{x} y{y}"'
    if eager == "first":
        opening += ' fetchpriority="high"'
    elif not eager:
        opening += ' loading="lazy" decoding="async"'
    classed = f' class="{frame}"' if frame else ""
    tag = (
        f'<picture{classed}>{sources}{opening} width="{picture.width}"'
        f' height="{picture.height}" alt="{escape(alt)}"></picture>'
    )
    if is_later and frame:
        tag = f'<span class="later {frame}"><noscript>{tag}</noscript></span>'
    elif is_later:
        tag = f'<noscript class="later">{tag}</noscript>'
    return Markup(tag)  # noqa: S704 - our own files and numbers; what people wrote is escaped


def preload(picture: Picture, sizes: str, most: int) -> Markup:
    """The same picture asked for before the page is read to its place: what a shopper waits for."""
    widths = picture.widths
    if not photos_on() or not widths:
        return Markup()
    kind = "avif" if picture.files.get("avif") else "webp"
    files = _files(picture, widths, most, is_modern=kind == "avif")
    return Markup(  # noqa: S704 - as above
        f'<link rel="preload" as="image" type="image/{kind}" imagesrcset="{files}"'
        f' imagesizes="{sizes}" fetchpriority="high">'
    )


def add_picture_tags(app: Flask) -> None:
    """Give the templates their pictures."""
    app.jinja_env.globals.update(img=img, preload=preload)


def _sources(picture: Picture, widths: list[int], sizes: str, most: int) -> tuple[str, str]:
    """The newer formats, and the opening of the image itself for a browser that reads none of them.

    A browser that reads AVIF reads WebP too, so the smaller of both may stand in one list.
    """
    sources = ""
    if picture.files.get("avif"):
        files = _files(picture, widths, most, is_modern=True)
        sources = f'<source type="image/avif" srcset="{files}" sizes="{sizes}">'
    webp = f'srcset="{_files(picture, widths, most, is_modern=False)}" sizes="{sizes}"'
    if picture.files.get("jpg"):
        source = f'<source type="image/webp" {webp}>'
        return sources + source, f'<img src="{_widest(picture, widths, min(most, 640))}.jpg"'
    return sources, f'<img src="{_widest(picture, widths, min(most, 320))}.webp" {webp}'


def _widest(picture: Picture, widths: list[int], most: int) -> str:
    """The address, without its ending, of the widest file up to a width."""
    width = max((width for width in widths if width <= most), default=widths[0])
    return f"/media/{picture.key}-{width}"


def _files(picture: Picture, widths: list[int], most: int, *, is_modern: bool) -> str:
    """The files up to a width; the smallest only where nothing larger is worth sending."""
    least = 320 if most > 320 else 0
    return ", ".join(
        f"/media/{picture.key}-{width}.{picture.modern(width) if is_modern else 'webp'}"
        f" {min(width, picture.width)}w"
        for width in widths
        if least <= width <= most
    )
