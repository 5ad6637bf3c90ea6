"""PCIe links: lanes and generations that cards do not get."""

from __future__ import annotations

from collections.abc import Iterator

from ...facts import Finding, PciDevice
from ...quantity import PciAddress
from ..gpus import slot
from .case import Case
from .kinds import data_centre
from .names import devices_named, verb
from .seats import Seat, seat_of
from .severity import note, warning

# GB/s of one lane each way, after the line code, by GT/s.
_LANE = {2.5: 0.25, 5.0: 0.5, 8.0: 0.985, 16.0: 1.969, 32.0: 3.938, 64.0: 7.563}
_GENERATION = {2.5: 1, 5.0: 2, 8.0: 3, 16.0: 4, 32.0: 5, 64.0: 6}
_WIDTHS = (1, 2, 4, 8, 12, 16, 32)  # the specification's; a sleeping device reads as x63
_BUSY = 50  # percent; below it a low speed may be power saving


def link_findings(case: Case) -> Iterator[Finding]:
    """Of real slots only: a virtual machine's bridges tell nothing of the board."""
    if case.stable.system.virtual_machine is not None:
        return
    seats = [
        seat for device in case.stable.accelerators if (seat := seat_of(case, device)) is not None
    ]
    yield from _widths(case, seats)
    yield from _uplinks(case, seats)
    yield from _cards_of_the_network(case)
    yield from _slow_now(case, seats)
    yield from _old_slots(case, seats)


def _widths(case: Case, seats: list[Seat]) -> Iterator[Finding]:
    """Cards at fewer lanes than they have, those of the same figures together."""
    groups: dict[tuple[int, int, bool | None, bool], list[Seat]] = {}
    for seat in seats:
        lanes, most = seat.link.width, seat.link.width_max
        if lanes not in _WIDTHS or most not in _WIDTHS or lanes is None or most is None:
            continue
        if lanes >= most:
            continue
        ports = seat.port_link.width_max
        board = None if ports not in _WIDTHS or ports is None else ports <= lanes
        server = data_centre(seat.name)
        if board is not False and lanes * 2 >= most and not server:
            continue  # 16 lanes split in two, as desktop boards are made
        grave = lanes * 2 < most or (board is False and server)
        groups.setdefault((lanes, most, board, grave), []).append(seat)
    for (lanes, most, board, grave), group in groups.items():
        yield _width(case, group, lanes, most, board, grave)


def _width(
    case: Case, group: list[Seat], lanes: int, most: int, board: bool | None, grave: bool
) -> Finding:
    devices = [seat.device for seat in group]
    one = len(group) == 1
    where = {
        True: f", all that {verb(len(group), 'its slot has', 'their slots have')}",
        False: ", although both ends of the link have more"
        + (
            f" (port {group[0].port.address} has x{group[0].port_link.width_max})"
            if one and group[0].port
            else ""
        ),
        None: "",
    }[board]
    evidence = f"{devices_named(case, devices)} {verb(len(group), 'runs', 'run')} at x{lanes} of"
    evidence += f" x{most} lanes{where}"
    remedy = (
        "use a wider slot, if the board has one free"
        if board
        else "reseat the card, check riser and power cables, and the slot's bifurcation in the"
        " firmware's setup"
    )
    tell = warning if grave else note
    return tell("link-width", evidence, _slower(group, lanes, most), remedy, _subjects(group))


def _slower(group: list[Seat], lanes: int, most: int) -> str:
    speeds = {seat.speed for seat in group}
    lane = _LANE.get(next(iter(speeds)) or 0.0) if len(speeds) == 1 else None
    if lane is None:
        return (
            f"it moves {lanes / most:.0%} of the data in the same time; loading and tensor"
            " parallelism are slower"
        )
    return (
        f"{lane * lanes:.1f} GB/s to the host instead of {lane * most:.1f} GB/s; loading and"
        " tensor parallelism are slower, a model within one card is not"
    )


