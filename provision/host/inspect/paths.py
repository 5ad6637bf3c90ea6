"""What stands at the paths that the spec names: model files, folders, key files."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable

from ..facts import PathFound
from .tree import Tree


def read_paths(tree: Tree, paths: Iterable[str]) -> tuple[PathFound, ...]:
    """The paths of a request, sorted, each once."""
    return tuple(_path(tree, path) for path in sorted(set(paths)))


def _path(tree: Tree, path: str) -> PathFound:
    status = tree.status(path)
    free = _free_bytes(path) if tree.live else None
    if status is None:
        return PathFound(path, free_bytes=free)
    place = tree.at(path)
    if stat.S_ISREG(status.st_mode):
        readable = place is not None and os.access(place, os.R_OK)
        return PathFound(path, "file", status.st_size, free, readable)
    if stat.S_ISDIR(status.st_mode):
        readable = place is not None and os.access(place, os.R_OK | os.X_OK)
        return PathFound(path, "directory", None, free, readable)
    return PathFound(path, "other", None, free)


def _free_bytes(path: str) -> int | None:
    """Room for unprivileged writers where the path lies or, if it is missing, would lie."""
    if not path.startswith("/"):
        return None
    here = os.path.normpath(path)
    while True:
        try:
            room = os.statvfs(here)
        except (FileNotFoundError, NotADirectoryError):
            if here == "/":
                return None
            here = here.rpartition("/")[0] or "/"
            continue
        except (OSError, ValueError):
            return None
        return room.f_bavail * room.f_frsize
