"""A tree of files in the making, with few system calls: big machines have thousands."""

from __future__ import annotations

import os
from dataclasses import dataclass, field

from tests.unit.inspect.tree import Machine


@dataclass(frozen=True)
class Host(Machine):
    """The builder of small trees, that remembers which folders it has made."""

    _made: set[str] = field(default_factory=set, repr=False, compare=False)

    def file(self, path: str, text: str) -> None:
        with open(self._place(path), "w") as file:  # noqa: PTH123 -- thousands of them
            file.write(text)

    def link(self, path: str, target: str) -> None:
        os.symlink(target, self._place(path))  # noqa: PTH211 -- thousands of them

    def lines(self, path: str, lines: list[str]) -> None:
        self.file(path, "".join(f"{line}\n" for line in lines))

    def _place(self, path: str) -> str:
        place = f"{self.root}{path}"
        folder = place.rpartition("/")[0]
        if folder not in self._made:
            os.makedirs(folder, exist_ok=True)  # noqa: PTH103 -- thousands of them
            self._made.add(folder)
        return place
