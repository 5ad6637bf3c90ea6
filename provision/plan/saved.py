"""Saved plans: what they were made from, and whether that still holds. Pure."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator
from typing import Any

from provision.host.document import from_plain, to_plain
from provision.host.errors import Diagnostic, Place, ProvisionError
from provision.host.facts import Facts, InspectRequest

from .plan import Plan, PlanSource

_PATHS = "paths:"  # every path is a part of its own: a model that has come since changes no plan
_MIB_OF_GIB = 1024

# What a plan depends on of each part. Left out is what moves without anybody's doing (numbers that
# are valid for one boot, the kernel's own share of memory), what an update of packages changes, and
# what provision itself writes (CUDA_DEVICE_ORDER of login shells).
_SYSTEM = "hostname architecture systemd cgroup python numactl ephemeral_ports container"
_CGROUP = "cpus nodes cpu_quota memory_mib"  # not its path, which names the session
_CPU = "model online offline allowed allowed_nodes isolated sockets cores packages caches"
_NODE = "id cpus distances nearest"
_ACCELERATOR = "address vendor_id device_id class_code numa_node driver link integrated virtual"
_DRIVER = "vendor version cuda"
_GPU = (
    "uuid address vendor name memory_mib numa_node memory_node compute_capability power_min_watts"
    " power_max_watts power_default_watts link mig mig_devices nvlinks xgmi_hive partition"
    " integrated"
)
_LINK = "a b path nvlinks xgmi p2p"
_NGINX = "path version configuration modules"

# A saved plan that is cut short is no JSON any more; its beginning still says what it was.
_BEGINNING = re.compile(rb'\s*\{\s*"version"\s*:\s*\d+\s*,\s*"host"\s*:')
_KEYS = frozenset({"host", "systemd", "cgroup", "python"})  # of a Plan and of no host.yaml


def source_of(
    spec_path: str, spec_bytes: bytes, request: InspectRequest, facts: Facts
) -> PlanSource:
    """What a plan was made from. spec_path: absolute, `-` for standard input."""
    digest = hashlib.sha256(spec_bytes).hexdigest()
    return PlanSource(spec_path, digest, stable_digests(facts), request)


def stable_digests(facts: Facts) -> dict[str, str]:
    """SHA-256 of each part of the stable facts that planning depends on, by name.

    Files and models that the spec points at are parts of their own: `paths:/srv/models/a.gguf`.
    """
    return {name: _sha256(value) for name, value in sorted(_parts(facts))}


def changed(source: PlanSource, facts: Facts) -> tuple[str, ...]:
    """Names of the parts that differ from those that a plan was made from, sorted."""
    now = stable_digests(facts)
    came = {name for name in now if name not in source.stable and not name.startswith(_PATHS)}
    gone = {name for name, digest in source.stable.items() if now.get(name) != digest}
    return tuple(sorted(came | gone))


def spec_changed(source: PlanSource, spec_bytes: bytes) -> bool:
    """Whether host.yaml holds something else than it did."""
    return hashlib.sha256(spec_bytes).hexdigest() != source.spec_sha256


def differences(plan: Plan, source: PlanSource, facts: Facts) -> tuple[str, ...]:
    """A sentence for each part that differs, with what the plan itself knows of it."""
    return tuple(
        f"{_words(name)}: {said}" if said else f"{_words(name)} differs from when it was made"
        for name in changed(source, facts)
        for said in [", ".join(_details(name, plan, facts))]
    )


def is_plan(document: bytes) -> bool:
    """Whether a document is a saved plan (by its keys), or was one before it was damaged."""
    if document.lstrip()[:1] != b"{":
        return False
    try:
        plain = json.loads(document)
    except (ValueError, RecursionError):
        return _BEGINNING.match(document) is not None
    return isinstance(plain, dict) and plain.keys() >= _KEYS


def read_plan(document: bytes, name: str) -> Plan:
    """A saved plan. ProvisionError `bad-document`: damaged, or of another version."""
    again = "make it again: provision plan HOST.YAML -o FILE"
    try:
        plain = json.loads(document)
    except json.JSONDecodeError as error:
        lines = error.doc.splitlines()
        text = lines[error.lineno - 1] if error.lineno <= len(lines) else ""
        place = Place(name, error.lineno, error.colno, text)
        message = f"this saved plan is damaged: {error.msg}"
        raise ProvisionError(Diagnostic("bad-document", message, place, again)) from None
    except (ValueError, RecursionError) as error:
        message = f"{name}: this saved plan is damaged: {error}"
        raise ProvisionError(Diagnostic("bad-document", message, hint=again)) from None
    version = plain.get("version")
    if version != Plan.VERSION:
        message = f"{name}: a plan of version {version!r}; this program reads {Plan.VERSION}"
        raise ProvisionError(Diagnostic("bad-document", message, hint=again))
    return from_plain(Plan, plain, name)


def _parts(facts: Facts) -> Iterator[tuple[str, Any]]:
    stable = facts.stable
    yield "system", {**_some(stable.system, _SYSTEM), "gib": _gib(stable.system.memory_mib)}
    yield "cgroup", _some(stable.cgroup, _CGROUP)
    kinds = [(one.name, str(one.cpus)) for one in stable.cpu.kinds]
    yield "cpu", {**_some(stable.cpu, _CPU), "kinds": kinds}
    yield (
        "numa_nodes",
        [{**_some(one, _NODE), "gib": _gib(one.memory_mib)} for one in stable.numa_nodes],
    )
    yield "accelerators", _each(stable.accelerators, _ACCELERATOR)
    yield "drivers", _each(stable.drivers, _DRIVER)
    yield "gpus", _each(stable.gpus, _GPU)
    # Which of two is named first depends on their numbers of this boot.
    links = _each(stable.gpu_links, _LINK)
    pairs = ({**one, "a": min(one["a"], one["b"]), "b": max(one["a"], one["b"])} for one in links)
    yield "gpu_links", sorted(pairs, key=lambda one: (one["a"], one["b"]))
    yield "engines", [to_plain(one) for one in stable.engines]
    yield "nginx", None if stable.nginx is None else _some(stable.nginx, _NGINX)
    for one in stable.paths:
        if one.kind == "file" or one.model is not None:
            yield f"{_PATHS}{one.path}", {"kind": one.kind, "model": to_plain(one.model)}


def _some(value: object, names: str) -> dict[str, Any]:
    return {name: to_plain(getattr(value, name)) for name in names.split()}


def _each(values: Iterable[object], names: str) -> list[dict[str, Any]]:
    return [_some(one, names) for one in values]


def _gib(mib: int | None) -> int | None:
    """Memory in whole GiB: MemTotal differs by some MiB from boot to boot and kernel to kernel."""
    return None if mib is None else round(mib / _MIB_OF_GIB)


def _sha256(value: Any) -> str:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


_WORDS = {
    "system": "the system",
    "cgroup": "the control group's limits",
    "cpu": "the CPU",
    "numa_nodes": "the set of NUMA nodes",
    "accelerators": "the set of accelerators on the bus",
    "drivers": "the set of drivers",
    "gpus": "the set of GPUs",
    "gpu_links": "the set of links between GPUs",
    "engines": "the set of engines",
}


def _words(part: str) -> str:
    if part.startswith(_PATHS):
        return part[len(_PATHS) :]
    return _WORDS.get(part, part)


def _details(part: str, plan: Plan, facts: Facts) -> Iterator[str]:
    """What the plan says of a part beside what is there now; nothing where it says nothing."""
    if part == "system":
        system = facts.stable.system
        for what, then, now in (
            ("host name", plan.host, system.hostname),
            ("systemd", plan.systemd, system.systemd),
            ("control groups", plan.cgroup, system.cgroup),
        ):
            if then != now:
                yield f"{what} {then or 'unknown'} then, {now or 'unknown'} now"
    elif part == "gpus":
        planned = {gpu.uuid: one.name for one in plan.instances for gpu in one.gpus}
        there = {gpu.uuid for gpu in facts.stable.gpus}
        there |= {mig.uuid for gpu in facts.stable.gpus for mig in gpu.mig_devices}
        gone = [uuid for uuid in planned if uuid not in there]
        yield from (f"{uuid} of {planned[uuid]} is gone" for uuid in gone)
    elif part == "engines":
        versions = {one.path: one.version for one in facts.stable.engines}
        for path, version in sorted({(one.program, one.version) for one in plan.instances}):
            if path not in versions:
                yield from [f"{path} is gone"] if version else []
            elif versions[path] != version:
                yield f"{path} {version or 'unknown'} then, {versions[path] or 'unknown'} now"
    elif part.startswith(_PATHS) and not any(
        one.path == part[len(_PATHS) :] and one.kind for one in facts.stable.paths
    ):
        yield "is gone"
