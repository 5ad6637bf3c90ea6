"""Machines for tests: Facts as inspection would find them, with what matters to a plan."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from provision.host.facts import (
    Cpu,
    Driver,
    EngineFound,
    Facts,
    Gpu,
    GpuLink,
    GpuNow,
    GpuProcess,
    Listener,
    MigDevice,
    NginxFound,
    NumaNode,
    PathClass,
    PathFound,
    PciDevice,
    PcieLink,
    Placed,
    Stable,
    System,
    Vendor,
    Volatile,
)
from provision.host.quantity import CpuSet, PciAddress
from provision.plan.complaints import Complaints
from provision.plan.machine.gpus import GpuTable, table_of
from provision.plan.machine.layout import Layout
from provision.plan.placement.place import Placement, place_gpus
from provision.plan.placement.wishes import Wish, wishes_of
from provision.plan.plan import Plan
from provision.plan.planner import make_plan
from provision.plan.ways.service import services_of
from provision.plan.ways.weighing import Ways
from provision.spec.read import read_spec
from provision.spec.request import inspect_request

EVERY_ENGINE = (
    EngineFound("llama-server", "/usr/local/bin/llama-server", "11434"),
    EngineFound("ollama", "/usr/local/bin/ollama", "0.31.2"),
    EngineFound("vllm", "/opt/vllm/bin/vllm", "0.33.0", "/opt/vllm"),
)


NGINX = NginxFound("/usr/sbin/nginx", "1.22.1")


@dataclass(frozen=True, slots=True)
class Card:
    """A kind of GPU: name, memory, PCI device id, watts (lowest, highest, default), PCIe."""

    name: str
    memory_mib: int
    device_id: str
    watts: tuple[float, float, float] | None
    compute: str
    speed: float = 16.0
    class_code: str = "0300"
    vendor: Vendor = "nvidia"


RTX_3060 = Card("NVIDIA GeForce RTX 3060", 12288, "2504", (100, 212, 170), "8.6")
RTX_3090 = Card("NVIDIA GeForce RTX 3090", 24576, "2204", (100, 390, 350), "8.6")
RTX_4060_LAPTOP = Card("NVIDIA GeForce RTX 4060 Laptop GPU", 8188, "28e0", None, "8.9")
RTX_4090 = Card("NVIDIA GeForce RTX 4090", 24564, "2684", (150, 600, 450), "8.9")
L40S = Card("NVIDIA L40S", 46068, "26b9", (100, 350, 350), "8.9", 16.0, "0302")
H100 = Card("NVIDIA H100 80GB HBM3", 81559, "2330", (200, 700, 700), "9.0", 32.0, "0302")
MI210 = Card("AMD Instinct MI210", 65520, "740f", (0, 300, 300), "", 16.0, "0380", "amd")


@dataclass(frozen=True, slots=True)
class Slot:
    """A card at its place."""

    card: Card
    address: str
    node: int | None = 0
    mig: bool | None = None


def machine(
    slots: Sequence[Slot] = (),
    *,
    hostname: str = "gpu-box",
    nodes: int = 1,
    cores: int = 8,
    smt: int = 2,
    memory_mib: int = 65536,
    paths: Mapping[tuple[int, int], PathClass] | PathClass = "PHB",
    nvlinks: Mapping[tuple[int, int], int] | int = 0,
    system: Mapping[str, Any] | None = None,
    engines: Sequence[EngineFound] = EVERY_ENGINE,
    nginx: NginxFound | None = NGINX,
    cpu_model: str = "AMD EPYC 7302 16-Core Processor",
) -> Facts:
    """A host. cores and memory_mib are those of one node; nodes 0: no NUMA folder at all."""
    found = _cores(max(1, nodes), cores, smt)
    numa = tuple(_node(number, nodes, found[number], memory_mib) for number in range(nodes))
    gpus = tuple(_gpu(index, slot, numa) for index, slot in enumerate(slots))
    every = CpuSet.of(cpu for node in found for core in node for cpu in core)
    known: dict[str, Any] = {
        "hostname": hostname,
        "kernel": "6.1.0-28-amd64",
        "architecture": "x86_64",
        "distribution": "debian 12",
        "pretty_name": "Debian GNU/Linux 12 (bookworm)",
        "systemd": 252,
        "cgroup": "v2",
        "python": "/usr/bin/python3",
        "numactl": "/usr/bin/numactl",
        "memory_mib": memory_mib * max(1, nodes),
        "numa_balancing": 1,
        "ephemeral_ports": (32768, 60999),
        **(system or {}),
    }
    stable = Stable(
        system=System(**known),
        cpu=Cpu(
            model=cpu_model,
            online=every,
            allowed=every,
            sockets=max(1, nodes),
            cores=tuple(core for node in found for core in node),
        ),
        numa_nodes=numa,
        accelerators=tuple(_device(slot, gpu) for slot, gpu in zip(slots, gpus, strict=True)),
        drivers=_drivers(slots),
        gpus=gpus,
        gpu_links=_links(gpus, paths, nvlinks),
        engines=tuple(engines),
        nginx=nginx,
    )
    now = tuple(
        GpuNow(gpu.uuid, 4, False, gpu.power_default_watts, 21.0)
        for gpu in gpus
        if gpu.vendor == "nvidia"
    )
    return Facts(Facts.VERSION, stable, Volatile(gpus=now))


def _cores(nodes: int, cores: int, smt: int) -> list[list[CpuSet]]:
    """As Linux numbers them: all first threads of all nodes, then all second ones."""
    every = nodes * cores
    return [
        [
            CpuSet.of(node * cores + core + thread * every for thread in range(smt))
            for core in range(cores)
        ]
        for node in range(nodes)
    ]


def _node(number: int, nodes: int, cores: list[CpuSet], memory_mib: int) -> NumaNode:
    distances = {other: 10 if other == number else 32 for other in range(nodes)}
    cpus = CpuSet.of(cpu for core in cores for cpu in core)
    return NumaNode(number, cpus, memory_mib, distances)


def _gpu(index: int, slot: Slot, numa: Sequence[NumaNode]) -> Gpu:
    card = slot.card
    home = next((node for node in numa if node.id == slot.node), None)
    watts = tuple(map(float, card.watts)) if card.watts else (None, None, None)
    return Gpu(
        index=index,
        uuid=uuid_of(slot.address, card.vendor),
        address=PciAddress.parse(slot.address),
        vendor=card.vendor,
        name=card.name,
        memory_mib=card.memory_mib,
        numa_node=slot.node if home else None,
        local_cpus=home.cpus if home else None,
        compute_capability=card.compute or None,
        power_min_watts=watts[0],
        power_max_watts=watts[1],
        power_default_watts=watts[2],
        link=PcieLink(card.speed, 16, 16),
        mig=slot.mig,
    )


def uuid_of(address: str, vendor: Vendor = "nvidia") -> str:
    """A UUID of the right form, always the same for an address."""
    seed = sum((at + 3) * ord(one) * 2654435761 for at, one in enumerate(address))
    digits = f"{seed * 0x9E3779B97F4A7C15F39CC0605CEDC835 % 2**128:032x}"
    if vendor == "amd":
        return f"GPU-{digits[:16]}"
    return "GPU-" + "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


def _device(slot: Slot, gpu: Gpu) -> PciDevice:
    card = slot.card
    return PciDevice(
        address=gpu.address,
        vendor_id="1002" if card.vendor == "amd" else "10de",
        device_id=card.device_id,
        class_code=card.class_code,
        vendor=card.vendor,
        numa_node=gpu.numa_node,
        local_cpus=gpu.local_cpus,
        driver="amdgpu" if card.vendor == "amd" else "nvidia",
        link=gpu.link,
    )


def _drivers(slots: Sequence[Slot]) -> tuple[Driver, ...]:
    makers = {slot.card.vendor for slot in slots}
    return tuple(
        Driver(maker, "580.95.05", "13.0") if maker == "nvidia" else Driver(maker, "6.1.0")
        for maker in sorted(makers)
    )


def _links(
    gpus: Sequence[Gpu],
    paths: Mapping[tuple[int, int], PathClass] | PathClass,
    nvlinks: Mapping[tuple[int, int], int] | int,
) -> tuple[GpuLink, ...]:
    """A path by pair or one for all on a node (SYS between nodes); NVLinks by pair or for all."""
    found: list[GpuLink] = []
    for a in gpus:
        for b in gpus[a.index + 1 :]:
            pair = (a.index, b.index)
            path: PathClass = "SYS"
            if not isinstance(paths, str):
                path = paths.get(pair, "SYS")
            elif a.numa_node == b.numa_node:
                path = paths
            joined = nvlinks if isinstance(nvlinks, int) else nvlinks.get(pair, 0)
            found.append(GpuLink(a.uuid, b.uuid, path, joined, joined > 0))
    return tuple(found)


def four_3090s(**changes: Any) -> Facts:
    """2 sockets of 16 cores with two RTX 3090 each, NVLink inside each pair."""
    slots = [
        Slot(RTX_3090, "0000:17:00.0", 0),
        Slot(RTX_3090, "0000:65:00.0", 0),
        Slot(RTX_3090, "0000:b3:00.0", 1),
        Slot(RTX_3090, "0000:ca:00.0", 1),
    ]
    settings: dict[str, Any] = {"nodes": 2, "cores": 16, "nvlinks": {(0, 1): 4, (2, 3): 4}}
    return machine(slots, **{**settings, **changes})


def with_stable(facts: Facts, **changes: Any) -> Facts:
    """The same host with parts of Stable replaced."""
    return dataclasses.replace(facts, stable=dataclasses.replace(facts.stable, **changes))


def with_system(facts: Facts, **changes: Any) -> Facts:
    """The same host with parts of System replaced."""
    return with_stable(facts, system=dataclasses.replace(facts.stable.system, **changes))


def with_volatile(facts: Facts, **changes: Any) -> Facts:
    """The same host at another time."""
    return dataclasses.replace(facts, volatile=dataclasses.replace(facts.volatile, **changes))


def looked_at(facts: Facts, text: str, missing: Sequence[str] = ()) -> Facts:
    """The facts as taken for this host.yaml: every path there, but for the missing ones."""
    paths = tuple(
        PathFound(path, None) if path in missing else PathFound(path, "file", 4_920_739_232, True)
        for path in inspect_request(read_spec(text).spec).paths
    )
    return with_stable(facts, paths=paths)


def plan(text: str, facts: Facts, replan: bool = False) -> Plan:
    """Read, look and plan."""
    read = read_spec(text)
    if not facts.stable.paths:
        facts = looked_at(facts, text)
    return make_plan(read.spec, facts, read.places, replan=replan)


def running(facts: Facts, made: Plan) -> Facts:
    """The host with this plan applied: placements, listeners and their units."""
    placed = tuple(
        Placed(
            instance=one.name,
            engine=one.engine,
            unit=f"{one.engine}@{one.name}.service",
            gpus=tuple(gpu.uuid for gpu in one.gpus),
            nodes=one.pin.nodes,
            cpus=one.pin.cpus or CpuSet(),
            port=one.port,
            ports=(one.port, *one.internal_ports),
        )
        for one in made.instances
    )
    listeners = tuple(
        Listener("127.0.0.1", one.port, 1000 + at, one.engine, f"{one.engine}@{one.name}.service")
        for at, one in enumerate(made.instances)
    )
    return with_volatile(facts, placed=placed, listeners=listeners)


def gpus_of(made: Plan) -> dict[str, list[int]]:
    """Instance -> indices of its GPUs."""
    return {one.name: [gpu.index for gpu in one.gpus] for one in made.instances}


class _WithoutAliases(yaml.SafeDumper):
    """host.yaml has none: what stands twice is written twice."""

    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002  # the base class calls it so
        return True


def spec(instances: Mapping[str, Mapping[str, Any]], **rest: Any) -> str:
    """A host.yaml of these instances."""
    document = {"version": 1, "instances": instances, **rest}
    return yaml.dump(document, Dumper=_WithoutAliases, sort_keys=False)


@dataclass(frozen=True, slots=True)
class Weighed:
    """What a placement starts from."""

    wishes: list[Wish]
    ways: dict[str, Ways]
    table: GpuTable

    def placed(self, facts: Facts, replan: bool = False) -> Placement | None:
        return place_gpus(self.wishes, self.ways, self.table, facts, Complaints(), replan)


def weighed(text: str, facts: Facts, reserved: Sequence[str] = ()) -> Weighed:
    """The wishes and ways of a host.yaml whose models are known; reserved: UUIDs."""
    read = read_spec(text).spec
    complaints = Complaints()
    table = table_of(facts, reserved)
    services = services_of(read, facts, complaints)
    layout = Layout(table)
    ways = {name: Ways(service, table, layout) for name, service in services.items() if service}
    found = Weighed(wishes_of(read, table, complaints), ways, table)
    complaints.raise_errors()
    return found


def used_by_others(facts: Facts, used_mib: Mapping[int, int]) -> Facts:
    """The host with a program of somebody else on some GPUs: index -> MiB."""
    processes = tuple(
        GpuProcess(facts.stable.gpus[at].uuid, 700 + at, mib, "python3", "session-4.scope")
        for at, mib in sorted(used_mib.items())
    )
    return with_volatile(facts, gpu_processes=processes)


def sliced(facts: Facts, index: int, profiles: Mapping[str, int]) -> Facts:
    """The host with one card in MIG mode; name of a slice -> its MiB, `1g.10gb#2` a second one."""
    gpus = list(facts.stable.gpus)
    gpus[index] = dataclasses.replace(
        gpus[index],
        mig=True,
        mig_devices=tuple(
            MigDevice(uuid=slice_uuid(index, at), profile=name.partition("#")[0], memory_mib=mib)
            for at, (name, mib) in enumerate(profiles.items())
        ),
    )
    return with_stable(facts, gpus=tuple(gpus))


def slice_uuid(index: int, at: int) -> str:
    """The UUID of a slice that `sliced` makes."""
    return f"MIG-{index:08x}-0000-4000-8000-{at:012x}"
