"""NVML's numbers as words and units: enumerations of nvml.h, as `nvidia-smi` names them."""

from __future__ import annotations

import re
from typing import Literal

from ...facts import PathClass
from ...facts.gpu import ComputeMode
from ...quantity import PciAddress

# nvmlGpuTopologyLevel_t; 0 is two GPUs on one board.
_ANCESTORS: dict[int, PathClass] = {
    0: "PIX",
    10: "PIX",
    20: "PXB",
    30: "PHB",
    40: "NODE",
    50: "SYS",
}
_COMPUTE_MODES: dict[int, ComputeMode] = {
    0: "default",
    1: "exclusive-thread",
    2: "prohibited",
    3: "exclusive-process",
}
_REASONS = (  # nvmlClocksEventReason*, by bit
    "gpu-idle",
    "app-clocks",
    "sw-power-cap",
    "hw-slowdown",
    "sync-boost",
    "sw-thermal",
    "hw-thermal",
    "hw-power-brake",
    "display",
    "board-limit",
    "reliability",
)
_ACTIONS = (  # nvmlDeviceGpuRecoveryAction_t
    "none",
    "reset",
    "reboot",
    "drain-p2p",
    "drain-and-reset",
    "recover-imex-domain",
    "bus-reset",
    "system-reboot",
)
_FABRIC_STATES = ("not-supported", "not-started", "in-progress", "completed")
_P2P = ("OK", "CNS", "GNS", "TNS", "DR", "NS")  # nvmlGpuP2PStatus_t; 6 is unknown
_KINDS: dict[int, Literal["gpu", "switch", "npu"]] = {0: "gpu", 1: "npu", 2: "switch"}
_SPEEDS = {1: 2.5, 2: 5.0, 3: 8.0, 4: 16.0, 5: 32.0, 6: 64.0}
FABRIC_COMPLETED = 3


def path_class(ancestor: int | None) -> PathClass | None:
    """The PCIe path by nvmlDeviceGetTopologyCommonAncestor."""
    return None if ancestor is None else _ANCESTORS.get(ancestor)


def compute_mode(number: int | None) -> ComputeMode | None:
    return None if number is None else _COMPUTE_MODES.get(number)


def throttle_reasons(bits: int | None) -> tuple[str, ...] | None:
    """What holds the clocks now, by bit; `bit-11` of those that came after this program."""
    if bits is None or bits < 0:
        return None
    return tuple(
        _REASONS[bit] if bit < len(_REASONS) else f"bit-{bit}"
        for bit in range(bits.bit_length())
        if bits >> bit & 1
    )


def recovery_action(number: int | None) -> str | None:
    """What the driver asks for after a fault; `action-8` of those that came later."""
    if number is None or number < 0:
        return None
    return _ACTIONS[number] if number < len(_ACTIONS) else f"action-{number}"


def fabric_word(state: int | None, status: int | None) -> str | None:
    """The state of the NVSwitch fabric; `failed` when it was completed with an error."""
    if state is None or not 0 <= state < len(_FABRIC_STATES):
        return None
    return "failed" if state == FABRIC_COMPLETED and status else _FABRIC_STATES[state]


def p2p_word(status: int | None) -> str | None:
    """`OK`, or why not, as `nvidia-smi topo -p2p r` says it."""
    return _P2P[status] if status is not None and 0 <= status < len(_P2P) else None


def remote_kind(number: int | None) -> Literal["gpu", "switch", "npu"] | None:
    return None if number is None else _KINDS.get(number)


def link_speed(generation: int | None) -> float | None:
    """GT/s of a PCIe generation."""
    return None if generation is None else _SPEEDS.get(generation)


def mig_profile(name: str | None) -> str | None:
    """`1g.10gb` of `NVIDIA H100 80GB HBM3 MIG 1g.10gb`."""
    match = re.search(r"\bMIG (\S+)$", name or "")
    return match[1] if match else None


def address(bus: str | None) -> PciAddress | None:
    """A bus id as NVML writes it; None when it is none."""
    try:
        return PciAddress.parse(bus) if bus else None
    except ValueError:
        return None


def mib(number: int | None) -> int | None:
    """Of bytes."""
    return None if number is None else number >> 20


def watts(milliwatts: int | None) -> float | None:
    return None if milliwatts is None else milliwatts / 1000
