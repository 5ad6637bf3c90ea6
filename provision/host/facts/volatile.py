"""Facts that move: used memory, listeners, processes, units, placements, errors of late."""

from __future__ import annotations

from dataclasses import dataclass

from ..quantity import CpuSet, PciAddress


@dataclass(frozen=True, slots=True)
class GpuNow:
    """A GPU at this moment."""

    uuid: str
    memory_used_mib: int | None = None  # without the driver's reserved part, where told apart
    persistence: bool | None = None  # the driver stays loaded without users
    power_limit_watts: float | None = None  # as set
    power_enforced_watts: float | None = None  # what really holds, the lowest of all limits
    power_draw_watts: float | None = None  # drawn now
    temperature_c: int | None = None  # of the chip, degrees Celsius
    utilization_percent: int | None = (
        None  # share of time with a kernel running; not told with MIG on
    )
    clock_sm_mhz: int | None = None  # of the multiprocessors now
    clock_sm_max_mhz: int | None = None  # the highest they can run
    clock_memory_mhz: int | None = None  # of the memory now
    throttle: tuple[str, ...] | None = None  # reasons now: sw-power-cap, hw-thermal, ...
    ecc_uncorrected: int | None = None  # since the driver was loaded
    ecc_uncorrected_total: int | None = None  # over the card's life
    remapped_rows: int | None = None  # memory rows replaced because of uncorrectable errors
    remapping_pending: bool | None = None  # a reset is needed to replace a row
    remapping_failed: bool | None = None  # no spare row was left
    recovery_action: str | None = None  # none, reset, reboot, drain, ... (drivers from 565)


@dataclass(frozen=True, slots=True)
class LinkNow:
    """Speed of a PCIe link now, in GT/s; it drops when idle and proves nothing."""

    address: PciAddress
    speed: float | None = None  # GT/s


@dataclass(frozen=True, slots=True)
class NodeNow:
    """Memory of a NUMA node now."""

    id: int
    free_mib: int | None = None  # MemFree + what the page cache would give back is not in it
    huge_pages_free: int | None = None  # of all sizes


@dataclass(frozen=True, slots=True)
class MemoryNow:
    """Memory of the machine now."""

    available_mib: int | None = None  # MemAvailable
    swap_used_mib: int | None = None  # SwapTotal - SwapFree
    committed_mib: int | None = None  # Committed_AS
    commit_limit_mib: int | None = None  # CommitLimit


@dataclass(frozen=True, slots=True)
class RoomNow:
    """Room left for unprivileged writers on a mount."""

    point: str
    free_mib: int | None = None  # None: not told, or a network mount


@dataclass(frozen=True, slots=True)
class Listener:
    """A listening TCP socket and who holds it. unit is the owning systemd unit."""

    address: str  # IPv4 or IPv6, 0.0.0.0 and :: are any
    port: int
    pid: int | None = None
    program: str | None = None  # name of the process
    unit: str | None = None


@dataclass(frozen=True, slots=True)
class GpuProcess:
    """A process that holds memory of a GPU (or of a MIG slice, by its own UUID)."""

    gpu: str  # UUID
    pid: int
    memory_mib: int | None = None  # held on the GPU
    program: str | None = None  # name of the process
    unit: str | None = None  # its systemd unit


@dataclass(frozen=True, slots=True)
class UnitNow:
    """A unit that matters here: ours, the vendors' own (ollama.service), nginx, persistenced."""

    name: str
    active: str  # active, inactive, failed, activating
    enabled: str | None = None  # systemctl is-enabled's word
    main_pid: int | None = None  # of a service that runs
    fragment: str | None = None  # path of the unit file


@dataclass(frozen=True, slots=True)
class Placed:
    """Where an instance of ours is placed today, from the host's own record."""

    instance: str  # chat.0
    engine: str  # ollama, vllm, llama-server
    unit: str  # its systemd unit
    gpus: tuple[str, ...] = ()  # their UUIDs
    nodes: tuple[int, ...] = ()  # NUMA nodes
    cpus: CpuSet = CpuSet()  # CPUs it is pinned to
    port: int | None = None  # of its HTTP server
    ports: tuple[int, ...] = ()  # all that are kept for it, internal ones too


@dataclass(frozen=True, slots=True)
class Xid:
    """Errors that the NVIDIA driver put into the kernel's log since boot, by GPU and number."""

    address: PciAddress
    number: int  # 79: the GPU has fallen off the bus
    count: int = 1  # times since boot
    last: str | None = None  # the last message's text
    seconds_ago: int | None = None  # how long ago the last one was
    switch: bool = False  # an SXid: the address is an NVSwitch's


@dataclass(frozen=True, slots=True)
class Volatile:
    """What moves. A saved plan is not checked against it."""

    gpus: tuple[GpuNow, ...] = ()
    links: tuple[LinkNow, ...] = ()
    memory: MemoryNow = MemoryNow()
    nodes: tuple[NodeNow, ...] = ()
    rooms: tuple[RoomNow, ...] = ()
    listeners: tuple[Listener, ...] = ()
    gpu_processes: tuple[GpuProcess, ...] = ()
    units: tuple[UnitNow, ...] = ()
    placed: tuple[Placed, ...] = ()
    xids: tuple[Xid, ...] = ()
    xids_known: bool | None = None  # False: the kernel's log may not be read by this user
