"""The processor part of a node: cores by last level cache, CPU ranges, instances on them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from provision.host.facts import Cpu, NumaNode
from provision.host.quantity import CpuSet

from .colours import CORE, FAINT, GROUP, INK, SHARED
from .fonts import text_width, wrap
from .scene import Box, Cells, Frame, Item, Text
from .seats import Seat

_CELL, _STEP = 10.0, 12.0
_CAPTION = 9.5
_MOST_CELLS = 1024  # CPUs of a node; beyond that no eye would tell them apart
_MOST_CAPTIONS = 16
_GAP = 6.0
_MOST_SUMMARY = 260  # a longer one is wrapped


@dataclass(frozen=True, slots=True)
class Bunch:
    """Cores of one kind that share one last level cache."""

    cores: tuple[CpuSet, ...]
    kind: str = ""
    cached: bool = True  # what they share is known

    @property
    def cpus(self) -> CpuSet:
        return CpuSet.of(cpu for core in self.cores for cpu in core)


@dataclass(frozen=True, slots=True)
class Cores:
    """The cores of a node, ready to be laid out in any width."""

    summary: str
    bunches: tuple[Bunch, ...]
    captions: tuple[str, ...]  # of the bunches; empty: they stand in the summary
    least: float  # the least width that looks well


def node_cores(node: NumaNode, cpu: Cpu) -> Cores:
    """The node's cores. CPUs that the machine tells no core of are cores of their own."""
    cores = [core & node.cpus for core in cpu.cores if core.ids & node.cpus.ids]
    told = CpuSet.of(number for core in cores for number in core)
    cores += [CpuSet.of((number,)) for number in node.cpus - told]
    cores.sort(key=lambda core: min(core.ids))
    bunches = tuple(_bunches(cores, cpu))
    text = f"{len(cores)} core{'s' if len(cores) > 1 else ''}"
    if len(node.cpus) != len(cores):
        text += f", {len(node.cpus)} threads"
    shared = sum(one.cached for one in bunches)
    if shared > 1 and not cpu.kinds:
        text += f", {shared} last level caches"
    captions: tuple[str, ...] = ()
    if len(bunches) <= _MOST_CAPTIONS and (len(bunches) > 1 or cpu.kinds):
        captions = tuple(" ".join(filter(None, (one.kind, ranges(one.cpus)))) for one in bunches)
        if any(text_width(one, _CAPTION) > 150 for one in captions):
            captions = ()
    if not captions:
        text += f": CPUs {ranges(node.cpus)}" if node.cpus else ""
    shown = bunches if len(node.cpus) <= _MOST_CELLS else ()
    least = max(_least(shown, captions), min(_MOST_SUMMARY, math.ceil(text_width(text, 10.5))))
    return Cores(text, shown, captions if shown else (), least)


def _bunches(cores: Sequence[CpuSet], cpu: Cpu) -> Iterator[Bunch]:
    cache_of = {number: at for at, cache in enumerate(cpu.caches) for number in cache}
    kind_of = {number: at for at, kind in enumerate(cpu.kinds) for number in kind.cpus}
    together: dict[tuple[int, int], list[CpuSet]] = {}
    for core in cores:
        first = min(core.ids)
        key = (cache_of.get(first, -1), kind_of.get(first, -1))
        together.setdefault(key, []).append(core)
    for (cache, kind), members in together.items():
        name = cpu.kinds[kind].name if kind >= 0 else ""
        yield Bunch(tuple(members), name, cached=cache >= 0)


def ranges(cpus: CpuSet) -> str:
    """CPU numbers as people read them: `0-7,64-71`, and `0-62,65-95 (every 2nd)` by turns."""
    ids = sorted(cpus.ids)
    plain = str(cpus)
    for step, name in ((2, "2nd"), (4, "4th"), (8, "8th")):
        parts: list[list[int]] = []
        for number in ids:
            if parts and number - parts[-1][1] == step:
                parts[-1][1] = number
            else:
                parts.append([number, number])
        if len(ids) >= 3 * len(parts):
            short = ",".join(f"{first}-{last}" for first, last in parts) + f" (every {name})"
            if len(short) < len(plain):
                return short
    return plain


def _least(bunches: Sequence[Bunch], captions: Sequence[str]) -> float:
    if not bunches:
        return 0
    across = min(4, math.ceil(math.sqrt(len(bunches))))
    if len(bunches) == 1:
        return min(16, len(bunches[0].cores)) * _STEP + 2 * _GAP
    return across * (_bunch_width(bunches, captions) + _GAP) - _GAP


