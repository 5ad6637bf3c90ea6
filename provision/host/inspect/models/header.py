"""Reading a file's header piece by piece, never more of it than was agreed."""

from __future__ import annotations

import struct
from collections.abc import Callable

from ..source import Source

MIB = 1 << 20
_FIRST_CHUNK = 64 << 10  # enough for most parts of a split model
_MOST_CHUNK = MIB
_BOUND = 64 * MIB  # the largest known, of 262,144 words, is below 16 MiB


class HeaderError(Exception):
    """A header that cannot be read on: what is wrong with it."""


class Budget:
    """How many bytes of a model may still be read, over all its files."""

    def __init__(self, bound: int = _BOUND) -> None:
        self.bound = self.left = bound

    def allow(self, needed: int, wished: int) -> int:
        """How many bytes may be read now. Raises HeaderError when that is less than needed."""
        if needed > self.left:
            raise HeaderError(f"its headers are longer than {self.bound / MIB:g} MiB")
        return max(needed, min(wished, self.left))


class Header:
    """A file's bytes from the start onward.

    read(most, offset) gives at most that many bytes from an offset, or None for an error; length
    is the file's. Every method raises HeaderError at the file's end and at the budget's.
    """

    def __init__(
        self, read: Callable[[int, int], bytes | None], length: int, budget: Budget
    ) -> None:
        self._read = read
        self.length = length
        self._budget = budget
        self._chunk = _FIRST_CHUNK
        self._window = b""
        self._start = 0  # of the window, in the file
        self._at = 0  # in the window

    @property
    def position(self) -> int:
        return self._start + self._at

    def take(self, count: int) -> bytes:
        """The next bytes."""
        self._fill(count)
        taken = self._window[self._at : self._at + count]
        self._at += count
        return taken

    def number(self, form: struct.Struct) -> int:
        """The next whole number."""
        value: int = form.unpack(self.take(form.size))[0]
        return value

    def skip(self, count: int) -> None:
        """Go on without reading."""
        if count > self.length - self.position:
            raise HeaderError("it ends within its header")
        self._at += count
        if self._at > len(self._window):
            self._start, self._at, self._window = self.position, 0, b""

    def skip_strings(self, count: int, form: struct.Struct) -> None:
        """Go past that many texts, each behind its length: a tokenizer has some 100,000."""
        unpack, width = form.unpack_from, form.size
        if count * width > self.length - self.position:
            raise HeaderError("it ends within its header")
        while count:
            self._fill(width)
            window, at, last = self._window, self._at, len(self._window) - width
            while count and at <= last:
                at += width + unpack(window, at)[0]
                count -= 1
            self._at = min(at, len(window))
            self.skip(at - self._at)

    def _fill(self, count: int) -> None:
        """Have at least that many bytes in the window from here on."""
        missing = self._at + count - len(self._window)
        if missing <= 0:
            return
        if count > self.length - self.position:
            raise HeaderError("it ends within its header")
        kept = self._window[self._at :]
        want = self._budget.allow(missing, self._chunk)
        read = self._read(want, self.position + len(kept))
        if read is None:
            raise HeaderError("it cannot be read")
        self._budget.left -= len(read)
        self._start, self._at = self.position, 0
        self._window = kept + read
        self._chunk = min(self._chunk * 2, _MOST_CHUNK)
        if len(self._window) < count:
            raise HeaderError("it ends within its header")


def open_header(source: Source, path: str, budget: Budget) -> Header:
    """A regular file's header. Raises HeaderError when there is no such file."""
    status = source.status(path)
    if status is None or not source.is_file(path):
        raise HeaderError("it is no file")
    return Header(lambda most, at: source.head(path, most, at), status.st_size, budget)
