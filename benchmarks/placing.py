"""Placement: how long the exact search takes, and how often it crosses links without need.

The other side of the second is the greedy rule: sort the GPUs by free memory, take the first that
are needed. It is restated here; GPUStack's vllm_resource_fit_selector.py chooses by it among the
GPUs of a worker when a model needs several.
"""

from __future__ import annotations

import argparse
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import median

from provision.plan.packing.problem import Item, Problem
from provision.plan.packing.search import Outcome, search

from .machines import CARD_MIB, MACHINES, Machine, made

BINS = (1, 2, 4, 8, 16)
ITEMS = (1, 2, 4, 8, 16, 32)


def main(words: Sequence[str]) -> int:
    """Exit code 0 after the two tables."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks placing", description=__doc__)
    parser.add_argument("--repeat", type=int, default=10, help="made problems of each size")
    parser.add_argument("--draws", type=int, default=2000, help="of free memory, each machine")
    options = parser.parse_args(words)
    print(times(max(1, options.repeat)))
    print()
    print(crossings(max(1, options.draws)))
    return 0


# --- how long ------------------------------------------------------------------------------------


def times(repeat: int) -> str:
    """Markdown: CPU time of the search by bins and items, and what it proved."""
    head = ["GPUs", "instances", "case", "CPU ms, median", "CPU ms, most", "placed"]
    head += ["none fits, proven", "cost proven", "balance proven"]
    lines = [f"| {' | '.join(head)} |", "|---:|---:|---|" + "---:|" * 6]
    for bins in BINS:
        for items in ITEMS:
            for anew in (False, True):
                found = [_timed(bins, items, anew, seed) for seed in range(repeat)]
                lines.append(_row(bins, items, anew, found))
    return "\n".join(lines)


def _timed(bins: int, items: int, anew: bool, seed: int) -> tuple[float, Outcome]:
    dice = random.Random(seed * 10_000 + bins * 100 + items)
    problem = made(bins, items, anew, dice)
    began = time.process_time()
    outcome = search(problem)
    return time.process_time() - began, outcome


def _row(bins: int, items: int, anew: bool, found: Sequence[tuple[float, Outcome]]) -> str:
    seconds = [one for one, _ in found]
    solved = [one.solution for _, one in found if one.solution is not None]
    none = sum(one.proven for _, one in found if one.solution is None)
    proven, balanced = sum(s.proven for s in solved), sum(s.balanced for s in solved)
    cells = [str(bins), str(items), "all new" if anew else "one more"]
    cells += [f"{median(seconds) * 1000:.1f}", f"{max(seconds) * 1000:.0f}"]
    cells += [str(one) for one in (len(solved), none, proven, balanced)]
    return f"| {' | '.join(cells)} |"


# --- how well ------------------------------------------------------------------------------------


@dataclass(slots=True)
class Count:
    """Draws in which every instance could have a group, by what came of them.

    avoidable: groups are possible that cross less than the greedy ones together, or the greedy
    rule finds no room though there is.
    """

    draws: int = 0
    ours_cross: int = 0
    greedy_cross: int = 0
    greedy_fails: int = 0
    avoidable: int = 0
    ours_avoidable: int = 0

    def parts(self) -> tuple[int, ...]:
        """In the order of the table."""
        ours, greedy = self.ours_cross, self.greedy_cross
        return ours, greedy, self.greedy_fails, self.ours_avoidable, self.avoidable


def crossings(draws: int) -> str:
    """Markdown: both rules on the same draws of free memory."""
    head = ["machine", "GPUs are", "instances", "draws with room", "ours crosses"]
    head += ["greedy crosses", "greedy finds no room", "ours without need", "greedy without need"]
    lines = [f"| {' | '.join(head)} |", "|---|---|---|" + "---:|" * 6]
    for machine in MACHINES:
        for widths in ((2,), (2, 2), (4,) if len(machine.socket) > 4 else (2, 1)):
            for idle in (True, False):
                count = _counted(machine, widths, idle, draws)
                cells = [machine.name, "idle" if idle else "in use", _wishes(widths)]
                cells += [str(count.draws), *(_share(one, count.draws) for one in count.parts())]
                lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _wishes(widths: Sequence[int]) -> str:
    return " and ".join(f"{width} GPUs" if width > 1 else "1 GPU" for width in widths)


def _share(part: int, whole: int) -> str:
    return f"{part} ({part / whole:.1%})" if whole else "none"


def _counted(machine: Machine, widths: Sequence[int], idle: bool, draws: int) -> Count:
    """idle: the cards have 0.2 to 1.2 GiB in use; else any part of their memory."""
    dice = random.Random(17)
    count = Count()
    used = (200, 1200) if idle else (0, CARD_MIB)
    for _ in range(draws):
        free = [CARD_MIB - dice.randint(*used) for _ in machine.socket]
        need = dice.randint(CARD_MIB // 10, CARD_MIB * 6 // 10)
        possible = _least_crossed(machine, free, widths, need)
        if possible is None:
            continue
        count.draws += 1
        ours = _ours(machine, free, widths, need)
        greedy = _greedy(machine, free, widths, need)
        count.ours_cross += _crosses(ours)
        count.ours_avoidable += ours is None or ours > possible
        count.greedy_fails += greedy is None
        count.greedy_cross += _crosses(greedy)
        count.avoidable += greedy is None or greedy > possible
    return count


def _crosses(found: tuple[int, int] | None) -> bool:
    return found is not None and found > (0, 0)


def _ours(
    machine: Machine, free: Sequence[int], widths: Sequence[int], need: int
) -> tuple[int, int] | None:
    items = []
    for at, width in enumerate(widths):
        groups = combinations(range(len(free)), width)
        options = tuple(machine.option(group, need) for group in groups)
        items.append(Item(str(at), options))
    solution = search(Problem(tuple(free), tuple(items))).solution
    return None if solution is None else (solution.cost[1], solution.cost[2])


def _greedy(
    machine: Machine, free: Sequence[int], widths: Sequence[int], need: int
) -> tuple[int, int] | None:
    """One instance after the other: the GPUs with the most free memory, of those not yet taken."""
    order = sorted(range(len(free)), key=lambda gpu: (-free[gpu], gpu))
    sockets = torn = 0
    for width in widths:
        group, order = order[:width], order[width:]
        if len(group) < width or any(free[gpu] < need for gpu in group):
            return None
        more = machine.crossings(group)
        sockets, torn = sockets + more[0], torn + more[1]
    return sockets, torn


def _least_crossed(
    machine: Machine, free: Sequence[int], widths: Sequence[int], need: int
) -> tuple[int, int] | None:
    """By every combination of groups that share no GPU, without the search."""
    fitting = [gpu for gpu, room in enumerate(free) if room >= need]

    def least(left: Sequence[int], widths: Sequence[int]) -> tuple[int, int] | None:
        if not widths:
            return 0, 0
        best: tuple[int, int] | None = None
        for group in combinations(left, widths[0]):
            rest = least([gpu for gpu in left if gpu not in group], widths[1:])
            if rest is not None:
                mine = machine.crossings(group)
                found = mine[0] + rest[0], mine[1] + rest[1]
                best = found if best is None else min(best, found)
        return best

    return least(fitting, widths)
