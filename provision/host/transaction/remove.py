"""Remove: back to the machine as it was before the first apply. Models stay unless asked.

The same transaction as an apply: a journal first, the commit is the end of the State. Killed before
it everything comes back by `recover`; killed behind it the next run takes the rest away.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence

from .. import systemd
from ..balancer.upstreams import drop_holds
from ..bundle import Bundle
from ..errors import Diagnostic, Exit, ProvisionError
from ..files import Files, needs_root
from ..names import GPU_UNIT, NGINX_FOLDER, NGINX_UNIT, SERVICES, TARGET
from ..report import ApplyResult, FileChange, Step
from ..run import which
from .aftermath import finish_removal, forget_run, taken_last
from .before import units_of_state
from .interrupts import as_interrupt, held_off
from .journal import (
    Journal,
    joined_owned,
    joined_units,
    load_journal,
    pre_image,
    pre_images,
    save_journal,
)
from .lock import forget_lock, hold
from .put_back import SAVED, files_back, services_back, settle
from .removal import Removal, copies, is_edited, look
from .rolling import Rolling
from .services import forget_runtime, instance_of, put_back_gpus, put_back_units
from .state import STATE, Before, FileBefore, load_state, own
from .steps import Steps
from .undo import as_warnings, cause_of
from .unit_changes import units_of
from .validate import validate_removal


def remove(
    files: Files, progress: Callable[[Step], None], check: bool = False, models: bool = False
) -> ApplyResult:
    """Take away all that provision put there and put back what it changed.

    A hand-edited file is kept beside as FILE.provision-saved. Twice does nothing the second time.
    check: only tell (exit code DIFFERS when there is anything to do). models: also the folders
    in which our users keep models (/var/lib/ollama, ...), but never one that host.yaml names.
    """
    if files.live and os.geteuid() != 0:
        raise needs_root("removing what provision put on this host needs root")
    if check:
        found = look(files, load_state(files), load_journal(files)).changes
        code = Exit.OK if found.empty else Exit.DIFFERS
        return ApplyResult(1, not found.empty, found, (), (), int(code))
    with hold(files):
        result = _locked(files, Steps(progress), models)
        if load_state(files) is None:
            forget_lock(files)
        return result


def _locked(files: Files, steps: Steps, models: bool) -> ApplyResult:
    journal = settle(files)
    state = load_state(files)
    found = look(files, state, journal)
    if state is None:
        if journal is None:
            return ApplyResult(1, False, found.changes)
        left = services_back(files, state, journal, steps) if files.live else []
        if not left:  # a first apply that was cut short
            forget_run(files, state, journal)
        return _ended(found, steps, left, Exit.BROKEN if left else Exit.OK, changed=True)
    nginx_paths = [path for path in found.paths if path.startswith(NGINX_FOLDER)]
    if files.live and nginx_paths and which("nginx"):
        problems = validate_removal(nginx_paths)
        if problems:  # foreign files lean on ours: nothing has been changed yet
            return _ended(found, steps, problems, Exit.ERROR, changed=False)
    return _transact(files, found, journal, steps, models)


def _transact(
    files: Files, found: Removal, last: Journal | None, steps: Steps, models: bool
) -> ApplyResult:
    """last: of a run that was cut short, whose units are stopped with the others."""
    state = found.state
    saved = [one.path + SAVED for one in found.changes.files if is_edited(one)]
    journal = Journal(
        version=Journal.VERSION,
        transaction=os.urandom(8).hex(),
        pid=os.getpid(),
        generation=0,
        owned=joined_owned(last, ()),
        copies=tuple(own(one) for one in copies(files, found)),
        pre_images=pre_images(files, [*found.paths, *saved]),
        units=joined_units(last, units_of_state(state) if state and files.live else ()),
        before=found.before,
        gpu_settings=last.gpu_settings if last else None,
        removal=True,
        models=models,
    )
    try:
        with as_interrupt():
            save_journal(files, journal)
            problems = _take_away(files, found, steps)
        with held_off():
            files.remove(STATE)
    except (ProvisionError, OSError, KeyboardInterrupt) as cause:
        with held_off():
            if load_state(files) is not None:
                return _undone(files, found, journal, steps, cause)
            problems = as_warnings(cause_of(cause))
    kept = finish_removal(files, journal)
    problems += [_saved(one) for one in found.changes.files if is_edited(one)]
    return _ended(found, steps, [*problems, *kept], Exit.OK, changed=True)


def _take_away(files: Files, found: Removal, steps: Steps) -> list[Diagnostic]:
    """Balancer, instances, GPUs, files, then what was there before."""
    nginx_paths = [path for path in found.paths if path.startswith(NGINX_FOLDER)]
    gone = found.changes.files
    _take_files(files, [one for one in gone if one.path in nginx_paths], found.before)
    problems = _services(files, found, nginx_paths, steps) if files.live else []
    _take_files(files, [one for one in gone if one.path not in nginx_paths], found.before)
    for one in found.before.files:  # of somebody else, taken over by --adopt
        _give_back(files, one)
    steps.add("files", f"{len(gone)} files and links taken away")
    if files.live:
        _after_files(files, found, steps)
    return problems


def _services(
    files: Files, found: Removal, nginx_paths: Sequence[str], steps: Steps
) -> list[Diagnostic]:
    """nginx first, so that nobody is sent to a server that stops; then instances; then GPUs."""
    stopping = [
        one.unit for one in found.changes.units if one.action == "stop" and one.why == "removed"
    ]
    for unit in sorted(set(stopping) & set(SERVICES)):  # a watch would bring lines back
        systemd.stop(unit)
        steps.add(unit, "stopped")
    if nginx_paths:
        put_back_units(found.before, [NGINX_UNIT], steps)
        if systemd.status(NGINX_UNIT).running:
            systemd.reload(NGINX_UNIT)
            steps.add(NGINX_UNIT, "reloaded without our configuration")
    last = found.state.bundle if found.state else Bundle(1, "", "")
    rolling = Rolling(Bundle(1, "", ""), last, files, steps)
    known = {one.unit: one for one in last.instances}
    rest = [unit for unit in stopping if unit not in SERVICES]
    for unit in sorted(rest, key=lambda one: (one == TARGET, one == GPU_UNIT, one)):
        waited = ""
        if unit in known:
            waited = rolling.empty(known[unit], systemd.status(unit), "is removed")
        systemd.stop(unit)
        if "@" in unit:
            systemd.clean_caches(unit)
        steps.add(instance_of(unit) or unit, f"{waited}stopped")
    try:
        back = put_back_gpus(found.before.gpus)
    except ProvisionError as error:  # without a driver there is nothing that could be set
        return [
            Diagnostic(one.rule, f"GPU settings stay: {one.message}", severity="warning")
            for one in error.diagnostics
        ]
    if back:
        steps.add("gpu-settings", f"put back: {', '.join(back)}")
    return []


def _take_files(files: Files, gone: Sequence[FileChange], before: Before) -> None:
    """What a recovery at boot needs stays until the commit."""
    for one in gone:
        if is_edited(one):
            _copy(files, one.path, one.path + SAVED)
        if not taken_last(one.path, before):
            files.remove(one.path)


def _copy(files: Files, path: str, to: str, owner: tuple[int, int] = (0, 0)) -> None:
    disk = files.look(path)
    if disk and disk.kind == "file":
        files.write(to, disk.content, disk.mode, owner)
    elif disk and disk.kind == "link":
        files.link(to, os.fsdecode(disk.content))


def _give_back(files: Files, was: FileBefore) -> None:
    if pre_image(files, was.path).kind == "absent":
        _copy(files, was.backup, was.path, (was.uid, was.gid))


def _after_files(files: Files, found: Removal, steps: Steps) -> None:
    """systemd forgets our units, services of others come back."""
    units = sorted(units_of(found.paths))
    systemd.daemon_reload()
    for unit in units:
        systemd.reset_failed(unit)
    others = [one.name for one in found.before.units if one.name != NGINX_UNIT]
    put_back_units(found.before, others, steps)
    forget_runtime(files, [instance_of(unit) for unit in units if "@" in unit])
    drop_holds(files, "apply")
    drop_holds(files, "watch")


def _undone(
    files: Files, found: Removal, journal: Journal, steps: Steps, cause: BaseException
) -> ApplyResult:
    """What could not be removed in whole comes back in whole."""
    problems = cause_of(cause)
    for one in problems:
        steps.add("failed", one.message, ok=False)
    left = files_back(files, journal)
    if files.live:
        left += services_back(files, found.state, journal, steps)
    if not left:
        forget_run(files, found.state, journal)
        steps.add("rollback", "files and services are as they were before")
    code = Exit.BROKEN if left else Exit.ROLLED_BACK
    return _ended(found, steps, [*problems, *left], code, changed=False)


def _ended(
    found: Removal, steps: Steps, problems: list[Diagnostic], code: Exit, *, changed: bool
) -> ApplyResult:
    for one in problems:
        steps.add("remove", one.message, ok=one.severity != "error")
    return ApplyResult(1, changed, found.changes, tuple(steps.done), tuple(problems), int(code))


def _saved(change: FileChange) -> Diagnostic:
    message = f"{change.path} was edited by hand: kept as {change.path}{SAVED}"
    return Diagnostic("edited-by-hand", message, severity="warning")
