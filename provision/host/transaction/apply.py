"""The transaction: from a Bundle to a host that runs it, or back to where it was.

    lock > look > preflight > validate > record > [stop, write, start, prove] > commit

Up to `record` nothing is written. What is in brackets is undone on any failure, and completed by
the next run when this one is killed. The commit is the rename of one file, the State.
"""

from __future__ import annotations

import os
from collections.abc import Callable

from .. import systemd
from ..bundle import Bundle
from ..errors import Diagnostic, Exit, ProvisionError, fail
from ..files import Files
from ..report import ApplyResult, ChangeSet, Step
from ..unit.nvml import readings
from .changes import View, observe, owned_paths
from .interrupts import as_interrupt, held_off
from .journal import drop_pending, next_pending, save_pending, sweep_leftovers
from .leftovers import folders_in, user_exists
from .lock import hold
from .preflight import preflight
from .services import (
    after_files,
    before_files,
    forget_runtime,
    gpus_to_put_back,
    instance_of,
    perform,
    put_back_gpus,
)
from .state import (
    FOLDER,
    Before,
    GpuBefore,
    State,
    UnitBefore,
    content_of,
    mode_of,
    own_all,
    save_state,
    without_contents,
)
from .steps import Steps
from .undo import undo
from .unit_changes import NGINX_UNIT, TMPFILES
from .validate import validate


def apply(bundle: Bundle, files: Files, progress: Callable[[Step], None]) -> ApplyResult:
    """Bring the host to what the bundle says. Nothing is written when nothing differs.

    ProvisionError for what cannot even be looked at (`locked`, `needs-root`, damaged State); every
    other end is in the result: conflicts, what preflight found, a rollback with its cause.
    """
    with hold(files):
        return _locked(bundle, files, Steps(progress))


def check(bundle: Bundle, files: Files) -> ApplyResult:
    """What apply would do and what would stop it; writes nothing, not even a lock."""
    view = observe(bundle, files)
    problems = [*view.changes.conflicts]
    code = Exit.OK if view.changes.empty else Exit.DIFFERS
    if problems:
        code = Exit.CONFLICT
    elif files.live and not view.changes.empty:
        problems += [*preflight(view, files), *validate(view)]
        code = Exit.ERROR if _errors(problems) else code
    changed = not view.changes.empty
    return ApplyResult(1, changed, view.changes, (), tuple(problems), int(code))


def _locked(bundle: Bundle, files: Files, steps: Steps) -> ApplyResult:
    view = observe(bundle, files)
    sweep_leftovers(files, view.pending)
    if view.changes.conflicts:
        return _stopped(view, steps, list(view.changes.conflicts), Exit.CONFLICT)
    state = _next_state(view)
    if view.pending is None and view.changes.empty and view.state == state:
        return ApplyResult(1, False, view.changes, (), (), int(Exit.OK), state.generation)
    if view.pending:
        steps.add("lock", f"the run of pid {view.pending.pid} was cut short: completing it")
    problems: list[Diagnostic] = []
    if files.live:
        problems += preflight(view, files)
        problems += validate(view) if not _errors(problems) else []
    if _errors(problems):
        return _stopped(view, steps, problems, Exit.ERROR)
    number = len(view.changes.files)
    if files.live and number:
        steps.add("check", f"staged {_files(number)}, systemd and nginx accept them")
    return _transact(view, state, files, steps, problems)


def _transact(
    view: View, state: State, files: Files, steps: Steps, warnings: list[Diagnostic]
) -> ApplyResult:
    """Record, change, commit; undo where that fails."""
    before = _before(view, files)
    units = systemd.statuses(_touched_units(view)) if files.live else {}
    touched = [one.path for one in view.changes.files]
    pending = next_pending(files, view.pending, os.getpid(), view.writes, touched, before)
    recorded = view.state.before if view.state else Before()
    state = _with_before(state, recorded.joined(pending.before))
    try:
        with as_interrupt():
            save_pending(files, pending)
            _change(view, files, steps, state)
        with held_off():  # a signal just after the commit must not undo what is committed
            save_state(files, state)
    except (ProvisionError, OSError, KeyboardInterrupt) as cause:
        with held_off():
            return undo(view, files, pending, units, steps, cause)
    except BaseException as mistake:  # ours: the host comes first, then it is told with its trace
        with held_off():
            undo(view, files, pending, units, steps, fail("mistake", f"{mistake!r}"))
        raise
    drop_pending(files)
    changed = not view.changes.empty
    return ApplyResult(
        1, changed, view.changes, tuple(steps.done), tuple(warnings), 0, state.generation
    )


