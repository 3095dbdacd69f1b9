"""A picture of a formula as data: boxes, lines and texts, whatever draws them.

Lengths are pixels, of which 96 are an inch; y grows downwards. What draws a picture may have
other fonts than the one that texts are measured by here, which is a wide one.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, TypeAlias

Sign: TypeAlias = Literal["adds", "takes", "plain"]
Anchor: TypeAlias = Literal["start", "middle", "end"]

FONT = 12.0
LINE = 16.0
"""Height of a line of text, and of a row of numbers."""


class Bounds(NamedTuple):
    """A rectangle."""

    left: float
    top: float
    right: float
    bottom: float

    def meets(self, other: Bounds) -> bool:
        """Whether the two share more than an edge."""
        return (
            self.left < other.right
            and other.left < self.right
            and self.top < other.bottom
            and other.top < self.bottom
        )


@dataclass(frozen=True)
class Box:
    """A rectangle, for a feature, an operation, an output, a cell or the frame of a map.

    Args:
        strength: Of a cell, how dark it is, 0 to 1, in the colour of its sign.
    """

    bounds: Bounds
    kind: Literal["input", "node", "output", "cell", "frame"]
    sign: Sign = "plain"
    strength: float = 0.0
    said: str = ""


@dataclass(frozen=True)
class Line:
    """A line that leaves and arrives level, straight from `bend` on."""

    start: tuple[float, float]
    bend: tuple[float, float]
    end: tuple[float, float]
    width: float
    sign: Sign = "plain"
    said: str = ""


@dataclass(frozen=True)
class Text:
    """A line of text around (or from, or to) x, its middle at the height y.

    Args:
        backed: Whether the ground stands behind it, over a line that passes there.
    """

    x: float
    y: float
    text: str
    anchor: Anchor = "middle"
    sign: Sign = "plain"
    strong: bool = False
    backed: bool = False

    @property
    def bounds(self) -> Bounds:
        width = text_width(self.text, self.strong)
        left = self.x - {"start": 0.0, "middle": 0.5, "end": 1.0}[self.anchor] * width
        return Bounds(left, self.y - LINE / 2, left + width, self.y + LINE / 2)


@dataclass
class Picture:
    """What is drawn, lines below boxes below texts.

    Args:
        said: A description for those who do not see it.
    """

    said: str
    boxes: list[Box] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)
    texts: list[Text] = field(default_factory=list)

    @property
    def bounds(self) -> Bounds:
        """What holds everything."""
        corners = [
            *(box.bounds for box in self.boxes),
            *(text.bounds for text in self.texts),
            *(Bounds(*map(min, line.start, line.end), *map(max, line.start, line.end))
              for line in self.lines),
        ]  # fmt: skip
        lefts, tops, rights, bottoms = zip(*corners, strict=True)
        return Bounds(min(lefts), min(tops), max(rights), max(bottoms))


def text_width(text: str, strong: bool = False) -> float:
    """About how wide a line of text is, rather too wide than too narrow."""
    return FONT * (1.1 if strong else 1.0) * sum(map(_character_width, text))


def _character_width(character: str) -> float:
    if unicodedata.combining(character):
        return 0.0
    if unicodedata.east_asian_width(character) in "WF" or character in "mwMW@%":
        return 1.0
    if character in "iIjl.,:;'|!()[] frt-":
        return 0.42
    return 0.72 if character.isupper() else 0.65


def shortened(text: str, most: int = 36) -> str:
    """At most so many characters: what is in the middle of a long name goes."""
    if len(text) <= most:
        return text
    front = most // 2
    return f"{text[:front]}…{text[len(text) - (most - 1 - front) :]}"


def widest(texts: Iterable[str], strong: bool = False) -> float:
    """The width of the widest of some texts, 0 of none."""
    return max((text_width(text, strong) for text in texts), default=0.0)
