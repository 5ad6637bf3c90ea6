"""Reading a machine's files: the live one, or a recorded tree that links cannot lead out of."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path

from ..quantity import CpuSet

_MOST_BYTES = 8 << 20  # no file that is read here is near that size
_MOST_LINKS = 40  # as in the kernel


@dataclass(frozen=True, slots=True)
class Tree:
    """A root folder. Every reader returns None (or nothing) for what is missing or unreadable."""

    root: Path = Path("/")

    @property
    def live(self) -> bool:
        """Whether this is the running machine, with programs and drivers to ask."""
        return self.root == Path("/")

    def at(self, path: str) -> Path | None:
        """Where a host path lies, every link followed within the root.

        None for a loop of links and for what is no absolute path.
        """
        if not path.startswith("/") or "\0" in path:
            return None
        if self.live:
            return Path(path)
        reached: list[str] = []
        ahead = path.split("/")[::-1]
        links = 0
        while ahead:
            part = ahead.pop()
            if part in ("", "."):
                continue
            if part == "..":
                reached = reached[:-1]
                continue
            try:
                target = str(self.root.joinpath(*reached, part).readlink())
            except OSError:
                reached.append(part)
                continue
            links += 1
            if links > _MOST_LINKS:
                return None
            if target.startswith("/"):
                reached = []
            ahead.extend(target.split("/")[::-1])
        return self.root.joinpath(*reached)

    def real(self, path: str) -> str:
        """The host path that a path really names, links followed."""
        place = self.at(path)
        if place is None:
            return path
        return os.path.realpath(path) if self.live else f"/{place.relative_to(self.root)}"

    def status(self, path: str) -> os.stat_result | None:
        """What stands there, links followed."""
        place = self.at(path)
        try:
            return None if place is None else place.stat()
        except OSError:
            return None

    def is_file(self, path: str) -> bool:
        status = self.status(path)
        return status is not None and stat.S_ISREG(status.st_mode)

    def text(self, path: str) -> str | None:
        """A file's text, trimmed; bytes that are not UTF-8 are replaced."""
        place = self.at(path)
        if place is None or not self.is_file(path):
            return None
        try:
            with place.open("rb") as file:
                return file.read(_MOST_BYTES).decode("utf-8", "replace").strip("\n\0 \t")
        except OSError:  # sysfs answers EINVAL, EIO, EPERM as it likes
            return None

    def number(self, path: str) -> int | None:
        """A file that holds one whole number."""
        try:
            return int(self.text(path) or "")
        except ValueError:
            return None

    def cpus(self, list_path: str, mask_path: str | None = None) -> CpuSet | None:
        """A set of CPUs from a list file, or else from the older mask file."""
        text = self.text(list_path)
        if text is not None:
            try:
                return CpuSet.parse(text)
            except ValueError:
                pass
        text = self.text(mask_path) if mask_path else None
        try:
            return CpuSet.parse_mask(text) if text is not None else None
        except ValueError:
            return None

    def names(self, folder: str) -> tuple[str, ...]:
        """The names in a folder, sorted; none when there is no such folder."""
        place = self.at(folder)
        try:
            return () if place is None else tuple(sorted(one.name for one in place.iterdir()))
        except OSError:
            return ()

    def link(self, path: str) -> str | None:
        """A link's own target; None when it is no link."""
        parent, _, name = path.rpartition("/")
        place = self.at(parent or "/")
        try:
            return None if place is None else str((place / name).readlink())
        except OSError:
            return None
