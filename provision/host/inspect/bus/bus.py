"""The PCI bus as a whole: what was found on it, and the way between any two devices."""

from __future__ import annotations

from dataclasses import dataclass, field

from ...facts import LinkNow, Nic, PciBridge, PciDevice, PciPath
from ..gpus import Paths


@dataclass(frozen=True, slots=True)
class Bus:
    """Devices in order of their addresses."""

    accelerators: tuple[PciDevice, ...] = ()
    nics: tuple[Nic, ...] = ()
    nvswitches: tuple[PciDevice, ...] = ()
    bridges: tuple[PciBridge, ...] = ()
    # Between any two accelerators or NICs; virtual functions go their physical function's way.
    paths: tuple[PciPath, ...] = ()
    links: tuple[LinkNow, ...] = ()  # speeds now, of all of these that tell one
    by_slot: Paths = field(default_factory=dict)  # the same paths by pairs of slots
