"""What a recorder has written down so far, and its limits."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass, field
from typing import Literal

from ...facts import InspectRequest
from ...run import Ran
from ..nvidia.answers import NvmlAnswers
from ..source import Names, Room
from ..tree import Kind
from .recording import Command, Commands, Kept, Partial, Recording, Segment, Status, Stub
from .weights import without_weights

MOST_BYTES = 192 << 20  # of all contents together
MOST_ENTRIES = 200_000  # files, folders and links


@dataclass
class Recorded:
    """Answers by what was asked (paths as they were given), and the tree by real paths."""

    names: list[Names | None] = field(default_factory=list)  # one, when it was asked for
    nvml: list[NvmlAnswers | None] = field(default_factory=list)
    which: dict[str, str | None] = field(default_factory=dict)
    rooms: dict[str, Room | None] = field(default_factory=dict)
    may_read: dict[str, bool | None] = field(default_factory=dict)
    may_run: dict[str, bool] = field(default_factory=dict)
    may_trust: dict[str, bool] = field(default_factory=dict)
    commands: dict[tuple[str, ...], Ran] = field(default_factory=dict)
    status: dict[str, os.stat_result | None] = field(default_factory=dict)
    real: dict[str, tuple[str, str]] = field(default_factory=dict)  # answer, and what links tell
    # The tree.
    folders: set[str] = field(default_factory=set)
    links: dict[str, str] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)
    stubs: dict[str, Stub] = field(default_factory=dict)
    listings: dict[str, tuple[str, ...]] = field(default_factory=dict)
    sizes: dict[str, int] = field(default_factory=dict)
    parts: dict[str, dict[int, bytes]] = field(default_factory=dict)  # by offset
    left_out: dict[str, None] = field(default_factory=dict)
    # What was found out on the way, so that it is asked once.
    kinds: dict[str, Kind | None] = field(default_factory=dict)
    asked_links: dict[str, str | None] = field(default_factory=dict)
    asked_parts: dict[tuple[str, int, int], bytes | None] = field(default_factory=dict)
    in_parts: dict[str, bool] = field(default_factory=dict)
    refused: set[str] = field(default_factory=set)  # files whose content is not kept
    listening: set[str] = field(default_factory=set)  # targets of the links to listening sockets
    named: set[str] = field(default_factory=set)  # paths of the request, and their real ones
    safetensors: set[str] = field(default_factory=set)
    bytes_kept: int = 0

    @property
    def full(self) -> bool:
        return len(self.folders) + len(self.links) + len(self.stubs) >= MOST_ENTRIES

    def leave_out(self, what: str) -> None:
        """Note once what the limits cut off."""
        if len(self.left_out) < 100:
            self.left_out[what] = None

    def add_file(self, real: str, data: bytes) -> bool:
        """Keep a whole file, unless there is no room for it."""
        if self.bytes_kept + len(data) > MOST_BYTES:
            self.leave_out(f"content of {real}")
            return False
        self.bytes_kept += len(data)
        self.files[real] = data
        return True

    def add_part(self, real: str, offset: int, data: bytes) -> bool:
        """Keep a part of a file; a longer one from the same place takes its place."""
        known = self.parts.setdefault(real, {})
        if len(known.get(offset, b"")) >= len(data):
            known.setdefault(offset, data)
            return True
        if self.bytes_kept + len(data) > MOST_BYTES:
            self.leave_out(f"parts of {real}")
            return False
        self.bytes_kept += len(data)
        known[offset] = data
        return True

    def kept(
        self, request: InspectRequest, program: str, byteorder: Literal["little", "big"]
    ) -> Kept:
        """The recording as it is written."""
        files = dict(self.files)
        partial: dict[str, Partial] = {}
        segments: dict[str, bytes] = {}
        for real, parts in sorted(self.parts.items()):
            headers = without_weights(parts, self.sizes.get(real, 0), real in self.safetensors)
            joined = _joined(headers)
            described: list[Segment] = []
            for offset, data in joined:
                name = f"{len(segments)}" if offset else None
                described.append(Segment(offset, len(data), name))
                if name is None:
                    files[real] = data
                else:
                    segments[name] = data
            partial[real] = Partial(self.sizes.get(real), tuple(described))
        entries = _Entries(self.links, {**dict.fromkeys(self.stubs), **dict.fromkeys(files)})
        files = {path: data for path, data in files.items() if entries.stands(path)}
        stubs = {path: why for path, why in self.stubs.items() if entries.stands(path)}
        folders = {path for path in self.folders if entries.stands(path) and path not in stubs}
        links = {path: target for path, target in self.links.items() if entries.stands(path)}
        listings = _listings(self.listings, (*files, *stubs, *folders, *links))
        recording = Recording(
            version=Recording.VERSION,
            program=program,
            redacted=False,
            request=request,
            byteorder=byteorder,
            names=self.names[0] if self.names else None,
            which=self.which,
            rooms={path: room for path, room in self.rooms.items() if room},
            may_read={path: may for path, may in self.may_read.items() if may is not None},
            may_run=self.may_run,
            may_trust=self.may_trust,
            status={path: _status(told) for path, told in self.status.items() if told},
            real={path: told for path, (told, walked) in self.real.items() if told != walked},
            listings=listings,
            stubs={path: why for path, why in stubs.items() if path not in files},
            partial={path: one for path, one in partial.items() if entries.stands(path)},
            left_out=tuple(self.left_out),
        )
        ran = (one for _, one in sorted(self.commands.items()))
        commands = tuple(Command(one.argv, one.code, one.out, one.err) for one in ran)
        return Kept(
            recording,
            Commands(Commands.VERSION, commands),
            self.nvml[0] if self.nvml else None,
            frozenset(folders),
            links,
            files,
            segments,
        )


def stub_of(mode: int) -> Stub | None:
    """How a thing that is no file, folder or link is marked."""
    if stat.S_ISSOCK(mode):
        return "socket"
    if stat.S_ISFIFO(mode):
        return "pipe"
    if stat.S_ISBLK(mode):
        return "block-device"
    return "character-device" if stat.S_ISCHR(mode) else None


@dataclass(frozen=True)
class _Entries:
    """Which entries may stand together: a machine changes while it is looked at, and what was a
    folder then may be a link now."""

    links: dict[str, str]
    files: dict[str, None]

    def stands(self, path: str) -> bool:
        if path in self.links and path in self.files:
            return False
        above = path.rpartition("/")[0]
        while above:
            if above in self.links or above in self.files:
                return False
            above = above.rpartition("/")[0]
        return True


def _status(told: os.stat_result) -> Status:
    return Status(
        mode=told.st_mode,
        size=told.st_size,
        user=told.st_uid,
        group=told.st_gid,
        device=told.st_dev,
        inode=told.st_ino,
        links=told.st_nlink,
        modified=int(told.st_mtime),
    )


def _joined(parts: dict[int, bytes]) -> list[tuple[int, bytes]]:
    """Parts that meet or overlap made one, by offset."""
    joined: list[tuple[int, bytearray]] = []
    for offset, data in sorted(parts.items()):
        if joined and offset <= joined[-1][0] + len(joined[-1][1]):
            start, before = joined[-1]
            before += data[max(0, start + len(before) - offset) :]
        else:
            joined.append((offset, bytearray(data)))
    return [(offset, bytes(data)) for offset, data in joined]


def _listings(
    told: dict[str, tuple[str, ...]], paths: tuple[str, ...]
) -> dict[str, tuple[str, ...]]:
    """The listings that the tree of these paths does not show by itself."""
    shown: dict[str, set[str]] = {}
    for path in paths:
        while path not in ("", "/"):
            above, _, name = path.rpartition("/")
            names = shown.setdefault(above or "/", set())
            if name in names:
                break
            names.add(name)
            path = above
    return {
        folder: names
        for folder, names in told.items()
        if tuple(sorted(shown.get(folder, ()))) != names
    }
