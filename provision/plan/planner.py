"""HostSpec x Facts -> Plan: the whole decision for one host, in one screen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from provision.engines.engine import Engine
from provision.engines.launch import Launch
from provision.engines.registry import engine_named
from provision.host.facts import Facts
from provision.spec.model import HostSpec

from .checks import check_host, check_owner, check_paths
from .complaints import Complaints, Places
from .launches import check_min_healthy, launches_of
from .machine.gpus import GpuTable, table_of
from .machine.layout import Layout
from .machine.nodes import Nodes, nodes_of
from .machine.programs import Program, program_of
from .machine.slices import is_slice
from .machine.vendors import check_foreign_processes, check_vendor_units, taken_over
from .placement.place import Placement, place_gpus
from .placement.wishes import named_gpus, wishes_of
from .plan import Figures, Plan
from .pools import check_pools
from .power import plan_gpu_settings
from .proxy import check_nginx, check_proxy_ports, plan_proxy, proxy_ports
from .seats.pins import Seat, Seated, seat_instances
from .seats.ports import PortWish, give_ports
from .watch import plan_drift, plan_watch
from .ways.service import services_of
from .ways.way import MIB, Way
from .ways.weighing import Ways
from .why.better import say_better, say_crowded, say_tight
from .why.explain import (
    explain_kept,
    explain_moved,
)
from .why.explanation import explanations, figures_of
from .why.reasons import reasons_of

_PYTHON = "/usr/bin/python3"
_NUMACTL = "/usr/bin/numactl"


def make_plan(
    spec: HostSpec, facts: Facts, places: Places | None = None, *, replan: bool = False
) -> Plan:
    """Decide what runs where on the host of these facts. Pure: same input, same plan.

    spec comes from provision.spec.read, which has checked what needs no host. replan: what runs
    may be moved for a better place. Raises ProvisionError with every complaint at its place;
    warnings are in the plan.
    """
    complaints = Complaints(places)
    nodes, freed = nodes_of(facts), taken_over(facts, spec.takeover)
    table = _table(spec, facts, freed, complaints)
    engines = {group: engine_named(one.engine) for group, one in spec.instances.items()}
    programs = {group: program_of(group, spec, facts, complaints) for group in spec.instances}
    check_host(spec, facts, complaints)
    for group, instance in spec.instances.items():
        check_owner(group, instance, engines[group], complaints)
    settings = plan_gpu_settings(spec.gpu_settings, table, complaints)
    check_proxy_ports(spec.proxy, facts, freed, complaints)
    check_nginx(spec, facts, complaints)

    ways = _ways(spec, facts, table, complaints)
    placement = _placement(spec, ways, table, facts, complaints, replan)
    ports = give_ports(
        _port_wishes(spec, placement, engines), proxy_ports(spec), facts, freed, complaints
    )
    seated = _seats(spec, placement, programs, facts, nodes, complaints)
    launches = launches_of(spec, placement, ways, programs, ports, seated, facts, nodes)
    _check_launches(spec, launches, engines, facts, complaints)
    check_min_healthy(spec, launches, complaints)
    check_pools(spec, launches, complaints)
    complaints.raise_errors()

    explained = explanations(placement, ways)
    say_crowded(explained, complaints)
    say_tight(placement, complaints)
    return Plan(
        version=Plan.VERSION,
        host=facts.stable.system.hostname,
        systemd=facts.stable.system.systemd,
        cgroup=facts.stable.system.cgroup,
        python=facts.stable.system.python or _PYTHON,
        instances=launches,
        gpu_settings=settings,
        proxy=plan_proxy(spec, launches, facts),
        watch=plan_watch(spec),
        drift=plan_drift(spec.drift),
        takeover=freed,
        reasons=reasons_of(spec, placement, ways, table, programs, ports, seated, launches),
        warnings=complaints.warnings(),
        kept=explain_kept(placement, facts),
        moved=explain_moved(placement, table),
        figures=_figures(placement, ways),
        explanations=explained,
        proven=placement.proven,
    )


def _figures(placement: Placement, ways: Mapping[str, Ways]) -> dict[str, Figures]:
    return {
        wish.name: figures_of(placement.ways[wish.name], ways[wish.group].service.largest.embeds)
        for wish in placement.wishes
    }


def _table(spec: HostSpec, facts: Facts, freed: Sequence[str], complaints: Complaints) -> GpuTable:
    """The host's GPUs without those that the owner keeps for something else."""
    table = table_of(facts, freed=freed)
    words = spec.reserved_gpus or []
    path = ("reserved_gpus",)
    kept = named_gpus(words, table, complaints, "reserved_gpus", *path, to_use=False) or ()
    places = {gpu.address for gpu in kept if not is_slice(gpu)}
    slices = [one.uuid for one in table.slices if one.address in places]
    return table_of(facts, [*(gpu.uuid for gpu in kept), *slices], freed)


