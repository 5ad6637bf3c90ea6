"""From references, files and host.yaml's own word to models, and what is said of unknown ones."""

from __future__ import annotations

import dataclasses

import pytest

from provision.host.facts import ModelFound
from provision.models.identity.identify import GivenMemory, identify
from provision.models.model import Model, UnknownModelError

# As inspection reads bartowski's Meta-Llama-3.1-8B-Instruct-Q4_K_M.gguf (tensors without header).
LLAMA_8B = ModelFound(
    "gguf",
    architecture="llama",
    name="Meta Llama 3.1 8B Instruct",
    parameters=8_030_261_312,
    weight_bytes=4_912_898_304,
    weights={"F32": 1_064_960, "Q4_K": 3_200_000_000, "Q6_K": 1_711_833_344},
    settings={
        "general.architecture": "llama",
        "general.file_type": 15,
        "llama.block_count": 32,
        "llama.context_length": 131072,
        "llama.embedding_length": 4096,
        "llama.feed_forward_length": 14336,
        "llama.attention.head_count": 32,
        "llama.attention.head_count_kv": 8,
        "llama.vocab_size": 128256,
        "tokenizer.ggml.tokens.count": 128256,
    },
    files=1,
)


def _sum(model: Model) -> int:
    weights = model.weights
    return weights.embedding + weights.output + weights.other + sum(weights.layers)


@pytest.mark.parametrize(
    ("engine", "reference", "name", "gigabytes", "within"),
    [
        # Sizes as ollama.com/library and the hub's pages list them.
        ("ollama", "llama3.1:8b", "Llama-3.1-8B-Instruct", 4.92, 0.005),
        ("ollama", "llama3.1", "Llama-3.1-8B-Instruct", 4.92, 0.005),
        ("ollama", "llama3.1:latest", "Llama-3.1-8B-Instruct", 4.92, 0.005),
        ("ollama", "llama3.1:70b-instruct-q4_K_M", "Llama-3.1-70B-Instruct", 42.52, 0.005),
        ("ollama", "llama3.1:8b-instruct-fp16", "Llama-3.1-8B-Instruct", 16.07, 0.005),
        ("ollama", "deepseek-r1:70b", "DeepSeek-R1-Distill-Llama-70B", 42.52, 0.005),
        ("ollama", "gpt-oss:20b", "gpt-oss-20b", 13.79, 0.005),
        ("ollama", "gemma3:27b", "gemma-3-27b-it", 17.4, 0.005),
        ("ollama", "gemma3:27b-it-qat", "gemma-3-27b-it", 18.1, 0.01),
        ("ollama", "gemma3:4b-it-qat", "gemma-3-4b-it", 4.0, 0.01),
        ("ollama", "nomic-embed-text", "nomic-embed-text-v1.5", 0.274, 0.01),
        ("llama-server", "google/gemma-3-27b-it-qat-q4_0-gguf", "gemma-3-27b-it", 17.23, 0.005),
        ("llama-server", "ggml-org/gpt-oss-20b-GGUF", "gpt-oss-20b", 12.11, 0.005),
        (
            "ollama",
            "hf.co/bartowski/Llama-3.2-3B-Instruct-GGUF",
            "Llama-3.2-3B-Instruct",
            2.02,
            0.005,
        ),
        ("llama-server", "/srv/gemma-3-27b-it-Q4_0.gguf", "gemma-3-27b-it", 15.6, 0.01),
        ("vllm", "meta-llama/Llama-3.3-70B-Instruct", "Llama-3.3-70B-Instruct", 141.107, 1e-5),
        ("vllm", "TheBloke/Llama-2-70B-Chat-GPTQ", "Llama-2-70b-chat-hf", 36.65, 0.01),
        ("vllm", "openai/gpt-oss-120b", "gpt-oss-120b", 65.25, 0.005),
    ],
)
def test_published_size(
    engine: str, reference: str, name: str, gigabytes: float, within: float
) -> None:
    model = identify(reference, engine)
    assert model.name == name
    assert model.source == "catalogue"
    assert model.reference == reference
    assert model.weights.total / 1e9 == pytest.approx(gigabytes, rel=within)
    assert _sum(model) == model.weights.total


