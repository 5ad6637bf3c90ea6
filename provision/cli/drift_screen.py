"""What drift found, for people: a line a thing, and what to do about it."""

from __future__ import annotations

import os
import textwrap
import time
from collections.abc import Iterable, Sequence

from provision.host.proof.drift_report import Drifted, DriftReport, HeldOut, Unconfirmed, Unknown

from .complaint import printable
from .moment import lasting, when
from .screen import columns, count, heading, paragraph, put, width

_RUNS = ("interrupted", "unconfirmed")  # told in sentences of their own
_WORDLESS = ("file-edited", "file-foreign", "file-missing")  # their kind says it all
_WITH_EXPECTED = (
    "balancer",
    "cpus",
    "cpuset",
    "file-mode",
    "file-owner",
    "memory",
    "memory-policy",
    "process",
)


def show_drift(report: DriftReport) -> None:
    """Everything of a report, each part under its heading; nothing where nothing drifted."""
    show_items([one for one in report.items if one.kind not in _RUNS], report.held)
    show_runs(report)
    show_unknown(report.unknown)


def show_items(items: Sequence[Drifted], held: Iterable[HeldOut] = ()) -> None:
    """`Not as applied`: kind, what, how it is now; then the hints, each once."""
    if not items:
        return
    heading("Not as applied")
    wide = max(columns(one.kind) for one in items)
    for one in items:
        _show_item(one, wide, held)
    kinds: dict[str, list[str]] = {}
    for one in items:
        if one.hint and one.kind not in kinds.setdefault(one.hint, []):
            kinds[one.hint].append(one.kind)
    if kinds:
        put()
    for hint, of in kinds.items():
        paragraph("hint:", f"{', '.join(of)}: {hint}", 9)


def show_runs(report: DriftReport) -> None:
    """A run that is at work, one that was cut short, one that awaits its confirmation."""
    if report.at_work is not None:
        heading(f"A run is at work here now (pid {report.at_work})")
        put("  What it has not come to yet looks as if it were not as applied.")
    if report.interrupted:
        heading("A run was cut short")
        put("  provision recover takes it back; provision apply HOST.YAML goes on from there.")
    if report.unconfirmed:
        heading("Not confirmed yet")
        paragraph("", unconfirmed_text(report.unconfirmed, time.time()), 2)


def show_unknown(unknown: Sequence[Unknown]) -> None:
    """What could not be looked at: in a sentence for users, one by one for root."""
    if not unknown:
        return
    put()
    if os.geteuid() != 0:
        put(f"{count(len(unknown), 'thing')} could not be looked at without root.")
        return
    for one in unknown:
        paragraph("", f"{one.subject} could not be looked at: {one.why}", 2)


def unconfirmed_text(one: Unconfirmed, now: float) -> str:
    """`Generation 13 goes back to generation 12 in 94 s (14:03) unless provision confirm comes.`"""
    back = f"goes back to generation {one.back_to}" if one.back_to else "is taken away whole"
    left = one.deadline - now
    if left <= 0:
        return (
            f"Generation {one.generation} was to be confirmed until {when(one.deadline)} and has "
            "not been taken back yet: provision recover does it."
        )
    return (
        f"Generation {one.generation} {back} in {lasting(left)} "
        "unless `provision confirm` comes before."
    )


def _show_item(one: Drifted, wide: int, held: Iterable[HeldOut]) -> None:
    """On one line where it has room, else what is wrong with it below its name."""
    start = f"  {one.kind:<{wide}}  "
    text = _text(one, held)
    line = f"{start}{printable(one.subject)}  {printable(text)}"
    if not text or columns(line) <= width():
        put(line.rstrip())
        return
    put(f"{start}{one.subject}")
    room = " " * columns(start)
    # a path without blanks is never broken: it is there to be copied
    for part in textwrap.wrap(
        printable(text),
        max(30, width() - len(room)),
        break_long_words=False,
        break_on_hyphens=False,
    ):
        put(room + part)


def _text(one: Drifted, held: Iterable[HeldOut]) -> str:
    if one.kind in _WORDLESS:
        return "" if one.actual in ("gone", "edited", "is there") else one.actual
    if one.kind == "held":
        since = [
            lasting(each.seconds)
            for each in held
            if each.instance == one.subject and one.actual.startswith(f"out by {each.by}:")
        ]
        return f"{one.actual}, for {since[0]}" if since else one.actual
    if one.kind in _WITH_EXPECTED and one.expected:
        return f"{one.actual}, expected {one.expected}"
    return one.actual
