"""The header of a safetensors file: 8 bytes of length, then JSON.

The format: github.com/huggingface/safetensors. It allows headers of 100 MB; the largest that are
known have 2.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TypeGuard

from .header import MIB, Header, HeaderError
from .packing import weights_in
from .settings import printable

_MOST_HEADER = 16 * MIB
_MOST_DIMENSIONS = 64
_MOST_TYPES = 64
_MOST_NAME = 32  # characters of a type's name
_ABSURD = 1 << 63
# Bits of an element; new ones come, of which only the place in the file is known.
_BITS = {
    "BOOL": 8, "U8": 8, "I8": 8, "F8_E5M2": 8, "F8_E4M3": 8, "F8_E8M0": 8, "F4": 4,
    "F6_E2M3": 6, "F6_E3M2": 6, "U16": 16, "I16": 16, "F16": 16, "BF16": 16, "U32": 32,
    "I32": 32, "F32": 32, "U64": 64, "I64": 64, "F64": 64, "C64": 64,
}  # fmt: skip


@dataclass(slots=True)
class Weights:
    """What the tensors of one or several files come to.

    parameters None: of a packing that is not known here.
    """

    bytes: int = 0
    parameters: int | None = 0
    by_type: dict[str, int] = field(default_factory=dict)
    largest: int = 0

    def add(self, dtype: str, size: int, parameters: int | None) -> None:
        if dtype not in self.by_type and len(self.by_type) >= _MOST_TYPES:
            raise HeaderError(f"its tensors are of more than {_MOST_TYPES} types")
        self.bytes += size
        self.by_type[dtype] = self.by_type.get(dtype, 0) + size
        self.largest = max(self.largest, size)
        if parameters is None or self.parameters is None:
            self.parameters = None
        else:
            self.parameters += parameters


def add_safetensors(header: Header, bits: int | None, weights: Weights) -> str | None:
    """Add a file's tensors; what is wrong with its length. Raises HeaderError for a bad header."""
    length = _header_length(header)
    last = 0
    for name, one in _json(header, length).items():
        if name != "__metadata__":
            last = max(last, _add_tensor(name, one, bits, weights))
    wanted = 8 + length + last
    if header.length < wanted:
        return f"it has {header.length} bytes, its tensors need {wanted}: not fully downloaded"
    return None


def _header_length(header: Header) -> int:
    if header.length == 0:
        raise HeaderError("it is empty")
    start = header.take(min(8, header.length))
    if start == b"version ":
        raise HeaderError("it is a pointer of Git LFS, not the file itself")
    length = int.from_bytes(start, "little")
    if len(start) < 8 or not 2 <= length <= header.length - 8:
        raise HeaderError("it is no safetensors file, or its header is cut off")
    if length > _MOST_HEADER:
        raise HeaderError(f"its header of {length} bytes is longer than {_MOST_HEADER // MIB} MiB")
    return length


def _json(header: Header, length: int) -> dict[str, object]:
    pieces: list[bytes] = []
    while length:
        pieces.append(header.take(min(length, MIB)))
        length -= len(pieces[-1])
    raw = b"".join(pieces)
    if not raw.startswith(b"{"):
        raise HeaderError("it is no safetensors file")
    try:
        plain = json.loads(raw)
    except (ValueError, RecursionError):
        raise HeaderError("its header is no JSON") from None
    if not isinstance(plain, dict):
        raise HeaderError("its header is no JSON object")
    return plain


def _add_tensor(name: str, one: object, bits: int | None, weights: Weights) -> int:
    """Add a tensor; where its bytes end, counted from the header's end."""
    values = one if isinstance(one, dict) else {}
    dtype, shape = values.get("dtype"), values.get("shape")
    offsets = values.get("data_offsets")
    if not isinstance(dtype, str) or not _whole(shape) or not _whole(offsets) or len(offsets) != 2:
        raise HeaderError(f"tensor {printable(name[:80])} in it is not described")
    first, end = offsets
    width = _BITS.get(dtype)
    elements = 1
    for count in shape:
        elements *= count
    if first > end or (width is not None and elements * width != (end - first) * 8):
        raise HeaderError(f"tensor {printable(name[:80])} in it has the wrong length")
    known = width is not None and elements < _ABSURD
    parameters = weights_in(name, dtype, shape, bits) if known else None
    weights.add(dtype if known else printable(dtype[:_MOST_NAME]), end - first, parameters)
    return end


def _whole(values: object) -> TypeGuard[list[int]]:
    """Whether this is a short list of whole numbers from 0 on."""
    if not isinstance(values, list) or len(values) > _MOST_DIMENSIONS:
        return False
    for one in values:  # noqa: SIM110 -- hot: a generator doubles the time of a large model
        if type(one) is not int or not 0 <= one < _ABSURD:
            return False
    return True
