"""One GGUF file: its metadata, and how many bytes its tensors take.

The format: github.com/ggml-org/ggml docs/gguf.md; version 1 as llama.cpp read it until 2023.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from .ggml_types import GGML_TYPES
from .gguf_values import Long, Values
from .header import Header, HeaderError
from .settings import (
    MOST_LISTS,
    MOST_SETTINGS,
    Setting,
    printable,
    setting,
    setting_key,
    setting_list,
)

_MOST_DIMENSIONS = 8  # ggml itself has 4
_MOST_KEYS = 65536
_MOST_TENSORS = 1 << 17  # the largest models have some 3,000: experts of a layer share one
_MOST_ALIGNMENT = 1 << 20
_ABSURD = 1 << 63
_GENERAL = frozenset(
    f"general.{name}"
    for name in (
        "alignment", "architecture", "basename", "file_type", "finetune", "name",
        "parameter_count", "quantization_version", "size_label", "type", "version",
    )
)  # fmt: skip
_OTHERS = frozenset(
    (
        "split.count", "split.no", "split.tensors.count", "tokenizer.ggml.model",
        "tokenizer.ggml.pre", "tokenizer.ggml.tokens.count",
    )
)  # fmt: skip


@dataclass(slots=True)
class Tensors:
    """What a file's tensors come to. bytes None: of a type or shape that is not known."""

    count: int = 0
    parameters: int = 0
    bytes: int | None = 0
    by_type: dict[str, int] = field(default_factory=dict)
    largest: int = 0


@dataclass(slots=True)
class GgufPart:
    """One file's header, as far as it was understood. tensors None: not as far as there."""

    settings: dict[str, Setting] = field(default_factory=dict)
    lists: dict[str, tuple[int | float | str, ...]] = field(default_factory=dict)
    tensors: Tensors | None = None
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class _Tensor:
    name: str
    parameters: int
    type: str
    bytes: int | None
    offset: int


def parse_gguf(header: Header) -> GgufPart:
    """A file's header; never raises, a problem says what is wrong."""
    part = GgufPart()
    try:
        values, tensors, keys = _start(header)
        _metadata(values, keys, part)
        found = [_tensor(values) for _ in range(tensors)]
        part.tensors = _sum(found)
        part.problem = _layout(found, header, part.settings.get("general.alignment", 32))
    except HeaderError as error:
        part.problem = str(error)
    architecture = part.settings.get("general.architecture")
    wanted = f"{architecture}."
    part.settings = {key: one for key, one in part.settings.items() if _kept(key, wanted)}
    part.lists = {key: one for key, one in part.lists.items() if _kept(key, wanted)}
    return part


def _start(header: Header) -> tuple[Values, int, int]:
    """A reader of values in the file's byte order; the numbers of tensors and of keys."""
    if header.length == 0:
        raise HeaderError("it is empty")
    magic = header.take(min(header.length, 8))
    if magic == b"version ":
        raise HeaderError("it is a pointer of Git LFS, not the file itself")
    if magic[:4] != b"GGUF" or len(magic) < 8:
        raise HeaderError("it is no GGUF file")
    version, order = int.from_bytes(magic[4:], "little"), "<"
    if version & 0xFFFF == 0:
        version, order = int.from_bytes(magic[4:], "big"), ">"
    if version not in (1, 2, 3):
        raise HeaderError(f"it is GGUF version {version}, which is not known here")
    values = Values(header, order, version)
    tensors, keys = header.number(values.count), header.number(values.count)
    if tensors > _MOST_TENSORS or keys > _MOST_KEYS:
        raise HeaderError(f"it speaks of {tensors} tensors and {keys} keys")
    return values, tensors, keys


def _metadata(values: Values, keys: int, part: GgufPart) -> None:
    for _ in range(keys):
        key, value = setting_key(values.key()), values.value()
        if key is None or len(part.settings) >= MOST_SETTINGS or len(part.lists) >= MOST_LISTS:
            continue
        if key == "tokenizer.ggml.tokens" and isinstance(value, (list, Long)):
            key, value = f"{key}.count", value.count if isinstance(value, Long) else len(value)
        if isinstance(value, list):
            items = setting_list(value)
            if items is not None:
                part.lists[key] = items
            continue
        scalar = setting(value)
        if scalar is not None:
            part.settings[key] = scalar


def _kept(key: str, architecture: str) -> bool:
    """Whether it matters for memory or strategy: no templates, licences, tokens, sources."""
    return key in _GENERAL or key in _OTHERS or key.startswith((architecture, "adapter."))


def _tensor(values: Values) -> _Tensor:
    header = values.header
    name = printable(values.key())
    dimensions = header.number(values.u32)
    if dimensions > _MOST_DIMENSIONS:
        raise HeaderError(f"tensor {name:.80} has {dimensions} dimensions")
    shape = [header.number(values.count) for _ in range(dimensions)]
    number, offset = header.number(values.u32), header.number(values.u64)
    rows = 1
    for one in shape[1:]:
        rows *= one
    row = shape[0] if shape else 1
    if row * rows >= _ABSURD or offset >= _ABSURD:
        raise HeaderError(f"tensor {name:.80} is larger than any file")
    kind = GGML_TYPES.get(number)
    if kind is None:
        return _Tensor(name, row * rows, f"type {number}", None, offset)
    return _Tensor(name, row * rows, kind.name, kind.size(row, rows), offset)


def _sum(found: list[_Tensor]) -> Tensors:
    tensors = Tensors(len(found))
    for one in found:
        tensors.parameters += one.parameters
        if one.bytes is None:
            tensors.bytes = None
            continue
        tensors.by_type[one.type] = tensors.by_type.get(one.type, 0) + one.bytes
        tensors.largest = max(tensors.largest, one.bytes)
        if tensors.bytes is not None:
            tensors.bytes += one.bytes
    return tensors


def _layout(found: list[_Tensor], header: Header, alignment: Setting) -> str | None:
    """What is wrong with the tensors' places, and with the file's length."""
    if isinstance(alignment, bool) or not isinstance(alignment, int):
        return "its general.alignment is no number"
    if not 0 < alignment <= _MOST_ALIGNMENT:
        return f"its general.alignment is {alignment}"
    unknown = sorted({one.type for one in found if one.bytes is None})
    if unknown:
        return f"tensors of {', '.join(unknown[:8])}, whose size is not known here"
    end, last = 0, ""
    for one in sorted(found, key=lambda one: (one.offset, one.bytes or 0)):
        if one.offset < end:
            # Forks gave numbers of types that llama.cpp gave again: 42 (Q2_0) has two sizes.
            return f"tensors {last:.80} and {one.name:.80} overlap: the types are not ggml's own"
        end, last = one.offset + (one.bytes or 0), one.name
    wanted = -(-header.position // alignment) * alignment + end
    if found and header.length < wanted:
        return f"it has {header.length} bytes, its tensors need {wanted}: not fully downloaded"
    return None
