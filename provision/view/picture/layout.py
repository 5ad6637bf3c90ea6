"""The whole picture: title, sockets in a row, buses below them, links between GPUs, legends."""

from __future__ import annotations

import math
from collections.abc import Sequence

from provision.host.facts import Facts
from provision.plan.plan import Plan

from .bus import Drawn, Rows, above, draw_parts, gpu_height, whole, width
from .colours import FAINT, INTERCONNECT
from .fabrics import Fabric, fabrics
from .fonts import wrap
from .heading import description, heading_lines
from .legend import draw_findings, draw_legend, draw_seats, entries
from .links import depth, draw_links, route
from .machine import Machine, Socket, machine
from .marks import Marks
from .nodes import PAD, draw_strips, socket_box
from .scene import Frame, Group, Item, Line, Scene, Text
from .seats import Seats, seats
from .sockets import (
    LABEL,
    NODE_GAP,
    Measured,
    NodeColumn,
    gap,
    has_join,
    in_lines,
    line_width,
    measure,
)

_MARGIN = 24.0
_LEAST_WIDTH = 760.0
_MOST_ACROSS = 10  # GPUs in a row; more stand below each other


def machine_scene(facts: Facts, plan: Plan | None = None) -> Scene:
    """The picture of a machine, with the instances of a plan."""
    parts_of = machine(facts)
    placed = seats(facts, plan)
    marks = Marks(facts)
    stack = max(1, math.ceil(len(facts.stable.gpus) / _MOST_ACROSS))
    sockets = [
        measure(one, facts, placed, marks, stack, not parts_of.plain_pair)
        for one in parts_of.sockets
    ]
    lines = in_lines(sockets)
    wide = max((line_width(line) for line in lines), default=0)
    page = max(_LEAST_WIDTH, wide + 2 * _MARGIN)
    groups: list[Group] = []
    y = _draw_heading(facts, parts_of, page, groups)
    found = fabrics(facts)
    for line in lines:
        y = _draw_line(line, facts, found, (page - line_width(line)) / 2, y, groups)
    joined = any(has_join(line) for line in lines)
    y = _draw_below(facts, parts_of, found, placed, joined, page, y, groups)
    title, text = description(facts, placed)
    return Scene(page, y + _MARGIN, title, text, tuple(groups))


def _draw_heading(facts: Facts, parts_of: Machine, page: float, groups: list[Group]) -> float:
    room = Frame(_MARGIN, 0, page - 2 * _MARGIN, 1000)
    name, *rest = heading_lines(facts, parts_of)
    items: list[Item] = []
    y = _MARGIN + 14
    for line in wrap(name, room.width, 18, 2, bold=True):
        items.append(Text(_MARGIN, y, line, room, 18, bold=True))
        y += 24
    for text in rest:
        for line in wrap(text, room.width, 11, 3):
            items.append(Text(_MARGIN, y - 4, line, room, 11, ink=FAINT))
            y += 16
    groups.append(Group(tuple(items), "heading"))
    return y + 10


