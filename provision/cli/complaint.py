"""Diagnostics on a terminal: place, line, caret, hint; colour only where it is wanted."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable

import click

from provision.host.errors import Diagnostic

from . import streams

_COLOURS = {"error": "red", "warning": "yellow", "note": "cyan"}
# Everything but newline and tab that a terminal would act upon: C0, DEL, C1 and the signs that
# turn the direction of a line around.
_ACTING = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff]"
)


def printable(text: str) -> str:
    """Text from files and programs with everything that a terminal would act upon escaped."""
    return _ACTING.sub(lambda match: repr(match[0])[1:-1], text)


def show(diagnostics: Iterable[Diagnostic]) -> None:
    """Write complaints to stderr, one after the other."""
    colour = streams.coloured(sys.stderr)
    for one in diagnostics:
        text = printable(str(one))
        if colour:
            mark = f"{one.severity}: "
            shown = click.style(mark, fg=_COLOURS[one.severity], bold=True)
            text = text.replace(mark, shown, 1)
        print(text, file=sys.stderr)
    sys.stderr.flush()
