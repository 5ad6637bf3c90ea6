"""One row of `nvidia-smi topo`'s matrix: its cells, and the affinities after them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

# NV#: the PCIe path is hidden behind it. SOC and PSB are older drivers' words.
_CELL = r"X|SYS|SOC|NODE|PHB|PXB|PIX|PSB|NV\d{1,3}|OK|CNS|GNS|TNS|DR|NS|U"
_CELLS = re.compile(rf"(?:{_CELL})+", re.ASCII)
_EACH = re.compile(_CELL, re.ASCII)
_LIST = re.compile(r"\d{1,5}(?:-\d{1,5})?(?:,\d{1,5}(?:-\d{1,5})?)*", re.ASCII)
_MOST_NVLINKS = 36  # NVML_NVLINK_MAX_LINKS of R595
_NOT_TOLD = ("N/A", "ERR!", "?")


@dataclass(frozen=True, slots=True)
class Row:
    """cells: one for each GPU and NIC, None where the row is cut. tail: one for each affinity."""

    cells: tuple[str | None, ...]
    tail: tuple[str | None, ...]


@dataclass(frozen=True, slots=True)
class _Word:
    text: str
    gap: int  # blanks before it


def parse_row(text: str, columns: int, own: int, tails: int) -> Row | None:
    """The row after its name; None where its own cell is not X, so that nothing can be trusted.

    own: the column of the row itself. tails: how many of the three affinities the header has.
    """
    for parse in (_tabbed, _spaced) if "\t" in text else (_spaced,):
        row = parse(text, columns, tails)
        if row and (row.cells[own] == "X" or None in row.cells[: own + 1]) and any(row.cells):
            return row
    return None


def _tabbed(text: str, columns: int, tails: int) -> Row | None:
    """A row with its tabs: what is empty is seen. None where it has lost some of them."""
    fields = [part.strip() for part in text.split("\t")][1:]
    if any(" " in part for part in fields):
        return None
    cells: list[str | None] = []
    while fields and len(cells) < columns:
        part = fields.pop(0)
        if _LIST.fullmatch(part):
            return None
        told, rest = _cells(part)
        cells += told or [None]
        if rest:
            fields.insert(0, rest)
    if len(cells) > columns:
        return None
    return Row(_filled(cells, columns), _tail_of_fields(fields, tails))


def _tail_of_fields(fields: Sequence[str], tails: int) -> tuple[str | None, ...]:
    """The affinities of `0-7 . N/A . N/A` and `0-35 0 . N/A`: a dot is an empty field.

    A driver adds a tab before N/A and before the GPU's NUMA id; the first field is the CPUs' own,
    empty in a container that may use none of them.
    """
    if not fields:
        return (None,) * tails
    cpus, rest = _unfused(fields[0])
    others = [*rest, *(piece for part in fields[1:] if part for piece in _pieces(part))]
    if tails == 3 and len(others) == 1 and len(fields) > 3 and not rest:
        others.insert(0, "")  # the NUMA affinity is empty, its columns are there
    return _filled([cpus, *others][:tails], tails)


def _spaced(text: str, columns: int, tails: int) -> Row | None:
    """A row whose tabs became spaces: words, and the blanks between them."""
    words = _words(text)
    cells: list[str | None] = []
    gaps = [0]
    while words and len(cells) < columns and not _LIST.fullmatch(words[0].text):
        word = words.pop(0)
        told, rest = _cells(word.text)
        cells += told or [None]
        gaps.append(word.gap)
        if rest:
            words.insert(0, _Word(rest, 0))
    if len(cells) > columns:
        return None
    cpus_missing = bool(words) and words[0].gap > max(gaps) + 2
    return Row(_filled(cells, columns), _tail_of_words(words, tails, cpus_missing))


def _tail_of_words(
    words: Sequence[_Word], tails: int, cpus_missing: bool
) -> tuple[str | None, ...]:
    told: list[str | None] = []
    for word in words:
        told += _pieces(word.text)
    if told and tails > 1 and len(told) < tails and (cpus_missing or _only_node(told, tails)):
        told.insert(0, "")
    elif tails == 3 and len(told) == 2 and told[0]:
        told[:1] = _parted(told[0])
    return _filled(told[:tails], tails)


def _only_node(told: Sequence[str | None], tails: int) -> bool:
    """Whether `1 N/A` lacks the CPUs: one number is no GPU's whole CPU affinity."""
    return tails == 3 and len(told) == 2 and bool(told[0]) and str(told[0]).isdigit()


def _words(text: str) -> list[_Word]:
    words: list[_Word] = []
    end = 0
    for match in re.finditer(r"\S+", text.expandtabs(8)):
        words.append(_Word(match[0], match.start() - end))
        end = match.end()
    return words


def _cells(word: str) -> tuple[list[str | None], str]:
    """The cells that a word holds, run together or not, and what follows them in it."""
    match = _CELLS.match(word)
    if not match:
        return ([] if not word or word in _NOT_TOLD else [word], "")
    cells: list[str | None] = list(_EACH.findall(match[0]))
    rest = word[match.end() :]
    last = cells[-1] or ""
    if rest and last.startswith("NV"):
        return _counted(cells[:-1], last[2:] + rest)
    if rest and not (rest[0].isdigit() or rest.startswith("N/A")):
        return ([word], "")  # a word that begins like one of ours
    return (cells, rest)


def _counted(cells: list[str | None], digits: str) -> tuple[list[str | None], str]:
    """NVLinks run together with the CPUs: of `180-35` 18 and 0-35, since 80-35 is no range."""
    for length in (2, 1):
        count, rest = digits[:length], digits[length:]
        if count.isdigit() and int(count) <= _MOST_NVLINKS and _is_list(rest):
            return ([*cells, f"NV{count}"], rest)
    return ([*cells, None], "")


def _is_list(text: str) -> bool:
    """A list of CPUs whose ranges rise, as the driver writes it."""
    if not _LIST.fullmatch(text):
        return False
    ends = [[int(end) for end in part.split("-")] for part in text.split(",")]
    flat = [end for part in ends for end in part]
    return flat == sorted(set(flat)) and not re.search(r"(?<!\d)0\d", text)


def _pieces(word: str) -> list[str]:
    """`0-15` and `N/A` of `0-15N/A`."""
    return re.findall(r"N/A|(?:(?!N/A)\S)+", word)


def _unfused(word: str) -> tuple[str, list[str]]:
    pieces = _pieces(word) or [""]
    return pieces[0], pieces[1:]


def _parted(word: str) -> list[str | None]:
    """CPUs run together with their node: of `0-55,112-1670` 0-55,112-167 and 0.

    Only where the ranges are of one length then, as the threads of one socket are.
    """
    for length in (1, 2):
        cpus, node = word[:-length], word[-length:]
        sizes = {
            int(last) - int(first) for first, last in re.findall(r"(\d+)-(\d+)", cpus, re.ASCII)
        }
        if "," in cpus and _is_list(cpus) and node.isdigit() and len(sizes) == 1:
            before = {int(b) - int(a) for a, b in re.findall(r"(\d+)-(\d+)", word, re.ASCII)}
            if len(before) > 1:
                return [cpus, node]
    return [word]


def _filled(cells: Sequence[str | None], most: int) -> tuple[str | None, ...]:
    return (*cells, *(None,) * (most - len(cells)))
