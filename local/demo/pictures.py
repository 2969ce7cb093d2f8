"""Pictures of the demo stores' goods, drawn by our own code when the demo is seeded.

`draw()` is the one door. The drawings themselves are in the `draw_*` modules, one per group of
goods; a new kind of thing is a front and a second view there and a line in its `KINDS`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from PIL import Image

from local.demo import draw_audio, draw_carry, draw_clothes, draw_home, draw_power, draw_watches
from local.demo.chance import chance
from local.demo.colour import RGB, rgb, tint_of
from local.demo.kinds import Kind, Look
from local.demo.pen import Pen

Colours = Mapping[str, str | RGB] | Sequence[str | RGB]

SIZE = 1440
VIEWS = (1, 2)
PARTS = ("main", "accent", "second")

KINDS: dict[str, Kind] = {
    kind.name: kind
    for module in (draw_watches, draw_audio, draw_power, draw_clothes, draw_carry, draw_home)
    for kind in module.KINDS
}


def draw(
    kind: str,
    view: int,
    *,
    colours: Colours = (),
    seed: int = 0,
    details: Mapping[str, str] | None = None,
    size: int = SIZE,
) -> Image.Image:
    """One square RGB picture of a thing on its own tint, `size` pixels wide.

    `view` is 1 for the front and 2 for the second view. `colours` gives main, accent and second
    colour, by position or by name; what is left out is the kind's usual one. The seed picks the
    details that `details` does not fix. The same arguments always give the same picture.
    Raises ValueError for an unknown kind, view, colour or detail.
    """
    if view not in VIEWS:
        raise ValueError(f"a picture has view 1 or 2, not {view}")
    thing = _kind(kind)
    look = _look(thing, colours, seed, details or {})
    pen = Pen(size, background=dominant_tint(kind, colours))
    (thing.front if view == 1 else thing.second)(pen, look)
    return pen.picture()


def dominant_tint(kind: str, colours: Colours = ()) -> RGB:
    """The pale ground of the thing in these colours, for the picture's frame while it loads."""
    thing = _kind(kind)
    return tint_of(_colours(thing, colours)[thing.tint_from])


def _kind(name: str) -> Kind:
    if name not in KINDS:
        raise ValueError(f"no drawing for {name!r}; there are {', '.join(sorted(KINDS))}")
    return KINDS[name]


def _colours(thing: Kind, colours: Colours) -> dict[str, RGB]:
    given = (
        dict(colours) if isinstance(colours, Mapping) else dict(zip(PARTS, colours, strict=False))
    )
    unknown = set(given) - set(PARTS)
    if unknown:
        raise ValueError(f"unknown colour parts: {', '.join(sorted(unknown))}")
    usual = dict(zip(PARTS, thing.colours, strict=True))
    return {part: rgb(given.get(part) or usual[part]) for part in PARTS}


def _look(thing: Kind, colours: Colours, seed: int, details: Mapping[str, str]) -> Look:
    chosen = {}
    for name, choices in thing.details.items():
        value = details.get(name) or chance(thing.name, seed, name).choice(choices)
        if value not in choices:
            raise ValueError(f"{thing.name} has no {name} {value!r}; choose from {choices}")
        chosen[name] = value
    unknown = set(details) - set(thing.details)
    if unknown:
        raise ValueError(f"{thing.name} has no detail {', '.join(sorted(unknown))}")
    return Look(**_colours(thing, colours), details=chosen, seed=seed)
