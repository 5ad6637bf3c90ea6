"""Why a wish for GPUs cannot be met: what is missing, and the nearest that works."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from provision.host.facts import Gpu

from ..complaints import Complaints
from ..machine.gpus import GpuTable
from ..machine.slices import is_slice
from ..placement.offers import Offer, offers_for
from ..placement.wishes import Wish, fits
from ..ways.weighing import Ways
from ..wording import counted, gpu_line, listed
from .nofit import key, other_sizes, say_no_fit, shortfall


def explain_shortage(
    wanted: Sequence[Wish],
    ways: Mapping[str, Ways],
    table: GpuTable,
    complaints: Complaints,
    busy: Mapping[str, str] | None = None,
) -> None:
    """One error for each group that finds nothing when all are placed one after the other.

    Where each alone would fit but not all together, the first one is named with all the others.
    """
    taken = dict(busy or {})
    said: set[str] = set()
    for wish in sorted(wanted, key=_claims_first):
        if wish.group in said or (wish.named and complaints.about("gpus", wish.group)):
            continue
        offers = offers_for(wish, ways[wish.group], table, {}, every_size=True)
        free = [one for one in offers if not {gpu.uuid for gpu in one.gpus} & set(taken)]
        if free:
            taken.update(dict.fromkeys((gpu.uuid for gpu in free[0].gpus), wish.name))
            continue
        said.add(wish.group)
        _say(wish, offers, ways[wish.group], table, taken, wanted, complaints)
    if not said and wanted:
        together = listed(f"{one.name} ({_number(one)})" for one in wanted)
        complaints.error(
            "gpus-together",
            f"{wanted[0].group}: no way was found to give {together} their GPUs at the same time",
            *("instances", wanted[0].group, "gpus"),
            hint="name the cards of one of them by UUID or PCI address, or share_gpus: true where "
            "several fit one card",
        )


def _claims_first(wish: Wish) -> tuple[bool, bool, int, int, int]:
    """Named cards, then selectors, then big before small, then the spec's order."""
    return (
        not wish.named,
        wish.selector is None,
        -max(wish.sizes, default=1),
        wish.order,
        wish.number,
    )


def _number(wish: Wish) -> str:
    return str(wish.sizes[0]) if len(wish.sizes) == 1 else "as many as needed"


def _say(
    wish: Wish,
    offers: Sequence[Offer],
    ways: Ways,
    table: GpuTable,
    taken: Mapping[str, str],
    wanted: Sequence[Wish],
    complaints: Complaints,
) -> None:
    path = ("instances", wish.group, "gpus")
    usable = [gpu for gpu in table.usable() if fits(wish, gpu)]
    if not table.gpus:
        why = f": {table.missing}" if table.missing else ""
        needs = f"needs {_wanted(wish)}" if wish.sizes else "needs a GPU"
        complaints.error(
            "no-gpu",
            f"{wish.group}: {needs}, but no GPU is known on this host{why}",
            *path,
            hint="install the driver and check `nvidia-smi`" if table.missing else _on_cpu(ways),
        )
    elif offers:
        replicas = sum(1 for one in wanted if one.group == wish.group)
        complaints.error(
            "gpus-short",
            f"{wish.name}: needs {_wanted(wish)}, {_state(usable, taken, table)}",
            *path,
            hint=_nearest(wish, ways, usable, taken, replicas),
        )
    else:
        _say_never(wish, ways, usable, table, complaints)


