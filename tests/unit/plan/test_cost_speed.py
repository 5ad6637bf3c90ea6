"""The estimate: what must hold on any cards, and the ranking of ways by links."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provision.host.facts import Gpu, GpuLink, NvLink, PathClass, PcieLink, Vendor
from provision.host.quantity import PciAddress
from provision.models.formats.weigh import weigh
from provision.models.memory.need import GpuNeed, Load, Need, Part, kv_tokens, need
from provision.models.memory.split import Split
from provision.models.model import Model
from provision.models.shape import Experts, Shape
from provision.models.weights import Quantisation, Weights
from provision.plan.cost.cards import Card, card_of
from provision.plan.cost.links import Joint, joint_of
from provision.plan.cost.speed import Ground, Speed, estimate, step_seconds
from provision.plan.machine.gpus import GpuTable

NONE = Joint("none", 0.0, 0.0, None, "one GPU")
NVLINK = Joint("nvlink", 240.0, 10.0, True, "joined by 12 NVLinks")
PCIE = Joint("pcie", 12.6, 60.0, False, "on PCIe 4.0 x16 without peer access")
LLAMA_8B = Shape("llama", 32, 4096, 32, 8, 128, 14336, 128256)
LLAMA_70B = Shape("llama", 80, 8192, 64, 8, 128, 28672, 128256)


def model(
    layers: int = 40, layer_bytes: int = 200_000_000, experts: Experts | None = None
) -> Model:
    """A model whose figures are easy to follow: head and input table of 500 MB each."""
    shape = Shape("llama", layers, 5120, 40, 8, 128, 0 if experts else 13824, 100_000)
    if experts:
        shape = Shape("qwen3moe", layers, 5120, 40, 8, 128, 0, 100_000, experts=experts)
    total = layers * layer_bytes
    routed = round(total * 0.9) if experts else 0
    idle = routed * (1 - experts.used / experts.count) if experts else 0.0
    weights = Weights(
        Quantisation("safetensors", "BF16"),
        total + 1_000_000_000,
        500_000_000,
        500_000_000,
        (layer_bytes,) * layers,
        routed,
        round(total - idle) + 500_000_000,
    )
    return Model("test", "test", "spec", weights, shape)


def needing(split: Split, per_token: int = 160_000) -> Need:
    """KV bytes a token, spread evenly over all ranks."""
    part = Part("weights", 1)
    return Need((GpuNeed((part,), kv_bytes_per_token=per_token // split.gpus),) * split.gpus)


def card(bandwidth: float = 900.0, tflops: float = 100.0) -> Card:
    return Card("test", bandwidth, tflops, "gddr")


def speed(
    of: Model,
    split: Split = Split(),  # noqa: B008  # frozen
    joint: Joint = PCIE,
    cards: tuple[Card | None, ...] | None = None,
    load: Load | None = None,
    kv: int | None = None,
    ram: float = 40.0,
) -> Speed:
    ground = Ground(
        cards if cards is not None else (card(),) * split.gpus, joint, joint, ram_gbs=ram
    )
    return estimate([of], load or Load("vllm", 8192, 64), split, needing(split), ground, kv)


splits = st.sampled_from(
    [Split(), Split(tensor=2), Split(tensor=4), Split(pipeline=2), Split(pipeline=4),
     Split(tensor=2, pipeline=2)]
)  # fmt: skip
engines = st.sampled_from(["vllm", "sglang", "ollama", "llama-server", "tabbyapi"])
mixtures = st.sampled_from([None, Experts(128, 8, 768), Experts(8, 2, 14336)])


@given(splits, engines, st.floats(100, 8000), st.floats(1.0, 4.0), mixtures)
def test_more_bandwidth_is_never_slower(
    split: Split, engine: str, gbs: float, factor: float, experts: Experts | None
) -> None:
    load = Load(engine, 8192, 32)
    slow, fast = (
        speed(model(experts=experts), split, cards=(card(one),) * split.gpus, load=load)
        for one in (gbs, gbs * factor)
    )
    assert fast.single.middle >= slow.single.middle
    assert fast.full.middle >= slow.full.middle
    assert fast.prompt.middle >= slow.prompt.middle


@given(splits, engines, st.integers(10_000_000, 2_000_000_000), st.floats(1.0, 4.0))
def test_fewer_bytes_are_never_slower(split: Split, engine: str, size: int, factor: float) -> None:
    load = Load(engine, 8192, 32)
    small = speed(model(layer_bytes=size), split, load=load)
    large = speed(model(layer_bytes=round(size * factor)), split, load=load)
    assert small.single.middle >= large.single.middle
    assert small.full.middle >= large.full.middle
    assert small.prompt.middle >= large.prompt.middle


@given(engines, st.integers(1, 7), st.integers(80, 200), mixtures)
def test_more_stages_never_speed_up_one_stream(
    engine: str, stages: int, layers: int, experts: Experts | None
) -> None:
    load = Load(engine, 8192, 1)
    of = model(layers, experts=experts)
    few, many = (speed(of, Split(pipeline=count), load=load) for count in (stages, stages + 1))
    # KV bytes are cut by whole numbers here, hence the tiny slack.
    assert many.single.middle <= few.single.middle * 1.0001


@given(st.sampled_from([2, 4, 8]), st.integers(1, 256), mixtures)
def test_tensor_over_nvlink_is_never_slower(
    ranks: int, parallel: int, experts: Experts | None
) -> None:
    split, load = Split(tensor=ranks), Load("vllm", 8192, parallel)
    fast = speed(model(experts=experts), split, NVLINK, load=load)
    slow = speed(model(experts=experts), split, PCIE, load=load)
    assert fast.single.middle > slow.single.middle
    assert fast.full.middle > slow.full.middle
    assert fast.prompt.middle > slow.prompt.middle


@given(splits, engines, st.integers(1, 255), st.integers(1, 100), mixtures)
def test_a_larger_batch_never_gives_less(
    split: Split, engine: str, batch: int, more: int, experts: Experts | None
) -> None:
    of = model(experts=experts)
    small = speed(of, split, load=Load(engine, 8192, batch))
    large = speed(of, split, load=Load(engine, 8192, batch + more))
    assert large.batch >= small.batch
    assert large.full.middle >= small.full.middle * 0.999999


@given(splits, engines, st.integers(0, 20), st.integers(1, 20))
def test_layers_in_ram_never_help(split: Split, engine: str, offloaded: int, more: int) -> None:
    load = Load(engine, 8192, 1)
    some, others = (
        Split(split.tensor, split.pipeline, offloaded=count)
        for count in (offloaded, offloaded + more)
    )
    assert speed(model(), others, load=load).single.middle < (
        speed(model(), some, load=load).single.middle
    )


def test_bands_hold_their_middle() -> None:
    got = speed(model(), load=Load("vllm", 8192, 8))
    for band in (got.single, got.full, got.prompt):
        assert 0 < band.low < band.middle < band.high
    assert got.single.high / got.single.low == pytest.approx(1.25 / 0.75)
    assert got.prompt.high / got.prompt.low == pytest.approx(1.4 / 0.6)


def test_band_is_wide_where_the_host_decides() -> None:
    small = model(80, 10_000_000)
    through_host = speed(small, Split(tensor=4), PCIE)
    direct = speed(small, Split(tensor=4), NVLINK)
    assert through_host.single.high / through_host.single.low == pytest.approx(1.4 / 0.6)
    assert direct.single.high / direct.single.low == pytest.approx(1.25 / 0.75)


def test_one_stream_by_hand() -> None:
    """40 layers of 200 MB and a head of 500 MB at 90 % of 900 GB/s, 4096 tokens of KV deep in the
    middle of a context of 8192 (limited to 2048), 0.03 ms a layer."""
    seconds = (8.5e9 + 2048 * 160_000) / (0.9 * 900e9) + 40 * 0.03e-3
    assert speed(model()).single.middle == pytest.approx(1 / seconds)


def test_each_stage_has_its_own_bandwidth() -> None:
    """A 3090 with a 3060: the time is the sum, not twice that of the slower card."""
    load = Load("llama-server", 2048, 1)
    split = Split(pipeline=2, layers=(30, 10))
    cards = (card(936), card(360))
    both = speed(model(), split, cards=cards, load=load)
    seconds = (30 * 0.2e9 + 1024 * 80_000) / (0.9 * 936e9)
    seconds += (10 * 0.2e9 + 0.5e9 + 1024 * 80_000) / (0.9 * 360e9)
    seconds += 40 * 0.08e-3 + 0.19e-3 + 5120 * 2 / 12.6e9
    assert both.single.middle == pytest.approx(1 / seconds)


def test_unequal_tensor_waits_for_the_slower_card() -> None:
    split, load = Split(tensor=2), Load("tabbyapi", 8192, 1)
    mixed = speed(model(), split, cards=(card(936), card(360)), load=load)
    slow = speed(model(), split, cards=(card(360), card(360)), load=load)
    assert mixed.single.middle == pytest.approx(slow.single.middle)


def test_experts_that_are_not_used_are_not_read() -> None:
    """A batch of one reads 8 of 128 experts, a large batch nearly all of them."""
    experts = Experts(128, 8, 768)
    of, dense = model(experts=experts), model()
    load, split = Load("vllm", 8192, 256), Split()
    ground = Ground((card(tflops=1e6),), NONE, NONE)
    alone, many = (
        step_seconds([of], load, split, needing(split, 0), ground, n, 0) for n in (1, 256)
    )
    routed = 40 * 0.2e9 * 0.9
    assert alone == pytest.approx(
        (0.5e9 + 40 * 0.2e9 * 0.1 + routed * 8 / 128) / (0.9 * 900e9) + 40 * 0.03e-3
    )
    whole = (8.5e9) / (0.9 * 900e9) + 40 * 0.03e-3
    assert 0.98 * whole < many <= whole * 1.0001
    assert speed(of).single.middle > 3 * speed(dense).single.middle


def test_whole_experts_on_ranks_are_read_unevenly() -> None:
    of, load = model(experts=Experts(128, 8, 768)), Load("vllm", 8192, 8)
    cut = speed(of, Split(tensor=4), NVLINK, load=load)
    whole = speed(of, Split(tensor=4, experts=True), NVLINK, load=load)
    assert cut.single.middle / 2 < whole.single.middle < cut.single.middle


def test_batch_is_what_the_cache_holds() -> None:
    load = Load("vllm", 32768, 64)
    assert speed(model(), load=load, kv=20_480).batch == 10
    assert speed(model(), load=load, kv=500).batch == 1
    assert speed(model(), load=load).batch == 64
    assert speed(model(), load=Load("vllm", 512, 1000), kv=10**9).batch == 256


def test_a_share_of_the_card() -> None:
    """Half of a card is half as fast, but for the overhead of its layers."""
    load, split = Load("vllm", 8192, 1), Split()
    whole, half = (
        estimate(
            [model()], load, split, needing(split), Ground((card(),), NONE, NONE, share=share)
        ).single.middle
        for share in (1.0, 0.5)
    )
    assert whole / 2 < half < whole * 0.6


def test_fp8_arithmetic_counts_where_card_and_weights_have_it() -> None:
    of = model()
    eight = Model("x", "x", "spec", _in(of.weights, "FP8"), of.shape)
    with_fp8 = Card("test", 900, 100, "gddr", 200)
    assert speed(eight, cards=(with_fp8,)).prompt.middle == pytest.approx(
        2 * speed(eight).prompt.middle, rel=0.05
    )
    assert speed(of, cards=(with_fp8,)).prompt.middle == speed(of).prompt.middle


def _in(weights: Weights, name: str) -> Weights:
    return Weights(
        Quantisation("safetensors", name),
        weights.total,
        weights.embedding,
        weights.output,
        weights.layers,
        weights.experts,
        weights.read_per_token,
    )


def test_unknown_cards_are_assumed() -> None:
    got = speed(model(), Split(tensor=2), NVLINK, cards=(card(), None))
    assert got.assumed and got.single.middle > 0
    assert not speed(model()).assumed


def test_unknown_shape_is_assumed() -> None:
    known = model()
    got = speed(Model("x", "x", "spec", known.weights, None))
    assert got.assumed and got.single.middle > 0


def test_on_the_cpu() -> None:
    """All layers in RAM: 8.5 GB a token at 70 % of 40 GB/s."""
    load = Load("llama-server", 8192, 4)
    ground = Ground((), NONE, NONE)
    got = estimate([model()], load, Split(offloaded=40), Need(()), ground)
    assert got.single.middle == pytest.approx(0.7 * 40e9 / 8.5e9)
    assert got.full.middle < 4 * got.single.middle
    assert not got.assumed


def test_half_of_a_70b_in_ram() -> None:
    """What people see with a 70B Q4_K_M on one RTX 3090 and two channels of DDR4: 1 to 3."""
    of = Model("x", "x", "spec", weigh(LLAMA_70B, Quantisation("gguf", "Q4_K_M")), LLAMA_70B)
    split = Split(offloaded=40)
    got = speed(of, split, NONE, (card(936, 71),), Load("ollama", 4096, 1))
    assert 0.5 < got.single.low < got.single.high < 3


def test_vectors_are_only_reading() -> None:
    of = model()
    embedding = Model("x", "x", "spec", of.weights, of.shape, embeds=True)
    got = speed(embedding)
    assert got.single == got.full == got.prompt == speed(of).prompt


def test_the_largest_model_counts() -> None:
    large, small = model(40), model(20)
    split = Split()
    ground = Ground((card(),), NONE, NONE)
    load = Load("ollama", 4096, 1)
    both = estimate([small, large], load, split, needing(split), ground)
    assert both == estimate([large], load, split, needing(split), ground)


# Ranking: what the articles and measurements say about links.


def machine(
    name: str, count: int, memory: int, nvlinks: int = 0, path: PathClass = "PHB"
) -> tuple[list[Gpu], GpuTable]:
    vendor: Vendor = "nvidia"
    wires = (NvLink(0, True, 4),) if nvlinks else ()
    gpus = [
        Gpu(n, f"GPU-{n}", PciAddress(0, n + 1, 0, 0), vendor, name, memory_mib=memory,
            link=PcieLink(16.0, 16, 16), nvlinks=wires)
        for n in range(count)
    ]  # fmt: skip
    links = {
        (a.uuid, b.uuid): GpuLink(a.uuid, b.uuid, path, nvlinks)
        for a in gpus
        for b in gpus
        if a.uuid < b.uuid
    }
    return gpus, GpuTable(tuple(gpus), links)


def on(host: tuple[list[Gpu], GpuTable], shape: Shape, quantisation: str, split: Split) -> Speed:
    """vLLM with 256 requests, a context of 8192 and nine tenths of the memory."""
    gpus, table = host[0][: split.gpus], host[1]
    weights = weigh(shape, Quantisation("safetensors", quantisation))
    of = Model("x", "x", "catalogue", weights, shape)
    load = Load("vllm", 8192, 256)
    parts = need([of], load, split)
    budget = [round((gpu.memory_mib or 0) * 1024**2 * 0.9) for gpu in gpus]
    joint = joint_of(gpus, table)
    ground = Ground(tuple(card_of(gpu) for gpu in gpus), joint, joint)
    return estimate([of], load, split, parts, ground, kv_tokens(parts, budget, 256))


@pytest.mark.parametrize("count", [3, 4, 8])
@pytest.mark.parametrize("quantisation", ["BF16", "AWQ"])
@pytest.mark.parametrize("name", ["NVIDIA GeForce RTX 3090", "NVIDIA GeForce RTX 4090"])
def test_copies_win_on_three_or_more_pcie_cards(name: str, quantisation: str, count: int) -> None:
    host = machine(name, count, 24576)
    copies = count * on(host, LLAMA_8B, quantisation, Split()).full.middle
    if count != 3:  # 32 heads can not be cut in three
        assert copies > on(host, LLAMA_8B, quantisation, Split(tensor=count)).full.middle
    pipeline = on(host, LLAMA_8B, quantisation, Split(pipeline=count)).full
    # With BF16 a card of 24 GB has room for 20 requests only, so a pipeline, which has the weights
    # once, comes near: no further than the band is wide.
    assert copies > (pipeline.middle if quantisation == "AWQ" else pipeline.low)


def test_tensor_pays_over_nvlink() -> None:
    """A 70B on 8 A100 with NVSwitch: tensor beats pipeline by any measure."""
    host = machine("NVIDIA A100-SXM4-80GB", 8, 81920, nvlinks=12)
    tensor = on(host, LLAMA_70B, "BF16", Split(tensor=8))
    pipeline = on(host, LLAMA_70B, "BF16", Split(pipeline=8))
    assert tensor.single.middle > 4 * pipeline.single.middle
    assert tensor.full.middle > pipeline.full.middle
    assert tensor.prompt.middle > pipeline.prompt.middle


def test_two_bridged_cards() -> None:
    host = machine("NVIDIA GeForce RTX 3090", 2, 24576, nvlinks=4)
    tensor = on(host, LLAMA_8B, "BF16", Split(tensor=2))
    pipeline = on(host, LLAMA_8B, "BF16", Split(pipeline=2))
    copies = 2 * on(host, LLAMA_8B, "BF16", Split()).full.middle
    assert tensor.single.middle > 1.5 * pipeline.single.middle
    assert tensor.full.middle > pipeline.full.middle
    assert tensor.full.middle > copies


def test_two_pcie_cards() -> None:
    """Pipeline for throughput, tensor for one stream, as vLLM's documentation advises."""
    host = machine("NVIDIA GeForce RTX 4090", 2, 24564)
    tensor = on(host, LLAMA_8B, "BF16", Split(tensor=2))
    pipeline = on(host, LLAMA_8B, "BF16", Split(pipeline=2))
    assert pipeline.full.middle > tensor.full.middle
    assert pipeline.prompt.middle > tensor.prompt.middle
    assert tensor.single.middle > pipeline.single.middle


def test_a_mixture_reads_prompts_slower_than_its_active_parameters() -> None:
    """As many active parameters as a dense model of that size, in small matrix products."""
    experts = Experts(128, 8, 1728)  # 8 x 1728 = 13824: as much arithmetic as the dense network
    dense, mixed = speed(model(layer_bytes=10**7)), speed(model(layer_bytes=10**7, experts=experts))
    assert mixed.prompt.middle == pytest.approx(0.4 * dense.prompt.middle, rel=0.05)
