"""Where the header of a model file ends: what comes after it is never kept."""

from __future__ import annotations

from collections.abc import Mapping

from ..models.gguf import parse_gguf
from ..models.header import Budget, Header


def without_weights(parts: Mapping[int, bytes], size: int, safetensors: bool) -> dict[int, bytes]:
    """The parts of a file that were read, cut at its header's end.

    A header that is not understood is kept as far as it was read: it is what is wrong there.
    """
    start = parts.get(0, b"")
    if start.startswith(b"GGUF"):
        end = _gguf_end(parts, size)
    elif safetensors and len(start) >= 8:
        end = 8 + int.from_bytes(start[:8], "little")
    else:
        end = None
    if end is None:
        return dict(parts)
    return {at: data[: end - at] for at, data in parts.items() if at < end}


def _gguf_end(parts: Mapping[int, bytes], size: int) -> int | None:
    def read(most: int, offset: int) -> bytes | None:
        for at, data in parts.items():
            if at <= offset < at + len(data):
                return data[offset - at : offset - at + most]
        return None

    header = Header(read, size, Budget())
    part = parse_gguf(header)
    return header.position if part.tensors is not None and not part.problem else None
