"""Broken and hostile files: nothing is raised, little is read, and the facts stay a document."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from provision.host.document import dumps, loads
from provision.host.facts import ModelFound
from provision.host.inspect.models import read_model
from provision.host.inspect.source import Source

from .files import (
    ARRAY,
    LLAMA,
    PARAMETERS,
    STRING,
    U32,
    WEIGHTS,
    Gguf,
    Host,
    safetensors,
    with_header,
)

ARRAYS = {"llama.attention.head_count_kv": (ARRAY, (U32, [8, 4]))}
SMALL = {
    key: one for key, one in LLAMA.items() if not key.startswith("tokenizer")
} | ARRAYS  # fmt: skip
TENSORS = (("a.weight", (32, 2), 8), ("b.weight", (64,), 0))
GGUFS = [Gguf(SMALL, TENSORS, order, version).content for order in "<>" for version in (1, 3)]
WEIGHED = safetensors({"a": ("BF16", (4, 2), 16), "b": ("I32", (2,), 8)}, {"format": "pt"})
CONFIG = json.dumps({"architectures": ["A"], "text_config": {"x": [1, 2]}, "y": 1.5}).encode()
INDEX = json.dumps({"metadata": {"total_size": 24}, "weight_map": {"a": "a.safetensors"}}).encode()
MANIFEST = json.dumps(
    {"layers": [{"mediaType": "application/vnd.ollama.image.model",
                 "digest": f"sha256:{'0' * 64}", "size": 3}]}
).encode()  # fmt: skip
BOUND = 64 << 20
FUZZ = settings(
    deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@st.composite
def broken(draw: st.DrawFn, whole: st.SearchStrategy[bytes]) -> bytes:
    """A valid file with some bytes changed, cut off or put in; or nothing but rubbish."""
    content = bytearray(draw(whole))
    how = draw(st.sampled_from(("flip", "cut", "insert", "length", "rubbish")))
    at = draw(st.integers(0, len(content) - 1))
    if how == "flip":
        for _ in range(draw(st.integers(1, 4))):
            content[draw(st.integers(0, len(content) - 1))] = draw(st.integers(0, 255))
    elif how == "cut":
        del content[at:]
    elif how == "insert":
        content[at:at] = draw(st.binary(min_size=1, max_size=40))
    elif how == "length":
        number = draw(st.sampled_from((2**63, 2**64 - 1, 2**32 - 1, 2**31, 2**24, 0)))
        content[at : at + 8] = struct.pack("<Q", number)
    else:
        content = bytearray(draw(st.binary(max_size=200)))
    return bytes(content)


def check(host: Host, path: str) -> ModelFound | None:
    host.source.opened.clear()
    found = read_model(host.source, path)
    assert sum(host.source.opened.values()) <= BOUND
    if found is not None:
        assert loads(ModelFound, dumps(found)) == found
        assert found.problem != ""
        assert found.weight_bytes is None or found.weight_bytes > 0
    return found


@FUZZ
@given(content=broken(st.sampled_from(GGUFS)))
def test_gguf(host: Host, content: bytes) -> None:
    found = check(host, host.file("/srv/a.gguf", content))
    assert found is not None
    assert found.problem or found.weight_bytes or not found.parameters


@FUZZ
@given(content=broken(st.just(WEIGHED)))
def test_safetensors(host: Host, content: bytes) -> None:
    found = check(host, host.file("/srv/a.safetensors", content))
    assert found is not None


@FUZZ
@given(
    config=broken(st.just(CONFIG)),
    index=broken(st.just(INDEX)),
    weights=st.one_of(st.just(WEIGHED), broken(st.just(WEIGHED))),
)
def test_a_folder(host: Host, config: bytes, index: bytes, weights: bytes) -> None:
    host.file("/m/config.json", config)
    host.file("/m/model.safetensors.index.json", index)
    host.file("/m/a.safetensors", weights)
    assert check(host, "/m") is not None


@FUZZ
@given(content=broken(st.just(MANIFEST)), blob=broken(st.sampled_from(GGUFS)))
def test_a_manifest(host: Host, content: bytes, blob: bytes) -> None:
    host.file(f"/o/blobs/sha256-{'0' * 64}", blob)
    assert check(host, host.file("/o/manifests/r/l/m/t", content)) is not None


@FUZZ
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
        max_leaves=30,
    )
)
def test_any_json_as_config(host: Host, value: object) -> None:
    host.file("/m/config.json", json.dumps(value))
    found = check(host, "/m")
    assert found is not None
    assert (found.problem is None) == isinstance(value, dict)


def test_no_truncation_passes_for_the_whole(host: Host) -> None:
    for whole in (*GGUFS, WEIGHED):
        name = "/srv/a.gguf" if whole[:4] == b"GGUF" else "/srv/a.safetensors"
        end = len(whole) if name.endswith("safetensors") else len(whole.rstrip(b"\0"))
        for size in range(end):
            found = check(host, host.file(name, whole[:size]))
            assert found is not None
            assert found.problem, size
        found = check(host, host.file(name, whole))
        assert found is not None
        assert found.problem is None


def test_the_bound_holds_over_a_header_that_never_ends(host: Host) -> None:
    """A list of texts of no length each, in a file of 200 MB with holes."""
    place = host.root / "a.gguf"
    start = b"GGUF" + struct.pack("<IQQQ1sIIQ", 3, 0, 1, 1, b"a", ARRAY, STRING, 20_000_000)
    with place.open("wb") as file:
        file.write(start)
        file.truncate(200 << 20)
    found = check(host, "/a.gguf")
    assert found is not None
    assert found.problem == "its headers are longer than 64 MiB"


def test_the_bound_holds_over_all_files_of_a_model(host: Host) -> None:
    place = host.root / "m"
    place.mkdir()
    table = {"t": {"dtype": "U8", "shape": [4], "data_offsets": [0, 4]}}
    header = json.dumps(table).encode().ljust(15 << 20)
    for number in range(1, 7):
        (place / f"model-{number:05}-of-00006.safetensors").write_bytes(with_header(header, 4))
    host.file("/m/config.json", "{}")
    found = check(host, "/m")
    assert found is not None
    assert "longer than 64 MiB" in (found.problem or "")
    assert found.weight_bytes is None


def test_nothing_of_the_weights_is_read(host: Host, tmp_path: Path) -> None:
    place = tmp_path / "big.gguf"
    place.write_bytes(Gguf(SMALL, (*WEIGHTS, ("big", (32, 1), 8))).content)
    with place.open("r+b") as file:
        file.truncate(10 << 30)  # with holes
    found = check(host, "/big.gguf")
    assert found is not None
    assert found.parameters == PARAMETERS + 32
    assert host.source.opened["/big.gguf"] <= 64 << 10


class Unreadable(Source):
    """A tree whose files are there and give nothing, as another user's do (root reads all)."""

    def head(self, path: str, most: int, offset: int = 0) -> bytes | None:
        del path, most, offset
        return None


def test_files_that_may_not_be_read(host: Host) -> None:
    host.file("/a.gguf", GGUFS[0])
    host.file("/m/config.json", CONFIG)
    host.file("/m/model.safetensors", WEIGHED)
    source = Unreadable(host.root)
    found = read_model(source, "/a.gguf")
    assert found == ModelFound("gguf", files=1, problem="it cannot be read")
    found = read_model(source, "/m")
    assert found == ModelFound("safetensors", files=1, problem="config.json cannot be read")


@pytest.mark.parametrize("shape", [(), (0,)])
def test_a_model_of_no_weight_weighs_nothing_that_is_known(
    host: Host, shape: tuple[int, ...]
) -> None:
    table = {"a": ("U8", shape, 0)} if shape else {}
    gguf = [("a", shape, 0)] if shape else []
    paths = (
        host.file("/a.safetensors", safetensors(table)),
        host.file("/a.gguf", Gguf(SMALL, gguf).content),
    )
    for path in paths:
        found = check(host, path)
        assert found is not None
        assert (found.weight_bytes, found.parameters) == (None, None)
