"""A drafted host.yaml reads as what went in, whatever the names of models, hosts and cards."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from provision.spec.draft import Draft, DraftInstance, draft_text, name_for
from provision.spec.model import NAME_PATTERN
from provision.spec.nodes import read_nodes
from provision.spec.read import read_spec

HOSTILE = [
    "yes", "null", "1e5", "0644", "12:30", "a: b", "a #b", "#a", "- a", "{a}", "[a]", "*a", "&a",
    "!a", "%a", "@a", "'a", '"a"', "a\nversion: 2", "a\r\nb", "a\x85b", "a\u2028b", "a\\n", " a ",
    "über/模型:8b", "~", "a:", "a\tb", "x" * 400,
]  # fmt: skip


def _instance(model: str) -> DraftInstance:
    return DraftInstance("chat", "ollama", model)


def _read(text: str) -> Any:
    """What stands in it, before the model's name is judged; any other reader finds the same."""
    plain, _ = read_nodes(text, "host.yaml")
    assert yaml.safe_load(text) == plain
    return plain


@pytest.mark.parametrize("model", HOSTILE)
def test_a_models_name_is_read_as_it_was_given(model: str) -> None:
    plain = _read(draft_text(Draft("h", "m", (_instance(model),))))
    assert plain["instances"] == {"chat": {"engine": "ollama", "model": model}}


@given(st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z")), min_size=1))
def test_any_text_survives(model: str) -> None:
    plain = _read(draft_text(Draft("h", "m", (_instance(model),))))
    assert plain["instances"]["chat"]["model"] == model


@pytest.mark.parametrize(
    "text", ["a\ntakeover: true", "a\x85takeover: true", "a\u2029b", "\x1b[2J"]
)
def test_words_of_others_cannot_leave_their_comment(text: str) -> None:
    instance = DraftInstance("chat", "ollama", "llama3.1:8b", notes=(text,))
    written = draft_text(Draft(text, text, (instance,)))
    plain = draft_text(
        Draft("h", "m", (DraftInstance("chat", "ollama", "llama3.1:8b", notes=("n",)),))
    )
    assert read_spec(written, "host.yaml").spec == read_spec(plain, "host.yaml").spec
    assert len(written.splitlines()) == len(plain.splitlines())


@pytest.mark.parametrize(
    ("model", "name"),
    [
        ("llama3.1:8b", "llama3-1-8b"),
        ("Qwen/Qwen2.5-7B-Instruct", "qwen2-5-7b-instruct"),
        ("/srv/models/Some_Model.Q4_K_M.gguf", "some-model-q4-k-m"),
        ("/srv/models/folder/", "folder"),
        ("模型", "model"),
        ("", "model"),
    ],
)
def test_names(model: str, name: str) -> None:
    assert name_for(model) == name


@given(st.lists(st.text(max_size=60), max_size=12))
def test_names_are_allowed_and_never_the_same(models: list[str]) -> None:
    taken: list[str] = []
    for model in models:
        name = name_for(model, taken)
        assert re.fullmatch(NAME_PATTERN, name) and not name.endswith("-")
        assert name not in taken
        taken.append(name)


def test_many_of_one_long_name() -> None:
    taken: list[str] = []
    for _ in range(120):
        taken.append(name_for("a" * 80, taken))
    assert len(set(taken)) == 120 and max(map(len, taken)) == 41


def test_every_choice_is_a_key() -> None:
    instances = (
        DraftInstance("a", "vllm", "Qwen/Qwen2.5-7B-Instruct", replicas="auto", context=4096),
        DraftInstance("b", "ollama", "llama3.1:8b", on_cpu=True),
        DraftInstance("c", "ollama", "llama3.1:8b", shares=True),
    )
    text = draft_text(Draft("h", "m", instances, "throughput", 9000, True, ("ollama.service",)))
    spec = read_spec(text, "host.yaml").spec
    first, second, third = spec.instances.values()
    assert (first.engine, first.replicas, first.context) == ("vllm", "auto", 4096)
    assert second.gpus == 0 and third.share_gpus and not second.share_gpus
    assert spec.optimize == "throughput" and spec.takeover
    assert spec.proxy is not None and spec.proxy.listen == 9000
    assert spec.gpu_settings is not None and spec.gpu_settings.persistence
    assert "ollama.service" in text


def test_without_nginx_the_proxy_is_a_comment() -> None:
    text = draft_text(Draft("h", "m", (_instance("llama3.1:8b"),), listen=None))
    spec = read_spec(text, "host.yaml").spec
    assert spec.proxy is None and spec.gpu_settings is None and not spec.takeover
    assert "# proxy:\n#   listen: 8080\n" in text
