"""One trial: an operation is killed, something follows, and the whole tree is compared."""

from __future__ import annotations

import random
import shutil
from dataclasses import dataclass, field
from pathlib import Path

from .agent import Agent
from .scenarios import RECOVER, REMOVE, Operation, Scenario, apply, bare
from .strace import Point
from .trees import LOCK, Tree, comparable, differences, outside_records, tree
from .wishes import FAILING, THIRD

THIRD_WISH = apply(THIRD, "--adopt", "--overwrite")
DEEPEST = 2


@dataclass
class Bench:
    """A scenario with its undisturbed ends, worked out once; trees with run marks replaced."""

    agent: Agent
    scenario: Scenario
    folder: Path
    base: Path = field(init=False)
    points: tuple[Point, ...] = field(init=False)
    old: Tree = field(init=False)
    new: Tree = field(init=False)

    def __post_init__(self) -> None:
        self.base = self.folder / "base"
        self._made = 0
        self._after: dict[tuple[str, ...], Tree] = {}
        bare(self.base)
        for step in self.scenario.before:
            if isinstance(step, Operation):
                self._to_its_end(step, self.base)
            else:
                step(self.base)
        self.scenario = self.scenario.on(self.base)
        self.old = comparable(tree(self.base))
        whole = self._copy(self.base, "whole")
        ended, self.points = self.agent.watched(self.scenario.operation, whole)
        assert ended.code == self.scenario.operation.code, ended.out + ended.err
        self.new = comparable(tree(whole))

    def trial(self, point: Point, following: str, numbers: random.Random) -> list[str] | None:
        """Violations of one kill and what followed; None when it was not killed."""
        self._made += 1
        root = self._copy(self.base, f"trial-{self._made}")
        try:
            if not self.agent.killed(self.scenario.operation, root, point).killed:
                return None
            found = self._followed(root, following, numbers)
            return found or self._removed(root, following)
        finally:
            shutil.rmtree(root)

    def _followed(self, root: Path, following: str, numbers: random.Random) -> list[str]:
        name, _, deep = following.partition("-")
        operation = {
            "recover": RECOVER,
            "again": self.scenario.completing,
            "third": THIRD_WISH,
            "failing": apply(FAILING, "--adopt", "--overwrite", code=5),
            "remove": REMOVE,
        }[name]
        if deep:
            self._killed_in_turn(operation, root, numbers)
        ended = self.agent.run(operation, root)
        wanted = operation.code
        if ended.code not in {wanted, operation.done}:
            said = (ended.err.strip() or ended.out).splitlines()[-3:]
            return [f"{name} ended with {ended.code}, not {wanted}: {' | '.join(said)}"]
        now = comparable(tree(root))
        if name in ("recover", "failing"):
            return _one_of(now, old=self.old, new=self.new)
        if name == "again":
            if self.scenario.tidied:
                self._to_its_end(self.scenario.tidied, root)
                now = comparable(tree(root))
            return _one_of(now, new=self.new)
        if name == "remove":
            return []  # looked at in the end, as after all others
        ends = {f"third from {one}": outside_records(self._end(one, THIRD_WISH)) for one in _ENDS}
        return _one_of(outside_records(now), **ends)

    def _killed_in_turn(self, operation: Operation, root: Path, numbers: random.Random) -> None:
        """Kill what follows, too: where it changes something when begun from here."""
        for _ in range(numbers.randint(1, DEEPEST)):
            copy = self._copy(root, "deep")
            _, points = self.agent.watched(operation, copy)
            shutil.rmtree(copy)
            if points:
                self.agent.killed(operation, root, numbers.choice(points))

    def _removed(self, root: Path, following: str) -> list[str]:
        """Whatever happened before: removal leaves what it leaves of the undisturbed ends."""
        ended = self.agent.run(REMOVE, root)
        if ended.code:
            return [f"remove in the end: {ended.code}: {ended.err.strip()}"]
        if (root / LOCK.lstrip("/")).exists():
            return ["remove in the end: the lock is left"]
        between = (THIRD_WISH,) if following == "third" else ()  # it keeps backups of its own
        ends = {f"removed from {one}": self._end(one, *between, REMOVE) for one in _ENDS}
        return _one_of(comparable(tree(root)), **ends)

    def _end(self, which: str, *operations: Operation) -> Tree:
        """The tree when these follow undisturbed on `old` or `new`; worked out once."""
        key = (which, *(one.words[0] for one in operations))
        if key not in self._after:
            root = self._copy(self.base, "end")
            if which == "new":
                self.agent.run(self.scenario.operation, root)
            for operation in operations:
                self._to_its_end(operation, root)
            self._after[key] = comparable(tree(root))
            shutil.rmtree(root)
        return self._after[key]

    def _to_its_end(self, operation: Operation, root: Path) -> None:
        ended = self.agent.run(operation, root)
        assert ended.code == operation.code, f"{operation.words}: {ended.out}{ended.err}"

    def _copy(self, source: Path, name: str) -> Path:
        target = self.folder / name
        shutil.copytree(source, target, symlinks=True)
        return target


_ENDS = ("old", "new")


def _one_of(now: Tree, **allowed: Tree) -> list[str]:
    """Nothing when the tree is one of these; else what differs from the one that is nearest."""
    compared = {name: differences(now, one) for name, one in allowed.items()}
    name, found = min(compared.items(), key=lambda one: len(one[1]))
    return [f"not {name}, which is nearest: {'; '.join(found[:6])}"] if found else []
