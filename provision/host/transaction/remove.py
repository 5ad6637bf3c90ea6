"""Remove: back to the machine as it was before the first apply. Models are never deleted."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence

from .. import systemd
from ..errors import Diagnostic, Exit, ProvisionError
from ..files import Files, needs_root
from ..report import ApplyResult, ChangeSet, FileChange, Step, UnitChange
from ..run import which
from ..runtime import RUNTIME
from .changes import edited_by_hand, owned_paths
from .journal import PENDING, Pending, load_pending, sweep_leftovers
from .leftovers import drop_folders, drop_users, folders_in
from .lock import forget_lock, hold
from .services import forget_runtime, instance_of, put_back_gpus, put_back_units
from .state import AGENT_FOLDER, FOLDER, STATE, Before, State, load_state
from .steps import Steps
from .unit_changes import GPU_UNIT, NGINX_FOLDER, NGINX_UNIT, TARGET, TMPFILES, units_of
from .validate import validate_removal

SAVED = ".provision-saved"


def remove(files: Files, progress: Callable[[Step], None], check: bool = False) -> ApplyResult:
    """Take away all that provision put there and put back what it changed.

    A hand-edited file is kept beside as FILE.provision-saved. Twice does nothing the second time.
    check: only tell (exit code DIFFERS when there is anything to do).
    """
    if files.live and os.geteuid() != 0:
        raise needs_root("removing what provision put on this host needs root")
    if check:
        _, _, found = _look(files)
        code = Exit.OK if found.empty else Exit.DIFFERS
        return ApplyResult(1, not found.empty, found, (), (), int(code))
    with hold(files):
        result = _locked(files, Steps(progress))
        if load_state(files) is None:
            forget_lock(files)
        return result


def _look(files: Files) -> tuple[State | None, Pending | None, ChangeSet]:
    """What there is to remove, in order."""
    state, pending = load_state(files), load_pending(files)
    paths = sorted(owned_paths(state, pending))
    found = tuple(
        change for path in paths if (change := _removal(files, path, state, pending)) is not None
    )
    units = _unit_changes(paths, state, pending) if files.live and (state or pending) else ()
    return state, pending, ChangeSet(1, found, units, ())


def _removal(
    files: Files, path: str, state: State | None, pending: Pending | None
) -> FileChange | None:
    disk = files.look(path)
    if disk is None or disk.kind == "directory":
        return None
    last = state.owner_of(path) if state else None
    records = ((last,) if last else ()) + (pending.records_of(path) if pending else ())
    secret = any(one.secret for one in records)
    edited = edited_by_hand(disk, records)
    note = f"edited by hand: kept as {path}{SAVED}" if edited else None
    mode = disk.mode if disk.kind == "file" else None
    return FileChange(path, "remove", None, None, mode, None, secret, note)


def _unit_changes(
    paths: Sequence[str], state: State | None, pending: Pending | None
) -> tuple[UnitChange, ...]:
    """Service actions of a removal."""
    before = _before(state, pending)
    units = [*sorted(units_of(paths) - {TARGET}), TARGET]
    seen = systemd.statuses([*units, NGINX_UNIT, *(one.name for one in before.units)])
    found: list[UnitChange] = []
    nginx = before.unit(NGINX_UNIT)
    stays = seen[NGINX_UNIT].running and (nginx is None or nginx.active)
    if stays and any(path.startswith(NGINX_FOLDER) for path in paths):
        found.append(UnitChange(NGINX_UNIT, "reload", "our configuration is taken away"))
    found += [UnitChange(unit, "stop", "removed") for unit in units if not seen[unit].stopped]
    for one in before.units:
        now = seen[one.name]
        if now.load == "not-found":
            continue
        if one.enabled != (now.enabled == "enabled"):
            word = "enabled" if one.enabled else "disabled"
            found.append(
                UnitChange(one.name, "enable" if one.enabled else "disable", f"was {word} before")
            )
        if one.active != now.running:
            word = "running" if one.active else "stopped"
            found.append(
                UnitChange(one.name, "start" if one.active else "stop", f"was {word} before")
            )
    return tuple(found)


def _before(state: State | None, pending: Pending | None) -> Before:
    first = state.before if state else Before()
    return first.joined(pending.before) if pending else first


def _locked(files: Files, steps: Steps) -> ApplyResult:
    state, pending, found = _look(files)
    if state is None and pending is None:
        files.remove_empty_folder(FOLDER)  # a removal that was killed at its very end
        return ApplyResult(1, False, found)
    sweep_leftovers(files, pending)
    before = _before(state, pending)
    paths = [one.path for one in found.files]
    nginx_paths = [path for path in paths if path.startswith(NGINX_FOLDER)]
    if files.live and nginx_paths and which("nginx"):
        problems = validate_removal(nginx_paths)
        if problems:  # foreign files lean on ours: nothing has been changed yet
            return _ended(found, steps, problems, Exit.ERROR, changed=False)
    folders = _folders_of_services(files)
    try:
        _take_files(files, [one for one in found.files if one.path in nginx_paths])
        problems = _services(found, before, nginx_paths, steps) if files.live else []
        _take_files(files, [one for one in found.files if one.path not in nginx_paths])
        steps.add("files", f"{len(paths)} files and links taken away")
        if files.live:
            problems += _after_files(files, found, before, folders, steps)
    except (ProvisionError, OSError) as error:
        lines = error.diagnostics if isinstance(error, ProvisionError) else (_broken(error),)
        return _ended(found, steps, list(lines), Exit.BROKEN, changed=True)
    # The record goes last: what a killed removal leaves, the next one still knows.
    drop_folders(files, before.folders)
    for path in (PENDING, STATE):
        files.remove(path)
    kept = drop_folders(files, before.folders)
    problems += [_stays(folder, files) for folder in kept]
    problems += [_saved(one) for one in found.files if one.note and SAVED in one.note]
    return _ended(found, steps, problems, Exit.OK, changed=True)


def _ended(
    found: ChangeSet, steps: Steps, problems: list[Diagnostic], code: Exit, *, changed: bool
) -> ApplyResult:
    for one in problems:
        steps.add("remove", one.message, ok=one.severity != "error")
    return ApplyResult(1, changed, found, tuple(steps.done), tuple(problems), int(code))


def _services(
    found: ChangeSet, before: Before, nginx_paths: Sequence[str], steps: Steps
) -> list[Diagnostic]:
    """nginx first, so that nobody is sent to a server that stops; then instances; then GPUs."""
    if nginx_paths:
        put_back_units(before, [NGINX_UNIT], steps)
        if systemd.status(NGINX_UNIT).running:
            systemd.reload(NGINX_UNIT)
            steps.add(NGINX_UNIT, "reloaded without our configuration")
    units = [one.unit for one in found.units if one.action == "stop" and one.why == "removed"]
    for unit in sorted(units, key=lambda one: (one == TARGET, one == GPU_UNIT, one)):
        systemd.stop(unit)
        if "@" in unit:
            systemd.clean_caches(unit)
        steps.add(instance_of(unit) or unit, "stopped")
    try:
        back = put_back_gpus(before.gpus)
    except ProvisionError as error:  # without a driver there is nothing that could be set
        return [
            Diagnostic(one.rule, f"GPU settings stay: {one.message}", severity="warning")
            for one in error.diagnostics
        ]
    if back:
        steps.add("gpu-settings", f"put back: {', '.join(back)}")
    return []


def _take_files(files: Files, gone: Sequence[FileChange]) -> None:
    """The agent's own program last, since units that still run may call it."""
    for one in sorted(gone, key=lambda each: (each.path.startswith(AGENT_FOLDER), each.path)):
        disk = files.look(one.path)
        if one.note and SAVED in one.note and disk and disk.kind == "file":
            files.write(one.path + SAVED, disk.content, disk.mode)
        elif one.note and SAVED in one.note and disk and disk.kind == "link":
            files.link(one.path + SAVED, os.fsdecode(disk.content))
        files.remove(one.path)