def _say_never(
    wish: Wish, ways: Ways, usable: Sequence[Gpu], table: GpuTable, complaints: Complaints
) -> None:
    """Not even alone on an empty host."""
    sizes = wish.sizes or tuple(range(1, len(usable) + 1))
    groups = (
        [wish.named]
        if wish.named
        else [group for size in sizes for group in ways.layout.likely(usable, size)]
    )
    if not groups and usable and all(is_slice(gpu) for gpu in usable):
        complaints.error(
            "gpus-short",
            f"{wish.name}: needs {_wanted(wish)}, but only MIG slices are here, and CUDA takes "
            "one slice a process",
            *("instances", wish.group, key(ways)),
            hint=_fewer(ways, usable) or "turn MIG off, or give each slice an instance of its own",
        )
        return
    makers = {gpu.vendor for gpu in usable}
    if not groups and len(usable) >= min(sizes, default=1) and len(makers) > 1:
        complaints.error(
            "mixed-vendors",
            f"{wish.name}: needs {_wanted(wish)}, and those here are of different makers "
            f"({', '.join(map(gpu_line, usable))}), which no engine uses together",
            *("instances", wish.group, key(ways)),
            hint=_fewer(ways, usable) or _on_cpu(ways),
        )
        return
    if not groups:
        complaints.error(
            "gpus-short",
            f"{wish.name}: needs {_wanted(wish)}, {_state(usable, {}, table)}",
            *("instances", wish.group, "gpus"),
            hint=_fewer(ways, usable) or _on_cpu(ways),
        )
        return
    nearest = min((ways.best(group) for group in groups), key=shortfall)
    problem = nearest.problem
    assert problem is not None  # there was no offer, so none of them works
    if problem.rule in ("memory", "used-by-others"):
        say_no_fit(wish, ways, usable, nearest, problem, sizes, complaints)
        return
    rule = {"unequal": "unequal-gpus", "vendors": "mixed-vendors"}.get(problem.rule, "no-split")
    complaints.error(
        rule,
        f"{wish.name}: {problem.text}",
        *("instances", wish.group, key(ways)),
        hint=other_sizes(wish, ways, usable),
    )


def _wanted(wish: Wish) -> str:
    if wish.per_gpu:
        text = "at least 1 GPU that no other instance claims"
    elif len(wish.sizes) == 1:
        text = counted(wish.sizes[0], "GPU")
    else:
        text = "1 GPU or more"
    if wish.selector is not None and wish.selector.model is not None:
        text += f' of model "{wish.selector.model}"'
    if wish.selector is not None and wish.selector.node is not None:
        text += f" on node {wish.selector.node}"
    return text


def _state(usable: Sequence[Gpu], taken: Mapping[str, str], table: GpuTable) -> str:
    """How many fit at all, who holds them, how many are free."""
    free = [gpu for gpu in usable if gpu.uuid not in taken]
    held = [f"GPU {gpu.index} by {taken[gpu.uuid]}" for gpu in usable if gpu.uuid in taken]
    text = f"{len(free)} of {len(usable)} {'is' if len(free) == 1 else 'are'} free"
    if not usable:
        text = f"this host has none that could serve ({', '.join(map(gpu_line, table.gpus))})"
    if held:
        text += f" (held: {', '.join(held)})"
    spoilt = [gpu for gpu in table.gpus if _spoilt(gpu, table)]
    if spoilt:
        lines = "; ".join(f"{gpu_line(one)}: {table.unusable(one)}" for one in spoilt)
        text += f"; not counted: {lines}"
    return f"{text}; {table.missing}" if table.missing else text


def _spoilt(gpu: Gpu, table: GpuTable) -> bool:
    """Not used at all, neither as a whole nor by its slices."""
    sliced = any(one.address == gpu.address for one in table.usable() if is_slice(one))
    return table.unusable(gpu) is not None and not sliced


def _nearest(
    wish: Wish, ways: Ways, usable: Sequence[Gpu], taken: Mapping[str, str], replicas: int
) -> str:
    """The nearest wish that this host could meet."""
    if replicas > 1 and not wish.per_gpu and wish.number > 0:
        return f"the nearest that works: replicas: {wish.number}"
    free = [gpu for gpu in usable if gpu.uuid not in taken]
    fewer = _fewer(ways, free)
    return fewer or f"take a card from another instance, or {_on_cpu(ways)}"


def _fewer(ways: Ways, free: Sequence[Gpu]) -> str | None:
    """The largest number of these GPUs that would serve it."""
    for size in range(len(free), 0, -1):
        if any(ways.best(group).problem is None for group in ways.layout.likely(free, size)):
            return f"the nearest that works: gpus: {size}"
    return None


def _on_cpu(ways: Ways) -> str:
    return "gpus: 0 runs it on the CPU" if ways.service.ability.offload else "serve it elsewhere"
