"""State: what provision owns on a host, what was there before, and what was applied last."""

from __future__ import annotations

import base64
import binascii
import dataclasses
import hashlib
import hmac
import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import ClassVar, Literal

from ..bundle import Artifact, Bundle
from ..document import dumps, loads
from ..errors import ProvisionError, fail
from ..files import Files, OnDisk
from ..quantity import PciAddress

STATE = "/var/lib/provision/state.json"
FOLDER = "/var/lib/provision"
AGENT_FOLDER = "/usr/local/lib/provision"
_ROUNDS = 20_000  # of the salted digest of a secret: 10 ms here, dear for somebody who guesses


@dataclass(frozen=True, slots=True)
class Owned:
    """One path of ours and the digest of what was written there.

    The digest of a secret is salted and slow, since everybody may read the State.
    """

    path: str
    digest: str
    kind: Literal["file", "link"] = "file"
    mode: int = 0o644
    secret: bool = False


@dataclass(frozen=True, slots=True)
class UnitBefore:
    """A service that is not ours as it was before the first apply."""

    name: str
    active: bool
    enabled: bool


@dataclass(frozen=True, slots=True)
class GpuBefore:
    """Settings of a GPU before the first apply; None was not to be set, or could not be read."""

    uuid: str
    address: PciAddress
    persistence: bool | None = None
    power_limit_watts: float | None = None

    def joined(self, later: GpuBefore | None) -> GpuBefore:
        """This record, with what only the later one knows."""
        if later is None:
            return self
        persistence = later.persistence if self.persistence is None else self.persistence
        limit = self.power_limit_watts
        limit = later.power_limit_watts if limit is None else limit
        return GpuBefore(self.uuid, self.address, persistence, limit)


@dataclass(frozen=True, slots=True)
class FileBefore:
    """A file of somebody else at a path that became ours (apply --adopt), and where it is kept."""

    path: str
    backup: str
    uid: int = 0
    gid: int = 0


@dataclass(frozen=True, slots=True)
class Before:
    """What was there before provision's first write; `remove` puts it back."""

    units: tuple[UnitBefore, ...] = ()
    gpus: tuple[GpuBefore, ...] = ()
    users_made: tuple[str, ...] = ()  # of the bundle's users, those that were missing
    folders: tuple[str, ...] = ()  # made by us, outermost first
    files: tuple[FileBefore, ...] = ()

    def joined(self, later: Before) -> Before:
        """This record and what only the later one knows: what was seen first is the truth."""
        units = {one.name: one for one in (*later.units, *self.units)}
        gpus = {one.uuid: one for one in later.gpus}
        gpus |= {one.uuid: one.joined(gpus.get(one.uuid)) for one in self.gpus}
        return Before(
            tuple(units[name] for name in sorted(units)),
            tuple(gpus[uuid] for uuid in sorted(gpus)),
            tuple(sorted({*self.users_made, *later.users_made})),
            tuple(sorted({*self.folders, *later.folders})),
            tuple(sorted({**_by_path(later), **_by_path(self)}.values(), key=lambda f: f.path)),
        )

    def unit(self, name: str) -> UnitBefore | None:
        """What was recorded of a service."""
        return next((one for one in self.units if one.name == name), None)


def _by_path(before: Before) -> dict[str, FileBefore]:
    return {one.path: one for one in before.files}


@dataclass(frozen=True, slots=True)
class State:
    """The host's own record, /var/lib/provision/state.json, replaced by one rename: the commit.

    transaction: the id of the run that committed it, the same as in that run's journal.
    """

    VERSION: ClassVar[int] = 1
    version: int
    generation: int
    transaction: str
    owned: tuple[Owned, ...] = ()
    before: Before = field(default_factory=Before)
    bundle: Bundle = field(default_factory=lambda: Bundle(1, "", ""))

    def owner_of(self, path: str) -> Owned | None:
        """The record of a path, None when it is not ours."""
        return next((one for one in self.owned if one.path == path), None)


def load_state(files: Files) -> State | None:
    """The host's State, None where nothing was applied; `bad-document` when it is damaged."""
    text = files.read(STATE)
    try:
        return None if text is None else loads(State, text, STATE)
    except ProvisionError as error:
        first = error.diagnostics[0]
        hint = first.hint or (
            f"put a backup of it back; or mv {STATE} {STATE}.damaged: the next apply then takes "
            "files of ours that stand as wanted for ours"
        )
        raise ProvisionError(dataclasses.replace(first, hint=hint)) from None


def save_state(files: Files, state: State) -> None:
    """Commit. Readable by all, so that plan and status know the placements without root."""
    files.write(STATE, dumps(state).encode(), 0o644)


def content_of(artifact: Artifact) -> bytes:
    """The bytes of an artifact: a file's content or a link's target."""
    if artifact.encoding == "base64":
        try:
            return base64.b64decode(artifact.content, validate=True)
        except (binascii.Error, ValueError) as error:
            raise fail("bad-document", f"{artifact.path}: not base64: {error}") from None
    return artifact.content.encode("utf-8", "surrogateescape")


def digest_of(kind: str, content: bytes, secret: bool = False, salt: str = "") -> str:
    """sha256 of kind and content; of a secret a salted PBKDF2 with the salt in front."""
    plain = kind.encode() + b"\n" + content
    if not secret:
        return hashlib.sha256(plain).hexdigest()
    salt = salt or os.urandom(8).hex()
    return f"{salt}:{hashlib.pbkdf2_hmac('sha256', plain, salt.encode(), _ROUNDS).hex()}"


def matches(digest: str, found: OnDisk) -> bool:
    """Whether what is on disk is what a digest was made of."""
    salt, colon, _ = digest.partition(":")
    made = digest_of(found.kind, found.content, bool(colon), salt if colon else "")
    return hmac.compare_digest(made, digest)


def own(artifact: Artifact) -> Owned:
    """The record of an artifact once it is written."""
    digest = digest_of(artifact.kind, content_of(artifact), artifact.secret)
    mode = 0o777 if artifact.kind == "link" else mode_of(artifact)
    return Owned(artifact.path, digest, artifact.kind, mode, artifact.secret)


def own_all(artifacts: Iterable[Artifact], last: State | None) -> tuple[Owned, ...]:
    """Records of all artifacts; a secret that did not change keeps its record and salt."""
    records: list[Owned] = []
    for artifact in artifacts:
        old = last.owner_of(artifact.path) if last else None
        disk = OnDisk(artifact.kind, content_of(artifact))
        if old and old.secret and artifact.secret and matches(old.digest, disk):
            records.append(old)
        else:
            records.append(own(artifact))
    return tuple(sorted(records, key=lambda one: one.path))


def mode_of(artifact: Artifact) -> int:
    """The mode that is written: a secret is never readable by others."""
    return artifact.mode & 0o700 if artifact.secret else artifact.mode & 0o777


def without_contents(bundle: Bundle) -> Bundle:
    """The bundle as State keeps it: no text that not everybody may read, no program."""
    kept = tuple(
        one
        if one.encoding == "utf-8" and not one.secret and (one.mode & 0o004 or one.kind == "link")
        else dataclasses.replace(one, content="", encoding="utf-8")
        for one in bundle.artifacts
    )
    return dataclasses.replace(bundle, artifacts=kept)
