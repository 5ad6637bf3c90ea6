"""Launches: what the engines are told, put together from everything that was decided."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from provision.engines.launch import Launch, LaunchGpu
from provision.host.bundle import SecretReference
from provision.host.facts import Facts, Gpu
from provision.models.memory.split import Split
from provision.spec.model import HostSpec, InstanceSpec

from .complaints import Complaints
from .machine.nodes import Nodes
from .machine.programs import Program
from .machine.slices import is_slice
from .placement.place import Placement
from .seats.pins import Seated
from .seats.ports import Ports
from .ways.weighing import Ways

_PYTHON = "/usr/bin/python3"
_NUMACTL = "/usr/bin/numactl"


def launches_of(
    spec: HostSpec,
    placement: Placement,
    ways: Mapping[str, Ways],
    programs: Mapping[str, Program],
    ports: Mapping[str, Ports],
    seated: Mapping[str, Seated],
    facts: Facts,
    nodes: Nodes,
) -> tuple[Launch, ...]:
    found: list[Launch] = []
    copies = Counter(wish.group for wish in placement.wishes)
    for wish in placement.wishes:
        instance = spec.instances[wish.group]
        way = placement.ways[wish.name]
        split = way.split if instance.engine == "vllm" else Split()
        layers = len(ways[wish.group].service.largest.weights.layers)
        found.append(
            Launch(
                name=wish.name,
                group=wish.group,
                engine=instance.engine,
                program=programs[wish.group].path,
                models=tuple(instance.models or ([instance.model] if instance.model else ())),
                gpus=tuple(_launch_gpu(gpu, nodes) for gpu in way.gpus),
                pin=seated[wish.name].pin,
                threads=seated[wish.name].threads,
                port=ports[wish.name].port,
                internal_ports=ports[wish.name].internal,
                tensor_parallel_size=split.tensor,
                pipeline_parallel_size=split.pipeline,
                context=way.load.context or None,
                parallel=instance.parallel,
                memory_utilization=way.utilization or instance.memory_utilization,
                kv_cache=instance.kv_cache,
                stage_layers=way.split.layers or (),
                gpu_layers=layers - way.split.offloaded if way.split.offloaded else None,
                expert_parallel=split.experts,
                draft_model=instance.draft_model,
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
                min_healthy=_min_healthy(instance, copies[wish.group]),
                drain_seconds=instance.drain_seconds,
            )
        )
    return tuple(found)


def check_min_healthy(spec: HostSpec, launches: Sequence[Launch], complaints: Complaints) -> None:
    """Fewer than there are: one is restarted at a time. The reader judges written numbers."""
    copies = Counter(launch.group for launch in launches)
    for group, instance in spec.instances.items():
        least, there = instance.min_healthy, copies[group]
        if least is not None and not isinstance(instance.replicas, int) and least >= there:
            complaints.error(
                "min-healthy",
                f"{group}: min_healthy is {least}, but replicas is {instance.replicas}, which is "
                f"{there} here: at most {there - 1} can serve while one is restarted",
                *("instances", group, "min_healthy"),
                hint=f"at most {there - 1}",
            )


def _min_healthy(instance: InstanceSpec, copies: int) -> int:
    """All but the one that is restarted, unless host.yaml says less."""
    return copies - 1 if instance.min_healthy is None else instance.min_healthy


def _launch_gpu(gpu: Gpu, nodes: Nodes) -> LaunchGpu:
    return LaunchGpu(
        gpu.uuid,
        gpu.address,
        gpu.index,
        nodes.next_to(gpu),
        gpu.name,
        gpu.memory_mib,
        gpu.vendor,
        _profile(gpu),
    )


def _profile(gpu: Gpu) -> str | None:
    """`1g.10gb` of a MIG slice."""
    return (gpu.name or "").rpartition(" MIG ")[2] or None if is_slice(gpu) else None
