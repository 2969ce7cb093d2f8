"""Line icons on a 24-pixel grid, drawn inline so that a page asks for no file.

They say nothing by themselves: words stand beside them, or on the button that holds them.
"""

# ruff: noqa: E501 - a path is one word

from __future__ import annotations

from functools import cache

from markupsafe import Markup

ICONS = {
    "back": '<path d="m14.5 5-7 7 7 7"/>',
    "next": '<path d="m9.5 5 7 7-7 7"/>',
    "down": '<path d="m5 9 7 7 7-7"/>',
    "search": '<circle cx="11" cy="11" r="6.5"/><path d="m16 16 4.5 4.5"/>',
    "chat": '<path d="M4 20.5 5.3 16a8 8 0 1 1 3 3z"/>',
    "rider": '<circle cx="5.5" cy="16.5" r="3.5"/><circle cx="18.5" cy="16.5" r="3.5"/><path d="M12 16.5h-3l3-5h4.500l2.5 5M11 6.500h3.500l2 5M7 9.500h4"/>',
    "phone": '<rect x="7" y="2.5" width="10" height="19" rx="2.5"/><path d="M10.5 18.500h3"/>',
    "call": '<path d="M5 4h3.500l1.5 4.5-2 1.500a12 12 0 0 0 6 6l1.5-2 4.5 1.500V19a1.5 1.5 0 0 1-1.5 1.500A15 15 0 0 1 3.5 5.5 1.5 1.5 0 0 1 5 4z"/>',
    "shop": '<path d="M4 11v9.500h16V11M3.5 8.5 5 3.500h14l1.5 5a2.8 2.8 0 0 1-5.6 0 2.8 2.8 0 0 1-5.7 0 2.8 2.8 0 0 1-5.7 0zM10 20.500V15h4v5.5"/>',
    "return": '<path d="m8.5 5-5 4.5 5 4.500M4 9.500h10.500a5.5 5.5 0 0 1 0 11H11"/>',
    "shield": '<path d="M12 2.5 4.5 5v6c0 5 3.300 8.6 7.5 10.5 4.200-1.900 7.5-5.5 7.5-10.500V5z"/><path d="m8.5 11.5 2.5 2.5 4.5-4.5"/>',
    "lock": '<rect x="5" y="10" width="14" height="11" rx="2.5"/><path d="M8 10V7a4 4 0 0 1 8 0v3"/>',
    "pin": '<path d="M12 21.500c4.5-4.8 7-8.300 7-11.500a7 7 0 0 0-14 0c0 3.200 2.5 6.7 7 11.500z"/><circle cx="12" cy="10" r="2.5"/>',
    "clock": '<circle cx="12" cy="12" r="9"/><path d="M12 6.500V12l3.5 2"/>',
    "bell": '<path d="M6 16.500V11a6 6 0 0 1 12 0v5.500l1.5 1.500h-15zM10 20.500h4"/>',
    "receipt": '<path d="M5.5 2.500h13v19l-2.200-1.5-2.100 1.5-2.200-1.5-2.200 1.5-2.100-1.5-2.200 1.500zM9 8h6M9 12h6"/>',
    "tick": '<path d="m5 12.5 4.5 4.500L19 7.5"/>',
    "cross": '<path d="m6 6 12 12M18 6 6 18"/>',
    "bin": '<path d="M4 6.500h16M9 6V3.500h6V6M6 6.500l1 14h10l1-14M10 10.500v6M14 10.500v6"/>',
    "minus": '<path d="M5 12h14"/>',
    "plus": '<path d="M5 12h14M12 5v14"/>',
    "filter": '<path d="M3 8h9M18 8h3M3 16h3M12 16h9"/><circle cx="15" cy="8" r="2.5"/><circle cx="9" cy="16" r="2.5"/>',
    "zoom": '<circle cx="11" cy="11" r="6.5"/><path d="m16 16 4.5 4.500M8.5 11h5M11 8.500v5"/>',
    "person": '<circle cx="12" cy="8" r="4"/><path d="M4.5 20.500a7.5 7.5 0 0 1 15 0"/>',
}


@cache
def icon(name: str, classes: str = "") -> Markup:
    """One of ``ICONS``. Raises KeyError for another name."""
    return Markup(  # noqa: S704 - our own drawing
        f'<svg class="i{" " + classes if classes else ""}" viewBox="0 0 24 24" aria-hidden="true">'
        f"{ICONS[name]}</svg>"
    )


def bag() -> Markup:
    """The bag holds its number inside: empty until /cart/count answers."""
    return Markup(
        '<svg class="i" viewBox="0 0 28 28" aria-hidden="true">'
        '<path d="M4 9.500h20L25.5 25h-23zM9.5 9.500V7a4.5 4.5 0 0 1 9 0v2.5"/></svg>'
    )
