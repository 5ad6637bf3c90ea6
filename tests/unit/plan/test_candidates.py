"""Every way that was weighed, with the rule by which it lost."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings

from provision.host.document import dumps, loads
from provision.host.errors import ProvisionError
from provision.host.facts import Facts
from provision.plan.plan import Candidate, Plan

from .machines import RTX_3090, Slot, four_3090s, machine, plan, sliced, spec, weighed
from .random_hosts import given_model, hosts, specs

QWEN_14B = {"engine": "vllm", "model": "Qwen/Qwen2.5-14B-Instruct"}
QWEN_8B = {"engine": "vllm", "model": "Qwen/Qwen3-8B"}


def weighed_for(made: Plan, group: str = "a") -> tuple[Candidate, ...]:
    return next(one.candidates for one in made.explanations if one.group == group)


def lost(made: Plan, way: str, group: str = "a") -> Candidate:
    return next(one for one in weighed_for(made, group) if one.way == way)


@settings(max_examples=40, deadline=None)
@given(hosts(), specs(3))
def test_every_candidate_has_its_verdict_and_its_reason(
    facts: Facts, wanted: dict[str, Any]
) -> None:
    try:
        made = plan(spec(wanted), facts)
    except ProvisionError:
        return
    assert [one.group for one in made.explanations] == list(wanted)
    assert loads(Plan, dumps(made)) == made
    for explanation in made.explanations:
        first, *others = explanation.candidates
        assert (first.verdict, first.rule) == ("chosen", "best")
        launch = next(one for one in made.instances if one.group == explanation.group)
        assert sorted(first.uuids) == sorted(gpu.uuid for gpu in launch.gpus)
        verdicts = [one.verdict for one in others]
        assert "chosen" not in verdicts
        assert verdicts == sorted(verdicts, key=["lost", "impossible"].index)
        for one in explanation.candidates:
            assert one.why and one.rule and one.way
            assert len(one.gpus) == len(one.uuids)
            if one.verdict != "impossible":
                assert len(one.need_mib) == len(one.room_mib) == len(one.gpus)
                assert all(a <= b for a, b in zip(one.need_mib, one.room_mib, strict=True))
        assert explanation.models and explanation.parts
        assert explanation.placing


def test_parts_add_up_to_the_need_of_the_fullest_card() -> None:
    made = plan(spec({"a": QWEN_14B}), four_3090s())
    (explanation,) = made.explanations
    whole = sum(one.mib for one in explanation.parts)
    assert whole == pytest.approx(max(made.figures["a.0"].need_mib), abs=2)


def test_why_a_model_that_fits_is_not_split() -> None:
    two = lost(plan(spec({"a": QWEN_8B}), four_3090s()), "tensor 2")
    assert (two.verdict, two.rule) == ("lost", "not-split")
    assert "a model that fits one card is not split" in two.why
    assert "speed of one stream with 2 GPUs" in two.why
    assert two.speed is not None


def test_why_not_one_card() -> None:
    one = lost(plan(spec({"a": QWEN_14B}), four_3090s()), "one GPU")
    assert (one.verdict, one.rule) == ("impossible", "memory")
    assert "needs" in one.why and "GiB" in one.why


def test_why_not_more_cards_and_why_not_a_pipeline() -> None:
    made = plan(spec({"a": QWEN_14B}), four_3090s())
    four = lost(made, "tensor 4")
    assert four.rule == "more-gpus" and "for 2 x the GPUs" in four.why
    pipeline = lost(made, "pipeline 2")
    assert pipeline.rule == "slower" and "% less speed of one stream" in pipeline.why
    three = lost(made, "tensor 3")
    assert (three.verdict, three.rule) == ("impossible", "heads")
    assert "40 attention heads, which 3 does not divide" in three.why


def test_a_pair_without_nvlink_is_weighed_against_one_with() -> None:
    made = plan(spec({"a": {**QWEN_14B, "gpus": 2}}), four_3090s())
    chosen, *others = weighed_for(made)
    assert "NVLink" in chosen.joint
    other = next(one for one in others if one.way == "tensor 2")
    assert "NVLink" not in other.joint and other.rule == "slower"


def test_what_host_yaml_asked_for_is_said() -> None:
    made = plan(spec({"a": {**QWEN_8B, "gpus": 2}}), four_3090s())
    assert "over 2 GPUs" in weighed_for(made)[0].why
    assert (lost(made, "one GPU").rule, "asks for 2 GPUs" in lost(made, "one GPU").why) == (
        "asked",
        True,
    )
    named = plan(spec({"a": {**QWEN_8B, "gpus": ["0000:17:00.0"]}}), four_3090s())
    assert "names these GPUs" in weighed_for(named)[0].why
    assert {one.rule for one in weighed_for(named)[1:] if one.verdict == "lost"} == {"named"}


def test_who_has_the_better_cards_is_named() -> None:
    facts = four_3090s(nvlinks={(0, 1): 4})
    text = spec(
        {"a": {**QWEN_14B, "gpus": 2}, "b": {**QWEN_14B, "gpus": ["0000:17:00.0", "0000:65:00.0"]}}
    )
    better = next(one for one in weighed_for(plan(text, facts)) if one.rule == "taken")
    assert "better alone, but its GPUs go to b.0" in better.why


def test_the_cpu_alone() -> None:
    made = plan(spec({"a": given_model(4, gpus=0)}), four_3090s())
    (only,) = weighed_for(made)
    assert (only.way, only.verdict, only.gpus) == ("on the CPU", "chosen", ())
    assert "gpus is 0" in only.why


def test_layers_in_ram_say_why() -> None:
    facts = machine([Slot(RTX_3090, "0000:01:00.0")])
    chosen = weighed_for(plan(spec({"a": given_model(30, cpu_offload=True)}), facts))[0]
    assert "layers in RAM" in chosen.way and "cpu_offload allows" in chosen.why


def test_a_hundred_ways_are_not_all_shown() -> None:
    slots = [Slot(RTX_3090, f"0000:{at:02x}:00.0", at // 8) for at in range(1, 17)]
    made = plan(spec({"a": QWEN_14B}), machine(slots, nodes=2))
    assert len(weighed_for(made)) <= 24


def test_what_was_placed_together_is_told() -> None:
    made = plan(spec({"a": QWEN_8B, "b": given_model(5)}), four_3090s())
    told = " ".join(made.explanations[0].placing)
    assert "placed together with b.0" in told
    assert "no placement is better" in told
    assert "is the largest that fits" in told


def test_slices_are_candidates_of_their_own() -> None:
    from .machines import H100

    facts = sliced(
        machine([Slot(H100, "0000:01:00.0"), Slot(H100, "0000:02:00.0")]), 0, {"3g.40gb": 40192}
    )
    start = weighed(spec({"a": given_model(20)}), facts)
    assert len(start.table.usable()) == 2
    made = plan(spec({"a": given_model(20)}), facts)
    uuids = {uuid for one in weighed_for(made) for uuid in one.uuids}
    assert uuids >= {facts.stable.gpus[1].uuid, facts.stable.gpus[0].mig_devices[0].uuid}
