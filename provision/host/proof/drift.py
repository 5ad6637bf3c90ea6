"""drift: what was applied against the disk and what runs. No request goes to an engine.

It works without root as far as it can: what may not be read is unknown, and said so.
"""

from __future__ import annotations

import time
from pathlib import Path

from .. import systemd
from ..balancer.upstreams import Holds, load_holds
from ..bundle import Bundle
from ..errors import ProvisionError
from ..files import Files
from ..names import NGINX_UNIT
from ..systemd import UnitStatus
from ..transaction.confirm import CONFIRMATION, Confirmation, awaited
from ..transaction.journal import JOURNAL, Journal, load_journal
from ..transaction.lock import LOCK, holder_in
from ..transaction.state import State, load_state
from .drift_files import files_drift
from .drift_report import Drifted, DriftReport, HeldOut, Unconfirmed, Unknown
from .drift_running import (
    balancer_drift,
    gpu_drift,
    instance_drift,
    nginx_drift,
    watch_drift,
)
from .drift_units import our_units, units_drift
from .drop_ins import unit_files
from .textfile import prometheus, write_textfile

__all__ = ["DriftReport", "Drifted", "drift", "prometheus", "units_seen", "write_textfile"]


def drift(files: Files) -> DriftReport:
    """Everything that is not as the last apply left it. Reads only.

    ProvisionError `bad-document` when the State is damaged.
    """
    state = load_state(files)
    unknown: list[Unknown] = []
    at_work = run_at_work(files)
    journal, interrupted = _cut_short(files, state, at_work, unknown)
    confirmation = _awaited(files, unknown)
    items = _of_runs(interrupted, confirmation)
    held: tuple[HeldOut, ...] = ()
    if state is not None:
        holds = _holds(files, unknown)
        found, hidden = files_drift(files, state, journal, holds)
        held = _held_out(state.bundle, holds)
        items += [*found, *(_held_item(one) for one in held)]
        unknown += hidden
        if at_work is None:  # a run at work moves server lines itself
            items += balancer_drift(state.bundle.nginx, files, holds)
        if files.live and systemd.booted():
            more, hidden = _live(files, state)
            items += more
            unknown += hidden
    return DriftReport(
        version=1,
        host=state.bundle.host if state else None,
        generation=state.generation if state else None,
        items=tuple(sorted(set(items), key=lambda one: (one.kind, one.subject, one.actual))),
        unknown=tuple(sorted(set(unknown), key=lambda one: (one.subject, one.why))),
        held=held,
        unconfirmed=confirmation,
        interrupted=interrupted,
        at_work=at_work,
    )


def units_seen(state: State) -> dict[str, UnitStatus]:
    """What systemd says of all units that drift looks at."""
    return systemd.statuses([*our_units(state), *state.bundle.takeover, NGINX_UNIT])


def run_at_work(files: Files) -> int | None:
    """The pid of a run that holds this host now; None when none does, or it cannot be told.

    Asked of the kernel and not by a lock of our own, which could stand in the way of an apply.
    """
    try:
        inode = files.at(LOCK).stat().st_ino
        return holder_in(Path("/proc/locks").read_text(), inode)
    except OSError:
        return None


def _live(files: Files, state: State) -> tuple[list[Drifted], list[Unknown]]:
    """Claims about the running machine."""
    bundle = state.bundle
    try:
        seen = units_seen(state)
        items = units_drift(files, state, seen, unit_files(our_units(state)))
    except ProvisionError as error:  # systemd does not answer (a container's, another user's bus)
        return [], [Unknown("units", error.diagnostics[0].message.splitlines()[0])]
    unknown: list[Unknown] = []
    for found, hidden in (
        *(instance_drift(one, seen.get(one.unit)) for one in bundle.instances),
        gpu_drift(bundle.gpu_settings),
        nginx_drift(bundle.nginx, files, seen),
    ):
        items += found
        unknown += hidden
    items += watch_drift((one.name for one in bundle.instances), files)
    return items, unknown


def _cut_short(
    files: Files, state: State | None, at_work: int | None, unknown: list[Unknown]
) -> tuple[Journal | None, bool | None]:
    """The journal of a run that did not end, and whether there is one.

    That of a run which is at work now, or which came to its commit, tells of no interruption.
    """
    if at_work is not None or not files.at(JOURNAL).exists():
        return None, False
    try:
        journal = load_journal(files)
    except ProvisionError as error:
        unknown.append(Unknown(JOURNAL, error.diagnostics[0].message))
        return None, None if error.diagnostics[0].rule == "needs-root" else True
    if journal is None or journal.committed(state):
        return None, False
    return journal, True


def _awaited(files: Files, unknown: list[Unknown]) -> Unconfirmed | None:
    try:
        found: Confirmation | None = awaited(files)
    except ProvisionError as error:
        unknown.append(Unknown(CONFIRMATION, error.diagnostics[0].message))
        return None
    if found is None:
        return None
    return Unconfirmed(found.generation, found.back_to, found.deadline)


def _of_runs(interrupted: bool | None, confirmation: Unconfirmed | None) -> list[Drifted]:
    items: list[Drifted] = []
    if interrupted:
        hint = "provision recover takes it back, provision apply HOST.YAML goes on from there"
        items.append(Drifted("interrupted", JOURNAL, "no run cut short", "is there", hint))
    if confirmation:
        back = f"generation {confirmation.back_to}" if confirmation.back_to else "nothing applied"
        items.append(
            Drifted(
                "unconfirmed",
                f"generation {confirmation.generation}",
                "confirmed",
                f"goes back to {back} unless confirmed in time",
                "provision confirm keeps it, provision rollback does not wait",
            )
        )
    return items


def _holds(files: Files, unknown: list[Unknown]) -> Holds:
    try:
        return load_holds(files)
    except ProvisionError as error:
        unknown.append(Unknown("balancer", error.diagnostics[0].message))
        return Holds(1)


def _held_out(bundle: Bundle, holds: Holds) -> tuple[HeldOut, ...]:
    """Holds of instances that are applied; since is of CLOCK_BOOTTIME, which nobody can set."""
    now = time.clock_gettime(time.CLOCK_BOOTTIME)
    names = {one.name for one in bundle.instances}
    return tuple(
        HeldOut(one.instance, one.who, one.why, round(max(0.0, now - one.since), 1))
        for one in sorted(holds.held, key=lambda held: (held.instance, held.who))
        if one.instance in names
    )


def _held_item(one: HeldOut) -> Drifted:
    hint = {
        "watch": "watch brings it back once it answers tokens again: journalctl -u provision-watch",
        "apply": "a run is restarting it now",
    }
    return Drifted(
        "held", one.instance, "in the balancer", f"out by {one.by}: {one.why}", hint.get(one.by, "")
    )
