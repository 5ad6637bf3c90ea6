"""What readers may ask of a machine: its files, and of the live one programs, drivers and calls.

Source itself is a bare tree of files, where programs and drivers answer nothing. LiveSource is the
running machine. recording/ has the two others: one that writes down every answer, and one that
reads them back.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from ..run import Ran, run, which
from .tree import Tree

if TYPE_CHECKING:
    from .nvidia.answers import NvmlAnswers


@dataclass(frozen=True, slots=True)
class Names:
    """uname(2)."""

    hostname: str
    release: str
    architecture: str


@dataclass(frozen=True, slots=True)
class Room:
    """Bytes of a file system by statvfs(3); free is for unprivileged writers."""

    size: int
    free: int


class Source(Tree):
    """A recorded tree of files: nothing but files answers."""

    def run(self, argv: Sequence[str], timeout: float = 10) -> Ran:
        """How a program ended and what it printed; code 127 where it cannot be run."""
        del timeout
        return Ran(tuple(argv), 127, "", f"{argv[0]}: not run on a recorded tree")

    def which(self, program: str) -> str | None:
        """The program's path on the clean PATH."""
        folders = ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin")
        return next(
            (f"{one}/{program}" for one in folders if self.is_file(f"{one}/{program}")), None
        )

    def names_of_system(self) -> Names | None:
        """What the kernel calls the machine and itself."""
        return None

    def room(self, path: str) -> Room | None:
        """The file system that an existing path lies on."""
        del path
        return None

    def may_read(self, path: str) -> bool | None:
        """Whether this user may read a file, or list and enter a folder; None: not told."""
        del path
        return None

    def may_run(self, path: str) -> bool:
        """Whether a file is a program. A recorded tree may have lost its modes: any file is."""
        return self.is_file(path)

    def may_trust(self, path: str) -> bool:
        """Whether this user should start a program: root runs only what root alone can change."""
        del path
        return False

    def byteorder(self) -> Literal["little", "big"]:
        """The machine's order of bytes."""
        return "little"

    def ask_nvml(self) -> NvmlAnswers | None:
        """The NVIDIA driver's answers; None where no driver can be asked at all."""
        return None


class LiveSource(Source):
    """The running machine."""

    def run(self, argv: Sequence[str], timeout: float = 10) -> Ran:
        return run(argv, timeout=timeout)

    def which(self, program: str) -> str | None:
        return which(program)

    def names_of_system(self) -> Names | None:
        told = os.uname()
        return Names(told.nodename, told.release, told.machine)

    def room(self, path: str) -> Room | None:
        try:
            told = os.statvfs(path)
        except (OSError, ValueError):
            return None
        return Room(told.f_blocks * told.f_frsize, told.f_bavail * told.f_frsize)

    def may_read(self, path: str) -> bool | None:
        status = self.status(path)
        if status is None:
            return None
        return os.access(path, os.R_OK | os.X_OK if self.is_folder(path) else os.R_OK)

    def may_run(self, path: str) -> bool:
        return self.is_file(path) and os.access(path, os.X_OK)

    def may_trust(self, path: str) -> bool:
        if os.geteuid() != 0:
            return True
        status = self.status(path)
        return status is not None and status.st_uid == 0 and not status.st_mode & 0o022

    def byteorder(self) -> Literal["little", "big"]:
        return sys.byteorder

    def ask_nvml(self) -> NvmlAnswers | None:
        from .nvidia.nvml.child import ask_nvml

        return ask_nvml()
