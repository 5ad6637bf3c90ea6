"""Sockets measured: which nodes stand beside each other, how wide all of it comes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from provision.host.facts import Facts

from .bus import Part, parts, width
from .fonts import text_width
from .machine import Socket
from .marks import Marks
from .nodes import PAD, NodeBox, node_box, strip_width, strips_height
from .seats import Seats

LABEL = 26.0  # of a socket
NODE_GAP = 14.0
_BETWEEN = 96.0  # two sockets, with the name of what joins them
_APART = 24.0
_WIDE = 1800.0  # sockets without devices go on in a new row from here
_STRIPS = 250.0, 760.0  # least and most width of memory-only nodes by themselves


@dataclass(frozen=True, slots=True)
class NodeColumn:
    """A node with its place in the socket's row."""

    node: NodeBox
    parts: tuple[Part, ...]
    width: float


@dataclass(frozen=True, slots=True)
class Measured:
    """A socket measured."""

    socket: Socket
    rows: tuple[tuple[NodeColumn, ...], ...]
    width: float

    @property
    def inside(self) -> float:
        return self.width - 2 * PAD

    def spare(self, row: int) -> float:
        """What each node of a row gets beyond its own width, in whole units."""
        columns = self.rows[row]
        return (self.inside - row_width(columns)) // len(columns)

    @property
    def head(self) -> float:
        """Height of its label and its memory-only nodes."""
        label = LABEL if self.socket.label else PAD
        return label + strips_height(self.socket.memories, self.inside)


def measure(
    socket: Socket, facts: Facts, placed: Seats, marks: Marks, stack: int, distances: bool
) -> Measured:
    """A socket with its nodes side by side; several without devices in rows and columns.

    stack: GPUs below each other; distances: nodes tell theirs.
    """
    columns = []
    for home in socket.homes:
        box = node_box(home, facts.stable.cpu, placed, distances)
        hanging = parts(home.below, marks, placed, stack)
        columns.append(NodeColumn(box, hanging, max(box.least, width(hanging))))
    across = max(1, len(columns))
    if len(columns) > 2 and not any(one.parts for one in columns):
        across = math.ceil(math.sqrt(len(columns)))
    rows = tuple(tuple(columns[at : at + across]) for at in range(0, len(columns), across))
    inside = max((row_width(row) for row in rows), default=0)
    if not inside:
        least, most = _STRIPS
        inside = min(most, max(least, *(strip_width(one) for one in socket.memories), 0.0))
    label = text_width(socket.label, 12, bold=True)
    return Measured(socket, rows, math.ceil(max(inside, label)) + 2 * PAD)


def row_width(row: Sequence[NodeColumn]) -> float:
    """How wide nodes are side by side."""
    return sum(one.width for one in row) + NODE_GAP * (len(row) - 1)


def in_lines(sockets: Sequence[Measured]) -> list[list[Measured]]:
    """All sockets side by side; very many without devices in several lines."""
    has_devices = any(column.parts for one in sockets for row in one.rows for column in row)
    lines: list[list[Measured]] = []
    for one in sockets:
        if lines and (has_devices or line_width([*lines[-1], one]) <= _WIDE):
            lines[-1].append(one)
        else:
            lines.append([one])
    return lines


def has_join(line: Sequence[Measured]) -> bool:
    """There are sockets in this line, not columns of nodes alone."""
    return sum(bool(one.socket.label) for one in line) > 1


def gap(one: Measured, following: Measured) -> float:
    """What lies between two neighbours."""
    return _BETWEEN if one.socket.label and following.socket.label else _APART


def line_width(line: Sequence[Measured]) -> float:
    """How wide a whole line is."""
    gaps = (gap(one, following) for one, following in pairwise(line))
    return sum(one.width for one in line) + sum(gaps)
