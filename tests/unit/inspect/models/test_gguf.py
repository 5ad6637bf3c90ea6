"""GGUF files: what their headers say, and what is wrong with them."""

from __future__ import annotations

import struct

import pytest

from provision.host.facts import ModelFound
from provision.host.inspect.models import read_model
from provision.host.inspect.models.ggml_types import GGML_TYPES
from provision.host.inspect.models.gguf_model import parts_of

from .files import (
    ARRAY,
    BOOL,
    F32,
    F64,
    FLOATS,
    I32,
    LLAMA,
    PARAMETERS,
    Q4_K,
    Q6_K,
    STRING,
    U8,
    U32,
    U64,
    WEIGHTS,
    Gguf,
    Host,
)

ARCHITECTURE = {"general.architecture": (STRING, "llama")}


def read(host: Host, content: bytes) -> ModelFound:
    found = read_model(host.source, host.file("/srv/model.gguf", content))
    assert found is not None
    return found


@pytest.mark.parametrize("order", ["<", ">"], ids=["little-endian", "big-endian"])
@pytest.mark.parametrize("version", [2, 3])
def test_a_model(host: Host, order: str, version: int) -> None:
    found = read(host, Gguf(LLAMA, WEIGHTS, order, version).content)
    assert found == ModelFound(
        format="gguf",
        architecture="llama",
        name="Tiny Llama",
        parameters=PARAMETERS,
        weight_bytes=Q4_K + Q6_K + FLOATS,
        weights={"F32": FLOATS, "Q4_K": Q4_K, "Q6_K": Q6_K},
        largest_tensor_bytes=Q4_K,
        settings={
            "general.architecture": "llama",
            "general.name": "Tiny Llama",
            "general.file_type": 15,
            "general.quantization_version": 2,
            "llama.block_count": 2,
            "llama.context_length": 8192,
            "llama.embedding_length": 256,
            "llama.feed_forward_length": 512,
            "llama.attention.head_count": 4,
            "llama.attention.head_count_kv": 2,
            "llama.attention.layer_norm_rms_epsilon": 1e-5,
            "llama.rope.freq_base": 500000.0,
            "tokenizer.ggml.model": "gpt2",
            "tokenizer.ggml.tokens.count": 1000,
        },
        files=1,
    )


def test_version_1_counts_in_32_bits(host: Host) -> None:
    found = read(host, Gguf(LLAMA, WEIGHTS, version=1).content)
    assert (found.problem, found.parameters) == (None, PARAMETERS)
    assert found.settings["tokenizer.ggml.tokens.count"] == 1000


def test_heads_may_differ_from_layer_to_layer(host: Host) -> None:
    keys = ARCHITECTURE | {
        "llama.attention.head_count_kv": (ARRAY, (I32, [8, 0, 4])),
        "llama.attention.sliding_window_pattern": (ARRAY, (BOOL, [True, False])),
        "llama.too_long": (ARRAY, (U32, range(257))),
        "llama.names": (ARRAY, (STRING, ["a", "b"])),
    }
    found = read(host, Gguf(keys).content)
    assert found.lists == {
        "llama.attention.head_count_kv": (8, 0, 4),
        "llama.attention.sliding_window_pattern": (1, 0),
        "llama.names": ("a", "b"),
    }
    assert found.settings == {"general.architecture": "llama"}
    assert found.problem is None


def test_only_what_matters_is_kept(host: Host) -> None:
    keys = {
        "llama.before": (U32, 1),
        **ARCHITECTURE,
        "general.license": (STRING, "mit"),
        "other.block_count": (U32, 9),
        "llama.infinite": (F32, float("inf")),
        "llama.no_number": (F64, float("nan")),
        "llama.large": (U64, 2**64 - 1),
        "llama.true": (BOOL, True),
        "llama.long": (STRING, "x" * 257),
        "llama.very_long": (STRING, "x" * 5000),
        "llama.bell": (STRING, "a\x1b[31m\nb"),
        "tokenizer.ggml.bos_token_id": (U32, 1),
        "tokenizer.ggml.pre": (STRING, "llama-bpe"),
        "split.count": (U32, 1),
    }
    assert read(host, Gguf(keys).content).settings == {
        "llama.before": 1,
        "general.architecture": "llama",
        "llama.large": 2**64 - 1,
        "llama.true": True,
        "llama.bell": "a\ufffd[31m\ufffdb",
        "tokenizer.ggml.pre": "llama-bpe",
        "split.count": 1,
    }


