"""Files that stood in the way, kept aside before they are written anew (--adopt, --overwrite)."""

from __future__ import annotations

import base64
from collections.abc import Iterable

from ..bundle import Artifact
from ..files import Files
from .disk import Backup
from .state import FOLDER, FileBefore

BACKUPS = f"{FOLDER}/backups"


def backup_path(path: str, generation: int) -> str:
    """Where a path is kept when this generation takes its place."""
    return f"{BACKUPS}/{generation}{path}"


def copies(files: Files, backups: Iterable[Backup], generation: int) -> tuple[Artifact, ...]:
    """The backups as files to be written: same kind, content and mode, root's."""
    found: list[Artifact] = []
    for one in backups:
        disk, path = files.look(one.path), backup_path(one.path, generation)
        if disk is None:
            continue
        if disk.kind == "link":
            text = disk.content.decode("utf-8", "surrogateescape")
            found.append(Artifact(path, text, kind="link"))
        else:
            text = base64.b64encode(disk.content).decode()
            found.append(Artifact(path, text, disk.mode, encoding="base64"))
    return tuple(found)


def adopted(files: Files, backups: Iterable[Backup], generation: int) -> tuple[FileBefore, ...]:
    """What `remove` has to put back: files of somebody else, and whose they were."""
    found: list[FileBefore] = []
    for one in backups:
        disk = files.look(one.path)
        if one.foreign and disk:
            kept = backup_path(one.path, generation)
            found.append(FileBefore(one.path, kept, disk.uid, disk.gid))
    return tuple(found)
