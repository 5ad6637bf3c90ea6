"""One look at a machine: every reader once, put together as Facts."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence
from pathlib import Path

from ..facts import (
    Driver,
    Facts,
    GpuProcess,
    InspectRequest,
    NumaNode,
    PathClass,
    PciDevice,
    Stable,
    Volatile,
)
from .cpu import read_cpu
from .engines import read_engines, read_users
from .findings import findings
from .listeners import read_listeners
from .nginx import read_nginx
from .numa import read_numa
from .nvidia import Key, Nvidia, read_answers, slot
from .nvidia_smi import ask_nvidia_smi
from .nvml import NvmlAnswers, ask_nvml
from .paths import read_paths
from .pci import device_path, path_class, read_accelerators
from .placed import read_placed
from .processes import process_name, unit_of
from .system import read_system
from .tree import Tree
from .units import read_units


def inspect(request: InspectRequest, root: Path = Path("/")) -> Facts:
    """What a machine is and does. Any root but "/" is a recorded tree of files.

    On a recorded tree no program is run and no driver asked: what files do not tell stays None
    or empty. Nothing is changed anywhere, and no error of a reader ends the inspection.
    """
    tree = Tree(root)
    cpu = read_cpu(tree)
    numa = read_numa(tree, cpu.online)
    accelerators = read_accelerators(tree, numa.nodes, cpu.online)
    nvidia = _nvidia(tree, accelerators, numa.nodes)
    record = read_placed(tree)
    stable = Stable(
        system=read_system(tree),
        cpu=cpu,
        numa_nodes=numa.nodes,
        accelerators=accelerators,
        drivers=(nvidia.driver,) if nvidia.driver else (),
        gpus=nvidia.gpus,
        gpu_links=nvidia.links,
        engines=read_engines(tree, request),
        nginx=read_nginx(tree),
        users=read_users(tree),
        paths=read_paths(tree, request.paths),
    )
    volatile = Volatile(
        gpus=nvidia.now,
        listeners=read_listeners(tree),
        gpu_processes=tuple(_named(tree, process) for process in nvidia.processes),
        units=read_units(one.unit for one in record.placed) if tree.live else (),
        placed=record.placed,
    )
    said = (*findings(stable, numa.problem, nvidia.complaints), *record.findings)
    return Facts(Facts.VERSION, stable, volatile, said)


def _nvidia(tree: Tree, accelerators: Sequence[PciDevice], nodes: Sequence[NumaNode]) -> Nvidia:
    """The GPUs by NVML, or by nvidia-smi where NVML fails; nothing without anything of NVIDIA."""
    if not tree.live:
        version = module_version(tree.text("/proc/driver/nvidia/version") or "")
        return Nvidia(Driver("nvidia", version)) if version else Nvidia()
    answers = ask_nvml()
    there = [device for device in accelerators if device.vendor == "nvidia"]
    if answers.problem:
        answers = _second_opinion(tree, answers)
        if not there and not answers.gpus:
            return Nvidia()
    return read_answers(answers, accelerators, nodes, _paths(tree, answers, accelerators))


def _second_opinion(tree: Tree, answers: NvmlAnswers) -> NvmlAnswers:
    table = ask_nvidia_smi()
    version = module_version(tree.text("/proc/driver/nvidia/version") or "")
    if table is None:
        return dataclasses.replace(answers, version=version)
    return dataclasses.replace(
        table, version=table.version or version, problem=f"{answers.problem} (nvidia-smi answers)"
    )


def module_version(text: str) -> str | None:
    """The kernel module's version in /proc/driver/nvidia/version."""
    match = re.search(r"NVRM version:.*?\s(\d{3}\.\d+(?:\.\d+)?)\s", text)
    return match[1] if match else None


def _paths(
    tree: Tree, answers: NvmlAnswers, accelerators: Sequence[PciDevice]
) -> dict[tuple[Key, Key], PathClass | None]:
    """The PCIe paths between NVIDIA devices by the bus's own tree, where NVML leaves one out."""
    count = len(answers.gpus)
    told = [pair for pair in answers.pairs if pair.ancestor is not None]
    if len(told) == count * (count - 1) // 2:
        return {}
    devices = [
        (device, device_path(tree, device.address))
        for device in accelerators
        if device.vendor == "nvidia"
    ]
    return {
        (slot(a.address), slot(b.address)): path_class(a_path, b_path, a.numa_node, b.numa_node)
        for a, a_path in devices
        for b, b_path in devices
        if a.address < b.address
    }


def _named(tree: Tree, process: GpuProcess) -> GpuProcess:
    return dataclasses.replace(
        process, program=process_name(tree, process.pid), unit=unit_of(tree, process.pid)
    )
