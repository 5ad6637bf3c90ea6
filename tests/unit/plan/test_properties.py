"""What holds for every small host and every spec that it can serve."""

from __future__ import annotations

import re
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from provision.host.document import dumps, loads
from provision.host.errors import ProvisionError
from provision.host.facts import Facts
from provision.plan.plan import Plan

from .machines import L40S, RTX_3060, RTX_3090, Slot, machine, plan, running, spec

UUID = re.compile(r"GPU-[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


@st.composite
def hosts(draw: st.DrawFn) -> Facts:
    nodes = draw(st.integers(0, 3))
    cards = st.tuples(
        st.sampled_from([RTX_3090, RTX_3060, L40S]), st.integers(0, max(0, nodes - 1))
    )
    slots = [
        Slot(card, f"0000:{0x10 + 7 * at:02x}:00.0", node)
        for at, (card, node) in enumerate(draw(st.lists(cards, max_size=6)))
    ]
    pairs = [(a, b) for b in range(len(slots)) for a in range(b)]
    joined = draw(st.lists(st.sampled_from(pairs), unique=True, max_size=4)) if pairs else []
    return machine(
        slots,
        nodes=nodes,
        cores=draw(st.integers(1, 12)),
        smt=draw(st.integers(1, 2)),
        nvlinks=dict.fromkeys(joined, 4),
    )


@st.composite
def instances(draw: st.DrawFn) -> dict[str, Any]:
    engine = draw(st.sampled_from(["ollama", "vllm", "llama-server"]))
    model = {
        "ollama": "llama3.1:8b",
        "vllm": "Qwen/Qwen3-8B",
        "llama-server": "/srv/Llama-3.1-8B-Instruct-Q4_K_M.gguf",
    }[engine]
    gpus = draw(
        st.one_of(
            st.just("auto"),
            st.integers(0, 3),
            st.builds(
                lambda model, count: {"model": model, "count": count},
                st.sampled_from(["3090", "RTX", "L40S"]),
                st.integers(1, 2),
            ),
        )
    )
    replicas: Any = draw(st.integers(1, 2))
    if gpus == "auto":
        replicas = draw(st.sampled_from([1, 2, "per-gpu"]))
    numa = draw(st.sampled_from(["auto", "auto", "auto", "off", [0]]))
    return {"engine": engine, "model": model, "gpus": gpus, "replicas": replicas, "numa": numa}


SPECS = st.dictionaries(st.sampled_from(["a", "b", "c", "d"]), instances(), min_size=1)


def made(text: str, facts: Facts) -> Plan | None:
    """The plan; None where the host cannot serve it, which must be said with a hint or a place."""
    try:
        return plan(text, facts)
    except ProvisionError as error:
        assert all(one.message for one in error.diagnostics)
        assert any(one.place is not None for one in error.diagnostics)
        return None


def places(found: Plan) -> list[Any]:
    return [
        (one.name, one.gpus, one.pin, one.threads, one.port, one.internal_ports)
        for one in found.instances
    ]


@settings(max_examples=80, deadline=None)
@given(hosts(), SPECS)
def test_every_plan(facts: Facts, wanted: dict[str, Any]) -> None:
    text = spec(wanted, proxy={"listen": 8080})
    found = made(text, facts)
    if found is None:
        return
    assert found == made(text, facts), "the same input gives the same plan"
    assert loads(Plan, dumps(found)) == found

    uuids = [gpu.uuid for one in found.instances for gpu in one.gpus]
    assert len(uuids) == len(set(uuids)), "no GPU is given twice"
    assert all(UUID.fullmatch(uuid) for uuid in uuids)

    ports = [port for one in found.instances for port in (one.port, *one.internal_ports)]
    assert len(ports) == len(set(ports))
    assert 8080 not in ports and min(ports) >= 1024

    nodes = {node.id: node for node in facts.stable.numa_nodes}
    for one in found.instances:
        assert (one.tensor_parallel_size * one.pipeline_parallel_size) in (1, len(one.gpus))
        if one.pin.cpus is not None:
            every = frozenset(cpu for number in one.pin.nodes for cpu in nodes[number].cpus)
            assert one.pin.cpus.ids and one.pin.cpus.ids <= every
            assert one.threads is not None and 1 <= one.threads <= len(one.pin.cpus)
            for core in facts.stable.cpu.cores:
                assert not core & one.pin.cpus or core <= one.pin.cpus, "whole cores"
        assert any(reason.subject in (one.name, one.group) for reason in found.reasons)


@settings(max_examples=60, deadline=None)
@given(hosts(), SPECS)
def test_pinned_instances_do_not_overlap_while_there_are_cores(
    facts: Facts, wanted: dict[str, Any]
) -> None:
    found = made(spec(wanted), facts)
    if found is None:
        return
    for node in facts.stable.numa_nodes:
        here = [one for one in found.instances if node.id in one.pin.nodes]
        slots = sum(max(1, len(one.gpus)) for one in here)
        cores = [core for core in facts.stable.cpu.cores if core <= node.cpus]
        if len(cores) - 1 < slots:
            continue
        taken = [cpu for one in here for cpu in (one.pin.cpus or ()) if cpu in node.cpus]
        assert len(taken) == len(set(taken))


@settings(max_examples=60, deadline=None)
@given(hosts(), SPECS)
def test_a_second_plan_changes_nothing(facts: Facts, wanted: dict[str, Any]) -> None:
    text = spec(wanted)
    first = made(text, facts)
    if first is None:
        return
    second = made(text, running(facts, first))
    assert second is not None
    assert places(second) == places(first)
    assert set(second.kept) == {one.name for one in first.instances if one.gpus}


@settings(max_examples=60, deadline=None)
@given(hosts(), SPECS)
def test_removing_a_group_moves_no_gpu_and_no_port_of_the_others(
    facts: Facts, wanted: dict[str, Any]
) -> None:
    first = made(spec(wanted), facts)
    if first is None or len(wanted) < 2:
        return
    gone = sorted(wanted)[0]
    rest = {name: one for name, one in wanted.items() if name != gone}
    second = made(spec(rest), running(facts, first))
    assert second is not None
    after = {one.name: one for one in second.instances}
    for one in first.instances:
        if one.group == gone:
            continue
        assert after[one.name].gpus == one.gpus
        assert after[one.name].port == one.port
