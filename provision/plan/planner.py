"""HostSpec x Facts -> Plan: the whole decision for one host, in one screen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from provision.engines.engine import Engine
from provision.engines.launch import Launch, LaunchGpu
from provision.engines.ollama import DEFAULT_CONTEXT
from provision.engines.registry import engine_named
from provision.host.bundle import SecretReference
from provision.host.facts import Facts, Gpu
from provision.spec.model import HostSpec

from .checks import check_host, check_owner, check_paths
from .complaints import Complaints, Places
from .explain import explain_gpus, explain_kept, explain_program, explain_split, explain_start
from .gpus import GpuTable, table_of
from .nodes import Nodes, nodes_of
from .pins import Seat, Seated, seat_instances
from .placement import Placement, place_gpus
from .plan import Plan, Reason
from .ports import Ports, PortWish, give_ports
from .power import plan_gpu_settings
from .programs import Program, program_of
from .proxy import check_proxy_ports, plan_proxy, proxy_ports
from .vendors import check_foreign_processes, check_vendor_units, taken_over
from .wishes import wishes_of

_PYTHON = "/usr/bin/python3"
_NUMACTL = "/usr/bin/numactl"


def make_plan(spec: HostSpec, facts: Facts, places: Places | None = None) -> Plan:
    """Decide what runs where on the host of these facts. Pure: same input, same plan.

    spec comes from provision.spec.read, which has checked what needs no host. Raises
    ProvisionError with every complaint at its place; warnings are in the plan.
    """
    complaints = Complaints(places)
    table, nodes = table_of(facts), nodes_of(facts)
    engines = {group: engine_named(one.engine) for group, one in spec.instances.items()}
    programs = {group: program_of(group, spec, facts, complaints) for group in spec.instances}
    check_host(spec, facts, complaints)
    for group, instance in spec.instances.items():
        check_owner(group, instance, engines[group], complaints)
    settings = plan_gpu_settings(spec.gpu_settings, table, complaints)
    freed = taken_over(facts, spec.takeover)
    check_proxy_ports(spec.proxy, facts, freed, complaints)

    placement = _placement(spec, table, facts, complaints)
    ports = give_ports(
        _port_wishes(spec, placement, engines), proxy_ports(spec), facts, freed, complaints
    )
    seated = _seats(spec, placement, programs, facts, nodes, complaints)
    launches = _launches(spec, placement, programs, ports, seated, facts, nodes)
    _check_launches(spec, launches, engines, facts, complaints)
    complaints.raise_errors()

    return Plan(
        version=Plan.VERSION,
        host=facts.stable.system.hostname,
        systemd=facts.stable.system.systemd,
        cgroup=facts.stable.system.cgroup,
        python=facts.stable.system.python or _PYTHON,
        instances=launches,
        gpu_settings=settings,
        proxy=plan_proxy(spec, launches),
        takeover=freed,
        reasons=_reasons(spec, placement, table, programs, ports, seated, launches),
        warnings=complaints.warnings(),
        kept=explain_kept(placement, facts),
    )


def _placement(spec: HostSpec, table: GpuTable, facts: Facts, complaints: Complaints) -> Placement:
    """The GPUs; where they cannot be given, raises with all that was complained about so far."""
    wishes = wishes_of(spec, table, complaints)
    placement = place_gpus(wishes, table, facts, complaints)
    if placement is None or len({wish.group for wish in wishes}) < len(spec.instances):
        complaints.raise_errors()
    assert placement is not None  # place_gpus returns None only with an error
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
        )
        for wish in placement.wishes
    ]
    return seat_instances(seats, facts, nodes, complaints)


def _launches(
    spec: HostSpec,
    placement: Placement,
    programs: Mapping[str, Program],
    ports: Mapping[str, Ports],
    seated: Mapping[str, Seated],
    facts: Facts,
    nodes: Nodes,
) -> tuple[Launch, ...]:
    found: list[Launch] = []
    for wish in placement.wishes:
        instance = spec.instances[wish.group]
        cards = placement.gpus[wish.name]
        context = DEFAULT_CONTEXT if instance.engine == "ollama" else None
        pipeline = instance.pipeline_parallel_size or 1
        found.append(
            Launch(
                name=wish.name,
                group=wish.group,
                engine=instance.engine,
                program=programs[wish.group].path,
                models=tuple(instance.models or ([instance.model] if instance.model else ())),
                gpus=tuple(_launch_gpu(gpu, nodes) for gpu in cards),
                pin=seated[wish.name].pin,
                threads=seated[wish.name].threads,
                port=ports[wish.name].port,
                internal_ports=ports[wish.name].internal,
                tensor_parallel_size=max(1, len(cards) // pipeline)
                if instance.engine == "vllm"
                else 1,
                pipeline_parallel_size=pipeline,
                context=instance.context or context,
                parallel=instance.parallel,
                memory_utilization=instance.memory_utilization,
                models_dir=instance.models_dir,
                env=dict(sorted(instance.env.items())),
                args=tuple(instance.args),
                secrets={
                    name: SecretReference(one.file)
                    for name, one in sorted(instance.secrets.items())
                },
                version=programs[wish.group].version,
                python=facts.stable.system.python or _PYTHON,
                numactl=facts.stable.system.numactl or _NUMACTL,
            )
        )
    return tuple(found)


def _launch_gpu(gpu: Gpu, nodes: Nodes) -> LaunchGpu:
    return LaunchGpu(
        gpu.uuid,
        gpu.address,
        gpu.index,
        nodes.next_to(gpu),
        gpu.name,
        gpu.memory_mib,
        gpu.vendor,
    )


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


def _reasons(
    spec: HostSpec,
    placement: Placement,
    table: GpuTable,
    programs: Mapping[str, Program],
    ports: Mapping[str, Ports],
    seated: Mapping[str, Seated],
    launches: Sequence[Launch],
) -> tuple[Reason, ...]:
    """In the order of the spec, each sentence once."""
    found: list[Reason] = []
    for wish, launch in zip(placement.wishes, launches, strict=True):
        instance = spec.instances[wish.group]
        given = bool(instance.tensor_parallel_size or instance.pipeline_parallel_size)
        found.append(explain_gpus(wish, placement, table))
        split = explain_split(launch, given)
        found += [split] if split is not None else []
        found += explain_start(launch, ports[wish.name], seated[wish.name], bool(instance.context))
        program = explain_program(wish.group, programs[wish.group])
        found += [program] if program is not None else []
    return tuple(dict.fromkeys(found))
