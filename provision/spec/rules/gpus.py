"""Which GPUs: selectors that name one, counts that agree, none named twice."""

from __future__ import annotations

from ..complaints import Complaints
from ..gpu_id import canonical, hint, is_index
from ..model import GpuSelector, HostSpec, InstanceSpec, PowerLimit
from ..places import Path
from ..subject import quoted


def check_values(name: str, spec: InstanceSpec, complaints: Complaints) -> None:
    """The GPUs that one instance names."""
    _check_selector(name, spec.gpus, complaints, ("instances", name, "gpus"))


def check_together(name: str, spec: InstanceSpec, complaints: Complaints) -> None:
    """The GPUs of one instance against its replicas and parallel sizes."""
    _check_replicas(name, spec, complaints)
    if spec.engine == "vllm":
        _check_parallel(name, spec, complaints)


def check_shared(spec: HostSpec, complaints: Complaints) -> None:
    """One GPU, one instance: two would not know of each other's memory."""
    owners: dict[str, str] = {}
    for name, one in spec.instances.items():
        if not isinstance(one.gpus, list):
            continue
        for number, text in enumerate(one.gpus):
            gpu = canonical(text)
            if gpu is None:
                continue
            owner = owners.setdefault(gpu, name)
            if owner != name:
                complaints.add(
                    "gpu-shared",
                    f"{name}: the GPU {text} is already named by {owner}",
                    *("instances", name, "gpus", number),
                    hint="give each its own GPU; ollama serves several models from one instance",
                )


def check_settings(spec: HostSpec, complaints: Complaints) -> None:
    """The selectors of gpu_settings."""
    limits = spec.gpu_settings.power_limit_watts if spec.gpu_settings else None
    if not isinstance(limits, list):
        return
    seen: dict[str, int] = {}
    for number, limit in enumerate(limits):
        at: Path = ("gpu_settings", "power_limit_watts", number, "gpus")
        _check_selector("gpu_settings", limit.gpus, complaints, at)
        _check_two_limits(limit, number, seen, complaints, at)


def _check_two_limits(
    limit: PowerLimit, number: int, seen: dict[str, int], complaints: Complaints, at: Path
) -> None:
    for item, text in enumerate(limit.gpus if isinstance(limit.gpus, list) else ()):
        gpu = canonical(text)
        if gpu is not None and seen.setdefault(gpu, number) != number:
            message = f"gpu_settings: the GPU {text} has two power limits"
            complaints.add("gpu-twice", message, *at, item, hint="remove one")


def _check_selector(name: str, gpus: object, complaints: Complaints, at: Path) -> None:
    if isinstance(gpus, GpuSelector):
        if gpus.model is not None and not gpus.model.strip():
            message = f"{name}: the GPU model is empty text"
            complaints.add(
                "gpu-model", message, *at, "model", hint='write part of its name: "3090"'
            )
        return
    seen: set[str] = set()
    for number, text in enumerate(gpus if isinstance(gpus, list) else ()):
        gpu = canonical(text)
        if gpu is not None and gpu in seen:
            message = f"{name}: gpus names {text} twice"
            complaints.add("gpu-twice", message, *at, number, hint="remove one")
        elif is_index(text):
            complaints.add(
                "gpu-index",
                f"{name}: gpus names the index {text}; indices are not taken, "
                "since the order of GPUs changes between boots and programs",
                *at,
                number,
                hint="write the UUID or PCI address (provision inspect shows them), "
                "or a count: gpus: 1",
            )
        elif gpu is None:
            message = f"{name}: gpus names {quoted(text)}, which is no UUID or PCI address"
            complaints.add("gpu-selector", message, *at, number, hint=hint(text))
        else:
            seen.add(gpu)


def _check_replicas(name: str, spec: InstanceSpec, complaints: Complaints) -> None:
    at: Path = ("instances", name, "replicas")
    if spec.replicas == "per-gpu" and spec.gpus not in ("auto", 1):
        complaints.add(
            "replicas-gpus",
            f"{name}: replicas is per-gpu, one on each free GPU, but gpus is {_gpus(spec)}",
            *at,
            hint="remove gpus, or write a number of replicas",
        )
    elif isinstance(spec.gpus, list) and isinstance(spec.replicas, int) and spec.replicas > 1:
        complaints.add(
            "replicas-gpus",
            f"{name}: replicas is {spec.replicas}, but gpus names {_gpus(spec)}: "
            "all replicas would have the same",
            *at,
            hint="write a count, gpus: 1, or one instance for each list of GPUs",
        )


def _check_parallel(name: str, spec: InstanceSpec, complaints: Complaints) -> None:
    tensor, pipeline = spec.tensor_parallel_size, spec.pipeline_parallel_size
    if tensor is None and pipeline is None:
        return
    gpus = _count(spec.gpus)
    # Only one of the two given: the other follows from the count, when it divides.
    given = (tensor or 1) * (pipeline or 1)
    if gpus == given or (tensor is None and gpus > 0 and gpus % given == 0):
        return
    key = "tensor_parallel_size" if tensor is not None else "pipeline_parallel_size"
    sizes = [("tensor_parallel_size", tensor), ("pipeline_parallel_size", pipeline)]
    words = " x ".join(f"{one} {size}" for one, size in sizes if size is not None)
    need = f"{given} GPU" + ("s" if given > 1 else "")
    complaints.add(
        "gpus-parallel",
        f"{name}: {words} needs {need}, but gpus is {_gpus(spec)}",
        *("instances", name, key),
        hint=f"{_write(spec)} {given}, or leave the sizes to provision",
    )


def _write(spec: InstanceSpec) -> str:
    if isinstance(spec.gpus, list):
        return "name as many GPUs:"
    return "write count:" if isinstance(spec.gpus, GpuSelector) else "write gpus:"


def _count(gpus: object) -> int:
    if isinstance(gpus, int):
        return gpus
    if isinstance(gpus, list):
        return len(gpus)
    return gpus.count if isinstance(gpus, GpuSelector) else 1


def _gpus(spec: InstanceSpec) -> str:
    if isinstance(spec.gpus, list):
        return f"{len(spec.gpus)} GPU" + ("s" if len(spec.gpus) > 1 else "")
    if isinstance(spec.gpus, GpuSelector):
        return f"{spec.gpus.count} by selector"
    return "auto (one)" if spec.gpus == "auto" else str(spec.gpus)
