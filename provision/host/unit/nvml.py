"""The door to NVIDIA GPUs for guard, settings and verify: who is there, what is set, set it.

pynvml is loaded only when a GPU is asked about: a host without a driver runs all the rest. NVML
wants root for the setters. A GPU is its UUID; NVML's own index is never used.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, TypeVar

from ..bundle import GuardGpu
from ..errors import ProvisionError, fail
from ..quantity import PciAddress

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class GpuReading:
    """Settings of a GPU now, in watts; None: the card or driver does not tell (laptops, vGPU)."""

    uuid: str
    address: PciAddress
    persistence: bool | None = None
    power_limit_watts: float | None = None
    enforced_watts: float | None = None
    power_min_watts: float | None = None
    power_max_watts: float | None = None


class Nvml:
    """An open session; made by nvml()."""

    def __init__(self, module: types.ModuleType) -> None:
        self._nvml = module

    def present(self) -> tuple[GuardGpu, ...]:
        """Every GPU that the driver serves, in PCI order, which is CUDA's PCI_BUS_ID order."""
        found: list[GuardGpu] = []
        for index in range(self._call("count the GPUs", self._nvml.nvmlDeviceGetCount)):
            try:
                handle = self._nvml.nvmlDeviceGetHandleByIndex(index)
                found.append(self._identity(handle))
            except self._nvml.NVMLError:  # a lost card does not hide the others
                continue
        return tuple(sorted(found, key=lambda gpu: gpu.address))

    def slices(self) -> tuple[GuardGpu, ...]:
        """Every MIG slice: its own UUID at the address of its card, in PCI order."""
        found: list[GuardGpu] = []
        for index in range(self._call("count the GPUs", self._nvml.nvmlDeviceGetCount)):
            try:
                card = self._nvml.nvmlDeviceGetHandleByIndex(index)
                found += self._slices_of(card, self._identity(card).address)
            except self._nvml.NVMLError:  # a lost card does not hide the others' slices
                continue
        return tuple(sorted(found, key=lambda gpu: (gpu.address, gpu.uuid)))

    def read(self, uuid: str) -> GpuReading:
        """Settings of one GPU."""
        handle = self._handle(uuid)
        gpu = self._identity(handle)
        low, high = self._maybe(
            lambda: self._nvml.nvmlDeviceGetPowerManagementLimitConstraints(handle)
        ) or (None, None)
        persistence = self._maybe(lambda: self._nvml.nvmlDeviceGetPersistenceMode(handle))
        return GpuReading(
            uuid,
            gpu.address,
            None if persistence is None else bool(persistence),
            _watts(self._maybe(lambda: self._nvml.nvmlDeviceGetPowerManagementLimit(handle))),
            _watts(self._maybe(lambda: self._nvml.nvmlDeviceGetEnforcedPowerLimit(handle))),
            _watts(low),
            _watts(high),
        )

    def set_persistence(self, uuid: str, on: bool) -> None:
        """Persistence mode; ProvisionError `gpu-setting` with NVML's reason."""
        handle = self._handle(uuid)
        self._call(
            f"set persistence of {uuid}",
            lambda: self._nvml.nvmlDeviceSetPersistenceMode(handle, int(on)),
        )

    def set_power_limit(self, uuid: str, watts: float) -> None:
        """Power limit; ProvisionError `gpu-setting` with NVML's reason.

        Not by nvmlDeviceSetPowerManagementLimit_v2: in nvidia-ml-py 13 it never looks at the
        return code, so that a refused limit seems to be set.
        """
        handle = self._handle(uuid)
        self._call(
            f"set the power limit of {uuid} to {watts:g} W",
            lambda: self._nvml.nvmlDeviceSetPowerManagementLimit(handle, round(watts * 1000)),
        )

    def processes(self, uuid: str) -> tuple[int, ...] | None:
        """Process ids that compute on a GPU or slice; None where NVML does not tell.

        A card in MIG mode lists the processes of its slices too.
        """
        handle = self._handle(uuid)
        found = self._maybe(lambda: self._nvml.nvmlDeviceGetComputeRunningProcesses(handle))
        return None if found is None else tuple(sorted({int(one.pid) for one in found}))

    def _handle(self, uuid: str) -> Any:
        return self._call(
            f"find {uuid}", lambda: self._nvml.nvmlDeviceGetHandleByUUID(uuid.encode())
        )

    def _identity(self, handle: Any) -> GuardGpu:
        uuid = _text(self._nvml.nvmlDeviceGetUUID(handle))
        pci = self._nvml.nvmlDeviceGetPciInfo(handle)
        return GuardGpu(uuid, PciAddress.parse(_text(pci.busId)))

    def _slices_of(self, card: Any, address: PciAddress) -> list[GuardGpu]:
        """Slices of one card; none where MIG is off or the driver does not know it."""
        most = self._maybe(lambda: self._nvml.nvmlDeviceGetMaxMigDeviceCount(card)) or 0
        uuids = [self._slice_uuid(card, slot) for slot in range(most)]
        return [GuardGpu(uuid, address) for uuid in uuids if uuid is not None]

    def _slice_uuid(self, card: Any, slot: int) -> str | None:
        """None for a free slot, which is a hole in the numbering and not its end."""
        try:
            handle = self._nvml.nvmlDeviceGetMigDeviceHandleByIndex(card, slot)
            return _text(self._nvml.nvmlDeviceGetUUID(handle))
        except self._nvml.NVMLError:
            return None

    def _call(self, what: str, function: Callable[[], T]) -> T:
        try:
            return function()
        except self._nvml.NVMLError as error:
            raise fail("gpu-setting", f"could not {what}: {error}") from None

    def _maybe(self, function: Callable[[], T]) -> T | None:
        try:
            return function()
        except self._nvml.NVMLError:
            return None


@contextmanager
def nvml() -> Iterator[Nvml]:
    """A session with the driver; ProvisionError `no-driver` when there is none (yet)."""
    module = _module()
    try:
        module.nvmlInit()
    except module.NVMLError as error:
        raise fail("no-driver", f"the NVIDIA driver does not answer: {error}") from None
    try:
        yield Nvml(module)
    finally:
        with suppress(module.NVMLError):  # the driver went away meanwhile; nothing is left open
            module.nvmlShutdown()


def readings(uuids: tuple[str, ...]) -> dict[str, GpuReading] | str:
    """Settings of these GPUs, or why they cannot be read."""
    try:
        with nvml() as session:
            return {uuid: session.read(uuid) for uuid in uuids}
    except ProvisionError as error:
        return error.diagnostics[0].message


def _module() -> types.ModuleType:
    try:
        import pynvml
    except ImportError:
        raise fail(
            "no-nvml", "the Python module pynvml is missing", "pip install nvidia-ml-py"
        ) from None
    module: types.ModuleType = pynvml
    return module


def _watts(milliwatts: int | None) -> float | None:
    return None if milliwatts is None else milliwatts / 1000


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value
