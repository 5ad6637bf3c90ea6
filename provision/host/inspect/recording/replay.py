"""A source that answers from a recording: no program is run, nothing of this machine is read."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeVar

from ...document import loads
from ...errors import fail
from ...run import Ran
from ..nvidia.answers import NvmlAnswers
from ..source import Names, Room, Source
from .recording import (
    COMMANDS,
    FILES,
    NVML,
    RECORDING,
    SEGMENTS,
    Command,
    Commands,
    Partial,
    Recording,
    Segment,
    Status,
)

T = TypeVar("T")
_MOST_DOCUMENT = 128 << 20  # bytes of one JSON document
_MODES = {
    "socket": stat.S_IFSOCK,
    "pipe": stat.S_IFIFO,
    "block-device": stat.S_IFBLK,
    "character-device": stat.S_IFCHR,
}


@dataclass(frozen=True)
class Replay(Source):
    """The folder of an unpacked recording. What was never asked is unknown."""

    folder: Path = Path()
    recording: Recording = field(kw_only=True)
    commands: Mapping[tuple[str, ...], Command] = field(kw_only=True)
    nvml: NvmlAnswers | None = None

    @classmethod
    def of(cls, folder: Path) -> Replay:
        """ProvisionError `bad-recording` or `bad-document` for what is no recording."""
        folder = folder.resolve()
        files = folder / FILES
        # A link instead of the folder could lead to this machine's own files.
        if folder == Path("/") or files.is_symlink() or not files.is_dir():
            raise fail(
                "bad-recording",
                f"{folder}: no recording of a host: there is no folder {FILES}/ in it",
                "provision inspect --record FILE.tar.xz makes a recording",
            )
        recording = _document(Recording, folder, RECORDING)
        return cls(
            root=files,
            folder=folder,
            recording=recording,
            commands={one.argv: one for one in _document(Commands, folder, COMMANDS).commands},
            nvml=_document(NvmlAnswers, folder, NVML) if (folder / NVML).exists() else None,
        )

    def real(self, path: str) -> str:
        return self.recording.real.get(path) or super().real(path)

    def status(self, path: str) -> os.stat_result | None:
        told = self.recording.status.get(path)
        if told is not None:
            return _stat_result(told)
        real = self._resolved(path) if path.startswith("/") and "\0" not in path else None
        stub = None if real is None else self.recording.stubs.get(real)
        if stub == "unseen":
            return None
        if stub in _MODES:
            return _stat_result(Status(_MODES[stub], 0, 0, 0, 0, 0, 1, 0))
        part = None if real is None else self.recording.partial.get(real)
        if part is not None and part.size is not None:
            return _stat_result(Status(stat.S_IFREG | 0o644, part.size, 0, 0, 0, 0, 1, 0))
        return super().status(path)

    def head(self, path: str, most: int, offset: int = 0) -> bytes | None:
        real = self._resolved(path) if path.startswith("/") and "\0" not in path else None
        if real is None:
            return None
        part = self.recording.partial.get(real)
        if part is not None:
            return self._part(path, part, most, offset)
        return None if real in self.recording.stubs else super().head(path, most, offset)

    def names(self, folder: str) -> tuple[str, ...]:
        real = self._resolved(folder) if folder.startswith("/") and "\0" not in folder else None
        told = None if real is None else self.recording.listings.get(real)
        return super().names(folder) if told is None else told

    def run(self, argv: Sequence[str], timeout: float = 10) -> Ran:
        del timeout
        told = self.commands.get(tuple(argv))
        if told is None:
            return Ran(tuple(argv), 127, "", f"{argv[0]}: not in the recording")
        return Ran(told.argv, told.code, told.out, told.err)

    def which(self, program: str) -> str | None:
        if program in self.recording.which:
            return self.recording.which[program]
        return super().which(program)

    def names_of_system(self) -> Names | None:
        return self.recording.names

    def room(self, path: str) -> Room | None:
        return self.recording.rooms.get(path)

    def may_read(self, path: str) -> bool | None:
        return self.recording.may_read.get(path)

    def may_run(self, path: str) -> bool:
        told = self.recording.may_run.get(path)
        return super().may_run(path) if told is None else told

    def may_trust(self, path: str) -> bool:
        return self.recording.may_trust.get(path, False)

    def byteorder(self) -> Literal["little", "big"]:
        return self.recording.byteorder

    def ask_nvml(self) -> NvmlAnswers | None:
        return self.nvml

    def _part(self, path: str, part: Partial, most: int, offset: int) -> bytes | None:
        """Bytes of a file of which parts are kept; None where they are not among them."""
        for one in part.segments:
            if one.offset <= offset < one.offset + one.length:
                most = max(0, min(most, one.offset + one.length - offset))
                return self._bytes(path, one, most, offset - one.offset)
        return b"" if part.size is not None and offset >= part.size else None

    def _bytes(self, path: str, segment: Segment, most: int, skip: int) -> bytes | None:
        if segment.name is None:
            return super().head(path, most, skip)
        if not segment.name.isdecimal():  # a name that somebody made up
            return None
        return Source(self.folder).head(f"/{SEGMENTS}/{segment.name}", most, skip)


def _document(kind: type[T], folder: Path, name: str) -> T:
    """A document of a recording, of a size that can be a document's."""
    data = Source(folder).head(f"/{name}", _MOST_DOCUMENT + 1)
    if data is None:
        raise fail("bad-recording", f"{folder}: no recording of a host: {name} cannot be read")
    if len(data) > _MOST_DOCUMENT:
        raise fail("bad-recording", f"{folder / name}: larger than {_MOST_DOCUMENT >> 20} MiB")
    return loads(kind, data, name)


def _stat_result(told: Status) -> os.stat_result:
    values: Any = (
        told.mode & 0xFFFF,  # a made-up one would overflow in stat.S_ISREG
        told.inode,
        told.device,
        told.links,
        told.user,
        told.group,
        told.size,
        told.modified,
        told.modified,
        told.modified,
    )
    return os.stat_result(values)
