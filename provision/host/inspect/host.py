"""One look at a machine: every reader once, put together as Facts."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import Path

from ..facts import Facts, GpuProcess, InspectRequest, NumaNode, Stable, Volatile
from .bus.bus import Bus
from .bus.pci import read_bus
from .findings import Observed, findings
from .gpus import GpusFound
from .nvidia.driver import read_nvidia
from .processor.cgroup import read_cgroup_limits
from .processor.cpu import read_cpu
from .processor.memory import read_memory_now, read_nodes_now
from .processor.numa import read_numa
from .running.listeners import read_listeners
from .running.placed import read_placed
from .running.processes import process_name, unit_of
from .software.engines import read_engines, read_users
from .software.exporters import read_exporters
from .software.nginx import read_nginx
from .software.units import read_units
from .source import LiveSource, Source
from .storage.mounts import read_mounts, read_rooms
from .storage.paths import read_paths
from .system.kernel import read_kernel
from .system.limits import read_limits
from .system.security import read_security
from .system.system import read_system
from .tree import Tree


def inspect(request: InspectRequest, root: Path = Path("/")) -> Facts:
    """What a machine is and does. Any root but "/" is a recorded tree of files.

    On a recorded tree no program is run and no driver asked: what files do not tell stays None
    or empty. Nothing is changed anywhere, and no error of a reader ends the inspection.
    """
    return look(request, LiveSource() if root == Path("/") else Source(root))


def look(request: InspectRequest, source: Source) -> Facts:
    """The same of any source of answers: the live machine, a tree, a recording."""
    cpu = read_cpu(source)
    numa = read_numa(source, cpu.online)
    bus = read_bus(source, numa.nodes, cpu.online)
    vendors = tuple(_vendors(source, bus, numa.nodes))
    record = read_placed(source)
    mounts = read_mounts(source, (*request.paths, *request.venvs, *request.binaries))
    stable = Stable(
        system=read_system(source),
        kernel=read_kernel(source),
        limits=read_limits(source),
        security=read_security(source),
        cgroup=read_cgroup_limits(source),
        cpu=cpu,
        numa_nodes=numa.nodes,
        accelerators=bus.accelerators,
        nics=bus.nics,
        nvswitches=bus.nvswitches,
        bridges=bus.bridges,
        pci_paths=bus.paths,
        drivers=tuple(one.driver for one in vendors if one.driver),
        gpus=tuple(gpu for one in vendors for gpu in one.gpus),
        gpu_links=tuple(link for one in vendors for link in one.links),
        engines=read_engines(source, request),
        nginx=read_nginx(source),
        exporters=read_exporters(source),
        users=read_users(source),
        mounts=mounts,
        paths=read_paths(source, request.paths, mounts),
    )
    volatile = Volatile(
        gpus=tuple(now for one in vendors for now in one.now),
        links=bus.links,
        memory=read_memory_now(source),
        nodes=read_nodes_now(source, numa.nodes),
        rooms=read_rooms(source, mounts),
        listeners=read_listeners(source),
        gpu_processes=tuple(
            _named(source, process) for one in vendors for process in one.processes
        ),
        units=read_units(source, (one.unit for one in record.placed)),
        placed=record.placed,
        xids=tuple(xid for one in vendors for xid in one.xids),
        xids_known=vendors[0].xids_known,
    )
    observed = Observed(
        numa_problem=numa.problem,
        complaints=tuple(text for one in vendors for text in one.complaints),
        record_problem=record.problem,
    )
    return Facts(Facts.VERSION, stable, volatile, findings(request, stable, volatile, observed))


def _vendors(source: Source, bus: Bus, nodes: Sequence[NumaNode]) -> Iterator[GpusFound]:
    """NVIDIA's GPUs, then AMD's, then Intel's; a vendor's reader is loaded when it is needed."""
    yield read_nvidia(source, bus, nodes)
    makers = {device.vendor for device in bus.accelerators}
    if "amd" in makers:
        from .drm.amd import read_amd

        yield read_amd(source, bus.accelerators, nodes, bus.by_slot)
    if "intel" in makers:
        from .drm.intel import read_intel

        yield read_intel(source, bus.accelerators, nodes, bus.by_slot)


def _named(tree: Tree, process: GpuProcess) -> GpuProcess:
    return dataclasses.replace(
        process, program=process_name(tree, process.pid), unit=unit_of(tree, process.pid)
    )
