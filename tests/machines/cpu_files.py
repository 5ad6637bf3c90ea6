"""/sys/devices/system/{cpu,node} and /proc/cpuinfo of a description."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from provision.host.quantity import CpuSet

from .description import Description, Node
from .host import Host

_CPU = "/sys/devices/system/cpu"
_NODE = "/sys/devices/system/node"


@dataclass(frozen=True)
class Layout:
    """Which CPU is where."""

    sockets: tuple[CpuSet, ...]
    cores: tuple[CpuSet, ...]
    caches: tuple[CpuSet, ...]  # by last level cache
    nodes: Mapping[int, CpuSet]

    @property
    def online(self) -> CpuSet:
        return CpuSet.of(cpu for socket in self.sockets for cpu in socket)


def lay_out(machine: Description) -> Layout:
    """Number the CPUs.

    As firmware does: all first threads socket by socket, then all second ones; with `numbering:
    round-robin` neighbouring numbers alternate between the sockets (Dell); on machines without
    threads there is no difference but that.
    """
    cpu = machine.told["cpu"]
    sockets, per_socket = cpu.get("sockets", 1), cpu["cores"]
    threads, total = cpu.get("threads", 1), cpu.get("sockets", 1) * cpu["cores"]
    turns = cpu.get("numbering") == "round-robin"

    def number(socket: int, core: int, thread: int) -> int:
        first = core * sockets + socket if turns else socket * per_socket + core
        return int(first + thread * total)

    by_core = [
        [
            CpuSet.of(number(socket, core, thread) for thread in range(threads))
            for core in range(per_socket)
        ]
        for socket in range(sockets)
    ]
    if any("threads" in kind for kind in cpu.get("kinds") or []):
        by_core = [_hybrid(cpu["kinds"])]
    shared = cpu.get("cores_per_cache", per_socket)
    caches = [
        _union(cores[at : at + shared]) for cores in by_core for at in range(0, per_socket, shared)
    ]
    return Layout(
        sockets=tuple(_union(cores) for cores in by_core),
        cores=tuple(core for cores in by_core for core in cores),
        caches=tuple(caches),
        nodes=_nodes(machine.nodes, by_core),
    )


def _hybrid(kinds: Sequence[Mapping[str, Any]]) -> list[CpuSet]:
    """Intel's hybrid chips: kind by kind, and the threads of a core beside each other."""
    found: list[CpuSet] = []
    for kind in kinds:
        cpus = list(CpuSet.parse(kind["cpus"]))
        each = kind["threads"]
        found += [CpuSet.of(cpus[at : at + each]) for at in range(0, len(cpus), each)]
    return found


def _nodes(nodes: Sequence[Node], by_core: list[list[CpuSet]]) -> dict[int, CpuSet]:
    """Nodes with `cpus: share` divide the sockets evenly and in order; others have none."""
    sharing = [node for node in nodes if node.cpus == "share"]
    cores = [core for socket in by_core for core in socket]
    each = len(cores) // len(sharing) if sharing else 0
    found = {node.id: CpuSet.parse("" if node.cpus == "share" else node.cpus) for node in nodes}
    for at, node in enumerate(sharing):
        found[node.id] = _union(cores[at * each : (at + 1) * each])
    return found


def _union(sets: Sequence[CpuSet]) -> CpuSet:
    return CpuSet.of(cpu for one in sets for cpu in one)


def write_cpus(host: Host, machine: Description, layout: Layout) -> None:
    """Topology and last level cache of each CPU, as the kernel lists them."""
    online = layout.online
    for name in ("online", "present", "possible"):
        host.file(f"{_CPU}/{name}", f"{online}\n")
    for name in ("offline", "isolated"):
        host.file(f"{_CPU}/{name}", "\n")
    for package, cpus in enumerate(layout.sockets):
        for cpu in cpus:
            host.file(f"{_CPU}/cpu{cpu}/topology/package_cpus_list", f"{cpus}\n")
            host.file(f"{_CPU}/cpu{cpu}/topology/physical_package_id", f"{package}\n")
    for number, cpus in enumerate(layout.cores):
        for cpu in cpus:
            host.file(f"{_CPU}/cpu{cpu}/topology/core_cpus_list", f"{cpus}\n")
            host.file(f"{_CPU}/cpu{cpu}/topology/core_id", f"{number}\n")
    for cpus in layout.caches:
        for cpu in cpus:
            folder = f"{_CPU}/cpu{cpu}/cache/index3"
            host.file(f"{folder}/level", "3\n")
            host.file(f"{folder}/type", "Unified\n")
            host.file(f"{folder}/shared_cpu_list", f"{cpus}\n")
    _write_kinds(host, machine.told["cpu"].get("kinds") or [])
    if machine.told["cpu"].get("guest"):
        clock = "/sys/devices/system/clocksource/clocksource0/available_clocksource"
        host.file(clock, "kvm-clock tsc acpi_pm\n")
    host.file("/proc/cpuinfo", cpuinfo(machine.told["cpu"], layout))