def test_suffix_beats_the_default_of_the_tag() -> None:
    plain = identify("qwen2.5-coder:32b", "ollama")
    chosen = identify("qwen2.5-coder:32b-instruct-q5_K_M", "ollama")
    assert plain.weights.quantisation.name == "Q4_K_M"
    assert plain.note == "Q4_K_M is what Ollama's library has under this tag"
    assert chosen.weights.quantisation.name == "Q5_K_M"
    assert chosen.note is None
    assert chosen.shape == plain.shape


def test_native_format_where_a_hub_id_names_none() -> None:
    model = identify("Qwen/Qwen2.5-7B-Instruct", "vllm")
    assert (model.weights.quantisation.format, model.weights.quantisation.name) == (
        "safetensors",
        "BF16",
    )
    assert model.note == "BF16, as it was published"


def test_format_that_the_engine_cannot_load_is_the_plans_affair() -> None:
    assert identify("llama3.1:8b", "vllm").weights.quantisation.format == "gguf"
    assert identify("/m/Qwen2.5-7B-Instruct-Q6_K.gguf", "vllm").weights.quantisation.name == "Q6_K"
    model = identify("Qwen/Qwen2.5-7B-Instruct-AWQ", "tabbyapi")
    assert model.weights.quantisation.format == "safetensors"


@pytest.mark.parametrize(
    ("engine", "reference", "why"),
    [
        ("vllm", "someone/Llama-3.1-8B-Instruct-abliterated", "the catalogue does not know it"),
        ("vllm", "someone/SuperLlama-3.1-8B", "the catalogue does not know it"),
        ("vllm", "someone/Mistral-7B-Instruct-v0.3-roleplay-AWQ", "the catalogue does not know it"),
        ("ollama", "llama3.1:9b", "the catalogue does not know it"),
        ("ollama", "deepseek-r1:8b-0528-tuned-q4_K_M", "the catalogue does not know it"),
        ("ollama", "someone/llama3.1:8b", "its tag does not say how it is quantised"),
        ("llama-server", "/m/Qwen2.5-7B-Instruct.gguf", "its name does not say how it is quant"),
        ("vllm", "unsloth/Qwen3-0.6B-GGUF", "its name does not say how it is quantised"),
        ("vllm", "mlx-community/Llama-3.2-3B-Instruct-4bit", "says 4 bits and not by which"),
        ("tabbyapi", "turboderp/Llama-3.1-8B-Instruct-exl3", "says exl3 and not how many bits"),
        ("ollama", "gpt-oss:120b-cloud", "runs at Ollama's own service"),
    ],
)
def test_never_a_guess(engine: str, reference: str, why: str) -> None:
    with pytest.raises(UnknownModelError, match=why) as caught:
        identify(reference, engine)
    assert repr(reference) in str(caught.value)
    assert caught.value.hint


def test_hint_names_what_is_near_and_the_way_out() -> None:
    with pytest.raises(UnknownModelError) as caught:
        identify("llama3.1:80b", "ollama")
    assert caught.value.hint.startswith("did you mean llama3.1:8b")
    assert caught.value.hint.endswith(
        "Else give its memory: memory: {weights_gib: ...}; `provision models list` shows what is "
        "known"
    )
    assert str(caught.value) == (
        "how much memory 'llama3.1:80b' needs is not known: its files are not on this host and the "
        "catalogue does not know it"
    )


def test_files_come_first_and_are_exact() -> None:
    model = identify("/srv/Meta-Llama-3.1-8B-Instruct-Q4_K_M.gguf", "llama-server", LLAMA_8B)
    assert (model.source, model.weights.total, model.weights.error) == ("files", 4_912_898_304, 0.0)
    assert (model.name, model.context, model.note) == ("Llama-3.1-8B-Instruct", 131072, None)
    assert _sum(model) == model.weights.total


