"""Facts: what a host is (stable), what moves on it (volatile). Unknown is None, never 0 or ""."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Literal

from .errors import Diagnostic
from .quantity import CpuSet, PciAddress

Vendor = Literal["nvidia", "amd", "intel"]
PathClass = Literal["PIX", "PXB", "PHB", "NODE", "SYS"]


@dataclass(frozen=True, slots=True)
class InspectRequest:
    """What the spec points at and the host half must look at: absolute paths."""

    VERSION: ClassVar[int] = 1
    version: int = 1
    paths: tuple[str, ...] = ()  # model files, model folders, key files
    venvs: tuple[str, ...] = ()  # virtual environments that hold vllm
    binaries: tuple[str, ...] = ()  # engine programs besides those on PATH


@dataclass(frozen=True, slots=True)
class System:
    hostname: str
    kernel: str | None = None  # 6.1.0-18-amd64
    architecture: str | None = None  # x86_64
    distribution: str | None = None  # debian 12
    pretty_name: str | None = None
    systemd: int | None = None  # 252
    cgroup: Literal["v1", "hybrid", "v2"] | None = None
    python: str | None = None  # interpreter >= 3.10 for the units, /usr/bin/python3
    numactl: str | None = None  # its path
    memory_mib: int | None = None
    numa_balancing: int | None = None
    ephemeral_ports: tuple[int, ...] = ()  # net.ipv4.ip_local_port_range: first, last
    container: str | None = None  # systemd-detect-virt's word, None on bare metal or unknown


@dataclass(frozen=True, slots=True)
class Cpu:
    model: str | None = None
    online: CpuSet = CpuSet()
    offline: CpuSet = CpuSet()
    allowed: CpuSet | None = None  # what the inspecting process itself may use
    sockets: int | None = None
    cores: tuple[CpuSet, ...] = ()  # online SMT siblings, one set a physical core, by first CPU


@dataclass(frozen=True, slots=True)
class NumaNode:
    """A node. Without CPUs (HBM, CXL, GPU memory) cpus is empty; distances are by node id."""

    id: int
    cpus: CpuSet = CpuSet()
    memory_mib: int | None = None
    distances: Mapping[int, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PcieLink:
    """Link of a device. Speeds in GT/s; the current speed drops when idle and proves nothing."""

    speed: float | None = None
    speed_max: float | None = None
    width: int | None = None
    width_max: int | None = None


@dataclass(frozen=True, slots=True)
class PciDevice:
    """An accelerator on the PCI bus, whether or not a driver knows it."""

    address: PciAddress
    vendor_id: str  # "10de"
    device_id: str  # "2330"
    class_code: str  # "0302"
    vendor: Vendor | None = None
    numa_node: int | None = None
    local_cpus: CpuSet | None = None
    driver: str | None = None
    link: PcieLink | None = None


@dataclass(frozen=True, slots=True)
class MigDevice:
    uuid: str
    profile: str | None = None
    memory_mib: int | None = None


@dataclass(frozen=True, slots=True)
class Gpu:
    """A GPU that a driver serves. index is NVML's (PCI order), valid for this boot only."""

    index: int
    uuid: str
    address: PciAddress
    vendor: Vendor = "nvidia"
    name: str | None = None
    memory_mib: int | None = None
    numa_node: int | None = None  # node of the CPUs next to it
    local_cpus: CpuSet | None = None
    compute_capability: str | None = None
    power_min_watts: float | None = None
    power_max_watts: float | None = None
    power_default_watts: float | None = None
    link: PcieLink | None = None
    mig: bool | None = None  # MIG mode on
    mig_devices: tuple[MigDevice, ...] = ()
    xgmi_hive: str | None = None  # AMD


@dataclass(frozen=True, slots=True)
class GpuLink:
    """How two GPUs are joined: the PCIe path class and the number of NVLinks (or XGMI links)."""

    a: str  # UUIDs, a before b in index order
    b: str
    path: PathClass | None = None
    nvlinks: int = 0
    p2p: bool | None = None


