"""The nested text of `nvidia-smi -q`: sections by indentation, `key : value` in them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

_MOST_LINES = 200_000  # 72 GPUs with many processes have 30,000


@dataclass(slots=True)
class Section:
    """A line and what is indented below it. Names are compared without regard to case."""

    name: str
    value: str | None = None  # of a `key : value` line
    parts: list[Section] = field(default_factory=list)
    _first: dict[str, Section] = field(default_factory=dict)

    def add(self, part: Section) -> None:
        self.parts.append(part)
        self._first.setdefault(part.name.lower(), part)

    def part(self, *names: str) -> Section | None:
        """The first section of the first of these names that is there."""
        return next(
            (self._first[name] for name in map(str.lower, names) if name in self._first), None
        )

    def told(self, *path: str) -> str | None:
        """The value at a path of names."""
        here: Section | None = self
        for name in path:
            here = here.part(name) if here else None
        return here.value if here else None

    def all(self, name: str) -> Iterator[Section]:
        """Every section of a name."""
        return (part for part in self.parts if part.name.lower() == name.lower())


def parse_sections(text: str) -> Section:
    """The whole text as one section without a name."""
    root = Section("")
    above: list[tuple[int, Section]] = [(-1, root)]
    for line in text.splitlines()[:_MOST_LINES]:
        plain = line.expandtabs(8).rstrip()
        bare = plain.lstrip()
        if not bare:
            continue
        indent = len(plain) - len(bare)
        while above[-1][0] >= indent:
            above.pop()
        key, colon, value = f"{bare} ".partition(" : ")
        section = Section(key.strip(), value.strip()) if colon else Section(bare)
        above[-1][1].add(section)
        above.append((indent, section))
    return root
