"""One instance over several hosts: tensor parallel inside each, a pipeline between them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from provision.engines.ability import ABILITIES
from provision.host.facts import Facts, Gpu, GpuLink
from provision.models.memory.split import Split
from provision.models.model import Model

from ..cost.cards import card_of
from ..cost.links import Joint, joint_of
from ..cost.speed import Ground, estimate
from ..machine.gpus import GpuTable, alike
from ..machine.layout import Layout
from ..machine.slices import is_slice
from ..ways.merit import merit_each
from ..ways.service import Service
from ..ways.way import Way, way_text
from ..ways.weighing import Ways
from .one_host import EngineWord, Fit, FitWish, fit_model, known_speed, service_of
from .search import Machine

# Of its rate, what one TCP connection over Ethernet reaches with large messages: an assumption on
# the safe side, RDMA is faster. The time of a small message is within the cost model's time of one
# hop from stage to stage.
_NETWORK_SHARE = 0.8
_NETWORK_LATENCY_US = 100.0
_DOMAINS = 1 << 16  # PCI domains set apart for a host, so that no two hosts share an address
_NODES = 1 << 10  # the same for NUMA nodes
_MOST_STAGES = 3  # whose layers are told one by one


@dataclass(frozen=True, slots=True)
class HostsWay:
    """One way over several hosts, as many GPUs on each. need_mib, room_mib: of the fullest GPU."""

    way: str
    hosts: tuple[str, ...]  # in the order of the stages
    gpus: tuple[tuple[int, ...], ...]  # by host
    inside: str  # what joins the GPUs of a host
    need_mib: int
    room_mib: int | None
    context: int
    single: tuple[float, float] | None = None
    batch: int = 0
    full: tuple[float, float] | None = None
    tight: bool = False


@dataclass(frozen=True, slots=True)
class FitHosts:
    """A model on each of several hosts, and on several together. Speeds are estimates.

    problem: why no way over several hosts works.
    """

    VERSION: ClassVar[int] = 1
    version: int
    network_gbit: float
    fits: tuple[Fit, ...]
    ways: tuple[HostsWay, ...] = ()
    problem: str | None = None


def fit_hosts(
    model: Model,
    engine: EngineWord,
    hosts: Sequence[Facts],
    wish: FitWish,
    network_gbit: float = 10.0,
) -> FitHosts:
    """How a model would run on these hosts, alone and together, if nothing of ours ran there.

    network_gbit: rate of the network between them, 10^9 bits a second.
    """
    machines = [Machine(facts) for facts in hosts]
    fits = tuple(fit_model(model, engine, machine, wish) for machine in machines)
    if not ABILITIES[engine].hosts:
        alone = f"an instance of {engine} runs on one host"
        return FitHosts(FitHosts.VERSION, network_gbit, fits, problem=alone)
    service = service_of(model, engine, wish)
    weighed = [
        _best_split(service, picked, network_gbit)
        for count in range(2, len(machines) + 1)
        for picked in _picked(machines, count)
    ]
    working = [one for one in weighed if one.way.problem is None]
    ordered = sorted(working, key=lambda one: (-merit_each(service, one.way), len(one.way.gpus)))
    problem = None if working else _problem(weighed)
    shown = tuple(_shown(service, one) for one in ordered)
    return FitHosts(FitHosts.VERSION, network_gbit, fits, shown, problem)


@dataclass(frozen=True, slots=True)
class _Picked:
    """The group of GPUs of one host."""

    machine: Machine
    gpus: tuple[Gpu, ...]


@dataclass(frozen=True, slots=True)
class _Together:
    """A way over the groups of several hosts, each with as many GPUs."""

    way: Way
    hosts: tuple[str, ...]
    inside: str


def _picked(machines: Sequence[Machine], count: int) -> Iterator[list[_Picked]]:
    """Equal numbers of GPUs on as many hosts, on those with most room, in the order given."""
    for size in range(1, max((len(one.free) for one in machines), default=0) + 1):
        best = {at: group for at, one in enumerate(machines) if (group := _best_group(one, size))}
        ranked = sorted(best, key=lambda at: (-_least_room(machines[at], best[at]), at))
        if len(ranked) >= count:
            yield [_Picked(machines[at], best[at]) for at in sorted(ranked[:count])]


def _best_group(machine: Machine, size: int) -> tuple[Gpu, ...] | None:
    """Cards of one kind: those with most room, of those the group with the fewest crossings."""
    found = [
        group
        for group in machine.groups(size)
        if alike(group) and not any(is_slice(gpu) for gpu in group)
    ]
    return min(
        found,
        key=lambda group: (-_least_room(machine, group), machine.crossings(group)),
        default=None,
    )


def _least_room(machine: Machine, group: Sequence[Gpu]) -> int:
    return min(machine.table.room(gpu) or 0 for gpu in group)


def _best_split(service: Service, picked: Sequence[_Picked], gbit: float) -> _Together:
    """Of the ways to cut a host's group into tensor groups, the best one that works."""
    table = _joined(picked)
    ways = Ways(service, table, Layout(table))
    size = len(picked[0].gpus)
    found = [
        _timed(ways, split, table, picked, gbit)
        for tensor in range(size, 0, -1)
        if size % tensor == 0
        for split in _splits(service, tensor, len(picked) * size // tensor)
    ]
    working = [one for one in found if one.way.problem is None and _host_by_host(one)]
    # The first is tensor parallel over all of a host's GPUs: what it lacks says most.
    return max(working, key=lambda one: merit_each(service, one.way), default=found[0])


def _splits(service: Service, tensor: int, pipeline: int) -> Iterator[Split]:
    shape = service.largest.shape
    yield Split(tensor, pipeline)
    if tensor > 1 and shape is not None and shape.experts is not None:
        yield Split(tensor, pipeline, experts=True)


def _joined(picked: Sequence[_Picked]) -> GpuTable:
    """The groups as one table, in which nothing joins GPUs of different hosts.

    Names, addresses and NUMA nodes are set apart, since hosts built alike share all three.
    """
    gpus: list[Gpu] = []
    links: dict[tuple[str, str], GpuLink] = {}
    others: dict[str, int] = {}
    for host, one in enumerate(picked):
        new = {gpu.uuid: _set_apart(gpu, host) for gpu in one.gpus}
        gpus += new.values()
        for link in one.machine.table.links.values():
            if link.a in new and link.b in new:
                a, b = sorted((new[link.a].uuid, new[link.b].uuid))
                links[a, b] = replace(link, a=a, b=b)
        held = one.machine.table.others_mib
        others.update({new[uuid].uuid: held[uuid] for uuid in new if uuid in held})
    return GpuTable(tuple(gpus), links, others_mib=others)


def _set_apart(gpu: Gpu, host: int) -> Gpu:
    node = None if gpu.numa_node is None else gpu.numa_node + host * _NODES
    address = replace(gpu.address, domain=gpu.address.domain + host * _DOMAINS)
    return replace(gpu, uuid=f"{host}:{gpu.uuid}", address=address, numa_node=node)


def _host(gpu: Gpu) -> int:
    """The number that _set_apart gave it."""
    return int(gpu.uuid.partition(":")[0])


def _host_by_host(one: _Together) -> bool:
    """Whether the stages of each host follow each other, so that few hops use the network."""
    each = len(one.way.gpus) // len(one.hosts)
    numbers = [_host(gpu) for gpu in one.way.gpus]
    return all(len(set(numbers[at : at + each])) == 1 for at in range(0, len(numbers), each))


def _timed(
    ways: Ways, split: Split, table: GpuTable, picked: Sequence[_Picked], gbit: float
) -> _Together:
    """A split, timed as if every hop between stages went over the network."""
    way = ways.way(table.gpus, split)
    stages = [way.gpus[at : at + split.tensor] for at in range(0, len(way.gpus), split.tensor)]
    inner = min((joint_of(stage, table) for stage in stages), key=lambda joint: joint.gbs)
    each = len(picked[0].gpus)
    hosts = tuple(picked[_host(gpu)].machine.name for gpu in way.gpus[::each])
    if way.need is None or way.problem is not None:
        return _Together(way, hosts, inner.text)
    outer = Joint(
        "socket", gbit / 8 * _NETWORK_SHARE, _NETWORK_LATENCY_US, None, f"{gbit:g} Gbit/s network"
    )
    ground = Ground(tuple(card_of(gpu) for gpu in way.gpus), inner, outer)
    speed = estimate(ways.service.models, way.load, way.split, way.need, ground, way.kv_tokens)
    return _Together(replace(way, joint=outer, speed=speed), hosts, inner.text)


def _shown(service: Service, one: _Together) -> HostsWay:
    way, each = one.way, len(one.way.gpus) // len(one.hosts)
    worst = max(range(len(way.gpus)), key=lambda at: way.need_mib[at] / max(1, way.room[at] or 1))
    speed = known_speed(way.speed)
    numbers = [gpu.index for gpu in way.gpus]
    return HostsWay(
        way=way_text(_in_short(way.split), service.ability.pipeline_word, len(way.gpus)),
        hosts=one.hosts,
        gpus=tuple(tuple(numbers[at : at + each]) for at in range(0, len(numbers), each)),
        inside=one.inside,
        need_mib=way.need_mib[worst],
        room_mib=way.room[worst],
        context=way.load.context,
        single=(speed.single.low, speed.single.high) if speed else None,
        batch=speed.batch if speed else 0,
        full=(speed.full.low, speed.full.high) if speed else None,
        tight=way.tight,
    )


def _in_short(split: Split) -> Split:
    """Without the layers of each of many stages, which nobody reads."""
    return replace(split, layers=None) if split.pipeline > _MOST_STAGES else split


def _problem(weighed: Sequence[_Together]) -> str:
    """Of the largest of the groups, which is the nearest to working."""
    if not weighed:
        return "fewer than two of the hosts have GPUs that an instance could use"
    last = max(weighed, key=lambda one: len(one.way.gpus)).way.problem
    return last.text if last is not None else "no way over these hosts"
