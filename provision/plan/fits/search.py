"""Search: the ways of one model on one machine, each kind of group of GPUs reckoned once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from provision.host.facts import Facts, Gpu

from ..machine.gpus import table_of
from ..machine.layout import Layout, Signature
from ..placement.offers import fewest
from ..placement.rest import cpu_way
from ..ways.merit import merit, merit_each
from ..ways.service import Service
from ..ways.way import MIB, Way, way_text
from ..ways.weighing import Ways


class Machine:
    """The GPUs of a host as one instance may get them. Shared by the searches of many models."""

    def __init__(self, facts: Facts) -> None:
        self.name = facts.stable.system.hostname
        self.table = table_of(facts)
        self.layout = Layout(self.table)
        self.free = self.table.usable()

    def groups(self, size: int) -> list[tuple[Gpu, ...]]:
        """Groups of that size that a plan can tell apart, one of each kind."""
        kinds: dict[Signature, tuple[Gpu, ...]] = {}
        for group in self.layout.likely(self.free, size):
            kinds.setdefault(self.signature(group), group)
        return list(kinds.values())

    def signature(self, group: Sequence[Gpu]) -> Signature:
        return self.layout.signature(self.layout.positions(group))

    def crossings(self, group: Sequence[Gpu]) -> tuple[int, int, int]:
        return self.layout.crossings(self.layout.positions(group))


class Search:
    """The ways of one service on a machine that runs nothing else."""

    def __init__(self, service: Service, machine: Machine) -> None:
        self.service = service
        self.machine = machine
        self.reckoned = Ways(service, machine.table, machine.layout)
        self._all: dict[Signature, list[Way]] = {}
        self._merits: dict[Signature, dict[str, float]] = {}

    def all(self, size: int) -> list[Way]:
        """Every way over so many GPUs, the impossible ones with their problem."""
        return [way for group in self.machine.groups(size) for way in self._on(group)]

    def _on(self, group: tuple[Gpu, ...]) -> list[Way]:
        """Their GPUs are those of the first group of this kind that was asked about."""
        signature = self.machine.signature(group)
        if signature not in self._all:
            self._all[signature] = self.reckoned.all(group)
        return self._all[signature]

    def best(self, size: int) -> list[Way]:
        """The ways that work over so many GPUs, the best of each kind of group."""
        found = [self.reckoned.best(group) for group in self.machine.groups(size)]
        return [way for way in found if way.problem is None]

    def chosen(self) -> Way | None:
        """What a plan would take for it alone, where host.yaml leaves the number of GPUs open."""
        sizes = fewest(self.reckoned, self.machine.free)
        found = [way for size in sizes for way in self.best(size) if not way.split.offloaded]
        return min(found, key=self._price, default=None)

    def _price(self, way: Way) -> tuple[float, tuple[int, int, int]]:
        group = sorted(way.gpus, key=lambda gpu: (gpu.address, gpu.uuid))
        return (-merit_each(self.service, way), self.machine.crossings(group))

    def word(self, way: Way) -> str:
        """`tensor 2`, `layers 44 + 36`."""
        return way_text(way.split, self.service.ability.pipeline_word, len(way.gpus))

    def copies(self, way: Way) -> int:
        """Groups on which it runs in this way, side by side, each joined as well as it can be."""
        left, size, word = list(self.machine.free), len(way.gpus), self.word(way)
        count = 0
        while size and len(left) >= size:
            merits = {
                group: self._merits_on(group)[word]
                for group in self.machine.layout.likely(left, size)
                if word in self._merits_on(group)
            }
            if not merits:
                break
            taken = max(merits, key=lambda group: merits[group])
            left = [gpu for gpu in left if gpu not in taken]
            count += 1
        return count

    def _merits_on(self, group: tuple[Gpu, ...]) -> dict[str, float]:
        """The merit of every way that works on this group, by its word."""
        signature = self.machine.signature(group)
        if signature not in self._merits:
            self._merits[signature] = {
                self.word(way): merit_each(self.service, way)
                for way in self._on(group)
                if way.problem is None
            }
        return self._merits[signature]

    def in_ram(self) -> Way | None:
        """With as few layers in RAM as need be, over the most GPUs that do not hold it alone; all
        of it on the CPU where that does not work either. None: the engine cannot, or no RAM."""
        ability, table = self.service.ability, self.machine.table
        if not ability.offload:
            return None
        spec = self.service.spec.model_copy(update={"cpu_offload": True})
        helped = Search(replace(self.service, spec=spec), self.machine)
        for size in range(len(self.machine.free), 0, -1):
            found = [way for way in helped.best(size) if way.split.offloaded]
            if found:
                return max(found, key=lambda way: merit(self.service, way))
        if any(self.best(size) for size in range(1, len(self.machine.free) + 1)):
            return None
        alone = cpu_way(self.reckoned)
        taken, most = (alone.need.ram_bytes if alone.need else 0), table.shared_mib
        return None if most is not None and taken > most * MIB else alone
