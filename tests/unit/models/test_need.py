"""The memory of one instance, against published measurements and against its own rules.

Published: gguf-parser-go's README (Llama 3.1 70B and Qwen2.5 72B in Q4_K_M, without flash
attention), llama.cpp's start-up log of Llama 3.1 8B (compute buffer 258.5 MiB with flash attention
and 560 MiB without it at 8192 tokens), vLLM's pull request 10511 (Llama 3 8B: 14.96 GiB of weights,
7.48 GiB on each of 2, activations 1.26 GiB).
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from provision.models.memory.need import Load, need, need_on_cpu
from provision.models.memory.split import Split
from provision.models.model import Model

from .shapes import (
    GEMMA,
    GGUF_LOAD,
    GIB,
    LLAMA_1B,
    LLAMA_8B,
    LLAMA_70B,
    LLAMA_70B_GGUF,
    MIB,
    OLD,
    QWEN_72B_GGUF,
    QWEN_MOE,
    VLLM,
    gguf,
    part,
    stored,
)


@pytest.mark.parametrize(
    ("model", "context", "published"),
    [
        (LLAMA_70B_GGUF, 2048, 40.49),
        (LLAMA_70B_GGUF, 131072, 95.86),
        (QWEN_72B_GGUF, 32768, 58.18),
    ],
)
def test_published_gguf_on_one_gpu(model: Model, context: int, published: float) -> None:
    (gpu,) = need([model], replace(OLD, context=context), Split()).gpus
    assert gpu.bytes / GIB == pytest.approx(published, rel=0.005)


def test_published_gguf_on_two_gpus() -> None:
    split = Split(pipeline=2, layers=(36, 44))
    first, last = need([LLAMA_70B_GGUF], replace(OLD, context=1024), split).gpus
    assert first.bytes / GIB == pytest.approx(17.83, rel=0.03)
    assert last.bytes / GIB == pytest.approx(22.83, rel=0.01)


@pytest.mark.parametrize(("flash", "logged"), [(True, 258.5), (False, 560.0)])
def test_published_compute_buffer(flash: bool, logged: float) -> None:
    load = replace(GGUF_LOAD, flash_attention=flash)
    (gpu,) = need([gguf(LLAMA_8B, 4_920_000_000)], load, Split()).gpus
    buffer = part(gpu, "activations")
    assert abs(buffer.bytes / MIB - logged) < buffer.error / MIB


def test_published_vllm_figures() -> None:
    load = replace(VLLM, batch_tokens=8192)
    (one,) = need([stored(LLAMA_8B)], load, Split()).gpus
    assert part(one, "weights").bytes / GIB == pytest.approx(14.96, rel=0.001)
    assert part(one, "activations").bytes / GIB == pytest.approx(1.26, rel=0.15)
    two = need([stored(LLAMA_8B)], load, Split(tensor=2)).gpus
    assert [part(gpu, "weights").bytes / GIB for gpu in two] == pytest.approx([7.48] * 2, rel=0.001)


def test_llama_cpp_allocates_all_requests_and_vllm_needs_room_for_one() -> None:
    four = replace(GGUF_LOAD, parallel=4)
    (gpu,) = need([LLAMA_70B_GGUF], four, Split()).gpus
    assert part(gpu, "kv-cache").bytes == 327_680 * 8192 * 4
    (gpu,) = need([stored(LLAMA_70B)], replace(VLLM, context=8190), Split()).gpus
    assert part(gpu, "kv-cache").bytes == 327_680 * 8192


def test_offloaded_layers_take_their_cache_with_them() -> None:
    found = need([LLAMA_70B_GGUF], GGUF_LOAD, Split(offloaded=20))
    (ram,) = [each for each in found.ram if each.name == "kv-cache"]
    assert ram.bytes == 20 * 4096 * 8192
    assert part(found.gpus[0], "kv-cache").bytes == 60 * 4096 * 8192


def test_experts_in_ram_pass_through_the_compute_buffer() -> None:
    """llama.cpp's README of fit-params: 898 MiB for Qwen3 30B A3B in 16 bits, 4096 tokens."""
    found = need([stored(QWEN_MOE, "F16")], replace(GGUF_LOAD, context=4096), Split(offloaded=30))
    buffer = part(found.gpus[0], "activations")
    assert buffer.bytes / MIB == pytest.approx(898, rel=0.15)


