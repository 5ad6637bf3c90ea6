"""Machines in facts, as inspection gives them: good ones, and a box to spoil one thing in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from provision.host.facts import (
    Cpu,
    Driver,
    Finding,
    Gpu,
    GpuLink,
    GpuNow,
    InspectRequest,
    Kernel,
    Limits,
    NumaNode,
    NvLink,
    PathClass,
    PciBridge,
    PciDevice,
    PcieLink,
    Stable,
    System,
    Volatile,
)
from provision.host.inspect.findings import Observed, findings
from provision.host.quantity import CpuSet, PciAddress

SYSTEM = System(
    "box",
    distribution="debian 12",
    systemd=252,
    cgroup="v2",
    python="/usr/bin/python3",
    numactl="/usr/bin/numactl",
    memory_mib=262144,
    swap_mib=8192,
    numa_balancing=0,
    ephemeral_ports=(32768, 60999),
    cuda_device_order="FASTEST_FIRST",
)


@dataclass(frozen=True)
class Box:
    """All that findings() takes."""

    stable: Stable
    volatile: Volatile = Volatile()
    request: InspectRequest = field(default_factory=InspectRequest)
    observed: Observed = field(default_factory=Observed)

    def findings(self) -> tuple[Finding, ...]:
        return findings(self.request, self.stable, self.volatile, self.observed)

    def told(self) -> list[tuple[str, str]]:
        """Severity and rule of each finding."""
        return [(one.severity, one.rule) for one in self.findings()]

    def one(self, rule: str) -> Finding:
        """The only finding of a rule."""
        (finding,) = [one for one in self.findings() if one.rule == rule]
        return finding

    def has(self, rule: str) -> bool:
        return any(one.rule == rule for one in self.findings())

    def stable_with(self, **fields: Any) -> Box:
        return replace(self, stable=replace(self.stable, **fields))

    def volatile_with(self, **fields: Any) -> Box:
        return replace(self, volatile=replace(self.volatile, **fields))

    def system_with(self, **fields: Any) -> Box:
        return self.stable_with(system=replace(self.stable.system, **fields))

    def asked(self, **fields: Any) -> Box:
        return replace(self, request=replace(self.request, **fields))

    def saw(self, **fields: Any) -> Box:
        return replace(self, observed=replace(self.observed, **fields))

    def gpu_with(self, *indices: int, **fields: Any) -> Box:
        """Some of the GPUs otherwise."""
        gpus = tuple(
            replace(gpu, **fields) if gpu.index in indices else gpu for gpu in self.stable.gpus
        )
        return self.stable_with(gpus=gpus)

    def now_with(self, *indices: int, **fields: Any) -> Box:
        uuids = {gpu.uuid for gpu in self.stable.gpus if gpu.index in indices}
        now = tuple(
            replace(one, **fields) if one.uuid in uuids else one for one in self.volatile.gpus
        )
        return self.volatile_with(gpus=now)

    def device_with(self, *numbers: int, **fields: Any) -> Box:
        """Some of the accelerators, by their place on the bus."""
        devices = tuple(
            replace(one, **fields) if at in numbers else one
            for at, one in enumerate(self.stable.accelerators)
        )
        return self.stable_with(accelerators=devices)

    def link_with(self, number: int, **fields: Any) -> Box:
        """The PCIe link of one accelerator otherwise."""
        link = replace(self.stable.accelerators[number].link or PcieLink(), **fields)
        return self.device_with(number, link=link)

    def port_with(self, number: int, **fields: Any) -> Box:
        """The link of one bridge otherwise."""
        bridges = tuple(
            replace(one, link=replace(one.link or PcieLink(), **fields)) if at == number else one
            for at, one in enumerate(self.stable.bridges)
        )
        return self.stable_with(bridges=bridges)


def at(number: int) -> PciAddress:
    """The address of the GPU of this number."""
    return PciAddress(0, 16 * (number + 1), 0, 0)


def port_of(number: int) -> PciAddress:
    """The root port above it."""
    return PciAddress(0, 0, number + 1, 0)


def uuid(number: int) -> str:
    return f"GPU-{number:08x}"


def box(
    *names: str,
    memory_mib: int = 24576,
    path: PathClass = "PHB",
    nvlinks: int | None = 0,
    p2p: bool | None = None,
    status: str | None = None,
    speed: float = 16.0,
    nodes: Sequence[int] = (),
) -> Box:
    """A machine with these NVIDIA cards, each in a slot of 16 lanes of its own; all is well."""
    link = PcieLink(speed, 16, 16)
    gpus = tuple(
        Gpu(
            index,
            uuid(index),
            at(index),
            name=name,
            memory_mib=memory_mib,
            numa_node=nodes[index] if nodes else 0,
            compute_capability="8.9",
            power_default_watts=350.0,
            link=link,
        )
        for index, name in enumerate(names)
    )
    stable = Stable(
        SYSTEM,
        kernel=Kernel(iommu="passthrough", modules=("nvidia",)),
        limits=Limits(memlock_kib=8192, nofile=1024, nofile_hard=524288, shm_mib=131072),
        cpu=Cpu(online=CpuSet.parse("0-15"), cores=(CpuSet.of((0, 8)),)),
        numa_nodes=(NumaNode(0, CpuSet.parse("0-15"), memory_mib=262144),),
        accelerators=tuple(
            PciDevice(
                gpu.address,
                "10de",
                "2204",
                "0300",
                "nvidia",
                driver="nvidia",
                link=link,
                bridges=(port_of(gpu.index),),
                answers=True,
            )
            for gpu in gpus
        ),
        bridges=tuple(
            PciBridge(port_of(one), kind="root-port", link=link) for one in range(len(names))
        ),
        drivers=(Driver("nvidia", "580.95.05", "580.95.05", "13.0", source="nvml"),)
        if names
        else (),
        gpus=gpus,
        gpu_links=tuple(
            GpuLink(one.uuid, two.uuid, path, nvlinks, p2p=p2p, p2p_status=status)
            for one in gpus
            for two in gpus
            if one.index < two.index
        ),
    )
    now = tuple(
        GpuNow(
            gpu.uuid,
            memory_used_mib=12,
            persistence=True,
            power_limit_watts=350.0,
            power_enforced_watts=350.0,
            temperature_c=40,
            utilization_percent=0,
            throttle=(),
            ecc_uncorrected=0,
            ecc_uncorrected_total=0,
            remapping_pending=False,
            remapping_failed=False,
        )
        for gpu in gpus
    )
    return Box(stable, Volatile(gpus=now))


def nvlinked(machine: Box, links: int, kind: Literal["gpu", "switch"] = "gpu") -> Box:
    """All GPUs of a machine joined with each other by so many NVLinks, which work."""
    ends = tuple(NvLink(number, True, remote_kind=kind) for number in range(links))
    return machine.stable_with(
        gpus=tuple(replace(gpu, nvlinks=ends) for gpu in machine.stable.gpus),
        gpu_links=tuple(
            replace(link, nvlinks=links, p2p=True, p2p_status="OK")
            for link in machine.stable.gpu_links
        ),
    )


def two_sockets(machine: Box) -> Box:
    """Two sockets with a node each; the GPUs say themselves which they are next to."""
    cpus = (CpuSet.parse("0-7"), CpuSet.parse("8-15"))
    nodes = tuple(NumaNode(one, cpus[one], memory_mib=131072) for one in range(2))
    return machine.stable_with(
        numa_nodes=nodes, cpu=replace(machine.stable.cpu, packages=cpus, sockets=2)
    )
