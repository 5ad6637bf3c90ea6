"""Pools of a route that is chosen by model: who serves which names, each name in one pool only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from provision.engines.launch import Launch
from provision.engines.registry import engine_named
from provision.spec.model import HostSpec, UpstreamSpec

from .complaints import Complaints
from .plan import Member, Pool


def members_of(weights: Mapping[str, int], launches: Sequence[Launch]) -> tuple[Member, ...]:
    """All replicas of these groups, in the order of the spec."""
    return tuple(
        Member(launch.name, launch.port, weight)
        for group, weight in weights.items()
        for launch in launches
        if launch.group == group
    )


def pools_of(weights: Mapping[str, int], launches: Sequence[Launch]) -> tuple[Pool, ...]:
    """One pool for the groups that serve the same; it has the name of the first of them."""
    alike: dict[tuple[str, frozenset[str]], list[str]] = {}
    named: dict[str, tuple[tuple[str, ...], ...]] = {}
    for group in weights:
        launch = next((one for one in launches if one.group == group), None)
        if launch is None:
            continue
        named[group] = engine_named(launch.engine).served_names(launch)
        names = frozenset(name for model in named[group] for name in model)
        alike.setdefault((launch.engine, names), []).append(group)
    return tuple(
        Pool(
            name=groups[0],
            engine=engine,
            models=tuple(dict.fromkeys(name for model in named[groups[0]] for name in model)),
            members=members_of({group: weights[group] for group in groups}, launches),
            listed=tuple(dict.fromkeys(model[0] for model in named[groups[0]])),
            paths=engine_named(engine).inference_paths,
        )
        for (engine, _), groups in alike.items()
    )


def check_pools(spec: HostSpec, launches: Sequence[Launch], complaints: Complaints) -> None:
    """A name that two pools serve would lead to one of them by chance."""
    for number, way in enumerate((spec.proxy and spec.proxy.upstreams) or ()):
        if not way.by_model:
            continue
        owners: dict[str, str] = {}
        for pool in pools_of(weights_of(way), launches):
            twice = [
                name for name in pool.models if owners.setdefault(name, pool.name) != pool.name
            ]
            if not twice:
                continue
            is_list = isinstance(way.instances, list)
            step = list(way.instances).index(pool.name) if is_list else pool.name
            complaints.error(
                "model-in-two-pools",
                f"proxy: upstreams[{number}] chooses by model, but {owners[twice[0]]} and "
                f"{pool.name} both serve {twice[0]}",
                *("proxy", "upstreams", number, "instances", step),
                hint=_rename(pool.engine),
            )


def weights_of(way: UpstreamSpec) -> Mapping[str, int]:
    """The groups of an upstream with their weights."""
    if isinstance(way.instances, dict):
        return way.instances
    return dict.fromkeys(way.instances, 1)


def _rename(engine: str) -> str:
    """How an instance gets another name for its model."""
    ways = {
        "vllm": "give one of them another name: args: [--served-model-name, NAME]",
        "llama-server": "rename one of the files",
    }
    return ways.get(engine, "serve it in one of them only, or make both serve the same models")
