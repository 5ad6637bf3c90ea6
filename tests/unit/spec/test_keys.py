"""Keys that say how a model lies on the GPUs: what is taken; what is refused has golden cases."""

from __future__ import annotations

import pytest

from provision.engines.ability import ABILITIES
from provision.spec.model import InstanceSpec
from provision.spec.read import read_spec
from provision.spec.rules.memory import KV_TYPES

GPU = "GPU-8d4a3e5c-2f1b-7a90-1234-123456789abc"


def read(keys: str, engine: str = "ollama", model: str = "qwen3:4b") -> InstanceSpec:
    text = f"version: 1\ninstances:\n  a: {{engine: {engine}, model: {model}, {keys}}}\n"
    return read_spec(text).spec.instances["a"]


def test_types_of_the_cache_are_those_that_engines_are_planned_with() -> None:
    """Two tables, since the reader may not know the engines."""
    assert {name: ABILITIES[name].kv_types for name in KV_TYPES} == KV_TYPES


@pytest.mark.parametrize("engine", sorted(KV_TYPES))
def test_every_type_that_an_engine_knows_is_taken(engine: str) -> None:
    model = {"vllm": "a/b", "ollama": "tiny", "llama-server": "/srv/m.gguf"}[engine]
    for kind in KV_TYPES[engine]:
        assert read(f"kv_cache: {kind}", engine, model).kv_cache == kind


@pytest.mark.parametrize(
    "keys", ["replicas: auto", "replicas: auto, gpus: 2", "replicas: auto, gpus: {model: H100}"]
)
def test_as_many_replicas_as_fit(keys: str) -> None:
    assert read(keys).replicas == "auto"


@pytest.mark.parametrize(
    "keys",
    [
        "tensor_parallel_size: 2",
        "tensor_parallel_size: 2, pipeline_parallel_size: 2",
        "pipeline_parallel_size: 3, replicas: auto",
    ],
)
def test_sizes_say_how_many_gpus_auto_means(keys: str) -> None:
    assert read(keys, "vllm", "a/b").gpus == "auto"


def test_instances_that_both_share_may_name_one_gpu() -> None:
    text = (
        "version: 1\ninstances:\n"
        f"  a: {{engine: ollama, model: tiny, gpus: [{GPU}], share_gpus: true}}\n"
        f"  b: {{engine: vllm, model: a/b, gpus: [{GPU}], share_gpus: true}}\n"
    )
    assert read_spec(text).spec.instances["b"].share_gpus


def test_memory_of_the_only_model_of_a_list() -> None:
    text = (
        "version: 1\ninstances:\n  a: {engine: ollama, models: [one], memory: {weights_gib: 4.5}}\n"
    )
    memory = read_spec(text).spec.instances["a"].memory
    assert memory and (memory.weights_gib, memory.kv_cache_gib, memory.layers) == (4.5, 1.0, None)


def test_a_slice_alone_and_reserved() -> None:
    slice_ = "MIG-4c60d78c-506f-5593-938d-a136eaa1fa52"
    assert read(f"gpus: [{slice_}]").gpus == [slice_]
    text = f"version: 1\nreserved_gpus: [{slice_}, {GPU}]\n"
    text += "instances: {a: {engine: ollama, model: b}}\n"
    assert read_spec(text).spec.reserved_gpus == [slice_, GPU]
