"""What clients may write as `model`, engine by engine."""

from __future__ import annotations

import pytest

from provision.engines.launch import EngineName
from provision.engines.options import option_values
from provision.engines.registry import engine_named

from .launches import launch


def names(
    engine: EngineName, *models: str, args: tuple[str, ...] = ()
) -> tuple[tuple[str, ...], ...]:
    return engine_named(engine).served_names(launch(engine, models=models, args=args))


def test_vllm_serves_its_model_unless_it_is_given_names() -> None:
    assert names("vllm", "Qwen/Qwen3-8B") == (("Qwen/Qwen3-8B",),)
    assert names("vllm", "/srv/qwen") == (("/srv/qwen",),)
    given = ("--served-model-name", "big", "gpt-4", "--max-num-seqs", "4")
    assert names("vllm", "Qwen/Qwen3-8B", args=given) == (("big", "gpt-4"),)
    assert names("vllm", "Qwen/Qwen3-8B", args=("--served_model_name=big",)) == (("big",),)


def test_adapters_of_vllm_are_models_of_their_own() -> None:
    json = '{"name": "law", "path": "/srv/law", "base_model_name": "q"}'
    args = ("--enable-lora", "--lora-modules", "sql=/srv/sql", json, "{broken")
    assert names("vllm", "q/q", args=args) == (("q/q",), ("sql",), ("law",))


def test_ollama_takes_every_spelling_that_means_the_same() -> None:
    (found,) = names("ollama", "llama3.1:8b")
    assert found == (
        "llama3.1:8b",
        "registry.ollama.ai/library/llama3.1:8b",
        "library/llama3.1:8b",
    )
    (latest,) = names("ollama", "me/phi4")
    assert latest[0] == "me/phi4"
    assert set(latest[1:]) == {
        "registry.ollama.ai/me/phi4:latest",
        "registry.ollama.ai/me/phi4",
        "me/phi4:latest",
    }
    (hub,) = names("ollama", "hf.co/org/model-GGUF:Q4_K_M")
    assert hub == ("hf.co/org/model-GGUF:Q4_K_M",)
    assert len(names("ollama", "a", "b")) == 2


def test_llama_server_is_known_by_alias_and_file() -> None:
    path = "/srv/models/big-00001-of-00003.gguf"
    assert names("llama-server", path) == (("big", "big-00001-of-00003.gguf", path),)
    (found,) = names("llama-server", "/srv/q.gguf", args=("--alias", "gpt-4, chat"))
    assert found == ("gpt-4", "chat", "q", "q.gguf", "/srv/q.gguf")


@pytest.mark.parametrize(
    ("arguments", "values"),
    [
        ((), ()),
        (("--x",), ()),
        (("--x", "a", "b", "--y", "c"), ("a", "b")),
        (("--x=a", "b"), ("a",)),
        (("--x", "a", "--x", "b"), ("b",)),
    ],
)
def test_values_of_an_option(arguments: tuple[str, ...], values: tuple[str, ...]) -> None:
    assert option_values(arguments, "--x") == values
