"""Several instances on one GPU: their memory adds up, and who wants it alone has it alone."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings

from provision.host.errors import ProvisionError
from provision.host.facts import Facts

from .machines import RTX_3090, Slot, four_3090s, gpus_of, machine, plan, spec, uuid_of, weighed
from .random_hosts import given_model, hosts, specs

ONE = machine([Slot(RTX_3090, "0000:01:00.0")])


def shared(gib: float, engine: str = "llama-server", **more: Any) -> dict[str, Any]:
    return given_model(gib, engine, share_gpus=True, **more)


@settings(max_examples=60, deadline=None)
@given(hosts(others=True), specs(6))
def test_no_gpu_is_ever_overcommitted(facts: Facts, wanted: dict[str, Any]) -> None:
    start = weighed(spec(wanted), facts)
    found = start.placed(facts)
    if found is None:
        return
    taken: dict[str, int] = {}
    users: dict[str, list[str]] = {}
    for wish in found.wishes:
        way = found.ways[wish.name]
        assert set(way.gpus) == set(found.gpus[wish.name])
        for gpu, claim, needed in zip(way.gpus, way.claim, way.need_mib, strict=True):
            assert claim >= needed > 0
            taken[gpu.uuid] = taken.get(gpu.uuid, 0) + (claim if wish.shares else needed)
            users.setdefault(gpu.uuid, []).append(wish.name)
    for gpu in start.table.usable():
        room = start.table.room(gpu)
        assert room is not None and taken.get(gpu.uuid, 0) <= room
    alone = {wish.name for wish in found.wishes if not wish.shares}
    for names in users.values():
        assert len(names) == 1 or not alone & set(names)


@pytest.mark.parametrize("engine", ["llama-server", "ollama", "vllm"])
def test_two_small_ones_share_a_card(engine: str) -> None:
    text = spec({"a": shared(4, engine), "b": shared(4, engine)})
    assert gpus_of(plan(text, ONE)) == {"a.0": [0], "b.0": [0]}


@pytest.mark.parametrize(("a", "b"), [(True, False), (False, True), (False, False)])
def test_both_must_say_so(a: bool, b: bool) -> None:
    text = spec({"a": given_model(4, share_gpus=a), "b": given_model(4, share_gpus=b)})
    with pytest.raises(ProvisionError) as caught:
        plan(text, ONE)
    assert "gpus-short" in {one.rule for one in caught.value.diagnostics}


def test_no_more_than_the_memory_holds() -> None:
    """Each takes about 6.5 GiB with what its estimate may be off by: three on 24 GiB, not four."""
    three = {name: shared(4) for name in "abc"}
    assert set(map(tuple, gpus_of(plan(spec(three), ONE)).values())) == {(0,)}
    with pytest.raises(ProvisionError):
        plan(spec({**three, "d": shared(4)}), ONE)
    two = machine([Slot(RTX_3090, "0000:01:00.0"), Slot(RTX_3090, "0000:02:00.0")])
    found = gpus_of(plan(spec({**three, "d": shared(4)}), two))
    assert sorted(one for (one,) in found.values()).count(0) in (1, 2, 3)
    assert {one for (one,) in found.values()} == {0, 1}


def test_shares_of_vllm_on_one_card_are_less_than_all_of_it() -> None:
    made = plan(spec({"a": shared(4, "vllm"), "b": shared(6, "vllm")}), ONE)
    shares = [one.memory_utilization for one in made.instances]
    assert all(share is not None for share in shares)
    assert sum(share or 0 for share in shares) < 1
    room = 24576
    for one in made.instances:
        (needed,) = made.figures[one.name].need_mib
        assert (one.memory_utilization or 0) * room >= needed


def test_without_sharing_vllm_takes_its_usual_share() -> None:
    (one,) = plan(spec({"a": given_model(4, "vllm")}), ONE).instances
    assert one.memory_utilization == 0.9


def test_a_share_that_host_yaml_gives_is_kept() -> None:
    made = plan(
        spec(
            {
                "a": shared(4, "vllm", memory_utilization=0.5),
                "b": shared(4, "vllm", memory_utilization=0.45),
            }
        ),
        ONE,
    )
    assert [one.memory_utilization for one in made.instances] == [0.5, 0.45]
    with pytest.raises(ProvisionError):
        plan(
            spec(
                {
                    "a": shared(4, "vllm", memory_utilization=0.6),
                    "b": shared(4, "vllm", memory_utilization=0.6),
                }
            ),
            ONE,
        )


def test_a_card_that_both_name() -> None:
    here = [uuid_of("0000:01:00.0")]
    made = plan(spec({"a": shared(4, gpus=here), "b": shared(4, gpus=here)}), ONE)
    assert gpus_of(made) == {"a.0": [0], "b.0": [0]}
    with pytest.raises(ProvisionError) as caught:
        plan(spec({"a": shared(4, gpus=here), "b": given_model(4, gpus=here)}), ONE)
    assert {one.rule for one in caught.value.diagnostics} == {"gpu-shared"}


def test_too_much_on_a_card_that_both_name() -> None:
    here = [uuid_of("0000:01:00.0")]
    with pytest.raises(ProvisionError) as caught:
        plan(spec({"a": shared(14, gpus=here), "b": shared(14, gpus=here)}), ONE)
    words = str(caught.value)
    assert "a.0" in words and "b.0" in words


def test_one_that_does_not_share_gets_a_card_of_its_own() -> None:
    found = gpus_of(plan(spec({"a": shared(4), "b": given_model(4), "c": shared(4)}), four_3090s()))
    assert found["b.0"] not in (found["a.0"], found["c.0"])
