"""What NVML tells of a GPU's slices (MIG) and of the processes that hold its memory."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from ..answers import NvmlMig, NvmlProcess
from .session import FUNCTION_NOT_FOUND, GPU_IS_LOST, Device, known

_MOST_SLICES = 64
_USUAL_SLICES = 8  # no GPU has more today; asked where the driver does not tell how many
_MOST_PID = 1 << 22  # PID_MAX_LIMIT of 64-bit kernels
_MEMORY_V2 = 0x02000028
_KINDS = ("Compute", "Graphics")


def mig(device: Device, version: str | None) -> dict[str, Any]:
    """MIG mode now and after the next reset, and the slices; version is the driver's."""
    current, pending = device.ask("nvmlDeviceGetMigMode") or (None, None)
    return {
        "mig": None if current is None else bool(current),
        "mig_pending": None if pending is None else bool(pending),
        "mig_devices": _slices(device, version) if current else (),
    }


def _slices(device: Device, version: str | None) -> tuple[NvmlMig, ...]:
    most = device.number("nvmlDeviceGetMaxMigDeviceCount")
    found: list[NvmlMig] = []
    for index in range(min(_USUAL_SLICES if most is None else most, _MOST_SLICES)):
        told = device.question("nvmlDeviceGetMigDeviceHandleByIndex", index)
        if told.code in (FUNCTION_NOT_FOUND, GPU_IS_LOST):
            break
        if told.value is not None:  # NotFound is a hole in the numbering, not its end
            one = _slice(device.slice_of(told.value), version)
            found += [one] if one else []
    return tuple(found)


def _slice(device: Device, version: str | None) -> NvmlMig | None:
    """One slice; nothing without a UUID, since nothing could be placed on it."""
    uuid = device.text("nvmlDeviceGetUUID")
    if uuid is None:
        return None
    memory = device.ask("nvmlDeviceGetMemoryInfo", _MEMORY_V2) or device.ask(
        "nvmlDeviceGetMemoryInfo"
    )
    return NvmlMig(
        uuid,
        name=device.text("nvmlDeviceGetName"),
        memory_bytes=memory.total or None if memory else None,
        gpu_instance=device.number("nvmlDeviceGetGpuInstanceId"),
        compute_instance=device.number("nvmlDeviceGetComputeInstanceId"),
        processes=processes(device, version, (), uuid),
    )


def processes(
    device: Device, version: str | None, slices: Sequence[NvmlMig], uuid: str | None = None
) -> tuple[NvmlProcess, ...]:
    """Who holds memory of a GPU or slice; a process may compute and draw, and counts once then.

    slices: of this GPU, to say on which one a process runs. uuid: of the slice itself.
    """
    by_instance: dict[tuple[int | None, int | None], str] = {
        (one.gpu_instance, one.compute_instance): one.uuid
        for one in slices
        if one.gpu_instance is not None
    }
    found: dict[tuple[int, str | None], int | None] = {}
    for kind in _KINDS:
        for process in _listed(device, kind, version):
            if not 0 < process.pid <= _MOST_PID:
                continue
            instance = (known(process.gpuInstanceId), known(process.computeInstanceId))
            key = (process.pid, uuid or by_instance.get(instance))
            told = [found.get(key), process.usedGpuMemory]
            found[key] = max((one for one in told if one is not None), default=None)
    order = sorted(found, key=lambda key: (key[0], key[1] or ""))
    return tuple(NvmlProcess(pid, found[pid, where], where) for pid, where in order)


def _listed(device: Device, kind: str, version: str | None) -> Sequence[Any]:
    """The processes of one kind; pynvml makes None of memory that is NVML_VALUE_NOT_AVAILABLE."""
    suffixes = ("_v2",) if third_form_is_longer(version) else ("_v3", "_v2")
    for suffix in suffixes:
        told = device.question(f"nvmlDeviceGet{kind}RunningProcesses{suffix}")
        if told.code != FUNCTION_NOT_FOUND:
            return told.value or ()
    return ()


def third_form_is_longer(version: str | None) -> bool:
    """Drivers 535.43 to 535.97, whose third form of the process lists must not be asked.

    Symptom: of several processes only the first has a right pid. Their _v3 calls fill structures
    of 32 bytes, whereas those before (510) and after (545) fill the 24 bytes that nvidia-ml-py
    reads; 535.98 has no _v3 at all (nvitop pull requests 79 and 89, gpustat issue 161).
    """
    match = re.match(r"535\.(\d+)", version or "")
    return match is not None and 43 <= int(match[1]) < 98
