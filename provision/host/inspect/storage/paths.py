"""What stands at the paths that the spec names: model files, folders, key files."""

from __future__ import annotations

import stat
from collections.abc import Iterable, Sequence

from ...facts import Mount, PathFound
from ..source import Source
from .mounts import reach


def read_paths(
    source: Source, paths: Iterable[str], mounts: Sequence[Mount]
) -> tuple[PathFound, ...]:
    """The paths of a request, sorted, each once. Only what is a model by its name is opened."""
    return tuple(_path(source, path, mounts) for path in sorted(set(paths)))


def _path(source: Source, path: str, mounts: Sequence[Mount]) -> PathFound:
    mount = reach(source, mounts, path)[1]
    point = None if mount is None else mount.point
    # A lost server holds whoever looks for ever.
    status = source.status(path) if mount is None or mount.answers is not False else None
    if status is None:
        return PathFound(path, mount=point)
    is_file, is_folder = stat.S_ISREG(status.st_mode), stat.S_ISDIR(status.st_mode)
    if not is_file and not is_folder:
        return PathFound(path, "other", mount=point)
    # Loaded only where a path is named: it is much code.
    from ..models import read_model

    return PathFound(
        path,
        "file" if is_file else "directory",
        status.st_size if is_file else None,
        source.may_read(path),
        point,
        read_model(source, path),
    )
