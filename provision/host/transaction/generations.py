"""Generations: what was applied, kept whole so that it can be applied again."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from ..bundle import Artifact, Bundle
from ..document import dumps, loads
from ..errors import fail
from ..files import Files
from .confirm import forget_stale
from .state import FOLDER, State

GENERATIONS = f"{FOLDER}/generations"
OBJECTS = f"{FOLDER}/objects"  # programs, by digest: the same one stands in most generations
KEPT = 10  # the newest; those with a checkpoint's name are kept beside them
_OBJECT = "object:"  # in the place of the content


@dataclass(frozen=True, slots=True)
class Generation:
    """One generation, /var/lib/provision/generations/N.json (0600).

    at: seconds of the wall clock. of: the generation whose bundle this is again, after a
    rollback. checkpoint: its name, if it has one. bundle: with the contents of all artifacts but
    programs, which lie in objects/ by digest.
    """

    VERSION: ClassVar[int] = 1
    version: int
    number: int
    transaction: str
    at: int
    note: str
    bundle: Bundle
    of: int | None = None
    checkpoint: str | None = None

    @property
    def origin(self) -> int:
        """The generation that this one is, or is again."""
        return self.number if self.of is None else self.of


def history(files: Files) -> tuple[Generation, ...]:
    """All generations that are kept, oldest first. Needs root on a live host."""
    return tuple(_load(files, number) for number in numbers(files))


@dataclass(frozen=True, slots=True)
class History:
    """The generations that are kept, oldest first, without the contents of their files."""

    VERSION: ClassVar[int] = 1
    version: int
    generations: tuple[Generation, ...] = ()


def in_short(found: Iterable[Generation]) -> History:
    """Without contents: paths and instances stay."""
    short = []
    for one in found:
        bare = tuple(dataclasses.replace(each, content="") for each in one.bundle.artifacts)
        short.append(
            dataclasses.replace(one, bundle=dataclasses.replace(one.bundle, artifacts=bare))
        )
    return History(History.VERSION, tuple(short))


def numbers(files: Files) -> tuple[int, ...]:
    """The numbers of the generations that are kept, in order."""
    names = _names(files, GENERATIONS)
    plain = (name.removesuffix(".json") for name in names if name.endswith(".json"))
    return tuple(sorted(int(name) for name in plain if name.isdecimal()))


def load_generation(files: Files, number: int) -> Generation:
    """One of them, programs included; ProvisionError `no-generation` names those that there are."""
    there = numbers(files)
    if number not in there:
        shown = ", ".join(map(str, there)) or "none"
        raise fail("no-generation", f"generation {number} is not kept here; there are: {shown}")
    found = _load(files, number)
    whole = tuple(_with_object(files, one) for one in found.bundle.artifacts)
    return dataclasses.replace(found, bundle=dataclasses.replace(found.bundle, artifacts=whole))


def checkpoint_named(files: Files, name: str) -> Generation | None:
    """The generation that bears a checkpoint's name."""
    return next((one for one in history(files) if one.checkpoint == name), None)


def save_generation(files: Files, generation: Generation) -> None:
    """Write it for root alone, its programs first; durable when this returns."""
    kept = tuple(_without_program(one) for one in generation.bundle.artifacts)
    for one in generation.bundle.artifacts:
        if one.encoding == "base64" and one.content:
            path = _object_path(_object_of(one))
            if files.look(path) is None:
                files.write(path, base64.b64decode(one.content), 0o600)
    plain = dataclasses.replace(
        generation, bundle=dataclasses.replace(generation.bundle, artifacts=kept)
    )
    files.write(_path(generation.number), dumps(plain).encode(), 0o600)


def give_name(files: Files, number: int, name: str) -> None:
    """Make a generation a checkpoint; another one of that name loses it."""
    for one in _renamed(files, number, name):
        files.write(_path(one.number), dumps(one).encode(), 0o600)


def written_by_naming(files: Files, number: int, name: str) -> tuple[str, ...]:
    """The files that `give_name` is going to write: what a run that fails has to put back."""
    return tuple(_path(one.number) for one in _renamed(files, number, name))


def prune(files: Files, state: State | None, more: Iterable[int] = ()) -> None:
    """Take away what is old or was never committed, programs that nobody needs any more, and the
    wait for a confirmation that concerns none of what is kept.

    more: numbers to be kept besides.
    """
    forget_stale(files, state)
    current = state.generation if state else 0
    there = numbers(files)
    kept = {number for number in there if number <= current}
    old = [number for number in sorted(kept)[:-KEPT] if number not in set(more)]
    old = [number for number in old if _load(files, number).checkpoint is None]
    for number in there:
        if number > current or number in old:
            files.remove(_path(number))
    needed = {
        one.content.removeprefix(_OBJECT)
        for found in history(files)
        for one in found.bundle.artifacts
        if one.content.startswith(_OBJECT)
    }
    for name in _names(files, OBJECTS):
        if name not in needed:
            files.remove(f"{OBJECTS}/{name}")


def before(found: Iterable[Generation], state: State) -> Generation | None:
    """The generation that a rollback without a number goes to: the newest that is older than what
    stands now. After a rollback to 7 what stands now is 7."""
    all_of = tuple(found)
    current = next((one for one in all_of if one.number == state.generation), None)
    limit = current.origin if current else state.generation
    older = [one for one in all_of if one.number < limit]
    return max(older, key=lambda one: one.number, default=None)


def _renamed(files: Files, number: int, name: str) -> tuple[Generation, ...]:
    """Those that naming one of them changes, as they are then."""
    found: list[Generation] = []
    for one in history(files):
        other = None if one.checkpoint == name else one.checkpoint
        wanted = name if one.number == number else other
        if wanted != one.checkpoint:
            found.append(dataclasses.replace(one, checkpoint=wanted))
    return tuple(found)


def _load(files: Files, number: int) -> Generation:
    path = _path(number)
    text = files.read(path)
    if text is None:
        raise fail("no-generation", f"{path} is gone")
    return loads(Generation, text, path)


def _path(number: int) -> str:
    return f"{GENERATIONS}/{number}.json"


def _object_path(name: str) -> str:
    return f"{OBJECTS}/{name}"


def _object_of(artifact: Artifact) -> str:
    return hashlib.sha256(base64.b64decode(artifact.content)).hexdigest()


def _without_program(artifact: Artifact) -> Artifact:
    if artifact.encoding != "base64" or not artifact.content:
        return artifact
    return dataclasses.replace(artifact, content=_OBJECT + _object_of(artifact))


def _with_object(files: Files, artifact: Artifact) -> Artifact:
    if artifact.encoding != "base64" or not artifact.content.startswith(_OBJECT):
        return artifact
    path = _object_path(artifact.content.removeprefix(_OBJECT))
    content = files.read(path)
    if content is None:
        raise fail("no-generation", f"{path} is gone, which this generation needs")
    return dataclasses.replace(artifact, content=base64.b64encode(content).decode())


def _names(files: Files, folder: str) -> list[str]:
    try:
        return sorted(one.name for one in files.at(folder).iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return []
    except PermissionError:
        raise fail(
            "needs-root", f"{folder} may not be read by this user", "run it as root (sudo)"
        ) from None
