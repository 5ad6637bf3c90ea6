"""A recorded tree together with what programs and system calls answered there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from provision.host.inspect.source import Room, Source
from provision.host.run import Ran


@dataclass(frozen=True)
class Answers(Source):
    """said: output by the whole command line; a program that is not listed cannot be run."""

    said: Mapping[str, str] = field(default_factory=dict)
    codes: Mapping[str, int] = field(default_factory=dict)
    rooms: Mapping[str, Room] = field(default_factory=dict)
    order: Literal["little", "big"] = "little"
    asked: list[str] = field(default_factory=list)

    def run(self, argv: Sequence[str], timeout: float = 10) -> Ran:
        line = " ".join(argv)
        self.asked.append(line)
        if line not in self.said:
            return super().run(argv, timeout)
        return Ran(tuple(argv), self.codes.get(line, 0), self.said[line], "")

    def room(self, path: str) -> Room | None:
        return self.rooms.get(path)

    def may_trust(self, path: str) -> bool:
        return self.is_file(path)

    def byteorder(self) -> Literal["little", "big"]:
        return self.order
