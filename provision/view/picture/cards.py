"""The box of one device: rows of text, bands for slices and instances, signs for findings."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from provision.host.facts import Finding, Gpu, MigDevice, Nic, PciDevice
from provision.view.labels import gib, gpu_name

from .colours import CARD, FAINT, GPU, INK, NIC, SLICE
from .fonts import fit, squeeze, text_width, wrap
from .machine import Leaf, More
from .marks import Marks
from .scene import Box, Frame, Group, Item, Sign, Text
from .seats import Seat, Seats

WIDTH = 148.0  # of every device
_EDGE = 8.0
_ROOM = WIDTH - 2 * _EDGE
_MOST_SLICES, _MOST_SEATS, _MOST_MARKS = 8, 8, 4


@dataclass(frozen=True, slots=True)
class Row:
    """A line of a card: text at the left and at the right, perhaps in a band, with a sign.

    second: a line below it in the same band.
    """

    left: str
    right: str = ""
    size: float = 10.5
    bold: bool = False
    ink: str = INK
    band: tuple[str, str] | None = None  # fill, stroke
    sign: Literal["error", "warning", "note"] | None = None
    second: str = ""

    @property
    def height(self) -> float:
        return (19 if self.band else 17 if self.sign else 14.5) + (13 if self.second else 0)


@dataclass(frozen=True, slots=True)
class Card:
    """A device as it is drawn."""

    kind: Literal["gpu", "nic", "card"]
    id: str
    title: str
    rows: tuple[Row, ...]

    @property
    def height(self) -> float:
        return sum(row.height for row in self.rows) + 10


def card(hanging: Leaf | More, marks: Marks, seats: Seats) -> Card:
    """The card of what hangs on the bus."""
    if isinstance(hanging, More):
        text = f"{hanging.number} virtual function{'s' if hanging.number > 1 else ''}"
        plain = (Row(text), Row("of network cards", ink=FAINT))
        return Card("nic", "", f"{text} of network cards", plain)
    device = hanging.device
    signs = mark_rows(marks.of(device))
    name = str(device.address)
    if isinstance(device, Gpu):
        gpu = (*_gpu_rows(hanging.label, device, seats), *signs)
        title = " ".join(filter(None, (hanging.label, device.name, device.uuid, name)))
        return Card("gpu", f"gpu-{name}", title, gpu)
    if isinstance(device, Nic):
        nic = (*_nic_rows(hanging, device), *signs)
        title = " ".join((hanging.label, name, hanging.what))
        return Card("nic", f"nic-{name}", title, nic)
    return Card(
        "card",
        f"card-{name}",
        f"{name} {hanging.what}",
        (
            Row("Not served", size=12, bold=True),
            *(Row(one) for one in wrap(device.name or _ids(device), _ROOM, 10.5, 2)),
            Row(name, size=10, ink=FAINT),
            Row(f"driver {device.driver}" if device.driver else "no driver", size=10, ink=FAINT),
            *signs,
        ),
    )


def _ids(device: PciDevice) -> str:
    return f"{device.vendor_id}:{device.device_id}"


def _gpu_rows(label: str, gpu: Gpu, seats: Seats) -> Iterator[Row]:
    yield from _pair(label, gib(gpu.memory_mib), 12, bold=True)
    yield from (Row(one) for one in wrap(gpu_name(gpu), _ROOM, 10.5, 2))
    yield Row(str(gpu.address), size=10, ink=FAINT)
    if gpu.memory_node is not None:
        yield Row(f"memory: NUMA node {gpu.memory_node}", size=10, ink=FAINT)
    if gpu.integrated:
        yield Row("in the processor", size=10, ink=FAINT)
    if gpu.partition and gpu.partition != "SPX":
        yield Row(f"partition mode {gpu.partition}", size=10, ink=FAINT)
    if gpu.mig and not gpu.mig_devices:
        yield Row("MIG on, no slices", size=10, ink=FAINT)
    for one in gpu.mig_devices[:_MOST_SLICES]:
        yield from _slice(one, seats.at(one.uuid))
    if len(gpu.mig_devices) > _MOST_SLICES:
        yield Row(f"and {len(gpu.mig_devices) - _MOST_SLICES} more slices", size=10)
    yield from _seat_rows(seats.at(gpu.uuid))


def _slice(one: MigDevice, seated: Sequence[Seat]) -> Iterator[Row]:
    """A slice in the colour and with the name of its instance; more than one have their bands."""
    rows = list(_pair(one.profile or "slice", gib(one.memory_mib), 10, band=SLICE))
    if len(seated) == 1:
        band, name = (seated[0].colour, INK), seated[0].name
        rows = [replace(row, band=band) for row in rows]
        rows[-1] = replace(rows[-1], second=name)
    yield from rows
    if len(seated) > 1:
        yield from _seat_rows(seated)


def _nic_rows(leaf: Leaf, nic: Nic) -> Iterator[Row]:
    others = [name for name in (*nic.rdma, *nic.interfaces) if name != leaf.label]
    yield Row(leaf.label, size=11, bold=True)
    if others:
        yield Row(" ".join(others))
    yield Row(str(nic.address), size=10, ink=FAINT)


def _pair(
    left: str, right: str, size: float, bold: bool = False, band: tuple[str, str] | None = None
) -> Iterator[Row]:
    """Two texts side by side, or below each other where they are too wide."""
    room = _ROOM - (12 if band else 6)
    if text_width(left, size, bold) + text_width(right, size) <= room:
        yield Row(left, right, size, bold, band=band)
        return
    yield Row(left, size=size, bold=bold, band=band)
    if right:
        yield Row(right, size=size, band=band)


def seat_row(seat: Seat) -> Row:
    """The band that names an instance."""
    return Row(seat.name, size=10.5, bold=True, band=(seat.colour, INK))


def _seat_rows(seated: Sequence[Seat]) -> Iterator[Row]:
    shown = seated if len(seated) <= _MOST_SEATS else seated[: _MOST_SEATS - 1]
    yield from map(seat_row, shown)
    if len(seated) > len(shown):
        yield Row(f"and {len(seated) - len(shown)} more instances", size=10)


def mark_rows(findings: Sequence[Finding]) -> tuple[Row, ...]:
    """The rules of the findings, each once, with their signs."""
    rules = {one.rule: one.severity for one in reversed(findings)}
    rows = [Row(rule, sign=rules[rule]) for rule in dict.fromkeys(one.rule for one in findings)]
    if len(rows) > _MOST_MARKS:
        more = len(rows) - _MOST_MARKS + 1
        return (*rows[: _MOST_MARKS - 1], Row(f"and {more} more", sign=rows[_MOST_MARKS].sign))
    return tuple(rows)


_LOOKS = {"gpu": GPU, "nic": NIC, "card": CARD}


def draw_card(card: Card, x: float, y: float, height: float | None = None) -> Group:
    """The card with its left upper corner there, and as high as the others of its row."""
    frame = Frame(x, y, WIDTH, height or card.height)
    fill, stroke = _LOOKS[card.kind]
    thick = 1.6 if card.kind == "gpu" else 1
    items: list[Item] = [Box(frame, fill, stroke, thick, dashed=card.kind == "card")]
    items += draw_rows(card.rows, Frame(x, y + 5, WIDTH, frame.height - 10), _EDGE)
    return Group(tuple(items), card.id, card.title)


def draw_rows(rows: Sequence[Row], area: Frame, edge: float) -> Iterator[Item]:
    """Rows from the top of an area downwards, with so much room at both sides."""
    y = area.y
    for row in rows:
        inside = Frame(area.x, y, area.width, row.height)
        left, right = area.x + edge, area.right - edge
        if row.band:
            inside = Frame(left - 2, y + 1, right - left + 4, row.height - 3)
            yield Box(inside, row.band[0], row.band[1], 0.8, 3)
            left, right = left + 4, right - 4
        if row.sign:
            yield Sign(left, y + 2.5, row.sign)
            left += 17
        first = row.height - (13 if row.second else 0)
        baseline = y + first / 2 + row.size * 0.3 + (0 if not row.band else -0.5)
        room = right - left - (text_width(row.right, row.size) + 6 if row.right else 0)
        text = (squeeze if row.band else fit)(row.left, room, row.size, row.bold)
        if text:
            yield Text(left, baseline, text, inside, row.size, row.bold, ink=row.ink)
        if row.right:
            yield Text(right, baseline, row.right, inside, row.size, anchor="end", ink=row.ink)
        if row.second:
            second = squeeze(row.second, right - left, row.size, bold=True)
            yield Text(left, baseline + 13, second, inside, row.size, bold=True, ink=row.ink)
        y += row.height
