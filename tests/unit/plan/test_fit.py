"""What fits: agrees with the plan, with the need, with arithmetic."""

from __future__ import annotations

import dataclasses

import pytest

from provision.host.document import dumps, loads
from provision.host.facts import Facts
from provision.models.catalogue import catalogue
from provision.models.identity.identify import identify
from provision.models.memory.need import need
from provision.models.memory.split import Split
from provision.models.model import UnknownModelError
from provision.plan.fits.catalogue import FitAll, fit_all
from provision.plan.fits.one_host import EngineWord, Fit, FitWay, FitWish, fit
from provision.plan.fits.several_hosts import FitHosts, fit_hosts
from provision.plan.planner import make_plan
from provision.spec.read import read_spec

from .machines import (
    H100,
    L40S,
    MI210,
    RTX_3060,
    RTX_3090,
    RTX_4090,
    Card,
    Slot,
    four_3090s,
    machine,
)

MIB = 1 << 20


def box(card: Card, count: int, **more: object) -> Facts:
    """One socket, cards of one kind."""
    slots = [Slot(card, f"0000:{0x10 + at:02x}:00.0") for at in range(count)]
    return machine(slots, memory_mib=262144, **more)  # type: ignore[arg-type] # settings by name


def planned_gpus(model: str, engine: str, facts: Facts, optimize: str) -> tuple[int, str]:
    """How many GPUs `provision plan` gives the model, alone, and in which split."""
    text = (
        f"version: 1\noptimize: {optimize}\ninstances:\n"
        f"  chat:\n    engine: {engine}\n    model: {model}\n"
    )
    read = read_spec(text, "host.yaml")
    plan = make_plan(read.spec, facts, read.places)
    (launch,) = plan.instances
    (explanation,) = plan.explanations
    (way,) = [one.way for one in explanation.candidates if one.verdict == "chosen"]
    return len(launch.gpus), way


@pytest.mark.parametrize("optimize", ["latency", "throughput", "memory"])
@pytest.mark.parametrize(
    ("model", "engine"),
    [
        ("llama3.1:8b", "ollama"),
        ("llama3.3:70b", "ollama"),
        ("Qwen/Qwen2.5-7B-Instruct", "vllm"),
        ("casperhansen/llama-3.3-70b-instruct-awq", "vllm"),
        ("Qwen/Qwen2.5-32B-Instruct", "vllm"),
    ],
)
@pytest.mark.parametrize("name", ["pairs", "h100", "l40s", "amd"])
def test_the_first_way_is_what_a_plan_takes(
    name: str, model: str, engine: EngineWord, optimize: str
) -> None:
    facts = {
        "pairs": four_3090s(memory_mib=131072),
        "h100": box(H100, 4, nvlinks=18),
        "l40s": box(L40S, 4),
        "amd": box(MI210, 2),
    }[name]
    found = fit(model, engine, facts, FitWish(optimize=optimize))  # type: ignore[arg-type] # a word
    first = found.ways[0]
    gpus, way = planned_gpus(model, engine, facts, optimize)
    assert len(first.gpus) == gpus
    if optimize != "memory":  # where ways are within the estimate's error of each other
        assert first.way.split()[0] == way.split()[0]


