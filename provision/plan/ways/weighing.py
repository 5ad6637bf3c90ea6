"""The ways of running a service on one group of GPUs: split, memory, context, speed."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace

from provision.host.facts import Gpu
from provision.models.memory.split import Split

from ..cost.links import Joint, joint_of
from ..cost.speed import Ground, Speed, estimate
from ..machine.gpus import GpuTable
from ..machine.groups import in_rank_order
from ..machine.layout import Layout, Signature
from ..machine.slices import is_slice
from ..wording import counted, listed
from .fitting import Fitting
from .merit import merit, quickness
from .service import Service
from .splits import split_problem, splits
from .way import Problem, Way

_SAME_MEMORY = 1.05  # times the least: splits differ by copies of norms and by buffers
_LEVEL = 0.90  # of the best merit: a smaller difference is within the estimate's error


class Ways:
    """Ways of one service; groups that look the same to it are reckoned once."""

    def __init__(self, service: Service, table: GpuTable, layout: Layout) -> None:
        self.service = service
        self.table = table
        self.layout = layout
        self.fitting = Fitting(service, table)
        self._best: dict[Signature, tuple[Way, tuple[int, ...]]] = {}

    def best(self, group: Sequence[Gpu]) -> Way:
        """The best way on this group (in PCI order); one with a problem where none works."""
        at = self.layout.positions(group)
        signature = self.layout.signature(at)
        known = self._best.get(signature)
        if known is None:
            way = self._choose(group)
            order = tuple(group.index(gpu) for gpu in way.gpus)
            known = self._best[signature] = (way, order)
        way, order = known
        return replace(way, gpus=tuple(group[one] for one in order))

    def _choose(self, group: Sequence[Gpu]) -> Way:
        found = self.all(group)
        working = [way for way in found if way.problem is None]
        if not working:
            return min(found, key=_distance_from_working)
        if self.service.optimize == "memory":
            least = _SAME_MEMORY * min(sum(way.need_mib) for way in working)
            working = [way for way in working if sum(way.need_mib) <= least]
            return max(working, key=quickness)
        best = max(merit(self.service, way) for way in working)
        # Over NVLink the fewest stages among ways that the estimate cannot tell apart.
        linked = all(way.joint.kind in ("nvlink", "xgmi", "none") for way in working)
        least = _LEVEL * best if linked else best
        level = [way for way in working if merit(self.service, way) >= least]
        return min(level, key=lambda way: (way.split.pipeline, -merit(self.service, way)))

    def all(self, group: Sequence[Gpu]) -> list[Way]:
        """Every split of this group, the impossible ones with their problem."""
        count = len(group)
        if count > 1 and any(is_slice(gpu) for gpu in group):
            text = "CUDA takes one MIG slice a process"
            return [self._impossible(group, Split(), Problem("slices", text))]
        found = [self.way(group, split) for split in splits(self.service, count)]
        if not found:
            return [self._impossible(group, Split(), _no_split(self.service, count))]
        return [way for way in found if self._worth_a_look(way, found)]

    def _worth_a_look(self, way: Way, found: Sequence[Way]) -> bool:
        """Whole experts instead of slices of each: where slices cannot be, or for throughput."""
        if not way.split.experts or self.service.spec.expert_parallel:
            return True
        size = (way.split.tensor, way.split.pipeline)
        plain = next(
            one
            for one in found
            if not one.split.experts and (one.split.tensor, one.split.pipeline) == size
        )
        if plain.problem is not None:
            return plain.problem.rule == "width"
        return self.service.optimize == "throughput"

    def way(self, group: Sequence[Gpu], split: Split) -> Way:
        """One split of this group."""
        gpus = in_rank_order(group, split.tensor, self.table)
        inner, outer = self._joints(gpus, split)
        service = self.service
        joint = inner if split.tensor > 1 or split.pipeline == 1 else outer
        problem = split_problem(service, split, gpus)
        if problem is not None:
            return Way(split, gpus, joint, service.load, problem=problem)
        way = self.fitting.fitted(gpus, split, joint)
        if way.problem is not None and service.spec.cpu_offload and service.ability.offload:
            way = self.fitting.offloaded(gpus, split, joint) or way
        if way.need is None or way.problem is not None:
            return way
        speed = self._speed(way, inner, outer)
        return replace(way, speed=speed, share=sum(self.table.share(gpu) for gpu in gpus))

    def _impossible(self, group: Sequence[Gpu], split: Split, problem: Problem) -> Way:
        joint = joint_of(group, self.table)
        return Way(split, tuple(group), joint, self.service.load, problem=problem)

    def _joints(self, gpus: Sequence[Gpu], split: Split) -> tuple[Joint, Joint]:
        """The worst within a tensor group, and the worst between stages."""
        stages = [gpus[at : at + split.tensor] for at in range(0, len(gpus), split.tensor)]
        inner = min((joint_of(one, self.table) for one in stages), key=_slowness)
        between = [joint_of((a[-1], b[0]), self.table) for a, b in itertools.pairwise(stages)]
        return inner, min(between, key=_slowness, default=joint_of(gpus[:1], self.table))

    def _speed(self, way: Way, inner: Joint, outer: Joint) -> Speed:
        cards = tuple(self.layout.card(gpu) for gpu in way.gpus)
        share = min((self.table.share(gpu) for gpu in way.gpus), default=1.0)
        ground = Ground(cards, inner, outer, share)
        assert way.need is not None  # only ways that fit are timed
        return estimate(self.service.models, way.load, way.split, way.need, ground, way.kv_tokens)


# Which problem says most where no way works: the nearest to working first.
_NEAREST = (
    "memory",
    "used-by-others",
    "width",
    "kv-heads",
    "heads",
    "unequal",
    "experts",
    "layers",
    "asked",
    "slices",
    "vendors",
    "engine",
)


def _no_split(service: Service, count: int) -> Problem:
    """Why there is no split at all over so many GPUs."""
    spec = service.spec
    asked = {
        "tensor_parallel_size": spec.tensor_parallel_size,
        "pipeline_parallel_size": spec.pipeline_parallel_size,
    }
    given = listed(f"{key} {value}" for key, value in asked.items() if value is not None)
    if given:
        return Problem("asked", f"host.yaml asks for {given}")
    return Problem("engine", f"{spec.engine} has no way over {counted(count, 'GPU')}")


def _distance_from_working(way: Way) -> int:
    return _NEAREST.index(way.problem.rule) if way.problem is not None else 0


def _slowness(joint: Joint) -> tuple[float, float]:
    return (joint.gbs, -joint.latency_us) if joint.kind != "none" else (float("inf"), 0.0)
