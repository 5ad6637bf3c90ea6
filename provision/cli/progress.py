"""Steps of a run on stderr, one line each, as they are done."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable

import click

from provision.host.report import Step

from . import streams
from .complaint import printable
from .screen import columns, mark


def printer(subjects: Iterable[str] = ()) -> Callable[[Step], None]:
    """A function that prints a step: `  ✔ chat.0     started, ready after 41 s`.

    subjects: names that will come, so that the texts stand below one another.

    It never raises: a closed terminal must not end a transaction halfway.
    """
    wide = max((columns(one) for one in subjects), default=0)
    colour = streams.coloured(sys.stderr)

    def show(step: Step) -> None:
        sign = mark("ok" if step.ok else "bad", sys.stderr)
        if colour:
            sign = click.style(sign, fg="green" if step.ok else "red")
        subject = printable(step.subject)
        room = " " * max(0, wide - columns(subject))
        text = printable(step.text).partition("\n")[0]  # a failure is told in full at the end
        try:
            print(f"  {sign} {subject}{room}  {text}".rstrip(), file=sys.stderr, flush=True)
        except (OSError, ValueError):
            return

    return show
