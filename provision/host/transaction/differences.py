"""One file as it is wanted beside what stands there: the change, and a diff for people."""

from __future__ import annotations

import difflib
import os

from ..bundle import Artifact, Bundle
from ..files import OnDisk
from ..report import FileChange
from .state import content_of, mode_of

_DIFF_LINES = 14
_PRIVATE = "(not shown: only root may read it)"


def same(artifact: Artifact, disk: OnDisk) -> bool:
    """Whether kind and content are as wanted; the mode is not looked at."""
    return artifact.kind == disk.kind and content_of(artifact) == disk.content


def short_diff(path: str, disk: OnDisk, artifact: Artifact | None) -> str:
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


def written(artifact: Artifact, disk: OnDisk | None, ours: bool, live: bool) -> FileChange | None:
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
    equal = same(artifact, disk)
    if equal and (artifact.kind == "link" or disk.mode == mode) and not strange:
        return None
    before_mode = disk.mode if disk.kind == "file" else None
    if equal:
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


def removed(path: str, disk: OnDisk | None, secret: bool) -> FileChange | None:
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


def between(old: Bundle, new: Bundle) -> tuple[FileChange, ...]:
    """What differs from the files of one bundle to those of another, by path; no host is looked at.

    Programs and secrets show only that they differ.
    """
    before = {one.path: one for one in old.artifacts}
    after = {one.path: one for one in new.artifacts}
    found: list[FileChange] = []
    for path in sorted({*before, *after}):
        was, wanted = before.get(path), after.get(path)
        disk = _as_on_disk(was) if was else None
        change = (
            written(wanted, disk, False, False)
            if wanted
            else removed(path, disk, bool(was and was.secret))
        )
        if change:
            found.append(change)
    return tuple(found)


def _as_on_disk(artifact: Artifact) -> OnDisk:
    mode = 0o777 if artifact.kind == "link" else mode_of(artifact)
    return OnDisk(artifact.kind, content_of(artifact), mode)
