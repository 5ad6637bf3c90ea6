"""How wide a text is, before anything renders it.

Measured from the advance widths of DejaVu Sans, which is wider than Arial, Helvetica and Liberation
Sans: a text that fits by this table fits in each of them.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator

FAMILY = "DejaVu Sans, Verdana, sans-serif"
ASCENT, DESCENT = 0.8, 0.24  # of the size: room above and below the baseline for ASCII
_REGULAR = (
    "318 401 460 838 637 951 780 275 391 391 500 838 318 361 318 337 637 637 637 637 637 637 637 "
    "637 637 637 337 337 838 838 838 531 1000 685 687 699 771 632 576 775 752 295 295 656 558 863 "
    "749 788 604 788 695 635 611 732 685 989 686 611 686 391 337 391 838 500 500 613 635 550 635 "
    "616 353 635 634 278 278 580 278 975 634 612 635 635 412 521 393 634 592 818 592 592 525 637 "
    "337 637 838"
)
_BOLD = (
    "349 457 521 838 696 1002 873 307 458 458 523 838 380 416 380 366 696 696 696 696 696 696 696 "
    "696 696 696 400 400 838 838 838 581 1000 774 763 734 831 684 684 821 837 373 373 775 638 996 "
    "837 851 733 851 771 721 683 813 774 1104 771 725 726 458 366 458 838 500 500 675 716 593 716 "
    "679 436 716 712 343 343 666 343 1042 712 688 716 716 494 596 479 712 652 924 646 652 583 712 "
    "366 712 838"
)
_FOREIGN = 1300  # anything else comes from a font that we do not know; the widest are emoji
_OTHERS = {"·": 380, "…": 1000, "\N{EN DASH}": 500, "\N{MULTIPLICATION SIGN}": 838}


def _table(widths: str) -> dict[str, int]:
    return {chr(32 + at): int(width) for at, width in enumerate(widths.split())} | _OTHERS


_TABLES = {False: _table(_REGULAR), True: _table(_BOLD)}


def text_width(text: str, size: float, bold: bool = False) -> float:
    """Width of a line, in the unit of size."""
    table = _TABLES[bold]
    return sum(table.get(letter, _FOREIGN) for letter in text) * size / 1000


def plain(text: str) -> str:
    """A text as it may stand in the picture: one line, nothing that XML forbids or that reorders.

    Control characters, halves of surrogates, and marks of writing direction become `?`.
    """
    return "".join(
        " " if letter.isspace() else "?" if unicodedata.category(letter)[0] == "C" else letter
        for letter in text
    ).strip()


def fit(text: str, room: float, size: float, bold: bool = False) -> str:
    """The text, or as much of it as there is room for, with an ellipsis; empty where none is."""
    if text_width(text, size, bold) <= room:
        return text
    left = room - text_width("…", size, bold)
    kept = 0
    for letter in text:
        left -= text_width(letter, size, bold)
        if left < 0:
            break
        kept += 1
    if kept:
        return text[:kept].rstrip(" ,") + "…"
    return "…" if room >= text_width("…", size, bold) else ""


def squeeze(text: str, room: float, size: float, bold: bool = False) -> str:
    """A name cut in its middle: names of one kind differ at the end (chat.0, chat.1)."""
    if text_width(text, size, bold) <= room:
        return text
    for tail in range(min(8, len(text) // 2), 0, -1):
        end = text[-tail:]
        start = fit(text[:-tail], room - text_width(end, size, bold), size, bold)
        if len(start) > 1 and start.endswith("…"):
            return start + end
    return fit(text, room, size, bold)


def wrap(text: str, room: float, size: float, most: int = 9, bold: bool = False) -> list[str]:
    """The text in at most so many lines, broken at spaces and after commas."""
    lines: list[str] = []
    line = ""
    for word in _words(text):
        if line and text_width((line + word).rstrip(), size, bold) > room:
            lines.append(line)
            line = ""
        line += word
    lines.append(line)
    shown = [fit(one.strip(), room, size, bold) for one in lines[:most]]
    if len(lines) > most:
        rest = "".join(lines[most - 1 :]).strip()
        cut = fit(rest, room, size, bold)
        shown[-1] = cut if cut != rest else fit(rest + " …", room, size, bold)
    return [one for one in shown if one]


def _words(text: str) -> Iterator[str]:
    start = 0
    for at, letter in enumerate(text):
        if letter in " ,":
            yield text[start : at + 1]
            start = at + 1
    yield text[start:]
