"""What hangs below a node: switches as bars, devices in columns, PCIe links as lines between.

GPUs stand in the lowest row of all, in one line over the whole picture, so that the links between
them can run below; network cards and others stand above them in the same columns.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from provision.host.facts import Gpu

from .cards import WIDTH, Card, Row, card, draw_card, draw_rows, mark_rows
from .colours import FAINT, PCIE, SWITCH
from .machine import Hanging, Leaf, More, Port
from .marks import Marks
from .scene import Box, Frame, Group, Item, Line, Text
from .seats import Seats

_RAIL = 6.0  # of a column's left edge: the line that its devices hang from
_GUTTER = 15.0
COLUMN = _GUTTER + WIDTH
GAP = 14.0
_LABEL = 17.0  # above a device: its link
_STEM = 22.0  # above a switch
_HEADER = 36.0
_TALL = 4  # devices in a column; more go on beside it
_DROP = 8.0


@dataclass(frozen=True, slots=True)
class _Device:
    card: Card
    link: str
    uuid: str = ""  # of a GPU
    slow: bool = False  # a finding is about its link


@dataclass(frozen=True, slots=True)
class Column:
    """Devices below each other, GPUs last."""

    others: tuple[_Device, ...]
    gpus: tuple[_Device, ...] = ()


@dataclass(frozen=True, slots=True)
class Block:
    """A port and its parts side by side."""

    label: str
    name: str
    link: str
    rows: tuple[Row, ...]
    parts: tuple[Part, ...]


Part = Column | Block


@dataclass(slots=True)
class Drawn:
    """What the drawing of parts gives: lines first, boxes on top of them, where each GPU stands."""

    lines: list[Item] = field(default_factory=list)
    groups: list[Group] = field(default_factory=list)
    gpus: dict[str, Frame] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Rows:
    """Where the common rows of a picture are."""

    gpu_y: float  # top of the label above the uppermost GPU
    gpu_height: float


def parts(below: Sequence[Hanging], marks: Marks, seats: Seats, stack: int) -> tuple[Part, ...]:
    """The parts of what hangs below one thing. stack: GPUs that share a column."""
    gpus: list[_Device] = []
    others: list[_Device] = []
    blocks: list[Part] = []
    for one in below:
        if isinstance(one, Port):
            name = mark_rows(marks.at(one.name))
            inner = parts(one.below, marks, seats, stack)
            blocks.append(Block(one.label, one.name, one.link, name, inner))
        elif isinstance(one, Leaf) and isinstance(one.device, Gpu):
            drawn = card(one, marks, seats)
            gpus.append(_Device(drawn, one.link, one.device.uuid, _is_slow(one, marks)))
        else:
            link, slow = ("", False) if isinstance(one, More) else (one.link, _is_slow(one, marks))
            others.append(_Device(card(one, marks, seats), link, slow=slow))
    columns: list[Part] = []
    stacks = [tuple(gpus[at : at + stack]) for at in range(0, len(gpus), stack)]
    share = min(-(-len(others) // len(stacks)), _TALL - 1) if stacks else _TALL
    for at in range(max(len(stacks), -(-len(others) // share) if share else 0)):
        mine = tuple(others[at * share : (at + 1) * share])
        columns.append(Column(mine, stacks[at] if at < len(stacks) else ()))
    return (*columns, *blocks)


def _is_slow(leaf: Leaf, marks: Marks) -> bool:
    return any(one.rule.startswith("link-") for one in marks.of(leaf.device))


def width(shown: Sequence[Part]) -> float:
    """How wide parts are side by side."""
    return sum(map(_width, shown)) + GAP * max(0, len(shown) - 1)


def _width(part: Part) -> float:
    return COLUMN if isinstance(part, Column) else max(COLUMN, width(part.parts))


def gpu_height(shown: Sequence[Part]) -> float:
    """The highest GPU's box."""
    own = (one.card.height for part in shown if isinstance(part, Column) for one in part.gpus)
    inner = (gpu_height(part.parts) for part in shown if isinstance(part, Block))
    return max((*own, *inner), default=0)


def above(shown: Sequence[Part]) -> float:
    """Room that is needed above the row of the GPUs."""
    return max((_above(part) for part in shown), default=0)


