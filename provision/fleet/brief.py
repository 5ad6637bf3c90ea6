"""A plan in short: what `provision fleet plan` shows of each of many hosts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from provision.host.facts import Facts
from provision.plan.plan import Plan, Route


@dataclass(frozen=True, slots=True)
class BriefInstance:
    """One instance in a line. gpus are NVML indices of today, for people only."""

    name: str
    engine: str
    model: str
    gpus: tuple[int, ...]
    nodes: tuple[int, ...]
    cores: str  # "" where nothing is pinned
    port: int


@dataclass(frozen=True, slots=True)
class Brief:
    """What one host is and what would run on it."""

    VERSION: ClassVar[int] = 1
    version: int
    machine: str  # 2 sockets, 2 NUMA nodes, 4x RTX 3090
    instances: tuple[BriefInstance, ...] = ()
    routes: tuple[str, ...] = ()  # 127.0.0.1:8080/small: small.0 small.1
    warnings: tuple[str, ...] = ()


def brief(plan: Plan, facts: Facts) -> Brief:
    """The short form of a plan."""
    instances = tuple(
        BriefInstance(
            name=one.name,
            engine=one.engine,
            model=", ".join(one.models),
            gpus=tuple(gpu.index for gpu in one.gpus),
            nodes=one.pin.nodes,
            cores=str(one.pin.cpus) if one.pin.cpus else "",
            port=one.port,
        )
        for one in plan.instances
    )
    routes = tuple(_route(one) for one in plan.proxy.routes) if plan.proxy else ()
    warnings = tuple(one.message for one in plan.warnings)
    return Brief(1, machine(facts), instances, routes, warnings)


def machine(facts: Facts) -> str:
    """A host's hardware in a line: `2 sockets, 2 NUMA nodes, 4x NVIDIA RTX 3090, driver 580.95`."""
    stable = facts.stable
    parts: list[str] = []
    if stable.cpu.sockets is not None:
        parts.append(_count(stable.cpu.sockets, "socket"))
    if stable.numa_nodes:
        parts.append(_count(len(stable.numa_nodes), "NUMA node"))
    parts.extend(_gpus(facts))
    parts.extend(f"driver {one.version}" for one in stable.drivers if one.version)
    return ", ".join(parts)


def _gpus(facts: Facts) -> list[str]:
    names = [gpu.name or "unnamed GPU" for gpu in facts.stable.gpus]
    if not names:
        return ["no GPU"]
    return [f"{names.count(name)}x {name}" for name in sorted(set(names))]


def _route(route: Route) -> str:
    where = ", ".join(route.listen) + ("" if route.path == "/" else route.path)
    return f"{where}: {' '.join(member.instance for member in route.members)}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
