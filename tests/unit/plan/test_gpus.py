"""Which GPUs an instance gets."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from provision.host.errors import ProvisionError
from provision.host.facts import Driver, Facts, PciDevice
from provision.host.quantity import PciAddress

from .machines import (
    H100,
    MI210,
    RTX_3060,
    RTX_3090,
    RTX_4090,
    Slot,
    four_3090s,
    gpus_of,
    machine,
    plan,
    running,
    spec,
    uuid_of,
    with_stable,
)

OLLAMA = {"engine": "ollama", "model": "llama3.1:8b"}
VLLM = {"engine": "vllm", "model": "Qwen/Qwen3-8B"}


def ollama(**more: Any) -> dict[str, Any]:
    return {**OLLAMA, **more}


def vllm(**more: Any) -> dict[str, Any]:
    return {**VLLM, **more}


def refused(text: str, facts: Facts) -> dict[str, str]:
    """Rule -> message and hint of each error; the same is not said twice."""
    with pytest.raises(ProvisionError) as caught:
        plan(text, facts)
    errors = [one for one in caught.value.diagnostics if one.severity == "error"]
    assert len({one.rule for one in errors}) == len(errors), errors
    return {one.rule: f"{one.message} | {one.hint}" for one in errors}


SCATTERED = machine(
    [
        Slot(RTX_3090, "0000:01:00.0", 1),
        Slot(RTX_3090, "0000:02:00.0", 0),
        Slot(RTX_3090, "0000:03:00.0", 1),
        Slot(RTX_3090, "0000:04:00.0", 0),
    ],
    nodes=2,
    paths={(0, 2): "NODE", (1, 3): "PHB"},
)


@pytest.mark.parametrize(
    ("facts", "instances", "expected"),
    [
        pytest.param(four_3090s(), {"a": ollama()}, {"a.0": [0]}, id="auto is one"),
        pytest.param(
            four_3090s(),
            {"s": ollama(), "b": vllm(gpus=2)},
            {"s.0": [2], "b.0": [0, 1]},
            id="big before small",
        ),
        pytest.param(
            four_3090s(nvlinks={(2, 3): 4}),
            {"b": vllm(gpus=2)},
            {"b.0": [2, 3]},
            id="NVLink before PCI order",
        ),
        pytest.param(
            four_3090s(nvlinks={(1, 2): 4}),
            {"b": vllm(gpus=2)},
            {"b.0": [1, 2]},
            id="NVLink before one node: what it carries does not pass the sockets",
        ),
        pytest.param(
            SCATTERED, {"b": vllm(gpus=2)}, {"b.0": [1, 3]}, id="one node, then the nearer path"
        ),
        pytest.param(
            four_3090s(),
            {"a": ollama(), "l": vllm(gpus=2, replicas=1), "z": ollama()},
            {"a.0": [2], "l.0": [0, 1], "z.0": [3]},
            id="order of the spec among equals",
        ),
        pytest.param(
            four_3090s(nvlinks={(0, 1): 4}),
            {"a": ollama(), "z": ollama()},
            {"a.0": [2], "z.0": [3]},
            id="a single card leaves NVLink pairs whole",
        ),
        pytest.param(
            four_3090s(),
            {"a": ollama(gpus={"node": 1, "count": 2}), "b": ollama(replicas="per-gpu")},
            {"a.0": [2, 3], "b.0": [0], "b.1": [1]},
            id="per-gpu takes the rest",
        ),
        pytest.param(
            four_3090s(),
            {"b": ollama(replicas="per-gpu"), "a": vllm(gpus=2)},
            {"b.0": [2], "b.1": [3], "a.0": [0, 1]},
            id="per-gpu takes the rest wherever it stands in the file",
        ),
        pytest.param(
            four_3090s(),
            {"a": ollama(), "n": ollama(gpus=["0000:17:00.0", uuid_of("0000:ca:00.0")])},
            {"a.0": [1], "n.0": [0, 3]},
            id="named cards first",
        ),
        pytest.param(
            machine([Slot(RTX_3060, "0000:01:00.0"), Slot(RTX_3090, "0000:02:00.0")]),
            {"a": ollama(), "b": ollama()},
            {"a.0": [1], "b.0": [0]},
            id="the larger card first",
        ),
        pytest.param(
            machine([Slot(RTX_3090, "0000:01:00.0"), Slot(RTX_3060, "0000:02:00.0")]),
            {"a": ollama(), "b": ollama(gpus={"model": "rtx 3090"})},
            {"a.0": [1], "b.0": [0]},
            id="a selector is a claim too, in any case",
        ),
        pytest.param(
            machine(
                [
                    Slot(RTX_3060, "0000:01:00.0"),
                    Slot(RTX_4090, "0000:02:00.0"),
                    Slot(RTX_3060, "0000:03:00.0"),
                ]
            ),
            {"b": vllm(tensor_parallel_size=2, context=4096)},
            {"b.0": [0, 2]},
            id="tensor parallel takes cards of one kind",
        ),
        pytest.param(
            machine([Slot(MI210, "0000:01:00.0"), Slot(RTX_3090, "0000:02:00.0")]),
            {"a": ollama(gpus={"model": "MI210"})},
            {"a.0": [0]},
            id="AMD",
        ),
        pytest.param(
            machine([Slot(H100, "0000:01:00.0", 0, True), Slot(H100, "0000:02:00.0", 0, False)]),
            {"a": vllm()},
            {"a.0": [1]},
            id="not the card in MIG mode",
        ),
        pytest.param(four_3090s(), {"a": ollama(gpus=0)}, {"a.0": []}, id="none"),
    ],
)
def test_selection(facts: Facts, instances: dict[str, Any], expected: dict[str, list[int]]) -> None:
    assert gpus_of(plan(spec(instances), facts)) == expected


def test_uuids_whole_and_in_pci_order_whatever_the_driver_counts() -> None:
    facts = four_3090s()
    turned = with_stable(
        facts,
        gpus=tuple(dataclasses.replace(g, index=3 - g.index) for g in reversed(facts.stable.gpus)),
    )
    made = plan(spec({"a": vllm(gpus=4)}), turned)
    assert [gpu.uuid for gpu in made.instances[0].gpus] == [g.uuid for g in facts.stable.gpus]


def test_a_selector_is_met_though_a_count_wanted_the_same_card() -> None:
    facts = machine([Slot(RTX_3090, "0000:01:00.0", 0), Slot(RTX_3060, "0000:02:00.0", 0)])
    made = plan(spec({"x": ollama(gpus={"node": 0}), "y": ollama(gpus={"model": "3090"})}), facts)
    assert gpus_of(made) == {"x.0": [1], "y.0": [0]}


@pytest.mark.parametrize(
    ("facts", "instances", "rule", "words"),
    [
        pytest.param(
            four_3090s(),
            {"a": vllm(gpus=3), "b": ollama(gpus=2)},
            "gpus-short",
            ["b.0", "1 of 4 is free", "GPU 0 by a.0", "gpus: 1"],
            id="too many in sum",
        ),
        pytest.param(
            four_3090s(),
            {"a": ollama(replicas=6)},
            "gpus-short",
            ["a.4", "0 of 4", "replicas: 4"],
            id="too many replicas",
        ),
        pytest.param(
            machine(), {"a": ollama()}, "no-gpu", ["needs a GPU", "gpus: 0"], id="no GPU at all"
        ),
        pytest.param(
            four_3090s(),
            {"a": ollama(gpus={"model": "H100"})},
            "gpus-short",
            ['"H100"', "this host has none", "RTX 3090"],
            id="no such model",
        ),
        pytest.param(
            four_3090s(),
            {"a": ollama(gpus=["0000:99:00.0"])},
            "no-such-gpu",
            ["0000:99:00.0", "0000:17:00.0"],
            id="no such address",
        ),
        pytest.param(
            four_3090s(),
            {"a": ollama(gpus=["0000:17:00.0"]), "b": ollama(gpus=[uuid_of("0000:17:00.0")])},
            "gpu-taken",
            ["b.0", "held by a.0"],
            id="one card twice, by address and by UUID",
        ),
        pytest.param(
            machine([Slot(RTX_3090, "0000:01:00.0"), Slot(RTX_3060, "0000:02:00.0")]),
            {"a": vllm(gpus=2, tensor_parallel_size=2)},
            "unequal-gpus",
            ["tensor 2 over", "RTX 3060", "smallest card", "pipeline_parallel_size: 2"],
            id="tensor parallel over unequal cards",
        ),
        pytest.param(
            machine([Slot(RTX_3090, "0000:01:00.0"), Slot(RTX_3060, "0000:02:00.0")]),
            {"a": vllm(gpus=["0000:01:00.0", "0000:02:00.0"], tensor_parallel_size=2)},
            "unequal-gpus",
            ["RTX 3060", "one kind", "pipeline_parallel_size: 2"],
            id="named unequal cards",
        ),
        pytest.param(
            machine([Slot(MI210, "0000:01:00.0"), Slot(RTX_3090, "0000:02:00.0")]),
            {"a": ollama(gpus=2)},
            "mixed-vendors",
            ["needs 2 GPUs", "MI210", "RTX 3090", "gpus: 1"],
            id="makers are not mixed by count",
        ),
        pytest.param(
            machine([Slot(MI210, "0000:01:00.0"), Slot(RTX_3090, "0000:02:00.0")]),
            {"a": ollama(gpus=["0000:01:00.0", "0000:02:00.0"])},
            "mixed-vendors",
            ["MI210", "RTX 3090"],
            id="makers are not mixed by name",
        ),
        pytest.param(
            machine([Slot(H100, "0000:01:00.0", 0, True)]),
            {"a": vllm(gpus=["0000:01:00.0"])},
            "gpu-unusable",
            ["MIG mode"],
            id="MIG by name",
        ),
        pytest.param(
            machine([Slot(H100, "0000:01:00.0", 0, True)]),
            {"a": vllm()},
            "gpus-short",
            ["MIG mode"],
            id="MIG by count",
        ),
        pytest.param(
            four_3090s(),
            {"a": vllm(gpus=4), "b": ollama(replicas="per-gpu")},
            "gpus-short",
            ["b.0", "0 of 4", "by a.0"],
            id="nothing left for per-gpu",
        ),
    ],
)
def test_impossible_wishes_say_what_is_missing_and_what_works(
    facts: Facts, instances: dict[str, Any], rule: str, words: list[str]
) -> None:
    found = refused(spec(instances), facts)
    assert rule in found
    for word in words:
        assert word in found[rule]


def test_a_pipeline_takes_cards_of_any_kind() -> None:
    facts = machine([Slot(RTX_3090, "0000:01:00.0"), Slot(RTX_3060, "0000:02:00.0")])
    made = plan(spec({"a": vllm(gpus=2, pipeline_parallel_size=2)}), facts)
    assert gpus_of(made) == {"a.0": [0, 1]}
    assert made.instances[0].tensor_parallel_size == 1


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [
        ({}, (2, 2)),  # tensor within each NVLink pair, stages between the sockets
        ({"tensor_parallel_size": 4}, (4, 1)),
        ({"pipeline_parallel_size": 2}, (2, 2)),
        ({"tensor_parallel_size": 2, "pipeline_parallel_size": 2}, (2, 2)),
    ],
)
def test_parallel_sizes(sizes: dict[str, int], expected: tuple[int, int]) -> None:
    (one,) = plan(spec({"a": vllm(gpus=4, **sizes)}), four_3090s()).instances
    assert (one.tensor_parallel_size, one.pipeline_parallel_size) == expected


def test_a_missing_driver_is_told_in_its_own_words() -> None:
    card = PciDevice(PciAddress.parse("0000:01:00.0"), "10de", "2204", "0300", "nvidia")
    facts = with_stable(
        machine(),
        accelerators=(card,),
        drivers=(Driver("nvidia", problem="NVML: Driver/library version mismatch"),),
    )
    found = refused(spec({"a": ollama()}), facts)
    assert "0000:01:00.0" in found["no-gpu"]
    assert "Driver/library version mismatch" in found["no-gpu"]
    assert "nvidia-smi" in found["no-gpu"]


# --- stability ---------------------------------------------------------------------------------

THREE = {"a": ollama(), "b": ollama(), "c": ollama()}


@pytest.mark.parametrize("gone", ["a", "b", "c"])
def test_removing_an_instance_moves_nothing_else(gone: str) -> None:
    facts = four_3090s()
    before = plan(spec(THREE), facts)
    rest = {name: one for name, one in THREE.items() if name != gone}
    after = plan(spec(rest), running(facts, before))
    assert _same_places(after) == {
        name: place for name, place in _same_places(before).items() if name != f"{gone}.0"
    }
    assert set(after.kept) == {f"{name}.0" for name in rest}


@pytest.mark.parametrize("new", [ollama(), vllm(gpus=1), ollama(gpus=0, numa="off")])
def test_adding_an_instance_moves_nothing_else(new: dict[str, Any]) -> None:
    facts = four_3090s()
    before = plan(spec(THREE), facts)
    after = plan(spec({"new": new, **THREE}), running(facts, before))
    places = _same_places(after)
    places.pop("new.0")
    assert places == _same_places(before)


def _same_places(made: Any) -> dict[str, Any]:
    """All that would restart an instance if it changed."""
    return {one.name: (one.gpus, one.pin, one.threads, one.port) for one in made.instances}


def test_what_runs_is_not_moved_to_a_better_place() -> None:
    facts = four_3090s()
    before = plan(spec({"x": ollama(gpus=2), "b": vllm(gpus=2)}), facts)
    after = plan(spec({"b": vllm(gpus=2)}), running(facts, before))
    assert gpus_of(before)["b.0"] == gpus_of(after)["b.0"]
    assert "stays on" in " ".join(one.text for one in after.reasons)


def test_it_moves_when_another_wish_could_not_be_met_otherwise() -> None:
    facts = machine([Slot(RTX_3090, "0000:01:00.0"), Slot(RTX_3060, "0000:02:00.0")])
    before = plan(spec({"a": ollama()}), facts)
    assert gpus_of(before) == {"a.0": [0]}
    text = spec({"a": ollama(), "b": ollama(gpus={"model": "3090"})})
    after = plan(text, running(facts, before))
    assert gpus_of(after) == {"a.0": [1], "b.0": [0]}
    assert "a.0" not in after.kept
    assert any("it moves" in one.text for one in after.reasons if one.subject == "a.0")


def test_a_claim_on_a_held_card_wins() -> None:
    facts = four_3090s()
    before = plan(spec({"a": ollama()}), facts)
    text = spec({"a": ollama(), "b": ollama(gpus=["0000:17:00.0"])})
    after = plan(text, running(facts, before))
    # node 1 for a.0: then the memory of both nodes is used alike
    assert gpus_of(after) == {"a.0": [2], "b.0": [0]}
    assert after.moved == {"a.0": "GPU 0 to GPU 2"}


def test_a_new_instance_takes_the_card_of_the_highest_copy() -> None:
    facts = four_3090s()
    before = plan(spec({"s": ollama(replicas="per-gpu")}), facts)
    text = spec({"new": ollama(), "s": ollama(replicas="per-gpu")})
    after = plan(text, running(facts, before))
    assert gpus_of(after) == {"new.0": [3], "s.0": [0], "s.1": [1], "s.2": [2]}


def test_a_card_that_is_gone_is_replaced() -> None:
    facts = four_3090s()
    before = plan(spec({"a": ollama()}), facts)
    lost = with_stable(running(facts, before), gpus=facts.stable.gpus[1:], paths=facts.stable.paths)
    assert gpus_of(plan(spec({"a": ollama()}), lost)) == {"a.0": [1]}
