"""Reading a machine's files: the live one, or a recorded tree that links cannot lead out of."""

from __future__ import annotations

import os
import re
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from ..quantity import CpuSet

MOST_BYTES = 8 << 20  # no file that is read as text is near that size
_MOST_LINKS = 40  # as in the kernel
_MOST_PARTS = 128  # folders in one path; sysfs is less than 30 deep
_BLOCK = 1 << 15  # bytes of one read(2)
_MOST_CPUS_TEXT = 1 << 16  # characters; a mask of 65536 CPUs has 18432
_NUMBER = re.compile(r"[+-]?[0-9]{1,30}")

Kind = Literal["file", "folder", "link", "other"]


# Places are plain strings here and os is asked directly: a Path costs more than the system call,
# and a machine of 256 CPUs has thousands of small files.
@dataclass(frozen=True)
class Tree:
    """A root folder. Every reader returns None (or nothing) for what is missing or unreadable."""

    root: Path = Path("/")
    # Of a recorded tree, which does not change: where each folder really lies, and the targets of
    # the links on the ways there (None: no link).
    _folders: dict[str, str | None] = field(default_factory=dict, repr=False, compare=False)
    _targets: dict[str, str | None] = field(default_factory=dict, repr=False, compare=False)

    def __post_init__(self) -> None:
        # What every path of this tree starts with; empty for the running machine.
        object.__setattr__(self, "_prefix", "" if str(self.root) == "/" else str(self.root))

    @property
    def live(self) -> bool:
        """Whether this is the running machine, with programs and drivers to ask."""
        return not self._start()

    def at(self, path: str) -> Path | None:
        """Where a host path lies, every link followed within the root.

        None for a loop of links and for what is no absolute path.
        """
        place = self._place(path)
        return None if place is None else Path(place)

    def real(self, path: str) -> str:
        """The host path that a path really names, links followed."""
        place = self._place(path)
        if place is None:
            return path
        start = self._start()
        return place[len(start) :] or "/" if start else os.path.realpath(place)

    def status(self, path: str) -> os.stat_result | None:
        """What stands there, links followed."""
        place = self._place(path)
        try:
            return None if place is None else os.stat(place)  # noqa: PTH116 -- hot
        except (OSError, ValueError):
            return None

    def is_file(self, path: str) -> bool:
        status = self.status(path)
        return status is not None and stat.S_ISREG(status.st_mode)

    def is_folder(self, path: str) -> bool:
        status = self.status(path)
        return status is not None and stat.S_ISDIR(status.st_mode)

    def head(self, path: str, most: int, offset: int = 0) -> bytes | None:
        """At most that many bytes of a regular file from an offset."""
        place = self._place(path)
        return None if place is None else _read(place, most, offset)

    def text(self, path: str) -> str | None:
        """A file's text, trimmed; bytes that are not UTF-8 are replaced."""
        data = self.head(path, MOST_BYTES)
        return None if data is None else data.decode("utf-8", "replace").strip("\n\0 \t")

    def number(self, path: str) -> int | None:
        """A file that holds one whole number."""
        text = self.text(path)
        return int(text) if text is not None and _NUMBER.fullmatch(text) else None

    def cpus(self, list_path: str, mask_path: str | None = None) -> CpuSet | None:
        """A set of CPUs from a list file, or else from the older mask file."""
        text = self.text(list_path)
        if text is not None and len(text) <= _MOST_CPUS_TEXT:
            try:
                return CpuSet.parse(text)
            except ValueError:
                pass
        text = self.text(mask_path) if mask_path else None
        if text is None or len(text) > _MOST_CPUS_TEXT:
            return None
        try:
            return CpuSet.parse_mask(text)
        except ValueError:
            return None

    def names(self, folder: str) -> tuple[str, ...]:
        """The names in a folder, sorted; none when there is no such folder."""
        place = self._place(folder)
        try:
            return () if place is None else tuple(sorted(os.listdir(place)))  # noqa: PTH208 -- hot
        except (OSError, ValueError):
            return ()

    def kinds(self, folder: str) -> dict[str, Kind]:
        """The same names with what each is itself, links not followed."""
        place = self._place(folder)
        if place is None:
            return {}
        try:
            with os.scandir(place) as entries:
                return {one.name: _kind(one) for one in sorted(entries, key=lambda one: one.name)}
        except (OSError, ValueError):
            return {}

    def link(self, path: str) -> str | None:
        """A link's own target; None when it is no link."""
        parent, _, name = path.rpartition("/")
        place = self._place(parent or "/")
        try:
            return None if place is None else os.readlink(f"{place}/{name}")  # noqa: PTH115 -- hot
        except (OSError, ValueError):
            return None

    def _start(self) -> str:
        start: str = getattr(self, "_prefix", "")
        return start

    def _place(self, path: str) -> str | None:
        """Where a host path lies, as at() has it."""
        if not path.startswith("/") or "\0" in path:
            return None
        start = self._start()
        if not start:
            return path
        real = self._resolved(path)
        return None if real is None else start + real

    def _resolved(self, path: str) -> str | None:
        """The real host path of a path in a recorded tree; None for a loop of links."""
        folder, _, name = path.rpartition("/")
        if name in ("", ".", ".."):
            return self._walked("", path)
        if folder not in self._folders:
            self._folders[folder] = self._walked("", folder)
        real = self._folders[folder]
        if real is None:
            return None
        here = f"{real.rstrip('/')}/{name}"
        target = self._target(here)
        return here if target is None else self._walked(real, target, 1)

    def _walked(self, here: str, path: str, links: int = 0) -> str | None:
        """Where a path leads from a real folder; links: how many were followed before.

        A loop over the parts and not a recursion, which links could be made to drive too deep.
        """
        here = "" if path.startswith("/") else here.rstrip("/")
        todo = path.split("/")[::-1]
        while todo:
            if len(todo) > _MOST_PARTS:
                return None
            part = todo.pop()
            if part in ("", "."):
                continue
            if part == "..":
                here = here.rpartition("/")[0]
                continue
            here = f"{here}/{part}"
            if here not in self._targets:
                self._targets[here] = self._target(here)
            target = self._targets[here]
            if target is None:
                continue
            links += 1
            if links > _MOST_LINKS:
                return None
            here = "" if target.startswith("/") else here.rpartition("/")[0]
            todo.extend(target.split("/")[::-1])
        return here or "/"

    def _target(self, here: str) -> str | None:
        """The target of a link at a real host path; None when no link stands there."""
        try:
            return os.readlink(self._start() + here)  # noqa: PTH115 -- hot
        except (OSError, ValueError):
            return None


def _kind(entry: os.DirEntry[str]) -> Kind:
    if entry.is_symlink():
        return "link"
    try:
        if entry.is_dir(follow_symlinks=False):
            return "folder"
        return "file" if entry.is_file(follow_symlinks=False) else "other"
    except OSError:
        return "other"


def _read(place: str, most: int, offset: int) -> bytes | None:
    """Bytes of a regular file. A pipe or device is not even opened: that might wait or act."""
    parts: list[bytes] = []
    left = most
    try:
        if not stat.S_ISREG(os.stat(place).st_mode):  # noqa: PTH116 -- hot
            return None
        descriptor = os.open(place, os.O_RDONLY | os.O_CLOEXEC)
        try:
            if offset:
                os.lseek(descriptor, offset, os.SEEK_SET)
            while left > 0 and (part := os.read(descriptor, min(left, _BLOCK))):
                parts.append(part)
                left -= len(part)
        finally:
            os.close(descriptor)
    except (OSError, ValueError, OverflowError):  # sysfs answers EINVAL, EIO, EPERM as it likes
        return None
    return b"".join(parts)
