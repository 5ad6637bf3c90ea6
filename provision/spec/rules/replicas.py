"""How many: replicas and parallel sizes against the GPUs that an instance asks for."""

from __future__ import annotations

from ..complaints import Complaints
from ..model import GpuSelector, InstanceSpec
from ..places import Path


def check(name: str, spec: InstanceSpec, complaints: Complaints) -> None:
    """The GPUs of one instance against its replicas and parallel sizes."""
    _check_replicas(name, spec, complaints)
    _check_healthy(name, spec, complaints)
    if spec.replicas == "per-gpu" and spec.share_gpus:
        complaints.add(
            "share-per-gpu",
            f"{name}: share_gpus is true, but replicas is per-gpu: each is alone on its GPU",
            *("instances", name, "share_gpus"),
            hint="remove share_gpus, or write a number of replicas",
        )
    if spec.engine == "vllm":
        _check_parallel(name, spec, complaints)


def _check_replicas(name: str, spec: InstanceSpec, complaints: Complaints) -> None:
    at: Path = ("instances", name, "replicas")
    if spec.replicas == "per-gpu" and spec.gpus not in ("auto", 1):
        complaints.add(
            "replicas-gpus",
            f"{name}: replicas is per-gpu, one on each free GPU, but gpus is {_gpus(spec)}",
            *at,
            hint="remove gpus, or write a number of replicas",
        )
    elif spec.replicas == "auto" and spec.gpus == 0:
        complaints.add(
            "replicas-gpus",
            f"{name}: replicas is auto, as many as the GPUs hold, but gpus is 0",
            *at,
            hint="write a number of replicas",
        )
    elif isinstance(spec.gpus, list) and spec.replicas not in ("per-gpu", 1):
        complaints.add(
            "replicas-gpus",
            f"{name}: replicas is {spec.replicas}, but gpus names {_gpus(spec)}: "
            "all replicas would have the same",
            *at,
            hint="write a count, gpus: 1, or one instance for each list of GPUs",
        )


def _check_healthy(name: str, spec: InstanceSpec, complaints: Complaints) -> None:
    """One replica at a time is restarted; where their number is not written, the plan judges."""
    least = spec.min_healthy
    if least is None or not isinstance(spec.replicas, int) or least < spec.replicas:
        return
    copies = f"{spec.replicas} replica" + ("s" if spec.replicas > 1 else "")
    complaints.add(
        "min-healthy",
        f"{name}: min_healthy is {least}, but with {copies} at most {spec.replicas - 1} can serve "
        "while one is restarted",
        *("instances", name, "min_healthy"),
        hint=f"at most {spec.replicas - 1}, or more replicas",
    )


def _check_parallel(name: str, spec: InstanceSpec, complaints: Complaints) -> None:
    tensor, pipeline = spec.tensor_parallel_size, spec.pipeline_parallel_size
    if tensor is None and pipeline is None:
        return
    if spec.gpus == "auto" and spec.replicas != "per-gpu":
        return  # the plan takes as many as the sizes say
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
        hint=f"{_write(spec, given)}, or leave the sizes to provision",
    )


def _write(spec: InstanceSpec, given: int) -> str:
    if spec.replicas == "per-gpu":
        return "write a number of replicas"
    if isinstance(spec.gpus, list):
        return f"name as many GPUs: {given}"
    return f"write count: {given}" if isinstance(spec.gpus, GpuSelector) else f"write gpus: {given}"


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
    return "one, by replicas: per-gpu" if spec.gpus == "auto" else str(spec.gpus)
