"""The transaction: from a Bundle to a host that runs it, or back to where it was.

    lock > settle > look > preflight > validate > journal > [write, stop, start, prove] > commit

Up to the journal nothing is written. What is in brackets is undone on any failure, and taken back
or completed by the next run when this one is killed. The commit is the rename of one file, the
State, which bears the same transaction id as the journal.
"""

from __future__ import annotations

import dataclasses
import os
import time
from collections.abc import Callable
from functools import partial

from ..bundle import Bundle
from ..errors import Diagnostic, Exit, ProvisionError, fail
from ..files import Files
from ..report import ApplyResult, Step
from .aftermath import forget_run
from .backups import adopted, copies
from .before import before_of, missing_folders, units_as_they_are
from .change import change
from .changes import View, observe
from .confirm import arm, awaited, disarm
from .generations import (
    Generation,
    checkpoint_named,
    give_name,
    prune,
    save_generation,
    written_by_naming,
)
from .interrupts import as_interrupt, held_off
from .journal import (
    Journal,
    drop_journal,
    joined_folders,
    joined_owned,
    joined_units,
    pre_images,
    save_journal,
)
from .lock import hold
from .options import ApplyOptions
from .preflight import preflight
from .put_back import attempt, services_back, settle
from .state import Before, State, load_state, own_all, save_state, without_contents
from .steps import Steps
from .undo import as_warnings, cause_of, undo
from .validate import validate


def apply(
    bundle: Bundle,
    files: Files,
    progress: Callable[[Step], None],
    options: ApplyOptions | None = None,
) -> ApplyResult:
    """Bring the host to what the bundle says. Nothing is written when nothing differs.

    ProvisionError for what cannot even be looked at (`locked`, `needs-root`, damaged State); every
    other end is in the result: conflicts, what preflight found, a rollback with its cause.
    """
    with hold(files):
        return bring(bundle, files, Steps(progress), options or ApplyOptions())


def check(
    bundle: Bundle, files: Files, options: ApplyOptions | None = None, *, staged: bool = True
) -> ApplyResult:
    """What apply would do and what would stop it; writes nothing, not even a lock.

    staged False: without the validation, where an apply that does it follows at once.
    """
    return check_bundle(bundle, files, options or ApplyOptions(), staged=staged)


def check_bundle(
    bundle: Bundle,
    files: Files,
    options: ApplyOptions,
    of: int | None = None,
    *,
    staged: bool = True,
) -> ApplyResult:
    """The same for a rollback as well. of: the generation whose bundle this is."""
    view = observe(bundle, files, options)
    problems = [*view.changes.conflicts, *_refusals(view, files, options, of)]
    code = Exit.OK if view.changes.empty else Exit.DIFFERS
    if view.changes.conflicts:
        code = Exit.CONFLICT
    elif files.live and not view.changes.empty:
        problems += [*preflight(view, files), *(validate(view) if staged else ())]
    if code != Exit.CONFLICT and _errors(problems):
        code = Exit.ERROR
    changed = not view.changes.empty
    return ApplyResult(1, changed, view.changes, (), tuple(problems), int(code))


def bring(
    bundle: Bundle, files: Files, steps: Steps, options: ApplyOptions, of: int | None = None
) -> ApplyResult:
    """The same with the lock held. of: the generation whose bundle this is, in a rollback."""
    journal = settle(files)
    if journal:
        steps.add("lock", f"the run of pid {journal.pid} was cut short: its files are taken back")
    view = observe(bundle, files, options, settled=True)
    problems = [*view.changes.conflicts, *_refusals(view, files, options, of)]
    state = next_state(view)
    if not _errors(problems) and journal is None and view.changes.empty and view.state == state:
        if options.checkpoint and checkpoint_named(files, options.checkpoint) is None:
            _name_present(files, view.state, options)
        if of is not None:
            disarm(files)  # what waited to be confirmed is what stands again
        return ApplyResult(
            1, False, view.changes, (), tuple(problems), int(Exit.OK), state.generation
        )
    if files.live and not _errors(problems):
        problems += preflight(view, files)
        problems += validate(view) if not _errors(problems) else []
    if _errors(problems):
        code = Exit.CONFLICT if view.changes.conflicts else Exit.ERROR
        return _stopped(view, files, journal, steps, problems, code)
    number = len(view.changes.files)
    if files.live and number:
        steps.add("check", f"staged {_files(number)}, systemd and nginx accept them")
    return _transact(view, state, files, steps, problems, options, of)


