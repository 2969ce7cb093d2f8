"""What a kind of picture is, and the look one picture of it gets."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from random import Random

from local.demo.chance import chance
from local.demo.colour import RGB
from local.demo.pen import Pen


@dataclass(frozen=True, kw_only=True)
class Look:
    """The colours and details of one picture. Both views of a thing share one look."""

    main: RGB
    accent: RGB
    second: RGB
    details: Mapping[str, str]
    seed: int

    def has(self, detail: str, value: str) -> bool:
        return self.details[detail] == value

    def chance(self, *purpose: object) -> Random:
        return chance(self.seed, *purpose)


@dataclass(frozen=True, kw_only=True)
class Kind:
    """A thing we can draw, from the front and in a second view."""

    name: str
    front: Callable[[Pen, Look], None]
    second: Callable[[Pen, Look], None]
    colours: tuple[str, str, str]
    """Usual main, accent and second colour."""
    details: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Detail name to its choices; the seed picks where the caller does not."""
    tint_from: str = "main"
