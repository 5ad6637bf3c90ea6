"""Bundle x disk x State -> ChangeSet: what an apply would do, without doing any of it."""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from .. import systemd
from ..bundle import Artifact, Bundle
from ..errors import Diagnostic, fail
from ..files import Files, OnDisk, needs_root
from ..report import ChangeSet, FileChange
from ..secrets import key_map_artifact
from .journal import Pending, load_pending
from .state import Owned, State, content_of, load_state, matches, mode_of
from .unit_changes import unit_changes

_DIFF_LINES = 14
_PRIVATE = "(not shown: only root may read it)"


@dataclass(frozen=True, slots=True)
class View:
    """A bundle beside what stands on the host, and the differences."""

    bundle: Bundle
    wanted: Mapping[str, Artifact]  # by path, key maps resolved
    state: State | None
    pending: Pending | None
    changes: ChangeSet

    @property
    def writes(self) -> tuple[Artifact, ...]:
        """Artifacts to be written: files before the links that may lead to them."""
        paths = {one.path for one in self.changes.files if one.action != "remove"}
        wanted = [one for path, one in self.wanted.items() if path in paths]
        return tuple(sorted(wanted, key=lambda one: (one.kind == "link", one.path)))

    @property
    def removes(self) -> tuple[str, ...]:
        """Paths to be taken away."""
        return tuple(one.path for one in self.changes.files if one.action == "remove")


def changes(bundle: Bundle, files: Files) -> ChangeSet:
    """All that `apply` would do here, in its order. Under a scratch root: files and links only."""
    return observe(bundle, files).changes


def observe(bundle: Bundle, files: Files) -> View:
    """Look at everything that the bundle is about; raises `needs-root` on a live host."""
    if files.live and os.geteuid() != 0:
        raise needs_root("looking at units and root-only files of this host needs root")
    if files.live and not systemd.booted():
        raise fail("no-systemd", "systemd does not run this machine (no /run/systemd/system)")
    state, pending = load_state(files), load_pending(files)
    wanted = resolved(bundle, files)
    found, conflicts = file_changes(wanted, files, state, pending)
    units = unit_changes(bundle, wanted, found, state, pending) if files.live else ()
    return View(bundle, wanted, state, pending, ChangeSet(1, found, units, conflicts))


def resolved(bundle: Bundle, files: Files) -> dict[str, Artifact]:
    """The artifacts by path with the key maps made from the owner's key files; sorted."""
    made = [key_map_artifact(files, one) for one in bundle.key_maps]
    by_path: dict[str, Artifact] = {}
    for artifact in (*bundle.artifacts, *made):
        if artifact.path != os.path.normpath(artifact.path) or not artifact.path.startswith("/"):
            raise fail("bad-document", f"bundle: {artifact.path!r} is not an absolute plain path")
        if artifact.path in by_path:
            raise fail("bad-document", f"bundle: {artifact.path} stands in it twice")
        by_path[artifact.path] = artifact
    return {path: by_path[path] for path in sorted(by_path)}


def file_changes(
    wanted: Mapping[str, Artifact], files: Files, state: State | None, pending: Pending | None
) -> tuple[tuple[FileChange, ...], tuple[Diagnostic, ...]]:
    """What differs on disk, by path, and what is not ours to change."""
    found: list[FileChange] = []
    conflicts: list[Diagnostic] = []
    for path in sorted({*wanted, *owned_paths(state, pending)}):
        disk = files.look(path)
        records = _records(path, state, pending)
        artifact = wanted.get(path)
        conflict = _conflict(path, disk, artifact, records)
        if conflict:
            conflicts.append(conflict)
            continue
        change = (
            _written(artifact, disk, bool(records), files.live)
            if artifact
            else _removed(path, disk, any(one.secret for one in records))
        )
        if change:
            found.append(change)
    return tuple(found), tuple(conflicts)


def owned_paths(state: State | None, pending: Pending | None) -> set[str]:
    """Paths that are ours, by the last commit or by a run that was cut short."""
    paths = {one.path for one in state.owned} if state else set()
    return paths | ({one.path for one in pending.owned} if pending else set())


def edited_by_hand(disk: OnDisk, records: Iterable[Owned]) -> bool:
    """Whether what stands there is nothing that a run of ours has written."""
    return not any(matches(one.digest, disk) for one in records)


def _records(path: str, state: State | None, pending: Pending | None) -> tuple[Owned, ...]:
    last = state.owner_of(path) if state else None
    return ((last,) if last else ()) + (pending.records_of(path) if pending else ())


