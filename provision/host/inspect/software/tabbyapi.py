"""TabbyAPI, which is started from a checkout of its repository."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from ...facts import EngineFound
from ..tree import Tree

_MOST = 64
_SPELLINGS = ("TabbyAPI", "tabbyAPI", "tabbyapi")
_FIRST = 4096  # bytes of a pyproject.toml


def read_checkouts(tree: Tree, venvs: Iterable[str]) -> Iterator[EngineFound]:
    """The checkouts in the usual places, and around the environments that a spec names."""
    seen: set[str] = set()
    for folder in (*_usual(tree), *(venv.rstrip("/").rpartition("/")[0] for venv in venvs)):
        version = _version(tree, folder) if folder else None
        if version is None or tree.real(folder) in seen:
            continue
        seen.add(tree.real(folder))
        homes = (f"{folder}/venv", f"{folder}/.venv")
        venv = next((home for home in homes if tree.is_file(f"{home}/pyvenv.cfg")), None)
        yield EngineFound("tabbyapi", folder, version or None, venv)


def project_version(text: str) -> str | None:
    """The version in TabbyAPI's pyproject.toml; "" where it has none, None for other projects."""
    if not re.search(r"""^name\s*=\s*["']tabby-?api["']""", text, re.MULTILINE | re.I):
        return None
    match = re.search(r"""^version\s*=\s*["'](\d[^"']*)["']""", text, re.MULTILINE)
    return match[1] if match else ""


def short_commit(text: str | None) -> str | None:
    """The first seven digits of a commit."""
    match = re.match(r"([0-9a-f]{7})[0-9a-f]{33}", text or "")
    return match[1] if match else None


def packed_commit(text: str, reference: str) -> str | None:
    """A reference's commit in git's packed-refs."""
    match = re.search(rf"^([0-9a-f]{{40}}) {re.escape(reference)}$", text, re.MULTILINE)
    return short_commit(match[1]) if match else None


def _usual(tree: Tree) -> Iterator[str]:
    for base in ("/opt", "/srv"):
        for name in tree.names(base)[:_MOST]:
            yield f"{base}/{name}"
    for base in ("/root", "/usr/local", "/usr/local/src", "/var/lib"):
        for name in _SPELLINGS:
            yield f"{base}/{name}"


def _version(tree: Tree, folder: str) -> str | None:
    """Its version with the commit, 0.0.1+e632af4: the version alone has never moved."""
    project = tree.head(f"{folder}/pyproject.toml", _FIRST)
    told = None if project is None else project_version(project.decode("utf-8", "replace"))
    if told is None or not tree.is_file(f"{folder}/main.py"):
        return None
    commit = _commit(tree, folder)
    return "+".join(part for part in (told, commit) if part)


def _commit(tree: Tree, folder: str) -> str | None:
    """What is checked out, by git's own files."""
    head = tree.text(f"{folder}/.git/HEAD") or ""
    reference = head.partition("ref: ")[2]
    if not reference:
        return short_commit(head)
    if not re.fullmatch(r"refs/[\w./-]+", reference) or ".." in reference:
        return None
    loose = short_commit(tree.text(f"{folder}/.git/{reference}"))
    return loose or packed_commit(tree.text(f"{folder}/.git/packed-refs") or "", reference)
