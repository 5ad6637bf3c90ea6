"""Complaints about a model that these GPUs do not hold, or that cannot be split over them so."""

from __future__ import annotations

from collections.abc import Sequence

from provision.host.facts import Gpu
from provision.models.memory.split import Split

from ..complaints import Complaints
from ..placement.wishes import Wish
from ..ways.splits import split_problem
from ..ways.way import Problem, Way
from ..ways.weighing import Ways
from ..wording import gib, listed
from .remedies import remedies, what_there_is


def key(ways: Ways) -> str:
    """The key of host.yaml that the complaint is about: what was asked for, else the model."""
    given = ways.service.spec.model_fields_set
    keys = ("tensor_parallel_size", "pipeline_parallel_size", "gpus", "model", "models")
    return next(key for key in keys if key in given)


def say_no_fit(
    wish: Wish,
    ways: Ways,
    usable: Sequence[Gpu],
    nearest: Way,
    problem: Problem,
    sizes: Sequence[int],
    complaints: Complaints,
) -> None:
    """Too large: what it needs, what there is, what would fit."""
    service = ways.service
    model = service.largest
    stored = f" in {model.weights.quantisation}" if model.source != "spec" else ""
    text = (
        f"{wish.name}: {model.name}{stored} with context {nearest.load.context} needs "
        f"{gib(sum(nearest.need_mib))} of GPU memory"
    )
    if problem.rule == "used-by-others":
        text += f"; {problem.text}"
    elif wish.named or wish.sizes:
        more = problem.text.removeprefix("needs ")
        text += f": {more}" if len(nearest.gpus) > 1 else f";{more.partition(',')[2]}"
    else:
        text += f"; {what_there_is(usable, ways)}"
    options = remedies(ways, usable, sizes)
    complaints.error(
        "no-fit",
        text,
        *("instances", wish.group, key(ways)),
        hint=f"would fit: {listed(options, 'or')}"
        if options
        else "no smaller form of it fits here: choose a smaller model",
    )


def shortfall(way: Way) -> tuple[int, float]:
    """How far a way is from working: memory problems by what is missing, others behind."""
    if way.problem is None or way.problem.rule not in ("memory", "used-by-others"):
        return (1, 0.0)
    gaps = [n - (room or 0) for n, room in zip(way.need_mib, way.room, strict=False)]
    return (0, float(max(gaps, default=0) * len(way.gpus)))


def other_sizes(wish: Wish, ways: Ways, usable: Sequence[Gpu]) -> str:
    """Numbers of GPUs with which it would work."""
    works = [
        size
        for size in range(1, len(usable) + 1)
        if any(ways.best(group).problem is None for group in ways.layout.likely(usable, size))
    ]
    if works:
        return f"gpus: {listed(map(str, works), 'or')} would work"
    spec, size = ways.service.spec, max(wish.sizes, default=1)
    if spec.tensor_parallel_size is None:
        return "no number of GPUs of this host works"
    tensor = [
        one for one in range(2, len(usable) + 1) if one != size and _tensor_works(ways, usable, one)
    ]
    first = f"tensor_parallel_size: {listed(map(str, tensor), 'or')}, or " if tensor else ""
    return f"{first}pipeline_parallel_size: {size} in its place"


def _tensor_works(ways: Ways, usable: Sequence[Gpu], size: int) -> bool:
    """Whether a tensor parallel size is legal on some GPUs, memory aside."""
    return any(
        split_problem(ways.service, Split(size), group) is None
        for group in ways.layout.likely(usable, size)
    )
