"""A recorded host: every answer that an inspection got, as documents and a tree of files.

recording.json   what a tree of files cannot hold: Recording
commands.json    programs that were asked: Commands
nvml.json        the NVIDIA driver's answers: NvmlAnswers; absent where there was no driver
files/           sysfs, procfs, /etc ... as they stand on the host, links as links
segments/        parts of large files that were read elsewhere than at their beginning
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Literal

from ...facts import InspectRequest
from ..nvidia.answers import NvmlAnswers
from ..source import Names, Room

RECORDING = "recording.json"
COMMANDS = "commands.json"
NVML = "nvml.json"
FILES = "files"
SEGMENTS = "segments"

Stub = Literal[
    "not-read",  # a file that was listed or seen, its content is not kept
    "refused",  # a file that could not be read
    "unseen",  # a name in a folder that nothing is known of
    "socket",
    "pipe",
    "block-device",
    "character-device",
]


@dataclass(frozen=True, slots=True)
class Status:
    """What stat(2) told, links followed."""

    mode: int
    size: int
    user: int
    group: int
    device: int
    inode: int
    links: int
    modified: int  # seconds since 1970


@dataclass(frozen=True, slots=True)
class Segment:
    """A part of a file that was read. name: its file below segments/; None: it begins the file."""

    offset: int
    length: int
    name: str | None = None


@dataclass(frozen=True, slots=True)
class Partial:
    """A file of which only parts are kept, such as the header of a model."""

    size: int | None  # of the whole file, in bytes
    segments: tuple[Segment, ...] = ()  # by offset; they neither meet nor overlap


@dataclass(frozen=True, slots=True)
class Recording:
    """The document recording.json. Paths are the host's; of stubs and partial files real ones."""

    VERSION: ClassVar[int] = 1
    version: int
    program: str  # version of provision that recorded
    redacted: bool
    request: InspectRequest
    byteorder: Literal["little", "big"] = "little"
    names: Names | None = None
    which: Mapping[str, str | None] = field(default_factory=dict)
    rooms: Mapping[str, Room] = field(default_factory=dict)
    may_read: Mapping[str, bool] = field(default_factory=dict)
    may_run: Mapping[str, bool] = field(default_factory=dict)
    may_trust: Mapping[str, bool] = field(default_factory=dict)
    status: Mapping[str, Status] = field(default_factory=dict)
    real: Mapping[str, str] = field(default_factory=dict)  # where links in files/ tell it not
    listings: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # where files/ differs
    stubs: Mapping[str, Stub] = field(default_factory=dict)
    partial: Mapping[str, Partial] = field(default_factory=dict)
    left_out: tuple[str, ...] = ()  # what the limits of size and time cut off


@dataclass(frozen=True, slots=True)
class Command:
    """A program that was run, and how it ended."""

    argv: tuple[str, ...]
    code: int
    out: str
    err: str


@dataclass(frozen=True, slots=True)
class Commands:
    """The document commands.json."""

    VERSION: ClassVar[int] = 1
    version: int
    commands: tuple[Command, ...] = ()  # by argv


@dataclass(frozen=True, slots=True)
class Kept:
    """All of a recording in memory. Paths are real paths of the host."""

    recording: Recording
    commands: Commands
    nvml: NvmlAnswers | None = None
    folders: frozenset[str] = frozenset()
    links: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, bytes] = field(default_factory=dict)  # stubs are not in it
    segments: Mapping[str, bytes] = field(default_factory=dict)  # by name below segments/
