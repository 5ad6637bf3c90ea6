"""Tiny model files, written byte by byte as the formats say."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from provision.host.inspect.source import Source

U8, I8, U16, I16, U32, I32, F32, BOOL, STRING, ARRAY, U64, I64, F64 = range(13)
LETTERS = {
    U8: "B", I8: "b", U16: "H", I16: "h", U32: "I", I32: "i",
    F32: "f", BOOL: "?", U64: "Q", I64: "q", F64: "d",
}  # fmt: skip
# Block and bytes of the types that the tests write.
BLOCKS = {0: (1, 4), 1: (1, 2), 2: (32, 18), 8: (32, 34), 12: (256, 144), 14: (256, 210)}


@dataclass(frozen=True)
class Gguf:
    """A GGUF file: keys as (type, value), an array as (ARRAY, (type, values)).

    tensors are (name, dimensions, type's number); their data are zeros. cut: bytes left off.
    """

    keys: Mapping[str, tuple[int, object]]
    tensors: Sequence[tuple[str, Sequence[int], int]] = ()
    order: str = "<"
    version: int = 3
    alignment: int = 32
    cut: int = 0

    @property
    def content(self) -> bytes:
        out = [b"GGUF", self._pack("I", self.version)]
        out += [self._count(len(self.tensors)), self._count(len(self.keys))]
        for key, (kind, value) in self.keys.items():
            out += [self._text(key), self._pack("I", kind), self._value(kind, value)]
        offset = 0
        for name, shape, number in self.tensors:
            out += [self._text(name), self._pack("I", len(shape))]
            out += [self._count(one) for one in shape]
            out += [self._pack("I", number), self._pack("Q", offset)]
            offset += self._padded(self._size(shape, number))
        head = b"".join(out)
        whole = head + bytes(self._padded(len(head)) - len(head)) + bytes(offset)
        return whole[: len(whole) - self.cut]

    def _size(self, shape: Sequence[int], number: int) -> int:
        block, size = BLOCKS.get(number, (1, 1))
        elements = 1
        for one in shape:
            elements *= one
        return elements // block * size

    def _padded(self, size: int) -> int:
        return -(-size // self.alignment) * self.alignment

    def _pack(self, letter: str, value: object) -> bytes:
        return struct.pack(self.order + letter, value)

    def _count(self, value: int) -> bytes:
        return self._pack("I" if self.version == 1 else "Q", value)

    def _text(self, text: str) -> bytes:
        raw = text.encode()
        return self._count(len(raw)) + raw

    def _value(self, kind: int, value: object) -> bytes:
        if kind == STRING:
            assert isinstance(value, str)
            return self._text(value)
        if kind == ARRAY:
            assert isinstance(value, tuple)
            item, values = value
            body = b"".join(self._value(item, one) for one in values)
            return self._pack("I", item) + self._count(len(values)) + body
        return self._pack(LETTERS[kind], value)


LLAMA: dict[str, tuple[int, object]] = {
    "general.architecture": (STRING, "llama"),
    "general.name": (STRING, "Tiny Llama"),
    "general.file_type": (U32, 15),
    "general.quantization_version": (U32, 2),
    "llama.block_count": (U32, 2),
    "llama.context_length": (U32, 8192),
    "llama.embedding_length": (U32, 256),
    "llama.feed_forward_length": (U32, 512),
    "llama.attention.head_count": (U32, 4),
    "llama.attention.head_count_kv": (U32, 2),
    "llama.attention.layer_norm_rms_epsilon": (F32, 1e-5),
    "llama.rope.freq_base": (F32, 500000.0),
    "tokenizer.ggml.model": (STRING, "gpt2"),
    "tokenizer.ggml.tokens": (ARRAY, (STRING, [f"token {at}" for at in range(1000)])),
    "tokenizer.ggml.scores": (ARRAY, (F32, [0.0] * 1000)),
    "tokenizer.chat_template": (STRING, "{{ messages }}" * 1000),
}
# 256 x 1000 in Q4_K, 256 x 256 in Q6_K, 256 in F32: weights and bytes counted by hand.
WEIGHTS = (("token_embd.weight", (256, 1000), 12), ("blk.0.attn_v.weight", (256, 256), 14),
           ("output_norm.weight", (256,), 0))  # fmt: skip
PARAMETERS = 256_000 + 65_536 + 256
Q4_K, Q6_K, FLOATS = 1000 * 144, 256 * 210, 256 * 4


def safetensors(
    tensors: Mapping[str, tuple[str, Sequence[int], int]], metadata: Mapping[str, str] | None = None
) -> bytes:
    """A safetensors file; tensors: dtype, shape and bytes by name."""
    table: dict[str, object] = {"__metadata__": dict(metadata)} if metadata else {}
    at = 0
    for name, (dtype, shape, size) in tensors.items():
        table[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [at, at + size]}
        at += size
    return with_header(json.dumps(table).encode(), at)


def with_header(header: bytes, data: int = 0) -> bytes:
    return struct.pack("<Q", len(header)) + header + bytes(data)


class Host:
    """A tree of files below a temporary folder, and how many bytes were read of each."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.source = CountingSource(root)

    def file(self, path: str, content: bytes | str | object) -> str:
        place = self.root / path.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, bytes):
            place.write_bytes(content)
        else:
            place.write_text(content if isinstance(content, str) else json.dumps(content))
        return path

    def link(self, path: str, target: str) -> None:
        place = self.root / path.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.symlink_to(target)


class CountingSource(Source):
    """A tree that knows which files were opened, and how much of them was read."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.__dict__["read"] = {}

    @property
    def opened(self) -> dict[str, int]:
        found: dict[str, int] = self.__dict__["read"]
        return found

    def head(self, path: str, most: int, offset: int = 0) -> bytes | None:
        found = super().head(path, most, offset)
        self.opened[path] = self.opened.get(path, 0) + len(found or b"")
        return found
