"""The table of instances of a plan: where each runs, how full its GPUs are, how fast it is."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

from provision.engines.launch import Launch
from provision.plan.plan import Figures, Plan

from .figures_text import band_text, cores_text, expected_text, gpus_text, told, vram_text
from .screen import Table, heading

_HEAD = ("instance", "engine", "model", "GPUs", "split", "node", "cores", "VRAM a GPU", "port")
_EXPECTED = "expected (estimate)"
_SPARE = tuple(_HEAD.index(one) for one in ("model", "cores", "node", "engine"))
_LONGEST_MODEL = 28
_SHORTEST_MODEL = 16  # letters; a name that is cut further tells nothing


def show_instances(plan: Plan) -> None:
    """A line an instance, without what is expected of it."""
    longest = _LONGEST_MODEL
    table = _table(plan, longest)
    while not table.fits() and longest > _SHORTEST_MODEL:
        longest -= 1
        table = _table(plan, longest)
    table.show()


def show_instances_and_expected(plan: Plan) -> bool:
    """The same with what is expected of each where that finds room; whether it did."""
    table = _table(plan, _LONGEST_MODEL, expected=True)
    if not table.fits():
        show_instances(plan)
        return False
    table.show()
    return True


def show_expected(plan: Plan) -> None:
    """What is expected, in a part of its own; nothing where nothing is."""
    table = Table(("instance", "one stream", "all streams of a full batch", "context", "KV cache"))
    for names, figures in _alike(plan):
        speed = told(figures.speed)
        if speed is None:
            continue
        full = f"{band_text(speed.full)} tok/s, {speed.batch} streams" if speed.batch > 1 else ""
        context = f"{figures.context:,}" if figures.context else ""
        tokens = f"{figures.kv_tokens:,} tokens" if figures.kv_tokens else ""
        table.row(_names(names), f"{band_text(speed.single)} tok/s", full, context, tokens)
    if table.rows:
        heading("Expected (estimates)")
        table.show()


def model_text(launch: Launch, longest: int = _LONGEST_MODEL) -> str:
    """The models in short: a path's last part, a hub id's name; the first and how many more."""
    first = launch.models[0].rstrip("/").rpartition("/")[2] if launch.models else ""
    short = first if len(first) <= longest else f"{first[: longest - 3]}..."
    return f"{short} +{len(launch.models) - 1}" if len(launch.models) > 1 else short


def split_text(launch: Launch) -> str:
    """`tensor 2`, `tensor 2 pipeline 2`, `layers` where the engine spreads them itself."""
    parts = []
    if launch.tensor_parallel_size > 1:
        parts.append(f"tensor {launch.tensor_parallel_size}")
    if launch.pipeline_parallel_size > 1:
        parts.append(f"pipeline {launch.pipeline_parallel_size}")
    if not parts and len(launch.gpus) > 1:
        return "layers"
    return " ".join(parts)


def _table(plan: Plan, longest: int, expected: bool = False) -> Table:
    table = Table((*_HEAD, _EXPECTED) if expected else _HEAD, spare=_SPARE)
    for one in plan.instances:
        figures = plan.figures.get(one.name)
        cells = (
            one.name,
            one.engine,
            model_text(one, longest),
            gpus_text([gpu.index for gpu in one.gpus]),
            split_text(one),
            " ".join(map(str, one.pin.nodes)),
            cores_text(one.pin.cpus),
            vram_text(figures.need_mib, figures.room_mib) if figures else "",
            str(one.port),
        )
        table.row(*cells, *([expected_text(figures)] if expected else []))
    return table


def _alike(plan: Plan) -> Iterator[tuple[list[str], Figures]]:
    """Instances of one group that are expected to do the same, together."""
    shown = [(one, plan.figures[one.name]) for one in plan.instances if one.name in plan.figures]
    for _, run in groupby(
        shown, lambda each: (each[0].group, each[1].speed, each[1].context, each[1].kv_tokens)
    ):
        same = list(run)
        yield [one.name for one, _ in same], same[0][1]


def _names(names: list[str]) -> str:
    """`small.0-3` of four replicas that follow each other, `small.0 small.2` otherwise."""
    group, _, first = names[0].rpartition(".")
    numbers = [name.rpartition(".")[2] for name in names]
    if len(names) > 1 and group and numbers == [str(int(first) + at) for at in range(len(names))]:
        return f"{group}.{first}-{numbers[-1]}"
    return " ".join(names)
