"""Putting a host back to its last commit after an apply that failed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from .. import systemd
from ..balancer import nginx
from ..bundle import Instance
from ..errors import Diagnostic, Exit, ProvisionError
from ..files import Files
from ..report import ApplyResult
from ..systemd import UnitError, UnitStatus
from .changes import View
from .journal import Pending, drop_pending, restore
from .leftovers import drop_users
from .services import forget_runtime, gpus_to_put_back, instance_of, put_back_gpus
from .steps import Steps
from .unit_changes import GPU_UNIT, NGINX_UNIT, TARGET, running_digest, units_of

_JOURNAL_LINES = 15


def undo(
    view: View,
    files: Files,
    pending: Pending,
    units: Mapping[str, UnitStatus],
    steps: Steps,
    cause: BaseException,
) -> ApplyResult:
    """Restore files, then services. ROLLED_BACK with the cause, or BROKEN with what is left.

    units: as they were before this run. When restoring fails the record stays, so that another
    apply still knows the files as ours.
    """
    problems = _cause(cause)
    for one in problems:
        steps.add("failed", one.message, ok=False)
    left: list[Diagnostic] = []
    _files_back(files, pending, left)
    if files.live:
        _services_back(view, files, pending, units, left)
    if not left:
        _folders_back(view, files, pending)
        drop_pending(files)
        if view.state is None:  # the first apply: its users and the record's own folder go too
            drop_users(pending.before.users_made, ())
            _folders_back(view, files, pending)
        steps.add("rollback", "files and services are as they were before")
        code = Exit.ROLLED_BACK
    else:
        for one in left:
            steps.add("rollback", one.message, ok=False)
        code = Exit.BROKEN
    generation = view.state.generation if view.state else None
    return ApplyResult(
        1, False, view.changes, tuple(steps.done), (*problems, *left), int(code), generation
    )


def _cause(cause: BaseException) -> list[Diagnostic]:
    """Why it failed; of a unit with the last lines of its journal."""
    if isinstance(cause, UnitError):
        lines = systemd.last_lines(cause.unit, _JOURNAL_LINES)
        tail = "".join(f"\n      {line}" for line in lines.splitlines())
        first = cause.diagnostics[0]
        return [Diagnostic(first.rule, first.message + tail, hint=first.hint)]
    if isinstance(cause, ProvisionError):
        return list(cause.diagnostics)
    if isinstance(cause, KeyboardInterrupt):
        return [Diagnostic("interrupted", f"interrupted ({cause or 'Ctrl-C'})")]
    return [Diagnostic("write-failed", f"writing failed: {cause}")]


def _attempt(left: list[Diagnostic], what: str, action: Callable[[], object]) -> None:
    """Do one step of the way back; where it fails, note it and go on with the others."""
    try:
        action()
    except (ProvisionError, OSError) as error:
        left.append(Diagnostic("not-undone", f"could not {what}: {error}"))


def _files_back(files: Files, pending: Pending, left: list[Diagnostic]) -> None:
    for image in pending.pre_images:
        _attempt(left, f"put {image.path} back", partial(restore, files, image))


def _folders_back(view: View, files: Files, pending: Pending) -> None:
    """Folders that only this run made."""
    known = view.state.before.folders if view.state else ()
    for folder in reversed(pending.before.folders):
        if folder not in known:
            files.remove_empty_folder(folder)


def _services_back(
    view: View,
    files: Files,
    pending: Pending,
    units: Mapping[str, UnitStatus],
    left: list[Diagnostic],
) -> None:
    last = view.state.bundle.instances if view.state else ()
    owned = [one.path for one in view.state.owned] if view.state else []
    for unit in sorted(units_of(view.wanted) - units_of(owned)):
        _attempt(left, f"stop {unit}", partial(_stop, unit))
        if "@" in unit:
            forget_runtime(files, [instance_of(unit)])
    _attempt(left, "let systemd read its units again", systemd.daemon_reload)
    _gpus_back(view, pending, left)
    again = view.pending is not None  # what ran before the run that was cut short is not known
    for instance in last:
        was = units.get(instance.unit, UnitStatus(instance.unit))
        ran = again or was.running or was.active == "activating"
        _attempt(left, f"bring {instance.unit} back", partial(_instance_back, instance, ran))
    if TARGET in units and units[TARGET].running:
        _attempt(left, f"start {TARGET}", partial(systemd.start, TARGET, 120))
    _nginx_back(view, units, left)
    for name in view.bundle.takeover:
        _attempt(left, f"bring {name} back", partial(_unit_back, name, units[name]))


def _stop(unit: str) -> None:
    systemd.stop(unit)
    systemd.reset_failed(unit)


def _instance_back(instance: Instance, ran: bool) -> None:
    """Running with the restored files, or stopped if it did not run."""
    now = systemd.status(instance.unit)
    if not ran:
        _stop(instance.unit)
    elif not now.running:
        systemd.start(instance.unit, instance.start_timeout_seconds)
    elif running_digest(now) != instance.digest:
        systemd.restart(instance.unit, instance.start_timeout_seconds)


def _gpus_back(view: View, pending: Pending, left: list[Diagnostic]) -> None:
    acted = any(one.unit == GPU_UNIT for one in view.changes.units)
    last = view.state.bundle.gpu_settings if view.state else None
    new = gpus_to_put_back(pending.before.gpus, view.bundle.gpu_settings, last)
    if new:
        _attempt(left, "put GPU settings back", lambda: put_back_gpus(new))
    if last is not None and acted:
        _attempt(left, "make the last GPU settings again", lambda: systemd.restart(GPU_UNIT, 300))


def _nginx_back(view: View, units: Mapping[str, UnitStatus], left: list[Diagnostic]) -> None:
    """As it was: running with the restored files, or not running, or not enabled."""
    if not any(one.unit == NGINX_UNIT for one in view.changes.units):
        return
    was = units[NGINX_UNIT]
    _attempt(left, f"bring {NGINX_UNIT} back", lambda: _unit_back(NGINX_UNIT, was))
    last = view.state.bundle.nginx if view.state else None
    if was.running:
        _attempt(left, "reload nginx", lambda: systemd.reload(NGINX_UNIT))
        if last:
            _attempt(left, "see nginx serve the restored files", lambda: nginx.prove(last))


def _unit_back(name: str, was: UnitStatus) -> None:
    now = systemd.status(name)
    if was.running and not now.running:
        systemd.start(name, 300)
    if not was.running and now.running:
        systemd.stop(name)
    if was.enabled == "enabled" and now.enabled == "disabled":
        systemd.enable(name)
    if was.enabled == "disabled" and now.enabled == "enabled":
        systemd.disable(name)