def _write_kinds(host: Host, kinds: list[dict[str, Any]]) -> None:
    for kind in kinds:
        for cpu in CpuSet.parse(kind["cpus"]):
            if "capacity" in kind:
                host.file(f"{_CPU}/cpu{cpu}/cpu_capacity", f"{kind['capacity']}\n")
            host.file(f"{_CPU}/cpu{cpu}/cpufreq/cpuinfo_max_freq", f"{kind['mhz'] * 1000}\n")
        if "intel" in kind:
            host.file(f"/sys/devices/{kind['intel']}/cpus", f"{kind['cpus']}\n")


def cpuinfo(cpu: Mapping[str, Any], layout: Layout) -> str:
    """/proc/cpuinfo: a name on x86, implementer and part on ARM."""
    part: dict[int, str] = {}
    for kind in cpu.get("kinds") or []:
        if "part" in kind:
            part.update(dict.fromkeys(CpuSet.parse(kind["cpus"]), kind["part"]))
    blocks = []
    for number in layout.online:
        lines = [f"processor\t: {number}"]
        if "part" in cpu or part:
            lines += ["CPU implementer\t: 0x41", "CPU architecture: 8"]
            lines.append(f"CPU part\t: {part.get(number, cpu.get('part'))}")
        else:
            lines.append(f"model name\t: {cpu['model']}")
            guest = " hypervisor" if cpu.get("guest") else ""
            lines.append(f"flags\t\t: fpu vme sse sse2 avx2{guest}")
        blocks.append("\n".join(lines) + "\n")
    return "\n".join(blocks)


def write_nodes(host: Host, machine: Description, layout: Layout) -> None:
    """The nodes with CPUs, memory and distances."""
    ids = CpuSet.of(node.id for node in machine.nodes)
    with_memory = CpuSet.of(node.id for node in machine.nodes if node.memory_mib)
    host.file(f"{_NODE}/online", f"{ids}\n")
    host.file(f"{_NODE}/has_memory", f"{with_memory}\n")
    rows = distances(machine)
    for node in machine.nodes:
        folder = f"{_NODE}/node{node.id}"
        host.file(f"{folder}/cpulist", f"{layout.nodes[node.id]}\n")
        host.file(f"{folder}/distance", " ".join(map(str, rows[node.id])) + "\n")
        free = int(node.memory_mib * 0.94)
        lines = [
            f"MemTotal:       {node.memory_mib * 1024} kB",
            f"MemFree:        {free * 1024} kB",
        ]
        host.file(f"{folder}/meminfo", "".join(f"Node {node.id} {line}\n" for line in lines))
        for size in (2048, 1048576):
            pages = f"{folder}/hugepages/hugepages-{size}kB"
            host.file(f"{pages}/nr_hugepages", "0\n")
            host.file(f"{pages}/free_hugepages", "0\n")


def distances(machine: Description) -> dict[int, list[int]]:
    """Rows by node. `distances` gives `near` (same group of `group` nodes) and `far`, or pairs.

    pairs: a list of [nodes, nodes, distance], which holds both ways; the last one counts.
    """
    told = machine.section("distances")
    ids = [node.id for node in machine.nodes]
    group = told.get("group", 1)
    rows: dict[int, dict[int, int]] = {}
    for at, a in enumerate(ids):
        rows[a] = {
            b: 10
            if a == b
            else told.get("near", 12)
            if at // group == to // group
            else told.get("far", 20)
            for to, b in enumerate(ids)
        }
    for some, others, distance in told.get("pairs") or []:
        for a in CpuSet.parse(str(some)):
            for b in CpuSet.parse(str(others)):
                if a != b:
                    rows[a][b] = rows[b][a] = distance
    return {a: [rows[a][b] for b in ids] for a in ids}
