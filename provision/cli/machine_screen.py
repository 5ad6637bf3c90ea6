"""The machine on a screen: its tree, and the matrix of how its GPUs are joined."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from provision.host.facts import Facts
from provision.view.matrix import Matrix, matrix
from provision.view.tree import Branch, machine_tree

from .screen import columns, heading, put, width


def show_tree(facts: Facts) -> None:
    """Sockets, nodes, PCIe switches, GPUs and network cards, with aligned columns."""
    lines = list(_lines(machine_tree(facts)))
    if not lines:
        return
    heading("Machine")
    # A node's line has columns of its own: CPU lists are long and PCI addresses short.
    devices = [(prefix, one) for prefix, one in lines if _is_device(one)]
    label = max(columns(prefix + one.label) for prefix, one in lines)
    wide = [max((columns(one.cells[at]) for _, one in devices), default=0) for at in (0, 1)]
    room = max(20, width() - label - wide[0] - 25)  # the gaps, and a link's text
    most = min(wide[1], room)
    for prefix, branch in lines:
        start = f"  {prefix}{branch.label}"
        start += " " * (label + 2 - columns(start))
        if not _is_device(branch):
            _show_node(start, prefix, branch)
            continue
        address, what, link = branch.cells
        put(f"{start}   {address:<{wide[0]}}  {_cut(what, most):<{most}}  {link}".rstrip())


def _show_node(start: str, prefix: str, branch: Branch) -> None:
    """A line without address; what is too long goes on below, with the tree's strokes beside it."""
    lines = broken(", ".join(cell for cell in branch.cells if cell), width() - columns(start) - 3)
    strokes = prefix.replace("├─", "│ ").replace("└─", "  ") + ("│" if branch.below else "")
    put(f"{start}   {lines[0]}".rstrip())
    for line in lines[1:]:
        put(f"  {strokes}" + " " * (columns(start) + 1 - columns(strokes)) + line)


def broken(text: str, room: int) -> list[str]:
    """A text in lines of at most that many columns, broken after commas: lists of CPUs are long."""
    lines = [""]
    for piece in re.findall(r"[^,]+,?\s*|,", text):
        if lines[-1] and columns(lines[-1] + piece.rstrip()) > room:
            lines.append("")
        lines[-1] += piece
    return [line.rstrip() for line in lines]


def show_matrix(facts: Facts) -> None:
    """The matrix in nvidia-smi's words, with the meaning of each word that occurs."""
    found = matrix(facts)
    if found is None:
        return
    heading("Links")
    for line in matrix_lines(found, width()):
        put(line)
    put()
    wide = max(len(word) for word, _ in found.legend)
    for word, meaning in found.legend:
        put(f"  {word:<{wide}}   {meaning}")
    named = ", ".join(f"{short} {name}" for short, name in found.nics)
    for line in broken(named, width() - 2) if named else ():
        put(f"  {line}")


def matrix_lines(found: Matrix, room: int) -> Iterator[str]:
    """The table as text, each column as wide as its widest cell.

    Where the room is short the gaps shrink; network cards then get a table of their own, and as
    many as they need.
    """
    count = len(found.rows)
    parts = [range(len(found.columns))]
    if len(_table(found, parts[0], 1)[0]) > room:
        parts = [range(count), *_fitting(found, range(count, len(found.columns)), room)]
    for at, part in enumerate(parts):
        if at:
            yield ""
        wide = _table(found, part, 2)
        yield from wide if len(wide[0]) <= room else _table(found, part, 1)


def _fitting(found: Matrix, columns_: range, room: int) -> Iterator[range]:
    """The columns in tables that fit."""
    start = columns_.start
    for at in columns_:
        if at > start and len(_table(found, range(start, at + 1), 2)[0]) > room:
            yield range(start, at)
            start = at
    if start < columns_.stop:
        yield range(start, columns_.stop)


def _table(found: Matrix, part: range, gap: int) -> list[str]:
    """Head and rows of some columns. The head is padded: it is as wide as the widest row."""
    wide = [max(len(found.columns[at]), *(len(row[at]) for row in found.cells)) for at in part]
    label = max(len(row) for row in found.rows)
    lines = [
        (name, [cells[at] for at in part])
        for name, cells in (("", found.columns), *zip(found.rows, found.cells, strict=True))
    ]
    return [
        (f"  {name:<{label}}  " + (" " * gap).join(map(str.ljust, cells, wide))).rstrip()
        for name, cells in lines
    ]


def _lines(branches: Sequence[Branch], prefix: str = "") -> Iterator[tuple[str, Branch]]:
    """Each line of the tree with the strokes before it; the trunk has none."""
    for branch in branches:
        yield prefix, branch
        yield from _below(branch.below, prefix)


def _below(branches: Sequence[Branch], prefix: str) -> Iterator[tuple[str, Branch]]:
    for at, branch in enumerate(branches):
        last = at == len(branches) - 1
        yield prefix + ("└─ " if last else "├─ "), branch
        yield from _below(branch.below, prefix + ("   " if last else "│  "))


def _is_device(branch: Branch) -> bool:
    return branch.kind in ("bridge", "device")


def _cut(text: str, most: int) -> str:
    return text if columns(text) <= most else text[: most - 1] + "…"
