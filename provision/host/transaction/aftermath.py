"""Behind a commit or a way back: what has no use any more goes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from .. import systemd
from ..balancer.upstreams import HOLDS, LOCK
from ..errors import Diagnostic, ProvisionError
from ..files import Files
from ..names import RECOVER_UNIT, UNITS
from ..runtime import RUNTIME
from .confirm import disarm
from .generations import GENERATIONS, OBJECTS, prune
from .journal import JOURNAL, Journal, drop_journal
from .leftovers import drop_folders, drop_model_folders, drop_users, innermost_first
from .state import AGENT_FOLDER, FOLDER, Before, State

# At a boot they have the agent take a run back, or end a removal.
_BOOT_UNIT = (f"{UNITS}{RECOVER_UNIT}", f"{UNITS}multi-user.target.wants/{RECOVER_UNIT}")


def forget_run(files: Files, state: State | None, journal: Journal) -> None:
    """The last of the way back: folders and users that only this run made, then its journal."""
    if state is None and files.live:  # the first apply: its users go too
        drop_users(journal.before.users_made, ())
    _folders_back(files, journal)
    drop_journal(files)
    if state is None:
        no_record_left(files)
        _folders_back(files, journal)


def finish_removal(files: Files, journal: Journal) -> list[Diagnostic]:
    """Behind the commit of a removal: its generations, users and folders; what stays, and why."""
    before = journal.before
    prune(files, None)
    disarm(files)
    for one in before.files:
        files.remove(one.backup)
    kept: list[Diagnostic] = []
    for path in (HOLDS, LOCK, f"{RUNTIME}/watch.json"):
        files.remove(path)
    if files.live:
        folders = {RUNTIME, *(one for one in before.folders if one != FOLDER)}
        if journal.models:
            drop_model_folders(before.users_made)
        drop_folders(files, folders)
        why = drop_users(before.users_made, folders)
        kept += [Diagnostic("user-stays", one, severity="note") for one in why]
    record = [one for one in before.folders if f"{FOLDER}/".startswith(f"{one}/")]
    ours = [one for one in before.folders if one not in record]
    drop_folders(files, ours)
    kept += _recovery_away(files, journal, ours, record)
    kept += [_stays(one, files) for one in sorted(ours) if files.at(one).is_dir()]
    return kept


def taken_last(path: str, before: Before) -> bool:
    """Whether a removal takes a path of ours behind its commit: a boot needs it to end one that was
    cut short. Where a file of somebody else was before, that one comes back instead.
    """
    needed = path in _BOOT_UNIT or path.startswith(f"{AGENT_FOLDER}/")
    return needed and all(one.path != path for one in before.files)


def _recovery_away(
    files: Files, journal: Journal, ours: Iterable[str], record: Iterable[str]
) -> list[Diagnostic]:
    """The boot unit, the agent that it calls, the journal that it looks for: all at once.

    While the journal stands, a boot needs the two others to end what was cut short. ours, record:
    folders that were not there before, and those of them in which the journal lies.
    """
    kept = {one.path for one in journal.copies}
    paths = {one.path for one in journal.pre_images if taken_last(one.path, journal.before)} - kept
    needed = sorted(paths, key=lambda one: (one not in _BOOT_UNIT, one))
    empty = [f"{one}/" for one in innermost_first(ours)]
    records = innermost_first({GENERATIONS, OBJECTS, FOLDER, *record})
    files.remove_together([*needed, *empty, JOURNAL, *(f"{one}/" for one in records)])
    try:
        if files.live and paths:
            systemd.daemon_reload()
    except ProvisionError as error:  # it is removed all the same
        return [replace(one, severity="warning") for one in error.diagnostics]
    return []


def _folders_back(files: Files, journal: Journal) -> None:
    """Folders that were missing before this run."""
    for folder in reversed(journal.folders):
        files.remove_empty_folder(folder)


def _stays(folder: str, files: Files) -> Diagnostic:
    names = sorted(one.name for one in files.at(folder).iterdir())
    what = f"{names[0]}{' and more' if len(names) > 1 else ''}" if names else "is in use"
    return Diagnostic("folder-stays", f"{folder} stays: {what} lies in it", severity="note")


def no_record_left(files: Files) -> None:
    """Take the folders of the record away where there is none: a first apply went back."""
    for folder in (GENERATIONS, OBJECTS, FOLDER):
        files.remove_empty_folder(folder)