def _bunch_width(bunches: Sequence[Bunch], captions: Sequence[str]) -> float:
    text = max((text_width(one, _CAPTION) for one in captions), default=0.0)
    cells = min(8, max(len(one.cores) for one in bunches)) * _STEP - 2
    return math.ceil(max(text, cells)) + 2 * _GAP


def cores_height(cores: Cores, width: float) -> float:
    """How high they come in this width."""
    return _summary_height(cores, width) + sum(_row_heights(cores, width))


def _summary_height(cores: Cores, width: float) -> float:
    return 14 * len(wrap(cores.summary, width, 10.5, 6)) + 6


def _shape(cores: Cores, width: float) -> tuple[int, float, int]:
    """Bunches in a row, width of each, cells in a row of it."""
    if len(cores.bunches) == 1:
        count = len(cores.bunches[0].cores)
        most = max(1, int((width - 2 * _GAP + 2) // _STEP))
        across = math.ceil(count / math.ceil(count / most))
        return 1, across * _STEP - 2 + 2 * _GAP, across
    least = min(width, _bunch_width(cores.bunches, cores.captions))
    across = max(1, min(len(cores.bunches), int((width + _GAP) // (least + _GAP))))
    across = math.ceil(len(cores.bunches) / math.ceil(len(cores.bunches) / across))
    return across, least, max(1, int((least - 2 * _GAP + 2) // _STEP))


def _row_heights(cores: Cores, width: float) -> list[float]:
    if not cores.bunches:
        return []
    across, _, cells = _shape(cores, width)
    caption = 13 if cores.captions else 0
    rows = [cores.bunches[at : at + across] for at in range(0, len(cores.bunches), across)]
    return [
        max(math.ceil(len(one.cores) / cells) for one in row) * _STEP + 2 * _GAP - 2 + caption + 5
        for row in rows
    ]


def draw_cores(cores: Cores, area: Frame, seats: Sequence[Seat]) -> Iterator[Item]:
    """Summary, bunches with their cells, each thread in the colour of the instance on it."""
    y = area.y + 10
    for line in wrap(cores.summary, area.width, 10.5, 6):
        yield Text(area.x, y, line, area, 10.5, ink=FAINT)
        y += 14
    y = area.y + _summary_height(cores, area.width)
    if not cores.bunches:
        return
    across, width, cells = _shape(cores, area.width)
    of_cpu: dict[int, list[Seat]] = {}
    for seat in seats:
        for number in seat.cpus.ids:
            of_cpu.setdefault(number, []).append(seat)
    paint: dict[str, list[Frame]] = {}
    for row, height in enumerate(_row_heights(cores, area.width)):
        for column, at in enumerate(range(row * across, (row + 1) * across)):
            if at < len(cores.bunches):
                frame = Frame(area.x + column * (width + _GAP), y, width, height - 5)
                if cores.bunches[at].cached:
                    yield Box(frame, GROUP[0], GROUP[1], 0.8, 3)
                if cores.captions:
                    text = cores.captions[at]
                    yield Text(frame.x + _GAP, frame.bottom - 5, text, frame, _CAPTION, ink=INK)
                _colour_cells(cores.bunches[at], frame, cells, of_cpu, paint)
        y += height
    for fill, frames in paint.items():
        yield Cells(tuple(frames), fill, CORE[1])


def _colour_cells(
    bunch: Bunch,
    frame: Frame,
    across: int,
    of_cpu: dict[int, list[Seat]],
    paint: dict[str, list[Frame]],
) -> None:
    for at, core in enumerate(bunch.cores):
        x = frame.x + _GAP + at % across * _STEP
        y = frame.y + _GAP + at // across * _STEP
        columns = len(core) if len(core) <= 2 else math.ceil(len(core) / 2)
        rows = math.ceil(len(core) / columns)
        for number, cpu in enumerate(core):
            seated = of_cpu.get(cpu, [])
            fill = SHARED if len(seated) > 1 else seated[0].colour if seated else CORE[0]
            thread = Frame(
                x + number % columns * _CELL / columns,
                y + number // columns * _CELL / rows,
                _CELL / columns,
                _CELL / rows,
            )
            paint.setdefault(fill, []).append(thread)
