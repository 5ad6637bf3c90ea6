"""What a driver says of GPUs that it cannot use, each with the card that it is about."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from ...quantity import PciAddress
from ..gpus import Slot, slot
from .case import Case
from .names import ago

_OFF_THE_BUS = 79
_ADDRESS = re.compile(r"\b[0-9a-fA-F]{4,8}:[0-9a-fA-F]{2}:[0-9a-fA-F]{2}\.[0-7]\b")
_LOST = re.compile(r"\blost\b|fallen off", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Complaint:
    """One sentence about one GPU."""

    who: str  # GPU 3 (0000:c1:00.0); GPU 3 of NVML; AMD GPU 0 (0000:03:00.0)
    why: str  # GPU is lost
    where: Slot | None = None  # None: it cannot be told which card it is

    @property
    def lost(self) -> bool:
        return bool(_LOST.search(self.why))

    @property
    def of_amd(self) -> bool:
        return self.who.startswith("AMD ")


def complaints(case: Case) -> tuple[Complaint, ...]:
    """All that was said; NVML's own index of a GPU that it cannot open is turned into its card.

    Such a GPU tells no address. It is one of those on the bus that the driver does not list; a
    lost one is, as long as there are enough, one that log or bus show to be gone.
    """
    told = [_read(text) for text in case.observed.complaints]
    named = {one.where for one in told}
    hidden = sorted(where for where in _hidden(case) if where not in named)
    nameless = [one for one in told if one.where is None]
    lost = [one for one in nameless if one.lost]
    signed = [where for where in hidden if where in signs_of_loss(case)]
    places = dict(zip(lost, signed, strict=False))
    left = [one for one in nameless if one not in places]
    free = [where for where in hidden if where not in places.values()]
    if len(left) == len(free) and len({one.why for one in left}) == 1:
        places.update(zip(left, free, strict=True))
    return tuple(_placed(case, one, places.get(one)) for one in told)


def signs_of_loss(case: Case) -> dict[Slot, list[str]]:
    """Cards that log or bus show to be gone.

    An Xid 79 alone is not enough: a GPU that the driver serves again was reset since.
    """
    found: dict[Slot, list[str]] = {}
    for xid in case.volatile.xids:
        where = slot(xid.address)
        if xid.number == _OFF_THE_BUS and not xid.switch and where not in case.served:
            found.setdefault(where, []).append(f"Xid {_OFF_THE_BUS} {ago(xid.seconds_ago)}")
    for device in case.stable.accelerators:
        where = slot(device.address)
        if device.answers is False and where not in case.served:
            found.setdefault(where, []).append("its configuration space reads as all ones")
    return found


def lost_slots(case: Case) -> dict[Slot, list[str]]:
    """GPUs that are gone although the bus still lists them, and all that says so."""
    found = signs_of_loss(case)
    for one in complaints(case):
        if one.where is not None and one.lost:
            found.setdefault(one.where, []).append("the driver calls it lost")
    return found


def device_of(case: Case, where: Slot) -> str:
    """The address of what is in a slot, by the bus where it lists it."""
    for device in case.stable.accelerators:
        if slot(device.address) == where:
            return str(device.address)
    return str(PciAddress(*where, 0))


def _read(text: str) -> Complaint:
    who, _, why = text.partition(": ")
    match = _ADDRESS.search(text)
    return Complaint(who, why or text, slot(PciAddress.parse(match[0])) if match else None)


def _hidden(case: Case) -> set[Slot]:
    """Cards of NVIDIA that its driver holds and does not list, and those gone from the bus too."""
    there = {
        slot(one.address)
        for one in case.on_bus("nvidia")
        if one.driver not in ("nouveau", "vfio-pci")
    }
    gone = {slot(one.address) for one in case.volatile.xids if one.number == _OFF_THE_BUS}
    return {where for where in there | gone if where not in case.served}


def _placed(case: Case, one: Complaint, where: Slot | None) -> Complaint:
    if where is None:
        return one
    return replace(one, who=f"GPU {device_of(case, where)}", where=where)
