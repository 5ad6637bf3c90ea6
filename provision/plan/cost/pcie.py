"""PCIe between GPUs: what a link carries, and whether one card reads another's memory."""

from __future__ import annotations

from dataclasses import dataclass

from provision.host.facts import Gpu, PcieLink

# GB/s of one lane in one direction, by GT/s, line coding taken off (PCI-SIG).
_LANE_GBS = {2.5: 0.25, 5.0: 0.5, 8.0: 0.985, 16.0: 1.969, 32.0: 3.938, 64.0: 7.563}
_GENERATION = {2.5: 1, 5.0: 2, 8.0: 3, 16.0: 4, 32.0: 5, 64.0: 6}
_UNKNOWN_SPEED = 8.0  # a virtual machine often hides its links: count on PCIe 3.0
_UNKNOWN_WIDTH = 16


@dataclass(frozen=True, slots=True)
class Lanes:
    """A card's link. gbs: nominal, one direction, 10^9 bytes a second. text: PCIe 4.0 x16."""

    gbs: float
    text: str


def lanes_of(link: PcieLink | None) -> Lanes:
    """Generation and width of a card's link; unknown ones count as PCIe 3.0 x16."""
    speed = link.speed_max if link else None
    width = (link.width or link.width_max) if link else None
    known = speed in _LANE_GBS and bool(width)
    speed = speed if speed in _LANE_GBS else _UNKNOWN_SPEED
    width = width or _UNKNOWN_WIDTH
    text = f"PCIe {_GENERATION[speed]}.0 x{width}" if known else "PCIe of unknown width"
    return Lanes(_LANE_GBS[speed] * width, text)


def peer_access(gpu: Gpu, told: bool | None) -> bool | None:
    """Whether a GPU copies directly over PCIe: what the driver says, else what its kind can do."""
    return False if told is None and geforce_without_peers(gpu) else told


def geforce_without_peers(gpu: Gpu) -> bool:
    """GeForce RTX 20 and later have no peer access over PCIe in NVIDIA's own drivers.

    NVML says "GNS" or "CNS" for such pairs and NCCL goes through the host's memory
    (github.com/NVIDIA/nccl/issues/1639, 8 x RTX 5090; RTX 20 and 30 have it over NVLink only).
    Where the driver was patched it says OK, which counts.
    """
    return "geforce rtx" in (gpu.name or "").lower()
