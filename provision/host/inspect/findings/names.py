"""Names of things as people know them: GPU index, name and address; amounts; spans of time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ...facts import Gpu, PciDevice
from ...quantity import CpuSet
from ..gpus import slot
from .case import Case

_VENDORS = {"nvidia": "NVIDIA", "amd": "AMD", "intel": "Intel"}
_MOST_LISTED = 4


def gpus_named(case: Case, gpus: Iterable[Gpu]) -> str:
    """`GPU 3 (NVIDIA L40S, 0000:c1:00.0)`, `GPUs 0-7 (NVIDIA L40S)`.

    Each vendor counts its GPUs from 0: on machines of several vendors the vendor is told too.
    """
    several = len({gpu.vendor for gpu in case.stable.gpus}) > 1
    parts: list[str] = []
    all_of_them = list(gpus)
    for vendor in _VENDORS:
        of_vendor = [gpu for gpu in all_of_them if gpu.vendor == vendor]
        if of_vendor:
            parts.append((f"{_VENDORS[vendor]} " if several else "") + _of_one_vendor(of_vendor))
    return " and ".join(parts)


def _of_one_vendor(gpus: Sequence[Gpu]) -> str:
    if len(gpus) == 1:
        (gpu,) = gpus
        return f"GPU {gpu.index} ({', '.join(filter(None, (gpu.name, str(gpu.address))))})"
    indices = CpuSet.of(gpu.index for gpu in gpus)
    names = {gpu.name for gpu in gpus}
    if len(names) == 1:
        (name,) = names
        return f"GPUs {indices}" + (f" ({name})" if name else "")
    if len(gpus) <= _MOST_LISTED:
        return listed(f"GPU {gpu.index}" + (f" ({gpu.name})" if gpu.name else "") for gpu in gpus)
    return f"GPUs {indices}"


def devices_named(case: Case, devices: Sequence[PciDevice]) -> str:
    """The same of devices on the bus; by address and the bus's own name where no driver serves."""
    served = [case.served[slot(one.address)] for one in devices if slot(one.address) in case.served]
    others = [one for one in devices if slot(one.address) not in case.served]
    parts = [gpus_named(case, served)] if served else []
    if len(others) == 1:
        (one,) = others
        parts.append(f"GPU {one.address}" + (f" ({one.name})" if one.name else ""))
    elif others:
        parts.append("GPUs " + listed(str(one.address) for one in others))
    return " and ".join(parts)


def listed(words: Iterable[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    *most, last = words
    return f"{', '.join(most)} and {last}" if most else last


def only(case: Case, gpus: Iterable[Gpu]) -> str:
    """`-i 0,3` for nvidia-smi.

    By address where the driver has a GPU that we do not: nvidia-smi counts it, we do not, and the
    next index would be another card's.
    """
    by_address = bool(case.observed.complaints)
    names = (str(gpu.address) if by_address else str(gpu.index) for gpu in gpus)
    return f"-i {','.join(names)}"


def reset(case: Case, gpus: Iterable[Gpu]) -> str:
    """The command that resets GPUs, with what it wants first."""
    return f"stop what uses it, then nvidia-smi {only(case, gpus)} --gpu-reset"


def each(found: Sequence[tuple[Gpu, str]]) -> str:
    """Values of GPUs that were named already: `3`, or `GPU 0: 3, GPU 2: 1`."""
    if len(found) == 1:
        return found[0][1]
    return ", ".join(f"GPU {gpu.index}: {value}" for gpu, value in found)


def hold_driver(case: Case) -> str:
    """What keeps the driver's packages as they are, by the distribution's own tool."""
    name = (case.stable.system.distribution or "").partition(" ")[0]
    if name in ("debian", "ubuntu", "linuxmint", "pop"):
        return "dpkg -l '*nvidia*' | awk '/^ii/ {print $2}' | xargs apt-mark hold"
    if name in ("rhel", "centos", "rocky", "almalinux", "ol", "fedora", "amzn"):
        return "dnf versionlock add '*nvidia*'"
    return "hold the driver's packages (apt-mark hold, dnf versionlock add, zypper addlock)"


def uuids(gpus: Iterable[Gpu]) -> tuple[str, ...]:
    return tuple(gpu.uuid for gpu in gpus)


def verb(count: int, one: str, many: str) -> str:
    """The form that goes with a count."""
    return one if count == 1 else many


def gib(mib: float) -> str:
    """`24 GiB`, `79.6 GiB`; below one GiB `512 MiB`."""
    if abs(mib) < 1024:
        return f"{mib:.0f} MiB"
    return f"{round(mib / 1024, 1):g} GiB"


def watts(value: float) -> str:
    return f"{round(value, 1):g} W"


def ago(seconds: int | None) -> str:
    """`5 min ago`; unknown: `since boot`."""
    if seconds is None:
        return "since boot"
    for size, name in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds // size} {name} ago"
    return f"{max(0, seconds)} s ago"
