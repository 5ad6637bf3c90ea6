"""What a picture is made of: boxes, lines, texts, cells, signs, in groups. y grows downwards."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from .colours import INK
from .fonts import ASCENT, DESCENT, text_width

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Frame:
    """A rectangle."""

    x: float
    y: float
    width: float
    height: float

    @property
    def right(self) -> float:
        return self.x + self.width

    @property
    def bottom(self) -> float:
        return self.y + self.height

    @property
    def middle(self) -> float:
        """Half way between left and right."""
        return self.x + self.width / 2

    def inner(self, margin: float) -> Frame:
        """The same without a margin all around."""
        return Frame(
            self.x + margin, self.y + margin, self.width - 2 * margin, self.height - 2 * margin
        )

    def holds(self, other: Frame) -> bool:
        """The other lies inside, with a hundredth of tolerance for rounding."""
        near = 0.01
        return (
            self.x - near <= other.x
            and self.y - near <= other.y
            and other.right <= self.right + near
            and other.bottom <= self.bottom + near
        )

    def overlaps(self, other: Frame) -> bool:
        """They have an area in common."""
        near = 0.01
        return (
            self.x + near < other.right
            and other.x + near < self.right
            and self.y + near < other.bottom
            and other.y + near < self.bottom
        )


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle with a border."""

    frame: Frame
    fill: str
    stroke: str = "none"
    thickness: float = 1
    radius: float = 4
    dashed: bool = False


@dataclass(frozen=True, slots=True)
class Line:
    """A line with corners."""

    points: tuple[Point, ...]
    stroke: str
    thickness: float = 1
    dashed: bool = False


@dataclass(frozen=True, slots=True)
class Cells:
    """Many small rectangles that look alike, as one shape."""

    frames: tuple[Frame, ...]
    fill: str
    stroke: str


@dataclass(frozen=True, slots=True)
class Text:
    """A line of text. x, y: where it is anchored on its baseline; within: what must hold it."""

    x: float
    y: float
    text: str
    within: Frame
    size: float = 11
    bold: bool = False
    anchor: Literal["start", "middle", "end"] = "start"
    ink: str = INK

    @property
    def frame(self) -> Frame:
        """What it covers, by our widths."""
        width = text_width(self.text, self.size, self.bold)
        left = {"start": 0.0, "middle": width / 2, "end": width}[self.anchor]
        return Frame(
            self.x - left,
            self.y - ASCENT * self.size,
            width,
            (ASCENT + DESCENT) * self.size,
        )


@dataclass(frozen=True, slots=True)
class Sign:
    """A sign of a finding, 12 x 12: triangles for errors and warnings, a disc for notes."""

    x: float  # its left upper corner
    y: float
    severity: Literal["error", "warning", "note"]


Item = Box | Line | Cells | Text | Sign


@dataclass(frozen=True, slots=True)
class Group:
    """Things that belong together. title: what a viewer shows when pointed at."""

    items: tuple[Item, ...]
    id: str = ""
    title: str = ""


@dataclass(frozen=True, slots=True)
class Scene:
    """A whole picture, painted in the order of its groups."""

    width: float
    height: float
    title: str
    description: str
    groups: tuple[Group, ...]

    def texts(self) -> Iterator[Text]:
        """Every text of the picture."""
        for group in self.groups:
            for item in group.items:
                if isinstance(item, Text):
                    yield item
