"""The links between GPUs as lines and bars below the row of GPUs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from provision.host.facts import Facts

from .colours import INK, NVLINK, PAPER, XGMI
from .fabrics import Fabric
from .fonts import fit, text_width
from .scene import Box, Frame, Group, Item, Line, Text

_FIRST = 30.0  # from the GPUs to the first track
_TRACK = 30.0
_BAR = 26.0
_LANE = 6.0  # beside a GPU with others below it
_MOST_PAIRS = 40
_LOOKS = {"NVLink": NVLINK, "XGMI": XGMI}


@dataclass(frozen=True, slots=True)
class Routed:
    """A fabric on a track, with the x of each member's port."""

    fabric: Fabric
    track: int
    ports: tuple[float, ...]
    left: float
    right: float


def route(fabrics: Sequence[Fabric], gpus: dict[str, Frame]) -> tuple[Routed, ...]:
    """Each fabric its track, such that none lies over another, short ones next to the GPUs."""
    shown = [one for one in fabrics if all(uuid in gpus for uuid in one.members)]
    pairs = [one for one in shown if one.kind == "pair"]
    if len(pairs) > _MOST_PAIRS:
        shown = [one for one in shown if one.kind != "pair"]
    ports = _ports(shown, gpus)
    spans = []
    for at, one in enumerate(shown):
        xs = tuple(ports[at, uuid] for uuid in one.members)
        left, right = min(xs), max(xs)
        if one.kind != "pair":
            left = min(left, min(gpus[uuid].x for uuid in one.members))
            right = max(right, max(gpus[uuid].right for uuid in one.members))
        right = max(right, left + text_width(_words(one), 10.5, bold=True) + 24)
        spans.append((one.kind != "pair", right - left, left, right, one, xs))
    spans.sort(key=lambda one: one[:3])
    tracks: list[list[tuple[float, float]]] = []
    found: list[Routed] = []
    for _, _, left, right, fabric, xs in spans:
        free = (
            at
            for at, taken in enumerate(tracks)
            if all(right + 12 < a or b + 12 < left for a, b in taken)
        )
        track = next(free, len(tracks))
        if track == len(tracks):
            tracks.append([])
        tracks[track].append((left, right))
        found.append(Routed(fabric, track, xs, left, right))
    return tuple(found)


def _ports(shown: Sequence[Fabric], gpus: dict[str, Frame]) -> dict[tuple[int, str], float]:
    """Where each fabric leaves a GPU, in the order of the partners.

    At the lower edge; a GPU with others below it is left at the right and passed beside them.
    """
    ends: dict[str, list[tuple[float, int]]] = {}
    for at, one in enumerate(shown):
        for uuid in one.members:
            far = [gpus[other].middle for other in one.members if other != uuid]
            ends.setdefault(uuid, []).append((sum(far) / len(far) if far else 0.0, at))
    lowest = max((one.bottom for one in gpus.values()), default=0)
    upper = {uuid for uuid, frame in gpus.items() if frame.bottom < lowest}
    found: dict[tuple[int, str], float] = {}
    for uuid, fabrics in ends.items():
        frame = gpus[uuid]
        for place, (_, at) in enumerate(sorted(fabrics)):
            if uuid in upper:
                found[at, uuid] = frame.right + _LANE + place % 3 * 4
            else:
                found[at, uuid] = frame.x + frame.width * (place + 1) / (len(fabrics) + 1)
    return found


def _way(x: float, gpu: Frame, track: float) -> tuple[tuple[float, float], ...]:
    """From a GPU to a track, by the port at x; the farther to the right, the higher it leaves."""
    if x <= gpu.right:
        return (x, gpu.bottom), (x, track)
    y = gpu.bottom - 12 - 2 * (x - gpu.right - _LANE)
    return (gpu.right, y), (x, y), (x, track)


def depth(routed: Sequence[Routed]) -> float:
    """Room that they need below the GPUs."""
    return _FIRST + _TRACK * (max(one.track for one in routed) + 1) + 8 if routed else 0


def draw_links(
    routed: Sequence[Routed], gpus: dict[str, Frame], y: float, facts: Facts
) -> tuple[list[Item], list[Group]]:
    """Stems and brackets to be painted below everything, then bars and labels. y: of the GPUs."""
    lines: list[Item] = []
    groups: list[Group] = []
    stacked = len({frame.bottom for frame in gpus.values()}) > 1
    for one in routed:
        stroke = _LOOKS[one.fabric.word][1]
        track = y + _FIRST + _TRACK * one.track
        wide = 3.0 if stacked else 7.0 if one.fabric.kind == "switch" else 5.0
        ways = [
            _way(x, gpus[uuid], track)
            for x, uuid in zip(one.ports, one.fabric.members, strict=True)
        ]
        if one.fabric.kind == "pair":
            points = (*ways[0], *reversed(ways[1]))
            lines += [Line(points, PAPER, wide + (2 if stacked else 4)), Line(points, stroke, wide)]
            groups.append(_pair(one, track))
        else:
            lines += [Line(way, stroke, wide) for way in ways]
            groups.append(_bar(one, track, y, stacked, facts))
    return lines, groups


def _words(fabric: Fabric) -> str:
    count = fabric.uniform
    if fabric.kind == "pair":
        return f"{fabric.word} ×{count}" if count else fabric.word
    if fabric.kind == "mesh":
        many = f", {count} link{'s' if count != 1 else ''} a pair" if count else ""
        return f"{fabric.word}: each GPU to each other{many}"
    known = [one for one in fabric.counts if one]
    many = (
        str(count) if count else f"{min(known)} to {max(known)}" if known else "not known how many"
    )
    return f"NVSwitch: {many} NVLinks from each GPU"


def _pair(one: Routed, track: float) -> Group:
    text = _words(one.fabric)
    wide = text_width(text, 10.5, bold=True)
    room = Frame((one.ports[0] + one.ports[1]) / 2 - wide / 2 - 4, track - 8, wide + 8, 16)
    label = Text(room.middle, track + 4, text, room, 10.5, True, "middle")
    if room.x < min(one.ports) + 6:  # the line would vanish behind its name: it goes below
        room = Frame(one.left, track + 5, wide + 8, 16)
        label = Text(room.x + 4, track + 17, text, room, 10.5, True)
    return Group((Box(room, PAPER, radius=2), label), "link-pair", text)


def _bar(one: Routed, track: float, top: float, stacked: bool, facts: Facts) -> Group:
    fabric = one.fabric
    fill, stroke = _LOOKS[fabric.word]
    frame = Frame(one.left, track, one.right - one.left, _BAR)
    text = _words(fabric)
    if fabric.kind == "switch" and facts.stable.nvswitches:
        text = f"{len(facts.stable.nvswitches)} × {text}"
    shown = fit(text, frame.width - 12, 11, bold=True)
    items: list[Item] = [
        Box(frame, fill, stroke, 1.6),
        Text(frame.middle, track + 17, shown, frame, 11, True, "middle"),
    ]
    if fabric.kind == "switch" and not stacked:
        for x, count in zip(one.ports, fabric.counts, strict=True):
            if count:
                room = Frame(x + 5, top + 2, 40, track - top - 4)
                items.append(Text(x + 7, track - 10, f"{count}", room, 10.5, ink=INK))
    return Group(tuple(items), f"fabric-{fabric.kind}", text)