def _after_files(
    files: Files,
    found: ChangeSet,
    before: Before,
    folders: Sequence[str],
    steps: Steps,
) -> list[Diagnostic]:
    """systemd forgets our units, services of others come back, users and their folders go."""
    units = sorted(units_of(one.path for one in found.files))
    systemd.daemon_reload()
    for unit in units:
        systemd.reset_failed(unit)
    others = [one.name for one in before.units if one.name != NGINX_UNIT]
    put_back_units(before, others, steps)
    forget_runtime(files, [instance_of(unit) for unit in units if "@" in unit])
    drop_folders(files, {RUNTIME, *before.folders})
    return [
        Diagnostic("user-stays", why, severity="note")
        for why in drop_users(before.users_made, {*folders, *before.folders})
    ]


def _folders_of_services(files: Files) -> tuple[str, ...]:
    """Folders that our tmpfiles.d file made for services to write into."""
    text = files.read(TMPFILES)
    return folders_in(text.decode("utf-8", "replace")) if text else ()


def _stays(folder: str, files: Files) -> Diagnostic:
    names = sorted(one.name for one in files.at(folder).iterdir())
    what = f"{names[0]}{' and more' if len(names) > 1 else ''}" if names else "is in use"
    return Diagnostic("folder-stays", f"{folder} stays: {what} lies in it", severity="note")


def _saved(change: FileChange) -> Diagnostic:
    message = f"{change.path} was edited by hand: kept as {change.path}{SAVED}"
    return Diagnostic("edited-by-hand", message, severity="warning")


def _broken(error: OSError) -> Diagnostic:
    return Diagnostic("write-failed", f"removing failed: {error}", hint="remove again goes on")