def test_a_large_tokenizer_is_passed_over_and_little_is_read(host: Host) -> None:
    tokens = [f"<token number {at}>" for at in range(120_000)]
    keys = {"tokenizer.ggml.tokens": (ARRAY, (STRING, tokens)),
            "tokenizer.ggml.scores": (ARRAY, (F32, [0.5] * 500_000)), **LLAMA}  # fmt: skip
    keys["tokenizer.ggml.tokens"] = (ARRAY, (STRING, tokens))
    content = Gguf(keys, (*WEIGHTS, ("large", (32, 200_000), 8))).content
    found = read(host, content)
    assert found.problem is None
    assert found.settings["tokenizer.ggml.tokens.count"] == 120_000
    assert found.parameters == PARAMETERS + 6_400_000
    # Neither the 2 MB of scores nor the 6.8 MB of weights, but for what lies in the same chunk.
    assert host.source.opened["/srv/model.gguf"] < len(content) / 2


def test_an_alignment_of_its_own(host: Host) -> None:
    keys = LLAMA | {"general.alignment": (U32, 4096)}
    found = read(host, Gguf(keys, WEIGHTS, alignment=4096).content)
    assert found.problem is None
    cut = Gguf(keys, WEIGHTS, alignment=4096, cut=4096 - FLOATS + 1).content
    assert "not fully downloaded" in (read(host, cut).problem or "")


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ((U32, 0), "general.alignment is 0"),
        ((STRING, "32"), "general.alignment is no number"),
        ((U32, 2**31), "general.alignment is 2147483648"),
    ],
)
def test_an_absurd_alignment(host: Host, value: tuple[int, object], problem: str) -> None:
    content = Gguf(LLAMA | {"general.alignment": value}, WEIGHTS).content
    assert problem in (read(host, content).problem or "")


def test_a_download_that_was_cut_off(host: Host) -> None:
    whole = Gguf(LLAMA, WEIGHTS).content
    found = read(host, Gguf(LLAMA, WEIGHTS, cut=1000).content)
    size = len(whole)
    assert found.problem == (
        f"it has {size - 1000} bytes, its tensors need {size}: not fully downloaded"
    )
    assert found.weight_bytes == Q4_K + Q6_K + FLOATS  # the header is whole and says it