def _transact(
    view: View,
    state: State,
    files: Files,
    steps: Steps,
    warnings: list[Diagnostic],
    options: ApplyOptions,
    of: int | None,
) -> ApplyResult:
    """Journal, change, commit; undo where that fails."""
    aside = copies(files, view.backups, state.generation)
    touched = [*(one.path for one in view.changes.files), *(one.path for one in aside)]
    if options.checkpoint and view.state:  # a name that guarded nothing is taken back, too
        touched += written_by_naming(files, view.state.generation, options.checkpoint)
    last = view.journal
    seen = before_of(view, files, [one.path for one in aside])
    seen = dataclasses.replace(seen, files=adopted(files, view.backups, state.generation))
    journal = Journal(
        version=Journal.VERSION,
        transaction=state.transaction,
        pid=os.getpid(),
        generation=state.generation,
        owned=joined_owned(last, view.writes),
        pre_images=pre_images(files, touched),
        folders=joined_folders(last, missing_folders(view, files, [one.path for one in aside])),
        units=joined_units(last, units_as_they_are(view) if files.live else ()),
        before=last.before.joined(seen) if last else seen,
        gpu_settings=view.bundle.gpu_settings,
    )
    recorded = view.state.before if view.state else Before()
    state = dataclasses.replace(state, before=recorded.joined(journal.before))
    try:
        with as_interrupt():
            save_journal(files, journal)
            _name_present(files, view.state, options)
            change(view, files, steps, state, aside, options.steady_seconds)
            save_generation(files, _generation(state, view.bundle, options, of))
            arm(files, view.bundle, state, view.state, options)
        with held_off():  # a signal just after the commit must not undo what is committed
            save_state(files, state)
    except (ProvisionError, OSError, KeyboardInterrupt) as cause:
        with held_off():
            if not journal.committed(load_state(files)):
                return undo(view, files, journal, steps, cause)
            warnings = [*warnings, *as_warnings(cause_of(cause))]
    except BaseException as mistake:  # ours: the host comes first, then it is told with its trace
        with held_off():
            undo(view, files, journal, steps, fail("mistake", f"{mistake!r}"))
        raise
    left: list[Diagnostic] = []
    attempt(left, "tidy up behind the commit", partial(_tidy, files, state))
    told = (*warnings, *as_warnings(left))
    done = tuple(steps.done)
    return ApplyResult(1, not view.changes.empty, view.changes, done, told, 0, state.generation)


def _tidy(files: Files, state: State) -> None:
    """Behind the commit; where it is cut short or fails, the next run does it."""
    prune(files, state)
    drop_journal(files)


def next_state(view: View) -> State:
    """The State after this apply; equal to the last one when there is nothing to record."""
    bundle = without_contents(view.bundle)
    owned = own_all(view.wanted.values(), view.state)
    if view.state and view.state.owned == owned and view.state.bundle == bundle:
        return view.state
    generation = view.state.generation + 1 if view.state else 1
    before = view.state.before if view.state else Before()
    return State(State.VERSION, generation, _new_id(), owned, before, bundle)


def _generation(state: State, bundle: Bundle, options: ApplyOptions, of: int | None) -> Generation:
    return Generation(
        version=Generation.VERSION,
        number=state.generation,
        transaction=state.transaction,
        at=int(time.time()),
        note=options.note,
        bundle=bundle,
        of=of,
    )


def _new_id() -> str:
    return os.urandom(8).hex()


def _refusals(view: View, files: Files, options: ApplyOptions, of: int | None) -> list[Diagnostic]:
    """What the options, or an apply that awaits its confirmation, have against this run."""
    found: list[Diagnostic] = []
    waiting = awaited(files)
    if waiting and of is None and not view.changes.empty:
        message = f"generation {waiting.generation} waits to be confirmed"
        hint = "keep it: provision confirm; or take it back: provision rollback"
        found.append(Diagnostic("unconfirmed", message, hint=hint))
    if options.no_downtime:
        for gap in view.changes.gaps:
            hint = "give it a second replica, or apply without --no-downtime"
            message = f"{gap.service}: nobody would serve it for a while: {gap.why}"
            found.append(Diagnostic("downtime", message, hint=hint))
    return found


def _name_present(files: Files, state: State | None, options: ApplyOptions) -> None:
    """--checkpoint: the generation that stands now gets a name and is kept."""
    if options.checkpoint and state:
        give_name(files, state.generation, options.checkpoint)


def _stopped(
    view: View,
    files: Files,
    journal: Journal | None,
    steps: Steps,
    problems: list[Diagnostic],
    code: Exit,
) -> ApplyResult:
    """Nothing was written. Where a killed run left services ahead of their files, they go back."""
    for one in problems:
        steps.add("check", one.message, ok=one.severity != "error")
    if journal:
        left = services_back(files, view.state, journal, steps) if files.live else []
        if left:
            problems, code = [*problems, *left], Exit.BROKEN
        else:
            forget_run(files, view.state, journal)
    return ApplyResult(1, False, view.changes, tuple(steps.done), tuple(problems), int(code))


def _errors(problems: list[Diagnostic]) -> bool:
    return any(one.severity == "error" for one in problems)


def _files(number: int) -> str:
    return f"{number} file{'' if number == 1 else 's'}"
