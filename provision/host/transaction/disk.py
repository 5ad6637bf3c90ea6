"""What stands on disk at the paths of a bundle, and whether it is ours to change."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ..balancer.upstreams import Holds, is_own_form
from ..bundle import Artifact, Nginx
from ..errors import Diagnostic
from ..files import Files, OnDisk
from ..report import FileChange
from .differences import removed, same, short_diff, written
from .journal import Journal
from .options import ApplyOptions
from .state import Owned, State, matches


@dataclass(frozen=True, slots=True)
class Backup:
    """A file that is kept aside before it is written anew. foreign: it was somebody else's."""

    path: str
    foreign: bool


@dataclass(frozen=True, slots=True)
class Disk:
    """The files of a host, and by what they are judged. nginx: of the bundle that is wanted.
    holds: where instances answer while their lines name another port."""

    files: Files
    state: State | None
    journal: Journal | None
    nginx: Nginx | None
    options: ApplyOptions
    holds: Holds

    def compare(
        self, wanted: Mapping[str, Artifact]
    ) -> tuple[tuple[FileChange, ...], tuple[Diagnostic, ...], tuple[Backup, ...]]:
        """What differs by path, what is not ours to change, and what is kept aside first."""
        found: list[FileChange] = []
        conflicts: list[Diagnostic] = []
        backups: list[Backup] = []
        for path in sorted({*wanted, *owned_paths(self.state, self.journal)}):
            disk, artifact = self.files.look(path), wanted.get(path)
            records = _records(path, self.state, self.journal)
            conflict = None if self.ours(path, disk) else _conflict(path, disk, artifact, records)
            foreign = conflict is not None and conflict.rule == "foreign-file"
            if conflict and not self._may(foreign, disk):
                conflicts.append(conflict)
                continue
            change = self._change(path, disk, artifact, records)
            if change and conflict:
                backups.append(Backup(path, foreign))
                change = dataclasses.replace(change, note=_kept_aside(foreign))
            if change:
                found.append(change)
        return tuple(found), tuple(conflicts), tuple(backups)

    def _change(
        self, path: str, disk: OnDisk | None, artifact: Artifact | None, records: tuple[Owned, ...]
    ) -> FileChange | None:
        if artifact is None:
            return removed(path, disk, any(one.secret for one in records))
        if (
            disk
            and self.nginx
            and disk.mode == artifact.mode
            and self._form(self.nginx, path, disk)
        ):
            return None  # up or down, whatever the balancer says
        return written(artifact, disk, bool(records), self.files.live)

    def ours(self, path: str, disk: OnDisk | None) -> bool:
        """Whether it is a form that the balancer gives to a file of ours."""
        last = self.state.bundle.nginx if self.state else None
        # Without any record a file that only we could have written so is taken for ours.
        known = self.state is None or bool(_records(path, self.state, self.journal))
        return bool(disk and known) and any(
            self._form(nginx, path, disk) for nginx in (self.nginx, last) if nginx and disk
        )

    def _form(self, nginx: Nginx, path: str, disk: OnDisk) -> bool:
        return disk.kind == "file" and is_own_form(nginx, path, disk.content, self.holds)

    def _may(self, foreign: bool, disk: OnDisk | None) -> bool:
        """Whether the options say that this conflict is none. Folders and devices always are."""
        wished = self.options.adopt if foreign else self.options.overwrite
        return wished and disk is not None and disk.kind in ("file", "link")


def _kept_aside(foreign: bool) -> str:
    return "somebody else's, kept aside" if foreign else "edited by hand, kept aside"


def owned_paths(state: State | None, journal: Journal | None) -> set[str]:
    """Paths that are ours, by the last commit or by a run that was cut short."""
    paths = {one.path for one in state.owned} if state else set()
    return paths | ({one.path for one in journal.owned} if journal else set())


def edited_by_hand(disk: OnDisk, records: Iterable[Owned]) -> bool:
    """Whether what stands there is nothing that a run of ours has written."""
    return not any(matches(one.digest, disk) for one in records)


def _records(path: str, state: State | None, journal: Journal | None) -> tuple[Owned, ...]:
    last = state.owner_of(path) if state else None
    return ((last,) if last else ()) + (journal.records_of(path) if journal else ())


def _conflict(
    path: str, disk: OnDisk | None, artifact: Artifact | None, records: tuple[Owned, ...]
) -> Diagnostic | None:
    """Why a path may not be touched, None when it may."""
    if disk is None or (artifact and same(artifact, disk)):
        return None
    if not artifact and disk.kind == "directory":
        return None  # a folder stands where a file of ours was: not ours any more
    if records and not edited_by_hand(disk, records):
        return None
    secret = bool(artifact and artifact.secret) or any(one.secret for one in records)
    shown = "" if secret else short_diff(path, disk, artifact)
    if not records:
        what = f"a {disk.kind}" if disk.kind != "file" else "a file that provision did not write"
        return Diagnostic(
            "foreign-file",
            f"{path}: {what} stands there already{shown}",
            hint="move it away, or let provision have its place: --adopt keeps a backup, and "
            "`provision remove` puts it back",
        )
    return Diagnostic(
        "edited-by-hand",
        f"{path} was edited by hand since the last apply{shown}",
        hint="put the change into host.yaml (env, args), then apply with --overwrite, which keeps "
        "a backup of the edited file",
    )
