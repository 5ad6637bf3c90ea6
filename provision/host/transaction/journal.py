"""The journal: on disk before the first change of a run, taken away after its commit.

Where it is found, a run was cut short. It belongs to one transaction: once the State carries the
same id that transaction is committed, and only tidying up is left. Otherwise its pre-images are
the last commit, and the digests in it tell what the run itself may have written.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import ClassVar, Literal

from ..bundle import Artifact, GpuSettings
from ..document import dumps, loads
from ..files import Files
from .state import FOLDER, Before, Owned, State, own

JOURNAL = "/var/lib/provision/journal.json"


@dataclass(frozen=True, slots=True)
class PreImage:
    """What stood at a path before the run; kind absent: nothing. content is base64."""

    path: str
    kind: Literal["absent", "file", "link"]
    content: str = ""
    mode: int = 0o644
    uid: int = 0
    gid: int = 0


@dataclass(frozen=True, slots=True)
class UnitWas:
    """A unit before the run: whether it ran (or was starting), and UnitFileState."""

    name: str
    ran: bool
    enabled: str = ""


@dataclass(frozen=True, slots=True)
class Journal:
    """owned: all that this run, and unfinished ones before it, may have written as ours. copies:
    what it writes for others, such as a hand-edited file kept aside. pre_images, units: as of the
    last commit. folders: missing before this run, outermost first. generation: the number that
    this run would commit.
    """

    VERSION: ClassVar[int] = 1
    version: int
    transaction: str
    pid: int
    generation: int
    owned: tuple[Owned, ...] = ()
    copies: tuple[Owned, ...] = ()
    pre_images: tuple[PreImage, ...] = ()
    folders: tuple[str, ...] = ()
    units: tuple[UnitWas, ...] = ()
    before: Before = field(default_factory=Before)
    gpu_settings: GpuSettings | None = None  # that this run may have made
    removal: bool = False  # its commit is the end of the State
    models: bool = False  # of a removal: models go, too

    def records_of(self, path: str) -> tuple[Owned, ...]:
        """What unfinished runs may have written at a path."""
        return tuple(one for one in self.owned if one.path == path)

    def unit(self, name: str) -> UnitWas | None:
        """What was recorded of a unit."""
        return next((one for one in self.units if one.name == name), None)

    def committed(self, state: State | None) -> bool:
        """Whether the run came to its commit."""
        if self.removal:
            return state is None
        return state is not None and state.transaction == self.transaction


def load_journal(files: Files) -> Journal | None:
    """What a run left that was cut short, None after a clean end."""
    text = files.read(JOURNAL)
    return None if text is None else loads(Journal, text, JOURNAL)


def save_journal(files: Files, journal: Journal) -> None:
    """Write it for root alone: the pre-images may hold secrets."""
    files.write(JOURNAL, dumps(journal).encode(), 0o600)


def drop_journal(files: Files) -> None:
    """The run came to its end."""
    files.remove(JOURNAL)


def pre_images(files: Files, paths: Iterable[str]) -> tuple[PreImage, ...]:
    """What stands at these paths now, each once, sorted."""
    return tuple(pre_image(files, path) for path in sorted(set(paths)))


def pre_image(files: Files, path: str) -> PreImage:
    """What stands at a path now."""
    found = files.look(path)
    if found is None or found.kind not in ("file", "link"):
        return PreImage(path, "absent")
    content = base64.b64encode(found.content).decode()
    kind: Literal["file", "link"] = "link" if found.kind == "link" else "file"
    return PreImage(path, kind, content, found.mode, found.uid, found.gid)


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
        files.write(image.path, content, image.mode, (image.uid, image.gid))
    return True


def joined_owned(last: Journal | None, writes: Iterable[Artifact]) -> tuple[Owned, ...]:
    """Records of what a run is going to write, and of what unfinished ones wrote."""
    owned = {(one.path, one.digest): one for one in (last.owned if last else ())}
    for artifact in writes:
        record = own(artifact)
        owned[record.path, record.digest] = record
    return tuple(owned[key] for key in sorted(owned))


def joined_folders(last: Journal | None, missing: Iterable[str]) -> tuple[str, ...]:
    """Folders that were missing before this run or an unfinished one before it."""
    return tuple(sorted({*missing, *(last.folders if last else ())}))


def joined_units(last: Journal | None, now: Iterable[UnitWas]) -> tuple[UnitWas, ...]:
    """Units as of the last commit: what an unfinished run recorded is older, and wins."""
    found = {one.name: one for one in now}
    found |= {one.name: one for one in (last.units if last else ())}
    return tuple(found[name] for name in sorted(found))


def sweep_leftovers(files: Files, journal: Journal | None) -> tuple[str, ...]:
    """Take away half-written temporary files of killed runs; their names."""
    folders = {FOLDER, f"{FOLDER}/generations", f"{FOLDER}/objects"}
    if journal:
        paths = [one.path for one in journal.pre_images] + [one.path for one in journal.owned]
        folders |= {path.rpartition("/")[0] for path in paths}
    return tuple(name for folder in sorted(folders) for name in files.sweep(folder))