def test_files_of_an_unknown_name_keep_their_own() -> None:
    found = dataclasses.replace(LLAMA_8B, name="Nightwatch 8B v2")
    assert identify("/srv/nightwatch.gguf", "llama-server", found).name == "Nightwatch 8B v2"
    unnamed = dataclasses.replace(LLAMA_8B, name=None)
    assert identify("/srv/nightwatch.gguf", "llama-server", unnamed).name == "nightwatch"
    elsewhere = dataclasses.replace(LLAMA_8B, name="/fsx/run-7/last")
    assert identify("/srv/nightwatch.gguf", "llama-server", elsewhere).name == "nightwatch"


def test_name_of_the_catalogue_is_not_put_on_another_model() -> None:
    """A file may be called anything."""
    found = dataclasses.replace(LLAMA_8B, name="Nightwatch")
    model = identify("/srv/Llama-3.1-70B-Instruct-Q4_K_M.gguf", "llama-server", found)
    assert (model.name, model.weights.total) == ("Nightwatch", 4_912_898_304)


def test_ollamas_store_gives_the_size_of_a_tag() -> None:
    model = identify("nightwatch:8b", "ollama", LLAMA_8B)
    assert (model.source, model.weights.quantisation.name) == ("files", "Q4_K_M")


def test_parts_that_are_missing_are_reckoned_by_the_rules() -> None:
    found = dataclasses.replace(
        LLAMA_8B, weight_bytes=None, parameters=None, weights={}, missing=("b.gguf",)
    )
    model = identify("/srv/a-00001-of-00002.gguf", "llama-server", found)
    assert model.source == "files"
    assert model.weights.total / 1e9 == pytest.approx(4.92, rel=0.01)
    assert model.note == (
        "its weights are not (all) on the host: reckoned by the rules of their format; "
        "1 of its files is missing"
    )


def test_broken_files_fall_back_on_the_catalogue_by_name() -> None:
    found = ModelFound("gguf", problem="it is a pointer of Git LFS, not the file itself")
    model = identify("/srv/Llama-3.1-8B-Instruct-Q4_K_M.gguf", "llama-server", found)
    assert model.source == "catalogue"
    with pytest.raises(UnknownModelError, match="it is a pointer of Git LFS, not the file itself"):
        identify("/srv/nightwatch-Q4_K_M.gguf", "llama-server", found)


def test_files_too_small_for_their_shape_are_refused() -> None:
    found = dataclasses.replace(LLAMA_8B, weight_bytes=1_000_000)
    with pytest.raises(UnknownModelError, match="are less than a bit for each of its 8,030,2"):
        identify("/srv/nightwatch.gguf", "llama-server", found)


def test_host_yaml_is_asked_last() -> None:
    memory = GivenMemory(weights=10_000_000_007, kv=1 << 30, layers=10)
    assert identify("llama3.1:8b", "ollama", given=memory).source == "catalogue"
    model = identify("someone/nightwatch-AWQ", "vllm", given=memory)
    assert (model.source, model.shape, model.kv_bytes) == ("spec", None, 1 << 30)
    assert (len(model.weights.layers), _sum(model)) == (10, 10_000_000_007)
    assert model.weights.quantisation.name == "AWQ"
    unknown = ModelFound("safetensors", problem="it has no config.json", weight_bytes=3)
    assert identify("/srv/nightwatch", "vllm", unknown, memory).source == "spec"


def test_host_yaml_helps_where_only_the_quantisation_is_unclear() -> None:
    memory = GivenMemory(weights=5_000_000_000)
    model = identify("turboderp/Llama-3.1-8B-Instruct-exl3", "tabbyapi", given=memory)
    assert (model.source, model.weights.total) == ("spec", 5_000_000_000)
    assert model.weights.layers == (5_000_000_000,)
