"""MIG slices are GPUs of their own, one a process."""

from __future__ import annotations

import pytest

from provision.host.errors import ProvisionError
from provision.host.facts import Facts
from provision.plan.machine.slices import is_slice, share_of, slices_of

from .machines import (
    H100,
    Slot,
    gpus_of,
    machine,
    plan,
    running,
    slice_uuid,
    sliced,
    spec,
    weighed,
)
from .random_hosts import given_model

PROFILES = {"1g.10gb": 9856, "1g.10gb#2": 9856, "3g.40gb": 40192}
CUT = sliced(
    machine([Slot(H100, "0000:01:00.0"), Slot(H100, "0000:02:00.0")], nvlinks=18), 0, PROFILES
)
ONLY_CUT = sliced(machine([Slot(H100, "0000:01:00.0")]), 0, PROFILES)


def uuids(text: str, facts: Facts) -> dict[str, list[str]]:
    return {one.name: [gpu.uuid for gpu in one.gpus] for one in plan(text, facts).instances}


def errors(text: str, facts: Facts) -> dict[str, str]:
    with pytest.raises(ProvisionError) as caught:
        plan(text, facts)
    return {one.rule: f"{one.message} | {one.hint}" for one in caught.value.diagnostics}


def test_a_slice_is_a_gpu_with_its_own_uuid_and_memory_at_the_place_of_its_card() -> None:
    card = CUT.stable.gpus[0]
    found = slices_of(card)
    assert [one.uuid for one in found] == [slice_uuid(0, at) for at in range(3)]
    assert [one.memory_mib for one in found] == [9856, 9856, 40192]
    assert all(is_slice(one) and not one.nvlinks for one in found)
    assert {(one.address, one.numa_node) for one in found} == {(card.address, card.numa_node)}
    assert not is_slice(card) and slices_of(CUT.stable.gpus[1]) == ()


def test_a_slice_is_that_part_of_its_card() -> None:
    card = CUT.stable.gpus[0]
    small, _, large = slices_of(card)
    assert share_of(small, card) == pytest.approx(9856 / 81559)
    assert share_of(large, card) == pytest.approx(40192 / 81559)
    assert share_of(card, card) == 1.0


def test_the_cut_card_itself_is_not_given() -> None:
    usable = weighed(spec({"a": given_model(4)}), CUT).table.usable()
    assert [one.uuid for one in usable] == [
        *(slice_uuid(0, at) for at in range(3)),
        CUT.stable.gpus[1].uuid,
    ]


@pytest.mark.parametrize(("gib", "at"), [(4, 0), (20, 2)])
def test_a_model_takes_a_slice_that_holds_it(gib: float, at: int) -> None:
    assert uuids(spec({"a": given_model(gib)}), ONLY_CUT) == {"a.0": [slice_uuid(0, at)]}


def test_a_large_model_takes_the_whole_card_beside_the_slices() -> None:
    found = uuids(spec({"a": given_model(50), "b": given_model(20)}), CUT)
    assert found == {"a.0": [CUT.stable.gpus[1].uuid], "b.0": [slice_uuid(0, 2)]}


def test_slices_are_not_put_together() -> None:
    found = errors(spec({"a": given_model(50)}), ONLY_CUT)["no-fit"]
    assert "2 x 9.6 GiB" in found and "1 x 39.2 GiB" in found
    start = weighed(spec({"a": given_model(50)}), ONLY_CUT)
    way = start.ways["a"].best(start.table.usable()[:2])
    assert way.problem is not None and way.problem.rule == "slices"
    assert "one MIG slice a process" in way.problem.text


def test_a_count_of_slices_is_refused_with_the_reason() -> None:
    (found,) = errors(spec({"a": given_model(4, gpus=2)}), ONLY_CUT).values()
    assert "MIG slice" in found and "gpus: 1" in found


def test_every_copy_gets_a_slice_of_its_own() -> None:
    found = uuids(spec({"a": given_model(4, replicas="per-gpu")}), ONLY_CUT)
    assert sorted(found.values()) == [[slice_uuid(0, at)] for at in range(3)]
    found = uuids(spec({"a": given_model(20, replicas="per-gpu")}), CUT)
    assert sorted(found.values()) == sorted([[slice_uuid(0, 2)], [CUT.stable.gpus[1].uuid]])


def test_named_slices() -> None:
    found = uuids(spec({"a": given_model(4, gpus=[slice_uuid(0, 1)])}), ONLY_CUT)
    assert found == {"a.0": [slice_uuid(0, 1)]}
    two = [slice_uuid(0, 0), slice_uuid(0, 1)]
    (told,) = errors(spec({"a": given_model(4, gpus=two)}), ONLY_CUT).values()
    assert "one slice" in told and "name the slice alone" in told


def test_the_cut_card_by_its_address_says_which_slices_there_are() -> None:
    found = errors(spec({"a": given_model(4, gpus=["0000:01:00.0"])}), ONLY_CUT)["gpu-unusable"]
    assert "MIG mode" in found and slice_uuid(0, 0) in found


def test_a_reserved_slice_is_left_alone() -> None:
    text = spec({"a": given_model(4, replicas="auto")}, reserved_gpus=[slice_uuid(0, 0)])
    assert sorted(uuids(text, ONLY_CUT).values()) == [[slice_uuid(0, 1)], [slice_uuid(0, 2)]]


def test_a_reserved_card_is_left_alone_with_all_its_slices() -> None:
    text = spec({"a": given_model(4)}, reserved_gpus=["0000:01:00.0"])
    assert uuids(text, CUT) == {"a.0": [CUT.stable.gpus[1].uuid]}


def test_a_card_in_mig_mode_without_slices_says_how_to_make_some() -> None:
    bare = sliced(machine([Slot(H100, "0000:01:00.0")]), 0, {})
    found = " ".join(errors(spec({"a": given_model(4)}), bare).values())
    assert "MIG mode without any slice" in found and "nvidia-smi mig" in found


def test_a_slice_goes_to_the_engine_with_its_profile_and_as_one_gpu() -> None:
    (one,) = plan(spec({"a": given_model(4, "vllm")}), ONLY_CUT).instances
    (gpu,) = one.gpus
    assert (gpu.uuid, gpu.profile) == (slice_uuid(0, 0), "1g.10gb")
    assert (one.tensor_parallel_size, one.pipeline_parallel_size) == (1, 1)


def test_what_runs_on_a_slice_stays_there() -> None:
    text = spec({"a": given_model(4, gpus=[slice_uuid(0, 1)])})
    before = plan(text, ONLY_CUT)
    after = plan(spec({"a": given_model(4)}), running(ONLY_CUT, before))
    assert [gpu.uuid for gpu in after.instances[0].gpus] == [slice_uuid(0, 1)]
    assert set(after.kept) == {"a.0"} and gpus_of(after) == {"a.0": [0]}
