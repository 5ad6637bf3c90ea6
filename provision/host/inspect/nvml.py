"""What the NVIDIA driver says, one call at a time: any call may be refused, unsupported or missing.

pynvml resolves each symbol at its first call, so an old driver raises FunctionNotFound there; GPUs
of many kinds answer NotSupported. Each answer stands alone: what was not told is None.
"""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

_MOST_MIG_DEVICES = 64
_P2P_READ = 0  # pynvml's NVML_P2P_CAPS_INDEX_READ is the tuple (0,) by mistake (13.615): TypeError
_P2P_NVLINK = 2
_P2P_UNKNOWN = 6


@dataclass(frozen=True, slots=True)
class NvmlLink:
    """One active NVLink. kind: 0 GPU, 1 IBM NPU, 2 NVSwitch, None not told."""

    kind: int | None
    remote: str | None  # PCI address of the other end


@dataclass(frozen=True, slots=True)
class NvmlProcess:
    pid: int
    memory_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class NvmlMig:
    uuid: str
    name: str | None = None  # NVIDIA H100 80GB HBM3 MIG 1g.10gb
    memory_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class NvmlGpu:
    """One GPU's answers. Power in milliwatt, memory in bytes, as NVML gives them."""

    index: int  # NVML's, or the line of nvidia-smi: not stable over boots
    uuid: str | None
    bus: str | None
    name: str | None = None
    memory_bytes: int | None = None
    used_bytes: int | None = None
    capability: str | None = None
    power_min: int | None = None
    power_max: int | None = None
    power_default: int | None = None
    power_limit: int | None = None
    power_draw: int | None = None
    persistence: bool | None = None
    mig: bool | None = None
    mig_devices: tuple[NvmlMig, ...] = ()
    links: tuple[NvmlLink, ...] = ()
    processes: tuple[NvmlProcess, ...] = ()


@dataclass(frozen=True, slots=True)
class NvmlPair:
    """Two GPUs by index. ancestor: nvmlGpuTopologyLevel_t; p2p by reads, nvlink by NVLink."""

    a: int
    b: int
    ancestor: int | None = None
    p2p: bool | None = None
    nvlink: bool | None = None


@dataclass(frozen=True, slots=True)
class NvmlAnswers:
    """All answers of one sitting. problem: why nothing could be asked; lost: GPUs not opened."""

    version: str | None = None
    cuda: str | None = None
    problem: str | None = None
    gpus: tuple[NvmlGpu, ...] = ()
    pairs: tuple[NvmlPair, ...] = ()
    lost: tuple[str, ...] = ()


def ask_nvml() -> NvmlAnswers:
    """Ask the driver everything; its own words in `problem` when it cannot be asked at all."""
    try:
        nvml: Any = importlib.import_module("pynvml")
    except ImportError as error:
        return NvmlAnswers(problem=f"the Python module pynvml is missing: {error}")
    try:
        with opened(nvml):
            return Sitting(nvml).answers()
    except nvml.NVMLError as error:
        return NvmlAnswers(problem=str(error))


@contextlib.contextmanager
def opened(nvml: Any) -> Iterator[None]:
    """NVML between init and shutdown; NVMLError when the driver cannot be reached."""
    nvml.nvmlInit()
    try:
        yield
    finally:
        with contextlib.suppress(nvml.NVMLError):
            nvml.nvmlShutdown()


