"""Where each instance's threads and memory belong: the node next to its GPUs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from provision.engines.launch import Pin
from provision.engines.vllm import knows_numa_bind
from provision.host.facts import Facts, Gpu
from provision.host.quantity import CpuSet
from provision.spec.model import InstanceSpec, NumaPin

from ..complaints import Complaints
from ..machine.nodes import Nodes, core_count
from ..wording import counted, listed, nodes_text
from .memory_policy import memory_policy, memory_text, proven_mib
from .shares import share_cores


@dataclass(frozen=True, slots=True)
class Seat:
    """An instance that wants a pin: its GPUs, its spec, its engine's version, its need of RAM."""

    name: str
    group: str
    spec: InstanceSpec
    gpus: tuple[Gpu, ...] = ()
    version: str | None = None
    ram_mib: int | None = None  # of the host's memory that it takes at most


@dataclass(frozen=True, slots=True)
class Seated:
    """The pin of an instance, how many threads fit it, and why."""

    pin: Pin
    threads: int | None
    reason: str


@dataclass(frozen=True, slots=True)
class _Choice:
    """Nodes chosen for an instance, before their CPUs are divided. reason when there are none."""

    nodes: tuple[int, ...]
    why: str


def seat_instances(
    seats: Sequence[Seat], facts: Facts, nodes: Nodes, complaints: Complaints
) -> dict[str, Seated]:
    """Pins by instance name. Errors: unknown or CPU-less nodes, numactl missing."""
    for seat in seats:
        _check_wish(seat, facts, nodes, complaints)
    if nodes.problem is not None:
        complaints.warning("numa-unbelievable", f"{nodes.problem}: nothing is pinned")
    if nodes.single:
        return _unpinned(seats, facts, nodes)
    choices = _choose(seats, nodes)
    shares = share_cores(_sharers(seats, choices), facts.stable.gpus, nodes)
    return {seat.name: _seated(seat, choices, shares, facts, nodes, complaints) for seat in seats}


def _check_wish(seat: Seat, facts: Facts, nodes: Nodes, complaints: Complaints) -> None:
    wanted = _explicit(seat.spec)
    path = ("instances", seat.group, "numa")
    numbers = [node.id for node in nodes.cpu_nodes]
    for number in wanted:
        node = next((one for one in nodes.every if one.id == number), None)
        have = f"nodes with CPUs: {listed(map(str, numbers)) or 'none known'}"
        if node is None and not (number == 0 and not nodes.every):
            message = f"{seat.group}: numa names node {number}, which this host does not have"
            complaints.error("no-such-node", message, *path, hint=have)
        elif number not in numbers and nodes.problem is None and nodes.every:
            message = f"{seat.group}: numa names node {number}, which has no CPUs to run on"
            complaints.error("node-without-cpus", message, *path, hint=have)
        elif node is not None and node.memory_mib == 0 and _binds(seat.spec):
            message = f"{seat.group}: memory is to be bound to node {number}, which has none"
            hint = "memory: preferred, or a node with memory"
            complaints.error("node-without-memory", message, *path, hint=hint)
    if seat.spec.pin == "numactl" and facts.stable.system.numactl is None:
        complaints.error(
            "no-numactl",
            f"{seat.group}: pin is numactl, but numactl was not found on the host",
            *("instances", seat.group, "pin"),
            hint="apt install numactl (or dnf install numactl), or pin: systemd",
        )


def _explicit(spec: InstanceSpec) -> tuple[int, ...]:
    if isinstance(spec.numa, NumaPin):
        return tuple(sorted(set(spec.numa.nodes)))
    return tuple(sorted(set(spec.numa))) if isinstance(spec.numa, list) else ()


def _binds(spec: InstanceSpec) -> bool:
    return isinstance(spec.numa, NumaPin) and spec.numa.memory == "bind"