def test_a_header_that_is_cut_off_tells_what_came_before(host: Host) -> None:
    content = Gguf(LLAMA, WEIGHTS).content
    found = read(host, content[: content.index(b"tokenizer.ggml.scores")])
    assert found.problem == "it ends within its header"
    assert found.settings["llama.block_count"] == 2
    assert (found.parameters, found.weight_bytes, found.weights) == (None, None, {})


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "it is empty"),
        (b"GGUF", "it is no GGUF file"),
        (b"GGUF\x03", "it is no GGUF file"),
        (b"<!DOCTYPE html><html>", "it is no GGUF file"),
        (b"version https://git-lfs.github.com/spec/v1\n", "it is a pointer of Git LFS"),
        (b"GGUF" + struct.pack("<I", 4), "GGUF version 4"),
        (b"GGUF" + struct.pack(">I", 9), "GGUF version 9"),
        (b"GGUF" + struct.pack("<I", 3), "it ends within its header"),
        (b"GGUF" + struct.pack("<IQQ", 3, 2**63, 1), "it speaks of 9223372036854775808 tensors"),
        (b"GGUF" + struct.pack("<IQQ", 3, 1, 2**64 - 1), "and 18446744073709551615 keys"),
        (b"GGUF" + struct.pack("<IQQQ", 3, 0, 1, 2**63), "a name in it would be 92233720368547"),
        (b"GGUF" + struct.pack("<IQQQ", 3, 0, 1, 65535), "it ends within its header"),
        (b"GGUF" + struct.pack("<IQQQ1sI", 3, 0, 1, 1, b"a", 13), "the unknown type 13"),
        (
            b"GGUF" + struct.pack("<IQQQ1sIQ", 3, 0, 1, 1, b"a", STRING, 2**63),
            "it ends within its header",
        ),
        (
            b"GGUF" + struct.pack("<IQQQ1sIIQ", 3, 0, 1, 1, b"a", ARRAY, U8, 2**63),
            "it ends within its header",
        ),
        (
            b"GGUF" + struct.pack("<IQQQ1sIIQ", 3, 0, 1, 1, b"a", ARRAY, STRING, 2**63),
            "it ends within its header",
        ),
        (
            b"GGUF" + struct.pack("<IQQQ1sIIQI", 3, 0, 1, 1, b"a", ARRAY, ARRAY, 1, ARRAY),
            "the unknown type 9",
        ),
        (
            b"GGUF" + struct.pack("<IQQQ1sIIQ", 3, 0, 1, 1, b"a", ARRAY, 77, 1000),
            "the unknown type 77",
        ),
    ],
)
def test_what_is_no_gguf_file(host: Host, content: bytes, problem: str) -> None:
    found = read(host, content)
    assert problem in (found.problem or "")
    assert (found.architecture, found.parameters, found.weight_bytes) == (None, None, None)


@pytest.mark.parametrize(
    ("tensor", "problem"),
    [
        (("new", (32, 2), 99), "tensors of type 99, whose size is not known here"),
        (("odd", (33, 2), 8), "tensors of Q8_0, whose size is not known here"),
        (("deep", (1,) * 9, 0), "tensor deep has 9 dimensions"),
        (("wide", (2**62, 2**62), 0), "tensor wide is larger than any file"),
    ],
)
def test_tensors_that_are_not_understood(
    host: Host, tensor: tuple[str, tuple[int, ...], int], problem: str
) -> None:
    keys = LLAMA
    raw = Gguf(keys, (WEIGHTS[0], ("x" * len(tensor[0]), (1,) * len(tensor[1]), 0))).content
    name, shape, number = tensor
    at = raw.index(b"x" * len(name) + struct.pack("<I", len(shape))) - 8
    told = struct.pack("<Q", len(name)) + name.encode() + struct.pack("<I", len(shape))
    told += struct.pack(f"<{len(shape)}Q", *shape) + struct.pack("<I", number)
    found = read(host, raw[:at] + told + raw[at + len(told) :])
    assert problem in (found.problem or "")
    assert (found.weight_bytes, found.weights, found.largest_tensor_bytes) == (None, {}, None)
    assert found.settings["llama.block_count"] == 2


def test_tensors_that_overlap_are_of_another_makers_types(host: Host) -> None:
    raw = bytearray(Gguf(LLAMA, WEIGHTS).content)
    at = raw.index(b"output_norm.weight") + len("output_norm.weight") + 4 + 8 + 4
    raw[at : at + 8] = struct.pack("<Q", 32)
    problem = read(host, bytes(raw)).problem
    assert problem is not None
    assert problem.startswith("tensors token_embd.weight and output_norm.weight overlap")


