"""Wishes: each instance with the GPUs it asks for, read from the spec and checked one by one."""

from __future__ import annotations

from dataclasses import dataclass

from provision.host.facts import Gpu
from provision.spec.model import GpuSelector, HostSpec, InstanceSpec

from ..complaints import Complaints
from ..machine.gpus import GpuTable, alike, matches
from ..wording import counted, gpu_line, gpu_uuids

_MOST_GPUS = 64


@dataclass(frozen=True, slots=True)
class Wish:
    """One instance to be placed.

    named: exactly these GPUs. Otherwise one of `sizes` GPUs that fit the selector; sizes () leaves
    the number to the plan, (0,) is the CPU alone. per_gpu: the group takes what is left, one
    instance a GPU. fill: as many copies as fit. Their number follows from the GPUs.
    """

    name: str
    group: str
    number: int
    order: int  # of the group in the spec
    sizes: tuple[int, ...]
    named: tuple[Gpu, ...] = ()
    selector: GpuSelector | None = None
    per_gpu: bool = False
    fill: bool = False
    shares: bool = False  # others that share may be on its GPUs too

    @property
    def on_cpu(self) -> bool:
        return self.sizes == (0,)


def wishes_of(spec: HostSpec, table: GpuTable, complaints: Complaints) -> list[Wish]:
    """All wishes in the order of the spec; a per-gpu group is one wish, number 0, as is a group
    with replicas: auto.

    The reader has made sure that a list of GPUs has one replica, and per-gpu one GPU each.
    """
    found: list[Wish] = []
    for order, (group, instance) in enumerate(spec.instances.items()):
        found += _wishes(group, order, instance, table, complaints)
    _check_claims(found, complaints)
    return found


def _check_claims(wishes: list[Wish], complaints: Complaints) -> None:
    """A card that two instances name serves both only where both say that they share."""
    holder: dict[str, Wish] = {}
    for wish in wishes:
        for gpu in wish.named:
            first = holder.setdefault(gpu.uuid, wish)
            if first is wish or (first.shares and wish.shares):
                continue
            complaints.error(
                "gpu-taken",
                f"{wish.name}: GPU {gpu.index} ({gpu.uuid}) is held by {first.name}; a GPU serves "
                "one instance unless both say share_gpus: true",
                *("instances", wish.group, "gpus"),
                hint="ollama serves several models from one instance: `models: [...]`",
            )


def _wishes(
    group: str, order: int, instance: InstanceSpec, table: GpuTable, complaints: Complaints
) -> list[Wish]:
    named: tuple[Gpu, ...] = ()
    if isinstance(instance.gpus, list):
        cards = named_gpus(instance.gpus, table, complaints, group, "instances", group, "gpus")
        if cards is None:
            return []
        named = cards
    sizes = _sizes(instance, group, complaints)
    if sizes is None:
        return []
    counted_out = isinstance(instance.replicas, str)
    wishes = [
        Wish(
            name=f"{group}.{number}",
            group=group,
            number=number,
            order=order,
            sizes=sizes,
            named=named,
            selector=instance.gpus if isinstance(instance.gpus, GpuSelector) else None,
            per_gpu=instance.replicas == "per-gpu",
            fill=instance.replicas == "auto",
            shares=instance.share_gpus,
        )
        for number in range(1 if counted_out else int(instance.replicas))
    ]
    for wish in wishes:
        _check_named(wish, instance, complaints)
    return wishes


