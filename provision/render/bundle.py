"""Plan -> Bundle: every file of the host, and what apply and verify must know. Pure."""

from __future__ import annotations

from provision import __version__
from provision.engines.launch import Launch
from provision.host.bundle import Artifact, Bundle, Instance
from provision.host.errors import fail
from provision.plan.plan import Plan

from .accounts import accounts, engines_of, users_of
from .environment import digest_file, digest_of, env_file
from .gpu import gpu_artifacts, settings_of
from .instances import instance_of, runtime_file, runtime_of
from .nginx import key_headers, key_maps, nginx_of, proxy_artifacts, through_proxy
from .services import services
from .systemd import drop_in, links, target, template_unit


def render(plan: Plan) -> Bundle:
    """The Bundle of a plan, without the agent. Same plan, same bytes; artifacts by path."""
    units = {engine: template_unit(engine, plan) for engine in engines_of(plan)}
    artifacts = [*units.values(), target(), *links(plan), *services(plan), *accounts(plan)]
    artifacts += gpu_artifacts(plan)
    instances: list[Instance] = []
    for launch in plan.instances:
        instance, files = _instance(plan, launch, units[launch.engine])
        instances.append(instance)
        artifacts += files
    proxied = proxy_artifacts(plan.proxy, plan.watch is not None) if plan.proxy else ()
    return Bundle(
        version=Bundle.VERSION,
        host=plan.host,
        tool=__version__,
        artifacts=_by_path([*artifacts, *proxied]),
        key_maps=key_maps(plan.proxy) if plan.proxy else (),
        key_headers=key_headers(plan.proxy) if plan.proxy else (),
        instances=tuple(instances),
        nginx=nginx_of(plan.proxy) if plan.proxy else None,
        gpu_settings=settings_of(plan),
        users=users_of(plan),
        takeover=plan.takeover,
        watch=plan.watch,
    )


def _instance(plan: Plan, launch: Launch, unit: Artifact) -> tuple[Instance, tuple[Artifact, ...]]:
    runtime = runtime_of(launch)
    files = (drop_in(launch), env_file(launch), runtime_file(runtime))
    digest = digest_of((unit, *files))
    proxied = through_proxy(plan, launch.name, runtime.token) if runtime.token else None
    instance = instance_of(launch, runtime, digest, proxied)
    return instance, (*files, digest_file(launch.name, digest))


def _by_path(artifacts: list[Artifact]) -> tuple[Artifact, ...]:
    """Sorted; two files of one path would be a fault of ours that must not reach a host."""
    found = {artifact.path: artifact for artifact in artifacts}
    if len(found) != len(artifacts):
        names = [artifact.path for artifact in artifacts]
        twice = sorted({name for name in names if names.count(name) > 1})
        raise fail("written-twice", f"rendered more than once: {', '.join(twice)}")
    return tuple(found[path] for path in sorted(found))
