"""Recover: back to the last commit after a run that was cut short, by kill or power loss."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from .. import systemd
from ..errors import Diagnostic, Exit
from ..files import Files
from ..names import TARGET
from ..report import ApplyResult, ChangeSet, Step
from .aftermath import forget_run
from .confirm import after_boot
from .journal import Journal
from .lock import hold
from .put_back import attempt, services_back, settle
from .state import State, load_state
from .steps import Steps
from .unit_changes import units_of


def recover(
    files: Files, progress: Callable[[Step], None], *, at_boot: bool = False
) -> ApplyResult:
    """Put files and services back to the last commit; nothing to do: changed False, exit code 0.

    at_boot: called by provision-recover.service before nginx and the instances start. Files are
    put back and units queued; nothing is waited for, since what it would wait for waits for it.
    An apply that awaits its confirmation is rolled back, too.
    """
    steps = Steps(progress)
    with hold(files):
        journal = settle(files)
        state = load_state(files)
        if at_boot and after_boot(files):
            steps.add("confirm", "the last apply was not confirmed before the reboot: going back")
        if journal is None:
            return ApplyResult(1, False, ChangeSet(1), tuple(steps.done))
        steps.add("files", f"as before the run of pid {journal.pid}, which was cut short")
        left: list[Diagnostic] = []
        if at_boot:
            left = _queue(state, journal)
        elif files.live:
            left = services_back(files, state, journal, steps)
        if not left:
            forget_run(files, state, journal)
        generation = state.generation if state else None
        code = Exit.BROKEN if left else Exit.OK
        what = f"generation {generation}" if generation else "the machine before the first apply"
        steps.add("recover", f"{what} stands again" if not left else "incomplete", ok=not left)
        return ApplyResult(
            1, True, ChangeSet(1), tuple(steps.done), tuple(left), int(code), generation
        )


def _queue(state: State | None, journal: Journal) -> list[Diagnostic]:
    """At boot: systemd reads the old units and starts them in its own order."""
    left: list[Diagnostic] = []
    attempt(left, "let systemd read its units again", systemd.daemon_reload)
    ours = units_of(one.path for one in state.owned) if state else set()
    if TARGET in ours:
        attempt(left, f"queue {TARGET}", partial(systemd.queue_start, TARGET))
    for was in journal.units:
        if was.name in ours or "@" in was.name:
            continue
        if was.enabled in ("enabled", "disabled"):
            attempt(left, f"bring {was.name} back", partial(_enabled_back, was.name, was.enabled))
        if was.ran:
            attempt(left, f"queue {was.name}", partial(systemd.queue_start, was.name))
    return left


def _enabled_back(name: str, was: str) -> None:
    now = systemd.status(name).enabled
    if was != now and now in ("enabled", "disabled"):
        (systemd.enable if was == "enabled" else systemd.disable)(name)
