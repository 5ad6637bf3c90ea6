"""An apply that failed: the host goes back to its last commit, and is told why."""

from __future__ import annotations

import dataclasses
from functools import partial

from .. import systemd
from ..errors import Diagnostic, Exit, ProvisionError
from ..files import Files
from ..report import ApplyResult
from ..sockets import listeners
from ..systemd import UnitError
from .aftermath import forget_run
from .changes import View
from .confirm import disarm
from .journal import Journal
from .preflight import port_complaints
from .put_back import attempt, files_back, services_back
from .steps import Steps

_JOURNAL_LINES = 15


def undo(
    view: View, files: Files, journal: Journal, steps: Steps, cause: BaseException
) -> ApplyResult:
    """Restore files, then services. ROLLED_BACK with the cause, or BROKEN with what is left.

    When restoring fails the journal stays, so that `provision recover` can try again.
    """
    problems = cause_of(cause)
    if isinstance(cause, UnitError):
        problems += ports_of(cause.unit, view)
    for one in problems:
        steps.add("failed", one.message, ok=False)
    left = files_back(files, journal)
    if files.live:
        left += services_back(files, view.state, journal, steps)
    attempt(left, "forget the time to confirm", partial(disarm, files, journal.transaction))
    if not left:
        attempt(left, "take the journal away", partial(forget_run, files, view.state, journal))
    if not left:
        steps.add("rollback", "files and services are as they were before")
    for one in left:
        steps.add("rollback", one.message, ok=False)
    if left:
        hint = "mend what is in the way, then: provision recover"
        left.append(Diagnostic("not-undone", "the host is half in its old state", hint=hint))
    code = Exit.BROKEN if left else Exit.ROLLED_BACK
    generation = view.state.generation if view.state else None
    return ApplyResult(
        1, False, view.changes, tuple(steps.done), (*problems, *left), int(code), generation
    )


def as_warnings(problems: list[Diagnostic]) -> list[Diagnostic]:
    """What went wrong where nothing is lost by it."""
    return [dataclasses.replace(one, severity="warning") for one in problems]


def cause_of(cause: BaseException) -> list[Diagnostic]:
    """Why it failed; of a unit with the last lines of its journal."""
    if isinstance(cause, UnitError):
        lines = systemd.last_lines(cause.unit, _JOURNAL_LINES)
        tail = "".join(f"\n      {line}" for line in lines.splitlines())
        first = cause.diagnostics[0]
        return [Diagnostic(first.rule, first.message + tail, hint=first.hint)]
    if isinstance(cause, ProvisionError):
        return list(cause.diagnostics)
    if isinstance(cause, KeyboardInterrupt):
        return [Diagnostic("interrupted", f"interrupted ({str(cause) or 'Ctrl-C'})")]
    return [Diagnostic("write-failed", f"writing failed: {cause}")]


def ports_of(unit: str, view: View) -> list[Diagnostic]:
    """Who else holds the ports of an instance that did not start."""
    held = listeners()
    found: list[Diagnostic] = []
    for instance in view.bundle.instances:
        if instance.unit == unit:
            found += port_complaints(instance, held, {unit})
    return found
