"""What is written into the picture: findings on their devices, instances on their seats, links."""

from __future__ import annotations

from dataclasses import replace

from provision.host.facts import Facts, Finding, Gpu, Nic, Placed, Volatile
from provision.plan.plan import Plan
from provision.view.picture import draw
from provision.view.picture.layout import machine_scene
from provision.view.picture.scene import Box, Sign, Text

from .machines import PLANS, bridged, cpus, dgx, gb200, hostile, orphans, sliced, unknown


def told(facts: Facts, group: str, plan: Plan | None = None) -> list[str]:
    """The texts of a group, from the top."""
    found = next(one for one in machine_scene(facts, plan).groups if one.id == group)
    return [item.text for item in found.items if isinstance(item, Text)]


def signs(facts: Facts, group: str) -> list[str]:
    found = next(one for one in machine_scene(facts).groups if one.id == group)
    return [item.severity for item in found.items if isinstance(item, Sign)]


def test_a_gpu_tells_what_it_is_and_its_link() -> None:
    assert told(bridged(), "gpu-0000:af:00.0") == [
        "GPU 3",
        "24 GiB",
        "RTX 3090",
        "0000:af:00.0",
        "link-width",
        "x4 of x16 gen 4",
    ]
    assert "memory: NUMA node 10" in told(gb200(), "gpu-0009:01:00.0")
    assert told(orphans(), "gpu-0000:00:00.0") == ["GPU 0", "NVIDIA", "0000:00:00.0"]


def test_findings_stand_on_what_they_are_about() -> None:
    assert signs(dgx(), "gpu-0006:1b:00.0") == ["warning"]
    assert signs(dgx(), "gpu-0005:1b:00.0") == []
    assert told(dgx(), "nic-0003:1c:00.0")[-2:] == ["link-width", "x16 gen 5"]
    assert signs(sliced(), "card-0000:c1:00.0") == ["error"]


def test_a_finding_about_a_slice_stands_on_its_gpu_and_one_about_a_switch_on_the_switch() -> None:
    facts = replace(
        sliced(), findings=(Finding("slice-rule", "error", "a", "b", subjects=("MIG-1-2",)),)
    )
    assert told(facts, "gpu-0000:81:00.0")[-2] == "slice-rule"
    facts = replace(
        dgx(), findings=(Finding("acs-rule", "warning", "a", "b", subjects=("0002:17:00.0",)),)
    )
    assert told(facts, "bus-0002:17:00.0")[-1] == "acs-rule"


def test_a_finding_about_one_port_of_a_network_card_is_not_about_the_other() -> None:
    facts = bridged()
    (card,) = facts.stable.nics
    other = replace(card, address=replace(card.address, function=1), interfaces=("eno2",))
    finding = Finding("port-rule", "warning", "a", "b", subjects=(str(other.address),))
    stable = replace(facts.stable, nics=(card, other))
    facts = replace(facts, stable=stable, findings=(finding,))
    assert signs(facts, "nic-0000:19:00.1") == ["warning"]
    assert signs(facts, "nic-0000:19:00.0") == []


def test_a_note_about_every_gpu_is_told_once_below() -> None:
    facts = bridged()
    subjects = tuple(gpu.uuid for gpu in facts.stable.gpus)
    note = Finding("about-all", "note", "a", "b", subjects=subjects)
    texts = [text.text for text in machine_scene(replace(facts, findings=(note,))).texts()]
    assert texts.count("about-all") == 1
    grave = replace(facts, findings=(replace(note, severity="error"),))
    assert [text.text for text in machine_scene(grave).texts()].count("about-all") == 5


def test_more_findings_than_there_is_room_for_are_counted() -> None:
    facts = bridged()
    subject = (facts.stable.gpus[0].uuid,)
    many = tuple(Finding(f"rule-{n:02}", "note", "a", "b", subjects=subject) for n in range(12))
    shown = replace(facts, findings=many)
    assert told(shown, "gpu-0000:18:00.0")[-2] == "and 9 more"
    assert told(shown, "findings")[-1] == "and 2 more: provision inspect tells all of them"


