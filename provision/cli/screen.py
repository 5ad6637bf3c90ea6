"""Tables and lines for people: aligned, whole at 100 columns, the same without colour."""

from __future__ import annotations

import shutil
import sys
import textwrap
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TextIO

import click

from provision.view.labels import gib

from . import streams
from .complaint import printable

__all__ = [
    "Table",
    "columns",
    "count",
    "gib",
    "heading",
    "listed",
    "mark",
    "paragraph",
    "put",
    "width",
]

_WIDTH = 100
_MARKS = {"ok": ("✔", "ok"), "bad": ("✘", "FAILED"), "unknown": ("?", "?")}
# What our own sentences hold besides ASCII; text of others goes out as it is, or escaped.
_PLAIN = str.maketrans(
    {"×": "x", "–": "-", "—": "-", "…": "...", "≥": ">=", "≤": "<=", "→": "->", "°": ""}
    | {"├": "|", "└": "`", "─": "-", "│": "|"}
)


def width() -> int:
    """Columns to fill: a terminal's own, and 100 where there is none (files, pipes)."""
    if not sys.stdout.isatty():
        return _WIDTH
    return max(60, shutil.get_terminal_size((_WIDTH, 24)).columns)


def mark(kind: str, stream: TextIO) -> str:
    """The sign of ok, bad or unknown, in letters where the stream's encoding has no sign."""
    sign, letters = _MARKS[kind]
    return sign if streams.speaks_unicode(stream) else letters


def put(text: str = "", colour: str = "", bold: bool = False) -> None:
    """One line of the result."""
    line = printable(text)
    if not streams.speaks_unicode(sys.stdout):
        line = line.translate(_PLAIN)
    if (colour or bold) and streams.coloured(sys.stdout):
        line = click.style(line, fg=colour or None, bold=bold or None)
    print(line)


def paragraph(subject: str, text: str, indent: int) -> None:
    """A subject and its sentence, wrapped beside it: `  chat     weights do not fit ...`."""
    first = f"  {subject:<{indent - 3}} " if subject else " " * indent
    if len(first) > indent:
        put(first.rstrip())
        first = " " * indent
    lines = textwrap.wrap(
        printable(text), max(30, width() - indent), break_long_words=False, break_on_hyphens=False
    )
    for at, line in enumerate(lines or [""]):
        put((first if at == 0 else " " * indent) + line)


@dataclass
class Table:
    """Columns as wide as their widest cell, two or more spaces apart, indented by two.

    spare: the columns that are left out, one after the other, while the table is too wide. right:
    columns of numbers, aligned to the right. wrap: the last column's text goes on in further lines.
    """

    head: Sequence[str]
    rows: list[Sequence[str]] = field(default_factory=list)
    spare: int | tuple[int, ...] | None = None
    right: tuple[int, ...] = ()
    wrap: bool = False

    def row(self, *cells: str) -> None:
        """Add a row; an empty cell is shown as -."""
        self.rows.append([printable(cell) or "-" for cell in cells])

    def fits(self) -> bool:
        """Whether it is whole, with every column, at the width there is."""
        wide = self._widths(True)
        return sum(wide[at] + 2 for at in self._kept()) <= width()

    def without(self, column: int) -> Table:
        """The same without a column."""
        rows = [(*row[:column], *row[column + 1 :]) for row in self.rows]
        return Table((*self.head[:column], *self.head[column + 1 :]), [*rows])

    def show(self, with_head: bool = True) -> None:
        """Print it; a column whose cells are all unknown is left out, the first never."""
        if not self.rows:
            return
        wide = self._widths(with_head)
        kept = self._whole(wide)
        gap = 3 if self.wrap or sum(wide[at] + 3 for at in kept) <= width() else 2
        lines = [self.head, *self.rows] if with_head else self.rows
        for number, line in enumerate(lines):
            self._put(line, kept, wide, gap, bold=with_head and number == 0)

    def _kept(self) -> list[int]:
        known = (at for at in range(1, len(self.head)) if any(row[at] != "-" for row in self.rows))
        return [0, *known]

    def _widths(self, with_head: bool) -> list[int]:
        shown = [self.head, *self.rows] if with_head else self.rows
        return [max(columns(line[at]) for line in shown) for at in range(len(self.head))]

    def _whole(self, wide: list[int]) -> list[int]:
        """The columns that are shown."""
        kept = self._kept()
        if self.wrap:
            return kept
        spare = (self.spare,) if isinstance(self.spare, int) else self.spare or ()
        for column in spare:
            if sum(wide[at] + 2 for at in kept) > width():
                kept = [at for at in kept if at != column]
        return kept

    def _put(
        self, line: Sequence[str], kept: list[int], wide: list[int], gap: int, bold: bool
    ) -> None:
        cells = []
        for at in kept:
            room = " " * (wide[at] - columns(line[at]))
            text = room + line[at] if at in self.right else line[at] + room
            cells.append(text + " " * gap)
        if not self.wrap or kept[-1] != len(self.head) - 1:
            put(("  " + "".join(cells)).rstrip(), bold=bold)
            return
        start = "  " + "".join(cells[:-1])
        last = "" if line[-1] == "-" else line[-1]
        texts = textwrap.wrap(last, max(20, width() - columns(start)), break_on_hyphens=False)
        for number, text in enumerate(texts or [""]):
            put(((start if number == 0 else " " * columns(start)) + text).rstrip(), bold=bold)


def columns(text: str) -> int:
    """How many columns a text takes: wide (East Asian) letters two, combining signs none."""
    wide = sum(unicodedata.east_asian_width(letter) in "WF" for letter in text)
    return len(text) + wide - sum(unicodedata.combining(letter) != 0 for letter in text)


def heading(text: str) -> None:
    """A part's title after an empty line."""
    put()
    put(text, bold=True)


def count(number: int, noun: str, plural: str | None = None) -> str:
    """`1 file`, `2 files`."""
    return f"{number} {noun if number == 1 else plural or noun + 's'}"


def listed(words: Iterable[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    *most, last = list(words) or [""]
    return f"{', '.join(most)} and {last}" if most else last
