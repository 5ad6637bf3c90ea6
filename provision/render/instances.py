"""What the host half must know of each instance: how to guard, prove, drain and judge it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from provision.engines.launch import Launch
from provision.engines.registry import engine_named
from provision.host.bundle import (
    Artifact,
    Expectation,
    GuardGpu,
    Instance,
    InstanceRuntime,
    Probe,
)
from provision.host.document import dumps
from provision.host.facts import Placed
from provision.host.quantity import CpuSet

from . import paths
from .systemd import START_TIMEOUT_SECONDS, memory_policy

# Those that decide which GPUs and whose settings a process sees: verify reads them back.
_TELLING = (
    "CUDA_DEVICE_ORDER",
    "CUDA_VISIBLE_DEVICES",
    "HIP_VISIBLE_DEVICES",
    "ROCR_VISIBLE_DEVICES",
)


def runtime_of(launch: Launch) -> InstanceRuntime:
    """The document that guard and ready read."""
    engine = engine_named(launch.engine)
    return InstanceRuntime(
        version=InstanceRuntime.VERSION,
        name=launch.name,
        gpus=tuple(GuardGpu(gpu.uuid, gpu.address) for gpu in launch.gpus),
        visible_devices_variable=engine.visible_devices_variable(launch),
        secrets=dict(sorted(launch.secrets.items())),
        ready=engine.ready(launch),
        token=engine.token(launch),
        start_timeout_seconds=START_TIMEOUT_SECONDS,
    )


def runtime_file(runtime: InstanceRuntime) -> Artifact:
    return Artifact(paths.runtime_file(runtime.name), dumps(runtime))


def instance_of(
    launch: Launch, runtime: InstanceRuntime, digest: str, through_proxy: Probe | None
) -> Instance:
    """The instance as apply and verify see it."""
    engine = engine_named(launch.engine)
    return Instance(
        name=launch.name,
        group=launch.group,
        engine=launch.engine,
        unit=paths.unit_of(launch.engine, launch.name),
        digest=digest,
        runtime=runtime,
        expectation=_expectation(launch, digest),
        placed=_placed(launch),
        drain=dataclasses.replace(engine.drain(launch), patience_seconds=launch.drain_seconds),
        through_proxy=through_proxy,
        requires=tuple(sorted(engine.requires(launch))),
        program=launch.program,
        start_timeout_seconds=START_TIMEOUT_SECONDS,
        min_healthy=launch.min_healthy,
        version=launch.version,
    )


def _expectation(launch: Launch, digest: str) -> Expectation:
    engine = engine_named(launch.engine)
    pin = launch.pin
    pinned = pin.form != "none" and bool(pin.cpus)
    policy = memory_policy(pin)
    return Expectation(
        process=engine.process(launch),
        cpus=pin.cpus if pinned else None,
        memory_policy=pin.memory if policy else None,
        memory_nodes=tuple(sorted(pin.nodes)) if policy else (),
        hard_cpuset=pinned and pin.form == "systemd",
        gpus=tuple(gpu.uuid for gpu in launch.gpus),
        environment=_environment(engine.environment(launch), digest),
        port=launch.port,
    )


def _environment(variables: Mapping[str, str], digest: str) -> dict[str, str]:
    telling = {name: variables[name] for name in _TELLING if name in variables}
    return dict(sorted({**telling, "PROVISION_DIGEST": digest}.items()))


def _placed(launch: Launch) -> Placed:
    return Placed(
        instance=launch.name,
        engine=launch.engine,
        unit=paths.unit_of(launch.engine, launch.name),
        gpus=tuple(gpu.uuid for gpu in launch.gpus),
        nodes=tuple(sorted(launch.pin.nodes)),
        cpus=launch.pin.cpus or CpuSet(),
        port=launch.port,
        ports=(launch.port, *launch.internal_ports),
    )