def _change(view: View, files: Files, steps: Steps, state: State) -> None:
    """Everything between the record and the commit, in order."""
    for change in before_files(view.changes.units):
        perform(change, view, steps)
    for artifact in view.writes:
        if artifact.kind == "link":
            files.link(artifact.path, artifact.content)
        else:
            files.write(artifact.path, content_of(artifact), mode_of(artifact))
    for path in view.removes:
        files.remove(path)
    for folder in reversed(_deserted(view, state)):
        files.remove_empty_folder(folder)
    if view.changes.files:
        steps.add("files", f"{_files(len(view.changes.files))} in place")
    if not files.live:
        return
    stopped = [one.unit for one in view.changes.units if one.action == "stop"]
    kept = {one.unit for one in view.bundle.instances}
    forget_runtime(files, [instance_of(one) for one in stopped if "@" in one and one not in kept])
    last = view.state.bundle.gpu_settings if view.state else None
    recorded = view.state.before.gpus if view.state else ()
    back = put_back_gpus(gpus_to_put_back(recorded, last, view.bundle.gpu_settings))
    if back:
        steps.add("gpu-settings", f"put back: {', '.join(back)}")
    for change in after_files(view.changes.units):
        perform(change, view, steps)


def _deserted(view: View, state: State) -> list[str]:
    """Folders that we made for files of which none is wanted any more, outermost first."""
    had = owned_paths(view.state, view.pending)
    return [
        folder
        for folder in state.before.folders
        if any(path.startswith(f"{folder}/") for path in had)
        and not any(path.startswith(f"{folder}/") for path in view.wanted)
    ]


def _next_state(view: View) -> State:
    """The State after this apply; equal to the last one when there is nothing to record."""
    bundle = without_contents(view.bundle)
    owned = own_all(view.wanted.values(), view.state)
    if view.state and view.state.owned == owned and view.state.bundle == bundle:
        return view.state
    generation = view.state.generation + 1 if view.state else 1
    return State(1, generation, owned, view.state.before if view.state else Before(), bundle)


def _with_before(state: State, before: Before) -> State:
    return State(state.version, state.generation, state.owned, before, state.bundle)


def _before(view: View, files: Files) -> Before:
    """What is there now of all that this run may change or make."""
    made = {folder for one in view.writes for folder in files.missing_folders(one.path)}
    made |= {FOLDER, *files.missing_folders(f"{FOLDER}/state.json")}
    if not files.live:
        return Before(folders=tuple(sorted(made)))
    if TMPFILES in view.wanted:
        for path in folders_in(view.wanted[TMPFILES].content):
            made |= {*files.missing_folders(f"{path}/x")}
    names = [*view.bundle.takeover, *([NGINX_UNIT] if view.bundle.nginx else [])]
    statuses = systemd.statuses(names)
    units = tuple(
        UnitBefore(name, one.running, one.enabled == "enabled") for name, one in statuses.items()
    )
    missing = tuple(name for name in view.bundle.users if not user_exists(name))
    return Before(units, _gpus(view.bundle), missing, tuple(sorted(made)))


def _gpus(bundle: Bundle) -> tuple[GpuBefore, ...]:
    """Settings now of the GPUs whose settings are wanted; only what will be set is recorded."""
    if bundle.gpu_settings is None:
        return ()
    now = readings(tuple(one.uuid for one in bundle.gpu_settings.gpus))
    if isinstance(now, str):
        return ()
    return tuple(
        GpuBefore(
            one.uuid,
            one.address,
            now[one.uuid].persistence if one.persistence is not None else None,
            now[one.uuid].power_limit_watts if one.power_limit_watts is not None else None,
        )
        for one in bundle.gpu_settings.gpus
    )


def _touched_units(view: View) -> list[str]:
    """Units whose present state a rollback has to know."""
    last = view.state.bundle.instances if view.state else ()
    names = {one.unit for one in (*view.bundle.instances, *last)}
    acted = {one.unit for one in view.changes.units if one.unit.endswith((".service", ".target"))}
    return sorted(names | acted | {NGINX_UNIT, *view.bundle.takeover})


def _stopped(view: View, steps: Steps, problems: list[Diagnostic], code: Exit) -> ApplyResult:
    for one in problems:
        steps.add("check", one.message, ok=one.severity != "error")
    changes: ChangeSet = view.changes
    return ApplyResult(1, False, changes, tuple(steps.done), tuple(problems), int(code))


def _errors(problems: list[Diagnostic]) -> bool:
    return any(one.severity == "error" for one in problems)


def _files(number: int) -> str:
    return f"{number} file{'' if number == 1 else 's'}"