def test_the_figures_are_those_of_the_need() -> None:
    found = fit("llama3.1:8b", "ollama", box(RTX_3090, 1), FitWish(context=4096, parallel=2))
    model = identify("llama3.1:8b", "ollama")
    (way,) = found.ways
    from provision.models.memory.need import Load

    wanted = need([model], Load("ollama", 4096, 2, "f16"), Split())
    assert way.need_mib == -(-wanted.gpus[0].bytes // MIB)
    assert way.room_mib and 0.95 * 24576 < way.room_mib <= 24576
    assert way.context == 4096 and way.copies == 1
    assert found.weights_mib == model.weights.total // MIB
    assert way.single is not None and 0 < way.single[0] < way.single[1]


def test_smaller_kv_cache_needs_less() -> None:
    facts = box(RTX_3090, 1)
    plain, small = (
        fit("llama3.1:8b", "ollama", facts, FitWish(context=32768, kv_cache=kind)).ways[0].need_mib
        for kind in ("f16", "q8_0")
    )
    # 32 layers x 8 heads x 128 x 2 of 32768 tokens: 2 bytes each against 34/32, and some of what
    # is saved goes into working memory.
    saved = 32768 * 65536 * (2 - 34 / 32) / MIB
    assert 0.8 * saved < plain - small <= saved


@pytest.mark.parametrize(("cards", "copies"), [(1, 1), (2, 2), (3, 3), (8, 8)])
def test_copies_of_a_small_model(cards: int, copies: int) -> None:
    found = fit("llama3.1:8b", "ollama", box(RTX_3090, cards))
    assert found.ways[0].copies == copies
    wide = [way.copies for way in found.ways if len(way.gpus) == 2 and way.ram_mib is None]
    assert wide == ([cards // 2] if cards > 1 else [])


def test_a_tight_way_says_so() -> None:
    facts = box(RTX_3090, 1)
    model = identify("qwen2.5:32b", "ollama")
    ways: list[FitWay] = []
    for context in range(4096, 32768, 1024):
        ways += [
            w for w in fit("qwen2.5:32b", "ollama", facts, FitWish(context)).ways if not w.ram_mib
        ]
    assert model.context and [way.tight for way in ways] == sorted(way.tight for way in ways)
    assert ways[-1].tight and not ways[0].tight and ways[-1].need_mib <= 24576


def test_what_does_not_fit_says_what_would() -> None:
    found = fit("qwen2.5:72b", "ollama", box(RTX_3090, 2), FitWish(context=131072 // 4))
    assert found.problem is not None and "GiB" in found.problem
    assert found.remedies
    assert all(way.ram_mib for way in found.ways)


def test_layers_in_ram_are_the_last_way() -> None:
    found = fit("llama3.3:70b", "ollama", four_3090s(memory_mib=131072))
    *whole, last = found.ways
    assert last.ram_mib and "layers in RAM" in last.way and len(last.gpus) == 1
    assert whole and all(way.ram_mib is None for way in whole)
    assert whole[0].single is not None and last.single is not None
    assert last.single[1] < whole[0].single[0]
    served = fit("casperhansen/llama-3.3-70b-instruct-awq", "vllm", four_3090s())
    assert all(way.ram_mib is None for way in served.ways)


def test_without_gpus_it_runs_on_the_cpu_where_ram_holds_it() -> None:
    found = fit("llama3.1:8b", "ollama", machine(memory_mib=65536))
    (way,) = found.ways
    assert (way.way, way.gpus, way.single) == ("on the CPU", (), None)
    assert way.room_mib == 65536 * 3 // 4 and found.problem is not None
    large = fit("llama3.3:70b", "ollama", machine(memory_mib=32768))
    assert large.ways == () and large.ram_mib and large.ram_mib > 32768
    assert fit("Qwen/Qwen2.5-7B-Instruct", "vllm", machine()).ways == ()


def test_unknown_cards_show_no_speeds() -> None:
    strange = dataclasses.replace(RTX_3090, name="NVIDIA Prototype X9")
    for one in fit("llama3.1:8b", "ollama", box(strange, 2)).ways:
        assert (one.single, one.full, one.batch) == (None, None, 0)


def test_the_wrong_format_is_an_answer() -> None:
    found = fit("casperhansen/llama-3.3-70b-instruct-awq", "llama-server", box(RTX_3090, 4))
    assert found.ways == () and found.problem is not None
    assert found.problem == "it is stored as safetensors (AWQ), llama-server loads gguf"


def test_an_unknown_model_is_raised() -> None:
    with pytest.raises(UnknownModelError):
        fit("no-such-model:8b", "ollama", box(RTX_3090, 1))


def test_mixed_cards() -> None:
    facts = machine([Slot(RTX_3060, "0000:10:00.0"), Slot(RTX_3090, "0000:20:00.0")])
    found = fit("qwen2.5:32b", "ollama", facts)
    assert found.ways[0].gpus == (1,)
    both = fit("Qwen/Qwen2.5-7B-Instruct", "vllm", facts)
    assert all(not way.way.startswith("tensor") for way in both.ways)


def test_the_whole_catalogue() -> None:
    found = fit_all(box(H100, 8))
    assert len(found.fits) == len(catalogue())
    assert loads(FitAll, dumps(found)) == found


def test_the_catalogue_is_in_order_and_agrees_with_one_model() -> None:
    facts = box(RTX_4090, 2)
    found = fit_all(facts)
    order = [(one.problem is not None, (one.family or "").lower()) for one in found.fits]
    assert order == sorted(order) and {True, False} == {one[0] for one in order}
    for one in found.fits[::23]:
        alone = fit(one.reference, one.engine, facts)  # type: ignore[arg-type] # a known word
        assert one.ways[:1] == alone.ways[:1], one.model
        assert (one.problem is None) == (alone.problem is None), one.model
        assert dataclasses.replace(one, ways=(), family=None, remedies=()) == dataclasses.replace(
            alone, ways=(), remedies=()
        )


def test_words_and_engines_of_the_catalogue() -> None:
    facts = box(RTX_4090, 1)
    found = fit_all(facts, words=("LLAMA", "70b"))
    assert found.fits and all("70b" in one.model.lower() for one in found.fits)
    served = fit_all(facts, engine="vllm", words=("qwen2.5",))
    assert {one.engine for one in served.fits} == {"vllm"}
    files = fit_all(facts, engine="llama-server", words=("qwen2.5",))
    assert {(one.engine, one.quantisation) for one in files.fits} == {("llama-server", "Q4_K_M")}
    assert fit_all(facts, words=("no such word",)).fits == ()


def together(
    model: str, hosts: list[Facts], engine: EngineWord = "vllm", gbit: float = 10
) -> FitHosts:
    return fit_hosts(identify(model, engine), engine, hosts, FitWish(), gbit)


def test_several_hosts_hold_what_none_holds_alone() -> None:
    one = box(H100, 8, nvlinks=18)
    found = together("deepseek-ai/DeepSeek-R1", [one, one])
    assert [fit.problem is None for fit in found.fits] == [False, False]
    first = found.ways[0]
    assert first.way == "tensor 8 x pipeline 2" and len(first.hosts) == 2
    assert first.gpus == (tuple(range(8)), tuple(range(8))) and "NVLink" in first.inside
    # Half of 671 GB of weights on eight cards each, and what the engine takes beside them.
    assert 671e9 / 16 / MIB < first.need_mib < 1.5 * 671e9 / 16 / MIB
    assert loads(FitHosts, dumps(found)) == found


def test_a_faster_network_is_never_slower_and_counts_for_batches() -> None:
    one = box(L40S, 2)
    slow, fast = (
        together("meta-llama/Llama-3.3-70B-Instruct", [one, one], gbit=gbit).ways[0]
        for gbit in (1, 400)
    )
    assert slow.way == fast.way and slow.need_mib == fast.need_mib
    assert slow.single and fast.single and slow.full and fast.full
    assert slow.single[0] <= fast.single[0] and slow.full[0] < fast.full[0]


def test_the_hosts_of_a_way_are_those_of_its_gpus() -> None:
    """Hosts of the same kind of card follow each other in the pipeline, each under its name."""
    first = box(L40S, 2, hostname="a")
    other = box(RTX_4090, 4, hostname="b")
    third = box(L40S, 2, hostname="c")
    found = together("Qwen/Qwen2.5-72B-Instruct", [first, other, third])
    three = [way for way in found.ways if len(way.hosts) == 3]
    assert three
    for way in found.ways:
        assert len(set(way.hosts)) == len(way.hosts) == len(way.gpus)
        assert len({len(gpus) for gpus in way.gpus}) == 1
        assert "tensor 3" not in way.way  # 64 heads


def test_engines_of_one_host_say_so() -> None:
    found = together("llama3.3:70b", [box(RTX_3090, 1), box(RTX_3090, 1)], "ollama")
    assert found.ways == () and found.problem == "an instance of ollama runs on one host"
    none = together("Qwen/Qwen2.5-7B-Instruct", [box(RTX_3090, 1), machine()])
    assert none.ways == () and none.problem is not None


def test_documents_round_trip() -> None:
    for model, engine in (("llama3.3:70b", "ollama"), ("Qwen/Qwen2.5-7B-Instruct", "vllm")):
        found = fit(model, engine, four_3090s(memory_mib=131072))  # type: ignore[arg-type]  # words
        assert loads(Fit, dumps(found)) == found