def test_a_split_model(host: Host) -> None:
    split = {"split.count": (U32, 3), "split.tensors.count": (I32, 3)}
    names = [f"/srv/a b-{part:05}-of-00003.gguf" for part in (1, 2, 3)]
    host.file(names[0], Gguf(LLAMA | split, WEIGHTS[:1]).content)
    host.file(names[1], Gguf({"split.no": (U32, 1)}, WEIGHTS[1:2]).content)
    host.file(names[2], Gguf({"split.no": (U32, 2)}, WEIGHTS[2:]).content)
    for name in (names[0], names[2]):
        found = read_model(host.source, name)
        assert found is not None
        assert (found.files, found.missing, found.problem) == (3, (), None)
        assert (found.parameters, found.weight_bytes) == (PARAMETERS, Q4_K + Q6_K + FLOATS)
        assert found.weights == {"F32": FLOATS, "Q4_K": Q4_K, "Q6_K": Q6_K}
        assert found.settings["llama.block_count"] == 2


def test_a_split_model_of_which_a_part_is_missing(host: Host) -> None:
    host.file("/srv/a-00001-of-00003.gguf", Gguf(LLAMA, WEIGHTS[:1]).content)
    host.file("/srv/a-00003-of-00003.gguf", Gguf({}, WEIGHTS[2:]).content)
    found = read_model(host.source, "/srv/a-00001-of-00003.gguf")
    assert found is not None
    assert (found.files, found.missing) == (2, ("a-00002-of-00003.gguf",))
    assert (found.parameters, found.weight_bytes, found.weights) == (None, None, {})


def test_the_part_with_the_fault_is_named(host: Host) -> None:
    host.file("/srv/a-00001-of-00002.gguf", Gguf(LLAMA, WEIGHTS[:1]).content)
    host.file("/srv/a-00002-of-00002.gguf", b"rubbish and more")
    found = read_model(host.source, "/srv/a-00001-of-00002.gguf")
    assert found is not None
    assert found.problem == "a-00002-of-00002.gguf: it is no GGUF file"
    assert found.weight_bytes is None


def test_parts_that_hold_fewer_tensors_than_promised(host: Host) -> None:
    split = {"split.tensors.count": (I32, 4)}
    path = host.file("/srv/a-00001-of-00001.gguf", Gguf(LLAMA | split, WEIGHTS).content)
    found = read_model(host.source, path)
    assert found is not None
    assert found.problem == "its parts hold 3 tensors, the first one promises 4"


def test_a_name_of_99999_parts_does_not_fill_the_facts(host: Host) -> None:
    path = host.file("/srv/a-00001-of-99999.gguf", Gguf(LLAMA, WEIGHTS).content)
    found = read_model(host.source, path)
    assert found is not None
    assert len(found.missing) == 64
    assert found.problem == "99998 of its parts are missing"


@pytest.mark.parametrize(
    "name", ["a.gguf", "a-00000-of-00002.gguf", "a-00003-of-00002.gguf", "a-1-of-2.gguf"]
)
def test_names_that_are_not_split(name: str) -> None:
    assert parts_of(name) == [name]


def test_sizes_of_types_by_their_own_arithmetic() -> None:
    """Bits per weight as published for each quantisation, and no type twice but MXFP4."""
    bits = {one.name: one.bytes * 8 / one.block for one in GGML_TYPES.values()}
    published = {
        "Q4_0": 4.5, "Q4_1": 5, "Q5_0": 5.5, "Q5_1": 6, "Q8_0": 8.5, "Q2_K": 2.625,
        "Q3_K": 3.4375, "Q4_K": 4.5, "Q5_K": 5.5, "Q6_K": 6.5625, "IQ2_XXS": 2.0625,
        "IQ2_XS": 2.3125, "IQ2_S": 2.5625, "IQ3_XXS": 3.0625, "IQ3_S": 3.4375, "IQ1_S": 1.5625,
        "IQ1_M": 1.75, "IQ4_NL": 4.5, "IQ4_XS": 4.25, "TQ1_0": 1.6875, "TQ2_0": 2.0625,
        "MXFP4": 4.25, "NVFP4": 4.5, "F32": 32, "F16": 16, "BF16": 16, "F64": 64,
    }  # fmt: skip
    assert {name: bits[name] for name in published} == published
    names = [one.name for number, one in GGML_TYPES.items() if number != 4]
    assert len(names) == len(set(names))
