"""One sitting with NVML: the driver, each GPU, each pair of GPUs."""

from __future__ import annotations

import importlib
from typing import Any

from ....quantity import PciAddress
from ..answers import NvmlAnswers, NvmlGpu
from .gpu import gpu_answers
from .links import pair_answers
from .session import Device, Told, address_text, question


def sit() -> NvmlAnswers:
    """Everything that NVML tells; its own words in `problem` when it cannot be asked at all."""
    try:
        nvml: Any = importlib.import_module("pynvml")
    except ImportError as error:
        return NvmlAnswers(problem=f"the Python module pynvml is missing: {error}")
    try:
        nvml.nvmlInit()
        count = nvml.nvmlDeviceGetCount()
    except nvml.NVMLError as error:
        return NvmlAnswers(problem=str(error))
    return answers_of(nvml, count)


def answers_of(nvml: Any, count: int) -> NvmlAnswers:
    """The answers of a module that is initialised and knows so many GPUs."""
    version = _text(question(nvml, "nvmlSystemGetDriverVersion"))
    devices: dict[int, Device] = {}
    lost: list[str] = []
    for index in range(count):
        try:
            devices[index] = Device(nvml, nvml.nvmlDeviceGetHandleByIndex(index), [])
        except nvml.NVMLError as error:  # it is lost; a container may not see it
            lost.append(f"GPU {index} of NVML: {error}")
    gpus = tuple(gpu_answers(index, device, version) for index, device in devices.items())
    lost += [f"GPU {_named(gpu)}: {text}" for gpu in gpus for text in devices[gpu.index].gone]
    return NvmlAnswers(
        version=version,
        cuda=_cuda(nvml),
        gpus=gpus,
        pairs=tuple(
            pair_answers(a, b, devices[a], devices[b]) for a in devices for b in devices if a < b
        ),
        lost=tuple(lost),
    )


def _cuda(nvml: Any) -> str | None:
    """The newest CUDA that the driver can serve: 13000 is 13.0."""
    number = (
        question(nvml, "nvmlSystemGetCudaDriverVersion_v2").value
        or question(nvml, "nvmlSystemGetCudaDriverVersion").value
    )
    return f"{number // 1000}.{number % 1000 // 10}" if number else None


def _named(gpu: NvmlGpu) -> str:
    """`3 (0000:c1:00.0)`, the address as the kernel writes it."""
    bus = address_text(gpu.bus or "")
    try:
        return f"{gpu.index} ({PciAddress.parse(bus)})" if bus else f"{gpu.index} of NVML"
    except ValueError:
        return f"{gpu.index} of NVML"


def _text(told: Told) -> str | None:
    return told.value.decode() if isinstance(told.value, bytes) else told.value or None
