"""A rendered Bundle as a tree of files beside a manifest, to be kept under version control.

The manifest holds what a checkout cannot: modes, links and what is secret.
"""

from __future__ import annotations

import difflib
from pathlib import Path

from provision.host.bundle import Bundle


def tree_of(bundle: Bundle) -> dict[str, str]:
    """Relative path -> content of every file that a case's `expected/` folder must hold."""
    files = {
        artifact.path.lstrip("/"): artifact.content
        for artifact in bundle.artifacts
        if artifact.kind == "file"
    }
    lines = [
        f"{artifact.path} -> {artifact.content}"
        if artifact.kind == "link"
        else f"{artifact.path} {artifact.mode:04o}{' secret' if artifact.secret else ''}"
        for artifact in sorted(bundle.artifacts, key=lambda one: one.path)
    ]
    lines += [f"{one.target} made on the host from {one.source}" for one in bundle.key_maps]
    files["MANIFEST"] = "\n".join(lines) + "\n"
    return files


def read_tree(folder: Path) -> dict[str, str]:
    """Relative path -> content of every file below a folder."""
    if not folder.is_dir():
        return {}
    return {
        str(path.relative_to(folder)): path.read_text()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def write_tree(folder: Path, files: dict[str, str]) -> None:
    """Make the folder hold exactly these files."""
    for name in read_tree(folder).keys() - files.keys():
        (folder / name).unlink()
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    for path in sorted(folder.rglob("*"), reverse=True):
        if path.is_dir() and not any(path.iterdir()):
            path.rmdir()


def check_tree(folder: Path, files: dict[str, str]) -> None:
    """Fail with a diff unless the folder holds exactly these files."""
    found = read_tree(folder)
    assert sorted(found) == sorted(files), "files missing, stale or extra"
    for name, content in files.items():
        old, new = found[name].splitlines(True), content.splitlines(True)
        diff = "".join(difflib.unified_diff(old, new, f"{folder.name}/{name}", "now"))
        assert not diff, diff
