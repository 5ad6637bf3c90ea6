"""Wishes: each instance with the GPUs it asks for, read from the spec and checked one by one."""

from __future__ import annotations

from dataclasses import dataclass

from provision.host.facts import Gpu
from provision.spec.model import GpuSelector, HostSpec, InstanceSpec

from .complaints import Complaints
from .gpus import GpuTable, alike, matches, unusable
from .wording import counted, gpu_line, gpu_uuids


@dataclass(frozen=True, slots=True)
class Wish:
    """One instance to be placed.

    named: exactly these GPUs. Otherwise `size` GPUs that fit the selector. per_gpu: the group
    takes what is left, one instance a GPU, and the number of its wishes follows from that.
    """

    name: str
    group: str
    number: int
    order: int  # of the group in the spec
    size: int
    named: tuple[Gpu, ...] = ()
    selector: GpuSelector | None = None
    equal: bool = False  # tensor parallel: cards of one kind only
    per_gpu: bool = False


def wishes_of(spec: HostSpec, table: GpuTable, complaints: Complaints) -> list[Wish]:
    """All wishes in the order of the spec; a per-gpu group is one wish, number 0.

    The reader has made sure that a list of GPUs has one replica, and per-gpu one GPU each.
    """
    found: list[Wish] = []
    for order, (group, instance) in enumerate(spec.instances.items()):
        if instance.replicas == "per-gpu":
            if tensor_size(instance, 1, group, complaints) is not None:
                found.append(Wish(f"{group}.0", group, 0, order, 1, per_gpu=True))
        else:
            found += _counted(group, order, instance, instance.replicas, table, complaints)
    return found


def _counted(
    group: str,
    order: int,
    instance: InstanceSpec,
    replicas: int,
    table: GpuTable,
    complaints: Complaints,
) -> list[Wish]:
    named: tuple[Gpu, ...] = ()
    if isinstance(instance.gpus, list):
        cards = named_gpus(instance.gpus, table, complaints, group, "instances", group, "gpus")
        if cards is None:
            return []
        named, size = cards, len(cards)
    else:
        size = _size(instance)
    tensor = tensor_size(instance, size, group, complaints)
    if tensor is None:
        return []
    wishes = [
        Wish(
            name=f"{group}.{number}",
            group=group,
            number=number,
            order=order,
            size=size,
            named=named,
            selector=instance.gpus if isinstance(instance.gpus, GpuSelector) else None,
            equal=tensor > 1,
        )
        for number in range(replicas)
    ]
    for wish in wishes:
        _check_named(wish, instance, complaints)
    return wishes


def _size(instance: InstanceSpec) -> int:
    if isinstance(instance.gpus, int):
        return instance.gpus
    return instance.gpus.count if isinstance(instance.gpus, GpuSelector) else 1


def tensor_size(
    instance: InstanceSpec, size: int, group: str, complaints: Complaints
) -> int | None:
    """vLLM's tensor parallel size: what is left of the GPUs after the pipeline. None: wrong.

    Other engines split a model over GPUs by layers, which takes cards of any kind: 1.
    """
    if instance.engine != "vllm":
        return 1
    pipeline = instance.pipeline_parallel_size or 1
    tensor = instance.tensor_parallel_size
    gpus = max(1, size)
    if tensor is None:
        tensor = gpus // pipeline
    if tensor * pipeline == gpus:
        return tensor
    wanted = tensor * pipeline if instance.tensor_parallel_size else None
    key = "tensor_parallel_size" if instance.tensor_parallel_size else "pipeline_parallel_size"
    given = f"tensor_parallel_size {tensor} x " if instance.tensor_parallel_size else ""
    complaints.error(
        "parallel-sizes",
        f"{group}: {given}pipeline_parallel_size {pipeline} does not give the "
        f"{counted(size, 'GPU')} of an instance",
        *("instances", group, key),
        hint=f"gpus: {wanted}" if wanted else f"use a pipeline size that divides {gpus}",
    )
    return None


def _check_named(wish: Wish, instance: InstanceSpec, complaints: Complaints) -> None:
    """Cards that are named together must be able to work together."""
    path = ("instances", wish.group, "gpus")
    if len({gpu.vendor for gpu in wish.named}) > 1:
        complaints.error(
            "mixed-vendors",
            f"{wish.group}: {', '.join(map(gpu_line, wish.named))} are of different makers, which "
            "no engine uses together",
            *path,
            hint="give each maker's cards to an instance of their own",
        )
    elif wish.equal and not alike(wish.named):
        complaints.error(
            "unequal-gpus",
            f"{wish.group}: tensor parallel over {', '.join(map(gpu_line, wish.named))}: every "
            "layer is split evenly, so the smallest card sets the memory of all",
            *path,
            hint=f"pipeline_parallel_size: {len(wish.named)}, or cards of one kind, or "
            f"{'an instance for each card' if instance.engine == 'vllm' else 'ollama'}",
        )


def named_gpus(
    words: list[str], table: GpuTable, complaints: Complaints, subject: str, *path: str | int
) -> tuple[Gpu, ...] | None:
    """The GPUs of these UUIDs and PCI addresses, in PCI order; None when one is wrong."""
    found: list[Gpu] = []
    good = True
    for at, word in enumerate(words):
        gpu = table.named(word)
        problem = _named_problem(word, gpu, found, table)
        if problem is None and gpu is not None:
            found.append(gpu)
            continue
        good = False
        rule, message, hint = problem or ("", "", "")
        complaints.error(rule, f"{subject}: {message}", *path, at, hint=hint)
    return tuple(sorted(found, key=lambda gpu: gpu.address)) if good else None


def _named_problem(
    word: str, gpu: Gpu | None, found: list[Gpu], table: GpuTable
) -> tuple[str, str, str] | None:
    """What is wrong with one word of a list: rule, message, hint."""
    if gpu is None:
        if not table.gpus:
            why = f": {table.missing}" if table.missing else ""
            message = f"gpus names {word}, but no GPU is known on this host{why}"
            return ("no-such-gpu", message, "gpus: 0 runs it on the CPU")
        if word.startswith("MIG-"):
            message = f"gpus names {word}, but MIG slices are not supported yet"
            return ("gpu-unusable", message, "name a whole card that is not in MIG mode")
        have = "; ".join(f"{gpu_line(one)} {one.uuid}" for one in table.gpus)
        return ("no-such-gpu", f"gpus names {word}, which this host does not have", f"here: {have}")
    if gpu in found:
        return ("gpu-twice", f"gpus names {gpu_line(gpu)} twice", "name each card once")
    reason = unusable(gpu)
    if reason is not None:
        others = gpu_uuids(table.usable()) or "none"
        return ("gpu-unusable", f"{gpu_line(gpu)}: {reason}", f"usable: {others}")
    return None


def fits(wish: Wish, gpu: Gpu) -> bool:
    """Whether one GPU may serve this wish."""
    return wish.selector is None or matches(gpu, wish.selector)
