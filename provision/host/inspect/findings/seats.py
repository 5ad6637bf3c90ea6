"""Cards in their slots: both ends of the link that decides what a card gets."""

from __future__ import annotations

from dataclasses import dataclass

from ...facts import PciBridge, PciDevice, PcieLink
from ...quantity import PciAddress
from ..gpus import slot
from .case import Case
from .kinds import chip_to_chip, laptop


@dataclass(frozen=True, slots=True)
class Seat:
    """A card and the port it is plugged into."""

    device: PciDevice
    end: PciAddress  # whose link files tell the card's own end
    link: PcieLink
    port: PciBridge | None  # the other end
    name: str | None  # as the driver names the card, else the bus

    @property
    def port_link(self) -> PcieLink:
        return (self.port.link if self.port else None) or PcieLink()

    @property
    def speed(self) -> float | None:
        """GT/s that both ends can do."""
        ends = (self.link.speed_max, self.port_link.speed_max)
        return min((one for one in ends if one is not None), default=None)


def seat_of(case: Case, device: PciDevice) -> Seat | None:
    """Where a card sits; None where its link tells nothing."""
    gpu = case.served.get(slot(device.address))
    if device.vendor is None or device.virtual or device.integrated or device.answers is False:
        return None
    if gpu and (gpu.integrated or gpu.memory_node is not None or gpu.addressing_mode == "ATS"):
        return None
    for name in (device.name, gpu.name if gpu else None):
        if laptop(name) or chip_to_chip(name):
            return None
    end, link, above = device.address, device.link, device.bridges
    own = _own_switch(case, device)
    if own is not None:
        end, link, above = own.address, own.link, device.bridges[:-2]
    if link is None:
        return None
    port = case.bridges.get(above[-1]) if above else None
    return Seat(device, end, link, port, gpu.name if gpu else device.name)


def _own_switch(case: Case, device: PciDevice) -> PciBridge | None:
    """The upstream port of the switch that AMD's and Intel's discrete GPUs carry on the card.

    The GPU behind it always reports the same inner link (AMD x16; Intel Arc x1 at 2.5 GT/s); the
    link to the slot is that of the switch's upstream port.
    """
    if len(device.bridges) < 3:
        return None
    upstream = case.bridges.get(device.bridges[-2])
    if upstream is None or upstream.kind != "upstream":
        return None
    return upstream if upstream.vendor_id == device.vendor_id else None
