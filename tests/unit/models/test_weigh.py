"""Sizes of published GGUF files, and the parts that a size is made of."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provision.models.formats.mixnames import DEFAULTS
from provision.models.formats.weigh import UnknownQuantisationError, weigh, weights_of_size
from provision.models.shape import Experts, Recurrent, Shape
from provision.models.weights import Quantisation, Weights

from .published import FILES, SHAPES


def gguf(name: str) -> Quantisation:
    return Quantisation("gguf", name)


def parts(weights: Weights) -> int:
    return weights.embedding + weights.output + sum(weights.layers) + weights.other


@pytest.mark.parametrize(("model", "name", "size"), FILES)
def test_published_files(model: str, name: str, size: int) -> None:
    weights = weigh(SHAPES[model], gguf(name))
    assert weights.total == pytest.approx(size, rel=0.002)
    assert abs(weights.total - size) <= weights.error * size
    assert parts(weights) == weights.total


def test_tensors_of_llama_to_the_byte() -> None:
    """The header of bartowski's file is what remains: 7.8 MB, the final norm of 16 KiB within."""
    weights = weigh(SHAPES["Llama-3.1-8B"], gguf("Q4_K_M"))
    matrices = sum(weights.layers) + weights.embedding + weights.output
    assert 4920739232 - matrices == 7_857_568
    assert weights.embedding == 128256 * 4096 // 256 * 144
    assert weights.output == 128256 * 4096 // 256 * 210
    assert weights.error == 0.005


def test_a_token_reads_the_whole_head_and_one_row_of_the_table() -> None:
    weights = weigh(SHAPES["Llama-3.1-8B"], gguf("Q4_K_M"))
    row = 4096 // 256 * 144
    assert weights.read_per_token == sum(weights.layers) + weights.output + row + 4 * 4096


def test_a_tied_table_is_read_as_the_head() -> None:
    weights = weigh(SHAPES["Llama-3.2-1B"], gguf("Q8_0"))
    assert weights.output == 0
    assert weights.read_per_token == sum(weights.layers) + weights.embedding + 4 * 2048


def test_a_token_reads_the_experts_that_it_uses() -> None:
    weights = weigh(SHAPES["Qwen3-30B-A3B"], gguf("Q4_K_M"))
    rest = sum(weights.layers) - weights.experts
    assert 0 < rest < weights.experts
    expected = rest + weights.experts * 8 // 128 + weights.output
    assert weights.read_per_token == pytest.approx(expected, rel=1e-4)


def test_an_encoder_reads_one_row_of_its_table() -> None:
    weights = weigh(SHAPES["bge-m3"], gguf("F16"))
    assert weights.read_per_token < 1.01 * sum(weights.layers)
    assert weights.error == 0.01


def test_a_vision_tower_is_a_file_of_its_own_but_for_ollama() -> None:
    """Ollama's gemma3:4b has 3,338,801,804 bytes."""
    shape = replace(SHAPES["Gemma-3-4B"], other_parameters=419_816_560)
    assert weigh(shape, gguf("Q4_K_M")).total == weigh(SHAPES["Gemma-3-4B"], gguf("Q4_K_M")).total
    assert weigh(shape, gguf("Q4_K_M"), tower=True).total == pytest.approx(3338801804, rel=0.005)


def test_a_known_size_tells_whether_the_tower_is_within() -> None:
    shape = replace(SHAPES["Gemma-3-4B"], other_parameters=419_816_560)
    alone = weights_of_size(shape, gguf("Q4_K_M"), 2489758112)
    packed = weights_of_size(shape, gguf("Q4_K_M"), 3338801804)
    assert packed.other - alone.other == pytest.approx(2 * 419_816_560, rel=0.01)
    assert packed.layers[0] == pytest.approx(alone.layers[0], rel=0.01)


def test_a_hybrid_within_its_bound() -> None:
    """unsloth's Qwen3-Next-80B-A3B-Instruct-Q4_K_M.gguf has 48,506,100,512 bytes."""
    shape = Shape(
        *("qwen3next", 48, 2048, 16, 2, 256, 0, 151936),
        experts=Experts(512, 10, 512, 512),
        recurrent=Recurrent(36, 2_000_000, 33_718_464),
    )
    weights = weigh(shape, gguf("Q4_K_M"))
    assert weights.error == 0.03
    assert weights.total == pytest.approx(48506100512, rel=weights.error)


def test_bounds_say_what_is_not_known() -> None:
    unknown = replace(SHAPES["Llama-3.1-8B"], architecture="llama-of-tomorrow")
    assert weigh(unknown, gguf("Q4_K_M")).error == 0.03
    assert weigh(SHAPES["Llama-3.1-8B"], gguf("UD-Q4_K_XL")).error == 0.1


@pytest.mark.parametrize("name", ["Q9_K", "UD-IQ1_S"])
def test_unknown_rules_are_refused(name: str) -> None:
    with pytest.raises(UnknownQuantisationError, match=name):
        weigh(SHAPES["Llama-3.1-8B"], gguf(name))


@pytest.mark.parametrize("name", sorted(DEFAULTS))
def test_every_known_name_weighs_every_model(name: str) -> None:
    for shape in SHAPES.values():
        weights = weigh(shape, gguf(name))
        assert parts(weights) == weights.total
        assert weights.experts <= sum(weights.layers)
        assert 0 < weights.read_per_token <= weights.total


def test_more_bits_weigh_more() -> None:
    order = ["IQ1_S", "IQ2_XXS", "IQ2_M", "Q3_K_S", "Q3_K_M", "Q3_K_L", "Q4_K_S", "Q4_K_M"]
    order += ["Q5_K_S", "Q5_K_M", "Q6_K", "Q8_0", "BF16", "F32"]
    totals = [weigh(SHAPES["Llama-3.1-8B"], gguf(name)).total for name in order]
    assert totals == sorted(totals)


@given(total=st.integers(10**6, 10**12), name=st.sampled_from(["Q4_K_M", "UD-IQ1_S"]))
def test_a_known_size_is_met_exactly(total: int, name: str) -> None:
    weights = weights_of_size(SHAPES["gpt-oss-20b"], gguf(name), total)
    assert weights.total == parts(weights) == total
    assert min(weights.embedding, weights.output, weights.other, *weights.layers) >= 0
    assert weights.error == 0.0


def test_a_known_size_keeps_the_proportions() -> None:
    reckoned = weigh(SHAPES["Llama-3.1-8B"], gguf("Q4_K_M"))
    doubled = weights_of_size(SHAPES["Llama-3.1-8B"], gguf("Q4_K_M"), 2 * reckoned.total)
    assert doubled.layers[0] == pytest.approx(2 * reckoned.layers[0], abs=1)
    assert doubled.output == pytest.approx(2 * reckoned.output, abs=1)
    assert doubled.read_per_token == 2 * reckoned.read_per_token


def test_an_unknown_mix_is_shared_out_by_elements() -> None:
    shape = SHAPES["Qwen3-30B-A3B"]
    weights = weights_of_size(shape, gguf("UD-IQ1_S"), 9_000_000_000, {"F32": 2_000_000})
    assert weights.experts / weights.total == pytest.approx(0.9495, abs=0.001)
    assert weights.embedding == pytest.approx(weights.output, abs=1)
    assert len(set(weights.layers)) <= 2
    assert weights.read_per_token < 0.15 * weights.total