def _unpinned(seats: Sequence[Seat], facts: Facts, nodes: Nodes) -> dict[str, Seated]:
    """One node: no directives. Instances on the CPU alone still share the cores by threads."""
    on_cpu = sum(1 for seat in seats if not seat.gpus)
    cores = core_count(facts)
    found: dict[str, Seated] = {}
    for seat in seats:
        why = "not pinned: numa is off" if seat.spec.numa == "off" else "not pinned: one NUMA node"
        why = f"not pinned: {nodes.problem}" if nodes.problem else why
        threads = max(1, cores // on_cpu) if on_cpu > 1 and cores and not seat.gpus else None
        if threads is not None:
            why += f"; {cores} cores for {on_cpu} instances on the CPU: {threads} threads each"
        found[seat.name] = Seated(Pin(), threads, why)
    return found


def _choose(seats: Sequence[Seat], nodes: Nodes) -> dict[str, _Choice]:
    """Nodes of each instance; those on the CPU alone go where most cores are left."""
    choices = {seat.name: _node_of(seat, nodes) for seat in seats if not _floats(seat)}
    load = {node.id: 0.0 for node in nodes.cpu_nodes}
    for seat in seats:
        for number in choices[seat.name].nodes if seat.name in choices else ():
            load[number] = load.get(number, 0.0) + max(1, len(seat.gpus))
    for seat in seats:
        if _floats(seat):
            room = {
                node.id: len(node.to_share()) / (1 + load[node.id])
                for node in nodes.cpu_nodes
                if node.memory_mib != 0
            } or {node.id: 1.0 for node in nodes.cpu_nodes}
            best = max(room, key=lambda number: (room[number], -number))
            load[best] += 1
            why = f"node {best}: most cores are left there for an instance on the CPU"
            choices[seat.name] = _Choice((best,), why)
    return choices


def _floats(seat: Seat) -> bool:
    return not seat.gpus and seat.spec.numa == "auto"


def _node_of(seat: Seat, nodes: Nodes) -> _Choice:
    if seat.spec.numa == "off":
        return _Choice((), "not pinned: numa is off")
    explicit = _explicit(seat.spec)
    if explicit:
        known = tuple(number for number in explicit if nodes.get(number) is not None)
        return _Choice(known, f"{nodes_text(known)} as host.yaml says")
    homes = [nodes.next_to(gpu) for gpu in seat.gpus]
    known = tuple(sorted({home for home in homes if home is not None}))
    if None in homes or not known:
        return _Choice((), "not pinned: the host does not say which node is next to its GPUs")
    nearest = [gpu.numa_node for gpu in seat.gpus if gpu.numa_node not in known]
    if nearest:
        text = f"{nodes_text(known)}, the nearest with CPUs to {nodes_text(nearest)}"
        return _Choice(known, text)
    plural = "s" if len(seat.gpus) > 1 else ""
    return _Choice(known, f"{nodes_text(known)}, next to its GPU{plural}")


def _sharers(
    seats: Sequence[Seat], choices: Mapping[str, _Choice]
) -> list[tuple[str, tuple[int, ...], tuple[Gpu, ...]]]:
    return [(seat.name, choices[seat.name].nodes, seat.gpus) for seat in seats]


def _seated(
    seat: Seat,
    choices: Mapping[str, _Choice],
    shares: Mapping[str, tuple[CpuSet, ...]],
    facts: Facts,
    nodes: Nodes,
    complaints: Complaints,
) -> Seated:
    choice = choices[seat.name]
    if not choice.nodes:
        return Seated(Pin(), None, choice.why)
    if seat.spec.pin == "numactl":
        chosen = [node for node in nodes.cpu_nodes if node.id in choice.nodes]
        cores = tuple(core for node in chosen for core in node.cores)
    else:
        cores = shares[seat.name]
    cpus = CpuSet.of(cpu for core in cores for cpu in core)
    per_worker = _per_worker(seat, choice.nodes, facts, complaints)
    share = (
        None
        if seat.spec.share_gpus
        else proven_mib(seat.gpus, choice.nodes, facts.stable.gpus, nodes)
    )
    fits = seat.ram_mib is not None and share is not None and seat.ram_mib <= share
    proven = seat.spec.numa == "auto" and fits
    memory = memory_policy(choice.nodes, _binds(seat.spec), proven, nodes)
    pin = Pin(seat.spec.pin, choice.nodes, cpus, memory, per_worker)
    allowed = facts.stable.cpu.allowed
    if allowed is not None and not cpus <= allowed and not cpus <= facts.stable.cpu.offline:
        complaints.warning(
            "cpus-not-allowed",
            f"{seat.name}: is to run on CPUs {cpus}, but this session may use {allowed} only; a "
            "cgroup above may hold back the rest",
            *("instances", seat.group, "numa"),
        )
    about_memory = memory_text(pin, seat.ram_mib if proven else None, share)
    text = f"{choice.why}: CPUs {cpus} ({counted(len(cores), 'core')}), {about_memory}"
    return Seated(pin, len(cores), text)


def _per_worker(seat: Seat, numbers: tuple[int, ...], facts: Facts, complaints: Complaints) -> bool:
    """Whether vLLM binds its own workers: only over several nodes, and only where it is known to.

    Without numactl on the host vLLM's own binding does nothing, in silence (vllm#55416).
    """
    if len(numbers) < 2 or seat.spec.engine != "vllm" or _explicit(seat.spec):
        return False
    if seat.spec.pin == "numactl" or any(gpu.numa_node not in numbers for gpu in seat.gpus):
        return False
    knows, numactl = knows_numa_bind(seat.version), facts.stable.system.numactl
    if knows and numactl is not None:
        return True
    lacks = f"vLLM {seat.version or 'of an unknown version'} is not known to bind its workers"
    complaints.warning(
        "workers-not-bound",
        f"{seat.name}: spans {nodes_text(numbers)}, but "
        f"{lacks if not knows else 'numactl, which vLLM needs to bind its workers, is missing'}; "
        "its threads may use the CPUs of all of them",
        *("instances", seat.group),
        hint="apt install numactl" if knows else "vLLM 0.22 or later binds each worker to its node",
    )
    return False
