"""Places: where in the file each value and each key stands."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from provision.host.errors import Place

Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of one line, counted from 0, in characters."""

    line: int
    column: int
    length: int = 1


@dataclass(frozen=True, slots=True)
class Scalar:
    """A value as it is written. plain: without quotes, so that it may be a number or a word."""

    text: str
    plain: bool


class Places:
    """A map from paths (`"instances", "chat", "gpus", 0`) to places; made by nodes.read_nodes."""

    def __init__(self, file: str, text: str) -> None:
        self.file = file
        self._lines = text.split("\n")
        self._values: dict[Path, Span] = {}
        self._keys: dict[Path, Span] = {}
        self._scalars: dict[Path, Scalar] = {}

    def record(
        self, path: Path, value: Span, key: Span | None = None, scalar: Scalar | None = None
    ) -> None:
        """Note where the value of this path stands, its key, and how it is written."""
        self._values[path] = value
        if key:
            self._keys[path] = key
        if scalar:
            self._scalars[path] = scalar

    def at(self, *path: str | int, key: bool = False) -> Place | None:
        """The place of this value (or of its key); None when the file does not have it.

        A list item has no key: its own place is given.
        """
        span = (self._keys.get(path) if key else None) or self._values.get(path)
        return self.place(span) if span else None

    def nearest(self, *path: str | int) -> Place | None:
        """The place of this value or, where the file leaves it to its default, of what holds it."""
        if path in self._values:
            return self.at(*path)
        for end in range(len(path) - 1, 0, -1):
            if path[:end] in self._values:
                return self.at(*path[:end], key=True)
        return None

    def start(self) -> Place:
        """The first place of the file."""
        return self.place(Span(0, 0))

    def place(self, span: Span) -> Place:
        """A span as a Place: line and column from 1, with the line's text."""
        line = self._lines[span.line] if span.line < len(self._lines) else ""
        return Place(
            self.file, span.line + 1, span.column + 1, line.rstrip("\r"), max(1, span.length)
        )

    def span(self, *path: str | int, key: bool = False) -> Span | None:
        """The span of this value (or of its key)."""
        return self._keys.get(path) if key else self._values.get(path)

    def scalar(self, *path: str | int) -> Scalar | None:
        """How this value is written; None for lists, mappings and what the file does not have."""
        return self._scalars.get(path)

    def scalars(self) -> Iterator[tuple[Path, Scalar]]:
        """All written values, in the order of the file."""
        return iter(self._scalars.items())

    def conceal(self, *path: str | int) -> None:
        """Put asterisks over a value, so that no complaint about this line shows a secret.

        Asterisks keep the columns. A value of several lines is hidden on its first: no complaint
        ever points at a later one.
        """
        span = self._values.get(path)
        if span is None:
            return
        line = self._lines[span.line]
        length = min(span.length, len(line) - span.column)
        end = span.column + length
        self._lines[span.line] = line[: span.column] + "*" * length + line[end:]

    def same_marks(self, other: Places) -> bool:
        """Whether both know the same values at the same places (two readers of one text)."""
        return (
            self._values == other._values
            and self._keys == other._keys
            and self._scalars == other._scalars
        )

    def line(self, number: int) -> str:
        """A line of the file, counted from 0, without its end."""
        return self._lines[number].rstrip("\r") if number < len(self._lines) else ""

    def dash_before(self, number: int) -> Span | None:
        """The dash of an empty list item whose place a parser gives as line `number` or later."""
        for at in range(min(number, len(self._lines) - 1), -1, -1):
            match = re.match(r"(?:\s*-)*\s*(-)\s*(?:#.*)?$", self.line(at))
            if match:
                return Span(at, match.start(1))
        return None
