"""A machine as machine.yaml describes it, read into values.

    about     what it is, in a sentence or two
    system    os, kernel, product (maker, model); arch, cmdline, iommu (type of groups), memlock,
              numa_balancing, programs, secure_boot, swap_gib
    cpu       model, or part on ARM; sockets, cores (of a socket), threads, cores_per_cache,
              numbering, kinds (of hybrid chips), guest
    nodes     gib or mib; cpus (`share`: its part of the sockets in order); count, id
    distances near and far by groups of nodes, or pairs: see cpu_files.distances
    nvidia    the driver and what it answers: see nvml_table; without it no driver is loaded
    amd, intel    versions, XGMI, VRAM: see amd_files
    units, processes, mounts, commands, files, kernel_log    what is installed and runs
    state     placements in the host's record, GPUs as gpu@0000:41:00.0
    request   the InspectRequest
    topo      what `nvidia-smi topo -m` says on such a machine, where that is known

The tree of the PCI bus is written as lspci -tv shows it: a key is a device and what hangs below it
is its value. A key's words are the address (without the domain, which is the root's), the part, and
options as name=value:

    pci0000:40 node=0:
      40:01.1 rome-port slot=PCIEX16_1:
        41:00.0 rtx3090 lanes=8:
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import yaml

from .parts import GPUS, PARTS, Part

OPTIONS = {
    "lanes",  # in use
    "most",  # lanes of this end
    "gen",  # the best generation of this end
    "now",  # the generation now
    "node",  # numa_node; of a root: of all below it
    "driver",
    "slot",  # its name on the board
    "acs",  # on: P2P requests are redirected; off: the capability is there; none: it is not
    "net",
    "rdma",
    "answers",  # no: it fell off the bus
    "board",  # subsystem
}


@dataclass(frozen=True)
class Device:
    """A function on the bus. way: the root and the bridges above it."""

    address: str  # with its domain
    name: str  # of the part
    part: Part
    options: Mapping[str, str]
    way: tuple[str, ...]  # pci0000:40, 0000:40:01.1, ...
    node: int | None
    above: Device | None = None

    @property
    def path(self) -> str:
        """Below /sys/devices."""
        return "/".join((*self.way, self.address))

    @property
    def is_gpu(self) -> bool:
        return self.name in GPUS

    @property
    def most_lanes(self) -> int:
        return int(self.options.get("most", self.part.lanes))

    @property
    def generation(self) -> int:
        return int(self.options.get("gen", self.part.generation))

    def option(self, name: str, fallback: str = "") -> str:
        return self.options.get(name, fallback)


@dataclass(frozen=True)
class Node:
    """A NUMA node; cpus None: those of its share of a socket."""

    id: int
    memory_mib: int
    cpus: str = ""


@dataclass(frozen=True)
class Description:
    """All of machine.yaml. told: the sections that one builder alone reads, as they stand."""

    name: str
    devices: tuple[Device, ...]
    nodes: tuple[Node, ...]
    told: Mapping[str, Any] = field(default_factory=dict)

    @property
    def gpus(self) -> tuple[Device, ...]:
        return tuple(one for one in self.devices if one.is_gpu)

    def section(self, name: str) -> dict[str, Any]:
        """A section that may be missing."""
        return dict(self.told.get(name) or {})


SECTIONS = {
    "about", "system", "cpu", "nodes", "distances", "pci", "nvidia", "amd", "intel", "kernel_log",
    "units", "processes", "mounts", "commands", "files", "state", "request", "topo",
}  # fmt: skip


def read_description(path: Path) -> Description:
    """Read machine.yaml; a word that nobody knows is a mistake of its author."""
    told = yaml.safe_load(path.read_text())
    assert not told.keys() - SECTIONS, f"{path}: {told.keys() - SECTIONS}"
    devices = tuple(_devices(told.get("pci") or {}))
    addresses = [one.address for one in devices]
    assert len(addresses) == len(set(addresses)), f"{path}: an address stands twice"
    return Description(path.parent.name, devices, tuple(read_nodes(told["nodes"])), told)


def read_nodes(told: list[dict[str, Any]]) -> Iterator[Node]:
    """Nodes; `count` makes several alike. gib is what was bought: the kernel keeps 1.7 % of it."""
    number = 0
    for one in told:
        for _ in range(one.get("count", 1)):
            size = int(one.get("mib", one.get("gib", 0) * 1024 * 0.983))
            yield Node(one.get("id", number), size, str(one.get("cpus", "")))
            number = one.get("id", number) + 1


def _devices(told: Mapping[str, Any]) -> Iterator[Device]:
    for key, below in told.items():
        root, *words = key.split()
        options = _options(words)
        domain = root.removeprefix("pci").partition(":")[0]
        node = int(options["node"]) if "node" in options else None
        yield from _below(below or {}, domain, (root,), node, None)


def _below(
    told: Mapping[str, Any],
    domain: str,
    way: tuple[str, ...],
    node: int | None,
    above: Device | None,
) -> Iterator[Device]:
    for key, below in told.items():
        at, name, *words = key.split()
        options = _options(words)
        here = int(options["node"]) if "node" in options else node
        device = Device(f"{domain}:{at}", name, PARTS[name], options, way, here, above)
        yield device
        if device.part.second:
            second = f"{domain}:{at.rpartition('.')[0]}.1"
            sound = PARTS[device.part.second]
            yield replace(device, address=second, name=device.part.second, part=sound, options={})
        yield from _below(below or {}, domain, (*way, device.address), here, device)


def _options(words: list[str]) -> dict[str, str]:
    options = dict(word.split("=", 1) for word in words)
    assert not options.keys() - OPTIONS, options
    return options
