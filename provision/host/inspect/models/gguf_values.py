"""Metadata values of a GGUF header."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from .header import Header, HeaderError
from .settings import MOST_ITEMS

_STRING, _ARRAY, _BOOL, _FLOAT32 = 8, 9, 7, 6
# Numbers of the types of values, with struct's letters for each.
_LETTERS = {
    0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "B", 10: "Q", 11: "q", 12: "d",
}  # fmt: skip
_MOST_TEXT = 4096  # longer ones are licences and templates
_MOST_KEY = 65535


@dataclass(frozen=True, slots=True)
class Long:
    """What is too long to keep: how many items it has, or a text's bytes."""

    count: int


class Values:
    """Reads values in a file's order of bytes. Version 1 counts in 32 bits, later ones in 64."""

    def __init__(self, header: Header, order: str, version: int) -> None:
        self.header = header
        self.u32 = struct.Struct(f"{order}I")
        self.u64 = struct.Struct(f"{order}Q")
        self.count = self.u32 if version == 1 else self.u64
        self._scalars = {kind: struct.Struct(order + letter) for kind, letter in _LETTERS.items()}

    def key(self) -> str:
        """A key or a tensor's name."""
        length = self.header.number(self.count)
        if length > _MOST_KEY:
            raise HeaderError(f"a name in it would be {length} bytes long")
        return self.header.take(length).decode("utf-8", "replace")

    def value(self) -> object:
        """A type and a value of that type: a scalar, a list, or Long."""
        kind = self.header.number(self.u32)
        return self._array() if kind == _ARRAY else self._of(kind)

    def _of(self, kind: int) -> object:
        if kind == _STRING:
            return self._string()
        form = self._scalars.get(kind)
        if form is None:  # also a list within a list: ggml reads none either
            raise HeaderError(f"a value in it has the unknown type {kind}")
        value = form.unpack(self.header.take(form.size))[0]
        if kind == _BOOL:
            return value != 0
        return _shortest(value) if kind == _FLOAT32 else value

    def _string(self) -> str | Long:
        length = self.header.number(self.count)
        if length > _MOST_TEXT:
            self.header.skip(length)
            return Long(length)
        return self.header.take(length).decode("utf-8", "replace")

    def _array(self) -> list[object] | Long:
        kind, count = self.header.number(self.u32), self.header.number(self.count)
        if count <= MOST_ITEMS:
            return [self._of(kind) for _ in range(count)]
        if kind == _STRING:
            self.header.skip_strings(count, self.count)
        elif kind in self._scalars:
            self.header.skip(count * self._scalars[kind].size)
        else:
            raise HeaderError(f"a list in it has the unknown type {kind}")
        return Long(count)


def _shortest(value: float) -> float:
    """A float of 32 bits by its shortest digits: 1e-05 instead of 9.999999747378752e-06."""
    packed = struct.pack("<f", value)
    for digits in (6, 7, 8):
        short = float(f"{value:.{digits}g}")
        if struct.pack("<f", short) == packed:
            return short
    return value
