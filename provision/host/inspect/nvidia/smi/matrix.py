"""`nvidia-smi topo`: the matrix of `-m` in its three forms, and that of `-p2p`.

The bytes differ by driver and by how they were carried: tabs or the spaces that a terminal made of
them, escapes for an underlined header even into a pipe, empty cells, a row cut short, and columns
run together where a terminal's line ended on a tab.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from .row import Row, parse_row

_MOST_LINES = 4000
_MOST_COLUMNS = 8192  # characters of a header: 72 GPUs and as many NICs have 1200
_ESCAPE = re.compile(
    r"(?:\x1b|\^\[|\u241b|\\(?:033|x1[bB]|u001[bB]|e))?\[\d{0,3}(?:;\d{1,3}){0,4}m"
    r"|\x1b\[[0-9;?]{0,16}[A-Za-z]|\x1b[()][A-Z0-9]"
)
_TAILS = ("CPUAffinity", "NUMAAffinity", "GPUNUMAID")
_NAME = r"GPU\d{1,3}|NIC\d{1,3}|mlx\d{1,2}_(?:bond_?)?\d{1,3}"
_COLUMN = re.compile(
    r"\s*(?:(?P<tail>CPU\s*Affinity|NUMA\s*Affinity|GPU\s*NUMA\s*ID)"
    rf"|(?P<name>{_NAME}|(?=[A-Za-z_.-]{{1,32}}\d)[A-Za-z][\w.-]{{1,40}}?"
    rf"(?=(?:{_NAME})|CPU\s*Aff|NUMA\s*Aff|\s|$)))",
    re.ASCII,
)
_FIRST = re.compile(r"GPU\d{1,3}(?!\d)", re.ASCII)
_NIC = re.compile(r"[\s>|]*(NIC\d{1,3})\s*:\s*([\w.-]{1,64})\s*", re.ASCII)


@dataclass(frozen=True, slots=True)
class Matrix:
    """The matrix; a cell is None where the text does not tell it. Empty: the text has none.

    cells: GPU by GPU, X on the diagonal, as written (PIX, PXB, PHB, NODE, SYS, NV4; with -p2p OK,
    CNS, GNS, TNS, DR, NS, U). The affinities are as written too, "" for an empty cell; the whole
    is None where the driver has no such column.
    """

    gpus: tuple[int, ...] = ()  # their numbers, in the order of the columns
    cells: tuple[tuple[str | None, ...], ...] = ()
    cpu_affinity: tuple[str | None, ...] | None = None
    numa_affinity: tuple[str | None, ...] | None = None
    gpu_numa_id: tuple[str | None, ...] | None = None
    nics: Mapping[str, tuple[str | None, ...]] = field(default_factory=dict)  # way to each GPU
    nic_names: Mapping[str, str] = field(default_factory=dict)  # NIC0: mlx5_0


@dataclass(frozen=True, slots=True)
class _Header:
    names: tuple[str, ...]  # GPUs and NICs
    tails: tuple[str, ...]


def parse_matrix(text: str) -> Matrix:
    """The first matrix of a text, an empty one where it has none."""
    lines = _ESCAPE.sub("", text.replace("\xa0", " ").replace("\0", "")).splitlines()[:_MOST_LINES]
    for at, line in enumerate(lines):
        header = _header(line)
        if header is None:
            continue
        at += 1
        while at < len(lines) and not header.tails and (more := _header(lines[at], first=False)):
            header, at = _Header(header.names + more.names, more.tails), at + 1
        rows = _rows(lines[at:], header)
        if any(map(_is_gpu, rows)):
            return _matrix(header, rows, _legend(lines[at:]))
    return Matrix()


def _header(line: str, first: bool = True) -> _Header | None:
    """The columns of a header; first: it begins with a GPU, else it is a wrapped one's rest."""
    line = line[:_MOST_COLUMNS].rstrip()
    start = _FIRST.search(line) if first else re.search(r"\S", line)
    if not start:
        return None
    at = start.start()
    names: list[str] = []
    tails: list[str] = []
    while at < len(line):
        match = _COLUMN.match(line, at)
        if not match or (tails and match["name"]):
            return None
        if match["name"]:
            names.append(match["name"])
        else:
            tails.append("".join(match["tail"].split()))
        at = match.end()
    if len(set(names)) != len(names) or len(set(tails)) != len(tails):
        return None
    return _Header(tuple(names), tuple(tails))


def _rows(lines: Sequence[str], header: _Header) -> dict[str, Row]:
    """The rows by name; a line that begins with no name goes on with the row before it."""
    texts: dict[str, str] = {}
    name: str | None = None
    for line in lines:
        bare = line.lstrip(" >|")
        if re.match(r"(?:NIC )?Legend|X\s+= ", bare):
            break
        begins = _row_name(bare, header.names)
        if begins:
            name = None if begins in texts else begins
            if name:
                texts[name] = bare[len(begins) :]
        elif name and re.match(r"\s*(?:[A-Z]{1,4}\d{0,3}|\d[\d,-]*|N/A)(?:\s|$)", bare):
            texts[name] += f"\t{bare}"
        elif bare.strip():
            name = None
    rows: dict[str, Row] = {}
    for name, text in texts.items():
        tails = len(header.tails) if _is_gpu(name) else 0
        row = parse_row(text, len(header.names), header.names.index(name), tails)
        if row:
            rows[name] = row
    return rows


def _row_name(line: str, names: Sequence[str]) -> str | None:
    """The longest of the names that a line begins with."""
    fits = (name for name in names if line.startswith(name) and not line[len(name) :][:1].isdigit())
    return max(fits, key=len, default=None)


def _is_gpu(name: str) -> bool:
    """Network cards may have any name, one that begins with GPU as well."""
    return _FIRST.fullmatch(name) is not None


def _legend(lines: Sequence[str]) -> dict[str, str]:
    return {match[1]: match[2] for line in lines if (match := _NIC.fullmatch(line))}


def _matrix(header: _Header, rows: Mapping[str, Row], legend: Mapping[str, str]) -> Matrix:
    gpus = [name for name in header.names if _is_gpu(name)]
    place = {name: at for at, name in enumerate(header.names)}

    def cell(row: str, column: str) -> str | None:
        """A cell, or the one across the diagonal where its row is cut."""
        for a, b in ((row, column), (column, row)):
            told = rows[a].cells[place[b]] if a in rows else None
            if told:
                return told
        return None

    def tail(name: str) -> tuple[str | None, ...] | None:
        if name not in header.tails:
            return None
        at = header.tails.index(name)
        return tuple(rows[gpu].tail[at] if gpu in rows else None for gpu in gpus)

    cpu_affinity, numa_affinity, gpu_numa_id = map(tail, _TAILS)
    return Matrix(
        gpus=tuple(int(name[3:]) for name in gpus),
        cells=tuple(tuple(cell(row, column) for column in gpus) for row in gpus),
        cpu_affinity=cpu_affinity,
        numa_affinity=numa_affinity,
        gpu_numa_id=gpu_numa_id,
        nics={
            name: tuple(cell(name, gpu) for gpu in gpus)
            for name in header.names
            if name not in gpus
        },
        nic_names=dict(legend),
    )