def test_instances_are_named_on_gpus_slices_and_nodes_and_in_the_table() -> None:
    facts, plan = PLANS["bridged"]()
    assert "large" in told(facts, "gpu-0000:18:00.0", plan)
    assert told(facts, "gpu-0000:86:00.0", plan)[4:5] == ["small.0"]
    assert told(facts, "node-1", plan)[-4:] == [
        "small.0",
        "CPUs 16-23,48-55",
        "small.1",
        "CPUs 24-31,56-63",
    ]
    assert told(facts, "instances", plan)[7:13] == [
        "large",
        "vllm",
        "8001",
        "tensor 2",
        "0, 1",
        "0-15,32-47",
    ]
    facts, plan = PLANS["sliced"]()
    assert told(facts, "gpu-0000:41:00.0", plan)[4:7] == ["3g.40gb", "39 GiB", "code"]
    assert "0 (3g.40gb)" in told(facts, "instances", plan)


def test_without_a_plan_the_instances_of_today_are_shown() -> None:
    facts = bridged()
    uuid = facts.stable.gpus[2].uuid
    placed = Placed(
        "chat",
        "ollama",
        "ollama@chat.service",
        (uuid, "GPU-gone-long-ago"),
        (1,),
        cpus("16-31"),
        11434,
    )
    facts = replace(facts, volatile=Volatile(placed=(placed,)))
    assert "chat" in told(facts, "gpu-0000:86:00.0")
    assert told(facts, "instances")[0] == "Instances placed today"
    assert "2, GPU-gone-lon… (not here)" in told(facts, "instances")


def test_virtual_functions_are_counted() -> None:
    facts = bridged()
    (card,) = facts.stable.nics
    virtual = tuple(
        replace(
            card, address=replace(card.address, function=n), interfaces=(f"v{n}",), virtual=True
        )
        for n in range(1, 4)
    )
    facts = replace(facts, stable=replace(facts.stable, nics=(card, *virtual)))
    texts = [text.text for text in machine_scene(facts).texts()]
    assert "3 virtual functions" in texts and "v1" not in texts


def test_many_network_cards_stand_in_several_columns() -> None:
    facts = bridged()
    (card,) = facts.stable.nics
    many = tuple(
        replace(card, address=replace(card.address, function=n), interfaces=(f"e{n}",))
        for n in range(8)
    )
    facts = replace(facts, stable=replace(facts.stable, gpus=facts.stable.gpus[:1], nics=many))
    columns: dict[float, int] = {}
    for group in machine_scene(facts).groups:
        box = group.items[0] if group.items else None
        if group.id.startswith("nic-") and isinstance(box, Box):
            columns[box.frame.x] = columns.get(box.frame.x, 0) + 1
    assert list(columns.values()) == [3, 3, 2]


def test_the_way_between_sockets_and_nodes_without_a_place() -> None:
    assert told(bridged(), "interconnect") == ["distance", "21"]
    assert told(unknown(), "node-unknown") == ["NUMA node not known"]
    assert told(gb200(), "heading")[-1] == (
        "Nodes 3-9,11-17,19-25,27-33: empty (neither CPUs nor memory)"
    )


def test_hostile_names_stay_texts() -> None:
    document = draw(hostile())
    assert "<script" not in document and "&lt;script&gt;" in document
    assert "\x1b" not in document and "\u202e" not in document
    document.encode()


def test_devices_may_be_the_same_in_address_and_kind() -> None:
    facts = bridged()
    gpu = facts.stable.gpus[0]
    twin: Gpu = replace(gpu, index=9, uuid="GPU-twin")
    nic: Nic = replace(facts.stable.nics[0], address=gpu.address)
    stable = replace(facts.stable, gpus=(*facts.stable.gpus, twin), nics=(nic,))
    texts = [text.text for text in machine_scene(replace(facts, stable=stable)).texts()]
    assert {"GPU 0", "GPU 9", "eno1"} <= set(texts)
