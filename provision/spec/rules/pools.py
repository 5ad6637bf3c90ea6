"""Upstreams over instances: all exist, and all members of one serve the same models."""

from __future__ import annotations

import difflib
from collections.abc import Collection

from provision.host.ollama_tags import OllamaTag

from ..complaints import Complaints
from ..model import HostSpec, InstanceSpec, UpstreamSpec


def check(spec: HostSpec, complaints: Complaints, known: Collection[str] = ()) -> None:
    """The instances of every upstream. known: names with complaints of their own."""
    names = {*spec.instances, *known}
    for number, upstream in enumerate((spec.proxy and spec.proxy.upstreams) or ()):
        _check_names(upstream, number, names, complaints)
        if not upstream.by_model:
            _check_same(upstream, number, spec, complaints, known)


def _check_names(
    upstream: UpstreamSpec, number: int, names: Collection[str], complaints: Complaints
) -> None:
    seen: set[str] = set()
    for item, name in enumerate(upstream.instances):
        step = name if isinstance(upstream.instances, dict) else item
        at = ("proxy", "upstreams", number, "instances", step)
        if name not in names:
            near = difflib.get_close_matches(name, sorted(names), n=1)
            hint = f"did you mean {near[0]}?" if near else f"instances: {', '.join(sorted(names))}"
            message = f"proxy: upstreams[{number}] names {name}, but there is no such instance"
            complaints.add("unknown-instance", message, *at, hint=hint, key=True)
        elif name in seen:
            message = f"proxy: upstreams[{number}] names {name} twice"
            hint = f"for more traffic write a weight: {{{name}: 2}}"
            complaints.add("member-twice", message, *at, hint=hint)
        seen.add(name)


def _check_same(
    upstream: UpstreamSpec,
    number: int,
    spec: HostSpec,
    complaints: Complaints,
    known: Collection[str],
) -> None:
    """A request must not meet a server that does not have its model."""
    members = [name for name in upstream.instances if name in spec.instances and name not in known]
    for name in members[1:]:
        first, other = spec.instances[members[0]], spec.instances[name]
        if _serves(first) == _serves(other):
            continue
        if first.engine != other.engine:
            words = f"{members[0]} runs {first.engine}, {name} runs {other.engine}"
        else:
            words = f"{members[0]} serves {_models(first)}, {name} serves {_models(other)}"
        is_list = isinstance(upstream.instances, list)
        step = list(upstream.instances).index(name) if is_list else name
        complaints.add(
            "mixed-pool",
            f"proxy: upstreams[{number}] mixes what is not the same: {words}",
            *("proxy", "upstreams", number, "instances", step),
            hint=f"give {name} an upstream of its own, with another path or port, or add "
            "by_model: true",
            key=True,
        )
        return


def _serves(spec: InstanceSpec) -> tuple[str, frozenset[str]]:
    models = frozenset(spec.models or ([spec.model] if spec.model else []))
    if spec.engine == "ollama":
        models = frozenset(_full(one) for one in models)
    return spec.engine, models


def _full(tag: str) -> str:
    try:
        return str(OllamaTag.parse(tag))
    except ValueError:  # complained about by instance.check
        return tag


def _models(spec: InstanceSpec) -> str:
    return ", ".join(spec.models or [spec.model or "no model"])