def _same(artifact: Artifact, disk: OnDisk) -> bool:
    return artifact.kind == disk.kind and content_of(artifact) == disk.content


def _conflict(
    path: str, disk: OnDisk | None, artifact: Artifact | None, records: tuple[Owned, ...]
) -> Diagnostic | None:
    """Why a path may not be touched, None when it may."""
    if disk is None or (artifact and _same(artifact, disk)):
        return None
    if not artifact and disk.kind == "directory":
        return None  # a folder stands where a file of ours was: not ours any more
    if records and not edited_by_hand(disk, records):
        return None
    secret = bool(artifact and artifact.secret) or any(one.secret for one in records)
    shown = "" if secret else _short_diff(path, disk, artifact)
    if not records:
        what = f"a {disk.kind}" if disk.kind != "file" else "a file that provision did not write"
        return Diagnostic(
            "foreign-file",
            f"{path}: {what} stands there already{shown}",
            hint=f"move it away and apply again: mv {path} {path}.before-provision",
        )
    return Diagnostic(
        "edited-by-hand",
        f"{path} was edited by hand since the last apply{shown}",
        hint="put the change into host.yaml (env, args), then take the edited file out of the way: "
        f"mv {path} {path}.edited",
    )


def _short_diff(path: str, disk: OnDisk, artifact: Artifact | None) -> str:
    """The beginning of a diff from what is wanted to what stands there; empty for other kinds."""
    if disk.kind != "file" or artifact is None or artifact.kind != "file":
        return ""
    if disk.mode & 0o044 == 0:
        return f" {_PRIVATE}"
    before, after = _text(disk.content), _text(content_of(artifact))
    if before is None or after is None:
        return " (not text)"
    lines = list(
        difflib.unified_diff(
            after.splitlines(), before.splitlines(), "wanted", path, lineterm="", n=1
        )
    )
    more = [f"... {len(lines) - _DIFF_LINES} more lines"] if len(lines) > _DIFF_LINES else []
    return "\n" + "\n".join(f"      {line}" for line in (*lines[:_DIFF_LINES], *more))


def _written(artifact: Artifact, disk: OnDisk | None, ours: bool, live: bool) -> FileChange | None:
    """The change that puts an artifact in place, None when it stands there already."""
    mode = None if artifact.kind == "link" else mode_of(artifact)
    content = content_of(artifact)
    if disk is None:
        note = _note(artifact, content)
        if ours and not note:
            note = "was taken away by hand"
        return FileChange(
            artifact.path,
            "create",
            None,
            _shown(artifact, content),
            None,
            mode,
            artifact.secret,
            note,
        )
    strange = live and disk.uid != 0
    same = _same(artifact, disk)
    if same and (artifact.kind == "link" or disk.mode == mode) and not strange:
        return None
    before_mode = disk.mode if disk.kind == "file" else None
    if same:
        note = f"owner {disk.uid} instead of root" if strange else None
        return FileChange(
            artifact.path, "update", None, None, before_mode, mode, artifact.secret, note
        )
    before = None if artifact.secret or disk.kind != "file" else _text(disk.content)
    return FileChange(
        artifact.path,
        "update",
        before,
        _shown(artifact, content),
        before_mode,
        mode,
        artifact.secret,
        _note(artifact, content),
    )


def _removed(path: str, disk: OnDisk | None, secret: bool) -> FileChange | None:
    """The change that takes away what is no longer wanted, None when it is gone already."""
    if disk is None or disk.kind == "directory":
        return None
    is_file = disk.kind == "file"
    note = None if is_file else f"link to {os.fsdecode(disk.content)}"
    before = _text(disk.content) if is_file and not secret else None
    if is_file and not secret and before is None:
        note = _size(disk.content)
    return FileChange(
        path, "remove", before, None, disk.mode if is_file else None, None, secret, note
    )


def _shown(artifact: Artifact, content: bytes) -> str | None:
    if artifact.secret or artifact.kind == "link" or artifact.encoding == "base64":
        return None
    return _text(content)


def _note(artifact: Artifact, content: bytes) -> str | None:
    if artifact.kind == "link":
        return f"link to {artifact.content}"
    return _size(content) if artifact.encoding == "base64" else None


def _size(content: bytes) -> str:
    return f"binary, {(len(content) + 1023) // 1024} KiB"


def _text(content: bytes) -> str | None:
    try:
        return None if b"\0" in content else content.decode()
    except UnicodeDecodeError:
        return None