def _draw_line(
    line: Sequence[Measured],
    facts: Facts,
    found: Sequence[Fabric],
    x: float,
    y: float,
    groups: list[Group],
) -> float:
    """Sockets side by side with all that hangs below them; where they end."""
    head = max((one.head for one in line if one.rows), default=0)
    heights = [
        max(
            (
                column.node.height(column.width + one.spare(row))
                for one in line
                for column in _at(one.rows, row)
            ),
            default=0,
        )
        for row in range(max(len(one.rows) for one in line))
    ]
    inside = sum(heights) + NODE_GAP * max(0, len(heights) - 1)
    bottom = y + max(head + inside, max(one.head for one in line)) + PAD
    edge = bottom
    hanging = [column.parts for one in line for row in one.rows for column in row]
    drop = 12 + max((above(one) for one in hanging), default=0)
    highest = max((gpu_height(one) for one in hanging), default=0)
    rows = Rows(edge + drop, highest)
    drawn = Drawn()
    boxes: list[Group] = []
    spots: list[Frame] = []
    at = x
    for number, one in enumerate(line):
        frame = Frame(at, y, one.width, bottom - y)
        spots.append(frame)
        if one.socket.label:
            groups.append(socket_box(one.socket.label, frame))
        top = y + (LABEL if one.socket.label else PAD)
        boxes += draw_strips(one.socket.memories, at + PAD, top, one.inside)
        _draw_nodes(one, frame, y + head, heights, rows, drawn, boxes)
        if number + 1 < len(line):
            at += one.width + gap(one, line[number + 1])
    _join(line, spots, groups)
    deep = max((whole(one, Rows(drop, highest)) for one in hanging), default=0)
    end = max(bottom, edge + deep)
    routed = route(found, drawn.gpus)
    stems, bars = draw_links(routed, drawn.gpus, end, facts)
    groups.append(Group((*stems, *drawn.lines), "links"))
    groups += [*boxes, *drawn.groups, *bars]
    return end + (depth(routed) or 8) + 16


def _at(rows: Sequence[Sequence[NodeColumn]], row: int) -> Sequence[NodeColumn]:
    return rows[row] if row < len(rows) else ()


def _draw_nodes(
    one: Measured,
    frame: Frame,
    y: float,
    heights: Sequence[float],
    rows: Rows,
    drawn: Drawn,
    boxes: list[Group],
) -> None:
    for number, row in enumerate(one.rows):
        height, spare = heights[number], one.spare(number)
        x = frame.x + PAD
        for column in row:
            room = Frame(x, y, column.width + spare, height)
            boxes.append(column.node.draw(room))
            left = x + max(0.0, (room.width - width(column.parts)) / 2)
            draw_parts(column.parts, left, room.bottom, frame.bottom, rows, drawn)
            x += room.width + NODE_GAP
        y += height + NODE_GAP


def _join(line: Sequence[Measured], spots: Sequence[Frame], groups: list[Group]) -> None:
    """The way between neighbouring sockets, with the distance of their nodes."""
    if not has_join(line):
        return
    items: list[Item] = []
    for at in range(len(line) - 1):
        if not (line[at].socket.label and line[at + 1].socket.label):
            continue
        left, right = spots[at].right, spots[at + 1].x
        y = spots[at].y + LABEL + 34
        for one in (y - 2, y + 2):
            items.append(Line(((left, one), (right, one)), INTERCONNECT, 1.6))
        room = Frame(left, y - 30, right - left, 60)
        far = _distance(line[at].socket, line[at + 1].socket)
        if far:
            items.append(Text(room.middle, y - 8, "distance", room, 10, anchor="middle"))
            items.append(Text(room.middle, y + 16, far, room, 10, True, "middle"))
    groups.append(Group(tuple(items), "interconnect", "Way between the sockets"))


def _distance(one: Socket, other: Socket) -> str:
    ends = [home.node.id for home in other.homes if home.node]
    found = {
        home.node.distances[end]
        for home in one.homes
        if home.node
        for end in ends
        if end in home.node.distances
    }
    if not found:
        return ""
    return str(min(found)) if len(found) == 1 else f"{min(found)} to {max(found)}"


def _draw_below(
    facts: Facts,
    parts_of: Machine,
    found: Sequence[Fabric],
    placed: Seats,
    joined: bool,
    page: float,
    y: float,
    groups: list[Group],
) -> float:
    room = page - 2 * _MARGIN
    if placed.all:
        group, y = draw_seats(placed, facts, _MARGIN, y, room)
        groups.append(group)
        y += 10
    if facts.findings:
        group, y = draw_findings(facts, _MARGIN, y, room)
        groups.append(group)
        y += 10
    shown = entries(facts, parts_of, found, placed, joined)
    if shown:
        groups.append(Group((Line(((_MARGIN, y), (page - _MARGIN, y)), "#c4c4c4"),)))
        group, y = draw_legend(shown, _MARGIN, y + 8, room)
        groups.append(group)
    return y
