"""From what inspection read to shape and weights."""

from __future__ import annotations

import dataclasses

import pytest

from provision.host.facts import ModelFound
from provision.models.catalogue import find
from provision.models.identity.found import describe
from provision.models.identity.found_config import config_shape
from provision.models.identity.keys import UnclearError
from provision.models.tensors import parameters
from provision.models.weights import Quantisation

from .headers import LLAMA, SMALL, config_json, header


@pytest.mark.parametrize(
    "name", ["Llama-3.2-1B-Instruct", "Llama-3.1-8B-Instruct", "gemma-2-9b-it"]
)
def test_tied_head_shows_in_the_number_of_weights(name: str) -> None:
    listed = find(name)
    assert listed is not None
    shape = listed.shape
    found = dataclasses.replace(
        header(shape.architecture, block_count=shape.layers, embedding_length=shape.hidden,
              feed_forward_length=shape.ffn, attention__head_count=shape.heads,
              attention__head_count_kv=shape.kv_heads, attention__key_length=shape.head_dim,
              attention__value_length=shape.head_dim, vocab_size=shape.vocab),
        parameters=listed.parameters, weight_bytes=listed.parameters * 2,
    )  # fmt: skip
    found = dataclasses.replace(
        found, settings={**found.settings, "tokenizer.ggml.tokens.count": shape.vocab}
    )
    described = describe(found, quantisation=Quantisation("gguf", "F16"))
    assert described.shape.tied == shape.tied
    assert described.weights.total == listed.parameters * 2
    assert (described.weights.output == 0) == shape.tied


def test_folder_is_exact() -> None:
    found = dataclasses.replace(
        config_json(**LLAMA), format="safetensors", parameters=8_030_261_248,
        weight_bytes=16_060_522_496, weights={"BF16": 16_060_522_496},
    )  # fmt: skip
    described = describe(found)
    assert (described.weights.total, described.weights.error) == (16_060_522_496, 0.0)
    assert described.weights.quantisation == Quantisation("safetensors", "BF16")
    assert described.weights.output == described.weights.embedding == 128256 * 4096 * 2
    assert (described.shape.other_parameters, described.notes) == (0, ())


def test_weights_beside_the_layers_are_found_by_their_number() -> None:
    plain = config_shape(config_json(**LLAMA))
    tower = 630_000_000
    found = dataclasses.replace(
        config_json(**LLAMA), format="safetensors", parameters=parameters(plain) + tower,
        weight_bytes=2 * (parameters(plain) + tower), weights={"BF16": 1},
    )  # fmt: skip
    described = describe(found)
    assert described.shape.other_parameters == tower
    assert described.weights.other == pytest.approx(2 * tower, rel=0.001)


def test_pickled_files_have_an_error() -> None:
    found = dataclasses.replace(config_json(**LLAMA), format="pytorch", weight_bytes=16_061_000_000)
    assert describe(found).weights.error > 0


def test_configuration_alone_is_reckoned() -> None:
    described = describe(config_json(**LLAMA))
    assert described.weights.total == pytest.approx(16_060_522_496, rel=1e-5)
    assert described.notes == (
        "its weights are not (all) on the host: reckoned by the rules of their format",
    )


def test_adapter_is_no_model() -> None:
    found = config_json(peft_type="LORA", base_model_name_or_path="meta-llama/Llama-3.1-8B")
    with pytest.raises(UnclearError, match=r"an adapter of meta-llama/Llama-3\.1-8B, not"):
        describe(dataclasses.replace(found, format="safetensors", weight_bytes=10**8))


def test_catalogue_helps_files_that_do_not_tell_their_shape() -> None:
    listed = find("Llama-3.1-8B-Instruct")
    assert listed is not None
    found = ModelFound("safetensors", weight_bytes=16_060_522_496, weights={"BF16": 1})
    described = describe(found, listed.shape)
    assert (described.shape, described.weights.error) == (listed.shape, 0.0)
    assert described.notes == (
        "the shape is the catalogue's, since its config.json does not say model_type",
    )
    with pytest.raises(UnclearError):
        describe(found)


@pytest.mark.parametrize(
    ("found", "embeds"),
    [
        (header("nomic-bert", **SMALL), True),
        (header("qwen3", **SMALL, pooling_type=3), True),
        (header("qwen3", **SMALL, pooling_type=0), False),
        (config_json(**{**LLAMA, "model_type": "bert", "architectures": ["BertModel"]}), True),
        (config_json(**LLAMA), False),
    ],
)
def test_what_gives_vectors(found: ModelFound, embeds: bool) -> None:
    described = describe(found, quantisation=Quantisation("gguf", "F16"))
    assert described.embeds is embeds