@dataclass(frozen=True, slots=True)
class Sitting:
    """NVML while it is open: each method is one question, None where it is not answered."""

    nvml: Any  # the module pynvml

    def ask(self, call: Callable[..., Any], *words: Any) -> Any:
        """One call's answer, None for every way in which a driver declines."""
        nvml = self.nvml
        try:
            return call(*words)
        except (nvml.NVMLError, nvml.NVMLLibraryMismatchError, UnicodeDecodeError):
            return None

    def answers(self) -> NvmlAnswers:
        """Everything. Raises NVMLError when not even the number of GPUs is told."""
        nvml = self.nvml
        handles: dict[int, Any] = {}
        lost: list[str] = []
        for index in range(nvml.nvmlDeviceGetCount()):
            try:
                handles[index] = nvml.nvmlDeviceGetHandleByIndex(index)
            except nvml.NVMLError as error:  # GPU is lost; a container that may not see it
                lost.append(f"GPU {index} of NVML: {error}")
        return NvmlAnswers(
            version=self.ask(nvml.nvmlSystemGetDriverVersion),
            cuda=self.cuda(),
            gpus=tuple(self.gpu(index, handle) for index, handle in handles.items()),
            pairs=tuple(
                self.pair(a, b, handles[a], handles[b]) for a in handles for b in handles if a < b
            ),
            lost=tuple(lost),
        )

    def cuda(self) -> str | None:
        """The newest CUDA that the driver can serve: 13000 is 13.0."""
        number = self.ask(self.nvml.nvmlSystemGetCudaDriverVersion_v2)
        return f"{number // 1000}.{number % 1000 // 10}" if number else None

    def gpu(self, index: int, handle: Any) -> NvmlGpu:
        nvml = self.nvml
        memory = self.memory(handle)
        capability = self.ask(nvml.nvmlDeviceGetCudaComputeCapability, handle)
        power = self.ask(nvml.nvmlDeviceGetPowerManagementLimitConstraints, handle) or (None, None)
        persistence = self.ask(nvml.nvmlDeviceGetPersistenceMode, handle)
        mig = self.ask(nvml.nvmlDeviceGetMigMode, handle)
        return NvmlGpu(
            index=index,
            uuid=self.ask(nvml.nvmlDeviceGetUUID, handle) or None,
            bus=self.bus(handle),
            name=self.ask(nvml.nvmlDeviceGetName, handle) or None,
            memory_bytes=memory.total if memory else None,
            used_bytes=memory.used if memory else None,
            capability=f"{capability[0]}.{capability[1]}" if capability else None,
            power_min=power[0],
            power_max=power[1],
            power_default=self.ask(nvml.nvmlDeviceGetPowerManagementDefaultLimit, handle),
            power_limit=self.ask(nvml.nvmlDeviceGetPowerManagementLimit, handle),
            power_draw=self.ask(nvml.nvmlDeviceGetPowerUsage, handle),
            persistence=None if persistence is None else bool(persistence),
            mig=bool(mig[0]) if mig else None,
            mig_devices=tuple(self.mig_devices(handle)) if mig and mig[0] else (),
            links=tuple(self.links(handle)),
            processes=self.processes(handle),
        )

    def memory(self, handle: Any) -> Any:
        """Version 2 (driver 510) keeps apart what the driver reserves; the first calls it used."""
        nvml = self.nvml
        newer = self.ask(nvml.nvmlDeviceGetMemoryInfo, handle, nvml.nvmlMemory_v2)
        return newer or self.ask(nvml.nvmlDeviceGetMemoryInfo, handle)

    def bus(self, handle: Any) -> str | None:
        info = self.ask(self.nvml.nvmlDeviceGetPciInfo_v3, handle)
        return address_text(info.busId) if info else None

    def mig_devices(self, handle: Any) -> Iterator[NvmlMig]:
        nvml = self.nvml
        most = self.ask(nvml.nvmlDeviceGetMaxMigDeviceCount, handle) or 0
        for index in range(min(most, _MOST_MIG_DEVICES)):
            # NotFound is a hole in the numbering, not its end.
            device = self.ask(nvml.nvmlDeviceGetMigDeviceHandleByIndex, handle, index)
            uuid = self.ask(nvml.nvmlDeviceGetUUID, device) if device else None
            if uuid:
                memory = self.memory(device)
                name = self.ask(nvml.nvmlDeviceGetName, device)
                yield NvmlMig(uuid, name or None, memory.total if memory else None)

    def links(self, handle: Any) -> Iterator[NvmlLink]:
        """The active NVLinks of a GPU; a GPU without any declines the first question."""
        nvml = self.nvml
        for link in range(nvml.NVML_NVLINK_MAX_LINKS):
            try:
                if nvml.nvmlDeviceGetNvLinkState(handle, link) != nvml.NVML_FEATURE_ENABLED:
                    continue
            except nvml.NVMLError_InvalidArgument:
                return  # past the last link of this GPU
            except nvml.NVMLError:
                if link == 0:
                    return
                continue
            remote = self.ask(nvml.nvmlDeviceGetNvLinkRemotePciInfo, handle, link)
            yield NvmlLink(
                kind=self.ask(nvml.nvmlDeviceGetNvLinkRemoteDeviceType, handle, link),
                remote=address_text(remote.busId) if remote else None,
            )

    def processes(self, handle: Any) -> tuple[NvmlProcess, ...]:
        """Who holds memory of the GPU; a process may compute and draw, and is listed twice then."""
        nvml = self.nvml
        found: dict[int, int | None] = {}
        for call in (
            nvml.nvmlDeviceGetComputeRunningProcesses,
            nvml.nvmlDeviceGetGraphicsRunningProcesses,
        ):
            for process in self.ask(call, handle) or ():
                told = [found.get(process.pid), process.usedGpuMemory]
                found[process.pid] = max((one for one in told if one is not None), default=None)
        return tuple(NvmlProcess(pid, memory) for pid, memory in sorted(found.items()))

    def pair(self, a: int, b: int, one: Any, other: Any) -> NvmlPair:
        nvml = self.nvml
        return NvmlPair(
            a,
            b,
            ancestor=self.ask(nvml.nvmlDeviceGetTopologyCommonAncestor, one, other),
            p2p=self._p2p(one, other, _P2P_READ),
            nvlink=self._p2p(one, other, _P2P_NVLINK),
        )

    def _p2p(self, one: Any, other: Any, index: int) -> bool | None:
        status = self.ask(self.nvml.nvmlDeviceGetP2PStatus, one, other, index)
        return None if status is None or status == _P2P_UNKNOWN else status == 0


def address_text(bus: bytes | str) -> str | None:
    """NVML's bus id as text: `00000000:17:00.0`; None when it is empty."""
    text = bus.decode("ascii", "replace") if isinstance(bus, bytes) else bus
    return text.strip("\0 ") or None
