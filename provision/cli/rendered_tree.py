"""A Bundle as files below a folder, and the folder as a tree on the screen."""

from __future__ import annotations

import sys
from pathlib import Path

from provision.host.bundle import Artifact, Bundle
from provision.host.errors import fail
from provision.host.files import Files
from provision.host.transaction.state import content_of, mode_of

from . import streams
from .screen import count, put

_RECORD = ".provision-render"  # the paths that render wrote, one a line: those it may replace


def write_tree(bundle: Bundle, folder: Path) -> None:
    """Make a folder hold exactly these files.

    ProvisionError `not-ours`: the folder holds something that render did not write.
    """
    folder.mkdir(parents=True, exist_ok=True)
    files = Files(folder.resolve())
    known = _recorded(files)
    foreign = sorted(_present(folder) - known)
    if foreign:
        more = f" and {len(foreign) - 1} more" if len(foreign) > 1 else ""
        raise fail(
            "not-ours",
            f"{folder} holds {foreign[0].lstrip('/')}{more}, which render did not write",
            "name a new or empty folder",
        )
    wanted = {one.path for one in bundle.artifacts}
    files.write(_RECORD, "".join(f"{path}\n" for path in sorted(wanted | known)).encode())
    for path in sorted(known - wanted):
        files.remove(path)
        _remove_empty_parents(files, path)
    for artifact in bundle.artifacts:
        if artifact.kind == "link":
            files.link(artifact.path, artifact.content)
        else:
            files.write(artifact.path, content_of(artifact), mode_of(artifact))
    files.write(_RECORD, "".join(f"{path}\n" for path in sorted(wanted)).encode())


def show_tree(bundle: Bundle, folder: Path) -> None:
    """The files as a tree, links with their targets, modes that are not 0644."""
    put(str(folder), bold=True)
    by_path = {tuple(one.path.strip("/").split("/")): one for one in bundle.artifacts}
    for line in _branch((), by_path, streams.speaks_unicode(sys.stdout)):
        put(line)
    links = sum(one.kind == "link" for one in bundle.artifacts)
    text = count(len(bundle.artifacts) - links, "file")
    put(f"{text}, {count(links, 'link')}" if links else text)


def _branch(
    above: tuple[str, ...], by_path: dict[tuple[str, ...], Artifact], unicode: bool
) -> list[str]:
    """The lines below a folder; a folder with nothing but one folder in it shares its line."""
    depth = len(above)
    names = sorted({path[depth] for path in by_path if path[:depth] == above and len(path) > depth})
    lines: list[str] = []
    for at, name in enumerate(names):
        path = (*above, name)
        while path not in by_path and len(inside := _inside(path, by_path)) == 1:
            path = (*path, inside.pop())
        last = at == len(names) - 1
        fork, rail = _rails(last, unicode)
        lines.append(fork + "/".join(path[depth:]) + _remark(by_path.get(path)))
        if path not in by_path:
            lines += [rail + line for line in _branch(path, by_path, unicode)]
    return lines


def _inside(path: tuple[str, ...], by_path: dict[tuple[str, ...], Artifact]) -> set[str]:
    return {one[len(path)] for one in by_path if one[: len(path)] == path and len(one) > len(path)}


def _rails(last: bool, unicode: bool) -> tuple[str, str]:
    if unicode:
        return ("└── ", "    ") if last else ("├── ", "│   ")
    return ("`-- ", "    ") if last else ("|-- ", "|   ")


def _remark(artifact: Artifact | None) -> str:
    if artifact is None:
        return "/"
    if artifact.kind == "link":
        return f" -> {artifact.content}"
    mode = mode_of(artifact)
    return "" if mode == 0o644 else f"  ({mode:04o})"


def _recorded(files: Files) -> set[str]:
    text = files.read(_RECORD)
    return set(text.decode("utf-8", "surrogateescape").splitlines()) if text else set()


def _present(folder: Path) -> set[str]:
    """Everything below a folder but folders and our own record, as host paths."""
    return {
        f"/{path.relative_to(folder)}"
        for path in folder.rglob("*")
        if (path.is_symlink() or not path.is_dir()) and path != folder / _RECORD
    }


def _remove_empty_parents(files: Files, path: str) -> None:
    parent = path.rpartition("/")[0]
    while parent and files.remove_empty_folder(parent):
        parent = parent.rpartition("/")[0]
