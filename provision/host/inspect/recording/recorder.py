"""A source that writes down every answer, and gives each one only once: a consistent picture."""

from __future__ import annotations

import dataclasses
import os
import re
import stat
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from ...facts import InspectRequest
from ...run import Ran
from ..nvidia.answers import NvmlAnswers
from ..source import LiveSource, Names, Room, Source
from ..tree import MOST_BYTES, Kind
from . import privacy
from .recorded import Recorded, stub_of
from .recording import Kept

_MOST_WHOLE = 1 << 20  # bytes; of larger files only the parts that were read are kept
_MOST_OUTPUT = 4 << 20  # characters of one stream of a program
_DESCRIPTORS = re.compile(r"/proc/\d+/fd")
_PRIVATE_LINKS = re.compile(r"/proc/\d+/(?:cwd|root|map_files/.*|task/.*)")


@dataclass(frozen=True)
class Recorder(Source):
    """The answers of another source, as far as they are kept: what a replay will answer.

    So the facts of a recording run and of its replay are the same by construction.
    """

    inner: Source = field(default_factory=LiveSource)
    request: InspectRequest = field(default_factory=InspectRequest)
    log: Recorded = field(default_factory=Recorded)

    @classmethod
    def of(cls, inner: Source, request: InspectRequest) -> Recorder:
        return cls(root=inner.root, inner=inner, request=request)

    def kept(self, program: str) -> Kept:
        """All that was asked so far. program: the version of provision."""
        return self.log.kept(self.request, program, self.byteorder())

    def real(self, path: str) -> str:
        if path not in self.log.real:
            self.log.real[path] = (self.inner.real(path), self._resolved(path) or path)
        return self.log.real[path][0]

    def status(self, path: str) -> os.stat_result | None:
        if path not in self.log.status:
            told = self.inner.status(path)
            self.log.status[path] = told
            self._note(path, told)
        return self.log.status[path]

    def is_file(self, path: str) -> bool:
        return self._seen(path) == "file"

    def is_folder(self, path: str) -> bool:
        return self._seen(path) == "folder"

    def head(self, path: str, most: int, offset: int = 0) -> bytes | None:
        if self._seen(path) != "file" or offset < 0:
            return None
        real = self._resolved(path)
        if real is None or privacy.is_private(real):
            return None
        if self._in_parts(path, real):
            return self._part(path, real, most, offset)
        whole = self._whole(path, real)
        return None if whole is None else whole[offset : offset + most]

    def names(self, folder: str) -> tuple[str, ...]:
        real = self._resolved(folder)
        if real is None or self._seen(folder) != "folder":
            return ()
        if real not in self.log.listings:
            self.log.listings[real] = self._listed(folder, real)
        return self.log.listings[real]

    def link(self, path: str) -> str | None:
        parent, _, name = path.rpartition("/")
        folder = self._resolved(parent or "/")
        if folder is None:
            return None
        real = f"{folder.rstrip('/')}/{name}"
        if real not in self.log.asked_links:
            self.log.asked_links[real] = self._target(real)
        return self.log.asked_links[real]

    def run(self, argv: Sequence[str], timeout: float = 10) -> Ran:
        words = tuple(argv)
        if words not in self.log.commands:
            ran = self.inner.run(words, timeout)
            out, err = (privacy.kept_output(words, text) for text in (ran.out, ran.err))
            if max(len(out), len(err)) > _MOST_OUTPUT:
                self.log.leave_out(f"output of {' '.join(words)}")
            ran = dataclasses.replace(ran, out=out[:_MOST_OUTPUT], err=err[:_MOST_OUTPUT])
            self.log.commands[words] = ran
        return self.log.commands[words]

    def which(self, program: str) -> str | None:
        if program not in self.log.which:
            self.log.which[program] = self.inner.which(program)
        return self.log.which[program]

    def names_of_system(self) -> Names | None:
        if not self.log.names:
            self.log.names.append(self.inner.names_of_system())
        return self.log.names[0]

    def room(self, path: str) -> Room | None:
        if path not in self.log.rooms:
            self.log.rooms[path] = self.inner.room(path)
        return self.log.rooms[path]

    def may_read(self, path: str) -> bool | None:
        if path not in self.log.may_read:
            self.log.may_read[path] = self.inner.may_read(path)
            self._seen(path)
        return self.log.may_read[path]

    def may_run(self, path: str) -> bool:
        if path not in self.log.may_run:
            self.log.may_run[path] = self.inner.may_run(path)
            self._seen(path)
        return self.log.may_run[path]

    def may_trust(self, path: str) -> bool:
        if path not in self.log.may_trust:
            self.log.may_trust[path] = self.inner.may_trust(path)
        return self.log.may_trust[path]

    def byteorder(self) -> Literal["little", "big"]:
        return self.inner.byteorder()

    def ask_nvml(self) -> NvmlAnswers | None:
        if not self.log.nvml:
            self.log.nvml.append(self.inner.ask_nvml())
        return self.log.nvml[0]

    def _seen(self, path: str) -> Kind | None:
        """What stands at a path, links followed; asked once."""
        if path not in self.log.kinds:
            self._note(path, self.inner.status(path))
        return self.log.kinds[path]

    def _note(self, path: str, told: os.stat_result | None) -> None:
        """Write down what stands at a path."""
        self.log.kinds[path] = _kind(told)
        real = self._resolved(path)
        if told is None or real is None:
            return
        if self.log.stubs.get(real) == "unseen":
            del self.log.stubs[real]
        if stat.S_ISDIR(told.st_mode):
            self.log.folders.add(real)
        elif stat.S_ISREG(told.st_mode):
            self.log.stubs.setdefault(real, "not-read")
            self.log.sizes.setdefault(real, told.st_size)
        else:
            self.log.stubs[real] = stub_of(told.st_mode) or "unseen"

    def _target(self, here: str) -> str | None:
        """The target of a link at a real path, written down unless it is private."""
        target = self.inner.link(here)
        if target is None or _PRIVATE_LINKS.fullmatch(here):
            return None
        if _DESCRIPTORS.fullmatch(here.rpartition("/")[0]) and not self._listens(target):
            return None
        self.log.links[here] = target
        return target

    def _listens(self, target: str) -> bool:
        """Whether an open file is a listening TCP socket: no other open file is kept."""
        if not self.log.listening:
            self.log.listening.add("")
            for table in ("/proc/net/tcp", "/proc/net/tcp6"):
                lines = (self.text(table) or "").splitlines()
                inodes = (line.split()[9] for line in lines if privacy.is_listening(line))
                self.log.listening.update(f"socket:[{inode}]" for inode in inodes)
        return target in self.log.listening

    def _listed(self, folder: str, real: str) -> tuple[str, ...]:
        """The names in a folder; each gets a place in the tree, whatever it is."""
        names: list[str] = []
        open_files = _DESCRIPTORS.fullmatch(real) is not None
        for name, kind in self.inner.kinds(folder).items():
            path = f"{real.rstrip('/')}/{name}"
            if self.log.full:
                self.log.leave_out(f"names in {real}")
                break
            if kind == "link" and self._target(path) is None:
                if open_files:
                    continue
                self.log.stubs.setdefault(path, "unseen")
            elif kind == "folder":
                self.log.folders.add(path)
            elif kind == "file":
                self.log.stubs.setdefault(path, "not-read")
            elif kind == "other":
                told = self.inner.status(path)
                self.log.stubs[path] = (told and stub_of(told.st_mode)) or "unseen"
            names.append(name)
        return tuple(names)

    def _whole(self, path: str, real: str) -> bytes | None:
        """A small file's content, as far as it is kept."""
        if real in self.log.files:
            return self.log.files[real]
        if real in self.log.refused:
            return None
        data = self.inner.head(path, MOST_BYTES)
        if data is None:
            self.log.stubs[real] = "refused"
        else:
            data = privacy.kept_part(real, data)
        if data is None or not self.log.add_file(real, data):
            self.log.refused.add(real)
            return None
        return data

    def _in_parts(self, path: str, real: str) -> bool:
        """Whether only those parts of a file are kept that were asked for."""
        if real not in self.log.in_parts:
            names, named = (path, real), self._named(path, real)
            tensors = privacy.is_safetensors(names)
            large = self.log.sizes.get(real, 0) > _MOST_WHOLE
            start = self.inner.head(path, 16) if large or tensors or named else None
            if named and not privacy.is_model(names, start or b""):
                self.log.refused.add(real)  # a file of keys, for all we know
            if tensors:
                self.log.safetensors.add(real)
            self.log.in_parts[real] = large or tensors or (start or b"").startswith(b"GGUF")
        return self.log.in_parts[real]

    def _part(self, path: str, real: str, most: int, offset: int) -> bytes | None:
        if real in self.log.refused:
            return None
        asked = (real, offset, most)
        if asked not in self.log.asked_parts:
            data = self.inner.head(path, most, offset)
            if data is None:
                self.log.stubs[real] = "refused"
            elif not self.log.add_part(real, offset, data):
                data = None
            self.log.asked_parts[asked] = data
        return self.log.asked_parts[asked]

    def _named(self, path: str, real: str) -> bool:
        """Whether the spec names this very file: as a model, or as a file of keys."""
        if not self.log.named:
            paths = self.request.paths
            self.log.named.update(paths, (self._resolved(one) or one for one in paths))
        return path in self.log.named or real in self.log.named


def _kind(told: os.stat_result | None) -> Kind | None:
    if told is None:
        return None
    if stat.S_ISDIR(told.st_mode):
        return "folder"
    return "file" if stat.S_ISREG(told.st_mode) else "other"