def test_no_graphs_when_eager() -> None:
    names = [each.name for each in need([stored(LLAMA_8B)], VLLM, Split()).gpus[0].parts]
    eager = replace(VLLM, eager=True)
    without = [each.name for each in need([stored(LLAMA_8B)], eager, Split()).gpus[0].parts]
    assert names == ["weights", "kv-cache", "activations", "cuda-context", "cuda-graphs"]
    assert without == names[:-1]


def test_a_step_of_unknown_size_widens_the_error() -> None:
    unsaid, said = (
        part(need([stored(LLAMA_70B)], replace(VLLM, batch_tokens=step), Split()).gpus[0], name)
        for step, name in ((None, "activations"), (2048, "activations"))
    )
    large = part(
        need([stored(LLAMA_70B)], replace(VLLM, batch_tokens=8192), Split()).gpus[0], "activations"
    )
    assert unsaid.bytes == said.bytes
    assert unsaid.bytes + unsaid.error >= large.bytes > said.bytes + said.error


def test_several_models_of_ollama_each_have_all_of_their_own() -> None:
    load = Load("ollama", 4096, 1)
    models = [gguf(LLAMA_8B, 4_912_000_000), gguf(LLAMA_1B, 800_000_000)]
    both = need(models, load, Split())
    alone = [need([model], load, Split()).gpus[0] for model in models]
    margin = part(alone[0], "fit-margin").bytes
    assert both.gpus[0].bytes == sum(gpu.bytes for gpu in alone) - margin
    assert both.gpus[0].kv_bytes_per_token == sum(gpu.kv_bytes_per_token for gpu in alone)
    assert sum(each.note.startswith("llama-server") for each in both.ram) == 2


def test_ollama_cuts_the_context_to_what_the_model_was_trained_for() -> None:
    model = gguf(replace(LLAMA_8B, context=8192), 4_912_000_000)
    asked, trained = (
        need([model], Load("ollama", context, 1), Split()).gpus[0].bytes
        for context in (131072, 8192)
    )
    assert asked == trained


def test_a_draft_model_adds_its_weights_and_cache() -> None:
    draft = stored(LLAMA_1B)
    for load, model in ((VLLM, stored(LLAMA_70B)), (GGUF_LOAD, LLAMA_70B_GGUF)):
        (plain,) = need([model], load, Split()).gpus
        (gpu,) = need([model], replace(load, draft=draft), Split()).gpus
        assert gpu.kv_bytes_per_token - plain.kv_bytes_per_token == 32_768
        drafted = sum(each.bytes for each in gpu.parts if each.name == "draft")
        assert drafted >= draft.weights.total
        assert gpu.bytes - plain.bytes == drafted + 32_768 * 8192


def test_without_gpus_all_is_in_ram() -> None:
    found = need_on_cpu([LLAMA_70B_GGUF], GGUF_LOAD)
    names = [each.name for each in found.ram]
    assert found.gpus == ()
    assert names == ["process", "weights", "kv-cache", "activations", "prompt-cache"]
    by_name = {each.name: each.bytes for each in found.ram}
    assert by_name["weights"] == LLAMA_70B_GGUF.weights.total
    assert by_name["kv-cache"] == 327_680 * 8192


@pytest.mark.parametrize(("mib", "bound"), [(None, 8192), (0, 0), (2048, 2048), (-1, 65_536)])
def test_the_prompt_cache_counts_as_a_ceiling(mib: int | None, bound: int) -> None:
    found = need([LLAMA_70B_GGUF], replace(GGUF_LOAD, prompt_cache_mib=mib), Split())
    plain = need([LLAMA_70B_GGUF], replace(GGUF_LOAD, prompt_cache_mib=0), Split())
    assert found.ram_bytes == plain.ram_bytes
    assert found.ram_bound - plain.ram_bound == bound * MIB


def test_windows_may_be_copied_to_ram() -> None:
    names = [each.name for each in need([stored(GEMMA)], GGUF_LOAD, Split()).ram]
    assert "checkpoints" in names
    assert "checkpoints" not in [e.name for e in need([LLAMA_70B_GGUF], GGUF_LOAD, Split()).ram]


def test_vllm_has_a_worker_for_each_gpu() -> None:
    two, four = (need([stored(LLAMA_70B)], VLLM, Split(tensor=size)).ram_bytes for size in (2, 4))
    assert (four - two) / GIB == pytest.approx(5.0)
