"""The boxes of nodes and sockets: how large they come, and how they are drawn."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from provision.host.facts import Cpu
from provision.view.labels import gib

from .cards import Row, draw_rows, seat_row
from .colours import FAINT, MEMORY, NODE, SOCKET
from .cores import Cores, cores_height, draw_cores, node_cores, ranges
from .fonts import fit, text_width, wrap
from .machine import Home
from .scene import Box, Frame, Group, Item, Text
from .seats import Seat, Seats

PAD = 12.0
_LEAST = 190.0
_STRIP = 22.0
_SEAT = 19.0


@dataclass(frozen=True, slots=True)
class NodeBox:
    """A node with what is drawn in its box."""

    home: Home
    cores: Cores | None
    seats: tuple[Seat, ...]  # on its CPUs
    distances: bool  # it tells those to other nodes

    @property
    def least(self) -> float:
        """The least width that looks well."""
        inside = self.cores.least if self.cores else 0
        heading = text_width(self.home.label, 12, bold=True) + text_width(self._memory, 11) + 14
        # Whole numbers: measuring and drawing must not differ by a rounding error.
        return math.ceil(max(_LEAST, inside + 2 * PAD, heading + 2 * PAD))

    @property
    def _memory(self) -> str:
        return gib(self.home.node.memory_mib) if self.home.node else ""

    def _distances(self, width: float) -> list[str]:
        text = self.home.distances if self.distances else ""
        return wrap(f"distance: {text}", width, 9.5, 3) if text else []

    def height(self, width: float) -> float:
        """How high it comes in this width."""
        inside = width - 2 * PAD
        height = 30.0 + 13 * len(self._distances(inside)) + 6
        if self.cores:
            height += cores_height(self.cores, inside)
        elif self.home.node is not None:
            height += 18
        across = _across(self.seats, inside)
        return height + _SEAT * -(-len(self.seats) // across)

    def draw(self, frame: Frame) -> Group:
        """The box in this frame."""
        return Group(tuple(self._items(frame)), self._id, self._title)

    @property
    def _id(self) -> str:
        return f"node-{self.home.node.id}" if self.home.node else "node-unknown"

    @property
    def _title(self) -> str:
        node = self.home.node
        if node is None:
            return "Devices whose NUMA node is not known"
        return ", ".join(filter(None, (self.home.label, self.home.told, self._memory)))

    def _seat(self, seat: Seat, width: float) -> Row:
        """The band of an instance with its CPUs on this node."""
        mine = ranges(seat.cpus & self.home.node.cpus) if self.home.node else ""
        row = seat_row(seat)
        name = min(text_width(seat.name, row.size, bold=True), width / 2)
        return replace(row, right=fit(f"CPUs {mine}", width - name - 24, row.size))

    def _items(self, frame: Frame) -> Iterator[Item]:
        inside = frame.width - 2 * PAD
        yield Box(frame, NODE[0], NODE[1], dashed=self.home.node is None)
        x, right = frame.x + PAD, frame.right - PAD
        yield Text(x, frame.y + 19, self.home.label, frame, 12, bold=True)
        if self._memory:
            yield Text(right, frame.y + 19, self._memory, frame, 11, anchor="end")
        y = frame.y + 28
        if self.cores:
            high = cores_height(self.cores, inside)
            yield from draw_cores(self.cores, Frame(x, y, inside, high), self.seats)
            y += high
        elif self.home.node is not None:
            told = fit(self.home.told, inside, 10.5)
            yield Text(x, y + 10, told, frame, 10.5, ink=FAINT)
            y += 18
        across = _across(self.seats, inside)
        wide = (inside - 8 * (across - 1)) / across
        for at, seat in enumerate(self.seats):
            left = x + at % across * (wide + 8)
            spot = Frame(left, y + at // across * _SEAT, wide, _SEAT)
            yield from draw_rows((self._seat(seat, wide),), spot, 2)
        y += _SEAT * -(-len(self.seats) // across)
        for line in self._distances(inside):
            yield Text(x, y + 12, line, frame, 9.5, ink=FAINT)
            y += 13


def _across(seats: Sequence[Seat], width: float) -> int:
    """Instances side by side."""
    return max(1, min(len(seats), int(width // 250)))


def node_box(home: Home, cpu: Cpu, seats: Seats, distances: bool) -> NodeBox:
    """The box of a node. distances: it tells those to other nodes."""
    node = home.node
    if node is None or not node.cpus:
        return NodeBox(home, None, (), distances)
    mine = tuple(seat for seat in seats.all if seat.cpus.ids & node.cpus.ids)
    return NodeBox(home, node_cores(node, cpu), mine, distances)


def strips_height(homes: Sequence[Home], width: float) -> float:
    """Room that memory-only nodes take in this width."""
    return (_STRIP + 4) * len(_strip_rows(homes, width))


def _strip_text(home: Home) -> str:
    memory = gib(home.node.memory_mib) if home.node else ""
    return ", ".join(filter(None, (home.label, memory, home.told)))


def strip_width(home: Home) -> float:
    """How wide a memory-only node is."""
    return text_width(_strip_text(home), 10.5) + 16


def _strip_rows(homes: Sequence[Home], width: float) -> list[list[Home]]:
    rows: list[list[Home]] = []
    left = 0.0
    for home in homes:
        need = min(width, strip_width(home)) + 8
        if not rows or left < need - 8:
            rows.append([])
            left = width
        rows[-1].append(home)
        left -= need
    return rows


def draw_strips(homes: Sequence[Home], x: float, y: float, width: float) -> Iterator[Group]:
    """Memory-only nodes as strips, row by row."""
    for row in _strip_rows(homes, width):
        left = x
        for home in row:
            wide = min(width, strip_width(home))
            frame = Frame(left, y, wide, _STRIP)
            text = _strip_text(home)
            label = Text(left + 8, y + 15, fit(text, wide - 16, 10.5), frame, 10.5)
            number = home.node.id if home.node else ""
            yield Group((Box(frame, *MEMORY), label), f"node-{number}", text)
            left += wide + 8
        y += _STRIP + 4


def socket_box(label: str, frame: Frame) -> Group:
    """The box behind a socket's nodes."""
    items: tuple[Item, ...] = (Box(frame, *SOCKET, radius=6),)
    items += (Text(frame.x + PAD, frame.y + 18, label, frame, 12, bold=True),)
    return Group(items, label.replace(" ", "-"), label)
