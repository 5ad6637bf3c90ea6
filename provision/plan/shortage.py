"""Why a wish for GPUs cannot be met, and the nearest that works."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from provision.host.facts import Gpu

from .complaints import Complaints
from .gpus import GpuTable, groups, unusable
from .wishes import Wish, fits
from .wording import counted, gpu_line, listed


def explain_shortage(
    waiting: Sequence[Wish],
    taken: Mapping[str, tuple[Gpu, ...]],
    wishes: Sequence[Wish],
    table: GpuTable,
    complaints: Complaints,
) -> None:
    """One error for each group that finds nothing when all are placed one after the other.

    Where each alone would fit but not all together, the first one is named with all the others.
    """
    chosen = dict(taken)
    said: set[str] = set()
    for wish in waiting:
        if wish.group in said:
            continue
        free = _free(wish, chosen, table)
        found = groups(table, free, wish.size, wish.equal, {}) if not wish.per_gpu else []
        if found:
            chosen[wish.name] = found[0]
            continue
        said.add(wish.group)
        _say(wish, free, chosen, wishes, table, complaints)
    if not said and waiting:
        together = listed(f"{one.name} ({one.size})" for one in waiting)
        complaints.error(
            "gpus-together",
            f"{waiting[0].group}: no way was found to give {together} their GPUs at the same time",
            *("instances", waiting[0].group, "gpus"),
            hint="name the cards of one of them by UUID or PCI address",
        )


def _free(wish: Wish, chosen: Mapping[str, tuple[Gpu, ...]], table: GpuTable) -> list[Gpu]:
    busy = {gpu.uuid for cards in chosen.values() for gpu in cards}
    return [gpu for gpu in table.usable() if gpu.uuid not in busy and fits(wish, gpu)]


def _say(
    wish: Wish,
    free: Sequence[Gpu],
    chosen: Mapping[str, tuple[Gpu, ...]],
    wishes: Sequence[Wish],
    table: GpuTable,
    complaints: Complaints,
) -> None:
    path = ("instances", wish.group, "gpus")
    replicas = sum(1 for one in wishes if one.group == wish.group)
    if not table.gpus:
        why = f": {table.missing}" if table.missing else ""
        complaints.error(
            "no-gpu",
            f"{wish.group}: needs {counted(wish.size, 'GPU')}, but no GPU is known on this host"
            f"{why}",
            *path,
            hint="install the driver and check `nvidia-smi`" if table.missing else _on_cpu(wish),
        )
        return
    if wish.equal and len(free) >= wish.size:
        complaints.error(
            "unequal-gpus",
            f"{wish.name}: tensor parallel needs {wish.size} cards of one kind; free are "
            f"{', '.join(map(gpu_line, free))}",
            *path,
            hint=f"pipeline_parallel_size: {wish.size} takes cards of any kind, or give each card "
            "an instance of its own",
        )
        return
    complaints.error(
        "gpus-short",
        f"{wish.name}: needs {_wanted(wish)}, {_state(wish, free, chosen, table)}",
        *path,
        hint=_nearest(wish, free, replicas),
    )


def _wanted(wish: Wish) -> str:
    if wish.per_gpu:
        text = "at least 1 GPU that no other instance claims"
    else:
        text = counted(wish.size, "GPU")
    if wish.selector is not None and wish.selector.model is not None:
        text += f' of model "{wish.selector.model}"'
    if wish.selector is not None and wish.selector.node is not None:
        text += f" on node {wish.selector.node}"
    return text


def _state(
    wish: Wish, free: Sequence[Gpu], chosen: Mapping[str, tuple[Gpu, ...]], table: GpuTable
) -> str:
    """How many fit at all, who holds them, how many are free."""
    fitting = [gpu for gpu in table.usable() if fits(wish, gpu)]
    holders = {gpu.uuid: name for name, cards in chosen.items() for gpu in cards}
    held = [f"GPU {gpu.index} by {holders[gpu.uuid]}" for gpu in fitting if gpu.uuid in holders]
    text = f"{len(free)} of {len(fitting)} {'is' if len(free) == 1 else 'are'} free"
    if not fitting:
        text = f"this host has none ({', '.join(map(gpu_line, table.gpus))})"
    if len({gpu.vendor for gpu in free}) > 1 and len(free) >= wish.size:
        text += ", but of different makers"
    if held:
        text += f" (held: {', '.join(held)})"
    spoilt = [gpu for gpu in table.gpus if unusable(gpu) is not None]
    if spoilt:
        text += f"; not counted: {'; '.join(f'{gpu_line(one)}: {unusable(one)}' for one in spoilt)}"
    if table.missing:
        text += f"; {table.missing}"
    return text


def _nearest(wish: Wish, free: Sequence[Gpu], replicas: int) -> str:
    """The nearest wish that this host could meet."""
    if free and not wish.per_gpu and wish.size > 1:
        makers = {gpu.vendor: sum(1 for one in free if one.vendor == gpu.vendor) for gpu in free}
        most = max(makers.values())
        if most < wish.size:
            return f"the nearest that works: gpus: {most}"
    if replicas > 1 and not wish.per_gpu and wish.number > 0:
        return f"the nearest that works: replicas: {wish.number}"
    return f"take a card from another instance, or {_on_cpu(wish)}"


def _on_cpu(wish: Wish) -> str:
    return "gpus: 0 runs it on the CPU" if not wish.equal else "serve it elsewhere"
