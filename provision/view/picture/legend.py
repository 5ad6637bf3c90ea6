"""What stands below the machine: its instances, its findings, what the signs mean."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from provision.host.facts import Facts, Nic
from provision.host.quantity import CpuSet
from provision.view.labels import gpu_labels

from .colours import (
    CARD,
    CORE,
    FAINT,
    GPU,
    GROUP,
    INK,
    INTERCONNECT,
    NIC,
    NVLINK,
    PCIE,
    SHARED,
    SWITCH,
    XGMI,
)
from .cores import ranges
from .fabrics import Fabric
from .fonts import fit, squeeze, text_width, wrap
from .machine import Hanging, Leaf, Machine, More, Port
from .scene import Box, Cells, Frame, Group, Item, Line, Sign, Text
from .seats import Seat, Seats

_ROW = 20.0
_MOST_FINDINGS = 10
_MOST_ROWS = 8  # instances below each other, where there is room beside them
Symbol = Callable[[float, float], Iterator[Item]]  # of a place, 24 x 12


def draw_seats(seats: Seats, facts: Facts, x: float, y: float, width: float) -> tuple[Group, float]:
    """The table of instances, and where it ends."""
    heads = ("instance", "engine", "port", "split", "GPUs", "CPUs")
    rows = [_cells(seat, facts) for seat in seats.all]
    shown = [at for at in range(6) if at < 3 or any(row[at] for row in rows)]
    needs = [
        max(text_width(cell, 10.5, at == 0) for cell in (heads[at], *(row[at] for row in rows)))
        + 20
        for at in shown
    ]
    flexible = [place for place, at in enumerate(shown) if at in (0, 4, 5)]
    spare = width - 26 - sum(needs)
    while spare < 0:
        widest = max(flexible, key=lambda place: needs[place])
        if needs[widest] < 80:
            break
        needs[widest] -= min(10, -spare)
        spare = width - 26 - sum(needs)
    deep, across = len(rows), int(width // (26 + sum(needs) + 24))
    if len(rows) > _MOST_ROWS and across > 1:
        deep = max(_MOST_ROWS, -(-len(rows) // across))
    area = Frame(x, y, width, _ROW * (deep + 2) + 4)
    items: list[Item] = [Text(x, y + 14, seats.heading, area, 12, bold=True)]
    for first in range(0, len(rows), deep):
        left = x + first // deep * (26 + sum(needs) + 24)
        part = rows[first : first + deep]
        for line, (cells, seat) in enumerate(
            zip([heads, *part], [None, *seats.all[first : first + deep]], strict=True)
        ):
            top = y + _ROW * (line + 1) + 2
            texts = [cells[at] for at in shown]
            items += _seat_line(texts, needs, Frame(left, top, sum(needs) + 26, _ROW), seat)
    return Group(tuple(items), "instances", seats.heading), area.bottom


def _seat_line(
    texts: Sequence[str], needs: Sequence[float], row: Frame, seat: Seat | None
) -> Iterator[Item]:
    """A line of the table; seat None: its head."""
    if seat:
        yield Box(Frame(row.x, row.y + 3, 16, 12), seat.colour, INK, 0.8, 2)
    left = row.x + 26
    for place, (text, room) in enumerate(zip(texts, needs, strict=True)):
        bold = seat is not None and place == 0
        short = (squeeze if bold else fit)(text, room - 12, 10.5, bold)
        if short:
            inside = Frame(left, row.y, room, _ROW)
            yield Text(left, row.y + 13, short, inside, 10.5, bold, ink=INK if seat else FAINT)
        left += room


def _cells(seat: Seat, facts: Facts) -> tuple[str, ...]:
    labels = gpu_labels(facts)
    for gpu in facts.stable.gpus:
        for one in gpu.mig_devices:
            labels[one.uuid] = f"{labels[gpu.uuid]} ({one.profile or 'slice'})"
    used = [labels.get(uuid, f"{uuid[:12]}… (not here)") for uuid in seat.gpus]
    numbers = [name.removeprefix("GPU ") for name in dict.fromkeys(used)]
    if len(numbers) > 4 and all(one.isdecimal() for one in numbers):
        numbers = [str(CpuSet.of(map(int, numbers)))]
    port = str(seat.port) if seat.port else ""
    return (seat.name, seat.engine, port, seat.split, ", ".join(numbers), ranges(seat.cpus))


def draw_findings(facts: Facts, x: float, y: float, width: float) -> tuple[Group, float]:
    """The findings with their evidence, gravest first, and where they end."""
    items: list[Item] = [Text(x, y + 14, "Findings", Frame(x, y, width, _ROW), 12, bold=True)]
    top = y + _ROW + 2
    rule_room = max(text_width(one.rule, 10.5, True) for one in facts.findings[:_MOST_FINDINGS])
    rule_room = min(rule_room, width / 3) + 16
    for one in facts.findings[:_MOST_FINDINGS]:
        lines = wrap(one.message, width - 20 - rule_room, 10.5, 4)
        inside = Frame(x, top, width, 15 * max(1, len(lines)) + 5)
        items.append(Sign(x, top + 3, one.severity))
        rule = fit(one.rule, rule_room - 12, 10.5, bold=True)
        items.append(Text(x + 20, top + 13, rule, inside, 10.5, bold=True))
        for at, line in enumerate(lines):
            left = x + 20 + rule_room
            items.append(Text(left, top + 13 + 15 * at, line, inside, 10.5))
        top = inside.bottom
    more = len(facts.findings) - _MOST_FINDINGS
    if more > 0:
        text = f"and {more} more: provision inspect tells all of them"
        items.append(Text(x + 20, top + 13, text, Frame(x, top, width, _ROW), 10.5, ink=FAINT))
        top += _ROW
    return Group(tuple(items), "findings", "Findings"), top


def draw_legend(
    entries: Sequence[tuple[Symbol, str]], x: float, y: float, width: float
) -> tuple[Group, float]:
    """The signs that occur, side by side in columns, and where they end."""
    items: list[Item] = []
    room = max(text_width(text, 10) for _, text in entries) + 60
    across = max(1, min(len(entries), int(width // room)))
    deep = -(-len(entries) // across)
    for at, (symbol, text) in enumerate(entries):
        left, top = x + at // deep * room, y + at % deep * _ROW
        inside = Frame(left, top, min(room, width), _ROW)
        items += symbol(left, top + 4)
        shown = fit(text, inside.width - 34, 10)
        items.append(Text(left + 34, top + 14, shown, inside, 10, ink=FAINT))
    return Group(tuple(items), "legend", "Legend"), y + deep * _ROW


def entries(
    facts: Facts, machine: Machine, fabrics: Sequence[Fabric], seats: Seats, joined: bool
) -> list[tuple[Symbol, str]]:
    """The signs that occur in this picture. joined: sockets are drawn with a line between them."""
    stable = facts.stable
    hanging = [one for socket in machine.sockets for home in socket.homes for one in home.below]
    leaves = list(_leaves(hanging))
    found: list[tuple[Symbol, str]] = []
    if any(node.cpus for node in stable.numa_nodes):
        threads = max((len(core) for core in stable.cpu.cores), default=1)
        each = f", with its {threads} threads" if threads > 1 else ""
        found.append((_core(threads), f"core{each}"))
        if stable.cpu.caches:
            found.append((_box(*GROUP), "cores that share a last level cache"))
    taken = [number for seat in seats.all for number in seat.cpus.ids]
    if len(taken) != len(set(taken)):
        found.append((_box(SHARED, CORE[1]), "thread that several instances may use"))
    if joined:
        found.append((_double, "between sockets, with the NUMA distance"))
    if leaves:
        found.append((_line(PCIE, 4), "PCIe: lanes in use, generation; thicker: more lanes"))
    if any(isinstance(one, Port) for one in _ports(hanging)):
        found.append((_box(*SWITCH), "PCIe switch or bridge that joins several devices"))
    if stable.gpus:
        found.append((_box(*GPU), "GPU with its memory"))
    if any(isinstance(one, More) or isinstance(one.device, Nic) for one in leaves):
        found.append((_box(*NIC), "network card"))
    if any(isinstance(one, Leaf) and one.label == "not served" for one in leaves):
        found.append((_box(*CARD, dashed=True), "accelerator that no driver serves"))
    looks = {"NVLink": NVLINK[1], "XGMI": XGMI[1]}
    for word in ("NVLink", "XGMI"):
        if any(one.word == word for one in fabrics):
            name = {"XGMI": "XGMI (Infinity Fabric)"}.get(word, word)
            found.append((_line(looks[word], 6), f"{name} between GPUs, with the number of links"))
    for severity in ("error", "warning", "note"):
        if any(one.severity == severity for one in facts.findings):
            found.append((_sign(severity), f"finding: {severity}"))
    return found


def _leaves(hanging: Sequence[Hanging]) -> Iterator[Leaf | More]:
    for one in hanging:
        if isinstance(one, Port):
            yield from _leaves(one.below)
        else:
            yield one


def _ports(hanging: Sequence[Hanging]) -> list[Port]:
    return [one for one in hanging if isinstance(one, Port)]


def _box(fill: str, stroke: str, dashed: bool = False) -> Symbol:
    def symbol(x: float, y: float) -> Iterator[Item]:
        yield Box(Frame(x, y, 24, 12), fill, stroke, 1, 3, dashed)

    return symbol


def _line(stroke: str, wide: float) -> Symbol:
    def symbol(x: float, y: float) -> Iterator[Item]:
        yield Line(((x, y + 6), (x + 24, y + 6)), stroke, wide)

    return symbol


def _double(x: float, y: float) -> Iterator[Item]:
    for at in (y + 4, y + 8):
        yield Line(((x, at), (x + 24, at)), INTERCONNECT, 1.6)


def _core(threads: int) -> Symbol:
    def symbol(x: float, y: float) -> Iterator[Item]:
        parts = 2 if threads > 1 else 1
        frames = (Frame(x + 7 + at * 10 / parts, y + 1, 10 / parts, 10) for at in range(parts))
        yield Cells(tuple(frames), *CORE)

    return symbol


def _sign(severity: str) -> Symbol:
    def symbol(x: float, y: float) -> Iterator[Item]:
        for kind in ("error", "warning", "note"):
            if kind == severity:
                yield Sign(x + 6, y, kind)

    return symbol