@dataclass(frozen=True, slots=True)
class Driver:
    vendor: Vendor
    version: str | None = None  # 580.95.05
    cuda: str | None = None  # 13.0
    problem: str | None = None  # why NVML could not be asked, in its own words


@dataclass(frozen=True, slots=True)
class EngineFound:
    """An engine's program on the host. path is what a unit would start."""

    engine: str  # ollama, vllm, llama-server
    path: str
    version: str | None = None
    venv: str | None = None


@dataclass(frozen=True, slots=True)
class NginxFound:
    path: str
    version: str | None = None  # 1.22.1
    configuration: str = "/etc/nginx/nginx.conf"
    modules: tuple[str, ...] = ()  # names of static http modules that matter


@dataclass(frozen=True, slots=True)
class PathFound:
    """One path of the request. kind None: it does not exist (or may not be seen)."""

    path: str
    kind: Literal["file", "directory", "other"] | None = None
    size_bytes: int | None = None  # a file's size
    free_bytes: int | None = None  # room left where it lies
    readable: bool | None = None  # by the inspecting user


@dataclass(frozen=True, slots=True)
class Stable:
    """What stays until hardware or software changes; a saved plan is checked against this."""

    system: System
    cpu: Cpu = Cpu()
    numa_nodes: tuple[NumaNode, ...] = ()
    accelerators: tuple[PciDevice, ...] = ()
    drivers: tuple[Driver, ...] = ()
    gpus: tuple[Gpu, ...] = ()
    gpu_links: tuple[GpuLink, ...] = ()
    engines: tuple[EngineFound, ...] = ()
    nginx: NginxFound | None = None
    users: tuple[str, ...] = ()  # those of the engines that exist already
    paths: tuple[PathFound, ...] = ()


@dataclass(frozen=True, slots=True)
class GpuNow:
    uuid: str
    memory_used_mib: int | None = None
    persistence: bool | None = None
    power_limit_watts: float | None = None
    power_draw_watts: float | None = None


@dataclass(frozen=True, slots=True)
class Listener:
    """A listening TCP socket and who holds it. unit is the owning systemd unit."""

    address: str
    port: int
    pid: int | None = None
    program: str | None = None
    unit: str | None = None


@dataclass(frozen=True, slots=True)
class GpuProcess:
    gpu: str
    pid: int
    memory_mib: int | None = None
    program: str | None = None
    unit: str | None = None


@dataclass(frozen=True, slots=True)
class UnitNow:
    """A unit that matters here: ours, the vendors' own (ollama.service), nginx, persistenced."""

    name: str
    active: str  # active, inactive, failed, activating
    enabled: str | None = None  # systemctl is-enabled's word
    main_pid: int | None = None
    fragment: str | None = None  # path of the unit file


@dataclass(frozen=True, slots=True)
class Placed:
    """Where an instance of ours is placed today, from the host's own record."""

    instance: str  # chat.0
    engine: str
    unit: str
    gpus: tuple[str, ...] = ()
    nodes: tuple[int, ...] = ()
    cpus: CpuSet = CpuSet()
    port: int | None = None
    ports: tuple[int, ...] = ()  # all that are kept for it, internal ones too


@dataclass(frozen=True, slots=True)
class Volatile:
    gpus: tuple[GpuNow, ...] = ()
    listeners: tuple[Listener, ...] = ()
    gpu_processes: tuple[GpuProcess, ...] = ()
    units: tuple[UnitNow, ...] = ()
    placed: tuple[Placed, ...] = ()


@dataclass(frozen=True, slots=True)
class Facts:
    VERSION: ClassVar[int] = 1
    version: int
    stable: Stable
    volatile: Volatile = Volatile()
    findings: tuple[Diagnostic, ...] = ()

    def gpu(self, uuid: str) -> Gpu | None:
        """The GPU of this UUID."""
        return next((gpu for gpu in self.stable.gpus if gpu.uuid == uuid), None)

    def node(self, number: int) -> NumaNode | None:
        """The NUMA node of this id."""
        return next((node for node in self.stable.numa_nodes if node.id == number), None)
