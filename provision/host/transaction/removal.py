"""What there is to remove on a host, without removing any of it."""

from __future__ import annotations

import base64
import os
from collections.abc import Sequence
from dataclasses import dataclass

from .. import systemd
from ..balancer.upstreams import load_holds
from ..bundle import Artifact
from ..files import Files
from ..names import NGINX_FOLDER, NGINX_UNIT, TARGET
from ..report import ChangeSet, FileChange, UnitAction, UnitChange
from .disk import Disk, edited_by_hand, owned_paths
from .journal import Journal
from .options import ApplyOptions
from .put_back import SAVED
from .state import Before, State
from .unit_changes import units_of


@dataclass(frozen=True, slots=True)
class Removal:
    """The record of a host, and the changes that take all of it away, in order."""

    state: State | None
    changes: ChangeSet
    before: Before

    @property
    def paths(self) -> list[str]:
        return [one.path for one in self.changes.files]


def look(files: Files, state: State | None, journal: Journal | None) -> Removal:
    """Look at all that is ours. journal: of a run that was cut short and has given its files back;
    units of it may run."""
    paths = sorted(owned_paths(state, None))
    found = tuple(change for path in paths if (change := _removal(files, path, state)) is not None)
    before = state.before if state else Before()
    before = before.joined(journal.before) if journal else before
    started = [one.path for one in journal.owned] if journal else []
    units = _unit_changes([*paths, *started], before) if files.live and paths else ()
    return Removal(state, ChangeSet(1, found, units), before)


def copies(files: Files, found: Removal) -> list[Artifact]:
    """What a removal writes: edited files beside, and files of somebody else in their place."""
    pairs = [(one.path, one.path + SAVED) for one in found.changes.files if is_edited(one)]
    pairs += [(one.backup, one.path) for one in found.before.files]
    made: list[Artifact] = []
    for source, path in pairs:
        disk = files.look(source)
        if disk and disk.kind == "file":
            text = base64.b64encode(disk.content).decode()
            made.append(Artifact(path, text, disk.mode, encoding="base64"))
        elif disk and disk.kind == "link":
            made.append(Artifact(path, os.fsdecode(disk.content), kind="link"))
    return made


def is_edited(change: FileChange) -> bool:
    """Whether what stands there was edited by hand, and is kept."""
    return bool(change.note and SAVED in change.note)


def _removal(files: Files, path: str, state: State | None) -> FileChange | None:
    disk = files.look(path)
    if disk is None or disk.kind == "directory":
        return None
    last = state.owner_of(path) if state else None
    records = (last,) if last else ()
    nginx = state.bundle.nginx if state else None
    made = Disk(files, state, None, nginx, ApplyOptions(), load_holds(files)).ours(path, disk)
    edited = not made and edited_by_hand(disk, records)
    note = f"edited by hand: kept as {path}{SAVED}" if edited else None
    mode = disk.mode if disk.kind == "file" else None
    secret = any(one.secret for one in records)
    return FileChange(path, "remove", None, None, mode, None, secret, note)


def _unit_changes(paths: Sequence[str], before: Before) -> tuple[UnitChange, ...]:
    """Service actions of a removal: the balancer first, then what is ours, then what was before."""
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
            verb: UnitAction = "enable" if one.enabled else "disable"
            found.append(UnitChange(one.name, verb, f"was {word} before"))
        if one.active != now.running:
            word = "running" if one.active else "stopped"
            found.append(
                UnitChange(one.name, "start" if one.active else "stop", f"was {word} before")
            )
    return tuple(found)
