"""Which GPU holds how much of the weights."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from provision.models.memory.need import Load, need
from provision.models.memory.split import Split
from provision.models.model import Model
from provision.models.shape import Experts, Shape
from provision.models.weights import Quantisation, Weights

from .shapes import (
    DEEPSEEK,
    GEMMA,
    GGUF_LOAD,
    GIB,
    HYBRID,
    LLAMA_1B,
    LLAMA_8B,
    LLAMA_70B,
    LLAMA_70B_GGUF,
    QWEN_MOE,
    SHAPES,
    VLLM,
    gguf,
    part,
    stored,
)


def test_llama_cpp_keeps_the_input_table_in_ram() -> None:
    found = need([LLAMA_70B_GGUF], GGUF_LOAD, Split())
    weights = LLAMA_70B_GGUF.weights
    assert part(found.gpus[0], "weights").bytes == weights.total - weights.embedding
    (table,) = [each for each in found.ram if each.name == "weights"]
    assert table.bytes == weights.embedding
    assert found.page_cache == weights.total


def test_a_tied_table_is_on_the_gpu_as_head_and_in_ram_as_table() -> None:
    model = stored(LLAMA_1B)
    found = need([model], GGUF_LOAD, Split())
    assert part(found.gpus[0], "weights").bytes == model.weights.total
    assert [each.bytes for each in found.ram if each.name == "weights"] == [model.weights.embedding]


def test_vllm_holds_a_tied_table_once_and_on_both_ends_of_a_pipeline() -> None:
    model = stored(LLAMA_1B)
    (one,) = need([model], VLLM, Split()).gpus
    assert part(one, "weights").bytes == model.weights.total
    both = need([model], VLLM, Split(pipeline=2)).gpus
    total = sum(part(gpu, "weights").bytes for gpu in both)
    assert total == model.weights.total + model.weights.embedding


@given(
    shape=st.sampled_from([LLAMA_70B, QWEN_MOE, HYBRID]),
    data=st.data(),
    engine=st.sampled_from(["vllm", "llama-server", "tabbyapi"]),
)
@settings(max_examples=40, deadline=None)
def test_stages_and_ram_together_hold_the_weights(
    shape: Shape, data: st.DataObject, engine: str
) -> None:
    model = stored(shape)
    cuts = sorted(data.draw(st.lists(st.integers(0, shape.layers), max_size=4)))
    offloaded = data.draw(st.integers(0, cuts[0] if cuts else shape.layers))
    ends = [offloaded, *cuts, shape.layers]
    layers = tuple(b - a for a, b in pairwise(ends))
    split = Split(pipeline=len(layers), layers=layers, offloaded=offloaded)
    found = need([model], Load(engine, 4096, 1), split)
    held = sum(each.bytes for gpu in found.gpus for each in gpu.parts if each.name == "weights")
    held += sum(each.bytes for each in found.ram if each.name == "weights")
    assert held == model.weights.total


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("tensor", [2, 4, 8])
@pytest.mark.parametrize("experts", [False, True])
def test_tensor_ranks_together_hold_the_weights_and_little_more(
    shape: Shape, tensor: int, experts: bool
) -> None:
    model = stored(shape)
    (one,) = need([model], VLLM, Split()).gpus
    ranks = need([model], VLLM, Split(tensor=tensor, experts=experts)).gpus
    whole = part(one, "weights").bytes
    total = sum(part(gpu, "weights").bytes for gpu in ranks)
    assert len(set(ranks)) == 1
    assert whole <= total <= whole * 1.35
    assert sum(gpu.kv_bytes_per_token for gpu in ranks) >= one.kv_bytes_per_token


def test_latent_attention_copies_its_narrow_projections_to_every_rank() -> None:
    model = stored(DEEPSEEK, "FP8")
    rank = part(need([model], VLLM, Split(tensor=8)).gpus[0], "weights").bytes
    loaded = model.weights.total - model.weights.other
    narrow = 61 * (7168 * 1536 + 7168 * 576)  # one byte each
    assert rank - loaded / 8 == pytest.approx(
        narrow * 7 / 8 + 58 * 7168 * 256 * 2 * 7 / 8, rel=0.05
    )


def test_copied_kv_heads_copy_their_projections_too() -> None:
    shape = replace(QWEN_MOE, experts=None, ffn=6144, kv_heads=2)
    model = stored(shape)
    two, four = (
        part(need([model], VLLM, Split(tensor=size)).gpus[0], "weights").bytes for size in (2, 4)
    )
    kv = 2 * 48 * 2 * 2048 * 2 * 128
    assert 4 * four - 2 * two == pytest.approx(kv, rel=0.02)


def test_whole_experts_need_more_room_where_their_number_is_not_divided() -> None:
    shape = replace(QWEN_MOE, experts=Experts(60, 4, 768))
    model = stored(shape)
    cut, whole = (
        part(need([model], VLLM, Split(tensor=8, experts=way)).gpus[0], "weights").bytes
        for way in (False, True)
    )
    assert whole - cut == pytest.approx(model.weights.experts * (8 / 60 - 1 / 8), rel=0.001)


def test_prediction_layers_are_not_loaded_and_a_vision_tower_is_on_the_first_stage() -> None:
    model = stored(DEEPSEEK, "FP8")
    (gpu,) = need([model], VLLM, Split()).gpus
    assert part(gpu, "weights").bytes < model.weights.total - 13_000_000_000
    first, last = need([stored(GEMMA)], VLLM, Split(pipeline=2)).gpus
    assert part(first, "weights").bytes - part(last, "weights").bytes > 700_000_000
    assert part(first, "activations").bytes > part(last, "activations").bytes - 3 * 2**30


def test_several_models_share_the_ratio_of_a_split() -> None:
    models = [LLAMA_70B_GGUF, gguf(LLAMA_1B, 800_000_000)]
    found = need(models, Load("ollama", 4096, 1), Split(pipeline=2, layers=(20, 60)))
    notes = [[each.note for each in gpu.parts if each.name == "weights"] for gpu in found.gpus]
    assert ["layers 0 to 3" in notes[0][1], "layers 4 to 15" in notes[1][1]] == [True, True]


def test_a_draft_model_of_vllm_is_on_the_last_stage_cut_by_tensor() -> None:
    load = replace(VLLM, draft=stored(LLAMA_1B))
    found = need([stored(LLAMA_70B)], load, Split(tensor=2, pipeline=2))
    drafts = [sum(p.bytes for p in gpu.parts if p.name == "draft") for gpu in found.gpus]
    assert drafts[:2] == [0, 0]
    assert drafts[2] == drafts[3] == pytest.approx(stored(LLAMA_1B).weights.total / 2, rel=0.01)


def test_a_draft_with_fewer_layers_than_gpus() -> None:
    draft = stored(replace(LLAMA_1B, layers=2))
    found = need([LLAMA_70B_GGUF], replace(GGUF_LOAD, draft=draft), Split(pipeline=4))
    drafts = [sum(p.bytes for p in gpu.parts if p.name == "draft") for gpu in found.gpus]
    assert len(drafts) == 4
    assert sum(drafts) >= draft.weights.total - draft.weights.embedding


def test_memory_given_in_the_spec_is_spread_evenly() -> None:
    weights = Weights(Quantisation("safetensors", "BF16"), 80 * GIB, 0, 0, (), 0, 80 * GIB)
    model = Model("own", "own", "spec", weights, kv_bytes=8 * GIB)
    found = need([model], VLLM, Split(tensor=2, pipeline=2))
    assert [part(gpu, "weights").bytes for gpu in found.gpus] == [20 * GIB] * 4
    assert [part(gpu, "kv-cache").bytes for gpu in found.gpus] == [2 * GIB] * 4
    assert all(part(gpu, "activations").error for gpu in found.gpus)


def test_memory_given_with_layers_follows_the_stages() -> None:
    weights = Weights(Quantisation("gguf", "Q4_K_M"), 40 * GIB, 0, 0, (GIB,) * 40, 0, 40 * GIB)
    model = Model("own", "own", "spec", weights, kv_bytes=4 * GIB)
    found = need([model], GGUF_LOAD, Split(pipeline=2, layers=(10, 20), offloaded=10))
    assert [part(gpu, "weights").bytes for gpu in found.gpus] == [10 * GIB, 20 * GIB]
    assert [part(gpu, "kv-cache").bytes for gpu in found.gpus] == [GIB, 2 * GIB]
    ram = {each.name: each.bytes for each in found.ram}
    assert (ram["weights"], ram["kv-cache"]) == (10 * GIB, GIB)


def test_a_split_that_does_not_add_up_is_an_error() -> None:
    with pytest.raises(ValueError, match="has 80 layers, the split places 70"):
        need([LLAMA_70B_GGUF], GGUF_LOAD, Split(pipeline=2, layers=(30, 40)))


def test_a_model_of_vectors_has_its_head_in_llama_cpp_only() -> None:
    model = replace(stored(LLAMA_8B), embeds=True)
    (vllm,), (llama,) = (need([model], load, Split()).gpus for load in (VLLM, GGUF_LOAD))
    weights = model.weights
    assert part(vllm, "weights").bytes == weights.total - weights.output
    assert part(llama, "weights").bytes == weights.total - weights.embedding
