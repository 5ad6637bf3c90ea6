"""What the driver asks for after a fault, by nvmlDeviceGpuRecoveryAction_t (R565 and later).

Meanings by NVIDIA's "GPU Memory Error Management", Error Recovery and Response Flags.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Wanted:
    """One action. stopped: the GPU takes no new work until it is done."""

    what: str  # read behind "the driver asks for", before "of GPU 3"
    stopped: bool
    consequence: str
    remedy: str  # {only}: what selects the GPUs for nvidia-smi


_NO_WORK = "after a fault the GPU takes no new work until that is done"
_RESET = "stop what uses it, then nvidia-smi {only} --gpu-reset"
_REBOOT = "reboot the machine"

WANTED: Mapping[str, Wanted] = {
    "reset": Wanted("a reset", True, _NO_WORK, _RESET),
    "reboot": Wanted(
        "a reboot",
        True,
        "the fault may have left the kernel in a state that a reset of the GPU does not mend",
        _REBOOT,
    ),
    "system-reboot": Wanted("a reboot", True, _NO_WORK, _REBOOT),
    "bus-reset": Wanted(
        "a reset of the PCIe bus",
        True,
        _NO_WORK,
        f"{_RESET}; where that is refused, reboot the machine",
    ),
    "drain-p2p": Wanted(
        "an end of peer-to-peer traffic",
        False,
        "after a fault it cannot be told what else is needed before that",
        "stop all programs that use this GPU together with others, then nvidia-smi {only} -q tells"
        " the next action",
    ),
    "drain-and-reset": Wanted(
        "no new work and a reset",
        False,
        "the GPU works on with less than all of its parts; what runs there is not affected",
        "let its work end and start no new, then nvidia-smi {only} --gpu-reset",
    ),
    "recover-imex-domain": Wanted(
        "a recovery of the IMEX domain",
        True,
        "GPUs of other trays cannot share memory with it until that is done",
        "stop the programs of the NVLink domain, then on each of its machines systemctl restart"
        " nvidia-imex",
    ),
}
# Of drivers that came later; what is told is the action's own name.
UNKNOWN = Wanted(
    "",
    True,
    "after a fault the GPU may take no new work until that is done",
    "nvidia-smi {only} -q names the action; a reset of the GPU or a reboot mends most faults",
)