def _ways(spec: HostSpec, facts: Facts, table: GpuTable, complaints: Complaints) -> dict[str, Ways]:
    """The ways of every service; raises where a model's memory is not known."""
    services = services_of(spec, facts, complaints)
    layout = Layout(table)
    found = {
        group: Ways(service, table, layout)
        for group, service in services.items()
        if service is not None
    }
    if len(found) < len(services):
        complaints.raise_errors()
    return found


def _placement(
    spec: HostSpec,
    ways: Mapping[str, Ways],
    table: GpuTable,
    facts: Facts,
    complaints: Complaints,
    replan: bool,
) -> Placement:
    """The GPUs; where they cannot be given, raises with all that was complained about so far."""
    wishes = wishes_of(spec, table, complaints)
    groups = {wish.group for wish in wishes}
    placement = place_gpus(wishes, ways, table, facts, complaints, replan) if groups else None
    if placement is None or len(groups) < len(spec.instances):
        complaints.raise_errors()
    assert placement is not None  # place_gpus returns None only with an error
    if placement.kept and not replan:
        free = place_gpus(wishes, ways, table, facts, Complaints(), True)
        say_better(free, placement, ways, complaints)
    return placement


def _port_wishes(
    spec: HostSpec, placement: Placement, engines: Mapping[str, Engine]
) -> list[PortWish]:
    return [
        PortWish(
            wish.name,
            wish.group,
            wish.number,
            engines[wish.group],
            spec.instances[wish.group].port,
        )
        for wish in placement.wishes
    ]


def _seats(
    spec: HostSpec,
    placement: Placement,
    programs: Mapping[str, Program],
    facts: Facts,
    nodes: Nodes,
    complaints: Complaints,
) -> dict[str, Seated]:
    seats = [
        Seat(
            wish.name,
            wish.group,
            spec.instances[wish.group],
            placement.gpus[wish.name],
            programs[wish.group].version,
            _ram_mib(placement.ways[wish.name]),
        )
        for wish in placement.wishes
    ]
    return seat_instances(seats, facts, nodes, complaints)


def _ram_mib(way: Way) -> int | None:
    """The most that it may take of the host's memory."""
    return way.need.ram_bound // MIB if way.need is not None else None


def _check_launches(
    spec: HostSpec,
    launches: Sequence[Launch],
    engines: Mapping[str, Engine],
    facts: Facts,
    complaints: Complaints,
) -> None:
    """What the engines say, what must be on disk, and who else uses the GPUs."""
    for launch in launches:
        for problem in engines[launch.group].problems(launch):
            complaints.add(problem, "instances", launch.group)
    check_paths(spec, [(one, engines[one.group]) for one in launches], facts, complaints)
    used = frozenset(gpu.uuid for launch in launches for gpu in launch.gpus)
    check_vendor_units(facts, used, spec.takeover, complaints)
    check_foreign_processes(facts, used, complaints)
