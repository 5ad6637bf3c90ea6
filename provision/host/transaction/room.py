"""Whether the file systems that a run writes to can take it, and the way back from it."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from ..errors import Diagnostic
from ..files import Files
from .changes import View
from .state import FOLDER, content_of

_BLOCK = 4096
_SPARE = 1 << 20  # folders, temporary files, the State
_BASE64 = 1.4  # the journal holds pre-images, a generation the files, both with JSON around them


def room_complaints(view: View, files: Files) -> list[Diagnostic]:
    """File systems that are read-only, or too full to write everything and to put it back.

    A run that finds its disk full halfway could not put back what it wrote.
    """
    needed: dict[int, int] = {}
    places: dict[int, Path] = {}
    folders: set[Path] = set()
    for path, size in _sizes(view, files):
        folder = _standing(files.at(path).parent)
        folders.add(folder)
        device = folder.stat().st_dev
        places.setdefault(device, folder)
        needed[device] = needed.get(device, _SPARE) + _blocks(size)
    # Read-only is a mount, and one file system may be mounted in several ways.
    found = [_read_only(one) for one in sorted(folders) if os.statvfs(one).f_flag & os.ST_RDONLY]
    for device in sorted(needed) if not found else ():
        found += _full(places[device], needed[device])
    return found


def _sizes(view: View, files: Files) -> Iterable[tuple[str, int]]:
    """What is written by path: each file once anew and once back, then the records."""
    total = 0
    for artifact in view.writes:
        size = len(content_of(artifact))
        total += size
        yield artifact.path, size
        disk = files.look(artifact.path)
        if disk is not None:
            total += len(disk.content)
            yield artifact.path, len(disk.content)
    for path in view.removes:
        disk = files.look(path)
        size = len(disk.content) if disk else 0
        total += size
        yield path, size
    whole = sum(len(one.content) for one in view.bundle.artifacts)
    yield f"{FOLDER}/journal.json", int(total * _BASE64)
    yield f"{FOLDER}/generations/x", int(whole * _BASE64)


def _blocks(size: int) -> int:
    return (size // _BLOCK + 1) * _BLOCK


def _standing(folder: Path) -> Path:
    """The innermost folder above that is there."""
    while not folder.is_dir():
        folder = folder.parent
    return folder


def _read_only(folder: Path) -> Diagnostic:
    hint = "mount it writable, then apply again"
    return Diagnostic("read-only", f"{folder} is on a read-only file system", hint=hint)


def _full(folder: Path, needed: int) -> list[Diagnostic]:
    status = os.statvfs(folder)
    free = (status.f_bfree if os.geteuid() == 0 else status.f_bavail) * status.f_frsize
    if free < needed:
        message = (
            f"{folder}: its file system has {free >> 10} KiB free, this run may need "
            f"{needed >> 10} KiB to write and to put back"
        )
        return [Diagnostic("disk-full", message, hint="make room, then apply again")]
    return []
