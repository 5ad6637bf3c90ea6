"""What must hold of every picture: nothing overlaps, nothing sticks out, nothing is lost."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

from provision.host.document import loads
from provision.host.facts import Cpu, Facts
from provision.plan.plan import Plan
from provision.view.labels import gpu_labels, nic_labels, shown_nics
from provision.view.picture import draw
from provision.view.picture.layout import machine_scene
from provision.view.picture.scene import Box, Cells, Frame, Group, Scene, Sign, Text

from .machines import MACHINES, PLANS, a100_nps4, dgx, sliced

GOLDEN = Path(__file__).parents[3] / "golden"
EMPTY: dict[str, dict[str, Any]] = {
    "without-cpu": {"cpu": Cpu()},
    "without-nodes": {"numa_nodes": ()},
    "without-bridges": {"bridges": ()},
    "without-bus": {"accelerators": (), "nvswitches": (), "bridges": ()},
    "without-gpus": {"gpus": ()},
    "without-links": {"gpu_links": ()},
}
RECORDED = {
    **{f"host-{path.parent.name}": path for path in sorted(GOLDEN.glob("hosts/*/facts.json"))},
    **{path.parts[-3]: path for path in sorted(GOLDEN.glob("machines/*/expected/facts.json"))},
}
CASES: dict[str, tuple[Facts, Plan | None]] = {
    **{name: (build(), None) for name, build in MACHINES.items()},
    **{f"{name}-planned": build() for name, build in PLANS.items()},
    **{
        f"{machine.__name__}-{name}": (replace(facts, stable=replace(facts.stable, **gone)), None)
        for machine in (dgx, a100_nps4, sliced)
        for facts in (machine(),)
        for name, gone in EMPTY.items()
    },
    **{name: (loads(Facts, path.read_text()), None) for name, path in RECORDED.items()},
}
SVG = "{http://www.w3.org/2000/svg}"
DEVICES = ("gpu-", "nic-", "card-", "bus-", "node-", "fabric-")


@pytest.fixture(params=CASES)
def case(request: pytest.FixtureRequest) -> tuple[Facts, Plan | None]:
    return CASES[request.param]


@pytest.fixture
def scene(case: tuple[Facts, Plan | None]) -> Scene:
    return machine_scene(*case)


def boxed(scene: Scene) -> list[tuple[Group, Frame]]:
    """The groups that are one box, with its frame."""
    return [
        (group, group.items[0].frame)
        for group in scene.groups
        if group.id.startswith(DEVICES) and isinstance(group.items[0], Box)
    ]


def test_every_text_lies_in_its_place_and_on_the_page(scene: Scene) -> None:
    page = Frame(0, 0, scene.width, scene.height)
    for text in scene.texts():
        assert text.text, "an empty text is not worth an element"
        assert text.within.holds(text.frame), text
        assert page.holds(text.frame), text


def test_no_text_overlaps_another(scene: Scene) -> None:
    texts = [(text, text.frame) for text in scene.texts()]
    for (one, here), (other, there) in combinations(texts, 2):
        assert not here.overlaps(there), (one.text, other.text)


def test_no_box_of_a_thing_overlaps_another(scene: Scene) -> None:
    for (one, here), (other, there) in combinations(boxed(scene), 2):
        assert not here.overlaps(there), (one.id, other.id)


def test_what_belongs_to_a_thing_lies_in_its_box(scene: Scene) -> None:
    for group, box in boxed(scene):
        for item in group.items:
            if isinstance(item, Text):
                # The link of a device stands above it, beside its line.
                assert box.holds(item.frame) or item.frame.bottom <= box.y + 0.01, (group.id, item)
            elif isinstance(item, Box):
                assert box.holds(item.frame), (group.id, item)
            elif isinstance(item, Cells):
                assert all(map(box.holds, item.frames)), group.id
            elif isinstance(item, Sign):
                assert box.holds(Frame(item.x, item.y, 12, 12)), (group.id, item)


def test_every_node_lies_in_a_socket_where_sockets_are_shown(scene: Scene) -> None:
    sockets = [
        group.items[0].frame
        for group in scene.groups
        if group.id.startswith("Socket-") and isinstance(group.items[0], Box)
    ]
    for group, box in boxed(scene):
        if group.id.startswith("node-") and any(one.overlaps(box) for one in sockets):
            assert any(one.holds(box) for one in sockets), group.id


def test_no_line_runs_through_the_name_of_a_link(scene: Scene) -> None:
    lines = [
        Frame(
            min(x, u) - item.thickness / 2,
            min(y, v) - item.thickness / 2,
            abs(x - u) + item.thickness,
            abs(y - v) + item.thickness,
        )
        for group in scene.groups
        if group.id == "links"
        for item in group.items
        if not isinstance(item, Box | Cells | Text | Sign)
        for (x, y), (u, v) in zip(item.points, item.points[1:], strict=False)
    ]
    for group, box in boxed(scene):
        for item in group.items:
            if isinstance(item, Text) and not box.holds(item.frame):
                assert not any(item.frame.overlaps(line) for line in lines), item.text


def test_every_device_is_shown_once(case: tuple[Facts, Plan | None], scene: Scene) -> None:
    facts = case[0]
    shown = [text.text for text in scene.texts() if text.bold]
    for label in gpu_labels(facts).values():
        assert shown.count(label) == 1, label
    names = nic_labels(facts)
    virtual = {nic.address for nic in facts.stable.nics if nic.virtual}
    for nic in shown_nics(facts):
        if nic.address not in virtual and len(names[nic.address]) < 15:
            assert shown.count(names[nic.address]) == 1, nic
    for node in facts.stable.numa_nodes:
        if node.cpus:
            assert shown.count(f"NUMA node {node.id}") == 1, node.id


def test_the_document_is_well_formed_and_the_same_every_time(
    case: tuple[Facts, Plan | None],
) -> None:
    document = draw(*case)
    root = ElementTree.fromstring(document.encode())
    assert root.tag == f"{SVG}svg" and root.get("role") == "img"
    ids = [one.get("id") for one in root.iter() if one.get("id")]
    assert len(ids) == len(set(ids))
    assert {"title", "description"} <= set(ids)
    allowed = {"svg", "g", "title", "desc", "rect", "text", "path", "polyline", "circle"}
    assert {one.tag.removeprefix(SVG) for one in root.iter()} <= allowed
    assert document == draw(*case)


def test_a_gpu_tells_its_uuid_when_pointed_at(case: tuple[Facts, Plan | None]) -> None:
    root = ElementTree.fromstring(draw(*case).encode())
    told = [one.text or "" for one in root.iter(f"{SVG}title")]
    for gpu in case[0].stable.gpus:
        assert sum(gpu.uuid in text.split() for text in told) == 1
