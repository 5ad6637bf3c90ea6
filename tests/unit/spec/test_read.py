"""read_spec: what is right is taken as it is written, and stands where it says."""

from __future__ import annotations

import subprocess
import sys

import pytest

from provision.host.errors import ProvisionError
from provision.spec.model import GpuSelector, MemorySpec, NumaPin
from provision.spec.read import read_spec

from .specs import EVERYTHING, SMALLEST


def env_value(text: str) -> str:
    return read_spec(SMALLEST + f"    env:\n      A: {text}\n").spec.instances["chat"].env["A"]


def test_the_smallest_spec_has_all_defaults() -> None:
    spec = read_spec(SMALLEST).spec
    chat = spec.instances["chat"]
    assert (chat.engine, chat.model, chat.gpus, chat.replicas) == (
        "ollama",
        "llama3.1:8b",
        "auto",
        1,
    )
    assert spec.proxy is None
    assert spec.takeover is False


def test_every_key_is_read() -> None:
    spec = read_spec(EVERYTHING).spec
    chat = spec.instances["chat"]
    assert isinstance(chat.gpus, list)
    assert chat.gpus[0] == "0000:17:00.0"
    assert chat.numa == NumaPin(nodes=[0, 1], memory="bind")
    assert spec.instances["chat-2"].gpus == GpuSelector(model="3090", node=1, count=4)
    assert spec.instances["spare"].numa == "off"
    assert spec.takeover is True
    assert (spec.optimize, chat.optimize, chat.kv_cache) == ("throughput", "latency", "fp8")
    assert spec.instances["half"].memory == MemorySpec(weights_gib=3.0)
    assert list(spec.instances) == ["chat", "chat-2", "small", "tiny", "spare", "half"]
    assert spec.proxy is not None
    assert spec.proxy.upstreams is not None
    assert spec.proxy.upstreams[0].instances == {"chat": 3, "chat-2": 1}


@pytest.mark.parametrize(
    "text", ["8080", "true", "1.10", "0644", "no", "on", "12:30:45", "2024-01-31", "1_000", "0x1F"]
)
def test_where_text_is_wanted_a_value_is_taken_as_written(text: str) -> None:
    assert env_value(text) == text


def test_text_of_a_list_and_of_a_model_is_taken_as_written() -> None:
    spec = read_spec(SMALLEST.replace("llama3.1:8b", "7") + "    args: [1.0, true, -1]\n").spec
    assert spec.instances["chat"].model == "7"
    assert spec.instances["chat"].args == ["1.0", "true", "-1"]


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ('"null"', "null"),
        ("''", ""),
        ('"a\\tb c"', None),
        ("nulla", "nulla"),
        ("|-\n        x", "x"),
    ],
)
def test_quoted_text(written: str, meant: str | None) -> None:
    if meant is None:
        with pytest.raises(ProvisionError):
            env_value(written)
    else:
        assert env_value(written) == meant


def test_places_are_those_of_the_file() -> None:
    places = read_spec(EVERYTHING, "gpu-01.yaml").places
    lines = EVERYTHING.split("\n")

    def word(*path: str | int, key: bool = False) -> str:
        place = places.at(*path, key=key)
        assert place is not None
        assert place.file == "gpu-01.yaml"
        assert place.text == lines[place.line - 1]
        return place.text[place.column - 1 : place.column - 1 + place.length]

    assert word("instances", "chat", "context") == "8192"
    assert word("instances", "chat", "context", key=True) == "context"
    assert word("instances", "chat", "gpus", 2) == '"00000000:65:00.0"'
    assert word("instances", "chat", "env", "MODE") == "0644"
    assert word("proxy", "upstreams", 0, "instances", "chat-2") == "1"
    assert word("instances", "chat", key=True) == "chat"
    assert places.at("instances", "chat", "nothing") is None
    assert places.at("instances", "small", "gpus") is None
    nearest = places.nearest("instances", "small", "gpus")
    assert nearest == places.at("instances", "small", key=True)


def test_a_byte_order_mark_and_windows_line_ends_are_read() -> None:
    text = b"\xef\xbb\xbf" + SMALLEST.replace("\n", "\r\n").encode()
    read = read_spec(text)
    place = read.places.at("instances", "chat", "engine")
    assert place is not None
    assert (place.line, place.column, place.text) == (4, 13, "    engine: ollama")


def test_an_instance_in_no_upstream_is_allowed() -> None:
    text = SMALLEST + "  other:\n    engine: ollama\n    model: qwen3:4b\n"
    text += "proxy:\n  listen: 8080\n  upstreams:\n    - {path: /, instances: [chat]}\n"
    assert set(read_spec(text).spec.instances) == {"chat", "other"}


@pytest.mark.parametrize("listen", ["127.0.0.1:8080", '"[::1]:8080"', "127.9.9.9:80"])
def test_loopback_needs_no_keys(listen: str) -> None:
    assert read_spec(SMALLEST + f"proxy: {{listen: {listen}}}\n").spec.proxy is not None


@pytest.mark.parametrize("guard", ["keys: {file: /etc/k}", "allow: [0.0.0.0/0]"])
def test_a_wide_address_with_keys_or_allow(guard: str) -> None:
    assert read_spec(SMALLEST + f"proxy: {{listen: 0.0.0.0:80, {guard}}}\n").spec.proxy


@pytest.mark.parametrize("sizes", ["pipeline_parallel_size: 2", "tensor_parallel_size: 4"])
def test_one_parallel_size_that_fits_the_count(sizes: str) -> None:
    text = f"version: 1\ninstances:\n  a: {{engine: vllm, model: a/b, gpus: 4, {sizes}}}\n"
    assert read_spec(text).spec.instances["a"].gpus == 4


def test_complaints_about_sound_parts_come_with_those_about_broken_ones() -> None:
    text = SMALLEST + "    port: 99999\n    gpus: [0]\n  b:\n    engine: vllm\n    model: a/b\n"
    text += "    venv: /opt/../x\nproxy:\n  listen: 8080\n  upstreams:\n"
    text += "    - {path: /, instances: [chat]}\n    - {path: /b, instances: [c]}\n"
    with pytest.raises(ProvisionError) as caught:
        read_spec(text)
    rules = [one.rule for one in caught.value.diagnostics]
    assert rules == ["out-of-range", "gpu-index", "bad-path", "unknown-instance"]


def test_reading_the_modules_does_not_import_pydantic() -> None:
    """It takes longer than all of a `provision --help`."""
    code = (
        "import sys, provision.spec.read, provision.spec.request, provision.spec.schema;"
        "sys.exit('pydantic' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
