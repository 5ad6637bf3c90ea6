"""Pending: written before the first change of a run and taken away after its commit.

Where it is found, a run was cut short: the digests in it count as ours, so that the next run goes
on where that one stopped, and the pre-images in it are what a rollback puts back.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import ClassVar, Literal

from ..bundle import Artifact
from ..document import dumps, loads
from ..files import Files
from .state import FOLDER, Before, Owned, own

PENDING = "/var/lib/provision/pending.json"


@dataclass(frozen=True, slots=True)
class PreImage:
    """What stood at a path before the run; kind absent: nothing. content is base64."""

    path: str
    kind: Literal["absent", "file", "link"]
    content: str = ""
    mode: int = 0o644


@dataclass(frozen=True, slots=True)
class Pending:
    VERSION: ClassVar[int] = 1
    version: int
    pid: int
    owned: tuple[Owned, ...] = ()  # all that unfinished runs may have written
    pre_images: tuple[PreImage, ...] = ()  # as of the last commit
    before: Before = field(default_factory=Before)

    def records_of(self, path: str) -> tuple[Owned, ...]:
        """What unfinished runs may have written at a path."""
        return tuple(one for one in self.owned if one.path == path)


def load_pending(files: Files) -> Pending | None:
    """What a run left that was cut short, None after a clean end."""
    text = files.read(PENDING)
    return None if text is None else loads(Pending, text, PENDING)


def save_pending(files: Files, pending: Pending) -> None:
    """Write it for root alone: the pre-images may hold secrets."""
    files.write(PENDING, dumps(pending).encode(), 0o600)


def drop_pending(files: Files) -> None:
    """The run came to its end."""
    files.remove(PENDING)


def next_pending(
    files: Files,
    last: Pending | None,
    pid: int,
    writes: Iterable[Artifact],
    touched: Iterable[str],
    before: Before,
) -> Pending:
    """The record of a run about to start, with what earlier unfinished runs left still in it.

    Their pre-images win: they are of the last commit, what is on disk now is half of a run.
    """
    owned = {(one.path, one.digest): one for one in (last.owned if last else ())}
    for artifact in writes:
        record = own(artifact)
        owned[record.path, record.digest] = record
    images = {one.path: one for one in (last.pre_images if last else ())}
    for path in touched:
        images.setdefault(path, pre_image(files, path))
    return Pending(
        version=1,
        pid=pid,
        owned=tuple(owned[key] for key in sorted(owned)),
        pre_images=tuple(images[path] for path in sorted(images)),
        before=last.before.joined(before) if last else before,
    )


def pre_image(files: Files, path: str) -> PreImage:
    """What stands at a path now."""
    found = files.look(path)
    if found is None or found.kind not in ("file", "link"):
        return PreImage(path, "absent")
    content = base64.b64encode(found.content).decode()
    return PreImage(path, "link" if found.kind == "link" else "file", content, found.mode)


def restore(files: Files, image: PreImage) -> bool:
    """Put one path back; whether anything had to be done."""
    now = pre_image(files, image.path)
    if now == image:
        return False
    content = base64.b64decode(image.content)
    if image.kind == "absent":
        files.remove(image.path)
    elif image.kind == "link":
        files.link(image.path, content.decode("utf-8", "surrogateescape"))
    else:
        files.write(image.path, content, image.mode)
    return True


def sweep_leftovers(files: Files, pending: Pending | None) -> tuple[str, ...]:
    """Take away half-written temporary files of killed runs; their names."""
    folders = {FOLDER}
    if pending:
        paths = [one.path for one in pending.pre_images] + [one.path for one in pending.owned]
        folders |= {path.rpartition("/")[0] for path in paths}
    return tuple(name for folder in sorted(folders) for name in files.sweep(folder))