def _uplinks(case: Case, seats: list[Seat]) -> Iterator[Finding]:
    """Switches on the board whose link upward is narrower than both its ends allow."""
    below: dict[PciAddress, list[PciDevice]] = {}
    for seat in seats:
        for address in seat.device.bridges:
            if address != seat.end:
                below.setdefault(address, []).append(seat.device)
    for address, devices in sorted(below.items()):
        bridge = case.bridges.get(address)
        if bridge is None or bridge.kind != "upstream" or bridge.link is None:
            continue
        way = devices[0].bridges
        at = way.index(address)
        above = case.bridges.get(way[at - 1]) if at else None
        lanes, most = bridge.link.width, bridge.link.width_max
        ports = above.link.width_max if above and above.link else None
        if lanes is None or most is None or ports is None:
            continue
        if not {lanes, most, ports} <= set(_WIDTHS) or lanes >= min(most, ports):
            continue
        tell = warning if lanes * 2 < min(most, ports) else note
        yield tell(
            "link-width",
            f"the PCIe switch {address} above {devices_named(case, devices)} runs at x{lanes} of"
            f" x{min(most, ports)} lanes, although both ends of the link have more",
            f"{verb(len(devices), 'this GPU has', f'these {len(devices)} GPUs share')}"
            f" {lanes / min(most, ports):.0%} of the bandwidth to the host that the board gives",
            "check the risers and cables of the switch board and the bifurcation in the firmware",
            (str(address), *(str(one.address) for one in devices)),
        )


def _cards_of_the_network(case: Case) -> Iterator[Finding]:
    """RDMA cards at fewer lanes than both ends of their link have."""
    for nic in case.stable.nics:
        port = case.bridges.get(nic.bridges[-1]) if nic.bridges else None
        if not nic.rdma or nic.virtual or nic.link is None or port is None or port.link is None:
            continue
        lanes, most, ports = nic.link.width, nic.link.width_max, port.link.width_max
        if lanes is None or most is None or ports is None:
            continue
        if not {lanes, most, ports} <= set(_WIDTHS) or lanes >= min(most, ports):
            continue
        yield note(
            "link-width",
            f"the network card {', '.join(nic.interfaces or nic.rdma)} ({nic.address}) runs at"
            f" x{lanes} of x{min(most, ports)} lanes, although both ends of the link have more",
            f"{lanes / min(most, ports):.0%} of the bandwidth between GPUs and network",
            "reseat the card, check the riser and the slot's bifurcation in the firmware's setup",
            (str(nic.address),),
        )


def _slow_now(case: Case, seats: list[Seat]) -> Iterator[Finding]:
    """Links slower than both ends allow while the GPU works: an idle link saves power."""
    speeds = {one.address: one.speed for one in case.volatile.links}
    groups: dict[tuple[float, float], list[Seat]] = {}
    for seat in seats:
        gpu = case.served.get(slot(seat.device.address))
        now = case.now.get(gpu.uuid) if gpu else None
        speed, both = speeds.get(seat.end), seat.speed
        if now is None or (now.utilization_percent or 0) <= _BUSY:
            continue
        known = speed in _GENERATION and both in _GENERATION and seat.port_link.speed_max
        if known and speed is not None and both is not None and speed < both:
            groups.setdefault((speed, both), []).append(seat)
    for (speed, both), group in groups.items():
        yield warning(
            "link-generation",
            f"{devices_named(case, [seat.device for seat in group])}"
            f" {verb(len(group), 'works and its link runs', 'work and their links run')} at"
            f" generation {_GENERATION[speed]}, while both ends can do generation"
            f" {_GENERATION[both]}",
            f"it moves {_LANE[speed] / _LANE[both]:.0%} of the data in the same time; loading and"
            " tensor parallelism are slower",
            "set the slot's speed to automatic or to that generation in the firmware; where it"
            " falls back again, riser or card do not hold the signal",
            _subjects(group),
        )


def _old_slots(case: Case, seats: list[Seat]) -> Iterator[Finding]:
    """Slots two or more generations below their card."""
    groups: dict[tuple[int, int], list[Seat]] = {}
    for seat in seats:
        card = _GENERATION.get(seat.link.speed_max or 0.0)
        port = _GENERATION.get(seat.port_link.speed_max or 0.0)
        if card is not None and port is not None and card - port >= 2:
            groups.setdefault((card, port), []).append(seat)
    for (card, port), group in groups.items():
        yield note(
            "link-generation",
            f"{devices_named(case, [seat.device for seat in group])} can do PCIe generation"
            f" {card}, {verb(len(group), 'its slot', 'their slots')} generation {port} at most",
            f"{1 / 2 ** (card - port):.0%} of the bandwidth that the card has; loading and tensor"
            " parallelism are slower",
            "nothing in software; check that the firmware does not limit the slot's speed",
            _subjects(group),
        )


def _subjects(group: list[Seat]) -> tuple[str, ...]:
    return tuple(str(seat.device.address) for seat in group)