def _sizes(instance: InstanceSpec, group: str, complaints: Complaints) -> tuple[int, ...] | None:
    """How many GPUs an instance may have; () leaves it open. None, with an error: sizes clash."""
    tensor, pipeline = instance.tensor_parallel_size, instance.pipeline_parallel_size
    if isinstance(instance.gpus, list):
        size = len(instance.gpus)
    elif isinstance(instance.gpus, int):
        size = instance.gpus
    elif isinstance(instance.gpus, GpuSelector):
        size = instance.gpus.count
    elif instance.replicas == "per-gpu":
        size = 1
    elif tensor is not None:
        return (tensor * (pipeline or 1),)
    else:
        return tuple(range(pipeline, _MOST_GPUS + 1, pipeline)) if pipeline else ()
    gpus = max(1, size)
    wanted = (tensor or 1) * (pipeline or 1)
    if wanted == gpus or (gpus % wanted == 0 and None in (tensor, pipeline)):
        return (size,)
    key = "tensor_parallel_size" if tensor else "pipeline_parallel_size"
    given = " x ".join(
        f"{name} {number}"
        for name, number in (
            ("tensor_parallel_size", tensor),
            ("pipeline_parallel_size", pipeline),
        )
        if number is not None
    )
    complaints.error(
        "parallel-sizes",
        f"{group}: {given} does not give the {counted(size, 'GPU')} of an instance",
        *("instances", group, key),
        hint=f"gpus: {wanted}" if tensor else f"use a pipeline size that divides {gpus}",
    )
    return None


def _check_named(wish: Wish, instance: InstanceSpec, complaints: Complaints) -> None:
    """Cards that are named together must be able to work together."""
    path = ("instances", wish.group, "gpus")
    tensor = instance.tensor_parallel_size or 1
    if len({gpu.vendor for gpu in wish.named}) > 1:
        complaints.error(
            "mixed-vendors",
            f"{wish.group}: {', '.join(map(gpu_line, wish.named))} are of different makers, which "
            "no engine uses together",
            *path,
            hint="give each maker's cards to an instance of their own",
        )
    elif tensor == len(wish.named) > 1 and not alike(wish.named):
        complaints.error(
            "unequal-gpus",
            f"{wish.group}: tensor parallel over {', '.join(map(gpu_line, wish.named))}: every "
            "layer is split evenly, so the smallest card sets the memory of all",
            *path,
            hint=f"pipeline_parallel_size: {len(wish.named)}, or cards of one kind, or "
            f"{'an instance for each card' if instance.engine == 'vllm' else 'ollama'}",
        )


def named_gpus(
    words: list[str],
    table: GpuTable,
    complaints: Complaints,
    subject: str,
    *path: str | int,
    to_use: bool = True,
) -> tuple[Gpu, ...] | None:
    """The GPUs of these UUIDs and PCI addresses, in PCI order; None when one is wrong.

    to_use: they are to serve an instance, so those that cannot are wrong.
    """
    found: list[Gpu] = []
    good = True
    for at, word in enumerate(words):
        gpu = table.named(word)
        problem = _named_problem(word, gpu, found, table, to_use)
        if problem is None and gpu is not None:
            found.append(gpu)
            continue
        good = False
        rule, message, hint = problem or ("", "", "")
        complaints.error(rule, f"{subject}: {message}", *path, at, hint=hint)
    return tuple(sorted(found, key=lambda gpu: gpu.address)) if good else None


def _named_problem(
    word: str, gpu: Gpu | None, found: list[Gpu], table: GpuTable, to_use: bool
) -> tuple[str, str, str] | None:
    """What is wrong with one word of a list: rule, message, hint."""
    if gpu is None:
        if not table.gpus:
            why = f": {table.missing}" if table.missing else ""
            message = f"gpus names {word}, but no GPU is known on this host{why}"
            return ("no-such-gpu", message, "gpus: 0 runs it on the CPU")
        have = "; ".join(f"{gpu_line(one)} {one.uuid}" for one in (*table.gpus, *table.slices))
        return ("no-such-gpu", f"gpus names {word}, which this host does not have", f"here: {have}")
    if gpu in found:
        return ("gpu-twice", f"gpus names {gpu_line(gpu)} twice", "name each card once")
    reason = table.unusable(gpu) if to_use else None
    if reason is not None:
        others = gpu_uuids(table.usable()) or "none"
        return ("gpu-unusable", f"{gpu_line(gpu)}: {reason}", f"usable: {others}")
    return None


def fits(wish: Wish, gpu: Gpu) -> bool:
    """Whether one GPU may serve this wish."""
    return wish.selector is None or matches(gpu, wish.selector)
