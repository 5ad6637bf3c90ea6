"""Where threads and memory go."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from provision.engines.launch import Launch, Pin
from provision.host.errors import ProvisionError
from provision.host.facts import EngineFound, Facts, NumaNode
from provision.host.quantity import CpuSet

from .machines import (
    EVERY_ENGINE,
    RTX_3090,
    Slot,
    four_3090s,
    machine,
    plan,
    spec,
    with_stable,
    with_system,
)


def ollama(**more: Any) -> dict[str, Any]:
    return {"engine": "ollama", "model": "llama3.1:8b", **more}


def vllm(**more: Any) -> dict[str, Any]:
    return {"engine": "vllm", "model": "Qwen/Qwen3-8B", **more}


def launches(facts: Facts, **instances: dict[str, Any]) -> dict[str, Launch]:
    return {one.name: one for one in plan(spec(instances), facts).instances}


def test_next_to_the_gpu_in_whole_cores_with_one_left() -> None:
    """Node 0 is CPUs 0-15 and 32-47: 16 cores, one for the system, 15 for two cards."""
    (one,) = launches(four_3090s(), a=ollama(gpus=["0000:17:00.0"])).values()
    assert one.pin == Pin("systemd", (0,), CpuSet.parse("1-7,33-39"), "bind")
    assert one.threads == 7


def test_all_cards_of_a_node_get_all_its_slots() -> None:
    (one,) = launches(four_3090s(), a=vllm(gpus={"node": 1, "count": 2})).values()
    assert one.pin == Pin("systemd", (1,), CpuSet.parse("17-30,49-62"), "bind")
    assert one.threads == 14


def test_a_small_node_keeps_every_core() -> None:
    facts = four_3090s(cores=4, smt=1)
    found = launches(facts, a=ollama(replicas="per-gpu"))
    assert [str(one.pin.cpus) for one in found.values()] == ["0-1", "2-3", "4-5", "6-7"]


def test_more_instances_than_cores_share_the_node() -> None:
    facts = four_3090s(cores=1, smt=2)
    found = launches(facts, a=ollama(replicas="per-gpu"))
    assert [str(one.pin.cpus) for one in found.values()] == ["0,2", "0,2", "1,3", "1,3"]
    assert {one.threads for one in found.values()} == {1}


def test_idle_cards_give_up_their_cores_where_there_are_too_few() -> None:
    (one,) = launches(four_3090s(cores=1), a=ollama()).values()
    assert str(one.pin.cpus) == "0,2"


@pytest.mark.parametrize("nodes", [0, 1])
def test_one_node_has_nothing_to_pin_to(nodes: int) -> None:
    facts = machine([Slot(RTX_3090, "0000:01:00.0")], nodes=nodes)
    made = plan(spec({"a": ollama()}), facts)
    assert made.instances[0].pin == Pin()
    assert made.instances[0].threads is None
    assert any("not pinned: one NUMA node" in one.text for one in made.reasons)


def test_one_node_and_several_on_the_cpu_share_the_cores_by_threads() -> None:
    found = launches(machine(cores=12), a=ollama(gpus=0), b=ollama(gpus=0))
    assert [one.threads for one in found.values()] == [6, 6]


def test_numa_off() -> None:
    (one,) = launches(four_3090s(), a=ollama(numa="off")).values()
    assert one.pin == Pin()


def test_numactl_takes_the_whole_node() -> None:
    (one,) = launches(four_3090s(), a=ollama(pin="numactl")).values()
    assert one.pin == Pin("numactl", (0,), CpuSet.parse("0-15,32-47"), "bind")
    assert one.threads == 16


def test_numactl_missing_is_an_error() -> None:
    facts = with_system(four_3090s(), numactl=None)
    with pytest.raises(ProvisionError) as caught:
        plan(spec({"a": ollama(pin="numactl")}), facts)
    (found,) = caught.value.diagnostics
    assert found.rule == "no-numactl"
    assert found.place is not None and "pin: numactl" in found.place.text


@pytest.mark.parametrize(
    ("numa", "nodes", "memory"),
    [
        ([1], (1,), "preferred"),
        ([1, 0], (0, 1), None),
        ({"nodes": [1]}, (1,), "preferred"),
        ({"nodes": [1], "memory": "bind"}, (1,), "bind"),
        ({"nodes": [0, 1], "memory": "bind"}, (0, 1), "bind"),
    ],
)
def test_explicit_nodes(numa: Any, nodes: tuple[int, ...], memory: str | None) -> None:
    (one,) = launches(four_3090s(), a=ollama(numa=numa)).values()
    assert (one.pin.nodes, one.pin.memory) == (nodes, memory)
    assert one.pin.cpus is not None
    homes = {0 if cpu % 32 < 16 else 1 for cpu in one.pin.cpus}
    assert homes == set(nodes)


def with_cpuless_node(near: int, memory_mib: int = 65536) -> Facts:
    """Node 2 has memory and no CPUs (GPU, HBM or CXL memory), and is nearest to this node."""
    facts = four_3090s()
    distances = {0: 24, 1: 24, 2: 10, near: 17}
    return with_stable(
        facts, numa_nodes=(*facts.stable.numa_nodes, NumaNode(2, CpuSet(), memory_mib, distances))
    )


@pytest.mark.parametrize(
    ("numa", "rule"),
    [([7], "no-such-node"), ([2], "node-without-cpus"), ([0, 2], "node-without-cpus")],
)
def test_nodes_that_cannot_be(numa: list[int], rule: str) -> None:
    with pytest.raises(ProvisionError) as caught:
        plan(spec({"a": ollama(numa=numa)}), with_cpuless_node(1))
    (found,) = caught.value.diagnostics
    assert found.rule == rule
    assert "nodes with CPUs: 0 and 1" in (found.hint or "")


def test_memory_is_not_bound_to_a_node_without_any() -> None:
    facts = four_3090s()
    bare = (
        facts.stable.numa_nodes[0],
        dataclasses.replace(facts.stable.numa_nodes[1], memory_mib=0),
    )
    facts = with_stable(facts, numa_nodes=bare)
    with pytest.raises(ProvisionError) as caught:
        plan(spec({"a": ollama(numa={"nodes": [1], "memory": "bind"})}), facts)
    assert [one.rule for one in caught.value.diagnostics] == ["node-without-memory"]
    (one,) = launches(facts, a=ollama(numa=[1])).values()
    assert one.pin.memory is None


@pytest.mark.parametrize("near", [0, 1])
def test_a_gpu_on_a_node_without_cpus_goes_to_the_nearest(near: int) -> None:
    facts = with_cpuless_node(near)
    gpus = (dataclasses.replace(facts.stable.gpus[0], numa_node=2), *facts.stable.gpus[1:])
    made = plan(spec({"a": ollama(gpus=["0000:17:00.0"])}), with_stable(facts, gpus=gpus))
    assert made.instances[0].pin.nodes == (near,)
    assert any("nearest with CPUs to node 2" in one.text for one in made.reasons)


def test_a_gpu_of_an_unknown_node() -> None:
    facts = four_3090s()
    first = dataclasses.replace(facts.stable.gpus[0], numa_node=None, local_cpus=None)
    made = plan(
        spec({"a": ollama(gpus=["0000:17:00.0"])}),
        with_stable(facts, gpus=(first, *facts.stable.gpus[1:])),
    )
    assert made.instances[0].pin == Pin()
    assert any("does not say which node" in one.text for one in made.reasons)


def test_a_gpu_of_an_unknown_node_with_local_cpus() -> None:
    facts = four_3090s()
    first = dataclasses.replace(
        facts.stable.gpus[0], numa_node=None, local_cpus=facts.stable.numa_nodes[1].cpus
    )
    (one,) = launches(
        with_stable(facts, gpus=(first, *facts.stable.gpus[1:])), a=ollama(gpus=["0000:17:00.0"])
    ).values()
    assert one.pin.nodes == (1,)


def test_overlapping_cpu_lists_are_not_believed() -> None:
    facts = four_3090s()
    same = tuple(
        dataclasses.replace(node, cpus=CpuSet.parse("0-63")) for node in facts.stable.numa_nodes
    )
    made = plan(spec({"a": ollama()}), with_stable(facts, numa_nodes=same))
    assert made.instances[0].pin == Pin()
    assert "numa-unbelievable" in [one.rule for one in made.warnings]


def test_offline_cpus_are_not_used() -> None:
    facts = four_3090s()
    cpu = dataclasses.replace(
        facts.stable.cpu,
        online=facts.stable.cpu.online - CpuSet.parse("1-7,33-39"),
        cores=tuple(core for core in facts.stable.cpu.cores if min(core) not in range(1, 8)),
    )
    (one,) = launches(with_stable(facts, cpu=cpu), a=ollama()).values()
    assert str(one.pin.cpus) == "8-11,40-43"  # 9 cores, one for the system, 8 for two cards


class TestAcrossNodes:
    """Four GPUs, two on each socket."""

    def test_vllm_binds_its_workers(self) -> None:
        (one,) = launches(four_3090s(), a=vllm(gpus=4)).values()
        assert one.pin.per_worker
        assert (one.pin.form, one.pin.nodes, one.pin.memory) == ("systemd", (0, 1), None)
        assert str(one.pin.cpus) == "1-14,17-30,33-46,49-62"
        assert [gpu.numa_node for gpu in one.gpus] == [0, 0, 1, 1]

    @pytest.mark.parametrize(
        ("version", "numactl", "word"),
        [
            ("0.11.2", "/usr/bin/numactl", "0.11.2"),
            (None, "/usr/bin/numactl", "unknown version"),
            ("0.33.0", None, "numactl"),
        ],
    )
    def test_else_a_warning(self, version: str | None, numactl: str | None, word: str) -> None:
        facts = four_3090s(
            engines=(EngineFound("vllm", "/opt/vllm/bin/vllm", version, "/opt/vllm"),),
            system={"numactl": numactl},
        )
        made = plan(spec({"a": vllm(gpus=4)}), facts)
        assert not made.instances[0].pin.per_worker
        assert made.instances[0].pin.memory is None
        (found,) = made.warnings
        assert found.rule == "workers-not-bound" and word in found.message

    def test_ollama_gets_the_cpus_of_both(self) -> None:
        (one,) = launches(four_3090s(), a=ollama(gpus=4)).values()
        assert (one.pin.nodes, one.pin.memory, one.pin.per_worker) == ((0, 1), None, False)


def test_cpu_instances_go_where_cores_are_free() -> None:
    facts = four_3090s(engines=EVERY_ENGINE)
    found = launches(facts, g=vllm(gpus={"node": 0, "count": 2}), c=ollama(gpus=0))
    assert found["c.0"].pin.nodes == (1,)
    both = launches(machine(nodes=2, cores=8), a=ollama(gpus=0), b=ollama(gpus=0))
    assert [one.pin.nodes for one in both.values()] == [(0,), (1,)]


def test_a_cpuset_that_holds_back_cpus_is_warned_about() -> None:
    facts = four_3090s()
    cpu = dataclasses.replace(facts.stable.cpu, allowed=CpuSet.parse("0-3"))
    made = plan(spec({"a": ollama()}), with_stable(facts, cpu=cpu))
    assert [one.rule for one in made.warnings] == ["cpus-not-allowed"]