def _above(part: Part) -> float:
    if isinstance(part, Column):
        return _stacked(part.others) if part.gpus else 0
    inner = above(part.parts)
    has_gpus = gpu_height(part.parts) > 0
    return _header(part) + inner if has_gpus else 0


def whole(shown: Sequence[Part], rows: Rows) -> float:
    """All the height that parts take, from the node's lower edge."""
    return max((_whole(part, rows) for part in shown), default=0)


def _whole(part: Part, rows: Rows) -> float:
    if isinstance(part, Column):
        if not part.gpus:
            return _stacked(part.others)
        return rows.gpu_y + len(part.gpus) * (_LABEL + rows.gpu_height)
    return _header(part) + whole(part.parts, Rows(rows.gpu_y - _header(part), rows.gpu_height))


def _stacked(devices: Sequence[_Device]) -> float:
    return sum(one.card.height + _LABEL for one in devices) + (_DROP if devices else 0)


def _header(block: Block) -> float:
    return _STEM + _HEADER + sum(row.height for row in block.rows)


def draw_parts(
    shown: Sequence[Part], x: float, start: float, y: float, rows: Rows, into: Drawn
) -> None:
    """Parts side by side from x and from y downwards, on lines that begin at start above them."""
    for part in shown:
        if isinstance(part, Column):
            _draw_column(part, x, start, y, rows, into)
        else:
            _draw_block(part, x, start, y, rows, into)
        x += _width(part) + GAP


def _draw_block(block: Block, x: float, start: float, y: float, rows: Rows, into: Drawn) -> None:
    top = y + _STEM
    frame = Frame(x, top, _width(block), _header(block) - _STEM)
    rail = x + _RAIL
    into.lines.append(Line(((rail, start), (rail, top)), PCIE, thickness(block.link)))
    items: list[Item] = [Box(frame, SWITCH[0], SWITCH[1])]
    if block.link:
        room = Frame(rail + 4, y, frame.right - rail - 4, _STEM)
        items.append(Text(rail + 6, top - 7, block.link, room, 10))
    heading = (Row(block.label, size=11, bold=True), Row(block.name, size=10, ink=FAINT))
    area = Frame(x, top + 3, frame.width, frame.height - 3)
    items += draw_rows((*heading, *block.rows), area, 8)
    title = f"{block.label} {block.name} {block.link}"
    into.groups.append(Group(tuple(items), f"bus-{block.name}", title.strip()))
    draw_parts(block.parts, x, frame.bottom, frame.bottom, rows, into)


def _draw_column(column: Column, x: float, start: float, y: float, rows: Rows, into: Drawn) -> None:
    rail = x + _RAIL
    at = y + (_DROP if column.others else 0)
    for one in column.others:
        _draw_device(one, rail, start, at, None, into)
        at += _LABEL + one.card.height
    at = rows.gpu_y
    for one in column.gpus:
        into.gpus[one.uuid] = _draw_device(one, rail, start, at, rows.gpu_height, into)
        at += _LABEL + rows.gpu_height


def _draw_device(
    one: _Device, rail: float, start: float, y: float, height: float | None, into: Drawn
) -> Frame:
    box = Frame(rail - _RAIL + _GUTTER, y + _LABEL, WIDTH, height or one.card.height)
    elbow = box.y + 12
    points = ((rail, start), (rail, elbow), (box.x, elbow))
    into.lines.append(Line(points, PCIE, thickness(one.link)))
    group = draw_card(one.card, box.x, box.y, box.height)
    if one.link:
        room = Frame(box.x, y, box.width, _LABEL)
        label = Text(box.x, y + _LABEL - 5, one.link, room, 10, bold=one.slow)
        group = Group((*group.items, label), group.id, group.title)
    into.groups.append(group)
    return box


def thickness(link: str) -> float:
    """A line's thickness by the lanes in use; thin and even where they are not known."""
    lanes = re.match(r"x(\d+)", link)
    if lanes is None:
        return 1.2
    return next((wide for least, wide in ((16, 4), (8, 3), (4, 2)) if int(lanes[1]) >= least), 1.2)
